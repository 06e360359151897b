"""Reads the pages of api_docs/: their blocks of code, and the shape of the JSON they show."""

import json
import re
from pathlib import Path
from typing import Any

API_DOCS = Path(__file__).resolve().parent.parent.parent / "api_docs"
_ID = re.compile(r"(?<=^[a-z]{3})_[0-9A-Z]{36}$")
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, str]]:
    """(what follows the opening fence, content) of each block of code, in order."""
    return [(match.group(1).strip(), match.group(2)) for match in _BLOCK.finditer(text)]


def same_shape(shown: Any, real: Any, place: str = "") -> None:
    """Assert that an example has the members and the types of a real answer; empty lists and nulls fit anything."""
    if shown is None or real is None:
        return
    assert type(shown) is type(real), place
    if isinstance(shown, dict):
        # Members named by an id are told apart by what it is the id of.
        assert [_ID.sub("_", name) for name in shown] == [_ID.sub("_", name) for name in real], place
        for name, other in zip(shown, real, strict=True):
            same_shape(shown[name], real[other], f"{place}/{name}")
    elif isinstance(shown, list) and shown and real:
        same_shape(shown[0], real[0], f"{place}/0")
    elif isinstance(shown, str) and re.fullmatch(r"[a-z]{3}_[0-9A-Z]{36}", shown):
        assert re.fullmatch(rf"{shown[:4]}[0-9A-Z]{{36}}", real), place


def load(text: str) -> Any:
    """The JSON of a block."""
    return json.loads(text)
