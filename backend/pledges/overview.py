"""What a commons can count on: recurring promises, who came and who left, and the next twelve months. Moves no money.

The first half is pure: days and integers in, integers out. A promise paid monthly counts twelve times a year, a
quarterly one four times, so that every figure is a whole number of minor units.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_zone
from backend.pledges.calendar import MONTHS, due_day
from backend.pledges.donations import believed
from backend.pledges.models import Instalment, Pledge

SHOWN = 12  # months behind, and months ahead
# What ends a promise, interrupts it and takes it up again; `pledge.changed` says its fields before and after.
ENDS = ("pledge.cancelled", "pledge.written_off")
INTERRUPTS = ("pledge.paused",)
RESUMES = ("pledge.resumed",)
CHANGES = ("pledge.changed",)


@dataclass(frozen=True)
class Promise:
    """What one recurring pledge came to over time: (from which day, minor units a year), in order of days."""

    pledge_id: str
    name: str | None
    steps: tuple[tuple[date, int], ...]

    def on(self, day: date) -> int:
        """Minor units a year promised at the end of a day; 0 before it was made and once it ended."""
        return next((yearly for since, yearly in reversed(self.steps) if since <= day), 0)


@dataclass(frozen=True)
class Move:
    """One promise that came, left or changed within a month, in minor units a year."""

    name: str | None
    before: int
    after: int

    @property
    def difference(self) -> int:
        """What it adds, below zero for what it takes away."""
        return self.after - self.before


@dataclass(frozen=True)
class Month:
    """The recurring promises of a month, in minor units a year: before + new - lost + changed = after."""

    first: date
    before: int
    came: tuple[Move, ...]
    left: tuple[Move, ...]
    altered: tuple[Move, ...]

    @property
    def new(self) -> int:
        """What the new ones add."""
        return sum(move.after for move in self.came)

    @property
    def lost(self) -> int:
        """What the ones that ended took away, above zero."""
        return sum(move.before for move in self.left)

    @property
    def changed(self) -> int:
        """What the changes come to."""
        return sum(move.difference for move in self.altered)

    @property
    def after(self) -> int:
        """What is promised at its end."""
        return self.before + self.new - self.lost + self.changed


@dataclass(frozen=True)
class Schedule:
    """What is still to come of one pledge; `written` are its instalments that exist: day → minor units awaited."""

    rhythm: str
    amount: int
    starts_on: date
    ends_on: date | None
    last_number: int
    goes_on: bool
    written: Mapping[date, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """What one month ahead awaits, in minor units: of instalments already written, and of those the calendar adds."""

    first: date
    called: int
    to_come: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.called + self.to_come


@dataclass(frozen=True)
class Support:
    """The overview of some budgets of one currency, in minor units."""

    currency: str
    yearly: int
    count: int
    late: int
    months: list[Month]
    ahead: list[Expected]


def yearly(amount: int, rhythm: str) -> int:
    """What a promise comes to in a year, in minor units; 0 for one that is paid once."""
    return amount * (12 // MONTHS[rhythm]) if MONTHS[rhythm] else 0


def month_after(first: date, months: int) -> date:
    """The first day of the month so many months after that of a day; below zero before it."""
    years, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(years, month + 1, 1)


def movements(promises: Sequence[Promise], *, last: date, count: int = SHOWN) -> list[Month]:
    """The months up to that of `last`, oldest first: what came, what left, what changed.

    A promise is compared with itself at the end of the month before, so that what came and left within one month
    counts for nothing, and each month begins with what the one before ended with.
    """
    found = []
    for back in range(count - 1, -1, -1):
        first = month_after(last, -back)
        end = month_after(first, 1) - timedelta(days=1)
        moves = [Move(one.name, one.on(first - timedelta(days=1)), one.on(end)) for one in promises]
        found.append(
            Month(
                first=first,
                before=sum(move.before for move in moves),
                came=tuple(move for move in moves if not move.before and move.after),
                left=tuple(move for move in moves if move.before and not move.after),
                altered=tuple(move for move in moves if move.before and move.after and move.difference),
            )
        )
    return found


def expected(schedules: Iterable[Schedule], *, today: date, count: int = SHOWN) -> tuple[int, list[Expected]]:
    """What is late (awaited of days before today), then what each month awaits, the present one first.

    What is late is in no month: it may come in any.
    """
    firsts = [month_after(today, ahead) for ahead in range(count)]
    called, to_come, late = dict.fromkeys(firsts, 0), dict.fromkeys(firsts, 0), 0
    end = month_after(today, count)
    for one in schedules:
        for day, amount in one.written.items():
            if day < today:
                late += amount
            elif day < end:
                called[day.replace(day=1)] += amount
        for day in _further(one, end):
            if day >= today:
                to_come[day.replace(day=1)] += one.amount
    return late, [Expected(first, called[first], to_come[first]) for first in firsts]


def _further(one: Schedule, end: date) -> Iterable[date]:
    """The days before `end` on which instalments fall due that are not written yet."""
    if not one.goes_on or not MONTHS[one.rhythm]:
        return
    number = one.last_number + 1
    while (day := due_day(one.starts_on, one.rhythm, number)) < end:
        if one.ends_on is not None and day > one.ends_on:
            return
        yield day
        number += 1


# --- what the database knows ------------------------------------------------------------------------------------------


def support_of(*, actor: User, root: Budget, today: date) -> Support:
    """The overview of a commons: of its common pot and the envelopes below it.

    Args: root: the common pot. today: on the host's calendar.
    Raises: Forbidden.
    """
    require(actor, "support.read", scopes=tree_of(root))
    pledges = list(
        Pledge.objects.filter(believed(), budget__commons_id=root.commons_id, currency=root.currency)
        .exclude(state="draft")
        .select_related("organisation", "person", "donor")
        .order_by("created_at", "pk")
    )
    promises = _promises([one for one in pledges if one.rhythm != "once"])
    months = movements(promises, last=today)
    late, ahead = expected(schedules(pledges), today=today)
    return Support(
        currency=root.currency,
        yearly=sum(one.on(today) for one in promises),
        count=sum(bool(one.on(today)) for one in promises),
        late=late,
        months=months,
        ahead=ahead,
    )


def _promises(pledges: Sequence[Pledge]) -> list[Promise]:
    """The recurring pledges with their history, read back from the events that changed them."""
    kinds = (*ENDS, *INTERRUPTS, *RESUMES, *CHANGES)
    told: dict[str, list[Event]] = {one.pk: [] for one in pledges}
    for event in Event.objects.filter(kind__in=kinds, subject__in=list(told)).order_by("created_at", "pk"):
        told[event.subject].append(event)
    return [Promise(one.pk, one.public_name, _steps(one, told[one.pk])) for one in pledges]


def _steps(pledge: Pledge, events: Sequence[Event]) -> tuple[tuple[date, int], ...]:
    """From which day a pledge came to how much a year: as it was made, then after each event."""
    zone = host_zone()
    changes = [event for event in events if event.kind in CHANGES]
    amount, rhythm = _as_made(pledge, changes)
    steps = [(pledge.created_at.astimezone(zone).date(), yearly(amount, rhythm))]
    for event in events:
        after = event.after or {}
        amount, rhythm = after.get("amount", amount), after.get("rhythm", rhythm)
        stopped = event.kind in ENDS or event.kind in INTERRUPTS
        steps.append((event.created_at.astimezone(zone).date(), 0 if stopped else yearly(amount, rhythm)))
    if pledge.ends_on is not None:
        over = pledge.ends_on + timedelta(days=1)
        steps = [*(step for step in steps if step[0] < over), (over, 0)]
    return tuple(steps)


def _as_made(pledge: Pledge, changes: Sequence[Event]) -> tuple[int, str]:
    """The amount and rhythm with which a pledge was made: what its changes replaced, the oldest last."""
    amount, rhythm = pledge.amount, pledge.rhythm
    for event in reversed(changes):
        before = event.before or {}
        amount, rhythm = before.get("amount", amount), before.get("rhythm", rhythm)
    return amount, rhythm


def schedules(pledges: Sequence[Pledge]) -> list[Schedule]:
    """What is still to come of each pledge."""
    standing = {one.pk: one for one in pledges if one.state in {"active", "fulfilled"}}
    written: dict[str, dict[date, int]] = {key: {} for key in standing}
    numbers = dict.fromkeys(standing, 0)
    for row in Instalment.objects.filter(pledge__in=list(standing)).order_by("number"):
        numbers[row.pledge_id] = row.number
        if row.awaited:
            written[row.pledge_id][row.due_on] = row.awaited
    return [
        Schedule(
            rhythm=one.rhythm, amount=one.amount, starts_on=one.starts_on, ends_on=one.ends_on,
            last_number=numbers[key], goes_on=one.state == "active" and one.paused_at is None, written=written[key],
        )
        for key, one in standing.items()
    ]  # fmt: skip
