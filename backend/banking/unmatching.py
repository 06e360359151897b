"""Undoes what a line was said to be, by reversing entries, in the open months: the line then waits again."""

from datetime import date, datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backend.banking.identifying import locked_line, require_waiting
from backend.banking.matching import suspend
from backend.banking.models import BankLine, LinePart
from backend.banking.provider_lines import undo_provider_payout
from backend.commons.services import hold
from backend.core.errors import Conflict, Invalid
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.ledger.services import open_from, reverse, whole_entry
from backend.payments.models import Payment, ProviderPayout, Surplus
from backend.payments.purses import Purse
from backend.payments.services import take_back

DONE = ("matched", "booked")


def payments_of(line: BankLine) -> "QuerySet[Payment]":
    """What a line paid, as it is matched now."""
    mine = Q(source=line.fact) | Q(source__startswith=f"{line.fact}:p") | Q(source__regex=rf"^{line.fact}:[0-9]+$")
    return Payment.objects.filter(mine).select_related("pledge__budget").order_by("pk")


def surplus_of(line: BankLine) -> Surplus | None:
    """What a line brought above what was awaited, as it is matched now."""
    return Surplus.objects.filter(source=f"{line.fact}:s").first()


def why_not(line: BankLine) -> str:
    """Why what a line was said to be cannot be undone here, in words; empty when it can."""
    first = open_from()
    why: str | Promise = ""
    if line.state == "duplicate":
        if not (line.resembles_id and line.matched_by_id):
            why = _("The opening balance of this account counts it already.")
    elif line.state not in DONE:
        why = _("Nothing was said of this line.")
    elif first is not None and _day(line) < first:
        why = _("Its month is locked: what is wrong is put right by entries of an open month.")
    else:
        why = _in_use(line)
    return str(why)


def _in_use(line: BankLine) -> "str | Promise":
    payments, surplus = list(payments_of(line)), surplus_of(line)
    if any(one.taken_back or one.state != "succeeded" for one in payments):
        return _("A payment of it was given back or taken back since: undo that first.")
    if surplus is not None and (surplus.state not in Surplus.OPEN or surplus.used or surplus.taken_back):
        return _("Its surplus is decided already.")
    known = payments or surplus or LinePart.objects.filter(line=line, undone=False).exists()
    if not known and not ProviderPayout.objects.filter(pk=line.matched_to, line=line.source).exists():
        return _("What it settled is undone on its own page, or by the line of the bank that undoes it.")
    return ""


