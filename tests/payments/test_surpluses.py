"""What is paid above what was awaited: never booked to the pot by itself, decided once, explained to the cent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.banking.explaining import explain
from backend.banking.models import BankLine
from backend.banking.services import identify
from backend.commons.services import open_envelope
from backend.core.errors import Conflict, Forbidden, NotFound
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from backend.payments.models import Payment, Refund, Surplus
from backend.payments.refunds import refund_surplus
from backend.payments.surpluses import apply_due, credit_surplus, keep_surplus
from backend.pledges.models import Instalment
from backend.pledges.services import Terms
from tests.concurrency import at_once
from tests.payments.money import IBAN, a_pledge, bank_says, purses, two_pledges

Play = Callable[..., Any]


def overpaid(world: Any, amount: int = 150_00) -> Surplus:
    """The pledge of 100 € is paid with more."""
    bank_says(world, 1, 0, (amount, "LA FABRIQUE DU PORT", world.pledge.reference))
    return Surplus.objects.get()


def decision(world: Any, surplus: Surplus, who: str = "claire", **changes: Any) -> dict[str, Any]:
    """Who decides on what."""
    return {"actor": world.users[who], "surplus_id": surplus.pk, "reason": "asked", "now": world.now} | changes


def test_what_is_above_waits_in_suspense_and_the_pot_has_what_was_promised(play: Play) -> None:
    world = play("make_promise")
    surplus = overpaid(world)
    assert (surplus.amount, surplus.state, surplus.account_id) == (50_00, "waiting", world.account.pk)
    assert purses(world) == {"bank": 150_00, "suspense": 50_00, "budget": 95_00, "host_fees": 5_00}
    payment = Payment.objects.get()
    assert (payment.amount, payment.fee, payment.fee_bp) == (100_00, 5_00, 500)
    assert payment.source == BankLine.objects.get().source
    world.pledge.refresh_from_db()
    assert (world.pledge.received, world.pledge.expected, world.pledge.state) == (100_00, 0, "fulfilled")
    (purse,) = explain()
    assert (purse.balance, purse.gap) == (50_00, 0)
    assert [(one.what, one.amount) for one in purse.pieces] == [("surplus", 50_00)]


def test_one_instalment_paid_twice_is_paid_once(play: Play) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (100_00, "X", world.pledge.reference))
    bank_says(world, 2, 100_00, (100_00, "X", world.pledge.reference))
    assert purses(world) == {"bank": 200_00, "suspense": 100_00, "budget": 95_00, "host_fees": 5_00}
    assert [line.state for line in BankLine.objects.order_by("id")] == ["matched", "matched"]
    assert (Payment.objects.count(), Surplus.objects.get().amount) == (1, 100_00)


def test_it_is_given_to_the_pot_once_with_its_fee(play: Play) -> None:
    world = play("make_promise")
    surplus = overpaid(world)
    for _turn in range(2):  # pressed twice
        credit_surplus(**decision(world, surplus))
    assert purses(world) == {"bank": 150_00, "budget": 142_50, "host_fees": 7_50}
    surplus.refresh_from_db()
    assert (surplus.state, surplus.used, surplus.left) == ("credited", 50_00, 0)
    assert surplus.decided_by == world.users["claire"]
    world.pledge.refresh_from_db()
    assert (world.pledge.received, world.pledge.expected) == (150_00, 0)
    with pytest.raises(Conflict) as refusal:
        credit_surplus(**decision(world, surplus, who="denis"))
    assert refusal.value.code == "surplus_decided"
    assert Payment.objects.count() == 2


def test_it_is_kept_until_the_next_instalment_is_called(play: Play) -> None:
    world = play("make_house")
    world.pledge = a_pledge(world, 100_00, "monthly", Terms(rhythm="monthly"))
    surplus = overpaid(world, 250_00)
    assert surplus.amount == 150_00
    keep_surplus(**decision(world, surplus))
    assert apply_due(world.now) == 0
    second = Instalment.objects.create(
        id="ins_second", pledge=world.pledge, number=2, due_on=world.today + timedelta(days=31), amount=100_00,
        currency="EUR", created_at=world.now,
    )  # fmt: skip
    assert apply_due(world.now) == 0  # it is to come, not called
    Instalment.objects.filter(pk=second.pk).update(state="called", called_at=world.now)
    assert (apply_due(world.now), apply_due(world.now)) == (1, 0)
    second.refresh_from_db()
    surplus.refresh_from_db()
    assert (second.state, second.received) == ("received", 100_00)
    assert (surplus.state, surplus.used, surplus.left) == ("kept", 100_00, 50_00)
    assert purses(world) == {"bank": 250_00, "suspense": 50_00, "budget": 190_00, "host_fees": 10_00}


def test_nothing_is_kept_for_a_pledge_that_is_over(play: Play) -> None:
    world = play("make_promise")
    surplus = overpaid(world)
    before = (purses(world), entry_count())
    with pytest.raises(Conflict) as refusal:
        keep_surplus(**decision(world, surplus))
    assert refusal.value.code == "no_next_instalment"
    for who in ("sacha", "ana"):
        with pytest.raises(Forbidden):
            credit_surplus(**decision(world, surplus, who=who))
    with pytest.raises(NotFound):
        credit_surplus(**decision(world, surplus, surplus_id="sur_x"))
    assert (purses(world), entry_count()) == before
    assert Surplus.objects.get().state == "waiting"


def test_one_transfer_pays_the_pledges_of_one_act_and_all_or_none(play: Play) -> None:
    world = play("make_house")
    envelope = open_envelope(
        actor=world.users["sacha"], parent=world.budget, name="Docs", own_rules=False, now=world.now
    )
    first, second = two_pledges(world, envelope, (30_00, 60_00))
    assert first.reference == second.reference
    bank_says(world, 1, 0, (45_00, "X", first.reference))
    rows = {one.pledge_id: one for one in Payment.objects.all()}
    assert {key: (row.amount, row.fee) for key, row in rows.items()} == {
        first.pk: (15_00, 75), second.pk: (30_00, 1_50),
    }  # fmt: skip
    line = BankLine.objects.get()
    assert sorted(row.source for row in rows.values()) == [f"{line.source}:1", f"{line.source}:2"]
    assert Instalment.objects.get(pledge=first).state == "partly_received"
    bank_says(world, 2, 45_00, (50_00, "X", second.reference))
    assert balance(kind="budget", owner=envelope.pk, currency="EUR") == 57_00
    assert purses(world) == {"bank": 95_00, "suspense": 5_00, "budget": 28_50, "host_fees": 4_50}


def test_a_line_that_was_in_suspense_leaves_its_surplus_there(play: Play) -> None:
    world = play("make_promise")
    line = bank_says(world, 1, 0, (130_00, "X", "don"))
    assert purses(world) == {"bank": 130_00, "suspense": 130_00}
    for _turn in range(2):
        identify(actor=world.users["claire"], line_id=line.pk, pledge_id=world.pledge.pk, now=world.now)
    assert purses(world) == {"bank": 130_00, "suspense": 30_00, "budget": 95_00, "host_fees": 5_00}
    assert Surplus.objects.get().entry == ""
    assert entry_count() == 2


def test_ten_decisions_at_once_are_one(committed: str, play: Play) -> None:
    world = play("make_promise")
    surplus = overpaid(world)
    values = decision(world, surplus)

    def act(number: int) -> str:
        if number % 2:
            return credit_surplus(**values).state
        refund = refund_surplus(**values, name="La Fabrique", iban=IBAN, form_key=f"f{number}")
        return refund.state

    results = at_once(act)
    assert len({one for one in results if one != "surplus_decided"}) == 1
    assert Refund.objects.count() + (Payment.objects.count() - 1) == 1
    assert "suspense" not in purses(world)


def test_postgresql_keeps_what_came(play: Play) -> None:
    world = play("make_promise")
    overpaid(world)
    for change in ({"amount": 60_00}, {"source": "line:other"}, {"currency": "USD"}):
        with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
            Surplus.objects.update(**change)
    with pytest.raises(IntegrityError, match="surplus_used_within_amount"), transaction.atomic():
        Surplus.objects.update(used=1)
    with pytest.raises(Exception, match=r"permission denied|is refused"), transaction.atomic():
        Surplus.objects.all().delete()


def test_the_books_check_with_surpluses_waiting_kept_and_credited(play: Play, committed: str) -> None:
    from tests.payments.money import sound

    world = play("make_promise")
    surplus = overpaid(world)
    assert sound(world)
    credit_surplus(**decision(world, surplus))
    assert sound(world)
    demo.work(world)
    assert sound(world)
