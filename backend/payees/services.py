"""Writes about payees; the only place where an IBAN is sealed or opened."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Invalid
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import require_iban
from backend.payees.models import Payee


def mask(iban: str) -> str:
    """The only form of an IBAN that screens show: `FR76 •••• 1234`."""
    return f"{iban[:4]} •••• {iban[-4:]}"


@transaction.atomic
def payee_of(user: User, *, now: datetime) -> Payee:
    """The payee of a person, made the first time under their own name and without an account."""
    payee, _created = Payee.objects.get_or_create(
        user=user, defaults={"id": new_id("pye"), "kind": "person", "name": user.name[:70], "created_at": now}
    )
    return payee


@transaction.atomic
def set_account(*, actor: User, name: str, iban: str, now: datetime) -> Payee:
    """Set the name and IBAN on which a person is paid; only their own.

    Raises: Invalid `iban_invalid`, `name_missing`.
    """
    compact = require_iban(iban)
    if not name.strip():
        raise Invalid("name_missing", _("Give the name of the account’s holder, as the bank writes it."), param="name")
    payee_of(actor, now=now)
    payee = Payee.objects.select_for_update().get(user=actor)
    payee.name = name.strip()[:70]
    payee.iban_sealed = crypto.encrypt(compact, bound_to=payee.pk)
    payee.iban_index = crypto.equality_index(compact)
    payee.iban_hint = mask(compact)
    payee.iban_edited_by = actor
    payee.iban_edited_at = now
    payee.save()
    record("payee.account_changed", actor=actor, subject=payee.pk, now=now, scopes=[actor.pk])
    return payee


def open_iban(payee: Payee) -> str:
    """The IBAN in clear, for the payment file alone; raises Invalid `payee_without_account`."""
    if not payee.iban_sealed:
        raise Invalid(
            "payee_without_account",
            _("%(name)s has not given an account to be paid on.") % {"name": payee.name},
            param="payee",
        )
    return crypto.decrypt(payee.iban_sealed, bound_to=payee.pk)
