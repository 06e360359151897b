"""A whole closing: waterfall, purses from leaves to root, tiers, settlement, and what a meeting agreed instead."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.allocation import trace as traces
from backend.allocation.inputs import Inputs, Line, Purse
from backend.allocation.kernel import AllocationError, split
from backend.allocation.purses import below, in_order
from backend.allocation.reading import Reader
from backend.allocation.settle import settle
from backend.allocation.terms import Terms, Tier
from backend.allocation.tiers import Given, Place, Pot, Step, share_tier
from backend.allocation.waterfall import Waterfall, waterfall


def compute(
    charter: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    pot: str,
    period: str,
    context: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Share the money of a pot and its earmarked purses by a charter; the same arguments give the same digest.

    Args: charter: the document. inputs: what the period was frozen with, minutes and minor units. pot, period: ids,
    fixed before anyone declares, that seed the ties. context: what the caller stores beside it: `currency`,
    `charter` {"id", "version"}, and any other plain JSON; the names of the trace itself are not replaced.
    Returns the trace, with its digest. Raises AllocationError, `param` a path in the charter or in the inputs.
    """
    terms, frozen = Terms.read(charter), Inputs.read(inputs)
    pot, period = Reader(pot, "pot").text(), Reader(period, "period").text()
    extra = {key: item for key, item in (context or {}).items() if key not in traces.RESERVED}
    for value, what in ((charter, "charter"), (inputs, "inputs"), (extra, "context")):
        traces.plain(value, what)
    run = _Run(terms, frozen, f"{pot}|{period}")
    steps = [traces.step_row(step) for step in run.steps]
    purses = [run.books[purse.id] for purse in frozen.purses]
    persons = _persons(frozen.lines, steps, {}, f"{pot}|{period}")
    first = frozen.purses[0]
    return traces.sealed(
        {
            "currency": None,
            **extra,
            "charter": {**extra.get("charter", {}), "sha256": traces.sha256(charter), "document": charter},
            "engine": traces.ENGINE,
            "pot": pot,
            "period": period,
            "snapshot_sha256": traces.sha256(inputs),
            "inputs": inputs,
            "seed": f"{pot}|{period}",
            "waterfall": traces.waterfall_rows(run.first, terms, frozen, run.books[first.id]["moved_in"]),
            "steps": steps,
            "moves": run.moves,
            "purses": purses,
            "persons": persons,
            "settle": _settled(persons, frozen.owed, terms.minimum_payout),
            "arbitration": None,
            "totals": traces.totals(purses, run.moves),
        }
    )


