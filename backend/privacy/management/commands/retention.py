"""Removes the personal data that is past its time, or says what would go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from backend.privacy.retention import CLASSES, apply_now, count_due


class Command(BaseCommand):
    """`retention [--dry-run]`: the workers do it each day; this does it now."""

    help = "Remove the personal data that is past its time; with --dry-run, only count it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--dry-run", action="store_true", help="count, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a class: its name, how many days it is kept, and how many rows are past that."""
        now = timezone.now()
        counts = count_due(now) if options["dry_run"] else apply_now(now, always=True)
        word = "past it" if options["dry_run"] else "removed"
        for name, one in CLASSES.items():
            hours = int(one.kept.total_seconds() // 3600)
            kept = f"{hours // 24} days" if hours >= 24 else f"{hours} hours"
            self.stdout.write(f"{name}: kept {kept} {one.since}, {counts.get(name, 0)} {word}")
        self.stdout.write(f"limits: kept until they end, {counts.get('limits', 0)} {word}")
