"""The pages of a period: what is ready to close, the computed distribution, its approval and its trace."""

import json
from fractions import Fraction
from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet, Sum
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.allocation import texts
from backend.commons.models import Period
from backend.commons.services import charter_of, tree_of
from backend.contributions.models import Contribution
from backend.core.errors import Conflict, DomainError, Forbidden
from backend.core.money import format_money
from backend.distributions.models import Distribution
from backend.distributions.services import approve, close_period, last_day
from backend.identity.models import User
from backend.identity.permissions import holds, may
from backend.identity.services import host_day
from backend.ledger.services import balance
from backend.web.pages import AuthedRequest, budgets_with, cut, fresh_factor, private, told_in

RELOADS = 10
RELOAD_SECONDS = 3


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
@require_http_methods(["GET", "HEAD", "POST"])
def period_page(request: AuthedRequest, period_id: str) -> HttpResponseBase:
    """What a period holds, and for those who may, its closing. Moves no money."""
    period = get_object_or_404(readable_periods(request.user), pk=period_id)
    if request.method == "POST":
        distribution = close_period(actor=request.user, period_id=period.pk, now=timezone.now())
        messages.success(
            request, _("The period is closed. Nothing is paid now: another person must approve the distribution.")
        )
        return redirect("distribution_page", distribution.pk)
    budget, today = period.budget, host_day(timezone.now())
    begun = period.starts_on <= today
    mine = Contribution.visible_to(request.user).filter(period=period).select_related("contributor", "budget")
    validated = mine.filter(state__in=["validated", "included", "settled"])
    sums = validated.aggregate(asked=Sum("amount"), minutes=Sum("minutes"))
    asked = sums["asked"] or 0
    pot = max(0, balance(kind="budget", owner=budget.pk, currency=budget.currency))
    unreviewed = mine.filter(state__in=["declared", "questioned"]).order_by("worked_on", "id")
    return render(
        request,
        "periods/period.html",
        {
            "period": period,
            "budget": budget,
            "last_day": last_day(period),
            "over": period.ends_before <= today,
            "charter": charter_of(budget),
            "unreviewed": unreviewed[:20],
            "unreviewed_count": unreviewed.count(),
            "people": validated.values("contributor__name", "contributor_id")
            .annotate(asked=Sum("amount"), minutes=Sum("minutes"), count=Count("id"))
            .order_by("contributor__name"),
            "asked": asked,
            "minutes": sums["minutes"] or 0,
            "pot": pot,
            "missing": max(0, asked - pot),
            "left": max(0, pot - asked),
            "distribution": Distribution.visible_to(request.user).filter(period=period).first(),
            "begun": begun,
            "can_close": begun and period.state == "open" and may(request.user, "period.close", scopes=tree_of(budget)),
        },
    )


def _distribution(request: AuthedRequest, distribution_id: str) -> Distribution:
    return get_object_or_404(
        Distribution.visible_to(request.user).select_related(
            "period__budget__commons", "charter", "prepared_by", "approved_by"
        ),
        pk=distribution_id,
    )


def hindrance(actor: User, distribution: Distribution) -> DomainError | None:
    """Why this person may not approve this distribution, or None; `approve` checks it again under lock."""
    if not may(actor, "distribution.approve", scopes=tree_of(distribution.period.budget)):
        return Forbidden("not_allowed", _("A treasurer must approve this distribution."))
    if distribution.state == "frozen":
        return Conflict("distribution_not_ready", _("The computation is not finished: try again in a moment."))
    if distribution.prepared_by_id == actor.pk:
        return Forbidden("own_distribution", _("You closed this period: another person must approve its distribution."))
    if distribution.shares.filter(contributor=actor, amount__gt=0).exists():
        return Forbidden(
            "paid_by_distribution", _("You are paid by this distribution: another person must approve it.")
        )
    return None


