"""Reads camt.053, the ISO 20022 bank statement, in all its versions: streamed, without DTD, entities or network.

Real files often break their own schema, so elements are looked for where they belong and in any order; what decides
about money (amount, currency, credit or debit mark) is never guessed.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser
from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import (
    MAX_BYTES,
    ParsedStatement,
    StatementFileError,
    account_number,
    is_iban_shaped,
    require_size,
    tidy,
)
from backend.banking.formats.camt053_statement import Detail, Entry, Party, RawBalance, RawStatement, assemble

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.(?P<kind>[0-9]{3})\.[0-9]{3}\.[0-9]{2}")
# What is turned into facts: (inside of, at this path) and its name. Anything elsewhere is not taken for one.
_PLACES = {
    ("", "Document/BkToCstmrStmt/Stmt"): "Stmt",
    ("Stmt", "Bal"): "Bal",
    ("Stmt", "Ntry"): "Ntry",
    ("Ntry", "NtryDtls/TxDtls"): "TxDtls",
}
# The schema itself never goes deeper than some 20 levels.
_MAX_DEPTH = 64
# Texts held for the statement, entry or payment being read: each is dropped as soon as it ends.
_MAX_TEXTS = 100_000
# Statements, balances, entries and payments kept from one file: read in about two seconds on a small machine.
_MAX_FACTS = 25_000
# The file is given to the parser piece by piece; one tag or comment longer than this many bytes is an attack on it.
_PIECE = 65_536
_MAX_TAG = 4 * _PIECE


def looks_like_xml(data: bytes) -> bool:
    """Whether the first character is `<`, in UTF-8 or any other 8-bit encoding, or in UTF-16."""
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    return start.startswith((b"<", b"\xff\xfe<\x00", b"\xfe\xff\x00<"))


def read(data: bytes, max_bytes: int = MAX_BYTES) -> list[ParsedStatement]:
    """Read a camt.053 file.

    Args: data: the file. max_bytes: above it the file is refused before anything reads it.
    Returns: its statements in the order of the file, at least one; entries that are not booked are only counted.
    Raises: StatementFileError, the file being refused whole.
    """
    require_size(data, max_bytes)
    collector = _Collector()
    parser = XMLParser(target=collector, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        # Some banks put an empty line before the XML declaration, which the parser refuses.
        text = data.lstrip(b" \t\r\n")
        for start in range(0, len(text), _PIECE):
            parser.feed(text[start : start + _PIECE])
            if start - parser.parser.CurrentByteIndex > _MAX_TAG:
                _refuse_as_too_complex()
        parser.close()
    except DefusedXmlException as refusal:
        raise StatementFileError(
            "statement_dtd",
            _("This file carries a DTD or entities, which no bank statement needs: download it from the bank again."),
        ) from refusal
    except ParseError as broken:
        raise StatementFileError(
            "statement_damaged",
            _("This file is cut short or damaged at line %(line)s: download it from the bank again."),
            line=broken.position[0],
        ) from broken
    except (ValueError, LookupError) as unknown:
        raise StatementFileError(
            "statement_encoding", _("The text encoding of this file is not supported: save it as UTF-8.")
        ) from unknown
    if not collector.statements:
        raise StatementFileError(
            "statement_none", _("This file holds no statement: check the export that you chose at the bank.")
        )
    return [assemble(statement) for statement in collector.statements]


def _require_camt053(root_tag: str) -> str:
    """The namespace of a camt.053 document as it prefixes its tags, or a refusal saying what the file is instead."""
    namespace, _brace, name = root_tag.removeprefix("{").rpartition("}")
    found = _NAMESPACE.fullmatch(namespace)
    kind = found["kind"] if found and name == "Document" else ""
    if kind == "053":
        return "{" + namespace + "}"
    if kind == "052":
        raise StatementFileError(
            "statement_camt052",
            _("This is an intraday report (camt.052), which may still change: download the statement (camt.053)."),
        )
    if kind == "054":
        raise StatementFileError(
            "statement_camt054",
            _(
                "This is a notification (camt.054), which repeats operations of the statement and would count them "
                "twice: download the statement (camt.053)."
            ),
        )
    raise StatementFileError(
        "statement_unknown_format",
        _("This XML file is not a bank statement that can be read here: download it from the bank as camt.053."),
    )


def _refuse_as_too_complex() -> NoReturn:
    raise StatementFileError(
        "statement_too_complex",
        _("This file is nested too deeply or holds too many entries: download a shorter period from the bank."),
    )


@dataclass(slots=True)
class _Fact:
    """A statement, balance, entry or payment being read: its texts by path, and what it contains."""

    name: str
    texts: dict[str, list[str]] = field(default_factory=dict)
    balances: list[RawBalance] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)

    def text(self, *paths: str, limit: int = 140) -> str:
        """The first text that is not empty among the paths."""
        for path in paths:
            if path in self.texts and (found := tidy(self.texts[path][0], limit)):
                return found
        return ""

    def all(self, path: str) -> list[str]:
        """Every text at a path that is not empty."""
        return [found for text in self.texts.get(path, ()) if (found := tidy(text))]

    def amount(self, path: str) -> tuple[str, str] | None:
        """An amount and its currency as written, or None."""
        if path not in self.texts:
            return None
        # Cut, so that a refusal can quote it; what is longer than 40 characters is no amount anyway.
        return self.texts[path][0].strip()[:41], tidy(self.texts[path + "@Ccy"][0]).upper()


class _Collector:
    """Target of the parser: turns each payment, entry and statement into facts when it ends, then forgets its XML."""

    def __init__(self) -> None:
        self.statements: list[RawStatement] = []
        self._facts = [_Fact("")]
        # The path of each open element, inside the fact that it belongs to.
        self._paths: list[str] = []
        self._namespace = ""
        self._is_leaf = False
        self._text: list[str] = []
        self._currency = ""
        self._texts_held = 0
        self._facts_kept = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if not self._paths:
            self._namespace = _require_camt053(tag)
        # Elements of other namespaces (a bank's own additions) keep their long name: nothing takes them for ours.
        name = tag.removeprefix(self._namespace)
        path = f"{self._paths[-1]}/{name}" if self._paths and self._paths[-1] else name
        if fact := _PLACES.get((self._facts[-1].name, path)):
            self._facts.append(_Fact(fact))
            path = ""
        self._paths.append(path)
        if len(self._paths) > _MAX_DEPTH:
            _refuse_as_too_complex()
        self._is_leaf, self._text, self._currency = True, [], attributes.get("Ccy", "")

    def data(self, text: str) -> None:
        """Text of the element last opened; the one between elements is layout."""
        if self._is_leaf:
            self._text.append(text)

    def end(self, _tag: str) -> None:
        """An element ends."""
        path = self._paths.pop()
        if not path:
            self._keep(self._facts.pop())
        elif self._is_leaf and self._facts[-1].name:
            texts = self._facts[-1].texts
            texts.setdefault(path, []).append("".join(self._text))
            if path.endswith("Amt"):
                texts.setdefault(path + "@Ccy", []).append(self._currency)
            self._texts_held += 1
            if self._texts_held > _MAX_TEXTS:
                _refuse_as_too_complex()
        self._is_leaf = False

    def close(self) -> None:
        """The document ended."""

    def _keep(self, ended: _Fact) -> None:
        """Give what ended to what it is in."""
        around = self._facts[-1]
        if ended.name == "TxDtls":
            around.details.append(_detail(ended))
        elif ended.name == "Ntry":
            around.entries.append(_entry(ended, len(around.entries) + 1))
        elif ended.name == "Bal":
            around.balances.append(_balance(ended))
        else:
            self.statements.append(_statement(ended))
        self._texts_held -= sum(len(texts) for path, texts in ended.texts.items() if not path.endswith("@Ccy"))
        self._facts_kept += 1
        if self._facts_kept > _MAX_FACTS:
            raise StatementFileError(
                "statement_too_complex",
                _(
                    "This file holds more than %(limit)s operations and details: download shorter periods from the "
                    "bank, one after the other."
                ),
                limit=_MAX_FACTS,
            )


_CODE_LEVELS = ("BkTxCd/Domn/Cd", "BkTxCd/Domn/Fmly/Cd", "BkTxCd/Domn/Fmly/SubFmlyCd")


def _code(fact: _Fact) -> str:
    """The bank transaction code: `PMNT/RCDT/ESCT`, or the bank's own when it gives no other."""
    return "/".join(level for path in _CODE_LEVELS if (level := fact.text(path))) or fact.text("BkTxCd/Prtry/Cd")


