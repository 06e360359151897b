"""Gifts without an account: the form, the page of each gift behind its own link, and taking gifts into an account."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from backend.commons.models import Budget, Commons
from backend.commons.services import OPEN_TO_PLEDGES, root_budget
from backend.core.errors import Conflict, Invalid, NotFound
from backend.identity.services import host_day, the_host
from backend.payments.fees import fee_of
from backend.pledges.calendar import next_due
from backend.pledges.donations import (
    claim_gifts,
    claimed_gift,
    gift_code,
    gift_of,
    gifts_to_claim,
    give,
    own_gifts,
    stop_gift,
)
from backend.pledges.models import Pledge
from backend.privacy.donors import forget_donor
from backend.web.charter_words import percent
from backend.web.forms import add_domain_error, new_form_key
from backend.web.forms_giving import GiftForm
from backend.web.pages import AuthedRequest, cut, private
from backend.web.pledge_pages import transfer_qr

DEMO_MAIL = "demo_mail"  # in the session: see backend.web.demo


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def give_page(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Promise a gift to a commons without an account. Moves no money."""
    commons = get_object_or_404(Commons.listed(), slug=slug)
    root = root_budget(commons)
    context: dict[str, Any] = {"commons": commons, "form": None, **_kept(root)}
    if root.state not in OPEN_TO_PLEDGES:
        return render(request, "giving/give.html", context, status=409 if request.method == "POST" else 200)
    start = {"form_key": new_form_key(), "preset": "20", "rhythm": "once"}
    form = GiftForm(request.POST if request.method == "POST" else None, initial=start, currency=root.currency)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            values = form.cleaned_data
            try:
                pledge = give(
                    budget=root, name=values["name"], email=values["email"], amount=values["minor"],
                    currency=root.currency, rhythm=values["rhythm"], named=values["named"],
                    language=get_language() or "fr", form_key=values["form_key"], now=timezone.now(),
                )  # fmt: skip
                _remember(request, values["email"])
                return redirect("gift_page", code=gift_code(pledge))
            except (Invalid, Conflict) as error:
                add_domain_error(form, error)
                status = error.status
    return render(request, "giving/give.html", {**context, "form": form}, status=status)


def _remember(request: HttpRequest, email: str) -> None:
    """In a demonstration alone: this browser may read there the mail of the addresses that it gave with."""
    if settings.DEMO:
        mine = [one for one in request.session.get(DEMO_MAIL, []) if one != email]
        request.session[DEMO_MAIL] = [*mine, email][-10:]


@never_cache
@require_http_methods(["GET", "HEAD"])
def gift_page(request: HttpRequest, code: str) -> HttpResponse:
    """A gift: how to pay it, what was received, the next day. Whoever has its address reads it.

    Whoever took it into their account is led to it there, for the messages they kept.
    """
    try:
        pledge = gift_of(code)
    except NotFound:
        mine = claimed_gift(code, request.user) if request.user.is_authenticated else None
        if mine is None:
            raise
        return redirect("pledge_page", pledge_id=mine.pk)
    return render(request, "giving/gift.html", {"code": code, **_gift(pledge)})


def _kept(budget: Budget) -> dict[str, Any]:
    """What the host keeps of a gift to this budget, as its pages say it."""
    rate = fee_of(budget)
    return {"fee_bp": rate, "fee_rate": percent(rate), "keeper": the_host().name}


def _gift(pledge: Pledge) -> dict[str, Any]:
    account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()
    following = None
    if pledge.state == "active" and pledge.paused_at is None:
        following = next_due(pledge.starts_on, pledge.rhythm, after=host_day(timezone.now()), ends_on=pledge.ends_on)
    return {
        "pledge": pledge,
        "account": account,
        **_kept(pledge.budget),
        "qr": transfer_qr(pledge, account) if account else "",
        "next_day": following[1] if following else None,
        "instalments": list(pledge.instalments.order_by("-number")[:24]),
    }


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def gift_stop(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for a confirmation, then stop a gift. Moves no money."""
    pledge = gift_of(code)
    if request.method == "POST":
        stop_gift(code=code, now=timezone.now())
        messages.success(request, _("The gift is stopped. Nothing more is awaited, and no money moved."))
        return redirect("gift_page", code=code)
    if pledge.state != "active":
        return redirect("gift_page", code=code)
    return render(request, "giving/stop.html", {"code": code, "pledge": pledge})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def gift_forget(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for a confirmation, then forget who gave. Moves no money."""
    pledge = gift_of(code)
    if request.method == "POST":
        forget_donor(code=code, now=timezone.now())
        messages.success(request, _("Your name and your address are erased here. No money moved."))
        return redirect("commons_page", slug=pledge.budget.commons.slug)
    return render(request, "giving/forget.html", {"code": code, "pledge": pledge})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def gifts(request: AuthedRequest) -> HttpResponse:
    """What the reader gives in their own name; what they gave before they had an account is taken in here."""
    if request.method == "POST":
        count = claim_gifts(actor=request.user, now=timezone.now())
        if count:
            said = ngettext("%(count)s gift is in your account now.", "%(count)s gifts are in your account now.", count)
            messages.success(request, said % {"count": count})
        else:
            messages.warning(request, _("No gift was made from an address that you have verified."))
        return redirect("gifts")
    context = {"gifts": cut(own_gifts(request.user), request), "waiting": list(gifts_to_claim(request.user))}
    return render(request, "giving/gifts.html", context)


urlpatterns = [
    path("commons/<slug:slug>/give/", give_page, name="give"),
    path("gifts/<str:code>/", gift_page, name="gift_page"),
    path("gifts/<str:code>/stop/", gift_stop, name="gift_stop"),
    path("gifts/<str:code>/forget/", gift_forget, name="gift_forget"),
    path("account/gifts/", gifts, name="gifts"),
]
