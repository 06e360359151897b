"""What if this charter applied? Any charters over any period one may read, past or open; nothing is written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from backend.allocation.kernel import AllocationError
from backend.commons.charters import valid_document
from backend.commons.models import Charter, Period
from backend.commons.services import following, tree_of
from backend.core.errors import Invalid, NotFound
from backend.distributions import snapshot
from backend.distributions.closing import trace_of
from backend.distributions.models import Distribution
from backend.identity.models import User
from backend.identity.permissions import may
from backend.identity.services import host_day

MOST_DOCUMENTS = 8


def simulate(
    *,
    actor: User,
    period_id: str,
    documents: Sequence[Mapping[str, Any]],
    now: datetime,
    include_declared: bool = False,
) -> list[dict[str, Any]]:
    """The traces that some charters would give over one period, in the order of the charters. Writes nothing.

    An open period is taken as it is now: the money there is, the work validated so far. A closed one as it was frozen,
    with the earlier work and pay that each charter reads.
    Args: documents: charters, complete or not; each is computed on its own. include_declared: count work that awaits
        its review, of an open period. now: when one asks.
    Returns: traces of the engine, each with `simulated_on` and no arbitration.
    Raises: NotFound `period_not_found`; Invalid `too_many_charters`, `charter_invalid` naming the path.
    """
    period = Period.objects.select_related("budget", "charter").filter(pk=period_id).first()
    if period is None or not may(actor, "budget.read", scopes=_scopes(period)):
        raise NotFound("period_not_found", _("There is no such period."))
    if not 1 <= len(documents) <= MOST_DOCUMENTS:
        raise Invalid(
            "too_many_charters", _("Compare one to %(most)s charters at a time.") % {"most": MOST_DOCUMENTS},
            param="documents",
        )  # fmt: skip
    complete = [_readable(document, period) for document in documents]
    frozen = Distribution.objects.filter(period=period).values_list("inputs", flat=True).first()
    return [_trace(document, period, frozen, now, include_declared=include_declared) for document in complete]


def _scopes(period: Period) -> list[str]:
    """The budgets in which a role lets one read a period: those above, and those whose money it shares."""
    return [*tree_of(period.budget), *(one.pk for one in following(period.budget))]


def _readable(document: Mapping[str, Any], period: Period) -> Mapping[str, Any]:
    """A complete document without faults. What a charter in force sends upstream stays readable, whatever became of
    these pots since."""
    upstream = document.get("upstream")
    for adopted in Charter.objects.filter(budget=period.budget_id).order_by("-version"):
        if adopted.document == document:
            return dict(adopted.document)
        if upstream and adopted.document["upstream"] == upstream:
            return {**valid_document({**document, "upstream": []}, budget=period.budget), "upstream": upstream}
    return valid_document(document, budget=period.budget)


def _trace(
    document: Mapping[str, Any],
    period: Period,
    frozen: Mapping[str, Any] | None,
    now: datetime,
    *,
    include_declared: bool,
) -> dict[str, Any]:
    if frozen is None:
        read = snapshot.foreseen(period, document, now=now, include_declared=include_declared).inputs
    else:
        history, counted = snapshot.earlier(period, document)
        closed = snapshot.closed_targets(document)
        read = {**frozen, "history": history, "counted": counted, "closed_targets": closed}
    try:
        return trace_of(
            document,
            read,
            pot=period.budget_id,
            period=period.pk,
            currency=period.budget.currency,
            charter={},
            simulated_on=host_day(now).isoformat(),
        )
    except AllocationError as refusal:
        raise Invalid("charter_invalid", str(refusal), param=refusal.param or "document") from refusal
