"""What a closing was frozen with: purses, lines of work, earlier work and pay, read and checked from its document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.allocation.kernel import AllocationError
from backend.allocation.reading import Reader
from backend.allocation.waterfall import Receipts

PAST = "history:"


@dataclass(frozen=True, slots=True)
class Purse:
    """A purse of the tree; `held` and `reserve` in minor units, `parent` None for the general purse."""

    id: str
    parent: str | None
    held: int
    reserve: int
    receipts: tuple[Receipts, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One contribution: minutes declared and validated, minor units asked, its rank among requests, its age."""

    contribution: str
    person: str
    purse: str
    kind: str
    declared: int
    validated: int
    validators: int
    claim: int
    rank: int
    age: int

    @property
    def group(self) -> str:
        """Lines of one person that no charter can tell apart; money goes to groups first, so that cutting a line in
        two moves no cent, not even between her other lines."""
        return f"{self.purse}|{self.kind}|{self.age}"


@dataclass(frozen=True, slots=True)
class Past:
    """Work of an earlier period, summed: minutes of one kind, by age in periods."""

    person: str
    kind: str
    minutes: int
    age: int

    @property
    def name(self) -> str:
        """Where a contribution would be named: this work takes its part of the cents and is in none."""
        return f"{PAST}{self.kind}:{self.age}"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a closing reads besides its charter. Lines are sorted by contribution, the general purse is first.

    `closed_targets` are pots upstream that no longer take money: what was for them stays.
    """

    purses: tuple[Purse, ...]
    lines: tuple[Line, ...]
    past: tuple[Past, ...]
    counted: Mapping[str, int]
    owed: Mapping[str, int]
    closed_targets: frozenset[str]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Inputs":
        """Read the inputs of a closing; absent quantities are 0.

        Raises AllocationError with `param` = the JSON path of the first value that cannot be computed with.
        """
        top = Reader(document, "")
        purses = _purses(top.at("purses"))
        known = {purse.id for purse in purses}
        lines = []
        seen: set[str] = set()
        for item in top.at("lines", []).items():
            line = _line(item)
            item.at("contribution").once(line.contribution, seen)
            if line.contribution.startswith(PAST):
                where = item.at("contribution").path
                raise AllocationError("reserved_name", f"{where} must not begin with {PAST!r}.", where)
            if line.purse not in known:
                where = item.at("purse").path
                raise AllocationError("unknown_purse", f"{where} names no purse of this closing.", where)
            lines.append(line)
        minutes: dict[tuple[str, str, int], int] = {}
        for item in top.at("history", []).items():
            key = (item.at("person").text(), item.at("kind").text(), item.at("age").whole(1))
            minutes[key] = minutes.get(key, 0) + item.at("minutes").whole()
        return cls(
            purses,
            tuple(sorted(lines, key=lambda line: line.contribution)),
            tuple(Past(person, kind, minutes[person, kind, age], age) for person, kind, age in sorted(minutes)),
            {person: amount.signed() for person, amount in top.at("counted", {}).entries()},
            {person: amount.whole() for person, amount in top.at("owed", {}).entries()},
            frozenset(target.text() for target in top.at("closed_targets", []).items()),
        )


def _line(item: Reader) -> Line:
    return Line(
        item.at("contribution").text(),
        item.at("person").text(),
        item.at("purse").text(),
        item.at("kind").text(),
        item.at("declared", 0).whole(),
        item.at("validated", 0).whole(),
        item.at("validators", 0).whole(),
        item.at("claim", 0).whole(),
        item.at("rank", 0).signed(),
        item.at("age", 0).whole(),
    )


def _purses(value: Reader) -> tuple[Purse, ...]:
    purses = []
    seen: set[str] = set()
    for item in value.items():
        identifier = item.at("id").text()
        item.at("id").once(identifier, seen)
        parent = item.at("parent", None)
        receipts = tuple(
            Receipts(
                each.at("kind").text(),
                each.at("count", 0).whole(),
                each.at("gross").signed(),
                each.at("fees", 0).signed(),
            )
            for each in item.at("receipts", []).items()
        )
        above = None if parent.value is None else parent.text()
        purses.append(Purse(identifier, above, item.at("held").whole(), item.at("reserve", 0).whole(), receipts))
    _check_tree(purses, value.path)
    return tuple(purses)


def _check_tree(purses: list[Purse], path: str) -> None:
    """The first purse is the only one without a parent, and every other hangs under it."""
    if not purses or purses[0].parent is not None:
        raise AllocationError("no_general_purse", f"{path}[0] must be the general purse, without a parent.", path)
    children: dict[str | None, list[str]] = {}
    for purse in purses:
        children.setdefault(purse.parent, []).append(purse.id)
    reached = {purses[0].id}
    waiting = [purses[0].id]
    while waiting:
        below = children.get(waiting.pop(), [])
        reached.update(below)
        waiting.extend(below)
    for index, purse in enumerate(purses):
        where = f"{path}[{index}]"
        if purse.id not in reached or (index and purse.parent is None):
            raise AllocationError(
                "not_in_the_tree", f"{where}.parent must lead to the general purse.", f"{where}.parent"
            )
        if index and purse.receipts:
            raise AllocationError("not_the_general_purse", f"{where} must have no receipts.", f"{where}.receipts")
