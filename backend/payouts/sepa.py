"""The pain.001.001.09 file of a payout batch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from sepaxml import SepaTransfer
from text_unidecode import unidecode

# EPC217-08: the characters every bank of the SEPA area accepts.
_FOREIGN = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")


@dataclass(frozen=True)
class Transfer:
    """One credit transfer: amount in minor units of the batch's currency (two decimals)."""

    end_to_end_id: str
    name: str
    iban: str
    amount: int
    text: str


def sepa_text(text: str, length: int) -> str:
    """A text in the SEPA character set: accents removed, what is left over replaced by a space, cut to a length."""
    plain = _FOREIGN.sub(" ", unidecode(text))
    return " ".join(plain.split())[:length].strip("/ ") or "-"


def pain001(
    *,
    message_id: str,
    debtor: str,
    iban: str,
    bic: str,
    currency: str,
    execute_on: date,
    transfers: Sequence[Transfer],
) -> bytes:
    """Write a customer credit transfer initiation, pain.001.001.09, checked against its schema.

    Args: message_id: at most 35 characters, also the batch's PmtInfId, by which its single debit is recognised.
        debtor, iban, bic: the host's account. execute_on: requested day. transfers: one at least.
    Returns: the bytes of the file (UTF-8).
    Raises: xmlschema's validation error: our bug, never the user's.
    """
    config = {"name": sepa_text(debtor, 70), "IBAN": iban, "batch": True, "currency": currency}
    if bic:
        config["BIC"] = bic
    document = SepaTransfer(config, schema="pain.001.001.09", clean=True)
    for transfer in transfers:
        document.add_payment(
            {
                "name": sepa_text(transfer.name, 70),
                "IBAN": transfer.iban,
                "amount": transfer.amount,
                "execution_date": execute_on,
                "description": sepa_text(transfer.text, 140),
                "endtoend_id": transfer.end_to_end_id,
            }
        )
    written: bytes = document.export(validate=False, pretty_print=True)
    # The library draws its own ids: ours let the bank's line name the batch. And an account without BIC says so.
    for element in (b"MsgId", b"PmtInfId"):
        named = b"<%s>%s</%s>" % (element, message_id.encode(), element)
        written = re.sub(b"<%s>[^<]*</%s>" % (element, element), named, written)
    written = written.replace(b"<FinInstnId/>", b"<FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId>")
    _schema().validate(written.decode())
    return written


@lru_cache(maxsize=1)
def _schema() -> Any:
    """The ISO 20022 schema that comes with the library, read once per process."""
    import xmlschema  # late: reading it costs a second that few processes need

    return xmlschema.XMLSchema(str(files("sepaxml") / "schemas" / "pain.001.001.09.xsd"))
