"""One effect per key: the answer to a request is stored with its effect, in the same transaction."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid
from backend.core.models import IdempotencyRecord

KEEP = timedelta(days=30)


def fingerprint(*parts: Any) -> str:
    """SHA-256 (hexadecimal) of the canonical JSON of the parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def try_lock(name: str) -> bool:
    """Take PostgreSQL's advisory lock of that name until the end of the transaction; False when another holds it."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def once(
    *, scope: str, key: str, request: str, now: datetime, act: Callable[[], tuple[int, Any]]
) -> tuple[int, Any, bool]:
    """Run `act` once for (scope, key) and give every repetition the same answer.

    Args: scope: whose keys these are. key: the client's. request: fingerprint of method, path and body.
        act: makes the effect and returns (status, JSON-ready body); a refusal it raises is not stored.
    Returns: status, body, and whether it is a replay.
    Raises: Conflict `idempotency_key_in_flight` while the first is running;
        Invalid `idempotency_key_reused` when the key came with another request.
    """
    with transaction.atomic():
        if not try_lock(f"idempotency:{scope}:{key}"):
            raise Conflict(
                "idempotency_key_in_flight",
                _("A request with this Idempotency-Key is being treated. Try again in a second."),
                param="Idempotency-Key",
            )
        known = IdempotencyRecord.objects.filter(scope=scope, key=key).first()
        if known is not None:
            if known.request != request:
                raise Invalid(
                    "idempotency_key_reused",
                    _("This Idempotency-Key was first used with another request. Use a new key for a new request."),
                    param="Idempotency-Key",
                )
            return known.status, known.body, True
        status, body = act()
        IdempotencyRecord.objects.create(
            scope=scope, key=key, request=request, status=status, body=body, created_at=now
        )
        return status, body, False
