"""Money that a bank takes back: fee and pot give what they hold, the rest is a deficit that next receipts serve."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.banking.models import BankLine
from backend.banking.services import identify, import_statement, take_back
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.ledger.services import balance, entry_count, trial_balance
from backend.operations import demo
from backend.payments.models import Payment, TakeBack
from backend.pledges.models import Pledge
from backend.pledges.references import printed
from backend.pledges.services import make_pledge
from tests.concurrency import at_once

Play = Callable[..., Any]


def purses(world: Any) -> dict[str, int]:
    """What the pot holds, its deficit, the host's fees, the suspense."""
    found = {kind: balance(kind=kind, owner=world.budget.pk, currency="EUR") for kind in ("budget", "deficit")}
    found["fees"] = balance(kind="host_fees", owner=world.host.pk, currency="EUR")
    found["suspense"] = balance(kind="suspense", owner=world.account.pk, currency="EUR")
    return found


def bank_says(world: Any, number: int, opening: int, *lines: tuple[int, str, str, str]) -> None:
    """A statement with these lines."""
    data = demo.statement_file(world, number=number, opening=opening, lines=list(lines))
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)


def debit(world: Any, number: int, opening: int, amount: int) -> BankLine:
    """The bank takes an amount, without a reference; gives the line."""
    bank_says(world, number, opening, (-amount, "LA FABRIQUE DU PORT", "rappel de virement", ""))
    return BankLine.objects.latest("id")


def act(world: Any, line: BankLine, **changes: Any) -> BankLine:
    """Claire says that a line takes the payment back."""
    values = {"actor": world.users["claire"], "payment_id": Payment.objects.earliest("id").pk, "now": world.now}
    return take_back(line_id=line.pk, **(values | changes))


def test_before_it_was_shared_pot_and_fee_give_it_back(play: Play) -> None:
    world = play("receive")
    line = debit(world, 2, 142_50, 100_00)
    assert purses(world) == {"budget": 95_00, "deficit": 0, "fees": 5_00, "suspense": -57_50}
    done = act(world, line)
    assert (done.state, purses(world)) == ("matched", {"budget": 0, "deficit": 0, "fees": 0, "suspense": 42_50})
    payment = Payment.objects.get()
    assert (payment.state, payment.taken_back) == ("lost", 100_00)
    pledge = Pledge.objects.get()
    assert (pledge.state, pledge.received, pledge.expected) == ("active", 0, 100_00)
    assert act(world, line).pk == done.pk  # pressed twice
    assert TakeBack.objects.count() == 1


def test_after_it_was_shared_nobody_loses_and_the_next_receipt_serves_the_deficit(play: Play) -> None:
    world = play("settle")  # 95 € were shared and paid
    line = debit(world, 3, 47_50, 100_00)
    act(world, line)
    assert purses(world) == {"budget": 0, "deficit": 95_00, "fees": 0, "suspense": 42_50}
    row = TakeBack.objects.get()
    assert (row.fee, row.from_budget, row.to_deficit) == (5_00, 0, 95_00)
    assert {row.chart: row.balance for row in trial_balance()}["7541"] == 0  # the receipt is cancelled in the accounts
    pledge = make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=200_00, currency="EUR",
        form_key="next", now=world.now,
    )  # fmt: skip
    bank_says(world, 4, -52_50, (60_00, "LA FABRIQUE DU PORT", printed(pledge.reference), ""))
    assert purses(world) == {"budget": 0, "deficit": 38_00, "fees": 3_00, "suspense": 42_50}
    bank_says(world, 5, 7_50, (140_00, "LA FABRIQUE DU PORT", printed(pledge.reference), ""))
    assert purses(world) == {"budget": 95_00, "deficit": 0, "fees": 10_00, "suspense": 42_50}


def test_money_being_shared_is_left_to_those_who_did_the_work(play: Play) -> None:
    world = play("close")
    act(world, debit(world, 2, 142_50, 100_00))
    assert purses(world) == {"budget": 95_00, "deficit": 95_00, "fees": 0, "suspense": 42_50}
    demo.approve_distribution(world)
    assert purses(world)["budget"] == 0


def test_a_part_is_taken_back_in_proportion(play: Play) -> None:
    world = play("receive")
    act(world, debit(world, 2, 142_50, 33_33))
    row = TakeBack.objects.get()
    assert (row.fee, row.from_budget, row.to_deficit) == (1_67, 31_66, 0)
    payment = Payment.objects.get()
    assert (payment.state, payment.taken_back) == ("succeeded", 33_33)
    act(world, debit(world, 3, 109_17, 66_67))
    assert purses(world) == {"budget": 0, "deficit": 0, "fees": 0, "suspense": 42_50}


