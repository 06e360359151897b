"""What a session has proved: a second factor given in it, how long ago, and the pages closed until it is given."""

import time

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import suspend_request
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from backend.identity.factors import has_factor, proves
from backend.identity.models import Role
from backend.identity.permissions import STRONG_ROLES
from backend.web.middleware import NOT_PAGES, Handler

# Where a factor is given, and the way out.
OPEN = {"mfa_reauthenticate", "mfa_reauthenticate_webauthn", "account_logout"}


def proved(request: HttpRequest) -> bool:
    """Whether a second factor was given in this session, at sign-in or since."""
    return any(record["method"] == "mfa" for record in get_authentication_records(request, request.user))


def fresh(request: HttpRequest) -> bool:
    """Whether the reader gave, in the last five minutes, their second factor, or their password when they have none.

    A sign-in counts; a password counts for nothing beside a second factor.
    """
    given = get_authentication_records(request, request.user)
    if request.user.is_authenticated and proves(request.user):
        given = [record for record in given if record["method"] == "mfa"]
    since = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return any(record["at"] > since for record in given)


def ask_again(request: HttpRequest) -> HttpResponse:
    """Lead to the page that asks for the factor, and back here with the same form."""
    methods = get_adapter(request).get_reauthentication_methods(request.user)
    if methods:
        answer: HttpResponse = suspend_request(request, methods[0]["url"])
        return answer
    # Neither a password nor a factor: whoever came through a sign-in link comes through another one.
    logout(request)
    return redirect_to_login(request.get_full_path(), reverse("account_request_login_code"))


class FactorGate:
    """Closes every page to a session without second factor whose person has one and a role that needs it."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        """Ask for the factor: the session is older than it, or began with the password alone."""
        match = request.resolver_match
        if request.path.startswith(NOT_PAGES) or (match is not None and match.url_name in OPEN):
            return None
        if not request.user.is_authenticated or proved(request):
            return None
        strong = Role.objects.filter(has_factor("user_id"), user_id=request.user.pk, kind__in=STRONG_ROLES)
        return ask_again(request) if strong.exists() else None
