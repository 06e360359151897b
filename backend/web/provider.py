"""The treasurers' pages of the payment provider: its health, what was asked of it, its events, the comparisons."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Max, Sum
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Invalid
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.payments.models import (
    Dispute,
    Movement,
    Notice,
    Operation,
    Payment,
    ProviderPayout,
    ProviderRefund,
    Reconciliation,
    Subscription,
)
from backend.payments.notices import send_test
from backend.payments.offering import provider_standing
from backend.payments.operations import give_up, look_again
from backend.payments.reconciling import ask_reconciliation
from backend.pledges.models import Pledge
from backend.web.acts import form_page
from backend.web.forms_paying import GiveUpForm, RangeForm
from backend.web.pages import AuthedRequest, cut, private

LATE = timedelta(minutes=5)  # an event that waits longer is told as a failure
COUNTED = timedelta(days=30)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def provider(request: AuthedRequest) -> HttpResponseBase:
    """How the provider does, what waits, and a comparison with its list on demand. Moves no money by itself."""
    require(request.user, "provider.read")
    now = timezone.now()
    if request.method == "POST":
        require(request.user, "provider.operate")
    form = RangeForm(request.POST or None, today=host_day(now))

    def act() -> HttpResponseBase:
        ask_reconciliation(
            actor=request.user, since=form.cleaned_data["since"], until=form.cleaned_data["until"], now=now
        )
        messages.success(request, _("The comparison is asked for: its result appears below within a minute."))
        return redirect("provider")

    return form_page(request, form, act, "provider/provider.html", _health(request, now))


def _health(request: AuthedRequest, now: datetime) -> dict[str, Any]:
    waiting = Notice.objects.filter(state="waiting")
    oldest = waiting.order_by("received_at").first()
    latest = Notice.objects.order_by("-received_at").first()
    treated = Notice.objects.filter(treated_at__isnull=False).order_by("-treated_at").first()
    compared = Reconciliation.objects.filter(remote_balance__isnull=False).order_by("-finished_at").first()
    return {
        "standing": provider_standing(),
        "configured": bool(settings.PROVIDER),
        "latest": latest,
        "waiting": waiting.count(),
        "oldest": oldest,
        "late": oldest is not None and now - oldest.received_at > LATE,
        "lag": _took(treated.treated_at - treated.sent_at) if treated and treated.treated_at else None,
        "stuck": Notice.objects.filter(state="stuck").count(),
        "stuck_ones": Notice.objects.filter(state="stuck").order_by("-received_at", "-pk")[:10],
        "operations": Operation.objects.filter(state__in=Operation.OPEN).order_by("created_at", "pk")[:20],
        "refused": Operation.objects.filter(state="refused", created_at__gt=now - COUNTED).order_by("-created_at")[:5],
        "types": Notice.objects.filter(received_at__gt=now - COUNTED)
        .values("type", "state")
        .annotate(count=Count("pk"), times=Sum("times"), last=Max("received_at"))
        .order_by("type", "state"),
        "states": dict(Notice.STATES),
        "runs": Reconciliation.objects.select_related("asked_by").order_by("-asked_at", "-pk")[:10],
        "compared": compared,
        "gap": compared.remote_balance - compared.own_balance
        if compared is not None and compared.remote_balance is not None and compared.own_balance is not None
        else None,
        "reported": Movement.objects.filter(state="reported").count(),
        "payouts": ProviderPayout.objects.filter(state="sent").count(),
        "disputes": Dispute.objects.filter(state__in=["warning", "opened"]).count(),
        "refunds": ProviderRefund.objects.filter(state__in=ProviderRefund.OPEN).count(),
        "operates": may(request.user, "provider.operate"),
    }


def _took(time: timedelta) -> str:
    """A stretch of time in its largest unit."""
    seconds = max(0, int(time.total_seconds()))
    if seconds < 120:
        return ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    if seconds < 120 * 60:
        return ngettext("%(count)s minute", "%(count)s minutes", seconds // 60) % {"count": seconds // 60}
    if seconds < 48 * 3600:
        return ngettext("%(count)s hour", "%(count)s hours", seconds // 3600) % {"count": seconds // 3600}
    return ngettext("%(count)s day", "%(count)s days", seconds // 86400) % {"count": seconds // 86400}


@private
@require_http_methods(["POST"])
def provider_test(request: AuthedRequest) -> HttpResponse:
    """Send ourselves a signed event as the provider would. Moves no money."""
    require(request.user, "provider.operate")
    try:
        send_test(actor=request.user, now=timezone.now())
    except (Invalid, Conflict) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The test event came in, was verified and is counted below. No money moved."))
    return redirect("provider")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def operation_page(request: AuthedRequest, operation_id: str) -> HttpResponseBase:
    """One thing asked of the provider; when its answer was lost, the acts that can do no harm."""
    require(request.user, "provider.read")
    row = get_object_or_404(Operation.objects.select_related("asked_by", "given_up_by"), pk=operation_id)
    if request.method == "POST":
        require(request.user, "provider.operate")
    looks = request.POST.get("act") == "look"
    form = GiveUpForm(request.POST if request.method == "POST" and not looks else None)
    if looks:
        return _look(request, row)

    def act() -> HttpResponseBase:
        give_up(
            actor=request.user, operation_id=row.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )  # fmt: skip
        messages.success(request, _("It is given up: nothing is asked any more. No money moved by this."))
        return redirect("operation_page", row.pk)

    context = {
        "row": row,
        "operates": may(request.user, "provider.operate") and row.state in Operation.OPEN,
        **_about(row),
    }
    return form_page(request, form, act, "provider/operation.html", context)


def _look(request: AuthedRequest, row: Operation) -> HttpResponseBase:
    """Ask the provider what became of it; asks for nothing new."""
    try:
        found = look_again(actor=request.user, operation_id=row.pk, now=timezone.now())
    except (Invalid, Conflict) as refusal:
        messages.error(request, str(refusal))
        return redirect("operation_page", row.pk)
    if found.state == "done":
        messages.success(request, _("The provider had done it: it is written down now."))
    else:
        messages.warning(request, _("The provider’s answer changes nothing yet."))
    return redirect("operation_page", row.pk)


def _about(row: Operation) -> dict[str, Any]:
    """What an operation is about, in words that a treasurer knows: its pledge, and its amount in minor units."""
    asked = row.request
    group = asked.get("group", "")
    if not group and "subscription" in asked:
        found = Subscription.objects.filter(remote_id=asked["subscription"]).first()
        group = found.group if found is not None else ""
    charged = Payment.objects.filter(charge=asked.get("charge", "")).exclude(charge="").order_by("pk").first()
    pledges = Pledge.objects.select_related("organisation", "person", "donor", "budget__commons", "budget__parent")
    mine = pledges.filter(pk=charged.pledge_id) if charged is not None else pledges.filter(group=group, group__gt="")
    amount = asked.get("amount") or sum(part for _text, part in asked.get("parts", []))
    return {"pledge": mine.order_by("pk").first(), "amount": amount, "currency": asked.get("currency", "")}


@private
@require_safe
def movements(request: AuthedRequest) -> HttpResponse:
    """Every movement of the host's balance at the provider, the newest first, with what it booked."""
    require(request.user, "provider.read")
    rows = Movement.objects.all()
    names = dict(Movement.STATES)
    counts = {state: rows.filter(state=state).count() for state in names}
    asked_for = request.GET.get("state", "")
    chosen = asked_for if counts.get(asked_for) else ""
    shown = rows.filter(state=chosen) if chosen else rows
    return render(
        request,
        "provider/movements.html",
        {
            "page": cut(shown.order_by("-happened_on", "-created_at", "-pk"), request),
            "states": [(state, names[state], counts[state]) for state in names if counts[state]],
            "chosen": chosen,
            "count": sum(counts.values()),
        },
    )


urlpatterns = [
    path("provider/", provider, name="provider"),
    path("provider/test/", provider_test, name="provider_test"),
    path("provider/operations/<str:operation_id>/", operation_page, name="operation_page"),
    path("provider/movements/", movements, name="movements"),
]