def test_refusals_change_nothing(play: Play) -> None:
    world = play("receive")
    line = debit(world, 2, 142_50, 100_01)
    before = (purses(world), entry_count())
    with pytest.raises(Conflict) as refusal:
        act(world, line)
    assert (refusal.value.code, refusal.value.param) == ("take_back_too_large", "payment")
    with pytest.raises(Invalid) as unknown:
        act(world, line, payment_id="pay_x")
    assert unknown.value.code == "payment_not_found"
    with pytest.raises(Forbidden):
        act(world, line, actor=world.users["sacha"])
    credit = BankLine.objects.get(amount=42_50)
    with pytest.raises(Invalid) as side:
        act(world, credit)
    assert side.value.code == "not_a_debit"
    assert (purses(world), entry_count()) == before


def test_postgresql_refuses_sums_that_do_not_add_up_and_any_change(play: Play) -> None:
    world = play("receive")
    act(world, debit(world, 2, 142_50, 100_00))
    with pytest.raises(IntegrityError, match="payment_taken_back_within_amount"), transaction.atomic():
        Payment.objects.update(state="succeeded")
    with pytest.raises(IntegrityError, match="take_back_adds_up"), transaction.atomic():
        TakeBack.objects.create(
            id="tkb_x", payment=Payment.objects.get(), amount=5, fee=1, from_budget=1, to_deficit=1, source="x",
            taken_on=world.today, entry="x", created_at=world.now,
        )  # fmt: skip
    with pytest.raises(Exception, match=r"permission denied|written once"), transaction.atomic():
        TakeBack.objects.update(fee=0)


def test_ten_at_once_take_it_back_once(committed: str, play: Play) -> None:
    world = play("receive")
    line = debit(world, 2, 142_50, 100_00)
    assert at_once(lambda _number: act(world, line).state) == ["matched"] * 10
    assert (TakeBack.objects.count(), purses(world)["budget"]) == (1, 0)


def test_the_page_announces_what_will_be_booked_and_books_it(play: Play, sign_in: Any) -> None:
    from tests.web.test_public import text_of

    world = play("settle")
    line = debit(world, 3, 47_50, 100_00)
    browser = sign_in(world.users["claire"])
    address = f"/en/bank/lines/{line.pk}/"
    assert "Payments it may take back" in text_of(browser.get(address))
    payment = Payment.objects.get().pk
    shown = text_of(browser.get(f"{address}?payment={payment}"))
    assert "Advanced by the host, as a deficit of the budget €95.00" in shown
    assert browser.post(address, {"payment": payment}).status_code == 302
    assert purses(world)["deficit"] == 95_00
    assert "Advanced by the host" in text_of(browser.get("/en/commons/cartolibre/"))


def test_what_is_not_being_shared_gives_first(play: Play) -> None:
    world = play("close")  # 95 € are being shared
    pledge = make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=100_00, currency="EUR",
        form_key="next", now=world.now,
    )  # fmt: skip
    bank_says(world, 2, 142_50, (100_00, "LA FABRIQUE DU PORT", printed(pledge.reference), ""))
    assert purses(world)["budget"] == 190_00
    act(world, debit(world, 3, 242_50, 100_00), payment_id=Payment.objects.latest("id").pk)
    assert (purses(world)["budget"], purses(world)["deficit"]) == (95_00, 0)
    demo.approve_distribution(world)
    assert purses(world)["budget"] == 0


def test_what_is_owed_to_the_host_is_not_shared(play: Play) -> None:
    world = play("receive")
    from backend.distributions.services import shareable
    from backend.ledger import chart
    from backend.ledger.services import Line, open_account, post

    lines = [
        Line(open_account(kind=kind, owner=world.budget.pk, currency="EUR"), amount, chart.DONATION)
        for kind, amount in (("deficit", 30_00), ("budget", -30_00))
    ]
    post(kind="x", scope="x", key="x", reference="x", happened_on=world.today, lines=lines, now=world.now)
    assert (purses(world)["budget"], shareable(world.budget)) == (125_00, 95_00)


def test_a_receipt_and_a_take_back_at_once_leave_no_deficit_beside_money(committed: str, play: Play) -> None:
    world = play("settle")
    line = debit(world, 3, 47_50, 100_00)
    pledge = make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=100_00, currency="EUR",
        form_key="next", now=world.now,
    )  # fmt: skip
    bank_says(world, 4, -52_50, *[(25_00, "LA FABRIQUE", f"sans rien {number}", "") for number in range(4)])
    waiting = list(BankLine.objects.filter(amount=25_00).order_by("id"))

    def go(number: int) -> str:
        if number == 0:
            return act(world, line).state
        found = waiting[number - 1]
        return identify(actor=world.users["denis"], line_id=found.pk, pledge_id=pledge.pk, now=world.now).state

    assert at_once(go, 5) == ["matched"] * 5
    assert (purses(world)["budget"], purses(world)["deficit"]) == (0, 0)  # 4 × 23.75 serve 95.00, whatever the order
