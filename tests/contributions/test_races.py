"""What people do while a period is being closed: they wait for it, then get the answer of what it has become."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from backend.contributions.models import Contribution
from backend.contributions.own import amend, declare_draft, delete_draft, waive
from backend.contributions.peers import ask_question
from backend.contributions.services import review, withdraw
from backend.distributions import closing
from backend.distributions.services import close_period
from tests.concurrency import at_once
from tests.contributions.peers import Play, again, say
from tests.contributions.test_own import drafted

Act = Callable[[Any, Contribution], Any]


def somebody_waits() -> bool:
    """Whether another connection to this database waits for a row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone() is not None


def while_closing(world: Any, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> Any:
    """Do something while a closing has frozen the work and is not kept yet; gives what came of it."""
    frozen: list[bool] = []

    def kept(_fact: str) -> None:
        frozen.append(True)
        for _turn in range(200):
            if somebody_waits():
                return
            time.sleep(0.02)

    monkeypatch.setattr(closing, "around_commit", kept)

    def run(number: int) -> Any:
        if number == 0:
            return close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now).state
        while not frozen:
            time.sleep(0.01)
        return act()

    closed, found = at_once(run, times=2)
    assert closed == "frozen"
    return found


ACTS: list[tuple[str, Act, Any]] = [
    ("withdraw", lambda w, row: withdraw(actor=w.users["bo"], contribution_id=row.pk, now=w.now).state, "withdrawn"),
    ("waive", lambda w, row: waive(actor=w.users["bo"], contribution_id=row.pk, now=w.now).state, "waived"),
    (
        "approve",
        lambda w, row: review(actor=w.users["sacha"], contribution_id=row.pk, verdict="approve", now=w.now).verdict,
        "approve",
    ),
    (
        "question",
        lambda w, row: ask_question(
            actor=w.users["sacha"], contribution_id=row.pk, text="Why?", now=w.now
        ).contribution.state,
        "questioned",
    ),
    (
        "amend",
        lambda w, row: amend(
            actor=w.users["bo"], contribution_id=row.pk, changes={"minutes": 30}, now=w.now
        ).version,
        2,
    ),
    (
        "another day",
        lambda w, row: amend(
            actor=w.users["bo"], contribution_id=row.pk, changes={"worked_on": w.today - timedelta(days=1)}, now=w.now
        ).version,
        "period_closed",
    ),
]  # fmt: skip


@pytest.mark.parametrize("act", ACTS, ids=[one[0] for one in ACTS])
def test_what_awaited_review_when_its_period_closed_goes_on_in_the_next(
    committed: str, play: Play, monkeypatch: pytest.MonkeyPatch, act: tuple[str, Act, Any]
) -> None:
    world = play("receive")
    row = say(world)
    _name, does, expected = act
    assert while_closing(world, monkeypatch, lambda: does(world, row)) == expected
    after = again(row)
    assert after.period_id != world.period.pk


def test_a_draft_is_declared_or_deleted_while_its_period_closes(
    committed: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("receive")
    row, bo = drafted(world), world.users["bo"]
    found = while_closing(
        world, monkeypatch, lambda: declare_draft(actor=bo, contribution_id=row.pk, now=world.now).state
    )
    assert (found, again(row).state) == ("period_closed", "draft")
    delete_draft(actor=bo, contribution_id=row.pk)
    assert not Contribution.objects.filter(pk=row.pk).exists()
