"""ETag and If-Match (RFC 9110 §13): nobody changes what they have not read as it is now."""

import hashlib
import re

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api.errors import Refused, fault

TAG = '(?:W/)?"[!#-~]{0,200}"'
MATCH = rf"^(?:{TAG}(?:[ \t]*,[ \t]*{TAG})*|\*)$"  # what If-Match holds, as the contract says it
MATCH_LENGTH = 2000  # characters of it


def etag(text: str) -> str:
    """The strong tag of a resource written as JSON: the same for whoever reads it, another as soon as it changes."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def required_tags(request: Request) -> set[str]:
    """The tags of the header If-Match, `*` for whatever there is.

    Raises: Refused 428 `if_match_missing`, 400 `if_match_invalid`.
    """
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise _refused(
            "if_match_missing",
            _("Send the header If-Match with the ETag that you read. Nothing was changed."),
            status=428,
        )
    if len(given) > MATCH_LENGTH or not re.fullmatch(MATCH, given):
        raise _refused(
            "if_match_invalid",
            _("If-Match holds the ETag as it was given, with its quotes. Nothing was changed."),
            status=400,
        )
    return {"*"} if given == "*" else set(re.findall(TAG, given))


def require_match(tags: set[str], text: str) -> None:
    """Refuse when the resource, written as JSON now, is not the one that was read.

    Raises: Refused 412 `changed_meanwhile`.
    """
    if "*" not in tags and etag(text) not in tags:
        raise _refused(
            "changed_meanwhile",
            _("It has changed since you read it: read it again. Nothing was changed."),
            status=412,
        )


def _refused(code: str, message: object, *, status: int) -> Refused:
    return Refused(code, message, status=status, faults=[fault("header", "If-Match", code, message)])
