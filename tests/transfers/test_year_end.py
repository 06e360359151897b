"""The end of a year: figures from the ledger, two treasurers, once, undone by its mirror; the next year goes on."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from accounting_fr.fec_check import check_fec
from django.db import IntegrityError, transaction

from backend.contributions.volunteering import set_rate
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.exports.services import export
from backend.ledger import chart
from backend.ledger.services import (
    Line,
    ask_lock,
    balance,
    entry_count,
    lock,
    next_month,
    open_account,
    post,
    seal_due,
    trial_balance,
)
from backend.operations.selfcheck import _kinds, _pots, _read
from backend.transfers.models import YearEnd, YearEndLine
from backend.transfers.services import decide_opening, propose_opening
from backend.transfers.year_end import (
    decide_year_end,
    dedicated_funds,
    propose_year_end,
    still_true,
    undo_year_end,
)
from tests.concurrency import at_once
from tests.contributions.test_volunteering import NOON, done

Play = Callable[..., Any]
EUR = "EUR"
AFTER = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)


def move(world: Any, amount: int, day: date, number: str = "7541") -> None:
    """Money into the pot (above zero), or out of it for work."""
    bank = open_account(kind="bank", owner=world.account.pk, currency=EUR)
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    post(
        kind="payment.received" if amount > 0 else "distribution.approved", scope="test", key=f"{day}{amount}{number}",
        reference=world.budget.pk, happened_on=day, now=AFTER,
        lines=[Line(bank, amount, "512"), Line(pot, -amount, number)],
    )  # fmt: skip


def propose(world: Any, year: int = 2024, kind: str = "dedicated", who: str = "claire") -> YearEnd:
    """Claire proposes, long after."""
    return propose_year_end(actor=world.users[who], kind=kind, year=year, now=AFTER)


def decide(world: Any, found: YearEnd, who: str = "denis", **changes: Any) -> YearEnd:
    """Denis books."""
    values = {"accept": True, "digest": found.digest, "now": AFTER} | changes
    return decide_year_end(actor=world.users[who], year_end_id=found.pk, **values)


def undo(world: Any, found: YearEnd, who: str = "denis", reason: str = "a line came late") -> YearEnd:
    """Denis undoes."""
    return undo_year_end(actor=world.users[who], year_end_id=found.pk, reason=reason, now=AFTER)


def by_chart(*numbers: str) -> tuple[int, ...]:
    """The balances of some numbers of the chart, debits positive."""
    found = {row.chart: row.balance for row in trial_balance()}
    return tuple(found.get(number, 0) for number in numbers)


def two_years(play: Play) -> Any:
    """2024: 1 000 € in, 400 € out. 2025: 300 € in, 750 € out."""
    world = play("make_promise")
    move(world, 1000_00, date(2024, 3, 1))
    move(world, -400_00, date(2024, 9, 1), "6226")
    move(world, 300_00, date(2025, 2, 1))
    move(world, -750_00, date(2025, 6, 1), "6226")
    return world


def test_what_is_not_spent_is_set_aside_then_used(play: Play) -> None:
    world = two_years(play)
    held = balance(kind="budget", owner=world.budget.pk, currency=EUR)
    (first,) = dedicated_funds(2024)
    assert (first.opening, first.received, first.spent, first.used, first.set_aside, first.closing) == (
        0, 1000_00, 400_00, 0, 600_00, 600_00,
    )  # fmt: skip
    found = decide(world, propose(world))
    assert found.state == "booked"
    assert by_chart("195", "6895", "7895") == (-600_00, 600_00, 0)
    assert dedicated_funds(2024) == [first]  # what was written is no receipt and no expense
    (second,) = dedicated_funds(2025)
    # 750 spent: first the 600 of before, then 150 of the 300 of the year; 150 are left.
    assert (second.opening, second.received, second.spent, second.used, second.set_aside, second.closing) == (
        600_00, 300_00, 750_00, 600_00, 150_00, 150_00,
    )  # fmt: skip
    assert second.earlier == 0
    decide(world, propose(world, 2025))
    assert by_chart("195", "6895", "7895") == (-150_00, 750_00, -600_00)
    # No money moved, and the result of the pot is zero each year: what is left is owed to the commons.
    assert balance(kind="budget", owner=world.budget.pk, currency=EUR) == held == 150_00
    assert sum(by_chart("7541", "6226", "6895", "7895")) == 0
    books = _read()
    assert [one for one in _kinds(books) if one.thing.startswith("year.")] == []
    assert len(_pots(books)) == 1  # the money of this test has no payment behind it, nothing else is wrong


def test_money_of_the_opening_is_set_aside_already(play: Play) -> None:
    world = play("make_house")
    opening = propose_opening(
        actor=world.users["claire"], as_of=date(2023, 12, 31), form_key="1", now=world.now,
        accounts={world.account.pk: 500_00}, budgets={world.budget.pk: 500_00},
    )  # fmt: skip
    decide_opening(actor=world.users["denis"], opening_id=opening.pk, accept=True, digest=opening.digest, now=world.now)
    move(world, -120_00, date(2024, 5, 1), "6226")
    (found,) = dedicated_funds(2024)
    assert (found.opening, found.used, found.set_aside, found.closing) == (500_00, 120_00, 0, 380_00)
    decide(world, propose(world))
    assert by_chart("195", "7895", "6895") == (-380_00, -120_00, 0)
    # The host opened its books within the year: the same.
    assert dedicated_funds(2023)[0].closing == 500_00


def test_a_year_that_was_skipped_is_told_apart(play: Play) -> None:
    world = two_years(play)
    (found,) = dedicated_funds(2025)
    assert (found.earlier, found.opening, found.closing, found.set_aside) == (600_00, 0, 150_00, 150_00)
    decide(world, propose(world, 2025))
    with pytest.raises(Conflict) as refusal:
        propose(world, 2024)
    assert refusal.value.code == "later_year_written"
    assert by_chart("195") == (-150_00,)


def test_it_takes_two_and_is_written_once(play: Play) -> None:
    world = two_years(play)
    count = entry_count()
    with pytest.raises(Conflict) as early:
        propose_year_end(
            actor=world.users["claire"], kind="dedicated", year=2024, now=datetime(2024, 12, 31, tzinfo=UTC)
        )
    assert early.value.code == "year_not_over"
    with pytest.raises(Forbidden):
        propose(world, who="sacha")
    with pytest.raises(Invalid):
        propose(world, kind="other")
    found = propose(world)
    assert propose(world, who="denis").pk == found.pk  # the same figures: the same proposal
    with pytest.raises(Forbidden) as own:
        decide(world, found, "claire")
    assert own.value.code == "own_year_end"
    with pytest.raises(NotFound):
        decide(world, found, "ana")
    assert (entry_count(), YearEnd.objects.count()) == (count, 1)
    decide(world, found)
    decide(world, found)
    assert entry_count() == count + 1
    with pytest.raises(Conflict) as twice:
        propose(world)
    assert twice.value.code == "year_written"
    assert entry_count() == count + 1
    kinds = ["year_end.proposed", "year_end.booked"]
    assert list(Event.objects.filter(subject=found.pk).order_by("created_at").values_list("kind", flat=True)) == kinds


def test_figures_that_changed_meanwhile_are_not_booked(play: Play) -> None:
    world = two_years(play)
    found = propose(world)
    move(world, 50_00, date(2024, 12, 31))
    count = entry_count()
    with pytest.raises(Conflict) as changed:
        decide(world, found)
    assert changed.value.code == "year_end_changed"
    with pytest.raises(Conflict) as waits:
        propose(world)
    assert waits.value.code == "year_waits"
    with pytest.raises(Invalid):
        decide(world, found, accept=False)
    assert (decide(world, found, accept=False, reason="a line came late").state, entry_count()) == ("refused", count)
    again = decide(world, propose(world))
    assert by_chart("195") == (-650_00,)
    assert still_true(actor=world.users["claire"], year_end=again)
    move(world, 1_00, date(2024, 12, 30))
    assert not still_true(actor=world.users["claire"], year_end=again)


def test_it_is_undone_by_its_mirror_then_written_anew(play: Play) -> None:
    world = two_years(play)
    found = decide(world, propose(world))
    with pytest.raises(Invalid):
        undo(world, found, reason=" ")
    with pytest.raises(NotFound):
        undo(world, found, "ana")
    undone = undo(world, found)
    assert (undone.state, undo(world, found).pk) == ("undone", found.pk)
    assert by_chart("195", "6895") == (0, 0)
    move(world, 50_00, date(2024, 12, 31))
    decide(world, propose(world))
    assert by_chart("195", "6895") == (-650_00, 650_00)
    later = decide(world, propose(world, 2025))
    with pytest.raises(Conflict) as refusal:
        undo(world, YearEnd.objects.get(year=2024, state="booked"))
    assert refusal.value.code == "later_year_written"
    undo(world, later)


def test_a_locked_year_takes_none_of_it(play: Play) -> None:
    world = two_years(play)
    while (month := next_month()) is not None and month < date(2025, 1, 1):
        asked = ask_lock(actor=world.users["claire"], first_day=month, now=AFTER)
        lock(actor=world.users["denis"], closing_id=asked.pk, now=AFTER)
    found = propose(world)
    count = entry_count()
    with pytest.raises(Conflict) as refusal:
        decide(world, found)
    assert refusal.value.code == "month_locked"
    found.refresh_from_db()
    assert (found.state, entry_count(), found.lines.get().entry) == ("proposed", count, "")


def test_postgres_keeps_it_once_and_as_it_was(play: Play) -> None:
    world = two_years(play)
    found = decide(world, propose(world))
    (line,) = found.lines.all()
    for act in (
        lambda: YearEnd.objects.create(id="yen_2", kind="dedicated", year=2024, last_day=date(2024, 12, 31), digest="x",
                                       proposed_by=world.users["claire"], proposed_at=AFTER),
        lambda: YearEndLine.objects.create(year_end=found, kind="dedicated", year=2024, budget=world.budget,
                                           currency=EUR),
        lambda: YearEndLine.objects.filter(pk=line.pk).update(closing=1, set_aside=1),
        lambda: YearEnd.objects.filter(pk=found.pk).update(state="proposed"),
        lambda: YearEnd.objects.filter(pk=found.pk).update(decided_by=found.proposed_by),
        lambda: YearEndLine.objects.filter(pk=line.pk).update(entry=""),
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            act()


def test_two_treasurers_at_once_book_it_once(committed: str, play: Play) -> None:
    world = two_years(play)
    found = {one.pk for one in at_once(lambda _number: propose(world))}
    assert len(found) == 1
    count = entry_count()
    (waiting,) = YearEnd.objects.all()
    assert at_once(lambda _number: decide(world, waiting).state) == ["booked"] * 10
    assert entry_count() == count + 1


def test_volunteering_is_written_outside_the_result(play: Play) -> None:
    world = play("make_house", now=NOON)
    done(world, minutes=100)
    done(world, "camille", minutes=20)
    year, now = 2026, datetime(2027, 1, 5, 9, 0, tzinfo=UTC)
    with pytest.raises(Conflict) as refusal:
        propose_year_end(actor=world.users["claire"], kind="volunteering", year=year, now=now)
    assert refusal.value.code == "rate_missing"
    set_rate(actor=world.users["claire"], year=year, currency=EUR, amount=15_00, reason="SMIC", now=now)
    found = propose_year_end(actor=world.users["claire"], kind="volunteering", year=year, now=now)
    (line,) = found.lines.all()
    assert (line.minutes, line.set_aside) == (120, 30_00)
    before = trial_balance()
    decide_year_end(actor=world.users["denis"], year_end_id=found.pk, accept=True, digest=found.digest, now=now)
    assert by_chart(chart.TIME_GIVEN, chart.TIME_VALUED) == (line.set_aside, -line.set_aside)
    assert [one for one in trial_balance() if one.chart[0] != "8"] == before
    while seal_due(now):
        pass
    name, data = export(actor=world.users["claire"], name="fec", year=year, now=now)
    content = b"".join(data)
    assert b"864\tPersonnel b\xe9n\xe9vole" in content
    report = check_fec(content, name, date(year, 1, 1), date(year, 12, 31))
    assert report.errors == []
