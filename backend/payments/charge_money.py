"""What becomes of the money of a payment that a provider took: gone again, come home, or waiting in suspense."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet, Sum

from backend.allocation.kernel import split
from backend.ledger.services import post
from backend.payments.giving_back import give_back, still_gone
from backend.payments.models import Dispute, Movement, Payment, Surplus, TakeBack
from backend.payments.purses import Purse, fees_line, line_on, provider_purse, provider_suspense
from backend.payments.taking_back import take_back

AWAY = ("refund", "failure", "dispute")
HOME = {"refund_failure": "refund", "dispute_reversal": "dispute"}  # what each undoes


@dataclass
class Act:
    """What became of a movement: the entries it booked; what of it waits in suspense, signed minor units, and why."""

    entries: list[str] = field(default_factory=list)
    suspended: int = 0
    why: str = ""


# --- money that goes again, and comes home ------------------------------------------------------------------------


def _source(row: Movement) -> str:
    return f"move:{row.remote_id}:"


def take_over(row: Movement, amount: int, purse: Purse, now: datetime) -> Act:
    """Take an amount back over what the charge brought: what waits of it first, then its payments in proportion."""
    done = Act()
    for surplus in _surpluses(row.charge):
        part = min(amount, surplus.left)
        if part:
            done.entries.append(_take_surplus(row, surplus, part, purse, now))
            amount -= part
    known = list(_payments(row.charge))
    payments = [one for one in known if one.left]
    whole = min(amount, sum(one.left for one in payments))
    number = TakeBack.objects.filter(source__startswith=_source(row)).count()
    for one, part in zip(payments, split(whole, [(p.pk, p.left) for p in payments], seed=row.remote_id), strict=True):
        if part:
            number += 1
            made = take_back(
                payment=one, amount=part, source=f"{_source(row)}{number}", purse=purse, taken_on=row.happened_on,
                refunded=row.kind == "refund", actor=None, now=now,
            )  # fmt: skip
            done.entries.append(made.entry)
    if amount > whole:
        rest = suspend(row, whole - amount, "above_left" if known or done.entries else "not_known", now)
        return Act(done.entries + rest.entries, rest.suspended, rest.why)
    return done


def _surpluses(charge: str) -> "QuerySet[Surplus]":
    rows = Surplus.objects.filter(source=f"charge:{charge}:s", state__in=Surplus.OPEN)
    return rows.select_for_update(of=("self",)).order_by("pk")


def _payments(charge: str) -> "QuerySet[Payment]":
    rows = Payment.objects.filter(charge=charge).exclude(charge="").select_related("pledge__budget")
    return rows.select_for_update(of=("self",)).order_by("pk")


def _take_surplus(row: Movement, surplus: Surplus, amount: int, purse: Purse, now: datetime) -> str:
    entry = post(
        kind="surplus.returned", scope="surplus", key=f"{_source(row)}s{surplus.taken_back}", reference=surplus.pk,
        happened_on=row.happened_on, late=True,
        lines=[
            line_on(("suspense", surplus.account_id), amount, surplus.currency),
            line_on(purse, -amount, surplus.currency),
        ],
        now=now,
    )  # fmt: skip
    surplus.taken_back += amount
    if not surplus.left:
        surplus.state = "returned" if not surplus.used else "credited"
    surplus.save(update_fields=["taken_back", "state"])
    return entry.pk


def return_over(row: Movement, amount: int, purse: Purse, now: datetime) -> Act:
    """Give an amount back to what it was taken from: its payments, then the surplus, the latest first."""
    done = Act()
    for number, gone in enumerate(_gone(row), start=1):
        part = min(amount, still_gone(gone))
        if part:
            made = give_back(
                take_back=gone, amount=part, source=f"{_source(row)}{number}", purse=purse, given_on=row.happened_on,
                now=now,
            )  # fmt: skip
            done.entries.append(made.entry)
            amount -= part
    if amount:
        part, entry = _return_surplus(row, amount, purse, now)
        amount -= part
        done.entries += entry
    if amount:
        rest = suspend(row, amount, "nothing_taken", now)
        return Act(done.entries + rest.entries, rest.suspended, rest.why)
    return done


def _gone(row: Movement) -> list[TakeBack]:
    """What the movements that this one undoes took back, the latest first."""
    undone = Movement.objects.filter(provider=row.provider, charge=row.charge, kind=HOME[row.kind])
    named = undone.filter(of=row.of) if row.of else undone
    return [
        gone
        for earlier in list((named or undone).order_by("-pk"))
        for gone in TakeBack.objects.filter(source__startswith=_source(earlier)).order_by("-pk")
    ]


def _surplus_gone(charge: str) -> "Surplus | None":
    """The surplus of a charge of which a part went back and may come home."""
    rows = Surplus.objects.filter(source=f"charge:{charge}:s", taken_back__gt=0).exclude(state="refunded")
    return rows.select_for_update(of=("self",)).first()


def _return_surplus(row: Movement, amount: int, purse: Purse, now: datetime) -> tuple[int, list[str]]:
    """Put what was taken of a surplus back into suspense: as it was decided, else where it waits for a decision."""
    surplus = _surplus_gone(row.charge)
    if surplus is None:
        return 0, []
    part = min(amount, surplus.taken_back)
    entry = post(
        kind="surplus.received", scope="surplus", key=f"{_source(row)}s", reference=surplus.pk,
        happened_on=row.happened_on, late=True,
        lines=[
            line_on(purse, part, surplus.currency), line_on(("suspense", surplus.account_id), -part, surplus.currency),
        ],
        now=now,
    )  # fmt: skip
    surplus.taken_back -= part
    surplus.state = "kept" if surplus.used or surplus.decided_by_id else "waiting"  # a decision is not lost
    surplus.save(update_fields=["taken_back", "state"])
    return part, [entry.pk]


# --- fees, and what nothing explains ------------------------------------------------------------------------------


def book_fee(row: Movement, cost: int, name: str, now: datetime) -> str:
    """A cost of the host's; below zero when the provider gives it back."""
    return post(
        kind="provider.fee", scope="movement", key=f"{row.provider}:{row.remote_id}:{name}", reference=row.pk,
        happened_on=row.happened_on, late=True,
        lines=[fees_line(cost, row.currency), line_on(provider_purse(row.provider), -cost, row.currency)], now=now,
    ).pk  # fmt: skip


