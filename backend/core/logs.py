"""Log lines: JSON or readable, each with its request's id, without secrets; and one line for each request."""

import re
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.utils.functional import SimpleLazyObject

from backend.core import metrics
from backend.core.ids import new_id

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

FORMATS = ("json", "text")
PROBES = ("/healthz", "/readyz", "/metrics")  # answered by backend.web.health
SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
HIDDEN = "[hidden]"
# What must never be read in a log, whoever wrote the line: libraries log addresses and refusals as they please.
SECRETS: list[tuple[re.Pattern[str], str]] = [
    # IBANs, in one piece or in groups of four.
    (re.compile(r"(?i)\b[A-Z]{2}[0-9]{2}(?:[ \u00a0]?[A-Z0-9]{4}){2,7}(?:[ \u00a0]?[A-Z0-9]{1,4})?\b"), HIDDEN),
    # API tokens, and whatever a header carries after its scheme.
    (re.compile(r"\btronc_[a-z]+_[A-Za-z0-9]{8,}"), HIDDEN),
    # Keys of the payment provider, and the secrets of its events.
    (re.compile(r"\b(?:(?:sk|rk|pk)_(?:live|test)|whsec)_[A-Za-z0-9_+/=-]{6,}"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    # One-time addresses sent by mail: who reads them could use them.
    # All that follows, in whatever form a path is written: a doubled slash must not show the key after it.
    (
        re.compile(
            r"(?i)(/(?:confirm-email|confirm|reset/+key|invitations?|set-?up|first|sign-in|gifts|account/+merge)/)"
            r"[^\s\"'?]+"
        ),
        rf"\1{HIDDEN}",
    ),
    # Query strings: searches hold names, links hold keys. The route says enough.
    (re.compile(r"(/[^\s\"'?]*)\?[^\s\"']+"), rf"\1?{HIDDEN}"),
    # What PostgreSQL repeats of a row it refuses: the address of whoever was being written down.
    (re.compile(r"(Key \([^)]*\)=)\(.*?\)(?= (?:already|is)\b)"), rf"\1({HIDDEN})"),
    # Passwords in the addresses of engines.
    (re.compile(r"(://[^:/@\s]*):[^@/\s]+@"), rf"\1:{HIDDEN}@"),
]
# Fields that hold a text of somebody's: only their names may tell.
PRIVATE_FIELDS = {"body", "password", "token", "authorization", "cookie", "iban", "query_string", "secret"}


def scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide IBANs, tokens, one-time addresses, query strings and passwords in every text of a log line, however deep."""
    for name, value in event.items():
        if name != "route":
            event[name] = _scrubbed(name, value)
    return event


def _scrubbed(name: object, value: Any) -> Any:
    if str(name).lower() in PRIVATE_FIELDS:
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {hide(str(key)): _scrubbed(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrubbed("", inner) for inner in value]
    return hide(str(value))


def hide(text: str) -> str:
    """The text without what the table names."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def chosen_form(environment: Mapping[str, str]) -> str:
    """The form of lines that TRONC_LOG_FORMAT asks for; without it, JSON unless this is somebody's own machine."""
    at_home = environment.get("TRONC_LOOPBACK_HTTP", "").lower() in {"1", "true", "yes"}
    return environment.get("TRONC_LOG_FORMAT") or ("text" if at_home else "json")


def config(form: str, level: str = "INFO") -> dict[str, Any]:
    """The `logging` configuration of web, worker, beat, commands and gunicorn.

    Args: form: `json` (one object a line) or `text` (for people). level: the least serious level that is written.
    Raises: ValueError for another form.
    """
    if form not in FORMATS:
        raise ValueError(f"TRONC_LOG_FORMAT is {form!r}: use json or text.")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    end: list[Any] = (
        [structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=_as_it_is)]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    scrub,
                    *end,
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        # A line when a sweep ends is enough: not also one when it is asked for and one when it is taken up.
        "loggers": {name: {"level": "WARNING"} for name in ("celery.beat", "celery.worker.strategy", "stripe")},
        "root": {"handlers": ["console"], "level": level},
    }


def _as_it_is(stream: Any, exc_info: Any) -> None:
    """Tracebacks are already text when they reach the last processor."""


def request_id() -> str:
    """The id of the request in progress, or of the one that caused this work; empty outside of any."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def route_of(request: "HttpRequest") -> str:
    """The route that a request took, without the values in it: `/fr/commons/<str:commons>/`, or `unmatched`."""
    if request.path in PROBES:
        return request.path
    if request.path.startswith(settings.STATIC_URL):
        return settings.STATIC_URL
    match = request.resolver_match
    return f"/{match.route}".rstrip("$") if match is not None else "unmatched"


class RequestLog:
    """Names each request, says its id in the answer and in every line, and writes one line when it ends.

    The line has the method, the route and the actor's id: neither the address nor the query, in which people and links
    write what a log must not keep.
    """

    def __init__(self, get_response: "Callable[[HttpRequest], HttpResponse]") -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response
        self.log = structlog.get_logger("tronc.access")

    def __call__(self, request: "HttpRequest") -> "HttpResponse":
        """Accept the caller's id when it is sane, else make one."""
        given = request.headers.get("X-Request-ID", "")
        name = given if SANE_ID.fullmatch(given) else new_id("req")
        request.__dict__["request_id"] = name
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=name)
        started = time.perf_counter()
        answer = self.get_response(request)
        answer.headers["X-Request-ID"] = name
        seconds = time.perf_counter() - started
        route = route_of(request)
        method = request.method if request.method in metrics.METHODS else "other"
        metrics.count_request(method=method, route=route, status=answer.status_code, seconds=seconds)
        # Nobody reads that a style sheet was served, or that a monitor asked again.
        write = self.log.debug if route in (*PROBES, settings.STATIC_URL) else self.log.info
        write(
            "request",
            method=method,
            route=route,
            status=answer.status_code,
            duration_ms=round(seconds * 1000),
            actor=_actor(request),
        )
        return answer  # the id stays bound: Django says what it thinks of the answer after this


def _actor(request: "HttpRequest") -> str | None:
    """The id of the person, when something already asked who it is: the log must cost no query and no `Vary`."""
    user = request.__dict__.get("user")
    if isinstance(user, SimpleLazyObject) and "_cached_user" not in request.__dict__:
        return None
    return str(user.pk) if user is not None and user.pk else None
