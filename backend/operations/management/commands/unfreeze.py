"""Lifts a freeze of payouts from the terminal: one person asks, another confirms, each with their password."""

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import override

from backend.core.errors import DomainError
from backend.identity.models import User
from backend.ledger.services import Freeze, ask_lift, in_force
from backend.operations.thaw import compare_with_bank, lift_freeze


class Command(BaseCommand):
    """`unfreeze --as EMAIL`: the first person asks, the second confirms."""

    help = "Lift the freeze of payouts: the first person asks, another person confirms."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--as", dest="email", required=True, help="the person who asks or confirms")
        parser.add_argument("--freeze", default="", help="the freeze, when several are in force (frz_…)")
        parser.add_argument("--reason", default="", help="what was found and done; asked for when missing")
        parser.add_argument("--gap-reason", default="", help="after a restore: why bank and books may differ")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    @override("en")  # the terminal speaks English, whatever the instance's language
    def handle(self, *args: Any, **options: Any) -> None:
        """Check the person, then ask or confirm, and say which of the two was done."""
        held = self._freeze(options["freeze"])
        person = self._person(options["email"], options["password_stdin"])
        now = timezone.now()
        try:
            if held.lift_asked_by_id in {None, person.pk}:
                reason = options["reason"]
                if not reason and not options["password_stdin"]:
                    reason = input("Why may payouts leave again? ")
                ask_lift(actor=person, freeze_id=held.pk, reason=reason, now=now)
                self.stdout.write(
                    f"{person.name} asks to lift {held.pk}. Payouts are still frozen: another treasurer or "
                    "administrator confirms with the same command or on the status page."
                )
                return
            lift_freeze(actor=person, freeze_id=held.pk, gap_reason=options["gap_reason"], now=now)
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
        if held.cause == "restore":
            self.stdout.write("\n".join(row.words for row in compare_with_bank(held)))
        asked = held.lift_asked_by.name if held.lift_asked_by else ""
        self.stdout.write(f"{person.name} confirms what {asked} asked: {held.pk} is lifted.")
        others = len(list(in_force()))
        self.stdout.write(
            f"{others} other freeze{'s are' if others > 1 else ' is'} still in force."
            if others
            else "Payouts may be prepared and leave again."
        )

    def _freeze(self, wanted: str) -> Freeze:
        found = [held for held in in_force() if wanted in {"", held.pk}]
        if not found:
            raise CommandError("Payouts are not frozen." if not wanted else f"{wanted} is not in force.")
        if len(found) > 1:
            names = "\n".join(f"  {held.pk}  {held.get_cause_display()}: {held.reason}" for held in found)
            raise CommandError(f"Several freezes are in force, name one with --freeze:\n{names}")
        return found[0]

    def _person(self, email: str, from_stdin: bool) -> User:
        password = sys.stdin.readline().rstrip("\n") if from_stdin else getpass.getpass(f"Password of {email}: ")
        person = User.objects.filter(email=email.strip().lower(), is_active=True).first()
        if person is None or not person.check_password(password):
            raise CommandError("This is not the password of an active person with this address. Nothing was changed.")
        return person
