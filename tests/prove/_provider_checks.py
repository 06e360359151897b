"""What must hold at the end of each run of the proof: the provider's log and the books agree to the cent."""

import itertools
from collections import Counter, defaultdict
from typing import Any

from backend.operations.selfcheck import check
from backend.payments.models import Checkout, Movement, Notice, Operation, ProviderRefund, Subscription
from backend.payments.reconciling import own_balance
from backend.pledges.models import Instalment, Pledge
from tests.prove._provider_acts import Life

# What ends a page: nobody can pay there any more, and no money of it is on its way.
ENDS = (
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
)


class Wrong(Exception):
    """Something does not tie."""


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Wrong(f"{what}: {found!r:.600} is not {expected!r:.600}")


def everything(life: Life) -> None:
    """All of it. Raises Wrong."""
    _movements(life)
    _nobody_paid_twice(life)
    _asked_once(life)
    _subscriptions(life)
    _nothing_waits()
    _same("self-check", [str(one) for one in check(sealing=False)], [])


def _movements(life: Life) -> None:
    """Each movement of the provider's log once, with its amounts; and the sum."""
    theirs = sorted(
        (row["id"], row["amount"], row["fee"], row["currency"].upper())
        for row in life.fake.every("balance_transaction")
    )
    ours = sorted(Movement.objects.values_list("remote_id", "amount", "fee", "currency"))
    _same("movements", ours, theirs)
    _same("balance", own_balance("fake", "EUR"), life.fake.net())
    odd = Movement.objects.filter(state="reported").exclude(kind="other")
    known = {row["id"]: row for row in life.fake.every("charge")}
    for row in odd:
        intent = known[row.charge]["payment_intent"] if row.charge in known else ""
        group = life.fake.thing(intent)["metadata"].get("group") if intent else ""
        bill = life.fake.server.engine.books.things[intent].get("_invoice") if intent else None
        # What no promise of ours explains, or money for a promise that is over, waits for a treasurer.
        over = Pledge.objects.filter(
            group=group or _group_of(life, bill), state__in=["cancelled", "fulfilled"]
        ).exists()
        if (group or bill) and not over and row.kind == "charge":
            raise Wrong(f"movement {row.remote_id} ({row.kind}) is reported: {row.why}")


def _group_of(life: Life, bill: str | None) -> str:
    return str(life.fake.thing(bill)["parent"]["subscription_details"]["metadata"]["group"]) if bill else ""


def _nobody_paid_twice(life: Life) -> None:
    """No page of a promise was opened while another could still be paid, or its money was on its way."""
    places = {name: place for place, name in enumerate(life.fake.server.engine.books.things)}
    ends: dict[str, int] = {}
    for event in life.fake.every("event"):
        thing = event["data"]["object"]
        card = thing.get("payment_method_types") == ["card"]
        if event["type"] in ENDS or (event["type"] == "checkout.session.completed" and card):
            ends[thing["id"]] = places[event["id"]]
    pages: dict[str, list[str]] = defaultdict(list)
    for session in life.fake.every("checkout.session"):
        if session["metadata"]["group"]:
            pages[session["metadata"]["group"]].append(session["id"])
    for group, sessions in pages.items():
        for first, second in itertools.pairwise(sessions):
            if ends.get(first, 1 << 62) > places[second]:
                raise Wrong(f"two pages of {group} at once: {first} and {second}")
    keys = Counter(row["metadata"]["key"] for row in life.fake.every("checkout.session"))
    # After a day a key may be used again at the provider: we must not have.
    _same("pages made twice", [key for key, count in keys.items() if count > 1], [])


def _asked_once(life: Life) -> None:
    """Each refund that was approved was made once at most, and says what became of it."""
    made: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in life.fake.every("refund"):
        made[row["metadata"]["refund"]].append(row)
    for name, rows in made.items():
        _same(f"refund {name}", len(rows), 1)
        ours = ProviderRefund.objects.get(pk=name)
        state = {"succeeded": "done", "pending": "approved", "failed": "failed"}[rows[0]["status"]]
        _same(f"refund {name}", (ours.amount, ours.remote_id), (rows[0]["amount"], rows[0]["id"]))
        if ours.state != state:
            raise Wrong(f"refund {name} is {ours.state}, at the provider {rows[0]['status']}")
    # What was asked and is nowhere there was refused, or its answer was lost for good and a treasurer is told.
    for row in ProviderRefund.objects.filter(state__in=["approved", "done"]).exclude(pk__in=made):
        if row.operation is None or row.operation.state != "unknown":
            raise Wrong(f"refund {row.pk} is {row.state} and not at the provider")
    for operation in Operation.objects.filter(state__in=Operation.OPEN):
        if operation.state != "unknown":
            raise Wrong(f"operation {operation.kind} {operation.pk} still {operation.state}: {operation.error}")


def _subscriptions(life: Life) -> None:
    """Each invoice is one instalment of each promise of the act, and both say the same of it."""
    states = {"canceled": "ended", "active": "active", "past_due": "past_due"}
    for theirs in life.fake.every("subscription"):
        row = Subscription.objects.filter(remote_id=theirs["id"]).first()
        if row is None:
            raise Wrong(f"subscription {theirs['id']} is unknown here")
        wanted = "paused" if theirs["pause_collection"] and theirs["status"] != "canceled" else states[theirs["status"]]
        _same(f"subscription {row.pk}", row.state, wanted)
        made = Pledge.objects.filter(group=row.group)
        # Paid on a page that was open when the promise was cancelled: its money waits for a treasurer.
        pledges = 0 if made.filter(state="cancelled").exists() else made.count()
        for bill in life.fake.every("invoice"):
            if bill["parent"]["subscription_details"]["subscription"] != theirs["id"]:
                continue
            tied = list(Instalment.objects.filter(invoice=bill["id"], pledge__group=row.group))
            if bill["status"] == "paid" and len(tied) < pledges:
                raise Wrong(f"invoice {bill['id']} is {len(tied)} instalments of {pledges}")


def _nothing_waits() -> None:
    """Nothing is left to do that nobody was told of."""
    _same("events not treated", list(Notice.objects.filter(state__in=["waiting", "stuck"]).values("type", "error")), [])
    for page in Checkout.objects.filter(state="opening"):
        if page.operation.state != "unknown":
            raise Wrong(f"page {page.pk} is being opened, its operation {page.operation.state}")
