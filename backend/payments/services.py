"""Books receipts: over the pledges that one reference pays, the rest as a surplus that waits for a decision."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.commons.services import OPEN_TO_MONEY, hold
from backend.core.errors import Conflict
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.payments.charges import Charge
from backend.payments.fees import bears_provider_fees, fee_of, fees_of, host_fee, rate_of, set_fee
from backend.payments.models import Payment, Surplus
from backend.payments.purses import Purse, fees_line, line_on, suspense_account
from backend.payments.taking_back import split_take_back, take_back
from backend.pledges.models import Pledge
from backend.pledges.services import allocate, note_received

__all__ = [
    "Receipt", "book_payment", "fee_of", "fees_of", "host_fee", "lock_group", "payable_together", "rate_of",
    "receive_transfer",
    "set_fee", "split_take_back", "take_back",
]  # fmt: skip

# Pledges whose money is taken without asking; a treasurer may also choose one that was written off.
TAKES_MONEY = ("active", "fulfilled")


@dataclass(frozen=True)
class Receipt:
    """What became of money received: a payment for each pledge it pays, and what is left over."""

    payments: list[Payment]
    surplus: Surplus | None

    @property
    def subject(self) -> str:
        """The id of the row that tells it best."""
        return self.payments[0].pk if self.payments or self.surplus is None else self.surplus.pk

    @property
    def entry(self) -> str:
        """The id of its first entry; empty when the money was in suspense and stays there."""
        return self.payments[0].entry if self.payments or self.surplus is None else self.surplus.entry


def payable_together(pledge: Pledge) -> list[Pledge]:
    """The pledges that a receipt for this one pays: those of its reference that take money, itself first of all."""
    mine = Q(state__in=TAKES_MONEY) | Q(pk=pledge.pk, state="written_off")
    found = Pledge.objects.filter(mine, reference=pledge.reference, currency=pledge.currency)
    return list(found.filter(budget__state__in=OPEN_TO_MONEY).select_related("budget").order_by("pk"))


def lock_group(group: str) -> list[Pledge]:
    """The pledges made together in one act, locked with their budgets in the order of everyone, until the transaction
    ends; by id. Args: group: as `Pledge.group`, empty for none."""
    rows = Pledge.objects.filter(group=group).exclude(group="").select_related("budget").order_by("pk")
    hold([one.budget for one in rows])
    return list(rows.select_for_update(of=("self",)))


@transaction.atomic
def receive_transfer(
    *,
    pledge: Pledge,
    amount: int,
    source: str,
    purse: Purse,
    received_on: date,
    actor: User | None,
    now: datetime,
    method: str = "bank_transfer",
    payer_index: str = "",
    charge: Charge | None = None,
) -> Receipt:
    """Book money received for a pledge, shared over what the pledges of its reference await; the rest is a surplus.

    Args: amount: gross, minor units, greater than zero. source: names the bank line, or the paper; a repetition gives
        back what was booked. purse: where the money comes from: the bank account, its suspense, or a clearing purse.
        received_on: the bank's booking day. actor: who recognised it, None for the house itself. payer_index: keyed
        hash of the payer's account, empty when unknown. charge: what a payment provider says of it.
    Returns: the payments and the surplus. The ledger moved, for each pledge, as `book_payment` says; and for a surplus
        that was not in suspense yet: purse +, suspense −.
    Raises: Conflict `budget_not_receiving`, `surplus_without_account`.
    """
    # Nobody serves the same deficits, shares or closes these budgets meanwhile.
    hold([one.budget for one in payable_together(pledge)] or [pledge.budget])
    first = _booked(source)
    if first is not None:
        return first
    pledges = payable_together(pledge)
    if not pledges:
        raise Conflict("budget_not_receiving", _("The budget of this pledge is closed: it takes no money any more."))
    # Under the lock of the pledges no instalment is fed, called or cancelled by somebody else.
    keys = [one.pk for one in pledges]
    list(Pledge.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk").values_list("pk"))
    parts, over = allocate(pledges, amount)
    shares: dict[str, int] = {}
    for instalment, part in parts:
        shares[instalment.pledge_id] = shares.get(instalment.pledge_id, 0) + part
    paid = [one for one in pledges if shares.get(one.pk)]
    of_each = charge.split([*(shares[one.pk] for one in paid), over]) if charge else [None] * (len(paid) + 1)
    fees = fees_of([(one, shares[one.pk]) for one in paid])
    payments = [
        book_payment(
            pledge=one, amount=shares[one.pk], fee=fees[one.pk], purse=purse,
            source=source if len(paid) == 1 else f"{source}:{number}", received_on=received_on, method=method,
            payer_index=payer_index, charge=of_each[number - 1], actor=actor, now=now,
        )
        for number, one in enumerate(paid, start=1)
    ]  # fmt: skip
    surplus = None
    if over:
        main = next((one for one in pledges if one.pk == pledge.pk), pledges[0])
        surplus = _keep_surplus(
            pledge=main, amount=over, source=f"{source}:s", purse=purse, received_on=received_on, method=method,
            payer_index=payer_index, charge=of_each[-1], now=now,
        )  # fmt: skip
    return Receipt(payments, surplus)


def _booked(source: str) -> Receipt | None:
    """What was booked of this fact before, or None."""
    payments = list(Payment.objects.filter(Q(source=source) | Q(source__startswith=f"{source}:")).order_by("pk"))
    surplus = Surplus.objects.filter(source=f"{source}:s").first()
    return Receipt(payments, surplus) if payments or surplus else None


def _keep_surplus(
    *,
    pledge: Pledge,
    amount: int,
    source: str,
    purse: Purse,
    received_on: date,
    method: str,
    payer_index: str,
    charge: Charge | None,
    now: datetime,
) -> Surplus:
    """Put what came above into the suspense of a bank account, unless it is there, until somebody decides.

    What a provider kept of it the host bears: no budget has it yet.
    """
    account = suspense_account(purse, pledge.currency)
    if not account:
        raise Conflict(
            "surplus_without_account",
            _("More came than is awaited, and the host has no account in this currency where it could wait."),
        )
    made = Surplus(
        id=new_id("sur"), pledge=pledge, account_id=account, source=source, amount=amount,
        currency=pledge.currency, method=method, payer_index=payer_index, received_on=received_on, created_at=now,
    )  # fmt: skip
    if purse != ("suspense", account):
        kept = charge.fee if charge and purse[0] == "clearing" else 0
        made.entry = post(
            kind="surplus.received", scope="surplus", key=source, reference=made.pk, happened_on=received_on, late=True,
            lines=[
                *([line_on(purse, amount - kept, pledge.currency)] if amount != kept else []),
                *([fees_line(kept, pledge.currency)] if kept else []),
                line_on(("suspense", made.account_id), -amount, pledge.currency),
            ],
            now=now,
        ).pk  # fmt: skip
    made.save(force_insert=True)
    record(
        "surplus.received", actor=None, subject=made.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
        pledge=pledge.pk, amount=amount, currency=pledge.currency,
    )  # fmt: skip
    return made


def book_payment(
    *,
    pledge: Pledge,
    amount: int,
    source: str,
    purse: Purse,
    received_on: date,
    method: str,
    payer_index: str,
    actor: User | None,
    now: datetime,
    charge: Charge | None = None,
    fee: int | None = None,
) -> Payment:
    """Book a payment of one pledge, whatever it awaits. The caller holds the budget and the pledge.

    The ledger moved: purse +amount, host fees −fee, the budget's deficit −(what it lacks, first served), budget −(the
    rest). The rate of the fee is the budget's of now, kept on the row, computed on the gross. What a provider kept
    (`charge`) comes as a line of its own: the host's cost, or the budget's when it bears it, up to what this payment
    brings it; the host has already borne it for money that comes out of suspense.
    """
    currency = pledge.currency
    rate = fee_of(pledge.budget)
    fee = host_fee(amount, rate) if fee is None else fee
    kept = charge.fee if charge else 0
    borne = max(0, min(kept, amount - fee)) if bears_provider_fees(pledge.budget) else 0
    served = min(amount - fee - borne, balance(kind="deficit", owner=pledge.budget_id, currency=currency))
    entry = post(
        kind="payment.received", scope="payment", key=source, reference=pledge.pk, happened_on=received_on, late=True,
        lines=_lines(pledge, amount, purse, fee=fee, kept=kept, borne=borne, served=served), now=now,
    )  # fmt: skip
    payment = Payment.objects.create(
        id=new_id("pay"), pledge=pledge, amount=amount, fee=fee, fee_bp=rate, currency=currency, method=method,
        state="succeeded", source=source, payer_index=payer_index, received_on=received_on, entry=entry.pk,
        provider_fee=kept, provider_fee_borne=borne, created_at=now, **(charge.columns() if charge else {}),
    )  # fmt: skip
    note_received(pledge_id=pledge.pk, amount=amount, now=now)
    record(
        "payment.received", actor=actor, subject=payment.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
        pledge=pledge.pk, amount=amount, fee=fee, currency=currency,
    )  # fmt: skip
    around_commit("receipt.booked")
    return payment


def _lines(pledge: Pledge, amount: int, purse: Purse, *, fee: int, kept: int, borne: int, served: int) -> list[Line]:
    """The postings of one payment; see `book_payment`. Those that serve the budget come before what it bears."""
    currency, budget = pledge.currency, pledge.budget_id
    already = purse[0] != "clearing"  # the fee was booked as the host's when the money went into suspense
    into, of_host = (amount, -borne) if already else (amount - kept, kept - borne)
    rows = [
        ("deficit", budget, -served, chart.DONATION),
        ("budget", budget, served + fee - amount, chart.DONATION),
        ("host_fees", the_host().pk, -fee, chart.HOST_FEE),
        ("budget", budget, borne, chart.PROVIDER_FEES),
    ]
    lines = [line_on(purse, into, currency)] if into else []
    lines += [fees_line(of_host, currency)] if of_host else []
    return lines + [
        Line(open_account(kind=kind, owner=owner, currency=currency), cents, number)
        for kind, owner, cents, number in rows
        if cents
    ]
