"""What of the payment provider waits for a treasurer: money to explain, lost answers, refunds to approve, disputes."""

from datetime import timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.identity.models import User
from backend.payments.models import Dispute, Movement, Notice, Operation, ProviderRefund
from backend.payments.movements import why_in_words
from backend.web.inbox import SHOWN, Item, Pile

# Answers that are still lost after the key has lived and been looked up for a day: nothing is tried by itself any more.
LOST_AFTER = timedelta(hours=48)


def provider_pile(actor: User, shown: int = SHOWN) -> list[Pile]:
    """One pile, or none where there is no provider and nothing of a former one waits."""
    items = [*_refunds(actor), *_disputes(), *_movements(), *_operations(), *_notices()]
    if not items and not settings.PROVIDER:
        return []
    return [
        Pile(
            key="provider",
            act="answer",
            title=_("Card and debit payments"),
            hint=_("Refunds to approve, disputes to answer, money to explain, answers that were lost."),
            empty=_("Nothing of the payment provider waits for a person."),
            url=reverse("provider"),
            count=len(items),
            items=items[:shown],
        )
    ]


def _refunds(actor: User) -> list[Item]:
    rows = ProviderRefund.objects.filter(state="asked").select_related("asked_by").order_by("asked_at", "pk")
    return [
        Item(
            _("Refund through the provider"),
            reverse("provider_refund", args=[row.pk]),
            row.asked_at,
            note=_("asked by you: another treasurer approves")
            if row.asked_by_id == actor.pk
            else _("asked by %(name)s: to approve") % {"name": row.asked_by.name},
            amount=row.amount,
            currency=row.currency,
            own=row.asked_by_id == actor.pk,
            act="approve",
        )
        for row in rows
    ]


def _disputes() -> list[Item]:
    rows = Dispute.objects.filter(state__in=["warning", "opened"]).order_by("answer_by", "pk")
    return [
        Item(_("Dispute to answer"), reverse("disputes"), row.opened_at, amount=row.amount, currency=row.currency)
        for row in rows
    ]


def _movements() -> list[Item]:
    rows = Movement.objects.filter(state="reported").order_by("happened_on", "pk")
    return [
        Item(
            _("Money at the provider to explain"), reverse("movement_page", args=[row.pk]), row.happened_on,
            note=why_in_words(row), amount=row.amount, currency=row.currency, act="reconcile",
        )
        for row in rows
    ]  # fmt: skip


def _operations() -> list[Item]:
    rows = Operation.objects.filter(state="unknown", first_sent_at__lt=timezone.now() - LOST_AFTER)
    return [
        Item(str(row.get_kind_display()), reverse("operation_page", args=[row.pk]), row.created_at, note=row.error)
        for row in rows.order_by("created_at", "pk")
    ]


def _notices() -> list[Item]:
    rows = Notice.objects.filter(state="stuck").order_by("received_at", "pk")
    return [
        Item(_("Event that could not be treated"), reverse("provider"), row.received_at, note=row.type) for row in rows
    ]
