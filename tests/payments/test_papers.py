"""Cheques and cash: in the pot at once, in a clearing purse until one bank line settles their deposit."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backend.banking.explaining import explain
from backend.banking.models import BankLine
from backend.banking.services import identify, settle_deposit, take_back
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.ledger.services import entry_count, trial_balance
from backend.payments.models import Deposit, PaperPayment, Payment, Surplus
from backend.payments.papers import prepare_deposit, record_paper, return_paper, undo_deposit
from backend.payments.refunds import refund_payment, refund_surplus
from backend.pledges.services import make_pledges
from tests.concurrency import at_once
from tests.payments.money import IBAN, a_pledge, bank_says, purses, sound
from tests.payments.test_fees import envelope_of

Play = Callable[..., Any]


def cheque(world: Any, amount: int = 100_00, key: str = "p1", **changes: Any) -> PaperPayment:
    """Claire was handed a cheque for the pledge."""
    values = {
        "actor": world.users["claire"], "pledge_id": world.pledge.pk, "account_id": world.account.pk, "kind": "cheque",
        "amount": amount, "number": f"0000{key}", "received_on": world.today, "form_key": key, "now": world.now,
    }  # fmt: skip
    return record_paper(**(values | changes))


def deposit(world: Any, *papers: PaperPayment, key: str = "d1", kind: str = "cheque") -> Deposit:
    """Claire takes them to the bank."""
    return prepare_deposit(
        actor=world.users["claire"], account_id=world.account.pk, kind=kind, paper_ids=[one.pk for one in papers],
        slip="R-7", form_key=key, now=world.now,
    )  # fmt: skip


def back(world: Any, paper: PaperPayment, **changes: Any) -> PaperPayment:
    """The cheque came back."""
    values = {"actor": world.users["claire"], "returned_on": world.today, "reason": "no money", "now": world.now}
    return return_paper(paper_id=paper.pk, **(values | changes))


def test_a_cheque_is_in_the_pot_at_once_and_on_its_way_to_the_bank(play: Play) -> None:
    world = play("make_promise")
    for _turn in range(2):  # pressed twice
        paper = cheque(world)
    assert purses(world) == {"cheque": 100_00, "budget": 95_00, "host_fees": 5_00}
    assert Payment.objects.get().method == "cheque"
    world.pledge.refresh_from_db()
    assert (world.pledge.received, world.pledge.state) == (100_00, "fulfilled")
    assert {row.chart: row.balance for row in trial_balance()}["5112"] == 100_00
    (purse,) = explain()
    assert (purse.kind, purse.sort, purse.gap) == ("clearing", "cheque", 0)
    assert [(one.what, one.id, one.since) for one in purse.pieces] == [("paper", paper.pk, world.today)]


def test_cash_has_its_own_number_in_the_books(play: Play) -> None:
    world = play("make_promise")
    cheque(world, 40_00, kind="cash")
    assert purses(world) == {"cash": 40_00, "budget": 38_00, "host_fees": 2_00}
    assert {row.chart: row.balance for row in trial_balance()}["53"] == 40_00


def test_one_bank_line_settles_a_deposit(play: Play) -> None:
    world = play("make_promise")
    more = a_pledge(world, 20_00, "more")
    papers = [cheque(world), cheque(world, 20_00, "p2", pledge_id=more.pk)]
    made = deposit(world, *papers)
    assert deposit(world, *papers).pk == made.pk  # pressed twice
    assert (made.total, {row.state for row in PaperPayment.objects.all()}) == (120_00, {"deposited"})
    line = bank_says(world, 1, 0, (120_00, "", "REM CHQ 2 CHEQUES"))
    assert line.state == "suggested"
    for _turn in range(2):
        settle_deposit(actor=world.users["claire"], line_id=line.pk, deposit_id=made.pk, now=world.now)
    line.refresh_from_db()
    made.refresh_from_db()
    assert (line.state, line.matched_to, made.state, made.cleared_on) == ("matched", made.pk, "cleared", line.booked_on)
    assert purses(world) == {"bank": 120_00, "budget": 114_00, "host_fees": 6_00}
    assert {row.state for row in PaperPayment.objects.all()} == {"cleared"}
    assert explain() == []


def test_another_total_or_another_account_settles_nothing(play: Play) -> None:
    world = play("make_promise")
    made = deposit(world, cheque(world))
    line = bank_says(world, 1, 0, (99_99, "", "REM CHQ"))
    before = (purses(world), entry_count())
    with pytest.raises(Invalid) as refusal:
        settle_deposit(actor=world.users["claire"], line_id=line.pk, deposit_id=made.pk, now=world.now)
    assert (refusal.value.code, refusal.value.param) == ("deposit_other_total", "deposit")
    with pytest.raises(Forbidden):
        settle_deposit(actor=world.users["sacha"], line_id=line.pk, deposit_id=made.pk, now=world.now)
    assert (purses(world), entry_count()) == before
    assert Deposit.objects.get().state == "prepared"


def test_a_deposit_is_settled_once_whoever_presses(committed: str, play: Play) -> None:
    world = play("make_promise")
    made = deposit(world, cheque(world))
    bank_says(world, 1, 0, (100_00, "", "REM CHQ"), (100_00, "", "REM CHQ BIS"))
    lines = list(BankLine.objects.order_by("id").values_list("pk", flat=True))

    def act(number: int) -> str:
        line = lines[number % 2]
        return settle_deposit(actor=world.users["claire"], line_id=line, deposit_id=made.pk, now=world.now).state

    assert set(at_once(act)) == {"matched", "deposit_settled"}
    assert purses(world) == {"bank": 200_00, "suspense": 100_00, "budget": 95_00, "host_fees": 5_00}
    assert sound(world)


def test_a_cheque_that_comes_back_undoes_its_payment_and_leaves_the_deposit(play: Play) -> None:
    world = play("make_promise")
    more = a_pledge(world, 20_00, "more")
    papers = [cheque(world), cheque(world, 20_00, "p2", pledge_id=more.pk)]
    made = deposit(world, *papers)
    for _turn in range(2):
        back(world, papers[0])
    made.refresh_from_db()
    assert (made.state, made.total) == ("prepared", 20_00)
    assert purses(world) == {"cheque": 20_00, "budget": 19_00, "host_fees": 1_00}
    world.pledge.refresh_from_db()
    assert (world.pledge.received, world.pledge.expected, world.pledge.state) == (0, 100_00, "active")
    assert PaperPayment.objects.get(pk=papers[0].pk).state == "returned"
    back(world, papers[1])
    made.refresh_from_db()
    assert (made.state, made.total, purses(world)) == ("undone", 0, {})


def test_once_the_bank_showed_it_its_own_line_takes_it_back(play: Play) -> None:
    world = play("make_promise")
    paper = cheque(world)
    made = deposit(world, paper)
    line = bank_says(world, 1, 0, (100_00, "", "REM CHQ"))
    settle_deposit(actor=world.users["claire"], line_id=line.pk, deposit_id=made.pk, now=world.now)
    with pytest.raises(Conflict) as refusal:
        back(world, paper)
    assert refusal.value.code == "paper_cleared"
    bounced = bank_says(world, 2, 100_00, (-100_00, "", "CHQ IMPAYE 0000123"))
    payment = Payment.objects.get()
    take_back(actor=world.users["claire"], line_id=bounced.pk, payment_id=payment.pk, now=world.now)
    assert purses(world) == {}
    payment.refresh_from_db()
    assert payment.state == "lost"


def test_a_debit_takes_back_no_cheque_that_the_bank_never_showed(play: Play) -> None:
    world = play("make_promise")
    cheque(world)
    line = bank_says(world, 1, 100_00, (-100_00, "", "CHQ IMPAYE"))
    with pytest.raises(Invalid) as refusal:
        take_back(actor=world.users["claire"], line_id=line.pk, payment_id=Payment.objects.get().pk, now=world.now)
    assert refusal.value.code == "payment_not_found"


def test_what_is_above_on_a_cheque_waits_and_goes_with_it(play: Play) -> None:
    world = play("make_promise")
    paper = cheque(world, 130_00)
    surplus = Surplus.objects.get()
    assert purses(world) == {"cheque": 130_00, "suspense": 30_00, "budget": 95_00, "host_fees": 5_00}
    facts = {"actor": world.users["claire"], "name": "X", "iban": IBAN, "reason": "y", "now": world.now}
    with pytest.raises(Conflict) as above:
        refund_surplus(surplus_id=surplus.pk, form_key="f1", **facts)
    with pytest.raises(Conflict) as paid:
        refund_payment(payment_id=Payment.objects.get().pk, amount=1, form_key="f2", **facts)
    assert (above.value.code, paid.value.code) == ("paper_not_cleared", "paper_not_cleared")
    back(world, paper)
    surplus.refresh_from_db()
    assert (surplus.state, surplus.left, purses(world)) == ("returned", 0, {})


def test_a_deposit_is_undone_until_the_bank_shows_it(play: Play) -> None:
    world = play("make_promise")
    paper = cheque(world)
    made = deposit(world, paper)
    with pytest.raises(Conflict) as taken:
        deposit(world, paper, key="d2")
    assert taken.value.code == "paper_taken"
    with pytest.raises(Invalid):
        undo_deposit(actor=world.users["claire"], deposit_id=made.pk, reason=" ", now=world.now)
    for _turn in range(2):
        undo_deposit(actor=world.users["claire"], deposit_id=made.pk, reason="forgotten one", now=world.now)
    assert PaperPayment.objects.get().state == "received"
    again = deposit(world, paper, key="d3")
    line = bank_says(world, 1, 0, (100_00, "", "REM CHQ"))
    settle_deposit(actor=world.users["claire"], line_id=line.pk, deposit_id=again.pk, now=world.now)
    with pytest.raises(Conflict) as settled:
        undo_deposit(actor=world.users["claire"], deposit_id=again.pk, reason="x", now=world.now)
    assert settled.value.code == "deposit_settled"


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"kind": "gold"}, "paper_kind_unknown", "kind"),
        ({"amount": 0}, "amount_out_of_range", "amount"),
        ({"pledge_id": "plg_x"}, "pledge_not_found", "pledge"),
        ({"account_id": "hba_x"}, "account_not_found", "account"),
    ],
)
def test_what_is_typed_badly_changes_nothing(play: Play, changes: dict[str, Any], code: str, param: str) -> None:
    world = play("make_promise")
    with pytest.raises(Invalid) as refusal:
        cheque(world, **changes)
    assert (refusal.value.code, refusal.value.param) == (code, param)
    with pytest.raises(Invalid) as day:
        cheque(world, received_on=world.today + timedelta(days=1))
    assert day.value.code == "paper_day_absurd"
    with pytest.raises(Forbidden):
        cheque(world, actor=world.users["sacha"])
    assert (purses(world), PaperPayment.objects.count(), entry_count()) == ({}, 0, 0)


def test_postgresql_keeps_what_was_handed_over(play: Play) -> None:
    world = play("make_promise")
    deposit(world, cheque(world))
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        PaperPayment.objects.update(amount=1)
    with pytest.raises(IntegrityError, match="paper_is_where_it_says"), transaction.atomic():
        PaperPayment.objects.update(deposit=None)
    with pytest.raises(IntegrityError, match="deposit_cleared_by_a_line"), transaction.atomic():
        Deposit.objects.update(state="cleared")
    for table in ("payments_paperpayment", "payments_deposit"):
        with pytest.raises(Exception, match=r"permission denied|is refused"), transaction.atomic():
            connection.cursor().execute(f"DELETE FROM {table}")


def test_the_books_check_at_every_step(play: Play, committed: str) -> None:
    world = play("make_promise")
    paper = cheque(world, 130_00)
    assert sound(world)
    made = deposit(world, paper)
    assert sound(world)
    line = bank_says(world, 1, 0, (130_00, "", "REM CHQ"))
    assert sound(world)
    settle_deposit(actor=world.users["claire"], line_id=line.pk, deposit_id=made.pk, now=world.now)
    assert sound(world)
    assert purses(world) == {"bank": 130_00, "suspense": 30_00, "budget": 95_00, "host_fees": 5_00}


def test_a_credit_can_still_be_said_to_pay_a_pledge(play: Play) -> None:
    world = play("make_promise")
    line = bank_says(world, 1, 0, (100_00, "X", "don"))
    identify(actor=world.users["claire"], line_id=line.pk, pledge_id=world.pledge.pk, now=world.now)
    assert purses(world) == {"bank": 100_00, "budget": 95_00, "host_fees": 5_00}


def test_the_same_cheque_is_written_down_once(committed: str, play: Play) -> None:
    world = play("make_promise")
    cheque(world, number="0012345")
    booked = entry_count()
    denis = world.users["denis"]
    with pytest.raises(Conflict) as refusal:
        cheque(world, key="p2", number=" 0012345 ", actor=denis)
    assert (refusal.value.code, refusal.value.param) == ("cheque_recorded", "another")
    assert "Claire" in str(refusal.value.message)
    assert (entry_count(), PaperPayment.objects.count()) == (booked, 1)
    cheque(world, 99_00, key="p3", number="0012345")  # another amount is another cheque
    cheque(world, key="p4", number="")
    cheque(world, key="p5", number="0012345", another=True)
    assert PaperPayment.objects.count() == 4
    returned = back(world, PaperPayment.objects.get(form_key="p1"))
    assert returned.state == "returned"
    assert sound(world)


def test_two_cheques_over_the_same_pots_come_back_together(committed: str, play: Play) -> None:
    world = play("make_promise")
    other = envelope_of(world)
    for turn in range(4):
        both = [world.budget, other]
        papers = []
        for number, pots in enumerate((both, both[::-1])):  # each holds them in the order of its own payments
            first, *_rest = make_pledges(
                actor=world.users["ana"], parts=[(pot, 10_00) for pot in pots], currency="EUR",
                organisation=world.organisation, form_key=f"act{turn}{number}", now=world.now,
            )  # fmt: skip
            papers.append(cheque(world, 20_00, f"c{turn}{number}", pledge_id=first.pk))
        assert at_once(lambda n, papers=papers: back(world, papers[n]).state, 2) == ["returned", "returned"]
    assert Payment.objects.exclude(state="lost").count() == 0
    assert sound(world)
