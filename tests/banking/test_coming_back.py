"""Money of ours that comes back is nobody's receipt; a transfer is recalled whole, in one act."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.banking.models import BankLine
from backend.banking.services import import_statement, refund_came_back, take_back_whole
from backend.commons.models import Budget
from backend.commons.services import open_envelope
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from backend.payments.models import Payment, Refund, Surplus, TakeBack
from backend.payments.papers import prepare_deposit, record_paper
from backend.payments.refunds import correct_account, refund_payment
from backend.payments.services import host_fee
from backend.payouts.models import Payout
from backend.payouts.services import approve_batch, hand_over, prepare_batch
from backend.pledges.models import Pledge
from tests.payments.money import IBAN, a_pledge, bank_says, purses, sound, two_pledges

Play = Callable[..., Any]


def an_envelope(world: Any) -> Budget:
    """A second pot under the first."""
    return open_envelope(actor=world.users["sacha"], parent=world.budget, name="Docs", own_rules=False, now=world.now)


def refunded(world: Any) -> tuple[Refund, Payout]:
    """100 € paid, given back, and seen at the bank."""
    bank_says(world, 1, 0, (100_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    refund = refund_payment(
        actor=world.users["claire"], payment_id=Payment.objects.get().pk, amount=100_00, name="La Fabrique", iban=IBAN,
        reason="paid twice", form_key="f1", now=world.now,
    )  # fmt: skip
    payout = paid(world)
    statement(world, 2, 100_00, (-100_00, "LA FABRIQUE", "", payout.end_to_end_id))
    refund.refresh_from_db()
    assert refund.state == "paid"
    return refund, payout


def paid(world: Any) -> Payout:
    """A batch is prepared, approved and handed over; gives its payout."""
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    approve_batch(actor=world.users["denis"], batch_id=batch.pk, digest=batch.digest, now=world.now)
    hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    return batch.payouts.get()


def statement(world: Any, number: int, opening: int, *lines: tuple[int, str, str, str]) -> BankLine:
    """A statement with end-to-end ids, swept; gives its last line."""
    data = demo.statement_file(world, number=number, opening=opening, lines=list(lines))
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)
    return BankLine.objects.latest("pk")


@pytest.mark.parametrize("where", ["reference", "text"])
def test_a_refund_sent_back_is_no_receipt_and_is_owed_again(play: Play, committed: str, where: str) -> None:
    world = play("make_promise")
    refund, payout = refunded(world)
    ours = payout.end_to_end_id
    text = f"RETOUR AC01 {world.pledge.reference}" + (f" {ours[:12]} {ours[12:]}" if where == "text" else "")
    line = statement(world, 3, 0, (100_00, "LA FABRIQUE", text, ours if where == "reference" else ""))
    assert (line.state, Payment.objects.count()) == ("suggested", 1)
    assert purses(world) == {"bank": 100_00, "suspense": 100_00}
    act = {"line_id": line.pk, "refund_id": refund.pk, "now": world.now}
    with pytest.raises(Forbidden):
        refund_came_back(actor=world.users["ana"], **act)
    for _twice in range(2):
        done = refund_came_back(actor=world.users["claire"], **act)
    assert (done.state, done.matched_to) == ("matched", refund.pk)
    refund.refresh_from_db()
    payout.refresh_from_db()
    assert (refund.state, refund.iban_sealed, payout.state) == ("owed", "", "returned")
    assert purses(world) == {"bank": 100_00}
    assert balance(kind="payee", owner=refund.pk, currency="EUR") == 100_00
    assert sound(world)
    # Nothing pays it before its account is typed again.
    with pytest.raises(Conflict) as refusal:
        prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    assert refusal.value.code == "nothing_to_pay"
    correct_account(actor=world.users["claire"], refund_id=refund.pk, name="La Fabrique", iban=IBAN, now=world.now)
    second = paid(world)
    assert second.end_to_end_id != ours
    assert statement(world, 4, 100_00, (-100_00, "LA FABRIQUE", "", second.end_to_end_id)).state == "matched"
    assert purses(world) == {}
    assert sound(world)


def test_another_amount_is_not_that_refund(play: Play) -> None:
    world = play("make_promise")
    refund, payout = refunded(world)
    line = statement(world, 3, 0, (95_00, "LA FABRIQUE", world.pledge.reference, payout.end_to_end_id))
    before = entry_count()
    with pytest.raises(Invalid) as refusal:
        refund_came_back(actor=world.users["claire"], line_id=line.pk, refund_id=refund.pk, now=world.now)
    refund.refresh_from_db()
    assert (refusal.value.code, entry_count(), refund.state) == ("refund_not_this", before, "paid")


def whole(world: Any, line: BankLine, payment: Payment) -> BankLine:
    """Claire says that a line takes a whole transfer back."""
    return take_back_whole(actor=world.users["claire"], line_id=line.pk, payment_id=payment.pk, now=world.now)


def test_an_overpaid_transfer_is_recalled_whole_with_its_surplus(play: Play, committed: str) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (150_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    line = bank_says(world, 2, 150_00, (-150_00, "LA FABRIQUE DU PORT", "rappel"))
    for _twice in range(2):
        assert whole(world, line, Payment.objects.get()).state == "matched"
    assert (purses(world), Surplus.objects.get().state, Payment.objects.get().left) == ({}, "returned", 0)
    assert sound(world)


@pytest.mark.parametrize(("amount", "left"), [(100_00, [0, 0]), (40_00, [40_00, 20_00])])
def test_a_transfer_that_paid_two_is_recalled_in_one_act(
    play: Play, committed: str, amount: int, left: list[int]
) -> None:
    world = play("make_promise")
    other = an_envelope(world)
    first, _second = two_pledges(world, other, (66_67, 33_33))
    bank_says(world, 1, 0, (100_00, "LA FABRIQUE DU PORT", first.reference))
    line = bank_says(world, 2, 100_00, (-amount, "LA FABRIQUE DU PORT", "rappel"))
    assert whole(world, line, Payment.objects.latest("pk")).state == "matched"
    assert sorted((one.left for one in Payment.objects.all()), reverse=True) == left
    assert TakeBack.objects.count() == 2
    assert sound(world)


def test_more_than_is_left_of_the_transfer_is_refused(play: Play) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (150_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    line = bank_says(world, 2, 150_00, (-150_01, "LA FABRIQUE DU PORT", "rappel"))
    before = entry_count()
    with pytest.raises(Conflict) as refusal:
        whole(world, line, Payment.objects.get())
    assert (refusal.value.code, entry_count()) == ("take_back_too_large", before)
    assert Surplus.objects.get().state == "waiting"


def test_cutting_a_promise_does_not_change_the_fee(play: Play, committed: str) -> None:
    world = play("make_promise")
    first, _second = two_pledges(world, an_envelope(world), (10, 10))
    bank_says(world, 1, 0, (20, "LA FABRIQUE DU PORT", first.reference))
    assert sum(one.fee for one in Payment.objects.all()) == host_fee(20, world.host.fee_bp) == 1
    assert sound(world)


def test_a_credit_that_may_be_a_deposit_is_not_booked_by_its_reference(play: Play) -> None:
    world = play("make_promise")
    paper = record_paper(
        actor=world.users["claire"], pledge_id=world.pledge.pk, account_id=world.account.pk, kind="cheque",
        amount=40_00, received_on=world.today, form_key="c", now=world.now,
    )  # fmt: skip
    assert bank_says(world, 1, 0, (10_00, "LA FABRIQUE", world.pledge.reference)).state == "suggested"
    prepare_deposit(
        actor=world.users["claire"], account_id=world.account.pk, kind="cheque", paper_ids=[paper.pk], slip="",
        form_key="d", now=world.now,
    )  # fmt: skip
    other = a_pledge(world, 40_00, "other")
    assert bank_says(world, 2, 10_00, (40_00, "LA FABRIQUE", other.reference)).state == "suggested"
    assert (Payment.objects.count(), Pledge.objects.get(pk=other.pk).received) == (1, 0)
