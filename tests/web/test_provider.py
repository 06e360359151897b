"""The treasurers' pages of the payment provider: health, what was asked, movements, disputes, refunds by two people."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.identity.services import grant_role, host_day
from backend.ledger.services import balance, entry_count
from backend.payments.models import Dispute, Movement, Notice, Operation, Payment, ProviderRefund, Reconciliation
from backend.payments.movements import book_movement
from backend.payments.providers.base import MovementFacts, PaymentFacts
from backend.payments.reconciling import reconcile_due
from backend.pledges.models import Pledge
from tests.payments.flow import open_page, tell, work
from tests.payments.money import a_pledge
from tests.payments.provider import FakeProvider, fake_provider
from tests.rights.world import given_now, person
from tests.web.test_paying import plain

__all__ = ["fake_provider"]

Play = Callable[..., Any]
SignIn = Callable[..., Client]


@pytest.fixture
def world(play: Play, fake_provider: FakeProvider) -> Iterator[Any]:
    """The house, with a provider that answers."""
    return play("make_house")  # type: ignore[no-any-return]


def paid(world: Any, fake: FakeProvider, amount: int = 100_00) -> Pledge:
    """A pledge of Ana's, paid by card and booked."""
    pledge = a_pledge(world, amount, "card")
    page = open_page(world, pledge, world.now)
    fake.pay(page.remote_id)
    tell(fake)
    return Pledge.objects.get(pk=pledge.pk)


def charge_of(pledge: Pledge) -> str:
    """The provider's id of what paid it."""
    return pledge.payments.get().charge


def test_without_a_provider_the_page_says_how_money_comes(play: Play, sign_in: SignIn, settings: Any) -> None:
    settings.PROVIDER = ""
    world = play("make_house")
    answer = sign_in(world.users["claire"]).get("/en/provider/")
    assert "This host uses no payment provider: pledges are paid by bank transfer, cheque and cash." in plain(answer)
    assert b"/provider/test/" not in answer.content
    assert "Compare" not in plain(answer)


