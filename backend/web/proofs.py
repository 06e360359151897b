"""What a session has proved: a second factor given in it, how long ago, and the pages closed until it is given."""

import json
import re
import time

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from backend.identity.factors import has_factor, proves
from backend.identity.models import Role
from backend.identity.permissions import STRONG_ROLES
from backend.web.middleware import NOT_PAGES, Handler

# Where a factor is given, and the way out.
OPEN = {"mfa_reauthenticate", "mfa_reauthenticate_webauthn", "account_logout"}
# What no session ever holds, not even while a factor is asked for: sessions are signed, not sealed, and are backed up.
SECRET_FIELD = re.compile(r"iban|code|secret|credential|.*password.*|.*token.*", re.IGNORECASE)
# All that the request taken up again needs of the one that was kept; no cookie among it.
KEPT = (
    "CONTENT_TYPE", "HTTP_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "PATH_INFO", "QUERY_STRING",
    "REMOTE_ADDR", "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL",
)  # fmt: skip
CSRF_FIELD = "csrfmiddlewaretoken"
TYPE_AGAIN = "type_again"  # session: the page whose form was not kept


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
        return _suspend(request, methods[0]["url"])
    # Neither a password nor a factor: whoever came through a sign-in link comes through another one.
    logout(request)
    return redirect_to_login(request.get_full_path(), reverse("account_request_login_code"))


def _suspend(request: HttpRequest, page: str) -> HttpResponse:
    """Lead to a page of django-allauth, which takes the form up again at its address without query.

    Its own way keeps the query in the way back, and then takes the form for that of another page; the query is kept
    with the form. It also keeps every cookie and field: a form that holds a secret is not kept at all.
    """
    back = request.get_full_path()
    request.session.pop(STATE_SESSION_KEY, None)
    if request.method == "POST":
        if any(SECRET_FIELD.fullmatch(name) for name in request.POST if name != CSRF_FIELD):
            request.session[TYPE_AGAIN] = request.path
        else:
            request.session[STATE_SESSION_KEY] = {"request": _kept(request)}
            back = request.path
    return redirect(f"{page}?{urlencode({REDIRECT_FIELD_NAME: back})}")


def _kept(request: HttpRequest) -> str:
    """A posted form as django-allauth reads it back, without its cookies and the token of the page it came from."""
    fields = request.POST.copy()
    fields.pop(CSRF_FIELD, None)
    facts = {
        "path": request.path, "path_info": request.path_info, "method": request.method, "scheme": request.scheme,
        "GET": request.GET.urlencode(), "POST": fields.urlencode(),
        "META": {name: request.META[name] for name in KEPT if isinstance(request.META.get(name), str)},
    }  # fmt: skip
    return json.dumps(facts)


def _say_type_again(request: HttpRequest) -> None:
    """Back on the page whose form was not kept, once the factor is given: say that it is empty, and why."""
    if request.session.get(TYPE_AGAIN) == request.path and request.method == "GET" and fresh(request):
        del request.session[TYPE_AGAIN]
        messages.warning(
            request, _("Type it again, please: what you typed was not kept meanwhile. Nothing was changed.")
        )


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
        if not request.user.is_authenticated:
            return None
        _say_type_again(request)
        if proved(request):
            return None
        strong = Role.objects.filter(has_factor("user_id"), user_id=request.user.pk, kind__in=STRONG_ROLES)
        return ask_again(request) if strong.exists() else None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The account's own pages ask for the factor our way: theirs would keep all that was posted."""
        return ask_again(request) if isinstance(exception, ReauthenticationRequired) else None
