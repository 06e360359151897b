"""The first people of an instance and those they invite: one-time addresses, passwords, roles that wait for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, DomainError, Invalid, NotFound
from backend.events.models import Event
from backend.events.services import record
from backend.identity.factors import has_key
from backend.identity.models import Host, Role, User
from backend.identity.naming import language_of, required_name, valid_address
from backend.identity.offers import begin_all
from backend.identity.permissions import require
from backend.identity.services import create_host, grant_role

SETUP_LIFE = timedelta(hours=24)
INVITATION_LIFE = timedelta(days=7)
RESEND_PAUSE = timedelta(minutes=1)
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
    alone()
    require_setup_token(token, now=now)
    if Host.objects.exists():
        raise Conflict("host_exists", _("This instance already has its host."))
    _require_two(administrator, treasurers)
    user = _with_password(administrator, password)
    people = [person_named(named, param=f"treasurer{number}") for number, named in enumerate(treasurers, start=1)]
    host = create_host(
        name=required_name(name, "host_name"), siren=siren, fee_bp=fee_bp, treasurers=people, now=now,
        time_zone=time_zone, fiscal_year_starts_on=fiscal_year_starts_on,
    )  # fmt: skip
    grant_role(user=user, kind="administrator", scope=host.pk, granted_by=None, now=now)
    for person in people:
        announce(person, kind="treasurer", scope=host.pk, actor=user, now=now)
    return user


@transaction.atomic
def name_administrator(*, token: str, administrator: Named, password: str, now: datetime) -> User:
    """Give an instance that has a host, and nobody who administers it, its administrator.

    Raises: Conflict `already_set_up`; NotFound `no_host`; Invalid on what was typed, `administrator_as_treasurer`.
    """
    alone()
    require_setup_token(token, now=now)
    host = Host.objects.first()
    if host is None:
        raise NotFound("no_host", _("This instance has no host yet. Run “manage.py load_demo” or the first set-up."))
    user = _with_password(administrator, password)
    require_apart(user, "administrator", param="email")
    grant_role(user=user, kind="administrator", scope=host.pk, granted_by=None, now=now)
    return user


def alone() -> None:
    """Wait until no other browser is naming those who administer it or move its money."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])


def _require_two(administrator: Named, treasurers: Sequence[Named]) -> None:
    """Two treasurers, two addresses, and neither is the administrator's."""
    addresses = [valid_address(named.email, param=f"treasurer{n}_email") for n, named in enumerate(treasurers, start=1)]
    if len(set(addresses)) < 2:
        raise Invalid(
            "two_treasurers", _("Name two treasurers: money leaves only with two people."), param="treasurer2_email"
        )
    mine = valid_address(administrator.email)
    for number, address in enumerate(addresses, start=1):
        if address == mine:
            raise _apart(f"treasurer{number}_email")


# --- invitations ------------------------------------------------------------------------------------------------------


@transaction.atomic
def invite_person(*, actor: User, who: Named, kind: str, scope: str, now: datetime) -> User:
    """Give a role to whoever has this address, and tell them by mail: with an account or without, the answer is alike.

    Args: kind, scope: of the role. Who has no confirmed account yet chooses a password through a one-time link.
    Raises: Forbidden; Invalid `email_invalid`, `name_missing`, `administrator_as_treasurer`; Conflict
        `came_by_hand` for a treasurer, `treasurer_takes_two` once a treasurer has come.
    """
    require(actor, "setup.invite", scopes=[scope])
    if kind == "treasurer":
        _require_first_run()
    person = person_named(who)
    require_apart(person, kind, param="email")
    if kind == "treasurer":
        require_by_mail(person)
        if Role.objects.filter(kind=kind, scope=scope).exclude(user=person).count() >= 2:
            raise takes_two()  # as PostgreSQL refuses it
    grant_role(user=person, kind=kind, scope=scope, granted_by=actor, now=now)
    announce(person, kind=kind, scope=scope, actor=actor, now=now)
    return person


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
    choose_password(person, password)
    begin_all(person, now=now)
    record("invitation.accepted", actor=person, subject=person.pk, now=now)
    return person


def accepted(person: User) -> bool:
    """Whether a person can sign in: they chose a password or have a passkey, and their address is confirmed."""
    confirmed = EmailAddress.objects.filter(user=person, email__iexact=person.email, verified=True).exists()
    return person.is_active and has_key(person) and confirmed


def announce(person: User, *, kind: str, scope: str, actor: User, now: datetime) -> None:
    """Have an invitation to a role written to somebody. The caller checked the right."""
    record("person.invited", actor=actor, subject=person.pk, now=now, scopes=[scope], role=kind)


def person_named(named: Named, *, param: str = "") -> User:
    """Whoever has this address, else a new person without a password. The caller has checked the right to invite.

    An account whose address was never confirmed may have been opened by anybody: its password is taken away, and its
    sessions end with it.
    """
    field = f"{param}_" if param else ""
    address, name = valid_address(named.email, param=f"{field}email"), required_name(named.name, f"{field}name")
    confirmed = EmailAddress.objects.filter(email__iexact=address, verified=True).select_related("user").first()
    if confirmed is not None:
        owner: User = confirmed.user
        return owner
    person = User.objects.filter(email=address).first()
    if person is None:
        person = _made_once(address, name, language_of(named.language))
    elif person.has_usable_password():
        person.set_unusable_password()
        person.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(user=person, email=address, defaults={"primary": True, "verified": False})
    return person


def _made_once(address: str, name: str, language: str) -> User:
    """A new person; when another press of the same button has just made them, that one."""
    try:
        with transaction.atomic():
            return User.objects.create_user(address, name=name, language=language)
    except IntegrityError:
        return User.objects.get(email=address)


def _with_password(named: Named, password: str) -> User:
    """The person with this address and this password: a new one, or the one who has both already."""
    address = valid_address(named.email)
    person = User.objects.filter(email=address).first()
    if person is not None and accepted(person):
        if not person.check_password(password):
            raise Invalid(
                "password_refused", _("This address has an account already: type its password."), param="password1"
            )
        return person
    person = person_named(named)
    choose_password(person, password)
    return person


def choose_password(person: User, password: str) -> None:
    """Set a password that the rules allow, and take the address as confirmed."""
    try:
        validate_password(password, person)
    except ValidationError as refusal:
        raise Invalid("password_refused", " ".join(refusal.messages), param="password1") from None
    person.set_password(password)
    person.save(update_fields=["password"])
    EmailAddress.objects.update_or_create(user=person, email=person.email, defaults={"verified": True, "primary": True})


def came_by_hand(person: User) -> bool:
    """Whether the link of a person was shown to an administrator, who may hold the account since."""
    return Event.objects.filter(kind="invitation.shown", subject=person.pk).exists()


def require_by_mail(person: User) -> None:
    """Refuse as treasurer whoever came by a link shown: raises Conflict `came_by_hand`."""
    if came_by_hand(person):
        raise Conflict(
            "came_by_hand",
            _(
                "An administrator read the link that opened this account, and money takes people of whom that is not "
                "so: name somebody who came by mail."
            ),
            param="email",
        )


def _require_first_run() -> None:
    """An administrator alone names treasurers in the first run only: once one of them has come, it takes two people."""
    named = Role.objects.filter(kind="treasurer", user__is_active=True).select_related("user")
    if any(accepted(role.user) for role in named):
        raise takes_two()


def takes_two() -> Conflict:
    """The refusal to name a treasurer alone."""
    return Conflict(
        "treasurer_takes_two",
        _("A treasurer is named by two people: propose it, and another treasurer or administrator decides."),
        param="kind",
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
