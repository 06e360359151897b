"""Freezes payouts from the operator's terminal."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import override

from backend.core.errors import DomainError
from backend.ledger.services import freeze


class Command(BaseCommand):
    """`freeze --reason "…"`: in the name of the house; two people lift it."""

    help = "Freeze payouts: none is prepared, approved or handed over until two people lift the freeze."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--reason", required=True, help="why, in a sentence that treasurers will read")

    @override("en")  # the terminal speaks English, whatever the instance's language
    def handle(self, *args: Any, **options: Any) -> None:
        """Freeze, or say since when it is so."""
        try:
            held = freeze(actor=None, cause="manual", reason=options["reason"], now=timezone.now())
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(
            f"Payouts are frozen since {held.started_at:%Y-%m-%d %H:%M} UTC ({held.pk}): {held.reason}\n"
            "Nothing else stops. Two people lift it: `./run manage unfreeze --as EMAIL`, twice, or the status page."
        )
