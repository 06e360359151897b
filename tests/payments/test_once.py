"""What several ways could do to the same money is done once: refunds, debits on their way, periods, explanations."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from backend.core.errors import Conflict
from backend.identity.services import host_day
from backend.ledger.services import entry_count
from backend.payments import movements
from backend.payments.checkouts import start_checkout
from backend.payments.models import Checkout, Movement, Payment, ProviderPayout, Refund, Subscription, Surplus
from backend.payments.movements import explain_movement
from backend.payments.offering import offer_for
from backend.payments.provider_payouts import note_payout
from backend.payments.provider_refunds import approve_refund, ask_refund, refuse_refund
from backend.payments.providers.base import PayoutFacts
from backend.payments.refunds import refund_payment, refund_surplus
from backend.pledges.models import Instalment
from backend.pledges.services import resume_pledge
from tests.payments.flow import BACK, agree, begin, monthly, tell, work
from tests.payments.money import IBAN, a_pledge, bank_says
from tests.payments.provider import FakeProvider, fake_provider
from tests.payments.provider_money import away, facts, pay, purses
from tests.payments.provider_money import tell as told
from tests.payments.test_subscriptions import begun, rows

__all__ = ["fake_provider"]
Play = Callable[..., Any]


def by_bank(world: Any, what: Callable[..., Refund], **whose: Any) -> Refund:
    """Claire gives it back by transfer."""
    return what(
        actor=world.users["claire"], name="Ana", iban=IBAN, reason="twice", form_key="bank", now=world.now, **whose
    )


@pytest.mark.parametrize("approved", [False, True])
@pytest.mark.parametrize("which", ["payment", "surplus"])
def test_what_the_provider_is_asked_to_give_back_is_not_owed_by_the_bank_too(
    play: Play, fake_provider: FakeProvider, which: str, approved: bool
) -> None:
    world = play("make_house")
    pay(world, a_pledge(world, 60_00, "card"), 100_00, fee=1_50)
    claire, denis = world.users["claire"], world.users["denis"]
    row = ask_refund(actor=claire, charge="ch_1", amount=100_00, reason="x", form_key="f", now=world.now)
    if approved:
        approve_refund(actor=denis, refund_id=row.pk, now=world.now)
    before = entry_count()
    whose: dict[str, Any] = {"surplus_id": Surplus.objects.get().pk}
    if which == "payment":
        whose = {"payment_id": Payment.objects.get().pk, "amount": 60_00}
    act = refund_payment if which == "payment" else refund_surplus
    with pytest.raises(Conflict) as refusal:
        by_bank(world, act, **whose)
    assert refusal.value.code == "provider_refund_waits"
    assert (entry_count(), Refund.objects.count()) == (before, 0)
    if not approved:
        refuse_refund(actor=denis, refund_id=row.pk, reason="by transfer instead", now=world.now)
        assert by_bank(world, act, **whose).state == "owed"


def test_a_debit_on_its_way_is_not_asked_for_again_when_its_subscription_ends(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    pledge = begun(world, fake_provider, "sepa_debit")
    fake_provider.settle(fake_provider.every("charge")[0]["id"])
    tell(fake_provider)
    fake_provider.advance(days=31)
    tell(fake_provider)
    assert rows()[1] == (2, "pending", 0)
    fake_provider.act("cancel", of=Subscription.objects.get().remote_id)
    tell(fake_provider)
    pledge.refresh_from_db()
    assert Subscription.objects.get().state == "ended"
    assert rows()[1] == (2, "pending", 0)
    resume_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=fake_provider.now())
    pledge.refresh_from_db()
    offer = offer_for(pledge)
    assert offer is not None
    assert not offer.open
    with pytest.raises(Conflict) as refusal:
        start_checkout(
            actor=world.users["ana"], code="", group=pledge.group, method="card", language="fr", return_url=BACK,
            now=fake_provider.now(),
        )  # fmt: skip
    assert refusal.value.code == "payment_on_its_way"
    assert Checkout.objects.count() == 1
    fake_provider.settle(fake_provider.every("charge")[-1]["id"])
    tell(fake_provider)
    assert [one[:2] for one in rows()][:2] == [(1, "received"), (2, "received")]
    assert len([one for one in fake_provider.every("charge") if one["status"] == "succeeded"]) == 2
    assert agree(fake_provider)


def test_a_period_of_which_a_part_came_is_not_asked_whole_by_card(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = monthly(world, 20_00)
    bank_says(world, 1, 0, (15_00, "ANA", pledge.reference))
    pledge.refresh_from_db()
    offer = offer_for(pledge)
    assert offer is not None
    assert not offer.open
    with pytest.raises(Conflict) as refusal:
        start_checkout(
            actor=world.users["ana"], code="", group=pledge.group, method="card", language="fr", return_url=BACK,
            now=world.now,
        )  # fmt: skip
    assert refusal.value.code == "period_partly_paid"
    assert not Checkout.objects.exists()


def test_a_line_that_names_a_pledge_is_no_payout_whatever_its_words(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 100_00, "k")
    pay(world, a_pledge(world, 100_00, "k2"), 100_00)
    told(world, facts(world, "payout", -100_00, of="po_1"))
    payout = PayoutFacts(
        remote_id="po_1", amount=100_00, currency="EUR", state="paid", arrives_on=host_day(world.now),
        created_at=world.now, text="STRIPE", movements=(),
    )  # fmt: skip
    note_payout(provider="fake", facts=payout, now=world.now)
    bank_says(world, 1, 0, (100_00, "ANA", f"{pledge.reference} not by stripe"))
    pledge.refresh_from_db()
    assert (pledge.state, ProviderPayout.objects.get().state) == ("fulfilled", "sent")
    bank_says(world, 2, 1, (100_00, "STRIPES AND CO", "shirts"))
    assert ProviderPayout.objects.get().state == "sent"
    bank_says(world, 3, 2, (100_00, "STRIPE", "transfer"))
    assert ProviderPayout.objects.get().state == "settled"


def test_a_refund_that_is_told_while_its_payment_is_explained_leaves_the_pot(
    committed: str, play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_house")
    row = told(world, facts(world, "charge", 100_00, fee=1_50, charge="ch_x"))
    pledge = a_pledge(world, 100_00, "k")
    caught, refunding = threading.Event(), threading.Event()
    real = movements.catch_up

    def slowly(charge: Movement, now: Any) -> None:
        real(charge, now)
        caught.set()
        refunding.wait(2)

    monkeypatch.setattr(movements, "catch_up", slowly)
    faults: list[Exception] = []

    def run(act: Callable[[], object]) -> threading.Thread:
        def body() -> None:
            try:
                act()
            except Exception as error:
                faults.append(error)
            finally:
                refunding.set()
                connections.close_all()

        thread = threading.Thread(target=body)
        thread.start()
        return thread

    claire = world.users["claire"]
    first = run(lambda: explain_movement(actor=claire, movement_id=row.pk, pledge_id=pledge.pk, now=world.now))
    assert caught.wait(20)
    second = run(lambda: away(world, "refund", 100_00, charge="ch_x", of="re_1"))
    for thread in (first, second):
        thread.join(30)
    assert faults == []
    assert not Movement.objects.filter(state="reported").exists()
    assert Payment.objects.get().left == 0
    assert not {"budget", "host_fees", "unexplained"} & set(purses(world))


def test_a_clock_that_was_ahead_keeps_no_later_reading_out(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begun(world, fake_provider)
    Subscription.objects.update(read_at=timezone.now() + timedelta(days=1))  # as written where the clock is ahead
    fake_provider.advance(days=31)
    work(fake_provider)
    assert rows() == [(1, "received", 20_00), (2, "received", 20_00)]
    assert not Surplus.objects.exists()
    assert Instalment.objects.exclude(invoice="").count() == 2
