"""Writes about payees; the only place where an IBAN is sealed or opened."""

import json
import re
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from stdnum import iban as iban_format

from backend.core import crypto
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.reads import among
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.organisations import Address
from backend.identity.services import require_iban
from backend.payees.models import HOLD, BookedName, Payee

_SIGNS = re.compile(r"(?:[A-Za-z0-9][ \u00a0]?){15,42}")
_IBAN_BEGINS = re.compile(r"(?i)(?<![A-Z0-9])[A-Z]{2}[0-9]{2}")


def mask(iban: str) -> str:
    """The only form of an IBAN that screens show: `FR76 •••• 1234`."""
    return f"{iban[:4]} •••• {iban[-4:]}"


def mask_within(text: str) -> str:
    """A text of a bank with every valid IBAN masked, in one piece or in groups: what a payer wrote is kept, theirs is
    not."""
    found, place = [], 0
    for start in _IBAN_BEGINS.finditer(text):
        if start.start() < place:
            continue
        written = _SIGNS.match(text, start.start())
        signs = [at for at in range(*written.span()) if text[at].isalnum()] if written else []
        compact = "".join(text[at] for at in signs).upper()
        sizes = range(min(34, len(compact)), 14, -1)
        # Length and check digits tell an account; whether its bank is known does not matter.
        length = next((size for size in sizes if iban_format.is_valid(compact[:size], check_country=False)), 0)
        if length:
            found += [text[place : start.start()], mask(compact[:length])]
            place = signs[length - 1] + 1
    return "".join([*found, text[place:]])


@transaction.atomic
def payee_of(user: User, *, now: datetime) -> Payee:
    """The payee that a person chose for what is owed to them, made the first time under their own name and without an
    account."""
    payee, _created = Payee.objects.get_or_create(
        user=user,
        is_default=True,
        defaults={"id": new_id("pye"), "kind": "person", "name": user.name[:70], "created_at": now},
    )
    return payee


def hindrance(payee: Payee, now: datetime) -> str | None:
    """Why nothing can be paid to a payee now, or None: `payee_closed`, `payee_blocked` (its person said that a change
    was not theirs), `no_account`, `account_on_hold` (until `payee.usable_from`)."""
    if payee.closed_at is not None:
        return "payee_closed"
    if payee.blocked_at is not None:
        return "payee_blocked"
    if not payee.iban_sealed:
        return "no_account"
    if payee.usable_from is None or now < payee.usable_from:
        return "account_on_hold"
    return None


@transaction.atomic
def set_account(*, actor: User, name: str, iban: str, now: datetime, payee_id: str = "") -> Payee:
    """Set the name and IBAN on which a payee of one's own is paid; the same again changes nothing, but unblocks it.

    What changes is paid to from HOLD later only. Args: payee_id: empty for the one of one's own that is by default.
    Raises: NotFound; Conflict `payee_closed`; Invalid `iban_invalid`, `iban_of_host`, `name_missing`.
    """
    compact = require_iban(iban)
    if HostBankAccount.objects.filter(iban=compact).exists():
        raise Invalid(
            "iban_of_host", _("This is an account of the host, from which you are paid: give yours."), param="iban"
        )
    if not name.strip():
        raise Invalid("name_missing", _("Give the name of the account’s holder, as the bank writes it."), param="name")
    payee = own_payee(actor, payee_id or payee_of(actor, now=now).pk)
    before = _told(payee)
    same = {"iban": crypto.equality_index(compact), "name": crypto.equality_index(name.strip()[:70])} == before
    if same and payee.blocked_at is None:
        return payee
    payee.name = name.strip()[:70]
    payee.iban_sealed = crypto.seal_for(actor.pk, compact, bound_to=payee.pk)
    payee.iban_index = crypto.equality_index(compact)
    payee.iban_hint = mask(compact)
    payee.iban_edited_by = actor
    payee.iban_edited_at = now
    payee.usable_from = now + HOLD
    payee.blocked_at = None
    payee.save()
    record(
        "payee.account_changed", actor=actor, subject=payee.pk, now=now, scopes=[actor.pk], before=before,
        after=_told(payee),
    )  # fmt: skip
    return payee


