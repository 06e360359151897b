"""The page of a pledge: how to pay what is called, each instalment with its papers; how it is changed and ended."""

import re
from typing import Any

import segno.helpers
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.money import to_decimal
from backend.events.models import Event
from backend.identity.models import HostBankAccount
from backend.identity.permissions import may, require
from backend.identity.recordings import recordings_of
from backend.identity.services import host_day, the_host
from backend.operations.papers import papers_for
from backend.payments.models import Payment
from backend.pledges.calendar import MONTHS, next_due
from backend.pledges.coming import next_days
from backend.pledges.models import Instalment, Pledge
from backend.pledges.services import (
    cancel_act,
    cancel_pledge,
    change_pledge,
    is_payer,
    pause_pledge,
    require_payer,
    resume_pledge,
    write_off_instalment,
)
from backend.web.acts import form_page
from backend.web.audit_lines import Line, lines
from backend.web.forms_pledges import ChangeForm, WhyForm
from backend.web.pages import AuthedRequest, cut, private
from backend.web.pledges import per_period

EPC_LARGEST = 999_999_999_99
CALLED = ("called", "pending", "partly_received", "failed")
# What the history of a pledge tells: what people did with it.
TOLD = (
    "pledge.made", "pledge.recorded", "gift.made", "pledge.changed", "pledge.paused", "pledge.resumed",
    "pledge.cancelled", "instalment.written_off",
)  # fmt: skip
HASH = re.compile(r"[0-9a-f]{8}…")  # as the audit trail shows the fingerprint of a text


def _readable(request: AuthedRequest) -> "QuerySet[Pledge]":
    return Pledge.visible_to(request.user).select_related(
        "budget__commons", "organisation", "person", "donor__claimed_by", "made_by"
    )


@private
@require_safe
def pledge_page(request: AuthedRequest, pledge_id: str) -> HttpResponse:
    """A pledge: what to pay now, its instalments and papers, what was received, what comes next."""
    pledge = get_object_or_404(_readable(request), pk=pledge_id)
    group = list(_readable(request).filter(group=pledge.group).order_by("pk"))
    awaiting = Instalment.objects.filter(pledge__in=group, state__in=CALLED, pledge__currency=pledge.currency)
    to_pay = sum(row.awaited for row in awaiting)
    account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()
    payments = Payment.visible_to(request.user).filter(pledge=pledge).order_by("received_on", "pk")
    instalments = cut(pledge.instalments.order_by("-number"), request)
    acts, active = is_payer(request.user, pledge), pledge.state == "active"
    recurring = bool(MONTHS[pledge.rhythm])
    settles = may(request.user, "pledge.write_off")
    context: dict[str, Any] = {
        "pledge": pledge,
        "what": per_period(pledge.amount, pledge.currency, pledge.rhythm),
        "recording": recordings_of([pledge.pk]).get(pledge.pk),
        "group": group if len(group) > 1 else [],
        "group_total": sum(one.amount for one in group),
        "to_pay": to_pay,
        "account": account,
        "qr": transfer_qr(pledge, account, to_pay) if account else "",
        "next_day": next_days([pledge], today=host_day(timezone.now())).get(pledge.pk),
        "instalments": instalments,
        "recurring": recurring,
        "payments": [{"row": row, "to_the_pot": row.amount - row.fee} for row in payments],
        "changeable": acts,
        "cancellable": acts and active,
        "next_amount": sum(one.amount for one in group if one.state == "active" and one.paused_at is None),
        "history": _history(request, pledge),
        "pausable": recurring and active and (acts or settles),
        "settles": settles,
    }
    papers = papers_for(request.user).in_bulk([row.document for row in instalments if row.document])
    for row in instalments:
        row.paper = papers.get(row.document)
    return render(request, "pledges/pledge.html", context)


def _history(request: AuthedRequest, pledge: Pledge) -> list[Line]:
    """What was done to a pledge, oldest first: by whom, what it changed. A free text is only said to have changed."""
    events = Event.objects.filter(subject=pledge.pk, kind__in=TOLD).select_related("actor").order_by("created_at", "pk")
    found = lines(events, all_pages=False)
    for line in found:
        line.changes[:] = [
            (name, "", _("another text")) if HASH.fullmatch(before) or HASH.fullmatch(after) else change
            for change in line.changes
            for name, before, after in [change]
        ]
    return found


def transfer_qr(pledge: Pledge, account: HostBankAccount, amount: int | None = None) -> SafeString:
    """The EPC QR code (EPC069-12) of a transfer, as inline SVG; empty when the format cannot say it.

    Args: amount: minor units; what is still awaited of the pledge when not given.
    """
    asked = pledge.expected if amount is None else amount
    if pledge.currency != "EUR" or not 0 < asked <= EPC_LARGEST:
        return SafeString("")
    code = segno.helpers.make_epc_qr(
        name=account.host.name[:70],
        iban=account.iban,
        bic=account.bic or None,
        amount=to_decimal(asked, pledge.currency),
        reference=pledge.reference,
        encoding="utf-8",
    )
    # Only segno's own drawing: nothing typed by anyone is in it.
    return SafeString(code.svg_inline(omitsize=True, border=2, dark="#000", light="#fff"))


def _mine(request: AuthedRequest, pledge_id: str) -> Pledge:
    """A pledge of those for whom the reader acts; a 404, or a refusal for who may only read it."""
    pledge = get_object_or_404(_readable(request), pk=pledge_id)
    require_payer(request.user, pledge)
    return pledge


