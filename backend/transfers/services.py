"""Moves money between budgets, their reserves and their deficits: by the charter, two people above its threshold."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import being_shared, charter_of, hold, tree_of
from backend.contributions.models import Contribution
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import format_money, require_amount
from backend.distributions.services import about_to_receive, committed
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.pledges.models import Pledge
from backend.transfers.models import WITHIN_ONE_BUDGET, Transfer
from backend.transfers.openings import decide_opening, propose_opening

__all__ = [
    "decide_opening",
    "decide_transfer",
    "hindrance",
    "propose_opening",
    "propose_transfer",
    "purse_of",
    "transferable",
    "withdraw_transfer",
]  # fmt: skip

ALONE_WITHIN = timedelta(days=30)  # many small transfers are one large one
AT_WORK = ["declared", "questioned", "validated", "included"]
RECEIVING = ["draft", "open", "suspended"]


def purse_of(budget: Budget, kind: str = "budget") -> int:
    """What a purse of a budget holds (`budget`, `reserve`) or lacks (`deficit`), in minor units."""
    return balance(kind=kind, owner=budget.pk, currency=budget.currency)


def transferable(budget: Budget) -> int:
    """What may leave a budget: what it holds less the validated requests, in minor units, zero at least."""
    return max(0, purse_of(budget) - committed([budget.pk]).get(budget.pk, 0))


def propose_transfer(
    *,
    actor: User,
    kind: str,
    source: Budget,
    target: Budget | None,
    amount: int | None,
    reason: str,
    form_key: str,
    now: datetime,
) -> Transfer:
    """Propose to move money inside the house; up to the charter's threshold in thirty days it is booked at once.

    Args: kind: a key of Transfer.KINDS. target: the budget that receives; not asked for a reserve (its own budget) nor
        for a remainder (the budget above). amount: minor units; not asked for a remainder, which is all there is.
        reason: shown to everyone in the budget. form_key: a repetition gives back the first transfer.
    Returns: the transfer, `proposed` or `booked`. Booked, the ledger moved: source +amount, target −amount.
    Raises: Forbidden; Invalid `transfer_kind_unknown`, `transfer_target_missing`, `transfer_to_itself`,
        `other_currency`, `reason_missing`, `amount_out_of_range`; Conflict `form_key_reused`, `budget_not_receiving`,
        `distribution_pending`, `deficit_first`, `transfer_of_committed`, `transfer_too_large`, `budget_not_finished`.
    """
    require(actor, "transfer.propose", scopes=tree_of(source))
    if kind not in dict(Transfer.KINDS):
        raise Invalid("transfer_kind_unknown", _("Choose where the money goes."), param="kind")
    goal = _target(kind, source, target)
    reason = " ".join(reason.split())[:500]
    if not reason:
        raise Invalid("reason_missing", _("Say why: everyone in the budget reads it."), param="reason")
    if kind != "remainder":
        require_amount(amount if amount is not None else 0)
    try:
        with transaction.atomic():
            hold([source, goal])
            first = Transfer.objects.filter(proposed_by=actor, form_key=form_key).first()
            if first is not None:
                return _same(first, kind, source, goal, amount)
            wanted = purse_of(source) if kind == "remainder" else int(amount or 0)
            _require_movable(kind, source, goal, wanted)
            transfer = Transfer.objects.create(
                id=new_id("trf"), kind=kind, source=source, target=goal, amount=wanted, currency=source.currency,
                reason=reason, alone_up_to=_threshold(source, goal), proposed_by=actor, proposed_at=now,
                form_key=form_key,
            )  # fmt: skip
            if kind == "remainder":
                Budget.objects.filter(pk=source.pk).update(state="closing")
            _tell("transfer.proposed", transfer, actor, now, why=transfer.reason)
            if wanted + _moved_alone(source, now) <= transfer.alone_up_to:
                _book(transfer, actor, now)
    except IntegrityError as twin:
        if "one_transfer_per_form" not in str(twin):
            raise
        return _same(Transfer.objects.get(proposed_by=actor, form_key=form_key), kind, source, goal, amount)
    return transfer


def decide_transfer(*, actor: User, transfer_id: str, accept: bool, reason: str = "", now: datetime) -> Transfer:
    """Book, or refuse, a transfer that someone else proposed. Twice is once.

    Args: reason: asked for a refusal.
    Returns: the transfer, `booked` or `refused`. Booked, the ledger moved: source +amount, target −amount.
    Raises: NotFound; Forbidden `not_allowed`, `own_transfer`; Invalid `reason_missing`; Conflict
        `transfer_not_waiting`, and those of `propose_transfer`: what was true then may have changed.
    """
    with transaction.atomic():
        transfer = _locked(actor, transfer_id)
        _require_decider(actor, transfer)
        wanted = "booked" if accept else "refused"
        if transfer.state == wanted and transfer.decided_by_id == actor.pk:
            return transfer
        _require_waiting(transfer)
        if transfer.proposed_by_id == actor.pk:
            raise Forbidden("own_transfer", _("You proposed this transfer: another person must decide."))
        if accept:
            _require_movable(transfer.kind, transfer.source, transfer.target, transfer.amount, deciding=True)
            _book(transfer, actor, now)
        else:
            transfer.decision_reason = " ".join(reason.split())[:500]
            if not transfer.decision_reason:
                raise Invalid("reason_missing", _("Say why: the person who proposed it reads it."), param="reason")
            _end(transfer, "refused", actor, now)
    return transfer


def withdraw_transfer(*, actor: User, transfer_id: str, now: datetime) -> Transfer:
    """Take back one's own proposal while nobody decided. Moves no money. Raises NotFound, Forbidden, Conflict."""
    with transaction.atomic():
        transfer = _locked(actor, transfer_id)
        if transfer.proposed_by_id != actor.pk:
            raise Forbidden("not_your_transfer", _("Only the person who proposed it can take it back."))
        if transfer.state != "withdrawn":
            _require_waiting(transfer)
            _end(transfer, "withdrawn", actor, now)
    return transfer


