"""Prepares payout batches; books payouts when they are seen at the bank. See also `signing` and `handing`."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.moments import told_moment
from backend.core.money import format_money
from backend.distributions.models import Share
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import host_day, the_host
from backend.ledger import chart
from backend.ledger.services import Line, Reservation, hold_all, open_account, post, require_thawed
from backend.payees.models import Payee
from backend.payees.services import address_of, hold_payees, open_iban
from backend.payments.models import Refund
from backend.payments.refunds import open_refund_iban
from backend.payouts.choosing import Choice, choose
from backend.payouts.handing import hand_over, paid_by_hand, purse, take_by_hand, typed_nothing
from backend.payouts.limits import due
from backend.payouts.models import HeldOut, PaidRefund, PaidShare, Payout, PayoutBatch
from backend.payouts.payable import (
    below_minimum,
    owed_shares,
    payable_refunds,
    payable_shares,
    shares_to_pay,
    waiting_shares,
)
from backend.payouts.sepa import Place, Transfer, pain001, sepa_name
from backend.payouts.signing import approve_batch, hindrance, may_approve, refuse_batch, void_changed

__all__ = [
    "approve_batch", "below_minimum", "choose", "find_payouts", "hand_over", "hindrance", "may_approve", "owed_shares",
    "paid_by_hand",
    "payable_refunds", "payable_shares", "prepare_batch", "refuse_batch", "settle", "shares_to_pay",
    "take_by_hand", "typed_nothing", "void_changed",
    "waiting_shares",
]  # fmt: skip


def prepare_batch(
    *, actor: User, account_id: str, left_out: Collection[str] = (), why: str = "", now: datetime
) -> PayoutBatch:
    """Prepare one payment file for everything that can be paid, the oldest first, as far as the money at the bank goes
    and another treasurer may approve. Moves no money: it is set aside. What waits is kept with its reason (`choosing`).

    Args: account_id: the host's bank account to pay from. left_out: ids of payees and refunds not to pay now; why: the
        preparer's reason.
    Raises: Forbidden; NotFound; Conflict `nothing_to_pay`, `nobody_could_approve`, `third_person_missing`,
        `bank_balance_short`, `payouts_frozen`, `shares_taken` (another batch was prepared just now); Invalid
        `reason_missing`, `name_not_latin` (the host's), `sepa_is_in_euros`.
    """
    require(actor, "batch.prepare")
    account = HostBankAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound("account_not_found", _("There is no such bank account."), param="account")
    if account.currency != "EUR":
        raise Invalid("sepa_is_in_euros", _("SEPA transfers are made in euros only."), param="account")
    if left_out and not why.strip():
        raise Invalid("reason_missing", _("Say why you leave out what you ticked."), param="why")
    if not sepa_name(the_host().name):
        raise Invalid(
            "name_not_latin",
            _("The name of the host has no letter that banks can write: give it a name in Latin letters first."),
            param="account",
        )
    try:
        with transaction.atomic():
            require_thawed()
            # Under this lock the money at the bank is counted once: two preparations never promise it twice.
            account = HostBankAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
            owed = owed_shares(currency=account.currency)
            refunds = list(payable_refunds(currency=account.currency).select_for_update(of=("self",)))
            if not owed and not refunds:
                raise _nothing(account, Choice())  # at once: others wait for this lock
            locked = Share.objects.select_for_update(of=("self",)).filter(pk__in=[share.pk for share in owed])
            still = set(locked.filter(state__in=Share.DUE).order_by("pk").values_list("pk", flat=True))
            # The account shown to the approver is the one the file pays.
            hold_payees(Payee.objects.filter(shares__in=still))
            choice = choose(
                preparer=actor, account=account, now=now, left_out=left_out, why=why.strip()[:280],
                shares=[share for share in owed_shares(currency=account.currency) if share.pk in still],
                refunds=refunds,
            )  # fmt: skip
            if not choice.shares and not choice.refunds:
                raise _nothing(account, choice)
            batch = _write_batch(actor, account, choice, now)
            record(
                "batch.prepared", actor=actor, subject=batch.pk, now=now, total=batch.total, currency=batch.currency,
                digest=batch.digest, held_out=len(choice.held),
            )  # fmt: skip
            around_commit("batch.prepared")
    except IntegrityError as race:
        if "share_paid_once" not in str(race) and "refund_paid_once" not in str(race):
            raise
        raise Conflict("shares_taken", _("Another batch was prepared just now: open the list again.")) from race
    return batch


def _nothing(account: HostBankAccount, choice: Choice) -> Conflict:
    """Why nothing of all that is owed can be paid: the reason that somebody can do something about."""
    codes = {one.code for one in choice.held}
    if "nobody_could_approve" in codes:
        return Conflict(
            "nobody_could_approve",
            _("No other treasurer may approve what waits: they are paid by it, or typed its account. One of "
              "them prepares this batch, and you approve it."),
        )  # fmt: skip
    if "above_limit" in codes:
        return Conflict(
            "third_person_missing",
            _("What waits is above a limit of this account: two other treasurers must approve it, and there are not "
              "two who may. Name another treasurer."),
        )  # fmt: skip
    if "no_money" in codes:
        return Conflict(
            "bank_balance_short",
            _("There is not enough money at the bank for the oldest debt: %(free)s is free on this account, once what "
              "is in transit and in other batches is taken off.")
            % {"free": format_money(max(0, choice.free), account.currency)},
        )  # fmt: skip
    last = (
        PayoutBatch.objects.filter(account=account, state__in=PayoutBatch.SPOKEN_FOR).select_related("prepared_by")
    ).order_by("-prepared_at", "-pk").first()  # fmt: skip
    if last is not None:
        return Conflict(
            "nothing_to_pay",
            _("Nothing is left to pay: %(name)s prepared a batch of %(total)s on %(moment)s.")
            % {"name": last.prepared_by.name, "total": format_money(last.total, last.currency),
               "moment": told_moment(last.prepared_at)},
        )  # fmt: skip
    return Conflict(
        "nothing_to_pay",
        _("Nothing can be paid now: no refund waits, and no share is owed to a payee who gave an account."),
    )


def _transfer_key(facts: Iterable[str]) -> str:
    """The end-to-end id of a transfer, from the business facts it pays and not from a row of ours: a restored base
    would make the same one again. A transfer that was refused before gets another."""
    key = f"P-{hashlib.sha256('|'.join(facts).encode()).hexdigest()[:24].upper()}"
    attempt = Payout.objects.filter(end_to_end_id__startswith=key).count()
    return f"{key}-{attempt}" if attempt else key


def _write_batch(actor: User, account: HostBankAccount, choice: Choice, now: datetime) -> PayoutBatch:
    groups: dict[str, list[Share]] = defaultdict(list)
    owed, refunds = choice.shares, choice.refunds
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
        payee = shares[0].payee
        payout_id = new_id("pyt")
        end_to_end = _transfer_key(share.pk for share in shares)
        amount = sum(share.due for share in shares)
        payouts.append(
            Payout(id=payout_id, payee=payee, amount=amount, name=payee.name, iban_hint=payee.iban_hint,
                   end_to_end_id=end_to_end)
        )  # fmt: skip
        links += [PaidShare(share=share, payout_id=payout_id) for share in shares]
        names = ", ".join(sorted({share.distribution.period.budget.name for share in shares}))
        home = address_of(payee)
        place = Place(home.lines, home.postal_code, home.city, home.country)
        transfers.append(Transfer(end_to_end, payee.name, open_iban(payee), amount, f"{end_to_end} {names}", place))
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
        execute_on=execute_on, transfers=transfers, file_format=account.file_format,
    )  # fmt: skip
    batch = PayoutBatch.objects.create(
        id=batch_id, account=account, currency=account.currency, total=sum(payout.amount for payout in payouts),
        message_id=message_id, execute_on=execute_on, file_sealed=crypto.encrypt(data.decode(), bound_to=batch_id),
        digest=hashlib.sha256(data).hexdigest(), file_format=account.file_format, prepared_by=actor, prepared_at=now,
    )  # fmt: skip
    for payout in payouts:
        payout.batch = batch
    Payout.objects.bulk_create(payouts)
    PaidShare.objects.bulk_create(links)
    PaidRefund.objects.bulk_create(repaid)
    HeldOut.objects.bulk_create(
        HeldOut(
            batch=batch, share=one.line if isinstance(one.line, Share) else None,
            refund=one.line if isinstance(one.line, Refund) else None, amount=due(one.line), code=one.code,
            detail=one.detail,
        )
        for one in choice.held
    )  # fmt: skip
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
    if not named:  # typed on the bank's site, under a reference of the bank's
        words = set(texts.split())
        named = [p for p in sent if p.reference and (p.reference in references or p.reference in words)]
    if not named:
        named = [p for p in sent if p.batch.message_id in references or p.batch.message_id in texts]
    one_batch = len({p.batch_id for p in named}) == 1
    return named if one_batch and sum(p.amount for p in named) == amount else []


def settle(
    *, payouts: list[Payout], source: str, settled_on: date, actor: User | None, now: datetime, out_of: str = "bank"
) -> str:
    """Book payouts seen on a statement: in transit +, bank −. The shares are paid, the batch ends with its last payout.

    Args: source: names the bank line; a repetition books nothing. settled_on: the bank's booking day. out_of: where the
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
                Line(purse("in_transit", batch), total, chart.TRANSIT),
                Line(purse(out_of, batch), -total, chart.BANK if out_of == "bank" else chart.SUSPENSE),
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
