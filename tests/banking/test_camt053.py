"""The camt.053 reader: exact figures of real shapes, and files that must be refused whole.

Everything is proven on our own small samples. Where the contract's samples stand beside the project
(`../shared/samples`), their figures are checked too; the run says so when they are absent.
"""

import datetime
import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from backend.banking.formats import StatementFileError, camt053, read_statements
from backend.banking.formats.base import ParsedStatement, minor_units, read_at_most
from backend.core.money import exponent

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "tests" / "samples" / "bank"
SHARED = ROOT.parent / "shared" / "samples"
HOST_IBAN = "FR7630006000011234567890189"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"

# account, currency, entries, not booked, details, credits, debits, opening, its kind, closing, ties, gap
Figures = tuple[str, str, int, int, int, int, int, int | None, str, int | None, str, int | None]
GENKGO = ("NL26VAYB8060476890", "EUR", 1, 0, 1, 885, 0, 1815, "OPBD", -2700, "no", -5400)
EXPECTED: dict[Path, list[Figures]] = {
    OWN / "camt053-v2.xml": [(HOST_IBAN, "EUR", 4, 1, 1, 10000, 900, -1234, "OPBD", 7866, "yes", 0)],
    OWN / "camt053-v8.xml": [(HOST_IBAN, "EUR", 4, 1, 2, 4050, 3600, 7866, "PRCD", 8316, "yes", 0)],
    OWN / "camt053-batch.xml": [(HOST_IBAN, "EUR", 3, 0, 4, 3000, 10500, None, "", None, "unknown", None)],
    OWN / "camt053-several.xml": [
        (HOST_IBAN, "EUR", 1, 0, 0, 601, 0, 1000, "OPBD", 1500, "no", -101),
        ("JP-0042", "JPY", 1, 0, 0, 500, 0, 1000, "OPBD", 1500, "yes", 0),
        ("KW-0042", "KWD", 1, 0, 0, 0, 1234, None, "", None, "unknown", None),
    ],
}
CAMT = SHARED / "bank" / "camt"
EXPECTED_SHARED: dict[Path, list[Figures]] = {
    CAMT / "bsp-camt053_duplicate_same_day.xml": [
        ("DE89370400440532013000", "EUR", 2, 0, 2, 0, 900, None, "", None, "unknown", None)
    ],
    CAMT / "bsp-camt053_multicurrency.xml": [
        ("DE89370400440532013000", "EUR", 2, 0, 2, 125050, 50025, 1000000, "OPBD", 1075025, "yes", 0),
        ("US-ACCT-0099", "USD", 1, 0, 1, 0, 9999, 250000, "OPBD", 240001, "yes", 0),
    ],
    CAMT / "genkgo-camt053.v2.minimal.xml": [GENKGO],
    CAMT / "genkgo-camt053.v4.xml": [GENKGO],
    CAMT / "genkgo-camt053.v8.xml": [GENKGO],
    CAMT / "genkgo-camt053.v2.multi.statement.xml": [
        ("NL26VAYB8060476890", "EUR", 1, 0, 1, 885, 0, 1815, "OPBD", 2700, "yes", 0),
        ("NL26VAYB8060476890", "EUR", 1, 0, 1, 0, 700, 2700, "OPBD", 2000, "yes", 0),
    ],
    CAMT / "viafintech-valid_example.xml": [
        ("DE14740618130000033626", "EUR", 4, 0, 5, 100, 1100, 3306, "PRCD", 2306, "yes", 0)
    ],
    CAMT / "viafintech-valid_example_with_batch.xml": [
        ("NL18INGB00012345678", "EUR", 3, 0, 2, 768800, 475374, 732980, "PRCD", 2303820, "no", 1277414)
    ],
}
REFUSED_SHARED = {
    CAMT / "genkgo-camt053.v2.wrong.xml": "statement_none",
    SHARED / "hostile" / "billion_laughs.camt053.xml": "statement_dtd",
    SHARED / "hostile" / "xxe_file.camt053.xml": "statement_dtd",
    SHARED / "hostile" / "truncated.camt053.xml": "statement_damaged",
}
if SHARED.is_dir():
    EXPECTED |= EXPECTED_SHARED


