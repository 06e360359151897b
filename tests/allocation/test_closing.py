"""Tiers, purses, bounds and claims of a closing, each on a small case worked out by hand."""

from typing import Any

import pytest

from backend.allocation.closing import arbitrate, counted_by, median
from backend.allocation.inputs import Purse
from backend.allocation.kernel import AllocationError
from backend.allocation.purses import Pledge, below, draw_down, in_order
from backend.allocation.rebuild import verify
from backend.allocation.terms import Terms
from tests.allocation.closings import POT, cents, closing, line, per_contribution, purse, tiers


def shared(charter: dict[str, Any], lines: list[dict[str, Any]], *held: Any, **inputs: Any) -> dict[str, Any]:
    """The verified trace of lines on a general purse with `held` minor units, or on the purses given."""
    purses = [purse(held[0])] if isinstance(held[0], int) else list(held)
    trace = closing(charter, {"purses": purses, "lines": lines, **inputs})
    assert verify(trace)
    return trace


def amounts(trace: dict[str, Any]) -> list[tuple[str, int, int]]:
    """(step, in, unspent) in order."""
    return [(step["id"], step["in"], step["unspent"]) for step in trace["steps"]]


def row(trace: dict[str, Any], step: str, person: str) -> dict[str, Any]:
    (found,) = [one for each in trace["steps"] if each["id"] == step for one in each["persons"] if one["id"] == person]
    return dict(found)


def left(trace: dict[str, Any]) -> dict[str, int]:
    return {one["id"]: one["left"] for one in trace["purses"]}


def hours(contribution: str, person: str, number: int, **facts: Any) -> dict[str, Any]:
    return line(contribution, person, validated=number * 60, declared=number * 60, **facts)


def test_a_tier_takes_of_the_whole_of_the_left_or_cents_never_more_than_is_left_and_its_unspent_falls_on() -> None:
    takes = [{"bp": 3333, "of": "whole"}, {"cents": 200}, {"bp": 5000, "of": "left"}, {"cents": 9999}]
    charter = tiers(
        *({"rule": "claims_pro", "kinds": [kind], "take": take} for kind, take in zip("abcd", takes, strict=True))
    )
    work = [
        line(f"c_{kind}", kind, kind=kind, claim=claim) for kind, claim in zip("abcd", [100, 500, 500, 50], strict=True)
    ]
    trace = shared(charter, work, 1001)
    # 3333 bp of 1001 is 333 (333.63 cut); a asks 100, so 901 is left; half of 701 is 350; the last takes 351 at most.
    assert amounts(trace) == [("t0", 333, 233), ("t1", 200, 0), ("t2", 350, 0), ("t3", 351, 301)]
    assert cents(trace) == {"a": 100, "b": 200, "c": 350, "d": 50}
    assert left(trace) == {POT: 301}


def test_a_part_of_the_whole_is_never_more_than_what_is_left() -> None:
    most = {"rule": "equal", "take": {"bp": 6000, "of": "whole"}}
    assert amounts(shared(tiers(most, most), [hours("c1", "ana", 1)], 100)) == [("t0", 60, 0), ("t1", 40, 0)]


def test_expenses_are_reimbursed_first_outside_ceilings_then_the_rest_is_shared_by_weight() -> None:
    charter = tiers(
        {"rule": "claims_pro", "kinds": ["expense"], "reimburses": True},
        {"rule": "weighted"},
        kinds={"development": 1000, "expense": 1000},
        bounds={"ceiling": 600, "floor": 100},
    )
    trace = shared(
        charter, [line("c1", "ana", kind="expense", claim=500), hours("c2", "ana", 9), hours("c3", "bo", 1)], 1500
    )
    assert cents(trace) == {"ana": 1100, "bo": 400}
    assert row(trace, "t0", "ana")["ceiling_reason"] == "claim"
    assert row(trace, "t1", "ana")["ceiling_reason"] == "fixed"
    assert trace["steps"][1]["frozen_high"] == ["ana"]
    assert counted_by(trace) == {"ana": 600, "bo": 400}


def test_equal_is_for_whoever_worked_an_expense_or_a_line_of_nothing_is_no_work() -> None:
    charter = tiers(
        {"rule": "claims_pro", "kinds": ["expense"], "reimburses": True, "take": {"cents": 100}}, {"rule": "equal"}
    )
    work = [
        line("c1", "ana", kind="expense", claim=100),
        hours("c2", "bo", 1),
        line("c3", "cy"),
        line("c4", "di", claim=5),
    ]
    trace = shared(charter, work, 1100)
    assert cents(trace) == {"ana": 100, "bo": 500, "cy": 0, "di": 500}
    assert per_contribution(trace) == {"c1": 100, "c2": 500, "c3": 0, "c4": 500}


