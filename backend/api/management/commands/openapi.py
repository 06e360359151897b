"""`manage openapi`: writes the contract of the API, or says how the written one differs."""

import difflib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.api.contract_file import FILE
from backend.api.openapi import as_text, document


class Command(BaseCommand):
    """`openapi`, and `openapi --check` for `./run check`."""

    help = "Write api_docs/openapi.json from the handlers of the API."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--check", action="store_true", help="write nothing, fail when the file is not current")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write or compare."""
        made, kept = as_text(document()), FILE.read_text(encoding="utf-8") if FILE.exists() else ""
        if not options["check"]:
            FILE.write_text(made, encoding="utf-8")
            return
        if made != kept:
            lines = difflib.unified_diff(kept.splitlines(), made.splitlines(), "kept", "made", lineterm="", n=2)
            shown = "\n".join(list(lines)[:60])
            raise CommandError(
                f"{shown}\napi_docs/openapi.json is not what the handlers promise: ./run manage openapi."
            )
