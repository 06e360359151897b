"""How money moves at the fake provider: payments, debits, refunds, disputes and payouts. Callers hold the lock."""

from backend.payments.providers.fake import objects
from backend.payments.providers.fake.books import DAY, Books, Wrong, fee_of
from backend.payments.providers.fake.objects import Thing

DISPUTE_FEE = 1500
SENTENCES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "debit_not_authorized": "The debit was not authorised by the account's holder.",
    "account_closed": "The bank account is closed.",
}


def move(
    books: Books, at: int, *, kind: str, category: str, amount: int, currency: str, source: str, fee: int = 0,
    wait: int = 0,
) -> Thing:  # fmt: skip
    """Write a movement of the balance of so much of a currency, converted when it does not settle in itself."""
    settled, into, rate = books.settled(amount, currency)
    return books.add(
        objects.transaction(
            books.new("txn"), at, kind=kind, category=category, amount=settled, fee=fee, currency=into, source=source,
            rate=rate, available_on=at + wait,
        )
    )  # fmt: skip


def attempt(books: Books, at: int, paying: Thing, *, will: str, mandate: str | None = None) -> Thing:
    """Try to take the money of a payment intent.

    Args: will: `pay`, `fail` (a debit that fails days later) or the code of a refusal. Returns: the charge.
    """
    method = paying["payment_method_types"][0]
    if method == "sepa_debit" and will in ("pay", "fail"):
        made = books.add(objects.charge(books.new("py"), at, paying, status="pending", method=method, mandate=mandate))
        made["_due"], made["_will"] = at + books.debit_days, will
        paying.update(status="processing", latest_charge=made["id"], last_payment_error=None)
        books.tell("charge.pending", made, at)
        books.tell("payment_intent.processing", paying, at)
        return made
    status = "succeeded" if will == "pay" else "failed"
    made = books.add(
        objects.charge(
            books.new("ch" if method == "card" else "py"), at, paying, status=status, method=method, mandate=mandate
        )
    )
    paying["latest_charge"] = made["id"]
    if status == "succeeded":
        succeed(books, at, made)
    else:
        refuse(books, at, made, will)
    return made


def succeed(books: Books, at: int, charge: Thing) -> None:
    """The money of a charge came."""
    paying = books.get(charge["payment_intent"], "payment_intent")
    method = charge["payment_method_details"]["type"]
    settled, into, _ = books.settled(charge["amount"], charge["currency"])
    row = move(
        books, at, kind="charge" if method == "card" else "payment", category="charge", amount=charge["amount"],
        currency=charge["currency"], source=charge["id"], fee=fee_of(settled, into, method), wait=2 * DAY,
    )  # fmt: skip
    charge.update(
        status="succeeded", paid=True, captured=True, amount_captured=charge["amount"], balance_transaction=row["id"]
    )
    charge.pop("_due", None)
    paying.update(status="succeeded", amount_received=charge["amount"], last_payment_error=None)
    books.tell("charge.succeeded", charge, at)
    books.tell("payment_intent.succeeded", paying, at)


def refuse(books: Books, at: int, charge: Thing, code: str) -> None:
    """The money of a charge did not come."""
    paying = books.get(charge["payment_intent"], "payment_intent")
    sentence = SENTENCES.get(code, "The payment failed.")
    charge.update(status="failed", paid=False, failure_code=code, failure_message=sentence)
    charge.pop("_due", None)
    paying.update(
        status="requires_payment_method",
        last_payment_error={"code": code, "message": sentence, "type": "card_error", "charge": charge["id"]},
    )
    books.tell("charge.failed", charge, at)
    books.tell("payment_intent.payment_failed", paying, at)


def reverse(books: Books, at: int, charge: Thing, *, code: str, fee: int = 0) -> Thing:
    """A debit whose money had come fails after all: the bank took it back."""
    if charge["status"] != "succeeded":
        raise Wrong("This charge did not succeed.", code="charge_not_succeeded")
    row = move(
        books, at, kind="payment_failure_refund", category="charge_failure",
        amount=charge["amount_refunded"] - charge["amount"], currency=charge["currency"], source=charge["id"], fee=fee,
    )  # fmt: skip
    charge["failure_balance_transaction"] = row["id"]
    refuse(books, at, charge, code)
    return row


