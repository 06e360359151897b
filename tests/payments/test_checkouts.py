"""Payment pages: opened once, paid once whoever tells it, closed when something else has paid."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.payments.checkouts import ITSELF, returned, start_checkout
from backend.payments.models import Checkout, Movement, Operation, Payment
from backend.payments.offering import page_at
from backend.payments.operations import carry_out
from backend.payments.providers.base import Done
from backend.payments.providers.stripe import StripeProvider
from backend.pledges.donations import gift_code, give, stop_gift
from backend.pledges.models import Instalment, Pledge
from tests.payments.flow import BACK, agree, begin, held, open_page, tell, work
from tests.payments.money import a_pledge
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

Play = Callable[..., Any]


def test_a_card_pays_a_pledge_whoever_tells_it_first(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 100_00, "k")
    page = open_page(world, pledge, world.now)
    assert (page.state, page.amount, page.currency, page.recurring) == ("open", 100_00, "EUR", False)
    assert page.address.startswith(fake_provider.address)
    assert open_page(world, pledge, world.now).pk == page.pk  # the one that is open
    fake_provider.pay(page.remote_id)
    returned(checkout_id=page.pk, now=fake_provider.now())
    page.refresh_from_db()
    assert (page.state, page.address) == ("paid", "")
    assert Payment.objects.get().amount == 100_00
    assert Instalment.objects.get().state == "received"
    told = [Movement.objects.get().told_by, Payment.objects.count(), held()]
    assert tell(fake_provider, times=3) > 0
    assert (
        [Movement.objects.get().told_by, Payment.objects.count(), held()] == told == ["return", 1, fake_provider.net()]
    )
    pledge.refresh_from_db()
    assert (pledge.state, pledge.means) == ("fulfilled", "transfer")
    assert agree(fake_provider)
    assert list(Operation.objects.values_list("kind", "state", "attempts")) == [("checkout", "done", 1)]
    assert Checkout.objects.count() == 1


def a_gift(world: Any, key: str, rhythm: str = "once") -> Pledge:
    """Somebody without an account promises 15 €."""
    return give(
        budget=world.budget, name="Rosa", email="rosa@example.org", amount=15_00, currency="EUR", rhythm=rhythm,
        named=False, language="fr", form_key=key, now=world.now,
    )  # fmt: skip


def test_who_has_the_link_of_a_gift_pays_it_and_no_row_holds_the_link(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge, other = a_gift(world, "g", "monthly"), a_gift(world, "h")
    code = gift_code(pledge)
    asked: dict[str, Any] = {"actor": None, "group": pledge.group, "method": "card", "language": "fr", "now": world.now}
    with pytest.raises(NotFound):
        start_checkout(**asked, code=gift_code(other), return_url="http://localhost/x/")
    page = start_checkout(**asked, code=code, return_url=f"http://localhost/fr/payments/{ITSELF}/")
    row = carry_out(operation_id=page.operation_id, now=world.now)
    page.refresh_from_db()
    assert row.state == "done"
    assert code not in json.dumps(row.request)
    assert pledge.pk not in json.dumps(row.request)
    session = fake_provider.thing(page.remote_id)
    assert session["success_url"] == f"http://localhost/fr/payments/{page.pk}/?back=paid"
    assert code not in json.dumps(session)
    assert session["customer_email"] == "rosa@example.org"
    assert "rosa" not in json.dumps(row.request).lower()
    fake_provider.pay(page.remote_id)
    tell(fake_provider)
    assert Payment.objects.get().pledge_id == pledge.pk
    stop_gift(code=code, now=fake_provider.now())
    work(fake_provider)
    work(fake_provider)
    assert [one["status"] for one in fake_provider.every("subscription")] == ["canceled"]
    assert agree(fake_provider)


def test_what_cannot_be_paid_opens_no_page(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 40_00, "k")
    asked: dict[str, Any] = {
        "code": "", "group": pledge.group, "language": "en", "return_url": BACK, "now": world.now,
    }  # fmt: skip
    ana = world.users["ana"]
    with pytest.raises(Forbidden):
        start_checkout(actor=world.users["bo"], method="card", **asked)
    with pytest.raises(Invalid):
        start_checkout(actor=ana, method="cheque", **asked)
    with pytest.raises(NotFound):
        start_checkout(actor=ana, method="card", **(asked | {"group": "grp_none"}))
    with pytest.raises(NotFound):
        start_checkout(actor=ana, method="card", **(asked | {"group": ""}))
    fake_provider.pay(open_page(world, pledge, world.now).remote_id)
    tell(fake_provider)
    with pytest.raises(Conflict):
        start_checkout(actor=ana, method="card", **asked)
    assert Operation.objects.count() == Checkout.objects.count() == 1


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "http://evil.example/pay/x", "//evil.example/pay", "/pay/cs_1", "https://[bad/",
        "http://127.0.0.1.evil.example/pay/x", "{own}@evil.example/x", "{own}.evil.example/x", "{own}/pay/x\r\nX: 1",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_a_page_that_is_not_the_providers(
    play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    world = play("make_house")
    wrong = address.replace("{own}", fake_provider.address)
    monkeypatch.setattr(StripeProvider, "perform", lambda _self, _order: Done("cs_1", wrong))
    page = open_page(world, a_pledge(world, 10_00, "k"), world.now)
    assert (page.state, page.address) == ("open", "")
    assert page_at(f"{fake_provider.address}/pay/cs_1") == f"{fake_provider.address}/pay/cs_1"
