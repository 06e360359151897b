"""Loads the demonstration into an empty instance and prints who to sign in as."""

from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from backend.identity.models import Host, Role
from backend.operations import demo, demonstration
from backend.operations.demonstration import cast

OF_EACH = 2  # people named per role: enough to try everything


class Command(BaseCommand):
    """`load_demo [--small]`: safe to repeat; an instance that is in use is left alone."""

    help = "Load the demonstration into an empty instance; print its sign-ins."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "--small", action="store_true", help="one commons and one journey instead of a year of five commons"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load if there is no host yet; print the people of the demonstration if they are there."""
        if not options["small"]:
            demonstration.load(timezone.now())
        elif not Host.objects.exists():
            demo.load(timezone.now())
        people = cast.everyone()
        roles: dict[str, set[str]] = {person.pk: set() for person in people}
        for role in Role.objects.filter(user__in=people):
            roles[role.user_id].add(role.kind.replace("_", " "))
        told: Counter[str] = Counter()
        lines = []
        for person in people:
            named = ", ".join(sorted(roles[person.pk]))
            told[named] += 1
            if told[named] <= OF_EACH:
                lines.append(f"  {person.email}".ljust(26) + f"{person.name}, {named}")
        if lines:
            code = (
                f"Who can move money or give roles is asked for a code too: the page shows it, and so does "
                f"{settings.BASE_URL}/en/demo/, where one click signs in as anyone."
            )
            self.stdout.write("\n".join([f"Sign in with the password {demo.PASSWORD} as:", *lines, code]))
