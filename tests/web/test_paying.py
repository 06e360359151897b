"""The pages of paying by card or debit: what is asked, the provider's page, coming back, failures, taking up again."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from backend.ledger.services import entry_count
from backend.payments.models import Checkout, Operation, Payment, Subscription
from backend.pledges.donations import gift_code, give
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, make_pledge
from tests.payments.flow import begin, tell, work
from tests.payments.provider import FakeProvider, fake_provider
from tests.web.test_public import text_of

__all__ = ["fake_provider"]

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def plain(answer: Any) -> str:
    """The text of a page, with plain spaces."""
    return text_of(answer).replace("\u00a0", " ").replace("\u202f", " ")


@pytest.fixture
def world(play: Play, fake_provider: FakeProvider) -> Iterator[Any]:
    """The house, with a provider that answers."""
    return play("make_house")  # type: ignore[no-any-return]


def promise(world: Any, rhythm: str = "once") -> Pledge:
    """Ana promises 100 € for her organisation."""
    return make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=100_00, currency="EUR",
        form_key=f"card-{rhythm}", terms=Terms(rhythm=rhythm), now=world.now,
    )  # fmt: skip


def address(pledge: Pledge, page: str) -> str:
    """One of the pages of a pledge."""
    return f"/en/pledges/{pledge.pk}/{page}/"


def open_page(browser: Client, pledge: Pledge, method: str = "card") -> Checkout:
    """Go to the provider's page through ours."""
    answer = browser.post(address(pledge, "pay"), {"method": method})
    assert answer.status_code == 303, answer.content.decode()
    return Checkout.objects.get(group=pledge.group, state="open")


