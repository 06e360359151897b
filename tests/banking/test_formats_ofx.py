"""The OFX reader: exact figures of both versions, and what must be refused whole."""

import datetime
from pathlib import Path

import pytest

from backend.banking.formats import StatementFileError, detect, read_statements
from backend.banking.formats.base import ParsedStatement
from tests.conftest import SHARED

OWN = Path(__file__).resolve().parents[1] / "samples" / "bank"
OFX = SHARED / "samples" / "bank" / "ofx"
IBAN = "FR7630006000011234567890189"

# account, currency, operations, not booked, credits, debits, ledger balance
Figures = tuple[str, str, int, int, int, int, int | None]
EXPECTED: dict[Path, list[Figures]] = {
    OWN / "ofx-v1.ofx": [("12345678901", "EUR", 5, 1, 125350, 1250, 134100)],
    OWN / "ofx-v2.ofx": [(IBAN, "EUR", 3, 0, 8000, 0, 8000), ("4000********0002", "JPY", 1, 0, 0, 500, None)],
}
SHARED_EXPECTED: dict[str, Figures] = {
    "asgrim-ofxdata-bpbfc.ofx": ("XXXXXXXXXXX", "EUR", 6, 0, 0, 5349, 1000000),
    "asgrim-ofxdata-memoWithAmpersand.ofx": (
        "99999999-9999-9999-9999-999999999999", "BRL", 16, 0, 112787, 73405, -73405,
    ),
    "asgrim-ofxdata-xml.ofx": ("098-121", "USD", 3, 0, 35000, 10000, 525000),
    "asgrim-ofxdata.ofx": ("098-121", "USD", 3, 0, 35000, 10000, 525000),
    "bankfile-lcl-check-without-payee.ofx": ("0000123456", "USD", 1, 0, 0, 1000, 9000),
    "bankfile-unnamed-bank-amount-comma-decimal.ofx": ("0000123456", "USD", 1, 0, 0, 200000, 200000),
    "bankfile-unnamed-bank-xml-declaration-ofx-2.ofx": ("0000123456", "USD", 1, 0, 0, 1000, 9000),
    "bankfile-wells-fargo-header-on-one-line.qfx": ("0000123456", "USD", 1, 0, 0, 1000, 9000),
}  # fmt: skip
if OFX.is_dir():
    EXPECTED |= {OFX / name: [row] for name, row in SHARED_EXPECTED.items()}


def figures(one: ParsedStatement) -> Figures:
    """What the tables above state."""
    return (
        one.account, one.currency, one.entries, one.not_booked, one.credits, one.debits,
        one.closing.amount if one.closing else None,
    )  # fmt: skip


def document(inside: str, *, currency: str = "EUR", end: str = "</STMTRS></OFX>") -> bytes:
    """A file of version 1 with one statement."""
    return (
        f"OFXHEADER:100\n<OFX><STMTRS><CURDEF>{currency}<BANKACCTFROM><ACCTID>1</BANKACCTFROM>{inside}{end}\n".encode()
    )


def operation(amount: str, rest: str = "") -> str:
    """An operation whose elements nobody closes."""
    return f"<STMTTRN><TRNTYPE>OTHER<DTPOSTED>20260302<TRNAMT>{amount}{rest}</STMTTRN>"


def refused(data: bytes) -> StatementFileError:
    """The refusal of a file."""
    with pytest.raises(StatementFileError) as refusal:
        read_statements(data)
    return refusal.value


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.name)
def test_figures_are_exact(path: Path) -> None:
    found = read_statements(path.read_bytes())
    assert [figures(one) for one in found] == EXPECTED[path]
    # OFX gives one balance: nothing can tie, and nothing is made up.
    assert {(one.opening, one.gap, one.ties) for one in found} == {(None, None, "unknown")}


