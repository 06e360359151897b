"""Rows that belong to no domain: answers already given, what the sweeps did, and the keys of people."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from backend.core.ids import ID_LENGTH


class IdempotencyRecord(models.Model):
    """The answer given to the first request that carried a key."""

    scope = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key_once")]


class SweepRun(models.Model):
    """How often a sweep ran, how it ended and how long it took: workers come and go, this stays."""

    name = models.CharField(primary_key=True, max_length=64)
    runs = models.BigIntegerField(default=0)
    failures = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    milliseconds = models.BigIntegerField(default=0)
    last_ended_at = models.DateTimeField()


class PersonKey(models.Model):
    """The key that seals what is known of one person or organisation, itself sealed by the instance's key.

    Destroying it makes everything it sealed unreadable for ever. Written by `core.crypto` alone.
    """

    owner = models.CharField(primary_key=True, max_length=ID_LENGTH)
    key_sealed = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(destroyed_at=None) & ~Q(key_sealed=""))
                | (Q(destroyed_at__isnull=False) & Q(key_sealed="")),
                name="person_key_is_there_until_destroyed",
            )
        ]
