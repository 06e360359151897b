"""The published vectors, one test a case, and the rules' own answers: bounds, unmet floors, order, refusals."""

import json
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any

import pytest

from backend.allocation.kernel import AllocationError, Person
from backend.allocation.rules import FLOORS_NOT_MET, RULES, Result, share_out, summed
from backend.allocation.upstream import Edge, cascade

HERE = Path(__file__).parent
SEED = "pot-7|2025-Q1|general"
VECTORS: list[dict[str, Any]] = json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))
CLOSINGS = HERE / "vectors_closing.json"


def expanded(column: list[Any]) -> list[int]:
    """`{"times": n, "of": value}` written out."""
    parts = [[one["of"]] * one["times"] if isinstance(one, dict) else [one] for one in column]
    return [value for part in parts for value in part]


def people_of(case: dict[str, Any]) -> list[Person]:
    """The people of a vector, m1, m2, … unless named; a bound that is one number holds for everyone."""
    columns = {name: expanded(case[name]) for name in ("weight", "claim", "counted") if name in case}
    if "terms" in case:
        columns["weight"] = [sum(quantity * each for quantity, each in lines) for lines in case["terms"]]
    if "roots" in case:
        assert columns["weight"] == [isqrt(square) for square in case["roots"]]
    count = max(map(len, columns.values()))
    columns |= {name: [case[name]] * count for name in ("floor", "ceiling") if name in case}
    ids = case.get("ids") or [f"m{number}" for number in range(1, count + 1)]
    return [Person(ids[at], **{name: column[at] for name, column in columns.items()}) for at in range(count)]


def counts(values: list[int]) -> list[int]:
    """[value, how many, value, how many, …] in rising order."""
    return [number for value in sorted(set(values)) for number in (value, values.count(value))]


def name(case: dict[str, Any]) -> str:
    return f"{VECTORS.index(case):02} row {case['row']}, {case.get('rule', 'upstream')}, {case['source']}"


@pytest.mark.parametrize("case", [pytest.param(one, id=name(one)) for one in VECTORS if "rule" in one])
def test_published_vector(case: dict[str, Any]) -> None:
    result = share_out(case["rule"], case["amount"], people_of(case), SEED)
    cents = list(result.cents)
    if "cents" in case:
        assert cents == case["cents"]
    else:
        if "first" in case:
            assert cents.pop(0) == case["first"]
        assert counts(cents) == case["sorted"]
    assert (result.unspent, list(result.flags)) == (case.get("unspent", 0), case.get("flags", []))
    if "paid" in case:  # below the threshold nothing is given to another: it waits
        assert [cent if cent >= case["threshold"] else 0 for cent in cents] == case["paid"]


@pytest.mark.parametrize("case", [pytest.param(one, id=name(one)) for one in VECTORS if "pots" in one])
def test_published_vector_of_upstream(case: dict[str, Any]) -> None:
    assert cascade(case["pots"], [Edge(*edge) for edge in case["edges"]]).kept == case["kept"]


PEERS = [one for one in VECTORS if "peer" in one]


