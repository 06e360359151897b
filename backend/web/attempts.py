"""The pages of transfers that were handed to the bank: their attempts, and what is known of those that failed."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Invalid
from backend.distributions.models import Share
from backend.identity.permissions import may, require
from backend.payouts.models import PaidRefund, PaidShare, Payout, PayoutBatch
from backend.payouts.reasons import in_words
from backend.payouts.undoing import (
    WITH_THE_BANK,
    bank_has_it,
    bank_refused,
    bank_refused_all,
    doubt,
)
from backend.web.forms import add_domain_error
from backend.web.forms_attempts import OutcomeForm, RefusedForm
from backend.web.pages import AuthedRequest, fresh_factor, private

FAILED = ("returned", "rejected")


@dataclass(frozen=True)
class Step:
    """One thing that happened to a transfer. `when` is a moment, or the bank's day."""

    when: "datetime | date | None"
    what: str
    who: str = ""
    tone: str = ""


def steps(payout: Payout) -> list[Step]:
    """What happened to a transfer, in order, its batch's steps among them."""
    batch = payout.batch
    found = [Step(batch.prepared_at, _("Prepared"), batch.prepared_by.name)]
    if batch.approved_by is not None:
        found.append(Step(batch.approved_at, _("Approved"), batch.approved_by.name))
    if batch.sent_at:
        found.append(Step(batch.sent_at, _("Handed to the bank")))
    if batch.state == "unknown" and payout.state == "sent":
        found.append(Step(None, _("In doubt: nobody knows whether the bank took the file"), tone="wait"))
    if payout.settled_on:
        found.append(Step(payout.settled_on, _("Seen leaving on the statement"), tone="ok"))
    if payout.undone_on:
        said = in_words(payout.undone_code) if payout.undone_code else ""
        words = _("Sent back by the bank") if payout.state == "returned" else _("Refused by the bank")
        why = ": ".join(part for part in (said, payout.undone_reason) if part)
        by = payout.undone_by.name if payout.undone_by else ""
        found.append(Step(payout.undone_on, f"{words} ({why})" if why else words, by, tone="no"))
    if payout.state == "cancelled":
        found.append(Step(None, _("Never handed to the bank: its batch was refused"), tone="no"))
    return found


def attempts_for(share: Share) -> list[tuple[Payout, list[Step]]]:
    """Every transfer that was made ready for a share, the last one first, each with its steps."""
    links = PaidShare.objects.filter(share=share).values("payout")
    return _told(links)


def _told(links: Any) -> list[tuple[Payout, list[Step]]]:
    rows = Payout.objects.filter(pk__in=links).select_related(
        "batch__prepared_by", "batch__approved_by", "batch__account", "undone_by"
    )
    return [(payout, steps(payout)) for payout in rows.order_by("-batch__prepared_at", "-pk")]


def _payout(request: AuthedRequest, payout_id: str) -> Payout:
    rows = Payout.objects.filter(batch__in=PayoutBatch.visible_to(request.user))
    return get_object_or_404(rows.select_related("batch__account", "payee", "refund__pledge"), pk=payout_id)


@private
@require_safe
def payout_page(request: AuthedRequest, payout_id: str) -> HttpResponse:
    """One transfer: what it pays, and every attempt to pay it."""
    payout = _payout(request, payout_id)
    shares = [link.share for link in payout.shares.select_related("share__distribution__period__budget").order_by("pk")]
    links: Any = PaidShare.objects.filter(share__in=shares).values("payout")
    if payout.refund_id:
        links = PaidRefund.objects.filter(refund=payout.refund_id).values("payout")
    return render(
        request,
        "treasury/payout.html",
        {
            "payout": payout,
            "batch": payout.batch,
            "shares": shares,
            "attempts": _told(links),
            "can_refuse": payout.state == "sent" and may(request.user, "payout.undo"),
        },
    )


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def payout_refused(request: AuthedRequest, payout_id: str) -> HttpResponseBase:
    """Say that the bank refused one transfer. Books that its money never left."""
    payout = _payout(request, payout_id)
    require(request.user, "payout.undo")
    form = RefusedForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                bank_refused(actor=request.user, payout_id=payout.pk, now=timezone.now(), **form.cleaned_data)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(
                    request,
                    _("It is booked that this transfer never left: what it paid can be paid again, by a new batch."),
                )
                return redirect("payout_page", payout.pk)
    elif payout.state != "sent":
        return redirect("payout_page", payout.pk)
    context = {"payout": payout, "batch": payout.batch, "form": form}
    return render(request, "treasury/payout_refused.html", context, status=status)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def batch_outcome(request: AuthedRequest, batch_id: str) -> HttpResponseBase:
    """Say what became of a batch that was handed to the bank, when no statement says it."""
    batches = PayoutBatch.visible_to(request.user).select_related("account")
    batch = get_object_or_404(batches, pk=batch_id)
    require(request.user, "payout.undo")
    form = OutcomeForm(request.POST or None, in_doubt=batch.state == "unknown")
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                words = _say(request, batch, **form.cleaned_data)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, words)
                return redirect("batch_page", batch.pk)
    elif batch.state not in WITH_THE_BANK:
        return redirect("batch_page", batch.pk)
    context = {"batch": batch, "form": form, "count": batch.payouts.filter(state="sent").count()}
    return render(request, "treasury/outcome.html", context, status=status)


def _say(request: AuthedRequest, batch: PayoutBatch, *, outcome: str, code: str, reason: str) -> str:
    actor, now = request.user, timezone.now()
    if outcome == "refused":
        bank_refused_all(actor=actor, batch_id=batch.pk, code=code, reason=reason, now=now)
        return _("It is booked that these transfers never left: what they paid can be paid again, by a new batch.")
    if outcome == "found":
        bank_has_it(actor=actor, batch_id=batch.pk, reason=reason, now=now)
        return _("The bank has the file: its transfers are awaited on the statement. No money moved.")
    doubt(actor=actor, batch_id=batch.pk, reason=reason, now=now)
    return _("The batch is in doubt. No money moved, and nothing of it can be paid again until somebody knows.")


urlpatterns = [
    path("payouts/lines/<str:payout_id>/", payout_page, name="payout_page"),
    path("payouts/lines/<str:payout_id>/refused/", payout_refused, name="payout_refused"),
    path("payouts/<str:batch_id>/outcome/", batch_outcome, name="batch_outcome"),
]