@private
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_change(request: AuthedRequest, pledge_id: str) -> HttpResponseBase:
    """Change a pledge from its next instalment on. Moves no money."""
    pledge = _mine(request, pledge_id)
    today = host_day(timezone.now())
    amount_open = bool(MONTHS[pledge.rhythm]) or pledge.instalments.filter(state="due").exists()
    form = ChangeForm(
        request.POST if request.method == "POST" else None, pledge=pledge, amount_open=amount_open, today=today
    )

    def act() -> HttpResponseBase:
        change_pledge(actor=request.user, pledge_id=pledge.pk, changes=form.changes, now=timezone.now())
        messages.success(request, _("The pledge is changed. No money moved."))
        return redirect("pledge_page", pledge_id=pledge.pk)

    following = next_days([pledge], today=today).get(pledge.pk)
    context = {"pledge": pledge, "next_day": following, "amount_open": amount_open}
    return form_page(request, form, act, "pledges/change.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_cancel(request: AuthedRequest, pledge_id: str) -> HttpResponse:
    """Ask for a confirmation, then cancel what is still awaited of a pledge. Moves no money."""
    pledge = _mine(request, pledge_id)
    if request.method == "POST" and "all" in request.POST:
        cancel_act(actor=request.user, pledge_id=pledge.pk, now=timezone.now())
        messages.success(
            request, _("All the pledges made together are cancelled. Nothing more is awaited, and no money moved.")
        )
        return redirect("pledge_page", pledge_id=pledge.pk)
    if request.method == "POST":
        cancel_pledge(actor=request.user, pledge_id=pledge.pk, now=timezone.now())
        messages.success(request, _("The pledge is cancelled. Nothing more is awaited, and no money moved."))
        return redirect("pledge_page", pledge_id=pledge.pk)
    if pledge.state != "active":
        return redirect("pledge_page", pledge_id=pledge.pk)
    called = pledge.instalments.filter(state__in=CALLED).order_by("number")
    together = _readable(request).filter(group=pledge.group, state="active").order_by("pk")
    return render(request, "pledges/cancel.html", {
        "pledge": pledge, "together": together if len(together) > 1 else [], "called": called,
        "recurring": bool(MONTHS[pledge.rhythm]),
        "what": per_period(pledge.amount, pledge.currency, pledge.rhythm),
    })  # fmt: skip


@private
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_pause(request: AuthedRequest, pledge_id: str) -> HttpResponseBase:
    """Pause a pledge with a reason, or take it up again. Moves no money."""
    pledge = get_object_or_404(_readable(request), pk=pledge_id)
    if not may(request.user, "pledge.write_off"):
        require_payer(request.user, pledge)
    if pledge.state != "active" or not MONTHS[pledge.rhythm]:
        return redirect("pledge_page", pledge_id=pledge.pk)
    if pledge.paused_at is not None:
        if request.method == "POST":
            resume_pledge(actor=request.user, pledge_id=pledge.pk, now=timezone.now())
            messages.success(request, _("The pledge goes on. No money moved."))
            return redirect("pledge_page", pledge_id=pledge.pk)
        following = next_due(
            pledge.starts_on, pledge.rhythm, after=host_day(timezone.now()), ends_on=pledge.ends_on
        )  # fmt: skip
        return render(request, "pledges/resume.html", {"pledge": pledge, "following": following})
    form = WhyForm(request.POST if request.method == "POST" else None)

    def act() -> HttpResponseBase:
        pause_pledge(
            actor=request.user, pledge_id=pledge.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )  # fmt: skip
        messages.success(request, _("The pledge is paused: no further instalment is called. No money moved."))
        return redirect("pledge_page", pledge_id=pledge.pk)

    return form_page(request, form, act, "pledges/pause.html", {"pledge": pledge})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def instalment_write_off(request: AuthedRequest, instalment_id: str) -> HttpResponseBase:
    """Give up what is awaited of an instalment, with a reason. Moves no money."""
    rows = Instalment.objects.filter(pledge__in=Pledge.visible_to(request.user))
    rows = rows.select_related("pledge__budget__commons", "pledge__organisation", "pledge__person", "pledge__donor")
    row = get_object_or_404(rows, pk=instalment_id)
    require(request.user, "pledge.write_off")
    form = WhyForm(request.POST if request.method == "POST" else None)

    def act() -> HttpResponseBase:
        write_off_instalment(
            actor=request.user, instalment_id=row.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )
        messages.success(request, _("The instalment is written off: it is expected no more. No money moved."))
        return redirect("pledge_page", pledge_id=row.pledge_id)

    if request.method != "POST" and not row.awaited:
        return redirect("pledge_page", pledge_id=row.pledge_id)
    return form_page(request, form, act, "pledges/write_off.html", {"row": row, "pledge": row.pledge})


urlpatterns = [
    path("pledges/<slug:pledge_id>/", pledge_page, name="pledge_page"),
    path("pledges/<slug:pledge_id>/change/", pledge_change, name="pledge_change"),
    path("pledges/<slug:pledge_id>/pause/", pledge_pause, name="pledge_pause"),
    path("pledges/<slug:pledge_id>/cancel/", pledge_cancel, name="pledge_cancel"),
    path("instalments/<slug:instalment_id>/write-off/", instalment_write_off, name="instalment_write_off"),
]
