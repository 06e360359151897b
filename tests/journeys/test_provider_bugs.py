"""Money bugs that other platforms had with their payment provider, each as the case that must pass here; numbers are
those of the field notes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.commons.services import open_envelope
from backend.core.errors import Conflict
from backend.identity.models import HostBankAccount
from backend.ledger.services import balances, entry_count, receipts_of
from backend.operations import demo
from backend.payments.models import Dispute, GiveBack, Operation, Payment, TakeBack
from backend.payments.movements import book_movement, left_of_charge, state_of_payments
from backend.payments.operations import ask
from backend.payments.provider_refunds import approve_refund, ask_refund
from backend.payments.providers.amounts import from_provider, to_provider
from tests.payments.money import a_pledge, two_pledges
from tests.payments.provider_money import (
    away,
    everything,
    facts,
    faults,
    home,
    pay,
    payment,
    purses,
    rate,
    tell,
)

Play = Callable[..., Any]


@pytest.fixture(autouse=True)
def a_provider(settings: Any) -> None:
    """The host takes cards; nothing here reaches the provider."""
    settings.PROVIDER, settings.STRIPE_KEY = "fake", "sk_test_x"


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [("JPY", 500, 500), ("XPF", 500, 500), ("EUR", 500, 500), ("TND", 5_000, 5_000), ("ISK", 500, 50_000)],
)
def test_case_11_an_amount_is_the_same_at_the_provider_and_in_the_books(
    play: Play, monkeypatch: pytest.MonkeyPatch, currency: str, ours: int, theirs: int
) -> None:
    monkeypatch.setattr("backend.core.money.CURRENCIES", ("EUR", currency))
    assert (to_provider(ours, currency), from_provider(theirs, currency)) == (theirs, ours)
    world = play("make_house")
    type(world.budget).objects.update(currency=currency)
    HostBankAccount.objects.update(currency=currency)
    world.budget.refresh_from_db()
    pledge = demo.make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=ours, currency=currency,
        form_key="k", now=world.now,
    )  # fmt: skip
    told = facts(world, "charge", from_provider(theirs, currency), fee=10, currency=currency, charge="ch_1")
    tell(world, told, payment(world, pledge, "ch_1", ours, currency=currency))
    pledge.refresh_from_db()
    assert (pledge.received, pledge.state) == (ours, "fulfilled")
    held = {kind: sum(balances(kind=kind).values()) for kind in ("clearing", "provider_fees", "budget", "host_fees")}
    assert held == {
        "clearing": ours - 10, "provider_fees": 10, "budget": ours * 95 // 100, "host_fees": ours * 5 // 100,
    }  # fmt: skip
    assert faults() == []


def test_case_12_a_conversion_keeps_both_amounts_and_later_rates_change_nothing(play: Play) -> None:
    world = play("make_house")
    first = pay(
        world, a_pledge(world, 100_00, "a"), 100_00, charge="ch_1", original_amount=108_00, original_currency="USD",
        rate=rate("0.9259259259"),
    )  # fmt: skip
    held = everything()
    second = pay(
        world, a_pledge(world, 100_00, "b"), 90_00, charge="ch_2", original_amount=108_00, original_currency="USD",
        rate=rate("0.8333333333"),
    )  # fmt: skip
    rows = {one.charge: one for one in Payment.objects.all()}
    assert [(rows[name].amount, rows[name].original_amount, rows[name].rate_source) for name in ("ch_1", "ch_2")] == [
        (100_00, 108_00, "fake"), (90_00, 108_00, "fake"),
    ]  # fmt: skip
    assert [one.rate for one in (first, second)] == [rate("0.9259259259"), rate("0.8333333333")]
    away(world, "refund", 90_00, charge="ch_2")
    assert everything() == held  # the rate of the second touched nothing of the first
    assert {key[2] for key in held} == {"EUR"}
    dollars = facts(world, "charge", 108_00, currency="USD", charge="ch_3")
    pledge = a_pledge(world, 108_00, "c")
    row = tell(world, dollars, payment(world, pledge, "ch_3", 108_00, currency="USD"))
    assert (row.state, row.why) == ("reported", "other_currency")  # never added to euros
    for currency in ("EUR", "USD"):
        assert sum(amount * side(kind) for (kind, _owner, money), amount in everything().items()
                   if money == currency) == 0  # fmt: skip
    assert faults() == []


def side(kind: str) -> int:
    """The sign of the normal side of a kind of purse."""
    return 1 if kind in {"bank", "clearing", "deficit", "provider_fees"} else -1


def test_case_15_paid_then_given_back_whole_returns_every_purse_and_no_more(play: Play) -> None:
    world = play("settle")
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Ticket", now=world.now)
    before = everything()
    first, _second = two_pledges(world, envelope, (60_00, 40_00))
    pay(world, first, 100_00)
    for part in (33_33, 33_33, 33_34):
        away(world, "refund", part)
    assert everything() == before  # no fee is returned to anybody else, nor twice
    assert sum(TakeBack.objects.values_list("amount", flat=True)) == 100_00
    assert left_of_charge("ch_1") == 0
    with pytest.raises(Conflict) as refusal:
        ask_refund(
            actor=world.users["claire"], charge="ch_1", amount=1, reason="again", form_key="f", now=world.now
        )  # fmt: skip
    assert refusal.value.code == "take_back_too_large"
    row = away(world, "refund", 5_00)  # the provider does it all the same: nobody's purse but the suspense moves
    assert (row.state, row.why, purses(world, envelope).get("budget2", 0)) == ("reported", "above_left", 0)
    assert sum(TakeBack.objects.values_list("amount", flat=True)) == 100_00
    assert faults() == []


def test_case_16_each_part_has_a_key_of_its_own_and_a_repetition_has_the_same(play: Play) -> None:
    world = play("make_house")
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Ticket", now=world.now)
    first, _second = two_pledges(world, envelope, (60_00, 40_00))
    pay(world, first, 100_00)
    # N parts of one dispute: N rows, each with a name of its own, and the same ones when it is told again.
    told = facts(world, "dispute", -100_00, charge="ch_1", of="dp_1", fee=15_00)
    for _again in range(3):
        book_movement(provider="fake", facts=told, told_by="event", now=world.now)
    assert sorted(TakeBack.objects.values_list("amount", flat=True)) == [40_00, 60_00]
    assert TakeBack.objects.values("source").distinct().count() == 2
    home(world, "dispute_reversal", 100_00, "dp_1")
    # Two refunds of the same amount for the same reason are two operations with two keys; asked again, each keeps its.
    keys = []
    for form in ("f", "g"):
        for _again in range(2):
            row = ask_refund(
                actor=world.users["claire"], charge="ch_1", amount=10_00, reason="x", form_key=form, now=world.now
            )  # fmt: skip
        done = approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)
        approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)
        assert done.operation is not None
        keys.append(done.operation.key)
        same = ask(
            kind="refund", key=done.operation.key, request=done.operation.request, actor=None, now=world.now
        )  # fmt: skip
        assert same.pk == done.operation.pk
    assert (len(set(keys)), Operation.objects.count()) == (2, 2)


def disputed(play: Play) -> Any:
    """100 € came by card, were computed for who did the work, and the payer's bank asks them back."""
    world = play("make_promise")
    pay(world, world.pledge, 100_00, fee=1_50)
    demo.work(world)
    demo.close(world)
    world.before = everything()
    away(world, "dispute", 100_00, of="dp_1", fee=15_00)
    world.dispute = Dispute.objects.create(
        id="dsp_1", provider="fake", remote_id="dp_1", charge="ch_1", amount=100_00, currency="EUR", state="opened",
        opened_at=world.now,
    )  # fmt: skip
    state_of_payments(charge="ch_1")
    return world


