"""What must hold at the end of the year: promises, receipts, fees and refunds tie with the ledger and the bank."""

import re
from collections import defaultdict
from datetime import date
from typing import Any

from tests.prove._year_house import Bank


class Wrong(Exception):
    """Two figures that must be one are two."""


def same(what: str, one: object, other: object) -> None:
    """Raises Wrong with both figures when they differ."""
    if one != other:
        raise Wrong(f"{what}: {one} and {other}")


def everything(house: Any) -> dict[str, int]:
    """All of it; returns the figures that were compared, in minor units. Raises Wrong."""
    from backend.events.models import Untold
    from backend.operations import selfcheck

    promises_tie()
    no_period_twice()
    figures = money_ties(house.bank, house.world.account)
    purses_explained(house.world.account.pk)
    papers_unbroken()
    if untold := list(Untold.objects.values_list("event__kind", flat=True)):
        raise Wrong(f"events of which nobody was told: {sorted(set(untold))}")
    if found := selfcheck.check():
        raise Wrong(f"the self-check found {found}")
    return figures


def promises_tie() -> None:
    """Each pledge has what its instalments have, and what was credited above; what is expected is what they await."""
    from backend.payments.models import Payment, Surplus
    from backend.pledges.models import Instalment, Pledge

    paid: dict[str, int] = defaultdict(int)
    for payment in Payment.objects.all():
        paid[payment.pledge_id] += payment.amount - payment.taken_back
    credited: dict[str, int] = defaultdict(int)
    for surplus in Surplus.objects.filter(state="credited"):
        credited[surplus.pledge_id] += surplus.used
    by_pledge: dict[str, list[Any]] = defaultdict(list)
    for row in Instalment.objects.all():
        by_pledge[row.pledge_id].append(row)
    references: dict[str, set[str]] = defaultdict(set)
    for pledge in Pledge.objects.all():
        rows = by_pledge[pledge.pk]
        same(f"{pledge.pk} received and paid", pledge.received, paid[pledge.pk])
        above = pledge.received - sum(row.received for row in rows)
        if not 0 <= above <= credited[pledge.pk]:
            raise Wrong(f"{pledge.pk} received {above} above its instalments, credited {credited[pledge.pk]}")
        awaited = sum(row.amount - row.received for row in rows if row.state in Instalment.AWAITING)
        same(f"{pledge.pk} expected and its instalments", pledge.expected, awaited)
        for row in rows:
            given_up = row.amount - row.received if row.state in {"cancelled", "written_off"} else 0
            same(f"{row.pk} whole", row.amount, row.received + row.awaited + given_up)
        references[pledge.group].add(pledge.reference)
    if split := [group for group, found in references.items() if len(found) != 1]:
        raise Wrong(f"groups with several references: {split}")


def no_period_twice() -> None:
    """One instalment for each period, on the day that the calendar says, without a gap; counted here in another way."""
    from backend.pledges.models import Pledge

    months = {"once": 0, "monthly": 1, "quarterly": 3, "yearly": 12}
    for pledge in Pledge.objects.all():
        rows = list(pledge.instalments.order_by("number"))
        same(f"{pledge.pk} numbers", [row.number for row in rows], list(range(1, len(rows) + 1)))
        for row in rows:
            month = pledge.starts_on.month - 1 + months[pledge.rhythm] * (row.number - 1)
            year, month = pledge.starts_on.year + month // 12, month % 12 + 1
            day = pledge.starts_on.day
            while True:  # the last day that the month has
                try:
                    same(f"{row.pk} day", row.due_on, date(year, month, day))
                    break
                except ValueError:
                    day -= 1


def receipt_of(source: str) -> str:
    """What came in at once: the source of a payment without the number of its part."""
    head, surplus, used = source.partition(":s:")
    return f"{head}{surplus}{used.partition(':')[0]}" if surplus else re.sub(r":\d{1,3}$", "", source)


