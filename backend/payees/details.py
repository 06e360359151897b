"""Writes what payees say of themselves: added, edited, chosen by default."""

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Conflict, Invalid
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.organisations import Address, require_address, require_vat
from backend.identity.services import require_siren
from backend.payees.models import Payee
from backend.payees.services import address_of, own_payee, payee_of

MOST = 20  # open payees of one person
_RNA = re.compile(r"W[0-9][0-9A-Z][0-9]{7}")
_PLAIN = ("kind", "siren", "rna", "vat_status", "vat_number", "invoice_prefix")


@dataclass(frozen=True)
class Details:
    """What a payee says of itself; empty texts: not given."""

    kind: str
    legal_name: str = ""
    siren: str = ""
    rna: str = ""
    vat_status: str = "unknown"
    vat_number: str = ""
    invoice_prefix: str = ""
    address: Address = field(default_factory=Address)


@transaction.atomic
def add_payee(*, actor: User, details: Details, now: datetime) -> Payee:
    """Add a payee of one's own, without an account. What is owed goes on to the one that is by default.

    Raises: Conflict `too_many_payees`; Invalid, see `edit_payee`.
    """
    facts, address = _facts(details, actor), require_address(details.address)
    payee_of(actor, now=now)  # the first one is theirs, and stays by default
    mine = Payee.objects.select_for_update(of=("self",)).filter(user=actor, closed_at=None).order_by("pk")
    if len(mine) >= MOST:
        raise Conflict(
            "too_many_payees", _("You have %(most)s payees already: close one of them first.") % {"most": MOST}
        )
    payee = Payee(
        id=new_id("pye"), user=actor, is_default=False, name=(facts["legal_name"] or actor.name)[:70], created_at=now,
        **facts,
    )  # fmt: skip
    payee.address_sealed = _sealed(payee, address)
    payee.save(force_insert=True)
    record(
        "payee.added", actor=actor, subject=payee.pk, now=now, scopes=[actor.pk],
        after=_told(list(facts), facts, address),
    )  # fmt: skip
    return payee


@transaction.atomic
def edit_payee(*, actor: User, payee_id: str, details: Details, now: datetime) -> Payee:
    """Write what a payee of one's own says of itself; its account stays as it is. The same again changes nothing.

    Raises: NotFound; Conflict `payee_closed`; Invalid `kind_unknown`, `name_missing`, `siren_invalid`,
        `siren_missing`, `rna_invalid`, `vat_status_unknown`, `vat_number_invalid`, `vat_number_missing`,
        `vat_number_without_vat`, `vat_number_of_another`, `prefix_invalid`, `address_incomplete`.
    """
    payee = own_payee(actor, payee_id)
    facts, address = _facts(details, actor), require_address(details.address)
    before = {name: getattr(payee, name) for name in facts}
    old = address_of(payee)
    if before == facts and old == address:
        return payee
    for name, value in facts.items():
        setattr(payee, name, value)
    payee.address_sealed = _sealed(payee, address)
    payee.save(update_fields=[*facts, "address_sealed"])
    changed = [name for name in facts if facts[name] != before[name]]
    record(
        "payee.edited", actor=actor, subject=payee.pk, now=now, scopes=[actor.pk],
        before=_told(changed, before, old), after=_told(changed, facts, address),
    )  # fmt: skip
    around_commit("payee.edited")
    return payee


@transaction.atomic
def choose_default(*, actor: User, payee_id: str, now: datetime) -> Payee:
    """Choose which payee of one's own is owed what is shared from now on; what is owed already stays where it is.

    Raises: NotFound; Conflict `payee_closed`.
    """
    # All of them, in one order: of two choices at once, one is after the other.
    mine = Payee.objects.select_for_update(of=("self",)).filter(user=actor).order_by("pk")
    before = next((one.pk for one in mine if one.is_default), None)
    payee = own_payee(actor, payee_id)
    if payee.is_default:
        return payee
    Payee.objects.filter(user=actor, is_default=True).update(is_default=False)
    payee.is_default = True
    payee.save(update_fields=["is_default"])
    record(
        "payee.default_chosen", actor=actor, subject=payee.pk, now=now, scopes=[actor.pk],
        before={"payee": before}, after={"payee": payee.pk},
    )  # fmt: skip
    return payee


def details_of(payee: Payee) -> Details:
    """What a payee says of itself."""
    plain = {name: getattr(payee, name) for name in ("legal_name", *_PLAIN)}
    return Details(**plain, address=address_of(payee))


def _facts(details: Details, actor: User) -> dict[str, Any]:
    """The checked columns of a payee's details, but for its address."""
    if details.kind not in dict(Payee.KINDS):
        raise Invalid("kind_unknown", _("Choose what kind of payee this is."), param="kind")
    name = " ".join(details.legal_name.split())
    if len(name) > 140 or (not name and details.kind != "person"):
        raise Invalid("name_missing", _("Give the name that stands on its papers."), param="legal_name")
    siren = require_siren(details.siren) if details.siren.strip() else ""
    rna = details.rna.strip().upper().replace(" ", "")
    if rna and not _RNA.fullmatch(rna):
        raise Invalid(
            "rna_invalid",
            _("A number of the French register of associations is a W and nine figures: copy it from its receipt."),
            param="rna",
        )
    french = (details.address.country.strip().upper() or "FR") == "FR"
    if details.kind != "person" and french and not siren and not (rna and details.kind == "association"):
        raise Invalid(
            "siren_missing",
            _("Give its SIREN: nine figures. An association without one gives its number in the register (RNA)."),
            param="siren",
        )
    number = require_vat(details.vat_status, details.vat_number)
    if details.vat_status == "liable" and not number:
        raise Invalid(
            "vat_number_missing", _("Who is liable for VAT gives its VAT number: invoices bear it."), param="vat_number"
        )
    if number.startswith("FR") and siren and not number.endswith(siren):
        raise Invalid(
            "vat_number_of_another",
            _("This VAT number belongs to another SIREN: its last nine figures differ."),
            param="vat_number",
        )
    prefix = details.invoice_prefix.strip()
    if len(prefix) > 16 or not prefix.isprintable():
        raise Invalid(
            "prefix_invalid", _("What invoice numbers begin with has sixteen signs at most."), param="invoice_prefix"
        )
    return {
        "kind": details.kind, "legal_name": name, "siren": siren, "rna": rna, "vat_status": details.vat_status,
        "vat_number": number, "invoice_prefix": prefix,
    }  # fmt: skip


def _sealed(payee: Payee, address: Address) -> str:
    """An address as it is kept, sealed with the key of its person; empty for none."""
    return crypto.seal_for(payee.user_id, _written(address), bound_to=payee.pk) if address.lines else ""


def _written(address: Address) -> str:
    return json.dumps(asdict(address), ensure_ascii=False)


def _told(changed: list[str], values: dict[str, Any], address: Address) -> dict[str, Any]:
    """What the event tells of one side of a change: names and addresses as keyed hashes."""
    said = {name: values[name] if name in _PLAIN else crypto.equality_index(values[name]) for name in changed}
    return {**said, "address": crypto.equality_index(_written(address))}
