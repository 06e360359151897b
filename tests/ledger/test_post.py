"""post(): one fact, one entry, whatever happens around it."""

from datetime import date

import pytest
from django.utils import timezone

from backend.core.errors import Conflict
from backend.ledger.models import JournalEntry, Posting
from backend.ledger.services import (
    Line,
    balance,
    charted,
    entry_count,
    open_account,
    post,
    reverse,
    statement,
    trial_balance,
)
from tests.concurrency import at_once

DAY = date(2026, 11, 21)


def book(key: str, amount: int, owner: str = "bud_1") -> JournalEntry:
    """Bank +amount, budget −amount."""
    return post(
        kind="t", scope="t", key=key, reference="r", happened_on=DAY, now=timezone.now(),
        lines=[
            Line(open_account(kind="bank", owner="bnk_1", currency="EUR"), amount, "512"),
            Line(open_account(kind="budget", owner=owner, currency="EUR"), -amount, "7541"),
        ],
    )  # fmt: skip


def test_the_same_fact_gives_back_its_entry(db: None) -> None:
    first = book("1", 100)
    assert book("1", 100).pk == first.pk
    assert (entry_count(), balance(kind="budget", owner="bud_1", currency="EUR")) == (1, 100)


def test_the_same_key_with_another_amount_is_refused(db: None) -> None:
    book("1", 100)
    with pytest.raises(Conflict) as refusal:
        book("1", 101)
    assert refusal.value.code == "fact_booked_otherwise"
    assert (entry_count(), balance(kind="budget", owner="bud_1", currency="EUR")) == (1, 100)


def test_a_purse_that_is_short_refuses_and_nothing_is_booked(db: None) -> None:
    book("1", 100)
    with pytest.raises(Conflict) as refusal:
        book("2", -101)
    assert refusal.value.code == "purse_short"
    assert (entry_count(), Posting.objects.count()) == (1, 2)
    assert balance(kind="budget", owner="bud_1", currency="EUR") == 100


def test_an_unbalanced_entry_is_our_bug(db: None) -> None:
    bank = open_account(kind="bank", owner="bnk_1", currency="EUR")
    with pytest.raises(AssertionError, match="unbalanced"):
        post(
            kind="t", scope="t", key="1", reference="r", happened_on=DAY, now=timezone.now(),
            lines=[Line(bank, 100, "512"), Line(bank, -99, "512")],
        )  # fmt: skip
    assert entry_count() == 0


def test_a_reversal_mirrors_once(db: None) -> None:
    first = book("1", 100)
    undo = reverse(entry_id=first.pk, reference="r", happened_on=DAY, now=timezone.now())
    again = reverse(entry_id=first.pk, reference="r", happened_on=DAY, now=timezone.now())
    assert undo.pk == again.pk
    assert undo.reverses_id == first.pk
    assert balance(kind="budget", owner="bud_1", currency="EUR") == 0


def test_reads(db: None) -> None:
    book("1", 100)
    book("2", 50, owner="bud_2")
    assert charted(kind="budget", owners=["bud_1", "bud_2"], chart="7541") == -150
    rows = statement(kind="budget", owner="bud_1", currency="EUR").rows
    assert [(row.kind, row.amount, row.balance) for row in rows] == [("t", -100, -100)]
    assert [(row.chart, row.debit, row.credit) for row in trial_balance()] == [("512", 150, 0), ("7541", 0, 150)]
    assert trial_balance(up_to=date(2026, 11, 20)) == []


def test_ten_at_once_book_one_fact_once(committed: str) -> None:
    entries = at_once(lambda _number: book("same", 100).pk, 10)
    assert len(set(entries)) == 1
    assert (entry_count(), balance(kind="budget", owner="bud_1", currency="EUR")) == (1, 100)


def test_ten_at_once_cannot_spend_more_than_there_is(committed: str) -> None:
    book("in", 100)
    results = at_once(lambda number: book(f"out-{number}", -30).kind, 10)
    assert sorted(results) == ["purse_short"] * 7 + ["t"] * 3
    assert balance(kind="budget", owner="bud_1", currency="EUR") == 10


def test_crossing_entries_do_not_deadlock(committed: str) -> None:
    """Entries over the same purses in opposite orders: the locks are taken in one order."""
    purses = [open_account(kind="clearing", owner=f"c{number}", currency="EUR") for number in range(4)]

    def cross(number: int) -> str:
        order = purses if number % 2 else purses[::-1]
        for turn in range(20):
            post(
                kind="t", scope="x", key=f"{number}-{turn}", reference="r", happened_on=DAY, now=timezone.now(),
                lines=[Line(purse, amount, "1") for purse, amount in zip(order, (2, -1, -3, 2), strict=True)],
            )  # fmt: skip
        return "done"

    assert at_once(cross, 8) == ["done"] * 8
    assert entry_count() == 160
    held = [balance(kind="clearing", owner=f"c{number}", currency="EUR") for number in range(4)]
    assert held == [320, -320, -320, 320]
