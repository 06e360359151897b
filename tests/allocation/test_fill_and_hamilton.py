"""The kernel against published vectors, with exact values, and against the definition of FILL on random cases."""

from fractions import Fraction
from math import isqrt
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.allocation.kernel import (
    FLOORS_NOT_MET,
    AllocationError,
    BadBounds,
    BadIdentifier,
    DuplicateIdentifier,
    ExactShare,
    FillResult,
    NegativeQuantity,
    NotDivisible,
    NotWhole,
    Person,
    fill,
    hamilton,
    split,
)

SEED = "pot-7|2025-Q1|general"
QUICK = settings(max_examples=120, derandomize=True, deadline=None, database=None)


def cents(result: FillResult) -> list[int]:
    exact = [
        ExactShare(person.id, numerator, person.entitlement)
        for person, numerator in zip(result.persons, result.numerators, strict=True)
    ]
    return [share.cents for share in hamilton(exact, result.denominator, SEED)]


def weights(*values: int, ceiling: int | None = None, already: tuple[int, ...] = ()) -> list[Person]:
    before = already or (0,) * len(values)
    return [
        Person(f"m{number}", weight, already=paid, ceiling=ceiling)
        for number, (weight, paid) in enumerate(zip(values, before, strict=True), 1)
    ]


def ceilings(*values: int) -> list[Person]:
    """Equal weights under each claim: uniform gains."""
    return [Person(f"m{number}", 1, ceiling=claim, claim=claim) for number, claim in enumerate(values, 1)]


def rounded(amount: int, *values: int) -> list[int]:
    return [share.cents for share in split(amount, [(f"m{n}", value) for n, value in enumerate(values, 1)], SEED)]


# HAMILTON


@pytest.mark.parametrize(
    ("amount", "given", "expected"),
    [
        pytest.param(10, (6, 6, 2), [4, 4, 2], id="row 7, ten units"),
        pytest.param(11, (6, 6, 2), [5, 5, 1], id="row 7, eleven: the third loses one, and must"),
        pytest.param(323, (5670, 3850, 420, 60), [183, 124, 14, 2], id="row 8, 323"),
        pytest.param(324, (5670, 3850, 420, 60), [184, 125, 13, 2], id="row 8, 324"),
        pytest.param(49, (3, 7, 90), [2, 3, 44], id="row 9, 49"),
        pytest.param(51, (3, 7, 90), [1, 4, 46], id="row 9, 51"),
        pytest.param(100, (23527, 5548, 70925), [23, 6, 71], id="row 10, before"),
        pytest.param(100, (23926, 5648, 71110), [24, 5, 71], id="row 10, after"),
        pytest.param(15, (80, 8, 12), [12, 1, 2], id="row 23, 15 at 80/8/12"),
        pytest.param(15, (80, 15, 5), [12, 2, 1], id="row 23, 15 at 80/15/5"),
        pytest.param(77, (10, 20, 70), [8, 15, 54], id="row 23, 77 at 10/20/70"),
        pytest.param(0, (1, 1), [0, 0], id="nothing to divide"),
        pytest.param(0, (0, 0), [0, 0], id="nothing to divide and no weight"),
    ],
)
def test_largest_remainder(amount: int, given: tuple[int, ...], expected: list[int]) -> None:
    assert rounded(amount, *given) == expected


def test_one_large_weight_keeps_its_exact_share_among_a_thousand_small_ones() -> None:
    """Row 11: a divisor method would give 4904.90 here, 490 cents too many."""
    shares = rounded(490_490, 10_000_000, *[10] * 1000)
    assert shares[0] == 490_000
    assert sorted(shares[1:]) == [0] * 510 + [1] * 490


def test_equal_remainders_go_by_the_smaller_hash_of_seed_and_id() -> None:
    """Row 14 and the order of m1..m7 published with the vectors."""
    shares = split(85, [(f"m{number}", 100) for number in range(1, 8)], SEED)
    assert [share.cents for share in shares] == [12, 12, 13, 12, 12, 12, 12]
    assert [(share.tie_hash or "")[:6] for share in shares] == [
        "ccff09", "817582", "369b7e", "9fa652", "b5e52a", "7e99f0", "85083b",
    ]  # fmt: skip
    assert [share.remainder_rank for share in shares] == [7, 3, 1, 5, 6, 2, 4]