def hindrance(*, actor: User, transfer: Transfer) -> DomainError | None:
    """Why this person could not book this transfer now, or None: what the page says beforehand."""
    try:
        _require_decider(actor, transfer)
        _require_waiting(transfer)
        if transfer.proposed_by_id == actor.pk:
            raise Forbidden("own_transfer", _("You proposed this transfer: another person must decide."))
        _require_movable(transfer.kind, transfer.source, transfer.target, transfer.amount, deciding=True)
    except DomainError as refusal:
        return refusal
    return None


def _target(kind: str, source: Budget, target: Budget | None) -> Budget:
    """The budget that receives, by the kind of transfer."""
    if kind in WITHIN_ONE_BUDGET:
        return source
    if kind == "remainder":
        if source.parent is None:
            raise Invalid(
                "transfer_target_missing", _("A common pot has no budget above it to give its remainder to."),
                param="target",
            )  # fmt: skip
        return source.parent
    if target is None:
        raise Invalid("transfer_target_missing", _("Choose the budget that receives the money."), param="target")
    if target.currency != source.currency:
        raise Invalid(
            "other_currency", _("Both budgets must be kept in the same currency: choose another one."), param="target"
        )
    if kind == "move" and target.pk == source.pk:
        raise Invalid("transfer_to_itself", _("Choose another budget than the one the money leaves."), param="target")
    return target


def _threshold(source: Budget, goal: Budget) -> int:
    """Up to how many minor units one person suffices: money that leaves its commons always takes two."""
    return charter_of(source).transfer_threshold if source.commons_id == goal.commons_id else -1


def _moved_alone(source: Budget, now: datetime) -> int:
    """What left a budget in the last thirty days by one person's act alone, minor units."""
    alone = Transfer.objects.filter(
        source=source, state="booked", decided_by=F("proposed_by"), decided_at__gt=now - ALONE_WITHIN
    )
    return int(alone.aggregate(total=Sum("amount"))["total"] or 0)


def _locked(actor: User, transfer_id: str) -> Transfer:
    known = Transfer.visible_to(actor).select_related("source", "target").filter(pk=transfer_id).first()
    if known is None:
        raise NotFound("transfer_not_found", _("There is no such transfer."))
    hold([known.source, known.target])
    related = Transfer.objects.select_related("source__parent", "target", "proposed_by", "decided_by")
    return related.select_for_update(of=("self",)).get(pk=transfer_id)


def _require_decider(actor: User, transfer: Transfer) -> None:
    """Stewards decide inside their commons; what leaves it is for a treasurer to decide."""
    inside = transfer.source.commons_id == transfer.target.commons_id
    require(actor, "transfer.decide", scopes=tree_of(transfer.source) if inside else ())


def _require_waiting(transfer: Transfer) -> None:
    if transfer.state != "proposed":
        raise Conflict(
            "transfer_not_waiting",
            _("This transfer no longer waits: it is “%(state)s”, by %(name)s.")
            % {
                "state": transfer.get_state_display(),
                "name": transfer.decided_by.name if transfer.decided_by else transfer.proposed_by.name,
            },
        )