@pytest.mark.parametrize("case", [pytest.param(one, id=name(one)) for one in PEERS])
def test_where_we_mean_to_differ_from_the_peer(case: dict[str, Any]) -> None:
    people = people_of(case)
    ours = share_out(case["rule"], case["amount"], people, SEED)
    ((peer, theirs),) = case["peer"].items()
    if peer == "webster":
        # 490490 / 10^7 is a divisor: rounding each weight times it to the nearest spends the amount exactly.
        nearest = [(2 * one.weight * theirs + 10**7) // (2 * 10**7) for one in people]
        assert sum(nearest) == case["amount"]
        assert nearest[0] == theirs == ours.cents[0] + 490
    elif peer == "sourcecred_balanced":
        weight, before = sum(one.weight for one in people), sum(one.counted for one in people)
        due = [Fraction((case["amount"] + before) * one.weight, weight) - one.counted for one in people]
        behind = [max(Fraction(0), one) for one in due]
        shares = [case["amount"] * one / sum(behind) for one in behind]
        assert shares == [Fraction(*one) for one in theirs]
        assert [round(one) for one in shares] != ours.cents
    else:
        assert theirs != ours.cents


def rows_in(value: object) -> set[int]:
    """Every `row` of a document, however deep."""
    if isinstance(value, dict):
        own = {value["row"]} if isinstance(value.get("row"), int) else set()
        return own.union(*(rows_in(one) for one in value.values()))
    return set().union(*(rows_in(one) for one in value)) if isinstance(value, list) else set()


def test_all_forty_rows_of_vectors_are_there() -> None:
    closings = json.loads(CLOSINGS.read_text(encoding="utf-8"))
    assert rows_in(VECTORS) | rows_in(closings) == set(range(1, 41))


# What the vectors do not show


def shared(rule: str, amount: int, *people: Person) -> Result:
    return share_out(rule, amount, people, SEED)


def test_a_result_carries_its_whole_computation() -> None:
    result = shared("claims_pro", 10_000, Person("ana", claim=7000), Person("bo", claim=8000), Person("cy"))
    assert (result.cents, result.unspent, result.theta) == ([4667, 5333, 0], 0, (2, 3))
    assert (result.numerators, result.denominator) == ([14_000, 16_000, 0], 3)
    assert result.rounding() == [(4666, 1, 1, None), (5333, 0, 2, None), (0, 0, None, None)]
    assert (result.frozen_low, result.frozen_high) == ((), ())


def test_as_asked_serves_by_rank_then_id_and_the_last_in_part() -> None:
    people = [
        Person("d", claim=500, rank=2), Person("b", claim=300, rank=1), Person("a", claim=400, rank=1),
        Person("c", claim=200, rank=-1),
    ]  # fmt: skip
    result = shared("as_asked", 1000, *people)
    assert (result.cents, result.unspent, result.theta, result.denominator) == ([100, 300, 400, 200], 0, None, 1)
    assert shared("as_asked", 750, *people).cents == [0, 150, 400, 200]
    assert shared("as_asked", 2000, *people).unspent == 600
    assert result.rounding() == [(cents, 0, None, None) for cents in result.cents]


def test_as_asked_gives_every_floor_before_any_rank() -> None:
    people = [Person("a", claim=400, rank=1, ceiling=300), Person("b", claim=900, rank=2, floor=250)]
    assert shared("as_asked", 400, *people).cents == [150, 250]
    assert shared("as_asked", 650, *people).cents == [300, 350]


@pytest.mark.parametrize(
    ("rule", "amount", "expected"),
    [
        ("equal", 900, [300, 300, 300]), ("equal", 2800, [950, 900, 950]), ("weighted", 900, [200, 500, 200]),
        ("weighted", 1500, [300, 900, 300]), ("catch_up", 900, [200, 500, 200]),
        ("claims_pro", 1480, [290, 900, 290]), ("claims_pro", 700, [200, 300, 200]),
        ("claims_cea", 700, [233, 234, 233]), ("claims_cel", 700, [200, 300, 200]),
        ("claims_talmud", 900, [250, 400, 250]), ("claims_talmud", 1100, [250, 600, 250]),
        ("as_asked", 900, [300, 400, 200]),
    ],
)  # fmt: skip
def test_floors_and_ceilings_hold_in_every_rule(rule: str, amount: int, expected: list[int]) -> None:
    """a and c have a floor of 200, b a ceiling of 900 and by far the largest weight and claim."""
    people = [
        Person("a", weight=1, claim=500 if rule == "claims_talmud" else 300, floor=200),
        Person("b", weight=3, claim=1000, ceiling=900),
        Person("c", weight=1, claim=500 if rule == "claims_talmud" else 300, floor=200),
    ]
    assert sum(expected) == amount
    assert shared(rule, amount, *people).cents == expected


@pytest.mark.parametrize("rule", sorted(RULES))
def test_unmet_floors_are_levelled_whatever_the_rule(rule: str) -> None:
    people = [Person("a", 9, 900, floor=100), Person("b", 1, 800, floor=500), Person("c", 1, 700, floor=500)]
    result = shared(rule, 700, *people)
    assert (result.cents, result.unspent, result.flags) == ([100, 300, 300], 0, (FLOORS_NOT_MET,))
    assert (result.theta, result.frozen_high) == ((300, 1), ("a",))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_floor_above_a_ceiling_counts_as_the_ceiling(rule: str) -> None:
    result = shared(rule, 1000, Person("a", 1, 600, floor=400, ceiling=50), Person("b", 1, 2000))
    assert (result.cents, result.flags) == ([50, 950], ())


@pytest.mark.parametrize("rule", sorted(RULES))
def test_nobody_and_nothing(rule: str) -> None:
    assert (shared(rule, 70).cents, shared(rule, 70).unspent) == ([], 70)
    nothing = shared(rule, 0, Person("a", 1, 600), Person("b", 1, 600))
    assert (nothing.cents, nothing.unspent) == ([0, 0], 0)


@pytest.mark.parametrize("rule", ["claims_pro", "claims_cea", "claims_cel", "claims_talmud", "as_asked"])
def test_enough_money_meets_every_claim_and_the_rest_stays(rule: str) -> None:
    result = shared(rule, 1000, Person("a", claim=301), Person("b", claim=498), Person("c"))
    assert (result.cents, result.unspent) == ([301, 498, 0], 201)


def test_theta_of_the_loss_rules_is_minus_the_common_loss() -> None:
    claims = [Person("m1", claim=10_000), Person("m2", claim=20_000), Person("m3", claim=30_000)]
    assert shared("claims_cel", 30_000, *claims).theta == (-10_000, 1)
    assert shared("claims_talmud", 50_000, *claims).theta == (-10_000, 3)
    assert shared("claims_talmud", 10_000, *claims).theta == (10_000, 3)
    assert shared("claims_talmud", 20_000, *claims).frozen_high == ("m1",)
    assert shared("claims_talmud", 40_000, *claims).frozen_low == ("m1",)


def test_half_cents_of_the_talmud_are_exact() -> None:
    result = shared("claims_talmud", 4, Person("m1", claim=1), Person("m2", claim=7))
    assert [Fraction(one, result.denominator) for one in result.numerators] == [Fraction(1, 2), Fraction(7, 2)]
    assert result.cents == [0, 4]


def test_whoever_was_overpaid_gives_nothing_back_and_a_debt_is_paid_first() -> None:
    people = [Person("a", 1, counted=1000), Person("b", 1), Person("c", 1, counted=-300)]
    assert shared("catch_up", 200, *people).cents == [0, 0, 200]
    assert shared("catch_up", 500, *people).cents == [0, 100, 400]


def test_a_tie_goes_to_the_larger_entitlement_of_the_rule() -> None:
    """Remainders of one half each; with `equal` the weights are not looked at and the hash decides."""
    people = [Person("m1", weight=3, claim=3), Person("m3", weight=1, claim=1)]
    assert shared("weighted", 2, *people).cents == [2, 0]
    assert shared("equal", 3, *people).cents == [1, 2]
    assert shared("claims_pro", 2, *people).cents == [2, 0]


def test_whoever_asks_nothing_takes_no_part() -> None:
    result = shared("claims_cea", 12, Person("a", claim=8), Person("idle"), Person("b", claim=10))
    assert (result.cents, result.frozen_low, result.frozen_high) == ([6, 0, 6], (), ())


def test_lines_are_summed_by_person() -> None:
    assert summed([("ana", 3), ("bo", 4), ("ana", 5)]) == {"ana": 8, "bo": 4}


@pytest.mark.parametrize(
    ("rule", "amount", "people", "seed", "code", "param"),
    [
        ("claims_max", 1, [], SEED, "unknown_rule", "rule"),
        (["equal"], 1, [], SEED, "unknown_rule", "rule"),
        ("equal", -1, [], SEED, "negative", "amount"),
        ("equal", 1.0, [], SEED, "not_whole", "amount"),
        ("equal", True, [], SEED, "not_whole", "amount"),
        ("equal", 1, [], "", "bad_identifier", "seed"),
        ("equal", 1, [], "\udfff", "bad_identifier", "seed"),
        ("equal", 1, [Person("a"), Person("")], SEED, "bad_identifier", "people[1].id"),
        ("equal", 1, [Person("a"), Person("\udfff")], SEED, "bad_identifier", "people[1].id"),
        ("equal", 1, [Person(7)], SEED, "bad_identifier", "people[0].id"),
        ("equal", 1, [Person("a"), Person("b"), Person("a")], SEED, "duplicate_identifier", "people[2].id"),
        ("equal", 1, [Person("a"), Person("b", weight=-5)], SEED, "negative", "people[1].weight"),
        ("equal", 1, [Person("a", weight=True)], SEED, "not_whole", "people[0].weight"),
        ("equal", 1, [Person("a", claim=0.5)], SEED, "not_whole", "people[0].claim"),
        ("equal", 1, [Person("a", counted=None)], SEED, "not_whole", "people[0].counted"),
        ("equal", 1, [Person("a", floor=-1)], SEED, "negative", "people[0].floor"),
        ("equal", 1, [Person("a"), Person("b", ceiling=-1)], SEED, "negative", "people[1].ceiling"),
        ("equal", 1, [Person("a"), Person("b", ceiling="1")], SEED, "not_whole", "people[1].ceiling"),
        ("equal", 1, [Person("a", rank="first")], SEED, "not_whole", "people[0].rank"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_its_code_and_place(
    *, rule: Any, amount: Any, people: Any, seed: str, code: str, param: str
) -> None:
    with pytest.raises(AllocationError) as refused:
        share_out(rule, amount, people, seed)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert isinstance(refused.value, ValueError)
