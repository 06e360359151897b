"""The pages of a contributor: declare work, the list of it, the share it earned."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.db.models import Count, F, Sum
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.allocation import texts
from backend.allocation.trace import ENGINE
from backend.commons.models import Period
from backend.commons.services import charter_of, ruling_budget
from backend.contributions.comparable import Grid
from backend.contributions.models import OBJECTED, Contribution, Objection, Question
from backend.contributions.places import declarable
from backend.contributions.round_models import RoundAnswer
from backend.contributions.rounds import to_answer
from backend.contributions.services import declare as declare_work
from backend.core.errors import Conflict, Invalid
from backend.distributions.models import Arbitration, Distribution, Share, SupportingDocument
from backend.distributions.services import last_day, settled_lines, waiving_hindrance
from backend.identity.models import User
from backend.identity.permissions import may
from backend.identity.services import host_day
from backend.payees.models import Payee
from backend.payees.services import hindrance
from backend.payouts.directors import warnings
from backend.payouts.services import below_minimum
from backend.web.attempts import FAILED, attempts_for
from backend.web.distributions import names_of_budgets
from backend.web.figures import figures_of
from backend.web.foreseeing import foresee
from backend.web.forms import add_domain_error
from backend.web.forms_talk import facts_of
from backend.web.forms_work import ContributionForm
from backend.web.pages import AuthedRequest, cut, private, told_in

DRAFTS = 20
NOT_COUNTED = {"draft", "withdrawn", "rejected"}


@private
@require_safe
def work(request: AuthedRequest) -> HttpResponse:
    """What awaits an answer of one's own, one's drafts, contributions and shares, and whether one can be paid."""
    all_mine = Contribution.visible_to(request.user).filter(contributor=request.user)
    mine = all_mine.exclude(state="draft")
    names = {**dict(Contribution.STATES), "questioned": _("question or objection")}
    counts = {row["state"]: row["count"] for row in mine.values("state").annotate(count=Count("id")).order_by()}
    asked_for = request.GET.get("state", "")
    chosen = asked_for if asked_for in counts else ""
    shown = mine.filter(state=chosen) if chosen else mine
    counted = mine.exclude(state__in=NOT_COUNTED)
    return render(
        request,
        "work/list.html",
        {
            "page": cut(
                shown.select_related("budget__commons", "period__charter")
                .annotate(**OBJECTED)
                .order_by("-worked_on", "-id"),
                request,
            ),
            "states": [(state, names[state], counts[state]) for state in names if state in counts],
            "chosen": chosen,
            "count": sum(counts.values()),
            "totals": counted.values("currency")
            .annotate(asked=Sum("amount"), given=Sum("settled_amount"), minutes=Sum("minutes"))
            .order_by("currency"),
            "shares": Share.visible_to(request.user)
            .filter(contributor=request.user)
            .select_related("distribution__period__budget")
            .order_by("-id")[:50],
            "payee": Payee.visible_to(request.user).filter(user=request.user, is_default=True).first(),
            "works": declarable(request.user).exists(),
            "drafts": all_mine.filter(state="draft")
            .select_related("budget__commons", "budget__parent")
            .order_by("-worked_on", "-id")[:DRAFTS],
            "more_drafts": max(0, all_mine.filter(state="draft").count() - DRAFTS),
            "questions": Question.objects.filter(contributor=request.user, closed_at=None)
            .select_related("contribution", "asker")
            .order_by("created_at", "pk"),
            "objections": Objection.objects.filter(contributor=request.user, state="open")
            .select_related("contribution", "objector")
            .order_by("created_at", "pk"),
            "asked": to_answer(request.user)[:DRAFTS],
            "unpaid": Share.objects.filter(
                contributor=request.user, state="owed", amount__gt=F("waived"), distribution__state="booked"
            )
            .select_related("distribution__period__budget")
            .order_by("pk")[:DRAFTS],
            "agreements": Arbitration.objects.filter(state="waiting", lines__person=request.user, lines__answer="")
            .select_related("distribution__period__budget")
            .distinct(),
        },
    )


@private
@require_http_methods(["GET", "HEAD", "POST"])
def declare(request: AuthedRequest) -> HttpResponseBase:
    """Declare work. Moves no money."""
    now = timezone.now()
    today = host_day(now)
    asked_by = _round_asked(request.user, request.GET.get("round", ""))
    known = begun(request.user, request.GET.get("again", ""))
    if asked_by is not None:
        known |= {"budget": asked_by.round.budget_id, "worked_on": asked_by.round.last_day}
    asked = request.POST.get("act", "") in {"estimate", "suggested"}
    form = ContributionForm(
        request.POST or None, initial=known, actor=request.user, today=today, estimates=asked
    )  # fmt: skip
    status, foreseen = 200, None
    if request.method == "POST":
        status = 422
        if form.is_valid() and asked:
            form, foreseen, status = foresee(request, form, now)
        elif form.is_valid():
            try:
                contribution = declare_work(actor=request.user, now=now, **form.cleaned_data)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("Your contribution is declared. It now awaits its review; no money moved."))
                if asked_by is not None:
                    return redirect("round_answer", asked_by.pk)
                return redirect("contribution_page", contribution.pk)
    context = {"asked_by": asked_by, "form": form, "charters": _charters(request.user, today), "foreseen": foreseen}
    return render(request, "work/declare.html", context, status=status)


def _round_asked(actor: User, answer_id: str) -> RoundAnswer | None:
    """The statement round that led somebody here; anything else is as if it were not there."""
    return to_answer(actor).filter(pk=answer_id).first() if answer_id else None


def begun(actor: User, again: str) -> dict[str, Any]:
    """What the form begins with: budget and kind of the last work declared, or all that is told of the one to repeat.

    Args: again: id of a contribution of one's own; anything else is as if it were not there.
    """
    mine = Contribution.visible_to(actor).filter(contributor=actor)
    copied = mine.filter(pk=again).first() if again else None
    if copied is not None:
        return facts_of(copied) | {"budget": copied.budget_id}
    latest = mine.exclude(state="draft").order_by("-id").first()
    return {"budget": latest.budget_id, "kind": latest.kind} if latest else {}


def _charters(actor: User, today: date) -> list[dict[str, Any]]:
    """The rules of the budgets where a person works, those that say the same shown once, with their open periods."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    names = dict(Contribution.KINDS)
    budgets = list(declarable(actor)[:20])
    figures = figures_of(budgets)
    grid = Grid(actor, [budget.commons_id for budget in budgets], today=today)
    for budget in budgets:
        charter = charter_of(budget)
        open_ones = Period.objects.filter(budget=ruling_budget(budget), state="open").order_by("starts_on")
        same = (charter.sha256, budget.currency)
        group = groups.setdefault(same, {"charter": charter, "currency": budget.currency, "rows": [], "others": {}})
        kinds = [kind for kind in charter.kinds if charter.reads_requests(kind)]
        found = [grid.of(budget.commons_id, budget.currency, kind, leaving_out=actor.pk) for kind in kinds]
        if any(found):  # of the whole commons: once for all its budgets
            group["others"][budget.commons.name] = [(names[one.kind], one) for one in found if one is not None]
        group["rows"].append({"budget": budget, "period": open_ones.first(), "figures": figures[budget.pk]})
    return list(groups.values())


