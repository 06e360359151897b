"""The first people of an instance and those they invite: one-time addresses, passwords, roles that wait for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, DomainError, Invalid, NotFound
from backend.events.models import Event
from backend.events.services import record
from backend.identity.factors import has_factor
from backend.identity.models import Host, Role, User
from backend.identity.permissions import require
from backend.identity.services import create_host, grant_role

SETUP_LIFE = timedelta(hours=24)
INVITATION_LIFE = timedelta(days=7)
RESEND_PAUSE = timedelta(minutes=1)
LANGUAGES = ("fr", "en")
MONEY_ROLES = ("treasurer", "steward")  # those who decide where money goes
_SETUP_SALT, _INVITATION_SALT = "tronc.setup", "tronc.invitation"
_SETUP_LOCK = 7_361_420_003


@dataclass(frozen=True)
class Named:
    """Somebody as another person names them, before they have an account."""

    name: str
    email: str
    language: str = "fr"


# --- the first run ----------------------------------------------------------------------------------------------------


def setup_token(*, now: datetime) -> str:
    """The secret part of a set-up address: signed, good for 24 hours, and only while nobody administers the instance.

    Raises: Conflict `already_set_up`.
    """
    _require_unadministered()
    return _signed([], _SETUP_SALT, now)


def require_setup_token(token: str, *, now: datetime) -> None:
    """Refuse a set-up address that is forged, too old, or of an instance that an administrator can sign in to.

    Raises: NotFound `setup_address_over`; Conflict `already_set_up`, to nobody but who holds a true address.
    """
    if _read(token, _SETUP_SALT, SETUP_LIFE, now) is None:
        raise NotFound(
            "setup_address_over",
            _("This address is wrong or older than a day. “manage.py set_up” prints another one."),
        )
    _require_unadministered()


def _require_unadministered() -> None:
    holders = Role.objects.filter(kind="administrator", user__is_active=True).select_related("user")
    if any(accepted(role.user) for role in holders):
        raise Conflict("already_set_up", _("This instance is set up: its administrator signs in and goes on there."))


@transaction.atomic
def set_up_instance(
    *,
    token: str,
    administrator: Named,
    password: str,
    name: str,
    siren: str,
    time_zone: str,
    fee_bp: int,
    fiscal_year_starts_on: int = 1,
    treasurers: Sequence[Named],
    now: datetime,
) -> User:
    """Make the host with its administrator and two invited treasurers, all or nothing; two browsers make one host.

    Args: token: of `setup_token`. fee_bp: the fee on receipts, in basis points. fiscal_year_starts_on: a month.
    Returns: the administrator, whose address counts as confirmed: whoever runs the server gave it.
    Raises: Conflict `already_set_up`, `host_exists`; Invalid on what was typed, `administrator_as_treasurer`,
        `two_treasurers`, `password_refused`.
    """
    _alone()
    require_setup_token(token, now=now)
    if Host.objects.exists():
        raise Conflict("host_exists", _("This instance already has its host."))
    _require_two(administrator, treasurers)
    user = _with_password(administrator, password)
    people = [person_named(named, param=f"treasurer{number}") for number, named in enumerate(treasurers, start=1)]
    host = create_host(
        name=_required(name, "host_name"), siren=siren, fee_bp=fee_bp, treasurers=people, now=now, time_zone=time_zone,
        fiscal_year_starts_on=fiscal_year_starts_on,
    )  # fmt: skip
    grant_role(user=user, kind="administrator", scope=host.pk, granted_by=None, now=now)
    for person in people:
        _announce(person, kind="treasurer", scope=host.pk, actor=user, now=now)
    return user


@transaction.atomic
def name_administrator(*, token: str, administrator: Named, password: str, now: datetime) -> User:
    """Give an instance that has a host, and nobody who administers it, its administrator.

    Raises: Conflict `already_set_up`; NotFound `no_host`; Invalid on what was typed, `administrator_as_treasurer`.
    """
    _alone()
    require_setup_token(token, now=now)
    host = Host.objects.first()
    if host is None:
        raise NotFound("no_host", _("This instance has no host yet. Run “manage.py load_demo” or the first set-up."))
    user = _with_password(administrator, password)
    require_apart(user, "administrator", param="email")
    grant_role(user=user, kind="administrator", scope=host.pk, granted_by=None, now=now)
    return user


def _alone() -> None:
    """Wait until no other browser is naming those who administer it or move its money."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])


def _require_two(administrator: Named, treasurers: Sequence[Named]) -> None:
    """Two treasurers, two addresses, and neither is the administrator's."""
    addresses = [_address(named.email, param=f"treasurer{n}_email") for n, named in enumerate(treasurers, start=1)]
    if len(set(addresses)) < 2:
        raise Invalid(
            "two_treasurers", _("Name two treasurers: money leaves only with two people."), param="treasurer2_email"
        )
    mine = _address(administrator.email)
    for number, address in enumerate(addresses, start=1):
        if address == mine:
            raise _apart(f"treasurer{number}_email")


