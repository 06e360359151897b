"""Hands approved batches to the bank, once: the file is taken, or its transfers are typed on the bank's site.

A row says who claimed a batch before anything leaves: of two people who press at once, one gets it and the other is
told who and when. A process that dies in between leaves a claimed batch, which who claimed it goes on with.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid
from backend.core.failpoints import around_commit
from backend.core.moments import told_moment
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Account, Line, open_account, post, require_thawed
from backend.payees.models import Payee
from backend.payees.services import archive_names, hold_payees
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.sepa import transfers_of
from backend.payouts.signing import bytes_of, decided, fault_of, holds, locked_batch, void, voided

# After that, somebody else may go on with a file that was claimed and not handed over: the process died.
ABANDONED = timedelta(minutes=2)
REFERENCE_LENGTH = 35


def hand_over(*, actor: User, batch_id: str, again: bool = False, now: datetime) -> tuple[PayoutBatch, bytes]:
    """Give the approved file to a treasurer for the bank. The first time books it: payees +, payouts in transit −.

    A batch that is not any more what was approved is void from then on, and nothing is booked.

    Args: again: whether to take, knowingly, a file that somebody took already.
    Returns: the batch and the very bytes that were approved; a later call gives the same bytes and books nothing.
    Raises: NotFound; Forbidden; Conflict `batch_not_approved`, `batch_void`, `batch_claimed`, `batch_handed_over` and
        `batch_decided` naming who and when, `batch_paid_by_hand`, `file_not_again`, `payouts_frozen`.
    """
    claim(actor=actor, batch_id=batch_id, way="file", now=now)
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        require_thawed()
        if batch.state == "rejected":
            raise decided(batch)
        data, fault = bytes_of(batch), ""
        if batch.state == "claimed":
            hold_payees(Payee.objects.filter(payouts__batch=batch))
            fault = fault_of(batch, data, now)
            if fault:
                void(batch, fault, now)
            else:
                _leave(batch, actor=actor, happened_on=host_day(now), now=now)
        elif batch.claimed_by_id != actor.pk and not again:
            raise _handed_over(batch)
        else:
            # The file shows the IBANs it pays: whoever takes it again leaves a line too.
            record("batch.downloaded", actor=actor, subject=batch.pk, now=now, downloads=batch.downloads + 1)
        if not fault:
            batch.downloads += 1
            batch.save(update_fields=["downloads"])
    if fault:
        raise voided(batch)
    return batch, data


def claim(*, actor: User, batch_id: str, way: str, now: datetime) -> PayoutBatch:
    """Say that this person hands an approved batch over, before anything leaves. Moves no money.

    Args: way: "file" or "hand". One that left by its file already is given back as it is: the file may be taken again.
    Raises: NotFound; Forbidden; Conflict `batch_not_approved`, `batch_void`, `batch_claimed`, `batch_decided`,
        `batch_paid_by_hand`, `batch_handed_over`, `file_not_again`, `payouts_frozen`.
    """
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        require(actor, "batch.download")
        require_thawed()
        if batch.state == "prepared":
            raise Conflict("batch_not_approved", _("The file is handed over once another treasurer has approved it."))
        if batch.state == "rejected":
            raise decided(batch)
        if batch.state in {"unknown", "returned"}:
            raise Conflict(
                "file_not_again",
                _("This batch is “%(state)s”: its file is not given again, or it might be paid twice.")
                % {"state": batch.get_state_display()},
            )
        if batch.state != "approved":
            _require_same(batch, actor, way, now)
            return batch
        hold_payees(Payee.objects.filter(payouts__batch=batch))
        fault = fault_of(batch, bytes_of(batch), now)
        if fault:
            void(batch, fault, now)
        else:
            batch.state, batch.claimed_by, batch.claimed_at, batch.way = "claimed", actor, now, way
            batch.save(update_fields=["state", "claimed_by", "claimed_at", "way"])
            record(
                "batch.claimed", actor=actor, subject=batch.pk, now=now, way=way, before={"state": "approved"},
                after={"state": "claimed"},
            )  # fmt: skip
            around_commit("batch.claimed")
    if fault:
        raise voided(batch)
    return batch


def _require_same(batch: PayoutBatch, actor: User, way: str, now: datetime) -> None:
    """Refuse to go on with a batch that somebody else claimed, or that leaves in another way."""
    if batch.way == "hand" and batch.state != "claimed":
        raise Conflict(
            "batch_paid_by_hand",
            _("%(name)s typed these transfers on the bank’s site on %(moment)s: the file must not be used.")
            % _who(batch),
        )
    if batch.state != "claimed":
        if way == "hand":
            raise _handed_over(batch)
        return
    theirs = batch.claimed_by_id != actor.pk and (batch.way == "hand" or now - _claimed_at(batch) < ABANDONED)
    if theirs or batch.way != way:
        raise Conflict(
            "batch_claimed",
            _("%(name)s is handing this batch over since %(moment)s: ask them before anything is sent twice.")
            % _who(batch),
        )


def _handed_over(batch: PayoutBatch) -> Conflict:
    return Conflict(
        "batch_handed_over",
        _("%(name)s took this file on %(moment)s. Take it again only if the bank never got it.") % _who(batch),
    )


def _who(batch: PayoutBatch) -> dict[str, str]:
    at = batch.sent_at or _claimed_at(batch)
    return {"name": batch.claimed_by.name if batch.claimed_by else "", "moment": told_moment(at)}


def _claimed_at(batch: PayoutBatch) -> datetime:
    assert batch.claimed_at is not None  # a constraint says so of a claimed batch
    return batch.claimed_at


def _leave(batch: PayoutBatch, *, actor: User, happened_on: date, now: datetime) -> None:
    """Book a claimed batch in transit; the caller holds its lock."""
    payouts = list(batch.payouts.order_by("id"))
    lines = [
        Line(open_account(kind="payee", owner=one.purse, currency=batch.currency), one.amount, chart.SUPPLIER)
        for one in payouts
    ]
    archive_names([one.payee_id for one in payouts if one.payee_id], now=now)
    post(
        kind="batch.sent", scope="batch", key=batch.pk, reference=batch.pk, happened_on=happened_on, late=True,
        lines=[*lines, Line(purse("in_transit", batch), -batch.total, chart.TRANSIT)], now=now,
        captures=dict(holds(batch).values()),
    )  # fmt: skip
    batch.state, batch.sent_at = "sent", now
    batch.save(update_fields=["state", "sent_at"])
    batch.payouts.update(state="sent")
    record(
        "batch.sent", actor=actor, subject=batch.pk, now=now, total=batch.total, currency=batch.currency, way=batch.way,
        before={"state": "claimed"}, after={"state": "sent"},
    )  # fmt: skip
    around_commit("batch.sent")


def purse(kind: str, batch: PayoutBatch) -> Account:
    """A purse of the bank account that pays a batch."""
    return open_account(kind=kind, owner=batch.account_id, currency=batch.currency)


# --- typed on the bank's site -----------------------------------------------------------------------------------------


def take_by_hand(*, actor: User, batch_id: str, now: datetime) -> list[tuple[Payout, str]]:
    """Claim an approved batch to type its transfers on the bank's site. Moves no money; its file is not used any more.

    Returns: each payout with the account that was signed for it in full, which leaves a line in the audit trail.
    Raises: what `claim` raises.
    """
    claim(actor=actor, batch_id=batch_id, way="hand", now=now)
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        if batch.way != "hand" or batch.state != "claimed":
            raise decided(batch)
        # From the file that was signed: an account changed since the claim is neither approved nor past its hold.
        signed = transfers_of(bytes_of(batch))
        rows = batch.payouts.order_by("name", "id")
        found = [(row, signed[row.end_to_end_id][0]) for row in rows]
        record("batch.accounts_shown", actor=actor, subject=batch.pk, now=now, number=len(found))
    return found


def typed_nothing(*, actor: User, batch_id: str, now: datetime) -> PayoutBatch:
    """Say that one claimed a batch to type it and typed nothing: it is approved as before, and its file may leave.

    Only who claimed it knows that, so only they say it, and at any time. Moves no money; twice is once.
    Raises: NotFound; Forbidden; Conflict `batch_not_by_hand`, `batch_claimed`, `batch_void`, `payouts_frozen`.
    """
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        require(actor, "batch.download")
        if batch.state == "approved":
            return batch
        require_thawed()
        if batch.way != "hand" or batch.state != "claimed":
            raise Conflict("batch_not_by_hand", _("Nobody types the transfers of this batch on the bank’s site now."))
        _require_same(batch, actor, "hand", now)
        hold_payees(Payee.objects.filter(payouts__batch=batch))
        fault = fault_of(batch, bytes_of(batch), now)  # an account that changed meanwhile did not void it
        if fault:
            void(batch, fault, now)
        else:
            batch.state, batch.claimed_by, batch.claimed_at, batch.way = "approved", None, None, ""
            batch.save(update_fields=["state", "claimed_by", "claimed_at", "way"])
            record(
                "batch.typed_nothing", actor=actor, subject=batch.pk, now=now, before={"state": "claimed"},
                after={"state": "approved"},
            )  # fmt: skip
    if fault:
        raise voided(batch)
    return batch


def paid_by_hand(
    *, actor: User, batch_id: str, paid_on: date, references: Mapping[str, str], now: datetime
) -> PayoutBatch:
    """Say that the transfers of a claimed batch were typed on the bank's site. Books them as its file would have:
    payees +, payouts in transit −; the statement settles them by their reference.

    Args: paid_on: the bank's day. references: payout id → what the bank calls the transfer; without: its end-to-end id.
    Raises: NotFound; Forbidden; Conflict `batch_not_by_hand`, `batch_claimed`, `payouts_frozen`; Invalid
        `paid_on_invalid`, `reference_long`, `reference_short`, `reference_twice`.
    """
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        require(actor, "batch.download")
        if batch.way == "hand" and batch.state in PayoutBatch.TAKEN and batch.claimed_by_id == actor.pk:
            return batch  # the same act again
        if batch.way != "hand" or batch.state != "claimed":
            raise Conflict(
                "batch_not_by_hand", _("Say first that you type the transfers of this batch on the bank’s site.")
            )
        _require_same(batch, actor, "hand", now)
        require_thawed()
        assert batch.approved_at is not None
        if not host_day(batch.approved_at) <= paid_on <= host_day(now):
            raise Invalid(
                "paid_on_invalid",
                _("The bank’s day is between the approval and today."),
                param="paid_on",
            )
        _write_references(batch, references)
        _leave(batch, actor=actor, happened_on=paid_on, now=now)
    return batch


def _write_references(batch: PayoutBatch, references: Mapping[str, str]) -> None:
    seen: set[str] = set()
    for payout in batch.payouts.order_by("id"):
        text = "".join(references.get(payout.pk, "").split())
        if not text:
            continue
        if len(text) > REFERENCE_LENGTH:
            raise Invalid("reference_long", _("A reference of the bank has 35 signs at most."), param=payout.pk)
        if len(text) < 4:
            raise Invalid(
                "reference_short",
                _("A reference of fewer than 4 signs would be taken for anything: leave it empty."),
                param=payout.pk,
            )
        if text in seen:
            raise Invalid("reference_twice", _("Two transfers have this reference: each has its own."), param=payout.pk)
        seen.add(text)
        payout.reference = text
        payout.save(update_fields=["reference"])
