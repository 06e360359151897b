"""Money given back: every purse returns to what it was, never twice, and two people look at the account."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.banking.services import import_statement
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.events.models import Event
from backend.identity.models import Role
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from backend.payees.services import booked_names
from backend.payments.models import Payment, Refund, Surplus
from backend.payments.refunds import correct_account, open_refund_iban, refund_payment, refund_surplus
from backend.payouts.models import PaidRefund, Payout
from backend.payouts.services import approve_batch, hand_over, prepare_batch, refuse_batch
from tests.concurrency import at_once
from tests.payments.money import IBAN, bank_says, purses, sound
from tests.treasurers import make_treasurer

Play = Callable[..., Any]
OTHER = "FR7610107001011234567890129"


def asked(world: Any, **changes: Any) -> dict[str, Any]:
    """Claire gives money back to La Fabrique."""
    values = {
        "actor": world.users["claire"], "name": "La Fabrique du Port", "iban": IBAN, "reason": "paid twice",
        "form_key": "f1", "now": world.now,
    }  # fmt: skip
    return values | changes


def paid(world: Any, amount: int = 100_00) -> Payment:
    """The pledge of 100 € is paid."""
    bank_says(world, 1, 0, (amount, "LA FABRIQUE DU PORT", world.pledge.reference))
    return Payment.objects.get()


def test_paid_then_given_back_returns_every_purse_to_what_it_was(play: Play) -> None:
    world = play("make_promise")
    before = purses(world)
    payment = paid(world)
    refund = refund_payment(payment_id=payment.pk, amount=100_00, **asked(world))
    assert purses(world) == {"bank": 100_00}
    assert balance(kind="payee", owner=refund.pk, currency="EUR") == 100_00
    payment.refresh_from_db()
    world.pledge.refresh_from_db()
    assert (payment.state, payment.left, world.pledge.received) == ("refunded", 0, 0)
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    assert batch.total == 100_00
    approve_batch(actor=world.users["denis"], batch_id=batch.pk, digest=batch.digest, now=world.now)
    _batch, data = hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    assert IBAN.encode() in data
    (line,) = Payout.objects.all()
    lines = [(-100_00, "LA FABRIQUE DU PORT", "", line.end_to_end_id)]
    import_statement(
        actor=world.users["claire"], data=demo.statement_file(world, number=2, opening=100_00, lines=lines),
        accept_gap=False, now=world.now,
    )  # fmt: skip
    demo.sweep(world.now)
    assert purses(world) == before == {}
    assert balance(kind="payee", owner=refund.pk, currency="EUR") == 0
    refund.refresh_from_db()
    assert (refund.state, PaidRefund.objects.get().live) == ("paid", True)
    assert [name for _since, name in booked_names([refund.pk])[refund.pk]] == ["La Fabrique du Port"]
    assert Event.objects.filter(kind="refund.paid", subject=refund.pk).count() == 1


def test_refunds_never_exceed_what_was_paid(play: Play) -> None:
    world = play("make_promise")
    payment = paid(world)
    first = refund_payment(payment_id=payment.pk, amount=60_00, **asked(world))
    assert purses(world) == {"bank": 100_00, "budget": 38_00, "host_fees": 2_00}
    again = refund_payment(payment_id=payment.pk, amount=60_00, **asked(world))  # pressed twice
    assert again.pk == first.pk
    booked = entry_count()
    with pytest.raises(Conflict) as refusal:
        refund_payment(payment_id=payment.pk, amount=40_01, **asked(world, form_key="f2"))
    assert refusal.value.code == "take_back_too_large"
    refund_payment(payment_id=payment.pk, amount=40_00, **asked(world, form_key="f3"))
    with pytest.raises(Conflict):
        refund_payment(payment_id=payment.pk, amount=1, **asked(world, form_key="f4"))
    assert (Refund.objects.count(), entry_count()) == (2, booked + 1)
    assert sum(Refund.objects.values_list("amount", flat=True)) == payment.amount


def test_ten_refunds_at_once_are_one(committed: str, play: Play) -> None:
    world = play("make_promise")
    payment = paid(world)

    def act(number: int) -> int:
        return refund_payment(payment_id=payment.pk, amount=70_00, **asked(world, form_key=f"f{number}")).amount

    assert sorted(at_once(act), key=str) == [70_00, *["take_back_too_large"] * 9]
    assert purses(world) == {"bank": 100_00, "budget": 28_50, "host_fees": 1_50}
    assert sound(world)


def test_a_surplus_is_given_back_whole_and_the_pledge_keeps_its_own(play: Play) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (130_00, "X", world.pledge.reference))
    surplus = Surplus.objects.get()
    refund = refund_surplus(surplus_id=surplus.pk, **asked(world))
    surplus.refresh_from_db()
    assert (refund.amount, surplus.state, surplus.left) == (30_00, "refunded", 0)
    assert purses(world) == {"bank": 130_00, "budget": 95_00, "host_fees": 5_00}
    world.pledge.refresh_from_db()
    assert (world.pledge.received, world.pledge.expected) == (100_00, 0)
    with pytest.raises(Conflict) as refusal:
        refund_surplus(surplus_id=surplus.pk, **asked(world, form_key="f2"))
    assert refusal.value.code == "surplus_decided"
    assert refund_surplus(surplus_id=surplus.pk, **asked(world)).pk == refund.pk


def test_what_was_shared_is_not_given_back(play: Play) -> None:
    world = play("settle")
    booked = entry_count()
    with pytest.raises(Conflict) as refusal:
        refund_payment(payment_id=Payment.objects.get().pk, amount=100_00, **asked(world))
    assert (refusal.value.code, refusal.value.param) == ("refund_above_held", "amount")
    assert (Refund.objects.count(), entry_count(), Payment.objects.get().taken_back) == (0, booked, 0)


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"iban": "FR7630001007941234567890184"}, "iban_invalid", "iban"),
        ({"name": " "}, "name_missing", "name"),
        ({"reason": ""}, "reason_missing", "reason"),
        ({"amount": 0}, "amount_out_of_range", "amount"),
    ],
)
def test_what_is_typed_badly_changes_nothing(play: Play, changes: dict[str, Any], code: str, param: str) -> None:
    world = play("receive")
    before = (purses(world), entry_count())
    with pytest.raises(Invalid) as refusal:
        refund_payment(**{"payment_id": Payment.objects.get().pk, "amount": 1_00, **asked(world), **changes})
    assert (refusal.value.code, refusal.value.param) == (code, param)
    assert (purses(world), entry_count(), Refund.objects.count()) == (*before, 0)


def test_only_a_treasurer_gives_money_back_and_the_account_is_sealed(play: Play) -> None:
    world = play("receive")
    payment = Payment.objects.get()
    for who in ("ana", "sacha", "bo"):
        with pytest.raises(Forbidden):
            refund_payment(payment_id=payment.pk, amount=1_00, **asked(world, actor=world.users[who]))
    refund = refund_payment(payment_id=payment.pk, amount=1_00, **asked(world))
    assert (refund.iban_hint, open_refund_iban(refund)) == ("FR76 •••• 0185", IBAN)
    assert IBAN not in refund.iban_sealed
    assert IBAN not in str(list(Event.objects.values()))


def test_who_asked_or_typed_the_account_does_not_approve(play: Play) -> None:
    world = play("receive")
    claire, denis, third = (world.users[name] for name in ("claire", "denis", "bo"))
    demo.give_factor(third)
    make_treasurer(third)
    refund = refund_payment(payment_id=Payment.objects.get().pk, amount=10_00, **asked(world))
    batch = prepare_batch(actor=denis, account_id=world.account.pk, now=world.now)
    with pytest.raises(Conflict) as taken:
        correct_account(actor=denis, refund_id=refund.pk, name="X", iban=OTHER, now=world.now)
    assert taken.value.code == "refund_on_its_way"
    with pytest.raises(Forbidden) as refusal:
        approve_batch(actor=claire, batch_id=batch.pk, digest=batch.digest, now=world.now)
    assert refusal.value.code == "asker_of_refund"
    refuse_batch(actor=denis, batch_id=batch.pk, reason="wrong account", now=world.now)
    refund.refresh_from_db()
    assert (refund.state, PaidRefund.objects.get().live) == ("owed", False)
    correct_account(actor=denis, refund_id=refund.pk, name="La Fabrique", iban=OTHER, now=world.now)
    refund.refresh_from_db()
    assert (refund.name, open_refund_iban(refund), refund.asked_by) == ("La Fabrique", OTHER, claire)
    again = prepare_batch(actor=claire, account_id=world.account.pk, now=world.now)
    with pytest.raises(Forbidden) as typed:
        approve_batch(actor=denis, batch_id=again.pk, digest=again.digest, now=world.now)
    assert typed.value.code == "asker_of_refund"
    # Both had a hand in it: neither approves whatever the other prepares.
    keys = set(Payout.objects.values_list("end_to_end_id", flat=True))
    assert len(keys) == 2
    assert {key.count("-") for key in keys} == {1, 2}


def test_two_treasurers_who_each_asked_a_refund_are_not_stuck(play: Play) -> None:
    world = play("make_promise")
    payment = paid(world)
    claire, denis = world.users["claire"], world.users["denis"]
    hers = refund_payment(payment_id=payment.pk, amount=10_00, **asked(world))
    his = refund_payment(payment_id=payment.pk, amount=20_00, **asked(world, actor=denis, form_key="f2"))
    first = prepare_batch(actor=claire, account_id=world.account.pk, now=world.now)
    assert [row.refund_id for row in first.payouts.all()] == [hers.pk]  # his would leave nobody to approve
    with pytest.raises(Conflict) as refusal:
        prepare_batch(actor=claire, account_id=world.account.pk, now=world.now)
    assert refusal.value.code == "nobody_could_approve"
    second = prepare_batch(actor=denis, account_id=world.account.pk, now=world.now)
    assert [row.refund_id for row in second.payouts.all()] == [his.pk]
    approve_batch(actor=denis, batch_id=first.pk, digest=first.digest, now=world.now)
    approve_batch(actor=claire, batch_id=second.pk, digest=second.digest, now=world.now)


def test_whoever_is_of_the_organisation_that_is_repaid_does_not_approve(play: Play) -> None:
    world = play("make_promise")
    refund = refund_payment(payment_id=paid(world).pk, amount=10_00, **asked(world))
    denis = world.users["denis"]
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    Role.objects.create(
        user=denis, kind="organisation_member", scope=refund.pledge.organisation_id, created_at=world.now
    )
    with pytest.raises(Forbidden) as refusal:
        approve_batch(actor=denis, batch_id=batch.pk, digest=batch.digest, now=world.now)
    assert refusal.value.code == "payee_of_batch"


def test_a_form_sent_again_for_another_payment_is_refused(play: Play) -> None:
    world = play("make_promise")
    first = paid(world)
    refund_payment(payment_id=first.pk, amount=10_00, **asked(world))
    bank_says(world, 2, 100_00, (50_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    surplus = Surplus.objects.get()
    booked = entry_count()
    with pytest.raises(Conflict) as refusal:
        refund_surplus(surplus_id=surplus.pk, **asked(world))
    assert (refusal.value.code, entry_count(), Refund.objects.count()) == ("form_key_reused", booked, 1)
