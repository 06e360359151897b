"""The treasurers' pages of the provider's money: one movement, its payouts, disputes, and refunds through it."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.banking.models import BankLine
from backend.banking.provider_lines import lines_taking_back, tie_returned_payout
from backend.core.errors import Conflict, Invalid
from backend.core.money import decimal_text, format_money
from backend.identity.permissions import may, require
from backend.payments.models import Dispute, Movement, Payment, ProviderPayout, ProviderRefund
from backend.payments.movements import bear_movement, explain_movement, may_be_borne
from backend.payments.provider_refunds import approve_refund, ask_refund, refundable, refuse_refund
from backend.pledges.models import Pledge
from backend.web.acts import form_page
from backend.web.forms_paying import DecisionForm, ProviderRefundForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private

PAYER = ("pledge__organisation", "pledge__person", "pledge__donor", "pledge__budget__commons")
SUGGESTED = 10
LONGEST_ID = 18  # digits that PostgreSQL’s bigint always holds


@private
@require_http_methods(["GET", "HEAD", "POST"])
def movement_page(request: AuthedRequest, movement_id: str) -> HttpResponseBase:
    """One movement and what it booked; one that waits in suspense is tied to the pledge it was paid for, or to the line
    by which the bank took a payout back, or borne by the host."""
    require(request.user, "provider.read")
    row = get_object_or_404(Movement.objects.select_related("explained_by"), pk=movement_id)
    if request.method == "POST":
        require(request.user, "bank.match")
    refusal, status = None, 200
    sent = request.POST if request.method == "POST" else request.GET
    chosen_id = sent.get("pledge", "")
    if request.method == "POST":
        try:
            messages.success(request, _explained(request, row))
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            return redirect("movement_page", row.pk)
    whole = row.kind == "charge" and row.suspended == row.amount
    ties = row.state == "reported" and whole and may(request.user, "bank.match")
    pledges = Pledge.visible_to(request.user).filter(state__in=["active", "fulfilled"], currency=row.currency)
    pledges = pledges.select_related("organisation", "person", "donor", "budget__commons")
    sought = " ".join(request.GET.get("q", "").split())[:80]
    context = {
        "row": row,
        "refusal": refusal,
        "ties": ties,
        "chosen": pledges.filter(pk=chosen_id).first() if ties and chosen_id else None,
        "sought": sought,
        "pledges": _sought(pledges, sought)[:SUGGESTED] if ties else [],
        "payments": _payments(row.charge),
        "line": _line_of(row),
        "bears": may_be_borne(row) and may(request.user, "bank.match"),
        "reason": request.POST.get("reason", ""),
        "back": lines_taking_back(request.user, row),
    }
    return render(request, "provider/movement.html", context, status=status)


def _explained(request: AuthedRequest, row: Movement) -> str:
    """Do what a treasurer says of a movement that waits, and say what was done."""
    values: dict[str, Any] = {"actor": request.user, "movement_id": row.pk, "now": timezone.now()}
    act = request.POST.get("act", "")
    if act == "bear":
        bear_movement(**values, reason=request.POST.get("reason", ""))
        return _("The host bears it: it left suspense for the provider’s fees. Nothing left the provider.")
    if act == "line":
        line = request.POST.get("line", "")
        known = line.isascii() and line.isdecimal() and len(line) <= LONGEST_ID
        tie_returned_payout(**values, line_id=int(line) if known else 0)
        return _("It is tied to the line: both left suspense, and the provider has the money again.")
    explain_movement(**values, pledge_id=request.POST.get("pledge", ""))
    return _("It is tied to the pledge: the money left suspense for the pot.")


def _sought(pledges: "QuerySet[Pledge]", sought: str) -> "QuerySet[Pledge]":
    """The pledges that await money, the newest first, or those of a payer or reference."""
    if not sought:
        return pledges.filter(expected__gt=0).order_by("-created_at", "-pk")
    named = Q(organisation__name__icontains=sought) | Q(person__name__icontains=sought)
    return pledges.filter(named | Q(reference__icontains=sought.replace(" ", ""))).order_by("-created_at", "-pk")


def _payments(charge: str) -> "QuerySet[Payment]":
    """What a charge was booked as."""
    if not charge:
        return Payment.objects.none()
    return Payment.objects.filter(charge=charge).select_related(*PAYER).order_by("pk")


def _line_of(row: Movement) -> BankLine | None:
    """The bank line that settled the payout of a movement, or that took it back."""
    if row.kind == "payout_failure":
        return BankLine.objects.filter(matched_to=row.pk).first()
    payout = ProviderPayout.objects.filter(remote_id=row.of).first() if row.kind == "payout" else None
    return BankLine.objects.filter(matched_to=payout.pk).first() if payout is not None else None


@private
@require_safe
def provider_payouts(request: AuthedRequest) -> HttpResponse:
    """What the provider sends to the bank: on its way, the soonest first; then what the bank showed."""
    require(request.user, "provider.read")
    rows = ProviderPayout.objects.all()
    page = cut(rows.exclude(state="sent").order_by("-arrives_on", "-pk"), request)
    lines = {
        line.matched_to: line for line in BankLine.objects.filter(matched_to__in=[row.pk for row in page.object_list])
    }
    for row in page.object_list:
        row.bank_line = lines.get(row.pk)
    context = {"awaited": rows.filter(state="sent").order_by("arrives_on", "pk"), "page": page}
    return render(request, "provider/payouts.html", context)


@private
@require_safe
def disputes(request: AuthedRequest) -> HttpResponse:
    """What payers' banks ask back: those to answer first, each with the days left; then those that are over."""
    require(request.user, "provider.read")
    now = timezone.now()
    alive = list(Dispute.objects.filter(state__in=["warning", "opened"]).order_by("answer_by", "pk"))
    page = cut(Dispute.objects.exclude(state__in=["warning", "opened"]).order_by("-opened_at", "-pk"), request)
    _with_payers([*alive, *page.object_list], now)
    return render(request, "provider/disputes.html", {"alive": alive, "page": page})


