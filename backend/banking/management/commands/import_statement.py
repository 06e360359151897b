"""Imports a bank statement, or only shows what is in it."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backend.banking.formats.base import StatementFileError, read_at_most
from backend.banking.services import figures, keep_statements, read_file
from backend.core.errors import DomainError


class Command(BaseCommand):
    """`import_statement FILE [--dry-run] [--json] [--accept-gap]`."""

    help = "Import a bank statement (camt.053). A dry run reads any account; an import only those of the host."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show the figures and write nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object a statement")
        parser.add_argument("--accept-gap", action="store_true", help="import a statement that does not tie")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, show, and unless it is a dry run, import."""
        from django.conf import settings

        path: Path = options["file"]
        try:
            with path.open("rb") as stream:
                data = read_at_most(stream, settings.STATEMENT_MAX_BYTES)
            parsed = read_file(data)
            kept = None
            if not options["dry_run"]:
                kept = keep_statements(actor=None, parsed=parsed, accept_gap=options["accept_gap"], now=timezone.now())
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
                self.stderr.write(f"{statement.account}: {warning}")