@pytest.mark.parametrize(
    ("bounds", "reason", "ceiling"),
    [
        ({"ceiling": 300, "ceiling_bp": 5000, "hourly_cap": 900}, "fixed", 300),
        ({"ceiling": 600, "ceiling_bp": 2999, "hourly_cap": 900}, "part", 299),
        ({"ceiling": 600, "ceiling_bp": 5000, "hourly_cap": 333}, "hourly", 249),
        ({"ceiling": 300, "ceiling_bp": 3000, "hourly_cap": 400}, "fixed", 300),
        ({}, None, None),
    ],
)
def test_the_lowest_bound_is_the_ceiling_and_says_why(
    bounds: dict[str, int], reason: str | None, ceiling: int | None
) -> None:
    work = [line("c1", "ana", validated=45), line("c2", "bo", validated=60)]
    trace = shared(tiers({"rule": "weighted"}, bounds=bounds), work, 1000)
    found = row(trace, "t0", "ana")
    assert (found["ceiling_reason"], found["ceiling"]) == (reason, ceiling)
    assert found["cents"] == min(429, 1000 if ceiling is None else ceiling)


def test_bounds_are_of_a_persons_total_over_tiers_and_purses() -> None:
    charter = tiers(
        {"rule": "equal", "take": {"cents": 400}}, {"rule": "weighted"}, bounds={"ceiling": 500, "floor": 250}
    )
    purses = [purse(2000), purse(400, "bud_a", POT)]
    trace = shared(charter, [hours("c1", "ana", 3, purse="bud_a"), hours("c2", "bo", 1)], *purses)
    # The envelope's first tier gives ana 400; 100 are left to her ceiling, and nothing of her floor.
    assert [(one["cents"], one["floor"], one["ceiling"]) for step in trace["steps"] for one in step["persons"]] == [
        (400, 250, 500),
        (0, 0, 100),
        (100, 0, 100),
        (300, 250, 500),
        (0, 0, 0),
        (200, 0, 200),
    ]
    assert cents(trace) == {"ana": 500, "bo": 500}
    assert left(trace) == {POT: 1400, "bud_a": 0}


@pytest.mark.parametrize("bounds", [{"ceiling": 500}, {"ceiling_bp": 6250}, {"hourly_cap": 500}])
def test_each_ceiling_is_lowered_by_what_earlier_tiers_gave(bounds: dict[str, int]) -> None:
    charter = tiers({"rule": "equal", "take": {"cents": 400}}, {"rule": "weighted"}, bounds=bounds)
    trace = shared(charter, [hours("c1", "ana", 1)], 800)
    assert [row(trace, step, "ana")["ceiling"] for step in ("t0", "t1")] == [500, 100]
    assert cents(trace) == {"ana": 500}


def test_floors_are_for_those_who_worked_and_say_when_they_are_not_met() -> None:
    charter = tiers({"rule": "weighted"}, bounds={"floor": 300})
    work = [hours("c1", "ana", 9), hours("c2", "bo", 1), line("c3", "cy")]
    assert cents(shared(charter, work, 1000)) == {"ana": 700, "bo": 300, "cy": 0}
    short = shared(charter, work, 501)
    assert sorted(cents(short).values()) == [0, 250, 251]
    assert short["steps"][0]["flags"] == ["FLOORS_NOT_MET"]


def test_as_asked_serves_requests_in_order_and_keeps_to_a_persons_ceiling() -> None:
    charter = tiers({"rule": "as_asked"}, bounds={"ceiling": 500, "floor": 300})
    work = [
        line("c9", "ana", claim=400, rank=1),
        line("c2", "bo", claim=300, rank=2),
        line("c3", "ana", claim=400, rank=3),
        line("c5", "cy", claim=400, rank=4),
        line("c4", "di", claim=400, rank=4),
    ]
    trace = shared(charter, work, 1300)
    # ana's third request meets her ceiling; c4 goes before c5 at the same rank; the last is served in part.
    assert per_contribution(trace) == {"c9": 400, "c2": 300, "c3": 100, "c4": 400, "c5": 100}
    assert row(trace, "t0", "ana")["per_line_cents"] == [100, 400]
    assert row(trace, "t0", "cy")["floor"] == 0


def test_a_claim_is_never_paid_twice_across_tiers_and_purses() -> None:
    charter = tiers({"rule": "claims_pro", "take": {"bp": 5000, "of": "whole"}}, {"rule": "claims_cea"})
    purses = [purse(1000), purse(100, "bud_b", "bud_a"), purse(200, "bud_a", POT)]
    work = [line("c1", "ana", claim=250, purse="bud_b"), line("c2", "bo", claim=700)]
    trace = shared(charter, work, *purses)
    # 50 + 50 in bud_b, 100 + 50 in bud_a: ana has her 250, 50 stay; then bo alone asks.
    assert amounts(trace) == [
        ("bud_b/t0", 50, 0),
        ("bud_b/t1", 50, 0),
        ("bud_a/t0", 100, 0),
        ("bud_a/t1", 100, 50),
        ("t0", 500, 0),
        ("t1", 500, 300),
    ]
    assert [row(trace, step["id"], "ana")["claim"] for step in trace["steps"]] == [250, 200, 150, 50, 0, 0]
    assert cents(trace) == {"ana": 250, "bo": 700}
    assert left(trace) == {POT: 300, "bud_b": 0, "bud_a": 50}


