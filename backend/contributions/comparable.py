"""What others were granted for comparable work: the middle and the range, without names, and never of few people."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from backend.allocation.closing import median
from backend.contributions.models import Contribution
from backend.identity.models import User

ACCEPTED = ("validated", "included", "settled")
LOOKED_BACK = timedelta(days=365)
FEWEST_PEOPLE = 3
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Comparable:
    """Amounts asked that were accepted for a kind of work in a commons, minor units of its currency."""

    kind: str
    currency: str
    count: int
    people: int
    low: int
    middle: int
    high: int


class Grid:
    """The accepted work of the last twelve months of some commons: requests by currency and kind, time by kind."""

    def __init__(self, actor: User, commons: Sequence[str], *, today: date) -> None:
        """Read what the actor may see of them, in one query."""
        rows = Contribution.visible_to(actor).filter(
            budget__commons__in=set(commons), state__in=ACCEPTED, worked_on__gt=today - LOOKED_BACK,
            worked_on__lte=today, remainder_of=None,
        )  # fmt: skip
        self.found: dict[Key, list[tuple[str, int]]] = defaultdict(list)
        self.times: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        facts = rows.values_list("budget__commons_id", "currency", "kind", "contributor_id", "amount", "minutes")
        for pot, currency, kind, person, amount, minutes in facts.order_by():
            if amount:
                self.found[pot, currency, kind].append((person, amount))
            if minutes:
                self.times[pot, kind].append((person, minutes))

    def longest_beside(self, contribution: Contribution) -> int | None:
        """The most minutes that others were granted at once for work of the same kind; None of fewer than three."""
        found = self.times[contribution.budget.commons_id, contribution.kind]
        others = [(person, minutes) for person, minutes in found if person != contribution.contributor_id]
        if len({person for person, _minutes in others}) < FEWEST_PEOPLE:
            return None
        return max(minutes for _person, minutes in others)

    def of(self, commons: str, currency: str, kind: str, *, leaving_out: str = "") -> Comparable | None:
        """What others were granted; None when they are fewer than three. Args: leaving_out: whose own is no measure."""
        rows = [(person, amount) for person, amount in self.found[commons, currency, kind] if person != leaving_out]
        people = len({person for person, _amount in rows})
        if people < FEWEST_PEOPLE:
            return None
        amounts = sorted(amount for _person, amount in rows)
        return Comparable(kind, currency, len(amounts), people, amounts[0], median(amounts), amounts[-1])

    def beside(self, contribution: Contribution) -> Comparable | None:
        """What others were granted for work of the same kind as this, in its commons."""
        pot = contribution.budget.commons_id
        return self.of(pot, contribution.currency, contribution.kind, leaving_out=contribution.contributor_id)
