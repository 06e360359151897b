"""Paying by card or debit: what is asked, the provider's page, coming back from it, and a subscription that stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Invalid
from backend.identity.models import User
from backend.identity.services import the_host
from backend.payments.checkouts import ITSELF, returned, start_checkout
from backend.payments.models import Checkout, Subscription
from backend.payments.offering import offer_for, pages_of_the_provider, provider_shown
from backend.payments.operations import carry_out
from backend.payments.subscriptions import portal_address, resume_subscription
from backend.pledges.donations import gift_of
from backend.pledges.models import Pledge
from backend.pledges.services import is_payer, require_payer
from backend.web.acts import form_page
from backend.web.forms_paying import MethodForm
from backend.web.pages import AuthedRequest, private

View = Callable[..., HttpResponseBase]


def may_leave(view: View) -> View:
    """Let the forms of a page end on a page of the payment provider: the policy of browsers forbids it elsewhere."""

    @wraps(view)
    def allow(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = view(request, *args, **kwargs)
        answer._csp_update = {"form-action": pages_of_the_provider()}  # type: ignore[attr-defined]  # csp reads it
        return answer

    return allow


@dataclass(frozen=True)
class Payer:
    """Who pays what: a pledge, its reader when signed in, the code of a gift's link otherwise; `acts`: may pay it."""

    pledge: Pledge
    actor: User | None
    code: str
    acts: bool

    def back(self, checkout: str) -> str:
        """Where the provider sends this payer back to, whole. It keeps the address: that of a gift opens nothing.

        Args: checkout: the id of the payment page, or ITSELF for one that is being made.
        """
        return settings.BASE_URL + (reverse("gift_back", args=[checkout]) if self.code else self.url("payment"))

    def url(self, page: str) -> str:
        """The address of one of these pages for this payer: `pay`, `payment`, `subscription` or `page`."""
        if self.code:
            return reverse(f"gift_{page}", args=[self.code])
        return reverse(f"pledge_{page}", args=[self.pledge.pk])


def _reader(request: AuthedRequest, pledge_id: str) -> Payer:
    """Somebody signed in, and a pledge they may see; a 404 otherwise."""
    rows = Pledge.visible_to(request.user).select_related(
        "budget__commons", "organisation", "person", "donor__claimed_by"
    )
    pledge = get_object_or_404(rows, pk=pledge_id)
    return Payer(pledge, request.user, "", is_payer(request.user, pledge))


def _giver(code: str) -> Payer:
    """Whoever has the link of a gift."""
    return Payer(gift_of(code), None, code, acts=True)


@private
@may_leave
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_pay(request: AuthedRequest, pledge_id: str) -> HttpResponseBase:
    """Say what will be paid, then open the provider's page."""
    payer = _reader(request, pledge_id)
    require_payer(request.user, payer.pledge)
    return _pay(request, payer)


@never_cache
@may_leave
@require_http_methods(["GET", "HEAD", "POST"])
def gift_pay(request: HttpRequest, code: str) -> HttpResponseBase:
    """The same for a gift; whoever has its address may."""
    return _pay(request, _giver(code))


def _pay(request: Any, payer: Payer) -> HttpResponseBase:
    """The form, then the row, the network, and the provider's page; ours when the answer was lost."""
    offer = offer_for(payer.pledge)
    if offer is None:
        raise Http404
    if not offer.open and request.method != "POST":
        return redirect(payer.url("payment") if offer.pending or offer.latest else payer.url("page"))
    form = MethodForm(request.POST or None, methods=offer.methods)

    def act() -> HttpResponseBase:
        checkout = start_checkout(
            actor=payer.actor, code=payer.code, group=payer.pledge.group, method=form.cleaned_data["method"],
            language=get_language() or "fr", return_url=payer.back(ITSELF), now=timezone.now(),
        )  # fmt: skip
        carry_out(operation_id=checkout.operation_id, now=timezone.now())
        checkout.refresh_from_db()
        if checkout.state == "open" and checkout.address:
            return _see_other(checkout.address)
        return redirect(payer.url("payment"))

    return form_page(request, form, act, "paying/pay.html", {"offer": offer, **_context(payer)})


def _see_other(address: str) -> HttpResponse:
    """A 303: the browser asks for the provider's page, and sends it nothing of the form."""
    return HttpResponse(status=303, headers={"Location": address})


def _context(payer: Payer) -> dict[str, Any]:
    pledge = payer.pledge
    return {
        "payer": payer,
        "pledge": pledge,
        "together": Pledge.objects.filter(group=pledge.group).exclude(pk=pledge.pk).exists(),
        "host": the_host(),
        "provider": provider_shown(),
        "page_url": payer.url("page"),
        "pay_url": payer.url("pay"),
        "payment_url": payer.url("payment"),
        "subscription_url": payer.url("subscription"),
    }


