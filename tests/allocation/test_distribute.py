"""Whole distributions: published vectors of claims_pro, the invariants every rule promises, and refusals."""

import random
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.allocation.kernel import (
    AllocationError,
    BadIdentifier,
    DuplicateIdentifier,
    NegativeQuantity,
    NotWhole,
)
from backend.allocation.rules import RULES, Distribution, Line, UnknownRule, distribute
from backend.allocation.trace import trace

SEED = "pot-7|2025-Q1|general"
QUICK = settings(max_examples=120, derandomize=True, deadline=None, database=None)


def asked(*claims: int) -> list[Line]:
    """One line for each of m1, m2, …"""
    return [Line(f"ctb_{number}", f"m{number}", claim) for number, claim in enumerate(claims, 1)]


def cents(distribution: Distribution) -> dict[str, int]:
    return {share.person: share.cents for share in distribution.shares}


def pro(amount: int, lines: Sequence[Line]) -> Distribution:
    return distribute("claims_pro", amount, lines, SEED)


# Published vectors


@pytest.mark.parametrize(
    ("amount", "claims", "expected", "unspent"),
    [
        pytest.param(10_000, (10_000, 20_000, 30_000), [1667, 3333, 5000], 0, id="row 5, 100"),
        pytest.param(20_000, (10_000, 20_000, 30_000), [3333, 6667, 10_000], 0, id="row 5, 200"),
        pytest.param(30_000, (10_000, 20_000, 30_000), [5000, 10_000, 15_000], 0, id="row 5, 300"),
        pytest.param(1000, (200, 400, 700, 800), [95, 191, 333, 381], 0, id="row 6"),
        pytest.param(26, (100, 100), [13, 13], 0, id="row 12, underfunded"),
        pytest.param(1000, (79, 21), [79, 21], 900, id="row 12, wellfunded"),
        pytest.param(10_000, (2500, 10_000), [2000, 8000], 0, id="row 13, short"),
        pytest.param(10_000, (2500, 7500), [2500, 7500], 0, id="row 13, just enough"),
        pytest.param(85, (100,) * 7, [12, 12, 13, 12, 12, 12, 12], 0, id="row 14, 0.85: m3 by hash"),
        pytest.param(89, (100,) * 7, [12, 13, 13, 13, 12, 13, 13], 0, id="row 14, 0.89: m1 and m5 low"),
        pytest.param(8500, (10_000,) * 7, [1214, 1214, 1215, 1214, 1214, 1215, 1214], 0, id="row 14, 85: m3 and m6"),
        pytest.param(601, (2000, 1), [601, 0], 0, id="row 15"),
        pytest.param(501, (1000, 2), [500, 1], 0, id="row 17, before settling"),
        pytest.param(19_500, (7500, 7000, 3000, 2000), [7500, 7000, 3000, 2000], 0, id="row 28, just enough"),
        pytest.param(10_000, (7500, 7000, 3000, 2000), [3846, 3590, 1538, 1026], 0, id="row 28, short"),
        pytest.param(
            1_000_000,
            (600_000, 450_000, 300_000, 150_000),
            [400_000, 300_000, 200_000, 100_000],
            0,
            id="row 33, ten thousand for fifteen asked",
        ),
        pytest.param(6000, (3000, 3000, 300_000), [59, 59, 5882], 0, id="row 38, one claim inflated"),
        pytest.param(6000, (3000, 3000, 3000), [2000] * 3, 0, id="row 38, honest"),
        pytest.param(50_000, (30_000,), [30_000], 20_000, id="row 39, the purse of the issue"),
        pytest.param(10_000, (6000, 9000), [4000, 6000], 0, id="a hundred euros"),
        pytest.param(9000, (5400, 3600, 0), [5400, 3600, 0], 0, id="a volunteer beside two requests"),
        pytest.param(0, (6000, 9000), [0, 0], 0, id="empty pot"),
        pytest.param(5000, (0, 0), [0, 0], 5000, id="volunteers only"),
        pytest.param(5000, (), [], 5000, id="nobody"),
        pytest.param(2**63 - 1, (2**63 - 1, 2**63 - 1), [2**62 - 1, 2**62], 0, id="as large as the ledger can hold"),
    ],
)
def test_claims_pro(amount: int, claims: tuple[int, ...], expected: list[int], unspent: int) -> None:
    result = pro(amount, asked(*claims))
    assert [share.cents for share in result.shares] == expected
    assert result.unspent == unspent


