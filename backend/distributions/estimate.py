"""What would I get now? The open period as it stands, with one more contribution of mine; nothing is written."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from backend.allocation.kernel import AllocationError
from backend.commons.models import Budget, Period
from backend.commons.services import ruling_budget
from backend.commons.words import EXPENSE
from backend.contributions.facts import MAX_MINUTES
from backend.contributions.services import may_declare, require_budget_open, require_within_charter
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.core.money import require_amount
from backend.distributions import snapshot
from backend.distributions.closing import trace_of
from backend.identity.models import User
from backend.identity.services import host_day

IMAGINED = "imagined"  # where the contribution that is not there has its id
USUAL = "development"


@dataclass(frozen=True)
class Estimate:
    """What a person would get if the period were closed now, minor units of the budget's currency.

    amounts_count: whether the charter looks at amounts asked for this kind of work, or for any when none is imagined.
    available: what the period has to share, all its purses together. asked, share: of this person, all their work of
    the period together. of_this: what of the share is for the contribution that was imagined. held_back, minutes_held:
    what a closing would keep back of this work, since earlier work was given too much; `asked` is without it.
    """

    period: Period
    kind: str
    amounts_count: bool
    available: int
    asked: int
    share: int
    of_this: int
    held_back: int
    minutes_held: int

    @property
    def share_of_asked_ppm(self) -> int | None:
        """The share as millionths of what was asked; None when nothing was."""
        return self.share * 1_000_000 // self.asked if self.asked else None


def estimate(
    *, actor: User, budget: Budget, now: datetime, kind: str = "", minutes: int = 0, amount: int = 0
) -> Estimate:
    """What this person would get now, with one more contribution; with neither time nor amount, as things are.

    Work that awaits its review counts as if it were validated as declared. Writes nothing.
    Args: kind: of the imagined contribution; development unless told. amount: what would be asked, minor units.
    Raises: Forbidden `not_allowed`; Invalid `minutes_out_of_range`, `amount_out_of_range`, `expense_has_no_time`,
        `kind_not_in_charter`, `over_the_cap`; Conflict `budget_not_open`, `no_open_period`.
    """
    if not may_declare(actor, budget):
        raise Forbidden("not_allowed", _("Your roles do not allow this."), action="contribution.declare")
    kind = kind or USUAL
    if not 0 <= minutes <= MAX_MINUTES:
        raise Invalid(
            "minutes_out_of_range",
            _("The duration is a whole number of minutes, from 0 to 44640 (31 days)."),
            param="minutes",
        )
    require_amount(amount, minimum=0)
    if kind == EXPENSE and minutes:
        raise Invalid("expense_has_no_time", _("An expense has an amount and no duration."), param="minutes")
    require_budget_open(budget)
    period = _running(budget, now)
    charter = period.charter
    if minutes or amount:
        # A reason above the soft cap can be given later: the cap that cannot be passed is the hard one.
        require_within_charter(charter, kind=kind, amount=amount, why="…", currency=budget.currency)
    line = {
        "contribution": IMAGINED,
        "person": actor.pk,
        "purse": budget.pk,
        "kind": kind,
        "declared": minutes,
        "validated": minutes,
        "validators": charter.approvals,
        "claim": amount,
        "age": 0,
    }
    read = snapshot.foreseen(
        period, charter.document, now=now, include_declared=True, imagined=[line] if minutes or amount else []
    )
    try:
        trace = trace_of(
            charter.document, read.inputs, pot=period.budget_id, period=period.pk, currency=budget.currency, charter={},
            simulated_on=host_day(now).isoformat(),
        )  # fmt: skip
    except AllocationError as refusal:
        raise Invalid("charter_invalid", str(refusal)) from refusal
    minutes_held, held_back = read.kept_back.get(actor.pk, (0, 0))
    mine = next((row for row in trace["persons"] if row["id"] == actor.pk), None)
    return Estimate(
        period=period,
        kind=kind if minutes or amount else "",
        amounts_count=any(charter.reads_requests(one) for one in ([kind] if minutes or amount else charter.kinds)),
        available=trace["totals"]["sources"]["held"],
        asked=mine["claim"] if mine else 0,
        share=mine["cents"] if mine else 0,
        of_this=mine["per_contribution"].get(IMAGINED, 0) if mine else 0,
        held_back=held_back,
        minutes_held=minutes_held,
    )


def _running(budget: Budget, now: datetime) -> Period:
    """The open period that today's work goes to; the first open one when none covers today."""
    today = host_day(now)
    rows = Period.objects.filter(budget=ruling_budget(budget), state="open").select_related("budget", "charter")
    open_ones = list(rows.order_by("starts_on"))
    covering = [one for one in open_ones if one.covers(today)]
    if not open_ones:
        raise Conflict("no_open_period", _("This budget has no open period: nothing can be estimated."))
    return (covering or open_ones)[0]
