"""`manage openapi`: write api_docs/openapi.json anew, or with --check say whether it is what the code says."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.api.openapi import as_text

FILE = Path(__file__).resolve().parents[4] / "api_docs" / "openapi.json"


class Command(BaseCommand):
    """The contract of the API."""

    help = "Write api_docs/openapi.json from the code; with --check, refuse when it is not what the code says."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take --check."""
        parser.add_argument("--check", action="store_true", help="write nothing, fail when the file is another")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write, or compare."""
        text = as_text()
        if not options["check"]:
            FILE.write_text(text, encoding="utf-8")
            return
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
            raise CommandError("api_docs/openapi.json is not what the code says: run ./run manage openapi.")
