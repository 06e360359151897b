"""Spreadsheets of contributors: what they say is read, what would flood the reader is refused before it unfolds."""

import io
import time
import zipfile

import pytest

from backend.core.errors import Invalid
from backend.web.sheet_rows import Columns, guess, headings, read_work
from backend.web.sheets import MAX_CELL, MAX_FILE, read_sheet
from tests.workbooks import ods, ods_cell, packed, xlsx, xlsx_text

DAY = (
    '<table:table-cell office:value-type="date" office:date-value="2026-03-02"><text:p>02/03/26</text:p>'
    "</table:table-cell>"
)
TIME = (
    '<table:table-cell office:value-type="time" office:time-value="PT26H30M00S"><text:p>26:30</text:p>'
    "</table:table-cell>"
)
FAR = (
    '<table:table-row table:number-rows-repeated="{}"><table:table-cell table:number-columns-repeated="{}"/>'
    "</table:table-row>"
)
EMPTY = FAR.format(1_048_570, 16_384)


def cells(data: bytes) -> list[tuple[str, ...]]:
    """The rows of a file."""
    return [line.cells for line in read_sheet(data)]


def test_an_ods_with_days_durations_and_the_emptiness_behind() -> None:
    data = ods(ods_cell("Jour") + ods_cell("Quoi") + ods_cell("Durée"), DAY + ods_cell("=1+1") + TIME, EMPTY)
    assert cells(data) == [("Jour", "Quoi", "Durée"), ("2026-03-02", "=1+1", "26:30")]


def test_an_xlsx_with_days_durations_and_figures() -> None:
    data = xlsx(
        f'<row r="1">{xlsx_text("A1", "Date")}{xlsx_text("B1", "Work")}</row><row r="3"><c r="A3" s="1"><v>46083</v>'
        f'</c>{xlsx_text("B3", "a&#x202e;b")}<c r="C3" s="2"><v>1.0625</v></c><c r="D3"><v>0.30000000000000004</v></c>'
        "</row>"
    )
    read = read_sheet(data)
    assert [line.number for line in read] == [1, 3]
    assert read[1].cells == ("2026-03-02", "ab", "25:30", "0.3")


@pytest.mark.parametrize(
    ("data", "separator"),
    [
        ("Date;Tâche;Heures\n02/03/2026;relu à deux;1,5\n".encode(), ";"),
        ("Date;Tâche;Heures\n02/03/2026;relu à deux;1,5\n".encode("cp1252"), ";"),
        ("Date\tTâche\tHeures\n02/03/2026\trelu à deux\t1,5\n".encode("utf-16"), "\t"),
    ],
)
def test_a_csv_of_any_encoding_and_separator(data: bytes, separator: str) -> None:
    assert cells(data) == [("Date", "Tâche", "Heures"), ("02/03/2026", "relu à deux", "1,5")]


def bomb() -> bytes:
    """A sheet that is small folded and large unfolded."""
    return xlsx("", {"xl/sharedStrings.xml": b"<sst>" + b" " * 300_000_000 + b"</sst>"})


