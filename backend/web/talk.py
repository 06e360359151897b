"""One contribution with all that is said of it: questions, answers, objections and how they end."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backend.commons.services import tree_of
from backend.contributions.adjustments import may_propose
from backend.contributions.models import Contribution, Objection
from backend.contributions.peers import (
    UNDER_REVIEW,
    answer_question,
    ask_question,
    decide_objection,
    lift_objection,
    may_discuss,
    object_to,
)
from backend.core.errors import Conflict, Invalid
from backend.distributions.models import Share
from backend.identity.models import User
from backend.identity.permissions import may, who_may
from backend.web.forms import add_domain_error
from backend.web.forms_talk import AnswerForm, ObjectionForm, OpinionForm, QuestionForm
from backend.web.pages import AuthedRequest, private

WITHDRAWABLE = {*UNDER_REVIEW, "validated"}
AMENDABLE = {"draft", *UNDER_REVIEW}
# (act, id of what it is about) → the form that was sent and refused.
Refused = dict[tuple[str, str], forms.Form]


def seen(actor: User, contribution_id: str) -> Contribution:
    """A contribution that the actor may see, with what the pages show of it; else the page of what is not there."""
    rows = Contribution.visible_to(actor).select_related(
        "budget__commons", "budget__parent", "contributor", "period__charter"
    )
    return get_object_or_404(rows, pk=contribution_id)


def talk(actor: User, contribution: Contribution, refused: Refused | None = None) -> dict[str, Any]:
    """What was said of a contribution and what the reader may say: the context of `work/talk.html`."""
    known = refused or {}
    mine = contribution.contributor_id == actor.pk
    now = timezone.now()
    over = contribution.accepted_at is not None and contribution.accepted_at <= now
    open_to_talk = contribution.state in UNDER_REVIEW and not over and may_discuss(actor, contribution)
    involved = {contribution.contributor_id, contribution.recorded_by_id}
    decides = actor.pk not in involved and may(actor, "contribution.decide", scopes=tree_of(contribution.budget))
    charter = contribution.period.charter

    def form(kind: type[forms.Form], act: str, about: str) -> forms.Form:
        return known.get((act, about)) or kind(auto_id=f"{act}-{about}_%s")

    questions = [
        {"row": one, "form": form(AnswerForm, "answer", one.pk) if mine and one.closed_at is None else None}
        for one in contribution.questions.select_related("asker").order_by("created_at", "pk")
    ]
    objections = []
    raised = contribution.objections.select_related("objector").prefetch_related("opinions__steward")
    found = list(raised.order_by("created_at", "pk"))
    stands = any(row.state == "open" for row in found)
    stewards = who_may("contribution.decide", scopes=tree_of(contribution.budget)) if stands else []
    uninvolved = [one for one in stewards if one.pk not in involved]
    for row in found:
        opinions = sorted(row.opinions.all(), key=lambda said: said.created_at)
        said = any(one.steward_id == actor.pk for one in opinions)
        weighs = row.state == "open" and decides and row.objector_id != actor.pk and not said
        objections.append({
            "row": row,
            "opinions": opinions,
            "deciders": [one.name for one in uninvolved if one.pk != row.objector_id],
            "can_lift": row.state == "open" and row.objector_id == actor.pk,
            "form": form(OpinionForm, "decide", row.pk) if weighs else None,
        })  # fmt: skip
    objects = any(one["can_lift"] for one in objections)
    return {
        "contribution": contribution,
        "charter": charter,
        "mine": mine,
        "questions": questions,
        "objections": objections,
        "standing": [said for said, row in zip(objections, found, strict=True) if row.state == "open"],
        "days_left": -(-contribution.seconds_left // 86_400) if contribution.seconds_left else None,
        "ask": form(QuestionForm, "ask", contribution.pk) if open_to_talk else None,
        "object": form(ObjectionForm, "object", contribution.pk) if open_to_talk and not objects else None,
        "form": next(iter(known.values()), None),  # the summary of errors, on top
    }


def show(
    request: AuthedRequest, contribution: Contribution, refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    """The page of a contribution. Args: refused: the form that was sent, with its errors."""
    actor = request.user
    said = talk(actor, contribution, refused)
    mine, state = said["mine"], contribution.state
    share = (
        Share.visible_to(actor)
        .filter(contributor=contribution.contributor, distribution__period=contribution.period)
        .first()
    )
    expense = contribution.kind == "expense"
    context = said | {
        "reviews": contribution.reviews.select_related("reviewer").order_by("created_at"),
        "share": share if state in {"included", "settled"} else None,
        "undecided": [one for one in contribution.commits.all() if one.kind_said] if state == "draft" else [],
        "can_adjust": state == "settled" and not expense and may_propose(actor, contribution),
        "can_withdraw": mine and state in WITHDRAWABLE,
        "can_amend": mine and state in AMENDABLE,
        "can_waive": mine and state in WITHDRAWABLE and (contribution.amount or not expense),
        "can_review": not mine
        and contribution.recorded_by_id != actor.pk
        and state in UNDER_REVIEW
        and said["charter"].consent_days is None
        and may(actor, "contribution.review", scopes=tree_of(contribution.budget)),
    }
    return render(request, "work/contribution.html", context, status=status)


@private
@require_safe
def contribution_page(request: AuthedRequest, contribution_id: str) -> HttpResponse:
    """One contribution, what was said of it, and what it was given."""
    return show(request, seen(request.user, contribution_id))


def _say(
    request: AuthedRequest,
    contribution: Contribution,
    said: tuple[str, str, type[forms.Form]],
    act: Callable[..., object],
    told: str,
) -> HttpResponseBase:
    """Read a form, act, and go back to the page; with its errors beside its fields when it cannot be used.

    Args: said: the name of the act, what it is about, its form. act: the service. told: what to say when it is done.
    """
    name, about, kind = said
    form = kind(request.POST, auto_id=f"{name}-{about}_%s")
    status = 422
    if form.is_valid():
        try:
            act(form.cleaned_data)
        except (Invalid, Conflict) as refusal:
            add_domain_error(form, refusal)
            status = refusal.status
        else:
            messages.success(request, told)
            back = "review_one" if request.POST.get("back") == "review" else "contribution_page"
            return redirect(back, contribution.pk)
    return show(request, seen(request.user, contribution.pk), {(name, about): form}, status)


def _version(request: AuthedRequest) -> int | None:
    """The version that the reader saw; None when the form does not say it."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