def figures(statement: ParsedStatement) -> Figures:
    """What the tables above state."""
    opening, closing = statement.opening, statement.closing
    return (
        statement.account,
        statement.currency,
        statement.entries,
        statement.not_booked,
        statement.details,
        statement.credits,
        statement.debits,
        opening.amount if opening else None,
        opening.kind if opening else "",
        closing.amount if closing else None,
        statement.ties,
        statement.gap,
    )


def own(name: str) -> list[ParsedStatement]:
    """The statements of one of our samples."""
    return read_statements((OWN / name).read_bytes())


def entry(amount: str = "10.00", *, mark: str = "CRDT", currency: str = ' Ccy="EUR"', rest: str = "") -> str:
    """An entry as XML."""
    mark = f"<CdtDbtInd>{mark}</CdtDbtInd>" if mark else ""
    return f"<Ntry><Amt{currency}>{amount}</Amt>{mark}<BookgDt><Dt>2026-03-02</Dt></BookgDt>{rest}</Ntry>"


def balance(kind: str, amount: str, day: str = "2026-03-01", *, currency: str = "EUR", mark: str = "CRDT") -> str:
    """A balance as XML."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy='{currency}'>{amount}</Amt>"
        f"<CdtDbtInd>{mark}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def document(inside: str, *, namespace: str = NAMESPACE, prolog: str = "", account: str = HOST_IBAN) -> str:
    """A whole file with one statement S1."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<Document xmlns="{namespace}"><BkToCstmrStmt><Stmt><Id>S1</Id>'
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>{inside}</Stmt></BkToCstmrStmt></Document>"
    )


def one(inside: str, **options: str) -> ParsedStatement:
    """The only statement of a file made here."""
    (statement,) = read_statements(document(inside, **options).encode())
    return statement


def refusal(data: bytes, **options: int) -> tuple[str, str]:
    """The code and the English sentence with which a file is refused."""
    with pytest.raises(StatementFileError) as caught:
        read_statements(data, **options)
    with translation.override("en"):
        sentence = str(caught.value)
    assert sentence == caught.value.message
    assert sentence.endswith(".")
    assert "%(" not in sentence
    return caught.value.code, sentence


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.name)
def test_figures_are_exact(path: Path) -> None:
    statements = read_statements(path.read_bytes())
    assert [figures(statement) for statement in statements] == EXPECTED[path]
    for statement in statements:
        assert sum(line.amount for line in statement.lines) == statement.credits - statement.debits


def test_the_run_says_whether_the_shared_samples_were_there(capsys: pytest.CaptureFixture[str]) -> None:
    """They add to our own proofs; what they prove must never be taken for done where they are missing."""
    if SHARED.is_dir():
        assert {path.name for path in CAMT.glob("*.xml")} == {
            path.name for path in [*EXPECTED_SHARED, *REFUSED_SHARED] if path.parent == CAMT
        }
        for path, code in REFUSED_SHARED.items():
            assert refusal(path.read_bytes())[0] == code, path.name
        return
    with capsys.disabled():
        print(f"\n{SHARED} is absent: {len(EXPECTED_SHARED) + len(REFUSED_SHARED)} statement files were not checked.")


def test_version_2_gives_every_field() -> None:
    (statement,) = own("camt053-v2.xml")
    assert (statement.statement_id, statement.number, statement.created_at) == ("2026-03", "3", "2026-03-31T20:00:00")
    assert (statement.from_on, statement.to_on) == (datetime.date(2026, 3, 1), datetime.date(2026, 3, 31))
    assert statement.warnings == ()
    first = statement.lines[0]
    assert (first.amount, first.currency, first.entry, first.detail) == (10000, "EUR", 1, None)
    assert (first.booked_on, first.value_on) == (datetime.date(2026, 3, 4), datetime.date(2026, 3, 5))
    assert (first.counterparty_name, first.counterparty_iban) == ("Ville d’Exemple", "FR1420041010050500013M02606")
    assert first.remittance == "Soutien au commun RF18539007547034"
    assert first.creditor_reference == "RF18539007547034"
    assert (first.end_to_end_id, first.bank_reference, first.code) == ("", "B-1", "PMNT/RCDT/ESCT")
    assert (first.is_reversal, first.return_reason) == (False, "")


