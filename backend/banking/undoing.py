"""What a person says of lines that undo or repeat: a transfer recalled whole, a refund or a payout sent back, a line
told twice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.allocation.kernel import split
from backend.banking.identifying import locked_line, require_waiting, reversible
from backend.banking.matching import all_said, book, matched
from backend.banking.models import BankLine
from backend.commons.services import hold
from backend.core.errors import Conflict, Invalid
from backend.core.money import format_money
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.payments.models import Payment, Refund, Surplus
from backend.payments.returned import owe_again
from backend.payments.services import take_back
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.returning import payouts_named, unpay_refund
from backend.payouts.undoing import payee_not_reached


@dataclass(frozen=True)
class Whole:
    """All that is left of one transfer or paper: the payments it made, and the surplus that nobody has decided on."""

    source: str
    payments: list[Payment]
    surplus: Surplus | None

    @property
    def left(self) -> int:
        """Minor units that can be taken back of it."""
        return sum(one.left for one in self.payments) + (self.surplus.left if self.surplus else 0)

    @property
    def several(self) -> bool:
        """Whether it is more than one payment."""
        return len(self.payments) + (self.surplus is not None) > 1


def root_of(source: str) -> str:
    """The name of the transfer or paper that a payment came with: `line:account:mark` or `paper:id`."""
    return ":".join(source.split(":")[: 3 if source.startswith("line:") else 2])


def whole_of(actor: User, line: BankLine, payment: Payment) -> Whole:
    """Everything that came with a payment and that a debit of this account may take back."""
    root = root_of(payment.source)
    mine = Q(source=root) | Q(source__startswith=f"{root}:")
    rows = reversible(actor, line.account_id, line.currency).filter(mine, state="succeeded")
    surplus = Surplus.objects.filter(source=f"{root}:s", state__in=Surplus.OPEN).first()
    return Whole(root, list(rows.select_related("pledge__budget").order_by("pk")), surplus)


def parts_of(whole: Whole, amount: int) -> tuple[int, list[tuple[Payment, int]]]:
    """What a recall takes: the surplus first when it goes whole, then the payments in proportion of what is left.

    Args: amount: minor units, at most what is left. Returns: what the surplus gives, and each payment's part above 0.
    """
    over = whole.surplus.left if whole.surplus else 0
    in_payments = sum(one.left for one in whole.payments)
    # A surplus is never cut: what is awaited again can be served by it.
    over = over if amount >= over else 0
    if amount - over > in_payments:
        raise Conflict(
            "take_back_too_large",
            _("Only %(left)s of this transfer are left to take back: choose another one.")
            % {"left": format_money(whole.left, whole.payments[0].currency if whole.payments else "EUR")},
            param="payment",
        )
    cents = split(amount - over, [(one.pk, one.left) for one in whole.payments], seed="recall")
    return over, [(one, part) for one, part in zip(whole.payments, cents, strict=True) if part]


def take_back_whole(*, actor: User, line_id: int, payment_id: str, now: datetime) -> BankLine:
    """Say that a debit takes back the whole transfer that a payment came with, or a part of all of it, in one act.

    The ledger moves as `take_back` says for each payment; what was in suspense as a surplus leaves it with the line.
    Raises: NotFound; Forbidden; Invalid `not_a_debit`, `payment_not_found`; Conflict `line_not_waiting`,
        `take_back_too_large`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        payment = reversible(actor, line.account_id, line.currency).filter(pk=payment_id).first()
        if payment is None:
            raise Invalid(
                "payment_not_found", _("Choose the payment that the bank took back on this account."), param="payment"
            )
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == payment.pk:
            return line  # the same act again
        require_waiting(line)
        if line.amount >= 0:
            raise Invalid("not_a_debit", _("Only money that left the bank can take a payment back."), param="payment")
        whole = whole_of(actor, line, payment)
        hold([one.pledge.budget for one in whole.payments])
        if whole.surplus is not None:  # as it stands once nobody else can decide on it
            Surplus.objects.select_for_update(of=("self",)).get(pk=whole.surplus.pk)
        whole = whole_of(actor, line, payment)
        over, parts = parts_of(whole, -line.amount)
        if over and whole.surplus is not None:
            _surplus_gone(whole.surplus, over, actor, now)
        entries = [
            take_back(
                payment=one, amount=part, source=line.source if len(parts) == 1 else f"{line.source}:{number}",
                purse=("suspense", line.account_id), taken_on=line.booked_on, actor=actor, now=now,
            ).entry
            for number, (one, part) in enumerate(parts, start=1)
        ]  # fmt: skip
        line.entry = entries[0] if entries else line.suspense_entry
        matched(line, payment.pk, actor)
    return line


def _surplus_gone(surplus: Surplus, amount: int, actor: User, now: datetime) -> None:
    """A surplus that the bank took back: it lies in the same suspense as the line, and both leave it together."""
    before, surplus.state = surplus.state, "returned"
    surplus.save(update_fields=["state"])
    record(
        "surplus.returned", actor=actor, subject=surplus.pk, now=now,
        scopes=[surplus.pledge.budget_id, surplus.pledge.payer_id], amount=amount, currency=surplus.currency,
        before={"state": before}, after={"state": "returned"},
    )  # fmt: skip


