"""Money bugs of pay days that other platforms had, each as the case that must pass here: 10, 18 and 19 of the notes.

Case 14, of two outflows at once, stands in test_money_bugs.py.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from backend.allocation.closing import compute
from backend.contributions.models import Contribution
from backend.distributions.closing import computed
from backend.distributions.models import Distribution
from backend.distributions.services import approve, close_period, compute_due
from backend.ledger.services import balances, entry_count
from tests.allocation.closings import POT, closing, line, purse, tiers
from tests.concurrency import at_once
from tests.distributions.pots import Pots, held

Play = Callable[..., Any]
RULES = ("as_asked", "claims_pro", "claims_cea", "claims_cel", "claims_talmud", "equal", "weighted")


class Killed(BaseException):
    """The process is gone: no handler of errors sees it."""


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """Die before the statement of this number, from 1."""
    count = itertools.count(1)

    def look(execute: Any, query: Any, parameters: Any, many: Any, context: Any) -> Any:
        if next(count) == number:
            raise Killed
        return execute(query, parameters, many, context)

    with connection.execute_wrapper(look):
        yield


@pytest.mark.parametrize("rule", RULES)
def test_case_10_random_pots_are_shared_to_the_cent_and_nobody_is_above_a_cap(rule: str) -> None:
    draw = random.Random(f"case 10 {rule}")  # noqa: S311  # drawn again alike at each run
    for _turn in range(60):
        money, cap = draw.randrange(0, 100_000), draw.choice([None, draw.randrange(1, 50_000)])
        asked = {f"usr_{number}": draw.randrange(0, 20_000) for number in range(draw.randrange(1, 30))}
        lines = [
            line(f"ctr_{number}", person, claim=claim, validated=draw.randrange(1, 500), rank=number + 1)
            for number, (person, claim) in enumerate(asked.items())
        ]
        charter = tiers({"rule": rule}, bounds={"floor": 0, "ceiling": cap, "ceiling_bp": None, "hourly_cap": None})
        inputs = {"purses": [purse(money)], "lines": lines}
        trace = closing(charter, inputs)
        given = {row["id"]: row["cents"] for row in trace["persons"]}
        uses = trace["totals"]["uses"]
        assert sum(given.values()) == uses["shares"]
        assert uses["shares"] + uses["left"] == money
        assert all(0 <= cents <= (money if cap is None else cap) for cents in given.values())
        if rule.startswith(("as_", "claims_")):
            assert all(given[person] <= claim for person, claim in asked.items() if person in given)
        assert closing(charter, inputs)["result_sha256"] == trace["result_sha256"]


def test_case_10_the_cent_of_a_tie_is_not_always_the_same_persons() -> None:
    winners = set()
    for number in range(40):
        lines = [line(f"ctr_{number}_{one}", f"usr_{one}", validated=60, rank=one + 1) for one in range(3)]
        inputs = {"purses": [purse(100)], "lines": lines}
        trace = compute(tiers({"rule": "equal"}), inputs, pot=POT, period=f"per_{number}")
        given = {row["id"]: row["cents"] for row in trace["persons"]}
        assert sorted(given.values()) == [33, 33, 34]
        winners.add(max(given, key=lambda person: given[person]))
    assert winners == {"usr_0", "usr_1", "usr_2"}


def test_case_18_a_distribution_killed_at_any_statement_ends_as_if_it_had_not_been(committed: str, play: Play) -> None:
    pots = Pots(play("make_house"))
    budget = pots.pot("Panne", "bo", "cy", unpaid={"carry_periods": 1})
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 90_00)
    pots.work(budget, "cy", 60_00)
    period, claire, denis = pots.period(budget), pots.person("claire"), pots.person("denis")

    def until_done(act: Callable[[], Any], unchanged: Callable[[], None]) -> int:
        for number in itertools.count(1):
            try:
                with killed_at(number):
                    act()
            except Killed:
                unchanged()
            else:
                return number
        raise AssertionError

    def still_open() -> None:
        period.refresh_from_db()
        assert (period.state, Distribution.objects.count()) == ("open", 0)
        assert Contribution.objects.filter(state="validated").count() == 2

    def close() -> None:
        close_period(actor=claire, period_id=period.pk, now=pots.now)

    assert until_done(close, still_open) > 10
    made = Distribution.objects.get()
    digest = computed(made)["result_sha256"]

    def whole_or_not_at_all() -> None:
        made.refresh_from_db()
        # All or nothing: the sweep looks for other work once this one is committed.
        assert (made.state, made.shares.count()) in {("frozen", 0), ("published", 2)}

    assert until_done(lambda: compute_due(pots.now), whole_or_not_at_all) > 10
    made.refresh_from_db()
    assert (made.digest, pots.shares(made)) == (digest, {"bo": 60_00, "cy": 40_00})
    entries, purses = entry_count(), balances(kind="budget")

    def not_booked() -> None:
        made.refresh_from_db()
        assert (made.state, entry_count(), balances(kind="budget")) == ("published", entries, purses)

    def book() -> None:
        approve(actor=denis, distribution_id=made.pk, digest=digest, now=pots.now)

    assert until_done(book, not_booked) > 20
    made.refresh_from_db()
    assert (made.state, entry_count(), held(budget)) == ("booked", entries + 1, 0)
    carried = Contribution.objects.filter(remainder_of__isnull=False).values_list("amount", flat=True)
    assert sorted(carried) == [20_00, 30_00]


def test_case_18_two_runs_at_once_give_one(committed: str, play: Play) -> None:
    pots = Pots(play("make_house"))
    budget = pots.pot("Deux", "bo", "cy")
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 90_00)
    pots.work(budget, "cy", 60_00)
    close_period(actor=pots.person("claire"), period_id=pots.period(budget).pk, now=pots.now)
    assert sorted(at_once(lambda _turn: compute_due(pots.now), times=4)) == [0, 0, 0, 1]
    made = Distribution.objects.get()
    assert pots.shares(made) == {"bo": 60_00, "cy": 40_00}


def test_case_19_every_declaration_is_in_the_report_or_in_the_next_period(pots: Pots) -> None:
    budget = pots.pot("Personne", "bo", "cy", "di", "ed", rule="as_asked", unpaid={"carry_periods": 1})
    pots.fund(budget, 100_00)
    rows = [
        pots.work(budget, "bo", 70_00),
        pots.work(budget, "cy", 50_00),  # 30 are left for it
        pots.work(budget, "di", 40_00),  # nothing is left
        pots.work(budget, "ed", 0, minutes=120),  # asks for nothing
        pots.work(budget, "ed", 10_00, approved=False),  # nobody looked at it
    ]
    made = pots.approve(pots.close(budget))
    assert made.trace is not None
    assert pots.shares(made) == {"bo": 70_00, "cy": 30_00, "di": 0, "ed": 0}
    reported = {one["contribution"] for one in made.inputs["lines"]}
    for row in rows:
        row.refresh_from_db()
    assert [row.pk in reported for row in rows] == [True, True, True, True, False]
    assert [(row.state, row.settled_amount) for row in rows[:4]] == [
        ("settled", 70_00), ("settled", 30_00), ("settled", 0), ("settled", 0),
    ]  # fmt: skip
    assert (rows[4].state, rows[4].period.state) == ("declared", "open")
    carried = dict(Contribution.objects.exclude(remainder_of=None).values_list("remainder_of", "amount"))
    assert carried == {rows[1].pk: 20_00, rows[2].pk: 40_00}
    asked, settled = sum(row.amount for row in rows[:4]), sum(row.settled_amount or 0 for row in rows[:4])
    assert asked == settled + sum(carried.values())
    totals = made.trace["totals"]
    uses = totals["uses"]
    assert totals["sources"]["held"] == uses["shares"] + uses["left"] + uses["reserve"] + uses["upstream"] == 100_00


@pytest.fixture
def pots(play: Play) -> Pots:
    """A house where pots can be opened."""
    return Pots(play("make_house"))
