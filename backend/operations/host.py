"""Settings, bank accounts and limits of the host: one person proposes, another decides; an IBAN waits three days."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.crypto import equality_index
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.money import require_amount, require_currency
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.identity.models import Host, HostBankAccount, Proposal, User
from backend.identity.permissions import require
from backend.identity.proposals import ACCOUNT, PAYOUTS, SETTINGS, decide, decided, iban_of, intact, locked, write
from backend.identity.roles import lock_roles, required_reason
from backend.identity.services import add_bank_account, require_bic, require_iban, the_host
from backend.ledger.services import entry_count
from backend.payees.services import mask
from backend.payouts.models import PayoutBatch

NOTICE = timedelta(hours=72)
SETTING_NAMES = (
    "name", "fee_bp", "time_zone", "fiscal_year_starts_on", "address", "rna", "vat_status", "tax_receipts",
)  # fmt: skip
ADDRESS_LENGTH = 300
_RNA = re.compile(r"W[0-9][0-9AB][0-9]{7}")
LIMIT_NAMES = ("limit_payee", "limit_batch", "limit_day", "file_format")


# --- settings ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def propose_settings(
    *,
    actor: User,
    name: str,
    fee_bp: int,
    time_zone: str,
    fiscal_year_starts_on: int,
    address: str | None = None,
    rna: str | None = None,
    vat_status: str | None = None,
    tax_receipts: bool = False,
    reason: str,
    now: datetime,
) -> Proposal:
    """Propose other settings of the host: nothing changes until another person accepts. Moves no money.

    Args: fee_bp: basis points, for the receipts booked once it holds. fiscal_year_starts_on: a month, 1 to 12.
        address, rna, vat_status: what papers say of the host; None keeps what is said now. tax_receipts: stays False.
    Raises: Forbidden; Conflict `time_zone_fixed` once something is booked, `proposal_open`; Invalid `nothing_changed`,
        `name_missing`, `fee_out_of_range`, `time_zone_unknown`, `month_unknown`, `reason_missing`,
        `host_address_long`, `rna_invalid`, `vat_status_unknown`, `vat_not_supported`, `tax_receipts_not_built`.
    """
    require(actor, "host.propose")
    host, name = the_host(), " ".join(name.split())
    if not name or len(name) > 140:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param="name")
    if not 0 <= fee_bp <= 10_000:
        raise Invalid("fee_out_of_range", _("The fee is between 0 and 10000 basis points."), param="fee")
    if time_zone not in available_timezones():
        raise Invalid("time_zone_unknown", _("Choose a time zone of the list."), param="time_zone")
    if not 1 <= fiscal_year_starts_on <= 12:
        raise Invalid("month_unknown", _("A month is a number from 1 to 12."), param="fiscal_year")
    wanted = {
        "name": name, "fee_bp": fee_bp, "time_zone": time_zone, "fiscal_year_starts_on": fiscal_year_starts_on,
        **_on_papers(address=address, rna=rna, vat_status=vat_status, tax_receipts=tax_receipts),
    }  # fmt: skip
    after = {field: value for field, value in wanted.items() if getattr(host, field) != value}
    if not after:
        raise Invalid("nothing_changed", _("These are the present settings: change one of them."))
    _require_movable_zone(after)
    before = {field: getattr(host, field) for field in after}
    payload = {"before": before, "after": after}
    return write(actor=actor, kind=SETTINGS, subject=host.pk, payload=payload, reason=reason, now=now)


def decide_settings(
    *, actor: User, proposal_id: str, accept: bool, digest: str, reason: str = "", now: datetime
) -> Proposal:
    """Accept or refuse proposed settings; a new fee counts from the next receipt on, never for those booked.

    Args: digest: of the proposal, as the page showed it. reason: needed for a refusal.
    Raises: what `identity.proposals.decide` raises; Conflict `settings_changed`, `time_zone_fixed`.
    """

    def apply(proposal: Proposal) -> None:
        before, after = proposal.payload["before"], proposal.payload["after"]
        host = Host.objects.select_for_update(no_key=True).get(pk=proposal.subject)
        if any(getattr(host, field) != value for field, value in before.items()):
            raise Conflict("settings_changed", _("The settings changed since this was proposed: propose it again."))
        _require_movable_zone(after)
        for field in SETTING_NAMES:
            setattr(host, field, after.get(field, getattr(host, field)))
        host.save(update_fields=list(SETTING_NAMES))
        proposal.applied_at = now

    return decide(
        actor=actor, proposal_id=proposal_id, kind=SETTINGS, accept=accept, digest=digest, reason=reason, now=now,
        apply=apply,
    )  # fmt: skip


def _on_papers(
    *, address: str | None, rna: str | None, vat_status: str | None, tax_receipts: bool
) -> dict[str, str | bool]:
    """The checked settings that papers print; those that are None are left out."""
    found: dict[str, str | bool] = {}
    if address is not None:
        found["address"] = "\n".join(line.strip() for line in address.splitlines() if line.strip())
        if len(str(found["address"])) > ADDRESS_LENGTH:
            raise Invalid("host_address_long", _("This address is too long: papers have six lines."), param="address")
    if rna is not None:
        found["rna"] = re.sub(r"\s", "", rna).upper()
        if found["rna"] and not _RNA.fullmatch(str(found["rna"])):
            raise Invalid("rna_invalid", _("An RNA number is W and nine figures."), param="rna")
    if vat_status is not None:
        if vat_status == "liable":
            raise Invalid(
                "vat_not_supported", _("A host that is liable for VAT is not supported yet."), param="vat_status"
            )
        if vat_status not in dict(Host.VAT):
            raise Invalid("vat_status_unknown", _("Choose one of the answers."), param="vat_status")
        found["vat_status"] = vat_status
    if tax_receipts:
        # An association that gives receipts without the right to is fined: field.md §5.3.
        raise Invalid(
            "tax_receipts_not_built",
            _("Tax receipts are not made here: the setting stays off. Nothing was proposed."),
            param="tax_receipts",
        )
    return found


def _require_movable_zone(after: dict[str, Any]) -> None:
    if "time_zone" in after and entry_count() > 0:
        raise Conflict(
            "time_zone_fixed", _("Something is booked already: its days are those of the present time zone."),
            param="time_zone",
        )  # fmt: skip


# --- bank accounts ----------------------------------------------------------------------------------------------------


@transaction.atomic
def propose_account(
    *, actor: User, account_id: str = "", name: str, iban: str, bic: str = "", currency: str, reason: str, now: datetime
) -> Proposal:
    """Propose a further bank account, or another IBAN for one. Moves no money.

    Args: account_id: that of the account whose IBAN changes; empty: a further account. currency: kept by an account.
    Raises: Forbidden; NotFound `account_not_found`; Conflict `proposal_open`; Invalid `name_missing`, `iban_invalid`,
        `iban_known`, `bic_invalid`, `reason_missing`, what an unknown currency is refused for.
    """
    require(actor, "host.propose")
    host, account = the_host(), None
    if account_id:
        account = HostBankAccount.objects.filter(pk=account_id).first()
        if account is None:
            raise NotFound("account_not_found", _("There is no such bank account."))
    name = " ".join(name.split())
    if not name or len(name) > 80:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param="name")
    iban, bic = require_iban(iban), require_bic(bic)
    _require_new(iban)
    payload = {
        "account": account_id, "name": name, "bic": bic, "iban": mask(iban),
        "currency": account.currency if account else require_currency(currency),
        "before": mask(account.iban) if account else "",
    }  # fmt: skip
    subject = account.pk if account else host.pk
    return write(actor=actor, kind=ACCOUNT, subject=subject, payload=payload, reason=reason, now=now, iban=iban)


def decide_account(
    *, actor: User, proposal_id: str, accept: bool, digest: str, reason: str = "", now: datetime
) -> Proposal:
    """Accept or refuse a bank account: accepted, it holds after three days, in which anyone who was told can stop it.

    Args: digest: of the proposal, as the page showed it. reason: needed for a refusal.
    Raises: what `identity.proposals.decide` raises; Conflict `treasurer_wanted`; Invalid `iban_known`.
    """

    def apply(proposal: Proposal) -> None:
        _require_new(iban_of(proposal))
        proposal.applies_at = now + NOTICE

    return decide(
        actor=actor, proposal_id=proposal_id, kind=ACCOUNT, accept=accept, digest=digest, reason=reason, now=now,
        apply=apply,
    )  # fmt: skip


@transaction.atomic
def propose_payouts(
    *,
    actor: User,
    account_id: str,
    limit_payee: int | None,
    limit_batch: int | None,
    limit_day: int | None,
    file_format: str,
    reason: str,
    now: datetime,
) -> Proposal:
    """Propose other limits of the payouts of a bank account, or another format of its files. Moves no money.

    Args: limits in minor units, above which a third person approves a batch; None: no limit.
    Raises: Forbidden; NotFound `account_not_found`; Conflict `proposal_open`; Invalid `amount_out_of_range`,
        `format_unknown`, `nothing_changed`, `reason_missing`.
    """
    require(actor, "host.propose")
    account = HostBankAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound("account_not_found", _("There is no such bank account."))
    wanted: dict[str, Any] = {"limit_payee": limit_payee, "limit_batch": limit_batch, "limit_day": limit_day}
    for name, value in wanted.items():
        if value is not None:
            require_amount(value, param=name)
    if file_format not in dict(HostBankAccount.FORMATS):
        raise Invalid("format_unknown", _("Choose one of the two formats."), param="file_format")
    wanted["file_format"] = file_format
    after = {name: value for name, value in wanted.items() if getattr(account, name) != value}
    if not after:
        raise Invalid("nothing_changed", _("These are the present settings: change one of them."))
    payload = {
        "name": account.name, "currency": account.currency, "before": {name: getattr(account, name) for name in after},
        "after": after,
    }  # fmt: skip
    return write(actor=actor, kind=PAYOUTS, subject=account.pk, payload=payload, reason=reason, now=now)


def decide_payouts(
    *, actor: User, proposal_id: str, accept: bool, digest: str, reason: str = "", now: datetime
) -> Proposal:
    """Accept or refuse limits of payouts: they hold at once, for the batches that wait too.

    Args: digest: of the proposal, as the page showed it. reason: needed for a refusal.
    Raises: what `identity.proposals.decide` raises; Conflict `settings_changed`, `treasurer_wanted`.
    """

    def apply(proposal: Proposal) -> None:
        before, after = proposal.payload["before"], proposal.payload["after"]
        account = HostBankAccount.objects.select_for_update(no_key=True).get(pk=proposal.subject)
        if any(getattr(account, name) != value for name, value in before.items()):
            raise Conflict("settings_changed", _("The settings changed since this was proposed: propose it again."))
        for name in LIMIT_NAMES:
            setattr(account, name, after.get(name, getattr(account, name)))
        account.save(update_fields=list(LIMIT_NAMES))
        proposal.applied_at = now

    return decide(
        actor=actor, proposal_id=proposal_id, kind=PAYOUTS, accept=accept, digest=digest, reason=reason, now=now,
        apply=apply,
    )  # fmt: skip


@transaction.atomic
def stop_account(*, actor: User, proposal_id: str, reason: str, now: datetime) -> Proposal:
    """Stop an accepted bank account during its three days; who proposed it takes it back instead.

    Raises: Forbidden `not_allowed`, `own_proposal`; NotFound `proposal_not_found`; Conflict `proposal_decided`;
        Invalid `reason_missing`.
    """
    require(actor, "host.stop")
    proposal = locked(proposal_id, ACCOUNT)
    if not proposal.awaits:
        raise decided()
    if proposal.proposed_by_id == actor.pk:
        raise Forbidden("own_proposal", _("You proposed this: take it back instead."), action="host.stop")
    proposal.state, proposal.decided_by, proposal.decided_at = "refused", actor, now
    proposal.decision_reason, proposal.iban_sealed, proposal.applies_at = required_reason(reason), "", None
    proposal.save()
    record(
        "proposal.stopped", actor=actor, subject=proposal.pk, now=now, scopes=[proposal.subject],
        why=proposal.decision_reason, kind_of=ACCOUNT, before={"state": "accepted"}, after={"state": "refused"},
    )  # fmt: skip
    return proposal


def apply_due(now: datetime) -> int:
    """Make the bank accounts whose three days are over hold; returns how many were treated.

    An account from which a payment is on its way keeps its IBAN until the payment has left.
    """
    return sweep_rows(due_accounts(now), lambda row: _hold(row, now))


def due_accounts(now: datetime) -> "QuerySet[Proposal]":
    """The accepted accounts whose three days are over and from which no payment is on its way."""
    rows = Proposal.objects.filter(kind=ACCOUNT, state="accepted", applied_at=None, applies_at__lte=now)
    return rows.exclude(subject__in=PayoutBatch.objects.filter(state__in=PayoutBatch.SPOKEN_FOR).values("account"))


def _hold(proposal: Proposal, now: datetime) -> None:
    lock_roles()
    iban, facts = iban_of(proposal), proposal.payload
    if not intact(proposal):
        raise ValueError(f"{proposal.pk} does not say any more what was decided")
    account, before = None, ""
    try:
        with transaction.atomic():
            if facts["account"]:
                account = HostBankAccount.objects.select_for_update(no_key=True).get(pk=facts["account"])
                before = equality_index(account.iban)
                account.name, account.iban, account.bic = facts["name"], iban, facts["bic"]
                account.save(update_fields=["name", "iban", "bic"])
            else:
                account = add_bank_account(
                    host=the_host(), name=facts["name"], iban=iban, bic=facts["bic"], currency=facts["currency"]
                )
    except IntegrityError:
        # Another account took this IBAN meanwhile: there is nothing left to do.
        proposal.state, proposal.decision_reason = "refused", str(known().message)
    else:
        proposal.applied_at = now
    proposal.iban_sealed = ""
    proposal.save()
    if account is None or not proposal.applied_at:
        record("proposal.refused", actor=None, subject=proposal.pk, now=now, scopes=[proposal.subject], kind_of=ACCOUNT)
        return
    record(
        "bank_account.changed" if facts["account"] else "bank_account.added", actor=None, subject=account.pk, now=now,
        scopes=[proposal.pk], before={"iban": before} if before else None, after={"iban": equality_index(iban)},
        why=proposal.reason,
    )  # fmt: skip


def known() -> Invalid:
    """The refusal of an IBAN that is there already."""
    return Invalid("iban_known", _("This IBAN is registered already."), param="iban")


def _require_new(iban: str) -> None:
    if HostBankAccount.objects.filter(iban=iban).exists():
        raise known()
