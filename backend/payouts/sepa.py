"""The pain.001 file of a payout batch: .09, or .03 for a bank that wants it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from defusedxml import ElementTree
from sepaxml import SepaTransfer
from text_unidecode import unidecode

# EPC217-08: the characters every bank of the SEPA area accepts.
_FOREIGN = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")
_LETTER = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True)
class Place:
    """A structured address, as banks want it from November 2026 on: no free lines. `country`: two letters."""

    street: str
    postcode: str
    town: str
    country: str


@dataclass(frozen=True)
class Transfer:
    """One credit transfer: amount in minor units of the batch's currency (two decimals)."""

    end_to_end_id: str
    name: str
    iban: str
    amount: int
    text: str
    place: Place | None = None


def sepa_text(text: str, length: int) -> str:
    """A text in the SEPA character set: accents removed, what is left over replaced by a space, cut to a length."""
    plain = _FOREIGN.sub(" ", unidecode(text))
    return " ".join(plain.split())[:length].strip("/ ") or "-"


def sepa_name(name: str) -> str:
    """A name in the SEPA character set, empty when no letter and no figure is left of it: banks pay no "-"."""
    plain = sepa_text(name, 70)
    return plain if _LETTER.search(plain) else ""


def pain001(
    *,
    message_id: str,
    debtor: str,
    iban: str,
    bic: str,
    currency: str,
    execute_on: date,
    transfers: Sequence[Transfer],
    file_format: str = "pain.001.001.09",
) -> bytes:
    """Write a customer credit transfer initiation, checked against its schema.

    Args: message_id: at most 35 characters, also the batch's PmtInfId, by which its single debit is recognised.
        debtor, iban, bic: the host's account. execute_on: requested day. transfers: one at least. file_format:
        pain.001.001.09 or pain.001.001.03.
    Returns: the bytes of the file (UTF-8).
    Raises: ValueError for a name that cannot be written (see `sepa_name`), xmlschema's validation error: our bug,
        never the user's.
    """
    config = {"name": _named(debtor), "IBAN": iban, "batch": True, "currency": currency}
    if bic:
        config["BIC"] = bic
    document = SepaTransfer(config, schema=file_format, clean=True)
    for transfer in transfers:
        document.add_payment(
            {
                "name": _named(transfer.name),
                "IBAN": transfer.iban,
                "amount": transfer.amount,
                "execution_date": execute_on,
                "description": sepa_text(transfer.text, 140),
                "endtoend_id": transfer.end_to_end_id,
                "address": _address(transfer.place),
            }
        )
    written: bytes = document.export(validate=False, pretty_print=True)
    # The library draws its own ids: ours let the bank's line name the batch. And an account without BIC says so.
    for element in (b"MsgId", b"PmtInfId"):
        named = b"<%s>%s</%s>" % (element, message_id.encode(), element)
        written = re.sub(b"<%s>[^<]*</%s>" % (element, element), named, written)
    written = written.replace(b"<FinInstnId/>", b"<FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId>")
    _schema(file_format).validate(written.decode())
    return written


def transfers_of(data: bytes) -> dict[str, tuple[str, str]]:
    """End-to-end id → (IBAN, amount as written) of each transfer of one of our files, to compare it with our rows."""
    root = ElementTree.fromstring(data)
    space = root.tag.partition("}")[0] + "}"
    return {
        str(one.findtext(f"{space}PmtId/{space}EndToEndId")): (
            str(one.findtext(f"{space}CdtrAcct/{space}Id/{space}IBAN")),
            str(one.findtext(f"{space}Amt/{space}InstdAmt")),
        )
        for one in root.iter(f"{space}CdtTrfTxInf")
    }


def written_amount(amount: int) -> str:
    """An amount in minor units as the file writes it."""
    return f"{amount // 100}.{amount % 100:02d}"


def _named(name: str) -> str:
    plain = sepa_name(name)
    if not plain:
        raise ValueError("a name that has no letter of the SEPA character set is not written into a payment file")
    return plain


def _address(place: Place | None) -> dict[str, str]:
    """What the library writes of an address: nothing without a town and a country, which are what banks require."""
    if place is None or not sepa_name(place.town) or not re.fullmatch("[A-Z]{2}", place.country):
        return {}
    found = {"town": sepa_text(place.town, 35), "country": place.country}
    if sepa_name(place.street):
        found["street_name"] = sepa_text(place.street, 70)
    if sepa_name(place.postcode):
        found["postcode"] = sepa_text(place.postcode, 16)
    return found


@lru_cache(maxsize=2)
def _schema(file_format: str) -> Any:
    """The ISO 20022 schema that comes with the library, read once per process."""
    import xmlschema  # late: reading it costs a second that few processes need

    return xmlschema.XMLSchema(str(files("sepaxml") / "schemas" / f"{file_format}.xsd"))