@private
@require_POST
def question_new(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Ask something before one agrees. Moves no money."""
    contribution = seen(request.user, contribution_id)

    def act(values: dict[str, Any]) -> None:
        ask_question(
            actor=request.user, contribution_id=contribution.pk, text=values["text"], version=_version(request),
            now=timezone.now(),
        )  # fmt: skip

    told = _("Your question is asked; the contributor is told. No money moved.")
    return _say(request, contribution, ("ask", contribution.pk, QuestionForm), act, told)


@private
@require_POST
def question_answer(request: AuthedRequest, contribution_id: str, question_id: str) -> HttpResponseBase:
    """Answer a question on one's own work. Moves no money."""
    mine = Contribution.visible_to(request.user).filter(contributor=request.user, questions=question_id)
    contribution = get_object_or_404(mine, pk=contribution_id)

    def act(values: dict[str, Any]) -> None:
        answer_question(actor=request.user, question_id=question_id, text=values["answer"], now=timezone.now())

    told = _("Your answer is there to read. No money moved.")
    return _say(request, contribution, ("answer", question_id, AnswerForm), act, told)


@private
@require_POST
def objection_new(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Object with a reason. Moves no money."""
    contribution = seen(request.user, contribution_id)

    def act(values: dict[str, Any]) -> None:
        object_to(
            actor=request.user, contribution_id=contribution.pk, reason=values["reason"], version=_version(request),
            now=timezone.now(),
        )  # fmt: skip

    told = _("Your objection stands: nobody can accept this contribution before it has ended. No money moved.")
    return _say(request, contribution, ("object", contribution.pk, ObjectionForm), act, told)


@private
@require_POST
def objection_lift(request: AuthedRequest, contribution_id: str, objection_id: str) -> HttpResponseBase:
    """Take back one's own objection. Moves no money."""
    contribution = _doubted(request.user, contribution_id, objection_id)
    lift_objection(actor=request.user, objection_id=objection_id, now=timezone.now())
    messages.success(request, _("Your objection is lifted. No money moved."))
    return redirect("contribution_page", contribution.pk)


@private
@require_POST
def objection_decide(request: AuthedRequest, contribution_id: str, objection_id: str) -> HttpResponseBase:
    """Uphold somebody's objection or set it aside. Moves no money."""
    contribution = _doubted(request.user, contribution_id, objection_id)

    def act(values: dict[str, Any]) -> None:
        decide_objection(
            actor=request.user, objection_id=objection_id, upholds=values["upholds"] == "yes",
            reason=values["reason"], now=timezone.now(),
        )  # fmt: skip

    told = _("What you decided is kept. No money moved.")
    return _say(request, contribution, ("decide", objection_id, OpinionForm), act, told)


def _doubted(actor: User, contribution_id: str, objection_id: str) -> Contribution:
    contribution = seen(actor, contribution_id)
    get_object_or_404(Objection, pk=objection_id, contribution=contribution)
    return contribution


urlpatterns = [
    path("contributions/<str:contribution_id>/", contribution_page, name="contribution_page"),
    path("contributions/<str:contribution_id>/questions/", question_new, name="question_new"),
    path(
        "contributions/<str:contribution_id>/questions/<str:question_id>/answer/",
        question_answer,
        name="question_answer",
    ),
    path("contributions/<str:contribution_id>/objections/", objection_new, name="objection_new"),
    path(
        "contributions/<str:contribution_id>/objections/<str:objection_id>/lift/", objection_lift, name="objection_lift"
    ),
    path(
        "contributions/<str:contribution_id>/objections/<str:objection_id>/decide/",
        objection_decide,
        name="objection_decide",
    ),
]
