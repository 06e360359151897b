"""Where a person may declare work: the budgets of their roles, and those whose charter lets everyone."""

from django.db.models import Q, QuerySet, Subquery
from django.db.models.expressions import OuterRef
from django.db.models.fields.json import KeyTextTransform as Said
from django.db.models.functions import Coalesce

from backend.commons.models import Budget, Charter, Period
from backend.commons.services import OPEN_TO_WORK
from backend.identity.models import User
from backend.identity.permissions import ACTIONS, counting


def declarable(actor: User) -> "QuerySet[Budget]":
    """The budgets that take work from this person now, as `may_declare` says of one, in as many queries as levels."""
    roles = counting(actor).filter(kind__in=ACTIONS["contribution.declare"], scope__startswith="bud_")
    mine = _with_those_below(set(roles.values_list("scope", flat=True)), Q())
    welcome = _with_those_below(set(_open_to_everyone().values_list("pk", flat=True)), Q(charters=None))
    return Budget.objects.filter(pk__in=mine | welcome, state__in=OPEN_TO_WORK)


def _open_to_everyone() -> "QuerySet[Budget]":
    """The budgets with rules of their own whose charter in force lets everyone declare."""
    running = Period.objects.filter(budget=OuterRef("pk"), state="open").order_by("starts_on")
    latest = Charter.objects.filter(budget=OuterRef("pk")).order_by("-version")
    in_force = Coalesce(
        Subquery(running.values(said=Said("declare", "charter__document"))[:1]),
        Subquery(latest.values(said=Said("declare", "document"))[:1]),
    )
    return Budget.objects.filter(commons__state="open").annotate(declare=in_force).filter(declare="everyone")


def _with_those_below(budgets: set[str], which: Q) -> set[str]:
    """These budgets and all those below them that fit."""
    found, rest = set(budgets), set(budgets)
    while rest:
        rest = set(Budget.objects.filter(which, parent__in=rest).values_list("pk", flat=True)) - found
        found |= rest
    return found
