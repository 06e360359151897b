"""An event says who, as whom, what changed, why and by which door; nobody changes or removes one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from backend.core.origin import came_by, origin
from backend.events.models import Event, Untold
from backend.events.services import record
from tests import databases


def test_an_event_keeps_all_that_it_is_told(play: Any) -> None:
    world = play("make_house")
    now = timezone.now()
    made = record(
        "thing.changed", actor=world.users["claire"], subject="thg_1", now=now, scopes=["bud_1"], on_behalf="org_1",
        before={"state": "open"}, after={"state": "closed"}, why="  because  ", amount=12_50, currency="EUR",
    )  # fmt: skip
    kept = Event.objects.get(pk=made.pk)
    assert (kept.kind, kept.actor_id, kept.subject, kept.scopes) == (
        "thing.changed", world.users["claire"].pk, "thg_1", ["bud_1"],
    )  # fmt: skip
    assert (kept.on_behalf, kept.before, kept.after, kept.why) == (
        "org_1", {"state": "open"}, {"state": "closed"}, "because",
    )  # fmt: skip
    assert (kept.data, kept.created_at, kept.origin) == ({"amount": 12_50, "currency": "EUR"}, now, "command")
    assert Untold.objects.filter(event=kept).count() == 1


def test_a_reason_is_cut_at_five_hundred_characters(db: None) -> None:
    assert Event.objects.get(pk=record("a.b", actor=None, subject="x", now=timezone.now(), why="é" * 600).pk).why == (
        "é" * 500
    )


def test_what_was_recorded_before_columns_came_still_reads(db: None) -> None:
    made = record("a.b", actor=None, subject="x", now=timezone.now())
    assert (made.on_behalf, made.before, made.after, made.why) == ("", None, None, "")


def test_an_event_says_by_which_door_it_came(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    before = timezone.now()
    answer = sign_in(world.users["ana"]).post(
        "/en/organisations/new/",
        {"name": "Les Halles", "kind": "informal"},
        headers={"X-Request-ID": "req-of-a-test"},
    )
    assert answer.status_code == 302
    made = Event.objects.get(kind="organisation.created", created_at__gte=before)
    assert (made.origin, made.request_id) == ("web", "req-of-a-test")
    play_it = Event.objects.filter(kind="host.created").values_list("origin", "request_id")
    assert list(play_it) == [("command", "")]


def test_a_sweep_is_a_task(play: Any) -> None:
    world = play("work")
    from backend.distributions.services import close_period

    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    call_command("sweep", "distributions.compute", verbosity=0)
    assert Event.objects.get(kind="distribution.published").origin == "task"
    assert origin() == "command"


def test_a_door_closes_behind_whoever_came_in() -> None:
    with came_by("web"):
        with came_by("task"):
            assert origin() == "task"
        assert origin() == "web"
    assert origin() == "command"


@pytest.mark.parametrize(
    ("statement", "whom"),
    [
        ("UPDATE events_event SET why = 'another'", "permission denied"),
        ("DELETE FROM events_event", "permission denied"),
        ("TRUNCATE events_event CASCADE", "permission denied"),
        ("ALTER TABLE events_event DISABLE TRIGGER ALL", "must be owner"),
        ("DROP TRIGGER events_append_only ON events_event", "must be owner"),
    ],
)
def test_the_application_cannot_change_an_event(play: Any, statement: str, whom: str) -> None:
    play("make_house")
    before = sorted(Event.objects.values_list("pk", "why", "data", "before"))
    assert before
    with pytest.raises(DatabaseError, match=whom), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert sorted(Event.objects.values_list("pk", "why", "data", "before")) == before


@pytest.mark.parametrize(
    "statement", ["UPDATE events_event SET why = 'x'", "DELETE FROM events_event", "TRUNCATE events_event CASCADE"]
)
def test_the_owner_cannot_either(committed: str, statement: str) -> None:
    record("a.b", actor=None, subject="x", now=timezone.now(), why="first")
    address = databases.named(databases.owner_url(), committed)
    with (
        pytest.raises(psycopg.errors.RestrictViolation, match="events are append-only"),
        psycopg.connect(address, options="-c role=tronc_owner") as owner,
    ):
        owner.execute(statement)
    assert list(Event.objects.values_list("why", flat=True)) == ["first"]


def test_an_event_of_an_act_that_fails_goes_with_it(db: None) -> None:
    now = timezone.now() - timedelta(days=1)

    def fail() -> None:
        with transaction.atomic():
            record("a.b", actor=None, subject="x", now=now)
            raise RuntimeError

    act: Callable[[], None] = fail
    with pytest.raises(RuntimeError):
        act()
    assert not Event.objects.filter(created_at=now).exists()