@private
@require_safe
def share_page(request: AuthedRequest, share_id: str) -> HttpResponse:
    """One person's share, its computation in words, and the part of each contribution."""
    share = get_object_or_404(
        Share.visible_to(request.user).select_related(
            "contributor", "payee", "distribution__period__budget", "distribution__approved_by"
        ),
        pk=share_id,
    )
    distribution = share.distribution
    trace: dict[str, Any] = distribution.trace or {}
    words: list[str] = []
    if trace.get("engine") == ENGINE:  # of an earlier engine the amounts are kept, not the sentences
        written = {**told_in(distribution.currency), "names": names_of_budgets(trace)}
        words = texts.explain(trace, share.contributor_id, get_language() or "fr", **written)
    cents = settled_lines(trace) if words else {}
    inside = [one["contribution"] for one in distribution.inputs["lines"] if one["person"] == share.contributor_id]
    rows = (
        Contribution.visible_to(request.user)
        .filter(pk__in=inside)
        .select_related("period__charter")
        .order_by("worked_on", "id")
    )
    payout = share.payouts.filter(live=True).select_related("payout").first()
    mine = share.contributor_id == request.user.pk
    due = share.distribution.state == "booked" and share.state in Share.DUE and bool(share.due)
    return render(
        request,
        "work/share.html",
        {
            "share": share,
            "distribution": distribution,
            "mine": mine,
            "due": due,
            "papers": SupportingDocument.visible_to(request.user)
            .filter(share=share)
            .exclude(state="refused")
            .select_related("corrects", "credit_note")
            .order_by("made_at", "pk"),
            "hindrance": hindrance(share.payee, timezone.now()),
            "directors": warnings([share]) if due and (mine or may(request.user, "director.read")) else [],
            "words": words,
            "agreed": any(
                change["person"] == share.contributor_id
                for change in (trace.get("arbitration") or {}).get("changes", [])
            ),
            "lines": [(row, cents.get(row.pk, row.settled_amount or 0)) for row in rows],
            "payout": payout.payout if payout else None,
            "attempts": attempts_for(share) if share.payouts.filter(payout__state__in=FAILED).exists() else [],
            "small": below_minimum(share),
            "waivers": share.waivers.order_by("made_at", "pk"),
            "can_waive": share.contributor_id == request.user.pk and waiving_hindrance(share) is None,
            "agreement": distribution.arbitrations.filter(state="waiting", lines__person=share.contributor).first(),
            "sees_distribution": Distribution.visible_to(request.user).filter(pk=distribution.pk).exists(),
            "last_day": last_day(distribution.period),
        },
    )


urlpatterns = [
    path("work/", work, name="work"),
    path("work/declare/", declare, name="declare"),
    path("shares/<str:share_id>/", share_page, name="share_page"),
]
