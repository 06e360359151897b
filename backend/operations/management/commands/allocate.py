"""Shares amounts by the engine's rules, one JSON object a line: the door for anyone who wants to check us."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from backend.allocation.door import answer


class Command(BaseCommand):
    """`allocate`: JSON lines on standard input, one line of JSON on standard output for each; no database."""

    help = "Read one JSON object a line, write one answer a line; see api_docs/guides/check-us.en.md."
    requires_system_checks = ()  # nothing here reads the settings

    def handle(self, *args: Any, **options: Any) -> None:
        """Answer each line before reading the next; leave quietly when nobody reads any more."""
        try:
            for line in sys.stdin.buffer:
                self.stdout.write(answer(line))
                self.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
