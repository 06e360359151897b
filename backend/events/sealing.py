"""The chain over events: sealed in the order they are seen, checked by computing every seal again."""

import logging
from datetime import datetime

from django.db import connection, models, transaction

from backend.events.models import Event, EventSeal, SealedEvent

logger = logging.getLogger(__name__)

BATCH = 5000  # events of one seal, at most
_LOCK = 7_361_420_011
_DIGEST = "SELECT events_digest(%s, %s)"
_WRONG = """
SELECT number FROM (
    SELECT number, count, digest, lag(digest, 1, '') OVER (ORDER BY number) AS previous,
           row_number() OVER (ORDER BY number) AS place FROM events_eventseal
) link
WHERE number <> place OR digest <> events_digest(previous, number::integer)
   OR count <> (SELECT count(*) FROM events_sealedevent sealed WHERE sealed.seal_id = link.number)
ORDER BY number
"""


def chain_due(now: datetime) -> int:
    """Seal all events that no seal has taken yet; one process at a time. Returns: how many were sealed.

    Each digest is written to the log too: whoever keeps the logs elsewhere can tell a chain that was made again.
    """
    sealed = 0
    while taken := _seal_batch(now):
        sealed += taken
    return sealed


@transaction.atomic
def _seal_batch(now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        waiting = list(unsealed().order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not waiting:
            return 0
        last = EventSeal.objects.order_by("-number").first()
        number = last.number + 1 if last else 1
        # Which events it takes comes first: its digest is computed from them, and a seal never changes.
        SealedEvent.objects.bulk_create(SealedEvent(event_id=key, seal_id=number) for key in waiting)
        cursor.execute(_DIGEST, [last.digest if last else "", number])
        digest = str(cursor.fetchone()[0])
        EventSeal.objects.create(number=number, count=len(waiting), digest=digest, sealed_at=now)
    logger.info("events sealed: number %s, %s events, %s", number, len(waiting), digest)
    return len(waiting)


def unsealed() -> "models.QuerySet[Event]":
    """The events that no seal has taken yet."""
    return Event.objects.filter(sealedevent=None)


def broken_seals() -> list[int]:
    """The numbers of the seals that are not what their events and the seal before give, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_WRONG)
        return [int(row[0]) for row in cursor.fetchall()]
