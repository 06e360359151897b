"""How payments, payment pages, disputes and refunds stand, written from what the provider says. Books nothing.

Every state has a rank and only ever rises: what is told late or twice changes nothing.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from backend.core.ids import new_id
from backend.events.services import record
from backend.payments.models import Checkout, Dispute, ProviderRefund
from backend.payments.movements import state_of_payments
from backend.payments.offering import page_at
from backend.payments.outcomes import close_checkout
from backend.payments.providers.base import CheckoutFacts, DisputeFacts, PaymentFacts, RefundFacts
from backend.payments.services import lock_group
from backend.pledges.models import Instalment, Pledge

RANK = {"opening": 0, "open": 1, "processing": 2, "expired": 3, "failed": 3, "paid": 4}
DISPUTE_RANK = {"warning": 0, "opened": 1, "won": 2, "lost": 2}
REFUND_RANK = {"asked": 0, "refused": 0, "approved": 1, "done": 2, "failed": 3}
FAILURE = 280


@transaction.atomic
def note_checkout(facts: CheckoutFacts, payment: PaymentFacts | None, *, now: datetime) -> Checkout | None:
    """Write how a payment page stands, and what is on its way because of it.

    Args: payment: the one it made, as it stands; None for a subscription's, or when nothing was tried.
    Returns: our row; None for a page that is not ours.
    """
    lock_group(facts.group)
    row = Checkout.objects.select_for_update(of=("self",)).filter(pk=facts.checkout, group=facts.group).first()
    if row is None:
        return None
    state = _state(facts, payment)
    if not row.remote_id:  # its answer was lost: this is it
        row.remote_id = facts.remote_id
        row.save(update_fields=["remote_id"])
    if RANK[state] <= RANK[row.state]:
        if row.state == state == "open" and row.address != facts.address:
            row.address = page_at(facts.address)
            row.save(update_fields=["address"])
        return row
    if state in {"paid", "failed", "expired"}:
        close_checkout(row, state, now=now, failure=_why(payment) if state == "failed" else "")
    else:
        row.state, row.address = state, page_at(facts.address) if state == "open" else ""
        row.save(update_fields=["state", "address"])
    if not row.recurring:
        _note_instalments(row, now)
    return row


def _state(facts: CheckoutFacts, payment: PaymentFacts | None) -> str:
    if facts.state == "expired":
        return "expired"
    if facts.state == "open":
        return "open"
    if facts.paid or (payment is not None and payment.state == "succeeded"):
        return "paid"
    if payment is not None and payment.state in {"failed", "cancelled"}:
        return "failed"
    return "processing"


def _why(payment: PaymentFacts | None) -> str:
    return payment.failure[:FAILURE] if payment is not None else ""


def _note_instalments(row: Checkout, now: datetime) -> None:
    """What a single payment asks for is on its way, or failed, or only called again."""
    rows = Instalment.objects.filter(pledge__group=row.group, pledge__state="active", received=0)
    if row.state == "processing":
        rows.filter(state__in=["called", "failed"]).update(state="pending")
    elif row.state == "failed":
        rows.filter(state="pending").update(state="failed")
    elif row.state == "expired":
        rows.filter(state="pending").update(state="called")


@transaction.atomic
def note_payment(provider: str, facts: PaymentFacts, *, now: datetime) -> None:
    """Write what became of a payment besides its money: its disputes, its refunds, the page that it failed on."""
    lock_group(facts.group)
    for dispute in facts.disputes:
        _note_dispute(provider, dispute, now)
    for refund in facts.refunds:
        _note_refund(refund, now)
    if facts.charge and (facts.disputes or facts.refunds):
        state_of_payments(charge=facts.charge)
    if facts.failure and facts.checkout:
        Checkout.objects.filter(pk=facts.checkout, state="open").update(failure=facts.failure[:FAILURE])


def _note_dispute(provider: str, facts: DisputeFacts, now: datetime) -> None:
    """A dispute, made the first time; won and lost are final."""
    made = Dispute(
        id=new_id("dsp"), provider=provider, remote_id=facts.remote_id, charge=facts.charge, amount=facts.amount,
        currency=facts.currency, reason=facts.reason[:60], state=facts.state, answer_by=facts.answer_by,
        opened_at=facts.opened_at, closed_at=now if facts.state in {"won", "lost"} else None,
    )  # fmt: skip
    Dispute.objects.bulk_create([made], ignore_conflicts=True)
    row = Dispute.objects.select_for_update().get(provider=provider, remote_id=facts.remote_id)
    told: dict[str, Any] = {"amount": row.amount, "currency": row.currency, "charge": row.charge}
    if row.pk == made.pk:
        record("dispute.opened", actor=None, subject=row.pk, now=now, scopes=_scopes(row.charge), **told)
        if row.closed_at is not None:
            _tell_closed(row, "opened", now)
        return
    if DISPUTE_RANK[facts.state] < DISPUTE_RANK[row.state] or row.closed_at is not None:
        return
    before, row.state, row.answer_by, row.amount = row.state, facts.state, facts.answer_by, facts.amount
    row.closed_at = now if facts.state in {"won", "lost"} else None
    row.save(update_fields=["state", "answer_by", "amount", "closed_at"])
    if row.closed_at is not None:
        _tell_closed(row, before, now)


def _tell_closed(row: Dispute, before: str, now: datetime) -> None:
    record(
        "dispute.closed", actor=None, subject=row.pk, now=now, scopes=_scopes(row.charge), before={"state": before},
        after={"state": row.state}, amount=row.amount, currency=row.currency, charge=row.charge,
    )  # fmt: skip


def _scopes(charge: str) -> list[str]:
    pledges = Pledge.objects.filter(payments__charge=charge).order_by("pk").distinct()
    return [*dict.fromkeys(part for one in pledges for part in (one.budget_id, one.payer_id))]


def _note_refund(facts: RefundFacts, now: datetime) -> None:
    """A refund that we asked for; one made on the provider's own pages has its movement, and no row of ours."""
    if not facts.refund:
        return
    row = ProviderRefund.objects.select_for_update(of=("self",)).filter(pk=facts.refund, charge=facts.charge).first()
    if row is None:
        return
    state = {"pending": "approved", "done": "done", "failed": "failed"}[facts.state]
    if not row.remote_id:
        row.remote_id = facts.remote_id
        row.save(update_fields=["remote_id"])
    given_up = row.state == "failed" and row.operation is not None and row.operation.state == "given_up"
    if REFUND_RANK[state] <= REFUND_RANK[row.state] and not (given_up and state == "done"):
        return
    before, row.state, row.failure = row.state, state, facts.failure[:FAILURE]
    if before in {"asked", "refused"}:  # these books were restored: who decided it is not known any more
        row.decided_by = row.decided_at = None
    row.save(update_fields=["state", "failure", "decided_by", "decided_at"])
    if state != "approved":
        record(
            "provider_refund.done" if state == "done" else "provider_refund.failed", actor=None, subject=row.pk,
            now=now, scopes=_scopes(row.charge), before={"state": before}, after={"state": state}, amount=row.amount,
            currency=row.currency,
        )  # fmt: skip
