"""How a payer's acts and the days go at the fake provider: checkout pages, subscriptions, what falls due."""

from collections.abc import Iterator

from backend.payments.providers.fake import money, objects
from backend.payments.providers.fake.books import DAY, Books, Wrong, months_later
from backend.payments.providers.fake.objects import Thing

ATTEMPTS = 4  # of one invoice; then it stays open until the payer acts
RETRY = 3 * DAY


def open_session(books: Books, at: int, params: Thing) -> Thing:
    """A hosted payment page, as `POST /v1/checkout/sessions`."""
    for name in ("mode", "line_items", "success_url", "cancel_url"):
        if name not in params:
            raise Wrong(f"Missing required param: {name}.", code="parameter_missing", param=name)
    until = int(params.get("expires_at", at + DAY))
    if not at + 30 * 60 - 60 <= until <= at + DAY + 60:
        raise Wrong("The `expires_at` timestamp must be between 30 minutes and 24 hours away.", param="expires_at")
    kinds = list(params.get("payment_method_types", {"0": "card"}).values())
    lines = list(params["line_items"].values())
    if any(int(line["price_data"]["unit_amount"]) <= 0 for line in lines):
        raise Wrong("This value must be greater than zero.", code="parameter_invalid_integer", param="unit_amount")
    if "sepa_debit" in kinds and any(line["price_data"]["currency"] != "eur" for line in lines):
        raise Wrong("SEPA debits are in euros only.", param="payment_method_types")
    if len(str(params.get("metadata", {}))) > 20_000:
        raise Wrong("Metadata is too long.", param="metadata")
    new = books.new("cs_test")
    return books.add(objects.session(new, at, params, url=f"{books.page}/pay/{new}"))


def expire_session(books: Books, at: int, session: Thing) -> Thing:
    """Close a page that nobody paid."""
    if session["status"] != "open":
        raise Wrong(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.',
            code="checkout_session_not_open",
        )
    session.update(status="expired", url=None)
    books.tell("checkout.session.expired", session, at)
    return session


def pay(books: Books, at: int, session: Thing, *, will: str = "pay", seconds: int | None = None) -> Thing:
    """The payer acts on the page.

    Args: will: pay, fail (a debit that fails later), or the code of a refusal. seconds: a debit takes, if not as long
    as others.
    """
    usual, books.debit_days = books.debit_days, books.debit_days if seconds is None else seconds
    try:
        return _pay(books, at, session, will=will)
    finally:
        books.debit_days = usual


def _pay(books: Books, at: int, session: Thing, *, will: str) -> Thing:
    if session["status"] != "open":
        raise Wrong("This page is closed.", code="checkout_session_not_open")
    method = session["payment_method_types"][0]
    if session["mode"] == "subscription":
        return _subscribe(books, at, session, method=method, will=will)
    if session["payment_intent"] is None:
        made = books.add(
            objects.intent(
                books.new("pi"), at, amount=session["amount_total"], currency=session["currency"], method=method,
                customer=None, metadata=session["_inside"],
            )
        )  # fmt: skip
        session["payment_intent"] = made["id"]
        books.tell("payment_intent.created", made, at)
    paying = books.get(session["payment_intent"], "payment_intent")
    tried = money.attempt(books, at, paying, will=will, mandate=_mandate(books, at, method, customer=""))
    if tried["status"] != "failed":
        _complete(books, at, session, paid=tried["status"] == "succeeded")
    return session


def _mandate(books: Books, at: int, method: str, *, customer: str, given: str = "") -> str | None:
    if method != "sepa_debit":
        return None
    account = given or books.add(objects.payment_method(books.new("pm"), at, kind=method, customer=customer))["id"]
    return str(books.add(objects.mandate(books.new("mandate"), method=account, at=at))["id"])


def _complete(books: Books, at: int, session: Thing, *, paid: bool) -> None:
    session.update(status="complete", payment_status="paid" if paid else "unpaid", url=None)
    books.tell("checkout.session.completed", session, at)


def _subscribe(books: Books, at: int, session: Thing, *, method: str, will: str) -> Thing:
    if will not in ("pay", "fail"):
        return session  # the page shows the refusal, and nothing is made
    payer = books.add(objects.customer(books.new("cus"), at, email=session["customer_email"]))
    card = books.add(objects.payment_method(books.new("pm"), at, kind=method, customer=payer["id"]))
    made = books.add(
        objects.subscription(
            books.new("sub"), at, session, customer=payer["id"], method=card["id"], period=(at, at)
        )
    )  # fmt: skip
    made["_mandate"] = _mandate(books, at, method, customer=payer["id"], given=card["id"])
    ends = months_later(at, made["_months"])
    _set_period(made, at, ends)
    books.tell("customer.created", payer, at)
    books.tell("customer.subscription.created", made, at)
    bill = _bill(books, at, made, reason="subscription_create", period=(at, ends))
    session.update(customer=payer["id"], subscription=made["id"], invoice=bill["id"])
    collect(books, at, bill, will=will)
    _complete(books, at, session, paid=bill["status"] == "paid")
    return session