@private
@require_safe
def pledge_payment(request: AuthedRequest, pledge_id: str) -> HttpResponse:
    """Where the last payment by card or debit of a pledge stands; the provider sends the payer back here."""
    return _payment(request, _reader(request, pledge_id))


@never_cache
@require_safe
def gift_payment(request: HttpRequest, code: str) -> HttpResponse:
    """The same for a gift."""
    return _payment(request, _giver(code))


def _payment(request: HttpRequest, payer: Payer) -> HttpResponse:
    """The truth is read again from the provider when somebody comes back, and at no other time."""
    rows = Checkout.objects.filter(group=payer.pledge.group).order_by("-created_at", "-pk")
    checkout = rows.first()
    if checkout is None:
        raise Http404
    if _read_again(request, checkout):
        payer.pledge.refresh_from_db()
    context = {**_context(payer), "checkout": checkout, "offer": offer_for(payer.pledge)}
    return render(request, "paying/payment.html", context)


def _read_again(request: HttpRequest, checkout: Checkout) -> bool:
    """Bring a payment in line with the provider when somebody comes back from there; whether it was read."""
    if "back" not in request.GET or checkout.state not in Checkout.PENDING:
        return False
    if checkout.state == "opening":  # its answer was lost, or is late
        carry_out(operation_id=checkout.operation_id, now=timezone.now())
    returned(checkout_id=checkout.pk, now=timezone.now())
    checkout.refresh_from_db()
    return True


@never_cache
@require_safe
def gift_back(request: HttpRequest, payment_id: str) -> HttpResponse:
    """Where the provider sends back who paid a gift. It keeps this address, which names nobody and opens nothing."""
    checkout = get_object_or_404(Checkout, pk=payment_id)
    gifts = Pledge.objects.select_related("budget__commons").filter(group=checkout.group, donor__isnull=False)
    pledge = gifts.order_by("pk").first()
    if pledge is None:
        raise Http404
    _read_again(request, checkout)
    context = {"checkout": checkout, "budget": pledge.budget, "provider": provider_shown(), "back": request.path}
    return render(request, "paying/back.html", context)


@private
@may_leave
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_subscription(request: AuthedRequest, pledge_id: str) -> HttpResponseBase:
    """A recurring payment: change the card, or take it up again after it failed."""
    payer = _reader(request, pledge_id)
    if request.method == "POST":
        require_payer(request.user, payer.pledge)
    return _subscription(request, payer)


@never_cache
@may_leave
@require_http_methods(["GET", "HEAD", "POST"])
def gift_subscription(request: HttpRequest, code: str) -> HttpResponseBase:
    """The same for a gift."""
    return _subscription(request, _giver(code))


def _subscription(request: HttpRequest, payer: Payer) -> HttpResponseBase:
    rows = Subscription.objects.filter(group=payer.pledge.group).order_by("-created_at", "-pk")
    subscription = rows.exclude(state="ended").first() or rows.first()
    if subscription is None:
        raise Http404
    error = ""
    status = 200
    if request.method == "POST":
        try:
            if request.POST.get("act") == "resume":
                resume_subscription(actor=payer.actor, code=payer.code, group=payer.pledge.group, now=timezone.now())
                messages.success(request, _("It is asked to go on. What was not paid during the pause is not taken."))
                return redirect(payer.url("subscription"))
            address = portal_address(
                group=payer.pledge.group, return_url=_after_portal(payer), language=get_language() or "fr"
            )
            return _see_other(address)
        except (Invalid, Conflict) as refusal:
            error, status = str(refusal), refusal.status
    context = {**_context(payer), "subscription": subscription, "error": error}
    return render(request, "paying/subscription.html", context, status=status)


def _after_portal(payer: Payer) -> str:
    """Where the provider's page to change a card leads back to: the page of this payment, of a gift the neutral one."""
    if not payer.code:
        return settings.BASE_URL + payer.url("subscription")
    page = Checkout.objects.filter(group=payer.pledge.group).order_by("-created_at", "-pk").first()
    commons = reverse("commons_page", args=[payer.pledge.budget.commons.slug])
    return payer.back(page.pk) if page is not None else settings.BASE_URL + commons


urlpatterns = [
    path("pledges/<slug:pledge_id>/pay/", pledge_pay, name="pledge_pay"),
    path("pledges/<slug:pledge_id>/payment/", pledge_payment, name="pledge_payment"),
    path("pledges/<slug:pledge_id>/subscription/", pledge_subscription, name="pledge_subscription"),
    path("gifts/<str:code>/pay/", gift_pay, name="gift_pay"),
    path("gifts/<str:code>/payment/", gift_payment, name="gift_payment"),
    path("payments/<slug:payment_id>/", gift_back, name="gift_back"),
    path("gifts/<str:code>/subscription/", gift_subscription, name="gift_subscription"),
]