def undo_match(*, actor: User, line_id: int, reason: str, now: datetime) -> BankLine:
    """Undo what a line was said to be: it waits in suspense again. No money moves at the bank.

    The ledger moves: the mirror of what was booked, on the same day. What a pot shared meanwhile goes to its deficit.
    Raises: NotFound; Forbidden; Conflict `match_not_undoable`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        if line.state in {"suggested", "suspect"} and line.turn:
            return line  # the same act again
        hold([one.pledge.budget for one in payments_of(line)])
        if why := why_not(line):
            raise Conflict("match_not_undoable", _("Nothing was undone. %(why)s") % {"why": why})
        before = line.state
        if line.state == "duplicate":
            _told_once(line, now)
        elif ProviderPayout.objects.filter(pk=line.matched_to, line=line.source).exists():
            reason = reason.strip() or str(_("Undone on the page of the line."))
            return undo_provider_payout(actor=actor, line_id=line.pk, reason=reason, now=now)
        else:
            _undo(line, actor, now)
        record(
            "bank_line.undone", actor=actor, subject=line.statement_id, now=now, why=" ".join(reason.split())[:280],
            line=line.pk, amount=line.amount, currency=line.currency, before={"state": before},
            after={"state": line.state},
        )  # fmt: skip
    return line


def _day(line: BankLine) -> date:
    """The day on which the books hold what a line was said to be."""
    return whole_entry(line.entry).happened_on if line.entry else line.booked_on


def _undo(line: BankLine, actor: User, now: datetime) -> None:
    day = _day(line)
    purse: Purse = ("suspense" if line.suspense_entry else "bank", line.account_id)
    for payment in payments_of(line):
        take_back(
            payment=payment, amount=payment.amount, source=f"undo:{payment.pk}", purse=purse, taken_on=day,
            actor=actor, now=now, refunded=False, unmatched=True,
        )  # fmt: skip
    surplus = surplus_of(line)
    if surplus is not None:
        surplus = Surplus.objects.select_for_update(of=("self",)).get(pk=surplus.pk)
        if surplus.entry:  # it went into suspense by an entry of its own
            reverse(entry_id=surplus.entry, reference=surplus.pk, happened_on=day, now=now)
        surplus.state = "returned"
        surplus.save(update_fields=["state"])
    for part in LinePart.objects.select_for_update().filter(line=line, undone=False).order_by("place"):
        if part.number:
            reverse(entry_id=part.entry, reference=part.pk, happened_on=day, now=now)
        part.undone = True
        part.save(update_fields=["undone"])
    _wait_again(line, now)


def _wait_again(line: BankLine, now: datetime) -> None:
    line.turn += 1
    line.state, line.entry, line.matched_to, line.matched_by, line.resembles = "suggested", "", "", None, None
    line.save(update_fields=["turn", "state", "entry", "matched_to", "matched_by", "resembles"])
    if not line.suspense_entry:
        suspend(line, now)


def twins_of(actor: User, line: BankLine) -> "QuerySet[BankLine]":
    """The lines that a waiting one may be a second time: of its account and amount, that count; the nearest day
    first is for the caller to sort."""
    rows = BankLine.visible_to(actor).filter(account=line.account_id, amount=line.amount, currency=line.currency)
    return rows.filter(state__in=["suggested", *DONE]).exclude(pk=line.pk)


def mark_duplicate(*, actor: User, line_id: int, of_id: int, now: datetime) -> BankLine:
    """Say that a waiting line is another one told twice: it is not counted any more. No money moves at the bank.

    The ledger moves: the mirror of what put it into suspense (bank −, suspense +).
    Raises: NotFound; Forbidden; Invalid `twin_not_found`; Conflict `line_not_waiting`, `month_locked`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        # Both under their locks, in one order: two people may say it of each other's line at once.
        both = sorted({line_id, of_id})
        list(BankLine.objects.select_for_update(of=("self",)).filter(pk__in=both).order_by("pk").values_list("pk"))
        line = locked_line(actor, line_id)
        if line.state == "duplicate" and line.matched_by_id == actor.pk and line.resembles_id == of_id:
            return line  # the same act again
        require_waiting(line)
        twin = twins_of(actor, line).filter(pk=of_id).first()
        if twin is None:
            raise Invalid(
                "twin_not_found", _("Choose the line that this one repeats: of its account and its amount."), param="of"
            )
        line.entry = reverse(
            entry_id=line.suspense_entry, reference=line.statement_id, happened_on=_suspended_on(line), now=now
        ).pk  # fmt: skip
        line.state, line.resembles, line.matched_by = "duplicate", twin, actor
        line.save(update_fields=["state", "resembles", "entry", "matched_by"])
        record(
            "bank_line.told_twice", actor=actor, subject=line.statement_id, now=now, line=line.pk, of=twin.pk,
            amount=line.amount, currency=line.currency,
        )  # fmt: skip
    return line


def _suspended_on(line: BankLine) -> date:
    return whole_entry(line.suspense_entry).happened_on


def _told_once(line: BankLine, now: datetime) -> None:
    """A line that repeats no other: it waits in suspense, or to be told from the one it looks like."""
    first = open_from()
    if line.suspense_entry:
        if first is not None and _suspended_on(line) < first:
            raise Conflict("match_not_undoable", _("Nothing was undone. Its month is locked."))
        line.suspense_entry = ""
        line.save(update_fields=["suspense_entry"])
        _wait_again(line, now)
        return
    line.turn += 1
    line.state, line.matched_by = "suspect", None
    line.save(update_fields=["turn", "state", "matched_by"])
