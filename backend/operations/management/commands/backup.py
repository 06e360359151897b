"""Makes a backup of this instance."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backend.core import crypto
from backend.operations.archive import BackupError
from backend.operations.backup import make_backup


class Command(BaseCommand):
    """`backup FILE`."""

    help = "Write the whole instance into one file: the database in one snapshot, and the manifest that proves it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", help="where to write it; an older file of this name is replaced once it is whole")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it and say what is not in it."""
        path = Path(options["file"])
        try:
            made = make_backup(path=path, now=timezone.now())
        except BackupError as refusal:
            raise CommandError(str(refusal)) from None
        numbers = ", ".join(crypto.key_fingerprints())
        self.stdout.write(
            f"{path}: {made.size} bytes, SHA-256 {made.digest}, entries sealed up to {made.position}.\n"
            f"It holds IBANs encrypted with key {numbers} and does not hold the key: keep TRONC_ENCRYPTION_KEYS (with "
            "./run: .tronc/secrets.json) elsewhere, without it the backup cannot be restored."
        )
