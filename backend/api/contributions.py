"""`/v1/contributions`: work that is declared, reviewed by peers, or taken back."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, held_back, out_of_sight, within
from backend.api.contract import RIGHTS, Operation
from backend.api.fields import Optional, Reader, day, links, money, read_fields, text, text_up_to, told, whole
from backend.api.idempotency import form_key, require_key, write
from backend.api.pagination import PAGING, choice, page, read_parameters
from backend.api.shapes import CONTRIBUTION, CONTRIBUTION_IN_FULL, REVIEW_DONE, listing
from backend.api.views import Resource, answer
from backend.commons.models import Budget
from backend.commons.services import get_budget
from backend.contributions import services
from backend.contributions.models import Contribution, Review
from backend.core.errors import Invalid, NotFound

BODY: dict[str, Reader | Optional] = {
    "budget": text,
    "worked_on": day,
    "kind": told(text, enum=[kind for kind, _name in Contribution.KINDS]),
    "minutes": Optional(told(whole, minimum=0, maximum=services.MAX_MINUTES), 0),
    "amount": Optional(money, None),
    "description": told(text, minLength=1, maxLength=500),
    "evidence": Optional(told(links, maxItems=10), ()),
    "over_cap_reason": Optional(text_up_to(500), ""),
}
REVIEW: dict[str, Reader | Optional] = {
    "verdict": told(text, enum=[verdict for verdict, _name in Review.VERDICTS]),
    "reason": Optional(text_up_to(500), ""),
    "minutes": Optional(whole, None),
}
FILTERS: dict[str, Reader] = {
    **PAGING,
    "state": choice(dict(Contribution.STATES)),
    "budget": text,
    "from": day,
    "to": day,
}


def _no_contribution() -> NotFound:
    return NotFound("contribution_not_found", _("There is no such contribution."))


class ContributionList(Resource):
    """The contributions one may see."""

    scopes = {"get": "contributions:read", "post": "contributions:write"}
    held = ("com",)
    pointers = {"amount": "/amount/value", "currency": "/amount/currency"}
    contract = {
        "get": Operation(
            "list_contributions",
            _("List the contributions that you may see, newest first"),
            listing(CONTRIBUTION),
            parameters=FILTERS,
        ),
        "post": Operation(
            "declare_contribution",
            _("Declare your own work"),
            CONTRIBUTION,
            status=201,
            body=BODY,
            problems={
                403: RIGHTS,
                404: "budget_not_found charter_not_found",
                409: "budget_not_open period_closed form_key_reused",
                422: "kind_unknown kind_not_in_charter minutes_out_of_range nothing_declared amount_out_of_range "
                "other_currency over_the_cap reason_over_soft_cap description_length evidence_too_many "
                "evidence_not_a_link expense_has_no_time expense_without_amount expense_without_paper "
                "day_in_the_future day_outside_period",
            },
        ),
    }

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first: `from` is the first day of the work, `to` the first day left out."""
        wanted = read_parameters(request._request, FILTERS)
        lookups = {"state": "state", "budget": "budget", "from": "worked_on__gte", "to": "worked_on__lt"}
        rows = (
            within(request, Contribution.visible_to(caller(request)))
            .filter(**{lookups[name]: value for name, value in wanted.items() if name in lookups})
            .select_related("contributor")
        )
        body, headers = page(request._request, rows, serialize.contributions, wanted)
        return answer(body, headers=headers)

    def post(self, request: Request) -> HttpResponse:
        """Declare one's own work."""
        read_parameters(request._request, {})
        require_key(request)
        given = read_fields(request.data, BODY)
        if held_back(request, Budget, given["budget"]) or out_of_sight(request, Budget, given["budget"]):
            raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
        now = timezone.now()

        def act() -> tuple[dict[str, Any], str]:
            budget = get_budget(given["budget"])
            value, currency = given["amount"] or (0, budget.currency)
            if currency != budget.currency:
                raise Invalid(
                    "other_currency",
                    _("This pot is kept in %(currency)s: ask in that currency.") % {"currency": budget.currency},
                    param="currency",
                )
            contribution = services.declare(
                actor=caller(request),
                budget=budget,
                worked_on=given["worked_on"],
                kind=given["kind"],
                minutes=given["minutes"],
                amount=value,
                description=given["description"],
                evidence=given["evidence"],
                over_cap_reason=given["over_cap_reason"],
                form_key=form_key(request),
                now=now,
            )
            return serialize.contributions([contribution])[0], f"/v1/contributions/{contribution.pk}"

        return write(request, now=now, status=201, act=act)


