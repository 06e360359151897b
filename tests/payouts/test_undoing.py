"""Transfers that did not arrive: each is undone once, owed again, and paid again only by a new batch of two people."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.banking.models import BankLine
from backend.banking.services import import_statement, payout_came_back
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.models import Share
from backend.events.models import Event
from backend.ledger.services import balance, entry_count
from backend.notifications.models import OutgoingMail
from backend.operations import demo
from backend.operations.selfcheck import check
from backend.payees.services import set_account
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import approve_batch, hand_over, prepare_batch
from backend.payouts.undoing import bank_has_it, bank_refused, bank_refused_all, doubt
from tests.concurrency import at_once

Play = Callable[..., Any]
SAID = "message of the bank of 3 March"


def statement(world: Any, *lines: tuple[int, str, str, str], returned: str = "") -> BankLine:
    """The next statement, with these lines (amount, name, text, end-to-end id), swept; gives its last line.

    Args: returned: the reason for which the bank says that it sends them back.
    """
    opening = balance(kind="bank", owner=world.account.pk, currency="EUR")
    number = 50 + BankLine.objects.count()
    data = demo.statement_file(world, number=number, opening=opening, lines=list(lines))
    if returned:
        why = f"</RmtInf><RtrInf><Rsn><Cd>{returned}</Cd></Rsn></RtrInf>"
        data = data.replace(b"</RmtInf>", why.encode())
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)
    return BankLine.objects.latest("pk")


def in_transit(world: Any) -> int:
    """Cents under way from the host's account."""
    return balance(kind="in_transit", owner=world.account.pk, currency="EUR")


def owed(payout: Payout) -> int:
    """Cents that the purse of a payout's payee is owed."""
    return balance(kind="payee", owner=payout.purse, currency="EUR")


def pays(world: Any, name: str = "Bo Nguyen") -> Payout:
    """The payout of this person in the batch under way."""
    return Payout.objects.get(batch=world.batch, name=name)


def again(world: Any) -> PayoutBatch:
    """Prepare, approve and hand over one more batch."""
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    approve_batch(actor=world.users["denis"], batch_id=batch.pk, digest=batch.digest, now=world.now)
    hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    return batch


def sound(world: Any) -> bool:
    """Nothing is found by the self-check."""
    demo.sweep(world.now)
    return check(sealing=False) == []


def test_a_refused_transfer_is_owed_again_and_paid_once_more_by_a_new_batch(play: Play, committed: str) -> None:
    world = play("pay")
    payout = pays(world)
    before, transit = entry_count(), in_transit(world)
    act = {"payout_id": payout.pk, "code": "MS03", "reason": SAID, "now": world.now}
    with pytest.raises(NotFound):
        bank_refused(actor=world.users["bo"], **act)
    for _twice in range(2):
        done = bank_refused(actor=world.users["denis"], **act)
    assert (done.state, done.undone_code, done.undone_reason, done.undone_by) == (
        "rejected", "MS03", SAID, world.users["denis"],
    )  # fmt: skip
    assert (entry_count(), in_transit(world), owed(payout)) == (before + 1, transit - payout.amount, payout.amount)
    assert set(Share.objects.filter(payouts__payout=payout).values_list("state", flat=True)) == {"returned"}
    assert PayoutBatch.objects.get().state == "sent"  # the other one is still under way
    assert sound(world)
    second = again(world).payouts.get()
    assert (second.amount, second.payee_id) == (payout.amount, payout.payee_id)
    assert second.end_to_end_id == f"{payout.end_to_end_id}-1"
    # The bank shows the rest of the first batch in one debit, then the second.
    rest = Payout.objects.get(batch=world.batch, state="sent")
    assert statement(world, (-rest.amount, "LOT", world.batch.message_id, "")).state == "matched"
    assert statement(world, (-second.amount, "BO", "", second.end_to_end_id)).state == "matched"
    assert (in_transit(world), owed(payout)) == (0, 0)
    assert list(PayoutBatch.objects.order_by("pk").values_list("state", flat=True)) == ["settled", "settled"]
    assert sound(world)


def test_a_payment_sent_back_is_owed_again_until_another_account_is_given(play: Play, committed: str) -> None:
    world = play("settle")
    payout = pays(world)
    line = statement(world, (payout.amount, "BO NGUYEN", "RETOUR", payout.end_to_end_id), returned="AC04")
    assert (line.state, line.amount) == ("suggested", payout.amount)
    other = Payout.objects.exclude(pk=payout.pk).get()
    act = {"line_id": line.pk, "payout_id": payout.pk, "now": world.now}
    with pytest.raises(Forbidden):
        payout_came_back(actor=world.users["ana"], **act)
    before = entry_count()
    with pytest.raises(Invalid) as wrong:
        payout_came_back(actor=world.users["claire"], **{**act, "payout_id": other.pk})
    assert (wrong.value.code, entry_count()) == ("payout_not_this", before)
    for _twice in range(2):
        payout_came_back(actor=world.users["claire"], **act)
    payout.refresh_from_db()
    assert (payout.state, payout.undone_code, payout.undone_on, payout.returned_line) == (
        "returned", "AC04", line.booked_on, line.source,
    )  # fmt: skip
    assert (owed(payout), entry_count()) == (payout.amount, before + 1)
    assert sound(world)
    letter = OutgoingMail.objects.filter(event__kind="payout.returned").get()
    assert (letter.recipient, "le compte est clos" in letter.body) == (world.users["bo"].email, True)
    # Nothing is sent to an account that is closed: the payee writes another first.
    with pytest.raises(Conflict) as nothing:
        prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    assert nothing.value.code == "nothing_to_pay"
    set_account(actor=world.users["bo"], name="Bo Nguyen", iban="FR7630001007941234567890185",
                now=world.now + timedelta(seconds=1))  # fmt: skip
    world.now += timedelta(days=4)  # an account that changed waits
    second = again(world).payouts.get()
    assert (second.amount, second.payee_id) == (payout.amount, payout.payee_id)
    assert statement(world, (-second.amount, "BO", "", second.end_to_end_id)).state == "matched"
    assert (in_transit(world), owed(payout)) == (0, 0)
    assert sound(world)
    # What is said later of the first attempt changes nothing.
    with pytest.raises(DomainError) as late:
        bank_refused(actor=world.users["denis"], payout_id=payout.pk, code="MS03", reason=SAID, now=world.now)
    assert late.value.code == "payout_not_under_way"
    assert set(Share.objects.filter(payouts__payout=payout).values_list("state", flat=True)) == {"paid"}


