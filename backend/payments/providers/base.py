"""What a payment provider must be able to do, and the words in which it is asked and answers. No database here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

Method = Literal["card", "sepa_debit"]
Rhythm = Literal["once", "monthly", "quarterly", "yearly"]
About = Literal["payment", "checkout", "subscription", "invoice", "payout", "dispute", "refund", "mandate", "nothing"]
MovementKind = Literal[
    "charge", "refund", "refund_failure", "failure", "dispute", "dispute_reversal", "fee", "payout", "payout_failure",
    "other",
]  # fmt: skip


class ProviderError(Exception):
    """Something went wrong at, or on the way to, the provider."""


class Refused(ProviderError):
    """The provider said no, and did nothing: asking the same again is useless. `code` is its own word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoAnswer(ProviderError):
    """Nobody knows whether it was done: the answer was lost, or the provider failed. Never taken for a refusal.

    `wait` is how many seconds the provider asked to be left alone, 0 when it said nothing. `sent` is False when the
    request cannot have reached it (no connection, a refusal to listen such as 429).
    """

    def __init__(self, message: str, *, wait: int = 0, sent: bool = True) -> None:
        super().__init__(message)
        self.wait = wait
        self.sent = sent


class BadNotice(ProviderError):
    """An event that is not what it says: forged, stale, altered, of the other mode or of another account."""


# --- what is asked ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckoutOrder:
    """Open a hosted payment page. Amounts are minor units of `currency` (ISO 4217), as our books write them."""

    key: str
    checkout: str  # our id, written into the objects it makes
    group: str  # of the pledges; likewise
    parts: tuple[tuple[str, int], ...]  # (what the payer reads, amount)
    currency: str
    rhythm: Rhythm
    method: Method
    language: Literal["fr", "en"]
    success_url: str
    cancel_url: str
    expires_at: datetime
    email: str = ""  # filled in for the payer; sent, never stored by us
    ends_on: date | None = None  # no charge after this day


@dataclass(frozen=True)
class ExpireOrder:
    """Close a payment page that nobody paid."""

    key: str
    session: str


@dataclass(frozen=True)
class RefundOrder:
    """Give back a payment, or a part of it, in minor units."""

    key: str
    refund: str  # our id, written into the object it makes
    charge: str
    amount: int
    currency: str


@dataclass(frozen=True)
class SubscriptionOrder:
    """Pause (its invoices are voided), resume or end a subscription."""

    key: str
    what: Literal["pause", "resume", "cancel"]
    subscription: str


@dataclass(frozen=True)
class ForgetOrder:
    """Delete who paid a subscription that has ended, with their address and their card. Done when they are gone."""

    key: str
    customer: str


Order = CheckoutOrder | ExpireOrder | RefundOrder | SubscriptionOrder | ForgetOrder


@dataclass(frozen=True)
class Done:
    """What an order made: the id of the object, and the page to send the payer to for a checkout."""

    remote_id: str
    address: str = ""


# --- what is told -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MovementFacts:
    """One movement of our balance there: signed minor units of the currency it settles in, fee above zero if taken."""

    remote_id: str
    kind: MovementKind
    amount: int
    fee: int
    currency: str
    happened_at: datetime
    available_on: date | None = None
    of: str = ""
    charge: str = ""
    original_amount: int | None = None
    original_currency: str = ""
    rate: Decimal | None = None


@dataclass(frozen=True)
class DisputeFacts:
    """A dispute as it stands."""

    remote_id: str
    charge: str
    amount: int
    currency: str
    reason: str
    state: Literal["warning", "opened", "won", "lost"]
    opened_at: datetime
    answer_by: datetime | None = None


@dataclass(frozen=True)
class RefundFacts:
    """A refund as it stands; `refund` is our id when we asked for it."""

    remote_id: str
    charge: str
    amount: int
    currency: str
    state: Literal["pending", "done", "failed"]
    refund: str = ""
    failure: str = ""


