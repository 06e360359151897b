"""hledger, beancount and tables: exact bytes with 0, 2 and 3 decimals; the tools accept them; names stay names."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from beancount import loader
from beancount.core.data import Transaction

from backend.exports import tables
from backend.exports.beancount import beancount
from backend.exports.extract import Extract
from backend.exports.hledger import hledger
from backend.ledger import chart
from tests.exports import books, readers
from tests.exports.books import currencies, euros, text

SAMPLES = Path(__file__).resolve().parent.parent / "samples" / "exports"
WRITERS: dict[str, Callable[[Extract], Iterator[str]]] = {
    "journal": hledger, "beancount": beancount, "journal.csv": tables.journal, "balance.csv": tables.balance,
}  # fmt: skip
# Bank 12 € (say) of the year before, its result, and this year's work all but one smallest unit.
TOTALS = {
    ("120", "XPF"): Decimal(-12_000), ("512", "XPF"): Decimal(12_000),
    ("6226", "XPF"): Decimal(11_999), ("401", "XPF"): Decimal(-11_999),
    ("120", "EUR"): Decimal("-12.34"), ("512", "EUR"): Decimal("12.34"),
    ("6226", "EUR"): Decimal("12.33"), ("401", "EUR"): Decimal("-12.33"),
    ("120", "TND"): Decimal("-1.234"), ("512", "TND"): Decimal("1.234"),
    ("6226", "TND"): Decimal("1.233"), ("401", "TND"): Decimal("-1.233"),
}  # fmt: skip


@pytest.mark.parametrize("ending", WRITERS)
def test_a_year_is_these_bytes_each_time(ending: str) -> None:
    extract = currencies().extract(2025)
    for _again in range(2):
        assert text(WRITERS[ending](extract)).encode() == (SAMPLES / f"currencies-2025.{ending}").read_bytes()


def test_all_formats_say_the_same_with_0_2_and_3_decimals(tmp_path: Path) -> None:
    data = {ending: text(write(currencies().extract(2025))).encode() for ending, write in WRITERS.items()}
    assert readers.of_hledger(data["journal"], tmp_path) == TOTALS
    assert readers.of_beancount(data["beancount"], tmp_path) == TOTALS
    assert readers.of_journal(data["journal.csv"]) == TOTALS
    assert readers.of_balance(data["balance.csv"]) == TOTALS


def test_the_whole_of_the_books_has_no_opening(tmp_path: Path) -> None:
    whole = euros().extract()
    wanted = {
        ("401", "EUR"): Decimal(-5), ("512", "EUR"): Decimal(10), ("6226", "EUR"): Decimal(95),
        ("706", "EUR"): Decimal(-5), ("7541", "EUR"): Decimal(-95),
    }  # fmt: skip
    assert readers.of_hledger(text(hledger(whole)).encode(), tmp_path) == wanted
    assert readers.of_beancount(text(beancount(whole)).encode(), tmp_path) == wanted
    assert readers.of_balance(text(tables.balance(whole)).encode()) == wanted
    assert "AN-" not in text(hledger(whole))


def test_an_empty_stretch_is_a_sound_file(tmp_path: Path) -> None:
    nothing = books.Books().extract(2025)
    assert readers.of_hledger(text(hledger(nothing)).encode(), tmp_path) == {}
    assert readers.of_beancount(text(beancount(nothing)).encode(), tmp_path) == {}
    assert text(tables.journal(nothing)) == ",".join(tables.JOURNAL) + "\r\n"


NASTY = [
    'Bo "le \\ vrai" Nguyen', "[2001-01-01] date:2001-01-01, date2:2002", "Bo ; 1 EUR", "a\n2001-01-01 open X",
    "=HYPERLINK(1)", "é" * 70, "@Bo", "| {USD} * !",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_nothing_but_a_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(books.NAMES, "pye_1", [(books.NAMES["pye_1"][0][0], name)])
    ledger = euros()
    readers.of_hledger(text(hledger(ledger.extract())).encode(), tmp_path)
    assert text(hledger(ledger.extract())).count("\n2024-12-31 * (AC-000001) Répartition approuvée\n") == 1
    data = text(beancount(ledger.extract()))
    readers.of_beancount(data.encode(), tmp_path)
    entries, _errors, _options = loader.load_string(data)
    told = {
        posting.meta["payee"]
        for entry in entries if isinstance(entry, Transaction)
        for posting in entry.postings if posting.meta and "payee" in posting.meta
    }  # fmt: skip
    assert told == {name.replace("\n", " ")}
    dates = [entry.date for entry in entries if isinstance(entry, Transaction)]
    assert dates == sorted(one.happened_on for one in ledger.entries)
    cells = [row.split(",")[16] for row in text(tables.journal(ledger.extract())).splitlines() if ",pye_1," in row]
    assert cells
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_each_entry_carries_what_it_is_found_by(tmp_path: Path) -> None:
    entries, _errors, _options = loader.load_string(text(beancount(euros().extract())))
    undone = next(one for one in entries if isinstance(one, Transaction) and one.meta.get("entry") == "ent_6")
    assert {key: undone.meta[key] for key in ("position", "number", "kind", "reference", "reverses")} == {
        "position": Decimal(6), "number": "BQ-000003", "kind": "bank.unidentified.reversed", "reference": "plg_6",
        "reverses": "ent_5",
    }  # fmt: skip
    assert undone.meta["sealed-on"] == date(2025, 2, 2)
    rows = text(hledger(euros().extract())).split("\n\n")
    found = next(row for row in rows if "; entry: ent_6\n" in row)
    for tag in ("position: 6", "kind: bank.unidentified.reversed", "reverses: ent_5", "sealed: 2025-02-02",
                "booked: 2025-02-02T10:00:00.000000Z"):  # fmt: skip
        assert f"    ; {tag}\n" in found


def test_a_volunteer_s_time_is_outside_the_result() -> None:
    ledger = books.Books()
    ledger.add("other", "2024-02-01", [("budget", 50_00, "864"), ("budget", -50_00, "875")])
    lines = text(hledger(ledger.extract())).splitlines()
    assert "    Expenses:864:Budget:Acc-budget-EUR  50.00 EUR" in lines
    assert "    Income:875:Budget:Acc-budget-EUR  -50.00 EUR" in lines
    assert ledger.extract(2025).opening() is None
    assert chart.journal_of("other") == "OD"
