"""What a period would give under several rules, side by side: read by everyone concerned, kept nowhere."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.allocation.rules import RULES
from backend.commons.charters import CharterInvalid, valid_document
from backend.commons.models import Charter, Period
from backend.commons.words import rule_name
from backend.distributions.services import last_day, simulate
from backend.web.pages import AuthedRequest, private
from backend.web.periods import readable_periods
from backend.web.side_by_side import compare

# What a meeting that lacks money compares first.
USUAL = {"claim": ("claims_pro", "claims_cea", "claims_talmud"), "work": ("weighted", "equal", "catch_up")}
AT_MOST = 8
Choices = tuple[list[dict[str, Any]], list[str], list[str]]


def with_rule(document: dict[str, Any], rule: str) -> dict[str, Any]:
    """The same charter with another rule for what its last tier shares."""
    *before, last = document["tiers"]
    return {**document, "tiers": [*before, {**last, "rule": rule}]}


def _rules(charter: Charter) -> str:
    """The rules of its tiers, in their order."""
    return ", ".join(rule_name(tier["rule"]) for tier in charter.document["tiers"])


def _choices(period: Period, rules: list[str], versions: list[str]) -> Choices:
    """The documents to compare, their names, and why some of those asked for cannot be: the charter of the period
    comes first, then other versions of it, then other rules."""
    own = period.charter
    documents, names, refused = [own.document], [_("Its charter: %(rule)s") % {"rule": _rules(own)}], []
    for charter in Charter.objects.filter(budget=own.budget_id, version__in=versions).exclude(pk=own.pk):
        documents.append(charter.document)
        names.append(_("Version %(number)s: %(rule)s") % {"number": charter.version, "rule": _rules(charter)})
    for rule in rules:
        document = with_rule(own.document, rule)
        try:
            valid_document({**document, "upstream": []}, budget=period.budget)
            documents.append(document)
        except CharterInvalid as refusal:
            refused.append(f"{rule_name(rule)} · {refusal}")
        else:
            names.append(rule_name(rule))
    return documents[:AT_MOST], names[:AT_MOST], refused


@private
@require_safe
def simulation(request: AuthedRequest, period_id: str) -> HttpResponse:
    """One period under its charter and others. Nothing is written."""
    period = get_object_or_404(readable_periods(request.user).select_related("charter"), pk=period_id)
    chosen = "compare" in request.GET
    others = [rule for rule in sorted(RULES) if rule != period.charter.rule]
    usual = USUAL["claim" if RULES[period.charter.rule].tie == "claim" else "work"]
    rules = [rule for rule in others if rule in (request.GET.getlist("rule") if chosen else usual)]
    versions = [one for one in request.GET.getlist("version") if one.isdecimal() and len(one) < 6]
    declared = request.GET.get("declared") == "1" and period.state == "open"
    documents, names, refused = _choices(period, rules, versions)
    traces = simulate(
        actor=request.user, period_id=period.pk, documents=documents, include_declared=declared, now=timezone.now()
    )
    return render(
        request,
        "periods/simulation.html",
        {
            "period": period,
            "budget": period.budget,
            "last_day": last_day(period),
            "comparison": compare(traces, names),
            "rules": [(rule, rule_name(rule), rule in rules) for rule in others],
            "refused": refused,
            "tiers": len(period.charter.document["tiers"]),
            "versions": [
                (one.version, str(one.version) in versions)
                for one in Charter.objects.filter(budget=period.charter.budget_id).order_by("version")
                if one.pk != period.charter_id
            ],
            "declared": declared,
        },
    )


urlpatterns = [path("periods/<str:period_id>/simulate/", simulation, name="simulation")]
