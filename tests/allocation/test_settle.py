"""What is paid now and what stays due: nothing is ever given to another."""

from typing import Any

import pytest

from backend.allocation.closing import arbitrate
from backend.allocation.rebuild import verify
from backend.allocation.settle import settle
from tests.allocation.closings import POT, closing, line, purse, tiers


@pytest.mark.parametrize(
    ("before", "credited", "minimum", "expected"),
    [
        (0, 999, 1000, (0, 999, "below_minimum")),
        (0, 1000, 1000, (1000, 0, None)),
        (640, 300, 1000, (0, 940, "below_minimum")),
        (700, 300, 1000, (1000, 0, None)),
        (640, 0, 1000, (0, 640, "below_minimum")),
        (0, 0, 1000, (0, 0, None)),
        (3, 4, 0, (7, 0, None)),
    ],
)
def test_a_balance_is_paid_whole_once_it_reaches_the_minimum(
    before: int, credited: int, minimum: int, expected: Any
) -> None:
    assert settle(before, credited, minimum) == expected


def test_a_closing_settles_each_person_of_it_and_an_arbitration_settles_again() -> None:
    charter = tiers({"rule": "claims_pro"}, minimum_payout=1000)
    frozen = {
        "purses": [purse(1500)],
        "lines": [line("c1", "ana", claim=1200), line("c2", "bo", claim=300), line("c3", "cy")],
        "owed": {"bo": 640, "nobody here": 9000},
    }
    trace = closing(charter, frozen)
    assert trace["settle"] == [
        {"person": "ana", "before": 0, "credited": 1200, "paid": 1200, "carried": 0, "reason": None},
        {"person": "bo", "before": 640, "credited": 300, "paid": 0, "carried": 940, "reason": "below_minimum"},
        {"person": "cy", "before": 0, "credited": 0, "paid": 0, "carried": 0, "reason": None},
    ]
    change = {"person": "bo", "purse": POT, "agreed": 360, "confirmed_on": "2025-04-02"}
    less = {"person": "ana", "purse": POT, "agreed": 900, "confirmed_on": "2025-04-02"}
    agreed = arbitrate(trace, reason="Meeting", entered_by="usr_s", changes=[change, less])
    assert verify(agreed)
    assert [(one["paid"], one["carried"]) for one in agreed["settle"]] == [(0, 900), (1000, 0), (0, 0)]