def test_a_batch_in_doubt_is_never_paid_again_until_somebody_knows(play: Play, committed: str) -> None:
    world = play("pay")
    act = {"batch_id": world.batch.pk, "reason": SAID, "now": world.now}
    before = entry_count()
    for _twice in range(2):
        assert doubt(actor=world.users["claire"], **act).state == "unknown"
    with pytest.raises(Conflict) as nothing:
        prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    assert (nothing.value.code, entry_count()) == ("nothing_to_pay", before)
    with pytest.raises(Conflict) as again_not:
        hand_over(actor=world.users["claire"], batch_id=world.batch.pk, again=True, now=world.now)
    assert again_not.value.code == "file_not_again"
    with pytest.raises(Invalid) as mute:
        doubt(actor=world.users["claire"], **{**act, "reason": " "})
    assert mute.value.code == "reason_missing"
    assert bank_has_it(actor=world.users["denis"], **act).state == "sent"
    doubt(actor=world.users["claire"], **act)
    # The statement knows better than anybody.
    total = world.batch.total
    assert statement(world, (-total, "LOT", world.batch.message_id, "")).state == "matched"
    assert PayoutBatch.objects.get().state == "settled"
    with pytest.raises(Conflict) as over:
        doubt(actor=world.users["claire"], **act)
    assert over.value.code == "batch_not_under_way"
    assert sound(world)
    kinds = ["batch.doubted", "batch.found", "batch.doubted"]
    assert list(Event.objects.filter(kind__in=set(kinds)).order_by("pk").values_list("kind", flat=True)) == kinds


def test_a_file_that_the_bank_refused_whole_is_owed_again(play: Play, committed: str) -> None:
    world = play("pay")
    act = {"batch_id": world.batch.pk, "reason": SAID, "now": world.now}
    with pytest.raises(Invalid) as unknown:
        bank_refused_all(actor=world.users["claire"], code="ZZ99", **act)
    assert unknown.value.code == "code_unknown"
    for _twice in range(2):
        assert bank_refused_all(actor=world.users["claire"], code="FF01", **act).state == "returned"
    assert in_transit(world) == 0
    assert set(Payout.objects.values_list("state", flat=True)) == {"rejected"}
    second = again(world)
    assert second.total == world.batch.total
    # The bank made the refused file all the same: nobody is told paid, and the self-check says what happened.
    first = Payout.objects.filter(batch=world.batch).order_by("pk")[0]
    line = statement(world, (-first.amount, first.name, "", first.end_to_end_id))
    assert line.state == "suggested"
    assert [(one.code, one.thing) for one in check(sealing=False)] == [("I4.bank", first.pk)]


def test_a_debit_that_came_short_is_settled_once_the_refused_transfer_is_named(play: Play, committed: str) -> None:
    world = play("pay")
    payout = pays(world)
    short = world.batch.total - payout.amount
    suspense = balance(kind="suspense", owner=world.account.pk, currency="EUR")
    line = statement(world, (-short, "LOT", world.batch.message_id, ""))
    assert line.state == "suggested"
    bank_refused(actor=world.users["claire"], payout_id=payout.pk, code="AC01", reason=SAID, now=world.now)
    demo.sweep(world.now)
    line.refresh_from_db()
    assert (line.state, line.matched_to) == ("matched", world.batch.pk)
    assert (in_transit(world), balance(kind="suspense", owner=world.account.pk, currency="EUR")) == (0, suspense)
    assert PayoutBatch.objects.get().state == "settled"
    assert sound(world)


@pytest.mark.parametrize("turn", range(3))
def test_refused_by_two_and_seen_on_the_statement_at_once(play: Play, committed: str, turn: int) -> None:
    world = play("pay")
    payout = pays(world)
    data = demo.statement_file(
        world, number=77, opening=balance(kind="bank", owner=world.account.pk, currency="EUR"),
        lines=[(-payout.amount, "BO", "", payout.end_to_end_id)],
    )  # fmt: skip
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)

    def act(number: int) -> str:
        if number == 2:
            demo.sweep(world.now)
            return "swept"
        who = world.users[("claire", "denis")[number]]
        return bank_refused(actor=who, payout_id=payout.pk, code="MS03", reason=SAID, now=world.now).state

    said = at_once(act, times=3)
    payout.refresh_from_db()
    paid = owed(payout) == 0
    assert (payout.state == "settled") is paid
    assert set(said[:2]) == ({"payout_not_under_way"} if paid else {"rejected"})
    demo.sweep(world.now)
    found = {one.code for one in check(sealing=False)}
    assert found == (set() if paid else {"I4.bank"})  # refused on somebody's word, and it left: payouts freeze
