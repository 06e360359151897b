"""`/v1/distributions`: the computed split of a closed period, and what is said against it.

Arbitrating it, deciding of objections to it and approving it is for people, on a page.
"""

from typing import Any

from django.db.models import Prefetch
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, within
from backend.api.contract import RIGHTS, Operation
from backend.api.fields import Optional, Reader, read_fields, text, text_up_to, told
from backend.api.idempotency import Done, require_key, write
from backend.api.pagination import read_parameters
from backend.api.shapes import DISTRIBUTION, OBJECT
from backend.api.views import Resource, answer
from backend.core.errors import Conflict, NotFound
from backend.distributions import services
from backend.distributions.models import Distribution, DistributionOpinion

OBJECTION: dict[str, Reader | Optional] = {
    "digest": text,
    "reason": told(text_up_to(services.MAX_REASON), minLength=1),
}


def in_full(distribution: Distribution) -> dict[str, Any]:
    """A distribution with its shares by purse, its moves, its last arbitration in force, objections and trace."""
    shares = distribution.shares.select_related("contributor").prefetch_related("parts").order_by("pk")
    arbitrations = distribution.arbitrations.filter(state__in=["waiting", "accepted"]).select_related("entered_by")
    latest = arbitrations.prefetch_related("lines__person", "lines__recorded_by").order_by("-entered_at", "-pk").first()
    said = Prefetch("opinions", DistributionOpinion.objects.select_related("steward").order_by("pk"))
    objections = distribution.objections.select_related("objector").prefetch_related(said).order_by("pk")
    return serialize.distribution(distribution, shares, distribution.moves.order_by("pk"), latest, objections)


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


class Said(Resource):
    """What one says against a distribution: it is answered with the distribution as it is then."""

    scopes = {"post": "distributions:write"}
    held = ("com",)

    def say(
        self, request: Request, distribution_id: str, fields: dict[str, Reader | Optional], act: Any
    ) -> HttpResponse:
        """Check what every one of them checks, then do it once."""
        read_parameters(request._request, {})
        require_key(request)
        _found(request, distribution_id)
        given = read_fields(request.data, fields)
        now = timezone.now()

        def once() -> Done:
            act(actor=caller(request), now=now, **given)
            return lambda: in_full(_found(request, distribution_id)), f"/v1/distributions/{distribution_id}"

        return write(request, now=now, status=201, act=once)


class ObjectionList(Said):
    """Objections to a published distribution."""

    contract = {
        "post": Operation(
            "object_to_distribution",
            _("Object to a published distribution, with a reason"),
            DISTRIBUTION,
            status=201,
            body=OBJECTION,
            problems={
                403: RIGHTS,
                404: "distribution_not_found",
                409: "distribution_not_ready distribution_approved distribution_changed already_objected "
                "objection_decided",
                422: "said_length",
            },
        )
    }

    def post(self, request: Request, distribution_id: str) -> HttpResponse:
        """Object with a reason: nobody approves it before the objection has ended. Moves no money."""

        def act(**given: Any) -> None:
            services.object_to_distribution(distribution_id=distribution_id, **given)

        return self.say(request, distribution_id, OBJECTION, act)


class Lifting(Said):
    """The end of an objection by whoever raised it."""

    contract = {
        "post": Operation(
            "lift_distribution_objection",
            _("Take back your objection to a distribution"),
            DISTRIBUTION,
            status=201,
            body={},
            problems={
                403: f"{RIGHTS} objection_of_another",
                404: "distribution_not_found objection_not_found",
                409: "objection_ended distribution_approved",
            },
        )
    }

    def post(self, request: Request, distribution_id: str, objection_id: str) -> HttpResponse:
        """Take back one's own objection. Moves no money."""
        if not _found(request, distribution_id).objections.filter(pk=objection_id).exists():
            raise NotFound("objection_not_found", _("There is no such objection."))

        def act(**given: Any) -> None:
            services.lift_distribution_objection(objection_id=objection_id, **given)

        return self.say(request, distribution_id, {}, act)


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
