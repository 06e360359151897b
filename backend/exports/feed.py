"""The feed of events for programs: what happened where a person may look, in one order that never changes."""

from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from backend.commons.models import Budget
from backend.contributions.models import Contribution
from backend.distributions.models import Share
from backend.events.models import Event, SealedEvent
from backend.exports.audit import of_hidden_payers, seen_by, trees
from backend.identity.models import User
from backend.identity.permissions import ACTIONS, counting, may, require

KEPT = timedelta(days=90)
# What is told of a budget to everyone who works in it: its work and its sharing, not who gives to it.
OF_WORK = ("contribution.", "period.", "distribution.", "arbitration.", "charter.", "budget.")


def place_of(event_id: str) -> tuple[int, str] | None:
    """Where an event stands in the feed; None for one that is not there."""
    seal = SealedEvent.objects.filter(event=event_id).values_list("seal", flat=True).first()
    return None if seal is None else (seal, event_id)


def feed(*, actor: User, now: datetime, after: tuple[int, str] | None = None, only: str = "") -> "QuerySet[Event]":
    """The events of the last 90 days that a person may follow, oldest first.

    They are the ones of the audit trail that the person may read, and the work and the sharing of the budgets they
    have a role in. In the order of the chain over events: one that was committed late comes late, so that whoever
    goes on from the last event they saw misses none. An event is in it within a minute or two.
    Args: after: the place of the last event seen. only: the commons or organisation that a token is held to.
    Raises: Forbidden.
    """
    require(actor, "audit.read")
    seen = seen_by(actor)
    if not may(actor, "audit.read_all"):
        seen = (seen & ~of_hidden_payers(actor)) | _of_work(actor)
    found = Event.objects.filter(seen, created_at__gte=now - KEPT, sealedevent__isnull=False)
    if only:
        found = found.filter(_inside(only))
    if after is not None:
        number, last = after
        found = found.filter(Q(sealedevent__seal__gt=number) | Q(sealedevent__seal=number, pk__gt=last))
    return found.order_by(F("sealedevent__seal"), "pk")


def _of_work(actor: User) -> Q:
    """The work and the sharing of the budgets a person reads, and what becomes of their own work anywhere."""
    roles = counting(actor).filter(kind__in=ACTIONS["budget.read"], scope__startswith="bud_")
    told = Q(subject__in=Contribution.objects.filter(contributor=actor).values("pk"))
    told |= Q(subject__in=Share.objects.filter(contributor=actor).values("distribution"))
    about = Q()
    for prefix in OF_WORK:
        about |= Q(kind__startswith=prefix)
    for budget in trees(list(roles.values_list("scope", flat=True))):
        told |= about & Q(scopes__contains=[budget])
    return told


def _inside(only: str) -> Q:
    """What is about one commons or organisation alone."""
    if only.startswith("org_"):
        return Q(subject=only) | Q(on_behalf=only) | Q(scopes__contains=[only])
    budgets = list(Budget.objects.filter(commons=only).values_list("pk", flat=True))
    inside = Q(subject__in=[only, *budgets]) | Q(scopes__contains=[only])
    for budget in budgets:
        inside |= Q(scopes__contains=[budget])
    return inside
