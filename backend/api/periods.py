"""`/v1/periods`: the dated stretches of a budget, and their closing, which moves no money."""

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, held_back, out_of_sight, within
from backend.api.contract import RIGHTS, Operation
from backend.api.distributions import in_full
from backend.api.fields import read_fields
from backend.api.idempotency import Done, require_key, write
from backend.api.pagination import read_parameters
from backend.api.shapes import DISTRIBUTION, PERIOD_IN_FULL
from backend.api.views import Resource, answer
from backend.commons.models import Period
from backend.core.errors import NotFound
from backend.distributions.models import Distribution
from backend.distributions.services import close_period


def _no_period() -> NotFound:
    return NotFound("period_not_found", _("There is no such period."))


class PeriodOne(Resource):
    """One period: its days and its state are public."""

    scopes = {"get": "periods:read"}
    held = ("com",)
    contract = {"get": Operation("read_period", _("Read a period"), PERIOD_IN_FULL, problems={404: "period_not_found"})}

    def get(self, request: Request, period_id: str) -> HttpResponse:
        """Show it, with the id of its distribution to those who may read that."""
        read_parameters(request._request, {})
        row = within(request, Period.objects.filter(pk=period_id)).first()
        if row is None or out_of_sight(request, Period, period_id):
            raise _no_period()
        known = Distribution.visible_to(caller(request)).filter(period=row).values_list("pk", flat=True).first()
        return answer({**serialize.period(row), "distribution": known})


class Closure(Resource):
    """The closing of a period."""

    scopes = {"post": "periods:close"}
    held = ("com",)
    contract = {
        "post": Operation(
            "close_period",
            _("Close a period: its split is computed right after"),
            DISTRIBUTION,
            status=202,
            body={},
            problems={
                403: RIGHTS,
                404: "period_not_found",
                409: "period_not_open period_not_begun earlier_period_open distribution_pending",
            },
        )
    }

    def post(self, request: Request, period_id: str) -> HttpResponse:
        """Close it: its inputs are frozen now, the distribution is computed by a worker right after."""
        read_parameters(request._request, {})
        require_key(request)
        read_fields(request.data, {})
        if held_back(request, Period, period_id) or out_of_sight(request, Period, period_id):
            raise _no_period()
        now = timezone.now()

        def act() -> Done:
            distribution = close_period(actor=caller(request), period_id=period_id, now=now)
            return lambda: in_full(distribution), f"/v1/distributions/{distribution.pk}"

        return write(request, now=now, status=202, act=act)
