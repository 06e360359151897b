"""Events, and the narrow row that says an event has not been told to anyone yet."""

from django.conf import settings
from django.db import models

from backend.core.ids import ID_LENGTH


class Event(models.Model):
    """One business fact. Holds ids and amounts; names are joined when read. PostgreSQL refuses to change it."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=64)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=ID_LENGTH, db_index=True)
    scopes = models.JSONField(default=list)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["kind", "created_at"], name="event_kind_time")]


class Untold(models.Model):
    """An event whose mail is not written yet; the notifications sweep removes it."""

    event = models.OneToOneField(Event, primary_key=True, on_delete=models.PROTECT)
