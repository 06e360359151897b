"""What can be paid through the payment provider, and where the payments of one act of promising stand there."""

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from backend.payments.models import Checkout, Subscription
from backend.payments.providers import the_provider
from backend.pledges.calendar import MONTHS
from backend.pledges.models import Instalment, Pledge

logger = logging.getLogger(__name__)

CALLED = ("called", "pending", "partly_received", "failed")
# SEPA is the area of one currency.
METHODS = {"card": None, "sepa_debit": "EUR"}


@dataclass(frozen=True)
class Offer:
    """How the pledges of one act can be paid through the provider. `amount` is in minor units, 0 for nothing now.

    `pending` is the payment page that is open or on its way, `latest` the last one that ended without a payment.
    """

    provider: str
    amount: int
    currency: str
    recurring: bool
    methods: tuple[str, ...]
    pending: Checkout | None
    latest: Checkout | None
    subscription: Subscription | None

    @property
    def open(self) -> bool:
        """Whether a payment can begin now."""
        return bool(self.amount and self.methods) and self.pending is None and self.subscription is None


def provider_shown() -> str:
    """The name of the provider for people; empty when there is none."""
    provider = the_provider()
    return provider.shown if provider is not None else ""


def pages_of_the_provider() -> list[str]:
    """The origins a browser may be sent to from a form of ours, to pay there."""
    return list(settings.PROVIDER_PAGES.get(settings.PROVIDER, []))


def page_at(address: str) -> str:
    """The address of a page of the provider as it gave it; empty when it is anybody else's: nobody is sent there."""
    try:
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        origin = ""
    if not address or (origin in pages_of_the_provider() and address.isascii() and address.isprintable()):
        return address
    logger.error("provider: it gave the address of a page that is not its own")
    return ""


def offer_for(pledge: Pledge) -> Offer | None:
    """What can be paid of the pledges made together with this one; None when the host has no provider."""
    shown = provider_shown()
    if not shown:
        return None
    group = list(Pledge.objects.filter(group=pledge.group, state="active", paused_at=None, currency=pledge.currency))
    called = Instalment.objects.filter(pledge__in=group, state__in=CALLED)
    recurring = bool(MONTHS[pledge.rhythm])
    awaited = sum(row.awaited for row in called)
    amount = sum(one.amount for one in group) if recurring and awaited else awaited
    if any(row.state == "pending" or (recurring and row.received) for row in called):
        amount = 0  # on its way already, or more than the provider would be asked for
    ended = Checkout.objects.filter(group=pledge.group, state__in=["failed", "expired"]).order_by("-created_at").first()
    paid = Checkout.objects.filter(group=pledge.group, state="paid").order_by("-created_at").first()
    if ended is not None and paid is not None and paid.created_at > ended.created_at:
        ended = None
    return Offer(
        provider=shown,
        amount=amount,
        currency=pledge.currency,
        recurring=recurring,
        methods=tuple(name for name, currency in METHODS.items() if currency in (None, pledge.currency)),
        pending=Checkout.objects.filter(group=pledge.group, state__in=Checkout.PENDING).first(),
        latest=ended,
        subscription=Subscription.objects.filter(group=pledge.group).exclude(state="ended").first(),
    )


@dataclass(frozen=True)
class Standing:
    """The provider as it is set up: its name for people, whether its money is real, how many webhook secrets live."""

    shown: str
    live: bool
    secrets: int


def provider_standing() -> Standing | None:
    """How the provider is set up, without any of its secrets; None when there is none."""
    provider = the_provider()
    if provider is None:
        return None
    return Standing(provider.shown, provider.live, len(settings.STRIPE_WEBHOOK_SECRETS))
