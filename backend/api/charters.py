"""`/v1/budgets/{id}/charter`: the rules of a budget, their versions, and the schema of their documents. Read only:
rules are changed by a person on a page.
"""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, within
from backend.api.contract import Operation
from backend.api.pagination import PAGING, page, read_parameters
from backend.api.shapes import CHARTER, CHARTER_IN_FORCE, OBJECT, listing
from backend.api.views import Resource, answer
from backend.commons.charter_schema import charter_schema
from backend.commons.life import concealed
from backend.commons.models import Budget, Charter, Period
from backend.commons.services import charter_of, get_budget, ruling_budget, tree_of
from backend.core.errors import NotFound
from backend.identity.models import User
from backend.identity.permissions import may


def _shown(row: Charter, actor: User, budget: Budget) -> dict[str, Any]:
    known = may(actor, "budget.read", scopes=tree_of(budget))
    return serialize.charter(row, adopted_by=row.created_by if known else None)


def budget_of(request: Request, budget_id: str) -> Budget:
    """A budget that the token may read."""
    budget = get_budget(budget_id)
    if concealed(caller(request), budget.commons) or not within(request, Budget.objects.filter(pk=budget.pk)).exists():
        raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
    return budget


class InForce(Resource):
    """The charter that holds for a budget now: its own, or that of the budget it follows."""

    scopes = {"get": "charters:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "read_charter_in_force",
            _("Read the charter in force of a budget"),
            CHARTER_IN_FORCE,
            problems={404: "budget_not_found charter_not_found"},
        )
    }

    def get(self, request: Request, budget_id: str) -> HttpResponse:
        """Show it, with the version that the next periods will have."""
        read_parameters(request._request, {})
        budget = budget_of(request, budget_id)
        ruling = ruling_budget(budget)
        periods = Period.objects.filter(budget=ruling, state="open").order_by("starts_on")
        body = _shown(charter_of(budget), caller(request), budget)
        return answer(
            {
                **body,
                "latest_version": ruling.charters.latest("version").version,
                "open_periods": [
                    {**serialize.period(one), "charter_version": one.charter.version}
                    for one in periods.select_related("charter")
                ],
            }
        )


class Versions(Resource):
    """The versions of the charter of a budget."""

    scopes = {"get": "charters:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "list_charters",
            _("List the versions of a charter, newest first"),
            listing(CHARTER),
            parameters=PAGING,
            problems={404: "budget_not_found charter_not_found"},
        )
    }

    def get(self, request: Request, budget_id: str) -> HttpResponse:
        """List them, newest first."""
        wanted = read_parameters(request._request, PAGING)
        budget = budget_of(request, budget_id)
        rows = ruling_budget(budget).charters.select_related("created_by")
        body, headers = page(
            request._request, rows, lambda found: [_shown(row, caller(request), budget) for row in found], wanted
        )
        return answer(body, headers=headers)


class Schema(Resource):
    """The JSON Schema of the documents of charters, also public at /charter.schema.json."""

    scopes = {"get": "charters:read"}
    contract = {"get": Operation("read_charter_schema", _("Read the JSON Schema of the charters"), OBJECT)}

    def get(self, request: Request) -> HttpResponse:
        """Show it."""
        read_parameters(request._request, {})
        return answer(charter_schema())