def test_another_seed_gives_the_cent_to_another() -> None:
    names = [("m1", 1), ("m2", 1)]
    assert [share.cents for share in split(1, names, SEED)] == [0, 1]
    assert [share.cents for share in split(1, names, "pot-7|2025-Q3|general")] == [1, 0]


def test_equal_remainders_go_to_the_larger_entitlement_before_any_hash() -> None:
    shares = hamilton([ExactShare("m3", 3, 10), ExactShare("m1", 5, 11)], 2, SEED)
    assert [(share.base, share.extra_cent, share.remainder_rank, share.tie_hash) for share in shares] == [
        (1, 0, 2, None),
        (2, 1, 1, None),
    ]


def test_a_tie_that_no_cent_depends_on_is_not_hashed_and_shares_its_rank() -> None:
    shares = hamilton([ExactShare(name, 1, 1) for name in ("m1", "m2", "m3")] + [ExactShare("m4", 7, 7)], 10, SEED)
    assert [(share.cents, share.remainder_rank, share.tie_hash) for share in shares] == [
        (0, 2, None),
        (0, 2, None),
        (0, 2, None),
        (1, 1, None),
    ]


def test_shares_that_are_not_whole_together_are_refused() -> None:
    with pytest.raises(NotDivisible, match="must add up to whole cents"):
        hamilton([ExactShare("m1", 1, 1)], 2, SEED)


def test_money_without_any_weight_is_refused() -> None:
    with pytest.raises(NotDivisible, match="give at least one positive weight"):
        split(5, [("m1", 0)], SEED)
    with pytest.raises(NegativeQuantity, match="The amount must be zero or more, not -5"):
        split(-5, [("m1", 1)], SEED)
    with pytest.raises(NegativeQuantity, match="The weight of m1 must be zero or more"):
        split(5, [("m1", -1)], SEED)


# FILL, in minor units unless the row says units


