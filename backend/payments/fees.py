"""The host's fee: what a budget's rate is, where it comes from, and who sets it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.allocation.kernel import split
from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.core.errors import Invalid, NotFound
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import the_host
from backend.pledges.models import Pledge

ALL_BP = 10_000


@dataclass(frozen=True)
class Rate:
    """The rate that holds for a budget in basis points, and who set it: the budget itself, one above it, or the host.

    `budget` is the one above that set it, None for the two others.
    """

    fee_bp: int
    source: Literal["budget", "above", "host"]
    budget: Budget | None = None


def host_fee(amount: int, fee_bp: int) -> int:
    """The host's part of a receipt in minor units: amount × basis points / 10 000, halves up (allocation.md §2.3)."""
    return (amount * fee_bp + 5_000) // ALL_BP


def rate_of(budget: Budget) -> Rate:
    """The rate of a budget: its own, else that of the nearest budget above that has one, else the host's.

    A rate of 0 is a rate: only a budget without one looks further up.
    """
    if budget.fee_bp is not None:
        return Rate(budget.fee_bp, "budget")
    above = budget.parent
    while above is not None:
        if above.fee_bp is not None:
            return Rate(above.fee_bp, "above", above)
        above = above.parent
    return Rate(the_host().fee_bp, "host")


def fee_of(budget: Budget) -> int:
    """The host's fee on what this budget receives now, in basis points: 0 when it was set to nothing."""
    return rate_of(budget).fee_bp


def fee_on(parts: Sequence[tuple[Budget, int]]) -> int:
    """The host's fee on a receipt that brings these budgets these amounts, at their present rates, in minor units."""
    by_rate: dict[int, int] = {}
    for budget, amount in parts:
        rate = fee_of(budget)
        by_rate[rate] = by_rate.get(rate, 0) + amount
    return sum(host_fee(amount, rate) for rate, amount in by_rate.items())


def fees_of(parts: Sequence[tuple[Pledge, int]]) -> dict[str, int]:
    """The host's fee on each part of one receipt, by pledge id: taken on the receipt, then shared over its parts by the
    largest remainder, so that cutting a promise into many changes nothing. Parts of different rates count apart.

    Args: parts: pledges and what each takes of the receipt, minor units.
    """
    by_rate: dict[int, list[tuple[str, int]]] = {}
    for pledge, amount in parts:
        by_rate.setdefault(fee_of(pledge.budget), []).append((pledge.pk, amount))
    found: dict[str, int] = {}
    for rate, rows in by_rate.items():
        whole = host_fee(sum(amount for _key, amount in rows), rate)
        cents = split(whole, rows, seed="host fee")
        found |= {key: part for (key, _amount), part in zip(rows, cents, strict=True)}
    return found


@transaction.atomic
def set_fee(*, actor: User, budget_id: str, fee_bp: int | None, reason: str, now: datetime) -> Budget:
    """Set the host's fee of a budget for the receipts to come; what was received keeps its own. Moves no money.

    Args: fee_bp: basis points, 0 for no fee; None for that of the budget above, or the host's. reason: told in the
        audit trail.
    Raises: Forbidden; NotFound; Invalid `fee_out_of_range`, `reason_missing`.
    """
    require(actor, "budget.set_fee")
    budget = Budget.objects.select_for_update(of=("self",), no_key=True).filter(pk=budget_id).first()
    if budget is None:
        raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
    if fee_bp is not None and not 0 <= fee_bp <= ALL_BP:
        raise Invalid("fee_out_of_range", _("The fee is between 0 and 100 %."), param="fee")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why the fee changes."), param="reason")
    if budget.fee_bp == fee_bp:
        return budget
    before, budget.fee_bp = budget.fee_bp, fee_bp
    budget.save(update_fields=["fee_bp"])
    record(
        "budget.fee_set", actor=actor, subject=budget.pk, now=now, scopes=tree_of(budget), why=reason,
        before={"fee_bp": before}, after={"fee_bp": fee_bp},
    )  # fmt: skip
    return budget


def bears_provider_fees(budget: Budget) -> bool:
    """Whether a budget bears what a payment provider keeps of its receipts: as it says, else as the nearest budget
    above that says it; the host bears it when none does."""
    above: Budget | None = budget
    while above is not None:
        if above.bears_provider_fees is not None:
            return above.bears_provider_fees
        above = above.parent
    return False


@transaction.atomic
def set_provider_fees(*, actor: User, budget_id: str, bears: bool | None, reason: str, now: datetime) -> Budget:
    """Say who bears what a payment provider keeps of the receipts to come of a budget. Moves no money.

    Args: bears: True for the budget, False for the host, None for as the budget above. reason: told in the audit trail.
    Raises: Forbidden; NotFound; Invalid `reason_missing`.
    """
    require(actor, "budget.set_fee")
    budget = Budget.objects.select_for_update(of=("self",), no_key=True).filter(pk=budget_id).first()
    if budget is None:
        raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why it changes."), param="reason")
    if budget.bears_provider_fees is bears:
        return budget
    before, budget.bears_provider_fees = budget.bears_provider_fees, bears
    budget.save(update_fields=["bears_provider_fees"])
    record(
        "budget.provider_fees_set", actor=actor, subject=budget.pk, now=now, scopes=tree_of(budget), why=reason,
        before={"bears_provider_fees": before}, after={"bears_provider_fees": bears},
    )  # fmt: skip
    return budget