def _with_payers(rows: list[Dispute], now: datetime) -> None:
    """Give each dispute its payments, and the days left to answer it: None without a last day."""
    found: dict[str, list[Payment]] = {}
    for one in Payment.objects.filter(charge__in=[row.charge for row in rows]).select_related(*PAYER).order_by("pk"):
        found.setdefault(one.charge, []).append(one)
    for row in rows:
        row.payments = found.get(row.charge, [])  # type: ignore[attr-defined]  # for the template
        row.days_left = max(0, (row.answer_by - now).days) if row.answer_by else None  # type: ignore[attr-defined]


@private
@require_safe
def provider_refunds(request: AuthedRequest) -> HttpResponse:
    """The refunds through the provider: those that wait first, then the others, the newest first."""
    require(request.user, "provider.read")
    rows = ProviderRefund.objects.select_related("asked_by", "decided_by")
    context = {
        "waiting": rows.filter(state__in=ProviderRefund.OPEN).order_by("asked_at", "pk"),
        "page": cut(rows.exclude(state__in=ProviderRefund.OPEN).order_by("-asked_at", "-pk"), request),
    }
    return render(request, "provider/refunds.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def provider_refund_new(request: AuthedRequest, charge: str) -> HttpResponseBase:
    """Ask that a payment, or a part of it, goes back to the card or account it came from. Moves no money yet."""
    require(request.user, "provider_refund.ask")
    payments = list(_payments(charge))
    if not payments:
        raise Http404
    currency, left = payments[0].currency, refundable(charge)
    form = ProviderRefundForm(
        request.POST or None, currency=currency, initial={"amount": decimal_text(left, currency) if left else ""}
    )

    def act() -> HttpResponseBase:
        made = ask_refund(actor=request.user, charge=charge, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("The refund is asked for. Nothing moved: another treasurer approves it."))
        return redirect("provider_refund", made.pk)

    context = {"payments": payments, "payment": payments[0], "charge": charge, "left": left, "currency": currency}
    return form_page(request, form, act, "provider/refund_new.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def provider_refund(request: AuthedRequest, refund_id: str) -> HttpResponseBase:
    """One refund: what it gives back, to whom, where it stands; another treasurer approves or refuses it here."""
    require(request.user, "provider.read")
    refund = get_object_or_404(ProviderRefund.objects.select_related("asked_by", "decided_by"), pk=refund_id)
    if request.method == "POST":
        return _decide(request, refund)
    return render(request, "provider/refund.html", {"form": DecisionForm(), **_refund(request, refund)})


def _refund(request: AuthedRequest, refund: ProviderRefund) -> dict[str, Any]:
    payments = list(_payments(refund.charge))
    waits = refund.state == "asked" and may(request.user, "provider_refund.approve")
    return {
        "refund": refund,
        "payments": payments,
        "payment": payments[0] if payments else None,
        "own": refund.asked_by_id == request.user.pk,
        "decides": waits,
        "approves": waits and refund.asked_by_id != request.user.pk,
        "operation": refund.operation,
    }


@fresh_factor
def _decide(request: AuthedRequest, refund: ProviderRefund) -> HttpResponseBase:
    require(request.user, "provider_refund.approve")
    form = DecisionForm(request.POST)

    def act() -> HttpResponseBase:
        values: dict[str, Any] = {"actor": request.user, "refund_id": refund.pk, "now": timezone.now()}
        if form.cleaned_data["act"] == "approve":
            approve_refund(**values, advance=form.cleaned_data["advance"])
            said = _("%(amount)s go back to the payer: the provider is asked now, and this page says when it is done.")
            messages.success(request, said % {"amount": format_money(refund.amount, refund.currency)})
        else:
            refuse_refund(**values, reason=form.cleaned_data["reason"])
            messages.success(request, _("The refund is refused. No money moved."))
        return redirect("provider_refund", refund.pk)

    return form_page(request, form, act, "provider/refund.html", _refund(request, refund))


urlpatterns = [
    path("provider/movements/<str:movement_id>/", movement_page, name="movement_page"),
    path("provider/payouts/", provider_payouts, name="provider_payouts"),
    path("provider/disputes/", disputes, name="disputes"),
    path("provider/refunds/", provider_refunds, name="provider_refunds"),
    path("provider/refunds/<str:refund_id>/", provider_refund, name="provider_refund"),
    path("charges/<str:charge>/refund/", provider_refund_new, name="provider_refund_new"),
]
