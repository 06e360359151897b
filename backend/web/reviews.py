"""The pages of a reviewer: the queue of declared work, one contribution to approve or reject, many at once."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, F, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.contributions.adjustments import adjustments_for
from backend.contributions.comparable import Grid
from backend.contributions.models import OBJECTED, Contribution
from backend.contributions.peers import UNDER_REVIEW
from backend.contributions.services import review
from backend.core.errors import Conflict, DomainError, Invalid
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.identity.profile import set_shortcuts
from backend.identity.services import host_day
from backend.web.forms import add_domain_error
from backend.web.forms_work import ReviewForm
from backend.web.marks import beside, marks_of, sums_of
from backend.web.pages import ROWS, AuthedRequest, budgets_with, cut, private
from backend.web.talk import seen, talk


def _waiting(actor: User, budgets: list[Budget]) -> "QuerySet[Contribution]":
    return (
        Contribution.visible_to(actor)
        .filter(state__in=UNDER_REVIEW, budget__in=budgets)
        .select_related("budget__commons", "budget__parent", "contributor", "period__charter")
        .prefetch_related("reviews")
        .annotate(
            asked=Count("questions", distinct=True),
            **OBJECTED,
        )
        .order_by(F("accepted_at").asc(nulls_last=True), "created_at", "id")
    )


def _row(actor: User, one: Contribution) -> dict[str, Any]:
    """What a reviewer can do with a contribution: nothing with their own, nor twice with one version."""
    mine, recorded = one.contributor_id == actor.pk, one.recorded_by_id == actor.pk
    said = any(said.reviewer_id == actor.pk and said.version == one.version for said in one.reviews.all())
    consent = one.period.charter.consent_days is not None
    return {
        "contribution": one,
        "mine": mine,
        "recorded": recorded,
        "said": said,
        "consent": consent,
        "can_approve": one.state == "declared" and not (mine or recorded or said or consent),
    }


def _corrections(actor: User, budgets: list[Budget]) -> list[dict[str, Any]]:
    """The corrections proposed in these budgets, oldest first; one's own wait for another steward."""
    rows = adjustments_for(actor).filter(state="proposed", contribution__budget__in=budgets)
    return [
        {"row": one, "waits": actor.pk in (one.proposed_by_id, one.contributor_id)}
        for one in rows.order_by("created_at", "pk")[:ROWS]
    ]