def test_five_cents_over_ten_equal_people_never_pay_a_negative_amount() -> None:
    """Row 28."""
    shares = cents(pro(5, [Line(f"ctb_{n}", f"p{n}", 100) for n in range(10)]))
    assert sorted(shares.values()) == [0] * 5 + [1] * 5


def test_a_share_carries_its_whole_computation() -> None:
    result = pro(10_000, [Line("b", "ana", 3000), Line("a", "ana", 4000), Line("c", "bo", 8000), Line("d", "cy", 0)])
    ana, bo, cy = result.shares
    assert (result.theta, result.missing_cents, result.unspent) == ((2, 3), 1, 0)
    assert (ana.person, ana.claim, ana.exact, ana.base) == ("ana", 7000, (14_000, 3), 4666)
    assert (ana.extra_cent, ana.remainder_rank, ana.tie_hash, ana.cents) == (1, 1, None, 4667)
    assert ([line.id for line in ana.lines], ana.per_line_cents) == (["a", "b"], (2667, 2000))
    assert (bo.exact, bo.extra_cent, bo.remainder_rank, bo.cents) == ((16_000, 3), 0, 2, 5333)
    assert (cy.exact, cy.remainder_rank, cy.cents, cy.per_line_cents) == ((0, 1), None, 0, (0,))


def test_equal_lines_of_one_person_share_an_odd_cent_by_the_hash_of_seed_person_line() -> None:
    """SHA-256 of `pot-7|2025-Q1|general|ana|l1` begins with 50c5f0, of `…|l2` with 89f1c6."""
    result = pro(5, [Line("l2", "ana", 50), Line("l1", "ana", 50)])
    assert result.shares[0].per_line_cents == (3, 2)


# Refusals