def test_two_identical_lines_on_one_day_are_two_operations() -> None:
    lines = own("camt053-v2.xml")[0].lines[1:]
    assert [(line.amount, line.remittance, line.code, line.entry) for line in lines] == [
        (-450, "Frais de tenue", "FRAIS", 2),
        (-450, "Frais de tenue", "FRAIS", 3),
    ]


def test_version_8_returns_and_reversals_take_their_sign_from_the_mark() -> None:
    sent, returned, reversed_fee = own("camt053-v8.xml")[0].lines
    assert (sent.amount, sent.counterparty_name, sent.counterparty_iban) == (-3600, "Camille", "DE89370400440532013000")
    assert (sent.booked_on, sent.end_to_end_id) == (datetime.date(2026, 4, 10), "pay_1")
    assert (sent.payment_information_id, sent.message_id, sent.is_reversal) == ("REMISE-1-A", "REMISE-1", False)
    # The parties of a return are those of the first payment: the other side is still who was paid.
    assert (returned.amount, returned.counterparty_name, returned.return_reason) == (3600, "Camille", "AC04")
    assert (reversed_fee.amount, reversed_fee.is_reversal) == (450, True)


def test_a_batch_is_shown_payment_by_payment_only_when_they_add_up() -> None:
    (statement,) = own("camt053-batch.xml")
    camille, dominique, undivided, untold = statement.lines
    assert [(line.amount, line.entry, line.detail, line.end_to_end_id) for line in (camille, dominique)] == [
        (-5400, 1, 1, "pay_2"),
        (-3600, 1, 2, "pay_3"),
    ]
    assert {line.payment_information_id for line in (camille, dominique)} == {"REMISE-2"}
    assert {line.bank_reference for line in (camille, dominique)} == {"B-9"}
    # The reference of one payment must not be taken for that of the whole amount.
    assert (undivided.amount, undivided.detail, undivided.remittance) == (3000, None, "Remise de prélèvements")
    assert (untold.amount, untold.payment_information_id, untold.message_id) == (-1500, "REMISE-3", "MSG-3")
    assert [warning.code for warning in statement.warnings] == ["undivided"]
    with translation.override("en"):
        assert str(statement.warnings[0]).endswith("kept as one line: entries 2.")


def test_details_with_marks_of_their_own_add_up_with_their_signs() -> None:
    details = (
        '<NtryDtls><TxDtls><Amt Ccy="EUR">12.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></TxDtls>'
        '<TxDtls><Amt Ccy="EUR">2.00</Amt><CdtDbtInd>DBIT</CdtDbtInd></TxDtls></NtryDtls>'
    )
    assert [line.amount for line in one(entry("10.00", rest=details)).lines] == [1200, -200]


@pytest.mark.parametrize(
    "second",
    ['<Amt Ccy="USD">5.00</Amt>', "", '<Amt Ccy="EUR">5.00</Amt><CdtDbtInd>DBIT</CdtDbtInd>'],
    ids=["other currency", "no amount", "contrary mark"],
)
def test_details_that_cannot_be_added_leave_one_line(second: str) -> None:
    details = f'<NtryDtls><TxDtls><Amt Ccy="EUR">5.00</Amt></TxDtls><TxDtls>{second}</TxDtls></NtryDtls>'
    assert [(line.amount, line.detail) for line in one(entry(rest=details)).lines] == [(1000, None)]


def test_one_payment_told_of_a_batch_of_three_lends_nothing_to_the_whole() -> None:
    payment = "<TxDtls><Refs><EndToEndId>E1</EndToEndId></Refs></TxDtls>"
    details = "<NtryDtls><Btch><NbOfTxs>{}</NbOfTxs></Btch>" + payment + "</NtryDtls>"
    assert one(entry(rest=details.format(3))).lines[0].end_to_end_id == ""
    assert one(entry(rest=details.format(1))).lines[0].end_to_end_id == "E1"