def money_ties(bank: Bank, account: Any) -> dict[str, int]:
    """The bank's own sum, the ledger's, and those of the rows are one."""
    from backend.banking.models import BankLine
    from backend.banking.services import positions
    from backend.ledger.services import balances
    from backend.payments.fees import host_fee
    from backend.payments.models import Payment, TakeBack

    (position,) = [one for one in positions() if one.account.pk == account.pk]
    held = balances(kind="bank")[account.pk, "EUR"]
    same("the bank and the ledger", bank.told, held)
    same("the last statement and the ledger", position.stated, held)
    same("the lines and the bank", sum(BankLine.objects.values_list("amount", flat=True)), bank.told)
    same("the count of lines", BankLine.objects.count(), bank.lines)
    payments, back = list(Payment.objects.select_related("pledge")), list(TakeBack.objects.select_related("payment"))
    receipts: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for payment in payments:
        receipts[receipt_of(payment.source), payment.fee_bp].append(payment)
    for (source, rate), parts in receipts.items():  # the fee is taken on what came in, then shared over its parts
        taken = host_fee(sum(one.amount for one in parts), rate)
        same(f"{source} fee", sum(one.fee for one in parts), taken)
        near = all(abs(one.fee * 10_000 - one.amount * rate) < 10_000 for one in parts)
        same(f"{source} within a cent of each part", near, True)
    for payment in payments:
        given = [row for row in back if row.payment_id == payment.pk]
        same(f"{payment.pk} taken back", payment.taken_back, sum(row.amount for row in given))
        if payment.left == 0:
            same(f"{payment.pk} fee given back", payment.fee, sum(row.fee for row in given))
    fees = sum(one.fee for one in payments) - sum(row.fee for row in back)
    same("the host's fees and the ledger", fees, sum(balances(kind="host_fees").values()))
    by_budget: dict[str, int] = defaultdict(int)
    for payment in payments:
        by_budget[payment.pledge.budget_id] += payment.amount - payment.fee
    for row in back:
        by_budget[row.payment.pledge.budget_id] -= row.from_budget
    pots = {owner: amount for (owner, _currency), amount in balances(kind="budget").items() if amount}
    same("the budgets and the ledger", {key: amount for key, amount in by_budget.items() if amount}, pots)
    return {
        "promised and called": _called(), "received": sum(one.amount for one in payments),
        "fees": fees, "taken or given back": sum(row.amount for row in back), "on the bank account": held,
    }  # fmt: skip


def _called() -> int:
    from backend.pledges.models import Instalment

    return sum(Instalment.objects.exclude(called_at=None).values_list("amount", flat=True))


def purses_explained(account: str) -> None:
    """Each purse through which money only passes holds exactly the rows that wait in it, one by one."""
    from backend.banking.models import BankLine
    from backend.ledger.services import balances
    from backend.payments.models import Deposit, PaperPayment, Refund, Surplus
    from backend.payouts.models import Payout

    waiting: dict[str, int] = defaultdict(int)
    for paper in PaperPayment.objects.filter(state__in=PaperPayment.OPEN):
        waiting[paper.purse] += paper.amount
    same("the cheques and cash not seen by the bank", dict(waiting), _held(balances(kind="clearing")))
    for deposit in Deposit.objects.all():
        inside = sum(deposit.papers.exclude(state="returned").values_list("amount", flat=True))
        same(f"{deposit.pk} and what is in it", deposit.total, inside)
    lines = sum(BankLine.objects.filter(state="suggested").values_list("amount", flat=True))
    surpluses = sum(one.left for one in Surplus.objects.filter(state__in=Surplus.OPEN))
    same("suspense", _held(balances(kind="suspense")), _nonzero({account: lines + surpluses}))
    owed = {one.pk: one.amount for one in Refund.objects.filter(state="owed")}
    same("the refunds owed", owed, _held(balances(kind="payee")))
    on_their_way = sum(Payout.objects.filter(state="sent").values_list("amount", flat=True))
    same("on the way to payers", on_their_way, sum(balances(kind="in_transit").values()))


def _held(found: dict[tuple[str, str], int]) -> dict[str, int]:
    return _nonzero({owner: amount for (owner, _currency), amount in found.items()})


def _nonzero(found: dict[str, int]) -> dict[str, int]:
    return {owner: amount for owner, amount in found.items() if amount}


def papers_unbroken() -> None:
    """The numbers of each series run from one without a gap, and each call has its paper."""
    from backend.documents.models import Document, DocumentSeries
    from backend.pledges.models import Instalment

    for series in DocumentSeries.objects.all():
        found = Document.objects.filter(kind=series.kind, year=series.year).order_by("number")
        same(f"{series.kind} {series.year}", list(found.values_list("number", flat=True)), [*range(1, series.last + 1)])
    called = Instalment.objects.exclude(called_at=None).exclude(document="").values_list("document", flat=True)
    same("papers that exist", len(set(called)), Document.objects.filter(pk__in=set(called)).count())
