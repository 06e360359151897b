"""`/v1/pledges/{id}/payments`: one payment page per key and per pledge, begun by a program, finished by a person."""

from typing import Any

import pytest

from backend.ledger.services import entry_count
from backend.payments.models import Checkout, Operation
from tests.api.conftest import refused, shown
from tests.payments.money import a_pledge
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]


@pytest.fixture
def world(play: Any, fake_provider: FakeProvider) -> Any:
    """The house, with a provider that answers."""
    return play("make_house")


def test_a_payment_is_begun_once_for_its_key_and_moves_no_money(
    world: Any, call: Any, fake_provider: FakeProvider
) -> None:
    pledge, ana = a_pledge(world, 100_00, "api"), call(world.users["ana"])
    before = entry_count()
    first = ana.post(f"pledges/{pledge.pk}/payments", {"method": "card"}, key="one")
    body = shown(first, 201)
    assert (body["state"], body["method"], body["recurring"]) == ("open", "card", False)
    assert body["amount"] == {"value": 100_00, "currency": "EUR"}
    assert body["address"].startswith(f"{fake_provider.address}/pay/")
    assert first.headers["Location"] == f"/v1/pledges/{pledge.pk}/payments/{body['id']}"
    again = ana.post(f"pledges/{pledge.pk}/payments", {"method": "card"}, key="one")
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    other = shown(ana.post(f"pledges/{pledge.pk}/payments", {"method": "card"}, key="two"), 201)
    assert other["id"] == body["id"]  # the page that is open is given back
    assert len(fake_provider.every("checkout.session")) == Checkout.objects.count() == 1
    assert entry_count() == before
    listed = shown(ana.get(f"pledges/{pledge.pk}/payments"), 200)
    assert [one["id"] for one in listed["data"]] == [body["id"]]
    assert shown(ana.get(f"pledges/{pledge.pk}/payments/{body['id']}"), 200) == body
    claire = call(world.users["claire"])  # reads it, but the provider's page is of who pays
    for read in (f"pledges/{pledge.pk}/payments/{body['id']}", f"pledges/{pledge.pk}/payments"):
        seen = shown(claire.get(read), 200)
        assert seen.get("data", [seen]) == [{**body, "address": None}]


def test_a_lost_answer_is_an_opening_payment_without_address(
    world: Any, call: Any, fake_provider: FakeProvider
) -> None:
    pledge, ana = a_pledge(world, 100_00, "api"), call(world.users["ana"])
    fake_provider.fault("POST /v1/checkout/sessions", "cut")
    body = shown(ana.post(f"pledges/{pledge.pk}/payments", {"method": "card"}), 201)
    assert (body["state"], body["address"]) == ("opening", None)
    assert Operation.objects.get().state == "unknown"


def test_what_cannot_be_paid_is_refused_and_keeps_nothing(world: Any, call: Any, settings: Any) -> None:
    pledge, ana, bo = a_pledge(world, 100_00, "api"), call(world.users["ana"]), call(world.users["bo"])
    refused(ana.post(f"pledges/{pledge.pk}/payments", {"method": "wallet"}), 422, "method_not_offered")
    refused(ana.post(f"pledges/{pledge.pk}/payments", {}), 422, "invalid_fields")
    refused(bo.post(f"pledges/{pledge.pk}/payments", {"method": "card"}), 404, "pledge_not_found")
    claire = call(world.users["claire"])
    refused(claire.post(f"pledges/{pledge.pk}/payments", {"method": "card"}), 403, "not_allowed")
    refused(ana.get(f"pledges/{pledge.pk}/payments/cko_{'0' * 36}"), 404, "payment_not_found")
    settings.PROVIDER = ""
    refused(ana.post(f"pledges/{pledge.pk}/payments", {"method": "card"}, key="x"), 409, "no_provider")
    assert (Checkout.objects.count(), Operation.objects.count()) == (0, 0)
    settings.PROVIDER = "fake"
    assert shown(ana.post(f"pledges/{pledge.pk}/payments", {"method": "card"}, key="x"), 201)["state"] == "open"
