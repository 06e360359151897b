"""`/v1/openapi.json`: the contract of the API, for anybody; caches keep it and ask whether it changed."""

import functools
import hashlib
import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api.contract import Operation
from backend.api.pagination import read_parameters
from backend.api.shapes import OBJECT
from backend.api.views import JsonOnly, Resource

FILE = settings.BASE.parent / "api_docs" / "openapi.json"
CACHED_SECONDS = 300


@functools.cache
def content() -> tuple[bytes, str]:
    """The file as it is served, and its ETag."""
    data = FILE.read_bytes()
    return data, f'"{hashlib.sha256(data).hexdigest()[:32]}"'


@functools.cache
def contract() -> dict[str, Any]:
    """The contract, read; not to be changed."""
    found: dict[str, Any] = json.loads(content()[0])
    return found


class Whatever(JsonOnly):
    """Gives the file to whoever asks: a browser that follows the link prefers HTML."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """JSON."""
        return renderers[0], renderers[0].media_type


class ContractFile(Resource):
    """The contract."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    content_negotiation_class = Whatever
    contract = {"get": Operation("read_contract", _("Read the contract of the API"), OBJECT, public=True, tagged=True)}
    tag = "openapi"

    def get(self, request: Request) -> HttpResponse:
        """Give it, or a 304 to those who hold it."""
        read_parameters(request._request, {})
        data, etag = content()
        answer = HttpResponse(data, content_type="application/json", headers={"ETag": etag})
        known = get_conditional_response(request._request, etag=etag, response=answer)
        return known or answer

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Let caches keep what is the same for all."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if answer.status_code in {200, 304}:
            answer["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
        return answer
