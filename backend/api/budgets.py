"""`/v1/budgets`: the budgets of all commons, their periods, and what one would get for work in them now."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, within
from backend.api.charters import budget_of
from backend.api.contract import RIGHTS, Operation
from backend.api.errors import Refused, fault
from backend.api.fields import FieldFaults, Reader, says, text
from backend.api.pagination import PAGING, choice, page, read_parameters
from backend.api.shapes import BUDGET_IN_FULL, BUDGET_LISTED, PERIOD_LISTED, listing
from backend.api.shapes import ESTIMATE as ESTIMATE_SHAPE
from backend.api.views import Resource, answer
from backend.commons.life import Veil
from backend.commons.models import Budget, Commons, Period
from backend.commons.services import charter_of, ruling_budget
from backend.contributions.facts import MAX_MINUTES
from backend.contributions.models import Contribution
from backend.core.errors import Invalid
from backend.core.money import MAX_AMOUNT
from backend.distributions.models import Distribution
from backend.distributions.services import estimate
from backend.operations.figures import figures_of


def _up_to(most: int) -> Reader:
    """A reader of whole numbers from 0."""

    @says(type="integer", minimum=0, maximum=most)
    def read(value: Any, pointer: str) -> int:
        if not (value.isascii() and value.isdecimal() and len(value) <= len(str(most)) and int(value) <= most):
            message = gettext_lazy("A whole number from 0 to %(most)s is expected.") % {"most": most}
            raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
        return int(value)

    return read


BUDGETS: dict[str, Reader] = {**PAGING, "commons": text}
PERIODS: dict[str, Reader] = {**PAGING, "state": choice(dict(Period.STATES))}
ESTIMATE: dict[str, Reader] = {
    "kind": choice(dict(Contribution.KINDS)), "minutes": _up_to(MAX_MINUTES), "amount": _up_to(MAX_AMOUNT),
}  # fmt: skip


def commons_of(budgets: Sequence[Budget]) -> dict[str, dict[str, str]]:
    """Budget id → its commons as others name it; the commons are loaded by the caller."""
    veil = Veil({one.commons_id for one in budgets})
    return {
        one.pk: {
            "id": one.commons_id,
            "slug": one.commons.slug,
            "name": veil.text(one.commons_id, "name", one.commons.name),
        }
        for one in budgets
    }


def _shown(rows: Sequence[Budget]) -> list[dict[str, Any]]:
    """Budgets with their figures and commons; the root is named after its commons."""
    known, places = figures_of(rows), commons_of(rows)
    return [
        {
            **serialize.budget(row, known[row.pk]),
            "name": row.name if row.parent_id else places[row.pk]["name"],
            "commons": places[row.pk],
        }
        for row in rows
    ]


def _rows() -> "QuerySet[Budget]":
    current = Prefetch("periods", queryset=Period.objects.filter(state="open"))
    return Budget.objects.select_related("commons").prefetch_related(current)


class BudgetList(Resource):
    """The budgets of all commons that are shown to everyone."""

    scopes = {"get": "commons:read"}
    held = ("com",)
    contract = {
        "get": Operation("list_budgets", gettext_lazy("List the budgets"), listing(BUDGET_LISTED), parameters=BUDGETS)
    }

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first; `commons` is the id or the short name of one."""
        wanted = read_parameters(request._request, BUDGETS)
        rows = within(request, _rows().filter(commons__in=Commons.readable()))
        if "commons" in wanted:
            rows = rows.filter(Q(commons=wanted["commons"]) | Q(commons__slug=wanted["commons"]))
        body, headers = page(request._request, rows, _shown, wanted)
        return answer(body, headers=headers)


