"""Somebody lost their phone and their recovery codes: an administrator removes their second factor, for another."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.events.services import record
from backend.identity.factors import PROOFS
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.roles import able_treasurers, lock_roles

REASON_LENGTH = 500


@transaction.atomic
def reset_factors(*, actor: User, person_id: str, reason: str, now: datetime) -> User:
    """Remove the second factors and recovery codes of another person, who is told by mail; their strong roles sleep.

    Args: reason: how the administrator made sure that it is them, at most 500 characters.
    Returns: the person.
    Raises: Forbidden `not_allowed`, `own_factors`; NotFound `person_not_found`; Invalid `reason_missing`; Conflict
        `no_factor`, `last_treasurer`.
    """
    require(actor, "factor.reset")
    if person_id == actor.pk:
        raise Forbidden(
            "own_factors",
            _("Nobody removes their own second factor this way: another administrator does it."),
            action="factor.reset",
        )
    lock_roles()
    person = User.objects.select_for_update().filter(pk=person_id, is_active=True).first()
    if person is None:
        raise NotFound("person_not_found", _("There is nobody by this address here."))
    if is_last_treasurer(person):
        raise Conflict(
            "last_treasurer",
            _(
                "This is the last treasurer who can act: an administrator alone does not stop payments. Whoever runs "
                "the server removes this factor there, with “manage.py reset_factor”."
            ),
        )
    _remove(person, actor=actor, reason=reason, now=now)
    return person


@transaction.atomic
def reset_factors_on_the_server(*, person: User, reason: str, now: datetime) -> None:
    """The same for the only administrator or treasurer, by whoever runs the server: `manage.py reset_factor`.

    Raises: Invalid `reason_missing`; Conflict `no_factor`.
    """
    _remove(User.objects.select_for_update().get(pk=person.pk), actor=None, reason=reason, now=now)


def is_last_treasurer(person: User) -> bool:
    """Whether nobody else could act for money without the second factor of this person."""
    return [one.pk for one in able_treasurers()] == [person.pk]


def _remove(person: User, *, actor: User | None, reason: str, now: datetime) -> None:
    why = " ".join(reason.split())
    if not why or len(why) > REASON_LENGTH:
        raise Invalid(
            "reason_missing", _("Say how you made sure that it is them, in 500 characters at most."), param="reason"
        )
    rows = Authenticator.objects.filter(user_id=person.pk)
    kinds = sorted(rows.filter(type__in=PROOFS).values_list("type", flat=True))
    if not kinds:
        raise Conflict("no_factor", _("This person has no second factor."))
    rows.delete()
    for session in UserSession.objects.filter(user=person):
        session.end()  # whoever holds the lost phone may be signed in on it
    record("factor.reset", actor=actor, subject=person.pk, now=now, before={"factors": kinds}, why=why)
