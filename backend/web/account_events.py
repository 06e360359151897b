"""What happens to passwords and addresses, and sign-ins that fail: one event each, by the signals of django-allauth."""

import time
from typing import Any

from allauth.account import signals
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from backend.core.crypto import equality_index
from backend.events.services import record
from backend.identity.models import User
from backend.identity.sessions import digest_of, end_with

FAILURES, WITHIN = 10, 900  # as many as settings.ACCOUNT_RATE_LIMITS["login_failed"] takes, in as many seconds


def note_failure(email: str, *, browser: str) -> None:
    """Count a failed sign-in; the one that closes an account to who tries is written down, with who it is about.

    Args: email: as it was typed; addresses without account cost the same. browser: cookie of a browser that the
        account knows, which has a count of its own, or empty.
    """
    address, now = email.strip().lower(), time.time()
    key = f"sign_in_failed:{equality_index(f'{digest_of(browser)}:{address}')}"
    times = [at for at in cache.get(key, []) if at > now - WITHIN]
    times.append(now)
    if len(times) < FAILURES:
        cache.set(key, times, WITHIN)
        return
    cache.delete(key)
    person = User.objects.filter(email=address).first()
    if person is not None:
        record(
            "sign_in.limited", actor=None, subject=person.pk, now=timezone.now(), scopes=[person.pk], failures=FAILURES
        )


# --- passwords: a new one ends every other session ------------------------------------------------------------


@receiver(signals.password_changed)
def _changed(request: HttpRequest, user: User, **_extra: Any) -> None:
    _password("password.changed", request, user)


@receiver(signals.password_set)
def _set(request: HttpRequest, user: User, **_extra: Any) -> None:
    _password("password.set", request, user)


@receiver(signals.password_reset)
def _reset(request: HttpRequest, user: User, **_extra: Any) -> None:
    _password("password.reset", request, user)


def _password(kind: str, request: HttpRequest, user: User) -> None:
    ended = end_with(user=user, but=request.session.session_key or "")
    record(kind, actor=user, subject=user.pk, now=timezone.now(), scopes=[user.pk], sessions=ended)


# --- addresses: never the address itself, a keyed hash by which two lines are seen to be about the same --------


@receiver(signals.email_added)
def _added(user: User, email_address: EmailAddress, **_extra: Any) -> None:
    _address("email.added", user, after={"email": equality_index(email_address.email)})


@receiver(signals.email_confirmed)
def _confirmed(email_address: EmailAddress, **_extra: Any) -> None:
    _address("email.confirmed", email_address.user, after={"email": equality_index(email_address.email)})


@receiver(signals.email_changed)
def _primary(
    user: User, from_email_address: EmailAddress | None, to_email_address: EmailAddress, **_extra: Any
) -> None:
    before = {"email": equality_index(from_email_address.email)} if from_email_address else None
    _address("email.changed", user, before=before, after={"email": equality_index(to_email_address.email)})


@receiver(signals.email_removed)
def _removed(user: User, email_address: EmailAddress, **_extra: Any) -> None:
    _address("email.removed", user, before={"email": equality_index(email_address.email)})


def _address(
    kind: str, user: User, *, before: dict[str, str] | None = None, after: dict[str, str] | None = None
) -> None:
    record(kind, actor=user, subject=user.pk, now=timezone.now(), scopes=[user.pk], before=before, after=after)
