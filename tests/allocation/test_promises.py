"""What each rule promises of A2 to A17, on random cases over every rule; what it does not has a counterexample."""

import json
import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.allocation.kernel import Person
from backend.allocation.rules import FLOORS_NOT_MET, RULES, Result, share_out, summed

HERE = Path(__file__).parent
SEED = "pot-7|2025-Q1|general"
THOROUGH = settings(max_examples=60, derandomize=True, deadline=None, database=None)

Case = Mapping[str, Any]
People = list[Person]

# Why an invariant says nothing about a rule: the closed list of what may stand instead of a counterexample.
NO_MEANING = {
    "A14": "it is about what was counted before, which only catch_up reads",
    "A15": "it names the two rules it is about",
    "A16": "it is about upstream edges: see test_upstream.py",
}


def exact(result: Result) -> list[Fraction]:
    return [Fraction(one, result.denominator) for one in result.numerators]


def entitlement(rule: str, person: Person) -> int:
    tie = RULES[rule].tie
    return 1 if tie == "one" else int(getattr(person, tie))


def bounds(rule: str, person: Person, amount: int) -> tuple[int, int]:
    """Floor and ceiling in force, the claim among the ceilings of the rules that read claims."""
    most = amount if person.ceiling is None else person.ceiling
    if RULES[rule].tie == "claim":
        most = min(most, person.claim)
    return min(person.floor, most), most


def free(people: People) -> People:
    """The same people without floors and ceilings."""
    return [person._replace(floor=0, ceiling=None) for person in people]


def a2_bounds(rule: str, case: Case) -> bool:
    """Each share is a whole number between the bounds (unmet floors excepted), and nothing is lost."""
    result = share_out(rule, case["amount"], case["people"], SEED)
    within = sum(result.cents) + result.unspent == case["amount"] and result.unspent >= 0
    for person, got in zip(case["people"], result.cents, strict=True):
        low, high = bounds(rule, person, case["amount"])
        within &= type(got) is int and 0 <= got <= high and (got >= low or FLOORS_NOT_MET in result.flags)
    return within


def a3_order(rule: str, case: Case) -> bool:
    """Permuting the people changes nothing but the order."""
    other = list(case["people"])
    random.Random(case["pick"]).shuffle(other)  # noqa: S311 - a repeatable shuffle
    one, two = (share_out(rule, case["amount"], people, SEED) for people in (case["people"], other))

    def named(result: Result) -> dict[str, Any]:
        return dict(
            zip((person.id for person in result.people), zip(result.cents, result.rounding(), strict=True), strict=True)
        )

    same = (one.theta, one.unspent, set(one.frozen_low), set(one.frozen_high), one.flags)
    return named(one) == named(two) and same == (
        two.theta, two.unspent, set(two.frozen_low), set(two.frozen_high), two.flags,
    )  # fmt: skip


def a4_quota(rule: str, case: Case) -> bool:
    """Less than a cent from the exact share; the account of the rounding gives the same cents."""
    result = share_out(rule, case["amount"], case["people"], SEED)
    near = all(abs(got - share) < 1 for got, share in zip(result.cents, exact(result), strict=True))
    return near and [base + extra for base, extra, _, _ in result.rounding()] == result.cents


def a5_more_money(rule: str, case: Case) -> bool:
    """More money never lowers an exact share, nor a share by more than a cent."""
    before, after = (share_out(rule, case["amount"] + more, case["people"], SEED) for more in (0, case["more"]))
    return all(
        new >= old and got >= had - 1
        for old, new, had, got in zip(exact(before), exact(after), before.cents, after.cents, strict=True)
    )


def a6_more_asked(rule: str, case: Case) -> bool:
    """A larger weight or claim never lowers one's share nor raises another's by more than a cent; no debts before."""
    people = [person._replace(counted=max(0, person.counted)) for person in case["people"]]
    mine = case["pick"] % len(people)
    larger = list(people)
    larger[mine] = people[mine]._replace(
        weight=people[mine].weight + case["more"], claim=people[mine].claim + case["more"]
    )
    before, after = (share_out(rule, case["amount"], each, SEED).cents for each in (people, larger))
    return all(
        new >= old - 1 if position == mine else new <= old + 1
        for position, (old, new) in enumerate(zip(before, after, strict=True))
    )


