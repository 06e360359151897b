"""What the page of a pledge or of a gift says of paying by card or debit."""

from typing import Any

from django import template
from django.urls import reverse

from backend.payments.models import Movement
from backend.payments.movements import why_in_words
from backend.payments.offering import offer_for, provider_shown
from backend.pledges.models import Pledge

register = template.Library()


@register.inclusion_tag("paying/by_card.html")
def by_card(pledge: Pledge, acts: bool, code: str = "") -> dict[str, Any]:
    """The button to pay, the payment on its way, or the payments that follow by themselves; nothing without a provider.

    Args: acts: whether the reader may pay. code: of the gift's link, empty for who is signed in.
    """
    kind, key = ("gift", code) if code else ("pledge", pledge.pk)
    return {
        "offer": offer_for(pledge),
        "pledge": pledge,
        "acts": acts,
        "pay_url": reverse(f"{kind}_pay", args=[key]),
        "payment_url": reverse(f"{kind}_payment", args=[key]),
        "subscription_url": reverse(f"{kind}_subscription", args=[key]),
    }


@register.simple_tag
def provider_name() -> str:
    """The name of the payment provider for people; empty when the host has none."""
    return provider_shown()


@register.filter
def why(row: Movement) -> str:
    """Why a movement was reported, in words."""
    return why_in_words(row)
