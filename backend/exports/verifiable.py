"""The journal as the offline verifier of api_docs/verify reads it: one JSON object a line, ids and amounts only."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from backend.events.services import record
from backend.exports.extract import moment_of
from backend.exports.services import chunks
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import the_host
from backend.ledger.services import last_block, sealed_entries

if TYPE_CHECKING:
    from backend.ledger.journal import SealedEntry

FILE_NAME = "journal.jsonl"
MEDIA_TYPE = "application/jsonl"


def verifiable_journal(*, actor: User, now: datetime) -> Iterator[bytes]:
    """Every entry that the last head holds, by position, after a line that says how many (tronc-journal-1).

    Always the whole journal: a root is made of all of it. Returns: its bytes, made while they are read.
    Raises: Forbidden.
    """
    require(actor, "ledger.read")
    block = last_block()
    size, origin = (block.size, block.key.name) if block else (0, "")
    record("books.exported", actor=actor, subject=the_host().pk, now=now, format="verifiable", first="", last="")
    return chunks(_lines(size, origin), str.encode)


def _lines(size: int, origin: str) -> Iterator[str]:
    yield _line({"format": "tronc-journal-1", "origin": origin, "first": 1, "size": size})
    for entry in takewhile(lambda one: one.position <= size, sealed_entries()):
        yield _line(_shown(entry))


def _shown(entry: "SealedEntry") -> dict[str, object]:
    return {
        "position": entry.position, "id": entry.id, "kind": entry.kind, "happened_on": f"{entry.happened_on}",
        "booked_at": moment_of(entry), "reference": entry.reference, "reverses": entry.reverses,
        "lines": [[line.account, line.currency, line.amount, line.chart] for line in entry.lines],
    }  # fmt: skip


def _line(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
