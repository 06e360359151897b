"""The end of a commons: archived once nothing of it waits any more; readable, it takes nothing new."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.life import required_to_decide
from backend.commons.models import Budget, Commons, Period
from backend.commons.services import hold
from backend.contributions.models import Contribution
from backend.core.errors import Conflict
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.roles import required_reason
from backend.ledger.services import balances
from backend.pledges.models import Pledge
from backend.transfers.models import Transfer

_SHARING = ["frozen", "computed", "published", "approved"]
_WAITING = ["declared", "questioned", "validated", "included"]


def hindrances(commons: Commons) -> list[str]:
    """What still waits in a commons, each in a sentence; empty when it can be archived."""
    budgets = list(commons.budgets.values_list("pk", flat=True))
    held = [
        amount
        for kind in ("budget", "reserve", "deficit")
        for amount in balances(kind=kind, owners=budgets).values()
        if amount
    ]
    moving = Transfer.objects.filter(state="proposed")
    waits = (
        (held, _("One of its purses still holds money, or has a deficit: transfer it first.")),
        (
            Pledge.objects.filter(budget__in=budgets, state="active").exists(),
            _("A pledge still awaits its payment: it is paid or cancelled first."),
        ),
        (
            Contribution.objects.filter(budget__in=budgets, state__in=_WAITING).exists(),
            _("Work was declared and is not settled: it is shared, waived or withdrawn first."),
        ),
        (Period.objects.filter(budget__in=budgets, state__in=_SHARING).exists(), _("A period is being shared.")),
        (
            (moving.filter(source__in=budgets) | moving.filter(target__in=budgets)).exists(),
            _("A transfer awaits a second person: it is decided first."),
        ),
    )
    return [str(sentence) for found, sentence in waits if found]


@transaction.atomic
def archive_commons(*, actor: User, commons_id: str, reason: str, now: datetime) -> Commons:
    """Archive a commons with all its budgets: everyone still reads it, nothing new enters it. Moves no money.

    Raises: Forbidden `not_allowed`, `own_commons`; NotFound; Conflict `commons_not_open`, `commons_not_empty`; Invalid
        `reason_missing`.
    """
    require(actor, "commons.archive")
    commons = required_to_decide(actor, commons_id, "open", action="commons.archive")
    budgets = list(commons.budgets.order_by("pk"))
    hold(budgets)
    waiting = hindrances(commons)
    if waiting:
        raise Conflict("commons_not_empty", " ".join(waiting))
    commons.state, commons.reason = "archived", required_reason(reason)
    commons.decided_by, commons.decided_at = actor, now
    commons.save()
    Budget.objects.filter(pk__in=[budget.pk for budget in budgets]).update(state="archived")
    record(
        "commons.archived", actor=actor, subject=commons.pk, now=now, why=commons.reason,
        scopes=[commons.pk, *(budget.pk for budget in budgets)], before={"state": "open"}, after={"state": "archived"},
    )  # fmt: skip
    return commons
