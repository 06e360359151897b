"""`/v1/events`: what happened where one may look, oldest first; a program goes on from the last event it saw."""

import re
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller
from backend.api.contract import Operation
from backend.api.errors import fault
from backend.api.fields import FieldFaults, Reader, says
from backend.api.pagination import DEFAULT_LIMIT, limit, read_parameters
from backend.api.shapes import EVENT, listing
from backend.api.views import Resource, answer
from backend.exports.feed import feed, place_of
from backend.identity.models import ApiToken

_EVENT = re.compile(r"evt_[0-9A-Z]{36}")


@says(type="string", pattern="^evt_[0-9A-Z]{36}$")
def _after(value: Any, pointer: str) -> tuple[int, str]:
    """The place of the last event that the program saw."""
    found = place_of(value) if _EVENT.fullmatch(value) else None
    if found is None:
        message = _("This is not the id of an event of this feed: start again without it.")
        raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
    return found


FEED: dict[str, Reader] = {"limit": limit, "after": _after}


class EventList(Resource):
    """The feed."""

    scopes = {"get": "events:read"}
    held = ("com", "org")
    contract = {
        "get": Operation(
            "list_events", _("List what happened after an event, oldest first"), listing(EVENT), parameters=FEED
        )
    }

    def get(self, request: Request) -> HttpResponse:
        """List what happened after an event, oldest first; of the last 90 days."""
        wanted = read_parameters(request._request, FEED)
        size, after = wanted.get("limit", DEFAULT_LIMIT), wanted.get("after")
        rows = feed(actor=caller(request), now=timezone.now(), after=after, only=cast(ApiToken, request.auth).only)
        found = list(rows.only("id", "kind", "subject", "scopes", "created_at")[: size + 1])
        more = len(found) > size
        found = found[:size]
        # Even on the last page: it is where to go on from, tomorrow.
        last = found[-1].pk if found else after[1] if after else None
        headers = {}
        if more:
            query = urlencode({"limit": size, "after": last})
            headers["Link"] = f'<{settings.BASE_URL}{request.path}?{query}>; rel="next"'
        rows_shown = [
            {
                "id": one.pk,
                "kind": one.kind,
                "subject": one.subject,
                "scopes": one.scopes,
                "created_at": serialize.moment(one.created_at),
            }
            for one in found
        ]
        return answer({"data": rows_shown, "has_more": more, "next_cursor": last}, headers=headers)
