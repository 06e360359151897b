"""Pages of distributions: the computed split, its approval by another person, its trace as a file."""

import json
from fractions import Fraction
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.allocation import texts
from backend.commons.services import tree_of
from backend.contributions.models import Contribution
from backend.core.errors import Conflict, DomainError, Forbidden
from backend.core.money import format_money
from backend.distributions.models import Distribution
from backend.distributions.services import approve, last_day
from backend.identity.models import User
from backend.identity.permissions import holds, may
from backend.web.pages import AuthedRequest, fresh_factor, private, told_in

RELOADS = 10
RELOAD_SECONDS = 3


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
    path("distributions/<str:distribution_id>/", distribution_page, name="distribution_page"),
    path("distributions/<str:distribution_id>/approve/", distribution_approve, name="distribution_approve"),
    path("distributions/<str:distribution_id>/trace.json", distribution_trace, name="distribution_trace"),
]
