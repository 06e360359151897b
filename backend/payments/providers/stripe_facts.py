"""Facts out of Stripe's objects, as dictionaries in the shape of the pinned API version. No network here."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, cast

from backend.payments.providers.amounts import from_provider
from backend.payments.providers.base import (
    CheckoutFacts,
    DisputeFacts,
    InvoiceFacts,
    MovementFacts,
    MovementKind,
    PayoutFacts,
    RefundFacts,
)

Thing = dict[str, Any]
KINDS: dict[str, MovementKind] = {
    "charge": "charge",
    "refund": "refund",
    "partial_capture_reversal": "refund",
    "refund_failure": "refund_failure",
    "charge_failure": "failure",
    "dispute": "dispute",
    "dispute_reversal": "dispute_reversal",
    "fee": "fee",
    "network_cost": "fee",
    "tax": "fee",
    "payout": "payout",
    "payout_reversal": "payout_failure",
}
PAYMENT_STATES: dict[str, Literal["waiting", "processing", "succeeded", "failed", "cancelled"]] = {
    "requires_payment_method": "waiting",
    "requires_confirmation": "waiting",
    "requires_action": "waiting",
    "requires_capture": "processing",
    "processing": "processing",
    "succeeded": "succeeded",
    "canceled": "cancelled",
}
DISPUTE_STATES: dict[str, Literal["warning", "opened", "won", "lost"]] = {
    "warning_needs_response": "warning",
    "warning_under_review": "warning",
    "warning_closed": "won",
    "needs_response": "opened",
    "under_review": "opened",
    "won": "won",
    "prevented": "won",
    "lost": "lost",
}
REFUND_STATES: dict[str, Literal["pending", "done", "failed"]] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "done",
    "failed": "failed",
    "canceled": "failed",
}
SUBSCRIPTION_STATES: dict[str, Literal["incomplete", "active", "past_due", "paused", "ended"]] = {
    "incomplete": "incomplete",
    "incomplete_expired": "ended",
    "trialing": "active",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "past_due",
    "paused": "paused",
    "canceled": "ended",
}
PAYOUT_STATES: dict[str, Literal["pending", "paid", "failed"]] = {
    "pending": "pending",
    "in_transit": "pending",
    "paid": "paid",
    "failed": "failed",
    "canceled": "failed",
}


def moment(seconds: int) -> datetime:
    """A moment as the provider writes it, seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def day(seconds: int) -> date:
    """Its day, UTC."""
    return moment(seconds).date()


def id_of(value: Any) -> str:
    """The id of what is either an id or the object itself; empty for nothing."""
    if isinstance(value, dict):
        return str(value["id"])
    return str(value or "")


def movement_facts(row: Thing) -> MovementFacts:
    """A balance transaction, with its source where it was expanded."""
    source, currency = row.get("source"), row["currency"].upper()
    original_amount, original_currency, rate = None, "", None
    if row.get("exchange_rate") is not None and isinstance(source, dict) and source.get("amount") is not None:
        first = source["currency"].upper()
        if first != currency:
            sign = -1 if row["amount"] < 0 else 1
            original_amount = sign * from_provider(_part_of(row, source), first)
            original_currency, rate = first, Decimal(str(row["exchange_rate"]))
    kind = KINDS.get(row.get("reporting_category") or "", "other")
    return MovementFacts(
        remote_id=row["id"],
        kind=kind,
        amount=from_provider(row["amount"], currency),
        fee=from_provider(row["fee"], currency),
        currency=currency,
        happened_at=moment(row["created"]),
        available_on=day(row["available_on"]) if row.get("available_on") else None,
        of=id_of(source),
        charge=_charge_of(source),
        original_amount=original_amount,
        original_currency=original_currency,
        rate=rate,
    )


def _part_of(row: Thing, source: Thing) -> int:
    """How much of its source a movement is: what a late failure takes back is the charge less what was refunded."""
    if row.get("reporting_category") == "charge_failure":
        return int(source["amount"]) - int(source.get("amount_refunded") or 0)
    return int(source["amount"])


