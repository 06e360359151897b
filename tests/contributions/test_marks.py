"""What strikes in a request: far above the others, above the soft cap, the same as another; and nothing else."""

from collections import Counter
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backend.contributions.comparable import Comparable
from backend.contributions.models import Contribution
from backend.web.marks import Beside, marks_of, twin_of

FAR, CAP, TWIN = "far above what others asked", "above €100.00: it says why", "same work, person and day as another"
OVER = "far above what the charter suggests"
LONG, DAY = "far more time than others took", "more than 24 hours on one day, all work together"


def a_request(
    amount: int,
    *,
    description: str = "Work",
    counts: bool = True,
    cap: int | None = None,
    suggested: int | None = None,
    minutes: int = 60,
) -> Contribution:
    """As much of a contribution as is looked at."""
    charter = SimpleNamespace(soft_cap=cap, suggests=lambda kind, minutes: suggested)
    facts: dict[str, Any] = {
        "amount": amount, "currency": "EUR", "kind": "review", "minutes": minutes, "contributor_id": "usr_1",
        "description": description, "worked_on": date(2026, 1, 2), "amount_counts": counts,
        "period": SimpleNamespace(charter=charter),
    }  # fmt: skip
    return cast(Contribution, SimpleNamespace(**facts))


def of_these(*rows: Contribution) -> Beside:
    """What is told of these."""
    found = Beside(Counter(), Counter())
    for one in rows:
        found.twins[twin_of(one.contributor_id, one.description, one.worked_on)] += 1
        found.minutes[one.contributor_id, one.worked_on] += one.minutes
    return found


OTHERS = Comparable("development", "EUR", 3, 3, 40_00, 60_00, 90_00)


@pytest.mark.parametrize(
    ("row", "others", "marks"),
    [
        (a_request(120_01), OTHERS, [FAR]),
        (a_request(120_00), OTHERS, []),
        (a_request(500_00), None, []),
        (a_request(500_00, counts=False, cap=100_00), OTHERS, []),
        (a_request(100_00, cap=100_00), None, []),
        (a_request(100_01, cap=100_00), None, [CAP]),
        (a_request(60_00, suggested=30_00), None, []),
        (a_request(60_01, suggested=30_00), None, [OVER]),
        (a_request(60_01, suggested=30_00, counts=False), None, []),
    ],
)
def test_a_mark_has_its_reason(row: Contribution, others: Comparable | None, marks: list[str]) -> None:
    assert marks_of(row, others, None, of_these(row)) == marks


def test_twins_are_marked_whatever_their_spacing() -> None:
    one, two, three = a_request(1, description="Mend it"), a_request(2, description="mend  it"), a_request(1)
    found = of_these(one, two, three)
    assert [marks_of(row, None, None, found) for row in (one, two, three)] == [[TWIN], [TWIN], []]


def test_time_far_above_the_others_strikes_where_time_is_shared() -> None:
    row, more = a_request(0, counts=False, minutes=120), a_request(0, counts=False, minutes=121)
    assert marks_of(row, None, 60, of_these(row)) == []
    assert marks_of(more, None, 60, of_these(more)) == [LONG]
    assert marks_of(more, None, None, of_these(more)) == []
    asking = a_request(1, minutes=121)
    assert marks_of(asking, None, 60, of_these(asking)) == []


def test_a_day_has_24_hours_all_work_together() -> None:
    one, two = a_request(0, minutes=1400), a_request(0, description="Other", minutes=40)
    assert marks_of(one, None, None, of_these(one, two)) == []
    assert marks_of(one, None, None, of_these(one, two, a_request(0, description="Third", minutes=1))) == [DAY]


@pytest.mark.parametrize(
    "disguised", ["Mend\u200b it", "Mend \u2060it\u00ad", "\uff2dend it", "\u202eMend it", "Mend\u00a0it\ufeff"]
)
def test_a_twin_in_disguise_is_marked(disguised: str) -> None:
    one, two = a_request(1, description="Mend it"), a_request(2, description=disguised)
    assert [marks_of(row, None, None, of_these(one, two)) for row in (one, two)] == [[TWIN], [TWIN]]
