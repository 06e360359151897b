"""Every refusal of the API as RFC 9457 `application/problem+json`, whoever raised it."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions

from backend.api.problems import title_of
from backend.core.errors import DomainError
from backend.core.ids import new_id
from backend.core.refusals import note

logger = logging.getLogger(__name__)

RETRY_SECONDS = {"idempotency_key_in_flight": 1, "service_unavailable": 5}
MOST_TOLD = 20  # of what is wrong with one body
Fault = dict[str, Any]


class Refused(Exception):
    """A refusal of the API itself: the request never reached the domain."""

    def __init__(
        self,
        code: str,
        message: Any,
        *,
        status: int,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what the answer needs. faults: members of `errors`, each with a code, a detail and where it is."""
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.faults = list(faults)
        self.headers = dict(headers or {})
        if status == 403:
            note(self)


def fault(where: str, place: str, code: str, detail: Any) -> Fault:
    """One member of `errors`. where: `pointer` (in the body), `parameter` (of the address) or `header`."""
    return {where: place, "code": code, "detail": str(detail)}


# What Django and its REST framework raise by themselves → our code, status and sentence; the first that fits.
_FRAMEWORK: list[tuple[tuple[type[Exception], ...], str, int, Any]] = [
    (
        (exceptions.NotAuthenticated,),
        "token_missing",
        401,
        _("Send a token in the header “Authorization: Bearer …”. Tokens are made on your page of tokens."),
    ),
    (
        (exceptions.AuthenticationFailed,),
        "token_invalid",
        401,
        _("This token is unknown, expired or revoked. Make another on your page of tokens."),
    ),
    ((exceptions.PermissionDenied,), "not_allowed", 403, _("Your roles do not allow this. Nothing was changed.")),
    ((exceptions.NotFound, Http404), "not_found", 404, _("There is nothing at this address.")),
    (
        (exceptions.MethodNotAllowed,),
        "method_not_allowed",
        405,
        _("This address does not take this method: see the header Allow."),
    ),
    (
        (exceptions.NotAcceptable,),
        "not_acceptable",
        406,
        _("The API answers in JSON only: accept application/json."),
    ),
    (
        (exceptions.UnsupportedMediaType,),
        "media_type_not_json",
        415,
        _("Send the body as JSON with “Content-Type: application/json”."),
    ),
    (
        (exceptions.Throttled,),
        "too_many_requests",
        429,
        _("Too many requests with this token: wait for the seconds of the header Retry-After."),
    ),
    (
        (exceptions.ParseError, SuspiciousOperation),
        "json_malformed",
        400,
        _("The body cannot be read as JSON. Nothing was changed."),
    ),
    (
        (OperationalError, InterfaceError),
        "service_unavailable",
        503,
        _("The service cannot answer at this moment. Send the same request again, with the same key."),
    ),
]
_CHALLENGES = {
    "token_missing": 'Bearer realm="tronc"',
    "token_invalid": 'Bearer realm="tronc", error="invalid_token"',
}


def _from_framework(failure: Exception) -> Refused | None:
    """The refusal that stands for an exception of the frameworks, if it is one we know."""
    for kinds, code, status, message in _FRAMEWORK:
        if isinstance(failure, kinds):
            headers = {"WWW-Authenticate": _CHALLENGES[code]} if code in _CHALLENGES else {}
            if isinstance(failure, exceptions.Throttled):
                headers["Retry-After"] = str(max(1, int(getattr(failure, "wait", None) or 1)))
            return Refused(code, message, status=status, headers=headers)
    return None


def _from_domain(refusal: DomainError, pointers: Mapping[str, str]) -> Refused:
    """A refusal of a service; its fields become JSON pointers into the body."""
    faults = [one for each in (refusal, *refusal.beside) for one in faults_of(each, pointers)][:MOST_TOLD]
    message = f"{refusal.message} ({refusal.for_programs})" if refusal.for_programs else refusal.message
    return Refused(refusal.code, message, status=refusal.status, faults=faults)


def faults_of(refusal: DomainError, pointers: Mapping[str, str], within: str = "") -> list[Fault]:
    """Where a refusal is: in a field of the body, in the header, or nowhere. within: the pointer of what it is in."""
    if refusal.param == "Idempotency-Key":
        return [fault("header", refusal.param, refusal.code, refusal.message)]
    if not refusal.param:
        return [fault("pointer", within, refusal.code, refusal.message)] if within else []
    pointer = within + pointers.get(refusal.param, f"/{refusal.param}")
    return [fault("pointer", pointer, refusal.code, refusal.message)]


def problem(failure: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Turn any exception of a view into a problem; what was not foreseen becomes a 500 that tells nothing.

    Args: failure: what was raised. context: the framework's, of which only the view is read.
    Returns: the answer; `errors` is there when a field, a parameter or a header is at fault.
    """
    view = context.get("view")
    request_id = getattr(view, "request_id", "") or new_id("req")
    if isinstance(failure, DomainError):
        refused: Refused | None = _from_domain(failure, getattr(view, "pointers", {}))
    elif isinstance(failure, Refused):
        refused = failure
    else:
        refused = _from_framework(failure)
    if refused is None or refused.status >= 500:
        logger.error("%s failed", request_id, exc_info=failure)
    if refused is None:
        refused = Refused(
            "internal_error",
            _("Something broke on our side. Send us the request id; sending the same request again is safe."),
            status=500,
        )
    body: dict[str, Any] = {
        "type": f"{settings.BASE_URL}/problems/{refused.code}",
        "title": title_of(refused.code, fallback=str(refused.message)),
        "status": refused.status,
        "code": refused.code,
        "detail": str(refused.message),
        "request_id": request_id,
    }
    if refused.faults:
        body["errors"] = refused.faults
    answer = HttpResponse(
        json.dumps(body, ensure_ascii=False), status=refused.status, content_type="application/problem+json"
    )
    for name, value in refused.headers.items():
        answer[name] = value
    if refused.code in RETRY_SECONDS:
        answer["Retry-After"] = str(RETRY_SECONDS[refused.code])
    return answer
