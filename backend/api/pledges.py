"""`/v1/pledges`: promises of money, and how to pay them. A promise moves no money."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, held_back, held_to_organisation, out_of_sight, within
from backend.api.fields import money, read_fields, text
from backend.api.idempotency import form_key, require_key, write
from backend.api.pagination import PAGING, page, read_parameters
from backend.api.views import Resource, answer
from backend.commons.models import Budget
from backend.commons.services import get_budget
from backend.core.errors import NotFound
from backend.identity.models import HostBankAccount, Organisation, User
from backend.pledges.models import Pledge
from backend.pledges.services import make_pledge


def _in_full(pledge: Pledge) -> dict[str, Any]:
    """A pledge with what its payer types in the bank's form; none while the host has no account in that currency."""
    account = HostBankAccount.objects.select_related("host").filter(currency=pledge.currency).order_by("pk").first()
    instructions = serialize.payment_instructions(pledge, account) if account else None
    return {**serialize.pledges([pledge])[0], "payment_instructions": instructions}


def _organisation(actor: User, organisation_id: str) -> Organisation:
    """One of the organisations this person may see."""
    found = Organisation.visible_to(actor).filter(pk=organisation_id).first()
    if found is None:
        raise _no_organisation()
    return found


def _no_organisation() -> NotFound:
    return NotFound("organisation_not_found", _("There is no such organisation among yours."), param="organisation")


class PledgeList(Resource):
    """The pledges of one's organisations."""

    scopes = {"get": "pledges:read", "post": "pledges:write"}
    held = ("com", "org")
    pointers = {"amount": "/amount/value", "currency": "/amount/currency"}

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first."""
        wanted = read_parameters(request._request, PAGING)
        body, headers = page(
            request._request,
            within(request, Pledge.visible_to(caller(request))),
            serialize.pledges,
            wanted,
        )
        return answer(body, headers=headers)

    def post(self, request: Request) -> HttpResponse:
        """Promise an amount to a budget in the name of an organisation."""
        read_parameters(request._request, {})
        require_key(request)
        given = read_fields(request.data, {"budget": text, "organisation": text, "amount": money})
        named = held_to_organisation(request)
        held = not named and held_back(request, Budget, given["budget"])
        if held or out_of_sight(request, Budget, given["budget"]):
            raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
        if named and held_back(request, Organisation, given["organisation"]):
            raise _no_organisation()
        now = timezone.now()

        def act() -> tuple[dict[str, Any], str]:
            value, currency = given["amount"]
            pledge = make_pledge(
                actor=caller(request),
                budget=get_budget(given["budget"]),
                organisation=_organisation(caller(request), given["organisation"]),
                amount=value,
                currency=currency,
                form_key=form_key(request),
                now=now,
            )
            return _in_full(pledge), f"/v1/pledges/{pledge.pk}"

        return write(request, now=now, status=201, act=act)


class PledgeOne(Resource):
    """One pledge."""

    scopes = {"get": "pledges:read"}
    held = ("com", "org")

    def get(self, request: Request, pledge_id: str) -> HttpResponse:
        """Show it with its payment instructions."""
        read_parameters(request._request, {})
        pledge = within(request, Pledge.visible_to(caller(request))).filter(pk=pledge_id).first()
        if pledge is None:
            raise NotFound("pledge_not_found", _("There is no such pledge."))
        return answer(_in_full(pledge))
