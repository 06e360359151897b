"""The rows in which the demonstration is written: what happens, in which month, to which pot."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Promise:
    """A pledge of `amount` (minor units) made in `month` on `day`; its transfer comes in month `paid`, if ever.

    received: what the transfer carries when it is not the whole. unnamed: the transfer forgets its reference, and a
    treasurer says what it pays.
    """

    pot: str
    organisation: str
    month: int
    day: int
    amount: int
    paid: int | None = None
    received: int | None = None
    unnamed: bool = False


@dataclass(frozen=True)
class Work:
    """A contribution declared on its day, `amount` in minor units; `verdict` empty: it still awaits a review."""

    pot: str
    who: str
    month: int
    day: int
    kind: str
    minutes: int
    amount: int
    what: str
    verdict: str = "approve"
    reason: str = ""


@dataclass(frozen=True)
class Envelope:
    """A budget opened under a root in `month`, whose periods start with month `first` and last `months` each.

    follows: it has the rules and periods of its root instead, and `first` and `months` say nothing.
    """

    pot: str
    root: str
    name: str
    month: int
    first: int = 0
    months: int = 0
    follows: bool = False


@dataclass(frozen=True)
class Rules:
    """A charter adopted by the steward of a pot in `month`: what it changes in the one before.

    upstream: (another pot, basis points).
    """

    pot: str
    month: int
    day: int
    changes: dict[str, Any]
    upstream: tuple[str, int] | None = None


@dataclass(frozen=True)
class Agreement:
    """Amounts that a meeting agreed on for the distribution closed in `month`, `days` after: person → minor units.

    confirmed: who has answered yes by now.
    """

    pot: str
    month: int
    days: int
    reason: str
    amounts: dict[str, int]
    confirmed: tuple[str, ...]


@dataclass(frozen=True)
class Move:
    """Money moved between two pots at the end of `month`, proposed by one treasurer and decided by the other.

    decided: None leaves it to be decided. kind: a kind of transfer.
    """

    source: str
    target: str
    month: int
    amount: int
    reason: str
    decided: bool | None = True
    refusal: str = ""


@dataclass(frozen=True)
class Closing:
    """A period closed on the first day of `month`; `approved` in days after it, None: it still awaits its approval."""

    pot: str
    month: int
    by: str
    approved: int | None = 1
    approver: str = "denis"
