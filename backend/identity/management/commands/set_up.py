"""Prints the address from which an empty instance is set up."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from backend.core.errors import DomainError
from backend.identity.inviting import setup_token


class Command(BaseCommand):
    """`set_up`: an address good for a day; each call makes a new one, until an administrator can sign in."""

    help = "Print the one-time address from which this instance is set up in a browser."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it, alone on standard output."""
        try:
            token = setup_token(now=timezone.now())
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
        self.stderr.write("Open this address within 24 hours. Whoever opens it first becomes the administrator.")
        self.stdout.write(f"{settings.BASE_URL}/{settings.LANGUAGE_CODE}/first/{token}/")
