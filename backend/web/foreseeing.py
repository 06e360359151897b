"""What a declaration would give, before it is made: the charter's suggestion, and one's share as things stand."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backend.core.errors import Conflict, Invalid
from backend.core.money import exponent
from backend.distributions.estimate import Estimate, estimate
from backend.web.charter_fields import typed
from backend.web.forms import add_domain_error
from backend.web.forms_work import ContributionForm
from backend.web.pages import AuthedRequest


@dataclass(frozen=True)
class Foreseen:
    """An estimate with what it was asked for; `suggestion` is what the charter makes of the time, if it says so."""

    found: Estimate
    currency: str
    minutes: int
    amount: int
    rate: int
    suggestion: int | None
    counts: bool

    @property
    def other(self) -> bool:
        """Whether the suggestion is not what is asked already."""
        return self.suggestion is not None and self.suggestion != self.amount


def foresee(
    request: AuthedRequest, form: ContributionForm, now: datetime
) -> tuple[ContributionForm, Foreseen | None, int]:
    """Estimate what a form would give, as typed or with the amount that the charter suggests; records nothing.

    Args: form: read for an estimate, without errors. Returns: the form to show, the estimate, the status.
    """
    values = form.cleaned_data
    budget, kind, minutes, amount = (values[name] for name in ("budget", "kind", "minutes", "amount"))
    try:
        found = estimate(actor=request.user, budget=budget, now=now, kind=kind, minutes=minutes, amount=amount)
        charter = found.period.charter
        suggestion = charter.suggests(kind, minutes) if charter.reads_requests(kind) else None
        if request.POST.get("act") == "suggested" and suggestion is not None and suggestion != amount:
            amount = suggestion
            found = estimate(actor=request.user, budget=budget, now=now, kind=kind, minutes=minutes, amount=amount)
            form = form.with_amount(typed(Decimal(amount).scaleb(-exponent(budget.currency))))
    except (Invalid, Conflict) as refusal:
        add_domain_error(form, refusal)
        return form, None, refusal.status
    foreseen = Foreseen(
        found, budget.currency, minutes, amount, charter.rates.get(kind, 0), suggestion, charter.reads_requests(kind)
    )
    return form, foreseen, 200
