"""Who decided what of a pledge: whoever made, raised, lengthened or took it up again spends their own limit on it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from backend.events.models import Event
from backend.identity.services import host_zone
from backend.pledges.models import Pledge

KINDS = ("pledge.changed", "pledge.resumed")
Layers = tuple[tuple[str, int], ...]  # (whose, up to how many minor units), from the lowest


@dataclass(frozen=True)
class Decisions:
    """The acts that made one pledge what it is, the oldest first; `limited`: people whose limits its payer set."""

    pledge: Pledge
    events: tuple[Event, ...]
    limited: frozenset[str]

    def part_of(self, person: str, *, day: date, amount: int, counted: int) -> int:
        """What a person decided of an instalment, in minor units.

        Args: day: on which it falls due. amount: its own; counted: how much of it counts, from below.
        """
        lower, found = 0, 0
        for whose, upper in self._layers(day, amount):
            top = min(upper, counted)
            found += max(0, top - lower) if whose == person else 0
            lower = max(lower, top)
        return found

    def _layers(self, day: date, amount: int) -> Layers:
        """Who decided of an instalment of this day when the pledge was last of this amount."""
        raised = (event.before["amount"] for event in self.events if event.before and "amount" in event.before)
        layers: Layers = ((str(self.pledge.made_by_id or ""), next(raised, self.pledge.amount)),)
        known = layers
        for event in self.events:
            layers = self._after(layers, event, day)
            if layers[-1][1] == amount:
                known = layers
        whose, upper = known[-1]
        return (*known[:-1], (whose, max(upper, amount)))

    def _after(self, layers: Layers, event: Event, day: date) -> Layers:
        """The layers after one act: what it adds is its actor's, what it takes goes from the top."""
        who, before, after = str(event.actor_id or ""), event.before or {}, event.after or {}
        if event.kind == "pledge.resumed":
            resumed = event.created_at.astimezone(host_zone()).date()
            return ((who, layers[-1][1]),) if who in self.limited and day >= resumed else layers
        if (end := before.get("ends_on")) and day > date.fromisoformat(end):
            layers = ((who, layers[-1][1]),)
        wanted = after.get("amount")
        if wanted is None:
            return layers
        if wanted > layers[-1][1]:
            return (*layers, (who, wanted))
        kept = tuple(one for one in layers if one[1] < wanted)
        return (*kept, (layers[len(kept)][0], wanted))


def decisions_on(pledges: Iterable[Pledge], *, limited: Collection[str]) -> list[Decisions]:
    """How each of some pledges came to be what it is, in one query."""
    rows = list(pledges)
    told: dict[str, list[Event]] = {one.pk: [] for one in rows}
    for event in Event.objects.filter(kind__in=KINDS, subject__in=list(told)).order_by("created_at", "pk"):
        told[event.subject].append(event)
    return [Decisions(one, tuple(told[one.pk]), frozenset(limited)) for one in rows]


def touched_by(person: str) -> Iterable[str]:
    """Ids of the pledges that a person changed or took up again."""
    return Event.objects.filter(kind__in=KINDS, actor=person).values_list("subject", flat=True)
