"""Reads pain.002, the bank's answer to a payment file: what it took and what it refused. Books nothing.

Of our own files only: one answer is about one message, whose transfers it names by the ids that we wrote.
"""

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import StatementFileError, is_currency, minor_units, tidy

MAX_BYTES = 2_000_000  # some thousands of transfers; a batch of ours is never near it
_MARK = re.compile(rb"urn:iso:std:iso:20022:tech:xsd:pain\.002\.001\.[0-9]{2}")
_ROOT = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:pain\.002\.001\.(?P<version>[0-9]{2})\}Document")
_START = 16_384
_FIGURES = re.compile(r"[0-9]{1,15}")

REFUSED = frozenset({"RJCT", "CANC"})
TAKEN = frozenset({"ACCP", "ACTC", "ACFC", "ACSP", "ACSC", "ACWC", "ACWP", "ACCC"})
AWAITED = frozenset({"PDNG", "RCVD", "PATC"})
MIXED = frozenset({"PART"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A status with the bank's reason: its code, or what it wrote instead. Empty where it says nothing."""

    status: str = ""
    code: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredTransfer:
    """What the bank says of one transfer, by our end-to-end id. `amount` in minor units, None when it is not told."""

    end_to_end_id: str
    verdict: Verdict
    amount: int | None
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredPayment:
    """What the bank says of one payment block (PmtInf) of our file; `count` and `total` are those it says we sent."""

    payment_id: str
    verdict: Verdict
    count: int | None
    total: str
    transfers: tuple[AnsweredTransfer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """One pain.002: its own id, the id of our message, and what it says of the whole and of the parts."""

    message_id: str
    created_at: str
    original_id: str
    verdict: Verdict
    count: int | None
    total: str
    payments: tuple[AnsweredPayment, ...]

    @property
    def transfers(self) -> tuple[AnsweredTransfer, ...]:
        """Each transfer that it names."""
        return tuple(one for payment in self.payments for one in payment.transfers)


def looks_like_pain002(data: bytes) -> bool:
    """Whether a file says that it is an answer to a payment file."""
    return _MARK.search(data[:_START]) is not None


def read(data: bytes) -> ParsedAnswer:
    """Read a pain.002 of version 3 or later.

    Raises: StatementFileError, the file being refused whole.
    """
    if len(data) > MAX_BYTES:
        raise StatementFileError(
            "answer_too_large",
            _("This answer to a payment file is larger than any batch needs: ask the bank for that of one batch."),
        )
    try:
        root = ElementTree.fromstring(data.lstrip(b" \t\r\n"), forbid_dtd=True)
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
    found = _ROOT.fullmatch(root.tag)
    if not found or int(found["version"]) < 3:
        raise StatementFileError(
            "answer_version",
            _("This answer is not a pain.002.001.03 or later: ask the bank for one of these versions."),
        )
    return _answer(root, root.tag.removesuffix("Document"))


def _answer(root: Element, space: str) -> ParsedAnswer:
    reports = root.findall(f"{space}CstmrPmtStsRpt")
    groups = [group for report in reports for group in report.findall(f"{space}OrgnlGrpInfAndSts")]
    if len(reports) != 1 or len(groups) != 1:
        raise StatementFileError(
            "answer_not_one", _("This file does not answer exactly one payment file: import each answer alone.")
        )
    report, group = reports[0], groups[0]
    return ParsedAnswer(
        message_id=_text(report, space, "GrpHdr", "MsgId"),
        created_at=_text(report, space, "GrpHdr", "CreDtTm"),
        original_id=_text(group, space, "OrgnlMsgId"),
        verdict=_verdict(group, space, "GrpSts"),
        count=_count(group, space),
        total=_text(group, space, "OrgnlCtrlSum"),
        payments=tuple(_payment(one, space) for one in report.findall(f"{space}OrgnlPmtInfAndSts")),
    )


def _payment(payment: Element, space: str) -> AnsweredPayment:
    return AnsweredPayment(
        payment_id=_text(payment, space, "OrgnlPmtInfId"),
        verdict=_verdict(payment, space, "PmtInfSts"),
        count=_count(payment, space),
        total=_text(payment, space, "OrgnlCtrlSum"),
        transfers=tuple(_transfer(one, space) for one in payment.findall(f"{space}TxInfAndSts")),
    )


def _transfer(transfer: Element, space: str) -> AnsweredTransfer:
    named = _text(transfer, space, "OrgnlEndToEndId")
    written = transfer.find("/".join(f"{space}{step}" for step in ("OrgnlTxRef", "Amt", "InstdAmt")))
    amount, currency = None, ""
    if written is not None:
        currency = written.get("Ccy", "").strip().upper()
        try:
            if not is_currency(currency):
                raise ValueError("no currency")
            amount = minor_units(written.text or "", currency)
        except ValueError as unreadable:
            raise StatementFileError(
                "answer_amount",
                _("The amount of the transfer %(id)s cannot be read: ask the bank for a correct file."),
                id=named or "?",
            ) from unreadable
    return AnsweredTransfer(
        end_to_end_id=named, verdict=_verdict(transfer, space, "TxSts"), amount=amount, currency=currency
    )


def _verdict(element: Element, space: str, status: str) -> Verdict:
    """The status at this level and its first reason; a status that nobody knows refuses the file."""
    word = _text(element, space, status).upper()
    if word and word not in REFUSED | TAKEN | AWAITED | MIXED:
        raise StatementFileError(
            "answer_status",
            _("The bank answers “%(status)s”, which is not a status known here: ask the bank what it means."),
            status=word,
        )
    reasons = element.findall(f"{space}StsRsnInf")
    codes = [_text(one, space, "Rsn", "Cd") or _text(one, space, "Rsn", "Prtry") for one in reasons]
    words = [tidy(more.text) for one in reasons for more in one.findall(f"{space}AddtlInf")]
    return Verdict(
        status=word, code=next((code for code in codes if code), ""), words=" ".join(one for one in words if one)[:210]
    )


def _count(element: Element, space: str) -> int | None:
    text = _text(element, space, "OrgnlNbOfTxs")
    if text and not _FIGURES.fullmatch(text):
        raise StatementFileError(
            "answer_amount",
            _("The amount of the transfer %(id)s cannot be read: ask the bank for a correct file."),
            id="OrgnlNbOfTxs",
        )
    return int(text) if text else None


def _text(element: Element, space: str, *path: str) -> str:
    return tidy(element.findtext("/".join(f"{space}{step}" for step in path)))
