"""Writes happen once per Idempotency-Key: the answer kept with the effect is sent again byte for byte."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api.auth import caller
from backend.api.errors import Refused, fault
from backend.api.preconditions import etag
from backend.api.serialize import as_json
from backend.core.errors import DomainError, Forbidden, NotFound
from backend.core.idempotency import fingerprint, once

# What an act gives: what writes its answer, and the address of what it made (or "").
Done = tuple[Callable[[], dict[str, Any]], str]
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def require_key(request: Request) -> str:
    """The Idempotency-Key of a POST: 1 to 255 visible ASCII characters.

    Raises: Refused 400 `idempotency_key_missing`, `idempotency_key_invalid`.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise _refused(
            "idempotency_key_missing",
            _("Send the header Idempotency-Key with a value of your own, new for each act. Nothing was changed."),
        )
    if not _KEY.fullmatch(key):
        raise _refused(
            "idempotency_key_invalid",
            _("An Idempotency-Key has 1 to 255 visible ASCII characters. Nothing was changed."),
        )
    return key


def _refused(code: str, message: Any) -> Refused:
    return Refused(code, message, status=400, faults=[fault("header", "Idempotency-Key", code, message)])


def form_key(request: Request) -> str:
    """What the service stores with the row, so that PostgreSQL is a second guard against a second effect.

    Returns: SHA-256 (hexadecimal) of whose key it is and of the key.
    """
    return hashlib.sha256(f"api:{caller(request).pk}:{require_key(request)}".encode()).hexdigest()


def _rehearse(act: Callable[[], Any]) -> None:
    """Try an act that was done already, and undo it: raises Forbidden and NotFound, whatever else it meets is past."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                act()
        except (Forbidden, NotFound):
            raise
        except DomainError as refusal:
            if any(isinstance(one, Forbidden | NotFound) for one in refusal.within):
                raise
        except DatabaseError:
            pass
        transaction.set_rollback(True)


def write(
    request: Request,
    *,
    now: datetime,
    status: int,
    act: Callable[[], Done],
    tagged: bool = False,
) -> HttpResponse:
    """Do an act once for the key of the request and answer; a repetition gets the same bytes.

    Keys belong to the person, so that a new token does not repeat the acts of the one it replaces. What was kept is
    told again only while the caller may still do the act: the refusal that it would meet now comes instead.

    Args: status: of the answer. act: makes the effect; what it gives to write the JSON body is called the first time
        alone. tagged: whether the body is the whole of a resource, so that its ETag goes with it.
    Raises: what `core.idempotency.once` and `act` raise; nothing is kept then.
    """

    def effect() -> tuple[int, dict[str, str]]:
        body, location = act()
        # Kept as text: a jsonb column would give the members back in another order.
        return status, {"text": as_json(body()), "location": location}

    kept_status, kept, replayed = once(
        scope=caller(request).pk,
        key=require_key(request),
        request=fingerprint(request.method, request.path, request.data),
        now=now,
        act=effect,
    )
    if replayed:
        _rehearse(act)
    answer = HttpResponse(kept["text"], status=kept_status, content_type="application/json")
    if tagged:
        answer["ETag"] = etag(kept["text"])
    if kept["location"]:
        answer["Location"] = kept["location"]
    if replayed:
        answer["Idempotent-Replayed"] = "true"
    return answer