@private
@require_safe
def reviews(request: AuthedRequest) -> HttpResponse:
    """The work to review of the budgets one cares for, oldest first; one's own is shown and waits for others."""
    budgets = list(budgets_with(request.user, "steward"))
    require(request.user, "contribution.review", scopes=[budget.pk for budget in budgets])
    chosen = next((one for one in budgets if one.pk == request.GET.get("budget")), None)
    page = cut(_waiting(request.user, [chosen] if chosen else budgets), request)
    rows = [_row(request.user, one) for one in page]
    grid = Grid(request.user, [one.budget.commons_id for one in page], today=host_day(timezone.now()))
    charters: dict[tuple[str, str], dict[str, Any]] = {}
    told = beside(request.user, page)
    for row in rows:
        one = row["contribution"]
        row["others"] = grid.beside(one)
        row["marks"] = marks_of(one, row["others"], grid.longest_beside(one), told)
        group = charters.setdefault(
            (one.period.charter_id, one.currency),
            {"charter": one.period.charter, "currency": one.currency, "budgets": {}},
        )
        group["budgets"][one.budget.full_name] = None
    context = {
        "page": page,
        "rows": rows,
        "budgets": budgets,
        "chosen": chosen,
        "charters": list(charters.values()),
        "sums": sums_of([row["contribution"] for row in rows]),
        "corrections": _corrections(request.user, budgets),
        "many": sum(row["can_approve"] for row in rows) > 0,
    }
    return render(request, "reviews/queue.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def review_one(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Everything about one contribution, then approve it or reject it with a reason. Moves no money."""
    contribution = seen(request.user, contribution_id)
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
        contribution = seen(request.user, contribution_id)
    context = _context(request.user, contribution) | {"form": form, "refusal": refusal}
    return render(request, "reviews/one.html", context, status=status)


def _already_said(contribution: Contribution, reviewer: str, verdict: str) -> bool:
    """Whether this is the second press of the same button."""
    said = contribution.reviews.filter(reviewer_id=reviewer, verdict=verdict, version=contribution.version)
    return said.exists()


def _told(contribution: Contribution, verdict: str) -> str:
    contribution.refresh_from_db(fields=["state"])
    name = contribution.contributor.name
    if verdict == "reject":
        return _("You rejected the contribution of %(name)s. No money moved.") % {"name": name}
    if contribution.state == "validated":
        return _("The contribution of %(name)s is validated. No money moved.") % {"name": name}
    return _("Your approval of the contribution of %(name)s is kept; another one is needed.") % {"name": name}


def _context(actor: User, contribution: Contribution) -> dict[str, Any]:
    said = list(contribution.reviews.select_related("reviewer").order_by("created_at"))
    row = _row(actor, contribution)
    charter = contribution.period.charter
    steward = may(actor, "contribution.review", scopes=tree_of(contribution.budget))
    grid = Grid(actor, [contribution.budget.commons_id], today=host_day(timezone.now())) if steward else None
    may_speak = steward and not (row["mine"] or row["recorded"] or row["said"] or row["consent"])
    objects = contribution.objections.filter(objector=actor, state="open").exists()
    return talk(actor, contribution) | {
        "reviews": said,
        "objects": objects,
        "approvals": sum(one.verdict == "approve" and one.version == contribution.version for one in said),
        "steward": steward,
        "spoken": row["said"],
        "recorded": row["recorded"],
        "consent": row["consent"],
        "others": grid.beside(contribution) if grid else None,
        "rate": charter.rates.get(contribution.kind),
        "suggestion": charter.suggests(contribution.kind, contribution.minutes),
        "can_approve": may_speak and contribution.state == "declared",
        "can_reject": may_speak and contribution.state in UNDER_REVIEW and not objects,
        "back": "review",
    }


# --- many at once -----------------------------------------------------------------------------------------------------


def _picked(request: AuthedRequest) -> dict[str, int]:
    """The contributions that were ticked, each with the version that was read, from `id:version`."""
    found = {}
    for text in request.POST.getlist("pick"):
        pk, _colon, version = text.partition(":")
        if version.isascii() and version.isdecimal() and len(version) < 10:
            found[pk] = int(version)
    return found


@private
@require_POST
def reviews_approve(request: AuthedRequest) -> HttpResponseBase:
    """Approve many contributions, each by itself: first the list to confirm, then what became of each."""
    budgets = list(budgets_with(request.user, "steward"))
    require(request.user, "contribution.review", scopes=[budget.pk for budget in budgets])
    picked = _picked(request)
    if not picked:
        messages.warning(request, _("Tick the contributions that you approve first. Nothing was changed."))
        return redirect("reviews")
    if len(picked) > ROWS:
        messages.warning(request, _("Approve at most 50 contributions at once. Nothing was changed."))
        return redirect("reviews")
    known = {one.pk: one for one in _waiting(request.user, budgets).filter(pk__in=picked)}
    if request.POST.get("confirmed") == "yes":
        return _approve_each(request, picked)
    rows = [_row(request.user, one) for one in known.values()]
    ready = [
        row for row in rows if row["can_approve"] and picked[row["contribution"].pk] == row["contribution"].version
    ]
    chosen = [row["contribution"] for row in ready]
    grid = Grid(request.user, [one.budget.commons_id for one in chosen], today=host_day(timezone.now()))
    told = beside(request.user, chosen)
    for row in ready:
        one = row["contribution"]
        row["others"] = grid.beside(one)
        row["marks"] = marks_of(one, row["others"], grid.longest_beside(one), told)
    context = {
        "rows": ready,
        "sums": sums_of(chosen),
        "left_out": [row["contribution"] for row in rows if row not in ready],
        "gone": len(picked) - len(known),
    }
    return render(request, "reviews/confirm.html", context)


def _approve_each(request: AuthedRequest, picked: dict[str, int]) -> HttpResponse:
    """One transaction a contribution: what was amended or decided meanwhile is left out and named."""
    now = timezone.now()
    rows = Contribution.visible_to(request.user).filter(pk__in=picked).select_related("contributor")
    approved, left_out = [], []
    for one in rows.order_by("created_at", "id"):
        try:
            review(
                actor=request.user, contribution_id=one.pk, verdict="approve", version=picked[one.pk], now=now
            )  # fmt: skip
        except DomainError as refusal:
            left_out.append({"contribution": one, "why": str(refusal)})
        else:
            one.refresh_from_db(fields=["state"])
            approved.append(one)
    return render(request, "reviews/report.html", {"approved": approved, "left_out": left_out})


@private
@require_POST
def reviews_shortcuts(request: AuthedRequest) -> HttpResponseBase:
    """Switch one's own keyboard shortcuts on or off."""
    on = request.POST.get("on") == "yes"
    set_shortcuts(actor=request.user, on=on)
    said = _("Keyboard shortcuts are on.") if on else _("Keyboard shortcuts are off.")
    messages.success(request, said)
    steward = may(request.user, "contribution.review", scopes=[one.pk for one in budgets_with(request.user, "steward")])
    return redirect("reviews" if steward else "my_account")


urlpatterns = [
    path("reviews/", reviews, name="reviews"),
    path("reviews/approve/", reviews_approve, name="reviews_approve"),
    path("reviews/shortcuts/", reviews_shortcuts, name="reviews_shortcuts"),
    path("reviews/<str:contribution_id>/", review_one, name="review_one"),
]
