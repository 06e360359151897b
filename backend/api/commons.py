"""`/v1/commons`: public facts about the commons, their budgets and their five figures."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import within
from backend.api.contract import Operation
from backend.api.pagination import PAGING, page, read_parameters
from backend.api.shapes import COMMONS, listing
from backend.api.views import Resource, answer
from backend.commons.life import Veil
from backend.commons.models import Budget, Commons, Period
from backend.core.errors import NotFound
from backend.operations.figures import figures_of


def _with_budgets() -> "QuerySet[Commons]":
    """Commons with their budgets and open periods, in three queries."""
    current = Prefetch("periods", queryset=Period.objects.filter(state="open"))
    return Commons.readable().prefetch_related(
        Prefetch("budgets", queryset=Budget.objects.order_by("pk").prefetch_related(current))
    )


def _shown(rows: list[Commons]) -> list[dict[str, Any]]:
    known = figures_of([budget for row in rows for budget in row.budgets.all()])
    veil = Veil([row.pk for row in rows])
    for row in rows:
        row.name = veil.text(row.pk, "name", row.name)
        row.summary = veil.text(row.pk, "summary", row.summary)
        row.website = "" if veil.hides(row.pk, "website") else row.website
    return [serialize.commons(row, known) for row in rows]


class CommonsList(Resource):
    """All the commons."""

    scopes = {"get": "commons:read"}
    held = ("com",)
    contract = {
        "get": Operation("list_commons", _("List the commons, newest first"), listing(COMMONS), parameters=PAGING)
    }

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first."""
        wanted = read_parameters(request._request, PAGING)
        body, headers = page(request._request, within(request, _with_budgets().filter(state="open")), _shown, wanted)
        return answer(body, headers=headers)


class CommonsOne(Resource):
    """One commons."""

    scopes = {"get": "commons:read"}
    held = ("com",)
    contract = {"get": Operation("read_commons", _("Read a commons"), COMMONS, problems={404: "commons_not_found"})}

    def get(self, request: Request, commons_id: str) -> HttpResponse:
        """Show it."""
        read_parameters(request._request, {})
        row = within(request, _with_budgets()).filter(pk=commons_id).first()
        if row is None:
            raise NotFound("commons_not_found", _("There is no such commons."))
        return answer(_shown([row])[0])