def refunds_returned(actor: User, line: BankLine) -> list[Refund]:
    """The paid refunds of the amount of a credit, those that it names first: the bank of the payer may have sent one
    back."""
    if line.amount <= 0:
        return []
    named = {one.refund_id for one in payouts_named(all_said(line))}
    rows = Refund.visible_to(actor).filter(state="paid", amount=line.amount, currency=line.currency)
    rows = rows.filter(payouts__batch__account=line.account_id, payouts__state="settled").distinct()
    found = list(rows.select_related("pledge__budget").order_by("-pk")[:20])
    return sorted((one for one in found if not named or one.pk in named), key=lambda one: one.pk not in named)


def refund_came_back(*, actor: User, line_id: int, refund_id: str, now: datetime) -> BankLine:
    """Say that a credit is a refund which the payer's bank sent back. The ledger moves: suspense +, refund −.

    It is owed again, on an account that a treasurer types.

    Raises: NotFound; Forbidden; Invalid `refund_not_this`; Conflict `line_not_waiting`, `refund_not_paid`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == refund_id:
            return line  # the same act again
        require_waiting(line)
        refund = next((one for one in refunds_returned(actor, line) if one.pk == refund_id), None)
        if refund is None:
            raise Invalid(
                "refund_not_this",
                _("Choose a refund that was paid from this account, of the same amount as this line."),
                param="refund",
            )
        unpay_refund(refund, line=line.source, returned_on=line.booked_on, actor=actor)
        refund, line.entry = owe_again(
            refund=refund, source=line.source, purse=("suspense", line.account_id), returned_on=line.booked_on,
            actor=actor, now=now,
        )  # fmt: skip
        matched(line, refund.pk, actor)
    return line


def payouts_returned(actor: User, line: BankLine) -> list[Payout]:
    """The settled payouts of the amount of a credit to payees, those that it names first: their banks may have sent one
    back. When the line names some, only those."""
    if line.amount <= 0:
        return []
    named = {one.pk for one in payouts_named(all_said(line))}
    rows = Payout.objects.filter(batch__in=PayoutBatch.visible_to(actor), batch__account=line.account_id)
    rows = rows.filter(state="settled", amount=line.amount, payee__isnull=False, batch__currency=line.currency)
    found = list(rows.select_related("payee", "batch").order_by("-settled_on", "-pk")[:20])
    by_name = [one for one in found if one.pk in named]
    return by_name or found


def payout_came_back(*, actor: User, line_id: int, payout_id: str, now: datetime) -> BankLine:
    """Say that a credit is a payout which the payee's bank sent back. The ledger moves: suspense +, payee −.

    Its shares are payable again, once, by a new batch.
    Raises: NotFound; Forbidden; Invalid `payout_not_this`; Conflict `line_not_waiting`, `payout_not_paid`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == payout_id:
            return line  # the same act again
        require_waiting(line)
        known = Payout.objects.filter(pk=payout_id).values_list("batch_id", flat=True).first()
        batch = PayoutBatch.objects.select_for_update(of=("self",)).filter(pk=known).first()
        payout = next((one for one in payouts_returned(actor, line) if one.pk == payout_id), None)
        if batch is None or payout is None:
            raise Invalid(
                "payout_not_this",
                _("Choose a payout that was paid from this account, of the same amount as this line."),
                param="payout",
            )
        payout = Payout.objects.select_for_update(of=("self",)).get(pk=payout.pk)
        payout.batch = batch
        code = str(line.references.get("returned") or "")
        line.entry = payee_not_reached(
            payout=payout, source=line.source, returned_on=line.booked_on, code=code if len(code) == 4 else "",
            actor=actor, now=now,
        )  # fmt: skip
        matched(line, payout.pk, actor)
    return line


def say_same(*, actor: User, line_id: int, now: datetime) -> BankLine:
    """Say that a line is the one it looks like, told a second time: it is never booked. No money moves.

    Raises: NotFound; Forbidden; Conflict `line_not_suspect`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        if line.state == "duplicate" and line.matched_by_id == actor.pk:
            return line  # the same act again
        _require_suspect(line)
        line.state, line.matched_by = "duplicate", actor
        line.save(update_fields=["state", "matched_by"])
        record("bank_line.same", actor=actor, subject=line.statement_id, now=now, **_facts(line))
    return line


def say_another(*, actor: User, line_id: int, now: datetime) -> BankLine:
    """Say that a line is an operation of its own, however alike: it is booked as any other that was just imported.

    Raises: NotFound; Forbidden; Conflict `line_not_suspect`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        # The order in which the sweep takes them: line, then account.
        line = locked_line(actor, line_id)
        if line.resembles_id is not None and line.state in {"suggested", "matched"}:
            return line  # the same act again
        _require_suspect(line)
        HostBankAccount.objects.select_for_update(no_key=True).get(pk=line.account_id)
        book(line, now)
        record("bank_line.another", actor=actor, subject=line.statement_id, now=now, **_facts(line))
    return line


def _require_suspect(line: BankLine) -> None:
    if line.state != "suspect":
        raise Conflict(
            "line_not_suspect",
            _("Nobody asks whether this line is known already: it is “%(state)s”.")
            % {"state": line.get_state_display()},
        )


def _facts(line: BankLine) -> dict[str, Any]:
    return {"amount": line.amount, "currency": line.currency, "line": line.pk, "of": line.resembles_id}
