"""Tells in French or English what a computation did: reads the file of a distribution, or what `allocate` answered."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from babel.numbers import get_currency_symbol
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.allocation.kernel import AllocationError
from backend.allocation.texts import explain, explain_whole
from backend.core.money import exponent

LOCALES = {"fr": "fr_FR", "en": "en_GB"}


class Command(BaseCommand):
    """`explain [FILE] [--language fr|en] [--person ID]`; no database."""

    help = "Tell in words what a trace (JSON) says, from a file or from standard input."
    requires_system_checks = ()  # nothing here reads the settings

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", nargs="?", help="a trace.json; standard input without it")
        parser.add_argument("--language", choices=sorted(LOCALES), default="en", help="fr or en (default)")
        parser.add_argument("--person", help="the id of one contributor; without it, the whole, then everyone")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the paragraphs, a line each."""
        trace = _trace(options["file"])
        try:
            lines = _told(trace, options["language"], options["person"])
        except AllocationError as error:
            raise CommandError(str(error)) from error
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise CommandError(f"This is not a whole trace of a distribution: {error!r}.") from error
        try:
            self.stdout.write("\n".join(lines))
            self.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere


def _trace(file: str | None) -> Any:
    """The trace inside what was given: alone, or under `trace` as `allocate` writes it."""
    try:
        found = json.loads(Path(file).read_bytes() if file else sys.stdin.buffer.read())
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CommandError("This is not one JSON object: give the file of one distribution.") from error
    if isinstance(found, dict) and "error" in found:
        raise CommandError(f"There is no computation to explain: {found['error']['message']}")
    return found["trace"] if isinstance(found, dict) and "trace" in found else found


def _told(trace: Any, language: str, person: str | None) -> list[str]:
    """The paragraphs asked for, one a line."""
    currency = trace.get("currency") or "EUR"  # `allocate` is given amounts without a currency
    symbol = str(get_currency_symbol(currency, locale=LOCALES[language]))
    written: dict[str, Any] = {"exponent": exponent(currency), "symbol": symbol}
    if person is not None:
        return explain(trace, person, language, **written)
    lines = explain_whole(trace, language, **written)
    for one in trace["persons"]:
        lines += ["", f"{one['id']}:", *explain(trace, one["id"], language, **written)]
    return lines
