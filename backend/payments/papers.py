"""Cheques and cash: recorded by a treasurer, taken to the bank in a deposit that one bank line settles, or returned."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from backend.commons.services import hold
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_amount
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger.services import post
from backend.payments.models import KINDS_OF_PAPER, Deposit, PaperPayment, Payment, Surplus
from backend.payments.purses import Purse, clearing_purse, line_on
from backend.payments.services import receive_transfer, take_back
from backend.pledges.models import Pledge


def record_paper(
    *,
    actor: User,
    pledge_id: str,
    account_id: str,
    kind: str,
    amount: int,
    drawer: str = "",
    number: str = "",
    received_on: date,
    form_key: str,
    now: datetime,
    another: bool = False,
) -> PaperPayment:
    """Write down a cheque or cash handed over for a pledge: the pot has it at once, the bank shows it later.

    The ledger moved: clearing +, and as `receive_transfer` says.
    Args: account_id: the host's account it will be taken to. kind: `cheque` or `cash`. amount: minor units. drawer,
        number: what the cheque says. received_on: when it was handed over. form_key: a repetition gives back the first.
        another: it is not the cheque of the same number and amount that is written down already.
    Raises: Forbidden; Invalid `pledge_not_found`, `account_not_found`, `paper_kind_unknown`, `paper_day_absurd`,
        `amount_out_of_range`; Conflict `budget_not_receiving`, `form_key_reused`, `cheque_recorded`.
    """
    require(actor, "paper.record")
    if kind not in dict(KINDS_OF_PAPER):
        raise Invalid("paper_kind_unknown", _("Say whether it is a cheque or cash."), param="kind")
    require_amount(amount)
    if not date(2000, 1, 1) <= received_on <= host_day(now):
        raise Invalid("paper_day_absurd", _("Give the day it was handed over: not one to come."), param="received_on")
    with transaction.atomic():
        pledge = Pledge.visible_to(actor).select_related("budget").filter(pk=pledge_id).first()
        if pledge is None or pledge.state not in {"active", "fulfilled", "written_off"}:
            raise Invalid("pledge_not_found", _("Choose the pledge that it pays."), param="pledge")
        account = HostBankAccount.objects.select_for_update(of=("self",), no_key=True).filter(pk=account_id).first()
        if account is None or account.currency != pledge.currency:
            raise Invalid("account_not_found", _("Choose the account it will be taken to."), param="account")
        first = PaperPayment.objects.filter(recorded_by=actor, form_key=form_key).first()
        if first is not None:
            if (first.pledge_id, first.kind, first.amount) != (pledge.pk, kind, amount):
                raise Conflict("form_key_reused", _("This form was already sent with other values: open a new one."))
            return first
        number = " ".join(number.split())[:40]
        if not another:
            _require_new(kind, number, amount)
        paper = PaperPayment.objects.create(
            id=new_id("ppr"), kind=kind, pledge=pledge, account=account, amount=amount, currency=pledge.currency,
            drawer=" ".join(drawer.split())[:140], number=number, received_on=received_on,
            form_key=form_key, recorded_by=actor, recorded_at=now,
        )  # fmt: skip
        receive_transfer(
            pledge=pledge, amount=amount, source=paper.source, purse=("clearing", paper.purse),
            received_on=received_on, method=kind, actor=actor, now=now,
        )  # fmt: skip
        record(
            "paper.recorded", actor=actor, subject=paper.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
            amount=amount, currency=paper.currency, method=kind,
        )  # fmt: skip
    return paper


def _require_new(kind: str, number: str, amount: int) -> None:
    """Refuse the same cheque a second time; raises Conflict `cheque_recorded`. The caller holds the account."""
    if kind != "cheque" or not number:
        return
    twin = PaperPayment.objects.filter(kind=kind, number__iexact=number, amount=amount).exclude(state="returned")
    if first := twin.select_related("recorded_by").order_by("pk").first():
        raise Conflict(
            "cheque_recorded",
            _("%(name)s wrote down a cheque of this number and amount, received on %(day)s. Nothing was recorded.")
            % {"name": first.recorded_by.name, "day": date_format(first.received_on, "DATE_FORMAT")},
            param="another",
        )


def prepare_deposit(
    *, actor: User, account_id: str, kind: str, paper_ids: Sequence[str], slip: str, form_key: str, now: datetime
) -> Deposit:
    """Put cheques, or cash, together to be taken to the bank. Moves no money: the bank's line will.

    Args: paper_ids: of one account and kind. slip: what the bank's slip is called, may be empty. form_key: a repetition
        gives back the first deposit.
    Raises: Forbidden; Invalid `deposit_empty`; Conflict `paper_taken` when one of them is in another deposit.
    """
    require(actor, "paper.record")
    with transaction.atomic():
        rows = PaperPayment.objects.select_for_update(of=("self",)).filter(pk__in=paper_ids).order_by("pk")
        papers = list(rows)
        first = Deposit.objects.filter(prepared_by=actor, form_key=form_key).first()
        if first is not None:
            return first
        if not papers or len(papers) != len(set(paper_ids)):
            raise Invalid("deposit_empty", _("Choose what is taken to the bank."), param="papers")
        fitting = [p for p in papers if (p.account_id, p.kind, p.state) == (account_id, kind, "received")]
        if len(fitting) != len(papers):
            raise Conflict(
                "paper_taken", _("One of them is already in a deposit, or of another account: open the page again.")
            )
        deposit = Deposit.objects.create(
            id=new_id("dep"), account_id=account_id, kind=kind, total=sum(paper.amount for paper in papers),
            currency=papers[0].currency, slip=" ".join(slip.split())[:40], form_key=form_key, prepared_by=actor,
            prepared_on=host_day(now), prepared_at=now,
        )  # fmt: skip
        rows.update(state="deposited", deposit=deposit)
        record(
            "deposit.prepared", actor=actor, subject=deposit.pk, now=now, total=deposit.total,
            currency=deposit.currency, count=len(papers),
        )  # fmt: skip
    return deposit


def undo_deposit(*, actor: User, deposit_id: str, reason: str, now: datetime) -> Deposit:
    """Take a deposit apart that the bank has not shown: its cheques or cash can be put together again. Moves no money.

    Raises: Forbidden; NotFound; Conflict `deposit_settled`; Invalid `reason_missing`.
    """
    require(actor, "paper.record")
    with transaction.atomic():
        deposit = locked_deposit(actor, deposit_id)
        if deposit.state == "undone":
            return deposit
        require_prepared(deposit)
        if not reason.strip():
            raise Invalid("reason_missing", _("Say why the deposit is undone."), param="reason")
        deposit.papers.filter(state="deposited").update(state="received", deposit=None)
        deposit.state, deposit.total = "undone", 0
        deposit.save(update_fields=["state", "total"])
        record(
            "deposit.undone", actor=actor, subject=deposit.pk, now=now, why=reason, before={"state": "prepared"},
            after={"state": "undone"},
        )  # fmt: skip
    return deposit


def locked_deposit(actor: User, deposit_id: str) -> Deposit:
    """A deposit under its lock; raises NotFound."""
    rows = Deposit.visible_to(actor).select_for_update(of=("self",))
    deposit = rows.filter(pk=deposit_id).first()
    if deposit is None:
        raise NotFound("deposit_not_found", _("There is no such deposit."), param="deposit")
    return deposit


def require_prepared(deposit: Deposit) -> None:
    """Refuse to settle or undo a deposit twice; raises Conflict `deposit_settled`."""
    if deposit.state != "prepared":
        raise Conflict(
            "deposit_settled",
            _("This deposit no longer waits: it is “%(state)s”.") % {"state": deposit.get_state_display()},
            param="deposit",
        )


def clear_deposit(
    *, deposit: Deposit, source: str, purse: Purse, cleared_on: date, actor: User, now: datetime
) -> Deposit:
    """Book that the bank shows a deposit. The caller holds its lock and has compared the line with its total.

    The ledger moved: bank, or the suspense the line was in, +; clearing −.
    Args: source: names the bank line. purse: of the bank account, or its suspense. cleared_on: the bank's booking day.
    """
    require_prepared(deposit)
    deposit.entry = post(
        kind="deposit.cleared", scope="deposit", key=deposit.pk, reference=deposit.pk, happened_on=cleared_on,
        late=True,
        lines=[
            line_on(purse, deposit.total, deposit.currency),
            line_on(clearing_purse(deposit.account_id, deposit.kind), -deposit.total, deposit.currency),
        ],
        now=now,
    ).pk  # fmt: skip
    deposit.state, deposit.line, deposit.cleared_on = "cleared", source, cleared_on
    deposit.save(update_fields=["state", "line", "cleared_on", "entry"])
    deposit.papers.filter(state="deposited").update(state="cleared")
    record("deposit.cleared", actor=actor, subject=deposit.pk, now=now, total=deposit.total, currency=deposit.currency)
    return deposit


def return_paper(*, actor: User, paper_id: str, returned_on: date, reason: str, now: datetime) -> PaperPayment:
    """Book that a cheque, or false cash, came back unpaid before the bank showed its deposit.

    Every payment that it made is taken back, and what is left of its surplus. The ledger moved: clearing −, and as
    `take_back` says; suspense + for the surplus.
    Raises: Forbidden; NotFound; Invalid `reason_missing`, `paper_day_absurd`; Conflict `paper_cleared` once the bank
        showed it: the bank's own line then takes the payment back.
    """
    require(actor, "paper.record")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why it came back."), param="reason")
    with transaction.atomic():
        paper = PaperPayment.visible_to(actor).filter(pk=paper_id).first()
        if paper is None:
            raise NotFound("paper_not_found", _("There is no such cheque or cash."))
        # The deposit before what it holds, as everywhere: none of it clears meanwhile.
        deposit = locked_deposit(actor, paper.deposit_id) if paper.deposit_id else None
        paper = PaperPayment.objects.select_for_update(of=("self",)).get(pk=paper.pk)
        if paper.state == "returned":
            return paper
        if not paper.received_on <= returned_on <= host_day(now):
            raise Invalid(
                "paper_day_absurd", _("It came back after it was handed over, and not later than today."),
                param="returned_on",
            )  # fmt: skip
        if paper.state == "cleared" or paper.deposit_id != (deposit.pk if deposit else None):
            raise Conflict(
                "paper_cleared",
                _("The bank has shown this money: when the bank takes it back, identify that line of the statement."),
            )
        _undo(paper, actor=actor, returned_on=returned_on, now=now)
        if deposit is not None:
            deposit.total -= paper.amount
            deposit.state = "prepared" if deposit.total else "undone"
            deposit.save(update_fields=["total", "state"])
        paper.state, paper.returned_on, paper.returned_reason = "returned", returned_on, reason.strip()[:280]
        paper.save(update_fields=["state", "returned_on", "returned_reason"])
        record(
            "paper.returned", actor=actor, subject=paper.pk, now=now, why=reason,
            scopes=[paper.pledge.budget_id, paper.pledge.payer_id], amount=paper.amount, currency=paper.currency,
        )  # fmt: skip
    return paper


def _undo(paper: PaperPayment, *, actor: User, returned_on: date, now: datetime) -> None:
    """Take back what a paper that is not cleared brought: its payments, then what waits of its surplus."""
    purse: Purse = ("clearing", paper.purse)
    surplus = Surplus.objects.select_for_update(of=("self",)).filter(source=f"{paper.source}:s").first()
    mine = Payment.objects.filter(Q(source=paper.source) | Q(source__startswith=f"{paper.source}:"))
    payments = list(mine.select_related("pledge__budget").order_by("pk"))
    # All its pots at once, in the order everybody holds them: two papers of the same pots may come back together.
    hold([payment.pledge.budget for payment in payments])
    for payment in payments:
        if payment.left:
            take_back(
                payment=payment, amount=payment.left, source=f"return:{payment.pk}", purse=purse, taken_on=returned_on,
                actor=actor, now=now,
            )  # fmt: skip
    if surplus is not None and surplus.left:
        post(
            kind="surplus.returned", scope="surplus", key=f"return:{surplus.pk}", reference=surplus.pk,
            happened_on=returned_on, late=True,
            lines=[
                line_on(("suspense", surplus.account_id), surplus.left, surplus.currency),
                line_on(purse, -surplus.left, surplus.currency),
            ],
            now=now,
        )  # fmt: skip
        surplus.state = "returned"
        surplus.save(update_fields=["state"])