class BudgetOne(Resource):
    """One budget."""

    scopes = {"get": "commons:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "read_budget",
            gettext_lazy("Read a budget"),
            BUDGET_IN_FULL,
            problems={404: "budget_not_found charter_not_found"},
        )
    }

    def get(self, request: Request, budget_id: str) -> HttpResponse:
        """Show it with the charter in force and the open periods, its own or those of the budget it follows."""
        read_parameters(request._request, {})
        row = _rows().get(pk=budget_of(request, budget_id).pk)
        charter = charter_of(row)
        periods = Period.objects.filter(budget=ruling_budget(row), state="open").select_related("charter")
        return answer(
            {
                **_shown([row])[0],
                "charter": {"id": charter.pk, "version": charter.version, "rule": charter.rule},
                "open_periods": [_period(one) for one in periods.order_by("starts_on")],
            }
        )


class PeriodList(Resource):
    """The periods of a budget, its own or those of the budget whose rules it follows."""

    scopes = {"get": "periods:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "list_periods",
            gettext_lazy("List the periods of a budget, newest first"),
            listing(PERIOD_LISTED),
            parameters=PERIODS,
            problems={404: "budget_not_found"},
        )
    }

    def get(self, request: Request, budget_id: str) -> HttpResponse:
        """List them, newest first, each with its distribution for those who may read it."""
        wanted = read_parameters(request._request, PERIODS)
        rows = Period.objects.filter(budget=ruling_budget(budget_of(request, budget_id))).select_related("charter")
        if "state" in wanted:
            rows = rows.filter(state=wanted["state"])

        def shown(found: list[Period]) -> list[dict[str, Any]]:
            seen = Distribution.visible_to(caller(request)).filter(period__in=found)
            known = dict(seen.values_list("period", "pk"))
            return [{**_period(one), "distribution": known.get(one.pk)} for one in found]

        body, headers = page(request._request, rows, shown, wanted)
        return answer(body, headers=headers)


class EstimateOne(Resource):
    """What one would get now."""

    scopes = {"get": "contributions:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "estimate_budget",
            gettext_lazy("Ask what you would get now"),
            ESTIMATE_SHAPE,
            parameters=ESTIMATE,
            problems={
                403: RIGHTS,
                404: "budget_not_found charter_not_found",
                409: "budget_not_open no_open_period",
                422: "minutes_out_of_range amount_out_of_range expense_has_no_time kind_not_in_charter over_the_cap",
            },
        )
    }

    def get(self, request: Request, budget_id: str) -> HttpResponse:
        """Compute the open period as it stands, with one more contribution of the caller. Changes nothing."""
        budget = budget_of(request, budget_id)
        now = timezone.now()
        wanted = read_parameters(request._request, ESTIMATE)
        try:
            found = estimate(actor=caller(request), budget=budget, now=now, **wanted)
        except Invalid as refusal:  # what is refused stands in the address, not in a body
            faults = [fault("parameter", refusal.param, refusal.code, refusal.message)] if refusal.param else []
            raise Refused(refusal.code, refusal.message, status=refusal.status, faults=faults) from refusal
        money = budget.currency
        return answer(
            {
                "estimate": True,
                "label": _(
                    "This is an estimate, not a promise: it changes with each contribution, review and payment"
                    " until the period is closed."
                ),
                "at": serialize.moment(now),
                "budget": budget.pk,
                "period": _period(found.period),
                "kind": found.kind or None,
                "minutes": wanted.get("minutes", 0),
                "amount": serialize.money(wanted.get("amount", 0), money),
                "amounts_count": found.amounts_count,
                "available": serialize.money(found.available, money),
                "asked": serialize.money(found.asked, money),
                "share": serialize.money(found.share, money),
                "of_this": serialize.money(found.of_this, money),
                "held_back": serialize.money(found.held_back, money),
                "minutes_held": found.minutes_held,
                "share_of_asked_ppm": found.share_of_asked_ppm,
            }
        )


def _period(row: Period) -> dict[str, Any]:
    """A period with the version of its charter, loaded by the caller."""
    return {**serialize.period(row), "charter_version": row.charter.version}
