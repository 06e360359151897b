"""The CSV reader: each bank's own columns, exact amounts, what is left out and said, what is never guessed."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.banking.formats import StatementFileError, detect, read_statements
from backend.banking.formats.base import ParsedStatement
from backend.banking.formats.csv_file import fits, guess_layout, read, read_table
from backend.banking.formats.csv_layout import Layout, decimal_of, guess, read_day, role_of
from backend.banking.formats.texts import signed_minor_units
from backend.core.money import decimal_text
from tests.conftest import SHARED

OWN = Path(__file__).resolve().parents[1] / "samples" / "bank"
CSV = SHARED / "samples" / "bank" / "csv"
IBAN = "FR7630006000011234567890189"

# account, currency, operations, credits, debits, opening, closing, ties, gap
Figures = tuple[str, str, int, int, int, int | None, int | None, str, int | None]
EXPECTED: dict[Path, list[Figures]] = {
    OWN / "csv-debit-credit.csv": [("", "EUR", 4, 126850, 100000, 10000, 36850, "yes", 0)],
    OWN / "csv-newest-first.csv": [("", "EUR", 2, 125050, 120400, 0, 4650, "yes", 0)],
    OWN / "csv-marks.csv": [("NL91ABNA0417164300", "EUR", 2, 123456, 99, None, None, "unknown", None)],
    OWN / "csv-accounts.csv": [
        (IBAN, "EUR", 2, 1000, 400, None, None, "unknown", None),
        ("CH9300762011623852957", "CHF", 1, 0, 350, None, None, "unknown", None),
    ],
}
SHARED_EXPECTED: dict[Path, list[Figures]] = {
    CSV / "boursobank-bourso-api.csv": [("00012345678", "EUR", 3, 171870, 57712, -108929, 3729, "no", -1500)],
    CSV / "credit_mutuel-afup-cmut.csv": [("", "EUR", 3, 6403, 459679, 1356604, 878032, "no", -25296)],
    CSV / "credit_mutuel-afup-cmut_extra_columns.csv": [("", "EUR", 11, 509800, 5700, 2331869, 2835969, "yes", 0)],
    CSV / "bsp-csv_european_decimals.csv": [
        ("DE89370400440532013000", "EUR", 3, 350000, 123906, None, None, "unknown", None)
    ],
    CSV / "bsp-csv_french_headers.csv": [("", "EUR", 3, 350000, 123906, None, None, "unknown", None)],
    SHARED / "samples" / "hostile" / "formula_label.csv": [("", "EUR", 2, 2000, 0, 10000, 12000, "yes", 0)],
}
if CSV.is_dir():
    EXPECTED |= SHARED_EXPECTED


def figures(one: ParsedStatement) -> Figures:
    """What the tables above state."""
    opening, closing = one.opening, one.closing
    return (
        one.account, one.currency, one.entries, one.credits, one.debits, opening.amount if opening else None,
        closing.amount if closing else None, one.ties, one.gap,
    )  # fmt: skip


def file(*rows: str, header: str = "Date;Libellé;Montant;Solde") -> bytes:
    """A CSV with a header."""
    return "\n".join([header, *rows, ""]).encode()


def amounts(data: bytes) -> list[int]:
    """The amounts of the only statement."""
    (one,) = read_statements(data)
    return [line.amount for line in one.lines]


def notices(data: bytes) -> set[str]:
    """What the reader says besides."""
    return {notice.code for one in read_statements(data) for notice in one.warnings}


def refused(data: bytes) -> StatementFileError:
    """The refusal of a file."""
    with pytest.raises(StatementFileError) as refusal:
        read_statements(data)
    return refusal.value


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.name)
def test_figures_are_exact(path: Path) -> None:
    assert detect(path.read_bytes()) == "csv"
    assert [figures(one) for one in read_statements(path.read_bytes())] == EXPECTED[path]


def test_a_preamble_a_total_and_empty_cells_are_no_operations() -> None:
    (one,) = read_statements((OWN / "csv-debit-credit.csv").read_bytes())
    assert [line.amount for line in one.lines] == [125050, 900, 900, -100000]
    first = one.lines[0]
    assert (first.booked_on, first.value_on) == (datetime.date(2026, 3, 2), datetime.date(2026, 3, 2))
    assert (first.remittance, first.entry) == ("VIR LA FABRIQUE DU PORT soutien", 3)
    assert {notice.code for notice in one.warnings} == {"csv_left_out", "csv_no_currency"}


def test_the_newest_first_is_turned_round() -> None:
    (one,) = read_statements((OWN / "csv-newest-first.csv").read_bytes())
    assert [(line.amount, line.booked_on) for line in one.lines] == [
        (125050, datetime.date(2026, 3, 2)), (-120400, datetime.date(2026, 3, 9)),
    ]  # fmt: skip
    assert one.lines[0].counterparty_iban == "DE89370400440532013000"


def test_operations_of_one_day_are_put_in_the_order_of_their_balances() -> None:
    data = file("02/03/2026;b;-5,00;105,00", "02/03/2026;a;10,00;110,00")
    (one,) = read_statements(data)
    assert [line.remittance for line in one.lines] == ["a", "b"]
    assert figures(one)[5:] == (10000, 10500, "yes", 0)


def test_a_balance_that_does_not_follow_is_said() -> None:
    data = file("02/03/2026;a;10,00;110,00", "03/03/2026;b;1,00;112,00")
    assert figures(read_statements(data)[0])[5:] == (10000, 11200, "no", 100)
    assert "csv_broken_chain" in notices(data)


def test_identical_rows_are_two_operations() -> None:
    assert amounts(file("02/03/2026;don;9,00;", "02/03/2026;don;9,00;")) == [900, 900]


@pytest.mark.parametrize(("debits", "expected"), [(("5,00", "3,00"), [-500, -300]), (("-5,00", "-3,00"), [-500, -300])])
def test_debits_are_written_with_or_without_their_sign(debits: tuple[str, str], expected: list[int]) -> None:
    rows = [f"0{day}/03/2026;x;{debit};" for day, debit in enumerate(debits, start=2)]
    assert amounts(file(*rows, header="Date;Libellé;Débit;Crédit")) == expected


@pytest.mark.parametrize(
    ("rows", "header", "code"),
    [
        (["02/03/2026;x;1,00;", "03/03/2026;x;-1,00;"], "Date;Libellé;Débit;Crédit", "statement_csv_row"),
        (["02/03/2026;x;1,00;2,00"], "Date;Libellé;Débit;Crédit", "statement_csv_row"),
        (["02/03/2026;1,00;?", "03/03/2026;1,00;D"], "Date;Montant;Sens", "statement_csv_row"),
        (["02/03/2026;x;1,00", "demain;x;9,00", "03/03/2026;x;1,00"], "Date;Libellé;Montant", "statement_csv_row"),
        (["02/03/2026;x;1.000;", "02/03/2026;x;2.000;"], "Date;Libellé;Montant;Solde", "statement_csv_amount"),
        (["02/03/2026;x;1,00;", "02/03/2026;x;=1+1;"], "Date;Libellé;Montant;Solde", "statement_csv_amount"),
        (["02/03/2026;x;1,00;", "02/03/2026;x;1,005;"], "Date;Libellé;Montant;Solde", "statement_csv_amount"),
        (["02/03/2026;1,00;euros", "03/03/2026;1,00;euros"], "Date;Montant;Devise", "statement_csv_row"),
        (["02/03/2026;1,00;1,00;9", "03/03/2026;1,00;2,00;9"], "Date;Montant;Solde", "statement_csv_row"),
        (["un;deux;trois", "quatre;cinq;six"], "Alpha;Beta;Gamma", "statement_unknown_format"),
        (["x;y;z", "x;y;z"], "Date;Montant;Solde", "statement_none"),
    ],
)  # fmt: skip
def test_money_is_never_guessed(rows: list[str], header: str, code: str) -> None:
    assert refused(file(*rows, header=header)).code == code


def test_one_amount_that_proves_the_mark_explains_the_others() -> None:
    assert amounts(file("02/03/2026;x;1.234;", "02/03/2026;x;2,50;")) == [123400, 250]
    assert amounts(file("02/03/2026;x;1,234;", "02/03/2026;x;2.50;")) == [123400, 250]


def test_the_mark_between_cells_inside_a_label_is_put_together_again() -> None:
    data = file("02/03/2026;a;b;c;1,00;1,00", "03/03/2026;d;2,00;3,00")
    (one,) = read_statements(data)
    assert [(line.remittance, line.amount) for line in one.lines] == [("a;b;c", 100), ("d", 200)]
    assert "csv_merged" in notices(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
def test_encodings_ends_of_line_and_marks(encoding: str, ends: str, mark: str) -> None:
    rows = ["Date;Libellé;Montant", "02/03/2026;été à Orléans;1.00", "03/03/2026;été;-2.50"]
    data = ends.join(row.replace(";", mark) for row in rows).encode(encoding)
    (one,) = read_statements(data)
    assert [(line.amount, line.remittance) for line in one.lines] == [(100, "été à Orléans"), (-250, "été")]


def test_quoted_cells_may_hold_marks_quotes_and_ends_of_line() -> None:
    (one,) = read_statements(file('02/03/2026;"a;b ""c""\nd";1,00;', "03/03/2026;e;1,00;"))
    assert one.lines[0].remittance == 'a;b "c" d'


@pytest.mark.parametrize(
    ("header", "role"),
    [
        ("Date opération", "booked_on"), ("Date de comptabilisation", "booked_on"), ("Buchungstag", "booked_on"),
        ("Date valeur", "value_on"), ("Valutadatum", "value_on"), ("Montant (EUR)", "amount"), ("Betrag", "amount"),
        ("Débit euros", "debit"), ("D\ufffdbit", "debit"), ("Cr3\ufffddit", "credit"), ("Libell\ufffd", "text"),
        ("Af Bij", "mark"), ("Kontonummer/IBAN", "iban"), ("Beguenstigter/Zahlungspflichtiger", "name"),
        ("Auftragskonto", "account"), ("Solde", "balance"), ("Catégorie", ""), ("", ""),
    ],
)  # fmt: skip
def test_headers_say_what_they_are(header: str, role: str) -> None:
    assert role_of(header) == role


HEADERS = {
    "ING Belgium": (
        "Numéro de compte;Nom du compte;Compte partie adverse;Numéro de mouvement;Date comptable;Date valeur;Montant;"
        "Devise;Libellés;Détails du mouvement;Message",
        "account . iban reference booked_on value_on amount currency text text text",
    ),
    "Sparkasse": (
        "Auftragskonto;Buchungstag;Valutadatum;Buchungstext;Verwendungszweck;Glaeubiger ID;Mandatsreferenz;"
        "Kundenreferenz (End-to-End);Sammlerreferenz;Lastschrift Ursprungsbetrag;Auslagenersatz Ruecklastschrift;"
        "Beguenstigter/Zahlungspflichtiger;Kontonummer/IBAN;BIC (SWIFT-Code);Betrag;Waehrung;Info",
        "account booked_on value_on text text . . end_to_end . . . name iban . amount currency .",
    ),
    "Boursorama": (
        "dateOp;dateVal;label;category;categoryParent;supplierFound;amount;accountNum;accountLabel;accountbalance",
        "booked_on value_on text . . name amount account . balance",
    ),
    "Fortuneo": ("Date opération;Date valeur;libellé;Débit;Crédit", "booked_on value_on text debit credit"),
    "La Banque Postale": ("Date;Libellé;Montant(EUROS);Montant(FRANCS)", "booked_on text amount ."),
    "Caisse d’Épargne": (
        "Date de comptabilisation;Libelle simplifie;Libelle operation;Reference;Informations complementaires;"
        "Type operation;Categorie;Sous categorie;Debit;Credit;Date operation;Date de valeur;Pointage operation",
        "booked_on text text reference text . . . debit credit . value_on .",
    ),
    "KBC": (
        "Rekeningnummer;Rubrieknaam;Naam;Munt;Afschriftnummer;Datum;Omschrijving;Valuta;Bedrag;Saldo;credit;debet;"
        "rekeningnummer tegenpartij",
        "account . name currency . booked_on text value_on . balance credit debit iban",
    ),
    "Rabobank": (
        "IBAN/BBAN;Munt;BIC;Volgnr;Datum;Rentedatum;Bedrag;Saldo na trn;Tegenrekening IBAN/BBAN;Naam tegenpartij;"
        "Omschrijving-1;Omschrijving-2",
        "account currency . reference booked_on value_on amount balance iban name text text",
    ),
}


@pytest.mark.parametrize("bank", HEADERS)
def test_headers_of_banks_are_recognised(bank: str) -> None:
    header, roles = HEADERS[bank]
    columns = guess(header.split(";"), [["x"] * header.count(";")], ";").columns
    found = {place: role for role, places in columns.items() for place in places}
    assert [found.get(place, ".") for place in range(header.count(";") + 1)] == roles.split()


def test_an_amount_beside_only_one_of_debit_and_credit_is_the_amount() -> None:
    assert set(guess(["Date", "Montant", "Credit"], [], ";").columns) == {"booked_on", "amount"}


def test_an_account_that_is_sometimes_empty_is_the_other_side_s() -> None:
    rows = [["02/03/2026", "DE89370400440532013000", "1,00"], ["02/03/2026", "", "1,00"]]
    assert guess(["Date", "Account number", "Amount"], rows, ";").columns["iban"] == (1,)
    assert guess(["Date", "Account number", "Amount"], rows[:1], ";").columns["account"] == (1,)


@pytest.mark.parametrize(
    ("text", "order", "day"),
    [
        ("02/03/2026", "dmy", (2026, 3, 2)), ("2.3.26", "dmy", (2026, 3, 2)), ("2026-03-02T10:00", "ymd", (2026, 3, 2)),
        ("20260302", "ymd", (2026, 3, 2)), ("03-02-2026", "mdy", (2026, 3, 2)), ("30/02/2026", "dmy", None),
        ("2026", "ymd", None), ("", "dmy", None), ("02/03/0001", "dmy", None), ("1/1/85", "dmy", (1985, 1, 1)),
    ],
)  # fmt: skip
def test_days(text: str, order: str, day: tuple[int, int, int] | None) -> None:
    assert read_day(text, order) == (datetime.date(*day) if day else None)


def test_a_file_without_header_is_read_by_chosen_columns_alone() -> None:
    data = b"02/03/2026;don;1,00\n03/03/2026;don;2,50\n"
    assert read_table(data).headers == ()
    assert refused(data).code == "statement_csv_columns"
    start = guess_layout(read_table(data))
    chosen = replace(start, columns={"booked_on": (0,), "text": (1,), "amount": (2,)})
    assert [line.amount for line in read(data, layout=chosen)[0].lines] == [100, 250]


def test_a_saved_layout_reads_files_with_the_same_header_only() -> None:
    data = file("02/03/2026;don;1,00;1,00", "02/03/2026;don;1,00;2,00")
    layout = guess_layout(read_table(data))
    assert Layout.from_json(layout.to_json()) == layout
    assert fits(layout, read_table(data))
    other = file("02/03/2026;don;1,00;1,00", "02/03/2026;don;1,00;2,00", header="Date;Libellé;Solde;Montant")
    assert not fits(layout, read_table(other))
    with pytest.raises(StatementFileError) as refusal:
        read(other, layout=layout)
    assert refusal.value.code == "statement_csv_other_columns"


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0}, {"columns": {"amount": [9]}}, {"columns": {"nothing": [0]}}, {"date_format": "never"},
        {"decimal": ";"}, {"delimiter": "x"}, {"columns": {"amount": [0], "debit": [0]}},
        {"columns": {"amount": [0, 1]}}, {"columns": []}, {"headers": None}, {"columns": {"amount": [-1]}},
    ],
)  # fmt: skip
def test_a_layout_that_is_none_is_refused(change: dict[str, object]) -> None:
    sound = guess(["Date", "Montant", "Libellé"], [["02/03/2026", "1,00", "x"]], ";").to_json()
    assert Layout.from_json(sound).missing() == ""
    with pytest.raises(ValueError, match="not a layout"):
        Layout.from_json({**sound, **change})


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ({"amount": (0,)}, "date"), ({"booked_on": (0,)}, "amount"), ({"value_on": (0,), "credit": (1,)}, "amount"),
        ({"booked_on": (0,), "amount": (1,), "debit": (2,)}, "amount_twice"),
        ({"booked_on": (0,), "debit": (1,), "credit": (2,), "mark": (3,)}, "mark"),
        ({"booked_on": (0,), "amount": (1,), "mark": (2,)}, ""),
    ],
)  # fmt: skip
def test_what_a_layout_lacks_is_named(columns: dict[str, tuple[int, ...]], missing: str) -> None:
    layout = Layout(headers=(), width=4, delimiter=";", columns=columns, date_format="dmy", decimal="")
    assert layout.missing() == missing


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1 440,00"], ","), (["1.234,56", "1.000"], ","), (["1,234"], ""), (["1.234.567"], ","), (["0,123"], ","),
        (["1,5", "1.5"], ""), (["12"], ""), (["1,234,567.5"], "."),
    ],
)  # fmt: skip
def test_the_decimal_mark_is_proved_or_unknown(cells: list[str], mark: str) -> None:
    assert decimal_of(cells) == mark


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1 440,00", 144000), ("1.234,56", 123456), ("+1 006,60", 100660), ("-2000,00", -200000), ("500,", 50000),
        ("1\u202f718,70", 171870), ("12.50-", -1250), ("(3,00)", -300), ("€ 5", 500), ("5,00 €", 500), ("EUR 5.5", 550),
        ("-5,00 EUR", -500), ("1'250.50", 125050), ("0", 0),
    ],
)  # fmt: skip
def test_amounts_as_banks_write_them(text: str, amount: int) -> None:
    assert signed_minor_units(text, "EUR") == amount


@pytest.mark.parametrize(
    "text", ["", "-", "1,2,3", "1 23", "12 34,00", "--1", "1e3", "=1+1", "1.234,567", "0x10", "١", "1/2", "1,00 2,00"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"an amount|decimals"):
        signed_minor_units(text, "EUR")


@given(amount=st.integers(min_value=-(10**12), max_value=10**12), french=st.booleans(), grouped=st.booleans())
def test_every_amount_is_read_back(amount: int, french: bool, grouped: bool) -> None:
    whole, _point, cents = decimal_text(abs(amount), "EUR").partition(".")
    if grouped:
        whole = f"{int(whole):,}".replace(",", "." if french else ",")
    written = ("-" if amount < 0 else "") + whole + ("," if french else ".") + cents
    assert signed_minor_units(written, "EUR", decimal="," if french else ".") == amount
    assert signed_minor_units(written, "EUR", guarded=True) == amount
