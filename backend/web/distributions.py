"""Pages of distributions: the computed split, its approval by another person, its trace as a file."""

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.allocation import texts
from backend.allocation.rules import RULES
from backend.allocation.trace import ENGINE
from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.commons.words import rule_name
from backend.contributions.models import Contribution
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid
from backend.core.money import format_money
from backend.distributions.models import Distribution
from backend.distributions.services import (
    approval_hindrance,
    approve,
    decide_distribution_objection,
    last_day,
    lift_distribution_objection,
    object_to_distribution,
)
from backend.identity.models import User
from backend.identity.permissions import holds, may
from backend.web.forms import add_domain_error
from backend.web.forms_talk import DistributionOpinionForm, ObjectionForm
from backend.web.objections import Refused, said_of
from backend.web.pages import AuthedRequest, fresh_factor, private, told_in
from backend.web.side_by_side import validated_minutes

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
    """Why this person may not approve this distribution now, or None; `approve` checks it again under lock."""
    if not may(actor, "distribution.approve", scopes=tree_of(distribution.period.budget)):
        return Forbidden("not_allowed", _("A treasurer must approve this distribution."))
    return approval_hindrance(actor=actor, distribution=distribution, now=timezone.now())


@private
@require_safe
def distribution_page(request: AuthedRequest, distribution_id: str) -> HttpResponse:
    """The computed split: inputs, pot, each person's computation, the digest; refreshed while it is being computed."""
    return _shown(request, _distribution(request, distribution_id))