def a7_equals(rule: str, case: Case) -> bool:
    """Equal entitlement and bounds: a cent apart at most. Without bounds, a larger entitlement never gets less."""
    people = [person._replace(counted=0) for person in case["people"]]
    bounded = share_out(rule, case["amount"], people, SEED).cents
    unbounded = share_out(rule, case["amount"], free(people), SEED).cents
    for at, one in enumerate(people):
        for to, other in enumerate(people):
            mine, hers = entitlement(rule, one), entitlement(rule, other)
            if (mine, one.floor, one.ceiling) == (hers, other.floor, other.ceiling) and bounded[at] > bounded[to] + 1:
                return False
            if mine > hers and unbounded[at] < unbounded[to]:
                return False
    return True


def a8_nothing(rule: str, case: Case) -> bool:
    """No weight, no claim and no floor: nothing."""
    idle = Person("idle", counted=case["pick"] - 5, ceiling=None, rank=case["pick"] - 5)
    return share_out(rule, case["amount"], [*case["people"], idle], SEED).cents[-1] == 0


def a9_lines(rule: str, case: Case) -> bool:
    """Cutting a person's lines in two changes nothing, to the cent."""
    chance = random.Random(case["pick"])  # noqa: S311 - a repeatable cut
    cut = []
    for person in case["people"]:
        at = chance.randint(0, person.weight), chance.randint(0, person.claim)
        cut += [(person, *at), (person, person.weight - at[0], person.claim - at[1])]
    chance.shuffle(cut)
    weights = summed((person.id, weight) for person, weight, _ in cut)
    claims = summed((person.id, claim) for person, _, claim in cut)
    again = [person._replace(weight=weights[person.id], claim=claims[person.id]) for person in case["people"]]
    one, two = (share_out(rule, case["amount"], people, SEED) for people in (case["people"], again))
    return one == two


def a10_names(rule: str, case: Case) -> bool:
    """Without bounds, working under m names instead of one changes the total by at most m cents."""
    one, *others = free(case["people"])
    first = case["pick"] % (one.weight + 1), case["pick"] % (one.claim + 1)
    names = [
        one._replace(id="0", weight=first[0], claim=first[1], counted=0),
        one._replace(id="z", weight=one.weight - first[0], claim=one.claim - first[1]),
    ]
    alone = share_out(rule, case["amount"], [one, *others], SEED).cents[0]
    apart = share_out(rule, case["amount"], [*names, *others], SEED).cents[:2]
    return abs(sum(apart) - alone) <= len(names)


def a11_scale(rule: str, case: Case) -> bool:
    """All weights multiplied alike: the same cents, the same exact shares."""
    times = case["more"]
    scaled = [person._replace(weight=person.weight * times) for person in case["people"]]
    one, two = (share_out(rule, case["amount"], people, SEED) for people in (case["people"], scaled))
    return one.cents == two.cents and exact(one) == exact(two)


def a12_spent(rule: str, case: Case) -> bool:
    """Money is left only when everyone with an entitlement is at the ceiling."""
    result = share_out(rule, case["amount"], case["people"], SEED)
    return result.unspent == 0 or all(
        got == bounds(rule, person, case["amount"])[1] and (person.ceiling is not None or RULES[rule].tie == "claim")
        for person, got in zip(case["people"], result.cents, strict=True)
        if entitlement(rule, person)
    )


def a13_again(rule: str, case: Case) -> bool:
    """The same snapshot gives the same result, and computing changes nothing of what was given."""
    before = list(case["people"])
    one, two = (share_out(rule, case["amount"], case["people"], SEED) for _ in range(2))
    return one == two and one.rounding() == two.rounding() and case["people"] == before


def a14_two_closings(rule: str, case: Case) -> bool:
    """Paid in two closings or in one, the same in all, in exact values: units so small that all is whole."""
    people = free(case["people"])
    unit = share_out(rule, case["amount"], people, SEED).denominator
    fine = [person._replace(counted=person.counted * unit) for person in people]
    first = share_out(rule, case["amount"] * unit, fine, SEED)
    assert first.denominator == 1 or all(one % first.denominator == 0 for one in first.numerators)
    later = [person._replace(counted=person.counted + got) for person, got in zip(fine, first.cents, strict=True)]
    second = share_out(rule, case["more"] * unit, later, SEED)
    whole = share_out(rule, (case["amount"] + case["more"]) * unit, fine, SEED)
    return [a + b for a, b in zip(first.cents, exact(second), strict=True)] == exact(whole)


