"""The trace: its shape, the cents rebuilt from it alone, and each edit of it refused."""

import copy
import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.allocation.rules import RULES, Line, distribute
from backend.allocation.trace import BadContext, TraceMismatch, canonical_json, digest, rebuild, trace, verify

SEED = "pot-7|2025-Q1|general"
LINES = [Line("ctb_1", "ana", 4000), Line("ctb_2", "ana", 3000), Line("ctb_3", "bo", 8000), Line("ctb_4", "cy", 0)]
# Seven equal requests and two cents to give: the hash decides, and the rank is per person.
TIED = [Line(f"ctb_{number}", f"m{number}", 10_000) for number in range(1, 8)]


def made(amount: int = 10_000, lines: list[Line] = LINES) -> dict[str, Any]:
    return trace(distribute("claims_pro", amount, lines, SEED), context={"pot": "pot-7", "period": "2025-Q1"})


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The same trace with its digest made right again, as a forger would."""
    return {**value, "result_sha256": digest(value)}


def test_the_whole_trace_of_a_small_distribution() -> None:
    assert made() == {
        "engine": "tronc-allocation/1",
        "pot": "pot-7",
        "period": "2025-Q1",
        "steps": [
            {
                "id": "general",
                "rule": "claims_pro",
                "seed": SEED,
                "in": 10_000,
                "theta": [2, 3],
                "frozen_low": [],
                "frozen_high": [],
                "unspent": 0,
                "missing_cents": 1,
                "flags": [],
                "persons": [
                    {
                        "id": "ana",
                        "lines": [
                            {"contribution": "ctb_1", "claim": 4000},
                            {"contribution": "ctb_2", "claim": 3000},
                        ],
                        "weight": 7000,
                        "already": 0,
                        "floor": 0,
                        "ceiling": 7000,
                        "claim": 7000,
                        "exact": [14_000, 3],
                        "base": 4666,
                        "remainder_rank": 1,
                        "tie_hash": None,
                        "extra_cent": 1,
                        "cents": 4667,
                        "per_line_cents": [2667, 2000],
                    },
                    {
                        "id": "bo",
                        "lines": [{"contribution": "ctb_3", "claim": 8000}],
                        "weight": 8000,
                        "already": 0,
                        "floor": 0,
                        "ceiling": 8000,
                        "claim": 8000,
                        "exact": [16_000, 3],
                        "base": 5333,
                        "remainder_rank": 2,
                        "tie_hash": None,
                        "extra_cent": 0,
                        "cents": 5333,
                        "per_line_cents": [5333],
                    },
                    {
                        "id": "cy",
                        "lines": [{"contribution": "ctb_4", "claim": 0}],
                        "weight": 0,
                        "already": 0,
                        "floor": 0,
                        "ceiling": 0,
                        "claim": 0,
                        "exact": [0, 1],
                        "base": 0,
                        "remainder_rank": None,
                        "tie_hash": None,
                        "extra_cent": 0,
                        "cents": 0,
                        "per_line_cents": [0],
                    },
                ],
            }
        ],
        "totals": {"sources": {"in": 10_000}, "uses": {"shares": 10_000, "unspent": 0}},
        "result_sha256": "4aee5adf8735ea46019ddfb24506aa2ebe933498204c3282f41a7fcd0da501bb",
    }


def test_the_digest_is_of_sorted_compact_json_in_utf8() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == '{"a":"é","b":[1,null]}'
    assert digest({"a": "é", "result_sha256": "ignored"}) == (
        "b3a092a6af48807fa9482b2ee140105575daa26d5b24b3c0e60a7e2dee6683b1"  # printf '{"a":"é"}' | sha256sum
    )


def test_a_tie_is_in_the_trace_with_its_hash() -> None:
    persons = made(8500, TIED)["steps"][0]["persons"]
    assert [(p["id"], p["remainder_rank"], p["tie_hash"][:6], p["extra_cent"]) for p in persons] == [
        ("m1", 7, "ccff09", 0),
        ("m2", 3, "817582", 0),
        ("m3", 1, "369b7e", 1),
        ("m4", 5, "9fa652", 0),
        ("m5", 6, "b5e52a", 0),
        ("m6", 2, "7e99f0", 1),
        ("m7", 4, "85083b", 0),
    ]


@pytest.mark.parametrize("rule", sorted(RULES))
@settings(max_examples=120, derandomize=True, deadline=None, database=None)
@given(
    amount=st.integers(0, 100) | st.integers(0, 10**8),
    found=st.lists(
        st.tuples(st.integers(0, 7), st.sampled_from([0, 100, 10_000]) | st.integers(0, 10**7)), max_size=12
    ),
)
def test_every_cent_is_rebuilt_from_the_trace_alone(rule: str, amount: int, found: list[tuple[int, int]]) -> None:
    lines = [Line(f"ctb_{number:02}", f"per_{person}", claim) for number, (person, claim) in enumerate(found)]
    result = distribute(rule, amount, lines, SEED)
    stored = json.loads(json.dumps(trace(result)))
    assert stored == trace(result)
    assert rebuild(stored) == {share.person: share.cents for share in result.shares}
    assert verify(stored) is True


def test_rebuild_reads_the_exact_shares_and_not_the_cents() -> None:
    value = made()
    for person in value["steps"][0]["persons"]:
        person["cents"] = person["base"] = person["extra_cent"] = 99
    assert rebuild(value) == {"ana": 4667, "bo": 5333, "cy": 0}


def test_rebuild_refuses_shares_that_are_not_whole_together() -> None:
    value = made()
    value["steps"][0]["persons"][0]["exact"] = [14_001, 3]
    with pytest.raises(TraceMismatch, match="add up to 30001/3, which is not a whole number"):
        rebuild(value)


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def edited(value: dict[str, Any], path: tuple[str | int, ...], change: object) -> dict[str, Any]:
    copied = copy.deepcopy(value)
    spot: Any = copied
    for key in path[:-1]:
        spot = spot[key]
    old = spot[path[-1]]
    spot[path[-1]] = change(old) if callable(change) else change
    return copied


# Names are inputs, and so is a seed that no tie looked at: another one gives another trace, not a false one.
FREE = {("pot",), ("period",), ("result_sha256",)}
NAMES = {"id", "contribution"}
FORGERIES = [
    pytest.param(amount, lines, path, id=f"{name}: {'.'.join(map(str, path))}")
    for name, amount, lines in (("short", 10_000, LINES), ("tied", 8500, TIED), ("enough", 20_000, LINES))
    for path in leaves(made(amount, lines))
    if path not in FREE and path[-1] not in NAMES and not (path[-1] == "seed" and name != "tied")
]


def wrong(old: object) -> object:
    if isinstance(old, int):
        return old + 1
    if isinstance(old, list):
        return ["ana"]
    return f"{old}x" if isinstance(old, str) else 1


@pytest.mark.parametrize(("amount", "lines", "path"), FORGERIES)
def test_no_figure_can_be_changed_alone_even_with_the_digest_made_right(
    amount: int, lines: list[Line], path: tuple[str | int, ...]
) -> None:
    forged = sealed(edited(made(amount, lines), path, wrong))
    with pytest.raises(TraceMismatch):
        verify(forged)


@pytest.mark.parametrize("path", [("pot",), ("steps", 0, "id"), ("steps", 0, "persons", 0, "lines", 0, "contribution")])
def test_what_the_figures_do_not_depend_on_is_held_by_the_digest(path: tuple[str | int, ...]) -> None:
    with pytest.raises(TraceMismatch, match="result_sha256"):
        verify(edited(made(), path, "ctb_0"))


def test_a_cent_moved_between_two_people_is_refused() -> None:
    value = made()
    ana, bo, _ = value["steps"][0]["persons"]
    ana.update(extra_cent=0, cents=4666, per_line_cents=[2666, 2000])
    bo.update(extra_cent=1, cents=5334, per_line_cents=[5334])
    with pytest.raises(TraceMismatch, match=r"steps\[0\]\.ana\.extra_cent: the trace says 0, the computation gives 1"):
        verify(sealed(value))


def test_figures_that_only_look_equal_are_refused() -> None:
    for path, change in ((("steps", 0, "persons", 0, "extra_cent"), True), (("steps", 0, "unspent"), 0.0)):
        with pytest.raises(TraceMismatch):
            verify(sealed(edited(made(), path, change)))
    one = made(1, [Line("ctb_1", "ana", 1)])
    with pytest.raises(TraceMismatch, match="a claim is not a whole number"):
        verify(sealed(edited(one, ("steps", 0, "persons", 0, "lines", 0, "claim"), True)))
    with pytest.raises(TraceMismatch, match=r"\.in is not a whole number"):
        verify(sealed(edited(edited(one, ("steps", 0, "in"), True), ("totals", "sources", "in"), True)))


def test_money_hidden_as_unspent_is_refused_even_if_the_totals_agree() -> None:
    value = edited(made(), ("steps", 0, "unspent"), 500)
    value["totals"]["uses"]["unspent"] = 500
    with pytest.raises(TraceMismatch, match=r"\.unspent: the trace says 500, the computation gives 0"):
        verify(sealed(value))


@pytest.mark.parametrize(
    ("path", "change", "text"),
    [
        (("steps", 0, "persons", 3), {}, "malformed"),
        (("steps",), [], "malformed"),
        (("steps",), None, "malformed"),
        (("steps", 0, "theta"), [1, 0], "theta"),
        (("steps", 0, "persons", 0, "exact"), "x", "exact"),
        (("steps", 0, "in"), -1, "not a whole number of zero or more"),
        (("steps", 0, "persons", 0, "lines", 0, "claim"), -4000, "not a whole number of zero or more"),
        (("steps", 0, "rule"), "equal", "cannot check the rule 'equal'"),
        (("engine",), "other/9", "engine"),
    ],
)
def test_a_malformed_trace_is_one_clear_refusal(path: tuple[str | int, ...], change: object, text: str) -> None:
    value = made()
    value["steps"][0]["persons"].append({"id": "zoe"})
    if path != ("steps", 0, "persons", 3):
        value["steps"][0]["persons"].pop()
    with pytest.raises(TraceMismatch, match=text):
        verify(sealed(edited(value, path, change)))


def test_people_and_contributions_appear_once_and_in_order() -> None:
    value = made()
    value["steps"][0]["persons"].reverse()
    with pytest.raises(TraceMismatch, match="in order of id and once each"):
        verify(sealed(value))
    value = made()
    value["steps"][0]["persons"][0]["lines"].reverse()
    value["steps"][0]["persons"][0]["per_line_cents"].reverse()
    with pytest.raises(TraceMismatch, match="lines, in order of id"):
        verify(sealed(value))
    with pytest.raises(TraceMismatch, match="a contribution appears twice"):
        verify(sealed(edited(made(), ("steps", 0, "persons", 1, "lines", 0, "contribution"), "ctb_1")))


def test_a_trace_without_steps_rebuilds_to_nobody_and_without_the_key_is_refused() -> None:
    assert rebuild({"steps": []}) == {}
    with pytest.raises(TraceMismatch, match="incomplete or malformed"):
        rebuild({})


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({"steps": []}, "rename steps"),
        ({"rate": 0.5}, "whole numbers only: 0.5"),
        ({"rate": float("nan")}, "plain JSON with whole numbers only"),
        ({"share": Fraction(1, 2)}, "plain JSON with whole numbers only"),
        ({"pair": (1, 2)}, "come back unchanged"),
        ({"names": {1: "a"}}, "come back unchanged"),
    ],
)
def test_a_context_that_json_would_change_is_refused(context: dict[str, Any], text: str) -> None:
    with pytest.raises(BadContext, match=text):
        trace(distribute("claims_pro", 10_000, LINES, SEED), context=context)
