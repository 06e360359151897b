"""The trace: its whole shape on a small case, its one text and digest, and what a meeting puts in it."""

import json
from typing import Any

import pytest

from backend.allocation.closing import arbitrate, compute
from backend.allocation.kernel import AllocationError
from backend.allocation.rebuild import rebuild, verify
from backend.allocation.trace import canonical_json, digest, sha256
from tests.allocation.closings import PERIOD, POT, cents, closing, line, per_contribution, purse, tiers

CHARTER = tiers({"rule": "weighted", "kinds": ["development"]}, bounds={"ceiling": 5000})
INPUTS: dict[str, Any] = {
    "purses": [purse(10_000)],
    "lines": [
        line("c2", "ana", declared=90, validated=60, rank=2),
        line("c1", "ana", declared=60, validated=60, rank=1),
        line("c3", "bo", declared=60, validated=60, validators=2, claim=500),
        line("c4", "cy", kind="review", declared=60, validated=60),
    ],
    "counted": {},
    "history": [],
    "owed": {"bo": 5},
}


def made() -> dict[str, Any]:
    context = {"charter": {"id": "cha_1", "version": 2}, "currency": "EUR"}
    return compute(CHARTER, INPUTS, pot=POT, period=PERIOD, context=context)


def shown(contribution: str, declared: int, rank: int, **facts: Any) -> dict[str, Any]:
    """A line of a step as the trace shows it."""
    weighed = {"coef": 1000, "decay": 1_000_000, "claim": 0, "rank": rank, "weight": 60 * 10**9}
    own = {"contribution": contribution, "kind": "development", "declared": declared, "validated": 60, "validators": 1}
    return {**own, **weighed, **facts}


def test_the_whole_trace_of_a_small_closing() -> None:
    trace = made()
    result = trace.pop("result_sha256")
    assert result == digest(trace) == digest({**trace, "result_sha256": "anything"})
    nobody = {"counted": 0, "floor": 0, "ceiling": 5000, "ceiling_reason": "fixed", "claim": 0}
    unrounded = {"remainder_rank": None, "tie_hash": None, "extra_cent": 0}
    assert trace == {
        "engine": "tronc-allocation/2",
        "charter": {"id": "cha_1", "version": 2, "sha256": sha256(CHARTER), "document": CHARTER},
        "pot": "pot-7",
        "period": "2025-Q1",
        "currency": "EUR",
        "snapshot_sha256": sha256(INPUTS),
        "inputs": INPUTS,
        "seed": "pot-7|2025-Q1",
        "waterfall": [
            {"step": "receipts", "amount": 0, "count": 0},
            {"step": "fees", "amount": 0},
            {"step": "upstream_in", "amount": 0},
            {"step": "base", "amount": 0},
            {"step": "reserve", "base": 0, "rate_bp": 0, "amount": 0, "target": None, "balance": 0},
            {"step": "carried", "amount": 10_000},
            {"step": "to_share", "amount": 10_000},
        ],
        "steps": [
            {
                "id": "t0",
                "seed": "pot-7|2025-Q1|t0",
                "rule": "weighted",
                "purse": "pot-7",
                "tier": "t0",
                "in": 10_000,
                "theta": [1, 12_000_000],
                "unit": "minutes",
                "frozen_low": [],
                "frozen_high": ["ana"],
                "unspent": 0,
                "missing_cents": 0,
                "flags": [],
                "persons": [
                    {
                        "id": "ana",
                        "lines": [shown("c1", 60, 1), shown("c2", 90, 2)],
                        "weight": 120 * 10**9,
                        "rank": 1,
                        "exact": [5000, 1],
                        "base": 5000,
                        "cents": 5000,
                        "per_line_cents": [2500, 2500],
                        **nobody,
                        **unrounded,
                    },
                    {
                        "id": "bo",
                        "lines": [shown("c3", 60, 0, validators=2, claim=500)],
                        "weight": 60 * 10**9,
                        "rank": 0,
                        "exact": [5000, 1],
                        "base": 5000,
                        "cents": 5000,
                        "per_line_cents": [5000],
                        **nobody,
                        **unrounded,
                    },
                ],
            }
        ],
        "moves": [],
        "purses": [{"id": "pot-7", "held": 10_000, "shared": 10_000, "moved_out": 0, "moved_in": 0, "left": 0}],
        "persons": [
            {
                "id": "ana",
                "claim": 0,
                "cents": 5000,
                "by_purse": {"pot-7": 5000},
                "per_contribution": {"c1": 2500, "c2": 2500},
            },
            {"id": "bo", "claim": 500, "cents": 5000, "by_purse": {"pot-7": 5000}, "per_contribution": {"c3": 5000}},
            {"id": "cy", "claim": 0, "cents": 0, "by_purse": {}, "per_contribution": {"c4": 0}},
        ],
        "settle": [
            {"person": "ana", "before": 0, "credited": 5000, "paid": 5000, "carried": 0, "reason": None},
            {"person": "bo", "before": 5, "credited": 5000, "paid": 5005, "carried": 0, "reason": None},
            {"person": "cy", "before": 0, "credited": 0, "paid": 0, "carried": 0, "reason": None},
        ],
        "arbitration": None,
        "totals": {"sources": {"held": 10_000}, "uses": {"shares": 10_000, "upstream": 0, "reserve": 0, "left": 0}},
    }
    assert json.loads(canonical_json(trace)) == trace


