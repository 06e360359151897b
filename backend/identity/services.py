"""Writes about the host, organisations and roles."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from stdnum import bic as bic_format
from stdnum import iban as iban_format
from stdnum.exceptions import ValidationError
from stdnum.fr import siren as siren_format

from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_currency
from backend.events.services import record
from backend.identity.models import Host, HostBankAccount, Organisation, Role, User


def require_iban(text: str, *, param: str = "iban") -> str:
    """Return the compact form of a valid IBAN, or raise Invalid `iban_invalid`."""
    try:
        return iban_format.validate(text)
    except ValidationError:
        raise Invalid(
            "iban_invalid", _("This is not a valid IBAN: check it against the one your bank gave you."), param=param
        ) from None


def require_bic(text: str) -> str:
    """Return the compact form of a valid BIC, or nothing for none; raises Invalid `bic_invalid`."""
    try:
        return bic_format.validate(text) if text.strip() else ""
    except ValidationError:
        raise Invalid("bic_invalid", _("This is not a valid BIC."), param="bic") from None


def require_siren(text: str, *, param: str = "siren") -> str:
    """Return the nine figures of a valid SIREN, or raise Invalid `siren_invalid`."""
    try:
        return siren_format.validate(text)
    except ValidationError:
        raise Invalid(
            "siren_invalid",
            _("This is not a valid SIREN: nine figures, the last of which checks the others. Copy it from a paper."),
            param=param,
        ) from None


def the_host() -> Host:
    """The host of this instance; raises NotFound `no_host` on an empty instance."""
    host = Host.objects.first()
    if host is None:
        raise NotFound("no_host", _("This instance has no host yet. Run “manage.py load_demo” or the first set-up."))
    return host


def host_day(now: datetime) -> date:
    """The calendar day of a moment in the host's time zone."""
    return now.astimezone(ZoneInfo(the_host().time_zone)).date()


def host_zone() -> ZoneInfo:
    """The host's time zone; UTC while there is no host."""
    return ZoneInfo(Host.objects.values_list("time_zone", flat=True).first() or "UTC")


def fiscal_year(year: int, *, starts_on: int) -> tuple[date, date]:
    """The first and last day of the fiscal year that begins in a calendar year.

    Args: year: the calendar year of its first day. starts_on: the month of its first day, 1 to 12.
    Raises: ValueError when the calendar has no such year.
    """
    return date(year, starts_on, 1), date(year + 1, starts_on, 1) - timedelta(days=1)


def fiscal_year_of(day: date, *, starts_on: int) -> int:
    """The calendar year in which the fiscal year of a day begins; `starts_on` is the month of its first day."""
    return day.year if day.month >= starts_on else day.year - 1


@transaction.atomic
def create_host(
    *,
    name: str,
    siren: str,
    fee_bp: int,
    treasurers: Sequence[User],
    now: datetime,
    time_zone: str = "Europe/Paris",
    fiscal_year_starts_on: int = 1,
    address: str = "",
    rna: str = "",
    vat_status: str = "",
) -> Host:
    """Set up the host of an empty instance with its first treasurers.

    Args: fee_bp: its fee on receipts, in basis points (500 is 5 %). treasurers: two at least, so that money can leave.
        time_zone: the one of its calendar, an IANA name. fiscal_year_starts_on: a month, 1 to 12. address, rna,
        vat_status: what its papers say of it; empty: said later, by two people.
    Raises: Conflict `host_exists`; Invalid `two_treasurers`, `fee_out_of_range`, `siren_invalid`, `time_zone_unknown`,
        `month_unknown`.
    """
    if Host.objects.exists():
        raise Conflict("host_exists", _("This instance already has its host."))
    if len({user.pk for user in treasurers}) < 2:
        raise Invalid(
            "two_treasurers", _("Name two treasurers: money leaves only with two people."), param="treasurers"
        )
    if not 0 <= fee_bp <= 10_000:
        raise Invalid("fee_out_of_range", _("The fee is between 0 and 10000 basis points."), param="fee_bp")
    if time_zone not in available_timezones():
        raise Invalid("time_zone_unknown", _("Choose a time zone of the list."), param="time_zone")
    if not 1 <= fiscal_year_starts_on <= 12:
        raise Invalid("month_unknown", _("A month is a number from 1 to 12."), param="fiscal_year")
    host = Host.objects.create(
        id=new_id("hst"), name=name.strip(), siren=require_siren(siren), fee_bp=fee_bp, time_zone=time_zone,
        fiscal_year_starts_on=fiscal_year_starts_on, address=address, rna=rna, vat_status=vat_status,
    )  # fmt: skip
    for user in treasurers:
        Role.objects.create(user=user, kind="treasurer", scope=host.pk, created_at=now)
    record("host.created", actor=None, subject=host.pk, now=now, fee_bp=fee_bp)
    return host