@dataclass(frozen=True)
class PaymentFacts:
    """One payment and all that happened to its money since, as it stands. Amounts are minor units.

    `charge` is empty until the provider tried to take the money. `group` and `checkout` are ours, from its metadata;
    a subscription's payments carry those of the subscription.
    """

    remote_id: str
    charge: str
    state: Literal["waiting", "processing", "succeeded", "failed", "cancelled"]
    amount: int
    currency: str
    method: str
    created_at: datetime
    group: str = ""
    checkout: str = ""
    subscription: str = ""
    invoice: str = ""
    failure: str = ""
    movements: tuple[MovementFacts, ...] = ()
    disputes: tuple[DisputeFacts, ...] = ()
    refunds: tuple[RefundFacts, ...] = ()


@dataclass(frozen=True)
class CheckoutFacts:
    """A payment page as it stands."""

    remote_id: str
    checkout: str
    group: str
    state: Literal["open", "complete", "expired"]
    paid: bool  # the money is there, or none was to be paid
    address: str = ""
    payment: str = ""
    subscription: str = ""


@dataclass(frozen=True)
class InvoiceFacts:
    """One period of a subscription as the provider bills it."""

    remote_id: str
    subscription: str
    group: str
    state: Literal["draft", "open", "paid", "void", "uncollectible"]
    amount: int
    currency: str
    period_start: date  # the day this invoice is for, in UTC
    attempts: int
    payment: str = ""
    processing: bool = False
    failure: str = ""


@dataclass(frozen=True)
class SubscriptionFacts:
    """A subscription as it stands, and its invoices, the oldest first."""

    remote_id: str
    group: str
    customer: str
    method: str
    state: Literal["incomplete", "active", "past_due", "paused", "ended"]
    next_on: date | None
    checkout: str = ""
    mandate: str = ""
    mandate_state: str = ""
    invoices: tuple[InvoiceFacts, ...] = ()


@dataclass(frozen=True)
class PayoutFacts:
    """Money sent to the bank account, as it stands."""

    remote_id: str
    amount: int
    currency: str
    state: Literal["pending", "paid", "failed"]
    arrives_on: date
    created_at: datetime
    text: str = ""
    movements: tuple[MovementFacts, ...] = field(default=())  # of the payout itself, not of what it carries


Facts = PaymentFacts | CheckoutFacts | SubscriptionFacts | PayoutFacts


@dataclass(frozen=True)
class NoticeFacts:
    """A verified event: its id, its type as the provider writes it, and what to read again because of it."""

    remote_id: str
    type: str
    sent_at: datetime
    about: About  # `nothing` for types we do not use
    object_id: str


class Provider(Protocol):
    """A payment provider. No method is called inside a transaction; each waits 10 s at most for an answer."""

    name: str  # in rows, purses and metrics
    live: bool  # real money
    shown: str  # its name for people

    def perform(self, order: Order) -> Done:
        """Ask for something, with the order's idempotency key. Raises: Refused, NoAnswer."""

    def look_up(self, order: Order, *, since: datetime) -> Done | None:
        """What this order made, found by what it wrote into the object; None when there is nothing. Asks for nothing.

        Args: since: when it was first sent. Raises: NoAnswer; Refused.
        """

    def read(self, about: About, object_id: str) -> Facts:
        """What is true now of a thing: of an invoice or a mandate, its subscription; of a refund or a dispute, its
        payment. Raises: NoAnswer; Refused (`resource_missing` when there is no such thing)."""

    def movements(self, since: datetime, until: datetime) -> Iterator[MovementFacts]:
        """Every movement of our balance made in `[since, until)`, the oldest first. Raises: NoAnswer; Refused."""

    def balance(self, currency: str) -> int:
        """What the host has there, available or not, in minor units. Raises: NoAnswer; Refused."""

    def open_notice(self, body: bytes, signature: str, *, now: datetime) -> NoticeFacts:
        """Verify an event on its raw bytes. Raises: BadNotice with the reason."""

    def portal(self, customer: str, *, return_url: str, language: str) -> str:
        """The address of a page where the payer changes card or account. Raises: NoAnswer; Refused."""
