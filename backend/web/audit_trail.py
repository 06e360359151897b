"""Says by which door each request comes, and writes down every act that was refused to somebody."""

import logging
import re
from collections.abc import Callable

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from backend.core.origin import came_by
from backend.core.refusals import listening, raised
from backend.events.services import record_refusal

logger = logging.getLogger(__name__)

AN_ID = re.compile(r"[a-z]{2,4}_[A-Za-z0-9]{10,43}")
SAFE = {"GET", "HEAD", "OPTIONS"}
Handler = Callable[[HttpRequest], HttpResponse]


class AuditTrail:
    """Around every request: its door for the events it records, and its refusal once the answer is made."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve, then record the refusal outside of the transaction that it undid.

        An answer to a safe method that went well refused nothing: its page only tried what it may show.
        """
        with came_by("api" if request.path.startswith("/v1/") else "web"), listening() as kept:
            answer = self.get_response(request)
            refusal = raised(kept)
            if refusal is not None and (request.method not in SAFE or answer.status_code >= 400):
                self.write(request, refusal)
        return answer

    def write(self, request: HttpRequest, refusal: BaseException) -> None:
        """Record who was refused what; a database that went away must not change the answer."""
        actor = getattr(request, "user", None)
        if actor is None or actor.pk is None:
            return
        match = request.resolver_match
        named = [value for value in match.kwargs.values() if AN_ID.fullmatch(str(value))] if match else []
        try:
            with transaction.atomic():
                record_refusal(
                    actor=actor,
                    subject=str(named[-1]) if named else "",
                    now=timezone.now(),
                    action=str(getattr(refusal, "action", "")),
                    code=str(getattr(refusal, "code", "")),
                    path=match.view_name if match else "",
                )
        except DatabaseError:
            logger.exception("a refused act was not written down")
