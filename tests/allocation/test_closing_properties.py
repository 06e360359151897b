"""Invariants of whole closings on random charters and inputs (allocation.md §2.6), and the checker that agrees."""

import copy
import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend.allocation.closing import arbitrate
from backend.allocation.rebuild import rebuild, verify
from tests.allocation.closings import PEOPLE, POT, cents, charters, closing, inputs, line, per_contribution, purse

THOROUGH = settings(max_examples=120, derandomize=True, deadline=None, database=None)
Json = dict[str, Any]
RESULTS = ("waterfall", "steps", "moves", "persons", "settle", "totals")


def results(trace: Json) -> Json:
    """What was computed, without the inputs as they were written and the digests over them."""
    return {name: trace[name] for name in RESULTS} | {"purses": sorted(trace["purses"], key=lambda one: one["id"])}


@THOROUGH
@given(charters(), inputs())
def test_the_checker_agrees_with_the_engine_and_a_second_run_gives_the_same_digest(charter: Json, frozen: Json) -> None:
    trace = closing(charter, frozen)
    assert verify(trace)
    assert rebuild(trace) == cents(trace)
    assert closing(copy.deepcopy(charter), copy.deepcopy(frozen)) == trace  # A13


@THOROUGH
@given(charters(), inputs())
def test_a1_sources_are_uses_in_each_purse_and_in_all_and_every_cent_of_a_person_is_somewhere(
    charter: Json, frozen: Json
) -> None:
    trace = closing(charter, frozen)
    for one in trace["purses"]:
        assert one["held"] + one["moved_in"] == one["shared"] + one["moved_out"] + one["left"]
        assert all(value >= 0 for key, value in one.items() if key != "id")
        assert one["shared"] == sum(person["by_purse"].get(one["id"], 0) for person in trace["persons"])
        for kind in ("upstream", "reserve", "release"):
            assert all(move["amount"] > 0 for move in trace["moves"] if move["kind"] == kind)
    assert trace["totals"]["sources"]["held"] == sum(trace["totals"]["uses"].values())
    rows = {row["step"]: row["amount"] for row in trace["waterfall"] if row["step"] != "upstream"}
    flows = sum(row["amount"] for row in trace["waterfall"] if row["step"] == "upstream")
    assert rows["base"] - flows - rows["reserve"] + rows["carried"] + rows.get("released", 0) == rows["to_share"]
    for step in trace["steps"]:
        assert sum(one["cents"] for one in step["persons"]) + step["unspent"] == step["in"]
        assert all(sum(one["per_line_cents"]) == one["cents"] for one in step["persons"])
    for one, settled in zip(trace["persons"], trace["settle"], strict=True):
        assert one["cents"] == sum(one["by_purse"].values()) == settled["credited"]
        assert settled["paid"] + settled["carried"] == settled["before"] + settled["credited"]


@THOROUGH
@given(charters(), inputs())
def test_a2_nobody_gets_more_than_a_bound_or_a_claim_nor_less_than_a_floor_that_could_be_met(
    charter: Json, frozen: Json
) -> None:
    trace = closing(charter, frozen)
    rules = {tier["id"]: tier["rule"] for tier in charter["tiers"]}
    outside = {tier["id"] for tier in charter["tiers"] if tier["reimburses"]}
    bounded = dict.fromkeys(PEOPLE, 0)
    claimed = dict.fromkeys(PEOPLE, 0)
    for step in trace["steps"]:
        for one in step["persons"]:
            assert one["ceiling"] is None or one["cents"] <= one["ceiling"]
            assert one["cents"] >= one["floor"] or step["flags"] == ["FLOORS_NOT_MET"]
            bounded[one["id"]] += 0 if step["tier"] in outside else one["cents"]
            if rules[step["tier"]].startswith(("claims_", "as_asked")):
                assert all(part <= its["claim"] for part, its in zip(one["per_line_cents"], one["lines"], strict=True))
                claimed[one["id"]] += one["cents"]
    ceiling = charter.get("bounds", {}).get("ceiling")
    assert ceiling is None or max(bounded.values()) <= ceiling
    asked = {one["id"]: one["claim"] for one in trace["persons"]}
    assert all(claimed[name] <= asked.get(name, 0) for name in PEOPLE)