def test_claims_are_cut_at_the_money_only_where_the_charter_says() -> None:
    work = [line("c1", "ana", claim=3000), line("c2", "bo", claim=3000), line("c3", "cy", claim=300_000)]
    assert cents(shared(tiers({"rule": "claims_pro"}), work, 6000)) == {"ana": 59, "bo": 59, "cy": 5882}
    cut = tiers({"rule": "claims_pro"}, cut_claims_at_pot=True)
    assert cents(shared(cut, work, 6000)) == {"ana": 1500, "bo": 1500, "cy": 3000}


def test_what_an_envelope_leaves_is_held_or_released_to_its_parent_before_the_parent_shares() -> None:
    work = [line("c1", "ana", claim=100, purse="bud_a"), line("c2", "bo", claim=900)]
    purses = [purse(300), purse(400, "bud_a", POT)]
    held = shared(tiers({"rule": "claims_pro"}), work, *purses)
    assert (cents(held), left(held)) == ({"ana": 100, "bo": 300}, {POT: 0, "bud_a": 300})
    assert held["moves"] == []
    released = shared(tiers({"rule": "claims_pro"}, earmarks={"leftover": "release"}), work, *purses)
    assert cents(released) == {"ana": 100, "bo": 600}
    assert released["moves"] == [{"kind": "release", "from": "bud_a", "to": POT, "amount": 300}]
    assert released["waterfall"][-2:] == [{"step": "released", "amount": 300}, {"step": "to_share", "amount": 600}]
    assert released["purses"] == [
        {"id": POT, "held": 300, "shared": 600, "moved_out": 0, "moved_in": 300, "left": 0},
        {"id": "bud_a", "held": 400, "shared": 100, "moved_out": 300, "moved_in": 0, "left": 0},
    ]


def test_an_offset_counts_once_in_the_last_tier_by_weights_and_runs_as_catch_up() -> None:
    charter = tiers({"rule": "equal", "take": {"cents": 200}}, {"rule": "weighted"}, earmarks={"weights": "offset"})
    purses = [purse(800), purse(400, "bud_a", POT)]
    work = [hours("c1", "ana", 1, purse="bud_a"), hours("c2", "bo", 1)]
    trace = shared(charter, work, *purses)
    assert [step["rule"] for step in trace["steps"]] == ["equal", "weighted", "equal", "catch_up"]
    assert [row(trace, "t0", "ana")["cents"], row(trace, "t1", "ana")["cents"]] == [100, 100]
    assert row(trace, "t1", "ana")["counted"] == 400
    assert cents(trace) == {"ana": 600, "bo": 600}


def test_an_offset_is_never_for_a_tier_that_reimburses() -> None:
    terms = Terms.read(tiers({"rule": "weighted"}, {"rule": "claims_pro"}, {"rule": "equal", "reimburses": True}))
    assert terms.last_by_weights() == terms.tiers[0]
    assert Terms.read(tiers({"rule": "claims_pro"})).last_by_weights() is None


def test_weights_are_minutes_by_coefficient_by_decay_and_history_counts_where_the_charter_decays() -> None:
    work = [hours("c1", "ana", 2), hours("c2", "bo", 1, kind="review"), hours("c3", "bo", 3, kind="unlisted")]
    past = [
        {"person": "cy", "kind": "review", "minutes": 120, "age": 1},
        {"person": "cy", "kind": "review", "minutes": 60, "age": 9},
    ]
    charter = tiers({"rule": "weighted"}, kinds={"development": 1000, "review": 1500})
    plain = shared(charter, work, 3500, history=past)
    assert cents(plain) == {"ana": 2000, "bo": 1500}
    found = row(plain, "t0", "bo")
    assert (found["weight"], [one["coef"] for one in found["lines"]]) == (60 * 1500 * 10**6, [1500, 0])
    assert found["per_line_cents"] == [1500, 0]
    decayed = shared({**charter, "decay_ppm": [1_000_000, 500_000]}, work, 5000, history=past)
    assert cents(decayed) == {"ana": 2000, "bo": 1500, "cy": 1500}
    assert [one["contribution"] for one in row(decayed, "t0", "cy")["lines"]] == [
        "history:review:1",
        "history:review:9",
    ]
    assert decayed["persons"][2]["per_contribution"] == {}


