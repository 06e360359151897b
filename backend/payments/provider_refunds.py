"""Gives a payment back through its provider, to the card or account it came from: asked by one, approved by another."""

from collections import defaultdict
from datetime import datetime

from django.db import models, transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from backend.allocation.kernel import split
from backend.commons.models import Budget
from backend.commons.services import hold
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import format_money, require_amount
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import MEMBERS, counting, require
from backend.ledger.services import require_thawed
from backend.payments.models import Dispute, Movement, Payment, ProviderRefund, Surplus
from backend.payments.movements import left_of_charge
from backend.payments.operations import ask
from backend.payments.taking_back import may_give, split_take_back
from backend.pledges.models import Pledge

REASON = 280


def refundable(charge: str) -> int:
    """What of a charge may still be asked back, minor units: what is left of it, less the refunds on their way."""
    return max(0, left_of_charge(charge) - _waiting(charge))


def _waiting(charge: str, besides: str = "") -> int:
    """What the refunds of a charge that wait or are on their way come to, minor units; one of them may be left out."""
    rows = ProviderRefund.objects.filter(charge=charge, state__in=ProviderRefund.OPEN).exclude(pk=besides)
    return rows.aggregate(total=Sum("amount"))["total"] or 0


def ask_refund(
    *, actor: User, charge: str, amount: int, reason: str, form_key: str, now: datetime, advance: bool = False
) -> ProviderRefund:
    """Ask that a payment, or a part of it, goes back to the card or account it came from. Nothing moves yet.

    Args: charge: the provider's id of the payment. amount: minor units. reason: kept with it. form_key: a repetition
        gives back the first row. advance: the host advances what the budgets no longer hold, as their deficit.
    Raises: Forbidden; NotFound `payment_not_found`; Invalid `amount_out_of_range`, `reason_missing`; Conflict
        `take_back_too_large`, `refund_above_held`, `refund_converted`, `payment_disputed`, `form_key_reused`.
    """
    require(actor, "provider_refund.ask")
    require_amount(amount)
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why this money is given back."), param="reason")
    with transaction.atomic():
        if charge.startswith("helloasso:"):
            raise Conflict(
                "refund_at_helloasso",
                _("HelloAsso took this payment: give it back there, then import its list of payments again."),
            )
        source = _lock(charge)
        first = ProviderRefund.objects.filter(asked_by=actor, form_key=form_key).first()
        if first is not None:
            if (first.charge, first.amount) != (charge, amount):
                raise Conflict("form_key_reused", _("This form was already sent with other values: open a new one."))
            return first
        _require_possible(source, amount, left=refundable(charge), advance=advance)
        row = ProviderRefund.objects.create(
            id=new_id("prf"), charge=charge, amount=amount, currency=source.currency, reason=reason.strip()[:REASON],
            form_key=form_key, asked_by=actor, asked_at=now,
        )  # fmt: skip
        record(
            "provider_refund.asked", actor=actor, subject=row.pk, now=now, scopes=_scopes(charge), why=row.reason,
            charge=charge, amount=amount, currency=row.currency,
        )  # fmt: skip
    return row


def approve_refund(*, actor: User, refund_id: str, now: datetime, advance: bool = False) -> ProviderRefund:
    """Approve a refund that another person asked: the provider is asked for it after the commit, once.

    The books move when the provider says that the money left. The caller has seen a fresh factor of this person.
    Args: advance: the host advances what the budgets no longer hold, as their deficit.
    Raises: Forbidden `not_allowed`, `own_provider_refund`, `refund_of_own_payment`; NotFound; Conflict
        `provider_refund_decided`, `payouts_frozen`, `refund_above_held`, `payment_disputed`, `no_provider`.
    """
    require(actor, "provider_refund.approve")
    with transaction.atomic():
        row = _locked(refund_id)
        if row.state == "approved" and row.decided_by_id == actor.pk:
            return row  # the same act again
        if refusal := _hindrance(actor, row):
            raise refusal
        require_thawed()
        left = max(0, left_of_charge(row.charge) - _waiting(row.charge, besides=row.pk))
        _require_possible(_lock(row.charge), row.amount, left=left, advance=advance)
        row.operation = ask(
            kind="refund", key=f"refund:{row.pk}", actor=actor, now=now,
            request={"refund": row.pk, "charge": row.charge, "amount": row.amount, "currency": row.currency},
        )  # fmt: skip
        row.state, row.decided_by, row.decided_at = "approved", actor, now
        row.save(update_fields=["state", "operation", "decided_by", "decided_at"])
        record(
            "provider_refund.approved", actor=actor, subject=row.pk, now=now, scopes=_scopes(row.charge),
            before={"state": "asked"}, after={"state": "approved"}, amount=row.amount, currency=row.currency,
        )  # fmt: skip
    return row


