"""What hledger and beancount share: names of accounts, amounts, journal numbers."""

from functools import lru_cache
from typing import TYPE_CHECKING

from backend.core.money import decimal_text

if TYPE_CHECKING:
    from backend.exports.extract import OpeningLine
    from backend.ledger.journal import JournalLine

ROOTS = {
    "1": "Equity", "2": "Assets", "3": "Assets", "4": "Liabilities", "5": "Assets", "6": "Expenses", "7": "Income",
}  # fmt: skip


def account_of(line: "JournalLine | OpeningLine") -> str:
    """The account of a line: its root, its number of the chart, the kind of its purse, its purse.

    For instance `Assets:512:Bank:Acc-01J…`: ids only, so that no renaming changes a file.
    """
    return _account(line.chart, line.kind, line.account)


@lru_cache(maxsize=10_000)
def _account(number: str, kind: str, account: str) -> str:
    # Volunteering is outside the result: 86 is what was used, 87 what was given.
    root = ROOTS.get(number[0]) or ("Expenses" if number.startswith("86") else "Income")
    purse = account.replace("_", "-")
    kinds = kind.replace("_", "-").title()
    return ":".join([root, number, *([kinds, purse[0].upper() + purse[1:]] if purse else [])])


def amount_of(line: "JournalLine | OpeningLine") -> str:
    """The amount of a line with its currency, debits positive, with all the decimals of the currency."""
    return f"{decimal_text(line.amount, line.currency)} {line.currency}"
