"""Sessions and the browsers they run in: listed, ended, and a mail when somebody comes in from an unknown browser."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from backend.core.errors import NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import KnownDevice, User
from backend.identity.permissions import STRONG_ROLES, counting

IDLE = timedelta(minutes=30)  # for whoever can move money or speaks for an organisation
LONGEST = timedelta(hours=12)  # for everybody, however busy
DEVICE_LIFE = timedelta(days=365)  # how long a browser keeps its cookie
# Roles after which a session that nobody uses ends; strong ones only while they count.
WATCHED = STRONG_ROLES | {"organisation_manager"}
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

# The first that is found wins: Edge and Opera also say Chrome, Chrome also says Safari.
BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("FxiOS", "Firefox"),
    ("Firefox/", "Firefox"), ("CriOS", "Chrome"), ("Chromium/", "Chromium"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"), ("FreeBSD", "FreeBSD"),
)  # fmt: skip


@dataclass(frozen=True)
class OpenSession:
    """A session of somebody, as they read it."""

    id: int
    words: str
    address: str
    began: datetime
    seen: datetime
    here: bool


def device_words(user_agent: str) -> str:
    """A browser in plain words in the language of the moment, such as “Firefox on Linux”; no version, nothing finer."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("a browser we do not recognise")


def ends_when_idle(user: User) -> bool:
    """Whether a session of this person ends after `IDLE` without use."""
    return counting(user).filter(kind__in=WATCHED).exists()


def over(user: User, *, began: int, seen: int, now: int) -> timedelta | None:
    """The limit that a session has passed, or None.

    Args: began, seen, now: whole seconds since 1970.
    """
    if timedelta(seconds=now - began) >= LONGEST:
        return LONGEST
    if timedelta(seconds=now - seen) >= IDLE and ends_when_idle(user):
        return IDLE
    return None


def open_sessions(user: User, *, current: str) -> list[OpenSession]:
    """The sessions of a person that still open something, the present one first.

    Args: current: the key of the session that asks. Rows whose session is gone are removed on the way.
    """
    rows = UserSession.objects.purge_and_list(user)
    found = [
        OpenSession(
            id=row.pk,
            words=device_words(row.user_agent),
            address=row.ip,
            began=row.created_at,
            seen=row.last_seen_at,
            here=row.session_key == current,
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (not one.here, -one.seen.timestamp()))


@transaction.atomic
def end_session(*, actor: User, session_id: int, now: datetime) -> None:
    """End one of one's own sessions, at once; raises NotFound `session_not_found` for another's or none."""
    row = UserSession.objects.select_for_update().filter(user_id=actor.pk, pk=session_id).first()
    if row is None:
        raise NotFound("session_not_found", _("This session is already over, or it is not yours."))
    row.end()
    record("session.ended", actor=actor, subject=actor.pk, now=now, scopes=[actor.pk], sessions=1)


@transaction.atomic
def end_sessions(*, actor: User | None, user: User, now: datetime, but: str = "") -> int:
    """End the sessions of a person, at once; the caller has checked the right to do so.

    Args: actor: who does it, None for the house itself. but: the key of the one session that stays, if any.
    Returns: how many were ended.
    """
    ended = end_with(user=user, but=but)
    if ended:
        record("session.ended", actor=actor, subject=user.pk, now=now, scopes=[user.pk], sessions=ended)
    return ended


@transaction.atomic
def end_with(*, user: User, but: str) -> int:
    """End the sessions of a person as part of an act that records how many: a new password, a factor removed.

    Args: but: the key of the one session that stays, or empty.
    Returns: how many were open.
    """
    ended = 0
    for row in UserSession.objects.select_for_update().filter(user_id=user.pk).exclude(session_key=but):
        ended += row.exists()
        row.end()
    return ended


def follow(*, old: str, new: str) -> None:
    """Keep the row of a session whose key was changed."""
    UserSession.objects.filter(session_key=old).update(session_key=new)


def forget(key: str) -> None:
    """Remove what is known of a session that is over."""
    import_module(settings.SESSION_ENGINE).SessionStore().delete(key)
    UserSession.objects.filter(session_key=key).delete()


def digest_of(token: str) -> str:
    """What is kept of the cookie of a browser; empty for a text that we did not make."""
    return hashlib.sha256(token.encode()).hexdigest() if TOKEN.fullmatch(token) else ""


def knows_device(email: str, token: str) -> bool:
    """Whether somebody signed in to the account of this address from the browser that shows this cookie."""
    digest = digest_of(token)
    return bool(digest) and KnownDevice.objects.filter(digest=digest, user__email=email.strip().lower()).exists()


@transaction.atomic
def note_device(*, user: User, token: str, user_agent: str, now: datetime) -> str:
    """Remember the browser of a sign-in, and have a mail written when the account never met it.

    The first browser of an account is no news: nothing is written about it.

    Args: token: the browser's cookie, or anything. user_agent: what the browser says it is.
    Returns: the cookie that the browser must keep. One that no account knows is replaced, so that nobody can plant one.
    """
    digest = digest_of(token)
    mine = KnownDevice.objects.filter(user=user)
    if digest and mine.filter(digest=digest).update(last_seen_at=now):
        return token
    if not digest or not KnownDevice.objects.filter(digest=digest).exists():
        token = secrets.token_urlsafe(32)
        digest = digest_of(token)
    news = mine.exists() or now - user.date_joined > DEVICE_LIFE
    with translation.override(user.language):  # they read it in a letter, whatever page they signed in on
        words = device_words(user_agent)
    device = KnownDevice.objects.create(
        id=new_id("dev"), user=user, digest=digest, words=words[:80], first_seen_at=now, last_seen_at=now
    )
    if news:
        record("device.new", actor=user, subject=user.pk, now=now, scopes=[user.pk], device=device.pk)
    return token
