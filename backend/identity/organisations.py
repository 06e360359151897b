"""Organisations: their details, members and limits."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError as WrongAddress
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from stdnum.eu import vat as vat_format
from stdnum.exceptions import ValidationError
from stdnum.fr import siret as siret_format

from backend.core import crypto
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.money import require_amount, require_currency
from backend.events.models import Event
from backend.events.services import record
from backend.identity.inviting import RESEND_PAUSE, Named, accepted, person_named
from backend.identity.models import Offer, Organisation, Role, SpendingLimit, User
from backend.identity.offers import offer_membership
from backend.identity.permissions import MEMBERS, require
from backend.identity.services import require_siren

COUNTRIES = 2  # letters of a country's code
LINE = 120
ROLES = ("organisation_member", "organisation_manager")
INVITED_A_DAY = 50


@dataclass(frozen=True)
class Address:
    """Where an organisation is written to; the country is two letters."""

    lines: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""


@dataclass(frozen=True)
class Details:
    """What an organisation says of itself; empty texts: not given."""

    name: str
    kind: str
    siren: str = ""
    siret: str = ""
    vat_status: str = "unknown"
    vat_number: str = ""
    email: str = ""
    address: Address = Address()


# --- details ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def edit_organisation(*, actor: User, organisation_id: str, details: Details, now: datetime) -> Organisation:
    """Write what an organisation says of itself; the same again changes nothing.

    Raises: NotFound; Forbidden; Invalid `name_missing`, `kind_unknown`, `siren_invalid`, `siret_invalid`,
        `siret_of_another`, `vat_status_unknown`, `vat_number_invalid`, `vat_number_without_vat`, `email_invalid`,
        `address_incomplete`.
    """
    row = _held(actor, organisation_id, "organisation.edit")
    facts = _facts(details)
    address = require_address(details.address)
    before = {name: getattr(row, name) for name in facts}
    old = address_of(row)
    if before == facts and old == address:
        return row
    for name, value in facts.items():
        setattr(row, name, value)
    if old != address:
        row.address_sealed = seal_address(row, address)
    row.save(update_fields=[*facts, "address_sealed"])
    changed = [name for name, value in facts.items() if value != before[name]]
    record(
        "organisation.edited", actor=actor, subject=row.pk, now=now, scopes=[row.pk], on_behalf=row.pk,
        before=_told(changed, before, old, address), after=_told(changed, facts, address, old),
    )  # fmt: skip
    return row


def address_of(organisation: Organisation) -> Address:
    """Where an organisation is written to; all empty when it did not say."""
    if not organisation.address_sealed:
        return Address()
    text = crypto.open_for(organisation.pk, organisation.address_sealed, bound_to=organisation.pk)
    return Address(**json.loads(text))


def seal_address(organisation: Organisation, address: Address) -> str:
    """An address as it is kept, sealed with the key of its organisation; empty for none."""
    if not address.lines:
        return ""
    return crypto.seal_for(organisation.pk, _written(address), bound_to=organisation.pk)


def _written(address: Address) -> str:
    return json.dumps(asdict(address), ensure_ascii=False)


def _told(changed: list[str], values: Mapping[str, Any], address: Address, other: Address) -> dict[str, Any]:
    """What the event tells of one side of a change: free text, addresses and mail as keyed hashes."""
    plain = {"kind", "siren", "siret", "vat_status", "vat_number"}
    said = {name: values[name] if name in plain else crypto.equality_index(values[name]) for name in changed}
    if address != other:
        said["address"] = crypto.equality_index(_written(address))
    return said


def _facts(details: Details) -> dict[str, Any]:
    """The checked columns of an organisation's details, but for its address."""
    name = " ".join(details.name.split())
    if not name or len(name) > 140:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param="name")
    if details.kind not in dict(Organisation.KINDS):
        raise Invalid("kind_unknown", _("Choose what kind of organisation this is."), param="kind")
    siren = require_siren(details.siren) if details.siren.strip() else ""
    siret = _require_siret(details.siret) if details.siret.strip() else ""
    if siret and siren and not siret.startswith(siren):
        raise Invalid(
            "siret_of_another", _("This SIRET belongs to another SIREN: its first nine figures differ."), param="siret"
        )
    email = details.email.strip().lower()
    if email:
        try:
            if not email.isascii():
                raise WrongAddress(email)
            validate_email(email)
        except WrongAddress:
            raise Invalid("email_invalid", _("This is not an e-mail address."), param="email") from None
    return {
        "name": name,
        "kind": details.kind,
        "siren": siren or siret[:9],
        "siret": siret,
        "email": email,
        "vat_status": details.vat_status,
        "vat_number": require_vat(details.vat_status, details.vat_number),
    }


def _require_siret(text: str) -> str:
    try:
        return str(siret_format.validate(text))
    except ValidationError:
        raise Invalid(
            "siret_invalid",
            _("This is not a valid SIRET: fourteen figures, the first nine are the SIREN. Copy it from a paper."),
            param="siret",
        ) from None


