"""The background work with the provider: asks for what is wanted of it, and looks again at what no event told of."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from backend.core.ticking import ticking
from backend.ledger.services import frozen
from backend.payments.checkouts import close_unwanted
from backend.payments.customers import forget_customers
from backend.payments.models import Checkout, Subscription
from backend.payments.operations import carry_out, due_operations
from backend.payments.outcomes import close_checkout
from backend.payments.providers import the_provider
from backend.payments.providers.base import About, NoAnswer
from backend.payments.subscriptions import converge
from backend.payments.syncing import sync, try_sync
from backend.pledges.models import Instalment

logger = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(hours=1)  # an event may be late by days, or never come
QUIET = timedelta(days=1)  # a subscription of which nothing is on its way
READ_AFTER: dict[str, tuple[About, str]] = {
    "expire": ("checkout", "session"),
    "pause": ("subscription", "subscription"),
    "resume": ("subscription", "subscription"),
    "cancel": ("subscription", "subscription"),
}


def ask_due(now: datetime) -> int:
    """Ask the provider for what is wanted of it, and find out what became of lost answers; returns how many rows.

    The first one that cannot be sent ends the turn: the provider is away, and nobody waits for it twice.
    """
    provider = the_provider()
    if provider is None:
        return 0
    close_unwanted(now)
    converge(now)
    forget_customers(now)
    clock, treated = ticking(now), 0
    due = due_operations(now).filter(provider=provider.name).order_by("next_try_at", "pk")
    if frozen() is not None:
        due = due.exclude(kind="refund", state="ready")  # they wait; what comes in does not wait behind them
    for key in list(due.values_list("pk", flat=True)[:200]):
        try:
            row = carry_out(operation_id=key, now=clock())
        except Exception:
            logger.exception("provider: operation %s left as it is", key)
            continue
        if row.state in {"ready", "unknown"}:
            break
        treated += 1
        if row.kind in READ_AFTER:  # done; or refused, because it stands otherwise than we thought
            about, name = READ_AFTER[row.kind]
            try_sync(about, row.request[name], told_by="return", now=clock())
    return treated


def unseen_checkouts(now: datetime) -> "QuerySet[Checkout]":
    """Payment pages that are open or on their way, and were not looked at for an hour; those past their time first."""
    stale = Q(synced_at=None, created_at__lte=now - LOOK_AGAIN) | Q(synced_at__lte=now - LOOK_AGAIN)
    return Checkout.objects.filter(stale, state__in=Checkout.PENDING)


def unseen_subscriptions(now: datetime) -> "QuerySet[Subscription]":
    """Subscriptions with a payment on its way, or a failed one, every hour; the others every day.

    One that has ended is looked at as long as a last payment of it is on its way.
    """
    moving = Instalment.objects.filter(state__in=["pending", "called", "failed"]).exclude(invoice="")
    busy = Q(group__in=moving.values("pledge__group")) | Q(state="past_due")
    last = Instalment.objects.filter(state="pending").exclude(invoice="")
    return Subscription.objects.exclude(~Q(group__in=last.values("pledge__group")), state="ended").filter(
        Q(synced_at__lte=now - QUIET) | (busy & Q(synced_at__lte=now - LOOK_AGAIN))
    )


def poll_due(now: datetime) -> int:
    """Look again at what should have moved meanwhile; returns how many things were read.

    The first one that gets no answer ends the turn; one that cannot be read for itself does not hold up the others.
    """
    if the_provider() is None:
        return 0
    clock, read = ticking(now), 0
    rows: list[Checkout | Subscription] = [
        *unseen_checkouts(now).order_by("created_at", "pk")[:200],
        *unseen_subscriptions(now).order_by("synced_at", "pk")[:200],
    ]
    for row in rows:
        at = clock()
        try:
            _look(row, at)
        except NoAnswer:
            logger.warning("provider: away; nothing more is looked at in this turn")
            break
        except Exception:
            logger.exception("provider: %s could not be looked at", row.pk)
        model = Checkout if isinstance(row, Checkout) else Subscription
        model._default_manager.filter(pk=row.pk).update(synced_at=at)
        read += 1
    return read


def _look(row: Checkout | Subscription, now: datetime) -> None:
    if isinstance(row, Subscription) or row.remote_id:
        about: About = "checkout" if isinstance(row, Checkout) else "subscription"
        sync(about=about, object_id=row.remote_id, told_by="reconciler", now=now)
        return
    with transaction.atomic():
        held = Checkout.objects.select_for_update(of=("self",)).select_related("operation").get(pk=row.pk)
        if held.state == "opening" and held.expires_at + LOOK_AGAIN < now and held.operation.state == "unknown":
            # Nobody can pay there any more; had somebody, the money would be told by its own movement.
            close_checkout(held, "expired", now=now)
