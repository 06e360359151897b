"""Composes mail from events, holds and releases it, and counts it; sending is in sending.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Min
from django.utils import translation

from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.sweep import sweep_rows
from backend.events.models import Untold
from backend.events.services import record
from backend.identity.models import Host, User
from backend.identity.permissions import require
from backend.notifications.bounces import record_bounce
from backend.notifications.letters import dressed
from backend.notifications.models import OutgoingMail
from backend.notifications.recipes import RECIPES
from backend.notifications.sending import ATTEMPTS, said, send_due

__all__ = [
    "ATTEMPTS",
    "MailFigures",
    "comes_back",
    "compose_due",
    "hold_due",
    "mail_figures",
    "record_bounce",
    "release_held",
    "send_due",
]  # fmt: skip

# Pages that open for whoever has their address: the code is in it.
OPENING = ("/invitations/", "/confirm/", "/gifts/", "/account/merge/", "/payees/block/")
BOUNCE_COUNTS = timedelta(days=90)  # an address that sent something back longer ago is given another chance


@dataclass(frozen=True)
class MailFigures:
    """How the outbox stands: number of messages by state, the oldest one due, and what the server said last."""

    counts: Mapping[str, int]
    oldest_due: datetime | None
    last_error: str


def compose_due(now: datetime) -> int:
    """Write the mail of the events nobody was told about; returns how many events were treated."""
    return sweep_rows(Untold.objects.select_related("event"), lambda row: _compose(row, now))


def _compose(row: Untold, now: datetime) -> None:
    recipe = RECIPES.get(row.event.kind)
    letters = recipe(row.event) if recipe else None
    if letters is not None:
        people, write = letters
        for person in (one for one in people if one.is_active and one.has_address):  # nor has a closed account
            with translation.override(person.language):
                subject, body = write()
                body = dressed(person.name, body)
            OutgoingMail.objects.get_or_create(
                event=row.event,
                recipient=person.email,
                defaults={
                    "id": new_id("eml"), "subject": subject[:200], "body": body, "due_at": now,
                    "secret": any(page in body for page in OPENING),
                },
            )  # fmt: skip
        nudge("notifications.send")
    row.delete()
    around_commit("mail.composed")


@transaction.atomic
def hold_due(*, reason: str, now: datetime) -> int:
    """Keep back every message that is due, for instance after a restore: they may have left already.

    Returns: how many are held by this call; nothing leaves until `release_held`.
    """
    held = OutgoingMail.objects.filter(state="due").update(state="held", last_error=reason[:200])
    if held:
        record("mail.held", actor=None, subject=_host_id(), now=now, messages=held)
    return held


@transaction.atomic
def release_held(*, actor: User, now: datetime) -> int:
    """Let the messages that were held leave now; returns how many. Raises Forbidden `not_allowed`."""
    require(actor, "mail.release")
    released = OutgoingMail.objects.filter(state="held").update(state="due", due_at=now, attempts=0, last_error="")
    if released:
        record("mail.released", actor=actor, subject=_host_id(), now=now, messages=released)
        nudge("notifications.send")
    return released


def _host_id() -> str:
    return Host.objects.values_list("pk", flat=True).first() or ""


def mail_figures() -> MailFigures:
    """How many messages there are in each state, since when the oldest one is due, and the last thing that failed."""
    counts = dict.fromkeys(dict(OutgoingMail.STATES), 0)
    counts |= dict(OutgoingMail.objects.values_list("state").annotate(n=Count("pk")).order_by())
    due = OutgoingMail.objects.filter(state="due")
    failing = due.exclude(last_error="").order_by("-due_at").values_list("last_error", flat=True).first()
    return MailFigures(counts, due.aggregate(oldest=Min("due_at"))["oldest"], said(failing or ""))


def comes_back(person: User, *, now: datetime) -> bool:
    """Whether mail to this person's address comes back: the last thing known of it is a refusal, not a delivery."""
    mine = OutgoingMail.objects.filter(recipient=person.email)
    bounced = mine.filter(state="bounced", bounced_at__gt=now - BOUNCE_COUNTS).aggregate(at=Max("bounced_at"))["at"]
    return bounced is not None and not mine.filter(state="sent", sent_at__gt=bounced).exists()
