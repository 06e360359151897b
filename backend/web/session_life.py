"""The life of a session: it begins, notes that it is used, changes its key at each step-up, and ends by itself."""

import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.authentication import get_authentication_records
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.identity import sessions
from backend.identity.finishing import unfinished
from backend.identity.models import User
from backend.web.middleware import NOT_PAGES, Handler

NOTED_EVERY = 60  # seconds: a session that is used writes once a minute at most
BEGAN, SEEN, UNFINISHED = "began", "seen", "unfinished"
# What is open to who was invited and has neither password nor passkey yet, or accepted nothing.
FINISHING = {
    "account_finish", "account_logout", "terms", "privacy_notice", "legal", "notice_version", "notices_accept",
    "account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn", "mfa_add_webauthn",
    "mfa_view_recovery_codes", "mfa_download_recovery_codes",
}  # fmt: skip


class SessionLife:
    """Ends the sessions that lasted too long or lay unused, and follows the others."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look at the session before the page, and again after it: the page may have opened or stepped it up."""
        if request.path.startswith(NOT_PAGES):
            return self.get_response(request)
        if request.user.is_authenticated and BEGAN in request.session:
            now, began, seen = int(time.time()), request.session[BEGAN], request.session.get(SEEN, 0)
            limit = sessions.over(request.user, began=began, seen=seen, now=now)
            if limit is not None:
                return self._end(request, unused=limit is sessions.IDLE)
            if now - seen >= NOTED_EVERY:
                _note(request)
        key, proof = request.session.session_key, _last_proof(request)
        response = self.get_response(request)
        if request.user.is_authenticated:
            if BEGAN not in request.session:
                _begin(request, response)
            elif request.session.session_key == key and _last_proof(request) != proof:
                _rotate(request)
        return response

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        """Lead to the end of an invitation whoever came in without its page; what they sent elsewhere is not done."""
        if request.path.startswith(NOT_PAGES) or not request.user.is_authenticated:
            return None
        match = request.resolver_match
        if UNFINISHED not in request.session or (match is not None and match.url_name in FINISHING):
            return None
        languages = tuple(f"/{code}/" for code, _name in settings.LANGUAGES)
        return redirect("account_finish") if request.path.startswith(languages) else None

    def _end(self, request: HttpRequest, *, unused: bool) -> HttpResponse:
        """Sign out, and lead to the sign-in page and back; what a form carried is not kept, and this is said."""
        sessions.forget(request.session.session_key or "")
        logout(request)
        languages = tuple(f"/{code}/" for code, _name in settings.LANGUAGES)
        if not request.path.startswith(languages):
            return self.get_response(request)
        said = (
            _("You were signed out: nothing was done in this session for 30 minutes.")
            if unused
            else _("You were signed out: a session lasts 12 hours at most.")
        )
        if request.method not in ("GET", "HEAD"):
            lost = _("What you have just sent was not recorded: sign in, then send it again.")
            said = f"{said} {lost}"
        messages.warning(request, said)
        return redirect(f"{reverse('account_login')}?{urlencode({'next': _way_back(request)})}")


def _way_back(request: HttpRequest) -> str:
    """The page that was asked for, or the one whose form was sent."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    page = urlsplit(request.headers.get("Referer", ""))
    return page.path if page.netloc == request.get_host() and page.path.startswith("/") else request.path


def _note(request: HttpRequest) -> None:
    """Write that the session is in use, in itself and in the list that its owner reads."""
    request.session[SEEN] = int(time.time())
    known = UserSession.objects.filter(session_key=request.session.session_key)
    if not known.update(last_seen_at=timezone.now()):
        UserSession.objects.create_from_request(request)


def _begin(request: HttpRequest, response: HttpResponse) -> None:
    """Start the clocks of a session that has just been signed in, and see whether its browser is known."""
    request.session[BEGAN] = int(time.time())
    if unfinished(request.user):  # type: ignore[arg-type]  # signed in: a User
        request.session[UNFINISHED] = True
    _note(request)
    kept = sessions.note_device(
        user=request.user,  # type: ignore[arg-type]  # signed in: a User
        token=request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""),
        user_agent=request.headers.get("User-Agent", ""),
        now=timezone.now(),
    )
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME, kept, max_age=sessions.DEVICE_LIFE, httponly=True, samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip


def keep_session(request: HttpRequest, person: User) -> None:
    """Keep the present session open through a change of password, under another key."""
    old = request.session.session_key
    update_session_auth_hash(request, person)
    if old and request.session.session_key:
        sessions.follow(old=old, new=request.session.session_key)


def _last_proof(request: HttpRequest) -> Any:
    """When the person last proved who they are, in this session."""
    records = get_authentication_records(request, request.user) if request.user.is_authenticated else []
    return records[-1]["at"] if records else None


def _rotate(request: HttpRequest) -> None:
    """Give the session another key: one that was read before the step-up must not profit from it."""
    old = request.session.session_key
    request.session.cycle_key()
    if old and request.session.session_key:
        sessions.follow(old=old, new=request.session.session_key)
