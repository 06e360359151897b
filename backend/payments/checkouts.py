"""Payment pages at the provider: opened for the pledges of one act, one at a time, closed once another way has paid."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from backend.commons.services import OPEN_TO_MONEY
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.failpoints import failpoint
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.payments.models import Checkout, Operation, Subscription
from backend.payments.offering import CALLED, METHODS
from backend.payments.operations import ask, standing, wanted_provider
from backend.payments.services import lock_group
from backend.payments.syncing import try_sync
from backend.pledges.calendar import MONTHS
from backend.pledges.donations import gift_of
from backend.pledges.models import Instalment, Pledge
from backend.pledges.services import require_payer

OPEN_FOR = timedelta(hours=2)  # a page left open longer is closed by the provider
ASK_AGAIN = timedelta(hours=1)  # after a refusal
ITSELF = "this-payment"  # where the id of the new page stands in the address that a payer comes back to


@transaction.atomic
def start_checkout(
    *, actor: User | None, code: str, group: str, method: str, language: str, return_url: str, now: datetime
) -> Checkout:
    """Write down that a payment page is wanted for the pledges of one act; `carry_out` opens it. Moves no money.

    Args: actor: who pays, None with the code of a gift's link. group: as Pledge.group. method: one of Checkout.METHODS.
        language: of the provider's page. return_url: where it sends the payer back, which it keeps: an address that
        opens nothing. `back=…` is added to its query, and ITSELF in it becomes the id of the page.
    Returns: the page; the one that is open already when there is one.
    Raises: NotFound; Forbidden; Invalid `method_not_offered`; Conflict `no_provider`, `subscription_lives`,
        `nothing_awaited`, `payment_on_its_way`, `period_partly_paid`.
    """
    wanted_provider()
    assert not code or code not in return_url, "the provider would keep what opens the gift"
    pledges = lock_group(group)
    _require_payer(actor, code, pledges)
    pending = Checkout.objects.filter(group=group, state__in=Checkout.PENDING).first()
    if pending is not None:
        return pending
    leader = pledges[0]
    if method not in METHODS or METHODS[method] not in (None, leader.currency):
        raise Invalid("method_not_offered", _("Choose one of the offered ways to pay."), param="method")
    if Subscription.objects.filter(group=group).exclude(state="ended").exists():
        raise Conflict("subscription_lives", _("This pledge is already paid by itself, by card or debit."))
    active = [
        one for one in pledges if one.state == "active" and not one.paused_at and one.budget.state in OPEN_TO_MONEY
    ]
    rows = list(Instalment.objects.filter(pledge__in=[one.pk for one in active], state__in=CALLED))
    if any(row.state == "pending" for row in rows):
        raise Conflict(
            "payment_on_its_way",
            _("A payment of this pledge is still on its way: wait until it has come or failed. Nothing was asked."),
        )
    if MONTHS[leader.rhythm] and any(row.received for row in rows):
        raise Conflict(
            "period_partly_paid",
            _("A part of this period has come already: pay the rest by transfer. The next one can be paid by card."),
        )
    if not rows or not sum(row.awaited for row in rows):
        raise Conflict("nothing_awaited", _("Nothing is awaited of this pledge at present: there is nothing to pay."))
    recurring = bool(MONTHS[leader.rhythm])
    parts = [(one, one.amount if recurring else _awaited(rows, one)) for one in active]
    page = new_id("cko")
    request = {
        "checkout": page, "group": group, "currency": leader.currency, "rhythm": leader.rhythm,
        "parts": [[one.budget.full_name, part] for one, part in parts if part], "method": method,
        "language": "fr" if language.startswith("fr") else "en", "back": return_url.replace(ITSELF, page),
        "expires_at": (now + OPEN_FOR).isoformat(),
        "ends_on": leader.ends_on.isoformat() if recurring and leader.ends_on else "",
    }  # fmt: skip
    return _write(actor, leader, request, now)


def _require_payer(actor: User | None, code: str, pledges: list[Pledge]) -> None:
    """Refuse whoever neither acts for who promised nor holds the link of the gift."""
    if not pledges:
        raise NotFound("pledge_not_found", _("There is no such pledge."))
    if actor is None:
        if gift_of(code).group != pledges[0].group:
            raise NotFound("pledge_not_found", _("There is no such pledge."))
        return
    for pledge in pledges:
        require_payer(actor, pledge)


def _awaited(rows: list[Instalment], pledge: Pledge) -> int:
    return sum(row.awaited for row in rows if row.pledge_id == pledge.pk)


def _write(actor: User | None, leader: Pledge, request: dict[str, Any], now: datetime) -> Checkout:
    """The rows of a new page and of what opens it; its key is of this page alone, also on books that were restored."""
    operation = ask(kind="checkout", key=f"checkout:{request['checkout']}", request=request, actor=actor, now=now)
    made = Checkout.objects.create(
        id=request["checkout"], group=leader.group, operation=operation, recurring=bool(MONTHS[leader.rhythm]),
        method=request["method"], amount=sum(part for _text, part in request["parts"]), currency=leader.currency,
        made_by=actor, created_at=now, expires_at=datetime.fromisoformat(request["expires_at"]),
    )  # fmt: skip
    record(
        "checkout.started", actor=actor, subject=made.pk, now=now,
        scopes=[leader.budget_id, leader.payer_id],
        on_behalf=leader.organisation_id or "", pledge=leader.pk, amount=made.amount, currency=made.currency,
        method=made.method,
    )  # fmt: skip
    failpoint("checkout.started")
    return made


def returned(*, checkout_id: str, now: datetime) -> None:
    """The payer came back: read what is true from the provider, and book what it moved. Silent when it is away."""
    checkout = Checkout.objects.get(pk=checkout_id)
    if checkout.remote_id:
        try_sync("checkout", checkout.remote_id, told_by="return", now=now)


# --- pages that must be closed ------------------------------------------------------------------------------------


def close_unwanted(now: datetime) -> int:
    """Ask that open pages be closed for which something else has paid, or whose pledges are over; returns how many."""
    asked = 0
    rows = Checkout.objects.filter(state="open").exclude(remote_id="").order_by("created_at", "pk")
    for checkout in rows:
        if _wanted(checkout) or not _askable(checkout, now):
            continue
        # Paid there meanwhile, it needs no closing: look before asking.
        try_sync("checkout", checkout.remote_id, told_by="reconciler", now=now)
        asked += _close(checkout.pk, now)
    return asked


def _askable(checkout: Checkout, now: datetime) -> bool:
    """Whether its closing may be asked now: one that was asked waits for its answer, or to be read again."""
    before: Operation | None = standing(checkout.remote_id, ("expire",))
    return before is None or (before.state == "refused" and before.created_at <= now - ASK_AGAIN)


def _wanted(checkout: Checkout) -> bool:
    """Whether all that a page asks for is still to be paid."""
    pledges = Pledge.objects.filter(group=checkout.group, state="active", budget__state__in=OPEN_TO_MONEY)
    awaited = Q(instalments__state__in=CALLED)
    total = pledges.aggregate(
        left=Coalesce(Sum("instalments__amount", filter=awaited) - Sum("instalments__received", filter=awaited), 0),
    )
    if checkout.recurring:
        return bool(total["left"]) and sum(pledges.values_list("amount", flat=True)) == checkout.amount
    return bool(total["left"] >= checkout.amount)


@transaction.atomic
def _close(checkout_id: str, now: datetime) -> int:
    checkout = Checkout.objects.select_for_update(of=("self",)).get(pk=checkout_id)
    if checkout.state != "open" or not _askable(checkout, now):
        return 0
    session = checkout.remote_id
    number = Operation.objects.filter(kind="expire", request__session=session).count() + 1
    ask(kind="expire", key=f"expire:{checkout.pk}:{number}", request={"session": session}, actor=None, now=now)
    return 1
