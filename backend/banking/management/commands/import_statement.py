"""Imports a bank statement, or only shows what is in it."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backend.banking.formats.base import StatementFileError, read_at_most
from backend.banking.formats.csv_layout import Layout
from backend.banking.layouts import (
    Choices,
    fitting_layouts,
    import_chosen,
    numbers_to_explain,
    read_chosen,
    table_of,
)
from backend.banking.services import figures
from backend.core.errors import DomainError
from backend.identity.models import HostBankAccount


class Command(BaseCommand):
    """`import_statement FILE [--dry-run] [--json] [--accept-gap] [--account IBAN] [--layout NAME]`."""

    help = (
        "Import a bank statement (camt.053, MT940, OFX, CSV). A dry run reads any account and guesses the columns of a "
        "CSV; an import only reads the accounts of the host, and a CSV by a saved layout."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show the figures and write nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object a statement")
        parser.add_argument("--accept-gap", action="store_true", help="import a statement that does not tie")
        parser.add_argument("--account", default="", help="IBAN of the host's account, for files that do not write it")
        parser.add_argument("--layout", default="", help="name of the saved columns, for a CSV that several could read")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, show, and unless it is a dry run, import."""
        from django.conf import settings

        path: Path = options["file"]
        try:
            with path.open("rb") as stream:
                data = read_at_most(stream, settings.STATEMENT_MAX_BYTES)
            choices = _choices(data, options)
            kept = None
            if options["dry_run"]:
                parsed = read_chosen(data, choices)
            else:
                kept = import_chosen(
                    actor=None, data=data, choices=choices, accept_gap=options["accept_gap"], now=timezone.now()
                )
                parsed = [one.parsed for one in kept]
        except OSError as failure:
            raise CommandError(f"{path} cannot be read: {failure.strerror}.") from None
        except (DomainError, StatementFileError) as refusal:
            raise CommandError(str(refusal)) from None
        for index, statement in enumerate(parsed):
            shown = figures(statement)
            if kept is not None:
                shown |= {"added": kept[index].added, "known": kept[index].known}
            if options["json"]:
                self.stdout.write(json.dumps(shown, ensure_ascii=False))
            else:
                self.stdout.write(
                    "  ".join(f"{name}={'-' if value is None else value}" for name, value in shown.items())
                )
            for warning in statement.warnings:
                self.stderr.write(f"{statement.account or path.name}: {warning}")


def _choices(data: bytes, options: dict[str, Any]) -> Choices:
    """What the arguments choose: the account of numbers that are no IBAN, the layout of a CSV.

    Raises: CommandError when an import would have to guess; Invalid when the file cannot be read.
    """
    account = None
    if options["account"]:
        iban = options["account"].replace(" ", "").upper()
        account = HostBankAccount.objects.filter(iban=iban).first()
        if account is None:
            raise CommandError("--account: the host has no account with this IBAN.")
    layout, accounts = None, {"": account.pk} if account else {}
    table = table_of(data)
    if table is not None:
        saved = [one for one in fitting_layouts(None, table) if options["layout"] in {"", one.name}]
        if account:
            saved = [one for one in saved if one.account_id == account.pk]
        if len(saved) == 1:
            layout, accounts = Layout.from_json(saved[0].mapping), {"": saved[0].account_id}
        elif not options["dry_run"] or options["layout"]:
            raise CommandError(
                "A CSV is imported by saved columns: choose and save them once on the import page, then name them with "
                "--layout (and their account with --account)."
            )
    choices = Choices(layout=layout, accounts=accounts)
    if account:
        numbers = numbers_to_explain(read_chosen(data, choices))
        choices = Choices(layout=layout, accounts=accounts | dict.fromkeys(numbers, account.pk))
    return choices
