"""What a batch can pay: booked shares above the smallest payment of their charter, and refunds."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import F, QuerySet

from backend.commons.models import Budget
from backend.commons.services import charter_of
from backend.distributions.models import Share
from backend.payments.models import Refund

OVER = {"closed", "archived"}  # a pot that is over pays what it owes, however little


def payable_shares(*, currency: str) -> list[Share]:
    """The booked shares that can be paid, those without an account included, by payee.

    Those of a person to whom a pot owes less than the smallest payment of its charter wait: see `waiting_shares`.
    """
    shares = _ready(currency)
    low = {share.pk for share in too_small(shares)}
    return [share for share in shares if share.pk not in low]


def shares_to_pay(*, currency: str) -> list[Share]:
    """The booked shares that can be paid, then those that only want their supporting document, each by payee."""
    owed = owed_shares(currency=currency)
    low = {share.pk for share in too_small(share for share in owed if share.state in Share.READY)}
    return sorted((share for share in owed if share.pk not in low), key=lambda share: share.state not in Share.READY)


def waiting_shares(*, currency: str) -> list[tuple[Share, str]]:
    """The booked shares that are not paid yet, by payee, each with its reason: `below_minimum`, until what the pot owes
    the person reaches the smallest payment of its charter."""
    return [(share, "below_minimum") for share in too_small(_ready(currency))]


def _ready(currency: str) -> list[Share]:
    return [share for share in owed_shares(currency=currency) if share.state in Share.READY]


def below_minimum(share: Share) -> bool:
    """Whether a booked share waits because its pot owes the person less in all than the charter's smallest payment."""
    if share.state not in Share.READY or share.distribution.state != "booked":
        return False
    together = Share.objects.filter(
        contributor=share.contributor_id, state__in=Share.READY, amount__gt=F("waived"), distribution__state="booked",
        distribution__period__budget=share.distribution.period.budget_id,
    ).select_related("distribution__period__budget__commons")  # fmt: skip
    return share.pk in {one.pk for one in too_small(together)}


def owed_shares(*, currency: str) -> list[Share]:
    """The booked shares that no batch pays, by payee, those that must wait included: see `choosing`."""
    return list(
        Share.objects.filter(
            state__in=Share.DUE,
            amount__gt=F("waived"),
            distribution__state="booked",
            distribution__currency=currency,
        )
        .select_related("payee", "contributor", "distribution__period__budget__commons")
        .order_by("payee__name", "id")
    )


def too_small(shares: Iterable[Share]) -> list[Share]:
    """Those of people to whom a pot owes less in all than its smallest payment; a pot that is over pays all it owes."""
    groups: dict[tuple[str, str], list[Share]] = defaultdict(list)
    pots: dict[str, Budget] = {}
    for share in shares:
        budget = share.distribution.period.budget
        pots[budget.pk] = budget
        groups[budget.pk, share.contributor_id].append(share)
    least = {pk: 0 if pot.state in OVER else charter_of(pot).minimum_payout for pk, pot in pots.items()}
    return [
        share
        for (pot, _person), mine in groups.items()
        if sum(share.due for share in mine) < least[pot]
        for share in mine
    ]


def payable_refunds(*, currency: str) -> "QuerySet[Refund]":
    """The refunds that no batch pays, the oldest first."""
    rows = Refund.objects.filter(state="owed", currency=currency)
    return rows.select_related("pledge__donor").order_by("pk")
