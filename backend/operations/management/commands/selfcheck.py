"""Proves the books: exit code 0 when nothing is wrong, 1 when something is."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from django.utils.translation import override

from backend.operations.findings import in_words
from backend.operations.selfcheck import run


class Command(BaseCommand):
    """`selfcheck [--json] [--no-freeze]`."""

    help = "Check that no cent is lost (I1), all balances (I2), nothing was rewritten (I3), clearing is explained (I6)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
        parser.add_argument("--no-freeze", action="store_true", help="do not freeze payouts when something is found")

    @override("en")  # the terminal speaks English, whatever the instance's language
    def handle(self, *args: Any, **options: Any) -> None:
        """Run, print what was found, leave with 1 when that is not nothing."""
        made = run(now=timezone.now(), freezing=not options["no_freeze"])
        findings = [one | {"sentence": in_words(one)} for one in made.findings]
        milliseconds = round((made.ended_at - made.started_at).total_seconds() * 1000)
        if options["json"]:
            facts = {
                "ok": made.ok, "started_at": made.started_at.isoformat(), "milliseconds": milliseconds,
                "entries": made.entries, "postings": made.postings, "findings": findings,
            }  # fmt: skip
            self.stdout.write(json.dumps(facts, ensure_ascii=False, indent=1))
        else:
            self.stdout.write("\n".join(f"{one['code']}  {one['sentence']}" for one in findings) or "Nothing is wrong.")
            self.stdout.write(f"{made.entries} entries and {made.postings} lines checked in {milliseconds} ms.")
        if not made.ok:
            self.stdout.write("" if options["json"] else self._after(options["no_freeze"]), ending="")
            sys.exit(1)

    def _after(self, looked_only: bool) -> str:
        if looked_only:
            return "Payouts were left as they are (--no-freeze).\n"
        return "Payouts are frozen; treasurers and administrators are told. See deploy/runbook.md, Self-check.\n"
