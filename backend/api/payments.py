"""`/v1/pledges/{id}/payments`: by card or debit, begun here, finished by a person on the page of the provider."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, held_back, out_of_sight, within
from backend.api.contract import RIGHTS, Operation
from backend.api.fields import Optional, Reader, read_fields, text, told
from backend.api.idempotency import Done, require_key, write
from backend.api.pagination import PAGING, page, read_parameters
from backend.api.shapes import PAYMENT, listing
from backend.api.views import Resource, answer
from backend.core.errors import Conflict, NotFound
from backend.payments.checkouts import start_checkout
from backend.payments.models import Checkout
from backend.payments.operations import carry_out
from backend.pledges.models import Pledge
from backend.pledges.services import is_payer, require_payer

BODY: dict[str, Reader | Optional] = {"method": told(text, enum=[method for method, _name in Checkout.METHODS])}


class _NotBegun(Conflict):
    """The key of a request is new: what it asks for is begun outside the transaction that keeps its answer."""


def _pledge(request: Request, pledge_id: str) -> Pledge:
    """A pledge that the caller may see with this token."""
    rows = within(request, Pledge.visible_to(caller(request)))
    found: Pledge | None = rows.filter(pk=pledge_id).select_related("organisation", "donor").first()
    if found is None or held_back(request, Pledge, pledge_id) or out_of_sight(request, Pledge, pledge_id):
        raise NotFound("pledge_not_found", _("There is no such pledge."))
    return found


def _payments(pledge: Pledge) -> "QuerySet[Checkout]":
    """Those of all the pledges made in the same act: one payment is for all of them."""
    return Checkout.objects.filter(group=pledge.group)


def shown(row: Checkout, *, pays: bool) -> dict[str, Any]:
    """A payment by card or debit; `address` is of the provider's page while a person can pay there.

    Args: pays: whether the reader is who pays: on that page stands their address.
    """
    return {
        "id": row.pk,
        "group": row.group,
        "method": row.method,
        "recurring": row.recurring,
        "amount": serialize.money(row.amount, row.currency),
        "state": row.state,
        "address": row.address if pays and row.state == "open" and row.address else None,
        "failure": row.failure,
        "created_at": serialize.moment(row.created_at),
        "expires_at": serialize.moment(row.expires_at),
        "finished_at": serialize.moment(row.finished_at),
    }


class PaymentList(Resource):
    """The payments by card or debit of the pledges made in one act."""

    scopes = {"get": "pledges:read", "post": "pledges:write"}
    held = ("com", "org")
    contract = {
        "get": Operation(
            "list_payments",
            _("List the payments by card or debit of a pledge, newest first"),
            listing(PAYMENT),
            parameters=PAGING,
            problems={404: "pledge_not_found"},
        ),
        "post": Operation(
            "begin_payment",
            _("Begin a payment by card or debit, which a person finishes"),
            PAYMENT,
            status=201,
            body=BODY,
            problems={
                403: RIGHTS,
                404: "pledge_not_found",
                409: "no_provider subscription_lives nothing_awaited payment_on_its_way period_partly_paid",
                422: "method_not_offered",
            },
        ),
    }

    def get(self, request: Request, pledge_id: str) -> HttpResponse:
        """List them, newest first."""
        wanted = read_parameters(request._request, PAGING)
        pledge = _pledge(request, pledge_id)
        pays = is_payer(caller(request), pledge)
        body, headers = page(
            request._request, _payments(pledge), lambda rows: [shown(row, pays=pays) for row in rows], wanted
        )
        return answer(body, headers=headers)

    def post(self, request: Request, pledge_id: str) -> HttpResponse:
        """Begin one: a person finishes it on the page whose address is answered. Moves no money."""
        read_parameters(request._request, {})
        require_key(request)
        _pledge(request, pledge_id)
        given = read_fields(request.data, BODY)
        now = timezone.now()

        def known() -> Pledge:
            pledge = _pledge(request, pledge_id)
            require_payer(caller(request), pledge)
            return pledge

        def kept() -> Done:
            known()
            raise _NotBegun("not_begun", "")

        try:
            return write(request, now=now, status=201, act=kept)
        except _NotBegun:
            pledge = known()
        # The row is committed before the provider is asked, and the answer is kept after: the network is in between.
        made = start_checkout(
            actor=caller(request), code="", group=pledge.group, method=given["method"],
            language=get_language() or "fr",
            return_url=settings.BASE_URL + reverse("pledge_payment", args=[pledge.pk]), now=now,
        )  # fmt: skip
        carry_out(operation_id=made.operation_id, now=now)
        made.refresh_from_db()
        body = shown(made, pays=True)
        where = f"/v1/pledges/{pledge_id}/payments/{made.pk}"

        def told() -> Done:
            known()
            return lambda: body, where

        return write(request, now=now, status=201, act=told)


class PaymentOne(Resource):
    """One payment by card or debit."""

    scopes = {"get": "pledges:read"}
    held = ("com", "org")
    contract = {
        "get": Operation(
            "read_payment",
            _("Read a payment by card or debit"),
            PAYMENT,
            problems={404: "pledge_not_found payment_not_found"},
        )
    }

    def get(self, request: Request, pledge_id: str, payment_id: str) -> HttpResponse:
        """Show where it stands, as our books know it."""
        read_parameters(request._request, {})
        pledge = _pledge(request, pledge_id)
        found = _payments(pledge).filter(pk=payment_id).first()
        if found is None:
            raise NotFound("payment_not_found", _("There is no such payment."))
        return answer(shown(found, pays=is_payer(caller(request), pledge)))
