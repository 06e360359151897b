"""A refund through the provider: asked by a treasurer, approved by another person, sent once, booked when it left."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid
from backend.identity.models import Role
from backend.ledger.services import entry_count, freeze
from backend.operations import demo
from backend.payments.models import Dispute, Operation, Payment, ProviderRefund
from backend.payments.provider_refunds import approve_refund, ask_refund, refundable, refuse_refund
from backend.payments.refunds import refund_payment
from tests.concurrency import at_once
from tests.payments.money import a_pledge
from tests.payments.provider_money import away, everything, facts, pay, purses, rate, tell

Play = Callable[..., Any]


@pytest.fixture(autouse=True)
def a_provider(settings: Any) -> None:
    """The host takes cards; nothing here reaches the provider."""
    settings.PROVIDER, settings.STRIPE_KEY = "fake", "sk_test_x"


def paid(play: Play, step: str = "make_house", **changes: Any) -> Any:
    """A house that was paid 100 € by card."""
    world = play(step)
    pay(world, a_pledge(world, 100_00, "card"), 100_00, fee=1_50, **changes)
    return world


def ask(world: Any, amount: int = 100_00, who: str = "claire", **changes: Any) -> ProviderRefund:
    """Claire asks that the payment goes back."""
    values = {"charge": "ch_1", "reason": "a mistake", "form_key": "f", "now": world.now}
    return ask_refund(actor=world.users[who], amount=amount, **(values | changes))


def test_two_people_then_one_operation_and_the_books_move_with_the_money(play: Play) -> None:
    world = paid(play)
    before = (everything(), entry_count())
    row = ask(world, 40_00)
    assert (row.state, refundable("ch_1"), ask(world, 40_00).pk) == ("asked", 60_00, row.pk)
    with pytest.raises(Conflict, match="other values"):
        ask(world, 41_00)
    with pytest.raises(Forbidden) as own:
        approve_refund(actor=world.users["claire"], refund_id=row.pk, now=world.now)
    assert own.value.code == "own_provider_refund"
    done = approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)
    approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)
    operation = Operation.objects.get()
    assert (done.state, done.operation, operation.key) == ("approved", operation, f"refund:{row.pk}")
    assert operation.request == {"refund": row.pk, "charge": "ch_1", "amount": 40_00, "currency": "EUR"}
    assert (everything(), entry_count()) == before
    away(world, "refund", 40_00, of="re_1")
    assert purses(world) == {"clearing": 58_50, "provider_fees": 1_50, "budget": 57_00, "host_fees": 3_00}


def refused(act: Callable[[], object]) -> str:
    """The code of the refusal that an act meets."""
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.value.code


def test_refusals_change_nothing(play: Play) -> None:
    world = paid(play)
    before = (everything(), entry_count())
    assert refused(lambda: ask(world, who="ana")) == "not_allowed"
    assert refused(lambda: ask(world, 0)) == "amount_out_of_range"
    assert refused(lambda: ask(world, reason=" ")) == "reason_missing"
    assert refused(lambda: ask(world, charge="ch_x")) == "payment_not_found"
    assert refused(lambda: ask(world, 100_01)) == "take_back_too_large"
    ask(world, 70_00)
    assert refused(lambda: ask(world, 30_01, form_key="g")) == "take_back_too_large"
    assert (ProviderRefund.objects.count(), Operation.objects.count()) == (1, 0)
    assert (everything(), entry_count()) == before


def test_who_is_paid_back_does_not_approve(play: Play) -> None:
    world = paid(play)
    row = ask(world)
    Role.objects.create(
        user=world.users["denis"], kind="organisation_member", scope=world.organisation.pk, created_at=world.now
    )  # fmt: skip
    found = refused(lambda: approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now))
    assert (found, Operation.objects.count()) == ("refund_of_own_payment", 0)


def test_a_disputed_payment_is_not_given_back_by_transfer_either(play: Play) -> None:
    world = paid(play)
    away(world, "dispute", 30_00, of="dp_1")
    before = (everything(), entry_count())
    found = refused(
        lambda: refund_payment(
            actor=world.users["claire"], payment_id=Payment.objects.get().pk, amount=10_00, name="X",
            iban="FR1420041010050500013M02606", reason="x", form_key="f", now=world.now,
        )
    )  # fmt: skip
    assert (found, everything(), entry_count()) == ("payment_disputed", *before)


def test_what_nobody_explained_is_given_back_too(play: Play) -> None:
    world = play("make_house")
    tell(world, facts(world, "charge", 50_00, charge="ch_x"))
    row = ask(world, 50_00, charge="ch_x")
    approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)
    away(world, "refund", 50_00, charge="ch_x")
    assert purses(world) == {}
    assert refundable("ch_x") == 0


def test_a_freeze_a_dispute_and_what_left_meanwhile_stop_it(play: Play) -> None:
    world = paid(play)
    row = ask(world, 60_00)

    def approve() -> object:
        return approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)

    dispute = Dispute.objects.create(
        id="dsp_1", provider="fake", remote_id="dp_1", charge="ch_1", amount=1_00, currency="EUR", state="opened",
        opened_at=world.now,
    )  # fmt: skip
    assert refused(approve) == "payment_disputed"
    dispute.delete()
    away(world, "refund", 50_00)  # somebody gave it back on the provider's own pages
    assert refused(approve) == "take_back_too_large"
    refuse_refund(actor=world.users["denis"], refund_id=row.pk, reason="too late", now=world.now)
    assert refused(approve) == "provider_refund_decided"
    small = ask(world, 10_00, form_key="g")
    freeze(actor=None, cause="manual", reason="x", now=world.now)
    found = refused(lambda: approve_refund(actor=world.users["denis"], refund_id=small.pk, now=world.now))
    assert (found, Operation.objects.count()) == ("payouts_frozen", 0)


def test_what_the_pot_no_longer_holds_is_given_back_only_when_the_host_advances_it(play: Play) -> None:
    world = play("make_promise")
    pay(world, world.pledge, 100_00)
    demo.work(world)
    demo.close(world)
    demo.approve_distribution(world)
    assert purses(world) == {"clearing": 100_00, "host_fees": 5_00}
    assert refused(lambda: ask(world, 40_00)) == "refund_above_held"
    row = ask(world, 40_00, advance=True)
    denis = world.users["denis"]
    assert refused(lambda: approve_refund(actor=denis, refund_id=row.pk, now=world.now)) == "refund_above_held"
    assert approve_refund(actor=denis, refund_id=row.pk, advance=True, now=world.now).state == "approved"
    away(world, "refund", 40_00)
    assert purses(world) == {"clearing": 60_00, "host_fees": 3_00, "deficit": 38_00}


def test_what_was_converted_goes_back_on_the_providers_own_pages(play: Play) -> None:
    world = paid(play, original_amount=108_00, original_currency="USD", rate=rate("0.9259259259"))
    assert refused(lambda: ask(world, 10_00)) == "refund_converted"


def test_a_surplus_goes_back_without_any_pot(play: Play) -> None:
    world = play("make_house")
    pay(world, a_pledge(world, 10_00, "k"), 100_00)
    assert ask(world, 90_00).state == "asked"


def test_refusing_needs_a_reason(play: Play) -> None:
    world = paid(play)
    row = ask(world)
    with pytest.raises(Invalid):
        refuse_refund(actor=world.users["denis"], refund_id=row.pk, reason=" ", now=world.now)
    done = refuse_refund(actor=world.users["claire"], refund_id=row.pk, reason="my mistake", now=world.now)
    assert (done.state, refundable("ch_1")) == ("refused", 100_00)


def test_ten_at_once_ask_and_approve_once(committed: str, play: Play) -> None:
    world = paid(play)
    asked = at_once(lambda turn: ask(world, 60_00, form_key=f"f{turn}").state)
    assert sorted(asked) == ["asked", *["take_back_too_large"] * 9]
    row = ProviderRefund.objects.get()
    found = at_once(lambda _turn: approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now).state)
    assert (set(found), Operation.objects.count()) == ({"approved"}, 1)


def test_postgresql_refuses_one_person_twice(play: Play) -> None:
    world = paid(play)
    row = ask(world)
    with pytest.raises(IntegrityError, match="provider_refund_by_two"), transaction.atomic():
        ProviderRefund.objects.filter(pk=row.pk).update(
            state="approved", decided_by=world.users["claire"], decided_at=world.now
        )  # fmt: skip
