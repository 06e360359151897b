"""The published vectors that are more than one rule on one amount (allocation.md §3), from vectors_closing.json."""

import json
from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any

import pytest

from backend.allocation.closing import compute
from backend.allocation.kernel import Person
from backend.allocation.purses import Pledge, draw_down
from backend.allocation.reading import Reader
from backend.allocation.rebuild import verify
from backend.allocation.rules import share_out
from backend.allocation.settle import settle
from backend.allocation.terms import Reserve, Upstream, read_take
from backend.allocation.waterfall import Receipts, fee, waterfall
from tests.allocation.closings import PERIOD, POT, cents, per_contribution

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "api_docs" / "guides" / "examples"
VECTORS: list[dict[str, Any]] = json.loads((HERE / "vectors_closing.json").read_text(encoding="utf-8"))
Case = dict[str, Any]


def nested(amount: int, takes: list[Case]) -> dict[str, int]:
    """Takes inside takes, as a tree of tiers."""
    found: dict[str, int] = {}
    left = amount
    for one in takes:
        taken = min(read_take(Reader(one["take"], "take")).of(amount, left), one.get("most", amount))
        left -= taken
        found |= nested(taken, one["inside"]) if "inside" in one else {one["to"]: taken}
    return found


def takes_vector(case: Case) -> None:
    assert nested(case["amount"], case["takes"]) == case["expected"]


def closing_vector(case: Case) -> None:
    trace = compute(**case["closing"], pot=POT, period=PERIOD)
    expected = case["expected"]
    assert cents(trace) == expected["persons"]
    assert {one["id"]: one["left"] for one in trace["purses"]} == expected["left"]
    if "per_contribution" in expected:
        assert per_contribution(trace) == expected["per_contribution"]
    assert verify(trace)


def edges_vector(case: Case) -> None:
    edges = [Upstream(**edge) for edge in case["edges"]]
    receipts = [Receipts("payment.received", 1, case["base"], 0)]
    found = waterfall(case["base"], receipts, edges=edges, min_edge=case["min_edge"], terms=Reserve(0, None), balance=0)
    flows = [amount for _, _, amount in found.flows]
    assert {"kept": found.to_share, "flows": flows} == case["expected"]
    if "equal" in case:
        people = [Person(f"dep{number:02}") for number in range(case["equal"]["people"])]
        shares = share_out("equal", flows[0], people, "deps|2025-Q1|general").cents
        assert {str(one): shares.count(one) for one in sorted(set(shares))} == case["equal"]["cents"]


def decay_vector(case: Case) -> None:
    each, hours = Fraction(case["decay"]["numerator"], case["decay"]["denominator"]), case["decay"]["hours"]
    assert round(each**hours * 10_000_000) == case["expected"]["ten_millionths"]


def stake_vector(case: Case) -> None:
    """E·√(r·t)/√(R·T) to the nearest cent, and what it leaves; the same square roots as weights leave nothing."""
    amount = case["amount"]
    pairs = list(zip(case["reputation"], case["stake"], strict=True))
    whole = sum(case["reputation"]) * sum(case["stake"])
    formula = [(isqrt(4 * amount**2 * one * other // whole) + 1) // 2 for one, other in pairs]
    assert formula == case["expected"]["formula"]
    assert amount - sum(formula) == case["expected"]["formula_left"]
    people = [Person(f"m{n}", weight=isqrt(one * other * 10**12)) for n, (one, other) in enumerate(pairs)]
    assert share_out("weighted", amount, people, "x").cents == case["expected"]["weighted"]
    assert sum(case["expected"]["weighted"]) == amount


def fee_vector(case: Case) -> None:
    assert sum(fee(amount, case["fee_bp"]) for amount in case["receipts"]) == case["expected"]["fees"]


def example_vector(case: Case) -> None:
    asked = json.loads((EXAMPLES / case["example"]).read_text(encoding="utf-8"))["period"]
    trace = compute(asked["charter"], asked["inputs"], **asked["seed"])
    expected = case["expected"]
    assert cents(trace) == expected["persons"]
    rows = {row["step"]: row["amount"] for row in trace["waterfall"]}
    assert {name: rows[name] for name in expected["waterfall"]} == expected["waterfall"]
    (step,) = trace["steps"]
    assert step["frozen_high"] == expected["frozen_high"]
    assert {(one["ceiling"], one["ceiling_reason"]) for one in step["persons"]} == {(expected["ceiling"], "part")}
    assert verify(trace)


def settle_vector(case: Case) -> None:
    assert [list(settle(*one)) for one in case["settle"]] == case["expected"]["settle"]


def pledges_vector(case: Case) -> None:
    assert draw_down(case["left"], [Pledge(*one) for one in case["pledges"]], "s") == case["expected"]["drawn"]


CHECKS: dict[str, Callable[[Case], None]] = {
    "takes": takes_vector,
    "closing": closing_vector,
    "edges": edges_vector,
    "decay": decay_vector,
    "stake": stake_vector,
    "fee_bp": fee_vector,
    "example": example_vector,
    "settle": settle_vector,
    "pledges": pledges_vector,
}


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: f"row {case['row']}, {case['source']}, {case['case']}")
def test_vector(case: Case) -> None:
    (check,) = [CHECKS[name] for name in CHECKS if name in case]
    check(case)
