"""Compares the payment provider's list of movements with the books, from the operator's terminal."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import override

from backend.core.errors import DomainError
from backend.core.money import format_money
from backend.payments.reconciling import reconcile_range


class Command(BaseCommand):
    """`reconcile_provider --since DAY --until DAY`: both days included, a year at most."""

    help = "Book, or report, every movement of the payment provider that the books lack; compare the balances."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        for name, words in (("--since", "the first day"), ("--until", "the last day, included")):
            parser.add_argument(name, required=True, type=date.fromisoformat, help=f"{words}, YYYY-MM-DD")

    @override("en")  # the terminal speaks English, whatever the instance's language
    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, and say what was found; fails when the provider does not answer or the balances differ."""
        try:
            row = reconcile_range(since=options["since"], until=options["until"], now=timezone.now())
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
        if row.finished_at is None or row.remote_balance is None or row.own_balance is None:
            raise CommandError(f"The provider did not answer ({row.error}); a worker goes on with {row.pk} later.")
        self.stdout.write(
            f"{row.seen} movements seen, {row.booked} booked, {row.reported} reported to the treasurers.\n"
            f"The provider holds {format_money(row.remote_balance, row.currency)}, "
            f"the books say {format_money(row.own_balance, row.currency)}."
        )
        if row.remote_balance != row.own_balance:
            raise CommandError("The two balances differ.")
