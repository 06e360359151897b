"""Pledges: promised once, by those who may, in the pot's currency."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.ledger.services import entry_count
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, cancel_pledge, make_pledge
from tests.concurrency import at_once

Play = Callable[..., Any]


def pledge(world: Any, **changes: Any) -> Pledge:
    """Ana's pledge for her organisation, with some values changed."""
    facts: dict[str, Any] = {
        "actor": world.users["ana"], "budget": world.budget, "organisation": world.organisation, "amount": 500_00,
        "currency": "EUR", "form_key": "k", "now": timezone.now(),
    }  # fmt: skip
    return make_pledge(**{**facts, **changes})


def test_a_pledge_is_a_promise_and_books_nothing(play: Play) -> None:
    world = play("make_house")
    made = pledge(world)
    assert (made.state, made.amount, made.expected, made.received) == ("active", 500_00, 500_00, 0)
    assert entry_count() == 0
    assert Event.objects.get(kind="pledge.made").data == {"amount": 500_00, "currency": "EUR"}


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"currency": "DEM"}, Invalid, "unknown_currency"),
        ({"currency": "USD"}, Invalid, "other_currency"),
        ({"amount": 0}, Invalid, "amount_out_of_range"),
        ({"amount": -5}, Invalid, "amount_out_of_range"),
        ({"amount": 2**63}, Invalid, "amount_out_of_range"),
        ({"amount": 1.0}, Invalid, "amount_out_of_range"),
    ],
)
def test_a_bad_pledge_is_refused_and_changes_nothing(
    play: Play, changes: dict[str, Any], kind: type[DomainError], code: str
) -> None:
    world = play("make_house")
    with pytest.raises(kind) as refusal:
        pledge(world, **changes)
    assert refusal.value.code == code
    assert not Pledge.objects.exists()
    assert not Event.objects.filter(kind="pledge.made").exists()


def test_nobody_pledges_for_an_organisation_that_is_not_theirs(play: Play) -> None:
    world = play("make_house")
    with pytest.raises(Forbidden):
        pledge(world, actor=world.users["bo"])
    assert not Pledge.objects.exists()


def test_a_closed_budget_takes_no_pledge(play: Play) -> None:
    world = play("make_house")
    type(world.budget).objects.filter(pk=world.budget.pk).update(state="closed")
    world.budget.refresh_from_db()
    with pytest.raises(Conflict) as refusal:
        pledge(world)
    assert refusal.value.code == "budget_not_open"
    assert not Pledge.objects.exists()


def test_ten_submissions_of_one_form_make_one_pledge(committed: str, play: Play) -> None:
    world = play("make_house")
    assert len(set(at_once(lambda _number: pledge(world).pk))) == 1
    assert Pledge.objects.count() == 1
    assert Event.objects.filter(kind="pledge.made").count() == 1
    for changed in ({"amount": 501_00}, {"terms": Terms(purchase_order="BC 7")}):
        with pytest.raises(Conflict) as refusal:
            pledge(world, **changed)
        assert refusal.value.code == "form_key_reused"
    assert Pledge.objects.count() == 1


def test_a_pledge_is_cancelled_before_money_and_not_after(play: Play) -> None:
    world = play("receive")
    with pytest.raises(Conflict) as refusal:
        cancel_pledge(actor=world.users["ana"], pledge_id=world.pledge.pk, now=timezone.now())
    assert refusal.value.code == "pledge_not_cancellable"
    other = pledge(world)
    assert cancel_pledge(actor=world.users["ana"], pledge_id=other.pk, now=timezone.now()).state == "cancelled"
    assert cancel_pledge(actor=world.users["ana"], pledge_id=other.pk, now=timezone.now()).state == "cancelled"
    assert Event.objects.filter(kind="pledge.cancelled").count() == 1
    with pytest.raises(NotFound):
        cancel_pledge(actor=world.users["bo"], pledge_id=world.pledge.pk, now=timezone.now())
