"""Loads the demonstration into an empty instance and prints who to sign in as."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from backend.identity.models import Host, User
from backend.operations import demo


class Command(BaseCommand):
    """`load_demo`: safe to repeat; an instance that is in use is left alone."""

    help = "Load the demonstration into an empty instance; print its sign-ins."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load if there is no host yet; print the people of the demonstration if they are there."""
        if not Host.objects.exists():
            demo.load(timezone.now())
        known = dict(User.objects.filter(email__endswith="@example.org").values_list("email", "name"))
        lines = [
            f"  {key}@example.org".ljust(26) + f"{name}, {role.replace('_', ' ')}"
            for key, (name, role) in demo.PEOPLE.items()
            if f"{key}@example.org" in known
        ]
        if lines:
            self.stdout.write("\n".join([f"Sign in with the password {demo.PASSWORD} as:", *lines]))
