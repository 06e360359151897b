"""Reads CSV statements, each bank's own: rows of bounded size, then lines by a layout."""

import csv
import hashlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import MAX_BYTES, ParsedStatement, StatementFileError, require_size, tidy
from backend.banking.formats.csv_layout import DATE_FORMATS, MAX_COLUMNS, Layout, guess, read_day, role_of
from backend.banking.formats.csv_lines import Row, assemble
from backend.banking.formats.texts import lines_of, too_complex

DELIMITERS = (";", "\t", "|", ",")
_MAX_ROWS = 50_000
_MAX_CELLS = 600_000
# Lines before the header in which some banks write the name of the account and the period.
_PREAMBLE = 30
_PEEK = 60
_LOOKED = 200  # rows in which a day is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A CSV file as cells: the header (empty when there is none), and the rows behind it with their line numbers."""

    delimiter: str
    headers: tuple[str, ...]
    rows: tuple[Row, ...]


def looks_like_csv(start: bytes) -> bool:
    """Whether the start of a file is rows of at least three cells, two of them alike."""
    try:
        lines = list(itertools.islice(lines_of(start.rpartition(b"\n")[0] or start), _PEEK))
    except StatementFileError:
        return False
    return bool(_delimiter_of(lines))


def _delimiter_of(lines: Sequence[str]) -> str:
    """The mark between cells: the one that cuts the most lines into the same number of cells, three at least."""
    best = (0, 0, "")
    for mark in DELIMITERS:
        widths: defaultdict[int, int] = defaultdict(int)
        for row in csv.reader(lines, delimiter=mark):
            widths[len(row)] += 1
        width, count = max(widths.items(), key=lambda pair: (pair[1] if pair[0] >= 3 else 0, pair[0]), default=(0, 0))
        if width >= 3 and count >= 2 and (count, width) > best[:2]:
            best = (count, width, mark)
    return best[2]


def read_table(data: bytes, max_bytes: int = MAX_BYTES) -> Table:
    """The cells of a CSV file, whatever they mean.

    Raises: StatementFileError when it is no table, too large, too long, or its quotes are broken.
    """
    require_size(data, max_bytes)
    delimiter = _delimiter_of(list(itertools.islice(lines_of(data, keep_ends=True), _PEEK)))
    if not delimiter:
        raise _not_a_table()
    rows: list[Row] = []
    cells = 0
    reader = csv.reader(lines_of(data, keep_ends=True), delimiter=delimiter)
    try:
        for row in reader:
            cells += len(row)
            if len(row) > MAX_COLUMNS or len(rows) > _MAX_ROWS or cells > _MAX_CELLS:
                raise too_complex()
            if any(cell and not cell.isspace() for cell in row):
                rows.append(Row(reader.line_num, row))
    except csv.Error as broken:
        raise StatementFileError(
            "statement_csv_damaged",
            _("This CSV file cannot be cut into cells at line %(line)s: download it from the bank again."),
            line=reader.line_num,
        ) from broken
    head = _header_place([row.cells for row in rows[:_PREAMBLE]])
    named = head is not None and any(role_of(cell) for cell in rows[head].cells)
    looked = rows[:_LOOKED]
    # Nothing names a column and hardly a row has a day: a text with a table in it, not operations.
    if not named and 3 * sum(_has_day(row) for row in looked) < len(looked):
        raise _not_a_table()
    if head is None:
        return Table(delimiter=delimiter, headers=(), rows=tuple(rows))
    headers = [tidy(cell, 80) for cell in rows[head].cells]
    while headers and not headers[-1]:
        headers.pop()
    return Table(delimiter=delimiter, headers=tuple(headers), rows=tuple(rows[head + 1 :]))


def _has_day(row: Row) -> bool:
    return any(read_day(cell, name) for cell in row.cells for name in DATE_FORMATS)


def _not_a_table() -> StatementFileError:
    return StatementFileError(
        "statement_unknown_format",
        _("This file is not a bank statement that can be read here: download it as camt.053, MT940, OFX or CSV."),
    )


def _header_place(rows: Sequence[Sequence[str]]) -> int | None:
    """The row that names the columns: some names known, or a first row of three cells that holds no figure."""
    for place, row in enumerate(rows):
        known = {role for cell in row if (role := role_of(cell))}
        if len(known) >= 3 or (len(known) == 2 and known & {"amount", "debit", "credit"}):
            return place
    for place, row in enumerate(rows[:5]):
        if len([cell for cell in row if cell]) >= 3:
            is_data = any(read_day(cell, name) for cell in row for name in ("ymd", "dmy"))
            return None if is_data or any(re.fullmatch(r"[-+0-9., ]+", cell) for cell in row) else place
    return None


def guess_layout(table: Table) -> Layout:
    """The layout that the file suggests; it may lack columns: see `Layout.missing`."""
    return guess(table.headers, [row.cells for row in table.rows[:1000]], table.delimiter)


def fits(layout: Layout, table: Table) -> bool:
    """Whether a layout was made for files with this very header (or this many columns, when they have none)."""
    if layout.headers or table.headers:
        return layout.headers == table.headers
    return all(len(row.cells) == layout.width for row in table.rows[:20])


def read(
    data: bytes, max_bytes: int = MAX_BYTES, *, layout: Layout | None = None, currency: str = "EUR"
) -> list[ParsedStatement]:
    """Read a CSV statement.

    Args: layout: which column is what; None to guess. currency: that of the account, for files that do not say it.
    Returns: a statement for each account and currency that the file tells apart, in its order.
    Raises: StatementFileError, the file being refused whole; `statement_csv_columns` when a person must choose.
    """
    table = read_table(data, max_bytes)
    chosen = layout or guess_layout(table)
    if chosen.missing():
        raise StatementFileError(
            "statement_csv_columns",
            _("Which column is the date and which the amount cannot be told: choose the columns on the import page."),
        )
    if layout is not None and not fits(layout, table):
        raise StatementFileError(
            "statement_csv_other_columns",
            _("The columns of this file are not those of the saved layout: choose them again on the import page."),
        )
    columns = hashlib.sha256(json.dumps(chosen.to_json(), sort_keys=True).encode()).hexdigest()[:12]
    return [replace(one, format=f"csv:{columns}") for one in assemble(table.rows, chosen, currency)]
