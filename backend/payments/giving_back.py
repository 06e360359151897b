"""Money of a take-back that comes home: a dispute won, a refund that failed. The pot has again what it had."""

from datetime import date, datetime

from django.db import transaction

from backend.commons.services import hold
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.payments.models import GiveBack, Payment, TakeBack
from backend.payments.purses import Purse, line_on
from backend.payments.taking_back import fee_kept
from backend.pledges.services import note_received


@transaction.atomic
def give_back(
    *, take_back: TakeBack, amount: int, source: str, purse: Purse, given_on: date, now: datetime
) -> GiveBack:
    """Book that money which was taken back came home, all of it or a part.

    The ledger moved: purse +amount, host fees −(what they are again on what is left), the budget's deficit −(what it
    lacks, first served), budget −(the rest).
    Args: amount: minor units, greater than zero, at most what of this take-back is still gone. source: names the
        movement; a repetition gives back the first row. purse: where it came in. given_on: the day.
    """
    first = GiveBack.objects.filter(source=source).first()
    if first is not None:
        return first
    payment = take_back.payment
    budget = payment.pledge.budget
    hold([budget])
    payment = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    assert 0 < amount <= still_gone(take_back) <= payment.taken_back, "more comes home than was taken"
    currency = payment.currency
    fee = fee_kept(payment, payment.left + amount) - fee_kept(payment, payment.left)
    served = min(amount - fee, balance(kind="deficit", owner=budget.pk, currency=currency))
    to_budget = amount - fee - served
    parts = [
        ("host_fees", the_host().pk, fee, chart.HOST_FEE),
        ("deficit", budget.pk, served, chart.DONATION),
        ("budget", budget.pk, to_budget, chart.DONATION),
    ]
    lines = [
        Line(open_account(kind=kind, owner=owner, currency=currency), -cents, number)
        for kind, owner, cents, number in parts
        if cents
    ]
    entry = post(
        kind="payment.given_back", scope="give_back", key=source, reference=payment.pk, happened_on=given_on, late=True,
        lines=[line_on(purse, amount, currency), *lines], now=now,
    )  # fmt: skip
    row = GiveBack.objects.create(
        id=new_id("gvb"), take_back=take_back, amount=amount, fee=fee, to_budget=to_budget, to_deficit=served,
        source=source, given_on=given_on, entry=entry.pk, created_at=now,
    )  # fmt: skip
    payment.taken_back -= amount
    if payment.state in {"lost", "refunded"}:
        payment.state = "succeeded"
    payment.save(update_fields=["taken_back", "state"])
    note_received(pledge_id=payment.pledge_id, amount=amount, now=now)
    record(
        "payment.given_back", actor=None, subject=payment.pk, now=now, scopes=[budget.pk, payment.pledge.payer_id],
        amount=amount, currency=currency,
    )  # fmt: skip
    return row


def still_gone(take_back: TakeBack) -> int:
    """What of a take-back did not come home yet, minor units."""
    return take_back.amount - sum(take_back.give_backs.values_list("amount", flat=True))
