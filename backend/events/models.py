"""Events, and the narrow row that says an event has not been told to anyone yet."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from backend.core.ids import ID_LENGTH

WHY_LENGTH = 500


class Event(models.Model):
    """One business fact. Holds ids and amounts; names are joined when read. PostgreSQL refuses to change it."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=64)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=ID_LENGTH, db_index=True)
    scopes = models.JSONField(default=list)
    data = models.JSONField(default=dict)
    # The organisation or person in whose name it was done; empty: the actor's own.
    on_behalf = models.CharField(max_length=ID_LENGTH, blank=True, default="")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    why = models.CharField(max_length=WHY_LENGTH, blank=True, default="")
    origin = models.CharField(max_length=8, blank=True, default="")  # empty: kept before doors were noted
    request_id = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["kind", "created_at"], name="event_kind_time"),
            models.Index(fields=["actor", "created_at"], name="event_actor_time"),
            models.Index(fields=["-created_at", "-id"], name="event_newest_first"),
            GinIndex(fields=["scopes"], name="event_scopes", opclasses=["jsonb_path_ops"]),
        ]


class Untold(models.Model):
    """An event whose mail is not written yet; the notifications sweep removes it."""

    event = models.OneToOneField(Event, primary_key=True, on_delete=models.PROTECT)


class EventSeal(models.Model):
    """A link of the chain over all events: its digest takes in that of the one before (migration 0005 computes it)."""

    number = models.PositiveIntegerField(primary_key=True)
    count = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(count__gt=0), name="event_seal_holds_some")]


class SealedEvent(models.Model):
    """Which seal took an event; events themselves never change."""

    event = models.OneToOneField(Event, primary_key=True, on_delete=models.PROTECT)
    seal = models.ForeignKey(EventSeal, on_delete=models.PROTECT, related_name="events")
