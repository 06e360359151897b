"""`/v1/distributions`: the computed split of a closed period. Approving it is for people, on a page."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller
from backend.api.pagination import read_parameters
from backend.api.views import Resource, answer
from backend.core.errors import NotFound
from backend.distributions.models import Distribution


def in_full(distribution: Distribution) -> dict[str, Any]:
    """A distribution with its shares and its trace."""
    shares = distribution.shares.select_related("contributor").order_by("pk")
    return serialize.distribution(distribution, shares)


class DistributionOne(Resource):
    """One distribution."""

    scopes = {"get": "read"}

    def get(self, request: Request, distribution_id: str) -> HttpResponse:
        """Show it with its shares and its computation."""
        read_parameters(request._request, {})
        row = (
            Distribution.visible_to(caller(request))
            .select_related("period", "charter", "prepared_by", "approved_by")
            .filter(pk=distribution_id)
            .first()
        )
        if row is None:
            raise NotFound("distribution_not_found", _("There is no such distribution."))
        return answer(in_full(row))
