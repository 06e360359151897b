"""Organisations entered twice: which they probably are, what a merge moves, and the merge."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Invalid
from backend.identity.duplicates import completed, duplicates, passing_over
from backend.identity.models import Organisation
from backend.identity.organisations import managers
from backend.identity.permissions import require
from backend.pledges.merging import merge_organisations, moves_of
from backend.web.forms import add_domain_error
from backend.web.forms_organisations import ReasonForm
from backend.web.pages import AuthedRequest, fresh_factor, private

GROUPS = 50


@private
@require_safe
def organisation_duplicates(request: AuthedRequest) -> HttpResponse:
    """The organisations that are probably one, side by side."""
    require(request.user, "organisation.merge")
    groups = [
        [{"row": row, "moves": moves_of(row)} for row in group] for group in duplicates()[:GROUPS]
    ]  # fmt: skip
    rows = Organisation.objects.filter(merged_into=None).order_by("name")
    context = {"groups": groups, "organisations": rows[:500], "lone": rows.count() < 2}
    return render(request, "organisations/duplicates.html", context)


@private
@require_safe
def organisation_merge_choice(request: AuthedRequest) -> HttpResponse:
    """Two organisations chosen by hand lead to the page that merges them."""
    require(request.user, "organisation.merge")
    rows = Organisation.objects.filter(merged_into=None)
    keep = rows.filter(pk=request.GET.get("keep", "").replace("\0", "")[:48]).first()
    other = rows.filter(pk=request.GET.get("other", "").replace("\0", "")[:48]).first()
    if keep is None or other is None or keep == other:
        messages.warning(request, _("Choose two different organisations. Nothing was changed."))
        return redirect("organisation_duplicates")
    return redirect("organisation_merge", keep_id=keep.pk, other_id=other.pk)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_merge(request: AuthedRequest, keep_id: str, other_id: str) -> HttpResponseBase:
    """What goes over from one organisation to the other, then the merge, with its reason. Moves no money."""
    require(request.user, "organisation.merge")
    rows = Organisation.objects.filter(merged_into=None)
    keep, other = get_object_or_404(rows, pk=keep_id), get_object_or_404(rows, pk=other_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                merge_organisations(
                    actor=request.user, keep_id=keep.pk, other_id=other.pk, reason=form.cleaned_data["reason"],
                    now=timezone.now(),
                )  # fmt: skip
            except (Invalid, Conflict) as error:
                add_domain_error(form, error)
                status = error.status
            else:
                messages.success(
                    request,
                    _("%(other)s is now part of %(keep)s. No money moved; their members are told by mail.")
                    % {"other": other.name, "keep": keep.name},
                )
                return redirect("organisation_page", organisation_id=keep.pk)
    context = {
        "keep": keep, "other": other, "moves": moves_of(other), "kept": moves_of(keep), "form": form,
        "filled": _filled(keep, other), "people": passing_over(keep, other), "managers": managers(keep),
    }  # fmt: skip
    return render(request, "organisations/merge.html", context, status=status)


def _filled(keep: Organisation, other: Organisation) -> list[tuple[str, str]]:
    """What the one that stays would take of the other's details: (name, value in words)."""
    names = {
        "siren": "SIREN", "siret": "SIRET", "vat_status": _("Value added tax"), "vat_number": _("VAT number"),
        "email": _("E-mail address for papers"), "address": _("Address"),
    }  # fmt: skip
    found = completed(keep, other)
    if "vat_status" in found:
        found["vat_status"] = other.get_vat_status_display()
    return [(names[name], value) for name, value in found.items()]


urlpatterns = [
    path("organisations/duplicates/", organisation_duplicates, name="organisation_duplicates"),
    path("organisations/duplicates/choose/", organisation_merge_choice, name="organisation_merge_choice"),
    path("organisations/<slug:keep_id>/merge/<slug:other_id>/", organisation_merge, name="organisation_merge"),
]
