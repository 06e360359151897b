"""What a closing refuses: charters and inputs that cannot be computed, and what is no plain JSON, with the path."""

from typing import Any

import pytest

from backend.allocation.closing import compute
from backend.allocation.kernel import AllocationError
from tests.allocation.closings import PERIOD, POT, closing, line, purse, tiers

CHARTER = tiers({"rule": "weighted"})
INPUTS: dict[str, Any] = {"purses": [purse(100)], "lines": [line("c1", "ana", validated=60)]}


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"format": 2}, "too_large", "format"),
        ({"tiers": []}, "no_tier", "tiers"),
        ({"tiers": {}}, "not_a_list", "tiers"),
        ({"tiers": [{"rule": "weighted"}]}, "missing_value", "tiers[0].id"),
        ({"tiers": [{"id": "a", "rule": "best"}]}, "unknown_choice", "tiers[0].rule"),
        ({"tiers": [{"id": "a", "rule": "equal"}, {"id": "a", "rule": "equal"}]}, "given_twice", "tiers[1].id"),
        ({"tiers": [{"id": "a", "rule": "equal", "take": {"bp": 1}}]}, "unknown_choice", "tiers[0].take"),
        ({"tiers": [{"id": "a", "rule": "equal", "take": {"rest": False}}]}, "unknown_choice", "tiers[0].take.rest"),
        (
            {"tiers": [{"id": "a", "rule": "equal", "take": {"bp": 10_001, "of": "left"}}]},
            "too_large",
            "tiers[0].take.bp",
        ),
        ({"tiers": [{"id": "a", "rule": "equal", "reimburses": 1}]}, "not_a_flag", "tiers[0].reimburses"),
        ({"kinds": {"development": 1.5}}, "not_whole", "kinds.development"),
        ({"kinds": {"development": True}}, "not_whole", "kinds.development"),
        ({"decay_ppm": []}, "no_decay", "decay_ppm"),
        ({"decay_ppm": [1_000_001]}, "too_large", "decay_ppm[0]"),
        ({"bounds": {"ceiling": -1}}, "too_small", "bounds.ceiling"),
        ({"bounds": None}, "not_an_object", "bounds"),
        ({"upstream": [{"to": "b", "bp": 3000}, {"to": "c", "bp": 2001}]}, "too_large", "upstream"),
        ({"upstream": [{"to": "b", "bp": 1}, {"to": "b", "bp": 2}]}, "given_twice", "upstream[1].to"),
        ({"upstream": [{"to": "", "bp": 1}]}, "not_a_text", "upstream[0].to"),
        ({"earmarks": {"weights": "mix"}}, "unknown_choice", "earmarks.weights"),
    ],
)
def test_a_charter_that_cannot_be_computed_is_refused_with_its_path(change: Any, code: str, param: str) -> None:
    with pytest.raises(AllocationError) as refused:
        closing({**CHARTER, **change}, INPUTS)
    assert (refused.value.code, refused.value.param) == (code, param)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"purses": []}, "no_general_purse", "purses"),
        ({"purses": [purse(1, POT, "bud_a")]}, "no_general_purse", "purses"),
        ({"purses": [purse(1), purse(1)]}, "given_twice", "purses[1].id"),
        ({"purses": [purse(1), purse(1, "bud_a")]}, "not_in_the_tree", "purses[1].parent"),
        ({"purses": [purse(1), purse(1, "a", "b"), purse(1, "b", "a")]}, "not_in_the_tree", "purses[1].parent"),
        ({"purses": [purse(-1)]}, "too_small", "purses[0].held"),
        (
            {"purses": [purse(1), purse(1, "a", POT, receipts=[{"kind": "payment.received", "gross": 1}])]},
            "not_the_general_purse",
            "purses[1].receipts",
        ),
        ({"lines": [line("c1", "ana", purse="bud_x")]}, "unknown_purse", "lines[0].purse"),
        ({"lines": [line("c1", "ana"), line("c1", "bo")]}, "given_twice", "lines[1].contribution"),
        ({"lines": [line("c1", "ana", validated="60")]}, "not_whole", "lines[0].validated"),
        ({"lines": [line("c1", "ana", validated=10**30)]}, "too_large", "lines[0].validated"),
        ({"counted": {"ana": -(10**30)}}, "too_small", "counted.ana"),
        ({"lines": [line("c1", "ana", note="\ud800")]}, "not_json", "inputs"),
        ({"lines": [line("history:x:1", "ana")]}, "reserved_name", "lines[0].contribution"),
        ({"lines": [line("c1", "\ud800")]}, "not_a_text", "lines[0].person"),
        ({"lines": [7]}, "not_an_object", "lines[0]"),
        ({"history": [{"person": "ana", "kind": "x", "minutes": 1, "age": 0}]}, "too_small", "history[0].age"),
        ({"counted": {"ana": None}}, "not_whole", "counted.ana"),
        ({"owed": {"ana": -1}}, "too_small", "owed.ana"),
    ],
)
def test_inputs_that_cannot_be_computed_are_refused_with_their_path(change: Any, code: str, param: str) -> None:
    with pytest.raises(AllocationError) as refused:
        closing(CHARTER, {**INPUTS, **change})
    assert (refused.value.code, refused.value.param) == (code, param)


def beside(**context: Any) -> dict[str, Any]:
    return compute(CHARTER, INPUTS, pot=POT, period=PERIOD, context=context)


def test_what_is_stored_beside_must_be_plain_json_and_never_replaces_the_computation() -> None:
    trace = beside(currency="EUR", charter={"id": "cha_1", "version": 3}, totals="mine", note=["x"])
    assert (trace["currency"], trace["note"], trace["totals"]["uses"]["shares"]) == ("EUR", ["x"], 100)
    assert (trace["charter"]["id"], trace["charter"]["version"]) == ("cha_1", 3)
    assert trace["charter"]["document"] == CHARTER
    deep: list[Any] = []
    for _ in range(10**5):
        deep = [deep]
    for bad in (0.5, (1, 2), {1: 2}, {1}, float("nan"), "\ud800", 10**5000, deep):
        with pytest.raises(AllocationError) as refused:
            beside(note=bad)
        assert refused.value.code == "not_json"
    with pytest.raises(AllocationError, match="pot must be a text"):
        compute(CHARTER, INPUTS, pot="", period=PERIOD)