@THOROUGH
@given(charters(), inputs(), st.integers(0, 10**6))
def test_a3_the_order_of_people_lines_receipts_purses_edges_and_earlier_work_changes_nothing(
    charter: Json, frozen: Json, pick: int
) -> None:
    before = closing(charter, frozen)
    other, terms = copy.deepcopy(frozen), copy.deepcopy(charter)
    shuffle = random.Random(pick).shuffle  # noqa: S311 - a repeatable shuffle
    below = other["purses"][1:]
    for rows in (other["lines"], other["history"], other["purses"][0]["receipts"], below, terms.get("upstream", [])):
        shuffle(rows)
    other["purses"][1:] = below
    for name in ("counted", "owed"):
        other[name] = dict(reversed(other[name].items()))
    assert results(closing(terms, other)) == results(before)


@THOROUGH
@given(charters(), inputs(), st.data())
def test_a9_cutting_a_line_in_two_moves_no_cent_of_anyone_nor_of_her_other_lines(
    charter: Json, frozen: Json, data: st.DataObject
) -> None:
    assume(frozen["lines"] and all(tier["rule"] != "as_asked" for tier in charter["tiers"]))
    before = closing(charter, frozen)
    whole = data.draw(st.sampled_from(frozen["lines"]))
    cut = {name: data.draw(st.integers(0, whole[name])) for name in ("declared", "validated", "claim")}
    parts = [{**whole, **cut}, {**whole, "contribution": "ctr_cut"} | {name: whole[name] - cut[name] for name in cut}]
    rest = [one for one in frozen["lines"] if one is not whole]
    after = closing(charter, {**frozen, "lines": rest + parts})
    assert cents(after) == cents(before)
    assert [step["unspent"] for step in after["steps"]] == [step["unspent"] for step in before["steps"]]
    alike = {one["contribution"] for one in frozen["lines"] if all(one[key] == whole[key] for key in
             ("person", "purse", "kind", "age"))}  # fmt: skip
    others = {one["contribution"] for one in rest} - alike
    assert {name: per_contribution(after)[name] for name in others} == {
        name: per_contribution(before)[name] for name in others
    }


@THOROUGH
@given(charters(), inputs())
def test_a17_someone_inactive_an_empty_purse_and_an_edge_of_zero_change_nothing(charter: Json, frozen: Json) -> None:
    before = closing(charter, frozen)
    more = copy.deepcopy(frozen)
    more["lines"].append(line("ctr_zoe", "zoe", rank=0))
    more["counted"]["zoe"], more["owed"]["zoe"] = 500, 300
    more["purses"].append(purse(0, "bud_empty", POT))
    edges = [*charter.get("upstream", []), {"to": "bud_a_zero", "bp": 0}]
    after = closing({**charter, "upstream": edges}, more)
    assert cents(after) == {**cents(before), "zoe": 0}
    assert after["moves"] == before["moves"]
    assert after["totals"] == before["totals"]
    assert [row for row in after["settle"] if row["person"] != "zoe"] == before["settle"]


@THOROUGH
@given(charters(), inputs(), st.data())
def test_what_a_meeting_agrees_within_the_money_holds_balances_and_is_checked(
    charter: Json, frozen: Json, data: st.DataObject
) -> None:
    trace = closing(charter, frozen)
    assume(trace["persons"])
    room = {one["id"]: one["shared"] + one["left"] for one in trace["purses"]}
    changes = []
    for one in trace["persons"]:
        for name, money in room.items():
            if data.draw(st.booleans()):
                free = money - sum(each["by_purse"].get(name, 0) for each in trace["persons"])
                agreed = data.draw(st.integers(0, one["by_purse"].get(name, 0) + max(0, free) // len(PEOPLE)))
                change = {"person": one["id"], "purse": name, "agreed": agreed, "confirmed_on": "2025-04-02"}
                changes.append(change)
    agreed_trace = arbitrate(trace, reason="The meeting of 1 April", entered_by="usr_s", changes=changes)
    assert verify(agreed_trace)
    assert rebuild(agreed_trace) == cents(agreed_trace)
    for change in changes:
        (one,) = [row for row in agreed_trace["persons"] if row["id"] == change["person"]]
        assert one["by_purse"].get(change["purse"], 0) == change["agreed"]
        if any(each["person"] == one["id"] for each in frozen["lines"]) and not frozen["history"]:
            assert sum(one["per_contribution"].values()) == one["cents"]
    assert agreed_trace["totals"]["sources"]["held"] == sum(agreed_trace["totals"]["uses"].values())
    assert agreed_trace["steps"] == trace["steps"]
