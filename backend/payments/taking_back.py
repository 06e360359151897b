"""Undoes receipts: what the bank took back, a cheque that came back, a refund. Nobody who was paid loses anything."""

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import hold
from backend.core.errors import Conflict
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.distributions.services import about_to_be_shared
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.payments.models import Payment, TakeBack
from backend.payments.purses import Purse, line_on
from backend.pledges.services import note_received


@transaction.atomic
def take_back(
    *,
    payment: Payment,
    amount: int,
    source: str,
    purse: Purse,
    taken_on: date,
    actor: User | None,
    now: datetime,
    refunded: bool | None = None,
    unmatched: bool = False,
) -> TakeBack:
    """Book that money of a payment is gone, all of it or a part: the bank took it, or it is refunded.

    The host gives its fee back in proportion. The budget gives what it still holds; what was shared already, or is
    being shared, goes to the budget's deficit, which its next receipts serve first.
    Args: amount: minor units, greater than zero. source: names the bank line, the paper or the refund; a repetition
        gives back the first row. purse: where the money left from, that of the refund for one. taken_on: the day.
        refunded: whether the host gave it, None to read it from the purse. unmatched: it never was this pledge's money.
    Raises: Conflict `take_back_too_large`; `purse_short` when the budget was shared at that very moment: try again;
        `refund_above_held` for a refund of what the budget no longer holds.
    """
    first = TakeBack.objects.filter(source=source).first()
    if first is not None:
        return first
    budget = payment.pledge.budget
    hold([budget])
    payment = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    if amount > payment.left:
        raise Conflict(
            "take_back_too_large",
            _("Only %(left)s of this payment are left to take back: choose another payment.")
            % {"left": format_money(payment.left, payment.currency)},
            param="payment",
        )
    fee, from_budget, missing = split_take_back(payment, amount)
    owed = purse[0] == "payee"
    refunded = owed if refunded is None else refunded
    if owed and missing:
        raise Conflict(
            "refund_above_held",
            _("The budget no longer holds this money: %(missing)s are missing. Nothing was changed.")
            % {"missing": format_money(missing, payment.currency)},
            param="amount",
        )
    parts = [
        ("host_fees", the_host().pk, fee, chart.HOST_FEE),
        ("budget", budget.pk, from_budget, chart.DONATION),
        ("deficit", budget.pk, missing, chart.DONATION),
    ]
    given = [
        Line(open_account(kind=kind, owner=owner, currency=payment.currency), cents, number)
        for kind, owner, cents, number in parts
        if cents
    ]
    entry = post(
        kind="payment.taken_back", scope="take_back", key=source, reference=payment.pk, happened_on=taken_on, late=True,
        lines=[line_on(purse, -amount, payment.currency), *given], now=now,
    )  # fmt: skip
    row = TakeBack.objects.create(
        id=new_id("tkb"), payment=payment, amount=amount, fee=fee, from_budget=from_budget, to_deficit=missing,
        source=source, taken_on=taken_on, entry=entry.pk, created_at=now,
    )  # fmt: skip
    payment.taken_back += amount
    if not payment.left:
        payment.state = "refunded" if refunded else "lost"
    payment.save(update_fields=["taken_back", "state"])
    note_received(pledge_id=payment.pledge_id, amount=-amount, given_back=refunded, now=now)
    facts: dict[str, Any] = {"amount": amount, "to_deficit": missing, "currency": payment.currency}
    scopes = [budget.pk, payment.pledge.payer_id]
    if unmatched:
        record("payment.unmatched", actor=actor, subject=payment.pk, now=now, scopes=scopes, **facts)
    elif refunded:
        record("payment.refunded", actor=actor, subject=payment.pk, now=now, scopes=scopes, **facts)
    else:
        record("payment.taken_back", actor=actor, subject=payment.pk, now=now, scopes=scopes, **facts)
    return row


def split_take_back(payment: Payment, amount: int) -> tuple[int, int, int]:
    """Who gives back an amount of a payment: the host's fee, what the budget still holds, the budget's deficit."""
    fee = fee_kept(payment, payment.left) - fee_kept(payment, payment.left - amount)
    from_budget = min(amount - fee, may_give(payment.pledge.budget))
    return fee, from_budget, amount - fee - from_budget


def may_give(budget: Budget) -> int:
    """What a budget holds and is not about to share, minor units."""
    held = balance(kind="budget", owner=budget.pk, currency=budget.currency)
    return max(0, held - about_to_be_shared(budget))


def fee_kept(payment: Payment, left: int) -> int:
    """The host's fee on what is left of a payment, in proportion of the fee frozen at receipt, halves up."""
    return (2 * payment.fee * left + payment.amount) // (2 * payment.amount)
