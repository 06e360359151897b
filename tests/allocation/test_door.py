"""The public door: exact answers, and an answer for whatever is thrown at it; the command around it."""

import copy
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.allocation.door import answer

ROOT = Path(__file__).resolve().parents[2]
SEED = "pot-7|2025-Q1|general"


def asked(value: object) -> Any:
    return json.loads(answer(json.dumps(value)))


def sharing(**changes: object) -> dict[str, object]:
    people = [{"id": "ana", "claim": 6000}, {"id": "bo", "claim": 9000}]
    return {"amount": 10_000, "rule": "claims_pro", "seed": SEED, "people": people} | changes


def test_a_sharing_is_answered_with_shares_unspent_and_flags() -> None:
    line = json.dumps(sharing())
    assert answer(line) == '{"shares": {"ana": 4000, "bo": 6000}, "unspent": 0, "flags": []}'
    assert answer(line.encode()) == answer(line)


def test_every_quantity_of_a_person_is_read() -> None:
    person = {"id": "a", "weight": 1, "counted": -50, "floor": 5, "ceiling": None, "rank": 3, "claim": 70}
    others = [{"id": "b", "weight": 1, "ceiling": 20}, {"id": "c", "weight": 2, "floor": 300}]
    people = [person, *others]
    assert asked(sharing(rule="catch_up", amount=400, people=people)) == {
        "shares": {"a": 80, "b": 20, "c": 300}, "unspent": 0, "flags": [],
    }  # fmt: skip
    assert asked(sharing(rule="as_asked", amount=65, people=[*people[:1], {"id": "b", "claim": 9}])) == {
        "shares": {"a": 56, "b": 9}, "unspent": 0, "flags": [],
    }  # fmt: skip
    assert asked(sharing(rule="weighted", amount=61, people=people))["flags"] == ["FLOORS_NOT_MET"]


def test_upstream_is_answered_with_what_is_kept_and_what_flows() -> None:
    value = {"upstream": {"pots": {"a": 100_000, "b": 0}, "edges": [["b", "a", 5000], ["a", "b", 5000]]}}
    assert asked(value) == {"kept": {"a": 66_667, "b": 33_333}, "flows": [["a", "b", 66_666], ["b", "a", 33_333]]}


