"""Transfers that did not arrive: refused by the bank, sent back by it, or of which nobody knows what became.

Each is undone by an entry of its own, and what it paid is payable again by a new batch that two people make: an
attempt is never taken up again, whatever is said of it later.
"""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid, NotFound
from backend.distributions.models import Share
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Line, open_account, post
from backend.payments.models import Refund
from backend.payouts.handing import purse
from backend.payouts.models import PaidRefund, PaidShare, Payout, PayoutBatch
from backend.payouts.reasons import OF_ACCOUNT, OTHER, REASONS

WITH_THE_BANK = ("sent", "unknown")  # states of a batch whose transfers are under way


def bank_refused(*, actor: User, payout_id: str, code: str, reason: str, now: datetime) -> Payout:
    """Say that the bank did not make a transfer that was handed to it: it never left the account.

    The ledger moves: in transit +, payee (or refund) −: it is owed again.
    Args: code: a key of `REASONS`, or `NARR` for a reason in words. reason: what the bank said, and where.
    Returns: the payout; the same one when it was said before.
    Raises: NotFound; Forbidden; Invalid `code_unknown`, `reason_missing`; Conflict `payout_not_under_way`.
    """
    with transaction.atomic():
        payout = _locked(actor, payout_id)
        code, reason = _why(code, reason)
        if payout.state == "rejected":
            return payout
        _require_under_way(payout)
        _refuse(payout, code, reason, actor, now)
        _end(payout.batch, actor, now)
    return payout


def bank_refused_all(*, actor: User, batch_id: str, code: str, reason: str, now: datetime) -> PayoutBatch:
    """Say that the bank made none of the transfers of a batch that no statement shows yet: see `bank_refused`.

    Raises: NotFound; Forbidden; Invalid `code_unknown`, `reason_missing`; Conflict `batch_not_under_way`.
    """
    with transaction.atomic():
        batch = _locked_batch(actor, batch_id)
        code, reason = _why(code, reason)
        if batch.state == "returned":
            return batch
        _require_with_the_bank(batch)
        for payout in batch.payouts.select_for_update(of=("self",)).filter(state="sent").order_by("pk"):
            payout.batch = batch
            _refuse(payout, code, reason, actor, now)
        _end(batch, actor, now)
    return batch


def doubt(*, actor: User, batch_id: str, reason: str, now: datetime) -> PayoutBatch:
    """Say that nobody knows whether the bank took the file of a batch. Moves no money, and nothing of it can be paid
    again until somebody knows, or a statement shows it.

    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `batch_not_under_way`.
    """
    with transaction.atomic():
        batch = _locked_batch(actor, batch_id)
        reason = _worded(reason)
        if batch.state != "unknown":
            _require_with_the_bank(batch)
            _move(batch, "unknown", actor=actor, now=now, why=reason)
    return batch


def bank_has_it(*, actor: User, batch_id: str, reason: str, now: datetime) -> PayoutBatch:
    """Say that the bank has the file of a batch that was in doubt: its transfers are awaited on the statement. Moves no
    money. Args: reason: how it is known.

    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `batch_not_under_way`.
    """
    with transaction.atomic():
        batch = _locked_batch(actor, batch_id)
        reason = _worded(reason)
        if batch.state != "sent":
            _require_with_the_bank(batch)
            _move(batch, "sent", actor=actor, now=now, why=reason)
    return batch


def payee_not_reached(
    *, payout: Payout, source: str, returned_on: date, code: str, actor: User | None, now: datetime
) -> str:
    """Book that the money of a payout to a payee came back; the caller holds the payout's row and the bank line.

    The ledger moves: suspense +, payee −. Its shares are to be paid again.
    Args: source: names the bank line. returned_on: the bank's day. code: the bank's reason, or empty.
    Returns: the id of the entry.
    Raises: Conflict `payout_not_paid`.
    """
    if payout.state != "settled" or payout.payee_id is None:
        raise Conflict(
            "payout_not_paid",
            _("This payout was not paid, or it came back already: it is “%(state)s”.")
            % {"state": payout.get_state_display()},
            param="payout",
        )
    batch = payout.batch
    entry = post(
        kind="payout.returned", scope="payout_return", key=source, reference=payout.pk, happened_on=returned_on,
        late=True,
        lines=[
            Line(purse("suspense", batch), payout.amount, chart.SUSPENSE),
            Line(open_account(kind="payee", owner=payout.purse, currency=batch.currency), -payout.amount,
                 chart.SUPPLIER),
        ],
        now=now,
    )  # fmt: skip
    _give_up(payout, "returned", day=returned_on, code=code, reason="", actor=actor)
    payout.returned_line = source
    payout.save(update_fields=["returned_line"])
    record(
        "payout.returned", actor=actor, subject=payout.pk, now=now, amount=payout.amount, currency=batch.currency,
        code=code, before={"state": "settled"}, after={"state": "returned"},
    )  # fmt: skip
    _end(batch, actor, now)
    return entry.pk