def test_whoever_has_our_account_is_not_the_counterparty() -> None:
    parties = (
        "<NtryDtls><TxDtls><RltdPties><Dbtr><Nm>Nous</Nm></Dbtr><DbtrAcct><Id><IBAN>{}</IBAN></Id></DbtrAcct>"
        "<Cdtr><Nm>Eux</Nm></Cdtr></RltdPties></TxDtls></NtryDtls>"
    )
    assert one(entry(rest=parties.format(HOST_IBAN))).lines[0].counterparty_name == "Eux"
    assert one(entry(rest=parties.format("DE89370400440532013000"))).lines[0].counterparty_name == "Nous"


def test_what_the_bank_adds_follows_what_the_payer_wrote_once() -> None:
    payment = "<TxDtls><RmtInf><Ustrd>don de mars</Ustrd></RmtInf></TxDtls>"
    details = "<NtryDtls>" + payment + "</NtryDtls><AddtlNtryInf>{}</AddtlNtryInf>"
    assert one(entry(rest=details.format("VIREMENT"))).lines[0].remittance == "don de mars VIREMENT"
    assert one(entry(rest=details.format("don de"))).lines[0].remittance == "don de mars"


@pytest.mark.parametrize(("mark", "reversal"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_a_reversal_is_what_the_bank_marks_so(mark: str, reversal: bool) -> None:
    assert one(entry(rest=f"<RvslInd>{mark}</RvslInd>")).lines[0].is_reversal is reversal


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-03-02", datetime.date(2026, 3, 2)),
        ("2026-03-02Z", datetime.date(2026, 3, 2)),
        ("2026-03-02+01:00", datetime.date(2026, 3, 2)),
        ("2026-02-30", None),
        ("0001-01-01", None),
        ("02/03/2026", None),
        ("2026-03-021", None),
        ("", None),
    ],
)
def test_dates_are_days_of_the_calendar_or_nothing(written: str, day: datetime.date | None) -> None:
    assert one(entry().replace("2026-03-02", written)).lines[0].booked_on == day


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        ("", 1),
        ("<Sts>BOOK</Sts>", 1),
        ("<Sts><Cd>BOOK</Cd></Sts>", 1),
        ("<Sts>PDNG</Sts>", 0),
        ("<Sts>INFO</Sts>", 0),
        ("<Sts><Cd>FUTR</Cd></Sts>", 0),
        ("<Sts><Prtry>WAIT</Prtry></Sts>", 0),
    ],
)
def test_only_booked_entries_count(status: str, lines: int) -> None:
    statement = one(entry(rest=status))
    assert (len(statement.lines), statement.credits, statement.entries, statement.not_booked) == (
        lines,
        1000 * lines,
        1,
        1 - lines,
    )


def test_available_balances_are_not_booked_ones() -> None:
    statement = one(balance("OPAV", "1") + balance("CLAV", "11") + balance("FWAV", "11") + entry())
    assert (statement.opening, statement.closing, statement.ties, statement.gap) == (None, None, "unknown", None)


def test_of_several_days_the_first_opening_and_the_last_closing_count() -> None:
    days = [("CLBD", "30", "2026-03-03"), ("OPBD", "25", "2026-03-03")]
    days += [("OPBD", "20", "2026-03-02"), ("CLBD", "25", "2026-03-02")]
    statement = one("".join(balance(*day) for day in days) + entry() + balance("CLAV", "99"))
    assert statement.opening is not None
    assert statement.closing is not None
    assert (statement.opening.amount, statement.closing.amount, statement.closing.on, statement.ties) == (
        2000,
        3000,
        datetime.date(2026, 3, 3),
        "yes",
    )


def test_figures_in_two_currencies_never_tie() -> None:
    statement = one(balance("OPBD", "0") + entry() + balance("CLBD", "10", currency="CHF"))
    assert (statement.gap, statement.ties) == (0, "no")
    assert [warning.code for warning in statement.warnings] == ["balance_currency"]
    yens = one(balance("OPBD", "0") + entry() + balance("CLBD", "10", currency="JPY"))
    assert (yens.gap, yens.ties) == (None, "no")
    foreign = one(balance("OPBD", "0") + entry() + entry("3.00", currency=' Ccy="CHF"') + balance("CLBD", "10"))
    assert (foreign.credits, foreign.ties, foreign.lines[1].currency) == (1000, "no", "CHF")
    assert [warning.code for warning in foreign.warnings] == ["other_currency"]


