"""Takes the bank's answer to a payment file (pain.002): what it refused is owed again, once, whoever said so first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.banking.formats import pain002
from backend.banking.formats.base import StatementFileError, minor_units
from backend.banking.formats.pain002 import AWAITED, REFUSED, TAKEN, AnsweredPayment, ParsedAnswer, Verdict
from backend.core.errors import Conflict, Invalid
from backend.core.money import format_money
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.payees.services import mask_within
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.reasons import OTHER, REASONS
from backend.payouts.undoing import bank_has_it, bank_refused

# What becomes of a transfer: undone now; undone before; came back before; seen leaving, so that the statement will show
# it coming back; taken by the bank; still looked at by it; not spoken of.
Becomes = Literal["undo", "undone", "back", "left", "taken", "awaited", "unsaid"]


@dataclass(frozen=True)
class Said:
    """One transfer of a batch, what the bank answered about it, and what becomes of it."""

    payout: Payout
    becomes: Becomes
    code: str = ""
    words: str = ""


@dataclass(frozen=True)
class Answer:
    """The bank's answer about one batch, weighed; `found`: the batch was in doubt, and the bank has it."""

    parsed: ParsedAnswer
    batch: PayoutBatch
    said: list[Said]
    found: bool

    @property
    def undone(self) -> list[Said]:
        """What is undone when the answer is taken."""
        return [one for one in self.said if one.becomes == "undo"]

    @property
    def total(self) -> int:
        """Minor units that are owed again when the answer is taken."""
        return sum(one.payout.amount for one in self.undone)

    @property
    def changes(self) -> bool:
        """Whether taking it changes anything."""
        return bool(self.undone) or self.found


def weigh_answer(*, actor: User, data: bytes) -> Answer:
    """Read a pain.002 and say what taking it does. Writes nothing.

    Raises: Forbidden; Invalid `answer_…` and what the reader refuses, naming the field `file`; Conflict
        `answer_before_handover`.
    """
    require(actor, "bank.import")
    require(actor, "payout.undo")
    try:
        parsed = pain002.read(data)
    except StatementFileError as refusal:
        raise Invalid(refusal.code, refusal.message, param="file") from refusal
    batch = PayoutBatch.visible_to(actor).select_related("account").filter(message_id=parsed.original_id or "-").first()
    if batch is None:
        raise Invalid(
            "answer_unknown_batch",
            _("This file answers the payment file “%(id)s”, which is none of ours. Nothing was changed.")
            % {"id": parsed.original_id or "?"},
            param="file",
        )
    if batch.state not in PayoutBatch.TAKEN:
        raise Conflict(
            "answer_before_handover",
            _(
                "The bank answers about a batch that is “%(state)s” here: it was never handed over. "
                "Ask who took its file."
            )
            % {"state": batch.get_state_display()},
            param="file",
        )
    payouts = {one.end_to_end_id: one for one in batch.payouts.order_by("name", "pk")}
    _require_ours(parsed, batch, payouts)
    verdicts = _verdicts(parsed, payouts)
    said = [_becomes(payout, verdicts.get(key)) for key, payout in payouts.items()]
    taken = any(verdict.status in TAKEN for verdict in verdicts.values())
    return Answer(parsed, batch, said, found=batch.state == "unknown" and taken)


def take_answer(*, actor: User, data: bytes, now: datetime) -> Answer:
    """Book what a pain.002 says: each refused transfer that is under way is undone, all of them or none.

    The ledger moves, for each: in transit +, payee (or refund) −. Taken twice, it changes nothing more.
    Returns: the answer as it was weighed under the batch's lock.
    Raises: what `weigh_answer` raises.
    """
    first = weigh_answer(actor=actor, data=data)
    with transaction.atomic():
        PayoutBatch.objects.select_for_update(of=("self",)).get(pk=first.batch.pk)
        answer = weigh_answer(actor=actor, data=data)
        where = f"pain.002 {answer.parsed.message_id}".strip()
        if answer.found:
            bank_has_it(actor=actor, batch_id=answer.batch.pk, reason=where, now=now)
        for one in answer.undone:
            code = one.code if one.code in REASONS else OTHER
            more = [where, one.code if code == OTHER else "", mask_within(one.words)]
            bank_refused(
                actor=actor,
                payout_id=one.payout.pk,
                code=code,
                reason=" · ".join(part for part in more if part),
                now=now,
            )
        if answer.changes:
            record(
                "batch.answered", actor=actor, subject=answer.batch.pk, now=now, message=answer.parsed.message_id,
                refused=len(answer.undone), total=answer.total, currency=answer.batch.currency,
            )  # fmt: skip
    return answer


