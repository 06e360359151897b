"""The chain over events: all are taken, once; whatever is changed, removed or put in breaks it."""

import os
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from backend.events.models import Event, EventSeal, SealedEvent
from backend.events.sealing import broken_seals, chain_due, unsealed
from backend.events.services import record
from backend.operations import selfcheck
from tests import databases
from tests.concurrency import at_once

Play = Callable[..., Any]

CHANGES = {
    "an event says another reason": "UPDATE events_event SET why = 'x' WHERE id = (SELECT min(id) FROM events_event)",
    "an event says another actor": "UPDATE events_event SET actor_id = NULL WHERE actor_id IS NOT NULL",
    "an event is removed": "DELETE FROM events_event WHERE id = (SELECT max(event_id) FROM events_sealedevent)",
    "an event and its place are removed": "DELETE FROM events_sealedevent WHERE event_id = "
    "(SELECT max(event_id) FROM events_sealedevent)",
    "a seal is removed": "DELETE FROM events_eventseal WHERE number = 1",
    "a seal says another digest": "UPDATE events_eventseal SET digest = repeat('0', 64) WHERE number = 1",
}


def test_every_event_is_taken_once_and_late_ones_follow(play: Play) -> None:
    world = play("make_house")
    count = Event.objects.count()
    before = SealedEvent.objects.count()
    assert chain_due(world.now) == count - before
    assert chain_due(world.now) == 0
    record("role.granted", actor=None, subject=world.users["bo"].pk, now=world.now)
    assert unsealed().count() == 1
    assert chain_due(world.now) == 1
    assert list(EventSeal.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
    assert broken_seals() == []
    assert SealedEvent.objects.count() == Event.objects.count() == count + 1


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_behind_its_back_is_found_and_freezes(play: Play, committed: str, what: str) -> None:
    world = play("make_house")
    chain_due(world.now)
    record("role.granted", actor=world.users["ana"], subject=world.users["bo"].pk, now=world.now)
    chain_due(world.now)
    assert selfcheck.check() == []
    with psycopg.connect(databases.named(os.environ["DATABASE_ADMIN_URL"], committed)) as raw:
        raw.execute("SET session_replication_role = replica")
        raw.execute(CHANGES[what])
    found = selfcheck.run(now=world.now).findings
    assert {one["code"] for one in found} == {"I3.events"}
    assert found[0]["thing"] in {"1", "2"}


def test_the_application_cannot_change_what_was_sealed(play: Play) -> None:
    world = play("make_house")
    chain_due(world.now)
    for statement in (
        "UPDATE events_eventseal SET digest = ''", "DELETE FROM events_eventseal", "DELETE FROM events_sealedevent",
        "TRUNCATE events_sealedevent",
    ):  # fmt: skip
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert broken_seals() == []


def test_ten_at_once_make_one_chain(play: Play, committed: str) -> None:
    world = play("make_house")
    count = unsealed().count()
    done = at_once(lambda _number: chain_due(world.now))
    assert sorted(done) == [0] * 9 + [count]
    assert EventSeal.objects.count() == 1
    assert broken_seals() == []
