"""A freeze stops, in five seconds of its commit, all that leaves; measured on a real web server and real workers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from backend.ledger.models import Freeze
from backend.ledger.services import ask_lift, freeze, lift
from backend.payments.asking import ask_due
from backend.payments.checkouts import start_checkout
from backend.payments.models import Operation
from backend.payments.operations import carry_out
from backend.payments.provider_refunds import approve_refund, ask_refund
from backend.payments.providers.stripe import StripeProvider
from backend.payouts.models import PayoutBatch
from tests.conftest import Processes, free_port
from tests.journeys.browser import Browser
from tests.journeys.by_hand import ByHand
from tests.payments.flow import BACK, begin, open_page, tell
from tests.payments.money import a_pledge
from tests.payments.provider import KEY, SECRET, FakeProvider, fake_provider
from tests.valkey import Valkey

__all__ = ["fake_provider"]

Play = Callable[..., Any]
LIMIT = 5.0  # seconds
WATCHED = 6.0  # seconds for which everybody goes on pressing
REFUNDS = 14


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of this test's own."""
    server = Valkey(tmp_path, free_port())
    server.start()
    yield server
    server.kill()


def frozen_now() -> tuple[Freeze, float]:
    """A freeze, and the moment of its commit."""
    made = freeze(actor=None, cause="manual", reason="something is wrong", now=timezone.now())
    return made, time.monotonic()


def thaw(world: Any, held: Freeze) -> None:
    """Two people lift it."""
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="looked at", now=timezone.now())
    lift(actor=world.users["denis"], freeze_id=held.pk, now=timezone.now())


class Button:
    """A form that was opened before the freeze, and is pressed again and again from the page as it stood."""

    def __init__(self, browser: Browser, path: str, *names: str) -> None:
        self.browser, self.names = browser, names
        browser.get(path)
        assert browser.status == 200, browser.html
        self.page = (browser.url, browser.html)

    def press(self) -> bool:
        """Whether it was done; a refusal must be that of the freeze."""
        self.browser.url, self.browser.html = self.page
        self.browser.submit(*self.names)
        if self.browser.status == 409:
            assert "Payouts are frozen" in self.browser.html, self.browser.html
            return False
        assert self.browser.status == 200, self.browser.html
        return True


def stopped(button: Button, held: float) -> float:
    """Press for a while after a freeze: all is refused. Returns: seconds from its commit to the first refusal shown."""
    first = 0.0
    while time.monotonic() < held + WATCHED:
        assert not button.press()
        first = first or time.monotonic() - held
        time.sleep(0.25)
    return first


