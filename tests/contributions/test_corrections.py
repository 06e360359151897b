"""Corrections of work that was shared out: the booked period stays, the difference is shared with the next one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from backend.contributions.corrections import add_to
from backend.contributions.models import Contribution
from backend.contributions.services import review
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.distributions.services import close_period
from backend.events.models import Event
from backend.ledger.services import entry_count
from backend.operations import demo
from tests.concurrency import at_once

Play = Callable[..., Any]


@pytest.fixture
def world(play: Play) -> Any:
    """A period was shared out: Bo asked 60 and was given all of it that there was."""
    return play("approve_distribution")


def more(world: Any, who: str = "bo", key: str = "k", **changes: Any) -> Contribution:
    """Bo forgot an hour and twenty euros."""
    facts = {"minutes": 60, "amount": 20_00, "reason": "The evening of the release.", "now": world.now, **changes}
    return add_to(actor=world.users[who], contribution_id=world.contributions[0].pk, form_key=key, **facts)


def booked(world: Any) -> dict[str, Any]:
    """The facts of the contribution that was shared out."""
    return Contribution.objects.filter(pk=world.contributions[0].pk).values().get()


def test_the_difference_is_a_request_of_the_open_period(world: Any) -> None:
    before, entries = booked(world), entry_count()
    made = more(world)
    assert (made.state, made.minutes, made.amount, made.corrects_id) == ("declared", 60, 20_00, before["id"])
    assert made.period_id != before["period_id"]
    assert made.period.state == "open"
    assert (made.worked_on, made.kind, made.budget_id) == (before["worked_on"], before["kind"], before["budget_id"])
    assert booked(world) == before
    assert entry_count() == entries
    assert Event.objects.get(kind="contribution.correction_declared").data["corrects"] == before["id"]


def test_it_is_reviewed_by_others_and_shared_with_the_next_period(world: Any) -> None:
    made = more(world)
    with pytest.raises(Forbidden):
        review(actor=world.users["bo"], contribution_id=made.pk, verdict="approve", now=world.now)
    review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", now=world.now)
    closed = close_period(actor=world.users["claire"], period_id=made.period_id, now=made.created_at + _until(made))
    (line,) = closed.inputs["lines"]
    assert (line["contribution"], line["claim"], line["validated"]) == (made.pk, 20_00, 60)


def _until(made: Contribution) -> Any:
    """How long until the first day of its period has come."""
    from datetime import timedelta

    return max(timedelta(), timedelta(days=(made.period.starts_on - made.created_at.date()).days + 1))


@pytest.mark.parametrize(("who", "kind"), [("camille", Forbidden), ("sacha", Forbidden), ("ana", NotFound)])
def test_only_its_contributor_adds(world: Any, who: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        more(world, who)
    assert not Contribution.objects.exclude(corrects=None).exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"minutes": 0, "amount": 0}, "nothing_declared"),
        ({"minutes": -30}, "minutes_out_of_range"),
        ({"amount": -1}, "amount_out_of_range"),
        ({"reason": " "}, "description_length"),
    ],
)
def test_what_is_no_addition(world: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        more(world, **changes)
    assert refusal.value.code == code
    assert not Contribution.objects.exclude(corrects=None).exists()


def test_work_that_is_not_shared_out_is_amended_instead(play: Play) -> None:
    world = play("work")
    with pytest.raises(Conflict) as refusal:
        more(world)
    assert refusal.value.code == "contribution_not_open"


def test_the_same_form_is_one_correction(world: Any) -> None:
    assert more(world) == more(world)
    with pytest.raises(Conflict) as refusal:
        more(world, amount=21_00)
    assert refusal.value.code == "form_key_reused"
    assert more(world, key="another").pk


def test_the_same_form_at_once(committed: str, play: Play) -> None:
    world = play("approve_distribution")
    assert len({row.pk for row in at_once(lambda _number: more(world), times=4)}) == 1


def test_the_database_wants_the_same_person(world: Any) -> None:
    made = more(world)
    with pytest.raises(DatabaseError), transaction.atomic():
        Contribution.objects.filter(pk=made.pk).update(corrects=world.contributions[1])
        from django.db import connection

        connection.check_constraints()


def test_a_correction_can_be_corrected_once_it_is_shared_out(world: Any) -> None:
    made = more(world)
    with pytest.raises(Conflict):
        add_to(
            actor=world.users["bo"], contribution_id=made.pk, minutes=1, amount=0, reason="more", form_key="z",
            now=world.now,
        )  # fmt: skip
    demo.sweep(world.now)
