"""The kernel against the definition of FILL and HAMILTON on random cases, on both its paths, and its details."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.allocation.kernel import AllocationError, Columns, fill, frozen, hamilton, rounding, split, tie_hash

SEED = "pot-7|2025-Q1|general"
QUICK = settings(max_examples=300, derandomize=True, deadline=None, database=None)

small = st.integers(0, 12) | st.integers(0, 10**9)


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, Columns]:
    """An amount that covers the floors, and columns whose floors are at most the ceilings."""
    rows = draw(st.lists(st.tuples(small, st.integers(-40, 40) | st.integers(-(10**9), 10**9), small, small)))
    one_sided = draw(st.booleans())
    weights = [row[0] for row in rows]
    counted = [0 if one_sided else row[1] for row in rows]
    floors = [0 if one_sided else row[2] for row in rows]
    ceilings = [low + row[3] for low, row in zip(floors, rows, strict=True)]
    return sum(floors) + draw(small), Columns(weights, counted, floors, ceilings)


def clamped(theta: Fraction, columns: Columns) -> list[Fraction]:
    """The definition, word for word."""
    return [
        Fraction(low) if weight == 0 else min(Fraction(high), max(Fraction(low), theta * weight - before))
        for weight, before, low, high in zip(*columns[:4], strict=True)
    ]


@QUICK
@given(case=cases(), max_passes=st.sampled_from([0, 1, 2, 128]))
def test_fill_is_its_definition_whatever_the_path(case: tuple[int, Columns], max_passes: int) -> None:
    amount, columns = case
    weights, _, floors, ceilings, _ = columns
    filled = fill(amount, columns, max_passes=max_passes)
    assert filled == fill(amount, columns)
    shares = [Fraction(one, filled.denominator) for one in filled.numerators]
    most = sum(high if weight else low for weight, low, high in zip(weights, floors, ceilings, strict=True))
    assert sum(shares) == min(amount, most)
    if filled.theta is None:
        assert not any(weights)
        assert shares == floors
    else:
        theta = Fraction(*filled.theta)
        assert (theta.numerator, theta.denominator) == filled.theta
        assert shares == clamped(theta, columns)


@QUICK
@given(case=cases())
def test_frozen_names_those_whose_bound_changed_something(case: tuple[int, Columns]) -> None:
    amount, columns = case
    ids = [f"m{number}" for number in range(len(columns.weights))]
    filled = fill(amount, columns)
    low, high = frozen(columns, ids, filled.theta)
    for position, identifier in enumerate(ids):
        weight, before = columns.weights[position], columns.counted[position]
        free = Fraction(*filled.theta) * weight - before if filled.theta and weight else None
        share = Fraction(filled.numerators[position], filled.denominator)
        assert (identifier in low) == (free is not None and share > free)
        assert (identifier in high) == (free is not None and share < free)


@pytest.mark.parametrize(
    ("amount", "columns", "theta", "numerators"),
    [
        pytest.param(10, Columns([], [], [], []), None, [], id="nobody"),
        pytest.param(10, Columns([0, 0], [0, 5], [4, 6], [9, 9]), None, [4, 6], id="nobody with weight"),
        pytest.param(9, Columns([2, 4], [0, 0], [0, 0], [9, 9]), (3, 2), [6, 12], id="free"),
        pytest.param(9, Columns([1, 1], [0, 0], [0, 0], [2, 7]), (7, 1), [2, 7], id="all at the ceiling, to the cent"),
        pytest.param(99, Columns([1, 1], [0, 0], [0, 0], [2, 7]), (7, 1), [2, 7], id="all at the ceiling"),
        pytest.param(5, Columns([1, 2], [0, 0], [2, 3], [9, 9]), (3, 2), [4, 6], id="all at the floor"),
        pytest.param(5, Columns([1, 1], [0, 0], [1, 0], [1, 4]), (4, 1), [1, 4], id="floor and ceiling the same"),
        pytest.param(5, Columns([1, 1], [9, 0], [0, 0], [9, 9]), (5, 1), [0, 5], id="one was overpaid"),
        pytest.param(2, Columns([1, 1], [-9, -3], [0, 0], [9, 9]), (-7, 1), [2, 0], id="theta below zero"),
        pytest.param(6, Columns([3, 0], [0, -9], [0, 2], [9, 9]), (4, 3), [12, 6], id="no weight gives the floor"),
    ],
)
def test_theta_is_published_in_lowest_terms(
    amount: int, columns: Columns, theta: tuple[int, int] | None, numerators: list[int]
) -> None:
    filled = fill(amount, columns)
    assert (filled.theta, filled.numerators) == (theta, numerators)
    assert fill(amount, columns, max_passes=0) == filled


def test_pass_after_pass_may_be_needed_and_the_breakpoints_agree() -> None:
    """Ceilings 2, 4, 8, … under weights 4, 16, 64, …: each pass frees money that caps only the next one."""
    size = 40
    columns = Columns([4**n for n in range(size)], [0] * size, [0] * size, [2**n for n in range(size)])
    amount = 2**size - 2
    assert fill(amount, columns, max_passes=1) == fill(amount, columns)
    assert sum(fill(amount, columns).numerators) == amount * fill(amount, columns).denominator


# HAMILTON


def naive(numerators: list[int], denominator: int, entitlements: list[int], ids: list[str]) -> list[int]:
    """Largest remainder with everybody sorted and everybody hashed."""
    order = sorted(
        range(len(ids)),
        key=lambda at: (-(numerators[at] % denominator), -entitlements[at], tie_hash(SEED, ids[at])),
    )
    cents = [one // denominator for one in numerators]
    for at in order[: sum(numerators) // denominator - sum(cents)]:
        cents[at] += 1
    return cents


@QUICK
@given(
    numerators=st.lists(st.integers(0, 40) | st.integers(0, 10**12), min_size=1, max_size=30),
    denominator=st.integers(1, 30) | st.integers(1, 10**9),
    entitlements=st.lists(st.integers(0, 2), min_size=30, max_size=30),
)
def test_largest_remainder_is_the_naive_one_and_its_account_agrees(
    numerators: list[int], denominator: int, entitlements: list[int]
) -> None:
    numerators[0] += -sum(numerators) % denominator
    ids = [f"m{number}" for number in range(len(numerators))]
    entitlements = entitlements[: len(ids)]
    cents = hamilton(numerators, denominator, entitlements, ids, SEED)
    assert cents == naive(numerators, denominator, entitlements, ids)
    account = rounding(numerators, denominator, entitlements, ids, SEED)
    assert [base + extra for base, extra, _, _ in account] == cents
    for numerator, identifier, (base, _, rank, digest) in zip(numerators, ids, account, strict=True):
        assert base == numerator // denominator
        assert (rank is None) == (numerator % denominator == 0)
        assert digest in (None, tie_hash(SEED, identifier))


def test_equal_remainders_go_by_the_smaller_hash_of_seed_and_id() -> None:
    """The order published with the vectors; the first bytes of SHA-256 of `pot-7|2025-Q1|general|m1` to `…|m7`."""
    ids = [f"m{number}" for number in range(1, 8)]
    account = rounding([85] * 7, 7, [100] * 7, ids, SEED)
    assert [(digest or "")[:6] for _, _, _, digest in account] == [
        "ccff09", "817582", "369b7e", "9fa652", "b5e52a", "7e99f0", "85083b",
    ]  # fmt: skip
    assert [rank for _, _, rank, _ in account] == [7, 3, 1, 5, 6, 2, 4]
    assert [extra for _, extra, _, _ in account] == [0, 0, 1, 0, 0, 0, 0]


def test_equal_remainders_go_to_the_larger_entitlement_before_any_hash() -> None:
    assert hamilton([3, 5], 2, [10, 11], ["m3", "m1"], SEED) == [1, 3]
    assert rounding([3, 5], 2, [10, 11], ["m3", "m1"], SEED) == [(1, 0, 2, None), (2, 1, 1, None)]


def test_a_tie_that_no_cent_depends_on_is_not_hashed_and_shares_its_rank() -> None:
    account = rounding([1, 1, 1, 7], 10, [1, 1, 1, 7], ["m1", "m2", "m3", "m4"], SEED)
    assert account == [(0, 0, 2, None), (0, 0, 2, None), (0, 0, 2, None), (0, 1, 1, None)]


def test_only_the_tie_at_the_threshold_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def counting(seed: str, identifier: str) -> str:
        hashed.append(identifier)
        return tie_hash(seed, identifier)

    monkeypatch.setattr("backend.allocation.kernel.tie_hash", counting)
    ids = [f"m{number}" for number in range(8)]
    assert hamilton([9, 9, 5, 5, 5, 5, 1, 1], 10, [1, 1, 2, 1, 1, 1, 1, 1], ids, SEED) == [1, 1, 1, 1, 0, 0, 0, 0]
    assert hashed == ["m3", "m4", "m5"]


def test_shares_that_do_not_add_up_to_whole_cents_are_refused() -> None:
    with pytest.raises(AllocationError) as refused:
        hamilton([1, 1], 3, [1, 1], ["m1", "m2"], SEED)
    assert refused.value.code == "not_divisible"


def test_split_divides_over_weights() -> None:
    assert split(5, [("a", 1), ("b", 0), ("c", 1)], "y") == [2, 0, 3]
    assert split(5, [("a", 1), ("b", 0), ("c", 1)], "x") == [3, 0, 2]
    assert split(0, [("a", 0)], SEED) == [0]
    assert split(0, [], SEED) == []


@pytest.mark.parametrize(
    ("amount", "weights", "code", "param"),
    [
        (1, [("a", 0)], "not_divisible", ""), (1, [], "not_divisible", ""), (-1, [("a", 1)], "negative", "amount"),
        (1, [("a", 1), ("b", -1)], "negative", "weights[1]"), (1, [("a", 1.0)], "not_whole", "weights[0]"),
    ],
)  # fmt: skip
def test_split_refuses_what_cannot_be_divided(
    amount: int, weights: list[tuple[str, int]], code: str, param: str
) -> None:
    with pytest.raises(AllocationError) as refused:
        split(amount, weights, SEED)
    assert (refused.value.code, refused.value.param) == (code, param)
