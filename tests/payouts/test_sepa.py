"""The payment file: ours to the letter, valid for every bank."""

from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest
import xmlschema
from defusedxml import ElementTree
from sepaxml import SepaTransfer

from backend.payouts.sepa import Place, Transfer, pain001, sepa_name, sepa_text, transfers_of, written_amount

SCHEMAS = Path(__file__).resolve().parents[3] / "shared" / "samples" / "sepa" / "xsd"
FORMATS = ["pain.001.001.09", "pain.001.001.03"]


def write(
    transfers: list[Transfer], bic: str = "AGRIFRPP", debtor: str = "Association des Communs", of: str = FORMATS[0]
) -> bytes:
    """A file of these transfers from the demonstration's host."""
    return pain001(
        message_id="TRONC-0123456789", debtor=debtor, iban="FR7630006000011234567890189", bic=bic, currency="EUR",
        execute_on=date(2026, 11, 21), transfers=transfers, file_format=of,
    )  # fmt: skip


def texts(data: bytes, name: str) -> list[str]:
    """All the texts of an element, in order."""
    root = ElementTree.fromstring(data)
    return [found.text or "" for found in root.iter(root.tag.partition("}")[0] + "}" + name)]


def judge(data: bytes, of: str) -> None:
    """The bank's own schema judges a file; from the shared samples, else the library's copy of it."""
    path = SCHEMAS / f"{of}.xsd"
    if not path.exists():
        path = Path(str(files("sepaxml") / "schemas" / f"{of}.xsd"))
    xmlschema.XMLSchema(str(path)).validate(data.decode())


BO = Transfer("P-1", "Bo Nguyễn & Fils <SARL>", "FR1420041010050500013M02606", 57_00, "P-1 Cartolibre")
CENT = Transfer("P-2", "Zoë", "DE89370400440532013000", 1, "P-2 été")


def test_amounts_ids_and_sums_are_ours() -> None:
    data = write([BO, CENT])
    assert texts(data, "InstdAmt") == ["57.00", "0.01"]
    assert texts(data, "CtrlSum") == ["57.01", "57.01"]
    assert texts(data, "NbOfTxs") == ["2", "2"]
    assert texts(data, "EndToEndId") == ["P-1", "P-2"]
    assert texts(data, "MsgId") == texts(data, "PmtInfId") == ["TRONC-0123456789"]
    assert texts(data, "Nm")[2:] == ["Bo Nguyen Fils SARL", "Zoe"]
    assert texts(data, "IBAN") == [
        "FR7630006000011234567890189", "FR1420041010050500013M02606", "DE89370400440532013000",
    ]  # fmt: skip


def test_a_host_without_bic_says_so() -> None:
    assert b"<Id>NOTPROVIDED</Id>" in write([BO], bic="")
    assert texts(write([BO]), "BICFI") == ["AGRIFRPP"]


def test_both_schemas_of_the_banks_are_there() -> None:
    """Says whether the samples of ../shared judge too, or the library's copies alone."""
    if SCHEMAS.is_dir():
        assert [(SCHEMAS / f"{of}.xsd").exists() for of in FORMATS] == [True, True]
    assert [(files("sepaxml") / "schemas" / f"{of}.xsd").is_file() for of in FORMATS] == [True, True]


@pytest.mark.parametrize("of", FORMATS)
@pytest.mark.parametrize("bic", ["", "AGRIFRPP"])
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Dupont & Fils < SARL", "Dupont Fils SARL"), ("Zoé Lefèvre", "Zoe Lefevre"), ("Œuvre cœur", "OEuvre coeur"),
        ("Łukasz Ślęzak", "Lukasz Slezak"), ("漢字", "Han Zi"), ("a" * 200, "a" * 70), ("œuvre / ", "oeuvre"),
        ("=1+1", "1+1"), ("Ahmed أحمد", "Ahmed 'Hmd"), ("Straße ÆØ", "Strasse AEO"),
    ],
)  # fmt: skip
def test_every_name_gives_a_valid_file(name: str, written: str, bic: str, of: str) -> None:
    data = write([Transfer("P-1", name, BO.iban, 10**11, name)], bic=bic, debtor=name, of=of)
    judge(data, of)
    assert texts(data, "InstdAmt") == ["1000000000.00"]
    assert set(texts(data, "Nm")) == {written}


@pytest.mark.parametrize("name", ["'", "\x00\x1b", "-", "", "🎉", "((("])
def test_a_name_without_a_letter_is_never_written(name: str) -> None:
    assert sepa_name(name) == ""
    with pytest.raises(ValueError, match="no letter"):
        write([Transfer("P-1", name, BO.iban, 1, "x")])


@pytest.mark.parametrize("of", FORMATS)
def test_an_address_is_structured_or_absent(of: str) -> None:
    home = Place("12 rue de l’Été", "35000", "Saint-Brieuc", "FR")
    data = write([replace(BO, place=home), replace(CENT, place=Place("x", "1", "漢", "FRA"))], of=of)
    judge(data, of)
    assert texts(data, "StrtNm") == ["12 rue de l'Ete"]
    assert texts(data, "PstCd") == ["35000"]
    assert texts(data, "TwnNm") == ["Saint-Brieuc"]
    assert texts(data, "Ctry") == ["FR"]
    assert texts(data, "AdrLine") == []


@pytest.mark.parametrize("of", FORMATS)
def test_the_file_of_the_library_for_the_same_data_says_the_same(of: str) -> None:
    """Every amount, IBAN and reference, as sepaxml itself writes them from our data."""
    ours = [BO, CENT, Transfer("P-3", "Łukasz & Œuvre", "NL91ABNA0417164300", 123_456_78, "P-3 漢")]
    document = SepaTransfer(
        {"name": "Association des Communs", "IBAN": "FR7630006000011234567890189", "BIC": "AGRIFRPP", "batch": True,
         "currency": "EUR"},
        schema=of, clean=True,
    )  # fmt: skip
    for one in ours:
        document.add_payment(
            {"name": one.name, "IBAN": one.iban, "amount": one.amount, "execution_date": date(2026, 11, 21),
             "description": one.text, "endtoend_id": one.end_to_end_id}
        )  # fmt: skip
    theirs, made = document.export(validate=True), write(ours, of=of)
    for name in ("InstdAmt", "CtrlSum", "NbOfTxs", "IBAN", "EndToEndId", "BtchBookg", "ChrgBr"):
        assert texts(made, name) == texts(theirs, name), name
    assert texts(made, "InstdAmt") == ["57.00", "0.01", "123456.78"]
    assert transfers_of(made) == {one.end_to_end_id: (one.iban, written_amount(one.amount)) for one in ours}


def test_the_character_set_is_that_of_the_banks() -> None:
    assert sepa_text("Été à l’œuvre « 漢 »", 70) == "Ete a l'oeuvre Han"
    assert sepa_text("//x//", 70) == "x"
    assert sepa_text("\x00", 70) == "-"
