"""Candidates of a bank line, and the reasons for and against them, in words."""

from dataclasses import dataclass, field

from backend.pledges.models import Pledge


@dataclass(frozen=True)
class Reason:
    """One argument: its sign (✓ agrees, ≈ comes close, ✗ does not), and its words.

    `single`: of an amount, that it is all that is awaited or the next instalment, not a sum of some.
    """

    sign: str
    text: str
    single: bool = True


@dataclass
class Candidate:
    """One thing that a line may be. `key` names it; `exact` when nothing else comes into question.

    `kind`: pledge, pledges (a split), deposit, provider_payout, payout_back, refund_back, taken_back (a payment that
    the bank took back), own (an account of the chart). `amount_ok`: equal to the cent to what is awaited. `rival`:
    another one of the same amount is not exact beside it.
    """

    kind: str
    key: str
    title: str
    reasons: list[Reason]
    weight: int
    amount_ok: bool
    could_be_exact: bool = False
    exact: bool = False
    rival: bool = True
    pledge: Pledge | None = None
    parts: list[tuple[Pledge, int]] = field(default_factory=list)

    @property
    def of(self) -> str:
        """The id of what it is, without its kind."""
        return self.key.partition(":")[2]
