"""What surrounds every page: the host and its clock, no copy kept of private pages, refusals shown as pages."""

import logging
from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.utils import timezone
from django.views.defaults import page_not_found

from backend.core.errors import DomainError
from backend.core.text import readable
from backend.identity.models import Host

logger = logging.getLogger(__name__)

NOT_PAGES = ("/v1/", "/healthz", "/csp-reports/", "/hooks/", "/.well-known/")
# What no page of this service asks a browser for: a script that got in would not have it either.
UNUSED_FEATURES = (
    "accelerometer", "ambient-light-sensor", "autoplay", "battery", "bluetooth", "browsing-topics", "camera",
    "display-capture", "encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection",
    "local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock", "serial",
    "usb", "xr-spatial-tracking",
)  # fmt: skip
# What is served before there is a host: the first run, the reference of the refusals, whether the service runs.
WITHOUT_HOST = ("setup/", "first/", "problems/", "docs/", "status/")
Handler = Callable[[HttpRequest], HttpResponse]


class BrowserHeaders:
    """Says to browsers, on every answer whatever made it, what the other parts of the house do not say."""

    HEADERS = {  # read alone
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
        "X-Frame-Options": "DENY",
    }

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the headers; what a view said itself stays."""
        response = self.get_response(request)
        for name, value in self.HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Reporting-Endpoints", settings.REPORTING_ENDPOINTS)
        return response


class PlainRefusals:
    """Answers what can only be answered without the database: it is away, or it refuses a character."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse a NUL in the address: PostgreSQL would."""
        nul = "\0" in request.path or "%00" in request.META.get("QUERY_STRING", "")
        if nul and not request.path.startswith(NOT_PAGES):
            return page_not_found(request, Http404(), "404.html")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn a lost database into 503 and a NUL in a form into 400, for pages; the API has its own answers."""
        if request.path.startswith(NOT_PAGES):
            return None
        if isinstance(exception, (OperationalError, InterfaceError)):
            logger.warning("503: %s", type(exception).__name__)
            return self.away()
        if isinstance(exception, (DataError, ValueError)) and "NUL" in str(exception):
            return HttpResponseBadRequest(get_template("400.html").render())
        return None

    @staticmethod
    def away() -> HttpResponse:
        """The page that says so, made without any table."""
        return HttpResponse(get_template("503.html").render(), status=503, headers={"Retry-After": "5"})


class PlainText:
    """Takes what cannot be read out of everything that is typed in a form, but for passwords.

    Signs that turn a text around go, control characters become spaces: the API refuses these where pages mend them.
    """

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing is done before the view is known: a form is read once."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, *_arguments: object) -> None:
        """Clean what was posted; after the check of the form's origin, which reads it too.

        A view that reads its form itself, to bound a file while it comes, does both checks within.
        """
        reads_itself = getattr(view, "csrf_exempt", False)
        if request.method != "POST" or request.path.startswith(NOT_PAGES) or reads_itself:
            return
        typed = request.POST.copy()
        for name, values in request.POST.lists():
            if "password" not in name:
                typed.setlist(name, [readable(str(value)) for value in values])
        request.POST = typed  # type: ignore[assignment]  # a copy of it, which nothing changes any more


class HostClockMiddleware:
    """Gives each page the host's row and time zone, and keeps what a signed-in person reads out of shared memories."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Read the host once; say `no-store` to a signed-in reader unless the view said something else."""
        if request.path.startswith(NOT_PAGES):
            return self.get_response(request)
        try:
            host = Host.objects.first()
            signed_in = request.user.is_authenticated
        except (OperationalError, InterfaceError):
            return PlainRefusals.away()
        request.__dict__["host_row"] = host
        with timezone.override(ZoneInfo(host.time_zone) if host else None):
            response = self.get_response(request) if host else self.without_host(request)
        said = response.headers.get("Cache-Control", "")
        page = response.headers.get("Content-Type", "").startswith("text/html")
        if signed_in and (not said or (page and "no-store" not in said)):
            response.headers["Cache-Control"] = "no-store, private"
        return response

    def without_host(self, request: HttpRequest) -> HttpResponse:
        """Serve the first run alone until the instance has its host: every other page says that it is under way."""
        from backend.web.setup import waiting

        language, page = request.path[:4], request.path[4:]
        if language not in {f"/{code}/" for code, _name in settings.LANGUAGES} or page.startswith(WITHOUT_HOST):
            return self.get_response(request)
        return redirect("setup") if page == "" else waiting(request)


class DomainErrorMiddleware:
    """Shows a refusal that no view treated as a page with its sentence and its status."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Render a DomainError; leave the rest to Django."""
        if not isinstance(exception, DomainError) or request.path.startswith("/v1/"):
            return None
        return render(request, "refusal.html", {"refusal": exception}, status=exception.status)
