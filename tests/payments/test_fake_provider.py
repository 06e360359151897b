"""The provider of the demonstration keeps to Stripe's shapes; its control door, its pages, what it sends by itself."""

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from backend.payments.providers.base import (
    NoAnswer,
    RefundOrder,
    SubscriptionOrder,
)
from backend.payments.providers.fake.server import Server
from backend.payments.providers.stripe_notices import open_event
from tests.conftest import SHARED
from tests.payments.orders import fake, order
from tests.payments.provider import KEY, SECRET, FakeProvider, fake_provider

__all__ = ["fake_provider"]

SHAPES = SHARED / "samples" / "stripe" / "objects-2026-08" / "fixtures3.json"


# --- the fake provider keeps to Stripe's shapes -----------------------------------------------------------------


def _everything(fake_provider: FakeProvider) -> dict[str, dict[str, Any]]:
    """One object of each kind, as its API answers it."""
    provider = fake()
    for rhythm, method in (("once", "card"), ("monthly", "sepa_debit")):
        until = fake_provider.now() + timedelta(hours=2)
        page = provider.perform(order(rhythm, rhythm=rhythm, method=method, expires_at=until))
        charge = fake_provider.pay(page.remote_id)["id"]
        fake_provider.advance(days=6)
    fake_provider.pay(
        provider.perform(order("k3", expires_at=until + timedelta(days=6))).remote_id, will="card_declined"
    )
    provider.perform(RefundOrder("r1", "prf_1", charge, 100, "EUR"))
    fake_provider.dispute(charge)
    fake_provider.payout(amount=100)
    subscription = fake_provider.every("subscription")[0]
    provider.perform(SubscriptionOrder("pause", "pause", subscription["id"]))
    provider.portal(subscription["customer"], return_url="https://tronc.example.org/", language="fr")
    kinds = fake_provider.server.engine.books.kinds
    found = {kind: fake_provider.every(kind)[-1] for kind in kinds}
    found["balance"] = fake_provider.server.engine.books.balance(fake_provider.server.engine.now())
    return found


CLASSES: dict[str, type] = {
    "checkout.session": stripe.checkout.Session, "payment_intent": stripe.PaymentIntent, "charge": stripe.Charge,
    "balance_transaction": stripe.BalanceTransaction, "refund": stripe.Refund, "dispute": stripe.Dispute,
    "customer": stripe.Customer, "payment_method": stripe.PaymentMethod, "mandate": stripe.Mandate,
    "subscription": stripe.Subscription, "invoice": stripe.Invoice, "invoice_payment": stripe.InvoicePayment,
    "payout": stripe.Payout, "billing_portal.session": stripe.billing_portal.Session, "balance": stripe.Balance,
    "event": stripe.Event,
}  # fmt: skip


def test_every_kind_of_object_has_the_keys_and_types_of_stripes_own(fake_provider: FakeProvider) -> None:
    made = _everything(fake_provider)
    assert set(made) == set(CLASSES)
    for kind, thing in made.items():
        known = fields_of(CLASSES[kind])
        assert len(known) > 3
        assert set(thing) <= known, f"{kind}: {sorted(set(thing) - known)}"
        assert thing["object"] == kind
    assert not {"current_period_start", "current_period_end"} & set(made["subscription"])
    assert not {"subscription", "payment_intent", "charge", "paid"} & set(made["invoice"])
    if not SHAPES.exists():
        return
    samples = json.loads(SHAPES.read_text())["resources"]
    for kind, thing in made.items():
        assert len(set(thing) & set(samples[kind])) >= len(thing) - 3, kind
        for name, value in thing.items():
            sample = samples[kind].get(name)
            if value is not None and sample is not None:
                assert type(value) is type(sample), f"{kind}.{name}: {value!r} beside {sample!r}"
    inner = {
        "parent": (made["invoice"]["parent"], samples["invoice"]["parent"]),
        "line": (made["invoice"]["lines"]["data"][0], samples["invoice"]["lines"]["data"][0]),
        "item": (made["subscription"]["items"]["data"][0], samples["subscription"]["items"]["data"][0]),
        "balance": (made["balance"]["pending"][0], samples["balance"]["pending"][0]),
        "due": (made["dispute"]["evidence_details"], samples["dispute"]["evidence_details"]),
    }
    for name, (ours, theirs) in inner.items():
        assert set(ours) <= set(theirs), name