def test_what_is_odd_is_read_and_said() -> None:
    statement = one(
        "<TxsSummry><TtlNtries><NbOfNtries>9</NbOfNtries></TtlNtries></TxsSummry>"
        + balance("OPBD", "5", mark="")
        + entry("0.00")
        + entry().replace("2026-03-02", "2026-02-30"),
        account="",
    )
    assert [warning.code for warning in statement.warnings] == [
        "no_account",
        "announced",
        "balance_unreadable",
        "zero",
        "no_date",
    ]
    assert (statement.opening, statement.entries) == (None, 2)
    assert [(line.amount, line.booked_on) for line in statement.lines] == [(1000, None)]
    with translation.override("en"):
        assert str(statement.warnings[1]) == "The bank announces 9 entries, the file holds 2."
        assert str(statement.warnings[4]) == "No usable booking date: entries 2."


@pytest.mark.parametrize(
    "amount",
    [
        *[
            "1e3",
            "-5",
            "+5",
            "NaN",
            "Infinity",
            "",
            " ",
            "1,00",
            "1 000",
            "10.001",
            ".5",
            "5.",
            "0x10",
            "１０",
            "1_000",
        ],
        *[str(2**63), "92233720368547758.08", "9" * 50],
    ],
)
def test_amounts_that_are_not_plain_decimals_are_refused(amount: str) -> None:
    currency = ' Ccy="JPY"' if amount == str(2**63) else ' Ccy="EUR"'
    code, sentence = refusal(document(entry() + entry(amount, currency=currency)).encode())
    assert code == "statement_amount"
    assert sentence.startswith("Statement S1, entry 2: ")


def test_amounts_are_exact_to_the_last_unit_of_a_signed_64_bit_integer() -> None:
    assert one(entry("92233720368547758.07")).credits == 2**63 - 1
    with pytest.raises(ValueError, match="not a plain decimal"):
        minor_units("0" * 41, "EUR")
    assert minor_units("10.50000", "EUR") == 1050
    assert minor_units("0.1", "EUR") == 10
    assert minor_units("2700.0", "JPY") == 2700
    # Display tables give these currencies no decimals; their statements have two.
    assert [exponent(code) for code in ("EUR", "JPY", "KWD", "CLF", "RSD", "LBP", "XPF")] == [2, 0, 3, 4, 2, 2, 0]


def test_totals_that_cannot_be_kept_are_refused() -> None:
    code, sentence = refusal(document(entry("92233720368547758.07") * 2).encode())
    assert (code, sentence.startswith("Statement S1: ")) == ("statement_amount", True)


@pytest.mark.parametrize(
    ("inside", "code", "place"),
    [
        (entry(mark=""), "statement_mark", "entry 1"),
        (entry(mark="CREDIT"), "statement_mark", "entry 1"),
        (entry(currency=' Ccy="EURO"'), "statement_currency", "entry 1"),
        (balance("CLBD", "1e3"), "statement_amount", "balance CLBD"),
        (
            entry(rest='<NtryDtls><TxDtls><Amt Ccy="EUR">5</Amt></TxDtls><TxDtls><Amt>NaN</Amt></TxDtls></NtryDtls>'),
            "statement_amount",
            "entry 1, payment 2",
        ),
    ],
)
def test_money_is_never_guessed(inside: str, code: str, place: str) -> None:
    found, sentence = refusal(document(inside).encode())
    assert (found, sentence.startswith(f"Statement S1, {place}: ")) == (code, True)


def test_one_bad_entry_refuses_every_statement_of_the_file() -> None:
    text = (OWN / "camt053-several.xml").read_text(encoding="utf-8")
    assert refusal(text.replace(">1.234<", ">1.2345<").encode()) == (
        "statement_amount",
        "Statement KWD-6, entry 1: “1.2345” is not a plain amount with at most 3 decimals; "
        "ask the bank for a correct file.",
    )