def require_vat(vat_status: str, vat_number: str) -> str:
    """The VAT number in its compact form, empty for none.

    Raises: Invalid `vat_status_unknown`, `vat_number_without_vat`, `vat_number_invalid`.
    """
    if vat_status not in dict(Organisation.VAT):
        raise Invalid("vat_status_unknown", _("Choose one of the answers about VAT."), param="vat_status")
    if not vat_number.strip():
        return ""
    if vat_status != "liable":
        raise Invalid(
            "vat_number_without_vat",
            _("Only who is liable for VAT has a VAT number: empty it, or say that it is liable."),
            param="vat_number",
        )
    try:
        return str(vat_format.validate(vat_number))
    except ValidationError:
        raise Invalid(
            "vat_number_invalid",
            _("This is not a valid VAT number: two letters of the country, then its figures, as on an invoice."),
            param="vat_number",
        ) from None


def require_address(address: Address) -> Address:
    """The address with its spaces in order: all of it, or nothing."""
    lines = "\n".join(" ".join(line.split()) for line in address.lines.splitlines() if line.strip())
    code, city = " ".join(address.postal_code.split()), " ".join(address.city.split())
    country = address.country.strip().upper()
    if not (lines or code or city):
        return Address()
    country = country or "FR"
    for text, most, param in ((lines, 3 * LINE, "lines"), (code, 12, "postal_code"), (city, 80, "city")):
        if not text or len(text) > most or any(not mark.isprintable() and mark != "\n" for mark in text):
            raise Invalid(
                "address_incomplete",
                _("An address has its lines, a postal code and a city, none of them too long; or leave all empty."),
                param=param,
            )
    if len(country) != COUNTRIES or not country.isascii() or not country.isalpha():
        raise Invalid("address_incomplete", _("A country is two letters, such as FR or BE."), param="country")
    return Address(lines, code, city, country)


# --- members ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def invite_member(*, actor: User, organisation_id: str, who: Named, kind: str, now: datetime) -> User:
    """Offer whoever has this address a role in an organisation, by mail: it begins once they say yes.

    With an account or without, the answer is alike and nobody's name is told.
    Whoever has not come yet is written to again, once a minute at most.
    Raises: NotFound; Forbidden; Invalid `member_role_unknown`, `email_invalid`, `name_missing`; Conflict
        `member_already`, `too_many_invitations`.
    """
    row = _held(actor, organisation_id, "organisation.invite")
    _require_kind(kind)
    sent = Event.objects.filter(
        kind="member.invited", created_at__gt=now - timedelta(days=1), scopes__contains=[row.pk]
    )
    if sent.count() >= INVITED_A_DAY:
        raise Conflict("too_many_invitations", _("Fifty invitations left today for this organisation: go on tomorrow."))
    person = person_named(who)
    if Role.objects.filter(user=person, kind__in=MEMBERS, scope=row.pk).exists():
        if accepted(person):
            raise Conflict("member_already", _("This person is a member already: change their role in the list."))
    else:
        offer_membership(actor=actor, organisation=row, person=person, email=who.email, kind=kind, now=now)
    latest = sent.filter(subject=person.pk).order_by("-created_at").first()
    if latest is not None and now - latest.created_at < RESEND_PAUSE:
        return person
    record(
        "member.invited", actor=actor, subject=person.pk, now=now, scopes=[row.pk], on_behalf=row.pk,
        after={"role": kind}, role=kind,
    )  # fmt: skip
    return person


@transaction.atomic
def change_member(*, actor: User, organisation_id: str, user_id: str, kind: str, now: datetime) -> Role:
    """Make a member a manager or a manager a member.

    Raises: NotFound; Forbidden; Invalid `member_role_unknown`; Conflict `last_manager`.
    """
    row = _held(actor, organisation_id, "organisation.invite")
    _require_kind(kind)
    role = _membership(row, user_id)
    before = role.kind
    if before == kind:
        return role
    if before == "organisation_manager":
        _require_another_manager(row, user_id)
    Role.objects.filter(user_id=user_id, kind__in=MEMBERS, scope=row.pk).exclude(pk=role.pk).delete()
    role.kind, role.granted_by = kind, actor
    role.save(update_fields=["kind", "granted_by"])
    record(
        "member.changed", actor=actor, subject=user_id, now=now, scopes=[row.pk], on_behalf=row.pk,
        before={"role": before}, after={"role": kind},
    )  # fmt: skip
    return role


@transaction.atomic
def remove_member(*, actor: User, organisation_id: str, user_id: str, now: datetime) -> None:
    """End somebody's role in an organisation: on their next request they act for it no more. Pledges made stay.

    Raises: NotFound; Forbidden; Conflict `last_manager`.
    """
    row = _held(actor, organisation_id, "organisation.invite")
    _end(row, user_id, kind="member.removed", actor=actor, now=now)