def liar() -> bytes:
    """An archive that announces ten letters where there are more."""
    data = bytearray(xlsx(f'<row r="1">{xlsx_text("A1", "x" * 1000)}</row>'))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    return bytes(data.replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"x" * (MAX_FILE + 1), "sheet_too_large"),
        (b"", "sheet_unreadable"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "sheet_unreadable"),
        (b"PK\x03\x04 and no archive", "sheet_unreadable"),
        (packed(mimetype="x"), "sheet_unreadable"),
        (b"Date;Work;Hours\n2026-03-02;" + b"x" * 900_000 + b";1\n", "sheet_too_large"),
        (b"Date;Work;Hours\n2026-03-02;" + b"x" * (MAX_CELL + 1) + b";1\n", "sheet_too_large"),
        (b"Date;Work;Hours\n" + b"2026-03-02;x;1\n" * 5_001, "sheet_too_large"),
        (xlsx(f'<row r="1">{xlsx_text("A1", "x" * (MAX_CELL + 1))}</row>'), "sheet_too_large"),
        (xlsx(f'<row r="1">{xlsx_text("A1", "x")}</row><row r="1048576">{xlsx_text("XFD1048576", "x")}</row>'),
         "sheet_too_large"),
        (xlsx(f'<row r="1">{xlsx_text("A1", "x")}</row><row r="1048576"><c><v>1</v></c></row>'), "sheet_too_large"),
        (xlsx('<row r="1">' + '<c><v>1</v></c>' * 60_001 + "</row>"), "sheet_too_large"),
        (ods(ods_cell("x", 'table:number-columns-repeated="16384"')), "sheet_too_large"),
        (ods(ods_cell("x", 'table:number-columns-repeated="4000000000"')), "sheet_too_large"),
        (ods(f'<table:table-row table:number-rows-repeated="1000000">{ods_cell("x")}</table:table-row>'),
         "sheet_too_large"),
        (ods(FAR.format(1000000, 1), ods_cell("x")), "sheet_too_large"),
        (ods(FAR.format(1, 4000000000)), "sheet_too_large"),
        (ods(*[ods_cell("x" * 50, 'table:number-columns-repeated="100"')] * 601), "sheet_too_large"),
        (ods(ods_cell("&a;"), head='<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'), "sheet_unreadable"),
        (ods(ods_cell("&b;"), head='<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'), "sheet_unreadable"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused_at_once(data: bytes, code: str) -> None:
    began = time.monotonic()
    with pytest.raises(Invalid) as refusal:
        read_sheet(data)
    assert refusal.value.code == code
    assert time.monotonic() - began < 5


def test_bombs_and_liars_are_refused() -> None:
    for data in (bomb(), liar()):
        assert len(data) < MAX_FILE
        with pytest.raises(Invalid):
            read_sheet(data)


def test_a_sound_workbook_passes_the_same_looking_through() -> None:
    assert cells(xlsx(f'<row r="1">{xlsx_text("A1", "x" * 1000)}</row>')) == [("x" * 1000,)]
    assert cells(ods(ods_cell("x", 'table:number-columns-repeated="3"'))) == [("x", "x", "x")]


# --- what rows say ----------------------------------------------------------------------------------------------------

TABLE = """Suivi de l’équipe;;;;;
Date;Qui;Tâche;Heures;Rétribution;Type
02/03/2026;Bo;relire la carte;1,5;1 250,50;Relecture
03/03/2026;bo;tracer;1h30;;
04/03/2026;Ana;rien;2;;
05/03/2026;Bo;=cmd|' /C calc'!A0;1:30;40 €;development
31/02/2026;Bo;trop tard;1;;
06/03/2026;Bo;long;deux;;
06/03/2026;Bo;cher;1;12,345;
;;;12;1290,50;
"""


def test_rows_are_read_and_errors_are_said_of_their_line() -> None:
    heads, rows = headings(read_sheet(TABLE.encode()))
    columns = guess(heads, rows, kind="development", me="Bo")
    assert columns.places == {"worked_on": 0, "person": 1, "description": 2, "duration": 3, "amount": 4, "kind": 5}
    assert (columns.date_format, columns.unit) == ("dmy", "hours")
    work = read_work(rows, columns, currency="EUR")
    assert [(one["minutes"], one["amount"], one["kind"]) for one in work.items] == [
        (90, 1250_50, "review"), (90, 0, "development"), (90, 40_00, "development"),
    ]  # fmt: skip
    assert work.items[2]["description"] == "=cmd|' /C calc'!A0"
    assert work.lines == [3, 4, 6]
    assert sorted(work.errors) == [7, 8, 9]
    assert "31/02/2026" in work.errors[7]
    assert (work.of_others, work.left_out) == ([5], [10])


def test_a_plain_figure_is_in_the_unit_that_was_chosen() -> None:
    _heads, rows = headings(read_sheet(b"2026-03-02;a;90\n2026-03-02;b;1.01\n2026-03-02;c;2 h\n"))
    for unit, minutes in (("minutes", [90, 1, 120]), ("hours", [5400, 61, 120])):
        columns = Columns(
            places={"worked_on": 0, "description": 1, "duration": 2}, date_format="ymd", unit=unit, kind="review"
        )
        assert [one["minutes"] for one in read_work(rows, columns, currency="EUR").items] == minutes


@pytest.mark.parametrize(
    ("heading", "unit"), [("Minutes", "minutes"), ("Durée (min)", "minutes"), ("Hours", "hours"), ("Temps", "hours")]
)
def test_the_unit_is_guessed_of_its_heading(heading: str, unit: str) -> None:
    heads, rows = headings(read_sheet(f"Date;Work;{heading}\n2026-03-02;a;1\n".encode()))
    assert guess(heads, rows, kind="review", me="").unit == unit
