"""Books restored from a backup that knows less than the provider: nothing is given back twice, nothing stands still."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.core.errors import Conflict
from backend.identity.services import host_day
from backend.payments import reconciling
from backend.payments.checkouts import start_checkout
from backend.payments.models import Checkout, Movement, Operation, Payment, ProviderRefund, Reconciliation
from backend.payments.orders import order_of
from backend.payments.provider_refunds import approve_refund, ask_refund, refuse_refund
from backend.payments.providers import the_provider
from backend.payments.providers.base import MovementFacts, Provider, RefundOrder
from backend.payments.reconciling import reconcile_range
from backend.pledges.models import Pledge
from tests.payments.flow import BACK, agree, begin, open_page, tell, work
from tests.payments.money import a_pledge
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

Play = Callable[..., Any]


def provider() -> Provider:
    """The provider that remembers what the books forgot."""
    found = the_provider()
    assert found is not None
    return found


def asked(world: Any, fake: FakeProvider, amount: int = 7_00) -> ProviderRefund:
    """A pledge paid by card, of which Claire asked a part back."""
    begin(world, fake)
    fake.pay(open_page(world, a_pledge(world, 100_00, "k"), world.now).remote_id)
    tell(fake)
    return ask_refund(
        actor=world.users["claire"], charge=Movement.objects.get().charge, amount=amount, reason="a mistake",
        form_key="f", now=fake.now(),
    )  # fmt: skip


def given_back(row: ProviderRefund) -> str:
    """What the forgotten books asked of the provider for a refund: it did it. Returns: its id."""
    order = RefundOrder(f"refund:{row.pk}", row.pk, row.charge, row.amount, row.currency)
    return provider().perform(order).remote_id


def compare(fake: FakeProvider) -> Reconciliation:
    """The comparison that an operator makes after a restore."""
    day = host_day(fake.now())
    return reconcile_range(since=day - timedelta(days=2), until=day, now=fake.now())


@pytest.mark.parametrize("before", ["asked", "refused", "taken back"])
def test_a_refund_that_the_restored_books_only_know_as_asked_is_read_from_the_provider(
    committed: str, play: Play, fake_provider: FakeProvider, before: str
) -> None:
    world = play("make_house")
    row = asked(world, fake_provider)
    remote = given_back(row)
    if before != "asked":
        who = world.users["denis" if before == "refused" else "claire"]
        refuse_refund(actor=who, refund_id=row.pk, reason="no", now=fake_provider.now())
    found = compare(fake_provider)
    assert (found.finished_at is not None, found.booked, found.error) == (True, 1, "")
    row.refresh_from_db()
    assert (row.state, row.remote_id, row.decided_by, row.decided_at) == ("done", remote, None, None)
    assert Payment.objects.get().taken_back == 7_00
    with pytest.raises(Conflict) as refusal:
        approve_refund(actor=world.users["denis"], refund_id=row.pk, now=fake_provider.now())
    assert refusal.value.code == "provider_refund_decided"
    assert not Operation.objects.filter(kind="refund").exists()
    assert len(fake_provider.every("refund")) == 1
    assert compare(fake_provider).booked == 0
    assert agree(fake_provider)


def test_nobody_decides_a_refund_that_the_provider_does_not_know(play: Play, fake_provider: FakeProvider) -> None:
    row = asked(play("make_house"), fake_provider)
    for state in ("approved", "done", "failed", "refused"):
        with pytest.raises(IntegrityError, match="provider_refund_decided_by_someone"), transaction.atomic():
            ProviderRefund.objects.filter(pk=row.pk).update(state=state)


def test_a_refund_approved_a_second_time_is_found_and_not_made_again(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    row = asked(world, fake_provider)
    remote = given_back(row)
    fake_provider.advance(hours=25)  # the provider forgot the key
    approve_refund(actor=world.users["denis"], refund_id=row.pk, now=fake_provider.now())
    work(fake_provider)
    assert [one["id"] for one in fake_provider.every("refund")] == [remote]
    row.refresh_from_db()
    assert (row.remote_id, Operation.objects.get(kind="refund").state) == (remote, "done")
    compare(fake_provider)
    row.refresh_from_db()
    assert (row.state, Payment.objects.get().taken_back) == ("done", 7_00)
    assert agree(fake_provider)


def test_an_approved_refund_that_waited_in_the_backup_is_looked_up_before_it_is_sent(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    row = asked(world, fake_provider)
    approve_refund(actor=world.users["denis"], refund_id=row.pk, now=fake_provider.now())
    given_back(row)
    assert Operation.objects.get(kind="refund").state == "ready"
    fake_provider.advance(hours=25)
    fake_provider.fault("GET /v1/refunds", "503")
    work(fake_provider)
    waits = Operation.objects.get(kind="refund")
    assert (waits.state, waits.attempts) == ("ready", 1)  # nothing was sent: it is sent once it was looked up
    fake_provider.advance(minutes=10)
    work(fake_provider)
    assert Operation.objects.get(kind="refund").state == "done"
    assert len(fake_provider.every("refund")) == 1
    compare(fake_provider)
    assert agree(fake_provider)


def test_what_is_paid_again_after_a_restore_has_a_page_of_its_own(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 100_00, "k")
    with transaction.atomic():  # what the books forget
        made = opened_then(world, pledge)
        forgotten = order_of(made)
        transaction.set_rollback(True)
    assert not Checkout.objects.exists()
    old = provider().perform(forgotten).remote_id
    page = open_page(world, pledge, world.now)
    assert (page.state, page.remote_id != old) == ("open", True)
    fake_provider.pay(page.remote_id)
    tell(fake_provider)
    page.refresh_from_db()
    assert (page.state, Payment.objects.get().amount) == ("paid", 100_00)
    work(fake_provider)
    assert set(Operation.objects.values_list("kind", "state")) == {("checkout", "done")}
    assert agree(fake_provider)


def opened_then(world: Any, pledge: Pledge) -> Operation:
    """The operation of a payment page that Ana opens after the backup."""
    made = start_checkout(
        actor=world.users["ana"], code="", group=pledge.group, method="card", language="fr", return_url=BACK,
        now=world.now,
    )  # fmt: skip
    return made.operation


def test_one_movement_that_cannot_be_noted_holds_up_no_other(
    committed: str, play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    for amount in (10_00, 20_00, 30_00):
        fake_provider.pay(open_page(world, a_pledge(world, amount, str(amount)), world.now).remote_id)
    take_in = reconciling._take_in

    def broken(of: Provider, facts: MovementFacts, now: Any) -> Movement:
        if facts.amount == 10_00:
            raise IntegrityError("something that does not fit")
        return take_in(of, facts, now)

    monkeypatch.setattr(reconciling, "_take_in", broken)
    found = compare(fake_provider)
    assert (found.finished_at is not None, found.seen, found.booked) == (True, 3, 2)
    assert "1" in found.error
    assert sorted(Payment.objects.values_list("amount", flat=True)) == [20_00, 30_00]
    assert (found.own_balance, found.remote_balance) != (None, None)
    monkeypatch.undo()
    assert (compare(fake_provider).booked, Payment.objects.count()) == (1, 3)
    assert agree(fake_provider)