@pytest.mark.live
@pytest.mark.timeout(600)
def test_nothing_leaves_five_seconds_after_a_freeze(
    play: Play, processes: Processes, valkey: Valkey, committed: str, fake_provider: FakeProvider
) -> None:
    world = play("document")
    took: dict[str, float] = {}
    processes.environment |= {
        "REDIS_URL": valkey.url, "TRONC_PROVIDER": "fake", "TRONC_FAKE_PROVIDER": fake_provider.address,
        "TRONC_STRIPE_KEY": KEY, "TRONC_STRIPE_WEBHOOK_SECRETS": SECRET,
    }  # fmt: skip
    hand = ByHand(world, processes.web(), processes.wait, lambda address: Browser(address, "en"))  # type: ignore[arg-type]

    # A batch: prepared, approved, handed out; each button is on a page that was opened before the freeze.
    button = Button(hand.person("claire"), "payouts/prepare/", "account")
    held, at = frozen_now()
    took["prepared"] = stopped(button, at)
    assert not PayoutBatch.objects.exists()
    thaw(world, held)
    assert button.press()
    batch = PayoutBatch.objects.get()

    button = Button(hand.person("denis"), f"payouts/{batch.pk}/approve/", "digest")
    held, at = frozen_now()
    took["approved"] = stopped(button, at)
    batch.refresh_from_db()
    assert batch.state == "prepared"
    thaw(world, held)
    assert button.press()

    button = Button(hand.person("claire"), f"payouts/{batch.pk}/file/")
    held, at = frozen_now()
    took["handed out"] = stopped(button, at)
    batch.refresh_from_db()
    assert (batch.state, batch.downloads) == ("approved", 0)
    thaw(world, held)
    assert button.press()
    assert hand.person("claire").body.startswith(b"<?xml")

    # Money that goes back through the provider: one refund after the other leaves while the freeze comes.
    now = timezone.now()
    page = open_page(world, a_pledge(world, 100_00, "card"), now)
    charge = fake_provider.pay(page.remote_id)["id"]
    tell(fake_provider)
    for number in range(REFUNDS):
        row = ask_refund(
            actor=world.users["claire"], charge=charge, amount=1_00, reason="a mistake", form_key=f"r{number}", now=now
        )
        approve_refund(actor=world.users["denis"], refund_id=row.pk, now=now)
    fake_provider.fault("POST /v1/refunds$", "late", times=REFUNDS, seconds=0.4)
    processes.worker()
    processes.beat()

    def there() -> int:
        return len(fake_provider.every("refund"))

    processes.wait(lambda: there() >= 2, "the first refunds")
    held, at = frozen_now()
    seen, last = there(), 0.0
    while time.monotonic() < at + 25:  # longer than the sweep that asks the provider lets pass between two turns
        if there() > seen:
            seen, last = there(), time.monotonic() - at
        time.sleep(0.05)
    took["last refund sent"] = last
    waiting = Operation.objects.filter(kind="refund", state="ready").count()
    assert waiting
    assert waiting + seen == REFUNDS
    thaw(world, held)
    processes.wait(lambda: there() == REFUNDS, "the refunds that waited", seconds=120)

    print("seconds after the commit of the freeze:", {what: round(seconds, 2) for what, seconds in took.items()})
    assert max(took.values()) <= LIMIT, took


def waiting_refund(world: Any, fake: FakeProvider) -> Operation:
    """An approved refund of a card payment, not sent yet."""
    page = open_page(world, a_pledge(world, 100_00, "card"), world.now)
    charge = fake.pay(page.remote_id)["id"]
    tell(fake)
    row = ask_refund(
        actor=world.users["claire"], charge=charge, amount=1_00, reason="a mistake", form_key="r", now=world.now
    )
    approve_refund(actor=world.users["denis"], refund_id=row.pk, now=world.now)
    return Operation.objects.get(kind="refund")


def test_a_freeze_while_the_provider_is_asked_what_it_knows_stops_the_refund(
    play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    row = waiting_refund(world, fake_provider)
    look_up = StripeProvider.look_up

    def slow(*args: Any, **words: Any) -> Any:
        freeze(actor=None, cause="manual", reason="x", now=world.now)
        return look_up(*args, **words)

    monkeypatch.setattr(StripeProvider, "look_up", slow)
    done = carry_out(operation_id=row.pk, now=world.now)
    assert (done.state, fake_provider.every("refund")) == ("ready", [])


def test_a_refund_whose_answer_was_lost_is_not_sent_again_while_frozen(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    row = waiting_refund(world, fake_provider)
    fake_provider.fault("POST /v1/refunds$", "drop")
    assert carry_out(operation_id=row.pk, now=world.now).state == "unknown"
    held = freeze(actor=None, cause="manual", reason="x", now=world.now)
    fake_provider.advance(hours=1)
    assert ask_due(fake_provider.now()) == 0
    assert fake_provider.every("refund") == []
    thaw(world, held)
    fake_provider.advance(hours=2)
    ask_due(fake_provider.now())
    assert len(fake_provider.every("refund")) == 1


def test_what_comes_in_does_not_wait_behind_a_frozen_refund(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    row = waiting_refund(world, fake_provider)
    freeze(actor=None, cause="manual", reason="x", now=world.now)
    page = start_checkout(
        actor=world.users["ana"], code="", group=a_pledge(world, 40_00, "two").group, method="card", language="fr",
        return_url=BACK, now=world.now,
    )  # fmt: skip
    fake_provider.advance(minutes=1)
    ask_due(fake_provider.now())
    page.refresh_from_db()
    row.refresh_from_db()
    assert (page.state, row.state) == ("open", "ready")