def _require_ours(parsed: ParsedAnswer, batch: PayoutBatch, payouts: dict[str, Payout]) -> None:
    """Refuse an answer whose ids, numbers or amounts are not those of the batch."""
    for payment in parsed.payments:
        if payment.payment_id and payment.payment_id != batch.message_id:
            raise _differs("OrgnlPmtInfId", payment.payment_id, batch.message_id)
    levels: list[ParsedAnswer | AnsweredPayment] = [parsed, *parsed.payments]
    for where in levels:
        if where.count is not None and where.count != len(payouts):
            raise _differs("OrgnlNbOfTxs", str(where.count), str(len(payouts)))
        if where.total and _amount(where.total, batch.currency) != batch.total:
            raise _differs("OrgnlCtrlSum", where.total, format_money(batch.total, batch.currency))
    seen: set[str] = set()
    for one in parsed.transfers:
        payout = payouts.get(one.end_to_end_id)
        if payout is None or one.end_to_end_id in seen:
            raise Invalid(
                "answer_other_transfer",
                _("The answer names the transfer “%(id)s”, which is not in this batch, or is named twice. Nothing was "
                  "changed: ask the bank for a correct file.") % {"id": one.end_to_end_id or "?"},
                param="file",
            )  # fmt: skip
        seen.add(one.end_to_end_id)
        if one.amount is not None and (one.amount, one.currency) != (payout.amount, batch.currency):
            raise _differs(
                one.end_to_end_id, format_money(one.amount, one.currency), format_money(payout.amount, batch.currency)
            )


def _differs(what: str, theirs: str, ours: str) -> Invalid:
    return Invalid(
        "answer_differs",
        _("%(what)s: the bank answers about %(theirs)s, and our batch has %(ours)s. Nothing was changed: ask the bank.")
        % {"what": what, "theirs": theirs, "ours": ours},
        param="file",
    )


def _amount(text: str, currency: str) -> int | None:
    try:
        return minor_units(text, currency)
    except ValueError:
        return None


def _verdicts(parsed: ParsedAnswer, payouts: dict[str, Payout]) -> dict[str, Verdict]:
    """What is said of each transfer: by itself, else by its payment block, else by the whole.

    A level that says one thing of all while a part below says another contradicts itself: nobody guesses which counts.
    """
    payment_words = {one.verdict.status for one in parsed.payments if one.verdict.status}
    lines = [one.verdict.status for one in parsed.transfers if one.verdict.status]
    levels = [(parsed.verdict.status, [*payment_words, *lines])]
    levels += [
        (one.verdict.status, [more.verdict.status for more in one.transfers if more.verdict.status])
        for one in parsed.payments
    ]
    for status, below in levels:
        wrong = [word for word in below if _contradicts(status, word)]
        if wrong:
            raise _contradiction(status, wrong[0])
    whole = _whole(parsed)
    own = {one.end_to_end_id: _with_reason(one.verdict, whole) for one in parsed.transfers if one.verdict.status}
    rest = {} if whole.status in {"", "PART"} else {key: whole for key in payouts if key not in own}
    if whole.status == "PART":
        refused = [key for key in own if own[key].status in REFUSED]
        # PART says that some were taken and some not: it must name those that were not, and leave one at least.
        if not any(own[key].status in REFUSED | AWAITED for key in own) or len(refused) == len(payouts):
            raise Invalid(
                "answer_part_unnamed",
                _("The answer says that the bank took a part of the file, and does not say which part. Nothing was "
                  "changed: ask the bank for an answer that names the transfers it refused."),
                param="file",
            )  # fmt: skip
    if not own and not rest:
        raise Invalid(
            "answer_says_nothing",
            _("This answer says of no transfer whether the bank took it: ask the bank for one with a status."),
            param="file",
        )
    return {**rest, **own}


def _whole(parsed: ParsedAnswer) -> Verdict:
    """What is said of all that is not named: by the only payment block, else by the whole message."""
    blocks = [one.verdict for one in parsed.payments if one.verdict.status]
    return _with_reason(blocks[0], parsed.verdict) if blocks else parsed.verdict


def _with_reason(verdict: Verdict, around: Verdict) -> Verdict:
    """A refusal without a reason has that of what it is in."""
    if verdict.code or verdict.words or verdict.status not in REFUSED or around.status not in {*REFUSED, "PART"}:
        return verdict
    return Verdict(status=verdict.status, code=around.code, words=around.words)


def _contradicts(above: str, below: str) -> bool:
    if above in REFUSED:
        return below not in REFUSED
    return above in TAKEN and (below in REFUSED or below == "PART")


def _contradiction(above: str, below: str) -> Invalid:
    return Invalid(
        "answer_contradicts",
        _("The answer says “%(above)s” of the whole and “%(below)s” of a part, which contradict each other. Nothing "
          "was changed: ask the bank for a correct file.") % {"above": above, "below": below},
        param="file",
    )  # fmt: skip


def _becomes(payout: Payout, verdict: Verdict | None) -> Said:
    if verdict is None:
        return Said(payout, "unsaid")
    if verdict.status in TAKEN | AWAITED:
        return Said(payout, "taken" if verdict.status in TAKEN else "awaited")
    at: dict[str, Becomes] = {"sent": "undo", "rejected": "undone", "returned": "back", "settled": "left"}
    return Said(payout, at[payout.state], verdict.code, verdict.words)
