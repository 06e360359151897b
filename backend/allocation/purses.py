"""The tree of purses: in which order they share, whose lines each looks at, and whose pledge pays for what."""

from collections.abc import Sequence
from typing import NamedTuple

from backend.allocation.inputs import Purse
from backend.allocation.kernel import AllocationError, Person
from backend.allocation.rules import share_out


class Pledge(NamedTuple):
    """One funder's money in a purse: what it brought and what was drawn of it before, minor units."""

    id: str
    amount: int
    drawn: int = 0


def in_order(purses: Sequence[Purse]) -> list[Purse]:
    """Leaves before their parents, siblings by id, the general purse last (§2.4)."""
    children: dict[str | None, list[Purse]] = {}
    for purse in sorted(purses, key=lambda purse: purse.id, reverse=True):
        children.setdefault(purse.parent, []).append(purse)
    waiting = list(children[None])
    parents_first = []
    while waiting:
        purse = waiting.pop()
        parents_first.append(purse)
        waiting.extend(reversed(children.get(purse.id, [])))
    return parents_first[::-1]


def below(purses: Sequence[Purse]) -> dict[str, tuple[str, ...]]:
    """For each purse the ids of the purses under it, itself first."""
    found: dict[str, tuple[str, ...]] = {}
    under: dict[str | None, list[str]] = {}
    for purse in in_order(purses):
        found[purse.id] = (purse.id, *under.get(purse.id, ()))
        under.setdefault(purse.parent, []).extend(found[purse.id])
    return found


def draw_down(left: int, pledges: Sequence[Pledge], seed: str) -> dict[str, int]:
    """What each pledge now pays of a purse that was not emptied: catch-up on the amounts (§2.4).

    Args: left: minor units that stay in the purse; pledges: what each brought and what was drawn of it before.
    Returns {pledge id: minor units}; they add up to what left the purse, none is drawn beyond its amount.
    Raises AllocationError not_covered when the pledges hold less than `left`, and those of share_out.
    """
    undrawn = sum(pledge.amount - pledge.drawn for pledge in pledges)
    if any(pledge.drawn > pledge.amount for pledge in pledges) or not 0 <= left <= undrawn:
        raise AllocationError("not_covered", f"What is left must be between 0 and the {undrawn} not yet drawn.", "left")
    people = [
        Person(pledge.id, weight=pledge.amount, counted=pledge.drawn, ceiling=pledge.amount - pledge.drawn)
        for pledge in pledges
    ]
    shared = share_out("catch_up", undrawn - left, people, seed)
    return {pledge.id: cents for pledge, cents in zip(pledges, shared.cents, strict=True)}
