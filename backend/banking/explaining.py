"""Explains, item by item, what is in each purse that money only passes through: suspense, clearing, in transit."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from backend.banking.models import BankLine
from backend.identity.models import HostBankAccount
from backend.identity.services import host_day
from backend.ledger.services import balances
from backend.payments.helloasso import PROVIDER
from backend.payments.models import Movement, PaperPayment, ProviderPayout, Surplus
from backend.payments.provider_sums import held
from backend.payments.providers import the_provider
from backend.payouts.models import Payout

PASSING = ("suspense", "clearing", "in_transit")
Key = tuple[str, str, str]  # kind, owner, currency of a purse


@dataclass(frozen=True)
class Piece:
    """One thing in a purse, in minor units: what it is, its id, who it is of, since when it is there.

    Of a provider: a movement that nobody explained, a payout on its way to the bank, or all the rest that it holds.
    """

    what: Literal["line", "surplus", "paper", "payout", "movement", "provider_payout", "held"]
    id: str
    name: str
    since: date
    amount: int


@dataclass
class Explained:
    """A purse that money passes through, in minor units on its normal side, and what is in it, the oldest first.

    `sort` says of a clearing purse what it holds: `cheque` or `cash`; `provider` for what a payment provider holds, and
    for its suspense.
    """

    kind: str
    account: str
    sort: str
    currency: str
    balance: int
    pieces: list[Piece] = field(default_factory=list)

    @property
    def total(self) -> int:
        """What its pieces come to."""
        return sum(piece.amount for piece in self.pieces)

    @property
    def gap(self) -> int:
        """What the ledger holds and no piece explains: 0, or the self-check says so."""
        return self.balance - self.total


def holder_names() -> dict[str, str]:
    """Where money that passes through is: the id of a bank account, or the key of a payment provider → its name."""
    provider = the_provider()
    shown = {PROVIDER: "HelloAsso"} | ({provider.name: str(provider.shown)} if provider is not None else {})
    return shown | dict(HostBankAccount.objects.values_list("pk", "name"))


def explain() -> list[Explained]:
    """Each purse that money passes through, of every account, with all that is in it; those at zero without pieces
    are left out."""
    pieces: dict[Key, list[Piece]] = defaultdict(list)
    for key, piece in (*_lines(), *_surpluses(), *_papers(), *_payouts(), *_movements(), *_at_providers()):
        pieces[key].append(piece)
    booked = {(kind, *where): amount for kind in PASSING for where, amount in balances(kind=kind).items()}
    names = holder_names()
    accounts = set(HostBankAccount.objects.values_list("pk", flat=True))
    found = []
    for kind, owner, currency in sorted({*pieces, *(key for key, amount in booked.items() if amount)}):
        account, _colon, sort = owner.partition(":")
        if not sort and account not in accounts:
            sort = "provider"
        mine = sorted(pieces.get((kind, owner, currency), []), key=lambda piece: (piece.since, piece.id))
        balance = booked.get((kind, owner, currency), 0)
        found.append(Explained(kind, names.get(account, account), sort, currency, balance, mine))
    return sorted(found, key=lambda one: (PASSING.index(one.kind), one.account, one.sort))


def _lines() -> Iterator[tuple[Key, Piece]]:
    for row in BankLine.objects.filter(state="suggested").order_by("pk"):
        name = row.counterparty or row.text[:60]
        yield ("suspense", row.account_id, row.currency), Piece("line", str(row.pk), name, row.booked_on, row.amount)


def _surpluses() -> Iterator[tuple[Key, Piece]]:
    rows = Surplus.objects.filter(state__in=Surplus.OPEN)
    for row in rows.select_related("pledge__organisation", "pledge__person", "pledge__donor").order_by("pk"):
        piece = Piece("surplus", row.pk, row.pledge.payer_name, row.received_on, row.left)
        yield ("suspense", row.account_id, row.currency), piece


def _papers() -> Iterator[tuple[Key, Piece]]:
    rows = PaperPayment.objects.filter(state__in=PaperPayment.OPEN)
    for row in rows.select_related("pledge__organisation", "pledge__person", "pledge__donor").order_by("pk"):
        piece = Piece("paper", row.pk, row.drawer or row.pledge.payer_name, row.received_on, row.amount)
        yield ("clearing", row.purse, row.currency), piece


def _payouts() -> Iterator[tuple[Key, Piece]]:
    for row in Payout.objects.filter(state="sent").select_related("batch").order_by("pk"):
        sent = host_day(row.batch.sent_at) if row.batch.sent_at else row.batch.execute_on
        piece = Piece("payout", row.batch_id, row.name, sent, row.amount)
        yield ("in_transit", row.batch.account_id, row.batch.currency), piece


def _movements() -> Iterator[tuple[Key, Piece]]:
    for row in Movement.objects.filter(state="reported").exclude(suspended=0).order_by("pk"):
        piece = Piece("movement", row.pk, row.charge or row.of or row.remote_id, row.happened_on, row.suspended)
        yield ("suspense", row.provider, row.currency), piece


def _at_providers() -> Iterator[tuple[Key, Piece]]:
    """What each provider sent and the bank has not shown, payout by payout; then what it holds by its movements."""
    rest: dict[Key, int] = defaultdict(int)
    for provider, currency, amount in held():
        rest["clearing", provider, currency] += amount
    for row in ProviderPayout.objects.filter(state="sent").order_by("arrives_on", "pk"):
        key = ("clearing", row.provider, row.currency)
        rest[key] -= row.amount
        yield key, Piece("provider_payout", row.pk, row.remote_id, host_day(row.created_at), row.amount)
    for key, amount in sorted(rest.items()):
        if amount:
            last = Movement.objects.filter(provider=key[1], currency=key[2]).latest("happened_on", "pk")
            yield key, Piece("held", "", key[1], last.happened_on, amount)
