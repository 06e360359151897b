"""Imports statements, once, and says where each account stands; what their lines are is said in matching.py."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.banking.formats import StatementFileError, read_statements
from backend.banking.formats.base import ParsedLine, ParsedStatement
from backend.banking.identifying import identify, settle_deposit, take_back
from backend.banking.matching import match_due as match_lines
from backend.banking.models import BankLine, Statement
from backend.banking.undoing import payout_came_back, refund_came_back, say_another, say_same, take_back_whole
from backend.banking.undone_at_bank import close_due
from backend.core import crypto
from backend.core.errors import Conflict, Invalid
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.money import MAX_AMOUNT, decimal_text
from backend.core.nudge import nudge
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger.services import balance
from backend.payees.services import mask, mask_within

__all__ = [
    "BankPosition", "Imported", "figures", "identify", "import_statement", "keep_statements", "match_due",
    "payout_came_back", "positions",
    "read_file", "refund_came_back", "say_another", "say_same", "settle_deposit", "take_back", "take_back_whole",
]  # fmt: skip

FUTURE = timedelta(days=1)  # a bank in another time zone; the ledger books nothing before it happens


def match_due(now: datetime) -> int:
    """Book every line that was just imported, then close what the bank gave back of transfers it had refused."""
    return match_lines(now) + close_due(now)


@dataclass(frozen=True)
class Imported:
    """What became of one statement of a file: its figures, and how many of its lines are new."""

    parsed: ParsedStatement
    added: int
    known: int


def figures(parsed: ParsedStatement) -> dict[str, Any]:
    """The figures of a statement as the command prints them: amounts as decimal texts, absent balances as None."""

    def text(amount: int | None) -> str | None:
        return None if amount is None else decimal_text(amount, parsed.currency)

    return {
        "account": parsed.account,
        "currency": parsed.currency,
        "entries": parsed.entries,
        "credits": text(parsed.credits),
        "debits": text(parsed.debits),
        "opening": text(parsed.opening.amount if parsed.opening else None),
        "closing": text(parsed.closing.amount if parsed.closing else None),
        "ties": parsed.ties,
    }


def read_file(data: bytes) -> list[ParsedStatement]:
    """Read a statement file; raises Invalid with the reader's sentence, naming the field `file`. Writes nothing."""
    try:
        return read_statements(data, max_bytes=settings.STATEMENT_MAX_BYTES)
    except StatementFileError as refusal:
        raise Invalid(refusal.code, refusal.message, param="file") from refusal


def import_statement(*, actor: User, data: bytes, accept_gap: bool, now: datetime) -> list[Imported]:
    """Import a statement file on behalf of a treasurer: see `keep_statements`."""
    require(actor, "bank.import")
    return keep_statements(actor=actor, parsed=read_file(data), accept_gap=accept_gap, now=now)


def keep_statements(
    *, actor: User | None, parsed: Sequence[ParsedStatement], accept_gap: bool, now: datetime
) -> list[Imported]:
    """Keep the statements of a file, all or none of them; their lines are matched by a sweep after commit.

    Args: actor: who imports, None for the command line. accept_gap: keep statements that do not tie.
    Returns: one Imported per statement; a file imported twice adds nothing.
    Raises: Invalid `foreign_account`, `other_currency`, `line_without_day`; Conflict `statement_gap` naming the gap.
    """
    results = []
    seen: Counter[tuple[str, str]] = Counter()
    today = host_day(now)
    with transaction.atomic():
        for statement in parsed:
            account = _own_account(statement)
            if statement.ties == "no" and not accept_gap:
                raise Conflict(
                    "statement_gap",
                    _(
                        "The statement of %(account)s does not tie: opening + lines differs from closing by %(gap)s. "
                        "Check the file with the bank, or accept the gap to import it all the same."
                    )
                    % {
                        "account": mask(account.iban),
                        "gap": f"{decimal_text(statement.gap or 0, statement.currency)} {statement.currency}",
                    },
                    param="accept_gap",
                )
            # One import at a time per account, so that twins are counted right.
            HostBankAccount.objects.select_for_update().get(pk=account.pk)
            kept = _keep(actor=actor, account=account, parsed=statement, seen=seen, today=today, now=now)
            results.append(kept)
    nudge("banking.match")
    return results


def _own_account(statement: ParsedStatement) -> HostBankAccount:
    account = HostBankAccount.objects.filter(iban=statement.account).first()
    if account is None:
        raise Invalid(
            "foreign_account",
            _("The statement is that of %(account)s, which is not an account of the host. Nothing was imported.")
            % {"account": mask(statement.account) if len(statement.account) > 14 else statement.account},
            param="file",
        )
    if statement.currency != account.currency or any(line.currency != account.currency for line in statement.lines):
        raise Invalid(
            "other_currency",
            _("The statement is not in %(currency)s, the currency of this account. Nothing was imported.")
            % {"currency": account.currency},
            param="file",
        )
    return account


