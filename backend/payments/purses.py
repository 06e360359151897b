"""The purses that money comes from and goes to, and the number of the chart of accounts of each."""

from typing import Literal

from backend.identity.models import HostBankAccount
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.services import Line, open_account

# Kind and owner: a bank account, its suspense, one of its clearing purses (`<account>:cheque`), a refund; or what a
# payment provider holds for the host, and what of it nobody can explain, both by the provider's name.
Purse = tuple[Literal["bank", "suspense", "clearing", "payee"], str]


def clearing_purse(account_id: str, kind: str) -> Purse:
    """The purse of the cheques, or of the cash, that wait to be seen on a bank account."""
    return "clearing", f"{account_id}:{kind}"


def provider_purse(provider: str) -> Purse:
    """The purse of what a payment provider holds for the host, or has sent and the bank has not shown."""
    return "clearing", provider


def provider_suspense(provider: str) -> Purse:
    """The purse of what a payment provider moved and nothing here explains."""
    return "suspense", provider


def fees_line(amount: int, currency: str) -> Line:
    """What a payment provider kept and the host bears. Args: amount: minor units, above zero for a cost."""
    return Line(open_account(kind="provider_fees", owner=the_host().pk, currency=currency), amount, chart.PROVIDER_FEES)


def account_of(purse: Purse) -> str:
    """The id of the bank account that a purse belongs to; meaningless for a refund's, and for a provider's."""
    return purse[1].partition(":")[0]


def suspense_account(purse: Purse, currency: str) -> str:
    """The id of the bank account in whose suspense a surplus waits: the purse's own, the host's first for a provider's.

    Empty when the host has no account in this currency.
    """
    found = HostBankAccount.objects.filter(currency=currency).order_by("pk").values_list("pk", flat=True)
    own = found.filter(pk=account_of(purse)).first()
    return own or found.first() or ""


def number_of(purse: Purse) -> str:
    """The number of the chart of accounts on which this purse is booked."""
    kind, owner = purse
    if kind == "clearing":
        _account, colon, sort = owner.partition(":")
        return chart.PROVIDER if not colon else chart.CASH if sort == "cash" else chart.CHEQUES
    return {"bank": chart.BANK, "suspense": chart.SUSPENSE, "payee": chart.SUPPLIER}[kind]


def line_on(purse: Purse, amount: int, currency: str) -> Line:
    """A posting on this purse. Args: amount: minor units, debits positive."""
    kind, owner = purse
    return Line(open_account(kind=kind, owner=owner, currency=currency), amount, number_of(purse))
