"""Transfers that the bank debited and gave back after it had refused them: debit and credits close each other.

The refusal was booked when it was said (pain.002, or by hand): the transfer never left, as the books tell it. Some
banks show it all the same, leaving with its batch and coming back line by line. Nothing is owed again for that.
"""

from collections.abc import Sequence
from datetime import datetime

from backend.banking.matching import all_said, matched
from backend.banking.models import BankLine
from backend.banking.resembling import said
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.payouts.models import Payout
from backend.payouts.returning import payouts_named
from backend.payouts.services import settle


def close_due(now: datetime) -> int:
    """Close each debit in suspense with the credits that give back what was refused of it; returns how many."""
    due = BankLine.objects.filter(pk__in=_debits()).select_related("account")
    return sweep_rows(due, lambda line: _close(line, now))


def _debits() -> list[int]:
    """The debits in suspense that may hold a transfer which was refused and that a credit in suspense gives back."""
    refused = Payout.objects.filter(state="rejected", returned_line="")
    accounts = set(refused.values_list("batch__account", flat=True))
    if not accounts:
        return []
    waiting = BankLine.objects.filter(state="suggested", account__in=accounts)
    if not waiting.filter(amount__gt=0, amount__in=refused.values("amount")).exists():
        return []
    return [line.pk for line in waiting.filter(amount__lt=0).order_by("pk") if _exactly(line, hold=False) is not None]


def _close(debit: BankLine, now: datetime) -> None:
    """The ledger moves only for what the debit paid besides: in transit +, suspense −. What left and came back is in
    suspense on both sides, and leaves it together. The caller holds the debit.
    """
    found = _exactly(debit, hold=True)
    if found is None:
        return
    sent, pairs = found
    if sent:
        debit.entry = settle(
            payouts=sent, source=debit.source, settled_on=debit.booked_on, actor=None, now=now, out_of="suspense"
        )
    matched(debit, pairs[0][0].batch_id, None)
    for payout, credit in pairs:
        matched(credit, payout.pk, None)
        payout.line, payout.returned_line = debit.source, credit.source
        payout.save(update_fields=["line", "returned_line"])
        record(
            "payout.undone_at_bank", actor=None, subject=payout.pk, now=now, amount=payout.amount,
            currency=debit.currency, code=str(credit.references.get("returned") or ""),
        )  # fmt: skip


def _exactly(debit: BankLine, *, hold: bool) -> tuple[list[Payout], list[tuple[Payout, BankLine]]] | None:
    """The payouts under way that a debit pays, and the refused ones beside the credits that give them back; None when
    references and amounts do not agree to the cent."""
    named = [one for one in payouts_named(_names(debit)) if one.batch.account_id == debit.account_id]
    if len({one.batch_id for one in named}) != 1:
        return None
    refused = [one for one in named if one.state == "rejected" and not one.returned_line]
    pairs = _paired(debit, refused, hold=hold)
    if not pairs:
        return None
    sent = [one for one in named if one.state == "sent"]
    total = sum(one.amount for one in sent) + sum(one.amount for one, _credit in pairs)
    return (sent, pairs) if total == -debit.amount else None


def _names(debit: BankLine) -> str:
    return " ".join([said(debit), *(str(value) for value in debit.references.values() if value)])


def _paired(debit: BankLine, refused: Sequence[Payout], *, hold: bool) -> list[tuple[Payout, BankLine]]:
    """Each refused payout beside the only credit in suspense that names it, alone, with its amount."""
    amounts = {one.amount for one in refused}
    rows = BankLine.objects.filter(
        state="suggested", account=debit.account_id, currency=debit.currency, amount__in=amounts
    )  # fmt: skip
    if hold:
        rows = rows.select_for_update(of=("self",), skip_locked=True)
    by_payout: dict[str, list[BankLine]] = {}
    for credit in rows.order_by("pk"):
        names = payouts_named(all_said(credit))
        if len(names) == 1 and names[0].amount == credit.amount:
            by_payout.setdefault(names[0].pk, []).append(credit)
    return [(one, by_payout[one.pk][0]) for one in refused if len(by_payout.get(one.pk, [])) == 1]