def _content(line: ParsedLine) -> str:
    """What makes a line itself, whatever the file that carries it."""
    facts = [
        line.amount, line.currency, str(line.booked_on), str(line.value_on), line.counterparty_name,
        line.counterparty_iban, line.remittance, line.creditor_reference, line.end_to_end_id, line.bank_reference,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def _require_sane(line: ParsedLine, today: date, statement: str) -> date:
    """The day of a line; refuses one without day, with a day no bank books, or an amount the books cannot hold."""
    day = line.booked_on or line.value_on
    if day is None:
        raise Invalid(
            "line_without_day",
            _(
                "Line %(number)s of statement %(statement)s has no date, or one that no calendar has: "
                "ask the bank for a correct file. Nothing was imported."
            )
            % {"number": line.entry, "statement": statement},
            param="file",
        )
    if not date(2000, 1, 1) <= day <= today + FUTURE:
        raise Invalid(
            "line_day_absurd",
            _("Line %(number)s is dated %(day)s: check the file with the bank. Nothing was imported.")
            % {"number": line.entry, "day": day.isoformat()},
            param="file",
        )
    if not line.amount:
        raise Invalid(
            "line_amount_zero",
            _("The amount of line %(number)s is zero: check the file with the bank. Nothing was imported.")
            % {"number": line.entry},
            param="file",
        )
    if abs(line.amount) > MAX_AMOUNT:
        raise Invalid(
            "line_amount_absurd",
            _("The amount of line %(number)s is larger than any this ledger holds. Nothing was imported.")
            % {"number": line.entry},
            param="file",
        )
    return day


def _keep(
    *,
    actor: User | None,
    account: HostBankAccount,
    parsed: ParsedStatement,
    seen: Counter[tuple[str, str]],
    today: date,
    now: datetime,
) -> Imported:
    rows: list[BankLine] = []
    plain: list[str] = []
    places: list[tuple[str, int]] = []
    closing_on = parsed.closing.on if parsed.closing else None
    if closing_on is not None and closing_on > today + FUTURE:
        raise Invalid(
            "line_day_absurd",
            _("The statement closes on %(day)s: check the file with the bank. Nothing was imported.")
            % {"day": closing_on.isoformat()},
            param="file",
        )
    follows = _follows(account, parsed)
    shift: dict[str, int] = {}  # how many more of this content are kept, in the statements that it follows
    for line in parsed.lines:
        day = _require_sane(line, today, _number(parsed) or "?")
        content = _content(line)
        # Two identical lines on one day are two operations, in one statement or over the statements of one file.
        if follows and content not in shift:
            shift[content] = max(0, _count_known(account, content) - seen[account.pk, content])
        seen[account.pk, content] += 1
        plain.append(_mark(content, seen[account.pk, content]))
        places.append((content, seen[account.pk, content] + shift.get(content, 0)))
        rows.append(
            BankLine(
                account=account,
                fingerprint=_mark(*places[-1]),
                booked_on=day,
                value_on=line.value_on,
                amount=line.amount,
                currency=line.currency,
                counterparty=mask_within(line.counterparty_name)[:140],
                counterparty_hint=mask(line.counterparty_iban) if line.counterparty_iban else "",
                counterparty_index=crypto.equality_index(line.counterparty_iban) if line.counterparty_iban else "",
                text=mask_within(line.remittance)[:1000],
                references={
                    "creditor_reference": mask_within(line.creditor_reference),
                    "end_to_end_id": mask_within(line.end_to_end_id),
                    "bank_reference": mask_within(line.bank_reference),
                    "payment_information_id": mask_within(line.payment_information_id),
                    "message_id": mask_within(line.message_id),
                    "code": mask_within(line.code),
                    "returned": line.return_reason or ("yes" if line.is_reversal else ""),
                },
            )
        )
    if BankLine.objects.filter(account=account, state="withdrawn").exists():
        _number_on(account, rows, places)
    marks = [row.fingerprint for row in rows]
    known = set(BankLine.objects.filter(account=account, fingerprint__in=marks).values_list("fingerprint", flat=True))
    fresh = [row for row in rows if row.fingerprint not in known]
    opening = parsed.opening.amount if parsed.opening else None
    closing = parsed.closing.amount if parsed.closing else None
    whole = json.dumps([parsed.statement_id, parsed.number, str(parsed.created_at), opening, closing, plain])
    statement, created = Statement.objects.get_or_create(
        account=account,
        fingerprint=hashlib.sha256(whole.encode()).hexdigest(),
        withdrawn_at=None,
        defaults={
            "id": new_id("stm"),
            "number": _number(parsed),
            "format": parsed.format,
            "currency": parsed.currency,
            "opening": opening,
            "closing": closing,
            "opens_on": (parsed.opening.on if parsed.opening else None) or parsed.from_on,
            "closes_on": parsed.closing.on if parsed.closing else None,
            "gap": parsed.gap,
            "ties": parsed.ties,
            "imported_by": actor,
            "imported_at": now,
        },
    )
    for row in fresh:
        row.statement = statement
    BankLine.objects.bulk_create(fresh, batch_size=1000)
    if created:
        record("statement.imported", actor=actor, subject=statement.pk, now=now, added=len(fresh), known=len(known))
    else:  # nothing is added, but it was looked at: comparing with the bank after a restore counts it
        record("statement.imported_again", actor=actor, subject=statement.pk, now=now)
    around_commit("statement.kept")
    return Imported(parsed, len(fresh), len(rows) - len(fresh))


def _number(parsed: ParsedStatement) -> str:
    return str(parsed.number or parsed.statement_id)[:64]


def _follows(account: HostBankAccount, parsed: ParsedStatement) -> bool:
    """Whether a statement that ties begins where one kept before ends, the same day or later: what it holds is not in
    that one, even a line that reads the same. Not so when it is known, or when the other moved nothing in all."""
    opening, closing = parsed.opening, parsed.closing
    if parsed.ties != "yes" or opening is None or closing is None or opening.on is None:
        return False
    kept = Statement.objects.filter(account=account, ties="yes", withdrawn_at=None)
    known = kept.filter(
        opening=opening.amount, closing=closing.amount, closes_on=closing.on, number=_number(parsed)
    )  # fmt: skip
    before = kept.filter(closing=opening.amount, closes_on__lte=opening.on).exclude(opening=opening.amount)
    # Nothing kept spans the same days: an account statement of a month tells again what those of its weeks told.
    last = kept.exclude(closes_on=None).order_by("-closes_on", "-imported_at", "-pk").first()
    return not known.exists() and last is not None and before.filter(pk=last.pk).exists()


def _number_on(account: HostBankAccount, rows: Sequence[BankLine], places: Sequence[tuple[str, int]]) -> None:
    """An import of this account was undone: what it held is numbered on behind, as operations that come anew.

    Args: places: of each row its content, and which one it is among those of this content that count, from 1.
    """
    found: dict[str, list[str]] = {}
    more: dict[str, Iterator[str]] = {}
    for row, (content, place) in zip(rows, places, strict=True):
        if content not in found:
            found[content], more[content] = [], _marks(account, content)
        while len(found[content]) < place:
            found[content].append(next(more[content]))
        row.fingerprint = found[content][place - 1]


def _marks(account: HostBankAccount, content: str) -> "Iterator[str]":
    """The marks of a content in their order, without those that were withdrawn."""
    for number in count(1):
        mark = _mark(content, number)
        state = BankLine.objects.filter(account=account, fingerprint=mark).values_list("state", flat=True).first()
        if state != "withdrawn":
            yield mark


def _count_known(account: HostBankAccount, content: str) -> int:
    """How many lines of this content are kept, which are numbered from 1; those that were withdrawn do not count."""
    found = 0
    for number in count(1):
        mark = _mark(content, number)
        state = BankLine.objects.filter(account=account, fingerprint=mark).values_list("state", flat=True).first()
        if state is None:
            return found
        found += state != "withdrawn"
    raise AssertionError("numbers do not end")


def _mark(content: str, number: int) -> str:
    return hashlib.sha256(f"{content}:{number}".encode()).hexdigest()


@dataclass(frozen=True)
class BankPosition:
    """What the bank says and what the books say of one account, in minor units; None while no statement says it."""

    account: HostBankAccount
    stated: int | None
    stated_on: Any
    booked: int
    waiting: int

    @property
    def gap(self) -> int | None:
        """Statement − ledger."""
        return None if self.stated is None else self.stated - self.booked


def positions() -> list[BankPosition]:
    """Each account of the host: the closing balance of its latest statement beside the ledger's balance."""
    found = []
    for account in HostBankAccount.objects.order_by("name"):
        latest = (
            Statement.objects.filter(account=account, withdrawn_at=None)
            .exclude(closing=None)
            .order_by("-closes_on", "-imported_at", "-id")
            .first()
        )
        found.append(
            BankPosition(
                account=account,
                stated=latest.closing if latest else None,
                stated_on=latest.closes_on if latest else None,
                booked=balance(kind="bank", owner=account.pk, currency=account.currency),
                waiting=BankLine.objects.filter(account=account, state="suggested").count(),
            )
        )
    return found
