"""Takes a delivery report from the mail server, as a pipe of its alias or from a file."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error
from django.utils import timezone

from backend.core.errors import DomainError
from backend.notifications.bounces import MAX_BYTES, record_bounce

TRY_AGAIN = 75  # EX_TEMPFAIL: the mail server keeps the report and comes back


class Command(BaseCommand):
    """`record_bounce [FILE]`: never fails on what it reads, or the mail server would send that back in its turn."""

    help = "Mark the message that a delivery report (standard input, or a file) says has failed."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", nargs="?", default="-", help="the report; standard input unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read at most one byte more than is allowed, mark, and say what was done."""
        name = options["file"]
        try:
            with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as failure:
            self.stderr.write(f"{name}: {failure.strerror}")
            sys.exit(TRY_AGAIN)
        try:
            mail = record_bounce(message=data, now=timezone.now())
        except DomainError as refusal:
            self.stderr.write(str(refusal))
        except Error as failure:
            self.stderr.write(f"The database does not answer ({type(failure).__name__}): try again later.")
            sys.exit(TRY_AGAIN)
        else:
            self.stdout.write(f"{mail.pk} came back." if mail else "No message of ours came back in this one.")
