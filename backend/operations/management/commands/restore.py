"""Restores a backup in the place of this instance."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import override

from backend.operations.archive import BackupError
from backend.operations.findings import in_words
from backend.operations.restore import restore_backup


class Command(BaseCommand):
    """`restore FILE [--replace NAME]`: stop web, worker and beat first."""

    help = "Restore a backup. The instance then starts frozen and holds its mail until the bank was looked at."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", help="the backup")
        parser.add_argument("--replace", default="", help="the name of the instance in use that may be replaced")

    @override("en")  # the terminal speaks English, whatever the instance's language
    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, then say what comes next."""
        try:
            done = restore_backup(
                path=Path(options["file"]), replace=options["replace"], now=timezone.now(), say=self.stdout.write
            )
        except BackupError as refusal:
            raise CommandError(str(refusal)) from None
        lines = [f"Restored as of {done.taken_at:%Y-%m-%d %H:%M} UTC: the trial balance is that of the backup."]
        if done.check.ok:
            lines += [f"The self-check found nothing wrong in {done.check.entries} entries."]
        else:
            lines += ["THE SELF-CHECK FAILED:", *[f"  {in_words(one)}" for one in done.check.findings]]
        lines += [f"{done.held} messages are held: they may have left already."]
        if done.kept_as:
            lines += [f"The former database is kept as {done.kept_as}: drop it when all is well (dropdb)."]
        lines += [
            "Payouts are frozen. Import a statement of each bank account up to today, book what left since the backup,",
            "then let two people lift the freeze (status page, or `unfreeze --as EMAIL` twice). See deploy/runbook.md.",
        ]
        self.stdout.write("\n".join(lines))
