"""`/v1/distributions`: the computed split of a closed period. Arbitrating and approving it is for people, on a page."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, within
from backend.api.contract import Operation
from backend.api.pagination import read_parameters
from backend.api.shapes import DISTRIBUTION, OBJECT
from backend.api.views import Resource, answer
from backend.core.errors import Conflict, NotFound
from backend.distributions.models import Distribution


def in_full(distribution: Distribution) -> dict[str, Any]:
    """A distribution with its shares by purse, its moves, its last arbitration in force and its trace."""
    shares = distribution.shares.select_related("contributor").prefetch_related("parts").order_by("pk")
    arbitrations = distribution.arbitrations.filter(state__in=["waiting", "accepted"]).select_related("entered_by")
    latest = arbitrations.prefetch_related("lines__person", "lines__recorded_by").order_by("-entered_at", "-pk").first()
    return serialize.distribution(distribution, shares, distribution.moves.order_by("pk"), latest)


class DistributionOne(Resource):
    """One distribution."""

    scopes = {"get": "distributions:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "read_distribution",
            _("Read a distribution with its shares"),
            DISTRIBUTION,
            problems={404: "distribution_not_found"},
        )
    }

    def get(self, request: Request, distribution_id: str) -> HttpResponse:
        """Show it with its shares and its computation."""
        read_parameters(request._request, {})
        return answer(in_full(_found(request, distribution_id)))


class TraceOne(Resource):
    """The computation of a distribution, alone: what `manage explain` and `manage recompute` read."""

    scopes = {"get": "distributions:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "read_trace",
            _("Read the computation of a distribution"),
            OBJECT,
            problems={404: "distribution_not_found", 409: "distribution_not_ready"},
        )
    }

    def get(self, request: Request, distribution_id: str) -> HttpResponse:
        """Show it; ids, whole numbers and texts, no name."""
        read_parameters(request._request, {})
        row = _found(request, distribution_id)
        if row.trace is None:
            raise Conflict("distribution_not_ready", _("The computation is not finished: try again in a moment."))
        return answer(row.trace)


def _found(request: Request, distribution_id: str) -> Distribution:
    row: Distribution | None = (
        within(request, Distribution.visible_to(caller(request)))
        .select_related("period", "charter", "prepared_by", "approved_by")
        .filter(pk=distribution_id)
        .first()
    )
    if row is None:
        raise NotFound("distribution_not_found", _("There is no such distribution."))
    return row
