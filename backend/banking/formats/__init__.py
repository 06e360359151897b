"""Statement formats: pure readers, bytes in, facts out. A new format is one file and one line in FORMATS."""

from collections.abc import Callable

from django.utils.translation import gettext_lazy as _

from backend.banking.formats import camt053
from backend.banking.formats.base import MAX_BYTES, ParsedStatement, StatementFileError, require_size

__all__ = ["FORMATS", "MAX_BYTES", "ParsedStatement", "StatementFileError", "detect", "read_statements"]

FORMATS: dict[str, Callable[[bytes, int], list[ParsedStatement]]] = {"camt053": camt053.read}

_COMPRESSED = (
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"\x28\xb5\x2f\xfd",
)


def read_statements(data: bytes, *, max_bytes: int = MAX_BYTES) -> list[ParsedStatement]:
    """Read a statement file of any known format.

    Args: data: the file. max_bytes: above it the file is refused before anything reads it.
    Returns: its statements in the order of the file, at least one.
    Raises: StatementFileError, the file being refused whole.
    """
    require_size(data, max_bytes)
    return FORMATS[detect(data)](data, max_bytes)


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
    if camt053.looks_like_xml(data):
        return "camt053"
    raise StatementFileError(
        "statement_unknown_format",
        _("This file is not a bank statement that can be read here: download it from the bank as camt.053 (XML)."),
    )