def _party(detail: _Fact, role: str) -> Party:
    """A debtor or a creditor: versions up to 7 write the name in the party, later ones one level deeper."""
    party, ultimate = f"RltdPties/{role}/", f"RltdPties/Ultmt{role}/"
    name = detail.text(
        party + "Nm", party + "Pty/Nm", party + "Agt/FinInstnId/Nm", ultimate + "Nm", ultimate + "Pty/Nm"
    )
    account = account_number(detail.text(f"RltdPties/{role}Acct/Id/IBAN", f"RltdPties/{role}Acct/Id/Othr/Id"))
    return Party(name=name, iban=account if is_iban_shaped(account) else "")


def _detail(fact: _Fact) -> Detail:
    """The facts of one payment of an entry (TxDtls)."""
    references = fact.all("RmtInf/Strd/CdtrRefInf/Ref")
    remittance = [*fact.all("RmtInf/Ustrd"), *references]
    remittance += [*fact.all("RmtInf/Strd/RfrdDocInf/Nb"), *fact.all("RmtInf/Strd/AddtlRmtInf")]
    return Detail(
        amounts=tuple(fact.amount(path) for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")),
        mark=fact.text("CdtDbtInd"),
        debtor=_party(fact, "Dbtr"),
        creditor=_party(fact, "Cdtr"),
        remittance=" ".join(remittance),
        information=fact.text("AddtlTxInf", limit=500),
        creditor_reference=references[0] if references else "",
        end_to_end_id=fact.text("Refs/EndToEndId"),
        bank_reference=fact.text("Refs/AcctSvcrRef"),
        payment_information_id=fact.text("Refs/PmtInfId"),
        message_id=fact.text("Refs/MsgId"),
        code=_code(fact),
        return_reason=fact.text("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf"),
        is_return=any(path.startswith("RtrInf") for path in fact.texts),
    )


def _entry(fact: _Fact, index: int) -> Entry:
    """The facts of one entry (Ntry); `index` counts from 1 in its statement."""
    return Entry(
        index=index,
        amount=fact.amount("Amt"),
        mark=fact.text("CdtDbtInd"),
        # Versions 2 to 7 write the status as text, later ones as a code or the bank's own word. None means booked.
        booked=fact.text("Sts", "Sts/Cd", "Sts/Prtry").upper() in {"BOOK", ""},
        is_reversal=fact.text("RvslInd").lower() in {"true", "1"},
        booked_on=fact.text("BookgDt/Dt", "BookgDt/DtTm"),
        value_on=fact.text("ValDt/Dt", "ValDt/DtTm"),
        bank_reference=fact.text("AcctSvcrRef"),
        code=_code(fact),
        information=fact.text("AddtlNtryInf", limit=500),
        payment_information_id=fact.text("NtryDtls/Btch/PmtInfId"),
        message_id=fact.text("NtryDtls/Btch/MsgId"),
        announced=fact.text("NtryDtls/Btch/NbOfTxs"),
        details=tuple(fact.details),
    )


def _balance(fact: _Fact) -> RawBalance:
    """The facts of one balance (Bal)."""
    return RawBalance(
        kind=fact.text("Tp/CdOrPrtry/Cd").upper(),
        amount=fact.amount("Amt"),
        mark=fact.text("CdtDbtInd"),
        on=fact.text("Dt/Dt", "Dt/DtTm"),
    )


def _statement(fact: _Fact) -> RawStatement:
    """The facts of one statement (Stmt)."""
    return RawStatement(
        account=account_number(fact.text("Acct/Id/IBAN", "Acct/Id/Othr/Id")),
        currency=fact.text("Acct/Ccy").upper(),
        statement_id=fact.text("Id"),
        number=fact.text("ElctrncSeqNb"),
        created_at=fact.text("CreDtTm"),
        from_on=fact.text("FrToDt/FrDtTm", "FrToDt/FrDt"),
        to_on=fact.text("FrToDt/ToDtTm", "FrToDt/ToDt"),
        announced=fact.text("TxsSummry/TtlNtries/NbOfNtries"),
        balances=tuple(fact.balances),
        entries=tuple(fact.entries),
    )
