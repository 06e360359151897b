"""Rows that belong to no domain: answers already given to API requests, and what the sweeps did."""

from django.db import models


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
