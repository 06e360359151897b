"""What surrounds every page: the host and its clock, no copy kept of private pages, refusals shown as pages."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from backend.core.errors import DomainError
from backend.identity.models import Host

NOT_PAGES = ("/v1/", "/healthz")
Handler = Callable[[HttpRequest], HttpResponse]


class HostClockMiddleware:
    """Gives each page the host's row and time zone, and keeps what a signed-in person reads out of shared memories."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Read the host once; say `no-store` to a signed-in reader unless the view said something else."""
        if request.path.startswith(NOT_PAGES):
            return self.get_response(request)
        host = Host.objects.first()
        request.__dict__["host_row"] = host
        with timezone.override(ZoneInfo(host.time_zone) if host else None):
            response = self.get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "no-store, private"
        return response


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
