"""Money passed on to the pots one depends on: each edge gets the floor of its rate of what its pot received."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backend.allocation.kernel import AllocationError, require_identifier, require_whole

WHOLE = 10_000  # basis points
DENSE = 4  # when a fourth of the edges may move, looking at all of them is faster than finding which


class Edge(NamedTuple):
    """`source` passes `bp` basis points of all it receives on to `target`."""

    source: str
    target: str
    bp: int


class Cascade(NamedTuple):
    """What each pot keeps, and what flows on each edge, in minor units; flows in (source, target) order."""

    kept: dict[str, int]
    flows: list[tuple[str, str, int]]


def lagged(base: int, edges: Sequence[tuple[str, int]], min_edge: int = 0) -> dict[str, int]:
    """What each target gets of `base` minor units: floor(base * bp / 10 000), 0 when that is below `min_edge`.

    Args: edges: (target, basis points), each target once. Money received this way enters the target's next period.
    Raises: AllocationError not_whole, negative, bad_identifier, duplicate_edge, edges_above_whole.
    """
    require_whole("base", base)
    require_whole("min_edge", min_edge)
    passed: dict[str, int] = {}
    for position, (target, bp) in enumerate(edges):
        require_identifier(f"edges[{position}][0]", target)
        require_whole(f"edges[{position}][1]", bp)
        if target in passed:
            raise AllocationError("duplicate_edge", f"{target} is there twice: add the rates.", f"edges[{position}]")
        passed[target] = _passed(base, bp, min_edge)
    if sum(bp for _, bp in edges) > WHOLE:
        raise AllocationError("edges_above_whole", "The rates add up to more than 10 000 basis points.", "edges")
    return passed


def cascade(pots: Mapping[str, int], edges: Sequence[Edge], min_edge: int = 0) -> Cascade:
    """The least flows for which each is the floor of its rate of all that its pot received, upstream included.

    Rounding down makes that fixed point unique, the same for any order and reached with any cycle; what is kept adds
    up to what came in.

    Args: pots: minor units each received from outside, every pot an edge names. edges: each (source, target) once,
    nobody to oneself, less than 10 000 basis points out of a pot. min_edge: a smaller flow counts 0.
    Raises: AllocationError not_whole, negative, bad_identifier, unknown_pot, self_loop, duplicate_edge,
    edges_above_whole.
    """
    require_whole("min_edge", min_edge)
    _check(pots, edges)
    names = list(pots)
    number = {name: position for position, name in enumerate(names)}
    order = sorted(edges)
    graph = _Graph(
        [number[edge.source] for edge in order],
        [number[edge.target] for edge in order],
        [edge.bp for edge in order],
        [[] for _ in names],
        min_edge,
    )
    for position, source in enumerate(graph.sources):
        graph.outgoing[source].append(position)
    flows, received = _least_flows([pots[name] for name in names], graph)
    kept = {
        name: got - sum(flows[edge] for edge in edges)
        for name, got, edges in zip(names, received, graph.outgoing, strict=True)
    }
    return Cascade(kept, [(edge.source, edge.target, flow) for edge, flow in zip(order, flows, strict=True)])


class _Graph(NamedTuple):
    """Edges as columns of pots' numbers; `outgoing` lists each pot's edges."""

    sources: list[int]
    targets: list[int]
    rates: list[int]
    outgoing: list[list[int]]
    min_edge: int


def _least_flows(base: list[int], graph: _Graph) -> tuple[list[int], list[int]]:
    """Flows from zero upward until none rises, and what each pot then received.

    A round looks at every edge while much moves, afterwards only at those of the pots whose receipts rose.
    """
    flows, received = [0] * len(graph.sources), list(base)
    risen = [pot for pot, edges in enumerate(graph.outgoing) if edges]
    while risen:
        if sum(len(graph.outgoing[pot]) for pot in risen) * DENSE > len(flows):
            flows = _all_flows(received, graph)
            before, received = received, list(base)
            for target, flow in zip(graph.targets, flows, strict=True):
                received[target] += flow
            touched = {pot for pot, (old, new) in enumerate(zip(before, received, strict=True)) if new > old}
        else:
            touched = _raise_some(risen, flows, received, graph)
        risen = [pot for pot in touched if graph.outgoing[pot]]
    return flows, received


def _all_flows(received: list[int], graph: _Graph) -> list[int]:
    flows = [received[source] * rate // WHOLE for source, rate in zip(graph.sources, graph.rates, strict=True)]
    return [flow if flow >= graph.min_edge else 0 for flow in flows] if graph.min_edge else flows


def _raise_some(risen: list[int], flows: list[int], received: list[int], graph: _Graph) -> set[int]:
    """Raise the flows out of these pots, in place; returns the pots that got more."""
    touched: set[int] = set()
    for pot in risen:
        for edge in graph.outgoing[pot]:
            flow = received[pot] * graph.rates[edge] // WHOLE
            if flow > flows[edge] and flow >= graph.min_edge:
                received[graph.targets[edge]] += flow - flows[edge]
                flows[edge] = flow
                touched.add(graph.targets[edge])
    return touched


def _passed(base: int, bp: int, min_edge: int) -> int:
    flow = base * bp // WHOLE
    return flow if flow >= min_edge else 0


def _check(pots: Mapping[str, int], edges: Sequence[Edge]) -> None:
    for name, amount in pots.items():
        require_identifier("pots", name)
        require_whole(f"pots.{name}", amount)
    out: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    for position, (source, target, bp) in enumerate(edges):
        if type(bp) is not int or bp < 0 or not _is_pot(source, pots) or not _is_pot(target, pots):
            _refuse(pots, position, (source, target), bp)
        if source == target:
            raise AllocationError("self_loop", f"{source!r} cannot pass money on to itself.", f"edges[{position}]")
        if (source, target) in seen:
            raise AllocationError("duplicate_edge", f"{source!r} to {target!r} is there twice.", f"edges[{position}]")
        seen.add((source, target))
        out[source] = out.get(source, 0) + bp
        if out[source] >= WHOLE:
            raise AllocationError(
                "edges_above_whole",
                f"{source!r} must keep something: pass on less than 10 000 basis points.",
                f"edges[{position}]",
            )


def _is_pot(name: object, pots: Mapping[str, int]) -> bool:
    return isinstance(name, str) and name in pots


def _refuse(pots: Mapping[str, int], position: int, ends: tuple[str, str], bp: int) -> None:
    for column, pot in enumerate(ends):
        require_identifier(f"edges[{position}][{column}]", pot)
        if pot not in pots:
            raise AllocationError("unknown_pot", f"{pot!r} is not among the pots.", f"edges[{position}][{column}]")
    require_whole(f"edges[{position}][2]", bp)
