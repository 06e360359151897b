"""Imports statements, once; matches their lines to payments and payouts; keeps the rest in suspense."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.banking.formats import StatementFileError, read_statements
from backend.banking.formats.base import ParsedLine, ParsedStatement
from backend.banking.models import BankLine, Statement
from backend.commons.services import OPEN_TO_MONEY
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.money import MAX_AMOUNT, decimal_text
from backend.core.nudge import nudge
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.payees.services import mask, mask_within
from backend.payments.models import Payment
from backend.payments.services import receive_transfer
from backend.payments.services import take_back as book_take_back
from backend.payouts.services import find_payouts, settle
from backend.pledges.models import Pledge
from backend.pledges.services import pledge_in_text
from backend.transfers.openings import opened_on

FUTURE = timedelta(days=1)  # a bank in another time zone; the ledger books nothing before it happens


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


def _require_sane(line: ParsedLine, today: date) -> date:
    """The day of a line; refuses one without day, with a day no bank books, or an amount the books cannot hold."""
    day = line.booked_on or line.value_on
    if day is None:
        raise Invalid("line_without_day", _("Line %(number)s has no date.") % {"number": line.entry}, param="file")
    if not date(2000, 1, 1) <= day <= today + FUTURE:
        raise Invalid(
            "line_day_absurd",
            _("Line %(number)s is dated %(day)s: check the file with the bank. Nothing was imported.")
            % {"number": line.entry, "day": day.isoformat()},
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
    rows = []
    closing_on = parsed.closing.on if parsed.closing else None
    if closing_on is not None and closing_on > today + FUTURE:
        raise Invalid(
            "line_day_absurd",
            _("The statement closes on %(day)s: check the file with the bank. Nothing was imported.")
            % {"day": closing_on.isoformat()},
            param="file",
        )
    for line in parsed.lines:
        day = _require_sane(line, today)
        content = _content(line)
        # Two identical lines on one day are two operations, in one statement or over the statements of one file.
        seen[account.pk, content] += 1
        rows.append(
            BankLine(
                account=account,
                fingerprint=hashlib.sha256(f"{content}:{seen[account.pk, content]}".encode()).hexdigest(),
                booked_on=day,
                value_on=line.value_on,
                amount=line.amount,
                currency=line.currency,
                counterparty=mask_within(line.counterparty_name)[:140],
                counterparty_hint=mask(line.counterparty_iban) if line.counterparty_iban else "",
                text=mask_within(line.remittance)[:1000],
                references={
                    "creditor_reference": mask_within(line.creditor_reference),
                    "end_to_end_id": mask_within(line.end_to_end_id),
                    "bank_reference": mask_within(line.bank_reference),
                    "payment_information_id": mask_within(line.payment_information_id),
                    "message_id": mask_within(line.message_id),
                    "code": mask_within(line.code),
                },
            )
        )
    marks = [row.fingerprint for row in rows]
    known = set(BankLine.objects.filter(account=account, fingerprint__in=marks).values_list("fingerprint", flat=True))
    fresh = [row for row in rows if row.fingerprint not in known]
    opening = parsed.opening.amount if parsed.opening else None
    closing = parsed.closing.amount if parsed.closing else None
    whole = json.dumps([parsed.statement_id, parsed.number, str(parsed.created_at), opening, closing, marks])
    statement, created = Statement.objects.get_or_create(
        account=account,
        fingerprint=hashlib.sha256(whole.encode()).hexdigest(),
        defaults={
            "id": new_id("stm"),
            "number": str(parsed.number or parsed.statement_id)[:64],
            "currency": parsed.currency,
            "opening": opening,
            "closing": closing,
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


def match_due(now: datetime) -> int:
    """Book every line that was just imported: to its payment or payouts when a reference says so, else to suspense."""
    return sweep_rows(BankLine.objects.filter(state="new").select_related("account"), lambda line: _match(line, now))


def _match(line: BankLine, now: datetime) -> None:
    # Opening balances hold the same row: what they already count is not booked a second time.
    HostBankAccount.objects.select_for_update(no_key=True).get(pk=line.account_id)
    opened = opened_on(line.account_id)
    if opened is not None and line.booked_on <= opened:
        line.state = "duplicate"
        line.save(update_fields=["state"])
        return
    references = {value for value in line.references.values() if value}
    text = " ".join(
        [line.references.get("creditor_reference", ""), line.text, line.references.get("end_to_end_id", "")]
    )
    if line.amount > 0:
        pledge = pledge_in_text(text, currency=line.currency)
        if pledge is not None and _awaits_money(pledge):
            _receive(line, pledge, ("bank", line.account_id), None, now)
            return
    else:
        payouts = find_payouts(account_id=line.account_id, texts=text, references=references, amount=-line.amount)
        if payouts:
            line.entry = settle(payouts=payouts, source=line.source, settled_on=line.booked_on, actor=None, now=now)
            _matched(line, payouts[0].batch_id, None)
            return
    line.suspense_entry = post(
        kind="bank.unidentified",
        scope="suspense",
        key=line.source,
        reference=line.statement_id,
        happened_on=line.booked_on,
        late=True,
        lines=[
            Line(open_account(kind="bank", owner=line.account_id, currency=line.currency), line.amount, chart.BANK),
            Line(
                open_account(kind="suspense", owner=line.account_id, currency=line.currency),
                -line.amount,
                chart.SUSPENSE,
            ),
        ],
        now=now,
    ).pk
    line.state = "suggested"
    line.save(update_fields=["state", "suspense_entry"])
    record(
        "bank_line.unidentified",
        actor=None,
        subject=line.statement_id,
        now=now,
        amount=line.amount,
        currency=line.currency,
    )
    around_commit("line.suspended")


def _awaits_money(pledge: Pledge) -> bool:
    """Whether money for a pledge may go to its pot without asking: not once it was cancelled or the pot is closed."""
    return pledge.state in {"active", "fulfilled"} and pledge.budget.state in OPEN_TO_MONEY


def _receive(line: BankLine, pledge: Pledge, purse: tuple[Any, str], actor: User | None, now: datetime) -> None:
    payment = receive_transfer(
        pledge=pledge,
        amount=line.amount,
        source=line.source,
        purse=purse,
        received_on=line.booked_on,
        actor=actor,
        now=now,
    )
    line.entry = payment.entry
    _matched(line, payment.pk, actor)


def _matched(line: BankLine, to: str, actor: User | None) -> None:
    line.state = "matched"
    line.matched_to = to
    line.matched_by = actor
    line.save(update_fields=["state", "entry", "matched_to", "matched_by"])
    around_commit("line.matched")


def _locked_line(actor: User, line_id: int) -> BankLine:
    line = BankLine.visible_to(actor).select_for_update(of=("self",)).filter(pk=line_id).first()
    if line is None:
        raise NotFound("bank_line_not_found", _("There is no such bank line."))
    return line


def _require_waiting(line: BankLine) -> None:
    if line.state != "suggested":
        raise Conflict(
            "line_not_waiting",
            _("This line no longer waits to be identified: it is “%(state)s”.") % {"state": line.get_state_display()},
        )


def identify(*, actor: User, line_id: int, pledge_id: str, now: datetime) -> BankLine:
    """Say which pledge a credit in suspense pays. The ledger moves: suspense +, budget −, host fees −.

    Raises: NotFound; Forbidden; Invalid `not_a_credit`, `pledge_not_found`; Conflict `line_not_waiting`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = _locked_line(actor, line_id)
        pledge = Pledge.visible_to(actor).select_related("budget").filter(pk=pledge_id, currency=line.currency).first()
        if pledge is None or not _awaits_money(pledge):
            raise Invalid(
                "pledge_not_found",
                _("Choose the pledge that this line pays: one that is not cancelled, of a pot that is not closed."),
                param="pledge",
            )
        mine = line.state == "matched" and line.matched_by_id == actor.pk
        if mine and pledge.payments.filter(pk=line.matched_to).exists():  # the same act again
            return line
        _require_waiting(line)
        if line.amount <= 0:
            raise Invalid("not_a_credit", _("Only money received can pay a pledge."), param="pledge")
        _receive(line, pledge, ("suspense", line.account_id), actor, now)
    return line


