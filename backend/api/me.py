"""`/v1/me` and `/v1/statement`: whose token this is, where they may declare work, and what the house owes them."""

from datetime import date, timedelta
from typing import Any, cast

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import ANY_SCOPE, caller, held_to_organisation, within
from backend.api.budgets import commons_of
from backend.api.contract import Operation
from backend.api.errors import Refused, fault
from backend.api.fields import Reader, day, text
from backend.api.ledger import POSTINGS, going_on
from backend.api.pagination import DEFAULT_LIMIT, choice, read_parameters
from backend.api.shapes import ME
from backend.api.shapes import STATEMENT as STATEMENT_SHAPE
from backend.api.views import Resource, answer
from backend.commons.models import Budget
from backend.contributions.places import declarable
from backend.core.errors import NotFound
from backend.core.money import CURRENCIES
from backend.identity.models import ApiToken
from backend.identity.permissions import counting
from backend.ledger.chart import NATURE
from backend.ledger.services import balance, balance_on, balances, statement
from backend.payees.models import Payee

STATEMENT: dict[str, Reader] = {
    **POSTINGS,
    "payee": text,
    "currency": choice(dict.fromkeys(CURRENCIES)),
    "from": day,
    "to": day,
}
SIDE = NATURE["payee"][0]
MOST_BUDGETS = 200


class Me(Resource):
    """The person whose token it is."""

    scopes = {"get": ANY_SCOPE}
    held = ("com", "org")
    contract = {"get": Operation("read_me", _("Read who you are and what the token may do"), ME)}

    def get(self, request: Request) -> HttpResponse:
        """Show who they are, what the token may do, and the first budgets, by name, they may declare work in."""
        read_parameters(request._request, {})
        me, token = caller(request), cast(ApiToken, request.auth)
        found = list(within(request, declarable(me))[: MOST_BUDGETS + 1])
        budgets = found[:MOST_BUDGETS]
        known = commons_of(budgets)
        return answer(
            {
                "id": me.pk,
                "name": me.name,
                "token": {
                    "id": token.pk,
                    "name": token.name,
                    "scopes": token.scopes,
                    "only": token.only or None,
                    "expires_at": serialize.moment(token.expires_at),
                },
                "roles": [{"kind": kind, "scope": scope} for kind, scope in self._roles(request)],
                "budgets": [
                    {"id": one.pk, "name": one.name, "currency": one.currency, "commons": known[one.pk]}
                    for one in budgets
                ],
                "more_budgets": len(found) > MOST_BUDGETS,
            }
        )

    @staticmethod
    def _roles(request: Request) -> list[tuple[str, str]]:
        """The roles that count, those that the restriction of the token leaves."""
        roles = counting(caller(request)).order_by("kind", "scope")
        only = cast(ApiToken, request.auth).only
        if held_to_organisation(request):
            roles = roles.filter(scope=only)
        elif only:
            roles = roles.filter(scope__in=Budget.objects.filter(commons=only).values("pk"))
        return list(roles.values_list("kind", "scope"))


class Statement(Resource):
    """One's own statement of account: what was owed for one's work, and paid."""

    scopes = {"get": "statement:read"}
    contract = {
        "get": Operation(
            "list_statement",
            _("Read your own statement of account, newest first"),
            STATEMENT_SHAPE,
            parameters=STATEMENT,
            problems={404: "payee_not_found"},
        )
    }

    def get(self, request: Request) -> HttpResponse:
        """List its lines by day, newest first, with the balances before and after: `to` is the first day left out."""
        wanted = read_parameters(request._request, STATEMENT)
        first, end = wanted.get("from"), wanted.get("to")
        if first and end and end <= first:
            raise _to_refused()
        payees = list(
            Payee.objects.filter(user=caller(request)).order_by("-is_default", "pk").values_list("pk", flat=True)
        )
        owner = wanted.get("payee") or (payees or [""])[0]
        if "payee" in wanted and owner not in payees:
            raise NotFound("payee_not_found", _("There is no such payee."), param="payee")
        currencies = sorted(currency for _owner, currency in balances(kind="payee", owners=[owner]))
        currency = wanted.get("currency") or (currencies or [CURRENCIES[0]])[0]
        purse: dict[str, Any] = {"kind": "payee", "owner": owner, "currency": currency}
        # A page that begins at line 0 of a day holds the days before it.
        older = wanted.get("cursor") or (f"{end.isoformat()}.0" if end else "")
        found = statement(limit=wanted.get("limit", DEFAULT_LIMIT), older=older, **purse)
        rows = [row for row in found.rows if first is None or row.happened_on >= first]
        following, headers = going_on(request, found.older if len(rows) == len(found.rows) else "")
        opening = balance_on(day=_eve(first), **purse) if first else 0
        closing = balance_on(day=_eve(end), **purse) if end else balance(**purse)
        return answer(
            {
                "payee": owner or None,
                "payees": payees,
                "currency": currency,
                "currencies": currencies,
                "opening": serialize.money(opening, currency),
                "closing": serialize.money(closing, currency),
                "data": [serialize.posting(row, currency, SIDE) for row in rows],
                "has_more": bool(following),
                "next_cursor": following,
            },
            headers=headers,
        )


def _eve(day: date) -> date:
    """The day before; there is none before the first of the calendar, on which nothing happened either."""
    return max(day, date.min + timedelta(days=1)) - timedelta(days=1)


def _to_refused() -> Refused:
    message = _("The first day left out comes after the first day.")
    return Refused(
        "parameter_invalid", message, status=400, faults=[fault("parameter", "to", "parameter_invalid", message)]
    )