def give_back(books: Books, at: int, params: Thing) -> Thing:
    """Refund a charge or a part of it, as `POST /v1/refunds`."""
    charge = books.get(str(params.get("charge", "")), "charge")
    left = charge["amount"] - charge["amount_refunded"]
    amount = int(params.get("amount", left))
    if charge["status"] != "succeeded":
        raise Wrong("This charge cannot be refunded: it did not succeed.", code="charge_not_refundable", param="charge")
    if charge["disputed"]:
        raise Wrong("This charge is disputed and cannot be refunded.", code="charge_disputed", param="charge")
    if left == 0:
        raise Wrong(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", param="charge")
    if not 0 < amount <= left:
        raise Wrong(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).", param="amount",
            code="amount_too_large",
        )  # fmt: skip
    later = charge["payment_method_details"]["type"] == "sepa_debit"
    status = "pending" if later else "succeeded"
    made = books.add(
        objects.refund(
            books.new("pyr" if later else "re"), at, of=charge, amount=amount, status=status,
            metadata=params.get("metadata", {}),
        )
    )  # fmt: skip
    row = move(
        books, at, kind="payment_refund" if later else "refund", category="refund", amount=-amount,
        currency=charge["currency"], source=made["id"],
    )  # fmt: skip
    made["balance_transaction"] = row["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    if later:
        made["_due"] = at + books.debit_days
    books.tell("refund.created", made, at)
    books.tell("charge.refunded", charge, at)
    return made


def fail_refund(books: Books, at: int, refund: Thing) -> Thing:
    """A refund that the payer's bank did not take: the money comes back to the balance."""
    charge = books.get(refund["charge"], "charge")
    row = move(
        books, at, kind="refund_failure", category="refund_failure", amount=refund["amount"],
        currency=refund["currency"], source=refund["id"],
    )  # fmt: skip
    refund.update(status="failed", failure_balance_transaction=row["id"], failure_reason="expired_or_canceled_card")
    refund.pop("_due", None)
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    books.tell("refund.failed", refund, at)
    books.tell("refund.updated", refund, at)
    return row


def open_dispute(
    books: Books, at: int, charge: Thing, *, amount: int | None = None, warning: bool = False, fee: int = DISPUTE_FEE,
    reason: str = "fraudulent",
) -> Thing:  # fmt: skip
    """The payer's bank asks the money of a charge back; a warning moves none yet."""
    if charge["status"] != "succeeded":
        raise Wrong("This charge did not succeed.", code="charge_not_succeeded")
    held = charge["amount"] - charge["amount_refunded"] if amount is None else amount
    made = books.add(
        objects.dispute(
            books.new("dp"), at, of=charge, amount=held, reason=reason, due_by=at + 10 * DAY,
            status="warning_needs_response" if warning else "needs_response",
        )
    )  # fmt: skip
    charge["disputed"] = True
    books.tell("charge.dispute.created", made, at)
    if not warning:
        withdraw(books, at, made, fee=fee)
    return made


def withdraw(books: Books, at: int, dispute: Thing, *, fee: int = DISPUTE_FEE) -> Thing:
    """The money of a dispute leaves the balance, with the fee of the dispute."""
    row = move(
        books, at, kind="adjustment", category="dispute", amount=-dispute["amount"], currency=dispute["currency"],
        source=dispute["id"], fee=fee,
    )  # fmt: skip
    row["description"] = f"Chargeback withdrawal for {dispute['charge']}"
    dispute["balance_transactions"].append(row)
    if dispute["status"].startswith("warning"):
        dispute["status"] = "needs_response"
    books.tell("charge.dispute.funds_withdrawn", dispute, at)
    return dispute


def close_dispute(books: Books, at: int, dispute: Thing, *, won: bool, fee_back: bool = False) -> Thing:
    """A dispute ends: won, the money comes back, with or without its fee."""
    if dispute["status"] in ("won", "lost", "warning_closed"):
        raise Wrong("This dispute is already closed.", code="dispute_already_closed")
    taken = [row for row in dispute["balance_transactions"] if row["reporting_category"] == "dispute"]
    dispute["status"] = ("won" if won else "lost") if taken else "warning_closed"
    if won and taken:
        row = move(
            books, at, kind="adjustment", category="dispute_reversal", amount=dispute["amount"],
            currency=dispute["currency"], source=dispute["id"], fee=-taken[0]["fee"] if fee_back else 0,
        )  # fmt: skip
        dispute["balance_transactions"].append(row)
        books.tell("charge.dispute.funds_reinstated", dispute, at)
    if dispute["status"] != "lost":
        books.get(dispute["charge"], "charge")["disputed"] = False
    books.tell("charge.dispute.closed", dispute, at)
    return dispute


def pay_out(books: Books, at: int, *, currency: str = "eur", amount: int | None = None, waiting: bool = True) -> Thing:
    """Send what the balance holds to the bank, what is not available yet too unless told otherwise."""
    rows = [row for row in books.every("balance_transaction") if row["currency"] == currency]
    sent = amount if amount is not None else sum(row["net"] for row in rows if waiting or row["available_on"] <= at)
    if sent <= 0:
        raise Wrong("There is nothing to pay out.", code="balance_insufficient")
    new = books.new("po")
    made = books.add(
        objects.payout(new, at, amount=sent, currency=currency, arrival=at + 2 * DAY, text=f"TRONC {new[-8:].upper()}")
    )
    row = move(books, at, kind="payout", category="payout", amount=-sent, currency=currency, source=made["id"])
    made["balance_transaction"] = row["id"]
    for one in rows:
        one.setdefault("_payout", made["id"])
    row["_payout"] = made["id"]
    books.tell("payout.created", made, at)
    return made


def arrive(books: Books, at: int, payout: Thing) -> None:
    """A payout reaches the bank."""
    payout["status"] = "paid"
    books.tell("payout.paid", payout, at)


def fail_payout(books: Books, at: int, payout: Thing, *, code: str = "account_closed") -> Thing:
    """The bank sends a payout back."""
    row = move(
        books, at, kind="payout_failure", category="payout_reversal", amount=payout["amount"],
        currency=payout["currency"], source=payout["id"],
    )  # fmt: skip
    payout.update(
        status="failed",
        failure_balance_transaction=row["id"],
        failure_code=code,
        failure_message=SENTENCES["account_closed"],
    )
    books.tell("payout.failed", payout, at)
    return row


def take_fee(books: Books, at: int, *, amount: int, currency: str = "eur") -> Thing:
    """The provider takes a fee of its own, tied to no payment."""
    return move(
        books, at, kind="stripe_fee", category="fee", amount=-amount, currency=currency, source=books.new("fee")
    )


def adjust(books: Books, at: int, *, amount: int, currency: str = "eur") -> Thing:
    """A movement of a kind that nobody foresaw."""
    return move(
        books, at, kind="reserve_transaction", category="risk_reserved_funds", amount=amount, currency=currency,
        source=books.new("rsv"),
    )  # fmt: skip
