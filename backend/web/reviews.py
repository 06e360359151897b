"""The pages of a reviewer: the queue of declared work, and one contribution to approve or reject."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.services import tree_of
from backend.contributions.models import Contribution
from backend.contributions.services import review
from backend.core.errors import Conflict, Invalid
from backend.identity.permissions import may, require
from backend.web.forms import add_domain_error
from backend.web.forms_work import ReviewForm
from backend.web.pages import AuthedRequest, budgets_with, cut, private


@private
@require_safe
def reviews(request: AuthedRequest) -> HttpResponse:
    """The declared work of the budgets one cares for, oldest first; one's own is shown and waits for others."""
    budgets = list(budgets_with(request.user, "steward"))
    require(request.user, "contribution.review", scopes=[budget.pk for budget in budgets])
    waiting = (
        Contribution.visible_to(request.user)
        .filter(state="declared", budget__in=budgets)
        .select_related("budget__commons", "contributor", "period__charter")
        .prefetch_related("reviews")
        .order_by("created_at", "id")
    )
    page = cut(waiting, request)
    rows = [
        {
            "contribution": one,
            "mine": one.contributor_id == request.user.pk,
            "recorded": one.recorded_by_id == request.user.pk,
            "said": any(said.reviewer_id == request.user.pk for said in one.reviews.all()),
        }
        for one in page
    ]
    return render(request, "reviews/queue.html", {"page": page, "rows": rows, "budgets": budgets})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def review_one(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Everything about one contribution, then approve it or reject it with a reason. Moves no money."""
    contribution = get_object_or_404(
        Contribution.visible_to(request.user).select_related("budget__commons", "contributor", "period__charter"),
        pk=contribution_id,
    )
    form = ReviewForm(request.POST or None)
    status, refusal = 200, None
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                review(actor=request.user, contribution_id=contribution.pk, now=timezone.now(), **form.cleaned_data)
            except Invalid as error:
                add_domain_error(form, error)
            except Conflict as error:
                if _already_said(contribution, request.user.pk, form.cleaned_data["verdict"]):
                    return redirect("review_one", contribution.pk)
                status, refusal = error.status, error
            else:
                messages.success(request, _told(contribution, form.cleaned_data["verdict"]))
                return redirect("reviews")
        contribution.refresh_from_db(fields=["state"])
    return render(
        request, "reviews/one.html", _context(request, contribution) | {"form": form, "refusal": refusal}, status=status
    )


def _already_said(contribution: Contribution, reviewer: str, verdict: str) -> bool:
    """Whether this is the second press of the same button."""
    return contribution.reviews.filter(reviewer_id=reviewer, verdict=verdict).exists()


def _told(contribution: Contribution, verdict: str) -> str:
    contribution.refresh_from_db(fields=["state"])
    name = contribution.contributor.name
    if verdict == "reject":
        return _("You rejected the contribution of %(name)s. No money moved.") % {"name": name}
    if contribution.state == "validated":
        return _("The contribution of %(name)s is validated. No money moved.") % {"name": name}
    return _("Your approval of the contribution of %(name)s is kept; another one is needed.") % {"name": name}


def _context(request: AuthedRequest, contribution: Contribution) -> dict[str, Any]:
    said = list(contribution.reviews.select_related("reviewer").order_by("created_at"))
    mine = contribution.contributor_id == request.user.pk
    recorded = contribution.recorded_by_id == request.user.pk
    steward = may(request.user, "contribution.review", scopes=tree_of(contribution.budget))
    spoken = any(one.reviewer_id == request.user.pk for one in said)
    return {
        "contribution": contribution,
        "charter": contribution.period.charter,
        "reviews": said,
        "approvals": sum(one.verdict == "approve" for one in said),
        "mine": mine,
        "steward": steward,
        "spoken": spoken,
        "recorded": recorded,
        "can_review": steward and not mine and not recorded and not spoken and contribution.state == "declared",
    }


urlpatterns = [
    path("reviews/", reviews, name="reviews"),
    path("reviews/<str:contribution_id>/", review_one, name="review_one"),
]
