"""Who paid by a subscription that ended and was forgotten here is forgotten by the provider too."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from backend.payments.models import Operation, Subscription
from backend.payments.operations import ask
from backend.payments.providers import the_provider
from backend.pledges.models import Pledge

ASK_AGAIN = timedelta(days=1)  # after a refusal: the key may lack the right, which the runbook names


def forget_customers(now: datetime) -> int:
    """Ask that the provider deletes those whom we forgot, once they pay nothing more; returns how many were asked."""
    provider = the_provider()
    if provider is None:
        return 0
    forgotten = Pledge.objects.filter(
        Q(donor__name_sealed="") | Q(person__is_active=False) | Q(donor__isnull=True, made_by__is_active=False)
    )
    rows = Subscription.objects.filter(
        provider=provider.name, state="ended", group__in=forgotten.values("group")
    ).exclude(customer="")
    return sum(_forget(customer, now) for customer in sorted(set(rows.values_list("customer", flat=True))))


@transaction.atomic
def _forget(customer: str, now: datetime) -> int:
    rows = Subscription.objects.select_for_update().filter(customer=customer).order_by("pk")
    if any(one.state != "ended" for one in rows):
        return 0
    asked = Operation.objects.filter(kind="forget", request__customer=customer).order_by("-created_at", "-pk")
    last = asked.first()
    if last is not None and (last.state in (*Operation.OPEN, "given_up") or last.created_at > now - ASK_AGAIN):
        return 0
    ask(
        kind="forget", key=f"forget:{customer}:{asked.count() + 1}", request={"customer": customer}, actor=None,
        now=now,
    )  # fmt: skip
    return 1
