"""The status page: does it run, are the books sound, may payouts leave; freezing and lifting for who may."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Forbidden, Invalid
from backend.identity.permissions import may, require
from backend.ledger.services import Freeze, ask_lift, find_freeze, freeze, in_force
from backend.notifications.services import mail_figures
from backend.operations.findings import in_words
from backend.operations.models import Backup, SelfCheckRun
from backend.operations.thaw import compare_with_bank, lift_freeze, why_not
from backend.web.forms import add_domain_error
from backend.web.pages import AuthedRequest, fresh_factor, private

LATE = timedelta(minutes=20)  # two turns of the self-check were missed


class FreezeForm(forms.Form):
    """Why payouts are frozen."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Treasurers and administrators read it."),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Say why payouts are frozen.")},
    )


class AskForm(forms.Form):
    """Why payouts may leave again."""

    reason = forms.CharField(
        label=gettext_lazy("What was found, and what was done"),
        help_text=gettext_lazy("The person who confirms reads it; it is kept."),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Say what was found, and why payouts may leave again.")},
    )


class LiftForm(forms.Form):
    """Confirms; after a restore, says why bank and books may differ."""

    gap_reason = forms.CharField(
        label=gettext_lazy("If bank and books differ: why payouts may leave all the same"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def standing(now: datetime) -> dict[str, Any]:
    """What anyone may know: no figure, no name."""
    last = SelfCheckRun.objects.order_by("-pk").first()
    held = in_force().first()
    return {
        "last": last,
        "late": last is not None and now - last.ended_at > LATE,
        "held": held,
        "since": held.started_at if held else None,
    }


@never_cache
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Anyone: running, checked, frozen. Treasurers and administrators: what was found, freezes, mail, backup."""
    context = standing(timezone.now())
    inside = request.user.is_authenticated and may(request.user, "freeze.lift")
    if inside:
        last = context["last"]
        context |= {
            "inside": True,
            "findings": [in_words(one) for one in last.findings] if last else [],
            "freezes": [_row(held, str(request.user.pk)) for held in in_force()],
            "lifted": Freeze.objects.exclude(lifted_at=None)
            .select_related("lift_asked_by", "lifted_by")
            .order_by("-lifted_at")[:5],
            "mail": mail_figures().counts,
            "backup": Backup.objects.order_by("-taken_at").first(),
        }
    return render(request, "status/status.html", context)


def _row(held: Freeze, reader: str) -> dict[str, Any]:
    return {
        "freeze": held,
        "mine": held.lift_asked_by_id == reader,
        "asked": held.lift_asked_by_id is not None,
        "hindrance": why_not(held, gap_reason="read on the page"),
    }


@never_cache
@require_safe
def as_json(request: HttpRequest) -> JsonResponse:
    """The same for machines: what anyone may know."""
    found = standing(timezone.now())
    last = found["last"]
    return JsonResponse(
        {
            "running": True,
            "self_check": {
                "ended_at": last.ended_at.isoformat() if last else None,
                "ok": last.ok if last else None,
                "late": found["late"],
            },
            "payouts_frozen": found["held"] is not None,
            "payouts_frozen_since": found["since"].isoformat() if found["since"] else None,
        }
    )


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def status_freeze(request: AuthedRequest) -> HttpResponseBase:
    """Freeze payouts, with a reason. Moves no money."""
    require(request.user, "freeze.start")
    form = FreezeForm(request.POST or None)
    code = 200
    if request.method == "POST":
        code = 422
        if form.is_valid():
            freeze(actor=request.user, cause="manual", reason=form.cleaned_data["reason"], now=timezone.now())
            messages.success(request, _("Payouts are frozen. No money moved; what comes in is still recorded."))
            return redirect("status")
    return render(request, "status/freeze.html", {"form": form}, status=code)


def _in_force(request: AuthedRequest, freeze_id: str) -> Freeze:
    require(request.user, "freeze.lift")
    held = find_freeze(freeze_id)
    if held is None:
        raise Http404
    return held


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def status_ask(request: AuthedRequest, freeze_id: str) -> HttpResponseBase:
    """Ask to lift a freeze; payouts stay frozen until another person confirms."""
    held = _in_force(request, freeze_id)
    form = AskForm(request.POST or None)
    code = 200
    if request.method == "POST":
        code = 422
        if form.is_valid():
            try:
                ask_lift(actor=request.user, freeze_id=held.pk, reason=form.cleaned_data["reason"], now=timezone.now())
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                code = refusal.status
            else:
                messages.success(request, _("You asked. Payouts stay frozen until another person confirms."))
                return redirect("status")
    return render(request, "status/ask.html", {"form": form, "held": held}, status=code)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def status_lift(request: AuthedRequest, freeze_id: str) -> HttpResponseBase:
    """Confirm, as another person, that a freeze is lifted; after a restore, beside what the bank says."""
    held = _in_force(request, freeze_id)
    form = LiftForm(request.POST if request.method == "POST" else None)
    code = 200
    if request.method == "POST" and form.is_valid():
        try:
            lift_freeze(
                actor=request.user, freeze_id=held.pk, gap_reason=form.cleaned_data["gap_reason"], now=timezone.now()
            )
        except (Forbidden, Conflict) as refusal:
            add_domain_error(form, refusal)
            code = refusal.status
        else:
            messages.success(request, _("The freeze is lifted. No money moved."))
            return redirect("status")
    elif request.method == "POST":
        code = 422
    rows = compare_with_bank(held) if held.cause == "restore" else []
    return render(request, "status/lift.html", {"form": form, "held": held, "rows": rows}, status=code)


urlpatterns = [
    path("status/", status, name="status"),
    path("status/freeze/", status_freeze, name="status_freeze"),
    path("status/freezes/<str:freeze_id>/ask/", status_ask, name="status_ask"),
    path("status/freezes/<str:freeze_id>/lift/", status_lift, name="status_lift"),
]
