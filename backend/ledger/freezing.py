"""Freezes payouts and lets two people lift the freeze; what comes in goes on meanwhile."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.ledger.models import Freeze

REASON_LENGTH = 1000


def frozen() -> Freeze | None:
    """The oldest freeze in force, or None while payouts may leave."""
    return in_force().first()


def in_force() -> QuerySet[Freeze]:
    """All freezes in force, oldest first."""
    return Freeze.objects.filter(lifted_at=None).select_related("started_by", "lift_asked_by").order_by("started_at")


def find_freeze(freeze_id: str) -> Freeze | None:
    """One freeze, in force or lifted."""
    return Freeze.objects.select_related("started_by", "lift_asked_by", "lifted_by").filter(pk=freeze_id).first()


def require_thawed() -> None:
    """Refuse while payouts are frozen; to be called in the transaction that prepares, approves or hands over.

    Raises: Conflict `payouts_frozen`.
    """
    with connection.cursor() as cursor:
        # The shared side of the lock that a freeze takes: a freeze asked now waits for us, or we see it.
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('tronc.freeze', 0))")
    held = frozen()
    if held is not None:
        raise Conflict(
            "payouts_frozen",
            _("Payouts are frozen (%(cause)s): %(reason)s No money moved; what comes in is still recorded.")
            % {"cause": held.get_cause_display(), "reason": held.words},
        )


def freeze(
    *, actor: User | None, cause: str, reason: str, now: datetime, data: Mapping[str, Any] | None = None
) -> Freeze:
    """Stop payouts: none is prepared, approved or handed over until two people lift this. Moves no money.

    Args: actor: who asks, or None for the house (a failed self-check, a restore, the operator's terminal).
        cause: a key of Freeze.CAUSES. reason: shown to treasurers. data: JSON-ready facts, ids and amounts.
    Returns: the freeze, or the one already in force for this cause.
    Raises: Forbidden; Invalid `reason_missing`.
    """
    if actor is not None:
        require(actor, "freeze.start")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why payouts are frozen."), param="reason")
    with transaction.atomic():
        _alone()
        known = in_force().filter(cause=cause).first()
        if known is not None:
            return known
        made = Freeze.objects.create(
            id=new_id("frz"), cause=cause, reason=reason.strip()[:REASON_LENGTH], data=dict(data or {}),
            started_at=now, started_by=actor,
        )  # fmt: skip
        record("payouts.frozen", actor=actor, subject=made.pk, now=now, why=made.reason, cause=cause)
    return made


def _alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('tronc.freeze', 0))")


def _locked(freeze_id: str) -> Freeze:
    # No joins: a row that was waited for comes with its new columns, but with the people it had before.
    found = Freeze.objects.select_for_update().filter(pk=freeze_id).first()
    if found is None:
        raise NotFound("freeze_not_found", _("There is no such freeze."))
    return found


def ask_lift(*, actor: User, freeze_id: str, reason: str, now: datetime) -> Freeze:
    """Ask that a freeze be lifted; another person confirms. Payouts stay frozen, no money moves.

    Args: reason: what was found and done, for the person who confirms and for the trail.
    Returns: the freeze; asking again replaces the question and its author.
    Raises: Forbidden; NotFound; Invalid `reason_missing`; Conflict `freeze_lifted`.
    """
    require(actor, "freeze.lift")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say what was found, and why payouts may leave again."), param="reason")
    with transaction.atomic():
        held = _locked(freeze_id)
        if held.lifted_by_id is not None:
            raise _already(held)
        held.lift_asked_by, held.lift_asked_at = actor, now
        held.lift_reason = reason.strip()[:REASON_LENGTH]
        held.save(update_fields=["lift_asked_by", "lift_asked_at", "lift_reason"])
        record("freeze.lift_asked", actor=actor, subject=held.pk, now=now, why=held.lift_reason, cause=held.cause)
    return held


def lift(
    *, actor: User, freeze_id: str, now: datetime, examine: Callable[[Freeze], Mapping[str, Any] | None] | None = None
) -> Freeze:
    """Lift a freeze that another person asked to lift. Payouts may be prepared and leave again; no money moves.

    Args: examine: looks at the cause while no freeze can begin; raises what stands against lifting, or returns what to
        keep of it: for a restored instance, what the bank says beside the books (operations.thaw makes it).
    Raises: Forbidden, Forbidden `own_lift`; NotFound; Conflict `lift_not_asked`, `freeze_lifted`,
        `compare_with_bank_first`; what `examine` raises.
    """
    require(actor, "freeze.lift")
    with transaction.atomic():
        # A check that fails meanwhile waits here and freezes anew, or has ended and is seen by `examine`.
        _alone()
        held = _locked(freeze_id)
        if held.lifted_by_id is not None:
            if held.lifted_by_id == actor.pk:
                return held
            raise _already(held)
        if held.lift_asked_by_id is None:
            raise Conflict("lift_not_asked", _("Nobody has asked to lift this freeze yet: ask, then another confirms."))
        if held.lift_asked_by_id == actor.pk:
            raise Forbidden("own_lift", _("You asked to lift this freeze: another person must confirm."))
        comparison = examine(held) if examine is not None else None
        if held.cause == "restore" and comparison is None:
            raise Conflict("compare_with_bank_first", _("Compare the books with the bank before lifting this freeze."))
        held.lifted_by, held.lifted_at = actor, now
        held.lift_data = dict(comparison or {})
        held.save(update_fields=["lifted_by", "lifted_at", "lift_data"])
        record("freeze.lifted", actor=actor, subject=held.pk, now=now, why=held.lift_reason, cause=held.cause)
    return held


def _already(held: Freeze) -> Conflict:
    name = held.lifted_by.name if held.lifted_by else ""
    return Conflict("freeze_lifted", _("%(name)s has already lifted this freeze.") % {"name": name})
