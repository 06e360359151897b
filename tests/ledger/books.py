"""Small books for the tests of the ledger: one bank, one pot, entries of a few cents."""

from datetime import UTC, date, datetime

from backend.ledger.models import Account, JournalEntry
from backend.ledger.services import Line, open_account, post

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
DAY = date(2026, 11, 21)


def bank(owner: str = "bnk_1", currency: str = "EUR") -> Account:
    """A bank account: not guarded."""
    return open_account(kind="bank", owner=owner, currency=currency)


def pot(owner: str = "bud_1", currency: str = "EUR") -> Account:
    """A budget: guarded, normally in credit."""
    return open_account(kind="budget", owner=owner, currency=currency)


def book(key: object, amount: int, *, day: date = DAY, now: datetime = NOW, owner: str = "bud_1") -> JournalEntry:
    """Bank +amount, budget −amount."""
    return post(
        kind="payment.received", scope="t", key=str(key), reference="plg_1", happened_on=day, now=now,
        lines=[Line(bank(), amount, "512"), Line(pot(owner), -amount, "7541")],
    )  # fmt: skip
