"""Rows that belong to no domain: answers already given to API requests."""

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
