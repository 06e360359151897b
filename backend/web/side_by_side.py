"""Several computations of one period beside each other: a row a person, a column a charter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.identity.models import User


@dataclass(frozen=True)
class Column:
    """One charter: its name and what its computation did, in minor units."""

    name: str
    to_share: int
    shared: int
    moved: int
    left: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """What one charter gives one person, and the difference with the first column, in minor units."""

    name: str
    cents: int
    difference: int | None


@dataclass(frozen=True)
class Row:
    """One person: what they asked, their validated minutes, and a cell for each charter."""

    name: str
    claim: int
    minutes: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Comparison:
    """What `charters/simulation.html` shows."""

    currency: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    claims: int
    minutes: int

    @property
    def moved(self) -> bool:
        """Whether any of these charters sets money aside before sharing."""
        return any(column.moved for column in self.columns)


def compare(traces: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Comparison:
    """Put traces of the same period beside each other. Args: names: one a trace, in the reader's words."""
    shares = [{one["id"]: one["cents"] for one in trace["persons"]} for trace in traces]
    claims: dict[str, int] = {}
    minutes = validated_minutes(traces[0]) if traces else {}
    for trace in traces:
        for one in trace["persons"]:
            claims[one["id"]] = max(one["claim"], claims.get(one["id"], 0))
    people = User.objects.in_bulk(sorted(claims))
    rows = [
        Row(
            name=people[person].name if person in people else person,
            claim=claims[person],
            minutes=minutes.get(person, 0),
            cells=tuple(
                Cell(name, given.get(person, 0), given.get(person, 0) - shares[0].get(person, 0) if number else None)
                for number, (name, given) in enumerate(zip(names, shares, strict=True))
            ),
        )
        for person in claims
    ]
    rows.sort(key=lambda row: row.name.casefold())
    return Comparison(
        currency=traces[0]["currency"] if traces else "",
        columns=tuple(_column(trace, name) for trace, name in zip(traces, names, strict=True)),
        rows=tuple(rows),
        claims=sum(row.claim for row in rows),
        minutes=sum(row.minutes for row in rows),
    )


def validated_minutes(trace: Mapping[str, Any]) -> dict[str, int]:
    """Person → minutes validated in the period itself: earlier work that a rule reads is not counted."""
    found: dict[str, int] = {}
    for line in trace["inputs"]["lines"]:
        found[line["person"]] = found.get(line["person"], 0) + line["validated"]
    return found


def _column(trace: Mapping[str, Any], name: str) -> Column:
    uses = trace["totals"]["uses"]
    flags = dict.fromkeys(flag for step in trace["steps"] for flag in step["flags"])
    return Column(
        name=name,
        to_share=uses["shares"] + uses["left"],
        shared=uses["shares"],
        moved=uses["upstream"] + uses["reserve"],
        left=uses["left"],
        flags=tuple(flags),
    )
