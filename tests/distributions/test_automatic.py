"""Periods that close by themselves: on the day their charter says, each once, in their order; people approve."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.commons.charters import CharterInvalid, valid_document
from backend.commons.models import Budget, Period
from backend.contributions.models import Contribution
from backend.core.errors import DomainError
from backend.distributions import automatic
from backend.distributions.closing import freeze_period
from backend.distributions.models import Distribution
from backend.distributions.services import close_due, close_period, compute_due, failed_to_close
from backend.events.models import Event
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from tests.concurrency import at_once
from tests.distributions.pots import Pots

AFTER_TWO = {"mode": "automatic", "days_after": 2}
ROLLING = {"mode": "rolling", "every_days": 2}


def closed(budget: Budget) -> list[Distribution]:
    return list(Distribution.objects.filter(period__budget=budget).order_by("period__starts_on"))


def test_it_closes_so_many_days_after_its_last_day_and_a_person_approves(pots: Pots) -> None:
    budget = pots.pot("Seule", "bo", closing=AFTER_TWO)  # its period ends today
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 60_00)
    for _day in range(2):
        assert close_due(pots.now) == 0
        pots.pass_days(1)
    assert close_due(pots.now) == 0
    pots.pass_days(1)
    assert close_due(pots.now) == 1
    assert close_due(pots.now) == 0
    (made,) = closed(budget)
    assert (made.prepared_by, made.automatic, made.state) == (None, True, "frozen")
    event = Event.objects.get(kind="period.closed", subject=made.period_id)
    assert event.actor is None
    with pytest.raises(DomainError, match="closed by itself"):
        close_period(actor=pots.person("claire"), period_id=made.period_id, now=pots.now)
    compute_due(pots.now)
    made.refresh_from_db()
    assert pots.shares(made) == {"bo": 60_00}
    assert pots.approve(made).approved_by == pots.person("denis")


def test_others_stay_open(pots: Pots) -> None:
    budget = pots.pot("Ouverte", "bo")
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 60_00)
    over = pots.pot("Finie", closing=AFTER_TWO)
    Budget.objects.filter(pk=over.pk).update(state="closed")
    pots.pass_days(40)
    assert close_due(pots.now) == 0


def test_what_was_missed_follows_in_order_each_once(pots: Pots) -> None:
    budget = pots.pot("Jours", "bo", closing={"mode": "automatic", "days_after": 0}, period={"days": 1})
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 10_00)
    pots.pass_days(4)  # the clock of the house stood still for days
    for number in range(1, 5):
        assert close_due(pots.now) == 1
        assert close_due(pots.now) == 0  # the next waits until this one is approved
        compute_due(pots.now)
        made = closed(budget)
        assert len(made) == number
        pots.approve(made[-1])
    assert close_due(pots.now) == 0
    ends = [one.period.ends_before for one in closed(budget)]
    assert ends == sorted(ends)
    assert ends[-1] == pots.world.today
    assert Period.objects.filter(budget=budget, state="open").count() == 1


@pytest.mark.parametrize(
    ("day_after", "midnight"),
    [
        (date(2026, 10, 26), datetime(2026, 10, 25, 23, tzinfo=UTC)),  # the night that has one hour more
        (date(2027, 3, 29), datetime(2027, 3, 28, 22, tzinfo=UTC)),  # the one that has one less
    ],
)
def test_the_day_is_that_of_the_host(pots: Pots, day_after: date, midnight: datetime) -> None:
    budget = pots.pot("Nuit", closing={"mode": "automatic", "days_after": 0})
    Period.objects.filter(budget=budget).update(starts_on=day_after - timedelta(days=7), ends_before=day_after)
    assert close_due(midnight - timedelta(seconds=1)) == 0
    assert close_due(midnight) == 1


def test_rolling_closings_wait_for_requests_and_for_money(pots: Pots) -> None:
    budget = pots.pot("Roule", "bo", rule="as_asked", closing=ROLLING, period=None)
    assert close_due(pots.now) == 0  # nothing is asked
    pots.work(budget, "bo", 60_00)
    pots.pass_days(1)
    pots.work(budget, "bo", 5_00, on=pots.world.today - timedelta(days=1))
    assert close_due(pots.now) == 0  # no money
    pots.fund(budget, 50_00)  # all sweeps run after it: with money there it closes, and is computed
    (made,) = closed(budget)
    assert pots.shares(made) == {"bo": 50_00}
    assert made.period.ends_before == pots.world.today
    pots.approve(made)
    pots.fund(budget, 30_00)
    assert len(closed(budget)) == 1
    late = pots.work(budget, "bo", 20_00)
    assert close_due(pots.now) == 0  # two days have not passed
    pots.pass_days(2)
    today = pots.work(budget, "bo", 7_00)
    assert close_due(pots.now) == 1
    late.refresh_from_db()
    today.refresh_from_db()
    assert (late.state, today.state) == ("included", "validated")
    assert today.period.state == "open"
    assert today.period.covers(today.worked_on)


def test_rolling_closings_are_for_requests_served_in_order(pots: Pots) -> None:
    tiers = [{"id": "general", "rule": "claims_pro", "take": {"rest": True}}]
    with pytest.raises(CharterInvalid) as refusal:
        valid_document({"format": 1, "tiers": tiers, "closing": ROLLING})
    assert [path for path, _said in refusal.value.faults] == ["closing.mode"]
    for wrong in ({"mode": "automatic"}, {"mode": "rolling", "every_days": 0}, {"mode": "automatic", "days_after": 61}):
        with pytest.raises(CharterInvalid):
            valid_document({"format": 1, "tiers": tiers, "closing": wrong})


def test_one_that_fails_keeps_no_other_open_and_is_told_once(pots: Pots, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pots.pot("Abîmée", "bo", closing=AFTER_TWO)
    second = pots.pot("Saine", "bo", closing=AFTER_TWO)
    for budget in (first, second):
        pots.fund(budget, 100_00)
        pots.work(budget, "bo", 60_00)
    broken, sound = sorted((one.periods.get(state="open") for one in (first, second)), key=lambda one: one.pk)
    day = broken.ends_before
    pots.pass_days(3)

    def freezes(period: Period, **given: Any) -> Any:
        if period.pk == broken.pk:
            Period.objects.filter(pk=period.pk).update(ends_before=period.starts_on + timedelta(days=1))
            raise RuntimeError("damaged")
        return freeze_period(period, **given)

    monkeypatch.setattr(automatic, "freeze_period", freezes)
    assert not failed_to_close(broken)
    for expected in (1, 0):
        assert close_due(pots.now) == expected
    broken.refresh_from_db()
    assert (broken.state, len(closed(broken.budget)), len(closed(sound.budget))) == ("open", 0, 1)
    assert broken.ends_before == day  # what it had begun is undone
    assert Event.objects.filter(kind="period.closing_failed").count() == 1
    assert failed_to_close(broken)
    compose_due(pots.now)
    letters = OutgoingMail.objects.filter(body__contains=f"periods/{broken.pk}/close/")
    told = sorted(letters.values_list("recipient", flat=True))
    assert {pots.person(name).email for name in ("sacha", "claire")} <= set(told)
    assert len(told) == len(set(told))
    monkeypatch.undo()
    assert close_due(pots.now) == 1  # mended, it closes at the next tick
    broken.refresh_from_db()
    assert not failed_to_close(broken)


def test_the_database_wants_somebody_or_a_charter_that_says_so(pots: Pots) -> None:
    budget = pots.pot("Main", "bo")
    made = pots.close(budget)
    with pytest.raises(IntegrityError, match="does not close periods"), transaction.atomic():
        Distribution.objects.filter(pk=made.pk).update(prepared_by=None, automatic=True)
    with pytest.raises(IntegrityError, match="prepared_or_automatic"), transaction.atomic():
        Distribution.objects.filter(pk=made.pk).update(prepared_by=None)


def test_many_workers_and_a_person_close_it_once(committed: None, play: Callable[..., Any]) -> None:
    pots = Pots(play("make_house"))
    budget = pots.pot("Ensemble", "bo", closing={"mode": "automatic", "days_after": 0})
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 60_00)
    period = pots.period(budget)
    pots.pass_days(1)

    def act(turn: int) -> str:
        if turn == 0:
            return close_period(actor=pots.person("claire"), period_id=period.pk, now=pots.now).pk
        return str(close_due(pots.now))

    outcome = at_once(act, times=5)
    (made,) = closed(budget)
    assert outcome[0] in {made.pk, "period_not_open"}
    assert sorted(outcome[1:]) == (["0", "0", "0", "0"] if outcome[0] == made.pk else ["0", "0", "0", "1"])
    assert Contribution.objects.filter(state="included").count() == 1
