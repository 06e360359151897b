"""Runs the payment provider of the demonstration on this machine."""

import signal
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.payments.providers.fake.server import Server


class Command(BaseCommand):
    """`fake_provider FOLDER [--control]`: port and keys are those of the settings, whose provider must be `fake`."""

    help = "Run the demonstration's payment provider: no card is asked for and no money moves anywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("folder", type=Path, help="where its log is kept")
        parser.add_argument("--control", action="store_true", help="let who has the key play payers, banks and time")

    def handle(self, *args: Any, **options: Any) -> None:
        """Answer until told to stop."""
        if settings.PROVIDER != "fake" or not settings.STRIPE_KEY or not settings.STRIPE_WEBHOOK_SECRETS:
            raise CommandError(
                "Set TRONC_PROVIDER=fake, TRONC_STRIPE_KEY and TRONC_STRIPE_WEBHOOK_SECRETS, to any values you like."
            )
        server = Server(
            options["folder"],
            key=settings.STRIPE_KEY,
            port=urlsplit(settings.FAKE_PROVIDER).port or 8290,
            page=settings.FAKE_PROVIDER,
            control=options["control"],
            notify=f"{settings.BASE_URL}/hooks/fake/",
            secret=settings.STRIPE_WEBHOOK_SECRETS[0],
        )
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_words: ended.set())
        server.start()
        self.stdout.write(f"The demonstration's provider answers at {settings.FAKE_PROVIDER}")
        self.stdout.flush()
        ended.wait()
        server.stop()