def _set_period(subscription: Thing, begins: int, ends: int) -> None:
    for item in subscription["items"]["data"]:
        item.update(current_period_start=begins, current_period_end=ends)


def _bill(books: Books, at: int, subscription: Thing, *, reason: str, period: tuple[int, int]) -> Thing:
    bill = books.add(objects.invoice(books.new("in"), at, subscription, reason=reason, period=period))
    paying = books.add(
        objects.intent(
            books.new("pi"), at, amount=bill["amount_due"], currency=bill["currency"], customer=bill["customer"],
            method=books.get(subscription["default_payment_method"], "payment_method")["type"], metadata={},
        )
    )  # fmt: skip
    bill["_tie"] = books.add(objects.invoice_payment(books.new("inpay"), at, bill, intent=paying["id"]))["id"]
    bill["_intent"], paying["_invoice"] = paying["id"], bill["id"]
    subscription["latest_invoice"] = bill["id"]
    books.tell("invoice.created", bill, at)
    books.tell("invoice.finalized", bill, at)
    return bill


def collect(books: Books, at: int, bill: Thing, *, will: str) -> Thing:
    """Try to take the money of an invoice."""
    subscription = books.get(bill["parent"]["subscription_details"]["subscription"], "subscription")
    paying = books.get(bill["_intent"], "payment_intent")
    bill.update(attempted=True, attempt_count=bill["attempt_count"] + 1, next_payment_attempt=None)
    agreed = subscription.get("_mandate")
    if agreed and books.get(agreed, "mandate")["status"] != "active":
        will = "debit_not_authorized"
    tried = money.attempt(books, at, paying, will=will, mandate=agreed)
    settle_invoice(books, at, bill, tried)
    return bill


def settle_invoice(books: Books, at: int, bill: Thing, charge: Thing) -> None:
    """An invoice follows what became of its charge."""
    subscription = books.get(bill["parent"]["subscription_details"]["subscription"], "subscription")
    tie = books.get(bill["_tie"], "invoice_payment")
    if charge["status"] == "succeeded":
        bill.update(status="paid", amount_paid=bill["amount_due"], amount_remaining=0)
        tie.update(status="paid", amount_paid=bill["amount_due"])
        if subscription["status"] == "past_due":
            subscription["status"] = "active"
            books.tell("customer.subscription.updated", subscription, at)
        books.tell("invoice.paid", bill, at)
    elif charge["status"] == "failed" and bill["status"] == "open":
        more = bill["attempt_count"] < ATTEMPTS and subscription["status"] != "canceled"
        bill["next_payment_attempt"] = at + RETRY if more else None
        books.tell("invoice.payment_failed", bill, at)
        if subscription["status"] == "active":
            subscription["status"] = "past_due"
            books.tell("customer.subscription.updated", subscription, at)


def void_invoice(books: Books, at: int, bill: Thing) -> Thing:
    """Give up an unpaid invoice."""
    if bill["status"] != "open":
        raise Wrong(f"This invoice is {bill['status']} and cannot be voided.", code="invoice_not_editable")
    if books.get(bill["_intent"], "payment_intent")["status"] == "processing":
        raise Wrong("A payment of this invoice is on its way.", code="invoice_payment_processing")
    bill.update(status="void", next_payment_attempt=None)
    books.get(bill["_tie"], "invoice_payment")["status"] = "canceled"
    books.get(bill["_intent"], "payment_intent").update(status="canceled", canceled_at=at)
    subscription = books.get(bill["parent"]["subscription_details"]["subscription"], "subscription")
    if subscription["status"] == "past_due":
        subscription["status"] = "active"
    books.tell("invoice.voided", bill, at)
    return bill


def change_subscription(books: Books, at: int, subscription: Thing, params: Thing) -> Thing:
    """Pause its invoices or take them up again, as `POST /v1/subscriptions/{id}`."""
    if subscription["status"] == "canceled":
        raise Wrong("A canceled subscription can only update its cancellation_details.", code="resource_missing")
    if "pause_collection" in params:
        asked = params["pause_collection"]
        subscription["pause_collection"] = {"behavior": asked["behavior"], "resumes_at": None} if asked else None
    books.tell("customer.subscription.updated", subscription, at)
    return subscription