def arbitrate(
    trace: Mapping[str, Any], *, reason: str, entered_by: str, changes: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Replace computed amounts by those that a meeting agreed, within the money of each purse.

    Args: changes: {person, purse, agreed, confirmed_on}, `agreed` in minor units; those of an earlier arbitration of
    the same closing are forgotten. The steps keep what was computed.
    Returns a new trace, with a new digest. Raises AllocationError unknown_person, unknown_purse, given_twice,
    above_the_money, and those of a value of the wrong type, `param` a path in `changes`.
    """
    computed = _by_purse(trace["steps"])
    names = {one["id"] for one in trace["persons"]}
    held = {purse["id"]: purse["shared"] + purse["left"] for purse in trace["purses"]}
    entered: list[dict[str, Any]] = []
    agreed: dict[tuple[str, str], int] = {}
    for item in Reader(list(changes), "changes").items():
        person, purse = item.at("person").text(), item.at("purse").text()
        if person not in names:
            raise AllocationError("unknown_person", f"{person} has no work in this closing.", item.at("person").path)
        if purse not in held:
            raise AllocationError("unknown_purse", f"{purse} is no purse of this closing.", item.at("purse").path)
        item.once((person, purse), set(agreed))
        agreed[person, purse] = item.at("agreed").whole()
        row = {"person": person, "purse": purse, "computed": computed.get((person, purse), 0)}
        entered.append({**row, "agreed": agreed[person, purse], "confirmed_on": item.at("confirmed_on").text()})
    persons = _persons(Inputs.read(trace["inputs"]).lines, trace["steps"], agreed, trace["seed"])
    purses = []
    for purse in trace["purses"]:
        shared = sum(one["by_purse"].get(purse["id"], 0) for one in persons)
        if shared > held[purse["id"]]:
            message = f"{purse['id']} has {held[purse['id']]} to share, less than the {shared} agreed."
            raise AllocationError("above_the_money", message, "changes")
        purses.append({**purse, "shared": shared, "left": held[purse["id"]] - shared})
    entered.sort(key=lambda row: (row["person"], row["purse"]))
    minimum = Terms.read(trace["charter"]["document"]).minimum_payout
    return traces.sealed(
        {
            **trace,
            "purses": purses,
            "persons": persons,
            "settle": _settled(persons, trace["inputs"].get("owed", {}), minimum),
            "arbitration": {
                "reason": Reader(reason, "reason").text(),
                "entered_by": Reader(entered_by, "entered_by").text(),
                "changes": entered,
            },
            "totals": traces.totals(purses, trace["moves"]),
        }
    )


def counted_by(trace: Mapping[str, Any]) -> dict[str, int]:
    """What a booked closing adds to `counted` of the next ones: {person: minor units} that catch-up takes as paid.

    Reimbursements are not pay for work; earmarked pay counts only where the charter offsets it (with "add" it stays on
    top, with "exclude" the work it paid counts nowhere else). Agreed amounts replace the computed ones.
    """
    terms = Terms.read(trace["charter"]["document"])
    outside = {tier.id for tier in terms.tiers if tier.reimburses}
    general = trace["purses"][0]["id"]
    counted: dict[str, int] = {}

    def add(person: str, purse: str, cents: int) -> None:
        if cents and (purse == general or terms.earmark_weights == "offset"):
            counted[person] = counted.get(person, 0) + cents

    for step in trace["steps"]:
        if step["tier"] not in outside:
            for one in step["persons"]:
                add(one["id"], step["purse"], one["cents"])
    for change in (trace["arbitration"] or {"changes": []})["changes"]:
        add(change["person"], change["purse"], change["agreed"] - change["computed"])
    return counted


def median(quantities: Sequence[int]) -> int:
    """The low median: the middle one, the lower of the two middle ones when they are even in number.

    Raises AllocationError no_quantity when there is none.
    """
    if not quantities:
        raise AllocationError("no_quantity", "There is no quantity to take the median of.", "quantities")
    return sorted(quantities)[(len(quantities) - 1) // 2]


class _Run:
    """The purses shared one after the other; what each step gave bounds the next ones."""

    def __init__(self, terms: Terms, frozen: Inputs, seed: str) -> None:
        self.terms, self.frozen, self.seed = terms, frozen, seed
        self.given = Given()
        self.steps: list[Step] = []
        self.moves: list[dict[str, Any]] = []
        self.books = {purse.id: _book(purse) for purse in frozen.purses}
        self.under = below(frozen.purses)
        self.lines: dict[str, list[Line]] = {}
        minutes: dict[str, int] = {}
        for line in frozen.lines:
            self.lines.setdefault(line.purse, []).append(line)
            minutes[line.person] = minutes.get(line.person, 0) + line.validated
        self.first = self._waterfall(frozen.purses[0])
        whole = self.first.to_share + sum(purse.held for purse in frozen.purses[1:])
        self.pot = Pot(terms, whole, minutes)
        for purse in in_order(frozen.purses):
            self._share(purse)

    def _waterfall(self, general: Purse) -> Waterfall:
        terms = self.terms
        found = waterfall(
            general.held,
            general.receipts,
            edges=terms.upstream,
            min_edge=terms.min_edge,
            terms=terms.reserve,
            balance=general.reserve,
            closed=self.frozen.closed_targets,
        )
        for target, _, amount in found.flows:
            self._move("upstream", general.id, target, amount)
        self._move("reserve", general.id, general.id, found.reserve)
        return found

    def _move(self, kind: str, source: str, target: str, amount: int) -> None:
        if amount:
            self.moves.append({"kind": kind, "from": source, "to": target, "amount": amount})
            self.books[source]["moved_out"] += amount

    def _share(self, purse: Purse) -> None:
        book = self.books[purse.id]
        whole = left = book["held"] + book["moved_in"] - book["moved_out"]
        for tier in self.terms.tiers:
            name = tier.id if purse.parent is None else f"{purse.id}/{tier.id}"
            place = Place(purse.id, tier, name, f"{self.seed}|{name}", self._counted(purse, tier))
            scope = self.under[purse.id]
            if tier.by_weights and self.terms.earmark_weights == "exclude":
                scope = (purse.id,)
            lines = [line for inner in scope for line in self.lines.get(inner, ())]
            lines.sort(key=lambda line: line.contribution)
            # Earlier work has no tag: it counts in the general purse.
            past = self.frozen.past if purse.parent is None else ()
            step = share_tier(self.pot, place, tier.take.of(whole, left), lines=lines, past=past, given=self.given)
            self.given.add(step)
            self.steps.append(step)
            left -= sum(step.result.cents)
        book["shared"], book["left"] = whole - left, left
        if purse.parent is not None and self.terms.leftover == "release" and left:
            self._move("release", purse.id, purse.parent, left)
            book["left"] = 0
            self.books[purse.parent]["moved_in"] += left

    def _counted(self, purse: Purse, tier: Tier) -> dict[str, int]:
        """What counts as paid before: for catch-up, earlier closings and tiers; under "offset", earmarked pay."""
        counted: dict[str, int] = {}
        sources: list[Mapping[str, int]] = []
        if tier.rule == "catch_up":
            sources += [self.given.by_purse.get(purse.id, {}), {} if purse.parent else self.frozen.counted]
        if self.terms.earmark_weights == "offset" and (tier.rule == "catch_up" or tier == self.terms.last_by_weights()):
            sources += [self.given.by_purse.get(inner, {}) for inner in self.under[purse.id][1:]]
        for source in sources:
            for person, cents in source.items():
                counted[person] = counted.get(person, 0) + cents
        return counted


def _book(purse: Purse) -> dict[str, Any]:
    return {"id": purse.id, "held": purse.held, "shared": 0, "moved_out": 0, "moved_in": 0, "left": 0}


def _by_purse(steps: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """(person, purse): minor units computed."""
    found: dict[tuple[str, str], int] = {}
    for step in steps:
        for one in step["persons"]:
            key = (one["id"], step["purse"])
            found[key] = found.get(key, 0) + one["cents"]
    return found


def _persons(
    work: Sequence[Line],
    steps: Sequence[Mapping[str, Any]],
    agreed: Mapping[tuple[str, str], int],
    seed: str,
) -> list[dict[str, Any]]:
    """What holds for each person, by purse and by contribution; agreed amounts in place of computed ones."""
    lines: dict[str, list[Line]] = {}
    for line in work:
        lines.setdefault(line.person, []).append(line)
    amounts = {**_by_purse(steps), **agreed}
    parts: dict[tuple[str, str], dict[str, int]] = {}
    for step in steps:
        for one in step["persons"]:
            own = parts.setdefault((one["id"], step["purse"]), {})
            for line, cents in zip(one["lines"], one["per_line_cents"], strict=True):
                own[line["contribution"]] = own.get(line["contribution"], 0) + cents
    for (person, purse), cents in agreed.items():
        parts[person, purse] = _agreed_parts(
            cents, parts.get((person, purse), {}), lines.get(person, []), f"{seed}|{purse}|arbitration|{person}"
        )
    rows: dict[str, dict[str, Any]] = {
        person: {
            "id": person,
            "claim": sum(line.claim for line in lines.get(person, ())),
            "cents": 0,
            "by_purse": {},
            "per_contribution": {line.contribution: 0 for line in lines.get(person, ())},
        }
        for person in sorted({*lines, *(person for person, _ in amounts)})
    }
    for (person, purse), cents in sorted(amounts.items()):
        row = rows[person]
        row["cents"] += cents
        if cents:
            row["by_purse"][purse] = cents
        for contribution, part in parts[person, purse].items():
            if contribution in row["per_contribution"]:  # earlier work has its part too, and is no contribution
                row["per_contribution"][contribution] += part
    return list(rows.values())


def _agreed_parts(cents: int, computed: Mapping[str, int], lines: Sequence[Line], seed: str) -> dict[str, int]:
    """An agreed amount over a person's lines: as what was computed, else as she asked, as she worked, or equally."""
    choices = [
        sorted(computed.items()),
        [(line.contribution, line.claim) for line in lines],
        [(line.contribution, line.validated) for line in lines],
        [(line.contribution, 1) for line in lines],
    ]
    weights = next((choice for choice in choices if any(weight for _, weight in choice)), [])
    if not weights:
        return {}
    return dict(zip((name for name, _ in weights), split(cents, weights, seed), strict=True))


def _settled(persons: Sequence[Mapping[str, Any]], owed: Mapping[str, int], minimum: int) -> list[dict[str, Any]]:
    rows = []
    for one in persons:
        before = owed.get(one["id"], 0)
        paid, carried, reason = settle(before, one["cents"], minimum)
        row = {"person": one["id"], "before": before, "credited": one["cents"], "paid": paid}
        rows.append({**row, "carried": carried, "reason": reason})
    return rows
