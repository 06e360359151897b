"""The examples of the contract: those of api_docs/reference/, which the tests hold against real answers."""

import functools
import json
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings

FOLDER = settings.BASE.parent / "api_docs" / "reference"
_SECTION = re.compile(r"^## `([A-Z]+) (/v1/[^`]+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```json (request|[0-9]{3})\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What stands for `{budget}` and the like in the examples.
IDS = {
    "{budget}": "bud_01M801KCQQ2PX2EVTP1JXVSQ5G5SFE9QPYYK",
    "{contribution}": "ctr_01M801KDST4QA48SMSZK54F5YCJVCTRX1CHG",
    "{organisation}": "org_01M801KCQ1Y9Y0W6HQ2C3K4N5P6R7S8T9VWX",
    "{today}": "2026-11-21",
}


@dataclass(frozen=True)
class Example:
    """What is sent and what is answered; None where nothing is shown."""

    sent: Any = None
    got: Any = None


@functools.cache
def curated() -> dict[tuple[str, str], Example]:
    """(method, address with `{}` for its parts) → the example of its section."""
    found = {}
    for page in sorted(FOLDER.glob("*.md")):
        for method, path, text in _SECTION.findall(page.read_text(encoding="utf-8")):
            shown: dict[str, Any] = {}
            for kind, block in _BLOCK.findall(text):
                for place, value in IDS.items():
                    block = block.replace(place, value)  # noqa: PLW2901 - the same block, filled
                shown["sent" if kind == "request" else "got"] = json.loads(block)
            found[method, re.sub(r"\{\w+\}", "{}", path)] = Example(**shown)
    return found
