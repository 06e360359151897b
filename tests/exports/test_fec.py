"""The FEC: exact bytes, the rules of the tax office's checker, the shape of a file it accepted, refusals."""

import re
from datetime import date

import pytest
from accounting_fr.fec_check import check_fec

from backend.core.errors import Conflict
from backend.exports.extract import opening_of
from backend.exports.fec import COLUMNS, fec, file_name, lawful
from tests.conftest import SHARED
from tests.exports import books
from tests.exports.books import Books, currencies, euros, names, text

# JournalCode … Idevise, tabs shown as “→”.
YEAR = """\
JournalCode→JournalLib→EcritureNum→EcritureDate→CompteNum→CompteLib→CompAuxNum→CompAuxLib→PieceRef→PieceDate→\
EcritureLib→Debit→Credit→EcritureLet→DateLet→ValidDate→Montantdevise→Idevise
AN→À-nouveaux→000001→20250101→120→Résultat de l’exercice (excédent)→→→AN2025→20250101→À-nouveaux→0,00→10,00→→→20250101→→
AN→À-nouveaux→000001→20250101→401→Fournisseurs→pye_1→Bo Nguyễn→AN2025→20250101→À-nouveaux→0,00→90,00→→→20250101→→
AN→À-nouveaux→000001→20250101→512→Banques→→→AN2025→20250101→À-nouveaux→100,00→0,00→→→20250101→→
OD→Opérations diverses→000001→20250102→401→Fournisseurs→pye_1→Bo Nguyễn→plg_3→20250102→\
Remise de virements transmise à la banque→90,00→0,00→→→20250102→→
OD→Opérations diverses→000001→20250102→580→Virements internes→→→plg_3→20250102→\
Remise de virements transmise à la banque→0,00→90,00→→→20250102→→
BQ→Banque→000001→20250103→580→Virements internes→→→plg_4→20250103→Virements vus sur le relevé→90,00→0,00→→→20250103→→
BQ→Banque→000001→20250103→512→Banques→→→plg_4→20250103→Virements vus sur le relevé→0,00→90,00→→→20250103→→
BQ→Banque→000002→20250201→512→Banques→→→plg_5→20250201→Ligne bancaire à identifier→0,07→0,00→→→20250201→→
BQ→Banque→000002→20250201→471→Comptes d’attente→→→plg_5→20250201→Ligne bancaire à identifier→0,00→0,07→→→20250201→→
BQ→Banque→000003→20250202→512→Banques→→→plg_6→20250202→Annulation : Ligne bancaire à identifier→0,00→0,07→→→\
20250202→→
BQ→Banque→000003→20250202→471→Comptes d’attente→→→plg_6→20250202→Annulation : Ligne bancaire à identifier→0,07→0,00→→→\
20250202→→
AC→Achats→000001→20250701→6226→Honoraires des contributeurs→→→plg_7→20250701→Répartition approuvée→5,00→0,00→→→\
20250701→→
AC→Achats→000001→20250701→401→Fournisseurs→pye_1→L’Œuvre de Bo =1+1→plg_7→20250701→Répartition approuvée→0,00→5,00→→→\
20250701→→
"""


def test_a_year_is_these_bytes_each_time() -> None:
    ledger = euros()
    for _again in range(2):
        assert text(fec(ledger.extract(2025))) == YEAR.replace("→", "\t").replace("\n", "\r\n")


def test_the_first_year_has_no_opening() -> None:
    rows = [row.split("\t") for row in text(fec(euros().extract(2024))).splitlines()[1:]]
    assert [(row[0], row[2], row[4], row[11], row[12]) for row in rows] == [
        ("BQ", "000001", "512", "100,00", "0,00"), ("BQ", "000001", "7541", "0,00", "95,00"),
        ("BQ", "000001", "706", "0,00", "5,00"),
        ("AC", "000001", "6226", "90,00", "0,00"), ("AC", "000001", "401", "0,00", "90,00"),
    ]  # fmt: skip


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_the_rules_of_the_checker_hold(year: int) -> None:
    extract = euros().extract(year)
    for content in (lawful(text(fec(extract))), text(fec(extract)).encode()):
        report = check_fec(content, file_name("123456782", date(year, 12, 31)), date(year, 1, 1), date(year, 12, 31))
        assert (report.errors, report.warnings) == ([], [])
        assert report.stats["total_debit"] == {2024: "190.00", 2025: "285.14", 2026: "10.00"}[year]


def test_the_law_s_characters() -> None:
    written = lawful("À-nouveaux : Bo Nguyễn, L’Œuvre, 5 €, Łódź, 王")
    assert written == "À-nouveaux : Bo Nguyen, L'Œuvre, 5 €, Lódz, Wang".encode("iso8859-15")


