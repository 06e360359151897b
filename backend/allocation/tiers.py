"""One step of a closing: one tier of one purse, from the lines it looks at to each person's cents and each line's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.allocation.inputs import Line, Past
from backend.allocation.kernel import Person, split
from backend.allocation.rules import Result, share_out
from backend.allocation.terms import BP, Terms, Tier

UNITS = {"equal": "persons", "weighted": "minutes", "catch_up": "minutes"}


@dataclass(slots=True)
class Given:
    """What the steps so far gave, minor units: to groups and lines of work, and to persons outside reimbursements."""

    groups: dict[tuple[str, str], int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    persons: dict[str, int] = field(default_factory=dict)
    by_purse: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, step: "Step") -> None:
        """Count a step that was just computed."""
        own = self.by_purse.setdefault(step.place.purse, {})
        for one, cents, parts in zip(step.people, step.result.cents, step.per_line, strict=True):
            for line, part in zip(one.lines, parts, strict=True):
                key = (one.person.id, line.group)
                self.groups[key] = self.groups.get(key, 0) + part
                self.lines[line.contribution] = self.lines.get(line.contribution, 0) + part
            if not step.place.tier.reimburses:
                self.persons[one.person.id] = self.persons.get(one.person.id, 0) + cents
                own[one.person.id] = own.get(one.person.id, 0) + cents


@dataclass(frozen=True, slots=True)
class Pot:
    """What every step of a closing reads: the charter's terms, the pot's money, and each person's validated minutes."""

    terms: Terms
    whole: int
    minutes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands. `counted`: minor units that count as paid before, {} unless the step catches up."""

    purse: str
    tier: Tier
    id: str
    seed: str
    counted: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StepLine:
    """One line in a step. `claim` is what is still unpaid of it, `weight` = validated × coefficient × decay."""

    contribution: str
    group: str
    kind: str
    declared: int
    validated: int
    validators: int
    coef: int
    decay: int
    asked: int
    claim: int
    rank: int
    weight: int


@dataclass(frozen=True, slots=True)
class StepPerson:
    """One person in a step, as the rule sees her; `ceiling_reason` names the bound that made her ceiling."""

    person: Person
    lines: tuple[StepLine, ...]
    ceiling_reason: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step computed. `rule` is what was run (an offset runs catch_up); `per_line` follows people and their lines."""

    place: Place
    rule: str
    unit: str
    amount: int
    result: Result
    people: tuple[StepPerson, ...]
    per_line: tuple[tuple[int, ...], ...]


def share_tier(
    pot: Pot, place: Place, amount: int, *, lines: Sequence[Line], past: Sequence[Past], given: Given
) -> Step:
    """Share `amount` minor units by one tier of one purse.

    Args: lines: what the purse looks at; past: earlier work, empty where the purse counts none; given: what the steps
    before gave, not changed here.
    Returns the step, people sorted by id. Raises AllocationError.
    """
    tier = place.tier
    rule = "catch_up" if tier.by_weights and any(place.counted.values()) else tier.rule
    owned: dict[str, list[StepLine]] = {}
    for line in lines:
        if tier.kinds is None or line.kind in tier.kinds:
            owned.setdefault(line.person, []).append(_step_line(pot.terms, line))
    for work in past:
        if (tier.kinds is None or work.kind in tier.kinds) and pot.terms.reads_history(tier):
            owned.setdefault(work.person, []).append(_past_line(pot.terms, work))
    people = []
    for person in sorted(owned):
        own = _residual(place.seed, person, owned[person], given)
        before = given.persons.get(person, 0)
        found = _person(pot, place, amount, identifier=person, lines=own, given=before)
        # The rule `equal` gives to everyone it is shown: whoever did nothing is not shown.
        if tier.rule != "equal" or found.person.weight:
            people.append(found)
    if rule == "as_asked":
        result, per_line = _in_order(amount, people, place.seed)
    else:
        result = share_out(rule, amount, [one.person for one in people], place.seed)
        per_line = [
            _per_line(pot.terms, tier, one, cents, place.seed) for one, cents in zip(people, result.cents, strict=True)
        ]
    unit = UNITS.get(tier.rule, "cents")
    return Step(place, rule, unit, amount, result, tuple(people), tuple(map(tuple, per_line)))


