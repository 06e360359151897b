"""What the tests of a provider's movements say and read: facts as it tells them, purses, pledges paid by card."""

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from backend.commons.models import Budget
from backend.ledger.services import balance, balances
from backend.operations import selfcheck, selfcheck_provider
from backend.payments.models import Movement
from backend.payments.movements import book_movement
from backend.payments.providers.base import MovementFacts, PaymentFacts
from backend.pledges.models import Pledge

NAME = "fake"
_numbers = itertools.count(1)


def facts(world: Any, kind: str, amount: int, **changes: Any) -> MovementFacts:
    """One movement as the provider tells it; amounts in minor units."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "remote_id": f"txn_{number:06}", "kind": kind, "amount": amount, "fee": 0, "currency": "EUR",
        "happened_at": world.now, "of": f"{kind}_{number}",
    }  # fmt: skip
    return MovementFacts(**(values | changes))


def payment(world: Any, pledge: Pledge, charge: str, amount: int, **changes: Any) -> PaymentFacts:
    """The payment that a charge belongs to."""
    values: dict[str, Any] = {
        "remote_id": f"pi_{charge}", "charge": charge, "state": "succeeded", "amount": amount, "currency": "EUR",
        "method": "card", "created_at": world.now, "group": pledge.group,
    }  # fmt: skip
    return PaymentFacts(**(values | changes))


def tell(world: Any, told: MovementFacts, of: PaymentFacts | None = None, *, by: str = "event") -> Movement:
    """The provider tells a movement."""
    return book_movement(provider=NAME, facts=told, payment=of, told_by=by, now=world.now)


def pay(world: Any, pledge: Pledge, amount: int, *, charge: str = "ch_1", fee: int = 0, **changes: Any) -> Movement:
    """A card pays a pledge and those of its act."""
    told = facts(world, "charge", amount, fee=fee, charge=charge, **changes)
    return tell(world, told, payment(world, pledge, charge, amount))


def away(world: Any, kind: str, amount: int, *, charge: str = "ch_1", **changes: Any) -> Movement:
    """Money of a charge goes again: a refund, a failure, a dispute."""
    return tell(world, facts(world, kind, -amount, charge=charge, **changes))


def home(world: Any, kind: str, amount: int, of: str, *, charge: str = "ch_1", **changes: Any) -> Movement:
    """Money of a charge comes home: a refund that failed, a dispute won."""
    return tell(world, facts(world, kind, amount, charge=charge, of=of, **changes))


def purses(world: Any, *others: Budget, currency: str = "EUR") -> dict[str, int]:
    """What the purses that a provider moves hold on their normal side, in minor units; those at zero are left out."""
    owners = {
        "clearing": NAME, "bank": world.account.pk, "budget": world.budget.pk, "deficit": world.budget.pk,
        "host_fees": world.host.pk, "provider_fees": world.host.pk,
    }  # fmt: skip
    found = {kind: balance(kind=kind, owner=owner, currency=currency) for kind, owner in owners.items()}
    found["waiting"] = balance(kind="suspense", owner=world.account.pk, currency=currency)
    found["unexplained"] = balance(kind="suspense", owner=NAME, currency=currency)
    for number, one in enumerate(others, start=2):
        found[f"budget{number}"] = balance(kind="budget", owner=one.pk, currency=currency)
        found[f"deficit{number}"] = balance(kind="deficit", owner=one.pk, currency=currency)
    return {name: amount for name, amount in found.items() if amount}


def everything() -> dict[tuple[str, str, str], int]:
    """Every purse that holds something."""
    kinds = ("bank", "clearing", "suspense", "budget", "deficit", "host_fees", "provider_fees", "payee", "in_transit")
    return {(kind, *where): amount for kind in kinds for where, amount in balances(kind=kind).items() if amount}


def faults() -> list[str]:
    """The codes of what the self-check finds in sums, read within the transaction of a test."""
    books = selfcheck._read()
    parts = (selfcheck._pots, selfcheck._people_and_bank, selfcheck._kinds, selfcheck._together, selfcheck._clearing)
    found = [one for part in parts for one in part(books)]
    found += [*selfcheck._pledges(), *selfcheck_provider.charges(), *selfcheck_provider.compared()]
    return [one.code for one in found]


def later(world: Any, days: int) -> datetime:
    """Noon of a later day."""
    return world.now + timedelta(days=days)  # type: ignore[no-any-return]


def rate(text: str) -> Decimal:
    """A rate of exchange."""
    return Decimal(text)