def test_case_17_a_dispute_stops_what_is_computed_and_never_a_third_partys_share(play: Play) -> None:
    world = disputed(play)
    entries = entry_count()
    with pytest.raises(Conflict) as refusal:
        demo.approve_distribution(world)
    assert (refusal.value.code, entry_count()) == ("payment_disputed", entries)
    assert purses(world) == {"clearing": -16_50, "provider_fees": 16_50, "budget": 95_00, "deficit": 95_00}
    # Lost: the loss and the fee are booked, the host has advanced it, and who did the work is owed what was computed.
    world.dispute.state = "lost"
    world.dispute.save()
    state_of_payments(charge="ch_1")
    assert Payment.objects.get().state == "lost"
    demo.approve_distribution(world)
    owed = sum(balances(kind="payee").values())
    assert owed == 95_00
    assert purses(world) == {"clearing": -16_50, "provider_fees": 16_50, "deficit": 95_00}
    # What is owed stays owed, whatever is disputed next; the next receipt serves the deficit first.
    pay(world, a_pledge(world, 100_00, "next"), 100_00, charge="ch_2")
    assert purses(world) == {"clearing": 83_50, "provider_fees": 16_50, "host_fees": 5_00}
    away(world, "dispute", 100_00, charge="ch_2", of="dp_2")
    assert sum(balances(kind="payee").values()) == owed
    assert faults() == []


@pytest.mark.parametrize("fee", [0, -15_00], ids=["without a fee line", "with a fee line"])
def test_case_17_a_dispute_won_restores_all(play: Play, fee: int) -> None:
    world = disputed(play)
    world.dispute.state = "won"
    world.dispute.save()
    home(world, "dispute_reversal", 100_00, "dp_1", fee=fee)
    state_of_payments(charge="ch_1")
    restored = dict(world.before)
    if not fee:
        restored["clearing", "fake", "EUR"] -= 15_00
        restored["provider_fees", world.host.pk, "EUR"] += 15_00
    assert everything() == restored
    assert (Payment.objects.get().state, GiveBack.objects.get().to_deficit) == ("won", 95_00)
    # What the pot shares with those it depends on counts the receipt again, once.
    found = receipts_of(owner=world.budget.pk, currency="EUR")["payment.received"]
    assert (found.gross, found.fees) == (100_00, 5_00)
    demo.approve_distribution(world)
    assert sum(balances(kind="payee").values()) == 95_00
    world.pledge.refresh_from_db()
    assert (world.pledge.state, world.pledge.received, faults()) == ("fulfilled", 100_00, [])


def test_case_17_money_that_came_after_the_closing_stops_nothing(play: Play) -> None:
    world = play("close")
    world.now += timedelta(minutes=1)
    pay(world, a_pledge(world, 100_00, "later"), 100_00)
    away(world, "dispute", 100_00, of="dp_1")
    assert purses(world)["budget"] == 95_00
    demo.approve_distribution(world)
    assert sum(balances(kind="payee").values()) == 95_00