# --- invitations ------------------------------------------------------------------------------------------------------


@transaction.atomic
def invite_person(*, actor: User, who: Named, kind: str, scope: str, now: datetime) -> User:
    """Give a role to whoever has this address, and tell them by mail: with an account or without, the answer is alike.

    Args: kind, scope: of the role. Who has no confirmed account yet chooses a password through a one-time link.
    Raises: Forbidden; Invalid `email_invalid`, `name_missing`, `administrator_as_treasurer`; Conflict
        `second_link_shown`, `treasurer_takes_two` once a treasurer can act.
    """
    require(actor, "setup.invite", scopes=[scope])
    if kind == "treasurer":
        _require_nobody_pays_yet()
    person = person_named(who)
    require_apart(person, kind, param="email")
    if kind == "treasurer" and Event.objects.filter(kind="invitation.shown", subject=person.pk).exists():
        _require_by_mail(person)
    grant_role(user=person, kind=kind, scope=scope, granted_by=actor, now=now)
    _announce(person, kind=kind, scope=scope, actor=actor, now=now)
    return person


@transaction.atomic
def resend_invitation(*, actor: User, person_id: str, now: datetime) -> User:
    """Send the invitation again; twice within a minute sends it once.

    Raises: Forbidden; NotFound `invitation_not_found` when there is none that waits.
    """
    require(actor, "setup.invite")
    person = _waiting(person_id)
    latest = Event.objects.filter(kind="person.invited", subject=person.pk).order_by("-created_at").first()
    if latest is None or now - latest.created_at >= RESEND_PAUSE:
        for role in person.roles.order_by("pk"):
            _announce(person, kind=role.kind, scope=role.scope, actor=actor, now=now)
    return person


@transaction.atomic
def show_invitation(*, actor: User, person_id: str, now: datetime) -> tuple[User, str]:
    """A link to hand over when mail does not work; since it opens the account, its person and the treasurers are told.

    Returns: the person and the secret part of the link.
    Raises: Forbidden; NotFound `invitation_not_found`; Conflict `second_link_shown` for a second treasurer.
    """
    require(actor, "setup.invite")
    _alone()
    person = _waiting(person_id)
    if person.roles.filter(kind="treasurer").exists():
        _require_by_mail(person)
    record("invitation.shown", actor=actor, subject=person.pk, now=now)
    return person, invitation_token(person, now=now)


@transaction.atomic
def replace_invited(*, actor: User, person_id: str, who: Named, now: datetime) -> User:
    """Invite somebody else, or another address, in place of a person who has not accepted yet.

    Raises: Forbidden; NotFound `invitation_not_found`; Invalid and Conflict as `invite_person`; Invalid
        `two_treasurers`.
    """
    require(actor, "setup.invite")
    _alone()
    person = _waiting(person_id)
    if _address(who.email) == person.email:
        User.objects.filter(pk=person.pk).update(name=_required(who.name, "name"), language=_language(who.language))
        return resend_invitation(actor=actor, person_id=person.pk, now=now)
    successor = person_named(who)
    for role in list(person.roles.order_by("pk")):
        if Role.objects.filter(user=successor, kind=role.kind, scope=role.scope).exists():
            raise Invalid("two_treasurers", _("This person has the role already: name another one."), param="email")
        role.delete()
        record("role.withdrawn", actor=actor, subject=person.pk, now=now, scopes=[role.scope], role=role.kind)
        invite_person(actor=actor, who=who, kind=role.kind, scope=role.scope, now=now)
    return successor


def invitation_token(person: User, *, now: datetime) -> str:
    """The secret part of an invitation's link: signed, good for seven days, and until a password is chosen."""
    return _signed([person.pk, person.get_session_auth_hash()], _INVITATION_SALT, now)


def invited_by(token: str, *, now: datetime) -> User:
    """The person an invitation is for; raises NotFound `invitation_over` when it is forged, used or too old."""
    facts = _read(token, _INVITATION_SALT, INVITATION_LIFE, now)
    person = User.objects.filter(pk=facts[0], is_active=True).first() if facts else None
    if facts is None or person is None or not constant_time_compare(facts[1], person.get_session_auth_hash()):
        raise NotFound(
            "invitation_over",
            _("This link no longer works: it was used already, or it is older than seven days. Ask for another one."),
        )
    return person


@transaction.atomic
def accept_invitation(*, token: str, password: str, now: datetime) -> User:
    """Choose one's password through an invitation; the link, sent to the address, confirms the address.

    Raises: NotFound `invitation_over`; Invalid `password_refused`.
    """
    User.objects.select_for_update().filter(pk=invited_by(token, now=now).pk).first()
    person = invited_by(token, now=now)  # again, now that nobody else can use it
    _choose(person, password)
    record("invitation.accepted", actor=person, subject=person.pk, now=now)
    return person


