"""What an answer of the provider changes in our rows: the page that was opened, the refund that is on its way."""

from datetime import datetime

from backend.events.services import record
from backend.payments.models import Checkout, Operation, ProviderRefund, Subscription
from backend.payments.offering import page_at
from backend.payments.providers.base import Done
from backend.pledges.models import Pledge


def write_done(row: Operation, answer: Done, *, now: datetime) -> None:
    """Write down what an operation made. The caller holds its row. No money moves by it."""
    if row.kind == "checkout":
        checkout = Checkout.objects.select_for_update(of=("self",)).get(operation=row)
        checkout.remote_id, checkout.address = answer.remote_id, page_at(answer.address)
        if checkout.state == "opening":
            checkout.state = "open"
        checkout.save(update_fields=["remote_id", "address", "state"])
    elif row.kind == "refund":
        ProviderRefund.objects.filter(operation=row).update(remote_id=answer.remote_id)
    elif row.kind == "forget":
        Subscription.objects.filter(customer=row.request["customer"]).update(customer="")


def write_failed(row: Operation, why: str, *, now: datetime) -> None:
    """Write down that an operation will not be done: refused, or given up. The caller holds its row."""
    if row.kind == "checkout":
        checkout = Checkout.objects.select_for_update(of=("self",)).get(operation=row)
        if checkout.state == "opening":
            close_checkout(checkout, "failed", now=now, failure=why)
    elif row.kind == "refund":
        ProviderRefund.objects.filter(operation=row, state="approved").update(state="failed", failure=why)


def close_checkout(checkout: Checkout, state: str, *, now: datetime, failure: str = "") -> None:
    """End a payment page: paid, failed or closed unpaid; its address is forgotten. The caller holds the row."""
    checkout.state, checkout.failure, checkout.finished_at, checkout.address = state, failure, now, ""
    checkout.save(update_fields=["state", "failure", "finished_at", "address"])
    if state == "failed":
        pledges = list(Pledge.objects.filter(group=checkout.group).order_by("pk"))
        record(
            "checkout.failed", actor=None, subject=checkout.pk, now=now,
            scopes=[*dict.fromkeys(one.budget_id for one in pledges), *(one.payer_id for one in pledges[:1])],
            pledge=pledges[0].pk, amount=checkout.amount, currency=checkout.currency, method=checkout.method,
            failure=failure,
        )  # fmt: skip