@pytest.mark.parametrize(
    ("amount", "persons", "expected", "unspent"),
    [
        pytest.param(10_000, ceilings(10_000, 20_000, 30_000), [3333, 3333, 3334], 0, id="row 3, CEA 100"),
        pytest.param(20_000, ceilings(10_000, 20_000, 30_000), [6666, 6667, 6667], 0, id="row 3, CEA 200"),
        pytest.param(30_000, ceilings(10_000, 20_000, 30_000), [10_000] * 3, 0, id="row 3, CEA 300"),
        pytest.param(1000, ceilings(200, 400, 700, 800), [200, 266, 267, 267], 0, id="row 6, CEA"),
        pytest.param(4002, weights(2000, 1), [4000, 2], 0, id="row 15, weighted"),
        pytest.param(900, ceilings(5000, 200, 325), [375, 200, 325], 0, id="row 16, first"),
        pytest.param(900, ceilings(100, 300, 301), [100, 300, 301], 199, id="row 16, second"),
        pytest.param(600, weights(2, 2, already=(300, 0)), [150, 450], 0, id="row 18, first"),
        pytest.param(400, weights(1, 3, 1, already=(75, 225, 0)), [65, 195, 140], 0, id="row 18, second"),
        pytest.param(2, weights(1, 1), [1, 1], 0, id="row 19, two units"),
        pytest.param(1, weights(1, 100), [0, 1], 0, id="row 19, one unit"),
        pytest.param(100, weights(797_040_149_321_774_580, 2_107_628_113_409_388_110), [27, 73], 0, id="row 20, first"),
        pytest.param(100, weights(13_066_230_628_165_218, 191_602_549_717_837_940), [6, 94], 0, id="row 20, second"),
        pytest.param(100, weights(87_108_213_188_178_818, 212_891_729_299_061_130), [29, 71], 0, id="row 21, first"),
        pytest.param(
            3000,
            weights(87_108_213_188_178_818, 212_891_729_299_061_130, already=(100, 10)),
            [803, 2197],
            0,
            id="row 21, second",
        ),
        pytest.param(
            2000,
            weights(13_066_230_628_165_218, 191_602_549_717_837_940, already=(100, 10)),
            [35, 1965],
            0,
            id="row 21, third",
        ),
        pytest.param(300, weights(1, 1, 2, already=(600, 0, 100)), [0, 133, 167], 0, id="row 22"),
        pytest.param(5_000_000, weights(75, 1425), [250_000, 4_750_000], 0, id="row 26, 75 of 1500"),
        pytest.param(5_000_000, weights(100, 900), [500_000, 4_500_000], 0, id="row 26, 100 of 1000"),
        pytest.param(100_000_000, weights(34, 54, 162), [13_600_000, 21_600_000, 64_800_000], 0, id="row 27"),
        pytest.param(
            100_000_000,
            weights(34, 54, 162, ceiling=50_000_000),
            [19_318_182, 30_681_818, 50_000_000],
            0,
            id="row 27, ceiling 50",
        ),
        pytest.param(
            10_000,
            weights(isqrt(18 * 10**12), isqrt(36 * 10**12), isqrt(12 * 10**12)),
            [3095, 4378, 2527],
            0,
            id="row 31",
        ),
        pytest.param(1_000_00, weights(2 * 100 * 60, 4 * 3000), [500_00, 500_00], 0, id="row 32, work and cash"),
        pytest.param(1_000_00, weights(35, 35, 30), [350_00, 350_00, 300_00], 0, id="row 32, 35/35/30"),
        pytest.param(50_000_00, weights(100, 150, 200), [1111111, 1666667, 2222222], 0, id="row 32, points"),
        pytest.param(
            10_000_00,
            ceilings(6_000_00, 4_500_00, 3_000_00, 1_500_00),
            [2833_34, 2833_33, 2833_33, 1500_00],
            0,
            id="row 33, CEA",
        ),
        pytest.param(1000_00, weights(80, 15, 5, ceiling=400_00), [400_00, 400_00, 200_00], 0, id="row 36, 400"),
        pytest.param(1000_00, weights(80, 15, 5, ceiling=250_00), [250_00] * 3, 250_00, id="row 36, 250"),
        pytest.param(
            1000_00,
            [Person(f"m{n}", w, floor=100_00, ceiling=600_00) for n, w in enumerate((80, 15, 5), 1)],
            [600_00, 300_00, 100_00],
            0,
            id="row 36, floor and ceiling",
        ),
        pytest.param(100_00, ceilings(100_00, 50_00, 50_00), [33_34, 33_33, 33_33], 0, id="row 37, split in two"),
        pytest.param(60_00, ceilings(30_00, 30_00, 3000_00), [20_00] * 3, 0, id="row 38, CEA"),
        pytest.param(900_00, weights(50, 30, 20), [450_00, 270_00, 180_00], 0, id="row 39, ADD, general"),
        pytest.param(300_00, weights(30, 10), [225_00, 75_00], 0, id="row 39, ADD, earmark"),
        pytest.param(
            900_00,
            weights(50, 30, 20, already=(0, 225_00, 75_00)),
            [600_00, 135_00, 165_00],
            0,
            id="row 39, OFFSET, general",
        ),
        pytest.param(
            586_50,
            weights(23_250, 40_000, 3_375, 6_400, 5_500, ceiling=234_60),
            [212_37, 234_60, 30_83, 58_46, 50_24],
            0,
            id="row 40",
        ),
    ],
)
def test_vectors(amount: int, persons: list[Person], expected: list[int], unspent: int) -> None:
    result = fill(amount, persons)
    assert cents(result) == expected
    assert result.unspent == unspent
    assert result.flags == ()


def test_three_equal_weights_share_an_odd_cent_by_hash() -> None:
    """Rows 19 and 26: m3 has the smallest hash, then m2."""
    assert cents(fill(10_000, weights(1, 1, 1))) == [3333, 3333, 3334]
    assert sorted(cents(fill(3, weights(1, 1, 1, 1)))) == [0, 1, 1, 1]


