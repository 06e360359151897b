"""Who was forgotten here is forgotten by the provider: payment pages close, then the payer is deleted there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.payments.checkouts import start_checkout
from backend.payments.customers import forget_customers
from backend.payments.models import Checkout, Movement, Operation, Subscription
from backend.payments.movements import why_in_words
from backend.payments.operations import carry_out
from backend.payments.providers.base import Refused
from backend.payments.providers.stripe import StripeProvider
from backend.payments.syncing import sync
from backend.pledges.donations import gift_code, stop_gift
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, cancel_pledge, make_pledge
from backend.privacy import donors
from backend.privacy.donors import forget_donor
from tests.payments.flow import BACK, agree, begin, held, tell, work
from tests.payments.provider import FakeProvider, fake_provider
from tests.payments.test_checkouts import a_gift
from tests.privacy.erasing import erase

__all__ = ["fake_provider"]

Play = Callable[..., Any]


def page_of(pledge: Pledge, now: Any, actor: Any = None) -> Checkout:
    """The payment page of a gift, or of a pledge that somebody made."""
    code = "" if actor else gift_code(pledge)
    made = start_checkout(
        actor=actor, code=code, group=pledge.group, method="card", language="fr", return_url=BACK, now=now
    )
    carry_out(operation_id=made.operation_id, now=now)
    made.refresh_from_db()
    return made


def customers(fake: FakeProvider) -> list[tuple[str | None, bool]]:
    """The payers that the provider knows: their address, and whether they are deleted."""
    return [(one.get("email"), bool(one.get("deleted"))) for one in fake.server.engine.books.every("customer")]


def test_the_provider_forgets_a_giver_whom_we_forgot_once_nothing_is_taken_any_more(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge, other = a_gift(world, "g", "monthly"), a_gift(world, "h", "monthly")
    for one in (pledge, other):
        fake_provider.pay(page_of(one, world.now).remote_id)
    tell(fake_provider)
    customer = Subscription.objects.get(group=pledge.group).customer
    stop_gift(code=gift_code(other), now=fake_provider.now())
    for _turn in range(3):
        work(fake_provider)
    assert customers(fake_provider) == [("rosa@example.org", False)] * 2  # one of them ended, and is not forgotten
    forget_donor(code=gift_code(pledge), now=fake_provider.now())
    assert forget_customers(fake_provider.now()) == 0  # it is not over there
    for _turn in range(3):
        work(fake_provider)
    assert customers(fake_provider) == [(None, True), ("rosa@example.org", False)]
    assert Subscription.objects.get(group=pledge.group).customer == ""
    assert list(Operation.objects.filter(kind="forget").values_list("state", "request", "remote_id")) == [
        ("done", {"customer": customer}, customer)
    ]
    remote = Subscription.objects.get(group=pledge.group).remote_id
    sync(about="subscription", object_id=remote, told_by="event", now=fake_provider.now())  # an event comes late
    assert Subscription.objects.get(group=pledge.group).customer == ""
    assert forget_customers(fake_provider.now() + timedelta(days=2)) == 0
    assert agree(fake_provider)


def test_the_provider_forgets_a_person_whose_account_is_erased(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    bo = world.users["bo"]
    pledge = make_pledge(
        actor=bo, budget=world.budget, organisation=None, person=bo, amount=20_00, currency="EUR", form_key="m",
        terms=Terms(rhythm="monthly"), now=world.now,
    )  # fmt: skip
    fake_provider.pay(page_of(pledge, world.now, bo).remote_id)
    tell(fake_provider)
    cancel_pledge(actor=bo, pledge_id=pledge.pk, now=fake_provider.now())
    work(fake_provider)
    work(fake_provider)
    assert (Subscription.objects.get().state, forget_customers(fake_provider.now())) == ("ended", 0)
    erase(bo, fake_provider.now())
    work(fake_provider)
    assert customers(fake_provider) == [(None, True)]
    assert Subscription.objects.get().customer == ""


def test_what_was_refused_is_asked_again_a_day_later(
    committed: str, play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(_self: Any, _customer: str) -> bool:
        raise Refused("not_allowed", "not with this key")

    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_gift(world, "g", "monthly")
    fake_provider.pay(page_of(pledge, world.now).remote_id)
    tell(fake_provider)
    forget_donor(code=gift_code(pledge), now=fake_provider.now())
    work(fake_provider)
    monkeypatch.setattr(StripeProvider, "_gone", refusing)
    work(fake_provider)
    monkeypatch.undo()
    assert list(Operation.objects.filter(kind="forget").values_list("state", "attempts")) == [("refused", 1)]
    assert Subscription.objects.get().customer != ""
    assert forget_customers(fake_provider.now()) == 0
    fake_provider.advance(days=1, minutes=5)
    work(fake_provider)
    assert customers(fake_provider) == [(None, True)]
    assert sorted(Operation.objects.filter(kind="forget").values_list("state", flat=True)) == ["done", "refused"]


def test_what_is_paid_by_who_was_forgotten_meanwhile_is_given_back_at_the_provider(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_gift(world, "g")
    page = page_of(pledge, world.now)
    forget_donor(code=gift_code(pledge), now=fake_provider.now())
    fake_provider.pay(page.remote_id)  # before anything could close it
    tell(fake_provider)
    row = Movement.objects.get()
    assert (row.state, row.why, row.suspended, held()) == ("reported", "pot_closed", 15_00, fake_provider.net())
    assert "whoever paid was forgotten meanwhile. Give it back on the provider’s own pages" in why_in_words(row)
    charge = fake_provider.every("charge")[0]["id"]
    fake_provider.act("refund", charge)
    tell(fake_provider)
    assert (Movement.objects.get(kind="refund").state, held()) == ("booked", fake_provider.net())
    assert agree(fake_provider)


def test_an_open_page_is_closed_as_soon_as_its_giver_is_forgotten(
    committed: str, play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_gift(world, "g")
    page = page_of(pledge, world.now)
    nudged: list[str] = []
    monkeypatch.setattr(donors, "nudge", nudged.append)
    forget_donor(code=gift_code(pledge), now=fake_provider.now())
    assert nudged == ["payments.ask_provider"]  # at once, not by the timetable
    work(fake_provider)
    assert fake_provider.thing(page.remote_id)["status"] == "expired"
    page.refresh_from_db()
    assert (page.state, held()) == ("expired", 0)
