"""`/v1/trial-balance`, `/v1/purses`, `/v1/entries`: the books, for treasurers and auditors; it moves no money."""

import base64
import binascii
import re
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller
from backend.api.contract import RIGHTS, Operation
from backend.api.errors import fault
from backend.api.fields import FieldFaults, Reader, day, says
from backend.api.pagination import DEFAULT_LIMIT, PAGING, choice, limit, page, read_parameters
from backend.api.shapes import ENTRY, POSTING, PURSE, TRIAL_BALANCE, listing
from backend.api.views import Resource, answer
from backend.core.errors import NotFound
from backend.identity.permissions import require
from backend.ledger.chart import NATURE
from backend.ledger.services import balances, purses, statement, trial_balance, whole_entry

SCOPE = "ledger:read"
_PLACE = re.compile(r"\d{4}-\d\d-\d\d\.[0-9]{1,18}", re.ASCII)


@says(type="string")
def _place(value: Any, pointer: str) -> str:
    """Where a page of a statement begins: a day and a number of a line, as the page before it said."""
    try:
        older = base64.urlsafe_b64decode(value.encode("ascii") + b"==").decode("ascii")
        date.fromisoformat(older[:10])
    except (ValueError, binascii.Error):
        older = ""
    if not _PLACE.fullmatch(older):
        message = _("This cursor was not given by this list: start again without it.")
        raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
    return older


def going_on(request: Request, older: str) -> tuple[str | None, dict[str, str]]:
    """The cursor and the headers that lead to the next page of a statement; None and nothing on the last one."""
    if not older:
        return None, {}
    following = base64.urlsafe_b64encode(older.encode()).decode().rstrip("=")
    query = urlencode({**{name: values[0] for name, values in request.GET.lists()}, "cursor": following})
    return following, {"Link": f'<{settings.BASE_URL}{request.path}?{query}>; rel="next"'}


FILTERS: dict[str, Reader] = {**PAGING, "kind": choice(NATURE)}
POSTINGS: dict[str, Reader] = {"limit": limit, "cursor": _place}


class TrialBalance(Resource):
    """The trial balance, of a day or of everything booked."""

    scopes = {"get": SCOPE}
    contract = {
        "get": Operation(
            "read_trial_balance",
            _("Read the trial balance"),
            TRIAL_BALANCE,
            parameters={"on": day},
            problems={403: RIGHTS},
        )
    }

    def get(self, request: Request) -> HttpResponse:
        """Debits and credits per account and currency."""
        require(caller(request), "ledger.read")
        on = read_parameters(request._request, {"on": day}).get("on")
        rows = trial_balance(up_to=on)
        return answer(serialize.trial_balance(rows, on))


class PurseList(Resource):
    """The purses, the latest first."""

    scopes = {"get": SCOPE}
    contract = {
        "get": Operation(
            "list_purses",
            _("List the purses, newest first"),
            listing(PURSE),
            parameters=FILTERS,
            problems={403: RIGHTS},
        )
    }

    def get(self, request: Request) -> HttpResponse:
        """Their balances, and what of them is set aside."""
        require(caller(request), "ledger.read")
        wanted = read_parameters(request._request, FILTERS)
        found = purses(kind=wanted.get("kind", ""))
        body, headers = page(request._request, found, lambda rows: [serialize.purse(row) for row in rows], wanted)
        return answer(body, headers=headers)


class PostingList(Resource):
    """The statement of one purse, by day, newest first."""

    scopes = {"get": SCOPE}
    contract = {
        "get": Operation(
            "list_postings",
            _("Read the statement of a purse, newest first"),
            listing(POSTING),
            parameters=POSTINGS,
            problems={403: RIGHTS, 404: "purse_not_found"},
        )
    }

    def get(self, request: Request, kind: str, owner: str, currency: str) -> HttpResponse:
        """Its postings with the balance after each."""
        require(caller(request), "ledger.read")
        wanted = read_parameters(request._request, POSTINGS)
        if kind not in NATURE or (owner, currency) not in balances(kind=kind, owners=[owner]):
            raise NotFound("purse_not_found", _("There is no such purse."))
        found = statement(
            kind=kind, owner=owner, currency=currency, limit=wanted.get("limit", DEFAULT_LIMIT),
            older=wanted.get("cursor", ""),
        )  # fmt: skip
        following, headers = going_on(request, found.older)
        side = NATURE[kind][0]
        rows = [serialize.posting(row, currency, side) for row in found.rows]
        return answer({"data": rows, "has_more": bool(following), "next_cursor": following}, headers=headers)


class EntryOne(Resource):
    """One entry."""

    scopes = {"get": SCOPE}
    contract = {
        "get": Operation("read_entry", _("Read an entry"), ENTRY, problems={403: RIGHTS, 404: "entry_not_found"})
    }

    def get(self, request: Request, entry_id: str) -> HttpResponse:
        """Its lines, what it undoes, and its seal; `null` until it is sealed."""
        require(caller(request), "ledger.read")
        read_parameters(request._request, {})
        return answer(serialize.entry(whole_entry(entry_id)))
