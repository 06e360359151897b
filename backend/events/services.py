"""Records business facts, in the transaction that makes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.events.models import Event, Untold


def record(kind: str, *, actor: Any, subject: str, now: datetime, scopes: Sequence[str] = (), **data: Any) -> Event:
    """Record one fact.

    Args: kind: `noun.past_participle`. actor: the person, or None for the house itself. subject: id of the thing.
        scopes: ids of the budget, organisation… it belongs to. data: JSON-ready ids and amounts (minor units).
    Returns: the event; its mail is written by a sweep after commit.
    """
    event = Event.objects.create(
        id=new_id("evt"), kind=kind, actor=actor, subject=subject, scopes=list(scopes), data=data, created_at=now
    )
    Untold.objects.create(event=event)
    nudge("notifications.compose")
    return event
