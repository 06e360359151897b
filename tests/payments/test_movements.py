"""Movements at a payment provider: each becomes money in the books once, and what nothing explains waits."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.commons.services import open_envelope
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.ledger.services import entry_count
from backend.operations import demo
from backend.operations.selfcheck import check
from backend.payments.fees import bears_provider_fees, set_provider_fees
from backend.payments.models import Dispute, GiveBack, Movement, Payment, Surplus, TakeBack
from backend.payments.movements import explain_movement, left_of_charge, state_of_payments, why_in_words
from backend.payments.surpluses import credit_surplus
from backend.pledges.services import cancel_pledge
from tests.concurrency import at_once
from tests.payments.money import a_pledge, two_pledges
from tests.payments.provider_money import away, everything, facts, faults, home, pay, payment, purses, rate, tell

Play = Callable[..., Any]


def test_a_card_payment_is_gross_fee_and_net_each_its_own_line(committed: str, play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    row = pay(world, pledge, 100_00, fee=1_50)
    assert purses(world) == {"clearing": 98_50, "provider_fees": 1_50, "budget": 95_00, "host_fees": 5_00}
    made = Payment.objects.get()
    assert (made.amount, made.fee, made.provider_fee, made.provider_fee_borne) == (100_00, 5_00, 1_50, 0)
    assert (made.method, made.charge, made.state, made.source) == ("card", "ch_1", "succeeded", "charge:ch_1")
    assert (row.state, row.entries, row.net) == ("booked", [made.entry], 98_50)
    pledge.refresh_from_db()
    assert (pledge.state, pledge.received) == ("fulfilled", 100_00)
    assert check(sealing=False) == []


def test_a_budget_that_bears_the_fee_pays_it_out_of_its_own(play: Play) -> None:
    world = play("make_house")
    claire = world.users["claire"]
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Ticket", now=world.now)
    assert not bears_provider_fees(envelope)
    set_provider_fees(actor=claire, budget_id=world.budget.pk, bears=True, reason="voted", now=world.now)
    envelope.refresh_from_db()
    assert bears_provider_fees(envelope)  # as the budget above it
    set_provider_fees(actor=claire, budget_id=envelope.pk, bears=False, reason="a gift", now=world.now)
    first, second = two_pledges(world, envelope, (100_00, 50_00))
    pay(world, first, 150_00, fee=2_00)
    assert purses(world, envelope) == {
        "clearing": 148_00, "provider_fees": 67, "budget": 93_67, "host_fees": 7_50, "budget2": 47_50,
    }  # fmt: skip
    rows = Payment.objects.order_by("pledge").values_list("pledge", "provider_fee", "provider_fee_borne")
    assert sorted(rows) == sorted([(first.pk, 1_33, 1_33), (second.pk, 67, 0)])
    assert faults() == []
    before = everything()
    away(world, "refund", 150_00, of="re_1")
    # The fee is not given back: what the budget bore of it is its loss, as a deficit.
    assert purses(world, envelope) == {"clearing": -2_00, "provider_fees": 67, "deficit": 1_33}
    assert faults() == []
    home(world, "refund_failure", 150_00, "re_1")
    assert everything() == before
    assert faults() == []


def test_who_bears_the_fee_is_a_treasurers_act_with_a_reason(play: Play) -> None:
    world = play("make_house")
    with pytest.raises(Forbidden):
        set_provider_fees(
            actor=world.users["ana"], budget_id=world.budget.pk, bears=True, reason="x", now=world.now
        )  # fmt: skip
    with pytest.raises(Invalid, match="why"):
        set_provider_fees(
            actor=world.users["claire"], budget_id=world.budget.pk, bears=True, reason=" ", now=world.now
        )  # fmt: skip
    world.budget.refresh_from_db()
    assert world.budget.bears_provider_fees is None


def test_the_fee_never_takes_more_than_the_payment_brings(play: Play) -> None:
    world = play("make_house")
    world.budget.bears_provider_fees, world.budget.fee_bp = True, 5_000
    world.budget.save()
    pay(world, a_pledge(world, 40, "k"), 40, fee=30)
    assert purses(world) == {"clearing": 10, "provider_fees": 10, "host_fees": 20}
    assert Payment.objects.get().provider_fee_borne == 20
    assert faults() == []


def test_any_order_any_repetition_books_the_same(play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    charge = facts(world, "charge", 100_00, fee=1_50, charge="ch_1")
    refund = facts(world, "refund", -30_00, charge="ch_1")
    known = payment(world, pledge, "ch_1", 100_00)
    tell(world, refund)  # before the payment it belongs to
    assert purses(world) == {"clearing": -30_00, "unexplained": -30_00}
    assert Movement.objects.get().state == "reported"
    assert faults() == []
    for _again in range(3):
        tell(world, charge, known, by="reconciler")
        tell(world, refund, known)
    assert purses(world) == {"clearing": 68_50, "provider_fees": 1_50, "budget": 66_50, "host_fees": 3_50}
    assert list(Movement.objects.order_by("pk").values_list("state", flat=True)) == ["booked", "booked"]
    assert (Payment.objects.count(), TakeBack.objects.count()) == (1, 1)
    assert faults() == []


def test_ten_at_once_book_one_payment_and_its_refund_once(committed: str, play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    known = payment(world, pledge, "ch_1", 100_00)
    told = [facts(world, "charge", 100_00, fee=1_50, charge="ch_1"), facts(world, "refund", -100_00, charge="ch_1")]

    def deliver(turn: int) -> str:
        rows = [tell(world, one, known) for one in (told if turn % 2 else told[:1])]
        return rows[0].state

    assert at_once(deliver) == ["booked"] * 10
    assert (Movement.objects.count(), Payment.objects.count(), TakeBack.objects.count()) == (2, 1, 1)
    assert purses(world) == {"clearing": -1_50, "provider_fees": 1_50}


def test_more_than_was_awaited_waits_as_a_surplus_and_goes_back_first(play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    pay(world, pledge, 140_00, fee=2_80)
    surplus = Surplus.objects.get()
    assert (surplus.amount, surplus.method, surplus.source) == (40_00, "card", "charge:ch_1:s")
    assert purses(world) == {
        "clearing": 137_20, "provider_fees": 2_80, "budget": 95_00, "host_fees": 5_00, "waiting": 40_00,
    }  # fmt: skip
    assert (left_of_charge("ch_1"), faults()) == (140_00, [])
    away(world, "refund", 15_00, of="re_1")
    surplus.refresh_from_db()
    assert (surplus.left, surplus.state, purses(world)["waiting"], faults()) == (25_00, "waiting", 25_00, [])
    away(world, "refund", 45_00, of="re_2")
    surplus.refresh_from_db()
    assert (surplus.left, surplus.state, faults()) == (0, "returned", [])
    assert purses(world) == {"clearing": 77_20, "provider_fees": 2_80, "budget": 76_00, "host_fees": 4_00}
    assert left_of_charge("ch_1") == 80_00
    home(world, "refund_failure", 45_00, "re_2")
    surplus.refresh_from_db()
    assert (surplus.left, surplus.state, faults()) == (25_00, "waiting", [])
    credit_surplus(actor=world.users["claire"], surplus_id=surplus.pk, reason="le reste", now=world.now)
    assert Payment.objects.latest("pk").charge == "ch_1"
    assert (left_of_charge("ch_1"), faults()) == (125_00, [])
    away(world, "dispute", 125_00, of="dp_1", fee=15_00)
    assert purses(world) == {"clearing": -17_80, "provider_fees": 17_80}
    assert set(Payment.objects.values_list("state", flat=True)) == {"disputed"}
    assert faults() == []


def test_a_payment_without_a_pledge_waits_until_a_treasurer_says(play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    row = tell(world, facts(world, "charge", 100_00, fee=1_50, charge="ch_x"))
    assert (row.state, row.why, row.suspended) == ("reported", "no_pledge", 100_00)
    assert "names no pledge" in why_in_words(row)
    assert purses(world) == {"clearing": 98_50, "provider_fees": 1_50, "unexplained": 100_00}
    away(world, "refund", 20_00, charge="ch_x")
    assert (purses(world)["unexplained"], left_of_charge("ch_x"), faults()) == (80_00, 80_00, [])
    before = (everything(), entry_count())
    with pytest.raises(Forbidden):
        explain_movement(actor=world.users["ana"], movement_id=row.pk, pledge_id=pledge.pk, now=world.now)
    with pytest.raises(Invalid, match="Choose"):
        explain_movement(actor=world.users["claire"], movement_id=row.pk, pledge_id="plg_x", now=world.now)
    assert (everything(), entry_count()) == before
    claire = world.users["claire"]
    done = explain_movement(actor=claire, movement_id=row.pk, pledge_id=pledge.pk, now=world.now)
    assert (done.state, done.explained_by) == ("explained", claire)
    assert purses(world) == {"clearing": 78_50, "provider_fees": 1_50, "budget": 76_00, "host_fees": 4_00}
    assert explain_movement(actor=claire, movement_id=row.pk, pledge_id=pledge.pk, now=world.now).pk == row.pk
    with pytest.raises(Conflict):
        explain_movement(actor=world.users["denis"], movement_id=row.pk, pledge_id=pledge.pk, now=world.now)
    assert faults() == []


def test_a_budget_that_bears_the_fee_bears_it_when_it_is_explained_too(play: Play) -> None:
    world = play("make_house")
    world.budget.bears_provider_fees = True
    world.budget.save()
    row = tell(world, facts(world, "charge", 130_00, fee=1_30, charge="ch_x"))
    pledge = a_pledge(world, 100_00, "k")
    explain_movement(actor=world.users["claire"], movement_id=row.pk, pledge_id=pledge.pk, now=world.now)
    assert purses(world) == {
        "clearing": 128_70, "provider_fees": 30, "budget": 94_00, "host_fees": 5_00, "waiting": 30_00,
    }  # fmt: skip
    assert faults() == []


def test_what_came_and_went_unexplained_needs_nobody(play: Play) -> None:
    world = play("make_house")
    tell(world, facts(world, "charge", 100_00, fee=1_50, charge="ch_x"))
    away(world, "refund", 100_00, charge="ch_x")
    assert set(Movement.objects.values_list("state", flat=True)) == {"booked"}
    assert purses(world) == {"clearing": -1_50, "provider_fees": 1_50}
    assert faults() == []


def test_a_cancelled_pledge_another_currency_and_a_second_amount_are_reported(play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    dollars = facts(world, "charge", 100_00, charge="ch_2", currency="USD")
    assert tell(world, dollars, payment(world, pledge, "ch_2", 100_00)).why == "other_currency"
    pay(world, pledge, 60_00)
    again = facts(world, "charge", 40_00, charge="ch_1")
    assert tell(world, again, payment(world, pledge, "ch_1", 40_00)).why == "charge_twice"
    other = a_pledge(world, 100_00, "other")
    cancel_pledge(actor=world.users["ana"], pledge_id=other.pk, now=world.now)
    assert pay(world, other, 100_00, charge="ch_3").why == "pot_closed"
    assert purses(world) == {
        "clearing": 200_00, "budget": 57_00, "host_fees": 3_00, "unexplained": 140_00,
    }  # fmt: skip
    assert purses(world, currency="USD") == {"clearing": 100_00, "unexplained": 100_00}
    assert faults() == []


def test_a_debit_that_fails_days_later_after_it_was_shared_takes_nothing_from_people(play: Play) -> None:
    world = play("settle")
    pledge = a_pledge(world, 100_00, "card")
    before = everything()
    told = facts(world, "charge", 100_00, fee=35, charge="ch_1")
    tell(world, told, payment(world, pledge, "ch_1", 100_00, method="sepa_debit"))
    assert Payment.objects.get(charge="ch_1").method == "sepa_debit"
    away(world, "failure", 100_00, fee=7_50)
    cost = {("clearing", "fake", "EUR"): -7_85, ("provider_fees", world.host.pk, "EUR"): 7_85}
    assert everything() == {**before, **cost}
    lost = Payment.objects.get(charge="ch_1")
    pledge.refresh_from_db()
    assert (lost.state, pledge.state, pledge.received) == ("lost", "active", 0)
    assert faults() == []


def test_a_dispute_is_disputed_then_won_or_lost(play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    pay(world, pledge, 100_00, fee=1_50)
    before = everything()
    away(world, "dispute", 100_00, of="dp_1", fee=15_00)
    assert Payment.objects.get().state == "disputed"
    row = Dispute.objects.create(
        id="dsp_1", provider="fake", remote_id="dp_1", charge="ch_1", amount=100_00, currency="EUR", state="opened",
        opened_at=world.now,
    )  # fmt: skip
    state_of_payments(charge="ch_1")
    assert Payment.objects.get().state == "disputed"
    row.state = "lost"
    row.save()
    state_of_payments(charge="ch_1")
    assert Payment.objects.get().state == "lost"
    row.state = "won"
    row.save()
    home(world, "dispute_reversal", 100_00, "dp_1", fee=-15_00)
    assert (Payment.objects.get().state, everything()) == ("won", before)
    assert (GiveBack.objects.get().amount, faults()) == (100_00, [])


def test_what_came_home_without_having_gone_is_reported(play: Play) -> None:
    world = play("make_house")
    pay(world, a_pledge(world, 100_00, "k"), 100_00)
    away(world, "dispute", 60_00, of="dp_1")
    row = home(world, "dispute_reversal", 80_00, "dp_1")
    assert (row.state, row.why, row.suspended) == ("reported", "nothing_taken", 20_00)
    assert purses(world) == {"clearing": 120_00, "budget": 95_00, "host_fees": 5_00, "unexplained": 20_00}
    assert faults() == []
    more = away(world, "dispute", 130_00, of="dp_2")
    assert (more.state, more.why, more.suspended) == ("reported", "above_left", -30_00)
    assert faults() == []


def test_fees_and_what_nobody_knows(play: Play) -> None:
    world = play("make_house")
    assert tell(world, facts(world, "fee", -3_20)).state == "booked"
    assert tell(world, facts(world, "other", 5_00, fee=10)).why == "kind_unknown"
    assert purses(world) == {"clearing": 1_70, "provider_fees": 3_30, "unexplained": 5_00}
    assert faults() == []


@pytest.mark.parametrize(
    ("currency", "amount", "fee"), [("XPF", 500, 12), ("EUR", 500, 12), ("TND", 5_000, 120)], ids=["0", "2", "3"]
)
def test_each_currency_keeps_its_own_decimals(play: Play, currency: str, amount: int, fee: int) -> None:
    from backend.commons.models import Budget
    from backend.identity.models import HostBankAccount

    world = play("make_house")
    Budget.objects.update(currency=currency)
    HostBankAccount.objects.update(currency=currency)
    world.budget.refresh_from_db()
    pledge = demo.make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=amount,
        currency=currency, form_key="k", now=world.now,
    )  # fmt: skip
    told = facts(world, "charge", amount, fee=fee, currency=currency, charge="ch_1")
    tell(world, told, payment(world, pledge, "ch_1", amount, currency=currency))
    found = purses(world, currency=currency)
    assert found == {
        "clearing": amount - fee, "provider_fees": fee, "budget": amount * 95 // 100, "host_fees": amount * 5 // 100,
    }  # fmt: skip


def test_what_was_converted_keeps_both_amounts_the_rate_and_its_source(play: Play) -> None:
    world = play("make_house")
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Ticket", now=world.now)
    first, second = two_pledges(world, envelope, (60_00, 40_00))
    told = {"original_amount": 12_000, "original_currency": "JPY", "rate": rate("0.0081250000")}
    row = pay(world, first, 97_50, fee=1_50, **told)
    assert (row.original_amount, row.original_currency, row.rate) == (12_000, "JPY", rate("0.008125"))
    rows = {one.pledge_id: one for one in Payment.objects.all()}
    assert [rows[one.pk].amount for one in (first, second)] == [58_50, 39_00]
    assert [rows[one.pk].original_amount for one in (first, second)] == [7_200, 4_800]
    assert {(one.original_currency, one.rate, one.rate_source) for one in rows.values()} == {
        ("JPY", rate("0.008125"), "fake")
    }
    assert {key[2] for key in everything()} == {"EUR"}
    assert faults() == []
