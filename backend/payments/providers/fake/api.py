"""What the fake provider's API reads: one object, lists with their filters and pages, and `expand`."""

from typing import Any
from urllib.parse import parse_qsl

from backend.payments.providers.fake.books import Books, Wrong, public
from backend.payments.providers.fake.objects import Thing

KINDS = {
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "customers": "customer",
    "payment_methods": "payment_method",
    "subscriptions": "subscription",
    "invoices": "invoice",
    "invoice_payments": "invoice_payment",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "payouts": "payout",
    "mandates": "mandate",
    "events": "event",
}
PLAIN = ("payment_intent", "charge", "customer", "subscription", "source", "invoice", "currency", "type", "status")
PAGE = 10


def nested(text: str) -> Thing:
    """Form fields such as `a[b][0]=c` as dictionaries in each other."""
    result: Thing = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        path = name.replace("]", "").split("[")
        inner = result
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise Wrong(f"Invalid parameter: {name}", param=name)
        last = path[-1] or str(len(inner))
        inner[last] = value
    return result


def read(books: Books, path: str, params: Thing, at: int) -> Thing:
    """Answer a GET of the API. Raises: Wrong."""
    parts = path.removeprefix("/v1/").strip("/")
    wanted = list(params.pop("expand", {}).values())
    if parts == "balance":
        return books.balance(at)
    if parts in KINDS:
        return _list(books, parts, params, wanted, at)
    folder, _, one = parts.rpartition("/")
    if folder not in KINDS:
        raise Wrong(f"Unrecognized request URL (GET: {path}).", status=404)
    thing = shown(books, books.get(one, KINDS[folder]), at)
    for path_of in wanted:
        _expand(books, thing, path_of.split("."), at)
    return thing


def shown(books: Books, thing: Thing, at: int) -> Thing:
    """An object as the API answers it now."""
    copied: Thing = public(thing)
    if thing["object"] == "balance_transaction":
        copied["status"] = "available" if thing["available_on"] <= at else "pending"
    if thing["object"] == "dispute":
        copied["balance_transactions"] = [shown(books, row, at) for row in thing["balance_transactions"]]
    return copied


def _list(books: Books, folder: str, params: Thing, wanted: list[str], at: int) -> Thing:
    rows = list(reversed(books.every(KINDS[folder])))
    for name, value in params.items():
        if name == "created":
            rows = [row for row in rows if _within(row["created"], value)]
        elif name == "payout":
            rows = [row for row in rows if row.get("_payout") == value]
        elif name == "payment":
            rows = [row for row in rows if row["payment"]["payment_intent"] == value.get("payment_intent")]
        elif name == "subscription" and folder == "invoices":
            rows = [row for row in rows if row["parent"]["subscription_details"]["subscription"] == value]
        elif name in PLAIN:
            # A list of subscriptions leaves out the ended ones unless they are asked for.
            rows = [row for row in rows if value == "all" or str(row.get(name)) == value]
        elif name not in ("limit", "starting_after"):
            raise Wrong(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    if folder == "subscriptions" and "status" not in params:
        rows = [row for row in rows if row["status"] != "canceled"]
    after = params.get("starting_after")
    if after:
        places = [place for place, row in enumerate(rows) if row["id"] == after]
        if not places:
            raise Wrong(f"No such object: '{after}'", code="resource_missing", param="starting_after")
        rows = rows[places[0] + 1 :]
    limit = int(params.get("limit", PAGE))
    if not 1 <= limit <= 100:
        raise Wrong("This value must be between 1 and 100.", param="limit")
    page = {
        "object": "list",
        "data": [shown(books, row, at) for row in rows[:limit]],
        "has_more": len(rows) > limit,
        "url": f"/v1/{folder}",
    }
    for path in wanted:
        _expand(books, page, path.split("."), at)
    return page


def _within(moment: int, limits: Any) -> bool:
    if not isinstance(limits, dict):
        return moment == int(limits)
    tests = {"gt": moment.__gt__, "gte": moment.__ge__, "lt": moment.__lt__, "lte": moment.__le__}
    return all(tests[name](int(value)) for name, value in limits.items())


def _expand(books: Books, thing: Any, path: list[str], at: int) -> None:
    """Put objects where their ids are, as deep as Stripe does."""
    if not path or thing is None:
        return
    if isinstance(thing, list):
        for one in thing:
            _expand(books, one, path, at)
        return
    name, rest = path[0], path[1:]
    value = thing.get(name)
    if name == "payments" and thing["object"] == "invoice" and value is None:
        rows = [row for row in books.every("invoice_payment") if row["invoice"] == thing["id"]]
        value = thing[name] = {
            "object": "list",
            "data": [shown(books, row, at) for row in rows],
            "has_more": False,
            "url": "/v1/invoice_payments",
        }
    elif isinstance(value, str) and value in books.things:
        value = thing[name] = shown(books, books.things[value], at)
    _expand(books, value, rest, at)