def _charge_of(source: Any) -> str:
    if isinstance(source, dict):
        return str(source["id"]) if source["object"] == "charge" else id_of(source.get("charge"))
    text = str(source or "")
    return text if text.startswith(("ch_", "py_")) else ""


def dispute_facts(row: Thing) -> DisputeFacts:
    """A dispute."""
    due = (row.get("evidence_details") or {}).get("due_by")
    currency = row["currency"].upper()
    return DisputeFacts(
        remote_id=row["id"],
        charge=id_of(row["charge"]),
        amount=from_provider(row["amount"], currency),
        currency=currency,
        reason=str(row.get("reason") or "")[:60],
        state=DISPUTE_STATES[row["status"]],
        opened_at=moment(row["created"]),
        answer_by=moment(due) if due else None,
    )


def refund_facts(row: Thing) -> RefundFacts:
    """A refund."""
    currency = row["currency"].upper()
    return RefundFacts(
        remote_id=row["id"],
        charge=id_of(row["charge"]),
        amount=from_provider(row["amount"], currency),
        currency=currency,
        state=REFUND_STATES[row.get("status") or "succeeded"],
        refund=(row.get("metadata") or {}).get("refund", ""),
        failure=str(row.get("failure_reason") or ""),
    )


def checkout_facts(row: Thing) -> CheckoutFacts:
    """A checkout session."""
    marks = row.get("metadata") or {}
    return CheckoutFacts(
        remote_id=row["id"],
        checkout=marks.get("checkout", ""),
        group=marks.get("group", ""),
        state=row["status"],
        paid=row["payment_status"] in ("paid", "no_payment_required"),
        address=row.get("url") or "",
        payment=id_of(row.get("payment_intent")),
        subscription=id_of(row.get("subscription")),
    )


def invoice_facts(row: Thing, *, payment: Thing | None) -> InvoiceFacts:
    """An invoice of a subscription.

    Args: payment: the payment intent of an unpaid one, None when there is none or it no longer matters.
    """
    parent = (row.get("parent") or {}).get("subscription_details") or {}
    lines = row["lines"]["data"]
    begins = lines[0]["period"]["start"] if lines else row["period_start"]
    currency = row["currency"].upper()
    payments = (row.get("payments") or {}).get("data") or []
    paid_by = [one["payment"].get("payment_intent") for one in payments if one["status"] != "canceled"]
    trouble = (payment or {}).get("last_payment_error") or {}
    return InvoiceFacts(
        remote_id=row["id"],
        subscription=id_of(parent.get("subscription")),
        group=(parent.get("metadata") or {}).get("group", ""),
        state=row["status"],
        amount=from_provider(row["total"], currency),
        currency=currency,
        period_start=day(begins),
        attempts=row.get("attempt_count") or 0,
        payment=id_of(paid_by[0]) if paid_by else "",
        processing=payment is not None and payment["status"] == "processing",
        failure=sentence(trouble),
    )


def sentence(trouble: Thing) -> str:
    """What the provider says of a payment that failed."""
    return str(trouble.get("message") or trouble.get("code") or "")[:280]


def payout_facts(row: Thing) -> PayoutFacts:
    """A payout, with its movements where they were expanded."""
    currency = row["currency"].upper()
    own = [row.get("balance_transaction"), row.get("failure_balance_transaction")]
    moves = [movement_facts({**one, "source": row["id"]}) for one in own if isinstance(one, dict)]
    return PayoutFacts(
        remote_id=row["id"],
        amount=from_provider(row["amount"], currency),
        currency=currency,
        state=PAYOUT_STATES[row["status"]],
        arrives_on=day(row["arrival_date"]),
        created_at=moment(row["created"]),
        text=row.get("statement_descriptor") or "",
        movements=tuple(moves),
    )


def subscription_has(row: Thing, what: str) -> bool:
    """Whether what was asked of a subscription is so."""
    if what == "cancel":
        return cast(str, row["status"]) == "canceled"
    return bool(row.get("pause_collection")) == (what == "pause")
