"""Accounting months: one person asks to lock or unlock, another does it. In order; a locked month takes no entry."""

from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger.models import Closing, JournalEntry

REASON_LENGTH = 1000


def month_after(day: date) -> date:
    """The first day of the month after the one of a day."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def closings() -> QuerySet[Closing]:
    """All closings, the latest month first; each with the people of its steps."""
    people = ("asked_by", "locked_by", "withdrawn_by", "unlock_asked_by", "unlocked_by")
    return Closing.objects.select_related(*people).order_by("-first_day", "-asked_at")


def open_from() -> date | None:
    """The first day on which entries may be booked; None while no month is locked."""
    last = Closing.objects.filter(locked_at__isnull=False, unlocked_at=None).order_by("-ends_before").first()
    return last.ends_before if last else None


def next_month() -> date | None:
    """The first day of the month that can be locked next; None while nothing was booked."""
    known = open_from()
    if known:
        return known
    first = JournalEntry.objects.order_by("happened_on").values_list("happened_on", flat=True).first()
    return first.replace(day=1) if first else None


def ask_lock(*, actor: User, first_day: date, now: datetime) -> Closing:
    """Ask that a month be locked; another treasurer locks it. Moves no money.

    Args: first_day: the first day of the month.
    Raises: Forbidden; Conflict `month_not_over`, `month_out_of_order` naming the month that comes first.
    """
    require(actor, "month.lock")
    wanted = next_month()
    if first_day != wanted:
        raise Conflict(
            "month_out_of_order",
            _("Months are locked in order: %(month)s comes next.") % {"month": f"{wanted:%m/%Y}"}
            if wanted
            else _("Nothing is booked yet: there is no month to lock."),
        )
    if host_day(now) < month_after(first_day):
        raise Conflict("month_not_over", _("This month is not over: it can be locked from the first day of the next."))
    with transaction.atomic():
        made = Closing(
            id=new_id("clo"), first_day=first_day, ends_before=month_after(first_day), asked_by=actor, asked_at=now
        )
        Closing.objects.bulk_create([made], ignore_conflicts=True)
        known = closings().filter(first_day=first_day, unlocked_at=None, withdrawn_at=None).first()
        if known is None or known.locked_at:
            raise _moved_on()
        if known.pk == made.pk:
            record("month.lock_asked", actor=actor, subject=made.pk, now=now, first_day=first_day.isoformat())
    return known


def lock(*, actor: User, closing_id: str, now: datetime) -> Closing:
    """Lock the month that someone else asked to lock: what its purses held is kept, no entry enters it any more.

    Raises: NotFound; Forbidden `own_closing`; Conflict `closing_moved_on`, `month_out_of_order`. Moves no money.
    """
    require(actor, "month.lock")
    with transaction.atomic():
        closing = _locked(closing_id)
        if closing.locked_by_id == actor.pk and closing.unlocked_at is None:
            return closing
        if closing.locked_at or closing.withdrawn_at:
            raise _moved_on()
        if closing.asked_by_id == actor.pk:
            raise Forbidden("own_closing", _("You asked for this: another treasurer must do it."))
        closing.locked_by, closing.locked_at = actor, now
        _save(closing, "locked_by", "locked_at")
        record(
            "month.locked", actor=actor, subject=closing.pk, now=now, before={"state": "asked"},
            after={"state": "locked"}, first_day=closing.first_day.isoformat(),
        )  # fmt: skip
    closing.refresh_from_db(fields=["last_posting"])
    return closing


def withdraw(*, actor: User, closing_id: str, now: datetime) -> Closing:
    """Take back, or refuse, a request to lock that nobody followed yet. Moves no money."""
    require(actor, "month.lock")
    with transaction.atomic():
        closing = _locked(closing_id)
        if closing.withdrawn_at:
            return closing
        if closing.locked_at:
            raise _moved_on()
        closing.withdrawn_by, closing.withdrawn_at = actor, now
        _save(closing, "withdrawn_by", "withdrawn_at")
        record("month.lock_withdrawn", actor=actor, subject=closing.pk, now=now)
    return closing


def ask_unlock(*, actor: User, closing_id: str, reason: str, now: datetime) -> Closing:
    """Ask that the last locked month be unlocked; another treasurer does it. Moves no money.

    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `closing_moved_on`.
    """
    require(actor, "month.lock")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why the month is unlocked."), param="reason")
    with transaction.atomic():
        closing = _locked(closing_id)
        if closing.locked_at is None or closing.unlocked_at:
            raise _moved_on()
        if closing.unlock_asked_at and closing.unlock_asked_by_id != actor.pk:
            raise Conflict(
                "closing_moved_on",
                _("%(name)s has already asked to unlock this month: you can do it.")
                % {"name": closing.unlock_asked_by.name},
            )
        closing.unlock_asked_by, closing.unlock_asked_at = actor, now
        closing.unlock_reason = reason.strip()[:REASON_LENGTH]
        _save(closing, "unlock_asked_by", "unlock_asked_at", "unlock_reason")
        record(
            "month.unlock_asked", actor=actor, subject=closing.pk, now=now, why=closing.unlock_reason,
            first_day=closing.first_day.isoformat(),
        )  # fmt: skip
    return closing


def keep_locked(*, actor: User, closing_id: str, now: datetime) -> Closing:
    """Take back, or refuse, a request to unlock. Moves no money."""
    require(actor, "month.lock")
    with transaction.atomic():
        closing = _locked(closing_id)
        if closing.unlocked_at:
            raise _moved_on()
        if closing.unlock_asked_at:
            closing.unlock_asked_by, closing.unlock_asked_at, closing.unlock_reason = None, None, ""
            _save(closing, "unlock_asked_by", "unlock_asked_at", "unlock_reason")
            record("month.kept_locked", actor=actor, subject=closing.pk, now=now)
    return closing


def unlock(*, actor: User, closing_id: str, now: datetime) -> Closing:
    """Unlock the last locked month, as someone else asked. Moves no money.

    Raises: NotFound; Forbidden `own_closing`; Conflict `closing_moved_on`, `month_out_of_order`.
    """
    require(actor, "month.lock")
    with transaction.atomic():
        closing = _locked(closing_id)
        if closing.unlocked_by_id == actor.pk:
            return closing
        if closing.unlock_asked_at is None or closing.unlocked_at:
            raise _moved_on()
        if closing.unlock_asked_by_id == actor.pk:
            raise Forbidden("own_closing", _("You asked for this: another treasurer must do it."))
        closing.unlocked_by, closing.unlocked_at = actor, now
        _save(closing, "unlocked_by", "unlocked_at")
        record(
            "month.unlocked", actor=actor, subject=closing.pk, now=now, before={"state": "locked"},
            after={"state": "unlocked"}, why=closing.unlock_reason, first_day=closing.first_day.isoformat(),
        )  # fmt: skip
    return closing


def _locked(closing_id: str) -> Closing:
    found = Closing.objects.select_for_update(of=("self",)).filter(pk=closing_id).first()
    if found is None:
        raise NotFound("closing_not_found", _("There is no such accounting month."))
    return found


def _save(closing: Closing, *fields: str) -> None:
    try:
        with transaction.atomic():
            closing.save(update_fields=fields)
    except IntegrityError as refusal:
        if "months are locked in order" in str(refusal) or "unlocked first" in str(refusal):
            raise Conflict(
                "month_out_of_order", _("Months are locked in order, and unlocked from the last.")
            ) from refusal
        raise


def _moved_on() -> Conflict:
    return Conflict("closing_moved_on", _("Someone has decided on this month meanwhile. Open the page again."))
