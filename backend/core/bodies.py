"""Reads the rest of each request, so that the next one on the same connection is answered."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.http.request import UnreadablePostError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MOST = 25_000_000  # bytes: as many as deploy/Caddyfile lets through
AT_ONCE = 64 * 1024


class WholeRequest:
    """Throws away what nobody read of a body: a refusal may come before it, for want of a token or of a right.

    gunicorn throws away 64 KiB by itself. With more it closes a connection that it has just said it keeps: the next
    request on it, perhaps of somebody else behind the same proxy, would get no answer.
    """

    def __init__(self, get_response: "Callable[[HttpRequest], HttpResponse]") -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: "HttpRequest") -> "HttpResponse":
        """Answer, then read on to the end of the body."""
        answer = self.get_response(request)
        left = MOST
        try:
            while left > 0 and (read := request.read(AT_ONCE)):
                left -= len(read)
        except UnreadablePostError:
            pass  # whoever sent it went away
        return answer
