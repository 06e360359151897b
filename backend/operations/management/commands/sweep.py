"""Does the background work that is due, without any broker or worker."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backend.operations.metrics import run_sweep
from backend.operations.sweeps import SWEEPS


class Command(BaseCommand):
    """`sweep [name …]`: all sweeps, in the order of the table, unless some are named."""

    help = "Do all background work that is due, here and now."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("names", nargs="*", help=f"some of: {', '.join(SWEEPS)}")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the sweeps and say how many rows each treated."""
        names = options["names"] or list(SWEEPS)
        unknown = [name for name in names if name not in SWEEPS]
        if unknown:
            raise CommandError(f"Unknown sweep {unknown[0]}. Use some of: {', '.join(SWEEPS)}.")
        for name in names:
            self.stdout.write(f"{name}: {run_sweep(name, timezone.now())}")