def _refuse(payout: Payout, code: str, reason: str, actor: User, now: datetime) -> None:
    batch = payout.batch
    post(
        kind="payout.rejected", scope="payout_rejection", key=payout.pk, reference=batch.pk, happened_on=host_day(now),
        lines=[
            Line(purse("in_transit", batch), payout.amount, chart.TRANSIT),
            Line(open_account(kind="payee", owner=payout.purse, currency=batch.currency), -payout.amount,
                 chart.SUPPLIER),
        ],
        now=now,
    )  # fmt: skip
    _give_up(payout, "rejected", day=host_day(now), code=code, reason=reason, actor=actor)
    record(
        "payout.rejected", actor=actor, subject=payout.pk, now=now, amount=payout.amount, currency=batch.currency,
        code=code, why=reason, before={"state": "sent"}, after={"state": "rejected"},
    )  # fmt: skip


def _give_up(payout: Payout, state: str, *, day: date, code: str, reason: str, actor: User | None) -> None:
    """End an attempt: what it paid is to be paid again, a refund on an account that is typed again where the bank
    says that the account is wrong."""
    payout.state, payout.undone_on, payout.undone_code = state, day, code
    payout.undone_reason, payout.undone_by = reason, actor
    payout.save(update_fields=["state", "undone_on", "undone_code", "undone_reason", "undone_by"])
    links = PaidShare.objects.filter(payout=payout, live=True)
    Share.objects.filter(pk__in=links.values("share")).update(state="returned")
    links.update(live=False)
    repaid = PaidRefund.objects.filter(payout=payout, live=True)
    owed = Refund.objects.filter(pk__in=repaid.values("refund"))
    if code in OF_ACCOUNT:
        owed.update(state="owed", iban_sealed="", iban_index="", iban_hint="")
    else:
        owed.update(state="owed")
    repaid.update(live=False)


def _end(batch: PayoutBatch, actor: User | None, now: datetime) -> None:
    """A batch is over when none of its transfers is under way: settled when some arrived, else returned."""
    states = set(batch.payouts.values_list("state", flat=True))
    over = "" if states & {"prepared", "sent"} else "settled" if "settled" in states else "returned"
    if over and batch.state != over:
        _move(batch, over, actor=actor, now=now)


def _move(batch: PayoutBatch, state: str, *, actor: User | None, now: datetime, why: str = "") -> None:
    kind = {"unknown": "batch.doubted", "sent": "batch.found"}.get(state, f"batch.{state}")
    before, batch.state = batch.state, state
    batch.save(update_fields=["state"])
    record(
        kind, actor=actor, subject=batch.pk, now=now, total=batch.total, currency=batch.currency, why=why,
        before={"state": before}, after={"state": state},
    )  # fmt: skip


def _locked_batch(actor: User, batch_id: str) -> PayoutBatch:
    """A batch under its lock, before any of its payouts: as everywhere. Raises NotFound; Forbidden."""
    batch = PayoutBatch.visible_to(actor).select_for_update(of=("self",)).filter(pk=batch_id).first()
    if batch is None:
        raise NotFound("batch_not_found", _("There is no such batch."))
    require(actor, "payout.undo")
    return batch


def _locked(actor: User, payout_id: str) -> Payout:
    found = Payout.objects.filter(pk=payout_id, batch__in=PayoutBatch.visible_to(actor)).first()
    if found is None:
        raise NotFound("payout_not_found", _("There is no such payout."))
    batch = _locked_batch(actor, found.batch_id)
    payout = Payout.objects.select_for_update(of=("self",)).get(pk=payout_id)
    payout.batch = batch
    return payout


def _require_under_way(payout: Payout) -> None:
    if payout.state != "sent":
        raise Conflict(
            "payout_not_under_way",
            _("The bank can only refuse a transfer that was handed to it and that no statement shows: this one is "
              "“%(state)s”.") % {"state": payout.get_state_display()},
        )  # fmt: skip


def _require_with_the_bank(batch: PayoutBatch) -> None:
    if batch.state not in WITH_THE_BANK:
        raise Conflict(
            "batch_not_under_way",
            _("This can be said of a batch that was handed to the bank and is not over: this one is “%(state)s”.")
            % {"state": batch.get_state_display()},
        )


def _why(code: str, reason: str) -> tuple[str, str]:
    if code not in REASONS and code != OTHER:
        raise Invalid("code_unknown", _("Choose the bank’s reason in the list."), param="code")
    return code, _worded(reason)


def _worded(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        raise Invalid(
            "reason_missing", _("Say how it is known: what the bank wrote, and where. An auditor reads it."),
            param="reason",
        )  # fmt: skip
    return reason[:280]
