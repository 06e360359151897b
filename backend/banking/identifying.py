"""What a person says that a bank line is: a pledge, a deposit of cheques, a payment that the bank took back."""

from datetime import datetime

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Substr
from django.utils.translation import gettext_lazy as _

from backend.banking.matching import matched, receive
from backend.banking.models import BankLine
from backend.commons.services import OPEN_TO_MONEY
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.money import format_money
from backend.identity.models import User
from backend.identity.permissions import require
from backend.payments.models import Deposit, PaperPayment, Payment, Surplus
from backend.payments.papers import clear_deposit, locked_deposit
from backend.payments.services import TAKES_MONEY
from backend.payments.services import take_back as book_take_back
from backend.pledges.models import Pledge


def locked_line(actor: User, line_id: int) -> BankLine:
    """A line under its lock; raises NotFound."""
    line = BankLine.visible_to(actor).select_for_update(of=("self",)).filter(pk=line_id).first()
    if line is None:
        raise NotFound("bank_line_not_found", _("There is no such bank line."))
    return line


def require_waiting(line: BankLine) -> None:
    """Refuse a line that nobody asks about any more; raises Conflict `line_not_waiting`."""
    if line.state != "suggested":
        raise Conflict(
            "line_not_waiting",
            _("This line no longer waits to be identified: it is “%(state)s”.") % {"state": line.get_state_display()},
        )


def identifiable(actor: User, currency: str) -> "models.QuerySet[Pledge]":
    """The pledges that a credit of this currency may be said to pay."""
    return Pledge.visible_to(actor).filter(
        currency=currency, state__in=[*TAKES_MONEY, "written_off"], budget__state__in=OPEN_TO_MONEY
    )


def identify(*, actor: User, line_id: int, pledge_id: str, now: datetime) -> BankLine:
    """Say which pledge a credit in suspense pays. The ledger moves: suspense +, budget −, host fees −.

    The money goes to what its pledge, and those of the same reference, await; the rest stays in suspense as a surplus.
    Raises: NotFound; Forbidden; Invalid `not_a_credit`, `pledge_not_found`; Conflict `line_not_waiting`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        pledge = identifiable(actor, line.currency).select_related("budget").filter(pk=pledge_id).first()
        if pledge is None:
            raise Invalid(
                "pledge_not_found",
                _("Choose the pledge that this line pays: one that is not cancelled, of a pot that is not closed."),
                param="pledge",
            )
        if line.state == "matched" and line.matched_by_id == actor.pk and _pays(line, pledge):
            return line  # the same act again
        require_waiting(line)
        if line.amount <= 0:
            raise Invalid("not_a_credit", _("Only money received can pay a pledge."), param="pledge")
        receive(line, pledge, ("suspense", line.account_id), actor, now)
    return line


def _pays(line: BankLine, pledge: Pledge) -> bool:
    """Whether a line was matched to this pledge, or to another of its reference."""
    mine = {"pk": line.matched_to, "pledge__reference": pledge.reference}
    return Payment.objects.filter(**mine).exists() or Surplus.objects.filter(**mine).exists()


def deposits_for(actor: User, line: BankLine) -> "models.QuerySet[Deposit]":
    """The deposits of cheques or cash that a credit may be: of its account, its exact total, not yet seen."""
    same = Deposit.visible_to(actor).filter(account=line.account_id, currency=line.currency, total=line.amount)
    return same.filter(state="prepared").order_by("prepared_on", "pk")


def settle_deposit(*, actor: User, line_id: int, deposit_id: str, now: datetime) -> BankLine:
    """Say that a credit in suspense is a deposit of cheques or cash. The ledger moves: suspense +, clearing −.

    Raises: NotFound; Forbidden; Invalid `deposit_other_total`; Conflict `line_not_waiting`, `deposit_settled`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        deposit = locked_deposit(actor, deposit_id)
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == deposit.pk:
            return line  # the same act again
        require_waiting(line)
        if (deposit.account_id, deposit.currency) != (line.account_id, line.currency) or deposit.total != line.amount:
            raise Invalid(
                "deposit_other_total",
                _("This line is not of %(total)s on the account of the deposit: it is something else.")
                % {"total": format_money(deposit.total, deposit.currency)},
                param="deposit",
            )
        line.entry = clear_deposit(
            deposit=deposit, source=line.source, purse=("suspense", line.account_id), cleared_on=line.booked_on,
            actor=actor, now=now,
        ).entry  # fmt: skip
        matched(line, deposit.pk, actor)
    return line


def reversible(actor: User, account_id: str, currency: str) -> "models.QuerySet[Payment]":
    """The payments that a debit of this account may take back: its own transfers, and paper that it cleared."""
    cleared = PaperPayment.objects.filter(pk=OuterRef("paper"), account=account_id, state="cleared")
    return (
        Payment.visible_to(actor)
        .filter(currency=currency)
        .annotate(paper=Substr("source", len("paper:") + 1, 40))  # the length of an id
        .filter(Q(source__startswith=f"line:{account_id}:") | Q(Exists(cleared), source__startswith="paper:"))
    )


def take_back(*, actor: User, line_id: int, payment_id: str, now: datetime) -> BankLine:
    """Say that a debit in suspense takes a payment back. The ledger moves: suspense −, host fees +, budget and its
    deficit +; what people were paid stays theirs.

    Raises: NotFound; Forbidden; Invalid `not_a_debit`, `payment_not_found`; Conflict `line_not_waiting`,
        `take_back_too_large`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        found = reversible(actor, line.account_id, line.currency).select_related("pledge__budget")
        payment = found.filter(pk=payment_id).first()
        if payment is None:
            raise Invalid(
                "payment_not_found", _("Choose the payment that the bank took back on this account."), param="payment"
            )
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == payment.pk:
            return line  # the same act again
        require_waiting(line)
        if line.amount >= 0:
            raise Invalid("not_a_debit", _("Only money that left the bank can take a payment back."), param="payment")
        line.entry = book_take_back(
            payment=payment, amount=-line.amount, source=line.source, purse=("suspense", line.account_id),
            taken_on=line.booked_on, actor=actor, now=now,
        ).entry  # fmt: skip
        matched(line, payment.pk, actor)
    return line
