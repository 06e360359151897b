"""What comes for the instalments of pledges: how money is shared over them, and what is left of each. Books nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from backend.allocation.kernel import split
from backend.core.errors import Conflict, NotFound
from backend.core.failpoints import around_commit
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.pledges.calendar import MONTHS
from backend.pledges.models import Instalment, Pledge
from backend.pledges.papers import credit_cancelled
from backend.pledges.references import find_references
from backend.pledges.terms import short_reason

GIVEN_UP = {"cancelled", "written_off"}  # pledges of which nothing is awaited again
KEPT_STATES = {"cancelled", "written_off"}  # what comes or goes back later does not wake these up


def share(awaiting: Sequence[Instalment], amount: int) -> tuple[list[tuple[Instalment, int]], int]:
    """Share an amount over instalments: the oldest day first, within one day in proportion to what each awaits.

    Pure. The cents follow the largest remainder (allocation.md §1), so that no part exceeds what its row awaits.
    Args: awaiting: rows of one currency. amount: minor units, zero or more.
    Returns: (instalment, its part above zero) by day and id, and what nothing awaits.
    """
    parts: list[tuple[Instalment, int]] = []
    rows = sorted((row for row in awaiting if row.awaited), key=lambda row: (row.due_on, row.pk))
    for _day, together in groupby(rows, key=lambda row: row.due_on):
        due = list(together)
        served = min(amount, sum(row.awaited for row in due))
        cents = split(served, [(row.pk, row.awaited) for row in due], seed="instalments")
        parts += [(row, part) for row, part in zip(due, cents, strict=True) if part]
        amount -= served
    return parts, amount


def allocate(pledges: Iterable[Pledge], amount: int) -> tuple[list[tuple[Instalment, int]], int]:
    """What an amount received for some pledges pays: see `share`. The caller holds the pledges."""
    rows = Instalment.objects.filter(pledge__in=[one.pk for one in pledges], state__in=Instalment.AWAITING)
    return share(list(rows), amount)


def note_received(*, pledge_id: str, amount: int, now: datetime, given_back: bool = False) -> Pledge:
    """Add a receipt to a pledge under its lock; it is fulfilled once all of it is there. The caller books the money.

    Args: amount: minor units; below zero when a payment was taken back: what lacks is expected again, unless the
        pledge was given up. given_back: the host gave it back on purpose: it is not asked for again.
    """
    pledge = Pledge.objects.select_for_update(of=("self",)).get(pk=pledge_id)
    pledge.received += amount
    pledge.save(update_fields=["received"])
    if amount < 0:
        _take(pledge, given_up=given_back or pledge.state in GIVEN_UP, now=now)
    else:
        _feed(pledge, amount)
    settle(pledge, now=now)
    return pledge


def _feed(pledge: Pledge, amount: int) -> None:
    """Give a receipt to the oldest instalments that await money."""
    for row in pledge.instalments.select_for_update().filter(state__in=Instalment.AWAITING).order_by("number"):
        part = min(amount, row.amount - row.received)
        row.received += part
        amount -= part
        row.state = "received" if row.received == row.amount else "partly_received"
        row.save(update_fields=["received", "state"])
        if not amount:
            break


def _take(pledge: Pledge, *, given_up: bool, now: datetime) -> None:
    """Take what the pledge lacks now from its instalments: first what was given beyond them, then the newest paid.

    Args: given_up: what lacks is not awaited again: its instalments are cancelled, their invoices credited.
    """
    given = pledge.instalments.aggregate(total=Coalesce(Sum("received"), 0))["total"]
    lacking, credited = given - pledge.received, []
    rows = pledge.instalments.select_for_update(of=("self",)).select_related("pledge").order_by("-number")
    for row in rows.filter(received__gt=0):
        if lacking <= 0:
            break
        part = min(lacking, row.received)
        row.received -= part
        lacking -= part
        if given_up and row.state == "received":
            row.state = "cancelled"
        elif given_up and row.state == "partly_received":  # the rest of it was awaited, and is no more
            row.state, part = "cancelled", row.amount - row.received
        elif row.state not in KEPT_STATES:
            row.state = "partly_received" if row.received else "called"
        row.save(update_fields=["received", "state"])
        if row.state == "cancelled":
            credited.append((row, part))
    credit_cancelled(credited, now=now)


def settle(pledge: Pledge, *, now: datetime) -> None:
    """End a pledge of which nothing more is awaited nor will be called; wake up one of which something is again.

    The caller holds it. A pledge given up in part is written off, one that goes on stays active.
    """
    pledge.refresh_from_db(fields=["expected"])
    before = pledge.state
    if pledge.state in {"fulfilled", "written_off"} and pledge.expected:
        pledge.state = "active"
    elif pledge.state in {"active", "fulfilled"} and not goes_on(pledge) and not _stands(pledge):
        pledge.state = "cancelled"
    elif pledge.state == "active" and not pledge.expected and not goes_on(pledge):
        given_up = pledge.instalments.filter(state="written_off")
        lost = given_up.exists() and (pledge.rhythm == "once" or not pledge.received)
        pledge.state = "written_off" if lost else "fulfilled"
    if pledge.state != before:
        pledge.save(update_fields=["state"])
    if pledge.state == "fulfilled" != before:
        record("pledge.fulfilled", actor=None, subject=pledge.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id])
    around_commit("pledge.received")


def _stands(pledge: Pledge) -> bool:
    """Whether anything of it was received, is awaited or was written off: not so once all was given back."""
    return bool(pledge.received or pledge.expected or pledge.instalments.exclude(state="cancelled").exists())


def goes_on(pledge: Pledge) -> bool:
    """Whether an instalment will still be written for it."""
    if not MONTHS[pledge.rhythm] or pledge.state != "active":
        return False
    last = pledge.instalments.order_by("-number").values_list("covers_until", flat=True).first()
    return pledge.ends_on is None or last is None or last <= pledge.ends_on


def write_off_instalment(*, actor: User, instalment_id: str, reason: str, now: datetime) -> Instalment:
    """Give up what is still awaited of an instalment: it is expected no more, what was received stays. Moves no money.

    Args: reason: kept with it, read by the payer's people. The same again changes nothing.
    Raises: Forbidden; NotFound `instalment_not_found`; Invalid `reason_missing`; Conflict `instalment_not_awaiting`.
    """
    require(actor, "pledge.write_off")
    why = short_reason(reason)
    found = Instalment.objects.filter(pk=instalment_id, pledge__in=Pledge.visible_to(actor)).first()
    if found is None:
        raise NotFound("instalment_not_found", _("There is no such instalment."))
    return _write_off(actor, found, why, now)


def _write_off(actor: User, found: Instalment, why: str, now: datetime) -> Instalment:
    with transaction.atomic():
        pledge = Pledge.objects.select_for_update(of=("self",)).get(pk=found.pledge_id)
        row = pledge.instalments.select_for_update().get(pk=found.pk)
        if row.state == "written_off":
            return row
        if not row.awaited:
            raise Conflict("instalment_not_awaiting", _("Nothing is awaited of this instalment any more."))
        before, amount = row.state, row.awaited
        row.state, row.written_off_by, row.written_off_reason = "written_off", actor, why
        row.save(update_fields=["state", "written_off_by", "written_off_reason"])
        record(
            "instalment.written_off", actor=actor, subject=pledge.pk, now=now,
            scopes=[pledge.budget_id, pledge.payer_id], before={"state": before}, after={"state": "written_off"},
            why=why, instalment=row.pk, number=row.number, amount=amount, currency=row.currency,
        )  # fmt: skip
        settle(pledge, now=now)
    return row


def pledges_in_text(text: str, *, currency: str) -> list[Pledge]:
    """The pledges of the one act whose reference stands in a text; none when there are several references."""
    rows = Pledge.objects.select_related("budget").filter(reference__in=find_references(text), currency=currency)
    found = list(rows.order_by("pk"))
    return found if len({one.reference for one in found}) == 1 else []


def pledge_in_text(text: str, *, currency: str) -> Pledge | None:
    """The pledge whose reference stands in a text, the first of those made in one act; None as `pledges_in_text`."""
    return next(iter(pledges_in_text(text, currency=currency)), None)