def refuse_refund(*, actor: User, refund_id: str, reason: str, now: datetime) -> ProviderRefund:
    """Refuse a refund that was asked, or take one's own back. Moves no money.

    Raises: Forbidden; NotFound; Invalid `reason_missing`; Conflict `provider_refund_decided`.
    """
    require(actor, "provider_refund.approve")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why this refund is refused."), param="reason")
    with transaction.atomic():
        row = _locked(refund_id)
        if row.state == "refused" and row.decided_by_id == actor.pk:
            return row
        if row.state != "asked":
            raise _decided(row)
        row.state, row.decided_by, row.decided_at = "refused", actor, now
        row.save(update_fields=["state", "decided_by", "decided_at"])
        record(
            "provider_refund.refused", actor=actor, subject=row.pk, now=now, scopes=_scopes(row.charge),
            why=reason.strip()[:REASON], before={"state": "asked"}, after={"state": "refused"}, amount=row.amount,
            currency=row.currency,
        )  # fmt: skip
    return row


def _locked(refund_id: str) -> ProviderRefund:
    """A refund under its lock, after what its charge may reach; raises NotFound."""
    known = ProviderRefund.objects.filter(pk=refund_id).first()
    if known is None:
        raise NotFound("provider_refund_not_found", _("There is no such refund."))
    _lock(known.charge)
    return ProviderRefund.objects.select_for_update(of=("self",)).get(pk=refund_id)


def _lock(charge: str) -> Movement:
    """Lock what gives a charge back: its budgets, its pledges, its movement; raises NotFound for an unknown one."""
    pledges = Pledge.objects.filter(payments__charge=charge).exclude(payments__charge="").distinct()
    keys = sorted({one.pk for one in pledges} | set(_surplus(charge).values_list("pledge", flat=True)))
    rows = Pledge.objects.filter(pk__in=keys).select_related("budget").order_by("pk")
    hold([one.budget for one in rows])
    list(rows.select_for_update(of=("self",)).values_list("pk"))
    found = Movement.objects.select_for_update(of=("self",)).filter(kind="charge", charge=charge).exclude(charge="")
    source = found.order_by("pk").first()
    if source is None:
        raise NotFound("payment_not_found", _("There is no such payment."))
    return source


def _surplus(charge: str) -> "models.QuerySet[Surplus]":
    return Surplus.objects.filter(source=f"charge:{charge}:s")


def _require_possible(source: Movement, amount: int, *, left: int, advance: bool) -> None:
    """Refuse what would be given back twice, in other money than it came, or out of what people were promised."""
    if amount > left:
        raise Conflict(
            "take_back_too_large",
            _("Only %(left)s of this payment are left to give back.") % {"left": format_money(left, source.currency)},
            param="amount",
        )
    if source.original_amount is not None:
        raise Conflict(
            "refund_converted",
            _("The provider converted this payment: give it back on the provider’s own pages, the books will follow."),
        )
    if Dispute.objects.filter(charge=source.charge, state="opened").exists():
        raise Conflict(
            "payment_disputed", _("The payer’s bank disputes this payment: what is given back now could leave twice.")
        )
    missing = 0 if advance else _missing(source.charge, amount)
    if missing:
        raise Conflict(
            "refund_above_held",
            _("The budget no longer holds this money: %(missing)s are missing. Nothing was changed.")
            % {"missing": format_money(missing, source.currency)},
            param="amount",
        )


def _missing(charge: str, amount: int) -> int:
    """What of a refund the budgets of a charge no longer hold, minor units."""
    amount -= sum(one.left for one in _surplus(charge))
    payments = [one for one in Payment.objects.filter(charge=charge).select_related("pledge__budget") if one.left]
    whole = max(0, min(amount, sum(one.left for one in payments)))
    wanted: dict[Budget, int] = defaultdict(int)
    parts = split(whole, [(one.pk, one.left) for one in payments], seed=charge)
    for one, part in zip(payments, parts, strict=True):
        wanted[one.pledge.budget] += part - split_take_back(one, part)[0]
    return sum(max(0, cents - may_give(budget)) for budget, cents in wanted.items())


def _hindrance(actor: User, row: ProviderRefund) -> DomainError | None:
    """Why this person may not approve this refund now, or None."""
    if row.state != "asked":
        return _decided(row)
    if row.asked_by_id == actor.pk:
        return Forbidden("own_provider_refund", _("Another person than the one who asked for it approves a refund."))
    pledges = Pledge.objects.filter(payments__charge=row.charge)
    mine = counting(actor).filter(kind__in=MEMBERS).values("scope")
    if (
        pledges.filter(person=actor).exists()
        or pledges.filter(donor__claimed_by=actor).exists()
        or pledges.filter(organisation__in=mine).exists()
    ):
        return Forbidden("refund_of_own_payment", _("Who is paid back does not approve the refund."))
    return None


def _decided(row: ProviderRefund) -> Conflict:
    return Conflict(
        "provider_refund_decided",
        _("This refund is already decided: it is “%(state)s”.") % {"state": row.get_state_display()},
    )


def _scopes(charge: str) -> list[str]:
    pledges = Pledge.objects.filter(payments__charge=charge).order_by("pk").distinct()
    return [*dict.fromkeys(part for one in pledges for part in (one.budget_id, one.payer_id))]
