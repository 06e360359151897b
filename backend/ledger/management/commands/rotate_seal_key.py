"""Follows the key that signs the heads of the log by a new one, signed by the old one unless that is lost."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backend.ledger.services import rotate_key
from backend.ledger.signing import KeyMissing, current, hindrance


class Command(BaseCommand):
    """`rotate_seal_key [--lost]`."""

    help = "Make a new key for the heads of the log; the old one signs the handing over, unless it is lost."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "--lost", action="store_true", help="the old private key is gone: the new one stands without its signature"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and say what is in force, what to copy and what to tell."""
        if options["lost"] and current() is not None and not hindrance():
            raise CommandError(
                "The key is not lost: it can sign the handing over. Leave out --lost. Nothing was changed."
            )
        try:
            made = rotate_key(now=timezone.now(), lost=options["lost"])
        except KeyMissing as missing:
            raise CommandError(f"{missing} Nothing was changed.") from missing
        before = made.endorsed_by_id
        self.stdout.write(f"The key {made.pk} signs the heads of the log from now on.")
        if options["lost"]:
            self.stdout.write(
                f"Nobody vouches for it: the page /log/ says that the key {before} was lost. Tell those who keep heads "
                "its fingerprint yourself, by a way that is not this service."
            )
        else:
            self.stdout.write(f"The key {before} signed the handing over, and signs nothing more.")
        self.stdout.write(f"Copy {settings.SEAL_KEYS}/{made.pk}.pem to where TRONC_ENCRYPTION_KEYS is kept.")