def test_version_1_gives_every_fact() -> None:
    one = read_statements((OWN / "ofx-v1.ofx").read_bytes())[0]
    gift, cheque, back = one.lines
    assert (gift.amount, gift.booked_on, gift.bank_reference) == (125050, datetime.date(2026, 3, 2), "A1")
    assert (gift.counterparty_name, gift.remittance) == ("LA FABRIQUE & CIE", "LA FABRIQUE & CIE don & soutien été")
    assert (cheque.amount, cheque.value_on, cheque.remittance) == (-1250, datetime.date(2026, 3, 4), "CHECK 1090381")
    # The sign is that of the amount, whatever the type says; the day is none.
    assert (back.amount, back.booked_on, back.counterparty_name) == (300, None, "Énergie")
    assert (one.from_on, one.to_on) == (datetime.date(2026, 3, 1), datetime.date(2026, 3, 31))
    assert one.closing is not None
    assert one.closing.on == datetime.date(2026, 3, 31)
    assert {notice.code: str(notice).rpartition(" ")[2] for notice in one.warnings} == {
        "no_date": "3.", "sign": "3.", "zero": "4.",
    }  # fmt: skip


def test_version_2_keeps_accounts_and_currencies_apart() -> None:
    bank, card = read_statements((OWN / "ofx-v2.ofx").read_bytes())
    assert [(line.amount, line.currency) for line in bank.lines] == [(4000, "EUR"), (4000, "EUR"), (700, "USD")]
    assert bank.lines[0].counterparty_iban == "DE89370400440532013000"
    assert [notice.code for notice in bank.warnings] == ["other_currency"]
    assert [notice.code for notice in card.warnings] == ["no_balance"]


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("-2000,00", -200000), ("1 250.5", 125050), ("+7", 700), ("1,234.56", 123456), ("1.234,56", 123456),
        ("-.5", -50), ("12.500", 1250), ("\u22123,00", -300),
    ],
)  # fmt: skip
def test_amounts_are_read_exactly(written: str, amount: int) -> None:
    assert [line.amount for line in read_statements(document(operation(written)))[0].lines] == [amount]


@pytest.mark.parametrize("written", ["", "1.234", "1e3", "abc", "1,2,3", "12,34,56", "1-2", "NaN", "9" * 41])
def test_money_is_never_guessed(written: str) -> None:
    refusal = refused(document(operation("1.00") + operation(written)))
    assert refusal.code == "statement_line_amount"
    assert "Operation 2" in str(refusal)


def test_operations_that_nobody_closed_stay_apart() -> None:
    open_ones = "".join(f"<STMTTRN><DTPOSTED>20260302<TRNAMT>{amount}.00<NAME>N{amount}" for amount in (1, 2, 3))
    one = read_statements(document(f"<BANKTRANLIST>{open_ones}</BANKTRANLIST><LEDGERBAL><BALAMT>6.00</LEDGERBAL>"))[0]
    assert [(line.amount, line.counterparty_name) for line in one.lines] == [(100, "N1"), (200, "N2"), (300, "N3")]
    assert one.closing is not None
    assert one.closing.amount == 600


def test_the_available_balance_is_another_figure() -> None:
    one = read_statements(document(operation("1.00") + "<AVAILBAL><BALAMT>5.00<DTASOF>20260302</AVAILBAL>"))[0]
    assert one.closing is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (document(operation("1.00"), end="</STMTRS>"), "statement_cut"),
        (document(operation("1.00"), currency="euro"), "statement_currency"),
        (b"OFXHEADER:100\n<OFX><SIGNONMSGSRSV1></SIGNONMSGSRSV1></OFX>", "statement_none"),
        (document('<MEMO><!DOCTYPE a [<!ENTITY b "c">]>'), "statement_dtd"),
        (document(operation("92233720368547758.07") * 2), "statement_amount"),
        (document(operation("1.00", "<CURRENCY><CURSYM>dollars</CURRENCY>")), "statement_line_amount"),
    ],
)
def test_what_cannot_be_a_statement_is_refused(data: bytes, code: str) -> None:
    assert refused(data).code == code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_letters_of_every_encoding(encoding: str) -> None:
    data = document(operation("1.00", "<MEMO>été &#233;t&eacute;")).decode().encode(encoding)
    assert detect(data) == "ofx"
    assert read_statements(data)[0].lines[0].remittance == "été été"


def test_a_reference_is_read_once() -> None:
    one = read_statements(document(operation("1.00", "<MEMO>&amp;lt;script&amp;gt;")))[0]
    assert one.lines[0].remittance == "&lt;script&gt;"
