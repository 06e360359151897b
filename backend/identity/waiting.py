"""Invitations that wait: an administrator sends them again, passes them on, and reads the link of a few of them.

Whoever reads a link may open the account. An administrator alone never holds an account that moves money this way:
not a treasurer's, nor a member's of an organisation, nor of a contributor who is owed something; of the stewards of a
pot, one, and only where nobody else takes care of it.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, DomainError, Invalid, NotFound
from backend.events.models import Event
from backend.events.services import record
from backend.identity.inviting import (
    RESEND_PAUSE,
    Named,
    accepted,
    alone,
    announce,
    came_by_hand,
    invitation_token,
    invite_person,
    person_named,
    takes_two,
)
from backend.identity.models import Offer, Proposal, Role, User
from backend.identity.naming import language_of, required_name, valid_address
from backend.identity.permissions import MEMBERS, require
from backend.identity.vacancies import vacated_by

SHOWN = {"administrator", "auditor", "steward"}  # whose links may be shown at all


@transaction.atomic
def resend_invitation(*, actor: User, person_id: str, now: datetime) -> User:
    """Send the invitation again; twice within a minute sends it once.

    Raises: Forbidden; NotFound `invitation_not_found` when there is none that waits.
    """
    require(actor, "setup.invite")
    person = _held(person_id)
    latest = Event.objects.filter(kind="person.invited", subject=person.pk).order_by("-created_at").first()
    if latest is None or now - latest.created_at >= RESEND_PAUSE:
        for role in _roles(person):
            announce(person, kind=role.kind, scope=role.scope, actor=actor, now=now)
    return person


@transaction.atomic
def show_invitation(*, actor: User, person_id: str, now: datetime) -> tuple[User, str]:
    """A link to hand over when mail does not work; since it opens the account, its person and the treasurers are told.

    Returns: the person and the secret part of the link.
    Raises: Forbidden; NotFound `invitation_not_found`; Conflict `by_mail_alone`, `steward_there`, `steward_takes_two`.
    """
    require(actor, "setup.invite")
    alone()
    person = _held(person_id)
    refusal = why_not_shown(actor, person)
    if refusal is not None:
        raise refusal
    record("invitation.shown", actor=actor, subject=person.pk, now=now)
    return person, invitation_token(person, now=now)


@transaction.atomic
def replace_invited(*, actor: User, person_id: str, who: Named, now: datetime) -> User:
    """Invite somebody else, or another address, in place of a person who has not accepted yet.

    Raises: Forbidden; NotFound `invitation_not_found`; Invalid and Conflict as `invite_person`; Invalid
        `two_treasurers`; Conflict `treasurer_takes_two` for who came by a proposal, `steward_there`,
        `steward_takes_two`.
    """
    require(actor, "setup.invite")
    alone()
    person = _held(person_id)
    if valid_address(who.email) == person.email:
        facts = {"name": required_name(who.name, "name"), "language": language_of(who.language)}
        User.objects.filter(pk=person.pk).update(**facts)
        return resend_invitation(actor=actor, person_id=person.pk, now=now)
    successor = person_named(who)
    for role in _roles(person):
        refusal = _why_not_passed_on(actor, role)
        if refusal is not None:
            raise refusal
        if Role.objects.filter(user=successor, kind=role.kind, scope=role.scope).exists():
            raise Invalid("two_treasurers", _("This person has the role already: name another one."), param="email")
        role.delete()
        record("role.withdrawn", actor=actor, subject=person.pk, now=now, scopes=[role.scope], role=role.kind)
        invite_person(actor=actor, who=who, kind=role.kind, scope=role.scope, now=now)
    return successor


def waits(person: User | None) -> bool:
    """Whether somebody was invited by the host or to a pot and has not accepted yet; organisations see to theirs."""
    return person is not None and not accepted(person) and person.has_address and bool(_roles(person))


def why_not_shown(actor: User, person: User) -> DomainError | None:
    """Why the link of this person is not shown to an administrator, or None."""
    kinds = set(person.roles.values_list("kind", flat=True))
    if kinds - SHOWN or Offer.objects.filter(user=person).exists():
        return Conflict(
            "by_mail_alone",
            _(
                "This invitation goes by mail alone: whoever reads its link may open the account, and it moves money, "
                "is paid, or acts for an organisation. On the server, “manage.py check_mail” says why mail does not "
                "leave."
            ),
        )
    return next(filter(None, (_why_not_held(actor, role) for role in _roles(person))), None)


def invitation_not_found() -> NotFound:
    """The refusal of an invitation that is not there, or not the administrator's to see."""
    return NotFound("invitation_not_found", _("There is no invitation that waits for this person."))


def _held(person_id: str) -> User:
    """A person who was invited and has not accepted yet, held until the transaction ends."""
    person = User.objects.select_for_update().filter(pk=person_id).first()
    if person is None or not waits(person):
        raise invitation_not_found()
    return person


def _roles(person: User) -> list[Role]:
    """The roles an administrator sees to: those of organisations are their managers'."""
    return list(person.roles.exclude(kind__in=MEMBERS).order_by("pk"))


def _why_not_passed_on(actor: User, role: Role) -> DomainError | None:
    """Why an administrator alone does not give this role to somebody else, or None."""
    named = Proposal.objects.filter(kind="role.treasurer", subject=role.user_id, state="accepted")
    if role.kind == "treasurer" and named.exists():
        return takes_two()
    return _why_not_held(actor, role)


def _why_not_held(actor: User, role: Role) -> DomainError | None:
    """Why a steward's account is not for an administrator to hold, or to choose who holds it; None for other roles."""
    if role.kind != "steward":
        return None
    if vacated_by(actor, role.scope):
        return Conflict(
            "steward_takes_two",
            _("You ended the role of the last steward here: a treasurer or another administrator sees to the next."),
        )
    others = Role.objects.filter(kind="steward", scope=role.scope, user__is_active=True).exclude(user=role.user_id)
    if any(accepted(one.user) or came_by_hand(one.user) for one in others.select_related("user")):
        return Conflict(
            "steward_there",
            _("Somebody takes care of this pot already: they name its other stewards, who come by mail alone."),
        )
    return None
