"""The runs of the self-check, and the backups that were made or restored."""

from typing import ClassVar

from django.db import models

from backend.core.ids import ID_LENGTH


class SelfCheckRun(models.Model):
    """One run of the self-check: when, what it looked at, what it found. The last thousand are kept."""

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    ok = models.BooleanField()
    findings = models.JSONField(default=list)
    entries = models.BigIntegerField()
    postings = models.BigIntegerField()


class Backup(models.Model):
    """A backup that was written, or from which this instance was restored. Says nothing of where the file is kept."""

    KINDS: ClassVar = [("made", "made"), ("restored", "restored")]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=8, choices=KINDS)
    happened_at = models.DateTimeField()
    taken_at = models.DateTimeField()
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    position = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["kind", "happened_at"], name="backup_last")]
