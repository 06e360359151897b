"""Prepares, approves, refuses and hands over payout batches; books payouts when sent and when seen at the bank."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.distributions.models import Share
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import host_day, the_host
from backend.ledger import chart
from backend.ledger.services import (
    Account,
    Line,
    Reservation,
    hold_all,
    holds_of,
    open_account,
    post,
    release,
    require_thawed,
)
from backend.payees.models import Payee
from backend.payees.services import archive_names, open_iban
from backend.payments.models import Refund
from backend.payments.refunds import hands_on, open_refund_iban, people_paid
from backend.payouts.choosing import unreached, within_reach
from backend.payouts.models import PaidRefund, PaidShare, Payout, PayoutBatch
from backend.payouts.payable import below_minimum, payable_refunds, payable_shares, too_small, waiting_shares
from backend.payouts.sepa import Transfer, pain001

__all__ = [
    "approve_batch", "below_minimum", "find_payouts", "hand_over", "hindrance", "payable_refunds", "payable_shares",
    "prepare_batch", "refuse_batch", "settle", "waiting_shares", "within_reach",
]  # fmt: skip


def prepare_batch(*, actor: User, account_id: str, now: datetime) -> PayoutBatch:
    """Prepare one payment file for everything payable that another treasurer may approve: shares of payees who gave an
    account, and refunds. Moves no money: it is set aside. What nobody else may approve waits: see `within_reach`.

    Args: account_id: the host's bank account to pay from.
    Raises: Forbidden; NotFound; Conflict `nothing_to_pay`, `nobody_could_approve`, `payouts_frozen`, `shares_taken`
        (another batch was prepared just now); Invalid when the account's currency is not EUR.
    """
    require(actor, "batch.prepare")
    account = HostBankAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound("account_not_found", _("There is no such bank account."), param="account")
    if account.currency != "EUR":
        raise Invalid("sepa_is_in_euros", _("SEPA transfers are made in euros only."), param="account")
    try:
        with transaction.atomic():
            require_thawed()
            owed = [share for share in payable_shares(currency=account.currency) if share.payee.iban_sealed]
            wrong = unreached({share.payee for share in owed})
            owed = [share for share in owed if share.payee_id not in wrong]
            locked = Share.objects.select_for_update(of=("self",)).filter(pk__in=[share.pk for share in owed])
            still = set(locked.filter(state__in=Share.READY).order_by("pk").values_list("pk", flat=True))
            # Read again once held: somebody may have given back a part of theirs meanwhile.
            owed = [
                share
                for share in payable_shares(currency=account.currency)
                if share.pk in still and share.payee.iban_sealed
            ]
            low = {share.pk for share in too_small(owed)}  # another batch may have taken the rest of a debt
            owed = [share for share in owed if share.pk not in low]
            refunds = list(payable_refunds(currency=account.currency).select_for_update(of=("self",)))
            if not owed and not refunds:
                raise Conflict(
                    "nothing_to_pay",
                    _("Nothing can be paid now: no refund waits, and no share is owed to a payee who gave an account."),
                )
            owed, refunds, held = within_reach(preparer=actor, shares=owed, refunds=refunds)
            if held and not owed and not refunds:
                raise Conflict(
                    "nobody_could_approve",
                    _("No other treasurer may approve what waits: they are paid by it, or typed its account. One of "
                      "them prepares this batch, and you approve it."),
                )  # fmt: skip
            batch = _write_batch(actor, account, owed, refunds, now)
            record(
                "batch.prepared", actor=actor, subject=batch.pk, now=now, total=batch.total, currency=batch.currency,
                digest=batch.digest,
            )  # fmt: skip
            around_commit("batch.prepared")
    except IntegrityError as race:
        if "share_paid_once" not in str(race) and "refund_paid_once" not in str(race):
            raise
        raise Conflict("shares_taken", _("Another batch was prepared just now: open the list again.")) from race
    return batch


def _transfer_key(facts: Iterable[str]) -> str:
    """The end-to-end id of a transfer, from the business facts it pays and not from a row of ours: a restored base
    would make the same one again. A transfer that was refused before gets another."""
    key = f"P-{hashlib.sha256('|'.join(facts).encode()).hexdigest()[:24].upper()}"
    attempt = Payout.objects.filter(end_to_end_id__startswith=key).count()
    return f"{key}-{attempt}" if attempt else key


def _write_batch(
    actor: User, account: HostBankAccount, owed: list[Share], refunds: list[Refund], now: datetime
) -> PayoutBatch:
    groups: dict[str, list[Share]] = defaultdict(list)
    for share in owed:
        groups[share.payee_id].append(share)
    host = the_host()
    batch_id = new_id("bat")
    message_id = f"TRONC-{batch_id[-20:]}"
    execute_on = host_day(now)
    payouts: list[Payout] = []
    links: list[PaidShare] = []
    repaid: list[PaidRefund] = []
    transfers: list[Transfer] = []
    for shares in groups.values():
        # Re-read under lock: the account shown to the approver is the one the file pays.
        payee = Payee.objects.select_for_update(of=("self",)).get(pk=shares[0].payee_id)
        payout_id = new_id("pyt")
        end_to_end = _transfer_key(share.pk for share in shares)
        amount = sum(share.due for share in shares)
        payouts.append(
            Payout(id=payout_id, payee=payee, amount=amount, name=payee.name, iban_hint=payee.iban_hint,
                   end_to_end_id=end_to_end)
        )  # fmt: skip
        links += [PaidShare(share=share, payout_id=payout_id) for share in shares]
        names = ", ".join(sorted({share.distribution.period.budget.name for share in shares}))
        transfers.append(Transfer(end_to_end, payee.name, open_iban(payee), amount, f"{end_to_end} {names}"))
    for refund in refunds:
        payout_id, end_to_end = new_id("pyt"), _transfer_key([refund.pk])
        payouts.append(
            Payout(id=payout_id, refund=refund, amount=refund.amount, name=refund.name, iban_hint=refund.iban_hint,
                   end_to_end_id=end_to_end)
        )  # fmt: skip
        repaid.append(PaidRefund(refund=refund, payout_id=payout_id))
        text = f"{end_to_end} {refund.pledge.reference}"
        transfers.append(Transfer(end_to_end, refund.name, open_refund_iban(refund), refund.amount, text))
    data = pain001(
        message_id=message_id, debtor=host.name, iban=account.iban, bic=account.bic, currency=account.currency,
        execute_on=execute_on, transfers=transfers,
    )  # fmt: skip
    batch = PayoutBatch.objects.create(
        id=batch_id, account=account, currency=account.currency, total=sum(payout.amount for payout in payouts),
        message_id=message_id, execute_on=execute_on, file_sealed=crypto.encrypt(data.decode(), bound_to=batch_id),
        digest=hashlib.sha256(data).hexdigest(), prepared_by=actor, prepared_at=now,
    )  # fmt: skip
    for payout in payouts:
        payout.batch = batch
    Payout.objects.bulk_create(payouts)
    PaidShare.objects.bulk_create(links)
    PaidRefund.objects.bulk_create(repaid)
    # From now on nothing else can take this money from the payees' purses.
    hold_all(
        reservations=[
            Reservation(
                open_account(kind="payee", owner=payout.purse, currency=batch.currency), payout.amount,
                scope="payout", key=payout.pk, reference=batch.pk,
            )
            for payout in payouts
        ],
        now=now,
    )  # fmt: skip
    Share.objects.filter(pk__in=[share.pk for share in owed]).update(state="batched")
    Refund.objects.filter(pk__in=[refund.pk for refund in refunds]).update(state="batched")
    return batch


def _locked(actor: User, batch_id: str) -> PayoutBatch:
    batch = (
        PayoutBatch.visible_to(actor)
        .select_related("prepared_by", "approved_by", "account")
        .select_for_update(of=("self",))
        .filter(pk=batch_id)
        .first()
    )
    if batch is None:
        raise NotFound("batch_not_found", _("There is no such batch."))
    return batch


def hindrance(*, actor: User, batch: PayoutBatch) -> DomainError | None:
    """Why this person may not approve this batch, or None: two people, no payee in it, not the editor of its IBANs."""
    if batch.prepared_by_id == actor.pk:
        return Forbidden("own_batch", _("You prepared this batch: another treasurer must approve it."))
    payouts = list(batch.payouts.select_related("payee", "refund__pledge__donor", "refund__surplus"))
    payees = [(payout.name, payout.payee) for payout in payouts if payout.payee is not None]
    refunds = [payout.refund for payout in payouts if payout.refund is not None]
    mine = any(payee.user_id == actor.pk for _name, payee in payees)
    if mine or any(actor.pk in people for people in people_paid(refunds).values()):
        return Forbidden("payee_of_batch", _("You are paid by this batch: another treasurer must approve it."))
    if any(payee.iban_edited_by_id == actor.pk for _name, payee in payees):
        return Forbidden("editor_of_iban", _("You last changed an account it pays: another treasurer must approve it."))
    if any(actor.pk in people for people in hands_on(refunds).values()):
        return Forbidden(
            "asker_of_refund", _("You asked for a refund it pays, or typed its account: another treasurer approves it.")
        )
    late = [name for name, payee in payees if payee.iban_edited_at and payee.iban_edited_at > batch.prepared_at]
    if late:
        return Conflict(
            "account_changed",
            _("The account of %(names)s changed since this batch was prepared: refuse it and prepare another.")
            % {"names": ", ".join(late)},
        )
    return None


def approve_batch(*, actor: User, batch_id: str, digest: str, now: datetime) -> PayoutBatch:
    """Approve someone else's batch, exactly the file that was shown. Moves no money: the file is not handed over yet.

    Args: digest: the SHA-256 of the file that was read, hexadecimal.
    Raises: NotFound; Forbidden `own_batch`, `payee_of_batch`, `editor_of_iban`; Conflict `batch_changed`,
        `account_changed`, `payouts_frozen`, `batch_decided` naming who.
    """
    with transaction.atomic():
        batch = _locked(actor, batch_id)
        require(actor, "batch.approve")
        require_thawed()
        if batch.state != "prepared":
            if batch.approved_by_id == actor.pk and batch.state != "rejected":
                return batch
            raise _decided(batch)
        Payee.objects.select_for_update(of=("self",)).filter(payouts__batch=batch).order_by("pk").count()
        refusal = hindrance(actor=actor, batch=batch)
        if refusal is not None:
            raise refusal
        data = crypto.decrypt(batch.file_sealed, bound_to=batch.pk).encode()
        if digest != batch.digest or hashlib.sha256(data).hexdigest() != batch.digest:
            raise Conflict("batch_changed", _("This is not the file you read: open the page again."))
        batch.state = "approved"
        batch.approved_by = actor
        batch.approved_at = now
        batch.save(update_fields=["state", "approved_by", "approved_at"])
        record(
            "batch.approved", actor=actor, subject=batch.pk, now=now, total=batch.total, currency=batch.currency,
            digest=batch.digest, before={"state": "prepared"}, after={"state": "approved"},
        )  # fmt: skip
        around_commit("batch.approved")
    return batch


def _decided(batch: PayoutBatch) -> Conflict:
    who = batch.approved_by.name if batch.approved_by else ""
    if who:
        return Conflict("batch_decided", _("%(name)s has already decided on this batch.") % {"name": who})
    return Conflict(
        "batch_decided",
        _("This batch is “%(state)s”: nothing more can be decided on it.") % {"state": batch.get_state_display()},
    )


def refuse_batch(*, actor: User, batch_id: str, reason: str, now: datetime) -> PayoutBatch:
    """Refuse, or take back, a batch that is not approved yet; its shares and refunds are payable again. Moves no
    money."""
    with transaction.atomic():
        batch = _locked(actor, batch_id)
        require(actor, "batch.prepare")
        if batch.state == "rejected":
            return batch
        if batch.state != "prepared":
            raise _decided(batch)
        if not reason.strip():
            raise Invalid("reason_missing", _("Say why the batch is refused."), param="reason")
        batch.state = "rejected"
        batch.refused_reason = reason.strip()[:280]
        batch.save(update_fields=["state", "refused_reason"])
        links = PaidShare.objects.filter(payout__batch=batch, live=True)
        Share.objects.filter(pk__in=links.values("share")).update(state="payable")
        links.update(live=False)
        repaid = PaidRefund.objects.filter(payout__batch=batch, live=True)
        Refund.objects.filter(pk__in=repaid.values("refund")).update(state="owed")
        repaid.update(live=False)
        batch.payouts.update(state="cancelled")
        release(hold_ids=[held for held, _amount in _holds(batch).values()], now=now)
        record(
            "batch.refused", actor=actor, subject=batch.pk, now=now, why=batch.refused_reason,
            before={"state": "prepared"}, after={"state": "rejected"},
        )  # fmt: skip
    return batch


def hand_over(*, actor: User, batch_id: str, now: datetime) -> tuple[PayoutBatch, bytes]:
    """Give the approved file to a treasurer for the bank. The first time books it: payees +, payouts in transit −.

    Returns: the batch and the very bytes that were approved; a later call gives the same bytes and books nothing.
    Raises: NotFound; Forbidden; Conflict `batch_not_approved`, `payouts_frozen`.
    """
    with transaction.atomic():
        batch = _locked(actor, batch_id)
        require(actor, "batch.download")
        require_thawed()
        if batch.state not in {"approved", "sent", "settled"}:
            raise Conflict("batch_not_approved", _("The file is handed over once another treasurer has approved it."))
        if batch.state == "approved":
            payouts = list(batch.payouts.order_by("id"))
            transit = _purse("in_transit", batch)
            lines = [
                Line(
                    open_account(kind="payee", owner=payout.purse, currency=batch.currency),
                    payout.amount,
                    chart.SUPPLIER,
                )
                for payout in payouts
            ]
            archive_names([payout.payee_id for payout in payouts if payout.payee_id], now=now)
            post(
                kind="batch.sent", scope="batch", key=batch.pk, reference=batch.pk, happened_on=host_day(now),
                lines=[*lines, Line(transit, -batch.total, chart.TRANSIT)], now=now,
                captures=dict(_holds(batch).values()),
            )  # fmt: skip
            batch.state = "sent"
            batch.sent_at = now
            batch.payouts.update(state="sent")
            record(
                "batch.sent", actor=actor, subject=batch.pk, now=now, total=batch.total, currency=batch.currency,
                before={"state": "approved"}, after={"state": "sent"},
            )  # fmt: skip
        else:
            # The file shows the IBANs it pays: whoever takes it again leaves a line too.
            record("batch.downloaded", actor=actor, subject=batch.pk, now=now, downloads=batch.downloads + 1)
        batch.downloads += 1
        batch.save(update_fields=["state", "sent_at", "downloads"])
        data = crypto.decrypt(batch.file_sealed, bound_to=batch.pk).encode()
        around_commit("batch.sent")
    return batch, data


def _holds(batch: PayoutBatch) -> dict[str, tuple[str, int]]:
    """Payout id → (hold id, minor units) of what is set aside for this batch; none for those prepared before holds."""
    return holds_of(scope="payout", references=[batch.pk])


def _purse(kind: str, batch: PayoutBatch) -> Account:
    """A purse of the bank account that pays a batch."""
    return open_account(kind=kind, owner=batch.account_id, currency=batch.currency)


def amounts_awaited() -> set[int]:
    """The debits that statements may still show, in minor units: of each transfer under way, and of each batch as a
    whole."""
    whole: dict[str, int] = defaultdict(int)
    sent = list(Payout.objects.filter(state="sent").values_list("batch", "amount"))
    for batch, amount in sent:
        whole[batch] += amount
    return {amount for _batch, amount in sent} | set(whole.values())


def find_payouts(*, account_id: str, texts: str, references: set[str], amount: int) -> list[Payout]:
    """The sent payouts that a debit of `amount` (positive minor units) pays: one by its reference, or a whole batch.

    Args: references: what the bank line gives as end-to-end, payment information and message ids. texts: its free text.
    Returns: the payouts, or an empty list when references and amount do not agree exactly.
    """
    sent = Payout.objects.filter(batch__account_id=account_id, state="sent").select_related("batch")
    named = [p for p in sent if p.end_to_end_id in references or p.end_to_end_id in texts]
    if not named:
        named = [p for p in sent if p.batch.message_id in references or p.batch.message_id in texts]
    one_batch = len({p.batch_id for p in named}) == 1
    return named if one_batch and sum(p.amount for p in named) == amount else []


def settle(
    *, payouts: list[Payout], source: str, settled_on: date, actor: User | None, now: datetime, purse: str = "bank"
) -> str:
    """Book payouts seen on a statement: in transit +, bank −. The shares are paid, the batch ends with its last payout.

    Args: source: names the bank line; a repetition books nothing. settled_on: the bank's booking day. purse: where the
        debit is booked: `bank`, or `suspense` when nobody could name the line before.
    Returns: the id of the entry.
    """
    with transaction.atomic():
        batch = PayoutBatch.objects.select_for_update(of=("self",)).get(pk=payouts[0].batch_id)
        keys = [payout.pk for payout in payouts]
        rows = list(Payout.objects.select_for_update(of=("self",)).filter(pk__in=keys, state="sent").order_by("id"))
        if len(rows) != len(payouts):
            raise Conflict(
                "payout_not_sent",
                _("A payout of this line was not handed to the bank, or was already seen on a statement."),
            )
        total = sum(payout.amount for payout in rows)
        entry = post(
            kind="payout.settled", scope="settlement", key=source, reference=batch.pk, happened_on=settled_on,
            late=True,
            lines=[
                Line(_purse("in_transit", batch), total, chart.TRANSIT),
                Line(_purse(purse, batch), -total, chart.BANK if purse == "bank" else chart.SUSPENSE),
            ],
            now=now,
        )  # fmt: skip
        Payout.objects.filter(pk__in=keys).update(state="settled", settled_on=settled_on, line=source)
        Share.objects.filter(payouts__payout__in=keys, payouts__live=True).update(state="paid")
        Refund.objects.filter(paid_by__payout__in=keys, paid_by__live=True).update(state="paid")
        for payout in rows:
            facts: dict[str, Any] = {"amount": payout.amount, "currency": batch.currency}
            record("payout.settled", actor=actor, subject=payout.pk, now=now, **facts)
            if payout.refund is not None:
                scopes = [payout.refund.pledge.budget_id, payout.refund.pledge.payer_id]
                record("refund.paid", actor=actor, subject=payout.refund.pk, now=now, scopes=scopes, **facts)
        over = not batch.payouts.exclude(state__in=["settled", "returned", "rejected"]).exists()
        batch.state = "settled" if over else "sent"  # whatever was in doubt, the bank took the file
        batch.save(update_fields=["state"])
        around_commit("payout.settled")
    return entry.pk
