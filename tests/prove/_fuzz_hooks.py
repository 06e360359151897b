"""Helps Schemathesis past the door (contract.py sets the environment): what is well formed becomes something real.

Where a case is to be refused nothing is touched but a key that is well formed: used twice it would be refused for that.
Each answer is also held against the contract as the tests of the API do: no member, word or code that it does not name.
"""

import itertools
import json
import os
import re
import uuid
from collections import defaultdict
from datetime import date
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import django
import schemathesis

django.setup()

from tests.api import holding  # noqa: E402 - reads the settings

REAL: dict[str, Any] = json.loads(os.environ["TRONC_REAL"])
_turns: dict[str, Any] = defaultdict(itertools.count)


class Seen(SimpleNamespace):
    """An answer as Django's own has its headers."""

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.headers

    def __getitem__(self, name: str) -> str:
        return str(self.headers[name.lower()][0])


@schemathesis.check
def held_against_the_contract(context: Any, response: Any, case: Any) -> None:
    """Closed shapes, codes of problems, headers; and what was accepted fits what the contract takes."""
    asked = response.request
    where = urlsplit(asked.url)
    answer: Any = Seen(status_code=response.status_code, content=response.content, headers=response.headers)
    body = asked.body.encode() if isinstance(asked.body, str) else asked.body or b""
    if response.status_code == 414 or not where.path.startswith("/v1/"):
        return  # refused by the server before it is read, or another address altogether
    told = holding.complaints(asked.method, where.path, where.query, dict(asked.headers), body, answer)
    assert not told, "\n".join(told)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A new key for each request; in well-formed requests the ids and days of the house."""
    for name in [*(case.headers or {})]:
        key = case.headers[name]
        if name.lower() == "idempotency-key" and isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
            case.headers[name] = f"fuzz-{uuid.uuid4()}"
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    turn = next(_turns[case.operation.label])
    things = REAL["of"].get(case.operation.path, [{}])
    for name in case.path_parameters or {}:
        known = {**REAL["any"], **things[turn % len(things)]}
        case.path_parameters[name] = known.get(name, case.path_parameters[name])
    for name in case.query or {}:
        if name in REAL["query"] and not _day(case.query[name]):
            case.query[name] = REAL["query"][name]
    if turn % 4 and "If-Match" in (case.headers or {}):
        case.headers["If-Match"] = "*"
    if isinstance(case.body, dict):
        for part in (case.body, *(case.body.get("parts") or ()), *(case.body.get("items") or ())):
            _believable(part, turn)


def _believable(part: dict[str, Any], turn: int) -> None:
    """Name what there is in the house; of two ways to say the same, keep one; mostly ask for little."""
    for name in REAL["body"].keys() & part.keys():
        if isinstance(part[name], str):
            part[name] = REAL["body"][name]
    if turn % 4 and isinstance(part.get("amount"), dict):
        part["amount"] = {"value": abs(part["amount"]["value"]) % 1_000 + 1, "currency": "EUR"}
    if "parts" in part:
        for name in ("parts",) if turn % 2 else ("budget", "amount"):
            part.pop(name, None)
    if "minutes" in part:
        part.pop("duration", None)
        part["minutes"] = abs(part["minutes"]) % 60 + 1 if turn % 4 else part["minutes"]
    for name in {"text", "reason", "description"} & part.keys() if turn % 4 else ():
        if isinstance(part[name], str):
            part[name] = re.sub(r"[^\w ]", "", part[name]).strip() or "Said"
    part.pop("version", None)  # of what was read: nothing was
    if part.get("evidence"):
        part["evidence"] = ["https://example.org/atlas/1"]


def _day(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False
