"""The memory of the fake provider: its objects, its events and its idempotency keys. Rebuilt by replaying its log."""

import calendar
import copy
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from backend.payments.providers.amounts import decimals_there
from backend.payments.providers.fake.objects import Thing

DAY = 86_400
KEY_LIFE = DAY  # seconds after which a key is forgotten, and the same key is a new request
RATE = Decimal("0.015")
FLAT = {"card": {0: 30, 2: 25, 3: 250}, "sepa_debit": {0: 40, 2: 35, 3: 350}}


class Wrong(Exception):
    """A request that the provider refuses, as Stripe words it: HTTP status, type and code of its error object."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "invalid_request_error", code: str = "", param: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        error = {"type": kind, "code": code, "message": message, "param": param}
        self.body: Thing = {"error": {name: value for name, value in error.items() if value}}


@dataclass
class Books:
    """All that the provider knows."""

    salt: str
    sequence: int = 0
    things: dict[str, Thing] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=dict)  # object name -> ids, the oldest first
    events: list[Thing] = field(default_factory=list)
    keys: dict[str, Thing] = field(default_factory=dict)
    rates: dict[str, str] = field(default_factory=dict)  # currency -> how many of `settles` one unit of it is
    settles: str = "eur"
    debit_days: int = 5 * DAY  # seconds a SEPA debit takes
    page: str = ""  # where its pages are

    def new(self, prefix: str) -> str:
        """The id of a next object: the same each time the log is replayed, another on each instance."""
        self.sequence += 1
        made = hashlib.sha256(f"{self.salt}:{self.sequence}".encode()).hexdigest()
        return f"{prefix}_{made[:24]}"

    def add(self, thing: Thing) -> Thing:
        """Keep a new object."""
        self.things[thing["id"]] = thing
        self.kinds.setdefault(thing["object"], []).append(thing["id"])
        return thing

    def every(self, kind: str) -> list[Thing]:
        """The objects of a kind, the oldest first."""
        return [self.things[one] for one in self.kinds.get(kind, [])]

    def get(self, identifier: str, kind: str) -> Thing:
        """An object of a kind. Raises: Wrong (404) as Stripe does when there is none."""
        found = self.things.get(identifier)
        if found is None or found["object"] != kind:
            raise Wrong(f"No such {kind}: '{identifier}'", status=404, code="resource_missing", param="id")
        return found

    def tell(self, kind: str, thing: Thing, at: int) -> Thing:
        """Write an event about an object as it is now."""
        event: Thing = {
            "id": self.new("evt"),
            "object": "event",
            "api_version": None,  # written when it is sent
            "created": at,
            "data": {"object": public(thing)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self.things[event["id"]] = event
        self.kinds.setdefault("event", []).append(event["id"])
        self.events.append(event)
        return event

    def settled(self, amount: int, currency: str) -> tuple[int, str, str | None]:
        """What an amount of a currency is in the balance: amount, currency and the rate when it was converted."""
        rate = self.rates.get(currency)
        if rate is None:
            return amount, currency, None
        shift = decimals_there(self.settles.upper()) - decimals_there(currency.upper())
        exact = Decimal(amount) * Decimal(rate) * Decimal(10) ** shift
        return int(exact.to_integral_value(ROUND_HALF_UP)), self.settles, rate

    def balance(self, at: int) -> Thing:
        """Stripe's balance object."""
        sums: dict[str, list[int]] = {self.settles: [0, 0]}
        for row in self.every("balance_transaction"):
            both = sums.setdefault(row["currency"], [0, 0])
            both[0 if row["available_on"] <= at else 1] += row["net"]

        def told(index: int) -> list[Thing]:
            return [
                {"amount": both[index], "currency": currency, "source_types": {"card": both[index]}}
                for currency, both in sorted(sums.items())
            ]

        return {"object": "balance", "available": told(0), "livemode": False, "pending": told(1)}


def fee_of(amount: int, currency: str, method: str) -> int:
    """What the provider takes of a payment, in its own minor units of the currency it settles in."""
    flat = FLAT[method][decimals_there(currency.upper())]
    if method == "sepa_debit":
        return flat
    return flat + int((amount * RATE).to_integral_value(ROUND_HALF_UP))


def public(thing: Any) -> Any:
    """An object without what stays inside, copied."""
    if isinstance(thing, dict):
        return {name: public(value) for name, value in thing.items() if not name.startswith("_")}
    if isinstance(thing, list):
        return [public(one) for one in thing]
    return copy.deepcopy(thing)


def print_of(params: Thing) -> str:
    """What tells two requests with one key apart."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def months_later(anchor: int, months: int) -> int:
    """The same moment so many months after, on the last day of a month that is too short (seconds, UTC)."""
    first = datetime.fromtimestamp(anchor, UTC)
    count = first.year * 12 + first.month - 1 + months
    year, month = divmod(count, 12)
    day = min(first.day, calendar.monthrange(year, month + 1)[1])
    return int(first.replace(year=year, month=month + 1, day=day).timestamp())
