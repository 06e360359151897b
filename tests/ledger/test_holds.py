"""Holds: counted by the guard at once, captured in part or whole, released, expired, once."""

from datetime import timedelta

import pytest

from backend.core.errors import Conflict
from backend.ledger import audit
from backend.ledger.models import HoldEnd, JournalEntry
from backend.ledger.services import (
    Hold,
    Line,
    Reservation,
    balance,
    expire_due,
    held,
    hold,
    hold_all,
    holds_due,
    holds_of,
    post,
    release,
)
from backend.operations.sweeps import SWEEPS
from tests.concurrency import at_once
from tests.ledger.books import DAY, NOW, bank, book, pot


def keep(key: str, amount: int, *, days: int | None = None) -> Hold:
    """Set an amount of the pot aside."""
    ends = NOW + timedelta(days=days) if days is not None else None
    return hold(reservation=Reservation(pot(), amount, "p", key, "bat_1", ends), now=NOW)


def take(key: str, amount: int, captures: dict[str, int]) -> JournalEntry:
    """Pay an amount from the pot, by holds."""
    return post(
        kind="t", scope="out", key=key, reference="r", happened_on=DAY, now=NOW, captures=captures,
        lines=[Line(pot(), amount, "401"), Line(bank(), -amount, "512")],
    )  # fmt: skip


def figures() -> tuple[int, int]:
    """What the pot holds, and what of it is set aside."""
    return balance(kind="budget", owner="bud_1", currency="EUR"), held(kind="budget", owner="bud_1", currency="EUR")


def code(refused: "pytest.ExceptionInfo[Conflict]") -> str:
    return refused.value.code


def test_what_is_held_is_not_there_for_others(db: None) -> None:
    book("in", 100)
    first = keep("a", 70)
    assert figures() == (100, 70)
    assert keep("a", 70).pk == first.pk
    with pytest.raises(Conflict) as refused:
        keep("a", 71)
    assert code(refused) == "fact_booked_otherwise"
    with pytest.raises(Conflict) as refused:
        keep("b", 31)
    assert code(refused) == "purse_short"
    with pytest.raises(Conflict) as refused:
        take("x", 31, {})
    assert code(refused) == "purse_short"
    take("y", 30, {})
    assert figures() == (70, 70)
    assert holds_of(scope="p", references=["bat_1"]) == {"a": (first.pk, 70)}


def test_capture_in_whole_and_in_part(db: None) -> None:
    book("in", 100)
    whole, part = keep("a", 60), keep("b", 40)
    entry = take("x", 75, {whole.pk: 60, part.pk: 15})
    assert figures() == (25, 0)
    assert take("x", 75, {whole.pk: 60, part.pk: 15}).pk == entry.pk  # the same fact again
    ends = HoldEnd.objects.order_by("captured").values_list("how", "captured", "entry")
    assert list(ends) == [("captured", 15, entry.pk), ("captured", 60, entry.pk)]
    with pytest.raises(Conflict) as refused:
        take("z", 15, {part.pk: 15})
    assert code(refused) == "hold_ended"
    assert release(hold_ids=[whole.pk, part.pk], now=NOW) == 0
    assert (figures(), JournalEntry.objects.count()) == ((25, 0), 2)


def test_release_and_expire(db: None) -> None:
    book("in", 100)
    first, second, third = keep("a", 10), keep("b", 20, days=1), keep("c", 30, days=3)
    assert release(hold_ids=[first.pk], now=NOW) == 1
    assert release(hold_ids=[first.pk], now=NOW) == 0
    assert figures() == (100, 50)
    assert expire_due(NOW + timedelta(hours=23)) == 0
    assert holds_due(NOW + timedelta(days=1)) == (1, NOW + timedelta(days=1))
    assert SWEEPS["ledger.expire_holds"](NOW + timedelta(days=1)) == 1
    assert expire_due(NOW + timedelta(days=1)) == 0
    assert figures() == (100, 30)
    with pytest.raises(Conflict) as refused:
        take("x", 20, {second.pk: 20})
    assert code(refused) == "hold_ended"
    take("y", 30, {third.pk: 30})
    assert (figures(), audit.everything()) == ((70, 0), [])


def test_all_or_none(db: None) -> None:
    book("in", 100)
    with pytest.raises(Conflict):
        hold_all(reservations=[Reservation(pot(), 60, "p", key, "bat_1") for key in "ab"], now=NOW)
    assert (figures(), Hold.objects.count()) == ((100, 0), 0)
    made = hold_all(reservations=[Reservation(pot(), 30, "p", key, "bat_1") for key in "abc"], now=NOW)
    assert ([row.key for row in made], figures()) == (["a", "b", "c"], (100, 90))


def test_ten_at_once_hold_no_more_than_there_is(committed: str) -> None:
    book("in", 100)
    results = at_once(lambda number: keep(str(number), 30).pk[:3], 10)
    assert sorted(results) == ["hld"] * 3 + ["purse_short"] * 7
    assert figures() == (100, 90)


def test_ten_at_once_capture_once(committed: str) -> None:
    book("in", 100)
    made = keep("a", 40)
    results = at_once(lambda number: take(f"x{number}", 40, {made.pk: 40}).kind, 6)
    assert sorted(results) == ["hold_ended"] * 5 + ["t"]
    assert (figures(), audit.everything()) == ((60, 0), [])
    same = keep("b", 60)
    results = at_once(lambda _number: take("same", 60, {same.pk: 60}).pk, 6)
    assert len({result for result in results if result.startswith("ent_")}) == 1
    assert {result for result in results if not result.startswith("ent_")} <= {"hold_ended"}
    assert (figures(), audit.everything()) == ((0, 0), [])
