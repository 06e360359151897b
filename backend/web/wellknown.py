"""What programs look for at fixed addresses: where to write about a weakness, where browsers report blocked content."""

import json
import logging
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from allauth.core import ratelimit
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, path, resolve
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

logger = logging.getLogger("tronc.csp")

VALID = timedelta(days=300)  # RFC 9116 asks for less than a year
REPORT_BYTES = 16_384
REPORTS_EACH = 10  # of one sending
REPORT_TYPES = {"application/csp-report", "application/reports+json", "application/json"}


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """RFC 9116: whom to write to about a weakness; the day it ends is counted anew each month."""
    today = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: mailto:{settings.SECURITY_CONTACT}",
        f"Expires: {today + VALID:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: fr, en",
        f"Canonical: {settings.BASE_URL}/.well-known/security.txt",
    ]
    answer = HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer


@csrf_exempt  # browsers send these reports by themselves, without cookies
@require_POST
def csp_reports(request: HttpRequest) -> HttpResponse:
    """Write in the log what a browser refused to load; the log alone is written, and seldom for one address."""
    if request.content_type not in REPORT_TYPES:
        return HttpResponse(status=415)
    if int(request.META.get("CONTENT_LENGTH") or 0) > REPORT_BYTES:
        return HttpResponse(status=413)
    if not ratelimit.consume(request, action="csp_report"):
        return HttpResponse(status=429, headers={"Retry-After": "60"})
    try:
        told = json.loads(request.body)
    except (ValueError, RecursionError):
        return HttpResponse(status=400)
    for report in (told if isinstance(told, list) else [told])[:REPORTS_EACH]:
        if said := _summary(report):
            logger.warning("a browser blocked content: %s", said)
    return HttpResponse(status=204)


def _summary(report: Any) -> str:
    """A report in one line: which rule, what was blocked, on which route; nothing of what addresses carry."""
    body = report.get("csp-report", report.get("body")) if isinstance(report, dict) else None
    if not isinstance(body, dict):
        return ""
    rule = _word(body.get("effective-directive") or body.get("effectiveDirective") or body.get("violated-directive"))
    blocked = _place(body.get("blocked-uri") or body.get("blockedURL"))
    route = _route(body.get("document-uri") or body.get("documentURL"))
    return f"rule={rule} blocked={blocked} route={route}"


def _word(text: Any) -> str:
    """The letters and hyphens of a text that a stranger sent: a log line must not be forged."""
    return "".join(letter for letter in str(text)[:40] if letter.isascii() and (letter.isalnum() or letter == "-"))


def _place(address: Any) -> str:
    """The scheme and host of an address, or the keyword that stands for one (`inline`, `eval`)."""
    try:
        parts = urlsplit(str(address)[:500])
        return f"{_word(parts.scheme)}://{_host(parts.hostname)}" if parts.hostname else _word(parts.scheme or address)
    except ValueError:
        return "unreadable"


def _host(name: str | None) -> str:
    return "".join(letter for letter in str(name)[:120] if letter.isascii() and (letter.isalnum() or letter in "-."))


def _route(address: Any) -> str:
    """The route of one of our addresses, without the values in it."""
    try:
        where = urlsplit(str(address)[:500]).path
        with translation.override(translation.get_language_from_path(where)):
            return str(resolve(where).route)
    except (Resolver404, ValueError):
        return "unmatched"


bare = [
    path(".well-known/security.txt", security_txt, name="security_txt"),
    path("csp-reports/", csp_reports, name="csp_reports"),
]
