"""A refusal that comes before the body is read leaves the connection usable: on the real server, and in few steps."""

import http.client
import io
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.http.request import UnreadablePostError

from backend.core import bodies
from tests.conftest import Processes


def test_what_is_refused_unread_does_not_end_the_connection(processes: Processes) -> None:
    where = urlsplit(processes.web(workers=1)).netloc
    connection = http.client.HTTPConnection(where, timeout=20)
    sent = {"Content-Type": "application/json"}
    for method, path, body, status in (
        ("POST", "/v1/contributions/batch", b"[" * 300_000, 401),
        ("GET", "/v1/me", None, 401),
        ("POST", "/v1/nothing/here", b"[" * 3_000_000, 404),
        ("GET", "/healthz", None, 200),
    ):
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (status, "keep-alive"), path
        answer.read()
        assert connection.sock is not None, path
    connection.close()


class Sent(io.BytesIO):
    """A body that says what was read of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.taken += len(found)
        return found


def request_of(body: Any, length: int) -> WSGIRequest:
    return WSGIRequest({"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": body, "CONTENT_LENGTH": str(length)})


def test_the_rest_is_read_to_its_end_and_no_further_than_the_proxy_lets_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = Sent(b"x" * 200_000)
    seen = bodies.WholeRequest(lambda request: HttpResponse(request.read(10)))(request_of(body, 150_000))
    assert (seen.content, body.taken) == (b"x" * 10, 150_000)
    monkeypatch.setattr(bodies, "MOST", 100_000)
    body = Sent(b"x" * 200_000)
    bodies.WholeRequest(lambda request: HttpResponse())(request_of(body, 200_000))
    assert body.taken == 2 * bodies.AT_ONCE


def test_who_goes_away_in_the_middle_is_still_answered() -> None:
    class Gone(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError

    request = request_of(Gone(), 10)
    assert bodies.WholeRequest(lambda request: HttpResponse("answer"))(request).content == b"answer"
    with pytest.raises(UnreadablePostError):
        request.read(1)