def test_the_ceiling_of_row_40_says_what_an_hour_is_worth() -> None:
    result = fill(586_50, weights(23_250, 40_000, 3_375, 6_400, 5_500, ceiling=234_60))
    assert result.theta == (306, 335)  # 351.90 euros over 38.525 hours, in cents per thousandth of an hour
    assert result.frozen_high == ("m2",)
    assert result.frozen_low == ()


def test_floors_that_the_amount_cannot_meet_are_levelled_and_flagged() -> None:
    result = fill(25_00, [Person(name, 1, floor=10_00) for name in ("m1", "m2", "m3")])
    assert sorted(cents(result)) == [8_33, 8_33, 8_34]
    assert (result.flags, result.theta, result.unspent) == ((FLOORS_NOT_MET,), (2500, 3), 0)
    uneven = fill(25, [Person("m1", 9, floor=5), Person("m2", 1, floor=30), Person("m3", 1, floor=12), Person("m4", 3)])
    assert cents(uneven) == [5, 10, 10, 0]
    assert uneven.flags == (FLOORS_NOT_MET,)


def test_weight_zero_gets_its_floor_and_nothing_more() -> None:
    result = fill(100, [Person("m1", 0), Person("m2", 0, floor=7), Person("m3", 0, already=-50), Person("m4", 2)])
    assert cents(result) == [0, 7, 0, 93]


def test_nobody_with_weight_leaves_everything_unspent() -> None:
    assert fill(100, []) == FillResult(None, (), (), 1, 100)
    idle = Person("m1", 0)
    assert fill(100, [idle]) == FillResult(None, (idle,), (0,), 1, 100)


def test_a_debt_of_the_pot_is_paid_through_a_negative_amount_already_counted() -> None:
    """A correction owed to somebody comes as a negative `already`, and may make theta negative."""
    result = fill(10, weights(1, 1, already=(-30, 0)))
    assert (cents(result), result.theta) == ([10, 0], (-20, 1))


def test_theta_when_everyone_is_at_a_bound() -> None:
    assert fill(500, ceilings(100, 300)).theta == (300, 1)
    assert fill(0, ceilings(100, 300)).theta == (0, 1)
    assert fill(20, [Person("m1", 1, floor=10), Person("m2", 5, floor=10)]).theta == (2, 1)


