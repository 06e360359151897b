"""Seals every sealed column again as it is sealed now, so that older encryption keys can be taken away."""

from collections.abc import Callable, Iterator
from typing import Any

from allauth.mfa.adapter import get_adapter
from cryptography.exceptions import InvalidTag
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, transaction
from django.utils import timezone

from backend.core import crypto
from backend.core.models import PersonKey
from backend.events.services import record
from backend.identity.models import Host

SUFFIX = "_sealed"


def sealed_columns() -> Iterator[tuple[type[models.Model], str, str]]:
    """(model, sealed column, its equality index or ""): a column NAME_sealed is bound to the key of its row.

    A model whose column is sealed with the key of a person or organisation says so: SEALED_FOR = {column: the column
    that holds the owner's id}.
    """
    for model in sorted(apps.get_models(), key=lambda model: model is not PersonKey):  # what opens the rest comes first
        names = {field.name for field in model._meta.concrete_fields}
        for name in sorted(names):
            if name.endswith(SUFFIX):
                index = f"{name.removesuffix(SUFFIX)}_index"
                yield model, name, index if index in names else ""


def rotate(model: type[models.Model], column: str, index: str) -> tuple[int, int]:
    """Seal again what is not sealed as it would be now, and write again the indexes that another key made.

    Each row in its own transaction, under its lock: stopping at any moment loses nothing, the next run goes on. What
    its owner's own key sealed and no index is made of does not turn: such rows are not even held, since the application
    may not change some of them (papers).
    Returns: rows sealed again, rows whose index was written again. Raises: CommandError when a row does not open.
    """
    owner_column = getattr(model, "SEALED_FOR", {}).get(column, "")
    rows = model._default_manager.exclude(**{column: ""})
    if not (owner_column and index):
        rows = rows.exclude(**{f"{column}__startswith": f"{crypto.OWN}:"})
    counts = [0, 0]

    def again(row: models.Model) -> dict[str, str]:
        sealed, key = getattr(row, column), str(row.pk)
        owner = str(getattr(row, owner_column)) if owner_column else ""
        try:
            plain = crypto.open_for(owner, sealed, bound_to=key)
        except crypto.KeyDestroyed:
            return {}
        changed = {}
        if owner_column and not crypto.sealed_for_owner(sealed):
            changed[column] = crypto.seal_for(owner, plain, bound_to=key)
        elif not owner_column and not crypto.sealed_by_first(sealed):
            changed[column] = crypto.encrypt(plain, bound_to=key)
        counts[0] += column in changed
        if index and getattr(row, index) != crypto.equality_index(plain):
            changed[index] = crypto.equality_index(plain)
            counts[1] += 1
        return changed

    _each(rows, again, lambda row: str(getattr(row, column)))
    return counts[0], counts[1]


def rotate_factors() -> int:
    """Seal again the secrets of second factors, which allauth keeps inside JSON; returns how many rows changed."""
    adapter, counts = get_adapter(), [0]

    def turned(value: Any) -> Any:
        if isinstance(value, list):
            return [turned(one) for one in value]
        ours = isinstance(value, str) and value.partition(":")[0] in crypto.key_fingerprints()
        return adapter.encrypt(adapter.decrypt(value)) if ours and not crypto.sealed_by_first(value) else value

    def again(row: models.Model) -> dict[str, Any]:
        data: dict[str, Any] = getattr(row, "data")  # noqa: B009  allauth ships no types
        found = {name: turned(data[name]) if name in FACTOR_SECRETS else data[name] for name in data}
        counts[0] += found != data
        return {"data": found} if found != data else {}

    rows = apps.get_model("mfa", "Authenticator")._default_manager.filter(type__in=["totp", "recovery_codes"])
    _each(rows, again, lambda row: "")
    return counts[0]


def forget_payer_accounts() -> None:
    """Empty the hashes of payers’ accounts: the accounts are kept nowhere, so that no other key can make them anew."""
    for model, column in (
        ("banking.BankLine", "counterparty_index"), ("payments.Payment", "payer_index"),
        ("payments.Surplus", "payer_index"),
    ):  # fmt: skip
        apps.get_model(model)._default_manager.exclude(**{column: ""}).update(**{column: ""})


FACTOR_SECRETS = {"secret", "seed", "migrated_codes"}


def _each(rows: "models.QuerySet[Any]", again: Callable[[Any], dict[str, Any]], shown: Callable[[Any], str]) -> None:
    """Change row after row, each locked in a transaction of its own. shown: the sealed text, for the refusal."""
    rows = rows.order_by("pk")
    last = None
    while key := (rows.filter(pk__gt=last) if last is not None else rows).values_list("pk", flat=True).first():
        last = key
        with transaction.atomic():
            row = rows.select_for_update().filter(pk=key).first()
            if row is None:
                continue
            try:
                changed = again(row)
            except (KeyError, ValueError, InvalidTag) as failure:
                number = shown(row).partition(":")[0]
                raise CommandError(
                    f"{row._meta.label} {key}: key {number} is missing or does not open it. Nothing of this row was "
                    "changed. Put the key it was sealed with back into TRONC_ENCRYPTION_KEYS."
                ) from failure
            if changed:
                rows.filter(pk=key).update(**changed)


class Command(BaseCommand):
    """`rotate_keys`: safe to repeat and to stop; for after a key was added in front."""

    help = "Seal every sealed column again with the first encryption key."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether the indexes get another key too."""
        parser.add_argument(
            "--new-index-key",
            action="store_true",
            help="also write every equality index again with another key: for after an encryption key was read",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate column by column and say what was done."""
        if options["new_index_key"]:
            with transaction.atomic():  # a hash made with the former key is never left beside the new one
                crypto.renew_index_key()
                forget_payer_accounts()
        done: dict[str, Any] = {"sealed": 0, "indexed": 0, "factors": 0}
        for model, column, index in sealed_columns():
            sealed, indexed = rotate(model, column, index)
            done["sealed"] += sealed
            done["indexed"] += indexed
            self.stdout.write(
                f"{model._meta.db_table}.{column}: {sealed} sealed again, {indexed} indexes written again"
            )
        done["factors"] = rotate_factors()
        self.stdout.write(f"mfa_authenticator.data: {done['factors']} sealed again, 0 indexes written again")
        host = Host.objects.values_list("pk", flat=True).first() or ""
        record(
            "keys.rotated", actor=None, subject=host, now=timezone.now(), new_index_key=options["new_index_key"], **done
        )