def create_organisation(*, name: str, kind: str, manager: User, siren: str = "", now: datetime) -> Organisation:
    """Create an organisation with its first manager; raises Invalid on an unknown kind or SIREN."""
    if kind not in dict(Organisation.KINDS):
        raise Invalid("kind_unknown", _("Choose what kind of organisation this is."), param="kind")
    if not name.strip():
        raise Invalid("name_missing", _("Give the organisation its name."), param="name")
    with transaction.atomic():
        organisation = Organisation.objects.create(
            id=new_id("org"), name=name.strip(), kind=kind, siren=require_siren(siren) if siren else "", created_at=now
        )
        grant_role(user=manager, kind="organisation_manager", scope=organisation.pk, granted_by=manager, now=now)
        record("organisation.created", actor=manager, subject=organisation.pk, now=now, scopes=[organisation.pk])
    return organisation


def grant_role(
    *, user: User, kind: str, scope: str, granted_by: User | None, now: datetime, why: str = "", told: bool = False
) -> Role:
    """Give a person a role somewhere; giving it twice changes nothing. The caller has checked the right to do so.

    Args: why: the reason given. told: whether the person is written to about it.
    """
    role, created = Role.objects.get_or_create(
        user=user, kind=kind, scope=scope, defaults={"granted_by": granted_by, "created_at": now}
    )
    if created:
        record(
            "role.granted", actor=granted_by, subject=user.pk, now=now, scopes=[scope], why=why, role=kind, told=told,
            after={"role": kind, "scope": scope},
        )  # fmt: skip
    return role


def withdraw_role(
    *, user: User, kind: str, scope: str, actor: User | None, now: datetime, why: str = "", told: bool = False
) -> bool:
    """Take a role from a person, from their next request on. The caller has checked the right to do so.

    Args: why: the reason given. told: whether the person is written to about it.
    Returns: whether they held it.
    """
    deleted, _rows = Role.objects.filter(user=user, kind=kind, scope=scope).delete()
    if deleted:
        record(
            "role.withdrawn", actor=actor, subject=user.pk, now=now, scopes=[scope], why=why, role=kind, told=told,
            before={"role": kind, "scope": scope},
        )  # fmt: skip
    return bool(deleted)


def people_with(kind: str, scopes: Sequence[str]) -> "list[User]":
    """The active people who hold a role in one of these scopes, by name."""
    held = Role.objects.filter(kind=kind).filter(Q(scope__in=list(scopes)) | Q(scope__startswith="hst_"))
    return list(User.objects.filter(pk__in=held.values("user"), is_active=True).order_by("name"))


def add_bank_account(*, host: Host, name: str, iban: str, currency: str, bic: str = "") -> HostBankAccount:
    """Register a bank account of the host. Its purse is opened with the first statement or payment."""
    return HostBankAccount.objects.create(
        id=new_id("bnk"),
        host=host,
        name=name,
        iban=require_iban(iban),
        bic=require_bic(bic),
        currency=require_currency(currency),
    )
