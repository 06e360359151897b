"""JSON bodies, read strictly: one meaning each, bounded in size and depth, integers for everything that counts."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.parsers import BaseParser

from backend.api.errors import Refused, fault

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20
MAX_DIGITS = 20  # 2**63 has 19; longer numbers are never converted
# Strings are skipped whole (possessively: no backtracking), so that only the brackets of the structure are counted.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


@dataclass(frozen=True)
class NotWhole:
    """A number that is not a plain integer: `1.0`, `1e3`, `NaN`, or far too long. Field readers refuse it by name."""

    text: str


class StrictJSONParser(BaseParser):
    """Reads `application/json`."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Read one JSON document.

        Returns: dicts, lists, texts, integers, booleans, None, and NotWhole where a number is not an integer.
        Raises: Refused 413 `body_too_large`; 400 `json_not_utf8`, `json_too_deep`, `json_duplicate_key`,
            `json_malformed`.
        """
        data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise Refused("body_too_large", _("A body is at most 1 MiB. Nothing was changed."), status=413)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as failure:
            raise Refused(
                "json_not_utf8",
                _("The body is not UTF-8: its byte %(place)s cannot be read.") % {"place": failure.start},
                status=400,
            ) from None
        _refuse_depth(text)
        try:
            return json.loads(
                text,
                object_pairs_hook=_object,
                parse_float=NotWhole,
                parse_constant=NotWhole,
                parse_int=lambda figures: (
                    int(figures) if len(figures) <= MAX_DIGITS else NotWhole(figures[:MAX_DIGITS])
                ),
            )
        except json.JSONDecodeError as failure:
            raise Refused(
                "json_malformed",
                _("The body is not JSON: look at line %(line)s, column %(column)s. Nothing was changed.")
                % {"line": failure.lineno, "column": failure.colno},
                status=400,
            ) from None


def _refuse_depth(text: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused(
                    "json_too_deep", _("The body nests more than 20 levels. Nothing was changed."), status=400
                )
        elif mark in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(name for name, _value in pairs).most_common(1)[0][0]
        message = _("The body names the field “%(name)s” twice: give each once.") % {"name": printable(twice)}
        raise Refused(
            "json_duplicate_key",
            message,
            status=400,
            faults=[fault("pointer", f"/{escaped(twice)}", "json_duplicate_key", message)],
        )
    return found


def printable(text: str) -> str:
    """A text of the client, short and without control characters or halves of characters, to be shown back."""
    return "".join(mark if mark.isprintable() and not "\ud800" <= mark <= "\udfff" else "�" for mark in text[:60])


def escaped(name: str) -> str:
    """A field's name inside a JSON pointer (RFC 6901)."""
    return printable(name).replace("~", "~0").replace("/", "~1")
