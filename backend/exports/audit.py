"""The audit trail: which events a person may read, found by who, as whom, what and when, and taken as a file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Commons
from backend.core.errors import Invalid
from backend.events.models import Event
from backend.events.services import REFUSED, record
from backend.exports.audit_words import SECURITY, said
from backend.exports.services import chunks
from backend.exports.tables import csv_row, safe_text
from backend.identity.models import Organisation, User
from backend.identity.permissions import MEMBERS, counting, may, require
from backend.identity.services import host_zone, the_host
from backend.payments.models import PaperPayment, Payment, Refund, Surplus
from backend.pledges.models import Pledge

COLUMNS = (
    "id", "at", "kind", "said", "actor", "actor_name", "on_behalf", "subject", "scopes", "before", "after", "why",
    "data", "origin", "request_id",
)  # fmt: skip
# Name of the format → its media type.
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
BUFFERED = 500  # rows read at a time by an export


@dataclass(frozen=True)
class Wanted:
    """What is looked for; empty fields do not count. first, last: days of the host, both included."""

    who: str = ""
    as_whom: str = ""
    kind: str = ""
    subject: str = ""
    first: date | None = None
    last: date | None = None
    refused: bool = False


def visible_events(actor: User) -> "QuerySet[Event]":
    """The events a person may read, as `seen_by` says."""
    return Event.objects.filter(seen_by(actor))


def seen_by(actor: User) -> Q:
    """Which events a person may read; none is hidden from auditors and treasurers.

    Others read what they did and what was done to them; stewards what was done in their budgets; members of an
    organisation what was done for it or in its name; administrators what touches rights and access.
    """
    if may(actor, "audit.read_all"):
        return Q()
    seen = Q(actor_id=actor.pk) | Q(subject=actor.pk) | Q(scopes__contains=[actor.pk])
    held = list(counting(actor).values_list("kind", "scope"))
    budgets = trees([scope for kind, scope in held if kind == "steward"])
    organisations = {scope for kind, scope in held if kind in MEMBERS}
    for scope in sorted({*budgets, *organisations}):
        seen |= Q(scopes__contains=[scope])
    commons = Commons.objects.filter(budgets__in=budgets).values("pk")
    seen |= Q(subject__in=[*budgets, *organisations]) | Q(on_behalf__in=organisations) | Q(subject__in=commons)
    if may(actor, "audit.read_security"):
        for prefix in SECURITY:
            seen |= Q(kind__startswith=prefix)
    return seen


def trees(budgets: list[str]) -> list[str]:
    """These budgets and all those below them."""
    found, rest = set(budgets), set(budgets)
    while rest:
        rest = set(Budget.objects.filter(parent__in=rest).values_list("pk", flat=True)) - found
        found |= rest
    return sorted(found)


def find(*, actor: User, wanted: Wanted) -> "QuerySet[Event]":
    """The events a person may read and looks for, the newest first. Raises Forbidden; Invalid `audit_range`."""
    require(actor, "audit.read")
    if wanted.first and wanted.last and wanted.last < wanted.first:
        raise Invalid("audit_range", _("The last day is before the first: nothing would be in it."), param="last")
    events = visible_events(actor).select_related("actor")
    if not may(actor, "audit.read_all"):
        events = events.exclude(of_hidden_payers(actor))
    if wanted.who:
        events = events.filter(Q(actor_id=wanted.who) | Q(actor__name__icontains=wanted.who))
    if wanted.as_whom:
        named = Organisation.objects.filter(name__icontains=wanted.as_whom).values("pk")
        people = User.objects.filter(name__icontains=wanted.as_whom).values("pk")
        events = events.filter(Q(on_behalf=wanted.as_whom) | Q(on_behalf__in=named) | Q(on_behalf__in=people))
    if wanted.kind:
        events = events.filter(kind=wanted.kind)
    if wanted.subject:
        events = events.filter(Q(subject=wanted.subject) | Q(scopes__contains=[wanted.subject]))
    zone = host_zone()
    if wanted.first:
        events = events.filter(created_at__gte=datetime.combine(wanted.first, time.min, zone))
    if wanted.last:
        events = events.filter(created_at__lt=datetime.combine(wanted.last + timedelta(days=1), time.min, zone))
    if wanted.refused:
        events = events.filter(kind=REFUSED)
    return events.order_by("-created_at", "-id")


def of_hidden_payers(actor: User) -> Q:
    """What tells who promised under no name, or under another one: not for those who may not read the pledge."""
    hidden = Pledge.objects.exclude(visibility="visible").exclude(pk__in=Pledge.visible_to(actor).values("pk"))
    told = Q(subject__in=hidden.values("pk"))
    for model in (Payment, Surplus, Refund, PaperPayment):
        told |= Q(subject__in=model._default_manager.filter(pledge__in=hidden.values("pk")).values("pk"))
    return told


def export_audit(*, actor: User, wanted: Wanted, name: str, now: datetime) -> tuple[str, Iterator[bytes]]:
    """The events that `find` gives, oldest first, as a file; taking it is an event of its own, which it does not hold.

    Args: name: a key of FORMATS.
    Returns: the file's name and its bytes, made while they are read. Raises: Forbidden; Invalid `export_unknown`,
        `audit_range`.
    """
    require(actor, "audit.read")
    if name not in FORMATS:
        raise Invalid("export_unknown", _("Choose one of: %(known)s.") % {"known": ", ".join(FORMATS)}, param="format")
    taken = find(actor=actor, wanted=wanted).filter(created_at__lt=now).order_by("created_at", "id")
    record(
        "audit.exported", actor=actor, subject=the_host().pk, now=now, format=name, kind_of=wanted.kind,
        first=f"{wanted.first or ''}", last=f"{wanted.last or ''}", refused=wanted.refused,
    )  # fmt: skip
    rows = (_row(event) for event in taken.iterator(chunk_size=BUFFERED))
    lines = _csv(rows) if name == "csv" else (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return f"audit-{now.astimezone(host_zone()):%Y%m%d-%H%M}.{name}", chunks(lines, str.encode)


def _row(event: Event) -> dict[str, Any]:
    """One event in the columns of the file; times in UTC."""
    told = {name: getattr(event, name) for name in COLUMNS if hasattr(event, name)}
    return {
        **dict.fromkeys(COLUMNS),
        **told,
        "at": f"{event.created_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "said": said(event.kind),
        "actor": event.actor_id or "",
        "actor_name": event.actor.name if event.actor else "",
    }


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield csv_row(COLUMNS)
    for row in rows:
        yield csv_row(tuple(safe_text(_cell(row[name])) for name in COLUMNS))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