def accepted(person: User) -> bool:
    """Whether a person can sign in: they chose a password and their address is confirmed."""
    confirmed = EmailAddress.objects.filter(user=person, email__iexact=person.email, verified=True).exists()
    return person.is_active and person.has_usable_password() and confirmed


def _waiting(person_id: str) -> User:
    """A person who was invited and has not accepted yet."""
    person = User.objects.select_for_update().filter(pk=person_id).first()
    if person is None or accepted(person) or not person.roles.exists():
        raise NotFound("invitation_not_found", _("There is no invitation that waits for this person."))
    return person


def _announce(person: User, *, kind: str, scope: str, actor: User, now: datetime) -> None:
    record("person.invited", actor=actor, subject=person.pk, now=now, scopes=[scope], role=kind)


def person_named(named: Named, *, param: str = "") -> User:
    """Whoever has this address, else a new person without a password. The caller has checked the right to invite.

    An account whose address was never confirmed may have been opened by anybody: its password is taken away, and its
    sessions end with it.
    """
    field = f"{param}_" if param else ""
    address, name = _address(named.email, param=f"{field}email"), _required(named.name, f"{field}name")
    confirmed = EmailAddress.objects.filter(email__iexact=address, verified=True).select_related("user").first()
    if confirmed is not None:
        owner: User = confirmed.user
        return owner
    person = User.objects.filter(email=address).first()
    if person is None:
        person = User.objects.create_user(address, name=name, language=_language(named.language))
    elif person.has_usable_password():
        person.set_unusable_password()
        person.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(user=person, email=address, defaults={"primary": True, "verified": False})
    return person


def _with_password(named: Named, password: str) -> User:
    """The person with this address and this password: a new one, or the one who has both already."""
    address = _address(named.email)
    person = User.objects.filter(email=address).first()
    if person is not None and accepted(person):
        if not person.check_password(password):
            raise Invalid(
                "password_refused", _("This address has an account already: type its password."), param="password1"
            )
        return person
    person = person_named(named)
    _choose(person, password)
    return person


def _choose(person: User, password: str) -> None:
    """Set a password that the rules allow, and take the address as confirmed."""
    try:
        validate_password(password, person)
    except ValidationError as refusal:
        raise Invalid("password_refused", " ".join(refusal.messages), param="password1") from None
    person.set_password(password)
    person.save(update_fields=["password"])
    EmailAddress.objects.update_or_create(user=person, email=person.email, defaults={"verified": True, "primary": True})


def _require_by_mail(person: User) -> None:
    """Whoever sees a link may open the account: seeing those of two treasurers is being both. The caller is alone."""
    others = Role.objects.filter(kind="treasurer").exclude(user=person).values("user")
    if Event.objects.filter(kind="invitation.shown", subject__in=others).exists():
        raise Conflict(
            "second_link_shown",
            _(
                "The link of another treasurer was shown already. Money takes two people, so one treasurer at most "
                "comes by a link handed over: this one comes by mail. On the server, “manage.py check_mail” says why "
                "mail does not leave."
            ),
        )


def _require_nobody_pays_yet() -> None:
    """An administrator alone names treasurers in the first run only: once one of them can act, it takes two people."""
    able = User.objects.filter(has_factor("pk"), roles__kind="treasurer", is_active=True)
    if any(accepted(person) for person in able):
        raise Conflict(
            "treasurer_takes_two",
            _("A treasurer is named by two people: propose it, and another treasurer or administrator decides."),
        )


def require_apart(person: User, kind: str, *, param: str) -> None:
    """An administrator never touches money: the same person is neither treasurer nor steward too.

    Args: kind: of the role that the person is about to get. param: the field that names them.
    Raises: Invalid `administrator_as_treasurer`.
    """
    others = {"administrator": MONEY_ROLES, **dict.fromkeys(MONEY_ROLES, ("administrator",))}.get(kind, ())
    if Role.objects.filter(user=person, kind__in=others).exists():
        raise _apart(param)


def _apart(param: str) -> DomainError:
    return Invalid(
        "administrator_as_treasurer",
        _("The administrator is neither treasurer nor steward: who gives roles never touches money."),
        param=param,
    )


def _address(text: str, *, param: str = "email") -> str:
    address = text.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise Invalid("email_invalid", _("This is not an e-mail address."), param=param) from None
    return address


def _required(text: str, param: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > 120:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param=param)
    return name


def _language(code: str) -> str:
    return code if code in LANGUAGES else LANGUAGES[0]


# --- signed secrets ---------------------------------------------------------------------------------------------------


def _signed(facts: list[str], salt: str, now: datetime) -> str:
    return signing.dumps([*facts, int(now.timestamp())], salt=salt)


def _read(token: str, salt: str, life: timedelta, now: datetime) -> list[Any] | None:
    """The facts of a token signed less than `life` ago, else None."""
    try:
        *facts, at = signing.loads(token, salt=salt)
        made = datetime.fromtimestamp(at, tz=UTC)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return facts if timedelta(0) <= now - made + timedelta(seconds=1) <= life + timedelta(seconds=1) else None
