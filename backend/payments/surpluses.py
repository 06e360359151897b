"""What a receipt brought above what was awaited: given to the pot, kept for the next instalment, or refunded."""

from datetime import datetime

from django.db import models, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from backend.commons.services import OPEN_TO_MONEY, hold
from backend.core.errors import Conflict, NotFound
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.payments.charges import Charge
from backend.payments.models import Surplus
from backend.payments.services import book_payment
from backend.pledges.instalments import goes_on
from backend.pledges.models import Instalment, Pledge

CALLED = ("called", "partly_received", "failed")


def credit_surplus(*, actor: User, surplus_id: str, reason: str, now: datetime) -> Surplus:
    """Give what is left of a surplus to the pot of its pledge: a payment as any other. Nothing leaves the bank.

    The ledger moved: suspense +, and as `book_payment` says.
    Raises: Forbidden; NotFound; Conflict `surplus_decided`, `budget_not_receiving`.
    """
    require(actor, "surplus.decide")
    with transaction.atomic():
        surplus = open_surplus(actor, surplus_id)
        if surplus.state == "credited" and surplus.decided_by_id == actor.pk:
            return surplus  # the same act again
        require_open(surplus)
        if surplus.pledge.budget.state not in OPEN_TO_MONEY:
            raise Conflict(
                "budget_not_receiving", _("The budget of this pledge is closed: it takes no money any more.")
            )
        _book(surplus, surplus.left, actor=actor, now=now)
        before, surplus.state = surplus.state, "credited"
        decide(surplus, actor=actor, reason=reason, now=now)
        record(
            "surplus.credited", actor=actor, subject=surplus.pk, now=now, scopes=_scopes(surplus), why=reason,
            amount=surplus.amount, currency=surplus.currency, before={"state": before}, after={"state": surplus.state},
        )  # fmt: skip
    return surplus


def keep_surplus(*, actor: User, surplus_id: str, reason: str, now: datetime) -> Surplus:
    """Keep a surplus for the instalments that will be called: each takes what it awaits. Moves no money now.

    Raises: Forbidden; NotFound; Conflict `surplus_decided`, `no_next_instalment`.
    """
    require(actor, "surplus.decide")
    with transaction.atomic():
        surplus = open_surplus(actor, surplus_id)
        if surplus.state == "kept":
            return surplus
        require_open(surplus)
        if not may_be_kept(surplus.pledge):
            raise Conflict("no_next_instalment", _("No instalment of this pledge is to come: choose something else."))
        surplus.state = "kept"
        decide(surplus, actor=actor, reason=reason, now=now)
        record(
            "surplus.kept", actor=actor, subject=surplus.pk, now=now, scopes=_scopes(surplus), why=reason,
            amount=surplus.amount, currency=surplus.currency, before={"state": "waiting"}, after={"state": "kept"},
        )  # fmt: skip
    return surplus


def may_be_kept(pledge: Pledge) -> bool:
    """Whether an instalment of this pledge may still be called."""
    if pledge.state != "active" or pledge.budget.state not in OPEN_TO_MONEY:
        return False
    return goes_on(pledge) or pledge.instalments.filter(state__in=Instalment.AWAITING).exists()


def applicable() -> "models.QuerySet[Surplus]":
    """The surpluses kept for a pledge of which an instalment is called and awaits money."""
    called = Instalment.objects.filter(pledge=OuterRef("pledge"), state__in=CALLED)
    return Surplus.objects.filter(
        Exists(called), state="kept", pledge__state="active", pledge__budget__state__in=OPEN_TO_MONEY
    )


def apply_due(now: datetime) -> int:
    """Feed the instalments that were called with the surpluses kept for them. Returns how many surpluses were used."""
    return sweep_rows(applicable(), lambda surplus: _apply(surplus, now))


def _apply(surplus: Surplus, now: datetime) -> None:
    hold([surplus.pledge.budget])
    pledge = Pledge.objects.select_for_update(of=("self",)).get(pk=surplus.pledge_id)
    called = pledge.instalments.filter(state__in=CALLED)
    amount = min(surplus.left, sum(one.awaited for one in called))
    if amount:
        _book(surplus, amount, actor=None, now=now)
        if not surplus.left:
            surplus.state = "credited"
        surplus.save(update_fields=["used", "state"])
        record(
            "surplus.used", actor=None, subject=surplus.pk, now=now, scopes=_scopes(surplus), amount=amount,
            currency=surplus.currency,
        )  # fmt: skip


def _book(surplus: Surplus, amount: int, *, actor: User | None, now: datetime) -> None:
    """A payment out of the suspense where the surplus is; its name begins with that of the receipt it came with."""
    hold([surplus.pledge.budget])
    pledge = Pledge.objects.select_for_update(of=("self",)).select_related("budget").get(pk=surplus.pledge_id)
    remote = surplus.source.removeprefix("charge:").removesuffix(":s")
    book_payment(
        pledge=pledge, amount=amount, source=f"{surplus.source}:{surplus.used}", payer_index=surplus.payer_index,
        purse=("suspense", surplus.account_id), received_on=surplus.received_on, method=surplus.method, actor=actor,
        charge=Charge(remote, "") if surplus.source.startswith("charge:") else None, now=now,
    )  # fmt: skip
    surplus.used += amount


def open_surplus(actor: User, surplus_id: str) -> Surplus:
    """A surplus under its lock, its pledge and budget beside it; raises NotFound."""
    rows = Surplus.visible_to(actor).select_related("pledge__budget").filter(pk=surplus_id)
    found = rows.first()
    if found is not None:
        hold([found.pledge.budget])  # first, as when a provider takes it back
    surplus = rows.select_for_update(of=("self",)).first()
    if surplus is None:
        raise NotFound("surplus_not_found", _("There is no such surplus."))
    return surplus


def require_open(surplus: Surplus) -> None:
    """Refuse a second decision on money that is gone; raises Conflict `surplus_decided`."""
    if surplus.state not in Surplus.OPEN:
        raise Conflict(
            "surplus_decided",
            _("This surplus is already decided: it is “%(state)s”.") % {"state": surplus.get_state_display()},
        )


def decide(surplus: Surplus, *, actor: User, reason: str, now: datetime) -> None:
    """Write a decision down; the caller has set the state."""
    surplus.decided_by, surplus.decided_at, surplus.reason = actor, now, reason.strip()[:280]
    surplus.save(update_fields=["state", "used", "decided_by", "decided_at", "reason"])


def _scopes(surplus: Surplus) -> list[str]:
    return [surplus.pledge.budget_id, surplus.pledge.payer_id]