def test_health_says_what_came_and_a_test_event_is_counted_and_moves_nothing(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    browser = sign_in(world.users["claire"])
    text = plain(browser.get("/en/provider/"))
    assert "Demonstration provider trial, no real money" in text
    assert "Last event none yet" in text
    assert "Webhook secrets accepted 2" in text
    for secret in ("whsec_", "sk_test_"):
        assert secret not in browser.get("/en/provider/").content.decode()
    before = entry_count()
    answer = browser.post("/en/provider/test/", follow=True)
    assert "The test event came in, was verified and is counted below. No money moved." in plain(answer)
    row = Notice.objects.get()
    assert (row.state, row.times, entry_count()) == ("unknown", 1, before)
    assert row.type in plain(answer)


def test_events_that_wait_and_those_that_are_stuck_are_told(world: Any, sign_in: SignIn) -> None:
    now = timezone.now()
    facts: dict[str, Any] = {"provider": "fake", "type": "charge.succeeded", "sent_at": now, "next_try_at": now}
    Notice.objects.create(id="ntc_1", remote_id="evt_1", received_at=now - timedelta(hours=1), **facts)
    Notice.objects.create(
        id="ntc_2", remote_id="evt_2", received_at=now, **{**facts, "state": "stuck", "error": "no such charge"}
    )
    text = plain(sign_in(world.users["claire"]).get("/en/provider/"))
    assert "Events to treat 1 Could not be treated 1" in text
    assert "An event waits since" in text
    assert "no such charge" in text
    inbox = plain(sign_in(world.users["denis"]).get("/en/treasury/"))
    assert "Event that could not be treated" in inbox


def test_a_comparison_is_asked_for_and_its_result_is_shown(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    paid(world, fake_provider)
    browser, today = sign_in(world.users["claire"]), host_day(timezone.now())
    wrong = browser.post("/en/provider/", {"since": "2026-03-02", "until": "2026-03-01"})
    assert (wrong.status_code, Reconciliation.objects.count()) == (422, 0)
    assert "The last day comes before the first." in plain(wrong)
    browser.post("/en/provider/", {"since": str(today - timedelta(days=2)), "until": str(today)})
    row = Reconciliation.objects.get()
    assert (row.asked_by, row.finished_at) == (world.users["claire"], None)
    reconcile_due(timezone.now())
    row.refresh_from_db()
    assert (row.seen, row.booked, row.reported, row.error) == (1, 0, 0, "")
    assert row.remote_balance == row.own_balance == balance(kind="clearing", owner="fake", currency="EUR")
    assert "Gap to explain €0.00" in plain(browser.get("/en/provider/"))


def test_a_lost_answer_is_looked_up_or_given_up_with_a_reason(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    pledge = a_pledge(world, 40_00, "card")
    fake_provider.fault("POST /v1/checkout/sessions", "cut")
    open_page(world, pledge, world.now)
    row, browser = Operation.objects.get(), sign_in(world.users["claire"])
    assert row.state == "unknown"
    page = f"/en/provider/operations/{row.pk}/"
    text = plain(browser.get(page))
    assert "The answer was lost." in text
    assert "€40.00" in text
    refused = browser.post(page, {"act": "give_up", "reason": ""})
    assert refused.status_code == 422
    row.refresh_from_db()
    assert row.state == "unknown"
    assert "The provider had done it: it is written down now." in plain(
        browser.post(page, {"act": "look"}, follow=True)
    )
    row.refresh_from_db()
    assert (row.state, len(fake_provider.every("checkout.session"))) == ("done", 1)
    other = Operation.objects.create(
        id="opn_2", provider="fake", kind="cancel", key="cancel:x:1", request={"subscription": "sub_x"},
        state="unknown", first_sent_at=world.now, next_try_at=world.now, created_at=world.now,
    )  # fmt: skip
    browser.post(f"/en/provider/operations/{other.pk}/", {"act": "give_up", "reason": "ended by hand there"})
    other.refresh_from_db()
    assert (other.state, other.given_up_by, other.given_up_reason) == (
        "given_up", world.users["claire"], "ended by hand there",
    )  # fmt: skip


def nobody_s(world: Any) -> Movement:
    """30 € that no pledge explains."""
    facts = MovementFacts(
        remote_id="txn_x", kind="charge", amount=30_00, fee=50, currency="EUR", happened_at=world.now, of="ch_x",
        charge="ch_x",
    )  # fmt: skip
    payment = PaymentFacts(
        remote_id="pi_x", charge="ch_x", state="succeeded", amount=30_00, currency="EUR", method="card",
        created_at=world.now, movements=(facts,),
    )  # fmt: skip
    return book_movement(provider="fake", facts=facts, payment=payment, told_by="reconciler", now=world.now)


def test_money_that_nothing_explains_is_tied_to_its_pledge(world: Any, sign_in: SignIn) -> None:
    row, pledge, browser = nobody_s(world), a_pledge(world, 30_00, "card"), sign_in(world.users["claire"])
    assert "Money at the provider to explain" in plain(browser.get("/en/treasury/"))
    listed = plain(browser.get("/en/provider/movements/?state=reported"))
    assert "This payment names no pledge of this instance." in listed
    page = f"/en/provider/movements/{row.pk}/"
    assert "This money is in suspense." in plain(browser.get(page))
    assert "La Fabrique du Port" in plain(browser.get(f"{page}?q=fabrique"))
    confirm = plain(browser.get(f"{page}?pledge={pledge.pk}"))
    assert "Book €30.00 as a payment of La Fabrique du Port" in confirm
    assert Payment.objects.count() == 0
    nothing = browser.post(page, {"pledge": "plg_nobody"})
    assert (nothing.status_code, Payment.objects.count()) == (422, 0)
    browser.post(page, {"pledge": pledge.pk})
    row.refresh_from_db()
    assert (row.state, row.explained_by) == ("explained", world.users["claire"])
    assert (Payment.objects.get().amount, Payment.objects.get().pledge_id) == (30_00, pledge.pk)
    assert balance(kind="suspense", owner="fake", currency="EUR") == 0


def test_an_auditor_reads_and_acts_on_nothing(world: Any, sign_in: SignIn, fake_provider: FakeProvider) -> None:
    aude = person("aude", "Aude Roux", strong=True)
    grant_role(user=aude, kind="auditor", scope=world.host.pk, granted_by=None, now=world.now)
    pledge, row = paid(world, fake_provider), nobody_s(world)
    browser = sign_in(aude)
    for path in ("", "movements/", f"movements/{row.pk}/", "payouts/", "disputes/", "refunds/"):
        assert browser.get(f"/en/provider/{path}").status_code == 200, path
    assert browser.post("/en/provider/test/").status_code == 403
    assert browser.post(f"/en/provider/movements/{row.pk}/", {"pledge": pledge.pk}).status_code == 403
    assert browser.get(f"/en/charges/{charge_of(pledge)}/refund/").status_code == 403
    row.refresh_from_db()
    assert (row.state, Notice.objects.filter(type="tronc.test").count()) == ("reported", 0)


def test_a_refund_takes_two_treasurers_and_a_fresh_factor(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    pledge = paid(world, fake_provider)
    charge, claire = charge_of(pledge), sign_in(world.users["claire"])
    page = f"/en/charges/{charge}/refund/"
    form = claire.get(page)
    assert "Give up to €100.00 back to La Fabrique du Port" in plain(form)
    sent = {"amount": "40", "reason": "paid too much", "form_key": "one"}
    assert claire.post(page, {**sent, "amount": "100.01"}).status_code == 409
    assert ProviderRefund.objects.count() == 0
    for _twice in range(2):
        assert claire.post(page, sent).status_code == 302
    refund = ProviderRefund.objects.get()
    assert (refund.amount, refund.state) == (40_00, "asked")
    own = f"/en/provider/refunds/{refund.pk}/"
    assert "another treasurer approves it" in plain(claire.get(own))
    assert claire.post(own, {"act": "approve"}).status_code == 403
    denis = sign_in(world.users["denis"])
    assert "asked by Claire Moreau: to approve" in plain(denis.get("/en/treasury/"))
    given_now(denis, ago=3600)
    asked = denis.post(own, {"act": "approve"})
    assert asked.status_code == 302
    assert "reauthenticate" in asked.headers["Location"]
    refund.refresh_from_db()
    assert (refund.state, Operation.objects.filter(kind="refund").count()) == ("asked", 0)
    given_now(denis)
    answer = denis.post(own, {"act": "approve"}, follow=True)
    assert "€40.00 go back to the payer: the provider is asked now" in plain(answer)
    assert fake_provider.every("refund") == []  # nothing is sent by a page
    fake_provider.advance(seconds=2)
    work(fake_provider)
    refund.refresh_from_db()
    assert refund.state == "done"
    assert "The money went back to the card or account it came from." in plain(denis.get(own))
    payment = Payment.objects.get(pledge=pledge)
    assert (payment.taken_back, payment.left) == (40_00, 60_00)


def test_a_refund_decided_before_the_books_were_restored_says_so(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    pledge, claire = paid(world, fake_provider), sign_in(world.users["claire"])
    claire.post(f"/en/charges/{charge_of(pledge)}/refund/", {"amount": "5", "reason": "x", "form_key": "one"})
    refund = ProviderRefund.objects.get()
    page = f"/en/provider/refunds/{refund.pk}/"
    known = "known from the provider: decided before the books were restored"
    assert known not in plain(claire.get(page))
    ProviderRefund.objects.update(state="done", remote_id="re_1")
    assert known in plain(claire.get(page))


def test_a_refusal_needs_a_reason_and_moves_nothing(world: Any, sign_in: SignIn, fake_provider: FakeProvider) -> None:
    pledge = paid(world, fake_provider)
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    claire.post(f"/en/charges/{charge_of(pledge)}/refund/", {"amount": "5", "reason": "x", "form_key": "one"})
    refund, before = ProviderRefund.objects.get(), entry_count()
    page = f"/en/provider/refunds/{refund.pk}/"
    assert denis.post(page, {"act": "refuse", "reason": ""}).status_code == 422
    assert "The refund is refused. No money moved." in plain(
        denis.post(page, {"act": "refuse", "reason": "not agreed"}, follow=True)
    )
    refund.refresh_from_db()
    assert (refund.state, refund.decided_by, entry_count()) == ("refused", world.users["denis"], before)
    assert denis.post(page, {"act": "approve"}).status_code == 409


def test_a_dispute_says_how_many_days_are_left(world: Any, sign_in: SignIn, fake_provider: FakeProvider) -> None:
    pledge = paid(world, fake_provider)
    fake_provider.dispute(charge_of(pledge))
    tell(fake_provider)
    assert Dispute.objects.get().state == "opened"
    browser = sign_in(world.users["claire"])
    text = plain(browser.get("/en/provider/disputes/"))
    assert "La Fabrique du Port" in text
    assert "9 days left" in text
    assert "Dispute to answer" in plain(browser.get("/en/treasury/"))


def test_who_bears_the_provider_s_fee_is_set_on_the_fee_page(world: Any, sign_in: SignIn) -> None:
    browser, page = sign_in(world.users["claire"]), f"/en/budgets/{world.budget.pk}/fee/"
    text = plain(browser.get(page))
    assert "What the payment provider keeps of a card or debit payment is borne by" in text
    assert "not set: the host the host the budget" in text
    sent = {"own": "no", "fee": "", "reason": "agreed at the meeting"}
    assert browser.post(page, sent).status_code == 422  # nothing chosen
    before = entry_count()
    assert browser.post(page, {**sent, "bears": "budget"}).status_code == 302
    world.budget.refresh_from_db()
    assert (world.budget.bears_provider_fees, world.budget.fee_bp, entry_count()) == (True, None, before)
    browser.post(page, {**sent, "bears": "inherit"})
    world.budget.refresh_from_db()
    assert world.budget.bears_provider_fees is None
