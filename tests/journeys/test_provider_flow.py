"""Money bugs that other platforms had with the events of their payment provider, each as the case that must pass here;
numbers are those of the field notes. The provider is the demonstration's own, over real connections."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from backend.events.models import Event
from backend.identity.services import host_day
from backend.notifications.models import OutgoingMail
from backend.operations import demo
from backend.payments.asking import ask_due, poll_due
from backend.payments.checkouts import returned
from backend.payments.models import (
    Checkout,
    Dispute,
    Movement,
    Notice,
    Operation,
    Payment,
    Reconciliation,
    Subscription,
)
from backend.payments.notices import receive_notice, treat_notices
from backend.payments.provider_refunds import approve_refund, ask_refund
from backend.payments.reconciling import ask_reconciliation, reconcile_due
from backend.pledges.models import Instalment
from tests.concurrency import at_once
from tests.payments.flow import agree, begin, held, monthly, open_page, tell, whole, work
from tests.payments.money import a_pledge
from tests.payments.provider import FakeProvider, fake_provider
from tests.payments.provider_money import everything

__all__ = ["fake_provider"]

Play = Callable[..., Any]


def test_case_3_an_event_ten_times_at_once_is_one_booking_without_any_lock_service(
    committed: str, play: Play, fake_provider: FakeProvider, settings: Any
) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    world = play("make_house")
    begin(world, fake_provider)
    page = open_page(world, a_pledge(world, 40_00, "k"), world.now)
    fake_provider.pay(page.remote_id)
    events: list[tuple[bytes, str]] = []
    fake_provider.deliver(lambda body, signature: events.append((body, signature)))

    def all_of_them(number: int) -> None:
        for body, signature in events if number % 2 else reversed(events):
            receive_notice(body=body, signature=signature, now=fake_provider.now())
        treat_notices(fake_provider.now())

    at_once(all_of_them, 10)
    treat_notices(fake_provider.now())
    assert set(Notice.objects.values_list("times", "state")) == {(10, "done")}
    assert Notice.objects.count() == len(events)
    assert (Payment.objects.count(), Movement.objects.count()) == (1, 1)
    assert agree(fake_provider)


@pytest.mark.parametrize("fault", ["cut", "drop", "500"])
def test_case_4_a_lost_answer_makes_and_books_one_charge_and_one_refund(
    committed: str, play: Play, fake_provider: FakeProvider, fault: str
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 40_00, "k")
    fake_provider.fault("POST /v1/checkout/sessions$", fault, times=2, effect=True)
    page = open_page(world, pledge, world.now)
    assert page.state == "opening"
    assert open_page(world, pledge, world.now).pk == page.pk  # the payer tries again: the same page, not another
    for _turn in range(6):
        fake_provider.advance(minutes=5)
        ask_due(fake_provider.now())
    page.refresh_from_db()
    assert (page.state, len(fake_provider.every("checkout.session"))) == ("open", 1)
    charge = fake_provider.pay(page.remote_id)
    tell(fake_provider)
    row = ask_refund(
        actor=world.users["claire"], charge=charge["id"], amount=15_00, reason="x", form_key="f", now=world.now
    )
    approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)
    fake_provider.fault("POST /v1/refunds$", fault, times=2, effect=True)
    for _turn in range(6):
        fake_provider.advance(minutes=5)
        work(fake_provider)
    row.refresh_from_db()
    assert (row.state, len(fake_provider.every("refund"))) == ("done", 1)
    assert (len(fake_provider.every("charge")), Payment.objects.get().taken_back) == (1, 15_00)
    assert sorted(Operation.objects.values_list("kind", "state")) == [("checkout", "done"), ("refund", "done")]
    assert agree(fake_provider)


def test_case_5_a_day_without_events_is_found_by_the_comparison_once(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    reconcile_due(fake_provider.now())
    pages = [open_page(world, a_pledge(world, 40_00, key), world.now) for key in ("a", "b", "c")]
    charges = [fake_provider.pay(page.remote_id) for page in pages]
    fake_provider.act("refund", charges[1]["id"], amount=10_00)
    dispute = fake_provider.dispute(charges[2]["id"], fee=15_00)
    fake_provider.act("fee", amount=2_00)
    fake_provider.act("adjust", amount=3_33)
    fake_provider.payout(amount=20_00)
    fake_provider.lose()
    assert (Movement.objects.count(), held()) == (0, 0)
    now = fake_provider.advance(days=1, minutes=1)
    assert reconcile_due(now) == 1
    told = len(fake_provider.every("balance_transaction"))
    assert set(Movement.objects.values_list("told_by", flat=True)) == {"reconciler"}
    assert (Movement.objects.count(), Movement.objects.filter(state="reported").count()) == (told, 1)
    assert Dispute.objects.get().remote_id == dispute["id"]
    assert sorted(Payment.objects.values_list("state", "taken_back")) == [
        ("disputed", 40_00), ("succeeded", 0), ("succeeded", 10_00),
    ]  # fmt: skip
    assert set(Checkout.objects.values_list("state", flat=True)) == {"paid"}
    row = Reconciliation.objects.latest("id")
    assert (row.seen, row.booked, row.reported) == (told, told - 1, 1)
    assert row.remote_balance == row.own_balance
    before = everything()
    today = host_day(now)
    ask_reconciliation(actor=world.users["claire"], since=today - timedelta(days=30), until=today, now=now)
    assert reconcile_due(now) == 1
    again = Reconciliation.objects.latest("id")
    assert (again.seen, again.booked, again.reported, everything()) == (told, 0, 0, before)
    poll_due(fake_provider.advance(hours=1))
    assert set(Checkout.objects.values_list("state", flat=True)) == {"paid"}


def happenings(world: Any, fake: FakeProvider) -> list[Callable[[], Any]]:
    """A debit accepted, settled, disputed, won; a card of which a part is given back and that is disputed and lost."""
    kept: dict[str, str] = {}
    debit = open_page(world, a_pledge(world, 30_00, "d"), world.now, "sepa_debit").remote_id
    card = open_page(world, a_pledge(world, 40_00, "k"), world.now).remote_id
    return [
        lambda: kept.update(debit=fake.pay(debit)["id"]),
        lambda: kept.update(card=fake.pay(card)["id"]),
        lambda: fake.settle(kept["debit"]),
        lambda: fake.act("refund", kept["card"], amount=10_00),
        lambda: kept.update(first=fake.dispute(kept["debit"], fee=15_00)["id"]),
        lambda: kept.update(second=fake.dispute(kept["card"], amount=30_00)["id"]),
        lambda: fake.close(kept["first"], won=True, fee_back=True),
        lambda: fake.close(kept["second"], won=False),
    ]


def test_case_6_any_order_and_repetition_ends_the_same(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    acts = happenings(world, fake_provider)
    ends = []
    events: list[list[tuple[bytes, str]]] = []
    for act in acts:
        act()
        events.append([])
        fake_provider.deliver(lambda body, signature, to=events[-1]: to.append((body, signature)))
    flat = [one for some in events for one in some]
    assert len(flat) > 10
    for seed in range(12):
        dice = random.Random(seed)  # noqa: S311 - the same disorder each time
        order = list(flat) if not seed else [one for one in flat for _ in range(dice.randint(1, 3))]
        if seed:
            dice.shuffle(order)
        with transaction.atomic():
            for body, signature in order:
                receive_notice(body=body, signature=signature, now=fake_provider.now())
                if not seed or dice.random() < 0.3:
                    treat_notices(fake_provider.now())
            treat_notices(fake_provider.now())
            ends.append((whole(), everything()))
            transaction.set_rollback(True)
    assert ends[0][0]["waiting"] == 0
    assert ends[0][1]["clearing", "fake", "EUR"] == fake_provider.net()
    for end in ends:
        for name, value in end[0].items():
            assert value == ends[0][0][name], name
        assert end[1] == ends[0][1]


@pytest.mark.parametrize("seed", range(4))
def test_case_6_events_that_come_while_things_still_happen(
    committed: str, play: Play, fake_provider: FakeProvider, seed: int
) -> None:
    """Some come at once, some late, some twice; a state that is final never goes back."""
    world = play("make_house")
    begin(world, fake_provider)
    dice = random.Random(seed)  # noqa: S311 - the same disorder each time
    late: list[tuple[bytes, str]] = []
    for act in happenings(world, fake_provider):
        act()
        fresh: list[tuple[bytes, str]] = []
        fake_provider.deliver(lambda body, signature, to=fresh: to.append((body, signature)))
        for body, signature in fresh:
            if dice.random() < 0.5:
                receive_notice(body=body, signature=signature, now=fake_provider.now())
            late.append((body, signature))
        treat_notices(fake_provider.now())
    settled = None
    for _round in range(3):
        dice.shuffle(late)
        for body, signature in late:
            receive_notice(body=body, signature=signature, now=fake_provider.now())
        treat_notices(fake_provider.now())
        now = (whole(), everything())
        assert settled in (None, now)
        settled = now
    assert sorted(Dispute.objects.values_list("state", flat=True)) == ["lost", "won"]
    assert sorted(Payment.objects.values_list("state", "taken_back")) == [("lost", 40_00), ("won", 0)]
    assert set(Checkout.objects.values_list("state", flat=True)) == {"paid"}
    assert agree(fake_provider)


@pytest.mark.parametrize("method", ["card", "sepa_debit"])
def test_case_7_after_three_failures_it_pauses_and_nothing_more_is_debited(
    committed: str, play: Play, fake_provider: FakeProvider, method: str
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = monthly(world, 20_00)
    page = open_page(world, pledge, world.now, method)
    charge = fake_provider.pay(page.remote_id)
    if method == "sepa_debit":
        fake_provider.settle(charge["id"])
    tell(fake_provider)
    fake_provider.payer_will(Subscription.objects.get().remote_id, "fail")
    for _day in range(60):
        fake_provider.advance(days=1)
        tell(fake_provider)
        work(fake_provider)
    failed = [one for one in fake_provider.every("charge") if one["status"] == "failed"]
    assert len(failed) == 3
    pledge.refresh_from_db()
    assert pledge.paused_at is not None
    assert Subscription.objects.get().state == "paused"
    assert Event.objects.filter(kind="subscription.paused").count() == 1
    demo.sweep(fake_provider.now())
    mails = OutgoingMail.objects.filter(recipient=world.users["ana"].email)
    assert sum(f"pledges/{pledge.pk}/subscription/" in mail.body for mail in mails) >= 1
    for _month in range(3):
        fake_provider.advance(days=31)
        work(fake_provider)
    assert len([one for one in fake_provider.every("charge") if one["status"] == "failed"]) == 3
    assert len(fake_provider.every("charge")) == 4
    assert agree(fake_provider)


def test_a_provider_away_for_a_day_changes_nothing_else_and_all_is_caught_up_in_five_minutes(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    month = monthly(world, 20_00)
    fake_provider.pay(open_page(world, month, world.now).remote_id)
    card = open_page(world, a_pledge(world, 40_00, "card"), world.now)
    tell(fake_provider)
    events: list[tuple[bytes, str]] = []
    charge = fake_provider.pay(card.remote_id)
    fake_provider.deliver(lambda body, signature: events.append((body, signature)))
    for body, signature in events:
        receive_notice(body=body, signature=signature, now=fake_provider.now())
    fake_provider.stop()
    returned(checkout_id=card.pk, now=world.now)
    wanted = open_page(world, a_pledge(world, 10_00, "wanted"), world.now)
    assert wanted.state == "opening"
    for step in demo.STEPS[2:]:  # a transfer, work, a closing, its distribution, a payout file, its settlement
        step(world)
    assert Payment.objects.filter(method="bank_transfer").count() == 1
    assert Payment.objects.exclude(method="bank_transfer").count() == 1
    for hour in range(1, 25):
        demo.sweep(world.now + timedelta(hours=hour))
    fake_provider.again()
    back = world.now + timedelta(hours=24)
    fake_provider.stand_at(back)
    for seconds in range(0, 301, 20):
        demo.sweep(back + timedelta(seconds=seconds))
    wanted.refresh_from_db()
    card.refresh_from_db()
    assert not Notice.objects.filter(state__in=["waiting", "stuck"]).exists()
    assert not Operation.objects.filter(state__in=Operation.OPEN).exists()
    assert card.state == "paid"
    assert Payment.objects.get(charge=charge["id"]).amount == 40_00
    assert wanted.state in {"open", "failed"}
    assert not Reconciliation.objects.filter(finished_at=None).exists()
    assert Instalment.objects.filter(pledge=month, state="received").count() == 1
    assert agree(fake_provider)
