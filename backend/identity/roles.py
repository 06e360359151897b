"""Who holds which role of the host: giving and taking, with a reason; treasurers are named by two people."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.identity.factors import has_factor
from backend.identity.inviting import Named, accepted, person_named, require_apart, takes_two
from backend.identity.models import Host, Role, User
from backend.identity.permissions import require
from backend.identity.services import grant_role, the_host, withdraw_role

REASON_LENGTH = 500
ALONE = ("administrator", "auditor")  # the roles of the host that an administrator gives without a second person


@transaction.atomic
def grant_host_role(*, actor: User, who: Named, kind: str, reason: str, now: datetime) -> User:
    """Make somebody administrator or auditor; without an account they are invited by mail.

    Args: kind: one of ALONE. reason: at most 500 characters.
    Raises: Forbidden `not_allowed`, `role_to_oneself`; Conflict `treasurer_takes_two`, `role_held`; Invalid on what
        was typed, `role_unknown`, `administrator_as_treasurer`.
    """
    require(actor, "role.grant")
    if kind == "treasurer":
        raise takes_two()
    if kind not in ALONE:
        raise Invalid("role_unknown", _("Choose the role."), param="kind")
    return give(actor=actor, who=who, kind=kind, scope=the_host().pk, reason=reason, now=now)


@transaction.atomic
def remove_host_role(*, actor: User, person_id: str, kind: str, reason: str, now: datetime) -> User:
    """Take a role of the host away, from the next request of the person on: an administrator's, auditor's, treasurer's.

    Raises: Forbidden; NotFound `role_not_found`; Conflict `last_administrator`, `last_treasurer`; Invalid
        `reason_missing`.
    """
    require(actor, "role.remove_treasurer" if kind == "treasurer" else "role.grant")
    lock_roles()
    host = the_host()
    role = Role.objects.select_related("user").filter(user=person_id, kind=kind, scope=host.pk).first()
    if role is None or kind not in {*ALONE, "treasurer"}:
        raise role_not_found()
    others = User.objects.filter(roles__kind=kind, roles__scope=host.pk, is_active=True).exclude(pk=person_id)
    if kind == "administrator" and not others.exists():
        raise Conflict("last_administrator", _("This is the last administrator: name another one first."))
    if kind == "treasurer" and not (others.filter(has_factor("pk")) if able(role.user) else others).exists():
        raise Conflict(
            "last_treasurer",
            _("This is the last treasurer who can act: nobody could pay any more. Name another first."),
        )
    return take(actor=actor, role=role, reason=reason, now=now)


def give(*, actor: User, who: Named, kind: str, scope: str, reason: str, now: datetime) -> User:
    """Give a role to whoever has this address and tell them by mail. The caller checked the right, in a transaction.

    Raises: Forbidden `role_to_oneself`; Conflict `role_held`; Invalid `reason_missing`, `administrator_as_treasurer`.
    """
    why = required_reason(reason)
    lock_roles()
    person = person_named(who)
    if person.pk == actor.pk:
        raise Forbidden("role_to_oneself", _("Nobody gives a role to themselves: ask another person."))
    require_apart(person, kind, param="email")
    if Role.objects.filter(user=person, kind=kind, scope=scope).exists():
        raise Conflict("role_held", _("This person has this role already."), param="email")
    grant_role(user=person, kind=kind, scope=scope, granted_by=actor, now=now, why=why, told=True)
    return person


def take(*, actor: User, role: Role, reason: str, now: datetime) -> User:
    """Take a role away and tell the person by mail. The caller checked the right, in a transaction.

    Raises: Invalid `reason_missing`.
    """
    why = required_reason(reason)
    withdraw_role(user=role.user, kind=role.kind, scope=role.scope, actor=actor, now=now, why=why, told=True)
    return role.user


def required_reason(text: str) -> str:
    """A reason as it is kept; raises Invalid `reason_missing` when there is none, or it is too long."""
    reason = " ".join(text.split())
    if not reason or len(reason) > REASON_LENGTH:
        raise Invalid("reason_missing", _("Say why, in one sentence."), param="reason")
    return reason


def lock_roles() -> None:
    """Wait until nobody else gives or takes a role: two people cannot both take the last but one away."""
    Host.objects.select_for_update(no_key=True).first()


def able(person: User) -> bool:
    """Whether a person can act in a role of money: they can sign in, and have a second factor."""
    return accepted(person) and User.objects.filter(has_factor("pk"), pk=person.pk).exists()


def able_treasurers() -> list[User]:
    """The treasurers who can act, by name."""
    held = User.objects.filter(has_factor("pk"), roles__kind="treasurer", is_active=True).distinct()
    return [person for person in held.order_by("name", "pk") if accepted(person)]


def role_not_found() -> NotFound:
    """The refusal of a role that nobody holds, or that is not the reader's to see."""
    return NotFound("role_not_found", _("Nobody holds this role."))
