"""What the tests of the API share: a client that speaks JSON with somebody's token."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.test.client import FakePayload
from django.utils import timezone

from backend.identity.models import ApiToken, User
from backend.identity.tokens import create_token
from tests.api.holding import complaints

ALL_SCOPES = [scope for scope, _label in ApiToken.SCOPES]
_keys = itertools.count()


class Caller:
    """A person's program: their token, and a new Idempotency-Key for each POST unless one is given."""

    def __init__(self, user: User, scopes: list[str] | None = None, language: str = "en", only: str = "") -> None:
        """Make the token."""
        self.user = user
        self.row, self.token = create_token(
            user=user, name="tests", scopes=ALL_SCOPES if scopes is None else scopes, only=only, now=timezone.now()
        )
        self.http = Client()
        self.headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": language}

    def get(self, path: str, **headers: str) -> HttpResponse:
        """Read."""
        return self.http.get(f"/v1/{path}", headers={**self.headers, **headers})

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> HttpResponse:
        """Write: `body` is JSON-ready, or the bytes themselves."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"Idempotency-Key": key or f"test-{next(_keys)}", **self.headers, **headers}
        return self.http.post(f"/v1/{path}", data, content_type="application/json", headers=given)

    def patch(self, path: str, body: Any = None, *, match: str | None = None, **headers: str) -> HttpResponse:
        """Change: `match` is the ETag that was read; none is sent when it is empty, a star unless given."""
        return self._changed("patch", path, body, match, headers)

    def delete(self, path: str, *, match: str | None = None, **headers: str) -> HttpResponse:
        """Delete."""
        return self._changed("delete", path, None, match, headers)

    def _changed(self, verb: str, path: str, body: Any, match: str | None, headers: dict[str, str]) -> HttpResponse:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {**self.headers, **headers}
        if match != "":
            given["If-Match"] = match or "*"
        answer: HttpResponse = getattr(self.http, verb)(
            f"/v1/{path}", data, content_type="application/json", headers=given
        )
        return answer


@pytest.fixture(autouse=True)
def held_to_the_contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each request of these tests under /v1/, and its answer, is what the contract says."""
    found: list[str] = []
    send = Client.request

    def sent(self: Client, **request: Any) -> Any:
        path, method = str(request["PATH_INFO"]), str(request["REQUEST_METHOD"])
        body = b""
        if path.startswith("/v1/") and "wsgi.input" in request:
            body = request["wsgi.input"].read()
            request["wsgi.input"] = FakePayload(body)
        answer = send(self, **request)
        if path.startswith("/v1/"):
            headers = {
                name.removeprefix("HTTP_").replace("_", "-").title(): str(value)
                for name, value in request.items()
                if name.startswith("HTTP_")
            }
            told = complaints(method, path, str(request.get("QUERY_STRING", "")), headers, body, answer)
            found.extend(f"{method} {path}: {one}" for one in told)
        return answer

    monkeypatch.setattr(Client, "request", sent)
    yield
    assert not found, "\n".join(dict.fromkeys(found))


@pytest.fixture
def call() -> Callable[..., Caller]:
    """`call(user)` or `call(user, ["pledges:read"], only="com_…")`."""
    return Caller


def shown(answer: HttpResponse, status: int) -> Any:
    """The JSON of an answer that must have this status."""
    assert answer.status_code == status, (answer.status_code, answer.content.decode())
    return json.loads(answer.content)


def refused(answer: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer, after checking what every problem has."""
    problem = shown(answer, status)
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"].endswith(f"/problems/{code}")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer["Request-Id"]
    assert set(problem) <= {"type", "title", "status", "code", "detail", "request_id", "errors"}
    return problem


def work(world: Any, **changed: Any) -> dict[str, Any]:
    """The body of a contribution that is accepted, with some fields changed; None removes a field."""
    body = {
        "budget": world.budget.pk,
        "worked_on": world.today.isoformat(),
        "kind": "development",
        "minutes": 90,
        "amount": {"value": 4500, "currency": "EUR"},
        "description": "Export of the atlas",
        "evidence": ["https://example.org/atlas/12"],
        **changed,
    }
    return {name: value for name, value in body.items() if value is not None}
