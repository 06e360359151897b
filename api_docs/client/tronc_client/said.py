"""What is told to the person: in French or English, without anything that would act on a terminal, never a token."""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any

from tronc_client.french import FRENCH

OK, REFUSED, UNUSABLE, NOT_ALLOWED, STOPPED, NO_ANSWER = range(6)  # exit codes; see README.md

_TOKEN = re.compile(r"tronc_(live|test)_\w+", re.ASCII)
_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Failure(Exception):
    """Something to tell in one or more lines, and the exit code that says its sort."""

    def __init__(self, text: str, code: int = UNUSABLE) -> None:
        """Keep both."""
        super().__init__(text)
        self.code = code


def language() -> str:
    """fr or en, as the environment says."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "fr" if value.lower().startswith("fr") else "en"
    return "en"


def _(text: str) -> str:
    """A sentence in the language of the person."""
    return FRENCH.get(text, text) if language() == "fr" else text


def clean(text: str) -> str:
    """A text that came from elsewhere, as it may be shown: one line, no escape sequence, no turned writing."""
    shown = "".join(
        mark if unicodedata.category(mark)[0] != "C" and mark not in _TURNING else " " for mark in str(text)
    )
    return _TOKEN.sub(r"tronc_\1_…", shown).strip()


def say(text: str = "") -> None:
    """One line of the result."""
    print(_TOKEN.sub(r"tronc_\1_…", text))


def tell(text: str) -> None:
    """One line beside the result."""
    print(_TOKEN.sub(r"tronc_\1_…", text), file=sys.stderr)


def say_json(value: Any) -> None:
    """A value for another program; what would act on a terminal is written as an escape."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    shown = (mark if mark == "\n" or unicodedata.category(mark)[0] != "C" else json.dumps(mark)[1:-1] for mark in text)
    say("".join(shown))


def table(rows: Iterable[Iterable[str]], indent: str = "") -> None:
    """Rows of short texts, their columns one above the other."""
    lines = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        say(indent + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def agreed(question: str) -> bool:
    """Whether the person says yes; raises Failure when there is nobody to ask."""
    if not sys.stdin.isatty():
        raise Failure(_("Nothing was sent: there is nobody to ask. Add --yes to send without asking."), STOPPED)
    print(f"{question} ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes", "o", "oui"}
