"""The part of the self-check that holds the books against what payment providers said they moved."""

from collections import defaultdict

from django.db.models import F, Q, Sum

from backend.ledger.audit import FEW, Finding
from backend.payments.helloasso import PROVIDER
from backend.payments.helloasso_file import CURRENCY
from backend.payments.models import HelloAssoLine, Movement, Payment, ProviderPayout, Reconciliation, Surplus
from backend.payments.provider_sums import fees, held, suspended

__all__ = ["charges", "compared", "fees", "held", "helloasso", "suspended"]


def charges() -> list[Finding]:
    """I1 per payment of a provider: what it moved became payments, or waits as a surplus."""
    counted = Q(state="explained") | Q(state="booked", suspended=0)
    rows = Movement.objects.filter(counted, kind="charge").exclude(charge="").values_list("charge", "currency")
    moved = {(charge, currency): total for charge, currency, total in rows.order_by().annotate(total=Sum("amount"))}
    here: dict[tuple[str, str], int] = defaultdict(int)
    paid = Payment.objects.exclude(charge="").values_list("charge", "currency").order_by()
    for charge, currency, total in paid.annotate(total=Sum("amount")):
        here[charge, currency] += total
    over = Surplus.objects.filter(source__startswith="charge:").values_list("source", "currency")
    for source, currency, total in over.order_by().annotate(total=Sum(F("amount") - F("used"))):
        here[source.removeprefix("charge:").removesuffix(":s"), currency] += total
    wrong = [key for key in sorted(moved.keys() | here.keys()) if moved.get(key, 0) != here.get(key, 0)]
    return [
        Finding("I1.charge", charge, currency, moved.get((charge, currency), 0), here.get((charge, currency), 0))
        for charge, currency in wrong[:FEW]
    ]


def helloasso() -> list[Finding]:
    """I6 against the exports of HelloAsso: each payout carries what its payments come to, and each payment is booked
    for its amount, or undone."""
    rows = HelloAssoLine.objects.filter(undone_at=None).order_by()
    carried: dict[str, int] = defaultdict(int)
    for line in rows.exclude(payout=""):
        carried[line.payout] += line.money
    payouts = ProviderPayout.objects.filter(provider=PROVIDER).exclude(state="withdrawn")
    told = dict(payouts.values_list("remote_id", "amount"))
    wrong = [
        (f"payout {key}", max(0, carried.get(key, 0)), told.get(key, 0))
        for key in sorted(carried.keys() | told.keys())
        if max(0, carried.get(key, 0)) != told.get(key, 0)
    ]
    # Fees name no charge, and what was left out names none that is in a line: both are in I6.provider.
    booked = Movement.objects.filter(provider=PROVIDER).exclude(kind="other").exclude(charge="").order_by()
    moved = dict(booked.values_list("charge").annotate(total=Sum("amount")))
    here: dict[str, int] = defaultdict(int)
    for line in rows.exclude(charge=""):
        here[line.charge] += line.amount if line.kind == "payment" else -line.amount
    wrong += [
        (charge, here.get(charge, 0), moved.get(charge, 0))
        for charge in sorted(here.keys() | moved.keys())
        if here.get(charge, 0) != moved.get(charge, 0)
    ]
    return [Finding("I6.helloasso", thing, CURRENCY, wanted, found) for thing, wanted, found in wrong[:FEW]]


def compared() -> list[Finding]:
    """I6 against the provider itself: it holds what the books say.

    A payment that it took while the two were read makes one comparison differ: only what differs twice is a fault.
    """
    found = []
    rows = Reconciliation.objects.exclude(finished_at=None).exclude(remote_balance=None).exclude(own_balance=None)
    for provider in sorted(set(rows.values_list("provider", flat=True))):
        two = list(rows.filter(provider=provider).order_by("-finished_at", "-pk")[:2])
        if len(two) == 2 and all(one.remote_balance != one.own_balance for one in two):
            last = two[0]
            found.append(
                Finding("I6.balance", provider, last.currency, last.remote_balance or 0, last.own_balance or 0)
            )
    return found
