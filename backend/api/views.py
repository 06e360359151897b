"""What all resources of the API share: the order of the checks, and the headers of every answer."""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import NotAcceptable
from rest_framework.exceptions import NotFound as NothingHere
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from backend.api.auth import HasScope, refuse_unsafe_address
from backend.api.contract import Operation
from backend.api.serialize import as_json
from backend.api.throttle import WINDOW_SECONDS, TokenThrottle, requests_per_minute
from backend.core.ids import new_id

JSON_TYPES = {"*/*", "application/*", "application/json", "application/problem+json"}


class JsonOnly(BaseContentNegotiation):
    """Answers in JSON, whatever the parameters of the address say."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """The JSON parser when the body says that it is JSON."""
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """The JSON renderer, unless the client accepts no JSON: raises NotAcceptable."""
        accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "*/*").split(",")}
        if not accepted & JSON_TYPES:
            raise NotAcceptable
        return renderers[0], renderers[0].media_type


class Resource(APIView):
    """A resource: each handler names its scope in `scopes`; anything else is refused."""

    permission_classes = [HasScope]
    throttle_classes = [TokenThrottle]
    content_negotiation_class = JsonOnly
    metadata_class = None
    # method (lower case) → scope of the token
    scopes: ClassVar[dict[str, str]] = {}
    # method (lower case) → what it promises; see contract.py
    contract: ClassVar[dict[str, Operation]] = {}
    # The page of the reference that shows it; the name of its module unless told.
    tag: ClassVar[str] = ""
    # The restrictions that its handlers keep to (auth.within): “com”, “org”. To a token held otherwise it is nowhere.
    held: ClassVar[tuple[str, ...]] = ()
    # field as the domain names it → JSON pointer, where it is not simply "/field"
    pointers: ClassVar[dict[str, str]] = {}
    request_id = ""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Name the request before anything can go wrong with it."""
        self.request_id = getattr(request, "request_id", "") or new_id("req")
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """The address first, then who is calling, the scope and the limit."""
        refuse_unsafe_address(request._request)
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Put the headers of every answer."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Request-Id"] = self.request_id
        answer["Cache-Control"] = "no-store"
        left = request.META.get("tronc.rate_limit")
        if left:
            answer["RateLimit-Policy"] = f'"token";q={requests_per_minute()};w={WINDOW_SECONDS}'
            answer["RateLimit"] = left
        return answer


class Nowhere(Resource):
    """Every other address under /v1/: a 404 in JSON, for anybody."""

    schema = None
    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Say that there is nothing here, whatever the method."""
        super().initial(request, *args, **kwargs)
        raise NothingHere


def answer(body: dict[str, Any], *, headers: dict[str, str] | None = None) -> HttpResponse:
    """A 200 in JSON."""
    return HttpResponse(as_json(body), content_type="application/json", headers=headers)
