"""The payment file: ours to the letter, valid for every bank."""

from datetime import date
from pathlib import Path

import pytest
import xmlschema
from defusedxml import ElementTree

from backend.payouts.sepa import Transfer, pain001, sepa_text

XSD = Path(__file__).resolve().parents[3] / "shared" / "samples" / "sepa" / "xsd" / "pain.001.001.09.xsd"
SPACE = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"


def write(transfers: list[Transfer], bic: str = "AGRIFRPP", debtor: str = "Association des Communs") -> bytes:
    """A file of these transfers from the demonstration's host."""
    return pain001(
        message_id="TRONC-0123456789", debtor=debtor, iban="FR7630006000011234567890189", bic=bic, currency="EUR",
        execute_on=date(2026, 11, 21), transfers=transfers,
    )  # fmt: skip


def texts(data: bytes, name: str) -> list[str]:
    """All the texts of an element, in order."""
    return [found.text or "" for found in ElementTree.fromstring(data).iter(SPACE + name)]


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


@pytest.mark.parametrize("bic", ["", "AGRIFRPP"])
@pytest.mark.parametrize("name", ["漢字", "'", "a" * 200, "œuvre / ", "\x00\x1b", "-", "=1+1"])
def test_every_name_gives_a_valid_file(name: str, bic: str) -> None:
    data = write([Transfer("P-1", name, BO.iban, 10**11, name)], bic=bic, debtor=name)
    if XSD.exists():  # the same schema, from the shared samples; the product's own copy has already judged it
        xmlschema.XMLSchema(str(XSD)).validate(data.decode())
    assert texts(data, "InstdAmt") == ["1000000000.00"]


def test_the_character_set_is_that_of_the_banks() -> None:
    assert sepa_text("Été à l’œuvre « 漢 »", 70) == "Ete a l'oeuvre Han"
    assert sepa_text("//x//", 70) == "x"
    assert sepa_text("\x00", 70) == "-"
