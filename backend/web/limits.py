"""Limits on sign-in and on the forms that write to others; counted in the database, so that no broker opens a door."""

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import ratelimit
from allauth.core.internal import ratelimit as counted
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from backend.core.limits import READ_TOO, ROUTE_RATES, STRANGERS_FORMS
from backend.identity.sessions import digest_of, knows_device
from backend.web.account_events import note_failure
from backend.web.middleware import Handler

MINUTES_15 = 900


class SignInLimits(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Counts failures by account and by address, apart for a browser that the account knows.

    Whoever types wrong passwords for somebody else stops strangers' browsers, never the one its owner already used; and
    a new password, asked for by mail, forgets the failures.
    """

    error_messages = {  # allauth's own shape
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": _(
            "Too many attempts failed. Wait a quarter of an hour, or ask for a sign-in link or a new password."
        ),
    }

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse before any password is looked at; raises ValidationError when too many failed."""
        email = str(credentials.get("email", "")).strip().lower()
        token = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
        if not knows_device(email, token):
            super().pre_authenticate(request, **credentials)
            return
        self._login_failed_rl_usage = counted.consume(
            request, app="allauth.account", action="login_failed_known", key=f"{digest_of(token)}:{email}"
        )
        if not self._login_failed_rl_usage:
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Count it, so that the one that reaches the limit is written down."""
        email = str(credentials.get("email", "")).strip().lower()
        token = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
        note_failure(email, browser=token if knows_device(email, token) else "")

    def send_account_already_exists_mail(self, email: str) -> None:
        """Write to who has an account already, after the hash that a new account would have cost."""
        make_password("as long as a new account takes")
        super().send_account_already_exists_mail(email)


class RouteLimits:
    """Refuses a form that is sent too often: see ROUTE_RATES."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; answer a stranger's form no sooner than one answers any."""
        begun = time.monotonic()
        response = self.get_response(request)
        match = request.resolver_match
        if request.method == "POST" and match is not None and match.url_name in STRANGERS_FORMS:
            least: float = settings.STRANGERS_WAIT * STRANGERS_FORMS[match.url_name]
            time.sleep(max(0.0, least - (time.monotonic() - begun)))
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Count a form when its page has a limit; strangers are sent to sign in before they count."""
        name = request.resolver_match.url_name if request.resolver_match else ""
        if request.method != "POST" and name not in READ_TOO:
            return None
        if name not in ROUTE_RATES or not may_count(request, ROUTE_RATES[name]):
            return None
        if counted.consume(request, app="allauth.account", action=name, limit_get=True):
            return None
        return too_many(request)


def may_count(request: HttpRequest, rate: str) -> bool:
    """Whether a limit applies to this reader: those of persons do not to strangers."""
    return not rate.endswith("/user") or request.user.is_authenticated


def too_many(request: HttpRequest) -> HttpResponse:
    """The page that says so, with when to come back."""
    answer: HttpResponse = ratelimit.respond_429(request)
    answer.headers.setdefault("Retry-After", str(MINUTES_15))
    return answer
