"""What leaves the general purse before any rule: fees, upstream shares, reserve (allocation.md §2.3)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backend.allocation.terms import BP, Reserve, Upstream


@dataclass(frozen=True, slots=True)
class Receipts:
    """Money of one kind received since the last closing, minor units; negative when more was taken back."""

    kind: str
    count: int
    gross: int
    fees: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The steps from receipts to what is shared, minor units. `flows` are (target, basis points, amount).

    `cut` is what the reserve and the edges got less than their rate says because the purse did not hold it.
    """

    count: int
    gross: int
    fees: int
    upstream_in: int
    base: int
    flows: tuple[tuple[str, int, int], ...]
    reserve: int
    cut: int
    carried: int
    to_share: int


def fee(amount: int, bp: int) -> int:
    """Fee in minor units on one receipt: amount × basis points / 10 000, halves up (§2.3 step 1).

    It is frozen at receipt: the fees of three receipts are not the fee of their sum.
    """
    return (amount * bp + BP // 2) // BP


def base(receipts: Sequence[Receipts]) -> int:
    """Y, the general purse's base: receipts net of fees and take-backs, upstream received included (§2.3 step 2).

    Returns minor units, never below zero: more taken back than received shares nothing and owes nothing upstream.
    """
    return max(0, sum(each.gross - each.fees for each in receipts))


def upstream(amount: int, bp: int, min_edge: int) -> int:
    """t = ⌊Y·b/10⁴⌋ for one edge, 0 below the smallest edge (§2.3 step 3); lagged: it arrives in the next closing."""
    share = amount * bp // BP
    return share if share >= min_edge else 0


def reserve(amount: int, terms: Reserve, balance: int) -> int:
    """R = min(⌊Y·r/10⁴⌋, what the reserve lacks to its target) in minor units (§2.3 step 4)."""
    wanted = amount * terms.bp // BP
    return wanted if terms.target is None else min(wanted, max(0, terms.target - balance))


def to_share(held: int, flows: Sequence[int], kept: int) -> int:
    """D, what the rules share: the purse's money less upstream shares and reserve, never below 0 (§2.3 step 5)."""
    return max(0, held - sum(flows) - kept)


def waterfall(
    held: int,
    receipts: Sequence[Receipts],
    *,
    edges: Sequence[Upstream],
    min_edge: int,
    terms: Reserve,
    balance: int,
    closed: Collection[str] = (),
) -> Waterfall:
    """All the steps on the general purse; `held` in minor units includes what was received and what was carried.

    Args: balance: what the reserve holds; closed: targets that no longer take money, whose edges give nothing.
    When the purse holds less than they ask, the reserve gives way first, then the edges from the last.
    """
    whole = base(receipts)
    asked = [0 if edge.to in closed else upstream(whole, edge.bp, min_edge) for edge in edges]
    wanted = reserve(whole, terms, balance)
    given: list[int] = []
    room = held
    for amount in asked:
        given.append(min(amount, room))
        room -= given[-1]
    kept = min(wanted, room)
    payments = [each for each in receipts if each.kind == "payment.received"]
    return Waterfall(
        count=sum(each.count for each in payments),
        gross=sum(each.gross for each in payments),
        fees=sum(each.fees for each in payments),
        upstream_in=sum(each.gross - each.fees for each in receipts if each.kind == "upstream.received"),
        base=whole,
        flows=tuple((edge.to, edge.bp, amount) for edge, amount in zip(edges, given, strict=True)),
        reserve=kept,
        cut=sum(asked) + wanted - sum(given) - kept,
        carried=held - whole,
        to_share=to_share(held, given, kept),
    )