def test_catch_up_over_two_closings_is_catch_up_in_one() -> None:
    charter = tiers({"rule": "equal", "take": {"bp": 2000, "of": "whole"}}, {"rule": "catch_up"})
    work = [hours("c1", "ana", 30), hours("c2", "bo", 10)]
    first = shared(charter, work, 1001)
    past = [{"person": one["person"], "kind": one["kind"], "minutes": one["validated"], "age": 1} for one in work]
    second = shared(charter, [hours("c3", "bo", 20)], 2000, history=past, counted=counted_by(first))
    assert cents(first) == {"ana": 751, "bo": 250}
    both = {name: counted_by(first).get(name, 0) + cents(second)[name] for name in ("ana", "bo")}
    # 60 hours in all, half each: 1500.50 and 1500.50.
    assert sorted(both.values()) == [1500, 1501]


def test_counted_leaves_out_earmarked_pay_unless_it_is_offset() -> None:
    purses = [purse(100), purse(40, "bud_a", POT)]
    work = [hours("c1", "ana", 1, purse="bud_a")]
    for mode, counted in [("add", {"ana": 100}), ("offset", {"ana": 140}), ("exclude", {})]:
        trace = shared(tiers({"rule": "weighted"}, earmarks={"weights": mode}), work, *purses)
        assert counted_by(trace) == counted


def test_earlier_work_and_pay_count_in_the_general_purse_alone_and_are_summed() -> None:
    past = [{"person": "bo", "kind": "development", "minutes": 30, "age": 1}] * 2
    work = [hours("c1", "ana", 1, purse="bud_a"), hours("c2", "bo", 1, purse="bud_a")]
    purses = [purse(300), purse(100, "bud_a", POT)]
    trace = shared(tiers({"rule": "catch_up"}), work, *purses, history=past, counted={"bo": 60})
    assert [row(trace, "bud_a/t0", name)["cents"] for name in ("ana", "bo")] == [50, 50]
    # ana 1 h, bo 2 h and 60 paid before: a third of 360 each hour.
    assert [row(trace, "t0", name)["cents"] for name in ("ana", "bo")] == [120, 180]


def test_exclude_is_about_weights_a_claim_of_an_envelope_is_still_served_by_its_parent() -> None:
    charter = tiers({"rule": "claims_pro"}, earmarks={"weights": "exclude"})
    trace = shared(charter, [line("c1", "ana", claim=100, purse="bud_a")], purse(80), purse(30, "bud_a", POT))
    assert cents(trace) == {"ana": 100}


def test_a_part_of_the_pot_is_a_part_of_all_its_purses() -> None:
    charter = tiers({"rule": "weighted"}, bounds={"ceiling_bp": 5000})
    trace = shared(charter, [hours("c1", "ana", 1, purse="bud_a")], purse(0), purse(200, "bud_a", POT))
    assert cents(trace) == {"ana": 100}


def test_counted_takes_what_a_meeting_agreed() -> None:
    trace = shared(tiers({"rule": "weighted"}), [hours("c1", "ana", 1)], 100)
    change = {"person": "ana", "purse": POT, "agreed": 70, "confirmed_on": "2025-04-02"}
    assert counted_by(arbitrate(trace, reason="Meeting", entered_by="usr_s", changes=[change])) == {"ana": 70}


def test_the_low_median() -> None:
    assert [median(found) for found in ([5], [9, 1], [3, 1, 2], [4, 1, 3, 2])] == [5, 1, 2, 2]
    with pytest.raises(AllocationError, match="no quantity"):
        median([])


def test_purses_go_from_leaves_to_root_siblings_by_id() -> None:
    tree = [("r", None), ("b", "r"), ("a", "r"), ("b2", "b"), ("b1", "b"), ("a1", "a")]
    purses = [Purse(name, parent, 0, 0, ()) for name, parent in tree]
    assert [one.id for one in in_order(purses)] == ["a1", "a", "b1", "b2", "b", "r"]
    assert below(purses) == {
        "a1": ("a1",),
        "a": ("a", "a1"),
        "b1": ("b1",),
        "b2": ("b2",),
        "b": ("b", "b1", "b2"),
        "r": ("r", "a", "a1", "b", "b1", "b2"),
    }


def test_pledges_are_drawn_down_within_what_they_have() -> None:
    pledges = [Pledge("a", 1000, 900), Pledge("b", 1000), Pledge("c", 500, 500)]
    assert draw_down(0, pledges, "s") == {"a": 100, "b": 1000, "c": 0}
    assert draw_down(1100, pledges, "s") == {"a": 0, "b": 0, "c": 0}
    assert draw_down(200, pledges, "s") == {"a": 0, "b": 900, "c": 0}
    for left_over in (1101, -1):
        with pytest.raises(AllocationError) as refused:
            draw_down(left_over, pledges, "s")
        assert refused.value.code == "not_covered"