def own_payee(actor: User, payee_id: str) -> Payee:
    """A payee of one's own that is not closed, held by the caller. Raises: NotFound; Conflict `payee_closed`."""
    payee = Payee.objects.select_for_update(of=("self",)).filter(user=actor, pk=payee_id).first()
    if payee is None:
        raise NotFound("payee_not_found", _("There is no such payee."))
    if payee.closed_at is not None:
        raise Conflict("payee_closed", _("This payee is closed: choose or add another one."))
    return payee


def hold_payees(payees: "QuerySet[Payee]") -> None:
    """Lock payees until the transaction ends: none of their accounts changes meanwhile."""
    # Rows are read: Django leaves the lock out of a COUNT.
    list(payees.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))


def _told(payee: Payee) -> dict[str, str]:
    """What the audit trail may keep of an account: fingerprints by which two are known equal, nothing to read."""
    return {"iban": payee.iban_index, "name": crypto.equality_index(payee.name)}


@transaction.atomic
def archive_names(payee_ids: Iterable[str], *, now: datetime) -> None:
    """Keep the names under which payees are being booked, in the transaction that books them: those of their papers,
    not those of who holds their accounts, whom the books have no reason to name.

    A payee booked before under the same name adds nothing. Args: payee_ids: whose purses the entry moves. now: the
    moment of the entry.
    """
    added, owners = [], set(payee_ids)
    kept = booked_names(owners)
    for payee in Payee.objects.filter(among("pk", owners)).only("name", "legal_name").order_by("id"):
        before = [name for since, name in kept.get(payee.pk, []) if since <= now]
        if not before or before[-1] != payee.on_papers:
            key = new_id("bkn")
            sealed = crypto.encrypt(payee.on_papers, bound_to=key)
            added.append(BookedName(id=key, owner=payee.pk, name_sealed=sealed, since=now))
    # Two entries of one moment tell one name: the first that was kept.
    BookedName.objects.bulk_create(added, ignore_conflicts=True)


def archive_name(owner: str, name: str, *, now: datetime) -> None:
    """Keep the name under which something else than a payee is paid, a refund: its purse is booked as theirs are."""
    key = new_id("bkn")
    sealed = crypto.encrypt(name, bound_to=key)
    BookedName.objects.bulk_create(
        [BookedName(id=key, owner=owner, name_sealed=sealed, since=now)], ignore_conflicts=True
    )


def booked_names(payee_ids: Iterable[str]) -> dict[str, list[tuple[datetime, str]]]:
    """Payee id → the names it was booked under, each with the moment it holds from, oldest first."""
    found: dict[str, list[tuple[datetime, str]]] = {}
    for row in BookedName.objects.filter(among("owner", set(payee_ids))).order_by("owner", "since", "id"):
        name = crypto.decrypt(row.name_sealed, bound_to=row.pk)
        found.setdefault(row.owner, []).append((row.since, name))
    return found


def let_names_go(payee_ids: Iterable[str]) -> None:
    """Remove the archived names of payees; PostgreSQL refuses those booked in the last ten years."""
    BookedName.objects.filter(owner__in=set(payee_ids)).delete()


def address_of(payee: Payee) -> Address:
    """Where a payee is written to; all empty when it was not said."""
    if not payee.address_sealed:
        return Address()
    text = crypto.open_for(payee.user_id, payee.address_sealed, bound_to=payee.pk)
    return Address(**json.loads(text))


def open_iban(payee: Payee) -> str:
    """The IBAN in clear, for the payment file alone; raises Invalid `payee_without_account`."""
    if not payee.iban_sealed:
        raise Invalid(
            "payee_without_account",
            _("%(name)s has not given an account to be paid on.") % {"name": payee.name},
            param="payee",
        )
    return crypto.open_for(payee.user_id, payee.iban_sealed, bound_to=payee.pk)
