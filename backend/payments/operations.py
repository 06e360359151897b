"""What we ask of the provider: a row first, then the network, then a row. A lost answer is never taken for a no.

Nothing is sent inside a transaction; whoever dies in between leaves a row that the next sweep looks up.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.failpoints import failpoint
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.ledger.services import frozen
from backend.payments.models import Operation
from backend.payments.orders import order_of
from backend.payments.outcomes import write_done, write_failed
from backend.payments.providers import the_provider
from backend.payments.providers.base import Done, NoAnswer, Order, Provider, ProviderError, Refused

logger = logging.getLogger(__name__)

SWEEP = "payments.ask_provider"
KEY_LIVES = timedelta(hours=23)  # the provider forgets a key after 24 h: after 23 nothing is sent again
LEASE = timedelta(seconds=60)  # whoever claimed a row and did not come back is taken for dead
LONGEST = 240  # seconds between two tries: five minutes after it is back, all is caught up
SLEEP_MOST = 3600  # seconds, whatever the provider asks for
ERROR = 280


def ask(*, kind: str, key: str, request: dict[str, Any], actor: User | None, now: datetime) -> Operation:
    """Write down what will be asked of the provider, in the caller's transaction; it is sent after the commit.

    Args: kind: one of Operation.KINDS. key: from the business fact; the same key gives back the first row. request:
        ids, amounts and words of ours, as payments.orders reads them. actor: who wants it, None for the house itself.
    Raises: Conflict `no_provider`.
    """
    provider = wanted_provider()
    row, made = Operation.objects.get_or_create(
        key=key,
        defaults={
            "id": new_id("opn"), "provider": provider.name, "kind": kind, "request": request, "asked_by": actor,
            "next_try_at": now, "created_at": now,
        },
    )  # fmt: skip
    if made:
        nudge(SWEEP)
    return row


def wanted_provider() -> Provider:
    """The provider; raises Conflict `no_provider` when the host has none."""
    provider = the_provider()
    if provider is None:
        raise Conflict("no_provider", _("The host takes no payments by card or debit at present. Make a transfer."))
    return provider


def due_operations(now: datetime) -> "QuerySet[Operation]":
    """The rows to send or to look up now."""
    return Operation.objects.filter(state__in=Operation.OPEN, next_try_at__lte=now)


def carry_out(*, operation_id: str, now: datetime) -> Operation:
    """Send one operation, or find out what became of it; not inside a transaction. Never raises for the provider.

    Returns: the row as it stands then: done, refused, to be sent again later, or unknown.
    """
    provider = the_provider()
    if provider is None:
        return Operation.objects.get(pk=operation_id)
    claimed = _claim(operation_id, provider.name, now)
    if claimed is None:
        return Operation.objects.get(pk=operation_id)
    row, doubtful = claimed
    failpoint("operation.claimed")
    order = order_of(row)
    assert row.first_sent_at is not None
    # A refund may be there before it is first sent: these books may have been restored from an older backup, and the
    # provider forgets keys within a day. Any other thing done twice moves no money by itself.
    looks = doubtful or row.kind == "refund"
    try:
        found = provider.look_up(order, since=row.first_sent_at) if looks else None
    except ProviderError as lost:
        return _lost(row, lost, doubtful=doubtful, now=now)
    if found is not None:
        return _done(row, found, now)
    if doubtful and now >= row.first_sent_at + KEY_LIVES:
        return _lost(row, NoAnswer("the provider knows nothing of it"), doubtful=True, now=now)
    return _send(provider, row, order, doubtful, now)


def _claim(operation_id: str, provider: str, now: datetime) -> tuple[Operation, bool] | None:
    """Take a row that is due, so that nobody else sends it meanwhile, and whether it may have reached the provider."""
    with transaction.atomic():
        row = Operation.objects.select_for_update(of=("self",)).filter(pk=operation_id, provider=provider).first()
        if row is None or row.state not in Operation.OPEN or row.next_try_at > now:
            return None
        doubtful = row.state != "ready"
        if row.kind == "refund" and not doubtful and frozen() is not None:
            return None  # no money leaves while payouts are frozen; what may have left is still looked up
        row.state, row.attempts, row.next_try_at = "sent", min(row.attempts + 1, 30000), now + LEASE
        row.first_sent_at = row.first_sent_at or now
        row.save(update_fields=["state", "attempts", "next_try_at", "first_sent_at"])
    return row, doubtful


def _send(provider: Provider, row: Operation, order: Order, doubtful: bool, now: datetime) -> Operation:
    if row.kind == "refund" and frozen() is not None:
        # Frozen while the provider was asked what it knows: nothing leaves after that, not even what got no answer.
        return _lost(row, NoAnswer("payouts are frozen", sent=False), doubtful=doubtful, now=now)
    try:
        answer = provider.perform(order)
        failpoint("operation.answered")
    except NoAnswer as lost:
        return _lost(row, lost, doubtful=doubtful or lost.sent, now=now)
    except Refused as refusal:
        return _refused(row, str(refusal), now)
    except ProviderError as lost:  # an answer that makes no sense: it may have been done
        return _lost(row, lost, doubtful=True, now=now)
    return _done(row, answer, now)


def _held(row: Operation) -> Operation | None:
    """The row under its lock while it still waits for this answer."""
    held = Operation.objects.select_for_update(of=("self",)).get(pk=row.pk)
    return held if held.state in Operation.OPEN else None


@transaction.atomic
def _done(row: Operation, answer: Done, now: datetime) -> Operation:
    held = _held(row)
    if held is None:
        return Operation.objects.get(pk=row.pk)
    held.state, held.remote_id, held.error, held.done_at = "done", answer.remote_id, "", now
    held.save(update_fields=["state", "remote_id", "error", "done_at"])
    write_done(held, answer, now=now)
    return held


@transaction.atomic
def _refused(row: Operation, why: str, now: datetime) -> Operation:
    held = _held(row)
    if held is None:
        return Operation.objects.get(pk=row.pk)
    held.state, held.error, held.done_at = "refused", why[:ERROR], now
    held.save(update_fields=["state", "error", "done_at"])
    write_failed(held, why[:ERROR], now=now)
    return held


@transaction.atomic
def _lost(row: Operation, lost: Exception, *, doubtful: bool, now: datetime) -> Operation:
    """Keep it for later: to be sent again when it cannot have arrived, to be looked up when it may have."""
    held = _held(row)
    if held is None:
        return Operation.objects.get(pk=row.pk)
    held.state, held.error = "unknown" if doubtful else "ready", str(lost)[:ERROR]
    held.next_try_at = now + later(held.attempts, lost)
    held.save(update_fields=["state", "error", "next_try_at"])
    logger.warning("provider: %s %s is %s after %s tries", held.kind, held.pk, held.state, held.attempts)
    return held


def later(attempts: int, lost: Exception) -> timedelta:
    """How long to leave the provider alone after so many tries: doubling, never less than it asked for."""
    asked = lost.wait if isinstance(lost, NoAnswer) else 0
    return timedelta(seconds=min(SLEEP_MOST, max(asked, min(LONGEST, 10 * 2 ** min(attempts, 6)))))


# --- what a treasurer may do about a lost answer ------------------------------------------------------------------


def look_again(*, actor: User, operation_id: str, now: datetime) -> Operation:
    """Ask the provider once more what became of an operation whose answer was lost; asks for nothing else.

    Raises: Forbidden; NotFound `operation_not_found`; Conflict `no_provider`, `operation_over`.
    """
    require(actor, "provider.operate")
    provider = wanted_provider()
    row = _waiting(operation_id)
    if row.first_sent_at is None:
        return row
    try:
        found = provider.look_up(order_of(row), since=row.first_sent_at)
    except ProviderError as lost:
        logger.info("provider: looked again for %s in vain: %s", row.pk, type(lost).__name__)
        return row
    return _done(row, found, now) if found is not None else row


def _waiting(operation_id: str) -> Operation:
    row = Operation.objects.filter(pk=operation_id).first()
    if row is None:
        raise NotFound("operation_not_found", _("There is no such operation."))
    if row.state not in Operation.OPEN:
        raise Conflict(
            "operation_over", _("It is over: “%(state)s”. Nothing was changed.") % {"state": row.get_state_display()}
        )
    return row


@transaction.atomic
def give_up(*, actor: User, operation_id: str, reason: str, now: datetime) -> Operation:
    """Stop asking for an operation. Should it have been done all the same, what it moved is booked when it is told.

    Raises: Forbidden; NotFound `operation_not_found`; Invalid `reason_missing`; Conflict `operation_over`.
    """
    require(actor, "provider.operate")
    why = reason.strip()
    if not why:
        raise Invalid("reason_missing", _("Say why it is given up."), param="reason")
    held = Operation.objects.select_for_update(of=("self",)).get(pk=_waiting(operation_id).pk)
    if held.state not in Operation.OPEN:
        _waiting(operation_id)
    before, held.state, held.given_up_by, held.given_up_reason = held.state, "given_up", actor, why[:ERROR]
    held.done_at = now
    held.save(update_fields=["state", "given_up_by", "given_up_reason", "done_at"])
    write_failed(held, why[:ERROR], now=now)
    record(
        "operation.given_up", actor=actor, subject=held.pk, now=now, before={"state": before},
        after={"state": "given_up"}, why=why, operation=held.kind,
    )  # fmt: skip
    return held


def standing(remote_id: str, kinds: tuple[str, ...]) -> Operation | None:
    """The last operation of these kinds on a subscription or a session of the provider; None when there was none."""
    about = Q(request__subscription=remote_id) | Q(request__session=remote_id)
    return Operation.objects.filter(about, kind__in=kinds).order_by("-created_at", "-pk").first()
