"""Events of the provider: what is forged is refused and not kept, what is true acts once, in any order."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from backend.core.errors import Conflict, Forbidden
from backend.ledger.services import entry_count
from backend.payments.models import Movement, Notice, Operation, Payment
from backend.payments.notices import TRIES, receive_notice, send_test, treat_notices
from backend.payments.providers.stripe_notices import sign
from tests.concurrency import at_once
from tests.payments.flow import agree, begin, open_page, tell
from tests.payments.money import a_pledge
from tests.payments.provider import OLD_SECRET, SECRET, FakeProvider, fake_provider

__all__ = ["fake_provider"]

Play = Callable[..., Any]
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "stripe" / "events-2020-08-27"
# What the files tell of things that no instance knows; `unknown` is kept and counted, `done` was looked for in vain.
OF_NO_USE = {
    "balance.available", "customer.created", "customer.deleted", "customer.updated", "payment_method.attached",
    "payment_method.detached", "setup_intent.setup_failed", "setup_intent.succeeded", "transfer.created",
}  # fmt: skip


def body(kind: str = "charge.succeeded", about: str = "ch_x", **changes: Any) -> bytes:
    """An event as the provider writes it."""
    event = {
        "id": "evt_1", "object": "event", "type": kind, "created": 1_700_000_000, "livemode": False,
        "data": {"object": {"id": about, "object": kind.partition(".")[0]}},
    }  # fmt: skip
    return json.dumps(event | changes).encode()


def post(client: Client, data: bytes, signature: str, provider: str = "fake") -> int:
    """Send it to the door; gives the status."""
    answer = client.post(
        f"/hooks/{provider}/", data, content_type="application/json", headers={"stripe-signature": signature}
    )
    assert "sessionid" not in str(answer.cookies).lower()
    return answer.status_code


def seconds(now: datetime) -> int:
    """As a signature writes it."""
    return int(now.timestamp())


def forged(now: datetime) -> dict[str, tuple[bytes, str]]:
    """Eight events that are not what they say."""
    at, good = seconds(now), body()
    signed = sign(good, SECRET, at=at)
    return {
        "no signature": (good, ""),
        "unreadable signature": (good, "t=now,v1=zz"),
        "the secret of another endpoint": (good, sign(good, "whsec_other", at=at)),
        "an altered byte": (good.replace(b"ch_x", b"ch_y"), signed),
        "too old": (good, sign(good, SECRET, at=at - 301)),
        "from the future": (good, sign(good, SECRET, at=at + 400)),
        "of the other mode": (body(livemode=True), sign(body(livemode=True), SECRET, at=at)),
        "of another account": (body(account="acct_2"), sign(body(account="acct_2"), SECRET, at=at)),
        "no event": (b"[]", sign(b"[]", SECRET, at=at)),
        "not JSON": (b"{", sign(b"{", SECRET, at=at)),
    }


def test_what_is_not_what_it_says_is_refused_and_not_kept(
    play: Play, fake_provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    play("make_house")
    now = datetime.now().astimezone()
    for name, (data, signature) in forged(now).items():
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="tronc.security"):
            assert post(Client(enforce_csrf_checks=True), data, signature) == 400, name
        assert [one.name for one in caplog.records if one.name == "tronc.security"] == ["tronc.security"], name
    good = body()
    assert post(Client(), good, sign(good, SECRET, at=seconds(now)), provider="stripe") == 404
    assert post(Client(), b" " * (1024 * 1024 + 1), "t=1") == 413
    assert Client().get("/hooks/fake/").status_code == 405
    assert Notice.objects.count() == 0


def test_two_secrets_are_good_while_one_is_changed(play: Play, fake_provider: FakeProvider) -> None:
    play("make_house")
    now = datetime.now().astimezone()
    for number, secret in enumerate([SECRET, OLD_SECRET]):
        data = body("customer.created", id=f"evt_{number}")
        assert post(Client(enforce_csrf_checks=True), data, sign(data, secret, at=seconds(now))) == 200
    assert list(Notice.objects.values_list("state", flat=True)) == ["unknown", "unknown"]


def test_one_event_ten_times_at_once_acts_once(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    page = open_page(world, a_pledge(world, 40_00, "k"), world.now)
    fake_provider.pay(page.remote_id)
    events: list[tuple[bytes, str]] = []
    fake_provider.deliver(lambda data, signature: events.append((data, signature)))
    data, signature = next(one for one in events if b'"charge.succeeded"' in one[0])

    def once(_number: int) -> str:
        kept = receive_notice(body=data, signature=signature, now=fake_provider.now())
        treat_notices(fake_provider.now())
        return kept.remote_id

    assert len(set(at_once(once, 10))) == 1
    treat_notices(fake_provider.now())
    row = Notice.objects.get()
    assert (row.times, row.state) == (10, "done")
    assert Payment.objects.count() == Movement.objects.count() == 1
    assert agree(fake_provider)


def test_unknown_types_are_kept_and_counted(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    for number in range(3):
        data = body("terminal.reader.action_failed", id=f"evt_{number % 2}")
        receive_notice(body=data, signature=sign(data, SECRET, at=seconds(world.now)), now=world.now)
    assert sorted(Notice.objects.values_list("remote_id", "state", "times")) == [
        ("evt_0", "unknown", 2), ("evt_1", "unknown", 1),
    ]  # fmt: skip
    assert treat_notices(world.now) == 0


def test_an_event_waits_while_the_provider_is_away_and_is_stuck_when_it_is_bad(
    play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_house")
    now = world.now
    data = body()
    receive_notice(body=data, signature=sign(data, SECRET, at=seconds(now)), now=now)
    fake_provider.stop()
    for _turn in range(TRIES + 5):
        now += timedelta(minutes=10)
        assert treat_notices(now) == 0
    assert Notice.objects.get().state == "waiting"
    fake_provider.again()

    def broken(**_words: Any) -> bool:
        raise ValueError("an error of ours")

    with monkeypatch.context() as patch:
        patch.setattr("backend.payments.notices.sync", broken)
        for _turn in range(TRIES):
            now += timedelta(minutes=10)
            treat_notices(now)
    row = Notice.objects.get()
    assert (row.state, row.attempts, row.error) == ("stuck", TRIES, "ValueError: an error of ours")
    assert treat_notices(now + timedelta(days=1)) == 0


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are absent")
@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.json")) if SAMPLES.is_dir() else [])
def test_every_file_of_2020_is_taken_in_with_the_right_effect(
    name: str, play: Play, fake_provider: FakeProvider
) -> None:
    """No object of these files is at this provider: an event alone moves no money, whatever amount stands in it."""
    world = play("make_house")
    before = entry_count()
    event = json.loads((SAMPLES / f"{name}.json").read_text())
    if "object" not in event or event["object"] != "event":
        event = {"object": "event", "data": {"object": event}, "type": name}
    event |= {"id": f"evt_{name}", "livemode": False, "created": event.get("created") or seconds(world.now)}
    event.pop("account", None)
    data = json.dumps(event).encode()
    row = receive_notice(body=data, signature=sign(data, SECRET, at=seconds(world.now)), now=world.now)
    unused = event["type"] in OF_NO_USE or not row.about
    assert row.state == ("unknown" if unused else "waiting")
    treat_notices(world.now)
    row.refresh_from_db()
    assert (row.state, row.error) == (("unknown", "") if unused else ("done", "the provider knows no such thing"))
    assert (entry_count(), Movement.objects.count(), Payment.objects.count()) == (before, 0, 0)


def test_a_treasurer_sends_a_test(play: Play, fake_provider: FakeProvider, settings: Any) -> None:
    world = play("make_house")
    row = send_test(actor=world.users["claire"], now=world.now)
    assert (row.state, row.type) == ("unknown", "tronc.test")
    with pytest.raises(Forbidden):
        send_test(actor=world.users["ana"], now=world.now)
    settings.STRIPE_WEBHOOK_SECRETS = []
    with pytest.raises(Conflict):
        send_test(actor=world.users["claire"], now=world.now)
    settings.PROVIDER = ""
    with pytest.raises(Conflict):
        send_test(actor=world.users["claire"], now=world.now)
    assert Notice.objects.count() == 1


def test_the_payer_comes_back_while_the_event_arrives(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    from backend.payments.checkouts import returned

    world = play("make_house")
    begin(world, fake_provider)
    for number in range(5):
        page = open_page(world, a_pledge(world, 40_00, f"k{number}"), world.now)
        fake_provider.pay(page.remote_id)
        ready = threading.Barrier(2)
        events: list[tuple[bytes, str]] = []
        fake_provider.deliver(lambda data, signature, to=events: to.append((data, signature)))

        def act(turn: int, page: Any = page, events: Any = events, ready: Any = ready) -> None:
            ready.wait(30)
            if turn:
                returned(checkout_id=page.pk, now=fake_provider.now())
                return
            for data, signature in events:
                receive_notice(body=data, signature=signature, now=fake_provider.now())
            treat_notices(fake_provider.now())

        at_once(act, 2)
        assert Payment.objects.count() == number + 1
    tell(fake_provider)
    assert agree(fake_provider)
    assert set(Operation.objects.values_list("state", flat=True)) == {"done"}