@pytest.mark.parametrize(
    ("value", "code", "param"),
    [
        ([], "not_object", ""), (7, "not_object", ""), (None, "not_object", ""), ({}, "missing_key", "amount"),
        (sharing(extra=1), "unknown_key", "extra"), (sharing(people={}), "not_list", "people"),
        (sharing(people=[1]), "not_object", "people[0]"), (sharing(people=[{}]), "missing_key", "people[0].id"),
        (sharing(people=[{"id": "a", "wieght": 1}]), "unknown_key", "people[0].wieght"),
        (sharing(people=[{"id": "a", "weight": 1.0}]), "not_whole", "people[0].weight"),
        (sharing(people=[{"id": "a", "weight": None}]), "not_whole", "people[0].weight"),
        (sharing(people=[{"id": "a", "claim": True}]), "not_whole", "people[0].claim"),
        (sharing(people=[{"id": "a", "claim": "1"}]), "not_whole", "people[0].claim"),
        (sharing(people=[{"id": "a", "claim": -1}]), "negative", "people[0].claim"),
        (sharing(people=[{"id": "a"}, {"id": "b", "ceiling": -1}]), "negative", "people[1].ceiling"),
        (sharing(people=[{"id": "a"}, {"id": "a"}]), "duplicate_identifier", "people[1].id"),
        (sharing(people=[{"id": "\ud800"}]), "bad_identifier", "people[0].id"),
        (sharing(people=[{"id": ["a"]}]), "bad_identifier", "people[0].id"),
        (sharing(people=[{"id": "a", "rank": 10**60}]), "too_large", "people[0].rank"),
        (sharing(amount=10**60), "too_large", "amount"), (sharing(amount=-1), "negative", "amount"),
        (sharing(amount=1e300), "not_whole", "amount"), (sharing(amount=False), "not_whole", "amount"),
        (sharing(seed=""), "bad_identifier", "seed"), (sharing(seed=5), "bad_identifier", "seed"),
        (sharing(rule="claims_max"), "unknown_rule", "rule"), (sharing(rule={}), "unknown_rule", "rule"),
        ({"upstream": []}, "not_object", "upstream"), ({"upstream": {}}, "missing_key", "upstream.pots"),
        ({"upstream": {"pots": {}, "edges": []}, "amount": 1}, "unknown_key", "amount"),
        ({"upstream": {"pots": [], "edges": []}}, "not_object", "upstream.pots"),
        ({"upstream": {"pots": {}, "edges": {}}}, "not_list", "upstream.edges"),
        ({"upstream": {"pots": {}, "edges": [["a", "b"]]}}, "not_edge", "upstream.edges[0]"),
        ({"upstream": {"pots": {}, "edges": [["a", "b", 1]]}}, "unknown_pot", "upstream.edges[0][0]"),
        ({"upstream": {"pots": {"a": 10**60}, "edges": []}}, "too_large", "upstream.pots.a"),
        ({"upstream": {"pots": {"a": 1.5}, "edges": []}}, "not_whole", "upstream.pots.a"),
        ({"period": {"charter": {}, "inputs": {}}}, "missing_key", "period.seed"),
        ({"period": {"charter": {}, "inputs": {}, "seed": {"pot": "b"}}}, "missing_key", "period.seed.period"),
        ({"period": {"charter": 1, "inputs": {}, "seed": {}}}, "not_object", "period.charter"),
        (
            {"period": {"charter": {}, "inputs": {}, "seed": {"pot": 1, "period": "p"}}},
            "bad_identifier", "period.seed.pot",
        ),
        (
            {"period": {"charter": {"x": [10**60]}, "inputs": {}, "seed": {"pot": "b", "period": "p"}}},
            "too_large", "period.charter.x[0]",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(value: object, code: str, param: str) -> None:
    error = asked(value)["error"]
    assert set(error) == {"code", "message", "param"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"].endswith(".")


BROKEN = [
    ("", "empty_line"), (" \r\n", "empty_line"), (b"\xff\xfe", "not_utf8"), ("{", "not_json"), ("{}{}", "not_json"),
    ("[" * 100_000, "too_deep"), ('{"a":' * 100_000, "too_deep"), ("NaN", "not_json"), ('{"amount": NaN}', "not_json"),
    ('{"amount": -Infinity}', "not_json"), ("9" * 5000, "not_json"), ('{"amount": 1, "amount": 1}', "duplicate_key"),
    ('{"\\ud800": 1, "\\ud800": 1}', "duplicate_key"), ('{"\\ud800": 1}', "unknown_key"), ("\x00", "not_json"),
    ("\ufeff{}", "not_json"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code"), BROKEN, ids=lambda value: repr(value)[:20])
def test_broken_lines_are_answered(line: str | bytes, code: str) -> None:
    answered = answer(line)
    assert answered.isascii()
    assert "\n" not in answered
    assert json.loads(answered)["error"]["code"] == code


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from([10**70, -(10**70)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["amount", "rule", "seed", "people", "id", "weight", "ceiling", "upstream", "pots", "edges", "a", ""]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(value=json_values, key=st.sampled_from(["amount", "rule", "seed", "people"]), wrap=st.integers(0, 3))
def test_no_value_makes_it_raise(value: object, key: str, wrap: int) -> None:
    line = [value, sharing(**{key: value}), {"upstream": value}, sharing(people=[{"id": "a", "weight": value}])][wrap]
    assert answer(json.dumps(line)).isascii()


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a document stands."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


STRANGE = [None, True, -1, 1.5, "", "x", [], {}, [1], {"a": 1}, 10**59, "\ud800", [None], [{}]]


def test_no_change_of_a_closing_makes_it_raise() -> None:
    example = json.loads((ROOT / "api_docs/guides/examples/row40.json").read_text(encoding="utf-8"))
    for path in [path for path in places(example) if len(path) > 1]:
        for value in STRANGE:
            changed = copy.deepcopy(example)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            assert set(asked(changed)) in ({"trace"}, {"error"})
    assert set(asked(example)) == {"trace"}


def test_a_million_people_fit_in_a_line() -> None:
    """Ten thousand here; the benchmark measures the million."""
    people = [{"id": f"per_{number:07}", "weight": number % 97 + 1} for number in range(10_000)]
    answered = asked(sharing(rule="weighted", amount=123_456_789, people=people))
    assert sum(answered["shares"].values()) == 123_456_789


def test_the_command_answers_each_line_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps(sharing()).encode(), b"\xff", b"", json.dumps(sharing(amount=0)).encode()]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(lines))))
    out = io.StringIO()
    call_command("allocate", stdout=out)
    assert out.getvalue().splitlines() == [answer(line) for line in lines]


def test_the_command_needs_no_database_and_answers_before_the_next_line() -> None:
    env = os.environ | {"DATABASE_URL": "postgresql://nobody@/nothing?host=/nowhere", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "backend.manage", "allocate"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for amount in (3, 5):
            process.stdin.write(json.dumps(sharing(amount=amount)).encode() + b"\n")
            process.stdin.flush()
            assert sum(json.loads(process.stdout.readline())["shares"].values()) == amount
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(20) == 0
