"""Books receipts."""

from datetime import date, datetime
from typing import Literal

from django.db import transaction

from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.services import Line, open_account, post
from backend.payments.models import Payment
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
    Returns: the payment. The ledger moved: purse +amount, budget −(amount − fee), host fees −fee.
    """
    first = Payment.objects.filter(source=source).first()
    if first is not None:
        return first
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
    if amount - fee:
        lines.append(
            Line(
                open_account(kind="budget", owner=pledge.budget_id, currency=currency), -(amount - fee), chart.DONATION
            )
        )
    if fee:
        lines.append(Line(open_account(kind="host_fees", owner=host.pk, currency=currency), -fee, chart.HOST_FEE))
    payment_id = new_id("pay")
    entry = post(
        kind="payment.received",
        scope="payment",
        key=source,
        reference=pledge.pk,
        happened_on=received_on,
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
    return payment
