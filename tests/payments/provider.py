"""A payment provider of our own, in this process, for tests: `from tests.payments.provider import fake_provider`.

    def test_it(fake_provider):
        page = the_provider().perform(order)      # settings.PROVIDER is "fake" and points at it
        charge = fake_provider.pay(page.remote_id)
        fake_provider.deliver(lambda body, signature: client.post("/hooks/fake/", ...))

Its clock is the machine's until `fake_provider.stand_at(moment)`; from then on it moves by `advance` alone.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.payments.providers.fake.books import public
from backend.payments.providers.fake.deliveries import Shape, deliver
from backend.payments.providers.fake.faults import Fault
from backend.payments.providers.fake.server import Server

KEY = "sk_test_fake_provider"
SECRET = "whsec_fake_provider_one"
OLD_SECRET = "whsec_fake_provider_two"
Thing = dict[str, Any]


class FakeProvider:
    """The server with the acts of payers, banks and time. Each act returns the object as the API would show it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen = 0  # how many events were delivered or lost
        self.server = Server(folder, key=KEY, control=True)
        self.server.start()

    @property
    def address(self) -> str:
        """Where it answers."""
        return self.server.address

    def stop(self) -> None:
        """Away: connections are refused until `again`. Payers, banks and time go on."""
        self.server.leave()

    def end(self) -> None:
        """Gone for good."""
        self.server.stop()

    def again(self) -> None:
        """Back on the same port, rebuilt from its log."""
        self.server.stop()
        port = int(self.address.rpartition(":")[2])
        self.server = Server(self.folder, key=KEY, control=True, port=port)
        self.server.start()

    # --- time and faults ----------------------------------------------------------------------------------------

    def stand_at(self, moment: datetime) -> None:
        """Put the clock at a moment, where it stands."""
        self.server.engine.move_clock(to=int(moment.timestamp()))

    def advance(self, **time: float) -> datetime:
        """Move the clock (`days=3`): what falls due meanwhile happens. Returns: its moment."""
        self.server.engine.move_clock(by=int(timedelta(**time).total_seconds()))
        return self.now()

    def now(self) -> datetime:
        """The moment on its clock."""
        return datetime.fromtimestamp(self.server.engine.now(), UTC)

    def fault(self, match: str, kind: str, *, times: int = 1, seconds: float = 0, effect: bool = False) -> None:
        """Script a fault for the next requests fitting `METHOD path`: see `Fault`."""
        self.server.faults.add(Fault(match, kind, times, seconds, effect))  # type: ignore[arg-type]

    def well(self) -> None:
        """No more faults."""
        self.server.faults.clear()

    def settings(self, **words: Any) -> None:
        """rates={"usd": "0.92"}: what is converted to `settles` ("eur"); debit_days: seconds a SEPA debit takes."""
        self.server.engine.act("settings", **words)

    # --- acts ---------------------------------------------------------------------------------------------------

    def act(self, name: str, of: str = "", **words: Any) -> Thing:
        """Any act of `engine.ACTS`, on the object whose id is `of`."""
        return self.server.engine.act(name, **({"of": of} if of else {}), **words)

    def pay(self, session: str, *, will: str = "pay") -> Thing:
        """The payer pays on the page: `fail` for a debit that fails later, a code for a refusal. Returns: the charge;
        the session when there is none."""
        page = self.act("pay", session, will=will)
        intent = page["payment_intent"]
        if intent is None and page["invoice"] is not None:
            intent = self.thing(page["invoice"], inside=True)["_intent"]
        charge = self.thing(intent)["latest_charge"] if intent else None
        return self.thing(charge) if charge else page

    def settle(self, charge: str) -> Thing:
        """A SEPA debit on its way succeeds now."""
        return self.act("end_debit", charge, will="pay")

    def fail(self, charge: str, *, code: str = "insufficient_funds", fee: int = 0) -> Thing:
        """A debit fails: on its way, or after its money came, with a fee then (its own minor units)."""
        if self.thing(charge)["status"] == "pending":
            return self.act("end_debit", charge, will=code)
        return self.act("reverse", charge, code=code, fee=fee)

    def dispute(self, charge: str, **words: Any) -> Thing:
        """The payer's bank asks back: amount, warning, fee, reason."""
        return self.act("dispute", charge, **words)

    def close(self, dispute: str, *, won: bool, fee_back: bool = False) -> Thing:
        """The dispute ends."""
        return self.act("close_dispute", dispute, won=won, fee_back=fee_back)

    def payout(self, **words: Any) -> Thing:
        """What the balance holds leaves for the bank: currency, amount."""
        return self.act("payout", **words)

    def subscription_of(self, session: str) -> str:
        """The id of the subscription that a paid page began."""
        return str(self.thing(session)["subscription"])

    def payer_will(self, subscription: str, will: str) -> None:
        """From now on the payments of a subscription succeed (`pay`) or are refused with a code."""
        self.act("will", self.thing(subscription)["customer"], will=will)

    # --- looking ------------------------------------------------------------------------------------------------

    def thing(self, identifier: str, *, inside: bool = False) -> Thing:
        """An object by its id."""
        found = self.server.engine.books.things[identifier]
        return found if inside else public(found)

    def every(self, kind: str) -> list[Thing]:
        """The objects of a kind (`charge`, `balance_transaction`), the oldest first."""
        return [public(one) for one in self.server.engine.books.every(kind)]

    def net(self, currency: str = "eur") -> int:
        """What its balance holds, in its own minor units."""
        return sum(row["net"] for row in self.every("balance_transaction") if row["currency"] == currency)

    # --- events -------------------------------------------------------------------------------------------------

    def waiting(self) -> list[Thing]:
        """The events not delivered yet."""
        return self.server.engine.books.events[self.seen :]

    def lose(self) -> int:
        """The events so far never come. Returns: how many."""
        lost = len(self.waiting())
        self.seen += lost
        return lost

    def deliver(
        self, send: Callable[[bytes, str], Any], *, times: int = 1, shape: Shape = "new", shuffle: int | None = None,
        secret: str = SECRET, at: datetime | None = None,
    ) -> int:  # fmt: skip
        """Hand the waiting events to `send(body, signature)`.

        Args: times: of each. shuffle: a seed, for any order. at: the moment of the signature, else its clock's.
        Returns: how many were sent.
        """
        events = self.waiting()
        self.seen += len(events)
        if shuffle is not None:
            random.Random(shuffle).shuffle(events)  # noqa: S311  the same order again
        moment = int(at.timestamp()) if at is not None else None
        return deliver(self.server.engine, events, send, secret=secret, times=times, shape=shape, at=moment)


@pytest.fixture
def fake_provider(tmp_path: Path, settings: Any) -> Iterator[FakeProvider]:
    """The provider of this test, named in the settings."""
    fake = FakeProvider(tmp_path / "provider")
    settings.PROVIDER = "fake"
    settings.FAKE_PROVIDER = fake.address
    settings.PROVIDER_PAGES = {"fake": [fake.address]}
    settings.STRIPE_KEY = KEY
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET, OLD_SECRET]
    settings.STRIPE_ACCOUNT = "acct_ours"
    yield fake
    fake.end()
