"""What a pledge's page says of money beside its payments: surpluses, refunds, and what a treasurer may do."""

from typing import Any

from django import template

from backend.identity.models import User
from backend.identity.permissions import may
from backend.payments.models import Payment, ProviderRefund, Refund, Surplus
from backend.pledges.models import Pledge

register = template.Library()


@register.inclusion_tag("receipts/of_pledge.html")
def receipts_of(pledge: Pledge, reader: User) -> dict[str, Any]:
    """The surpluses and refunds of a pledge that its reader may see, and the acts of a treasurer on its payments."""
    acts = may(reader, "refund.ask")
    surpluses = Surplus.visible_to(reader).filter(pledge=pledge).exclude(state="credited")
    payments = Payment.objects.filter(pledge=pledge, state__in=["succeeded", "won"]).order_by("-received_on", "-pk")
    charges = Payment.objects.filter(pledge=pledge).exclude(charge="").values("charge")
    return {
        "pledge": pledge,
        "reads": may(reader, "bank.read"),
        "surpluses": surpluses.order_by("pk"),
        "by_provider": ProviderRefund.objects.filter(charge__in=charges).exclude(state="refused").order_by("pk"),
        "refunds": Refund.visible_to(reader).filter(pledge=pledge).order_by("pk"),
        "refundable": payments[:10] if acts else [],
        "records": may(reader, "paper.record") and pledge.state in {"active", "fulfilled", "written_off"},
    }
