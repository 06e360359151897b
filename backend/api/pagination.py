"""Lists: an opaque cursor on the id, newest first, never a count; and the parameters of an address, read strictly."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backend.api.errors import Refused, fault
from backend.api.fields import FieldFaults, Reader, says
from backend.api.parsers import printable

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
_ID = re.compile(r"[a-z]{3,4}_[0-9A-Z]{36}")


def _refused(code: str, name: str, message: Any) -> Refused:
    return Refused(code, message, status=400, faults=[fault("parameter", name, code, message)])


def read_parameters(request: HttpRequest, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Read the parameters of an address by their names, each given once at most.

    Returns: name → value, for those that are present.
    Raises: Refused 400 `unknown_parameter`, `parameter_repeated`, `parameter_invalid`.
    """
    found: dict[str, Any] = {}
    for name, values in request.GET.lists():
        if name not in readers:
            known = ", ".join(readers) or "–"
            message = _("There is no such parameter here. The parameters are: %(known)s.") % {"known": known}
            raise _refused("unknown_parameter", printable(name), message)
        if len(values) != 1:
            raise _refused("parameter_repeated", name, _("Give this parameter once."))
        try:
            found[name] = readers[name](values[0], "")
        except FieldFaults as refusal:
            raise _refused("parameter_invalid", name, refusal.faults[0]["detail"]) from None
    return found


def choice(known: Mapping[str, Any]) -> Reader:
    """A reader of one of these words."""

    @says(type="string", enum=list(known))
    def read(value: Any, pointer: str) -> str:
        if value not in known:
            message = _("This is not a known value. Use one of: %(known)s.") % {"known": ", ".join(known)}
            raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
        return str(value)

    return read


@says(type="integer", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT)
def limit(value: Any, pointer: str) -> int:
    """How many rows: 1 to MAX_LIMIT."""
    if not re.fullmatch(r"[1-9][0-9]{0,2}", value) or int(value) > MAX_LIMIT:
        message = _("The limit is a number from 1 to 100.")
        raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
    return int(value)


@says(type="string")
def cursor(value: Any, pointer: str) -> str:
    """The id after which the page starts."""
    try:
        after = base64.urlsafe_b64decode(value.encode("ascii") + b"==").decode("ascii")
    except (ValueError, binascii.Error):
        after = ""
    if not _ID.fullmatch(after):
        message = _("This cursor was not given by this list: start again without it.")
        raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
    return after


PAGING: dict[str, Reader] = {"limit": limit, "cursor": cursor}


def page(
    request: HttpRequest,
    rows: "QuerySet[Any] | Callable[[int], list[Any]]",
    shown: Callable[[list[Any]], list[Any]],
    wanted: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, str]]:
    """One page of a list, newest first, in one query.

    Args: rows: filtered, not ordered; or what reads so many of them, after the cursor and in order. shown: turns the
        rows into JSON. wanted: what read_parameters gave.
    Returns: the body, and the headers with the link to the next page.
    """
    size = wanted.get("limit", DEFAULT_LIMIT)
    if isinstance(rows, QuerySet):
        after = rows.filter(pk__lt=wanted["cursor"]) if "cursor" in wanted else rows
        found = list(after.order_by("-pk")[: size + 1])
    else:
        found = rows(size + 1)
    more = len(found) > size
    found = found[:size]
    following = base64.urlsafe_b64encode(found[-1].pk.encode()).decode().rstrip("=") if more else None
    headers = {}
    if following:
        query = urlencode({**{name: values[0] for name, values in request.GET.lists()}, "cursor": following})
        headers["Link"] = f'<{settings.BASE_URL}{request.path}?{query}>; rel="next"'
    return {"data": shown(found), "has_more": more, "next_cursor": following}, headers
