"""Prints the trial balance in its canonical form."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from backend.operations.trial import as_csv, canonical


class Command(BaseCommand):
    """`trial_balance [--csv]`."""

    help = "Print the trial balance: the same bytes wherever the books are the same."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--csv", action="store_true", help="as CSV instead of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        self.stdout.write(as_csv() if options["csv"] else canonical().decode(), ending="")
