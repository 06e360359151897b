"""The objects of the fake provider, in the shape of Stripe's newest API. Names that begin with `_` stay inside."""

from typing import Any

Thing = dict[str, Any]


def session(new: str, at: int, params: Thing, *, url: str) -> Thing:
    """A checkout session, from what was asked."""
    lines = list(params["line_items"].values())
    total = sum(int(line["price_data"]["unit_amount"]) * int(line.get("quantity", "1")) for line in lines)
    recurring = params["mode"] == "subscription"
    inside = params.get("subscription_data" if recurring else "payment_intent_data", {})
    return {
        "id": new,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "cancel_url": params["cancel_url"],
        "client_reference_id": params.get("client_reference_id"),
        "created": at,
        "currency": lines[0]["price_data"]["currency"],
        "customer": None,
        "customer_email": params.get("customer_email"),
        "expires_at": int(params.get("expires_at", at + 86400)),
        "invoice": None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": params.get("metadata", {}),
        "mode": params["mode"],
        "payment_intent": None,
        "payment_method_types": list(params.get("payment_method_types", {"0": "card"}).values()),
        "payment_status": "unpaid",
        "status": "open",
        "subscription": None,
        "success_url": params["success_url"],
        "url": url,
        "_inside": inside.get("metadata", {}),
        "_lines": [
            {
                "name": line["price_data"].get("product_data", {}).get("name", ""),
                "amount": int(line["price_data"]["unit_amount"]) * int(line.get("quantity", "1")),
                "recurring": line["price_data"].get("recurring"),
            }
            for line in lines
        ],
    }


def intent(
    new: str, at: int, *, amount: int, currency: str, method: str, customer: str | None, metadata: Thing
) -> Thing:
    """A payment intent nobody has tried to pay."""
    return {
        "id": new,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0,
        "canceled_at": None,
        "created": at,
        "currency": currency,
        "customer": customer,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "payment_method": None,
        "payment_method_types": [method],
        "status": "requires_payment_method",
    }