@transaction.atomic
def take_offer_back(*, actor: User, organisation_id: str, offer_id: str, now: datetime) -> None:
    """Take back a membership that nobody answered yet. Raises: NotFound; Forbidden."""
    row = _held(actor, organisation_id, "organisation.invite")
    offer = Offer.objects.select_for_update().filter(pk=offer_id, organisation=row).first()
    if offer is None:
        raise NotFound("member_not_found", _("There is no such member."))
    held = offer.kind
    subject = offer.user_id
    offer.delete()
    record(
        "member.removed", actor=actor, subject=subject, now=now, scopes=[row.pk], on_behalf=row.pk,
        before={"role": held},
    )  # fmt: skip


@transaction.atomic
def leave(*, actor: User, organisation_id: str, now: datetime) -> None:
    """End one's own role in an organisation. Raises: NotFound; Conflict `last_manager`."""
    row = locked(actor, organisation_id)
    _end(row, actor.pk, kind="member.left", actor=actor, now=now)


def _end(row: Organisation, user_id: str, *, kind: str, actor: User, now: datetime) -> None:
    role = _membership(row, user_id)
    if role.kind == "organisation_manager":
        _require_another_manager(row, user_id)
    held = role.kind
    Role.objects.filter(user_id=user_id, kind__in=MEMBERS, scope=row.pk).delete()
    SpendingLimit.objects.filter(user_id=user_id, organisation=row).delete()
    record(kind, actor=actor, subject=user_id, now=now, scopes=[row.pk], on_behalf=row.pk, before={"role": held})


@transaction.atomic
def set_limits(
    *,
    actor: User,
    organisation_id: str,
    user_id: str,
    currency: str,
    per_pledge: int | None,
    per_year: int | None,
    now: datetime,
) -> None:
    """Say how much somebody may pledge for an organisation; what was pledged before stays.

    Args: per_pledge, per_year: minor units, None for no limit; zero lets them pledge nothing.
    Raises: NotFound; Forbidden; Invalid `unknown_currency`, `amount_out_of_range`.
    """
    row = _held(actor, organisation_id, "organisation.invite")
    _membership(row, user_id)
    require_currency(currency)
    wanted = {"pledge": per_pledge, "year": per_year}
    for amount in wanted.values():
        if amount is not None:
            require_amount(amount, minimum=0)
    held = SpendingLimit.objects.filter(user_id=user_id, organisation=row, currency=currency)
    before = dict(held.values_list("per", "amount"))
    after = {per: amount for per, amount in wanted.items() if amount is not None}
    if before == after:
        return
    held.exclude(per__in=after).delete()
    for per, amount in after.items():
        SpendingLimit.objects.update_or_create(
            user_id=user_id, organisation=row, currency=currency, per=per,
            defaults={"amount": amount, "set_by": actor, "created_at": now},
        )  # fmt: skip
    record(
        "limit.set", actor=actor, subject=user_id, now=now, scopes=[row.pk], on_behalf=row.pk, before=before,
        after=after, currency=currency,
    )  # fmt: skip


def _held(actor: User, organisation_id: str, action: str) -> Organisation:
    """An organisation held for an act: 404 for who may not even read it, 403 for who may do no more than that."""
    row = locked(actor, organisation_id)
    require(actor, action, scopes=[row.pk])
    return row


def locked(actor: User, organisation_id: str) -> Organisation:
    """An organisation the actor may read, held until the transaction ends: members, limits and pledges wait in turn.

    Raises: NotFound `organisation_not_found`; Conflict `organisation_merged`.
    """
    row = Organisation.visible_to(actor).select_for_update(of=("self",), no_key=True).filter(pk=organisation_id).first()
    if row is None:
        raise NotFound("organisation_not_found", _("There is no such organisation."))
    if row.merged_into_id is not None:
        raise Conflict("organisation_merged", _("This organisation was merged into another one: act for that one."))
    return row


def managers(organisation: Organisation) -> list[User]:
    """The active managers of an organisation, the first named first."""
    held = Role.objects.filter(kind="organisation_manager", scope=organisation.pk, user__is_active=True)
    return [role.user for role in held.select_related("user").order_by("created_at", "pk")]


def _membership(row: Organisation, user_id: str) -> Role:
    """The role of a member; the manager's when somebody holds both."""
    role = Role.objects.filter(user_id=user_id, kind__in=MEMBERS, scope=row.pk).order_by("kind").first()
    if role is None:
        raise NotFound("member_not_found", _("There is no such member."))
    return role


def _require_kind(kind: str) -> None:
    if kind not in ROLES:
        raise Invalid("member_role_unknown", _("Choose member or manager."), param="kind")


def _require_another_manager(row: Organisation, user_id: str) -> None:
    """Refuse what would leave nobody to manage: another one must be there who can sign in."""
    if not any(one.pk != user_id and accepted(one) for one in managers(row)):
        raise Conflict(
            "last_manager",
            _("This is the last manager: name another one first, who has come at least once. Nothing was changed."),
        )
