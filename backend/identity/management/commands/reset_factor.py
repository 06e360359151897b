"""Removes the second factor of somebody locked out, when no other administrator is there to do it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from backend.core.errors import DomainError
from backend.identity.factor_reset import reset_factors_on_the_server
from backend.identity.models import User


class Command(BaseCommand):
    """`reset_factor ADDRESS --reason "…"`: the same as the administrator's page, for whoever runs the server."""

    help = "Remove the second factor and recovery codes of a person, who is told by mail with the administrators."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the address and the reason."""
        parser.add_argument("email", help="the address of the person's account")
        parser.add_argument("--reason", required=True, help="how it was made sure that it is them; they read it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Remove it; nothing changes when the address is nobody's or the reason is empty."""
        person = User.objects.filter(email=options["email"].strip().lower(), is_active=True).first()
        if person is None:
            raise CommandError("Nobody has this address.")
        try:
            reset_factors_on_the_server(person=person, reason=options["reason"], now=timezone.now())
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"The second factor of {person.email} is removed; their sessions are over.")