def a15_dual(rule: str, case: Case) -> bool:
    """CEL(E) = c - CEA(C - E), and the Talmud rule is its own dual, in exact values."""
    people = free(case["people"])
    total = sum(person.claim for person in people)
    amount = min(case["amount"], total)
    dual = {"claims_cel": "claims_cea", "claims_talmud": "claims_talmud"}[rule]
    gains = exact(share_out(rule, amount, people, SEED))
    losses = exact(share_out(dual, total - amount, people, SEED))
    return gains == [person.claim - loss for person, loss in zip(people, losses, strict=True)]


def a17_idle(rule: str, case: Case) -> bool:
    """Somebody without weight, claim and floor changes nothing for the others."""
    idle = Person("idle", counted=case["pick"] - 5, rank=case["pick"] - 5)
    one = share_out(rule, case["amount"], case["people"], SEED)
    two = share_out(rule, case["amount"], [idle, *case["people"]], SEED)
    return (one.cents, one.theta, one.unspent, one.frozen_low, one.frozen_high, one.rounding()) == (
        two.cents[1:], two.theta, two.unspent, two.frozen_low, two.frozen_high, two.rounding()[1:],
    )  # fmt: skip


PROPERTIES: dict[str, Callable[[str, Case], bool]] = {
    "A2": a2_bounds, "A3": a3_order, "A4": a4_quota, "A5": a5_more_money, "A6": a6_more_asked, "A7": a7_equals,
    "A8": a8_nothing, "A9": a9_lines, "A10": a10_names, "A11": a11_scale, "A12": a12_spent, "A13": a13_again,
    "A14": a14_two_closings, "A15": a15_dual, "A17": a17_idle,
}  # fmt: skip

quantities = st.integers(0, 6) | st.integers(0, 10**6)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A few people with all that a rule may read, an amount and more money; pick and more steer the properties."""
    rows = draw(
        st.lists(
            st.tuples(
                quantities, quantities, st.integers(-20, 20) | st.integers(-(10**6), 10**6),
                st.just(0) | quantities, st.none() | quantities, st.integers(-2, 2),
            ),
            min_size=1,
            max_size=6,
        )
    )  # fmt: skip
    people = [Person(f"m{number}", *row) for number, row in enumerate(rows, 1)]
    amounts = st.integers(0, 30) | st.integers(0, 3 * 10**6)
    return {
        "amount": draw(amounts),
        "more": draw(st.integers(1, 50) | st.integers(1, 10**6)),
        "pick": draw(st.integers(0, 10)),
        "people": people,
    }


promised = [
    (rule, name) for rule in sorted(RULES) for name in sorted(RULES[rule].promises, key=lambda one: int(one[1:]))
]
missing = [
    (rule, f"A{number}")
    for rule in sorted(RULES) for number in range(2, 18) if f"A{number}" not in RULES[rule].promises
]  # fmt: skip


@pytest.mark.parametrize(("rule", "name"), promised)
@THOROUGH
@given(case=cases())
def test_a_promise_holds(rule: str, name: str, case: Case) -> None:
    assert PROPERTIES[name](rule, case)


STORED: dict[str, dict[str, Any]] = json.loads((HERE / "counterexamples.json").read_text(encoding="utf-8"))


def read(case: dict[str, Any]) -> Case:
    return {"more": 1, "pick": 0, **case, "people": [Person(**person) for person in case["people"]]}


@pytest.mark.parametrize(("rule", "name"), missing)
def test_what_is_not_promised_has_a_counterexample(rule: str, name: str) -> None:
    stored = STORED[rule][name]
    if "no_meaning" in stored:
        assert stored["no_meaning"] == NO_MEANING[name]
    else:
        assert PROPERTIES[name](rule, read(stored)) is False


def test_counterexamples_are_those_of_the_rules_there_are() -> None:
    assert {(rule, name) for rule, names in STORED.items() for name in names} == set(missing)


def test_with_a_debt_from_before_a_larger_weight_may_bring_less() -> None:
    """Why A6 is about people who are owed nothing: with theta below zero, weight takes away."""
    people = [Person("a", 1, counted=-100), Person("b", 1, counted=-100)]
    larger = [people[0]._replace(weight=3), people[1]]
    assert share_out("catch_up", 10, people, SEED).cents == [5, 5]
    assert share_out("catch_up", 10, larger, SEED).cents == [0, 10]
