"""Those invited who came in by a sign-in link or a new password: what the page of their invitation would have asked."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.events.models import Event
from backend.events.services import record
from backend.identity.factors import has_key
from backend.identity.inviting import choose_password
from backend.identity.models import User
from backend.identity.offers import begin_all


def unfinished(user: User) -> bool:
    """Whether somebody signed in has no password and no passkey yet, or was invited and never accepted anything."""
    if not has_key(user):
        return True
    known = Event.objects.filter(subject=user.pk)
    if not known.filter(kind__in=("person.invited", "member.invited")).exists():
        return False
    return not known.filter(kind__in=("invitation.accepted", "notices.accepted")).exists()


@transaction.atomic
def finish_account(*, actor: User, password: str, now: datetime) -> User:
    """Accept an invitation from inside: choose a password, unless there is one or a passkey; again changes nothing.

    Args: password: looked at only when the person has neither.
    Returns: the person, with their password. Raises: Invalid `password_refused`.
    """
    person = User.objects.select_for_update().get(pk=actor.pk)
    chosen = not has_key(person)
    if chosen and not password:
        raise Invalid("password_refused", _("Choose a password, or add a passkey first."), param="password1")
    if not unfinished(person):
        return person
    if chosen:
        choose_password(person, password)
        begin_all(person, now=now)  # who could come back by themselves answers each membership on its own page
    record("invitation.accepted", actor=person, subject=person.pk, now=now, password=chosen)
    return person
