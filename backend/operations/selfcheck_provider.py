"""The part of the self-check that holds the books against what payment providers said they moved."""

from collections import defaultdict

from django.db.models import F, Q, Sum

from backend.ledger.audit import FEW, Finding
from backend.payments.models import Movement, Payment, Reconciliation, Surplus
from backend.payments.provider_sums import fees, held, suspended

__all__ = ["charges", "compared", "fees", "held", "suspended"]


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
