"""What the formats written as text share: their encoding, lines of bounded length, amounts as banks write them."""

import codecs
import io
import re
from collections.abc import Iterator, Sequence

from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import StatementFileError, minor_units

# The longest line that a text statement may have: a label of a few thousand characters is already a strange one.
MAX_LINE = 65_536
# Lines of one file, empty ones included: above it the file is a flood, not a statement.
MAX_LINES = 300_000
_PIECE = 1 << 20
_NAMED = 20

_BODY = re.compile(r"[0-9][0-9 .,]{0,39}|[.,][0-9]{1,9}")
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f'\u2019", " ") | {"\u2212": "-", "\u2013": "-"})
_ENDS = re.compile(r"^[A-Z]{3}\b|\b[A-Z]{3}$|^[€$£]|[€$£]$")


def encoding_of(data: bytes) -> str:
    """The encoding of a text file: that of its mark, UTF-8 when all of it is, else Windows-1252 or ISO 8859-1.

    Raises: StatementFileError `statement_encoding` when it holds NULs, as no text does.
    """
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in data:
        raise refused_encoding()
    for name in ("utf-8", "cp1252"):
        # Piece by piece: a large file decoded at once may take four times its weight.
        decoder = codecs.getincrementaldecoder(name)()
        try:
            for start in range(0, len(data), _PIECE):
                decoder.decode(data[start : start + _PIECE])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return name
    return "latin-1"


def refused_encoding() -> StatementFileError:
    """The refusal of a file whose letters cannot be read."""
    return StatementFileError(
        "statement_encoding", _("The text encoding of this file is not supported: save it as UTF-8.")
    )


def too_complex() -> StatementFileError:
    """The refusal of a file that floods its reader."""
    return StatementFileError(
        "statement_too_complex",
        _("This file is nested too deeply or holds too many entries: download a shorter period from the bank."),
    )


def lines_of(data: bytes, *, keep_ends: bool = False) -> Iterator[str]:
    """The lines of a text file, one at a time.

    Args: keep_ends: leave each end of line as it is, which quoted CSV cells need.
    Raises: StatementFileError `statement_encoding`, or `statement_too_complex` for an endless line or too many.
    """
    stream = io.TextIOWrapper(io.BytesIO(data), encoding=encoding_of(data), newline="" if keep_ends else None)
    count = 0
    while True:
        try:
            line = stream.readline(MAX_LINE + 1)
        except UnicodeError as broken:
            raise refused_encoding() from broken
        if not line:
            return
        count += 1
        if len(line) > MAX_LINE or count > MAX_LINES:
            raise too_complex()
        if "\0" in line:
            raise refused_encoding()
        yield line if keep_ends else line.rstrip("\n")


def numbers(places: Sequence[int]) -> str:
    """The numbers of entries or lines for a notice, the first ones only when there are many."""
    return ", ".join(map(str, places[:_NAMED])) + ("…" if len(places) > _NAMED else "")


def signed_minor_units(text: str, currency: str, *, decimal: str = "", guarded: bool = False) -> int:
    """Read an amount as banks write it, exactly: `1 440,00`, `-1.234,56`, `+1 006,60`, `500,`, `12.50-`, `(3,00)`.

    Args:
        text: the amount as written.
        currency: ISO 4217 code, gives the number of decimals.
        decimal: the decimal mark, `,` or `.`; empty to take the last mark of the amount for it.
        guarded: refuse `1.234`, which could be one thousand or one unit, when `decimal` does not say.
    Returns: minor units, with the sign as written.
    Raises: ValueError on anything that is not one amount, or has more decimals than the currency.
    """
    cleaned = _ENDS.sub("", text.translate(_SPACES).strip()[:60]).strip()
    sign = 1
    if cleaned.startswith("(") and cleaned.endswith(")"):
        sign, cleaned = -1, cleaned[1:-1].strip()
    elif cleaned[:1] in {"+", "-"}:
        sign, cleaned = (-1 if cleaned[0] == "-" else 1), cleaned[1:].strip()
    elif cleaned[-1:] in {"+", "-"}:
        sign, cleaned = (-1 if cleaned[-1] == "-" else 1), cleaned[:-1].strip()
    cleaned = _ENDS.sub("", cleaned).strip()
    if not _BODY.fullmatch(cleaned):
        raise ValueError("not an amount")
    mark = decimal or _decimal_mark(cleaned, guarded=guarded)
    whole, _mark, decimals = cleaned.partition(mark) if mark else (cleaned, "", "")
    if not whole.isdecimal():
        groups = {",": " .", ".": " ,", "": " .,"}[mark]
        if whole and not any(re.fullmatch(rf"[0-9]{{1,3}}(?:{re.escape(one)}[0-9]{{3}})+", whole) for one in groups):
            raise ValueError("not an amount")
        whole = re.sub("[^0-9]", "", whole) or "0"
    if decimals and not decimals.isdecimal():
        raise ValueError("not an amount")
    return sign * minor_units(f"{whole}.{decimals}" if decimals else whole, currency)


def _decimal_mark(body: str, *, guarded: bool) -> str:
    """The decimal mark of one amount: its last mark, unless it repeats."""
    last = max(body.rfind(","), body.rfind("."))
    if last < 0:
        return ""
    mark = body[last]
    if body.count(mark) > 1:
        return ""
    if guarded and re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", body):
        raise ValueError("could be thousands or decimals")
    return mark
