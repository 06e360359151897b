"""Recomputes a distribution from its exported inputs: each share in SQL, the way to each step by the second program.

Exit code 0 when all agrees, else 1.
"""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DataError

from backend.allocation.rebuild import verify
from backend.allocation.trace import TraceMismatch
from backend.distributions.models import Distribution, Share
from backend.operations.recompute import as_text, compare_shares, recount


class Command(BaseCommand):
    """`recompute DISTRIBUTION` or `recompute FILE`."""

    help = "Recompute a distribution, or an exported trace, from its inputs: shares in SQL, the rest in Python."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("what", help="a distribution's id, or a file that holds a trace")

    def handle(self, *args: Any, **options: Any) -> None:
        """Recompute, say whether all agrees, leave with 1 when something does not."""
        what: str = options["what"]
        shares: dict[str, int] | None = None
        if Path(what).is_file():
            trace = self._read(Path(what))
        else:
            stored = Distribution.objects.filter(id=what).first()
            if stored is None:
                raise CommandError(f"{what} is neither a distribution's id nor a file that can be read.")
            if stored.trace is None:
                raise CommandError(f"{what} is not computed yet: compute it first.")
            trace = stored.trace
            shares = dict(Share.objects.filter(distribution=stored).values_list("contributor_id", "amount"))
        try:
            made = recount(as_text(trace))
            difference = made.difference or ("" if shares is None else compare_shares(trace, shares))
            if not difference:
                verify(trace)
        except TraceMismatch as mismatch:
            difference = str(mismatch).rstrip(".")
        except (DataError, KeyError, TypeError) as error:
            raise CommandError(f"{what} holds no trace that can be recomputed ({error!s:.200}).") from error
        if difference:
            self.stdout.write(f"Difference: {difference}.")
            sys.exit(1)
        self.stdout.write(f"{made.shares} shares in {made.steps} steps agree; all of it follows from its inputs.")

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{path} is not JSON: give an exported trace.") from error
        found = value.get("trace", value) if isinstance(value, dict) else None
        if not isinstance(found, dict) or not isinstance(found.get("steps"), list):
            raise CommandError(f"{path} holds no trace: give an exported trace.")
        return found
