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
    minutes: dict[str, dict[str, int]] = {}
    for trace in traces:
        for one in trace["persons"]:
            claims[one["id"]] = max(one["claim"], claims.get(one["id"], 0))
        for step in trace["steps"]:
            for person in step["persons"]:
                lines = minutes.setdefault(person["id"], {})
                lines |= {line["contribution"]: line["validated"] for line in person["lines"]}
    people = User.objects.in_bulk(sorted(claims))
    rows = [
        Row(
            name=people[person].name if person in people else person,
            claim=claims[person],
            minutes=sum(minutes.get(person, {}).values()),
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
