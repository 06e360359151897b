"""What goes wrong on the way to a provider, and events that are not what they say."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.payments.providers.base import (
    BadNotice,
    NoAnswer,
    RefundOrder,
)
from backend.payments.providers.stripe_notices import sign
from tests.payments.orders import fake, order
from tests.payments.provider import OLD_SECRET, SECRET, FakeProvider, fake_provider

__all__ = ["fake_provider"]


# --- what goes wrong on the way ---------------------------------------------------------------------------------


def test_an_answer_cut_or_late_is_doubt_and_the_same_key_finds_the_first(
    fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.payments.providers.stripe.TIMEOUT", 1)
    provider, began = fake(), datetime.now(UTC)
    for number, (kind, seconds) in enumerate((("cut", 0), ("late", 1.5))):
        fake_provider.fault("POST /v1/checkout", kind, seconds=seconds)
        asked = order(f"k{number}")
        with pytest.raises(NoAnswer) as lost:
            provider.perform(asked)
        assert lost.value.sent
        found = provider.look_up(asked, since=began)
        assert found is not None
        assert provider.perform(asked) == found
    assert len(fake_provider.every("checkout.session")) == 2


def test_a_request_that_never_arrived_made_nothing(fake_provider: FakeProvider) -> None:
    provider, began = fake(), datetime.now(UTC)
    fake_provider.fault("POST /v1/checkout", "drop")
    with pytest.raises(NoAnswer) as lost:
        provider.perform(order("k1"))
    assert lost.value.sent  # nobody here can know that it did not arrive
    assert provider.look_up(order("k1"), since=began) is None


@pytest.mark.parametrize("effect", [False, True])
def test_a_stored_500_stays_500_for_a_day_whatever_was_done(fake_provider: FakeProvider, effect: bool) -> None:
    provider, began = fake(), datetime.now(UTC)
    fake_provider.fault("POST /v1/checkout", "500", effect=effect)
    for _ in range(3):
        with pytest.raises(NoAnswer) as lost:
            provider.perform(order("k1"))
        assert lost.value.sent
    assert (provider.look_up(order("k1"), since=began) is not None) is effect
    fake_provider.advance(hours=24)
    again = order("k1", expires_at=fake_provider.now() + timedelta(hours=2))
    provider.perform(again)  # the key was forgotten: this is why nothing is resent after 23 hours
    assert len(fake_provider.every("checkout.session")) == 1 + effect


@pytest.mark.parametrize(("kind", "sent"), [("429", False), ("503", True), ("409", True)])
def test_asked_to_wait_is_heard(fake_provider: FakeProvider, kind: str, sent: bool) -> None:
    fake_provider.fault("POST /v1/refunds", kind, seconds=7)
    with pytest.raises(NoAnswer) as lost:
        fake().perform(RefundOrder("r1", "prf_1", "ch_none", 100, "EUR"))
    assert (lost.value.wait, lost.value.sent) == (7, sent)


def test_a_provider_away_was_sent_nothing_and_forgets_nothing(fake_provider: FakeProvider) -> None:
    provider = fake()
    page = provider.perform(order("k1"))
    charge = fake_provider.pay(page.remote_id)["id"]
    before = provider.read("payment", charge)
    fake_provider.stop()
    for ask in (lambda: provider.perform(order("k2")), lambda: provider.read("payment", charge)):
        with pytest.raises(NoAnswer) as lost:
            ask()
        assert not lost.value.sent
    fake_provider.again()
    assert provider.read("payment", charge) == before
    assert provider.perform(order("k1", expires_at=_expiry(fake_provider, page.remote_id))) == page


def _expiry(fake_provider: FakeProvider, session: str) -> datetime:
    return datetime.fromtimestamp(fake_provider.thing(session)["expires_at"], UTC)


def test_a_log_cut_in_its_last_line_starts_without_it(fake_provider: FakeProvider) -> None:
    provider = fake()
    provider.perform(order("k1"))
    fake_provider.stop()
    log = fake_provider.folder / "log.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"do":"POST","path":"/v1/refu')
    fake_provider.again()
    assert log.read_bytes() == whole
    assert len(fake_provider.every("checkout.session")) == 1


def test_twenty_at_once_with_one_key_make_one_page(fake_provider: FakeProvider) -> None:
    provider, made, asked = fake(), [], order("k1")
    threads = [threading.Thread(target=lambda: made.append(provider.perform(asked))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 20
    assert len(set(made)) == 1


def test_a_wrong_key_does_nothing_and_is_no_refusal(fake_provider: FakeProvider, settings: Any) -> None:
    settings.STRIPE_KEY = "sk_test_other"
    with pytest.raises(NoAnswer) as lost:
        fake().perform(order("k1"))
    assert not lost.value.sent
    assert fake_provider.every("checkout.session") == []


# --- events -----------------------------------------------------------------------------------------------------


def test_both_shapes_of_an_event_say_the_same(fake_provider: FakeProvider) -> None:
    provider = fake()
    for rhythm, method in (("once", "card"), ("monthly", "sepa_debit")):
        until = fake_provider.now() + timedelta(hours=2)
        page = provider.perform(order(rhythm, rhythm=rhythm, method=method, expires_at=until))
        charge = fake_provider.pay(page.remote_id)["id"]
        fake_provider.advance(days=40)
        provider.perform(RefundOrder(f"r{charge}", "prf_1", charge, 100, "EUR"))
        fake_provider.close(fake_provider.dispute(charge)["id"], won=False)
    fake_provider.payout(amount=100)
    told: dict[str, list[Any]] = {"new": [], "old": []}
    count = len(fake_provider.waiting())
    for shape in ("new", "old"):
        fake_provider.seen = 0
        fake_provider.deliver(
            lambda body, signature, shape=shape: told[shape].append(  # type: ignore[misc]
                provider.open_notice(body, signature, now=fake_provider.now())
            ),
            shape=shape,  # type: ignore[arg-type]
        )
    assert told["new"] == told["old"]
    assert len(told["new"]) == count > 30
    for notice in told["new"]:
        if notice.about != "nothing":
            provider.read(notice.about, notice.object_id)


def test_events_that_are_not_what_they_say_are_refused(fake_provider: FakeProvider) -> None:
    provider = fake()
    fake_provider.act("test_event")
    taken: list[tuple[bytes, str]] = []
    fake_provider.deliver(lambda body, signature: taken.append((body, signature)))
    (body, signature), now = taken[0], fake_provider.now()
    assert provider.open_notice(body, signature, now=now).about == "nothing"
    assert provider.open_notice(body, sign(body, OLD_SECRET, at=int(now.timestamp())), now=now).remote_id

    def signed(text: bytes) -> str:
        return sign(text, SECRET, at=int(now.timestamp()))

    event = json.loads(body)
    other_mode = json.dumps({**event, "livemode": True}).encode()
    other_account = json.dumps({**event, "account": "acct_other"}).encode()
    ours = json.dumps({**event, "account": "acct_ours"}).encode()
    assert provider.open_notice(ours, signed(ours), now=now).remote_id == event["id"]
    old = sign(body, SECRET, at=int(now.timestamp()) - 3000)
    deep = b'{"object":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    nameless = b'{"object":"event","type":"x","created":1}'
    bad: dict[str, tuple[bytes, str]] = {
        "forged": (body, signature[:-4] + ("0000" if signature[-4:] != "0000" else "1111")),
        "of another secret": (body, sign(body, "whsec_elsewhere", at=int(now.timestamp()))),
        "altered": (body.replace(b"customer.created", b"customer.deleted"), signature),
        "stale": (body, sign(body, SECRET, at=int(now.timestamp()) - 301)),
        "from the future": (body, sign(body, SECRET, at=int(now.timestamp()) + 301)),
        "live": (other_mode, signed(other_mode)),
        "of another account": (other_account, signed(other_account)),
        "unsigned": (body, ""),
        "without its moment": (body, signature.partition(",")[2]),
        "nonsense": (body, "t=x,v1=,,=="),
        "not text": (b"\xff\xfe", signature),
        "not JSON": (b"hello", signed(b"hello")),
        "a list": (b"[]", signed(b"[]")),
        "not an event": (b'{"object":"charge"}', signed(b'{"object":"charge"}')),
        "without id": (nameless, signed(nameless)),
        "deep": (deep, signed(deep)),
        "with a mark beyond ASCII": (body, f"t={int(now.timestamp())},v1=\u00e9"),
        # The moment is measured on the very one that was signed.
        "old under another moment": (body, f" t={int(now.timestamp())},{old}"),
        "old beside another moment": (body, f"t={int(now.timestamp())},{old}"),
        "old before another moment": (body, f"{old},t={int(now.timestamp())}"),
    }
    for name, value in (
        ("created", 10**12), ("created", 10**30), ("created", -1), ("created", True), ("created", 1.5),
        ("id", "evt_\0"), ("id", "evt_\ud800"), ("id", ""), ("type", "a\0"), ("type", "a" * 81), ("type", 5),
    ):  # fmt: skip
        text = json.dumps({**event, name: value}).encode()
        bad[f"{name} {value!r}"] = (text, signed(text))
    odd = json.dumps({**event, "type": "charge.updated", "data": {"object": {"id": "ch_\0"}}}).encode()
    assert provider.open_notice(odd, signed(odd), now=now).about == "nothing"
    for what, (text, header) in bad.items():
        with pytest.raises(BadNotice):
            provider.open_notice(text, header, now=now)
            pytest.fail(f"an event was accepted although {what}")
    at_the_edge = sign(body, SECRET, at=int(now.timestamp()) - 300)
    assert provider.open_notice(body, at_the_edge, now=now).remote_id == event["id"]
