"""Seals every sealed column again with the first encryption key, so that older keys can be taken away."""

from collections.abc import Iterator
from typing import Any

from cryptography.exceptions import InvalidTag
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from backend.core import crypto

SUFFIX = "_sealed"


def sealed_columns() -> Iterator[tuple[type[models.Model], str, str]]:
    """(model, sealed column, its equality index or ""): a column NAME_sealed is bound to the key of its row."""
    for model in apps.get_models():
        names = {field.name for field in model._meta.concrete_fields}
        for name in sorted(names):
            if name.endswith(SUFFIX):
                index = f"{name.removesuffix(SUFFIX)}_index"
                yield model, name, index if index in names else ""


def rotate(model: type[models.Model], column: str, index: str) -> tuple[int, int]:
    """Seal again what the first key did not seal, and write again the indexes that the last key did not make.

    Each row in its own transaction, under its lock: stopping at any moment loses nothing, the next run goes on.
    Returns: rows sealed again, rows whose index was written again. Raises: CommandError when a row does not open.
    """
    sealed_again = indexed_again = 0
    rows = model._default_manager.exclude(**{column: ""}).order_by("pk")
    last: Any = ""
    while key := rows.filter(pk__gt=last).values_list("pk", flat=True).first():
        last = key
        with transaction.atomic():
            row = rows.select_for_update().get(pk=key)
            sealed = getattr(row, column)
            try:
                plain = crypto.decrypt(sealed, bound_to=str(key))
            except (KeyError, ValueError, InvalidTag) as failure:
                number = sealed.partition(":")[0]
                raise CommandError(
                    f"{model._meta.label} {key}: key {number} is missing or does not open it. Nothing of this row was "
                    "changed. Put the key it was sealed with back into TRONC_ENCRYPTION_KEYS."
                ) from failure
            changed = {}
            if not crypto.sealed_by_first(sealed):
                changed[column] = crypto.encrypt(plain, bound_to=str(key))
                sealed_again += 1
            if index and getattr(row, index) != crypto.equality_index(plain):
                changed[index] = crypto.equality_index(plain)
                indexed_again += 1
            if changed:
                rows.filter(pk=key).update(**changed)
    return sealed_again, indexed_again


class Command(BaseCommand):
    """`rotate_keys`: safe to repeat and to stop; for after a key was added in front, and after one was taken away."""

    help = "Seal every sealed column again with the first encryption key."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate column by column and say what was done."""
        for model, column, index in sealed_columns():
            sealed, indexed = rotate(model, column, index)
            self.stdout.write(
                f"{model._meta.db_table}.{column}: {sealed} sealed again, {indexed} indexes written again"
            )
