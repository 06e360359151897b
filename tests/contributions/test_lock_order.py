"""Who writes work and who closes its period take the same rows in the same order: nobody is turned away for it."""

import time
from datetime import timedelta
from typing import Any

import pytest

from backend.commons.models import Period
from backend.commons.services import open_next_period, require_open_period
from backend.contributions import own
from backend.contributions import services as work
from backend.contributions.own import amend, declare_draft, declare_many
from backend.distributions.services import close_period
from tests.concurrency import at_once
from tests.contributions.peers import Play, again, say
from tests.contributions.test_own import drafted, item
from tests.contributions.test_races import somebody_waits

DAY = timedelta(days=1)


def until_somebody_waits() -> None:
    """Goes on as soon as another connection waits for a row, or after two seconds."""
    for _turn in range(100):
        if somebody_waits():
            return
        time.sleep(0.02)


@pytest.mark.parametrize("act", ["amend", "declare"])
def test_a_day_that_changes_while_its_period_closes(
    committed: str, play: Play, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    world = play("receive")
    row = say(world) if act == "amend" else drafted(world)
    bo, held = world.users["bo"], []

    def slowly(*args: Any, **given: Any) -> Any:
        held.append(True)
        until_somebody_waits()
        return require_open_period(*args, **given)

    monkeypatch.setattr(own, "require_open_period", slowly)

    def run(number: int) -> Any:
        if number == 0:
            while not held:
                time.sleep(0.01)
            return close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now).state
        if act == "declare":
            return declare_draft(actor=bo, contribution_id=row.pk, now=world.now).state
        changes = {"worked_on": world.today - DAY}
        return amend(actor=bo, contribution_id=row.pk, changes=changes, now=world.now).version

    assert at_once(run, times=2) == ["frozen", 2 if act == "amend" else "declared"]
    assert again(row).period_id != world.period.pk


def test_two_batches_of_two_periods_in_other_orders(
    committed: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds the first period before the second, whatever the order of its items."""
    world = play("make_house")
    following = open_next_period(after=Period.objects.get(pk=world.period.pk))
    days = [world.today, following.starts_on]
    now = world.now + timedelta(days=(following.starts_on - world.today).days)

    def slowly(budget: Any, *, day: Any) -> Any:
        found = require_open_period(budget, day=day)
        until_somebody_waits()
        return found

    monkeypatch.setattr(work, "require_open_period", slowly)

    def run(number: int) -> int:
        items = [item(world, worked_on=day) for day in (days if number else reversed(days))]
        person = world.users[("bo", "camille")[number]]
        return len(declare_many(actor=person, items=items, form_key="b", now=now, budget_of=lambda _name: world.budget))

    assert at_once(run, times=2) == [2, 2]
