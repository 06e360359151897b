"""Statement formats: pure readers, bytes in, facts out. A new format is one file and one line in FORMATS."""

import codecs
import re
from collections.abc import Callable
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from backend.banking.formats import camt053, csv_file, mt940, ofx
from backend.banking.formats.base import MAX_BYTES, ParsedStatement, StatementFileError, require_size

__all__ = ["FORMATS", "MAX_BYTES", "ParsedStatement", "StatementFileError", "detect", "read_statements"]

FORMATS: dict[str, Callable[[bytes, int], list[ParsedStatement]]] = {
    "camt053": camt053.read,
    "mt940": mt940.read,
    "ofx": ofx.read,
    "csv": csv_file.read,
}

_COMPRESSED = (
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"\x28\xb5\x2f\xfd",
)
# What no file of another format has in it.
_MARKS = {
    "ofx": re.compile(rb"OFXHEADER\s*[:=]|<OFX>", re.I),
    "camt053": re.compile(rb"urn:iso:std:iso:20022:tech:xsd:camt\."),
    "mt940": re.compile(rb"^:60[FM]:[CD][0-9]{6}", re.M),
}
# What a file is shows in its first bytes: nothing reads more of it to find out.
_START = 16_384


def read_statements(data: bytes, *, max_bytes: int = MAX_BYTES) -> list[ParsedStatement]:
    """Read a statement file of any known format.

    Args: data: the file. max_bytes: above it the file is refused before anything reads it.
    Returns: its statements in the order of the file, at least one.
    Raises: StatementFileError, the file being refused whole.
    """
    require_size(data, max_bytes)
    kind = detect(data)
    return read_as(kind, data, max_bytes)


def read_as(kind: str, data: bytes, max_bytes: int) -> list[ParsedStatement]:
    """Read a file of a known format. Args: kind: a key of FORMATS.

    Raises: StatementFileError, the file being refused whole.
    """
    require_one_file(kind, data)
    return named(kind, FORMATS[kind](data, max_bytes))


def require_one_file(kind: str, data: bytes) -> None:
    """Refuse files pasted one behind the other: what the reader of one format leaves out would be lost in silence.

    Raises: StatementFileError `statement_several_formats`.
    """
    found = {name for name, mark in _MARKS.items() if mark.search(data)}
    behind = data.rpartition(b"\n-")[2][:_START] if kind == "mt940" else b""
    own = _MARKS[kind].search(data) if kind in {"ofx", "mt940"} else None
    before = data[: own.start()][:_START] if own else b""
    if found - {kind} or any(csv_file.looks_like_csv(part) for part in (before, behind.partition(b"\n")[2])):
        raise StatementFileError(
            "statement_several_formats",
            _("Several files were put together in this one: import each of them alone, as the bank gives it."),
        )


def named(kind: str, parsed: list[ParsedStatement]) -> list[ParsedStatement]:
    """Statements that say the format they were read from. Args: kind: a key of FORMATS."""
    return [one if one.format else replace(one, format=kind) for one in parsed]


def detect(data: bytes) -> str:
    """The key in FORMATS of a file, by its first bytes.

    Raises: StatementFileError `statement_compressed` or `statement_unknown_format`.
    """
    if data.startswith(_COMPRESSED):
        # Unpacking here would let a small file grow without limit.
        raise StatementFileError(
            "statement_compressed",
            _("This file is compressed: unpack it on your computer and send the statements that it contains."),
        )
    start = _plain_start(data)
    if ofx.looks_like_ofx(start):
        return "ofx"
    if camt053.looks_like_xml(data):
        return "camt053"
    if mt940.looks_like_mt940(start):
        return "mt940"
    if csv_file.looks_like_csv(start):
        return "csv"
    raise StatementFileError(
        "statement_unknown_format",
        _("This file is not a bank statement that can be read here: download it as camt.053, MT940, OFX or CSV."),
    )


def _plain_start(data: bytes) -> bytes:
    """The first bytes, in UTF-8 when they are in UTF-16."""
    start = data[:_START]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return start[: len(start) // 2 * 2].decode("utf-16", errors="replace").encode()
    return start
