"""Tries the mail settings against the server."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backend.core.errors import DomainError
from backend.notifications.checks import mail_settings
from backend.notifications.probe import try_mail


class Command(BaseCommand):
    """`check_mail [--to ADDRESS]`: one sentence, and an exit code that says whether mail can leave."""

    help = "Connect to the mail server as a message would, and say in one sentence what is wrong."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--to", default="", help="also send a test message to this address")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look at the settings, then at the server."""
        wrong = [message for message in mail_settings(None) if message.is_serious()]
        if wrong:
            raise CommandError(f"{wrong[0].msg} {wrong[0].hint or ''}".strip())
        try:
            self.stdout.write(try_mail(to=options["to"], now=timezone.now()))
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