LAUGHS = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(10))
HOSTILE = {
    "billion laughs": document("<AddtlStmtInf>&e9;</AddtlStmtInf>", prolog=f"<!DOCTYPE Document [{LAUGHS}]>"),
    "external entity": document(
        "<AddtlStmtInf>&x;</AddtlStmtInf>",
        prolog=f'<!DOCTYPE Document [<!ENTITY x SYSTEM "{Path(__file__).as_uri()}">]>',
    ),
    "parameter entity": document(
        entry(), prolog='<!DOCTYPE Document [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>'
    ),
    "external DTD": document(entry(), prolog='<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/camt.dtd">'),
    "empty DTD": document(entry(), prolog="<!DOCTYPE Document>"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_any_dtd_is_refused_before_anything_grows(name: str, encoding: str) -> None:
    data = HOSTILE[name].replace("UTF-8", encoding.upper()).encode(encoding)
    tracemalloc.start()
    try:
        code, sentence = refusal(data)
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert code == "statement_dtd"
    assert "test_camt053" not in sentence
    assert grown < 5_000_000


GOOD = document(entry())


def zipped(text: str) -> bytes:
    """A zip archive holding a statement."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("statement.xml", text)
    return archive.getvalue()


ATTRIBUTES = " ".join(f'a{number}="1"' for number in range(90_000))
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "statement_empty"),
    "blank": (b" \r\n\t ", "statement_empty"),
    "truncated in a tag": (GOOD.encode()[: GOOD.index("CdtDbtInd") + 4], "statement_damaged"),
    "truncated after an entry": (GOOD.encode()[: GOOD.index("</Stmt>")], "statement_damaged"),
    "truncated before the last tag": (GOOD.encode()[: GOOD.index("</Document>")], "statement_damaged"),
    "two documents": ((GOOD + GOOD.partition("?>")[2]).encode(), "statement_damaged"),
    "unknown entity": (document("<AddtlStmtInf>&x;</AddtlStmtInf>").encode(), "statement_damaged"),
    "text": ("Relevé de compte\nmars".encode(), "statement_unknown_format"),
    "PDF": (b"%PDF-1.7\n", "statement_unknown_format"),
    "noise": (bytes(range(128, 256)), "statement_unknown_format"),
    "gzip": (gzip.compress(GOOD.encode()), "statement_compressed"),
    "zip": (zipped(GOOD), "statement_compressed"),
    "other XML": (b"<html><body>Relev\xc3\xa9</body></html>", "statement_unknown_format"),
    "no namespace": (GOOD.replace(f' xmlns="{NAMESPACE}"', "").encode(), "statement_unknown_format"),
    "namespace of somebody else": (GOOD.replace("urn:iso", "urn:osi").encode(), "statement_unknown_format"),
    "root of another kind": (GOOD.replace("Document", "Documents").encode(), "statement_unknown_format"),
    "payment order": (GOOD.replace("camt.053", "pain.001").encode(), "statement_unknown_format"),
    "camt.052": (GOOD.replace("camt.053", "camt.052").encode(), "statement_camt052"),
    "camt.054": (GOOD.replace("camt.053", "camt.054").encode(), "statement_camt054"),
    "unknown encoding": (GOOD.replace("UTF-8", "klingon").encode(), "statement_encoding"),
    "multi-byte encoding": (GOOD.replace("UTF-8", "gb18030").encode(), "statement_encoding"),
    "bytes that are not UTF-8": (GOOD.replace("S1", "é").encode("latin-1"), "statement_damaged"),
    "no statement": (f'<Document xmlns="{NAMESPACE}"><BkToCstmrStmt/></Document>'.encode(), "statement_none"),
    "deep": (document("<a>" * 5_000 + "</a>" * 5_000).encode(), "statement_too_complex"),
    "endless nesting": (document("<a>" * 500_000).encode(), "statement_too_complex"),
    "one endless tag": (document(f"<a {ATTRIBUTES}/>").encode(), "statement_too_complex"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_a_whole_statement_is_refused(name: str) -> None:
    data, code = UNREADABLE[name]
    assert refusal(data)[0] == code


def test_a_refusal_says_where_the_file_is_damaged() -> None:
    data = (OWN / "camt053-v2.xml").read_bytes()
    sentence = "This file is cut short or damaged at line 14: download it from the bank again."
    cut = b"\n".join(data.split(b"\n")[:14])
    assert refusal(cut) == ("statement_damaged", sentence)


@pytest.mark.parametrize("flood", ["<Foo/>", "<Ntry/>", "<NtryDtls><TxDtls/></NtryDtls>"])
def test_a_flood_of_elements_is_refused(flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt053, "_MAX_TEXTS", 200)
    monkeypatch.setattr(camt053, "_MAX_FACTS", 200)
    assert refusal(document(f"<Ntry>{flood * 300}</Ntry>" if "Tx" in flood else flood * 300).encode())[0] == (
        "statement_too_complex"
    )


def test_the_limit_of_operations_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt053, "_MAX_FACTS", 200)
    assert refusal(document(entry() * 200).encode()) == (
        "statement_too_complex",
        "This file holds more than 200 operations and details: download shorter periods from the bank, one after the "
        "other.",
    )
    assert len(one(entry() * 199).lines) == 199  # the statement is one too


def test_size_is_checked_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_args: Any, **_options: Any) -> None:
        raise AssertionError("parsed a file above the limit")

    data = GOOD.encode()
    assert len(read_statements(data, max_bytes=len(data))) == 1
    monkeypatch.setattr(camt053, "XMLParser", unexpected)
    assert refusal(data, max_bytes=len(data) - 1)[0] == "statement_too_large"
    sentence = "This file is larger than 20 MB: download a shorter period from the bank."
    assert refusal(b"<" * 20_000_001) == ("statement_too_large", sentence)
    with pytest.raises(StatementFileError, match="larger than"):
        camt053.read(data, len(data) - 1)


def test_a_stream_is_never_read_beyond_the_limit() -> None:
    stream = io.BytesIO(b"x" * 1_000)
    with pytest.raises(StatementFileError):
        read_at_most(stream, 100)
    assert stream.tell() == 101
    assert read_at_most(io.BytesIO(b"abc"), 3) == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace("S1", "é").replace("UTF-8", "UTF-16").encode("utf-16"),
        GOOD.replace("S1", "é").encode("utf-8-sig"),
        GOOD.replace("S1", "é").replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        GOOD.replace("S1", "é").replace("UTF-8", "windows-1252").encode("cp1252"),
        b"\r\n" + GOOD.replace("S1", "é").encode(),
        GOOD.replace("S1", "é").replace("camt.053.001.02", "camt.053.001.13").encode(),
        GOOD.replace("S1", "é")
        .replace("xmlns=", "xmlns:c=")
        .replace("<", "<c:")
        .replace("<c:/", "</c:")
        .replace("<c:?", "<?")
        .encode(),
    ],
    ids=["UTF-16", "UTF-8 with mark", "Latin-1", "windows-1252", "blank line first", "a later version", "prefix"],
)
def test_other_ways_of_writing_the_same_file_are_read(data: bytes) -> None:
    (statement,) = read_statements(data)
    assert (statement.statement_id, statement.credits) == ("é", 1000)


def test_elements_elsewhere_are_not_taken_for_ours() -> None:
    foreign = f'<SplmtryData><Envlp><x xmlns="urn:bank">{entry()}</x></Envlp></SplmtryData>'
    misplaced = "<Foo><NtryDtls><TxDtls/></NtryDtls>" + entry() + "</Foo>"
    statement = one(foreign + misplaced + f'<y:Ntry xmlns:y="urn:bank">{"x"}</y:Ntry>' + entry("1.00"))
    assert (statement.entries, statement.details, statement.credits) == (1, 0, 100)


def test_ten_thousand_lines_are_read() -> None:
    rest = "<NtryDtls><TxDtls><RmtInf><Ustrd>don</Ustrd></RmtInf></TxDtls></NtryDtls>"
    statement = one(entry("0.01", rest=rest) * 10_000)
    assert (len(statement.lines), statement.credits, statement.details) == (10_000, 10_000, 10_000)
    assert statement.lines[-1].entry == 10_000


def test_texts_are_cut_and_put_on_one_line() -> None:
    details = "<NtryDtls><TxDtls><RmtInf>" + "<Ustrd>a b\n c</Ustrd>" * 1000 + "</RmtInf></TxDtls></NtryDtls>"
    line = one(entry(rest=details + f"<AcctSvcrRef>{'r' * 500}</AcctSvcrRef>")).lines[0]
    assert line.remittance.startswith("a b c a b c ")
    assert (len(line.remittance) <= 2000, "\n" in line.remittance, len(line.bank_reference)) == (True, False, 140)