def bound(
    pot: Pot, person: str, claim: int | None, given: int, *, with_floor: bool
) -> tuple[int, int | None, str | None]:
    """Floor, ceiling and its reason for one person in one step, minor units (§2.2, bounds for any rule).

    The ceiling is the lowest of the fixed one, the part of the pot and the hourly cap, less what earlier steps gave,
    and of the claim when the rule reads claims; the floor, less what they gave, is never above it.
    Reasons: "claim", "fixed", "part", "hourly"; None without any ceiling.
    """
    bounds = pot.terms.bounds
    limits: list[tuple[str, int]] = [] if claim is None else [("claim", claim)]
    if bounds.ceiling is not None:
        limits.append(("fixed", max(0, bounds.ceiling - given)))
    if bounds.ceiling_bp is not None:
        limits.append(("part", max(0, pot.whole * bounds.ceiling_bp // BP - given)))
    if bounds.hourly_cap is not None:
        limits.append(("hourly", max(0, bounds.hourly_cap * pot.minutes.get(person, 0) // 60 - given)))
    reason, ceiling = min(limits, key=lambda limit: limit[1], default=(None, None))
    floor = max(0, bounds.floor - given) if with_floor else 0
    return (floor if ceiling is None else min(floor, ceiling)), ceiling, reason


def _step_line(terms: Terms, line: Line) -> StepLine:
    coef, decay = terms.coefficient(line.kind), terms.decay(line.age)
    return StepLine(
        line.contribution,
        line.group,
        line.kind,
        line.declared,
        line.validated,
        line.validators,
        coef,
        decay,
        line.claim,
        line.claim,
        line.rank,
        line.validated * coef * decay,
    )


def _past_line(terms: Terms, work: Past) -> StepLine:
    coef, decay = terms.coefficient(work.kind), terms.decay(work.age)
    weight = work.minutes * coef * decay
    return StepLine(work.name, work.name, work.kind, work.minutes, work.minutes, 0, coef, decay, 0, 0, 0, weight)


def _residual(seed: str, person: str, lines: list[StepLine], given: Given) -> tuple[StepLine, ...]:
    """The lines with what is still unpaid of each claim.

    Reckoned by group, so that cutting a line in two changes nothing; inside a group each line keeps what it lacks.
    """
    paid = {group for group in {line.group for line in lines} if given.groups.get((person, group))}
    if not paid:
        return tuple(lines)
    unpaid: dict[str, int] = {}
    for group in sorted(paid):
        inside = [line for line in lines if line.group == group]
        left = max(0, sum(line.asked for line in inside) - given.groups[person, group])
        lacks = [(line.contribution, max(0, line.asked - given.lines.get(line.contribution, 0))) for line in inside]
        cents = split(left, lacks, f"{seed}|{person}|{group}|unpaid")
        unpaid.update((name, part) for (name, _), part in zip(lacks, cents, strict=True))
    return tuple(replace(line, claim=unpaid.get(line.contribution, line.claim)) for line in lines)


def _person(
    pot: Pot, place: Place, amount: int, *, identifier: str, lines: tuple[StepLine, ...], given: int
) -> StepPerson:
    """A person as the rule of the tier must see her; `given` is what bounded steps gave her before."""
    tier = place.tier
    weight, claim = 0, 0
    if tier.rule == "equal":
        weight = int(any(_shares(pot.terms, tier, lines)))
    elif tier.by_weights:
        weight = sum(line.weight for line in lines)
    else:
        claim = sum(line.claim for line in lines)
        if pot.terms.cut_claims_at_pot and tier.rule != "as_asked":
            claim = min(claim, amount)
    asked = None if tier.by_weights else claim
    floor, ceiling, reason = 0, asked, None if asked is None else "claim"
    if not tier.reimburses:
        takes_part = weight > 0 or claim > 0
        # as_asked serves requests one by one, in order: a floor has no place there.
        with_floor = takes_part and tier.rule != "as_asked"
        floor, ceiling, reason = bound(pot, identifier, asked, given, with_floor=with_floor)
    rank = min(line.rank for line in lines)
    person = Person(identifier, weight, claim, place.counted.get(identifier, 0), floor, ceiling, rank)
    return StepPerson(person, lines, reason)


def _shares(terms: Terms, tier: Tier, lines: Sequence[StepLine]) -> list[int]:
    """By what a person's cents go back to her lines: validated work, or for want of any, what they ask."""
    if not tier.by_weights:
        return [line.claim for line in lines]
    weights = [line.weight for line in lines]
    if any(weights):
        return weights
    return [0 if terms.is_reimbursed(line.kind) else line.asked for line in lines]


def _per_line(terms: Terms, tier: Tier, one: StepPerson, cents: int, seed: str) -> list[int]:
    """A person's cents over her lines, HAMILTON twice: to the groups of lines, then inside each group."""
    shares = _shares(terms, tier, one.lines)
    groups: dict[str, list[int]] = {}
    for position, line in enumerate(one.lines):
        groups.setdefault(line.group, []).append(position)
    names = sorted(groups)
    sums = [(name, sum(shares[position] for position in groups[name])) for name in names]
    parts = [0] * len(one.lines)
    for name, part in zip(names, split(cents, sums, f"{seed}|{one.person.id}"), strict=True):
        inside = [(one.lines[position].contribution, shares[position]) for position in groups[name]]
        divided = split(part, inside, f"{seed}|{one.person.id}|{name}")
        for position, share in zip(groups[name], divided, strict=True):
            parts[position] = share
    return parts


def _in_order(amount: int, people: Sequence[StepPerson], seed: str) -> tuple[Result, list[list[int]]]:
    """as_asked on requests: by rank and contribution, each what is left up to its claim and its person's ceiling."""
    left = amount
    per_line = [[0] * len(one.lines) for one in people]
    rooms = [amount if one.person.ceiling is None else one.person.ceiling for one in people]
    queue = sorted(
        (line.rank, line.contribution, whose, position, line.claim)
        for whose, one in enumerate(people)
        for position, line in enumerate(one.lines)
    )
    for _, _, whose, position, claim in queue:
        cents = min(claim, left, rooms[whose])
        per_line[whose][position] = cents
        rooms[whose] -= cents
        left -= cents
    cents_of = [sum(parts) for parts in per_line]
    persons = [one.person for one in people]
    return Result("as_asked", seed, amount, persons, cents_of, left, (), None, list(cents_of), 1), per_line