@private
@require_safe
def distribution_page(request: AuthedRequest, distribution_id: str) -> HttpResponse:
    """The computed split: inputs, pot, each person's computation, the digest; refreshed while it is being computed."""
    distribution = _distribution(request, distribution_id)
    inputs = Contribution.visible_to(request.user).in_bulk([one["contribution"] for one in distribution.inputs])
    context = {
        "distribution": distribution,
        "budget": distribution.period.budget,
        "period": distribution.period,
        "last_day": last_day(distribution.period),
        "inputs": [{"row": inputs.get(one["contribution"]), **one} for one in distribution.inputs],
        "hindrance": hindrance(request.user, distribution) if distribution.state != "booked" else None,
        "treasurer": holds(request.user, "treasurer"),
    }
    reload_at = ""
    if distribution.state == "frozen":
        # A reader who needs time must not be interrupted for ever: after some tries the page waits for a click.
        tries = int(tried) if (tried := request.GET.get("wait", "0")).isdecimal() else RELOADS
        reload_at = f"?wait={tries + 1}" if tries < RELOADS else ""
        context["reloads"] = bool(reload_at)
    if distribution.trace is not None:
        context |= _computation(distribution)
    answer = render(request, "periods/distribution.html", context)
    if reload_at:
        answer["Refresh"] = f"{RELOAD_SECONDS}; url={reload_at}"
    return answer


def _computation(distribution: Distribution) -> dict[str, Any]:
    """The trace made readable: one row a person, and the sentences of the whole."""
    language = get_language() or "fr"
    written = told_in(distribution.currency)
    money = texts.Money(language.split("-", maxsplit=1)[0], **written)
    trace: dict[str, Any] = distribution.trace or {}
    shares = {share.contributor_id: share for share in distribution.shares.select_related("contributor")}
    rows = []
    for step in trace["steps"]:
        for person in step["persons"]:
            rows.append(
                {
                    "share": shares[person["id"]],
                    "name": shares[person["id"]].contributor.name,
                    "asked": person["claim"],
                    "exact": money.exact(Fraction(*person["exact"])).removeprefix("= "),
                    "extra": person["extra_cent"],
                    "cents": person["cents"],
                    "words": texts.explain(trace, person["id"], language, **written),
                }
            )
    rows.sort(key=lambda row: row["name"])
    return {
        "rows": rows,
        "asked": sum(row["asked"] for row in rows),
        "shared": sum(row["cents"] for row in rows),
        "unspent": trace["totals"]["uses"]["unspent"],
        "extras": sum(row["extra"] for row in rows),
        "whole": texts.explain_whole(trace, language, **written),
    }


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def distribution_approve(request: AuthedRequest, distribution_id: str) -> HttpResponseBase:
    """Approve the computed split of someone else: the ledger then owes each payee. Nothing leaves the bank."""
    distribution = _distribution(request, distribution_id)
    if request.method == "POST":
        approve(
            actor=request.user,
            distribution_id=distribution.pk,
            digest=request.POST.get("digest", ""),
            now=timezone.now(),
        )
        messages.success(
            request, _("The distribution is approved and booked. Nothing has left the bank: a payout batch comes next.")
        )
        return redirect("distribution_page", distribution.pk)
    if distribution.state == "booked":
        return redirect("distribution_page", distribution.pk)
    if refusal := hindrance(request.user, distribution):
        raise refusal
    total = sum(share.amount for share in distribution.shares.all())
    context = {
        "distribution": distribution,
        "budget": distribution.period.budget,
        "shares": distribution.shares.select_related("contributor", "payee").order_by("payee__name"),
        "total": total,
        "total_text": format_money(total, distribution.currency),
        "last_day": last_day(distribution.period),
    }
    return render(request, "periods/approve.html", context)


@private
@require_safe
def distribution_trace(request: AuthedRequest, distribution_id: str) -> HttpResponse:
    """The trace as a file: ids, integers and texts of the computation, no name."""
    distribution = _distribution(request, distribution_id)
    if distribution.trace is None:
        raise Http404
    body = json.dumps(distribution.trace, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    return HttpResponse(
        body,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{distribution.pk}-trace.json"'},
    )


urlpatterns = [
    path("periods/", periods, name="periods"),
    path("periods/<str:period_id>/", period_page, name="period_page"),
    path("distributions/<str:distribution_id>/", distribution_page, name="distribution_page"),
    path("distributions/<str:distribution_id>/approve/", distribution_approve, name="distribution_approve"),
    path("distributions/<str:distribution_id>/trace.json", distribution_trace, name="distribution_trace"),
]