def _shown(
    request: AuthedRequest, distribution: Distribution, refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    """The page of a distribution. Args: refused: the form that was sent, with its errors."""
    lines = distribution.inputs["lines"]
    inputs = Contribution.visible_to(request.user).in_bulk([one["contribution"] for one in lines])
    arbitrations = distribution.arbitrations.order_by("-entered_at", "-id")
    context = {
        "distribution": distribution,
        "budget": distribution.period.budget,
        "period": distribution.period,
        "last_day": last_day(distribution.period),
        "rules": ", ".join(rule_name(tier["rule"]) for tier in distribution.charter.document["tiers"]),
        "inputs": [{"row": inputs.get(one["contribution"]), **one} for one in lines],
        "hindrance": hindrance(request.user, distribution) if distribution.state != "booked" else None,
        "treasurer": holds(request.user, "treasurer"),
        "arbitrations": arbitrations,
        "can_arbitrate": distribution.state == "published"
        and not any(one.state == "waiting" for one in arbitrations)
        and may(request.user, "distribution.arbitrate", scopes=tree_of(distribution.period.budget)),
    }
    context |= said_of(request.user, distribution, refused)
    reload_at = ""
    if distribution.state == "frozen":
        # A reader who needs time must not be interrupted for ever: after some tries the page waits for a click.
        tried = request.GET.get("wait", "0")
        tries = int(tried) if tried.isdecimal() and len(tried) < 4 else RELOADS
        reload_at = f"?wait={tries + 1}" if tries < RELOADS else ""
        context["reloads"] = bool(reload_at)
    if distribution.trace is not None:
        readable = distribution.trace["engine"] == ENGINE
        context |= _computation(distribution) if readable else {"older": True}
    answer = render(request, "periods/distribution.html", context, status=status)
    if reload_at:
        answer["Refresh"] = f"{RELOAD_SECONDS}; url={reload_at}"
    return answer


def _computation(distribution: Distribution) -> dict[str, Any]:
    """The trace made readable: what was set aside, one row a person, each purse, the sentences of the whole."""
    language = get_language() or "fr"
    trace: dict[str, Any] = distribution.trace or {}
    shares = {share.contributor_id: share for share in distribution.shares.select_related("contributor")}
    names = {share.contributor_id: share.contributor.name for share in shares.values()} | names_of_budgets(trace)
    if trace["arbitration"]:
        writer = trace["arbitration"]["entered_by"]
        names |= dict(User.objects.filter(pk=writer).values_list("pk", "name"))
    written = {**told_in(distribution.currency), "names": names}
    minutes = validated_minutes(trace)
    extra: dict[str, int] = {}
    for step in trace["steps"]:
        for person in step["persons"]:
            extra[person["id"]] = extra.get(person["id"], 0) + person["extra_cent"]
    rows = [
        {
            "share": shares[person["id"]],
            "name": names[person["id"]],
            "asked": person["claim"],
            "minutes": minutes.get(person["id"], 0),
            "extra": extra.get(person["id"], 0),
            "cents": person["cents"],
            "words": texts.explain(trace, person["id"], language, **written),
        }
        for person in trace["persons"]
        if person["id"] in shares
    ]
    rows.sort(key=lambda row: row["name"].casefold())
    uses = trace["totals"]["uses"]
    return {
        "rows": rows,
        "asked": sum(row["asked"] for row in rows) if _by_requests(trace) else 0,
        "minutes": sum(row["minutes"] for row in rows),
        "shared": uses["shares"],
        "set_aside": uses["upstream"] + uses["reserve"],
        "unspent": uses["left"],
        "extras": sum(row["extra"] for row in rows),
        "purses": [{**purse, "name": names.get(purse["id"], purse["id"])} for purse in trace["purses"]],
        "whole": texts.explain_whole(trace, language, **written),
    }


def _by_requests(trace: dict[str, Any]) -> bool:
    """Whether any step tries to meet what people asked."""
    return any(RULES[step["rule"]].tie == "claim" for step in trace["steps"])


def names_of_budgets(trace: dict[str, Any]) -> dict[str, str]:
    """Id → name of all the budgets that a trace speaks of, for its sentences."""
    ids = {purse["id"] for purse in trace["purses"]}
    ids |= {move[end] for move in trace["moves"] for end in ("from", "to")}
    return {one.pk: one.full_name for one in Budget.objects.select_related("commons", "parent").filter(pk__in=ids)}


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


def _say(
    request: AuthedRequest, distribution: Distribution, said: tuple[str, forms.Form], act: Callable[..., object],
    told: str,
) -> HttpResponseBase:  # fmt: skip
    """Read a form, act, and go back to the page; with its errors beside its fields when it cannot be used.

    Args: said: what it is about, and the form. act: the service. told: what to say when it is done.
    """
    about, form = said
    status = 422
    if form.is_valid():
        try:
            act(form.cleaned_data)
        except (Invalid, Conflict) as refusal:
            add_domain_error(form, refusal)
            status = refusal.status
        else:
            messages.success(request, told)
            return redirect("distribution_page", distribution.pk)
    return _shown(request, _distribution(request, distribution.pk), {about: form}, status)


@private
@require_POST
def distribution_object(request: AuthedRequest, distribution_id: str) -> HttpResponseBase:
    """Object to the computed split, with a reason. Moves no money."""
    distribution = _distribution(request, distribution_id)

    def act(values: dict[str, Any]) -> None:
        object_to_distribution(
            actor=request.user, distribution_id=distribution.pk, digest=request.POST.get("digest", ""),
            reason=values["reason"], now=timezone.now(),
        )  # fmt: skip

    told = _("Your objection stands: nobody can approve this distribution before it has ended. No money moved.")
    form = ObjectionForm(request.POST, auto_id="object_%s")
    return _say(request, distribution, ("object", form), act, told)


@private
@require_POST
def distribution_objection_lift(request: AuthedRequest, distribution_id: str, objection_id: str) -> HttpResponseBase:
    """Take back one's own objection. Moves no money."""
    distribution = _doubted(request, distribution_id, objection_id)
    lift_distribution_objection(actor=request.user, objection_id=objection_id, now=timezone.now())
    messages.success(request, _("Your objection is lifted. No money moved."))
    return redirect("distribution_page", distribution.pk)


@private
@require_POST
def distribution_objection_decide(request: AuthedRequest, distribution_id: str, objection_id: str) -> HttpResponseBase:
    """Uphold somebody's objection or set it aside. Moves no money."""
    distribution = _doubted(request, distribution_id, objection_id)

    def act(values: dict[str, Any]) -> None:
        decide_distribution_objection(
            actor=request.user, objection_id=objection_id, upholds=values["upholds"] == "yes",
            reason=values["reason"], now=timezone.now(),
        )  # fmt: skip

    form = DistributionOpinionForm(request.POST, auto_id=f"{objection_id}_%s")
    told = _("What you decided is kept. No money moved.")
    return _say(request, distribution, (objection_id, form), act, told)


def _doubted(request: AuthedRequest, distribution_id: str, objection_id: str) -> Distribution:
    distribution = _distribution(request, distribution_id)
    get_object_or_404(distribution.objections, pk=objection_id)
    return distribution


urlpatterns = [
    path("distributions/<str:distribution_id>/objections/", distribution_object, name="distribution_object"),
    path(
        "distributions/<str:distribution_id>/objections/<str:objection_id>/lift/",
        distribution_objection_lift,
        name="distribution_objection_lift",
    ),
    path(
        "distributions/<str:distribution_id>/objections/<str:objection_id>/decide/",
        distribution_objection_decide,
        name="distribution_objection_decide",
    ),
    path("distributions/<str:distribution_id>/", distribution_page, name="distribution_page"),
    path("distributions/<str:distribution_id>/approve/", distribution_approve, name="distribution_approve"),
    path("distributions/<str:distribution_id>/trace.json", distribution_trace, name="distribution_trace"),
]
