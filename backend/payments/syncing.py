"""Reads again from the provider what is true, and brings our rows in line: in any order, any number of times.

First the network, then one transaction for each thing read. A final state never goes back, a movement is booked once.
"""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from backend.payments.models import Checkout
from backend.payments.movements import book_movement
from backend.payments.operations import wanted_provider
from backend.payments.provider_payouts import note_payout
from backend.payments.providers.base import (
    About,
    CheckoutFacts,
    PaymentFacts,
    PayoutFacts,
    Provider,
    ProviderError,
    Refused,
    SubscriptionFacts,
)
from backend.payments.standing import note_checkout, note_payment
from backend.payments.subscriptions import note_subscription
from backend.pledges.models import Instalment

logger = logging.getLogger(__name__)

GONE = "resource_missing"


def sync(*, about: About, object_id: str, told_by: str, now: datetime) -> bool:
    """Bring our rows in line with one thing of the provider, and with what hangs on it; not inside a transaction.

    Args: told_by: `event`, `return` or `reconciler`. now: when it begins to be read.
    Returns: whether the provider knows such a thing. Raises: ProviderError; Conflict `no_provider`.
    """
    provider = wanted_provider()
    read_at = timezone.now()
    try:
        facts = provider.read(about, object_id)
    except Refused as refusal:
        if refusal.code == GONE:
            return False
        raise
    if isinstance(facts, CheckoutFacts):
        _checkout(provider, facts, told_by, now)
    elif isinstance(facts, SubscriptionFacts):
        _subscription(provider, facts, told_by, read_at, now)
    elif isinstance(facts, PayoutFacts):
        _payout(provider, facts, told_by, now)
    else:
        _payment(provider, facts, told_by, now)
    return True


def try_sync(about: About, object_id: str, *, told_by: str, now: datetime) -> bool:
    """The same; False when the provider did not answer, which is logged: an event or the next look brings it."""
    try:
        return sync(about=about, object_id=object_id, told_by=told_by, now=now)
    except ProviderError as lost:
        logger.warning("provider: %s not read (%s)", about, type(lost).__name__)
        return False


def _checkout(provider: Provider, facts: CheckoutFacts, told_by: str, now: datetime) -> None:
    payment = None
    if facts.payment:
        read = provider.read("payment", facts.payment)
        assert isinstance(read, PaymentFacts)
        payment = read
        _book(provider, payment, told_by, now)
    if facts.subscription:
        sync(about="subscription", object_id=facts.subscription, told_by=told_by, now=now)
    note_checkout(facts, payment, now=now)


def _payment(provider: Provider, facts: PaymentFacts, told_by: str, now: datetime) -> None:
    """Money of one payment. That of a subscription first gives its invoice an instalment to pay."""
    if facts.subscription and not Instalment.objects.filter(invoice=facts.invoice).exclude(invoice="").exists():
        _note_again(provider, facts.subscription, now)
    _book(provider, facts, told_by, now)
    pending = Checkout.objects.filter(pk=facts.checkout, state__in=Checkout.PENDING).exclude(remote_id="").first()
    if pending is not None and facts.state in {"succeeded", "failed", "cancelled", "processing"}:
        page = provider.read("checkout", pending.remote_id)
        assert isinstance(page, CheckoutFacts)
        note_checkout(page, facts, now=now)
    if facts.subscription and facts.state in {"failed", "processing"}:
        _note_again(provider, facts.subscription, now)


def _note_again(provider: Provider, remote_id: str, now: datetime) -> None:
    read_at = timezone.now()
    facts = provider.read("subscription", remote_id)
    assert isinstance(facts, SubscriptionFacts)
    note_subscription(provider.name, facts, read_at=read_at, now=now)


def _book(provider: Provider, facts: PaymentFacts, told_by: str, now: datetime) -> None:
    """Book each movement of a payment in its own transaction, the oldest first; then what it says of its standing."""
    for movement in sorted(facts.movements, key=lambda one: (one.happened_at, one.kind != "charge")):
        book_movement(provider=provider.name, facts=movement, payment=facts, told_by=told_by, now=now)
    note_payment(provider.name, facts, now=now)


def _subscription(provider: Provider, facts: SubscriptionFacts, told_by: str, read_at: datetime, now: datetime) -> None:
    for payment in note_subscription(provider.name, facts, read_at=read_at, now=now):
        read = provider.read("payment", payment)
        assert isinstance(read, PaymentFacts)
        _book(provider, read, told_by, now)


@transaction.atomic
def _payout(provider: Provider, facts: PayoutFacts, told_by: str, now: datetime) -> None:
    for movement in sorted(facts.movements, key=lambda one: one.happened_at):
        book_movement(provider=provider.name, facts=movement, told_by=told_by, now=now)
    note_payout(provider=provider.name, facts=facts, now=now)
