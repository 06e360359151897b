"""Records business facts, in the transaction that makes them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Q

from backend.core.ids import new_id
from backend.core.logs import request_id
from backend.core.nudge import nudge
from backend.core.origin import origin
from backend.events.models import WHY_LENGTH, Event, Untold

REFUSED = "act.refused"
EACH = 10  # refusals of one act to one person that are written one by one, in an hour
HELD_FOR = 30 * 24 * 3600  # seconds during which those held back wait for the next one, which counts them


def record(
    kind: str,
    *,
    actor: Any,
    subject: str,
    now: datetime,
    scopes: Sequence[str] = (),
    on_behalf: str = "",
    before: Any = None,
    after: Any = None,
    why: str = "",
    **data: Any,
) -> Event:
    """Record one fact.

    Args: kind: `noun.past_participle`. actor: the person, or None for the house itself. subject: id of the thing.
        scopes: ids of the budget, organisation… it belongs to. on_behalf: id of the organisation or person in whose
        name it was done; empty for the actor's own. before, after: the fields that changed, JSON-ready: ids, amounts,
        states, names of roles; of what must not be read here (IBANs, addresses, free text) only
        `crypto.equality_index`. why: the reason the person typed, cut at 500 characters.
        data: JSON-ready ids and amounts (minor units).
    Returns: the event; its mail is written by a sweep after commit.
    """
    event = Event.objects.create(
        id=new_id("evt"), kind=kind, actor=actor, subject=subject, scopes=list(scopes), data=data, created_at=now,
        on_behalf=on_behalf, before=before, after=after, why=why.strip()[:WHY_LENGTH],
        origin=origin(), request_id=request_id()[:64],
    )  # fmt: skip
    Untold.objects.create(event=event)
    nudge("notifications.compose")
    return event


@transaction.atomic
def record_refusal(*, actor: Any, subject: str, now: datetime, action: str, code: str, path: str) -> Event | None:
    """Record that an act was refused to somebody; nobody is written to about it.

    After `EACH` refusals of an act to a person in an hour, one a minute is written and counts those held back.

    Args: actor: the person. subject: id of the thing in the address, or empty: the person. action: the right that was
        missing, or empty. code: of the refusal. path: name of the page or of the endpoint.
    Returns: the event, kept in the scopes of the thing, as the facts about it are; None when it was held back.
    """
    data: dict[str, Any] = {"action": action, "code": code, "path": path}
    held = f"refusals:{actor.pk}:{action or code}"
    with connection.cursor() as cursor:  # two at once are both counted
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [held])
    waiting = int(cache.get(held, 0))
    if _too_many(actor, action, code, now):
        cache.set(held, waiting + 1, timeout=HELD_FOR)
        return None
    if waiting:
        cache.delete(held)
        data["count"] = waiting + 1
    known = Event.objects.filter(subject=subject).order_by("created_at", "id").values_list("scopes", flat=True).first()
    return Event.objects.create(
        id=new_id("evt"), kind=REFUSED, actor=actor, subject=subject or actor.pk, scopes=list(known or []),
        data=data, created_at=now, origin=origin(), request_id=request_id()[:64],
    )  # fmt: skip


def _too_many(actor: Any, action: str, code: str, now: datetime) -> bool:
    """Whether a refusal is held back: enough were written in this hour, and one in this minute."""
    same = Q(data__action=action) if action else Q(data__action="", data__code=code)
    since = Event.objects.filter(same, kind=REFUSED, actor=actor, created_at__gt=now - timedelta(hours=1))
    times = list(since.order_by("-created_at").values_list("created_at", flat=True)[:EACH])
    return len(times) == EACH and now - times[0] < timedelta(minutes=1)