def suspend(row: Movement, amount: int, why: str, now: datetime, *, kept: int = 0) -> Act:
    """Put what nothing explains into the suspense of the provider: its balance is right, and somebody looks."""
    into = amount - kept
    lines = [line_on(provider_purse(row.provider), into, row.currency)] if into else []
    lines += [fees_line(kept, row.currency)] if kept else []
    lines += [line_on(provider_suspense(row.provider), -amount, row.currency)]
    entry = post(
        kind="provider.unexplained", scope="movement", key=f"{row.provider}:{row.remote_id}", reference=row.pk,
        happened_on=row.happened_on, late=True, lines=lines, now=now,
    )  # fmt: skip
    return Act([entry.pk], amount, why)


def catch_up(charge: Movement, now: datetime) -> None:
    """Take out of suspense what was told before the payment it belongs to, the oldest first, when all of it fits.

    What went makes room for what came home of it, and the other way round: so until nothing fits any more.
    """
    rows = Movement.objects.select_for_update(of=("self",)).filter(
        provider=charge.provider, charge=charge.charge, state="reported", kind__in=[*AWAY, *HOME]
    )
    waiting = list(rows.order_by("happened_on", "pk"))
    while (row := next((one for one in waiting if _fits(one)), None)) is not None:
        over = take_over if row.kind in AWAY else return_over
        row.entries += over(row, abs(row.suspended), provider_suspense(row.provider), now).entries
        row.state = "booked"
        row.save(update_fields=["state", "entries"])
        waiting.remove(row)


def _fits(row: Movement) -> bool:
    """Whether all that waits of a movement can be taken over its payments, or given back to them."""
    if row.kind in AWAY:
        held = sum(one.left for one in _payments(row.charge)) + sum(one.left for one in _surpluses(row.charge))
        return 0 < -row.suspended <= held
    surplus = _surplus_gone(row.charge)
    gone = sum(still_gone(one) for one in _gone(row)) + (surplus.taken_back if surplus is not None else 0)
    return 0 < row.suspended <= gone


def come_to_nothing(row: Movement) -> None:
    """What came and went back without anybody explaining it is explained by itself; until a part of it comes home."""
    rows = Movement.objects.filter(provider=row.provider, charge=row.charge, currency=row.currency)
    if row.state == "reported" and rows.filter(kind="charge", state="booked", suspended__gt=0).exists():
        # The payment itself waits again, with all that was told of it: a treasurer says what it pays.
        rows.filter(state="booked").exclude(suspended=0).update(state="reported")
    waiting = rows.filter(state="reported")
    if waiting.exists() and waiting.aggregate(total=Sum("suspended"))["total"] == 0:
        waiting.update(state="booked")


def state_of_payments(*, charge: str) -> None:
    """Set the state of the payments of a charge from what is known of it: its disputes and its movements.

    To be called after a dispute was written; the caller holds the pledges.
    """
    if not charge:
        return
    disputes = set(Dispute.objects.filter(charge=charge).values_list("state", flat=True))
    moves = dict(
        Movement.objects.filter(charge=charge).order_by().values_list("kind").annotate(total=Sum("amount"))
    )  # fmt: skip
    withdrawn = moves.get("dispute", 0) + moves.get("dispute_reversal", 0) < 0
    # Until its dispute is read, money that the payer's bank took is taken for disputed.
    disputed = "opened" in disputes or (withdrawn and not disputes)
    lost = "failure" in moves or (withdrawn and "lost" in disputes)
    for one in _payments(charge):
        if disputed:
            state = "disputed"
        elif not one.left:
            state = "lost" if lost else "refunded"
        else:
            state = "won" if "won" in disputes and not withdrawn else "succeeded"
        if state != one.state:
            one.state = state
            one.save(update_fields=["state"])
