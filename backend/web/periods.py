"""The pages of a period: what it holds, what is ready to close, its closing."""

from datetime import timedelta

from django.db.models import Count, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from backend.allocation.rules import RULES
from backend.commons.models import Period
from backend.commons.services import tree_of
from backend.commons.words import rule_name
from backend.contributions.models import Contribution
from backend.distributions.models import Distribution
from backend.distributions.services import last_day, simulate
from backend.identity.models import User
from backend.identity.permissions import holds, may
from backend.identity.services import host_day
from backend.web.pages import AuthedRequest, budgets_with, cut, private


def readable_periods(actor: User) -> "QuerySet[Period]":
    """The periods of the budgets one has a role in; all of them for treasurers and auditors."""
    found = Period.objects.select_related("budget__commons")
    if holds(actor, "treasurer", "auditor"):
        return found
    return found.filter(budget__in=budgets_with(actor, "steward", "contributor"))


@private
@require_safe
def periods(request: AuthedRequest) -> HttpResponse:
    """The periods one may see, the open ones first."""
    readable = readable_periods(request.user).select_related("distribution")
    alive = readable.filter(state="open").exclude(budget__state__in=["closed", "archived"])
    open_ones = alive.order_by("ends_before")
    return render(
        request,
        "periods/list.html",
        {
            "open": [{"period": one, "last_day": last_day(one)} for one in open_ones[:200]],
            "page": (page := cut(readable.exclude(state="open").order_by("-ends_before", "-id"), request)),
            "closed": [{"period": one, "last_day": last_day(one)} for one in page],
            "today": host_day(timezone.now()),
        },
    )


@private
@require_safe
def period_page(request: AuthedRequest, period_id: str) -> HttpResponse:
    """What a period holds, and for those who may, the way to its closing."""
    period = get_object_or_404(readable_periods(request.user), pk=period_id)
    budget, today = period.budget, host_day(timezone.now())
    begun = period.starts_on <= today
    mine = Contribution.visible_to(request.user).filter(period=period).select_related("contributor", "budget")
    validated = mine.filter(state__in=["validated", "included", "settled"])
    sums = validated.aggregate(asked=Sum("amount"), minutes=Sum("minutes"))
    asked = sums["asked"] or 0
    tiers = period.charter.document["tiers"]
    distribution = Distribution.visible_to(request.user).filter(period=period).first()
    held, forecast = (distribution.pot if distribution else 0), None
    if period.state == "open":
        documents = [period.charter.document]
        (found,) = simulate(actor=request.user, period_id=period.pk, documents=documents, now=timezone.now())
        held, forecast = found["totals"]["sources"]["held"], found["totals"]["uses"]
    unreviewed = mine.filter(state__in=["declared", "questioned"]).order_by("worked_on", "id")
    return render(
        request,
        "periods/period.html",
        {
            "period": period,
            "budget": budget,
            "last_day": last_day(period),
            "over": period.ends_before <= today,
            "rules": ", ".join(rule_name(tier["rule"]) for tier in tiers),
            "by_requests": all(RULES[tier["rule"]].tie == "claim" for tier in tiers),
            "unreviewed": unreviewed[:20],
            "unreviewed_count": unreviewed.count(),
            "people": validated.values("contributor__name", "contributor_id")
            .annotate(asked=Sum("amount"), minutes=Sum("minutes"), count=Count("id"))
            .order_by("contributor__name"),
            "asked": asked,
            "minutes": sums["minutes"] or 0,
            "pot": held,
            "forecast": forecast,
            "missing": max(0, asked - forecast["shares"]) if forecast else 0,
            "distribution": distribution,
            "begun": begun,
            "closes_on": period.ends_before + timedelta(days=period.charter.closes_after)
            if period.state == "open" and period.charter.closes_after is not None
            else None,
            "can_close": begun and period.state == "open" and may(request.user, "period.close", scopes=tree_of(budget)),
        },
    )


urlpatterns = [
    path("periods/", periods, name="periods"),
    path("periods/<str:period_id>/", period_page, name="period_page"),
]
