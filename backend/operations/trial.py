"""The trial balance in one canonical form: two instances hold the same books when these bytes are the same."""

import csv
import io
import json

from backend.ledger.chart import NATURE
from backend.ledger.services import balances, trial_balance


def canonical() -> bytes:
    """Debits and credits per chart number, then the balance of every purse that is not empty, as JSON in one order.

    Amounts are minor units; a purse's balance is on its normal side.
    """
    facts = {"chart": _charted(), "purses": _purses(), "version": 1}
    return (json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def as_csv() -> str:
    """The same rows for a spreadsheet, one sum per line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "name", "currency", "debit", "credit", "balance"])
    for chart, money, debit, credit in _charted():
        writer.writerow(["chart", chart, money, debit, credit, debit - credit])
    for kind, owner, money, held in _purses():
        writer.writerow([kind, owner, money, "", "", held])
    return out.getvalue()


def _charted() -> list[tuple[str, str, int, int]]:
    return sorted((row.chart, row.currency, row.debit, row.credit) for row in trial_balance())


def _purses() -> list[tuple[str, str, str, int]]:
    return sorted(
        (kind, owner, money, held) for kind in NATURE for (owner, money), held in balances(kind=kind).items() if held
    )
