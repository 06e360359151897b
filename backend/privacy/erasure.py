"""Asking for an erasure, changing one's mind, recording a request that came by letter, and doing what is due."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.exports.retention import keep_names
from backend.identity.models import ApiToken, Host, User
from backend.identity.permissions import require
from backend.privacy.forgetting import ERASED_DOMAIN, forget
from backend.privacy.hindrances import hindrances
from backend.privacy.models import Erasure

SECOND_THOUGHTS = timedelta(days=7)
TRIED_AGAIN = timedelta(days=1)


@transaction.atomic
def ask_erasure(*, user: User, typed: str, now: datetime) -> Erasure:
    """Ask that one's own data be erased in seven days. Moves no money; until then one may change one's mind.

    Args: typed: the address of the account, typed again, so that nobody is erased by a click.
    Returns: the erasure that waits, the same one when it was asked already.
    Raises: Invalid `erasure_not_confirmed`; Conflict with what must be settled first (see `hindrances`).
    """
    person = _locked(user.pk)
    waiting = _waiting(person)
    if waiting is not None:
        return waiting
    if typed.strip().lower() != person.email:
        raise Invalid("erasure_not_confirmed", _("Type the address of this account, to confirm."), param="confirmation")
    for hindrance in hindrances(person):
        raise hindrance
    return _ask(person, cause="asked", reason="", actor=person, due_at=now + SECOND_THOUGHTS, now=now)


@transaction.atomic
def record_erasure(*, actor: User, email: str, reason: str, now: datetime) -> Erasure:
    """Record that somebody asked by letter or mail to be erased. The person is told, and has seven days to object.

    What must be settled first does not refuse the request: it waits, and is tried again each day.
    Args: email: an address of the person's account. reason: how and when they asked, and how one knows it was them.
    Returns: the erasure that waits, the same one when it was asked already.
    Raises: Forbidden; Invalid `reason_missing`; NotFound `person_not_found`.
    """
    require(actor, "personal.erase")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say how and when they asked."), param="reason")
    found = User.objects.filter(email=email.strip().lower()).exclude(email__endswith=f"@{ERASED_DOMAIN}").first()
    if found is None:
        raise NotFound("person_not_found", _("No account has this address."), param="email")
    person = _locked(found.pk)
    waiting = _waiting(person)
    if waiting is not None:
        return waiting
    erasure = _ask(person, cause="letter", reason=reason, actor=actor, due_at=now + SECOND_THOUGHTS, now=now)
    hindrance = next(iter(hindrances(person)), None)
    if hindrance is not None:
        erasure.hindered_by = hindrance.code
        erasure.save(update_fields=["hindered_by"])
    return erasure


@transaction.atomic
def withdraw_erasure(*, actor: User, erasure_id: str, now: datetime) -> Erasure:
    """Stop an erasure that waits: the person who is to be erased, or whoever records such requests.

    Raises: NotFound `erasure_not_found`; Conflict `erasure_over` once it is done.
    """
    erasure = Erasure.visible_to(actor).select_for_update(of=("self",)).filter(pk=erasure_id).first()
    if erasure is None:
        raise NotFound("erasure_not_found", _("There is no such request."))
    if erasure.done_at is not None:
        raise Conflict("erasure_over", _("It was done already and cannot be undone."))
    if erasure.withdrawn_at is None:
        _withdraw(erasure, actor, now)
    return erasure


def ask_for_unused(*, user: User, cause: str, due_at: datetime, now: datetime) -> Erasure:
    """Announce the erasure of an account that nobody uses; the caller, a sweep, holds the lock of its row.

    Args: cause: `inactive` or `unused`. due_at: until when signing in keeps the account.
    """
    return _ask(user, cause=cause, reason="", actor=None, due_at=due_at, now=now)


def erase_due(now: datetime) -> int:
    """Erase those whose delay is over and whom nothing hinders; returns how many requests were looked at."""
    due = Erasure.objects.filter(done_at=None, withdrawn_at=None, due_at__lte=now)
    if not due.exists():
        return 0
    keep_names(now)  # the accounts keep the names under which people were booked before those go
    return sweep_rows(due, lambda erasure: _erase(erasure, now))


def erase_again(done: list[tuple[str, datetime]], *, now: datetime) -> int:
    """Repeat on restored books the erasures that were done after the backup was made.

    Args: done: (id of the person, when they were erased), as the instance knew them before it was restored. Those whom
        the restored books still owe money wait until it is settled, and are tried again each day.
    Returns: how many people are to be erased again.
    """
    again = 0
    for user_id, at in done:
        with transaction.atomic():
            person = User.objects.select_for_update().filter(pk=user_id).first()
            if person is None or Erasure.objects.filter(user=person, done_at__isnull=False).exists():
                continue
            waiting = _waiting(person)
            if waiting is None:
                _ask(person, cause="asked", reason="", actor=None, due_at=at, now=now)
            else:
                Erasure.objects.filter(pk=waiting.pk).update(due_at=at)
            again += 1
    host = Host.objects.values_list("pk", flat=True).first() or ""
    record("erasures.repeated", actor=None, subject=host, now=now, listed=len(done), people=again)
    erase_due(now)
    return again


def _ask(person: User, *, cause: str, reason: str, actor: User | None, due_at: datetime, now: datetime) -> Erasure:
    erasure = Erasure.objects.create(
        id=new_id("ers"), user=person, cause=cause, reason=reason.strip()[:500], asked_by=actor, asked_at=now,
        due_at=due_at,
    )  # fmt: skip
    record(
        "erasure.asked", actor=actor, subject=person.pk, now=now, scopes=[person.pk], erasure=erasure.pk, cause=cause,
        due_at=due_at.isoformat(),
    )  # fmt: skip
    return erasure


def _withdraw(erasure: Erasure, actor: User | None, now: datetime) -> None:
    erasure.withdrawn_at = now
    erasure.save(update_fields=["withdrawn_at"])
    user = erasure.user_id
    record("erasure.withdrawn", actor=actor, subject=user, now=now, scopes=[user], erasure=erasure.pk)


def _erase(erasure: Erasure, now: datetime) -> None:
    """Do what one request asks, or note what hinders it; an account that was used meanwhile is kept."""
    person = _locked(erasure.user_id)
    if erasure.cause in {"inactive", "unused"} and used_since(person, erasure.asked_at):
        _withdraw(erasure, None, now)
        return
    hindrance = next(iter(hindrances(person)), None)
    if hindrance is not None:
        news = erasure.hindered_by != hindrance.code
        erasure.hindered_by, erasure.due_at = hindrance.code, now + TRIED_AGAIN
        erasure.save(update_fields=["hindered_by", "due_at"])
        if news:
            record(
                "erasure.hindered", actor=None, subject=person.pk, now=now, scopes=[person.pk], erasure=erasure.pk,
                code=hindrance.code,
            )  # fmt: skip
        return
    for former in User.objects.select_for_update().filter(merged_into=person).order_by("pk"):
        if former.erasures.filter(done_at__isnull=False).exists():
            continue
        with_it = _waiting(former) or _ask(former, cause="asked", reason="", actor=None, due_at=now, now=now)
        _forget(with_it, former, now)  # an account of the same person, which they cannot sign in to
    _forget(erasure, person, now)


def _forget(erasure: Erasure, person: User, now: datetime) -> None:
    forget(person, now=now)
    erasure.hindered_by, erasure.done_at = "", now
    erasure.save(update_fields=["hindered_by", "done_at"])
    record("erasure.done", actor=None, subject=person.pk, now=now, scopes=[person.pk], erasure=erasure.pk)


def used_since(person: User, moment: datetime) -> bool:
    """Whether a person signed in, or a token of theirs was used, after a moment."""
    signed_in = person.last_login is not None and person.last_login > moment
    return signed_in or ApiToken.objects.filter(user=person, last_used_at__gt=moment).exists()


def _locked(user_id: str) -> User:
    """The row of a person, held: work that is being declared by them now is seen, or waits."""
    return User.objects.select_for_update().get(pk=user_id)


def _waiting(person: User) -> Erasure | None:
    return Erasure.objects.filter(user=person, withdrawn_at=None, done_at=None).first()
