"""Reading one thing again from Stripe, with all that belongs to its money."""

from collections.abc import Callable
from typing import Any

import stripe

from backend.payments.providers.amounts import from_provider
from backend.payments.providers.base import (
    About,
    Facts,
    MovementFacts,
    PaymentFacts,
    PayoutFacts,
    Refused,
    SubscriptionFacts,
)
from backend.payments.providers.stripe_facts import (
    PAYMENT_STATES,
    SUBSCRIPTION_STATES,
    Thing,
    checkout_facts,
    day,
    dispute_facts,
    id_of,
    invoice_facts,
    moment,
    movement_facts,
    payout_facts,
    refund_facts,
    sentence,
)

__all__ = ["Reader", "Thing"]


class Reader:
    """Reads with one client. Raises what the client raises, and Refused `resource_missing`."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._api = client.v1

    def read(self, about: About, object_id: str) -> Facts:
        """See `Provider.read`."""
        ways: dict[str, Callable[[str], Facts]] = {
            "payment": self.payment,
            "checkout": lambda one: checkout_facts(self._api.checkout.sessions.retrieve(one).to_dict()),
            "subscription": self.subscription,
            "invoice": self._of_invoice,
            "mandate": self._of_mandate,
            "payout": self._payout,
            "dispute": lambda one: self.payment(id_of(self._api.disputes.retrieve(one).to_dict()["charge"])),
            "refund": lambda one: self.payment(id_of(self._api.refunds.retrieve(one).to_dict()["charge"])),
        }
        if about not in ways:
            raise Refused("nothing_to_read", f"There is nothing to read about {object_id}.")
        return ways[about](object_id)

    def _payout(self, object_id: str) -> PayoutFacts:
        asked: Any = {"expand": ["balance_transaction", "failure_balance_transaction"]}
        return payout_facts(self._api.payouts.retrieve(object_id, asked).to_dict())

    def payment(self, object_id: str) -> PaymentFacts:
        """A payment by the id of its payment intent, or of one of its charges."""
        if object_id.startswith(("ch_", "py_")):
            alone = self._api.charges.retrieve(object_id).to_dict()
            if not alone.get("payment_intent"):
                return self._payment(None, [self._charge(object_id)])
            object_id = id_of(alone["payment_intent"])
        intent = self._api.payment_intents.retrieve(object_id).to_dict()
        asked: Any = {
            "payment_intent": object_id,
            "limit": 100,
            "expand": ["data.balance_transaction", "data.failure_balance_transaction"],
        }
        charges = [row.to_dict() for row in self._api.charges.list(asked).auto_paging_iter()]
        return self._payment(intent, charges[::-1])

    def _charge(self, object_id: str) -> Thing:
        asked: Any = {"expand": ["balance_transaction", "failure_balance_transaction"]}
        return self._api.charges.retrieve(object_id, asked).to_dict()

    def _payment(self, intent: Thing | None, charges: list[Thing]) -> PaymentFacts:
        """Args: intent: None for a charge made without one. charges: the oldest first."""
        main = intent if intent is not None else charges[0]
        last = charges[-1] if charges else None
        moves: list[MovementFacts] = []
        disputes: list[Thing] = []
        refunds: list[Thing] = []
        for charge in charges:
            moves += _moves(charge, charge)
            # A charge that took nothing has neither refunds nor disputes.
            if charge.get("balance_transaction"):
                refunds += self._refunds(charge)
                disputes += self._disputes(charge)
        for row in [*refunds, *disputes]:
            moves += _moves(row, row)
        invoice = self._invoice_of(intent["id"]) if intent is not None else None
        parent = ((invoice or {}).get("parent") or {}).get("subscription_details") or {}
        marks = {**(parent.get("metadata") or {}), **(main.get("metadata") or {})}
        trouble = main.get("last_payment_error") or {"message": main.get("failure_message")}
        return PaymentFacts(
            remote_id=main["id"],
            charge=last["id"] if last else "",
            state=_state(intent, last),
            amount=_amount(main),
            currency=main["currency"].upper(),
            method=_method(main, last),
            created_at=moment(main["created"]),
            group=marks.get("group", ""),
            checkout=marks.get("checkout", ""),
            subscription=id_of(parent.get("subscription")),
            invoice=id_of(invoice),
            failure=sentence(trouble),
            movements=tuple(sorted(moves, key=lambda one: (one.happened_at, _order(one)))),
            disputes=tuple(dispute_facts(row) for row in disputes),
            refunds=tuple(refund_facts(row) for row in refunds),
        )

    def _refunds(self, charge: Thing) -> list[Thing]:
        asked: Any = {
            "charge": charge["id"],
            "limit": 100,
            "expand": ["data.balance_transaction", "data.failure_balance_transaction"],
        }
        return [row.to_dict() for row in self._api.refunds.list(asked).auto_paging_iter()][::-1]

    def _disputes(self, charge: Thing) -> list[Thing]:
        asked: Any = {"charge": charge["id"], "limit": 100}
        return [row.to_dict() for row in self._api.disputes.list(asked).auto_paging_iter()][::-1]

    def _invoice_of(self, intent: str) -> Thing | None:
        asked: Any = {
            "payment": {"type": "payment_intent", "payment_intent": intent},
            "expand": ["data.invoice"],
            "limit": 1,
        }
        found = self._api.invoice_payments.list(asked).to_dict()["data"]
        return found[0]["invoice"] if found else None

    # --- subscriptions ------------------------------------------------------------------------------------------

    def _of_invoice(self, object_id: str) -> SubscriptionFacts:
        row = self._api.invoices.retrieve(object_id).to_dict()
        parent = (row.get("parent") or {}).get("subscription_details") or {}
        if not parent.get("subscription"):
            raise Refused("resource_missing", f"The invoice {object_id} belongs to no subscription.")
        return self.subscription(id_of(parent["subscription"]))

    def _of_mandate(self, object_id: str) -> SubscriptionFacts:
        method = id_of(self._api.mandates.retrieve(object_id).to_dict()["payment_method"])
        customer = id_of(self._api.payment_methods.retrieve(method).to_dict().get("customer"))
        if customer:
            asked: Any = {"customer": customer, "status": "all", "limit": 100}
            rows = [row.to_dict() for row in self._api.subscriptions.list(asked).auto_paging_iter()]
            with_it = [row for row in rows if id_of(row.get("default_payment_method")) == method]
            if with_it:
                return self.subscription(with_it[0]["id"])
        raise Refused("resource_missing", f"The mandate {object_id} belongs to no subscription.")

    def subscription(self, object_id: str) -> SubscriptionFacts:
        """A subscription with its invoices and its mandate."""
        wanted: Any = {"expand": ["default_payment_method"]}
        row = self._api.subscriptions.retrieve(object_id, wanted).to_dict()
        asked: Any = {"subscription": object_id, "limit": 100, "expand": ["data.payments"]}
        bills = [one.to_dict() for one in self._api.invoices.list(asked).auto_paging_iter()][::-1]
        facts = tuple(invoice_facts(bill, payment=self._unpaid(bill)) for bill in bills)
        method = row.get("default_payment_method") or {}
        kind = method.get("type", "") if isinstance(method, dict) else ""
        mandate, mandate_state = self._mandate(facts[-1].payment if facts else "") if kind == "sepa_debit" else ("", "")
        state = SUBSCRIPTION_STATES[row["status"]]
        if row.get("pause_collection") and state in ("active", "past_due"):
            state = "paused"
        items = row["items"]["data"]
        ends = items[0].get("current_period_end") if items else None
        marks = row.get("metadata") or {}
        return SubscriptionFacts(
            remote_id=row["id"],
            group=marks.get("group", ""),
            customer=id_of(row["customer"]),
            method=kind,
            state=state,
            next_on=day(ends) if ends and state in ("active", "past_due") else None,
            checkout=marks.get("checkout", ""),
            mandate=mandate,
            mandate_state=mandate_state,
            invoices=facts,
        )

    def _unpaid(self, bill: Thing) -> Thing | None:
        """The payment intent of an invoice that is not paid yet: whether its money is on its way, and its trouble."""
        if bill["status"] not in ("open", "uncollectible"):
            return None
        rows = [row for row in (bill.get("payments") or {}).get("data") or [] if row["status"] != "canceled"]
        intent = id_of(rows[0]["payment"].get("payment_intent")) if rows else ""
        return self._api.payment_intents.retrieve(intent).to_dict() if intent else None

    def _mandate(self, intent: str) -> tuple[str, str]:
        """The mandate under which a payment was debited, and its state."""
        if not intent:
            return "", ""
        asked: Any = {"expand": ["latest_charge"]}
        charge = self._api.payment_intents.retrieve(intent, asked).to_dict().get("latest_charge") or {}
        mandate = ((charge.get("payment_method_details") or {}).get("sepa_debit") or {}).get("mandate")
        if not mandate:
            return "", ""
        return id_of(mandate), str(self._api.mandates.retrieve(id_of(mandate)).to_dict()["status"])


def _moves(row: Thing, source: Thing) -> list[MovementFacts]:
    """The movements of a charge, a refund or a dispute, each with what made it."""
    own = [row.get("balance_transaction"), row.get("failure_balance_transaction"), *row.get("balance_transactions", [])]
    bare = {name: value for name, value in source.items() if name != "balance_transactions"}
    return [movement_facts({**one, "source": bare}) for one in own if isinstance(one, dict)]


def _order(move: MovementFacts) -> int:
    """Within one second: money comes before it goes back, and what is alike stays in the order it was told."""
    order = ["charge", "refund", "refund_failure", "dispute", "dispute_reversal", "failure"]
    return order.index(move.kind) if move.kind in order else len(order)


def _state(intent: Thing | None, last: Thing | None) -> Any:
    if intent is None:
        return {"succeeded": "succeeded", "pending": "processing", "failed": "failed"}[(last or {})["status"]]
    state = PAYMENT_STATES[intent["status"]]
    # A payer whose card was refused may try another: it is a failure until they do.
    if state == "waiting" and intent.get("last_payment_error"):
        return "failed"
    return state


def _amount(main: Thing) -> int:
    return from_provider(main["amount"], main["currency"].upper())


def _method(main: Thing, last: Thing | None) -> str:
    details = (last or {}).get("payment_method_details") or {}
    kinds = main.get("payment_method_types") or [""]
    return str(details.get("type") or kinds[0])
