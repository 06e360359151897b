"""Approves, refuses and voids payout batches: who is not concerned signs exactly the bytes that were prepared."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.moments import told_moment
from backend.core.sweep import sweep_rows
from backend.distributions.models import Share
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import people_with, the_host
from backend.ledger.services import holds_of, release, require_thawed
from backend.payees.models import Payee
from backend.payees.services import hold_payees, open_iban
from backend.payments.models import Refund
from backend.payments.refunds import hands_on, open_refund_iban, people_paid
from backend.payouts.choosing import holders_of, payee_hindrance
from backend.payouts.limits import above_of
from backend.payouts.models import PaidRefund, PaidShare, Payout, PayoutBatch
from backend.payouts.sepa import transfers_of, written_amount

# For so long, who types transfers on the bank's site is alone to give them up; later, they may not be there any more.
TYPING = timedelta(days=1)


def locked_batch(actor: User, batch_id: str) -> PayoutBatch:
    """A batch under lock; raises NotFound `batch_not_found` to who may not see it."""
    # Who signed, claimed or refused is read afterwards: joined here, it would be as before the lock was waited for.
    batch = (
        PayoutBatch.visible_to(actor)
        .select_related("account", "prepared_by")
        .select_for_update(of=("self",))
        .filter(pk=batch_id)
        .first()
    )
    if batch is None:
        raise NotFound("batch_not_found", _("There is no such batch."))
    return batch


def bytes_of(batch: PayoutBatch) -> bytes:
    """The payment file as it was prepared; empty when what is kept does not open any more."""
    try:
        return crypto.decrypt(batch.file_sealed, bound_to=batch.pk).encode()
    except (InvalidTag, KeyError, ValueError):
        return b""


# --- who may sign -----------------------------------------------------------------------------------------------------


def hindrance(*, actor: User, batch: PayoutBatch) -> DomainError | None:
    """Why this person may not approve this batch, or None: two people, no payee in it, not the editor of its IBANs."""
    refusal = _concerned(actor, batch)
    if refusal is not None:
        return refusal
    late = changed_accounts(batch)
    if late:
        return Conflict(
            "account_changed",
            _("The account of %(names)s changed since this batch was prepared: refuse it and prepare another.")
            % {"names": ", ".join(late)},
        )
    return None


def _concerned(actor: User, batch: PayoutBatch) -> Forbidden | None:
    """Why this person never signs this batch."""
    if batch.prepared_by_id == actor.pk:
        return Forbidden("own_batch", _("You prepared this batch: another treasurer must approve it."))
    if batch.approved_by_id == actor.pk:
        return Forbidden(
            "own_approval", _("You approved this batch: it is above a limit, and a third person must approve it too.")
        )
    payouts = list(batch.payouts.select_related("payee", "refund__pledge__donor", "refund__surplus"))
    payees = [(payout.name, payout.payee) for payout in payouts if payout.payee is not None]
    refunds = [payout.refund for payout in payouts if payout.refund is not None]
    mine = any(payee.user_id == actor.pk for _name, payee in payees)
    paid_on = {refund.iban_index for refund in refunds} | {payee.iban_index for _name, payee in payees}
    mine = mine or bool(holders_of(paid_on, among=[actor]))
    if mine or any(actor.pk in people for people in people_paid(refunds).values()):
        return Forbidden("payee_of_batch", _("You are paid by this batch: another treasurer must approve it."))
    if any(payee.iban_edited_by_id == actor.pk for _name, payee in payees):
        return Forbidden("editor_of_iban", _("You last changed an account it pays: another treasurer must approve it."))
    if any(actor.pk in people for people in hands_on(refunds).values()):
        return Forbidden(
            "asker_of_refund", _("You asked for a refund it pays, or typed its account: another treasurer approves it.")
        )
    return None


def may_approve(batch: PayoutBatch) -> list[User]:
    """The treasurers who may approve a batch as it stands, by id."""
    people = people_with("treasurer", [the_host().pk])
    return [one for one in people if hindrance(actor=one, batch=batch) is None]


def changed_accounts(batch: PayoutBatch) -> list[str]:
    """The names of the payees whose account changed since a batch was prepared."""
    rows = batch.payouts.filter(payee__iban_edited_at__gt=batch.prepared_at).order_by("name", "pk")
    return list(rows.values_list("name", flat=True))


def approve_batch(*, actor: User, batch_id: str, digest: str, now: datetime) -> PayoutBatch:
    """Approve someone else's batch, exactly the file that was shown. Moves no money: the file is not handed over yet.

    Above a limit of the account it stays `prepared` until a third person approves it too. A batch that is not any more
    what was prepared is void from then on.

    Args: digest: the SHA-256 of the file that was read, hexadecimal.
    Raises: NotFound; Forbidden `own_batch`, `own_approval`, `payee_of_batch`, `editor_of_iban`, `asker_of_refund`;
        Conflict `batch_changed`, `batch_void`, `payouts_frozen`, `batch_decided` naming who and when.
    """
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        require(actor, "batch.approve")
        require_thawed()
        mine = actor.pk in {batch.approved_by_id, batch.second_by_id}
        if mine and batch.state != "rejected":
            return batch  # the same act again
        if batch.state != "prepared":
            raise decided(batch)
        hold_payees(Payee.objects.filter(payouts__batch=batch))
        refusal = hindrance(actor=actor, batch=batch)
        if isinstance(refusal, Forbidden):
            raise refusal
        if digest != batch.digest:
            raise Conflict("batch_changed", _("This is not the file you read: open the page again."))
        fault = fault_of(batch, bytes_of(batch), now)
        if not fault:
            _sign(batch, actor, now)
        else:
            void(batch, fault, now)
    if fault:
        raise voided(batch)
    return batch


def _sign(batch: PayoutBatch, actor: User, now: datetime) -> None:
    above = above_of(batch)
    if batch.approved_by is None:
        batch.approved_by, batch.approved_at, batch.approved_digest = actor, now, batch.digest
        done = not above
    else:
        batch.second_by, batch.second_at = actor, now
        done = True
    batch.state = "approved" if done else "prepared"
    batch.save(update_fields=["state", "approved_by", "approved_at", "approved_digest", "second_by", "second_at"])
    facts: dict[str, Any] = {"total": batch.total, "currency": batch.currency, "digest": batch.digest}
    if done:
        record(
            "batch.approved", actor=actor, subject=batch.pk, now=now, before={"state": "prepared"},
            after={"state": "approved"}, **facts,
        )  # fmt: skip
    else:
        record("batch.approved_once", actor=actor, subject=batch.pk, now=now, above=above, **facts)
    around_commit("batch.approved")


def decided(batch: PayoutBatch) -> Conflict:
    """Nothing can be decided on a batch any more: says who decided, and when."""
    who, at = {
        "rejected": (batch.refused_by, batch.refused_at),
        "claimed": (batch.claimed_by, batch.claimed_at),
        "sent": (batch.claimed_by, batch.sent_at),
    }.get(batch.state, (batch.second_by or batch.approved_by, batch.second_at or batch.approved_at))
    if who is not None and at is not None:
        return Conflict(
            "batch_decided",
            _("%(name)s has already decided on this batch, on %(moment)s. It is now “%(state)s”: open its page again.")
            % {"name": who.name, "moment": told_moment(at), "state": batch.get_state_display()},
        )
    return Conflict(
        "batch_decided",
        _("This batch is “%(state)s”: nothing more can be decided on it.") % {"state": batch.get_state_display()},
    )


# --- refused, or void by itself ---------------------------------------------------------------------------------------


def refuse_batch(*, actor: User, batch_id: str, reason: str, seen: str = "prepared", now: datetime) -> PayoutBatch:
    """Refuse, or take back, a batch whose file was not handed over; its shares and refunds are payable again. Moves no
    money.

    Args: seen: the state in which it was refused: what somebody else decided in the meantime is told first.
    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `batch_claimed` and `batch_decided` naming who and
        when.
    """
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        require(actor, "batch.prepare")
        if batch.state == "rejected" and batch.refused_by_id == actor.pk:
            return batch  # the same act again
        if batch.state not in PayoutBatch.SPOKEN_FOR or batch.state != seen:
            raise decided(batch)
        _require_not_typed_by_another(batch, actor, now)
        if not reason.strip():
            raise Invalid("reason_missing", _("Say why the batch is refused."), param="reason")
        before = batch.state
        batch.refused_reason, batch.refused_by = reason.strip()[:280], actor
        _let_go(batch, now)
        record(
            "batch.refused", actor=actor, subject=batch.pk, now=now, why=batch.refused_reason,
            before={"state": before}, after={"state": "rejected"},
        )  # fmt: skip
    return batch


def _require_not_typed_by_another(batch: PayoutBatch, actor: User, now: datetime) -> None:
    """Leave a batch to who is typing its transfers, for a day: refused meanwhile, what left would be paid again."""
    if batch.state != "claimed" or batch.way != "hand" or batch.claimed_by_id == actor.pk:
        return
    assert batch.claimed_by is not None  # a constraint says so of a claimed batch
    assert batch.claimed_at is not None
    if now - batch.claimed_at < TYPING:
        raise Conflict(
            "batch_claimed",
            _("%(name)s types these transfers on the bank’s site since %(moment)s: only they give them up before "
              "%(until)s. What was typed would be paid again by another batch.")
            % {"name": batch.claimed_by.name, "moment": told_moment(batch.claimed_at),
               "until": told_moment(batch.claimed_at + TYPING)},
        )  # fmt: skip


def fault_of(batch: PayoutBatch, data: bytes, now: datetime) -> str:
    """Why a batch is not what was prepared any more, as a code of `PayoutBatch.VOID`; empty while it is.

    Its bytes are those of its digest, and pay today's account of each payee what its rows say, and nothing else.
    """
    signed = batch.approved_digest or batch.digest
    if not data or hashlib.sha256(data).hexdigest() != batch.digest or signed != batch.digest:
        return "file_changed"
    if changed_accounts(batch):
        return "account_changed"
    rows = {}
    for payout in batch.payouts.select_related("payee", "refund"):
        if payout.payee is not None:
            if payee_hindrance(payout.payee, now)[0]:
                return "payee_hindered"
            iban = open_iban(payout.payee)
        else:
            assert payout.refund is not None
            iban = open_refund_iban(payout.refund)
        rows[payout.end_to_end_id] = (iban, written_amount(payout.amount))
    written = transfers_of(data)
    if written == rows:
        return ""
    amounts = [{key: amount for key, (_iban, amount) in found.items()} for found in (written, rows)]
    return "account_changed" if amounts[0] == amounts[1] else "file_changed"


def void(batch: PayoutBatch, code: str, now: datetime) -> None:
    """Refuse a batch because it is not what was prepared any more; the caller holds its lock. Moves no money."""
    before, batch.void_code = batch.state, code
    _let_go(batch, now)
    record(
        "batch.voided", actor=None, subject=batch.pk, now=now, code=code, before={"state": before},
        after={"state": "rejected"},
    )  # fmt: skip


def voided(batch: PayoutBatch) -> Conflict:
    """The refusal of an act on a batch that was found to be void."""
    return Conflict(
        "batch_void",
        _("This batch is void: %(why)s. No money moved. Its shares can be paid again: prepare another batch.")
        % {"why": batch.get_void_code_display()},
    )


def void_changed(now: datetime) -> int:
    """Void the batches with a payee who changed their account after they were prepared; returns how many."""
    return sweep_rows(changed_batches(), lambda row: _void_row(row, now))


def changed_batches() -> "QuerySet[PayoutBatch]":
    """The batches that have not left and pay an account which changed after they were prepared."""
    late = Payout.objects.filter(
        batch__state__in=PayoutBatch.SPOKEN_FOR, payee__iban_edited_at__gt=F("batch__prepared_at")
    ).exclude(batch__way="hand")
    return PayoutBatch.objects.filter(pk__in=late.values("batch"))


def _void_row(batch: PayoutBatch, now: datetime) -> None:
    void(batch, "account_changed", now)


def _let_go(batch: PayoutBatch, now: datetime) -> None:
    """End a batch that has not left: what it held is payable again, and no longer set aside."""
    batch.state, batch.refused_at = "rejected", now
    batch.save(update_fields=["state", "refused_reason", "refused_by", "refused_at", "void_code"])
    links = PaidShare.objects.filter(payout__batch=batch, live=True)
    Share.objects.filter(pk__in=links.values("share")).update(state="payable")
    links.update(live=False)
    repaid = PaidRefund.objects.filter(payout__batch=batch, live=True)
    Refund.objects.filter(pk__in=repaid.values("refund")).update(state="owed")
    repaid.update(live=False)
    batch.payouts.update(state="cancelled")
    release(hold_ids=[held for held, _amount in holds(batch).values()], now=now)


def holds(batch: PayoutBatch) -> dict[str, tuple[str, int]]:
    """Payout id → (hold id, minor units) of what is set aside for this batch; none for those prepared before holds."""
    return holds_of(scope="payout", references=[batch.pk])
