"""The pages of accounting months: one treasurer asks to lock or unlock a month, another one does it."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.banking.models import BankLine
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.identity.services import host_day, people_with, the_host
from backend.ledger.closing import month_after
from backend.ledger.services import (
    Closing,
    ask_lock,
    ask_unlock,
    closings,
    keep_locked,
    lock,
    next_month,
    open_from,
    unlock,
    unsealed,
    withdraw,
)
from backend.web.forms import add_domain_error
from backend.web.forms_books import UnlockForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private


def others(actor: User) -> list[str]:
    """The names of the other treasurers: those who can do what one has asked for."""
    return [person.name for person in people_with("treasurer", [the_host().pk]) if person.pk != actor.pk]


@private
@require_safe
def months(request: AuthedRequest) -> HttpResponse:
    """Where the books are open, the month that comes next, what waits, and the history."""
    require(request.user, "ledger.read")
    acts = may(request.user, "month.lock")
    found = closings()
    first = next_month()
    live = found.filter(withdrawn_at=None, unlocked_at=None)
    asked = live.filter(locked_at=None).first()
    last = live.exclude(locked_at=None).first()
    return render(
        request,
        "books/months.html",
        {
            "page": cut(found, request),
            "open_from": open_from(),
            "asked": asked,
            "asked_mine": asked is not None and asked.asked_by_id == request.user.pk,
            "next": first,
            "next_ends": month_after(first) if first else None,
            "next_over": first is not None and host_day(timezone.now()) >= month_after(first),
            "last": last,
            "unlock_mine": last is not None and last.unlock_asked_by_id == request.user.pk,
            "acts": acts,
            "others": others(request.user),
        },
    )


def _closing(closing_id: str) -> Closing:
    found = closings().filter(pk=closing_id).first()
    if found is None:
        raise Http404
    return found


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def month_ask(request: AuthedRequest) -> HttpResponseBase:
    """Ask that the next month be locked; nothing is locked before another treasurer does it."""
    require(request.user, "month.lock")
    first = next_month()
    form, code = forms.Form(request.POST if request.method == "POST" else None), 200
    if request.method == "POST" and first is not None:
        # The month that was on the page is the one that is asked for, whatever was locked meanwhile.
        shown = request.POST.get("month", "")
        try:
            if shown != first.isoformat():
                raise Conflict("closing_moved_on", _("Another month comes next by now: read this page again."))
            ask_lock(actor=request.user, first_day=first, now=timezone.now())
        except Conflict as refusal:
            code = _say(form, refusal)
        else:
            messages.success(request, _("You asked. The month stays open until another treasurer locks it."))
            return redirect("months")
    return render(request, "books/month_ask.html", {"form": form, "others": others(request.user), **_facts(first)},
                  status=code)  # fmt: skip


def _facts(first: date | None) -> dict[str, Any]:
    """What one looks at before a month is locked."""
    if first is None:
        return {"first": None}
    end = month_after(first)
    return {
        "first": first,
        "ends_before": end,
        "last_day": end - timedelta(days=1),
        "over": host_day(timezone.now()) >= end,
        "unsealed": unsealed(first=first, last=end - timedelta(days=1)),
        "unidentified": BankLine.objects.filter(state__in=["suspect", "suggested"], booked_on__lt=end).count(),
    }


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def month_lock(request: AuthedRequest, closing_id: str) -> HttpResponseBase:
    """Lock the month as another treasurer, or take the request back or refuse it."""
    require(request.user, "month.lock")
    closing = _closing(closing_id)
    form, code = forms.Form(request.POST if request.method == "POST" else None), 200
    if request.method == "POST":
        leave = request.POST.get("act") == "withdraw"
        try:
            (withdraw if leave else lock)(actor=request.user, closing_id=closing.pk, now=timezone.now())
        except (Conflict, Forbidden) as refusal:
            code = _say(form, refusal)
            closing = _closing(closing_id)
        else:
            messages.success(
                request,
                _("The request is taken back. The month stays open; no money moved.")
                if leave
                else _("The month is locked: nothing more can be dated in it. No money moved."),
            )
            return redirect("months")
    context = {
        "form": form, "closing": closing, "mine": closing.asked_by_id == request.user.pk,
        "waits": not (closing.locked_at or closing.withdrawn_at), "others": others(request.user),
        **_facts(closing.first_day),
    }  # fmt: skip
    return render(request, "books/month_lock.html", context, status=code)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def month_unlock_ask(request: AuthedRequest, closing_id: str) -> HttpResponseBase:
    """Ask that the last locked month be unlocked, and say why."""
    require(request.user, "month.lock")
    closing = _closing(closing_id)
    form, code = UnlockForm(request.POST if request.method == "POST" else None), 200
    if request.method == "POST":
        code = 422
        if form.is_valid():
            try:
                ask_unlock(
                    actor=request.user, closing_id=closing.pk, reason=form.cleaned_data["reason"], now=timezone.now()
                )
            except (Invalid, Conflict) as refusal:
                code = _say(form, refusal)
            else:
                messages.success(request, _("You asked. The month stays locked until another treasurer unlocks it."))
                return redirect("months")
    context = {"form": form, "closing": closing, "others": others(request.user), "last": _is_last(closing)}
    return render(request, "books/month_unlock_ask.html", context, status=code)


def _is_last(closing: Closing) -> bool:
    """Whether a closing is the last one in force: the only one that can be undone."""
    return closing.locked_at is not None and closing.unlocked_at is None and closing.ends_before == open_from()


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def month_unlock(request: AuthedRequest, closing_id: str) -> HttpResponseBase:
    """Unlock the month as another treasurer, or take the request back or refuse it."""
    require(request.user, "month.lock")
    closing = _closing(closing_id)
    form, code = forms.Form(request.POST if request.method == "POST" else None), 200
    if request.method == "POST":
        leave = request.POST.get("act") == "keep"
        try:
            (keep_locked if leave else unlock)(actor=request.user, closing_id=closing.pk, now=timezone.now())
        except (Conflict, Forbidden) as refusal:
            code = _say(form, refusal)
            closing = _closing(closing_id)
        else:
            messages.success(
                request,
                _("The month stays locked. No money moved.")
                if leave
                else _("The month is open again: entries can be dated in it. No money moved."),
            )
            return redirect("months")
    context = {
        "form": form, "closing": closing, "mine": closing.unlock_asked_by_id == request.user.pk,
        "waits": closing.unlock_asked_at is not None and closing.unlocked_at is None, "others": others(request.user),
    }  # fmt: skip
    return render(request, "books/month_unlock.html", context, status=code)


def _say(form: forms.Form, refusal: DomainError) -> int:
    add_domain_error(form, refusal)
    return refusal.status


urlpatterns = [
    path("books/months/", months, name="months"),
    path("books/months/lock/", month_ask, name="month_ask"),
    path("books/months/<str:closing_id>/lock/", month_lock, name="month_lock"),
    path("books/months/<str:closing_id>/unlock/ask/", month_unlock_ask, name="month_unlock_ask"),
    path("books/months/<str:closing_id>/unlock/", month_unlock, name="month_unlock"),
]
