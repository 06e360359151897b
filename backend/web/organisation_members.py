"""An organisation from the inside: its details, its members, what each may pledge."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Prefetch
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.identity.models import Organisation, Role, SpendingLimit, User
from backend.identity.organisations import (
    address_of,
    change_member,
    edit_organisation,
    invite_member,
    leave,
    remove_member,
    set_limits,
)
from backend.identity.permissions import MEMBERS, may, require
from backend.identity.services import the_host
from backend.pledges.limits import limits_left
from backend.web.acts import form_page
from backend.web.forms_organisations import DetailsForm, InviteForm, MemberForm, typed_amount
from backend.web.forms_setup import here
from backend.web.pages import AuthedRequest, cut, fresh_factor, private


def open_one(request: AuthedRequest, organisation_id: str, action: str) -> Organisation:
    """An organisation that the reader may see, else 404; Forbidden when they may not do this to it."""
    row = get_object_or_404(Organisation.visible_to(request.user), pk=organisation_id, merged_into=None)
    require(request.user, action, scopes=[row.pk])
    return row


def _member(row: Organisation, user_id: str) -> User:
    held = Role.objects.filter(scope=row.pk, kind__in=MEMBERS).values("user")
    return get_object_or_404(User.objects.filter(pk__in=held), pk=user_id)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_details(request: AuthedRequest, organisation_id: str) -> HttpResponseBase:
    """What the organisation says of itself; moves no money."""
    row = open_one(request, organisation_id, "organisation.edit")
    address = address_of(row)
    start = {
        "name": row.name, "kind": row.kind, "siren": row.siren, "siret": row.siret, "vat_status": row.vat_status,
        "vat_number": row.vat_number, "email": row.email, "lines": address.lines, "postal_code": address.postal_code,
        "city": address.city, "country": address.country or "FR",
    }  # fmt: skip
    form = DetailsForm(request.POST if request.method == "POST" else None, initial=start)

    def act() -> HttpResponseBase:
        edit_organisation(actor=request.user, organisation_id=row.pk, details=form.details, now=timezone.now())
        messages.success(request, _("The details are kept. No money moved."))
        return redirect("organisation_page", organisation_id=row.pk)

    return form_page(request, form, act, "organisations/details.html", {"organisation": row})


@private
@require_safe
def organisation_members(request: AuthedRequest, organisation_id: str) -> HttpResponse:
    """Who acts for the organisation, as what, and up to how much."""
    row = open_one(request, organisation_id, "organisation.read")
    limits = SpendingLimit.objects.filter(organisation=row).order_by("currency", "per")
    roles = (
        Role.objects.filter(scope=row.pk, kind__in=MEMBERS)
        .select_related("user")
        .prefetch_related(Prefetch("user__spending_limits", queryset=limits))
        .order_by("kind", "user__name", "pk")
    )
    page = cut(roles, request)
    may_manage = may(request.user, "organisation.invite", scopes=[row.pk])
    context = {
        "organisation": row,
        "page": page,
        "may_manage": may_manage,
        # The name of an account is not shown to who typed its address before the person said yes.
        "offers": row.offers.order_by("email") if may_manage else [],
        "member": Role.objects.filter(user=request.user, scope=row.pk, kind__in=MEMBERS).exists(),
    }
    return render(request, "organisations/members.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def member_invite(request: AuthedRequest, organisation_id: str) -> HttpResponseBase:
    """Invite somebody by mail; the answer is alike with or without an account."""
    row = open_one(request, organisation_id, "organisation.invite")
    start = {"language": here(), "kind": "organisation_member"}
    form = InviteForm(request.POST if request.method == "POST" else None, initial=start)

    def act() -> HttpResponseBase:
        typed = form.cleaned_data
        invite_member(
            actor=request.user, organisation_id=row.pk, who=form.who, kind=typed["kind"], now=timezone.now()
        )  # fmt: skip
        messages.success(request, _("The invitation leaves by mail to %(address)s.") % {"address": typed["email"]})
        return redirect("organisation_members", organisation_id=row.pk)

    return form_page(request, form, act, "organisations/invite.html", {"organisation": row})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def member_page(request: AuthedRequest, organisation_id: str, user_id: str) -> HttpResponseBase:
    """A member's role and limits; moves no money."""
    row = open_one(request, organisation_id, "organisation.invite")
    person = _member(row, user_id)
    currency = the_host().bank_accounts.order_by("pk").values_list("currency", flat=True).first() or "EUR"
    held = dict(
        SpendingLimit.objects.filter(user=person, organisation=row, currency=currency).values_list("per", "amount")
    )
    role = Role.objects.filter(user=person, scope=row.pk, kind__in=MEMBERS).order_by("kind").first()
    start = {
        "kind": role.kind if role else "",
        "per_pledge": typed_amount(held.get("pledge"), currency),
        "per_year": typed_amount(held.get("year"), currency),
    }
    form = MemberForm(request.POST if request.method == "POST" else None, initial=start, currency=currency)

    def act() -> HttpResponseBase:
        facts: dict[str, Any] = {
            "actor": request.user, "organisation_id": row.pk, "user_id": person.pk, "now": timezone.now(),
        }  # fmt: skip
        typed = form.cleaned_data
        with transaction.atomic():
            change_member(kind=typed["kind"], **facts)
            set_limits(currency=currency, per_pledge=typed["per_pledge"], per_year=typed["per_year"], **facts)
        messages.success(request, _("The role and the limits are kept. Pledges made before stay as they are."))
        return redirect("organisation_members", organisation_id=row.pk)

    context = {
        "organisation": row,
        "person": person,
        "currency": currency,
        "left": limits_left(person, row, now=timezone.now()),
        "oneself": person.pk == request.user.pk,
    }
    return form_page(request, form, act, "organisations/member.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def member_remove(request: AuthedRequest, organisation_id: str, user_id: str) -> HttpResponse:
    """Ask for a confirmation, then end somebody's role; pledges made stay."""
    row = open_one(request, organisation_id, "organisation.invite")
    person = _member(row, user_id)
    if request.method == "POST":
        remove_member(actor=request.user, organisation_id=row.pk, user_id=person.pk, now=timezone.now())
        messages.success(request, _("They act for the organisation no more. No money moved."))
        if person.pk == request.user.pk:
            return redirect("organisations")
        return redirect("organisation_members", organisation_id=row.pk)
    return render(request, "organisations/member_remove.html", {"organisation": row, "person": person})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_leave(request: AuthedRequest, organisation_id: str) -> HttpResponse:
    """Ask for a confirmation, then end one's own role; pledges made stay."""
    row = open_one(request, organisation_id, "organisation.read")
    _member(row, request.user.pk)
    if request.method == "POST":
        leave(actor=request.user, organisation_id=row.pk, now=timezone.now())
        messages.success(request, _("You no longer act for %(organisation)s.") % {"organisation": row.name})
        return redirect("organisations")
    return render(request, "organisations/leave.html", {"organisation": row})


urlpatterns = [
    path("organisations/<slug:organisation_id>/details/", organisation_details, name="organisation_details"),
    path("organisations/<slug:organisation_id>/members/", organisation_members, name="organisation_members"),
    path("organisations/<slug:organisation_id>/members/invite/", member_invite, name="member_invite"),
    path("organisations/<slug:organisation_id>/members/<slug:user_id>/", member_page, name="member_page"),
    path("organisations/<slug:organisation_id>/members/<slug:user_id>/remove/", member_remove, name="member_remove"),
    path("organisations/<slug:organisation_id>/leave/", organisation_leave, name="organisation_leave"),
]
