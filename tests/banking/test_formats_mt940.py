"""The MT940 reader: exact figures of real shapes, texts of several banks, and what must be refused whole."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from backend.banking.formats import StatementFileError, detect, read_statements
from backend.banking.formats.base import ParsedStatement
from tests.conftest import SHARED

OWN = Path(__file__).resolve().parents[1] / "samples" / "bank"
MT940 = SHARED / "samples" / "bank" / "mt940"
IBAN = "FR7630006000011234567890189"
RABO, VOLKS = "NL71RABO0123456789", "66642399/93387"

# account, currency, lines, credits, debits, opening, closing, ties, gap
Figures = tuple[str, str, int, int, int, int | None, int | None, str, int | None]
EXPECTED: dict[Path, list[Figures]] = {
    OWN / "mt940-german.sta": [
        ("30006000/01123456789", "EUR", 3, 6550, 1700, 10000, 14850, "yes", 0),
        ("30006000/01123456789", "EUR", 1, 100, 0, 14850, -50, "no", -15000),
    ],
    OWN / "mt940-slashes.sta": [(IBAN, "EUR", 2, 2500, 730, -1000, 770, "yes", 0)],
}
SHARED_EXPECTED: dict[str, list[Figures]] = {
    "jejik-sparkasse.txt": [
        ("87052000/123456789", "EUR", 1, 0, 2000, 19457, 17457, "yes", 0),
        ("87052000/123456789", "EUR", 1, 0, 2000, 17457, 15457, "yes", 0),
    ],
    "jejik-volksbankenraiffeisenbanken.txt": [
        (VOLKS, "EUR", 2, 14500, 0, 308500, 323000, "yes", 0),
        (VOLKS, "EUR", 1, 8000, 0, 323000, 331000, "yes", 0),
        (VOLKS, "EUR", 2, 12000, 0, 331000, 343000, "yes", 0),
        (VOLKS, "EUR", 3, 19000, 0, 343000, 362000, "yes", 0),
        (VOLKS, "EUR", 1, 6500, 0, 362000, 368500, "yes", 0),
        (VOLKS, "EUR", 1, 5000, 0, 368500, 373500, "yes", 0),
        (VOLKS, "EUR", 1, 4000, 0, 373500, 377500, "yes", 0),
        (VOLKS, "EUR", 1, 5500, 0, 377500, 383000, "yes", 0),
    ],
    "wolph-cmxl-mt940.sta": [
        ("45050050/76198810", "DEM", 11, 4939674, 4930944, 8434974, 8443704, "yes", 0),
        ("10020030/1234567", "EUR", 2, 300000, 80000, 218795, 438795, "yes", 0),
        ("BPHKPLPK/320000546101", "PLN", 3, 2004000, 1000000, 4000000, 5004000, "yes", 0),
    ],
    "wolph-jejik-abnamro.sta": [
        ("517852257", "EUR", 8, 0, 32144, 323628, 87684, "no", -203800),
        ("517852257", "EUR", 2, 0, 2449, 287684, 184975, "no", -100260),
    ],
    "wolph-jejik-generic.sta": [
        ("11111111", "EUR", 1, 0, 1000, 10000, 9000, "yes", 0),
        ("11111111", "EUR", 1, 0, 1000, 9000, 8000, "yes", 0),
    ],
    "wolph-jejik-ing.sta": [("0001234567", "EUR", 7, 468, 5027, 0, 347, "no", 4906)],
    "wolph-jejik-rabobank-iban.sta": [
        (RABO, "EUR", 2, 0, 3500, 100000, 96500, "yes", 0),
        (RABO, "EUR", 2, 0, 3500, 96500, 93000, "yes", 0),
    ],
    "wolph-jejik-triodos.sta": [("TRIODOSBANK/0390123456", "EUR", 2, 0, 71570, 497509, 437079, "no", 11140)],
    "wolph-self-provided-february_30.sta": [("12345678/1020304050", "EUR", 1, 0, 600, 120000, 119400, "yes", 0)],
    "wolph-self-provided-raphaelm.sta": [
        ("1222333444", "DEM", 6, 10500000, 0, 0, None, "unknown", None),
        ("1222333444", "DEM", 2, 4000000, 0, 10500000, None, "unknown", None),
        ("3346780111", "DEM", 1, 0, 5000000, 14500000, None, "unknown", None),
    ],
}
if MT940.is_dir():
    EXPECTED |= {MT940 / name: rows for name, rows in SHARED_EXPECTED.items()}


def figures(one: ParsedStatement) -> Figures:
    """What the tables above state."""
    opening, closing = one.opening, one.closing
    return (
        one.account, one.currency, one.entries, one.credits, one.debits, opening.amount if opening else None,
        closing.amount if closing else None, one.ties, one.gap,
    )  # fmt: skip


def statement(*lines: str, opening: str = "C260301EUR0,", closing: str = "C260331EUR1,") -> bytes:
    """A statement with these lines between its balances."""
    inside = "".join(f"{line}\n" for line in lines)
    return f":20:S\n:25:{IBAN}\n:28C:1\n:60F:{opening}\n{inside}:62F:{closing}\n-\n".encode()


def refused(data: bytes) -> StatementFileError:
    """The refusal of a file."""
    with pytest.raises(StatementFileError) as refusal:
        read_statements(data)
    return refusal.value


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.name)
def test_figures_are_exact(path: Path) -> None:
    assert [figures(one) for one in read_statements(path.read_bytes())] == EXPECTED[path]


def test_german_fields_give_every_fact() -> None:
    first, back, fee = read_statements((OWN / "mt940-german.sta").read_bytes())[0].lines
    assert (first.amount, first.booked_on) == (6550, datetime.date(2026, 3, 2))
    assert (first.counterparty_name, first.counterparty_iban) == ("LA FABRIQUE DUPORT", "DE89370400440532013000")
    assert first.remittance == "soutien TRONC RF18 539007547034"
    assert (first.end_to_end_id, first.bank_reference, first.code) == ("FABRIQUE-2026-03", "BANK-1", "N051/166")
    # A credit taken back is money that leaves.
    assert (back.amount, back.is_reversal, back.remittance) == (-500, True, "Gutschrift zurueck")
    # Booked in January for a day of December.
    assert (fee.value_on, fee.booked_on) == (datetime.date(2025, 12, 31), datetime.date(2026, 1, 2))
    assert fee.remittance == "ENTGELT"


def test_a_day_that_the_calendar_lacks_is_no_day() -> None:
    last = read_statements((OWN / "mt940-german.sta").read_bytes())[1]
    assert (last.lines[0].booked_on, last.lines[0].value_on) == (None, None)
    assert [notice.code for notice in last.warnings] == ["no_date"]


def test_words_between_slashes_give_every_fact() -> None:
    one = read_statements((OWN / "mt940-slashes.sta").read_bytes())[0]
    gift, card = one.lines
    assert (gift.counterparty_name, gift.counterparty_iban) == ("M OU MME MARTIN", "DE89370400440532013000")
    assert (gift.remittance, gift.end_to_end_id, gift.bank_reference) == (
        "don pour Cartolibre", "E2E-77", "26061012345678",
    )  # fmt: skip
    assert (card.counterparty_name, card.counterparty_iban) == ("IMPRIMERIE", "DE89370400440532013000")
    assert card.remittance == "Facture 12 /CNTP/ in the text of a card"


def test_two_identical_lines_are_two_operations() -> None:
    one = read_statements(statement(":61:2603020302C0,50NMSCNONREF", ":61:2603020302C0,50NMSCNONREF"))[0]
    assert [line.amount for line in one.lines] == [50, 50]
    assert one.ties == "yes"


@pytest.mark.parametrize(
    ("written", "amount"),
    [("C500,", 50000), ("D12,5", -1250), ("RD1,00", 100), ("RC1,00", -100), ("CR3,07", 307), ("C0,5", 50)],
)
def test_amounts_and_marks(written: str, amount: int) -> None:
    one = read_statements(statement(f":61:260302{written}NMSCNONREF"))[0]
    assert [line.amount for line in one.lines] == [amount]


def test_an_amount_of_zero_is_no_line() -> None:
    one = read_statements(statement(":61:260302C0,NMSCNONREF"))[0]
    assert (one.lines, one.entries, [notice.code for notice in one.warnings]) == ((), 1, ["zero"])


@pytest.mark.parametrize(
    "operation", ["260302X1,NMSC", "260302C1,005NMSC", "260302C1.000,00NMSC", "2603C1,NMSC", "260302C-1,NMSC", ""]
)
def test_money_is_never_guessed(operation: str) -> None:
    refusal = refused(statement(":61:260302C1,NMSCNONREF", f":61:{operation}"))
    assert refusal.code == "statement_line_unreadable"
    assert "Operation 2" in str(refusal)


def test_what_follows_the_closing_balance_is_not_the_last_operation_s() -> None:
    data = statement(":61:260302C1,NMSCNONREF", ":86:don").replace(b"-\n", b":86:SUM OF THE DAY\n-\n")
    assert read_statements(data)[0].lines[0].remittance == "don"


def test_an_interim_report_is_no_statement() -> None:
    assert refused((OWN / "mt942.sta").read_bytes()).code == "statement_mt942"
    if MT940.is_dir():
        assert refused((MT940 / "wolph-mBank-mt942.sta").read_bytes()).code == "statement_mt942"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b":20:S\n:25:1\n:61:260302C1,NMSC\n", "statement_none"),
        (statement(opening="C260301", closing="C260331"), "statement_currency"),
        (statement(":60F:C260301EUR5,"), "statement_tag_twice"),
        (statement(f":25:{IBAN}"), "statement_tag_twice"),
        (statement(":86:a\0b").decode().encode("utf-16"), "statement_encoding"),
        (statement(*[":61:260302C92233720368547758,07NMSC"] * 2), "statement_amount"),
    ],
)
def test_what_cannot_be_a_statement_is_refused(data: bytes, code: str) -> None:
    assert refused(data).code == code


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_letters_of_every_encoding(encoding: str) -> None:
    data: Any = statement(":61:260302C1,NMSCNONREF", ":86:été à Orléans").decode().encode(encoding)
    assert detect(data) == "mt940"
    assert read_statements(data)[0].lines[0].remittance == "été à Orléans"
