"""The pages of organisations: create one, follow its pledges and what they paid for."""

from typing import Any

from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Commons
from backend.core.errors import Invalid
from backend.identity.models import Organisation
from backend.identity.organisations import address_of
from backend.identity.permissions import may
from backend.identity.recordings import recordings_of
from backend.identity.services import create_organisation, host_day
from backend.pledges.coming import next_days
from backend.pledges.limits import limits_left
from backend.pledges.models import Pledge
from backend.web import story
from backend.web.acting import organisations_of
from backend.web.forms import OrganisationForm, add_domain_error
from backend.web.pages import AuthedRequest, private
from backend.web.pledges import per_period

LISTED = 100
FEW = 3  # commons that get a button each


@private
@require_safe
def organisations(request: AuthedRequest) -> HttpResponse:
    """The organisations whose pages the reader may open."""
    rows = Organisation.visible_to(request.user).filter(merged_into=None).order_by("name")[:LISTED]
    context = {"organisations": rows, "may_merge": may(request.user, "organisation.merge")}
    return render(request, "organisations/list.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_new(request: AuthedRequest) -> HttpResponse:
    """Create an organisation, then go on to the pledge that was being made, if any."""
    commons = Commons.listed().filter(slug=request.GET.get("commons", "")[:60].replace("\0", "")).first()
    form = OrganisationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"].strip()
        # A double click must not make two: the person's own organisation of this name is the one just made.
        twin = next((row for row in organisations_of(request.user) if row.name == name), None)
        try:
            organisation = twin or create_organisation(manager=request.user, now=timezone.now(), **form.cleaned_data)
        except Invalid as error:
            add_domain_error(form, error)
        else:
            if commons is not None:
                return redirect("pledge_new", slug=commons.slug)
            return redirect("organisation_page", organisation_id=organisation.pk)
    status = 422 if form.errors else 200
    return render(request, "organisations/new.html", {"form": form, "commons": commons}, status=status)


@private
@require_safe
def organisation_page(request: AuthedRequest, organisation_id: str) -> HttpResponse:
    """An organisation: its pledges, what was received of them, and the work that the pots it funds have paid."""
    merged = Organisation.objects.filter(
        pk=organisation_id, merged_into__in=Organisation.visible_to(request.user)
    ).first()
    if merged is not None:
        return redirect("organisation_page", organisation_id=merged.merged_into_id)
    organisation = get_object_or_404(Organisation.visible_to(request.user), pk=organisation_id)
    pledges = Pledge.visible_to(request.user).filter(organisation=organisation)
    funded = list(pledges.filter(received__gt=0).values_list("budget", flat=True).distinct())
    context: dict[str, Any] = {
        "organisation": organisation,
        "pledges": list(pledges.select_related("budget__commons").order_by("-created_at", "-pk")[:LISTED]),
        "count": pledges.count(),
        "sums": pledges.values("currency")
        .annotate(expected=Sum("expected"), received=Sum("received"))
        .order_by("currency"),
        "paid_work": story.paid_work(funded),
        "commons": Commons.listed().order_by("name")[: FEW + 1],
        "few": FEW,
        "may_pledge": may(request.user, "pledge.make", scopes=[organisation.pk]),
        "may_edit": may(request.user, "organisation.edit", scopes=[organisation.pk]),
        "may_certify": may(request.user, "document.certify", scopes=[organisation.pk]),
        "address": address_of(organisation),
        "limits": limits_left(request.user, organisation, now=timezone.now()),
    }
    days = next_days(context["pledges"], today=host_day(timezone.now()))
    recorded = recordings_of(pledge.pk for pledge in context["pledges"])
    for pledge in context["pledges"]:
        pledge.recording = recorded.get(pledge.pk)
        pledge.what = per_period(pledge.amount, pledge.currency, pledge.rhythm)
        pledge.next_day = days.get(pledge.pk)
    return render(request, "organisations/organisation.html", context)


urlpatterns = [
    path("organisations/", organisations, name="organisations"),
    path("organisations/new/", organisation_new, name="organisation_new"),
    path("organisations/<slug:organisation_id>/", organisation_page, name="organisation_page"),
]