def _require_movable(kind: str, source: Budget, goal: Budget, amount: int, *, deciding: bool = False) -> None:
    """Refuse what the purses, the validated work or the states do not allow."""
    # The rows were read before the locks were held.
    source = Budget.objects.select_related("commons", "parent").get(pk=source.pk)
    goal = Budget.objects.select_related("commons", "parent").get(pk=goal.pk)
    if kind in {"move", "remainder"} and goal.state not in RECEIVING:
        raise Conflict("budget_not_receiving", _("The budget that would receive the money is closed or closing."))
    if being_shared(source):
        raise Conflict(
            "distribution_pending",
            _("The money of this budget is being shared: wait until its distribution is booked."),
        )
    if kind == "from_reserve":
        _require_held(amount, purse_of(source, "reserve"), source.currency)
        return
    if kind == "to_deficit":
        _require_held(amount, purse_of(goal, "deficit"), source.currency)
    if kind != "to_deficit" and purse_of(source, "deficit"):
        raise Conflict(
            "deficit_first",
            _("This budget has a deficit of %(amount)s towards the host: it is served before money leaves.")
            % {"amount": format_money(purse_of(source, "deficit"), source.currency)},
        )
    if kind == "remainder":
        _require_finished(source, deciding=deciding)
        if amount != purse_of(source):
            raise Conflict(
                "remainder_changed",
                _("The remainder is no longer %(amount)s: refuse this transfer and propose it again.")
                % {"amount": format_money(amount, source.currency)},
            )
        return
    free = transferable(source)
    if amount > free:
        raise Conflict(
            "transfer_of_committed",
            _("%(free)s can leave this budget: it holds %(held)s, of which the rest is committed to validated work.")
            % {"free": format_money(free, source.currency), "held": format_money(purse_of(source), source.currency)},
            param="amount",
        )


def _require_held(amount: int, held: int, currency: str) -> None:
    if amount > held:
        raise Conflict(
            "transfer_too_large",
            _("There are %(held)s there: write that amount at most.") % {"held": format_money(held, currency)},
            param="amount",
        )


def _require_finished(budget: Budget, *, deciding: bool) -> None:
    """Refuse to close a budget that still has work, promises, a reserve or envelopes of its own."""
    what: object = None
    if budget.state != ("closing" if deciding else "open"):
        what = _("its state is “%(state)s”") % {"state": budget.get_state_display()}
    elif Contribution.objects.filter(budget=budget, state__in=AT_WORK).exists():
        what = _("work declared there is not shared yet")
    elif Pledge.objects.filter(budget=budget, state="active", amount__gt=F("received")).exists():
        what = _("a pledge to it awaits its money")
    elif purse_of(budget, "reserve"):
        what = _("its reserve holds money")
    elif about_to_receive(budget):
        what = _("a distribution that awaits its approval sends it money")
    elif budget.children.exclude(state__in=["closed", "archived"]).exists():
        what = _("it has envelopes that are not closed")
    if what is not None:
        raise Conflict("budget_not_finished", _("This budget cannot be closed: %(what)s.") % {"what": what})


def _book(transfer: Transfer, actor: User, now: datetime) -> None:
    """One entry between two purses, under one chart number: the accounts of the host do not change in sum."""
    from_kind = "reserve" if transfer.kind == "from_reserve" else "budget"
    to_kind = {"to_reserve": "reserve", "to_deficit": "deficit"}.get(transfer.kind, "budget")
    currency = transfer.currency
    if transfer.amount:
        transfer.entry = post(
            kind=f"transfer.{transfer.kind}",
            scope="transfer",
            key=transfer.pk,
            reference=transfer.pk,
            happened_on=host_day(now),
            lines=[
                Line(
                    open_account(kind=from_kind, owner=transfer.source_id, currency=currency),
                    transfer.amount,
                    chart.DONATION,
                ),
                Line(
                    open_account(kind=to_kind, owner=transfer.target_id, currency=currency),
                    -transfer.amount,
                    chart.DONATION,
                ),
            ],
            now=now,
        ).pk
    _end(transfer, "booked", actor, now)


def _end(transfer: Transfer, state: str, actor: User, now: datetime) -> None:
    transfer.state, transfer.decided_by, transfer.decided_at = state, actor, now
    transfer.save(update_fields=["state", "decided_by", "decided_at", "decision_reason", "entry"])
    if transfer.kind == "remainder":
        Budget.objects.filter(pk=transfer.source_id).update(state="closed" if state == "booked" else "open")
    _tell(f"transfer.{state}", transfer, actor, now, why=transfer.decision_reason, before="proposed")


def _same(first: Transfer, kind: str, source: Budget, goal: Budget, amount: int | None) -> Transfer:
    same = (first.kind, first.source_id, first.target_id) == (kind, source.pk, goal.pk)
    if not same or (kind != "remainder" and first.amount != amount):
        raise Conflict(
            "form_key_reused", _("This form was already sent with other values. Open a new one for another transfer.")
        )
    return first


def _tell(kind: str, transfer: Transfer, actor: User, now: datetime, *, why: str, before: str = "") -> None:
    record(
        kind,
        actor=actor,
        subject=transfer.pk,
        now=now,
        why=why,
        before={"state": before} if before else None,
        after={"state": transfer.state},
        scopes=sorted({*tree_of(transfer.source), *tree_of(transfer.target)}),
        amount=transfer.amount,
        currency=transfer.currency,
    )