def cancel_subscription(books: Books, at: int, subscription: Thing) -> Thing:
    """End a subscription at once."""
    if subscription["status"] == "canceled":
        raise Wrong(f"No such subscription: '{subscription['id']}'", status=404, code="resource_missing", param="id")
    subscription.update(status="canceled", canceled_at=at, ended_at=at)
    for bill in books.every("invoice"):
        if bill["parent"]["subscription_details"]["subscription"] == subscription["id"] and bill["status"] == "open":
            bill["next_payment_attempt"] = None
    books.tell("customer.subscription.deleted", subscription, at)
    return subscription


def delete_customer(books: Books, at: int, payer: Thing) -> Thing:
    """Forget a payer: what they pay by itself ends, and no more is kept than that there was one."""
    for one in books.every("subscription"):
        if one["customer"] == payer["id"] and one["status"] != "canceled":
            cancel_subscription(books, at, one)
    books.tell("customer.deleted", payer, at)
    kept = {name: payer[name] for name in ("id", "object", "_will")}
    payer.clear()
    payer.update(kept, deleted=True)
    return payer


def end_mandate(books: Books, at: int, mandate: Thing) -> Thing:
    """A payer withdraws the agreement to be debited, at their bank."""
    mandate["status"] = "inactive"
    books.tell("mandate.updated", mandate, at)
    return mandate


def end_debit(books: Books, at: int, charge: Thing, *, will: str) -> Thing:
    """The bank answers about a debit on its way."""
    if charge["status"] != "pending":
        raise Wrong("This charge is not on its way.", code="charge_not_pending")
    paying = books.get(charge["payment_intent"], "payment_intent")
    if will == "pay":
        money.succeed(books, at, charge)
    else:
        money.refuse(books, at, charge, "insufficient_funds" if will == "fail" else will)
    if "_invoice" in paying:
        settle_invoice(books, at, books.get(paying["_invoice"], "invoice"), charge)
    for session in books.every("checkout.session"):
        first = session["invoice"] is not None and session["invoice"] == paying.get("_invoice")
        if session["payment_intent"] == paying["id"] or first:
            if will == "pay":
                session["payment_status"] = "paid"
            books.tell(f"checkout.session.async_payment_{'succeeded' if will == 'pay' else 'failed'}", session, at)
    return charge


def fall_due(books: Books, at: int) -> bool:
    """Do the oldest thing whose time has come: whether there was one."""
    due = [one for one in _timers(books) if one[0] <= at]
    if not due:
        return False
    when, _, thing = min(due, key=lambda one: one[:2])
    kind = thing["object"]
    if kind == "checkout.session":
        expire_session(books, when, thing)
    elif kind == "charge":
        end_debit(books, when, thing, will=thing["_will"])
    elif kind == "refund":
        thing["status"] = "succeeded"
        books.tell("refund.updated", thing, when)
    elif kind == "payout":
        money.arrive(books, when, thing)
    elif kind == "invoice":
        collect(books, when, thing, will=books.get(thing["customer"], "customer")["_will"])
    else:
        _next_period(books, when, thing)
    return True


def _timers(books: Books) -> Iterator[tuple[int, str, Thing]]:
    for session in books.every("checkout.session"):
        if session["status"] == "open":
            yield session["expires_at"], session["id"], session
    for kind in ("charge", "refund"):
        for one in books.every(kind):
            if one["status"] == "pending":
                yield one["_due"], one["id"], one
    for payout in books.every("payout"):
        if payout["status"] == "in_transit":
            yield payout["arrival_date"], payout["id"], payout
    for bill in books.every("invoice"):
        if bill["status"] == "open" and bill["next_payment_attempt"] is not None:
            yield bill["next_payment_attempt"], bill["id"], bill
    for subscription in books.every("subscription"):
        if subscription["status"] != "canceled":
            yield subscription["items"]["data"][0]["current_period_end"], subscription["id"], subscription


def _next_period(books: Books, at: int, subscription: Thing) -> None:
    subscription["_periods"] += 1
    ends = months_later(subscription["billing_cycle_anchor"], subscription["_months"] * subscription["_periods"])
    _set_period(subscription, at, ends)
    books.tell("customer.subscription.updated", subscription, at)
    bill = _bill(books, at, subscription, reason="subscription_cycle", period=(at, ends))
    if subscription["pause_collection"]:
        void_invoice(books, at, bill)
        return
    collect(books, at, bill, will=books.get(bill["customer"], "customer")["_will"])