def fields_of(kind: type) -> set[str]:
    """The fields that Stripe's own library knows of a kind of object, some of which the samples leave out."""
    return {name for base in kind.__mro__ for name in getattr(base, "__annotations__", {})}


# --- the control door and the pages -----------------------------------------------------------------------------


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _control(fake_provider: FakeProvider, what: str, *, key: str = KEY, **words: Any) -> dict[str, Any]:
    asked = urllib.request.Request(
        f"{fake_provider.address}/control/{what}",
        data=json.dumps(words).encode(),
        headers={"Authorization": f"Bearer {key}"},
    )
    with _opener().open(asked) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def test_the_control_door_wants_the_key_and_moves_the_clock(fake_provider: FakeProvider) -> None:
    page = fake().perform(order("k1"))
    assert _control(fake_provider, "pay", of=page.remote_id, will="pay")["status"] == "complete"
    before = fake_provider.now()
    _control(fake_provider, "clock", by=86_400)
    assert timedelta(days=1) <= fake_provider.now() - before < timedelta(days=1, seconds=30)
    _control(fake_provider, "faults", faults=[{"match": "GET", "kind": "503"}])
    with pytest.raises(NoAnswer):
        fake().read("checkout", page.remote_id)
    moved = len(fake_provider.every("balance_transaction"))
    with pytest.raises(urllib.error.HTTPError) as refused:
        _control(fake_provider, "fee", key="sk_test_other", amount=100)
    refused.value.close()
    assert refused.value.code == 401
    assert len(fake_provider.every("balance_transaction")) == moved


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *words: Any) -> None:
        return None


@pytest.mark.parametrize(
    ("language", "title", "said"),
    [
        ("fr", "Page de paiement de démonstration", "aucun argent ne bouge"),
        ("en", "Demonstration payment page", "no money moves"),
    ],
)
def test_the_page_says_that_it_is_a_demonstration_and_pays(
    fake_provider: FakeProvider, language: Any, title: str, said: str
) -> None:
    page = fake().perform(order("k1", language=language, parts=(("<b>Soup</b>", 1500),)))
    with _opener().open(page.address) as answer:
        text = answer.read().decode()
    assert f"<h1>{title}</h1>" in text
    assert said in text
    assert "&lt;b&gt;Soup&lt;/b&gt;" in text
    assert "<script" not in text

    def press(will: str) -> tuple[int, str, str]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
        try:
            with opener.open(page.address, data=urllib.parse.urlencode({"will": will}).encode()) as answer:
                return answer.status, "", answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Location"], ""

    assert press("leave")[:2] == (303, "https://tronc.example.org/left")
    assert 'role="alert"' in press("card_declined")[2]
    assert press("pay")[:2] == (303, "https://tronc.example.org/back")
    assert press("pay")[0] == 200
    assert len(fake_provider.every("balance_transaction")) == 1


def test_a_provider_of_its_own_process_posts_each_event_until_it_is_taken(tmp_path: Path) -> None:
    taken: list[tuple[bytes, str]] = []
    answers = iter([500, 200])

    class House(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.rfile.read(int(self.headers["Content-Length"])), self.headers["Stripe-Signature"]))
            self.send_response(next(answers, 200))
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            """Nothing."""

    house = ThreadingHTTPServer(("127.0.0.1", 0), House)
    threading.Thread(target=house.serve_forever, args=(0.05,), daemon=True).start()
    address = f"http://127.0.0.1:{house.server_address[1]}/hooks/fake/"

    def until(count: int) -> None:
        end = time.monotonic() + 20
        while len(taken) < count:
            assert time.monotonic() < end, taken
            time.sleep(0.05)

    server = Server(tmp_path, key="sk_test_x", notify=address, secret=SECRET)
    server.engine.act("test_event")
    server.start()
    until(2)  # refused once, then taken
    assert taken[0][0] == taken[1][0]
    notice = open_event(*taken[1], secrets=[SECRET], live=False, account="", now=datetime.now(UTC))
    assert (notice.type, notice.about) == ("customer.created", "nothing")
    server.engine.act("test_event")
    until(3)
    server.stop()
    again = Server(tmp_path, key="sk_test_x", notify=address, secret=SECRET)
    again.start()
    again.engine.act("test_event")
    until(4)
    again.stop()
    house.shutdown()
    house.server_close()
    names = [json.loads(body)["id"] for body, _ in taken]
    assert len(taken) == 4
    assert len(set(names)) == 3  # what was taken is not sent again after a restart