def test_the_canonical_text_sorts_keys_and_leaves_letters_as_they_are() -> None:
    assert canonical_json({"é": [1, None], "a": True}) == '{"a":true,"é":[1,null]}'
    # The digest that anybody computes with another tool: printf '{"a":1}' | sha256sum
    assert sha256({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def agreed(trace: dict[str, Any], *changes: tuple[str, str, int]) -> dict[str, Any]:
    rows = [dict(zip(("person", "purse", "agreed"), one, strict=True), confirmed_on="2025-04-02") for one in changes]
    return arbitrate(trace, reason="Meeting of 1 April", entered_by="usr_s", changes=rows)


def test_a_meeting_replaces_amounts_and_the_steps_keep_what_was_computed() -> None:
    trace = made()
    other = agreed(trace, ("cy", POT, 1000), ("ana", POT, 3999))
    assert verify(other)
    assert rebuild(other) == cents(other) == {"ana": 3999, "bo": 5000, "cy": 1000}
    assert sorted(per_contribution(other).values()) == [1000, 1999, 2000, 5000]
    assert other["steps"] == trace["steps"]
    assert other["purses"] == [{"id": POT, "held": 10_000, "shared": 9999, "moved_out": 0, "moved_in": 0, "left": 1}]
    assert other["totals"]["uses"] == {"shares": 9999, "upstream": 0, "reserve": 0, "left": 1}
    assert other["arbitration"] == {
        "reason": "Meeting of 1 April",
        "entered_by": "usr_s",
        "changes": [
            {"person": "ana", "purse": POT, "computed": 5000, "agreed": 3999, "confirmed_on": "2025-04-02"},
            {"person": "cy", "purse": POT, "computed": 0, "agreed": 1000, "confirmed_on": "2025-04-02"},
        ],
    }
    assert other["result_sha256"] not in (trace["result_sha256"], agreed(trace, ("cy", POT, 0))["result_sha256"])
    # A second arbitration starts again from what was computed.
    assert agreed(other, ("cy", POT, 0))["persons"] == trace["persons"]


def test_money_of_an_envelope_stays_in_it_when_a_meeting_decides() -> None:
    frozen = {"purses": [purse(100), purse(60, "bud_a", POT)], "lines": [line("c1", "ana", claim=500)]}
    trace = closing(tiers({"rule": "claims_pro"}), frozen)
    with pytest.raises(AllocationError, match="bud_a has 60 to share"):
        agreed(trace, ("ana", "bud_a", 61), ("ana", POT, 0))
    assert cents(agreed(trace, ("ana", "bud_a", 50), ("ana", POT, 99))) == {"ana": 149}


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ([("zoe", POT, 1)], "unknown_person", "changes[0].person"),
        ([("ana", POT, 1), ("ana", "bud_x", 1)], "unknown_purse", "changes[1].purse"),
        ([("ana", POT, 1), ("ana", POT, 2)], "given_twice", "changes[1]"),
        ([("ana", POT, -1)], "too_small", "changes[0].agreed"),
        ([("ana", POT, 5001)], "above_the_money", "changes"),
    ],
)
def test_a_meeting_cannot_go_beyond_the_people_the_purses_or_the_money(
    changes: list[tuple[str, str, int]], code: str, param: str
) -> None:
    with pytest.raises(AllocationError) as refused:
        agreed(made(), *changes)
    assert (refused.value.code, refused.value.param) == (code, param)


def test_an_arbitration_says_why_and_by_whom() -> None:
    for param, reason, entered_by in (("reason", "", "usr_s"), ("entered_by", "Meeting", "")):
        with pytest.raises(AllocationError) as refused:
            arbitrate(made(), reason=reason, entered_by=entered_by, changes=[])
        assert refused.value.param == param