@pytest.mark.parametrize(
    ("rule", "amount", "lines", "seed", "error", "text"),
    [
        ("claims_max", 1, [], SEED, UnknownRule, "Unknown rule 'claims_max': use one of claims_pro."),
        ("claims_pro", -1, [], SEED, NegativeQuantity, "The amount to share must be zero or more, not -1."),
        ("claims_pro", 1.0, [], SEED, NotWhole, "The amount to share must be a whole number"),
        ("claims_pro", 1, asked(5, -5), SEED, NegativeQuantity, "The claim of line ctb_2 must be zero or more, not -5"),
        ("claims_pro", 1, asked(0.5), SEED, NotWhole, "The claim of line ctb_1 must be a whole number"),  # type: ignore[arg-type]
        ("claims_pro", 1, asked(True), SEED, NotWhole, "The claim of line ctb_1 must be a whole number"),
        ("claims_pro", 1, [*asked(1), Line("ctb_1", "m9", 1)], SEED, DuplicateIdentifier, "Line ctb_1 is given twice"),
        ("claims_pro", 1, [Line("", "m1", 1)], SEED, BadIdentifier, "A line's id must be a text that is not empty"),
        ("claims_pro", 1, [Line("a", "", 1)], SEED, BadIdentifier, "The person of line a must be a text"),
        (
            "claims_pro",
            1,
            [Line("a", "\udfff", 1)],
            SEED,
            BadIdentifier,
            "The person of line a must be a text that UTF",
        ),
        ("claims_pro", 1, asked(1), "", BadIdentifier, "The seed must be a text that is not empty"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    *, rule: str, amount: int, lines: list[Line], seed: str, error: type[AllocationError], text: str
) -> None:
    before = list(lines)
    with pytest.raises(error) as refused:
        distribute(rule, amount, lines, seed)
    assert str(refused.value).startswith(text)
    assert isinstance(refused.value, ValueError)
    assert lines == before


# Invariants (names as in the specification), for each rule there is

claims = st.integers(0, 30) | st.integers(0, 10**7)
amounts = st.integers(0, 100) | st.integers(0, 10**8)


@st.composite
def requests(draw: st.DrawFn) -> list[Line]:
    found = draw(st.lists(st.tuples(st.integers(0, 7), claims), max_size=12))
    return [Line(f"ctb_{number:02}", f"per_{person}", claim) for number, (person, claim) in enumerate(found)]


every_rule = pytest.mark.parametrize("rule", sorted(RULES))


@every_rule
@QUICK
@given(amount=amounts, lines=requests())
def test_a2_a4_a12_bounds_quota_and_budget(rule: str, amount: int, lines: list[Line]) -> None:
    result = distribute(rule, amount, lines, SEED)
    assert sum(share.cents for share in result.shares) + result.unspent == amount
    for share in result.shares:
        assert 0 <= share.cents <= share.claim
        assert abs(share.cents - Fraction(*share.exact)) < 1
        assert share.cents == share.base + share.extra_cent
        assert sum(share.per_line_cents) == share.cents
        assert all(0 <= got <= line.claim for got, line in zip(share.per_line_cents, share.lines, strict=True))
    if result.unspent:
        assert all(share.cents == share.claim for share in result.shares)


@every_rule
@QUICK
@given(amount=amounts, lines=requests(), shuffle=st.randoms(use_true_random=False))
def test_a3_order_does_not_matter(rule: str, amount: int, lines: list[Line], shuffle: random.Random) -> None:
    other = list(lines)
    shuffle.shuffle(other)
    assert distribute(rule, amount, other, SEED) == distribute(rule, amount, lines, SEED)


@every_rule
@QUICK
@given(amount=amounts, more=st.integers(1, 50) | st.integers(1, 10**7), lines=requests())
def test_a5_more_money_never_costs_anyone_more_than_a_cent(
    rule: str, amount: int, more: int, lines: list[Line]
) -> None:
    before, after = distribute(rule, amount, lines, SEED), distribute(rule, amount + more, lines, SEED)
    for old, new in zip(before.shares, after.shares, strict=True):
        assert Fraction(*new.exact) >= Fraction(*old.exact)
        assert new.cents >= old.cents - 1


@every_rule
@QUICK
@given(amount=amounts, lines=requests(), more=claims, pick=st.integers(0, 7))
def test_a6_asking_more_never_lowers_ones_share_nor_raises_anothers(
    rule: str, amount: int, lines: list[Line], more: int, pick: int
) -> None:
    base = [*lines, Line("ctb_x", f"per_{pick}", 0)]
    asking = [*lines, Line("ctb_x", f"per_{pick}", more)]
    before, after = cents(distribute(rule, amount, base, SEED)), cents(distribute(rule, amount, asking, SEED))
    for person, got in after.items():
        if person == f"per_{pick}":
            assert got >= before[person] - 1
        else:
            assert got <= before[person] + 1


@every_rule
@QUICK
@given(amount=amounts, lines=requests())
def test_a7_a8_equals_alike_larger_never_less_and_nothing_for_nothing(
    rule: str, amount: int, lines: list[Line]
) -> None:
    shares = distribute(rule, amount, lines, SEED).shares
    for one in shares:
        assert one.claim or one.cents == 0
        for other in shares:
            if one.claim == other.claim:
                assert abs(one.cents - other.cents) <= 1
            elif one.claim > other.claim:
                assert one.cents >= other.cents


@every_rule
@QUICK
@given(amount=amounts, lines=requests(), data=st.data())
def test_a9_cutting_a_line_in_two_changes_no_total(
    rule: str, amount: int, lines: list[Line], data: st.DataObject
) -> None:
    cut = []
    for line in lines:
        part = data.draw(st.integers(0, line.claim))
        cut += [Line(f"{line.id}a", line.person, part), Line(f"{line.id}b", line.person, line.claim - part)]
    assert cents(distribute(rule, amount, cut, SEED)) == cents(distribute(rule, amount, lines, SEED))


@every_rule
@QUICK
@given(amount=amounts, lines=requests())
def test_a13_the_same_snapshot_gives_the_same_digest(rule: str, amount: int, lines: list[Line]) -> None:
    first = trace(distribute(rule, amount, lines, SEED))
    again = trace(distribute(rule, amount, lines[::-1], SEED))
    assert first["result_sha256"] == again["result_sha256"]


@every_rule
@QUICK
@given(amount=amounts, lines=requests())
def test_a17_a_volunteer_changes_nothing(rule: str, amount: int, lines: list[Line]) -> None:
    alone = distribute(rule, amount, lines, SEED)
    joined = distribute(rule, amount, [*lines, Line("ctb_z", "per_z", 0)], SEED)
    assert cents(joined) == {**cents(alone), "per_z": 0}
    assert (joined.theta, joined.unspent) == (alone.theta, alone.unspent)


@QUICK
@given(amount=amounts, lines=requests(), parts=st.lists(claims, min_size=2, max_size=5))
def test_a10_several_names_gain_at_most_a_cent_each(amount: int, lines: list[Line], parts: list[int]) -> None:
    """Proportional rules only: the reason to prefer them where identities are weak and validation is strong."""
    one = cents(pro(amount, [*lines, Line("ctb_x", "x", sum(parts))]))["x"]
    many = cents(pro(amount, [*lines, *(Line(f"ctb_x{n}", f"x{n}", part) for n, part in enumerate(parts))]))
    assert abs(sum(many[f"x{n}"] for n in range(len(parts))) - one) <= len(parts)