def test_paying_leads_to_the_provider_and_back_and_says_what_is_true(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    pledge, browser = promise(world), sign_in(world.users["ana"])
    assert "Or by card or direct debit €100.00 on the page of Demonstration provider" in plain(
        browser.get(f"/en/pledges/{pledge.pk}/")
    )
    asked = browser.get(address(pledge, "pay"))
    assert "Pay €100.00 For Cartolibre To Association des Communs Through Demonstration provider" in plain(asked)
    assert "Nothing is taken by this button." in plain(asked)
    before = entry_count()
    answer = browser.post(address(pledge, "pay"), {"method": "card"})
    page = Checkout.objects.get(group=pledge.group)
    assert (answer.status_code, answer.headers["Location"]) == (303, page.address)
    assert page.address.startswith(f"{fake_provider.address}/pay/")
    waits = plain(browser.get(address(pledge, "payment")))
    assert "No money has moved. The payment page waits for you until" in waits
    assert entry_count() == before
    fake_provider.pay(page.remote_id)
    back = browser.get(address(pledge, "payment") + "?back=paid")
    assert "€100.00 received. Thank you. The pot of Cartolibre has them, less the host’s fee." in plain(back)
    payment = Payment.objects.get(pledge=pledge)
    assert (payment.amount, payment.fee, payment.method, payment.state) == (100_00, 5_00, "card", "succeeded")
    assert entry_count() == before + 1
    again = browser.get(address(pledge, "payment") + "?back=paid")
    assert (again.status_code, entry_count(), Payment.objects.count()) == (200, before + 1, 1)
    assert "Pay by card" not in plain(browser.get(f"/en/pledges/{pledge.pk}/"))


def test_only_these_pages_let_a_form_end_at_the_provider(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    pledge, browser = promise(world), sign_in(world.users["ana"])

    def policy(path: str) -> str:
        return str(browser.get(path).headers["Content-Security-Policy"])

    assert f"form-action 'self' {fake_provider.address};" in policy(address(pledge, "pay")) + ";"
    for path in (f"/en/pledges/{pledge.pk}/", "/en/", f"/en/pledges/{pledge.pk}/change/"):
        assert fake_provider.address not in policy(path)


def test_a_lost_answer_says_that_no_money_moved_and_is_never_a_second_page(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    pledge, browser = promise(world), sign_in(world.users["ana"])
    fake_provider.fault("POST /v1/checkout/sessions", "cut")
    answer = browser.post(address(pledge, "pay"), {"method": "card"}, follow=True)
    assert answer.redirect_chain == [(address(pledge, "payment"), 302)]
    text = plain(answer)
    assert "No money has moved. Demonstration provider has not answered yet" in text
    assert "Pay by bank transfer instead" in text
    assert Operation.objects.get(kind="checkout").state == "unknown"
    Operation.objects.update(next_try_at=world.now)  # its rest is over
    again = plain(browser.get(address(pledge, "payment") + "?back=again"))
    assert "The payment page waits for you until" in again
    twice = browser.post(address(pledge, "pay"), {"method": "card"})
    assert twice.headers["Location"] == Checkout.objects.get().address
    assert len(fake_provider.every("checkout.session")) == 1


def test_with_the_provider_away_the_transfer_is_offered(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    pledge, browser = promise(world), sign_in(world.users["ana"])
    fake_provider.stop()
    text = plain(browser.post(address(pledge, "pay"), {"method": "card"}, follow=True))
    assert "No money has moved." in text
    own = plain(browser.get(f"/en/pledges/{pledge.pk}/"))
    assert "The transfer to make Amount €100.00" in own
    assert "A payment page is open. No money has moved." in own
    assert (Payment.objects.count(), Operation.objects.get().state) == (0, "ready")
    fake_provider.again()


def test_what_is_not_offered_is_refused_beside_the_choice(world: Any, sign_in: SignIn) -> None:
    pledge, browser = promise(world), sign_in(world.users["ana"])
    for method in ("", "wallet"):
        answer = browser.post(address(pledge, "pay"), {"method": method})
        assert answer.status_code == 422
    assert (Checkout.objects.count(), Operation.objects.count()) == (0, 0)


def test_without_a_provider_nothing_is_offered(play: Play, sign_in: SignIn, settings: Any) -> None:
    settings.PROVIDER = ""
    world = play("make_house")
    pledge, browser = promise(world), sign_in(world.users["ana"])
    assert "card" not in plain(browser.get(f"/en/pledges/{pledge.pk}/"))
    assert browser.get(address(pledge, "pay")).status_code == 404
    assert browser.post(address(pledge, "pay"), {"method": "card"}).status_code == 404


def test_a_treasurer_sees_the_payment_and_cannot_pay_it(world: Any, sign_in: SignIn) -> None:
    pledge = promise(world)
    page = open_page(sign_in(world.users["ana"]), pledge)
    claire = sign_in(world.users["claire"])
    seen = claire.get(address(pledge, "payment"))
    assert seen.status_code == 200
    assert page.address not in seen.content.decode()
    assert claire.post(address(pledge, "pay"), {"method": "card"}).status_code == 403
    assert Checkout.objects.count() == 1


def test_payments_that_follow_pause_after_failures_and_one_button_resumes(
    world: Any, sign_in: SignIn, fake_provider: FakeProvider
) -> None:
    begin(world, fake_provider)
    pledge, browser = promise(world, "monthly"), sign_in(world.users["ana"])
    assert "Pay €100.00, every month" in plain(browser.get(address(pledge, "pay")))
    page = open_page(browser, pledge)
    fake_provider.pay(page.remote_id)
    assert "The next ones are taken by themselves." in plain(browser.get(address(pledge, "payment") + "?back=paid"))
    own = plain(browser.get(f"/en/pledges/{pledge.pk}/"))
    assert "Demonstration provider takes the next payment on" in own
    assert "The transfer to make" not in own
    row = Subscription.objects.get(group=pledge.group)
    fake_provider.payer_will(row.remote_id, "card_declined")
    fake_provider.advance(days=45)
    tell(fake_provider)
    work(fake_provider)
    text = plain(browser.get(address(pledge, "subscription")))
    assert "The payments are paused: nothing is taken." in text
    portal = browser.post(address(pledge, "subscription"), {"act": "portal"})
    assert portal.status_code == 303
    assert portal.headers["Location"].startswith(f"{fake_provider.address}/portal/")
    fake_provider.payer_will(row.remote_id, "pay")
    before = entry_count()
    browser.post(address(pledge, "subscription"), {"act": "resume"})
    pledge.refresh_from_db()
    assert (pledge.paused_at, entry_count()) == (None, before)
    assert Operation.objects.get(kind="resume").state == "ready"  # a worker asks, not the page
    work(fake_provider)
    assert set(Operation.objects.filter(kind="resume").values_list("state", flat=True)) == {"done"}
    assert Subscription.objects.get(pk=row.pk).state == "active"


def test_the_portal_away_is_a_sentence(world: Any, sign_in: SignIn, fake_provider: FakeProvider) -> None:
    begin(world, fake_provider)
    pledge, browser = promise(world, "monthly"), sign_in(world.users["ana"])
    fake_provider.pay(open_page(browser, pledge).remote_id)
    browser.get(address(pledge, "payment") + "?back=paid")
    fake_provider.stop()
    answer = browser.post(address(pledge, "subscription"), {"act": "portal"})
    assert answer.status_code == 409
    assert "The payment provider does not answer." in plain(answer)
    fake_provider.again()


def test_a_gift_is_paid_behind_its_own_address(world: Any, fake_provider: FakeProvider) -> None:
    pledge = give(
        budget=world.budget, name="Gaëlle Roy", email="gaelle@example.org", amount=20_00, currency="EUR", rhythm="once",
        named=False, language="en", form_key="gift", now=world.now,
    )  # fmt: skip
    code, browser = gift_code(pledge), Client()
    assert "Pay by card or direct debit" in plain(browser.get(f"/en/gifts/{code}/"))
    assert browser.post(f"/en/gifts/{code}/pay/", {"method": "sepa_debit"}).status_code == 303
    page = Checkout.objects.get(group=pledge.group)
    assert code not in str(Operation.objects.get().request)  # the row opens nothing
    fake_provider.pay(page.remote_id)
    text = plain(browser.get(f"/en/gifts/{code}/payment/?back=paid"))
    assert "Your bank has been asked for the money. A direct debit takes some days" in text
    assert Payment.objects.count() == 0
    assert browser.get("/en/gifts/nobody/payment/").status_code == 404
    assert browser.post("/en/gifts/nobody/pay/", {"method": "card"}).status_code == 404


def test_the_provider_keeps_no_address_that_opens_a_gift(world: Any, fake_provider: FakeProvider) -> None:
    begin(world, fake_provider)
    pledge = give(
        budget=world.budget, name="Gaëlle Roy", email="gaelle@example.org", amount=20_00, currency="EUR",
        rhythm="monthly", named=True, language="en", form_key="gift", now=world.now,
    )  # fmt: skip
    code, browser = gift_code(pledge), Client()
    assert browser.post(f"/en/gifts/{code}/pay/", {"method": "card"}).status_code == 303
    page = Checkout.objects.get(group=pledge.group)
    back = f"/en/payments/{page.pk}/"
    session = fake_provider.thing(page.remote_id)
    assert session["success_url"] == f"{settings.BASE_URL}{back}?back=paid"
    assert session["cancel_url"] == f"{settings.BASE_URL}{back}?back=left"
    left = browser.get(f"{back}?back=left")
    assert "No money has moved. The payment page is open until" in plain(left)
    assert page.address not in left.content.decode()  # it shows the payer's own address
    fake_provider.pay(page.remote_id)
    assert "No money has moved." in plain(browser.get(back))  # nothing is read unless somebody comes back
    there = browser.get(f"{back}?back=paid")
    text = plain(there)
    assert "€20.00 received. Thank you. The pot of Cartolibre has them, less the host’s fee." in text
    assert "The link to follow it is in the message we sent you." in text
    for hidden in (code, "Gaëlle", "gaelle@", "/gifts/", pledge.pk, pledge.reference):
        assert hidden not in there.content.decode(), hidden
    assert Payment.objects.get().pledge_id == pledge.pk
    answer = browser.post(f"/en/gifts/{code}/subscription/", {"act": "portal"})
    portal = fake_provider.thing(answer.headers["Location"].rsplit("/", 1)[1])
    assert portal["return_url"] == f"{settings.BASE_URL}{back}"
    assert not [one for one in fake_provider.server.engine.books.things.values() if "/gifts/" in str(one)]


def test_the_page_one_comes_back_to_is_of_gifts_alone(world: Any, sign_in: SignIn, fake_provider: FakeProvider) -> None:
    page = open_page(sign_in(world.users["ana"]), promise(world))
    for browser in (Client(), sign_in(world.users["ana"])):
        assert browser.get(f"/en/payments/{page.pk}/?back=paid").status_code == 404
        assert browser.get("/en/payments/cko_none/").status_code == 404
