"""What a commons can count on: movements that add up, and months awaited from the calendar."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.commons.services import create_commons, root_budget
from backend.core.errors import Forbidden
from backend.events.services import record
from backend.pledges.models import Instalment, Pledge
from backend.pledges.overview import (
    Expected,
    Move,
    Promise,
    Schedule,
    expected,
    month_after,
    movements,
    support_of,
    yearly,
)

Play = Callable[..., Any]
TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("rhythm", "year"), [("once", 0), ("monthly", 120_12), ("quarterly", 40_04), ("yearly", 10_01)]
)
def test_a_promise_counts_as_often_as_it_falls_due_in_a_year(rhythm: str, year: int) -> None:
    assert yearly(10_01, rhythm) == year


def test_a_month_begins_with_what_the_one_before_ended_with() -> None:
    promises = [
        Promise("a", "Atelier", ((date(2026, 9, 30), 120_00), (date(2026, 10, 31), 240_00))),
        Promise("b", None, ((date(2026, 10, 1), 50_00), (date(2026, 11, 2), 0))),
        Promise("c", "Passant", ((date(2026, 11, 3), 70_00), (date(2026, 11, 20), 0))),
    ]
    september, october, november = movements(promises, last=TODAY, count=3)
    assert (september.before, september.new, september.after) == (0, 120_00, 120_00)
    assert september.came == (Move("Atelier", 0, 120_00),)
    assert (october.before, october.new, october.lost, october.changed) == (120_00, 50_00, 0, 120_00)
    assert october.altered == (Move("Atelier", 120_00, 240_00),)
    assert (november.before, november.new, november.lost, november.changed) == (290_00, 0, 50_00, 0)
    assert november.left == (Move(None, 50_00, 0),)
    assert november.after == 240_00


STEPS = st.lists(st.tuples(st.dates(date(2025, 6, 1), TODAY), st.integers(0, 10**9)), min_size=1, max_size=6)


@given(st.lists(STEPS, max_size=8))
def test_whatever_happens_each_month_adds_up_and_follows_the_last(histories: list[list[tuple[date, int]]]) -> None:
    promises = [
        Promise(str(number), None, tuple(sorted(dict(steps).items()))) for number, steps in enumerate(histories)
    ]
    months = movements(promises, last=TODAY)
    assert len(months) == 12
    for earlier, later in pairwise(months):
        assert earlier.after == later.before
        assert month_after(earlier.first, 1) == later.first
    end = date(2026, 11, 30)
    assert months[-1].after == sum(one.on(end) for one in promises)


def schedule(**changes: Any) -> Schedule:
    facts: dict[str, Any] = {
        "rhythm": "monthly", "amount": 10_00, "starts_on": date(2026, 8, 31), "ends_on": None, "last_number": 4,
        "goes_on": True, "written": {date(2026, 11, 30): 10_00},
    }  # fmt: skip
    return Schedule(**{**facts, **changes})


def test_months_ahead_follow_the_calendar_from_the_first_day() -> None:
    late, ahead = expected([schedule()], today=TODAY, count=4)
    assert late == 0
    assert ahead == [
        Expected(date(2026, 11, 1), 10_00, 0),
        Expected(date(2026, 12, 1), 0, 10_00),
        Expected(date(2027, 1, 1), 0, 10_00),
        Expected(date(2027, 2, 1), 0, 10_00),  # on the 28th
    ]


def test_what_is_late_is_in_no_month_and_what_ends_or_pauses_adds_nothing() -> None:
    rows = [
        schedule(written={date(2026, 10, 31): 4_00, date(2026, 11, 30): 10_00}),
        schedule(ends_on=date(2026, 12, 31), written={}),
        schedule(goes_on=False, written={}),
        schedule(rhythm="once", last_number=1, written={date(2027, 1, 5): 7_00}),
    ]
    late, ahead = expected(rows, today=TODAY, count=3)
    assert late == 4_00
    assert [(one.called, one.to_come) for one in ahead] == [(10_00, 0), (0, 20_00), (7_00, 10_00)]


def test_a_year_of_a_monthly_promise_is_twelve_times_its_amount() -> None:
    row = schedule(starts_on=date(2026, 11, 30), last_number=0, written={})
    _late, ahead = expected([row], today=TODAY)
    assert sum(one.total for one in ahead) == 12 * 10_00


def promise(world: Any, *, made: datetime, **changes: Any) -> Pledge:
    """A recurring pledge of the organisation, as the service writes it."""
    number = Pledge.objects.count()
    facts: dict[str, Any] = {
        "id": f"plg_{number}", "budget": world.budget, "organisation": world.organisation,
        "made_by": world.users["ana"], "amount": 10_00, "currency": "EUR", "rhythm": "monthly",
        "starts_on": made.date(), "group": f"grp_{number}", "reference": f"RF00{number}", "form_key": str(number),
        "created_at": made,
    }  # fmt: skip
    pledge = Pledge.objects.create(**{**facts, **changes})
    Instalment.objects.create(
        id=f"ins_{number}", pledge=pledge, number=1, due_on=pledge.starts_on, amount=pledge.amount, currency="EUR",
        state="called", called_at=made, created_at=made,
    )  # fmt: skip
    return pledge


def test_the_history_of_a_pledge_is_read_back_from_its_events(play: Play) -> None:
    world = play("make_house")
    made = datetime(2026, 8, 10, 12, tzinfo=ZoneInfo("Europe/Paris"))
    raised = promise(world, made=made, amount=15_00)
    stopped = promise(world, made=made, visibility="anonymous")
    record(
        "pledge.changed", actor=None, subject=raised.pk, now=made + timedelta(days=35), before={"amount": 10_00},
        after={"amount": 15_00},
    )  # fmt: skip
    record("pledge.cancelled", actor=None, subject=stopped.pk, now=made + timedelta(days=70))
    Instalment.objects.filter(pledge=stopped).update(state="cancelled")
    Pledge.objects.filter(pk=stopped.pk).update(state="cancelled")
    told = support_of(actor=world.users["sacha"], root=world.budget, today=TODAY)
    assert (told.yearly, told.count, told.late) == (180_00, 1, 15_00)
    by_month = {month.first: month for month in told.months}
    assert by_month[date(2026, 8, 1)].new == 240_00
    assert by_month[date(2026, 9, 1)].altered == (Move("La Fabrique du Port", 120_00, 180_00),)
    assert by_month[date(2026, 10, 1)].left == (Move(None, 120_00, 0),)
    assert told.months[-1].after == 180_00
    # The second instalment fell due in September: nothing wrote it here, so that only later months await it.
    assert [one.to_come for one in told.ahead] == [0, *[15_00] * 11]


def test_who_has_no_part_in_the_pot_reads_nothing_of_it(play: Play) -> None:
    world = play("make_house")
    for key in ("ana", "bo"):
        with pytest.raises(Forbidden):
            support_of(actor=world.users[key], root=world.budget, today=TODAY)
    assert support_of(actor=world.users["claire"], root=world.budget, today=TODAY).yearly == 0


def test_a_promise_paid_once_is_awaited_and_renews_nothing(play: Play) -> None:
    world = play("make_promise")
    told = support_of(actor=world.users["sacha"], root=world.budget, today=world.today)
    assert (told.yearly, told.ahead[0].called, told.late) == (0, 100_00, 0)


def test_pledges_of_another_commons_do_not_count(play: Play) -> None:
    world = play("make_house")
    made = datetime(2026, 8, 10, 12, tzinfo=ZoneInfo("Europe/Paris"))
    other = create_commons(
        name="Semences", summary="", currency="EUR", steward=world.users["sacha"], first_day=date(2026, 8, 1),
        end_before=date(2026, 12, 1), now=made,
    )  # fmt: skip
    promise(world, made=made, budget=root_budget(other))
    assert support_of(actor=world.users["sacha"], root=world.budget, today=TODAY).count == 0
    assert support_of(actor=world.users["sacha"], root=root_budget(other), today=TODAY).yearly == 120_00
