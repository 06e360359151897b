"""How the tests of the API ask: a persona's token, the address of a thing, a body that comes as far as the rights."""

import itertools
import json
import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

from backend.api import urls
from backend.identity.services import host_day
from tests.rights.matrix import Cell
from tests.rights.world import House

_keys = itertools.count()


def api_routes() -> set[str]:
    """Every address of the API, written “contributions/{contribution_id}/reviews”; the last one is nowhere."""
    return {route_of(str(pattern.pattern)) for pattern in urls.urlpatterns[:-1]}


def route_of(regex: str) -> str:
    """A pattern as the reference writes it."""
    return re.sub(r"\(\?P<(\w+)>(?:[^()]|\\.)*\)", r"{\1}", regex).replace("\\", "").strip("^$")


def address_in_api(route: str, names: dict[str, Any]) -> str:
    """The address of a thing."""
    return "/v1/" + route.format(**names)


# The end of an address → what a POST there holds.
BODIES: dict[str, dict[str, Any]] = {
    "/payments": {"method": "card"},
    "/reviews": {"verdict": "approve"},
    "/questions": {"text": "Why?"},
    "/answer": {"text": "Because"},
    "/objections": {"reason": "Why not?"},
    "/opinions": {"upholds": True, "reason": "It is"},
}


def body_of(route: str, which: str, house: House) -> dict[str, Any]:
    """What a POST must hold for its rights to be looked at."""
    played = house.played
    if route == "pledges":
        return {
            "organisation": played.organisation.pk if which == "own" else house.roof.pk,
            "budget": house.pot.pk if which == "other" else played.budget.pk,
            "amount": {"value": 10_00, "currency": "EUR"},
        }
    if route == "contributions":
        return {
            "budget": house.pot.pk if which == "other" else played.budget.pk,
            "worked_on": host_day(house.now).isoformat(), "kind": "development", "minutes": 30, "description": "x",
            "amount": {"value": 10_00, "currency": "EUR"},
        }  # fmt: skip
    if route == "contributions/batch":
        return {"items": [body_of("contributions", which, house)]}
    if route == "distributions/{distribution_id}/objections":
        return {"digest": "0" * 64, "reason": "Why so?"}
    return next((body for end, body in BODIES.items() if route.endswith(end)), {})


def call(token: str, verb: str, address: str, body: Any = None, key: str = "") -> HttpResponse:
    """Ask the API with a token; without one when it is empty."""
    headers = {"Idempotency-Key": key or f"rights-{next(_keys)}", "Accept-Language": "en"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    browser = Client(raise_request_exception=False)
    given: dict[str, Any] = (
        {} if verb == "GET" else {"data": json.dumps(body or {}), "content_type": "application/json"}
    )
    return getattr(browser, verb.lower())(address, headers=headers, **given)  # type: ignore[no-any-return]


def ask_api(cell: Cell, house: House, *, token: str | None = None) -> HttpResponse:
    """The answer of the API to a cell; `token`: another one than the persona's own."""
    names = house.names(cell.of, cell.which, cell.persona) if "{" in cell.route else {}
    held = house.tokens.get(cell.persona, "") if token is None else token
    where = address_in_api(cell.route, names) + (f"?from={house.head}" if cell.route == "log/consistency" else "")
    return call(held, cell.verb, where, body_of(cell.route, cell.which, house))
