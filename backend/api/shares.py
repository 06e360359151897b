"""`/v1/shares`: what a distribution gives each person, one's own and those of the budgets one works in."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, within
from backend.api.contract import Operation
from backend.api.fields import Optional, Reader, money, or_null, read_fields, text
from backend.api.idempotency import Done, form_key, write
from backend.api.pagination import PAGING, choice, page, read_parameters
from backend.api.shapes import SHARE_IN_FULL, listing
from backend.api.views import Resource, answer
from backend.core.errors import NotFound
from backend.distributions.models import Share
from backend.distributions.services import waive_share

FILTERS: dict[str, Reader] = {
    **PAGING,
    "contributor": text,
    "budget": text,
    "distribution": text,
    "state": choice(dict(Share.STATES)),
}
WAIVER: dict[str, Reader | Optional] = {"amount": Optional(or_null(money), None)}


def _shown(rows: list[Share]) -> list[dict[str, Any]]:
    """Shares; what they come from and whose they are is loaded by the caller."""
    return [
        {
            "id": row.pk,
            "distribution": row.distribution_id,
            "period": row.distribution.period_id,
            "budget": row.distribution.period.budget_id,
            "contributor": serialize.person(row.contributor),
            "asked": serialize.money(row.asked, row.distribution.currency),
            "amount": serialize.money(row.amount, row.distribution.currency),
            "waived": serialize.money(row.waived, row.distribution.currency),
            "parts": [
                {"budget": part.budget_id, "amount": serialize.money(part.amount, row.distribution.currency)}
                for part in sorted(row.parts.all(), key=lambda part: part.budget_id)
            ],
            "waivers": [
                {
                    "id": waiver.pk,
                    "amount": serialize.money(waiver.amount, row.distribution.currency),
                    "made_at": serialize.moment(waiver.made_at),
                    "parts": [
                        {"budget": part.budget_id, "amount": serialize.money(part.amount, row.distribution.currency)}
                        for part in sorted(waiver.parts.all(), key=lambda part: part.budget_id)
                    ],
                }
                for waiver in sorted(row.waivers.all(), key=lambda waiver: waiver.pk)
            ],
            "distribution_state": row.distribution.state,
            "state": row.state,
        }
        for row in rows
    ]


def _rows(request: Request) -> Any:
    rows = within(request, Share.visible_to(caller(request)))
    rows = rows.select_related("contributor", "distribution__period").prefetch_related("parts", "waivers__parts")
    return rows.defer("distribution__inputs", "distribution__trace")  # megabytes each, and not shown here


class ShareList(Resource):
    """The shares one may see."""

    scopes = {"get": "distributions:read"}
    held = ("com",)
    contract = {
        "get": Operation(
            "list_shares",
            _("List the shares that you may see, newest first"),
            listing(SHARE_IN_FULL),
            parameters=FILTERS,
        )
    }

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first; `contributor` is an id, or `me`."""
        wanted = read_parameters(request._request, FILTERS)
        if wanted.get("contributor") == "me":
            wanted["contributor"] = caller(request).pk
        lookups = {
            "contributor": "contributor", "budget": "distribution__period__budget", "distribution": "distribution",
            "state": "state",
        }  # fmt: skip
        rows = _rows(request).filter(**{lookups[name]: value for name, value in wanted.items() if name in lookups})
        body, headers = page(request._request, rows, _shown, wanted)
        return answer(body, headers=headers)


class ShareOne(Resource):
    """One share."""

    scopes = {"get": "distributions:read"}
    held = ("com",)
    contract = {"get": Operation("read_share", _("Read a share"), SHARE_IN_FULL, problems={404: "share_not_found"})}

    def get(self, request: Request, share_id: str) -> HttpResponse:
        """Show it; what each contribution was given is in the trace of its distribution."""
        read_parameters(request._request, {})
        return answer(_shown([_found(request, share_id)])[0])


class WaiverList(Resource):
    """What the person whose share it is gives back of it."""

    scopes = {"post": "distributions:write"}
    held = ("com",)
    contract = {
        "post": Operation(
            "waive_share",
            _("Give back all or part of your own share, before a payout batch takes it"),
            SHARE_IN_FULL,
            status=201,
            body=WAIVER,
            problems={
                403: "share_of_another",
                404: "share_not_found",
                409: "share_not_waivable budget_over form_key_reused",
                422: "amount_out_of_range waived_more_than_due other_currency",
            },
        )
    }

    def post(self, request: Request, share_id: str) -> HttpResponse:
        """Give back what is due of it, or the part that `amount` says, to the budgets that it came from. Final."""
        read_parameters(request._request, {})
        key = form_key(request)
        _found(request, share_id)
        value, currency = read_fields(request.data, WAIVER)["amount"] or (None, None)
        now = timezone.now()

        def act() -> Done:
            waive_share(
                actor=caller(request), share_id=share_id, amount=value, currency=currency, form_key=key, now=now
            )
            return lambda: _shown([_found(request, share_id)])[0], f"/v1/shares/{share_id}"

        return write(request, now=now, status=201, act=act)


def _found(request: Request, share_id: str) -> Share:
    row: Share | None = _rows(request).filter(pk=share_id).first()
    if row is None:
        raise NotFound("share_not_found", _("There is no such share."))
    return row