def take_back(*, actor: User, line_id: int, payment_id: str, now: datetime) -> BankLine:
    """Say that a debit in suspense takes a payment back. The ledger moves: suspense −, host fees +, budget and its
    deficit +; what people were paid stays theirs.

    Raises: NotFound; Forbidden; Invalid `not_a_debit`, `payment_not_found`; Conflict `line_not_waiting`,
        `take_back_too_large`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = _locked_line(actor, line_id)
        payment = (
            Payment.visible_to(actor)
            .select_related("pledge__budget")
            .filter(pk=payment_id, currency=line.currency, source__startswith=f"line:{line.account_id}:")
            .first()
        )
        if payment is None:
            raise Invalid(
                "payment_not_found", _("Choose the payment that the bank took back on this account."), param="payment"
            )
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == payment.pk:
            return line  # the same act again
        _require_waiting(line)
        if line.amount >= 0:
            raise Invalid("not_a_debit", _("Only money that left the bank can take a payment back."), param="payment")
        line.entry = book_take_back(
            payment=payment, amount=-line.amount, source=line.source, purse=("suspense", line.account_id),
            taken_on=line.booked_on, actor=actor, now=now,
        ).entry  # fmt: skip
        _matched(line, payment.pk, actor)
    return line


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
            Statement.objects.filter(account=account)
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
