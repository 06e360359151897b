"""How the fake provider's events leave it: in both shapes of Stripe, signed, in any order, as often as wanted."""

import copy
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from backend.payments.providers.fake.engine import Engine
from backend.payments.providers.fake.objects import Thing
from backend.payments.providers.stripe_notices import sign

Shape = Literal["new", "old"]
VERSIONS = {"new": "2026-10-28.endive", "old": "2020-08-27"}
RETRY = 3  # seconds between two tries of the sender


def body_of(engine: Engine, event: Thing, *, shape: Shape = "new", live: bool = False, account: str = "") -> bytes:
    """An event as it is sent. Args: shape: `old` writes what an endpoint older than March 2025 receives."""
    told = copy.deepcopy(event)
    told["api_version"] = VERSIONS[shape]
    told["livemode"] = live
    if account:
        told["account"] = account
    if shape == "old":
        _as_before(engine, told["data"]["object"])
    return json.dumps(told).encode()


def _as_before(engine: Engine, thing: Thing) -> None:
    """Put back what the newest API moved: an invoice's subscription and payment, a subscription's period."""
    kind = thing["object"]
    ties = {row["payment"]["payment_intent"]: row["invoice"] for row in engine.books.every("invoice_payment")}
    if kind == "invoice":
        inner = engine.books.things[thing["id"]]
        thing["subscription"] = thing.pop("parent")["subscription_details"]["subscription"]
        thing["payment_intent"] = inner["_intent"]
        thing["charge"] = engine.books.things[inner["_intent"]]["latest_charge"]
        thing["paid"] = thing["status"] == "paid"
    elif kind == "subscription":
        first = thing["items"]["data"][0]
        for name in ("current_period_start", "current_period_end"):
            thing[name] = first[name]
            for item in thing["items"]["data"]:
                item.pop(name, None)
    elif kind == "payment_intent":
        thing["invoice"] = ties.get(thing["id"])
        rows = [row for row in engine.books.every("charge") if row["payment_intent"] == thing["id"]]
        thing["charges"] = {"object": "list", "data": [{"id": row["id"], "object": "charge"} for row in rows]}
    elif kind == "charge":
        thing["invoice"] = ties.get(thing["payment_intent"])


class Sender:
    """Posts each event to the address of the host until it answers 2xx. For the demonstration and the live tests."""

    def __init__(self, engine: Engine, folder: Path, *, address: str, secret: str) -> None:
        """Args: folder: remembers what was sent. address: where to post. secret: of the signatures."""
        self._engine, self._address, self._secret = engine, address, secret
        self._list = folder / "sent"
        self._sent = set(self._list.read_text().split()) if self._list.exists() else set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-provider-events", daemon=True)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def start(self) -> None:
        """Send what was not sent yet, and from now on what happens."""
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._engine.tick()
            with self._engine.lock:
                waiting = [event for event in self._engine.books.events if event["id"] not in self._sent]
            went = all(self._post(event) for event in waiting)  # in order, and no further than the first that failed
            self._stop.wait(0.3 if went else RETRY)

    def _post(self, event: Thing) -> bool:
        body = body_of(self._engine, event)
        asked = urllib.request.Request(  # noqa: S310 - an address of this machine, given at start
            self._address,
            data=body,
            headers={
                "Content-Type": "application/json",
                "Stripe-Signature": sign(body, self._secret, at=int(time.time())),
            },
        )
        try:
            with self._opener.open(asked, timeout=10):
                pass
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False
        self._sent.add(event["id"])
        with self._list.open("a") as kept:
            kept.write(f"{event['id']}\n")
        return True


def deliver(
    engine: Engine, events: list[Thing], send: Callable[[bytes, str], None], *, secret: str, times: int = 1,
    shape: Shape = "new", at: int | None = None,
) -> int:  # fmt: skip
    """Hand events over, signed. Args: send: takes body and signature. at: the signature's moment. Returns: how many."""
    for event in events:
        body = body_of(engine, event, shape=shape)
        for _ in range(times):
            send(body, sign(body, secret, at=engine.now() if at is None else at))
    return len(events) * times
