"""What is written about card and debit payments: to whom, in their language, with one link that does it."""

from typing import Any

import pytest

from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.payments.checkouts import start_checkout
from backend.payments.models import Checkout, Payment, ProviderRefund
from backend.payments.operations import carry_out
from backend.payments.provider_refunds import approve_refund, ask_refund
from backend.pledges.donations import gift_code, give
from backend.pledges.models import Pledge
from tests.payments.flow import begin, monthly, open_page, tell, work
from tests.payments.money import a_pledge
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]


@pytest.fixture
def world(play: Any, fake_provider: FakeProvider) -> Any:
    """The house; what was written of how it was made is sent."""
    world = play("make_house")
    begin(world, fake_provider)
    written(world)
    return world


def written(world: Any) -> list[OutgoingMail]:
    """The messages written since the last time, by recipient and subject."""
    compose_due(world.now)
    rows = list(OutgoingMail.objects.filter(state="due").order_by("recipient", "subject"))
    OutgoingMail.objects.filter(state="due").update(state="sent", attempts=1, sent_at=world.now)
    return rows


def paid(world: Any, fake: FakeProvider, pledge: Pledge) -> Payment:
    """Its payment by card."""
    fake.pay(open_page(world, pledge, world.now).remote_id)
    tell(fake)
    return Payment.objects.get(pledge=pledge)


def test_a_payment_that_came_says_so_and_not_that_the_bank_showed_it(world: Any, fake_provider: FakeProvider) -> None:
    pledge = a_pledge(world, 100_00, "card")
    written(world)
    paid(world, fake_provider, pledge)
    (mail,) = written(world)
    assert mail.recipient == "ana@example.org"
    assert "statement" not in mail.body
    assert f"/pledges/{pledge.pk}/" in mail.body


def test_three_failures_give_one_link_to_resume_in_the_payer_s_language(
    world: Any, fake_provider: FakeProvider
) -> None:
    pledge = monthly(world, 20_00)
    page = open_page(world, pledge, world.now)
    fake_provider.pay(page.remote_id)
    tell(fake_provider)
    written(world)
    fake_provider.payer_will(fake_provider.subscription_of(page.remote_id), "card_declined")
    fake_provider.advance(days=45)
    work(fake_provider)
    tell(fake_provider)
    ana = world.users["ana"]
    mails = [mail for mail in written(world) if mail.recipient == ana.email]
    assert len(mails) == 2  # that it was refused, that it is paused
    link = f"/{ana.language}/pledges/{pledge.pk}/subscription/"
    assert all(mail.body.count(link) == 1 for mail in mails)


def test_a_gift_s_link_stays_behind_its_own_address(world: Any, fake_provider: FakeProvider) -> None:
    gift = give(
        budget=world.budget, name="Gaëlle Roy", email="gaelle@example.org", amount=20_00, currency="EUR", rhythm="once",
        named=False, language="en", form_key="gift", now=world.now,
    )  # fmt: skip
    written(world)
    page = start_checkout(
        actor=None, code=gift_code(gift), group=gift.group, method="sepa_debit", language="en",
        return_url="http://localhost/en/gifts/x/payment/", now=world.now,
    )  # fmt: skip
    carry_out(operation_id=page.operation_id, now=world.now)
    page = Checkout.objects.get(pk=page.pk)
    fake_provider.pay(page.remote_id, will="fail")
    fake_provider.advance(days=15)
    tell(fake_provider)
    mails = written(world)
    assert {mail.recipient for mail in mails} == {"gaelle@example.org"}
    (mail,) = mails
    assert mail.subject == "Payment of €20.00 not made"
    assert "No money moved." in mail.body
    assert f"/en/gifts/{gift_code(gift).split(':')[0]}" in mail.body
    assert "/pay/" in mail.body


def test_a_dispute_is_told_to_the_treasurers_alone(world: Any, fake_provider: FakeProvider) -> None:
    payment = paid(world, fake_provider, a_pledge(world, 100_00, "card"))
    written(world)
    fake_provider.dispute(payment.charge)
    tell(fake_provider)
    disputed = [mail for mail in written(world) if "/provider/disputes/" in mail.body]
    assert {mail.recipient for mail in disputed} == {"claire@example.org", "denis@example.org"}


def test_a_refund_asks_the_other_treasurer_then_tells_the_payer(world: Any, fake_provider: FakeProvider) -> None:
    payment = paid(world, fake_provider, a_pledge(world, 100_00, "card"))
    written(world)
    refund = ask_refund(
        actor=world.users["claire"], charge=payment.charge, amount=40_00, reason="paid too much", form_key="one",
        now=world.now,
    )  # fmt: skip
    (mail,) = written(world)
    assert mail.recipient == "denis@example.org"
    assert "paid too much" in mail.body
    assert f"/provider/refunds/{refund.pk}/" in mail.body
    approve_refund(actor=world.users["denis"], refund_id=refund.pk, now=world.now)
    fake_provider.advance(seconds=2)
    work(fake_provider)
    assert ProviderRefund.objects.get().state == "done"
    told = [mail for mail in written(world) if mail.recipient == "ana@example.org"]
    assert [mail.subject for mail in told if "40" in mail.subject]


def test_nobody_is_written_to_about_what_is_over(world: Any, fake_provider: FakeProvider) -> None:
    payment = paid(world, fake_provider, a_pledge(world, 100_00, "card"))
    written(world)
    ask_refund(
        actor=world.users["claire"], charge=payment.charge, amount=1_00, reason="x", form_key="one", now=world.now
    )
    ProviderRefund.objects.update(state="refused", decided_by=world.users["denis"], decided_at=world.now)
    assert written(world) == []
