"""Periods keep the rhythm of their budget: whole months stay whole months, however early one is closed."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from backend.commons.models import Period
from backend.commons.services import open_next_period
from backend.core.names import name_key

Play = Callable[..., Any]


@pytest.mark.parametrize(
    ("periods", "following"),
    [
        ([("2026-02-01", "2026-05-01")], "2026-08-01"),  # a quarter, whatever its days
        ([("2026-11-01", "2027-02-01")], "2027-05-01"),  # over the new year
        ([("2024-02-01", "2024-03-01")], "2024-04-01"),  # a leap February, then a March
        ([("2026-01-01", "2027-01-01")], "2028-01-01"),  # a year
        ([("2026-02-01", "2026-04-29"), ("2026-04-29", "2026-05-01")], "2026-08-01"),  # cut two days before its end
        ([("2026-03-09", "2026-03-23")], "2026-04-06"),  # a fortnight
    ],
)
def test_the_next_period_keeps_the_rhythm(play: Play, periods: list[tuple[str, str]], following: str) -> None:
    world = play("make_house")
    Period.objects.all().delete()
    charter = world.budget.charters.get()
    for number, (first, end) in enumerate(periods):
        last = Period.objects.create(
            id=f"per_{number}", budget=world.budget, charter=charter, starts_on=first, ends_before=end
        )
    last.refresh_from_db()
    made = open_next_period(after=last)
    assert (made.starts_on, made.ends_before) == (last.ends_before, date.fromisoformat(following))
    assert open_next_period(after=last).pk == made.pk


def test_a_planned_end_wins(play: Play) -> None:
    world = play("make_house")
    last = Period.objects.get()
    planned = date(last.ends_before.year + 1, 1, 15)
    assert open_next_period(after=last, ends_before=planned).ends_before == planned
    assert world.budget.periods.count() == 2


def test_names_sort_as_readers_expect() -> None:
    names = ["Zone", "Équipe", "eau", "École", "Faune", "Ours", "Œuvre"]
    assert sorted(names, key=name_key) == ["eau", "École", "Équipe", "Faune", "Œuvre", "Ours", "Zone"]
