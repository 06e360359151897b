"""Books receipts."""

from datetime import date, datetime
from typing import Literal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import OPEN_TO_MONEY, hold
from backend.core.errors import Conflict
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.distributions.services import about_to_be_shared
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.payments.models import Payment, TakeBack
from backend.pledges.models import Pledge
from backend.pledges.services import note_received


def host_fee(amount: int, fee_bp: int) -> int:
    """The host's part of a receipt in minor units: amount × basis points / 10 000, halves up (allocation.md §2.3)."""
    return (amount * fee_bp + 5_000) // 10_000


@transaction.atomic
def receive_transfer(
    *,
    pledge: Pledge,
    amount: int,
    source: str,
    purse: tuple[Literal["bank", "suspense"], str],
    received_on: date,
    actor: User | None,
    now: datetime,
) -> Payment:
    """Book a bank transfer to the budget of a pledge, with the host's fee as its own line.

    Args: amount: gross, minor units, greater than zero. source: names the bank line; a repetition gives back the first
        payment. purse: where the money comes from: the bank account (by its id), or the suspense it had been put in.
        received_on: the bank's booking day. actor: who recognised it, None for the house itself.
    Returns: the payment. The ledger moved: purse +amount, host fees −fee, the budget's deficit −(what it lacks, first
        served), budget −(the rest).
    """
    first = Payment.objects.filter(source=source).first()
    if first is not None:
        return first
    # Nobody serves the same deficit, shares or closes the budget meanwhile.
    hold([pledge.budget])
    if not Budget.objects.filter(pk=pledge.budget_id, state__in=OPEN_TO_MONEY).exists():
        raise Conflict("budget_not_receiving", _("The budget of this pledge is closed: it takes no money any more."))
    currency = pledge.currency
    host = the_host()
    fee = host_fee(amount, host.fee_bp)
    kind, owner = purse
    lines = [
        Line(
            open_account(kind=kind, owner=owner, currency=currency),
            amount,
            chart.BANK if kind == "bank" else chart.SUSPENSE,
        )
    ]
    served = min(amount - fee, balance(kind="deficit", owner=pledge.budget_id, currency=currency))
    if served:
        deficit = open_account(kind="deficit", owner=pledge.budget_id, currency=currency)
        lines.append(Line(deficit, -served, chart.DONATION))
    if net := amount - fee - served:
        lines.append(Line(open_account(kind="budget", owner=pledge.budget_id, currency=currency), -net, chart.DONATION))
    if fee:
        lines.append(Line(open_account(kind="host_fees", owner=host.pk, currency=currency), -fee, chart.HOST_FEE))
    payment_id = new_id("pay")
    entry = post(
        kind="payment.received",
        scope="payment",
        key=source,
        reference=pledge.pk,
        happened_on=received_on,
        late=True,
        lines=lines,
        now=now,
    )
    payment = Payment.objects.create(
        id=payment_id,
        pledge=pledge,
        amount=amount,
        fee=fee,
        currency=currency,
        method="bank_transfer",
        state="succeeded",
        source=source,
        received_on=received_on,
        entry=entry.pk,
        created_at=now,
    )
    note_received(pledge_id=pledge.pk, amount=amount, now=now)
    record(
        "payment.received",
        actor=actor,
        subject=payment.pk,
        now=now,
        scopes=[pledge.budget_id, pledge.organisation_id],
        pledge=pledge.pk,
        amount=amount,
        fee=fee,
        currency=currency,
    )
    around_commit("receipt.booked")
    return payment


@transaction.atomic
def take_back(
    *,
    payment: Payment,
    amount: int,
    source: str,
    purse: tuple[Literal["bank", "suspense"], str],
    taken_on: date,
    actor: User | None,
    now: datetime,
) -> TakeBack:
    """Book that the bank took a payment back, all of it or a part. Nobody who was paid loses anything.

    The host gives its fee back in proportion. The budget gives what it still holds; what was shared already, or is
    being shared, goes to the budget's deficit, which its next receipts serve first.
    Args: amount: minor units, greater than zero. source: names the bank line; a repetition gives back the first row.
        purse: where the money left from. taken_on: the bank's booking day.
    Raises: Conflict `take_back_too_large`; `purse_short` when the budget was shared at that very moment: try again.
    """
    first = TakeBack.objects.filter(source=source).first()
    if first is not None:
        return first
    budget = payment.pledge.budget
    hold([budget])
    payment = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    left = payment.amount - payment.taken_back
    if amount > left:
        raise Conflict(
            "take_back_too_large",
            _("Only %(left)s of this payment are left to take back: choose another payment.")
            % {"left": format_money(left, payment.currency)},
            param="payment",
        )
    fee, from_budget, missing = split_take_back(payment, amount)
    kind, owner = purse
    parts = [
        (kind, owner, -amount, chart.BANK if kind == "bank" else chart.SUSPENSE),
        ("host_fees", the_host().pk, fee, chart.HOST_FEE),
        ("budget", budget.pk, from_budget, chart.DONATION),
        ("deficit", budget.pk, missing, chart.DONATION),
    ]
    entry = post(
        kind="payment.taken_back",
        scope="take_back",
        key=source,
        reference=payment.pk,
        happened_on=taken_on,
        late=True,
        lines=[
            Line(open_account(kind=kind, owner=owner, currency=payment.currency), cents, number)
            for kind, owner, cents, number in parts
            if cents
        ],
        now=now,
    )
    row = TakeBack.objects.create(
        id=new_id("tkb"), payment=payment, amount=amount, fee=fee, from_budget=from_budget, to_deficit=missing,
        source=source, taken_on=taken_on, entry=entry.pk, created_at=now,
    )  # fmt: skip
    payment.taken_back += amount
    payment.state = "lost" if payment.taken_back == payment.amount else "succeeded"
    payment.save(update_fields=["taken_back", "state"])
    note_received(pledge_id=payment.pledge_id, amount=-amount, now=now)
    record(
        "payment.taken_back",
        actor=actor,
        subject=payment.pk,
        now=now,
        scopes=[budget.pk, payment.pledge.organisation_id],
        amount=amount,
        to_deficit=missing,
        currency=payment.currency,
    )
    return row


def split_take_back(payment: Payment, amount: int) -> tuple[int, int, int]:
    """Who gives back an amount of a payment: the host's fee, what the budget still holds, the budget's deficit."""
    left = payment.amount - payment.taken_back
    budget = payment.pledge.budget
    fee = _fee_kept(payment, left) - _fee_kept(payment, left - amount)
    held = balance(kind="budget", owner=budget.pk, currency=payment.currency) - about_to_be_shared(budget)
    from_budget = min(amount - fee, max(0, held))
    return fee, from_budget, amount - fee - from_budget


def _fee_kept(payment: Payment, left: int) -> int:
    """The host's fee on what is left of a payment, in proportion of the fee frozen at receipt, halves up."""
    return (2 * payment.fee * left + payment.amount) // (2 * payment.amount)