@pytest.mark.parametrize(
    ("amount", "persons", "error", "text"),
    [
        (-1, [], NegativeQuantity, "The amount to share must be zero or more, not -1."),
        (1.5, [], NotWhole, "The amount to share must be a whole number of the smallest unit, not 1.5."),
        (True, [], NotWhole, "The amount to share must be a whole number of the smallest unit, not True."),
        (1, [Person("a", -1)], NegativeQuantity, "The weight of a must be zero or more, not -1."),
        (1, [Person("a", 1, floor=-1)], NegativeQuantity, "The floor of a must be zero or more, not -1."),
        (1, [Person("a", 1, ceiling=-1)], NegativeQuantity, "The ceiling of a must be zero or more, not -1."),
        (1, [Person("a", 1, claim=-1)], NegativeQuantity, "The claim of a must be zero or more, not -1."),
        (1, [Person("a", 1, floor=2, ceiling=1)], BadBounds, "The floor of a (2) must not be above her ceiling (1)."),
        (1, [Person("", 1)], BadIdentifier, "A person's id must be a text that is not empty, not ''."),
        (1, [Person("\ud800", 1)], BadIdentifier, "A person's id must be a text that UTF-8 can write"),
        (1, [Person("a", 1), Person("a", 2)], DuplicateIdentifier, "Person a is given twice"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    amount: int, persons: list[Person], error: type[AllocationError], text: str
) -> None:
    with pytest.raises(error) as refused:
        fill(amount, persons)
    assert str(refused.value).startswith(text)
    assert isinstance(refused.value, ValueError)


# FILL on random cases: the definition itself is the oracle


@st.composite
def people(draw: st.DrawFn) -> list[Person]:
    found = []
    for number in range(draw(st.integers(1, 7))):
        floor = draw(st.sampled_from([0, 0, 0, 5, 40]))
        ceiling = draw(st.none() | st.integers(floor, 300))
        weight = draw(st.integers(0, 12) | st.integers(0, 10**12))
        already = draw(st.sampled_from([0, 0, 0, 17, 150, -60]))
        found.append(Person(f"p{number}", weight, already, floor, ceiling))
    return found


@QUICK
@given(amount=st.integers(0, 1200), persons=people())
def test_shares_are_clamped_by_one_theta_and_spend_what_they_can(amount: int, persons: list[Person]) -> None:
    """A2 and A4 for the whole cents, and the definition of FILL for the exact shares."""
    result = fill(amount, persons)
    exact = [Fraction(numerator, result.denominator) for numerator in result.numerators]
    whole = cents(result)
    assert sum(exact) + result.unspent == sum(whole) + result.unspent == amount
    for person, share, got in zip(result.persons, exact, whole, strict=True):
        assert abs(got - share) < 1
        assert got >= person.floor or FLOORS_NOT_MET in result.flags
        assert person.ceiling is None or got <= person.ceiling
    if result.flags:
        assert amount < sum(person.floor for person in persons)
        assert result.theta is not None
        level = Fraction(*result.theta)
        assert exact == [min(person.floor, level) for person in result.persons]
        return
    theta = Fraction(*result.theta) if result.theta else Fraction(0)
    for person, share in zip(result.persons, exact, strict=True):
        wanted = max(Fraction(person.floor), theta * person.weight - person.already) if person.weight else person.floor
        assert share == (wanted if person.ceiling is None else min(Fraction(person.ceiling), wanted))
    if result.unspent:
        assert all(share == p.ceiling for p, share in zip(result.persons, exact, strict=True) if p.weight)


@QUICK
@given(amount=st.integers(0, 1200), persons=people(), passes=st.integers(0, 3))
def test_few_passes_then_breakpoints_give_the_same_result(amount: int, persons: list[Person], passes: int) -> None:
    slow = fill(amount, persons, max_passes=passes)
    fast = fill(amount, persons)
    assert (slow.theta, slow.unspent, slow.frozen_low, slow.frozen_high) == (
        fast.theta,
        fast.unspent,
        fast.frozen_low,
        fast.frozen_high,
    )
    assert [Fraction(n, slow.denominator) for n in slow.numerators] == [
        Fraction(n, fast.denominator) for n in fast.numerators
    ]


@QUICK
@given(amount=st.integers(0, 1200), persons=people())
def test_each_pass_settles_somebody_so_passes_alone_suffice(amount: int, persons: list[Person]) -> None:
    expected = fill(amount, persons)
    with patch("backend.allocation.kernel._by_breakpoints", side_effect=AssertionError("passes used up")):
        assert fill(amount, persons, max_passes=len(persons)) == expected


def test_the_order_of_persons_does_not_matter() -> None:
    persons = [Person("m2", 3, floor=10), Person("m10", 1, ceiling=5), Person("m1", 0, floor=1)]
    assert fill(100, persons) == fill(100, persons[::-1])
    assert [person.id for person in fill(100, persons).persons] == ["m1", "m10", "m2"]


@QUICK
@given(amount=st.integers(0, 1200), persons=people(), factor=st.integers(2, 1000))
def test_all_weights_multiplied_change_nothing(amount: int, persons: list[Person], factor: int) -> None:
    """A11."""
    scaled = [Person(p.id, p.weight * factor, p.already, p.floor, p.ceiling) for p in persons]
    assert cents(fill(amount, scaled)) == cents(fill(amount, persons))


def test_geometric_ceilings_give_the_same_result_after_one_pass() -> None:
    """Doubling ceilings are hard on passes; the result must not depend on where they stop."""
    persons = [Person(f"p{n:03}", 1, ceiling=2**n) for n in range(300)]
    amount = 2**150
    assert fill(amount, persons, max_passes=1).theta == fill(amount, persons).theta
    assert sum(cents(fill(amount, persons, max_passes=1))) == amount
