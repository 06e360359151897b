"""Spreadsheets of which somebody imported their own work: what came of each is found, and undone, as a whole."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from backend.commons.models import Budget
from backend.core.ids import ID_LENGTH
from backend.identity.models import User


class Import(models.Model):
    """One file, kept as contributions whose `source` is its id. The file itself is not kept."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="imports")
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="imports")
    file_name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    # What each column was taken for, and how days and durations were read.
    columns = models.JSONField(default=dict)
    rows = models.PositiveSmallIntegerField()
    form_key = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["made_by", "budget", "sha256"], condition=Q(undone_at=None), name="file_imported_once"
            ),
            models.UniqueConstraint(fields=["made_by", "form_key"], name="one_import_per_form"),
            models.CheckConstraint(condition=Q(rows__gte=1, rows__lte=500), name="import_of_1_to_500_rows"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Import]":
        """One's own, also by an account that was merged: others see what it declared, not the file's name."""
        return cls.objects.filter(Q(made_by=actor) | Q(made_by__merged_into=actor))