# The form of the records of a file that the tax office's own checker accepted.
ACCEPTED = """\
JournalCode|JournalLib|EcritureNum|EcritureDate|CompteNum|CompteLib|CompAuxNum|CompAuxLib|PieceRef|PieceDate|\
EcritureLib|Debit|Credit|EcritureLet|DateLet|ValidDate|MontantDevise|Idevise|
VE  |VE11|00000001|20230109|70100000|VENTES      |        |            |VE  0123|20230109|VENTE   |0000000000,00|\
0000000069,60|  |        |20240331|||
"""
FORMS = {
    "EcritureNum": r"\d{6,8}", "EcritureDate": r"20\d{6}", "CompteNum": r"[1-8]\d{2,7}", "PieceDate": r"20\d{6}",
    "Debit": r"\d+,\d\d", "Credit": r"\d+,\d\d", "ValidDate": r"20\d{6}",
}  # fmt: skip


def test_the_shape_is_that_of_a_file_the_tax_office_accepted() -> None:
    ours = [row.split("\t") for row in text(fec(euros().extract(2025))).splitlines()]
    files = [ACCEPTED]
    if SHARED.is_dir():
        files.append((SHARED / "samples/fec/111111111FEC20221231.TXT").read_text(encoding="iso8859-15"))
    for theirs in ([row.split("|")[:18] for row in file.splitlines()] for file in files):
        assert [name.lower() for name in ours[0]] == [name.strip().lower() for name in theirs[0]]
        for row in [*theirs[1:], *ours[1:]]:
            assert len(row) == 18
            for name, form in FORMS.items():
                assert re.fullmatch(form, row[COLUMNS.index(name)].strip()), (name, row)


def test_nothing_is_converted() -> None:
    with pytest.raises(Conflict) as refusal:
        text(fec(currencies().extract(2024)))
    assert refusal.value.code == "fec_other_currency"
    assert "ent_1 is in XPF" in str(refusal.value)
    with pytest.raises(Conflict) as before:
        text(fec(currencies().extract(2026)))
    assert before.value.code == "fec_other_currency"


def test_results_add_up_until_an_entry_shares_them_out() -> None:
    ledger = Books()
    ledger.add("payment.received", "2021-05-01", [("bank", 100, "512"), ("budget", -100, "7541")])
    ledger.add("other", "2022-05-01", [("host_fees", 100, "120"), ("host_fees", -100, "110")])
    ledger.add("payment.taken_back", "2022-06-01", [("bank", -150, "512"), ("budget", 150, "7541")])

    def opening(year: int) -> list[tuple[str, int]]:
        found = opening_of(ledger.extract(year).before(), date(year, 1, 1), names())
        return [(line.chart, line.amount) for line in found.lines] if found else []

    assert opening(2021) == []
    assert opening(2022) == [("120", -100), ("512", 100)]
    opened = euros().extract(2026).opening()
    assert opened is not None
    assert [line.chart for line in opened.lines] == ["120", "401", "512"]  # 58 and 471 are at zero
    # The surplus was moved to 110, the deficit of 2022 remains: it is not the surplus less the deficit under 120.
    assert opening(2023) == [("110", -100), ("129", 150), ("512", -50)]
    ledger.add("other", "2023-05-01", [("host_fees", -150, "129"), ("host_fees", 150, "119")])
    assert opening(2024) == [("110", -100), ("119", 150), ("512", -50)]


def test_opening_lines_are_dated_by_their_seals_never_by_the_clock() -> None:
    ledger = euros()
    late = ledger.entries[1]
    ledger.entries[1] = type(late)(**{**vars(late), "sealed_on": date(2025, 1, 7)})
    rows = [row.split("\t") for row in text(fec(ledger.extract(2025))).splitlines()]
    assert {row[15] for row in rows if row[0] == "AN"} == {"20250107"}


def test_a_payee_without_a_name_any_more_is_told_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    for left in ([], [(books.NAMES["pye_1"][0][0], "")]):
        monkeypatch.setitem(books.NAMES, "pye_1", left)
        rows = [row.split("\t") for row in text(fec(euros().extract(2025))).splitlines()[1:]]
        assert {(row[6], row[7]) for row in rows} == {("", ""), ("pye_1", "pye_1")}


def test_an_entry_older_than_the_archive_takes_its_first_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(books.NAMES, "pye_1", books.NAMES["pye_1"][1:])
    rows = [row.split("\t") for row in text(fec(euros().extract(2025))).splitlines()[1:]]
    assert {row[7] for row in rows} == {"", "L’Œuvre de Bo =1+1"}
