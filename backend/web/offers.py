"""Memberships that organisations offer the reader: they answer before anything begins."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backend.identity.models import Offer
from backend.identity.offers import answer_offer, offers_to
from backend.identity.organisations import take_offer_back
from backend.web.organisation_members import open_one
from backend.web.pages import AuthedRequest, private


@private
@require_safe
def offers(request: AuthedRequest) -> HttpResponse:
    """Who invites the reader to act for what."""
    return render(request, "organisations/offers.html", {"offers": offers_to(request.user)})


@private
@require_POST
def offer_answer(request: AuthedRequest, offer_id: str) -> HttpResponse:
    """Yes or no; moves no money."""
    act = request.POST.get("act", "")
    if act not in {"accept", "refuse"}:
        messages.warning(request, _("Choose to accept or to refuse. Nothing was changed."))
        return redirect("offers")
    row = answer_offer(actor=request.user, offer_id=offer_id, accept=act == "accept", now=timezone.now())
    if act == "refuse":
        messages.success(request, _("You do not act for %(organisation)s.") % {"organisation": row.organisation.name})
        return redirect("offers")
    messages.success(request, _("You may act for %(organisation)s now.") % {"organisation": row.organisation.name})
    return redirect("organisation_page", organisation_id=row.organisation_id)


@private
@require_POST
def offer_back(request: AuthedRequest, organisation_id: str, offer_id: str) -> HttpResponse:
    """A manager takes back what nobody answered yet; moves no money."""
    row = open_one(request, organisation_id, "organisation.invite")
    get_object_or_404(Offer, pk=offer_id, organisation=row)
    take_offer_back(actor=request.user, organisation_id=row.pk, offer_id=offer_id, now=timezone.now())
    messages.success(request, _("The invitation is taken back. No money moved."))
    return redirect("organisation_members", organisation_id=row.pk)


urlpatterns = [
    path("offers/", offers, name="offers"),
    path("offers/<slug:offer_id>/", offer_answer, name="offer_answer"),
    path("organisations/<slug:organisation_id>/offers/<slug:offer_id>/back/", offer_back, name="offer_back"),
]