def charge(new: str, at: int, paying: Thing, *, status: str, method: str, mandate: str | None) -> Thing:
    """One try at taking the money of a payment intent."""
    details: Thing = {"type": method}
    if method == "sepa_debit":
        details["sepa_debit"] = {"country": "FR", "last4": "3000", "mandate": mandate}
    else:
        details["card"] = {"brand": "visa", "country": "FR", "last4": "4242"}
    return {
        "id": new,
        "object": "charge",
        "amount": paying["amount"],
        "amount_captured": paying["amount"] if status == "succeeded" else 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "captured": status == "succeeded",
        "created": at,
        "currency": paying["currency"],
        "customer": paying["customer"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": paying["metadata"],
        "paid": status != "failed",
        "payment_intent": paying["id"],
        "payment_method_details": details,
        "refunded": False,
        "status": status,
    }


def transaction(
    new: str, at: int, *, kind: str, category: str, amount: int, fee: int, currency: str, source: str,
    rate: str | None = None, available_on: int,
) -> Thing:  # fmt: skip
    """A movement of the balance: what it adds or takes before the fee, and the fee."""
    return {
        "id": new,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": at,
        "currency": currency,
        "description": None,
        "exchange_rate": rate,
        "fee": fee,
        "fee_details": [{"amount": fee, "currency": currency, "type": "stripe_fee"}] if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "pending",
        "type": kind,
    }


def refund(new: str, at: int, *, of: Thing, amount: int, status: str, metadata: Thing) -> Thing:
    """Money on its way back to a payer."""
    return {
        "id": new,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": of["id"],
        "created": at,
        "currency": of["currency"],
        "metadata": metadata,
        "payment_intent": of["payment_intent"],
        "reason": None,
        "status": status,
    }


def dispute(new: str, at: int, *, of: Thing, amount: int, status: str, reason: str, due_by: int) -> Thing:
    """A payer's bank asking money back."""
    return {
        "id": new,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": of["id"],
        "created": at,
        "currency": of["currency"],
        "evidence_details": {"due_by": due_by, "has_evidence": False, "past_due": False, "submission_count": 0},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": reason,
        "status": status,
    }


def customer(new: str, at: int, *, email: str | None) -> Thing:
    """A payer known to the provider."""
    return {
        "id": new,
        "object": "customer",
        "created": at,
        "currency": None,
        "email": email,
        "livemode": False,
        "metadata": {},
        "name": None,
        "_will": "pay",
    }


def payment_method(new: str, at: int, *, kind: str, customer: str) -> Thing:
    """A card or an account that a payer gave."""
    details: Thing = {"brand": "visa", "last4": "4242"} if kind == "card" else {"country": "FR", "last4": "3000"}
    return {
        "id": new,
        "object": "payment_method",
        "created": at,
        "customer": customer,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: details,
    }


def mandate(new: str, *, method: str, at: int) -> Thing:
    """A payer's agreement to be debited."""
    return {
        "id": new,
        "object": "mandate",
        "customer_acceptance": {"accepted_at": at, "type": "online"},
        "livemode": False,
        "payment_method": method,
        "payment_method_details": {"sepa_debit": {"reference": new[-12:].upper(), "url": ""}, "type": "sepa_debit"},
        "status": "active",
        "type": "multi_use",
    }


def subscription(new: str, at: int, of: Thing, *, customer: str, method: str, period: tuple[int, int]) -> Thing:
    """A recurring payment, begun by a checkout session."""
    items = [
        {
            "id": f"si_{new[4:]}{number}",
            "object": "subscription_item",
            "created": at,
            "current_period_start": period[0],
            "current_period_end": period[1],
            "metadata": {},
            "price": {
                "object": "price",
                "currency": of["currency"],
                "recurring": {
                    "interval": line["recurring"]["interval"],
                    "interval_count": int(line["recurring"].get("interval_count", "1")),
                },
                "type": "recurring",
                "unit_amount": line["amount"],
            },
            "quantity": 1,
            "subscription": new,
        }
        for number, line in enumerate(of["_lines"])
    ]
    return {
        "id": new,
        "object": "subscription",
        "billing_cycle_anchor": at,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "collection_method": "charge_automatically",
        "created": at,
        "currency": of["currency"],
        "customer": customer,
        "default_payment_method": method,
        "ended_at": None,
        "items": {
            "object": "list",
            "data": items,
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={new}",
        },
        "latest_invoice": None,
        "livemode": False,
        "metadata": of["_inside"],
        "pause_collection": None,
        "start_date": at,
        "status": "active",
        "_months": _months(of["_lines"][0]["recurring"]),
        "_periods": 1,
    }


def _months(recurring: Thing) -> int:
    unit = {"month": 1, "year": 12}[recurring["interval"]]
    return unit * int(recurring.get("interval_count", "1"))


def invoice(new: str, at: int, of: Thing, *, reason: str, period: tuple[int, int]) -> Thing:
    """What a subscription bills for one period."""
    total = sum(item["price"]["unit_amount"] for item in of["items"]["data"])
    lines = [
        {
            "id": f"il_{new[3:]}{number}",
            "object": "line_item",
            "amount": item["price"]["unit_amount"],
            "currency": of["currency"],
            "description": None,
            "invoice": new,
            "livemode": False,
            "metadata": {},
            "parent": {
                "subscription_item_details": {
                    "proration": False,
                    "subscription": of["id"],
                    "subscription_item": item["id"],
                },
                "type": "subscription_item_details",
            },
            "period": {"start": period[0], "end": period[1]},
            "quantity": 1,
        }
        for number, item in enumerate(of["items"]["data"])
    ]
    return {
        "id": new,
        "object": "invoice",
        "amount_due": total,
        "amount_paid": 0,
        "amount_remaining": total,
        "attempt_count": 0,
        "attempted": False,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": at,
        "currency": of["currency"],
        "customer": of["customer"],
        "lines": {"object": "list", "data": lines, "has_more": False, "url": f"/v1/invoices/{new}/lines"},
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": of["metadata"], "subscription": of["id"]},
            "type": "subscription_details",
        },
        # Stripe counts these for what was used before, not for the period that is paid: the lines tell that one.
        "period_start": at,
        "period_end": at,
        "status": "open",
        "total": total,
    }


def invoice_payment(new: str, at: int, of: Thing, *, intent: str) -> Thing:
    """The tie between an invoice and its payment intent."""
    return {
        "id": new,
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": of["amount_due"],
        "created": at,
        "currency": of["currency"],
        "invoice": of["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent},
        "status": "open",
    }


def payout(new: str, at: int, *, amount: int, currency: str, arrival: int, text: str) -> Thing:
    """Money on its way to the bank."""
    return {
        "id": new,
        "object": "payout",
        "amount": amount,
        "arrival_date": arrival,
        "automatic": True,
        "balance_transaction": None,
        "created": at,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "statement_descriptor": text,
        "status": "in_transit",
        "trace_id": {"status": "supported", "value": None},
        "type": "bank_account",
    }
