"""What the free text of an MT940 operation says: the German fields, the words between slashes, or plain text."""

import re
from dataclasses import dataclass

from backend.banking.formats.base import account_number, is_iban_shaped, tidy

# Width of a line of tag 86 and of a German field: a text that fills it goes on without a space.
_LINE, _FIELD = 65, 27
_GERMAN = re.compile(r" {0,3}([0-9]{3})([?>@~|+])(?=[0-9]{2})")
_SEPA = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC|COAM|OAMT|PURP)\+")
_SLASHED = re.compile(
    r"/(EREF|ORDP|BENM|NAME|REMI|IBAN|BIC|CSID|MARF|ISDT|PREF|RTRN|CNTP|TRTP|PURP|KREF|SVCL|TRCD|ULTC|ULTD|INIT|ADDR|ID)/"
)
_ABSENT = {"NOTPROVIDED", "NONREF", "NOT PROVIDED"}


@dataclass(slots=True)
class Details:
    """What was understood; empty where the text says nothing."""

    name: str = ""
    iban: str = ""
    remittance: str = ""
    end_to_end_id: str = ""
    customer_reference: str = ""
    return_reason: str = ""
    code: str = ""


def read_details(text: str, *, notes: str, supplement: str) -> Details:
    """Read what a bank writes beside an operation.

    Args: text: tag 86, lines apart. notes: tag NS. supplement: the second line of tag 61.
    Returns: what it says of the other side; texts are on one line, cut at the lengths of ISO 20022.
    """
    german = _GERMAN.match(text)
    if german:
        details = _german(_unwrapped(text), german[1], german[2])
    elif _SLASHED.search(text):
        details = _slashed(_unwrapped(text))
    elif text.strip():
        details = Details(remittance=_unwrapped(text, everywhere=False))
    else:
        details = _noted(notes)
    extra = tidy(supplement)
    account = account_number(extra)
    if is_iban_shaped(account):
        details.iban = details.iban or account
    elif extra and extra not in details.remittance:
        details.remittance = f"{details.remittance} {extra}"
    details.remittance = tidy(details.remittance, 2000)
    details.name = tidy(details.name)
    details.end_to_end_id = "" if details.end_to_end_id.upper() in _ABSENT else tidy(details.end_to_end_id, 35)
    details.customer_reference = tidy(details.customer_reference, 35)
    return details


def _unwrapped(text: str, *, everywhere: bool = True) -> str:
    """The lines joined: fields are cut anywhere, plain text goes on without a space only where a line is full."""
    kept = ""
    full = True
    for line in text.split("\n"):
        kept += line if everywhere or full else f" {line}"
        full = len(line) >= _LINE
    return kept


def _german(text: str, code: str, mark: str) -> Details:
    """`106?00KARTENZAHLUNG?20SVWZ+…?31IBAN?32name`: fields of two figures behind a mark."""
    fields: dict[str, str] = {}
    for number, content in re.findall(re.escape(mark) + r"([0-9]{2})([^" + re.escape(mark) + "]*)", text):
        fields.setdefault(number, content)
    said = ""
    for number in [*range(20, 30), *range(60, 66)]:
        part = fields.get(str(number), "")
        said += part if len(part) >= _FIELD or not part else f"{part} "
    words = _SEPA.split(said)
    named = dict(zip(words[1::2], (tidy(word, 500) for word in words[2::2]), strict=False))
    account = account_number(fields.get("31", "").strip() or named.get("IBAN", ""))
    return Details(
        name=fields.get("32", "") + fields.get("33", "") or named.get("ABWA", "") or named.get("ABWE", ""),
        iban=account if is_iban_shaped(account) else "",
        remittance=" ".join(part for part in (words[0], named.get("SVWZ", "")) if part.strip()) or fields.get("00", ""),
        end_to_end_id=named.get("EREF", ""),
        customer_reference=named.get("KREF", ""),
        return_reason=tidy(fields.get("34"), 35),
        code=code,
    )


def _slashed(text: str) -> Details:
    """`/EREF/…/BENM//NAME/…/REMI/…`: words between slashes."""
    words = _SLASHED.split(text)
    named: dict[str, str] = {}
    for name, content in zip(words[1::2], words[2::2], strict=False):
        named.setdefault(name, tidy(content.strip("/"), 500))
    other = named.get("CNTP", "").split("/")
    account = account_number(named.get("IBAN", "") or other[0])
    said = re.sub(r"^(USTD|STRD)/{1,2}(CUR/|ISO/)?", "", named.get("REMI", ""))
    return Details(
        name=named.get("NAME") or (other[2] if len(other) > 2 else ""),
        iban=account if is_iban_shaped(account) else "",
        remittance=said or words[0] or tidy(text, 2000),
        end_to_end_id=named.get("EREF", ""),
        customer_reference=named.get("PREF", "") or named.get("KREF", ""),
        return_reason=tidy(named.get("RTRN"), 35),
    )


def _noted(notes: str) -> Details:
    """Tag NS: lines that begin with two figures; 01 to 14 what it is for, 15 the other side."""
    fields = {line[:2]: line[2:] for line in notes.split("\n") if line[:2].isdecimal()}
    said = [fields[f"{number:02}"] for number in range(1, 15) if f"{number:02}" in fields]
    return Details(name=fields.get("15", ""), remittance=" ".join(said) or fields.get("17", ""))
