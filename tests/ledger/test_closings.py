"""Accounting months: two people, in order; a locked month takes no entry; past balances are what was kept and since."""

import os
import random
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.ledger import audit
from backend.ledger.models import Closing, ClosingBalance, JournalEntry, Posting
from backend.ledger.services import (
    Entry,
    Line,
    ask_lock,
    ask_unlock,
    balance_known,
    balance_on,
    keep_locked,
    lock,
    next_month,
    open_from,
    post,
    post_many,
    reverse,
    statement,
    trial_balance,
    unlock,
    withdraw,
)
from tests import databases
from tests.concurrency import at_once
from tests.ledger.books import bank, book, pot

Play = Callable[..., Any]
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


def at(day: int, month: int = 11, hour: int = 9) -> datetime:
    """A moment of 2026."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture
def world(play: Play) -> Any:
    """Two treasurers, and two entries: 100 in October, 30 in November."""
    world = play("make_house")
    book("oct", 100, day=date(2026, 10, 12), now=at(12, 10))
    book("nov", 30, day=date(2026, 11, 3), now=at(3))
    return world


def locked(world: Any, month: date = OCTOBER, now: datetime | None = None) -> Closing:
    """Lock a month by Claire and Denis."""
    asked = ask_lock(actor=world.users["claire"], first_day=month, now=now or at(5))
    return lock(actor=world.users["denis"], closing_id=asked.pk, now=now or at(5))


def refusal(act: Callable[[], Any]) -> str:
    """The code of the refusal of an act."""
    with pytest.raises(DomainError) as refused:
        act()
    return refused.value.code


def test_two_people_lock_a_month_and_no_entry_enters_it(world: Any) -> None:
    claire, denis = world.users["claire"], world.users["denis"]
    assert next_month() == OCTOBER
    asked = ask_lock(actor=claire, first_day=OCTOBER, now=at(5))
    assert ask_lock(actor=denis, first_day=OCTOBER, now=at(5)).pk == asked.pk
    assert open_from() is None
    assert refusal(lambda: lock(actor=claire, closing_id=asked.pk, now=at(5))) == "own_closing"
    done = lock(actor=denis, closing_id=asked.pk, now=at(5))
    assert lock(actor=denis, closing_id=asked.pk, now=at(6)).locked_at == done.locked_at
    assert (open_from(), next_month()) == (NOVEMBER, NOVEMBER)
    assert refusal(lambda: book("late", 5, day=date(2026, 10, 31))) == "month_locked"
    assert refusal(lambda: book("older", 5, day=date(2025, 1, 1))) == "month_locked"
    assert JournalEntry.objects.count() == 2
    book("first open day", 5, day=NOVEMBER)
    kinds = [event.kind for event in Event.objects.filter(subject=asked.pk).order_by("pk")]
    assert sorted(kinds) == ["month.lock_asked", "month.locked"]


def test_every_way_in_is_closed(world: Any) -> None:
    old = JournalEntry.objects.get(key="oct")
    locked(world)
    lines = [Line(bank(), 5, "512"), Line(pot(), -3, "7541"), Line(pot(), -2, "7541")]
    day = date(2026, 10, 31)
    many = [Entry("t", "t", "a", "r", NOVEMBER, lines), Entry("t", "t", "b", "r", day, lines)]
    assert refusal(lambda: post_many(entries=many, now=at(5))) == "month_locked"
    assert refusal(lambda: reverse(entry_id=old.pk, reference="r", happened_on=day, now=at(5))) == "month_locked"
    assert refusal(
        lambda: post(kind="t", scope="t", key="c", reference="r", happened_on=day, lines=lines, now=at(5))
    ) == "month_locked"  # fmt: skip
    assert JournalEntry.objects.count() == 2
    assert reverse(entry_id=old.pk, reference="r", happened_on=NOVEMBER, now=at(5)).happened_on == NOVEMBER


def test_a_fact_learnt_late_goes_to_the_first_open_day_and_its_repetition_too(world: Any) -> None:
    locked(world)
    known = {"kind": "payment.received", "scope": "t", "reference": "plg_1", "now": at(6), "late": True}
    lines = [Line(bank(), 7, "512"), Line(pot(), -7, "7541")]
    first = post(**known, key="x", happened_on=date(2026, 10, 20), lines=lines)  # type: ignore[arg-type]
    again = post(**known, key="x", happened_on=date(2026, 10, 20), lines=lines)  # type: ignore[arg-type]
    old = post(
        **known, key="oct", happened_on=date(2026, 10, 12),  # type: ignore[arg-type]
        lines=[Line(bank(), 100, "512"), Line(pot(), -100, "7541")],
    )  # fmt: skip
    assert (first.happened_on, again.pk, old.happened_on) == (NOVEMBER, first.pk, date(2026, 10, 12))
    assert JournalEntry.objects.count() == 3


def test_months_lock_in_order_and_only_when_over(world: Any) -> None:
    claire, denis = world.users["claire"], world.users["denis"]
    assert refusal(lambda: ask_lock(actor=claire, first_day=NOVEMBER, now=at(5, 12))) == "month_out_of_order"
    assert refusal(lambda: ask_lock(actor=claire, first_day=OCTOBER, now=at(31, 10))) == "month_not_over"
    first = locked(world)
    assert refusal(lambda: ask_lock(actor=claire, first_day=NOVEMBER, now=at(30))) == "month_not_over"
    second = locked(world, NOVEMBER, at(2, 12))
    ask_unlock(actor=claire, closing_id=first.pk, reason="a late invoice", now=at(3, 12))
    assert refusal(lambda: unlock(actor=denis, closing_id=first.pk, now=at(3, 12))) == "month_out_of_order"
    assert open_from() == date(2026, 12, 1)
    ask_unlock(actor=denis, closing_id=second.pk, reason="a late invoice", now=at(3, 12))
    assert refusal(lambda: unlock(actor=denis, closing_id=second.pk, now=at(3, 12))) == "own_closing"
    unlock(actor=claire, closing_id=second.pk, now=at(3, 12))
    assert open_from() == NOVEMBER
    book("late", 1, day=date(2026, 11, 30), now=at(3, 12))
    again = locked(world, NOVEMBER, at(4, 12))
    assert again.pk != second.pk
    assert balance_on(kind="budget", owner="bud_1", currency="EUR", day=date(2026, 11, 30)) == 131
    assert audit.everything() == []


def test_refusals_and_taking_back(world: Any) -> None:
    claire, denis, ana = world.users["claire"], world.users["denis"], world.users["ana"]
    with pytest.raises(Forbidden):
        ask_lock(actor=ana, first_day=OCTOBER, now=at(5))
    with pytest.raises(NotFound):
        lock(actor=denis, closing_id="clo_none", now=at(5))
    asked = ask_lock(actor=claire, first_day=OCTOBER, now=at(5))
    withdraw(actor=claire, closing_id=asked.pk, now=at(5))
    assert withdraw(actor=denis, closing_id=asked.pk, now=at(5)).withdrawn_by_id == claire.pk
    assert refusal(lambda: lock(actor=denis, closing_id=asked.pk, now=at(5))) == "closing_moved_on"
    closing = locked(world)
    assert refusal(lambda: withdraw(actor=claire, closing_id=closing.pk, now=at(5))) == "closing_moved_on"
    assert refusal(lambda: ask_lock(actor=claire, first_day=OCTOBER, now=at(5))) == "month_out_of_order"
    with pytest.raises(Invalid):
        ask_unlock(actor=claire, closing_id=closing.pk, reason=" ", now=at(6))
    assert refusal(lambda: unlock(actor=denis, closing_id=closing.pk, now=at(6))) == "closing_moved_on"
    ask_unlock(actor=claire, closing_id=closing.pk, reason="why", now=at(6))
    assert refusal(lambda: ask_unlock(actor=denis, closing_id=closing.pk, reason="w", now=at(6))) == "closing_moved_on"
    keep_locked(actor=denis, closing_id=closing.pk, now=at(6))
    assert refusal(lambda: unlock(actor=denis, closing_id=closing.pk, now=at(6))) == "closing_moved_on"
    assert open_from() == NOVEMBER


@pytest.mark.parametrize("role", ["tronc_app", "tronc_owner"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger_closing",
        "TRUNCATE ledger_closing CASCADE",
        "UPDATE ledger_closing SET unlocked_at = now(), unlocked_by_id = locked_by_id",
        "UPDATE ledger_closing SET locked_at = NULL, locked_by_id = NULL",
        "UPDATE ledger_closing SET last_posting = 0",
        "UPDATE ledger_closing SET first_day = first_day - 31",
        "UPDATE ledger_closing SET withdrawn_at = now(), withdrawn_by_id = asked_by_id",
        "UPDATE ledger_closing SET locked_by_id = asked_by_id",
        "INSERT INTO ledger_closing (id, first_day, ends_before, asked_by_id, asked_at, unlock_reason, locked_at,"
        " locked_by_id)"
        " SELECT 'clo_x', '2026-11-01', '2026-12-01', asked_by_id, now(), '', now(), locked_by_id FROM ledger_closing",
        "UPDATE ledger_closingbalance SET balance = 0",
        "DELETE FROM ledger_closingbalance",
    ],
)
def test_postgresql_keeps_locked_months(committed: str, world: Any, statement: str, role: str) -> None:
    locked(world)
    before = (list(Closing.objects.values()), list(ClosingBalance.objects.order_by("pk").values()))
    url = databases.named(os.environ["DATABASE_URL"] if role == "tronc_app" else databases.owner_url(), committed)
    with (
        psycopg.connect(url, options=f"-c role={role}") as raw,
        pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)),
    ):
        raw.execute(statement)  # type: ignore[call-overload]
    assert (list(Closing.objects.values()), list(ClosingBalance.objects.order_by("pk").values())) == before


def test_past_balances_are_those_of_the_lines_whatever_was_locked(world: Any) -> None:
    """Random lines over a year, months locked and unlocked among them: each past balance is the plain sum."""
    luck = random.Random(20261122)  # noqa: S311
    known: list[tuple[date, datetime, int]] = [
        (date(2026, 10, 12), at(12, 10), 100), (date(2026, 11, 3), at(3), 30),
    ]  # fmt: skip
    now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    for turn in range(120):
        now += timedelta(hours=luck.randrange(1, 60))
        day = max(now.date() - timedelta(days=luck.randrange(0, 70)), open_from() or date(2026, 1, 1))
        amount = luck.randrange(1, 50)
        book(f"r{turn}", amount, day=day, now=now)
        known.append((day, now, amount))
        month = next_month()
        if turn % 9 == 8 and month and (month + timedelta(days=62)) < now.date():
            locked(world, month, now)
        if turn % 31 == 30:
            last = Closing.objects.filter(locked_at__isnull=False, unlocked_at=None).order_by("-first_day").first()
            if last:
                ask_unlock(actor=world.users["claire"], closing_id=last.pk, reason="why", now=now)
                unlock(actor=world.users["denis"], closing_id=last.pk, now=now)
    assert Closing.objects.filter(locked_at__isnull=False, unlocked_at=None).count() >= 3
    for _ in range(80):
        day = date(2026, 9, 25) + timedelta(days=luck.randrange(0, 320))
        assert balance_on(kind="budget", owner="bud_1", currency="EUR", day=day) == sum(
            amount for happened, _booked, amount in known if happened <= day
        )
        moment = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(hours=luck.randrange(0, 9000))
        assert balance_known(kind="budget", owner="bud_1", currency="EUR", at=moment) == sum(
            amount for _happened, booked, amount in known if booked <= moment
        )
    assert balance_on(kind="budget", owner="nobody", currency="EUR", day=OCTOBER) == 0
    assert audit.everything() == []
    pages(known)


def pages(known: list[tuple[date, datetime, int]]) -> None:
    """The statement, page by page, is the lines by day with the running sum, also where a page ends within a day."""
    rows, older = [], ""
    while True:
        page = statement(kind="budget", owner="bud_1", currency="EUR", limit=7, older=older)
        rows += page.rows
        older = page.older
        if not older:
            break
    numbers = dict(Posting.objects.filter(account=pot()).values_list("entry", "id"))
    assert [numbers[row.entry] for row in rows] == [
        number for _day, number in sorted(((row.happened_on, numbers[row.entry]) for row in rows), reverse=True)
    ]
    running = 0
    for row in reversed(rows):
        running += row.amount
        assert row.balance == running
    assert (len(rows), running) == (len(known), -sum(amount for *_dates, amount in known))
    early = sum(amount for happened, _booked, amount in known if happened <= OCTOBER)
    assert [row.credit for row in trial_balance(up_to=OCTOBER) if row.chart == "7541"] == [early]


@pytest.mark.parametrize(
    "older", ["x", "2026-11-01", "2026-11-01.-5", "2026-13-01.5", "2026-11-01.99999999999999999999"]
)
def test_a_page_that_none_gave_is_refused(db: None, older: str) -> None:
    book("1", 1)
    with pytest.raises(ValueError):  # noqa: PT011 -- fromisoformat's own sentence is among them
        statement(kind="budget", owner="bud_1", currency="EUR", older=older)


def test_who_locks_waits_for_who_posts_and_is_then_seen(committed: str, world: Any) -> None:
    """An entry under way when the month is locked is in what the month kept; one that comes after is refused."""
    begun, go = threading.Event(), threading.Event()

    def posting() -> str:
        from django.db import transaction

        with transaction.atomic():
            book("under way", 5, day=date(2026, 10, 30), now=at(4))
            begun.set()
            go.wait(10)
        connection.close()
        return "booked"

    def locking() -> str:
        begun.wait(10)
        asked = ask_lock(actor=world.users["claire"], first_day=OCTOBER, now=at(5))
        threading.Timer(0.5, go.set).start()
        lock(actor=world.users["denis"], closing_id=asked.pk, now=at(5))
        connection.close()
        return "locked"

    assert sorted(at_once(lambda number: (posting, locking)[number](), 2)) == ["booked", "locked"]
    kept = ClosingBalance.objects.get(account=pot())
    assert (kept.balance, kept.booked) == (-105, -135)
    with pytest.raises(Conflict):
        book("after", 5, day=date(2026, 10, 30))
    assert audit.everything() == []


def test_two_lock_at_once_one_locks(committed: str, world: Any) -> None:
    asked = ask_lock(actor=world.users["claire"], first_day=OCTOBER, now=at(5))
    results = at_once(lambda _n: lock(actor=world.users["denis"], closing_id=asked.pk, now=at(5)).pk, 6)
    assert results == [asked.pk] * 6
    assert ClosingBalance.objects.filter(account=pot()).count() == 1
    assert Event.objects.filter(kind="month.locked").count() == 1
