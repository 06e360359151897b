"""Upstream money: the published cycles are in vectors.json; here its invariants (A16), order, limits and refusals."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.allocation.kernel import AllocationError
from backend.allocation.upstream import Cascade, Edge, cascade, lagged

THOROUGH = settings(max_examples=200, derandomize=True, deadline=None, database=None)
Graph = tuple[dict[str, int], list[Edge], int]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to six pots with edges at will, less than the whole out of each, and a smallest edge."""
    names = [f"p{number}" for number in range(draw(st.integers(1, 6)))]
    pots = {name: draw(st.integers(0, 50) | st.integers(0, 10**6)) for name in names}
    pairs = [(source, target) for source in names for target in names if source != target]
    edges = []
    left = dict.fromkeys(names, 9_990)
    for source, target in draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []:
        bp = draw(st.integers(0, min(left[source], 6000)))
        left[source] -= bp
        edges.append(Edge(source, target, bp))
    return pots, edges, draw(st.sampled_from([0, 1, 7, 100]))


def receipts(pots: dict[str, int], solved: Cascade) -> dict[str, int]:
    return {name: amount + sum(flow for _, to, flow in solved.flows if to == name) for name, amount in pots.items()}


def by_rounds(pots: dict[str, int], edges: list[Edge], min_edge: int) -> dict[tuple[str, str], int]:
    """The definition: every edge at once, from zero, until nothing moves."""
    flows = {(edge.source, edge.target): 0 for edge in edges}
    while True:
        received = dict(pots)
        for (_, target), flow in flows.items():
            received[target] += flow
        floors = {(edge.source, edge.target): received[edge.source] * edge.bp // 10_000 for edge in edges}
        again = {pair: flow if flow >= min_edge else 0 for pair, flow in floors.items()}
        if again == flows:
            return flows
        flows = again


@THOROUGH
@given(graph=graphs(), seed=st.integers(0, 99))
def test_a16_each_edge_is_its_floor_nothing_is_lost_and_order_does_not_matter(graph: Graph, seed: int) -> None:
    pots, edges, min_edge = graph
    solved = cascade(pots, edges, min_edge)
    got = receipts(pots, solved)
    rates = {(edge.source, edge.target): edge.bp for edge in edges}
    for source, target, flow in solved.flows:
        floor = got[source] * rates[source, target] // 10_000
        assert flow == (floor if floor >= min_edge else 0)
    assert all(kept >= 0 for kept in solved.kept.values())
    assert sum(solved.kept.values()) == sum(pots.values())
    assert {(source, target): flow for source, target, flow in solved.flows} == by_rounds(pots, edges, min_edge)
    chance = random.Random(seed)  # noqa: S311 - a repeatable shuffle
    names = list(pots)
    chance.shuffle(names)
    other = cascade({name: pots[name] for name in names}, chance.sample(edges, len(edges)), min_edge)
    assert other == solved
    assert [(source, target) for source, target, _ in solved.flows] == sorted(rates)


@THOROUGH
@given(graph=graphs(), more=st.integers(1, 10**6))
def test_a16_more_receipts_never_lower_an_edge(graph: Graph, more: int) -> None:
    pots, edges, min_edge = graph
    before = cascade(pots, edges, min_edge).flows
    after = cascade({**pots, "p0": pots["p0"] + more}, edges, min_edge).flows
    assert all(new[2] >= old[2] for old, new in zip(before, after, strict=True))


@THOROUGH
@given(graph=graphs())
def test_a17_an_empty_pot_and_an_edge_of_nothing_change_nothing(graph: Graph) -> None:
    pots, edges, min_edge = graph
    more = cascade({**pots, "zz": 0}, [*edges, Edge("p0", "zz", 0), Edge("zz", "p0", 9_999)], min_edge)
    alone = cascade(pots, edges, min_edge)
    assert more.kept == {**alone.kept, "zz": 0}
    assert [flow for flow in more.flows if "zz" not in flow] == alone.flows


def test_a_small_edge_counts_nothing_until_it_reaches_the_smallest() -> None:
    edges = [Edge("a", "b", 1000), Edge("b", "c", 1000)]
    assert cascade({"a": 9_999, "b": 0, "c": 0}, edges, 100).flows == [("a", "b", 999), ("b", "c", 0)]
    assert cascade({"a": 10_000, "b": 0, "c": 0}, edges, 100).flows == [("a", "b", 1000), ("b", "c", 100)]


def test_lagged_takes_each_edge_from_the_same_base() -> None:
    assert lagged(69_000, [("lib", 1000), ("app", 333)], 100) == {"lib": 6900, "app": 2297}
    assert lagged(999, [("lib", 1000)], 100) == {"lib": 0}
    assert lagged(1000, [("lib", 1000)], 100) == {"lib": 100}
    assert lagged(0, []) == {}


@pytest.mark.parametrize(
    ("pots", "edges", "min_edge", "code", "param"),
    [
        ({"a": 1}, [Edge("a", "a", 1)], 0, "self_loop", "edges[0]"),
        ({"a": 1}, [Edge("a", "b", 1)], 0, "unknown_pot", "edges[0][1]"),
        ({"b": 1}, [Edge("a", "b", 1)], 0, "unknown_pot", "edges[0][0]"),
        ({"a": 1, "b": 1}, [Edge("a", "b", 1), Edge("a", "b", 2)], 0, "duplicate_edge", "edges[1]"),
        ({"a": 1, "b": 1}, [Edge("a", "b", 10_000)], 0, "edges_above_whole", "edges[0]"),
        ({"a": 1, "b": 1, "c": 1}, [Edge("a", "b", 5000), Edge("a", "c", 5000)], 0, "edges_above_whole", "edges[1]"),
        ({"a": 1, "b": 1}, [Edge("a", "b", -1)], 0, "negative", "edges[0][2]"),
        ({"a": 1, "b": 1}, [Edge("a", "b", 1.5)], 0, "not_whole", "edges[0][2]"),  # type: ignore[arg-type]
        ({"a": -1}, [], 0, "negative", "pots.a"),
        ({"a": True}, [], 0, "not_whole", "pots.a"),
        ({"": 1}, [], 0, "bad_identifier", "pots"),
        ({"a": 1}, [Edge(["a"], "a", 1)], 0, "bad_identifier", "edges[0][0]"),  # type: ignore[arg-type]
        ({"a": 1}, [], -1, "negative", "min_edge"),
    ],
)
def test_bad_graphs_are_refused(pots: dict[str, int], edges: list[Edge], min_edge: int, code: str, param: str) -> None:
    with pytest.raises(AllocationError) as refused:
        cascade(pots, edges, min_edge)
    assert (refused.value.code, refused.value.param) == (code, param)


@pytest.mark.parametrize(
    ("base", "edges", "code", "param"),
    [
        (-1, [], "negative", "base"), (1, [("a", 1), ("a", 2)], "duplicate_edge", "edges[1]"),
        (1, [("", 1)], "bad_identifier", "edges[0][0]"), (1, [("a", -1)], "negative", "edges[0][1]"),
        (1, [("a", 6000), ("b", 4001)], "edges_above_whole", "edges"),
    ],
)  # fmt: skip
def test_bad_lagged_edges_are_refused(base: int, edges: list[tuple[str, int]], code: str, param: str) -> None:
    with pytest.raises(AllocationError) as refused:
        lagged(base, edges)
    assert (refused.value.code, refused.value.param) == (code, param)
