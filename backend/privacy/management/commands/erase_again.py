"""Repeats, on restored books, the erasures that were done after the backup was made."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backend.privacy.erasure import erase_again


class Command(BaseCommand):
    """`erase_again [FILE]`: what `erasures` printed; standard input without a file."""

    help = "Erase again the people of a list made by `erasures`; those who are erased already are left as they are."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", nargs="?", help="the list; standard input when there is none")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the whole list before anything is erased."""
        try:
            text = Path(options["file"]).read_text(encoding="utf-8") if options["file"] else sys.stdin.read()
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
            done = [(str(row["person"]), datetime.fromisoformat(row["done_at"])) for row in rows]
        except OSError as failure:
            raise CommandError(f"{options['file']} cannot be read: {failure.strerror}.") from failure
        except (ValueError, KeyError, TypeError) as failure:
            raise CommandError("This is not a list that `erasures` printed. Nothing was erased.") from failure
        self.stdout.write(f"{erase_again(done, now=timezone.now())} to erase again")