class ContributionOne(Resource):
    """One contribution."""

    scopes = {"get": "contributions:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "read_contribution",
            _("Read a contribution with what its reviewers said"),
            CONTRIBUTION_IN_FULL,
            problems={404: "contribution_not_found"},
        )
    }

    def get(self, request: Request, contribution_id: str) -> HttpResponse:
        """Show it with what its reviewers said."""
        read_parameters(request._request, {})
        mine = within(request, Contribution.visible_to(caller(request)))
        row = mine.select_related("contributor").filter(pk=contribution_id).first()
        if row is None:
            raise _no_contribution()
        said = row.reviews.select_related("reviewer").order_by("pk")
        return answer({**serialize.contributions([row])[0], "reviews": [serialize.review(one) for one in said]})


class ReviewList(Resource):
    """What peers say of a contribution."""

    scopes = {"post": "contributions:review"}
    held = ("com",)
    contract = {
        "post": Operation(
            "review_contribution",
            _("Approve the work of somebody else, or reject it with a reason"),
            REVIEW_DONE,
            status=201,
            body=REVIEW,
            problems={
                403: f"{RIGHTS} own_contribution own_recording",
                404: "contribution_not_found",
                409: "contribution_not_open already_reviewed",
                422: "verdict_unknown reason_missing validated_minutes",
            },
        )
    }

    def post(self, request: Request, contribution_id: str) -> HttpResponse:
        """Approve someone else's contribution, or reject it with a reason."""
        read_parameters(request._request, {})
        require_key(request)
        given = read_fields(request.data, REVIEW)
        if held_back(request, Contribution, contribution_id) or out_of_sight(request, Contribution, contribution_id):
            raise _no_contribution()
        now = timezone.now()

        def act() -> tuple[dict[str, Any], str]:
            said = services.review(
                actor=caller(request),
                contribution_id=contribution_id,
                verdict=given["verdict"],
                reason=given["reason"],
                minutes=given["minutes"],
                now=now,
            )
            state = Contribution.objects.values_list("state", flat=True).get(pk=contribution_id)
            return {**serialize.review(said), "contribution_state": state}, f"/v1/contributions/{contribution_id}"

        return write(request, now=now, status=201, act=act)


class Withdrawal(Resource):
    """The end of a contribution that its author takes back."""

    scopes = {"post": "contributions:write"}
    held = ("com",)
    contract = {
        "post": Operation(
            "withdraw_contribution",
            _("Withdraw your own work"),
            CONTRIBUTION,
            status=201,
            body={},
            problems={403: RIGHTS, 404: "contribution_not_found", 409: "contribution_not_open"},
        )
    }

    def post(self, request: Request, contribution_id: str) -> HttpResponse:
        """Withdraw one's own contribution."""
        read_parameters(request._request, {})
        require_key(request)
        read_fields(request.data, {})
        if held_back(request, Contribution, contribution_id) or out_of_sight(request, Contribution, contribution_id):
            raise _no_contribution()
        now = timezone.now()

        def act() -> tuple[dict[str, Any], str]:
            row = services.withdraw(actor=caller(request), contribution_id=contribution_id, now=now)
            return serialize.contributions([row])[0], f"/v1/contributions/{contribution_id}"

        return write(request, now=now, status=201, act=act)
