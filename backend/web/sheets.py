"""Spreadsheets as rows of texts: CSV, XLSX and ODS, the first sheet. Sizes are bounded before anything is unfolded."""

import datetime
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from django.utils.translation import gettext_lazy as _
from python_calamine import CalamineWorkbook

from backend.banking.formats.base import StatementFileError
from backend.banking.formats.csv_file import read_table
from backend.core.errors import Invalid
from backend.core.text import UNREADABLE, plain

MAX_FILE = 1_000_000
MAX_ROWS = 5_000
MAX_COLUMNS = 100
MAX_CELLS = 60_000
MAX_CELL = 2_000  # letters: a description has 500
_UNPACKED = 10_000_000
_MEMBERS = 500
_REPEATED = {"number-rows-repeated": 1_048_576, "number-columns-repeated": 16_384}
_LASTING = re.compile(r"PT([0-9]{1,5})H([0-9]{2})M[0-9]{2}(?:[.,][0-9]{1,9})?S", re.ASCII)
_LOOK = ("style-name", "number-columns-repeated", "number-columns-spanned", "number-rows-spanned")
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its number as the spreadsheet counts, and its cells."""

    number: int
    cells: tuple[str, ...]


def _unreadable() -> Invalid:
    return Invalid(
        "sheet_unreadable",
        _("This file cannot be read: save it as CSV, XLSX or ODS, with a heading above each of its columns."),
        param="file",
    )


def _too_large() -> Invalid:
    return Invalid(
        "sheet_too_large",
        _(
            "This file holds too much: at most 1 MB, 5,000 rows, 100 columns and 2,000 letters in a cell. Keep the "
            "sheet of your work alone."
        ),
        param="file",
    )


def read_sheet(data: bytes) -> list[Line]:
    """The rows of a table that are not empty, headings included.

    Raises: Invalid `sheet_unreadable`, `sheet_too_large`.
    """
    if len(data) > MAX_FILE:
        raise _too_large()
    found = _workbook(data) if data.startswith(b"PK") else _csv(data)
    lines = []
    for number, cells in found:
        if number > MAX_ROWS or len(cells) > MAX_COLUMNS or any(len(cell) > MAX_CELL for cell in cells):
            raise _too_large()
        tidied = tuple(" ".join(UNREADABLE.sub(" ", plain(cell)).split()) for cell in cells)
        if any(tidied):
            lines.append(Line(number, tidied))
    if not lines:
        raise _unreadable()
    return lines


def _csv(data: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        table = read_table(data, MAX_FILE)
    except StatementFileError as refusal:
        raise (_too_large() if refusal.code == "statement_too_complex" else _unreadable()) from refusal
    if table.headers:
        yield table.rows[0].number - 1 if table.rows else 1, list(table.headers)
    for row in table.rows:
        yield row.number, list(row.cells)


# --- workbooks --------------------------------------------------------------------------------------------------------


def _workbook(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The first sheet of a workbook."""
    slim = _unfolded(data)
    try:
        sheet = CalamineWorkbook.from_object(io.BytesIO(slim)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except BaseException as broken:
        # What a library written in Rust did not foresee comes as a panic, which is no Exception.
        if isinstance(broken, Exception) or type(broken).__name__ == "PanicException":
            raise _unreadable() from broken
        raise
    for number, cells in enumerate(rows, start=1):
        yield number, [_text(cell) for cell in cells]


def _unfolded(data: bytes) -> bytes:
    """The same workbook with its tables of bounded size alone, each of them looked through, and not compressed.

    The library makes room for the last cell that a file names, and repeats what a file says to repeat; the weights that
    an archive announces need not be true.
    """
    slim = io.BytesIO()
    left = _UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(slim, "w") as kept:
            members = [one for one in given.infolist() if one.filename.endswith((".xml", ".rels", "mimetype"))]
            if len(members) > _MEMBERS or len({one.filename for one in members}) != len(members):
                raise _too_large()
            for one in members:
                with given.open(one) as stream:
                    content = stream.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise _too_large()
                if one.filename.endswith(".xml"):
                    _look_through(io.BytesIO(content))
                kept.writestr(one.filename, content)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as broken:
        raise _unreadable() from broken
    except (ParseError, DefusedXmlException, ValueError) as broken:
        raise _unreadable() from broken
    return slim.getvalue()


def _look_through(stream: IO[bytes]) -> None:
    """Refuse a part of a workbook that would unfold to more than a table of bounded size, or that has entities."""
    row, cells = 0, 0
    for event, one in iterparse(stream, events=("start", "end"), forbid_dtd=True):
        name = _local(one.tag)
        if event == "start":
            if name == "table":
                row = 0
            continue
        if name in {"si", "c"} and sum(map(len, one.itertext())) > MAX_CELL:
            raise _too_large()
        if name == "row":
            cells += _of_xlsx(one)
            one.clear()
        elif name == "table-row":
            times = _times(one, "number-rows-repeated")
            width, filled, letters = _of_ods(one)
            row += times
            cells += filled * times
            if filled and (row > MAX_ROWS or width > MAX_COLUMNS or letters > MAX_CELL):
                raise _too_large()
            one.clear()
        if cells > MAX_CELLS:
            raise _too_large()


def _of_xlsx(row: Element) -> int:
    """How many cells of a row hold something; refuses one that is too far away."""
    filled = [cell for cell in row if _local(cell.tag) == "c" and len(cell)]
    places = [cell.get("r", "") for cell in filled]
    if filled and int(row.get("r", "1")) > MAX_ROWS:
        raise _too_large()
    for place in filter(None, places):
        found = _PLACE.fullmatch(place)
        if found is None:
            raise _unreadable()
        column = 0
        for letter in found[1]:
            column = column * 26 + ord(letter) - 64
        if column > MAX_COLUMNS or int(found[2]) > MAX_ROWS:
            raise _too_large()
    return len(filled)


def _of_ods(row: Element) -> tuple[int, int, int]:
    """Of a row: the column after its last cell that holds something, how many do, the letters of the longest."""
    place, width, filled, letters = 0, 0, 0, 0
    for cell in row:
        times = _times(cell, "number-columns-repeated")
        place += times
        if len(cell) or any(_local(name) not in _LOOK for name in cell.attrib):
            width, filled = place, filled + times
            longest = max(map(len, cell.attrib.values()), default=0)
            letters = max(letters, longest, sum(map(len, cell.itertext())))
    return width, filled, letters


def _times(one: Element, name: str) -> int:
    """How often a row or a cell is said to stand there."""
    said = next((value for key, value in one.attrib.items() if _local(key) == name), "1")
    times = int(said)
    if not 1 <= times <= _REPEATED[name]:
        raise _too_large()
    return times


def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]


def _text(cell: Any) -> str:
    """A cell as a person would type it."""
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ", timespec="minutes")
    if isinstance(cell, datetime.timedelta):
        minutes = round(cell.total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
    if isinstance(cell, datetime.time):
        return f"{cell.hour}:{cell.minute:02}"
    if isinstance(cell, float):
        return f"{cell:.6f}".rstrip("0").rstrip(".")  # 0.1 + 0.2 is kept as 0.30000000000000004
    if isinstance(cell, str) and (told := _LASTING.fullmatch(cell)):  # a duration of ODS, as its file writes it
        return f"{int(told[1])}:{told[2]}"
    return str(cell)
