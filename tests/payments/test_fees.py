"""The host's fee of a budget: not set is not zero, and what was received keeps the fee of its day."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.commons.services import open_envelope
from backend.core.errors import Forbidden, Invalid
from backend.events.models import Event
from backend.identity.models import Host
from backend.payments.fees import fee_of, host_fee, rate_of, set_fee
from backend.payments.models import Payment
from tests.payments.money import a_pledge, bank_says, purses

Play = Callable[..., Any]


def envelope_of(world: Any) -> Any:
    """An envelope below the common pot."""
    return open_envelope(actor=world.users["sacha"], parent=world.budget, name="Docs", own_rules=False, now=world.now)


def fee(world: Any, fee_bp: int | None, **changes: Any) -> Any:
    """Claire sets the fee of the pot."""
    values = {"actor": world.users["claire"], "budget_id": world.budget.pk, "reason": "agreed", "now": world.now}
    world.budget = set_fee(fee_bp=fee_bp, **(values | changes))
    return world.budget


def test_not_set_follows_above_then_the_host_and_zero_stays_zero(play: Play) -> None:
    world = play("make_house")
    envelope = envelope_of(world)
    assert (fee_of(world.budget), fee_of(envelope), rate_of(envelope).source) == (500, 500, "host")
    fee(world, 0)
    envelope.refresh_from_db()
    assert (fee_of(world.budget), fee_of(envelope)) == (0, 0)
    assert (rate_of(world.budget).source, rate_of(envelope).source) == ("budget", "above")
    assert rate_of(envelope).budget == world.budget
    Host.objects.update(fee_bp=900)
    assert fee_of(envelope) == 0
    fee(world, None)
    envelope.refresh_from_db()
    assert (fee_of(world.budget), fee_of(envelope)) == (900, 900)


def test_a_receipt_keeps_the_fee_of_its_day(play: Play) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (40_00, "X", world.pledge.reference))
    fee(world, 0)
    bank_says(world, 2, 40_00, (30_00, "X", world.pledge.reference))
    fee(world, 1000)
    more = a_pledge(world, 30_00, "more")
    bank_says(world, 3, 70_00, (30_00, "X", more.reference))
    found = Payment.objects.order_by("id").values_list("fee_bp", "fee")
    assert list(found) == [(500, 2_00), (0, 0), (1000, 3_00)]
    assert purses(world) == {"bank": 100_00, "budget": 95_00, "host_fees": 5_00}


def test_what_is_given_back_is_at_the_fee_of_the_receipt(play: Play) -> None:
    from backend.payments.refunds import refund_payment

    world = play("make_promise")
    bank_says(world, 1, 0, (100_00, "X", world.pledge.reference))
    fee(world, 2000)
    refund_payment(
        actor=world.users["claire"], payment_id=Payment.objects.get().pk, amount=50_00, name="X", reason="y",
        iban="FR7630001007941234567890185", form_key="f", now=world.now,
    )  # fmt: skip
    assert purses(world) == {"bank": 100_00, "budget": 47_50, "host_fees": 2_50}


def test_who_sets_it_and_what_is_kept_of_it(play: Play) -> None:
    world = play("make_house")
    for who in ("sacha", "ana", "bo"):
        with pytest.raises(Forbidden):
            fee(world, 0, actor=world.users[who])
    for fee_bp, changes, code in ((-1, {}, "fee_out_of_range"), (10_001, {}, "fee_out_of_range"),
                                  (5, {"reason": " "}, "reason_missing")):  # fmt: skip
        with pytest.raises(Invalid) as refusal:
            fee(world, fee_bp, **changes)
        assert refusal.value.code == code
    world.budget.refresh_from_db()
    assert world.budget.fee_bp is None
    fee(world, 0)
    fee(world, 0)
    event = Event.objects.get(kind="budget.fee_set")
    assert (event.before, event.after, event.why) == ({"fee_bp": None}, {"fee_bp": 0}, "agreed")


@pytest.mark.parametrize(("amount", "fee_bp", "kept"), [(1, 0, 0), (1, 5000, 1), (3, 5000, 2), (99, 10_000, 99)])
def test_halves_go_up(amount: int, fee_bp: int, kept: int) -> None:
    assert host_fee(amount, fee_bp) == kept
