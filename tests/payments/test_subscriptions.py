"""Recurring payments: the provider's clock alone, its invoices as our instalments, failures that pause and resume."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from backend.core.errors import Conflict
from backend.events.models import Event
from backend.identity.services import host_day
from backend.payments.models import Checkout, Operation, Payment, Subscription
from backend.payments.providers import the_provider
from backend.payments.providers.base import SubscriptionFacts
from backend.payments.subscriptions import note_subscription, portal_address, resume_subscription
from backend.pledges.calling import calls_waiting, reminders_waiting
from backend.pledges.models import Instalment
from backend.pledges.services import cancel_pledge, change_pledge, pause_pledge, resume_pledge
from tests.payments.flow import agree, begin, monthly, open_page, sweep, tell, work
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

Play = Callable[..., Any]


def begun(world: Any, fake: FakeProvider, method: str = "card") -> Any:
    """Ana gives 20 € each month by card or debit; the first payment is there, or on its way."""
    begin(world, fake)
    pledge = monthly(world, 20_00)
    page = open_page(world, pledge, world.now, method)
    assert page.recurring
    fake.pay(page.remote_id)
    tell(fake)
    pledge.refresh_from_db()
    return pledge


def rows() -> list[tuple[int, str, int]]:
    """The instalments as they stand."""
    return list(Instalment.objects.order_by("number").values_list("number", "state", "received"))


def test_each_invoice_is_an_instalment_and_nothing_else_asks(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    pledge = begun(world, fake_provider)
    assert pledge.means == "card"
    assert rows() == [(1, "received", 20_00)]
    assert Checkout.objects.get().state == "paid"
    for month in range(2, 5):
        fake_provider.advance(days=31)
        assert calls_waiting(fake_provider.now()) == reminders_waiting(fake_provider.now()) == 0
        sweep(world, fake_provider)
        tell(fake_provider, times=2)
        assert rows() == [(n, "received", 20_00) for n in range(1, month + 1)]
    invoices = list(Instalment.objects.order_by("number").values_list("invoice", flat=True))
    assert len(set(invoices)) == 4
    assert "" not in invoices
    days = list(Instalment.objects.order_by("number").values_list("due_on", "covers_until"))
    assert [until for _due, until in days[1:-1]] == [due for due, _until in days[2:]]
    row = Subscription.objects.get()
    assert (row.state, row.failures, row.method) == ("active", 0, "card")
    assert row.next_on is not None
    assert agree(fake_provider)
    with pytest.raises(Conflict, match="cancel it and make another"):
        change_pledge(actor=world.users["ana"], pledge_id=pledge.pk, changes={"amount": 30_00}, now=world.now)
    assert portal_address(group=pledge.group, return_url="http://localhost/", language="fr").startswith("http://127")


def test_failures_pause_and_one_act_takes_it_up_again(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    pledge = begun(world, fake_provider)
    remote = Subscription.objects.get().remote_id
    fake_provider.payer_will(remote, "card_declined")
    fake_provider.advance(days=31)
    work(fake_provider)
    assert rows() == [(1, "received", 20_00), (2, "failed", 0)]
    assert Subscription.objects.get().failures == 1
    for _turn in range(6):
        fake_provider.advance(days=3)
        tell(fake_provider)
        work(fake_provider)
    row = Subscription.objects.get()
    pledge.refresh_from_db()
    assert row.state == "paused"
    assert pledge.paused_at is not None
    assert pledge.pause_reason != ""
    tries = [one for one in fake_provider.every("charge") if one["status"] == "failed"]
    assert len(tries) == 3  # N, and no debit more
    assert rows()[1] == (2, "cancelled", 0)
    for _month in range(3):
        fake_provider.advance(days=31)
        work(fake_provider)
    assert len([one for one in fake_provider.every("charge") if one["status"] == "failed"]) == 3
    assert Operation.objects.filter(kind="pause").count() == 1
    assert Event.objects.filter(kind="subscription.paused").count() == 1
    assert agree(fake_provider)

    fake_provider.payer_will(remote, "pay")
    resume_subscription(actor=world.users["ana"], code="", group=pledge.group, now=fake_provider.now())
    resume_subscription(actor=world.users["ana"], code="", group=pledge.group, now=fake_provider.now())
    work(fake_provider)
    pledge.refresh_from_db()
    row.refresh_from_db()
    assert (pledge.paused_at, row.state, row.paused_at) == (None, "active", None)
    fake_provider.advance(days=31)
    work(fake_provider)
    assert Payment.objects.count() == 2
    assert Operation.objects.filter(kind="resume").count() == 1
    assert agree(fake_provider)


def test_a_mandate_that_goes_inactive_pauses_at_once(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    pledge = begun(world, fake_provider, "sepa_debit")
    assert pledge.means == "sepa_debit"
    assert rows() == [(1, "pending", 0)]
    assert Checkout.objects.get().state == "processing"
    charge = fake_provider.every("charge")[0]
    fake_provider.settle(charge["id"])
    tell(fake_provider)
    assert rows() == [(1, "received", 20_00)]
    assert Checkout.objects.get().state == "paid"
    mandate = fake_provider.every("mandate")[0]
    fake_provider.act("end_mandate", mandate["id"])
    work(fake_provider)
    work(fake_provider)
    pledge.refresh_from_db()
    assert pledge.paused_at is not None
    assert Subscription.objects.get().state == "paused"
    fake_provider.advance(days=31)
    work(fake_provider)
    assert len(fake_provider.every("charge")) == 1
    assert agree(fake_provider)


def test_cancelling_ends_it_at_the_provider(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    pledge = begun(world, fake_provider)
    cancel_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=fake_provider.now())
    work(fake_provider)
    work(fake_provider)
    assert Subscription.objects.get().state == "ended"
    assert Operation.objects.filter(kind="cancel").count() == 1
    fake_provider.advance(days=62)
    work(fake_provider)
    assert len(fake_provider.every("charge")) == 1
    pledge.refresh_from_db()
    assert (pledge.state, pledge.received) == ("cancelled", 20_00)
    assert agree(fake_provider)


def test_one_ended_at_the_provider_waits_for_the_payer(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    pledge = begun(world, fake_provider)
    fake_provider.act("cancel", Subscription.objects.get().remote_id)
    work(fake_provider)
    pledge.refresh_from_db()
    assert (pledge.state, pledge.means) == ("active", "transfer")
    assert pledge.paused_at is not None
    assert calls_waiting(fake_provider.advance(days=40)) == 0
    resume_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=fake_provider.now())
    pledge.refresh_from_db()
    assert pledge.paused_at is None
    with pytest.raises(Conflict):
        resume_subscription(actor=world.users["ana"], code="", group=pledge.group, now=fake_provider.now())


def test_who_promised_pauses_and_takes_up_again(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    pledge = begun(world, fake_provider)
    ana = world.users["ana"]
    pause_pledge(actor=ana, pledge_id=pledge.pk, reason="holidays", now=fake_provider.now())
    work(fake_provider)
    work(fake_provider)
    assert Subscription.objects.get().state == "paused"
    pledge.refresh_from_db()
    assert pledge.pause_reason == "holidays"
    fake_provider.advance(days=62)
    work(fake_provider)
    assert len(fake_provider.every("charge")) == 1
    resume_pledge(actor=ana, pledge_id=pledge.pk, now=fake_provider.now())
    work(fake_provider)
    work(fake_provider)
    assert Subscription.objects.get().state == "active"
    pledge.refresh_from_db()
    assert pledge.paused_at is None
    fake_provider.advance(days=31)
    work(fake_provider)
    assert Payment.objects.count() == 2
    assert agree(fake_provider)
    assert sorted(Operation.objects.values_list("kind", flat=True)) == ["checkout", "pause", "resume"]


def test_the_last_day_of_a_pledge_ends_it(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = monthly(world, 20_00)
    change_pledge(
        actor=world.users["ana"], pledge_id=pledge.pk, changes={"ends_on": host_day(fake_provider.now())}, now=world.now
    )
    page = open_page(world, pledge, world.now)
    fake_provider.pay(page.remote_id)
    work(fake_provider)
    work(fake_provider)
    work(fake_provider)
    assert Subscription.objects.get().state == "ended"
    pledge.refresh_from_db()
    assert (pledge.state, pledge.received) == ("fulfilled", 20_00)
    fake_provider.advance(days=40)
    assert len(fake_provider.every("charge")) == 1


def test_what_was_read_before_something_newer_changes_nothing(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begun(world, fake_provider)
    remote = Subscription.objects.get().remote_id
    provider = the_provider()
    assert provider is not None
    read_at = timezone.now()
    old = provider.read("subscription", remote)
    assert isinstance(old, SubscriptionFacts)
    fake_provider.payer_will(remote, "card_declined")
    fake_provider.advance(days=31)
    work(fake_provider)
    assert (Subscription.objects.get().state, Subscription.objects.get().failures) == ("past_due", 1)
    assert note_subscription("fake", old, read_at=read_at, now=fake_provider.now()) == []
    assert (Subscription.objects.get().state, Subscription.objects.get().failures) == ("past_due", 1)
    assert rows() == [(1, "received", 20_00), (2, "failed", 0)]
    note_subscription("fake", old, read_at=timezone.now(), now=fake_provider.now())
    assert (Subscription.objects.get().state, Subscription.objects.get().failures) == ("active", 0)
