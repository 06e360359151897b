"""`/v1/log/…`: the signed heads of the books, the keys that sign them, and proofs; the same as the public files."""

import base64
import binascii
import re
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api.auth import caller
from backend.api.contract import Operation
from backend.api.errors import Refused, fault
from backend.api.fields import FieldFaults, Reader, says
from backend.api.pagination import DEFAULT_LIMIT, limit, read_parameters
from backend.api.shapes import CONSISTENCY, HEAD, INCLUSION, KEYS, listing
from backend.api.views import Resource, answer
from backend.core.errors import NotFound
from backend.identity.models import ApiToken
from backend.identity.permissions import may
from backend.ledger.services import consistency_proof, inclusion_proof, keys, latest_heads, leaf_text


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,14}", text) else None


@says(type="integer", minimum=1, maximum=10**15 - 1)
def size(value: Any, pointer: str) -> int:
    """A number of entries, 1 or more."""
    found = _number(value)
    if found is None:
        message = _("A number of entries is expected: 1 or more.")
        raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
    return found


@says(type="string")
def place(value: Any, pointer: str) -> int:
    """The block below which the page starts."""
    try:
        found = _number(base64.urlsafe_b64decode(value.encode("ascii") + b"==").decode("ascii"))
    except (ValueError, binascii.Error):
        found = None
    if found is None:
        message = _("This cursor was not given by this list: start again without it.")
        raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
    return found


PAGES: dict[str, Reader] = {"limit": limit, "cursor": place}
SIZE: dict[str, Reader] = {"size": size}
SIZES: dict[str, Reader] = {"from": size, "to": size}


class HeadList(Resource):
    """The heads."""

    scopes = {"get": "log:read"}
    contract = {
        "get": Operation("list_heads", _("List the signed heads, newest first"), listing(HEAD), parameters=PAGES)
    }

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first."""
        wanted = read_parameters(request._request, PAGES)
        rows = wanted.get("limit", DEFAULT_LIMIT)
        found = latest_heads(before=wanted.get("cursor"), limit=rows + 1)
        more, found = len(found) > rows, found[:rows]
        following = base64.urlsafe_b64encode(str(found[-1]["block"]).encode()).decode().rstrip("=") if more else None
        headers = {}
        if following:
            query = urlencode({**request.GET.dict(), "cursor": following})
            headers["Link"] = f'<{settings.BASE_URL}{request.path}?{query}>; rel="next"'
        return answer({"data": found, "has_more": more, "next_cursor": following}, headers=headers)


class HeadLatest(Resource):
    """The last head."""

    scopes = {"get": "log:read"}
    contract = {"get": Operation("read_latest_head", _("Read the last head"), HEAD, problems={404: "head_not_found"})}

    def get(self, request: Request) -> HttpResponse:
        """Show it."""
        read_parameters(request._request, {})
        found = latest_heads(limit=1)
        if not found:
            raise NotFound("head_not_found", _("Nothing is sealed yet."))
        return answer(found[0])


class Keys(Resource):
    """The keys that sign heads."""

    scopes = {"get": "log:read"}
    contract = {"get": Operation("list_keys", _("List the keys that sign heads, oldest first"), KEYS)}

    def get(self, request: Request) -> HttpResponse:
        """List them all, oldest first."""
        read_parameters(request._request, {})
        return answer({"data": keys()})


class EntryProof(Resource):
    """That an entry is in the log."""

    scopes = {"get": "log:read"}
    contract = {
        "get": Operation(
            "prove_entry",
            _("Prove that an entry is in the log"),
            INCLUSION,
            parameters=SIZE,
            problems={404: "entry_not_sealed head_not_found"},
        )
    }

    def get(self, request: Request, entry_id: str) -> HttpResponse:
        """Prove it; what the entry says is added for those who may read the books, if the token may too."""
        wanted = read_parameters(request._request, SIZE)
        body = inclusion_proof(entry_id=entry_id, size=wanted.get("size"))
        if "ledger:read" in cast(ApiToken, request.auth).scopes and may(caller(request), "ledger.read"):
            body["content"] = leaf_text(entry_id)
        return answer(body)


class Consistency(Resource):
    """That the log only grew between two heads."""

    scopes = {"get": "log:read"}
    contract = {
        "get": Operation(
            "prove_consistency",
            _("Prove that the log only grew between two heads"),
            CONSISTENCY,
            parameters=SIZES,
            required=("from",),
            problems={404: "head_not_found", 422: "size_missing"},
        )
    }

    def get(self, request: Request) -> HttpResponse:
        """Prove it, up to the last head unless told."""
        wanted = read_parameters(request._request, SIZES)
        if "from" not in wanted:
            message = _("Say in “from” how many entries the head that you hold counts.")
            faults = [fault("parameter", "from", "size_missing", message)]
            raise Refused("size_missing", message, status=422, faults=faults)
        return answer(consistency_proof(old=wanted["from"], new=wanted.get("to")))
