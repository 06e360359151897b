"""post_many(): many facts at once, each once, all or none, under the same guards as one."""

from collections.abc import Sequence

import pytest

from backend.core.errors import Conflict
from backend.ledger import audit
from backend.ledger.models import JournalEntry, Posting
from backend.ledger.posting import MOST_LINES, fingerprint
from backend.ledger.services import (
    Entry,
    Line,
    Reservation,
    balance,
    entry_count,
    held,
    hold,
    post,
    post_many,
    reverse,
    seal_due,
    trial_balance,
)
from tests.concurrency import at_once
from tests.ledger.books import DAY, NOW, bank, book, pot


def receipt(key: object, amount: int, owner: str = "bud_1", reverses: str | None = None) -> Entry:
    """Bank +amount, budget −amount."""
    return Entry(
        "payment.received", "many", str(key), "plg_1", DAY,
        [Line(bank(), amount, "512"), Line(pot(owner), -amount, "7541")], reverses,
    )  # fmt: skip


def many(entries: Sequence[Entry]) -> list[bool]:
    """Book them; which were new."""
    return [one.fresh for one in post_many(entries=entries, now=NOW)]


def holds(owner: str = "bud_1", currency: str = "EUR") -> int:
    return balance(kind="budget", owner=owner, currency=currency)


def test_nothing_is_booked_for_nothing(db: None) -> None:
    assert post_many(entries=[], now=NOW) == []


def test_each_fact_once_in_any_mixture_of_old_and_new(db: None) -> None:
    assert many([receipt(number, number) for number in (1, 2, 3)]) == [True, True, True]
    assert many([receipt(number, number) for number in (5, 3, 4, 1)]) == [True, False, True, False]
    first = post_many(entries=[receipt(2, 2)], now=NOW)[0]
    assert (first.id, first.fresh) == (JournalEntry.objects.get(key="2").pk, False)
    assert (entry_count(), holds()) == (5, 15)


def test_one_and_many_name_the_same_facts(db: None) -> None:
    one = receipt("x", 7)
    made = post(
        kind=one.kind, scope=one.scope, key=one.key, reference=one.reference, happened_on=one.happened_on,
        lines=one.lines, now=NOW,
    )  # fmt: skip
    assert made.fingerprint == fingerprint(one)
    assert [(row.id, row.fresh) for row in post_many(entries=[one], now=NOW)] == [(made.pk, False)]


def test_the_same_key_with_another_amount_refuses_the_whole(db: None) -> None:
    many([receipt(1, 1)])
    with pytest.raises(Conflict) as refused:
        many([receipt(2, 2), receipt(1, 5)])
    assert refused.value.code == "fact_booked_otherwise"
    assert (entry_count(), holds()) == (1, 1)


def test_one_that_is_short_refuses_the_whole(db: None) -> None:
    many([receipt(1, 10), receipt(2, 10, "bud_2")])
    with pytest.raises(Conflict) as refused:
        many([receipt(3, 5), receipt(4, -11, "bud_2"), receipt(5, 5)])
    assert refused.value.code == "purse_short"
    hold(reservation=Reservation(pot(), 8, "p", "h", "bat"), now=NOW)
    with pytest.raises(Conflict) as refused:
        many([receipt(6, -3)])
    assert refused.value.code == "purse_short"
    assert (entry_count(), holds(), holds("bud_2"), held(kind="budget", owner="bud_1", currency="EUR")) == (
        2,
        10,
        10,
        8,
    )
    many([receipt(7, -11), receipt(8, 20)])  # the set counts: what comes in the same act may be spent in it
    assert holds() == 19


def test_what_is_our_bug_is_an_error(db: None) -> None:
    with pytest.raises(ValueError, match="named twice"):
        many([receipt(1, 1), receipt(1, 1)])
    lines = [Line(bank(), 1, "512"), Line(pot(), -1, "7541")] * (MOST_LINES // 2 + 1)
    with pytest.raises(ValueError, match="at most"):
        many([Entry("t", "many", "1", "r", DAY, lines)])
    with pytest.raises(AssertionError, match="unbalanced"):
        many([receipt(1, 1), Entry("t", "many", "2", "r", DAY, [Line(bank(), 1, "512"), Line(pot(), -2, "7541")])])
    assert entry_count() == 0


def test_reversals_in_bulk_mirror_once(db: None) -> None:
    made = post_many(entries=[receipt(1, 10), receipt(2, 20)], now=NOW)
    undone = [
        Entry("payment.received.reversed", "reversal", one.id, "r", DAY,
              [Line(bank(), -amount, "512"), Line(pot(), amount, "7541")], one.id)
        for one, amount in zip(made, (10, 20), strict=True)
    ]  # fmt: skip
    assert many(undone) == [True, True]
    assert many(undone) == [False, False]
    again = reverse(entry_id=made[0].id, reference="r", happened_on=DAY, now=NOW)
    assert (again.key, again.lines, entry_count(), holds()) == (made[0].id, 2, 4, 0)


def test_currencies_of_any_exponent_balance_apart(db: None) -> None:
    """Yen-like francs of no decimals, dinars of three: the amounts are what they are, each currency sums to zero."""
    for money, amount in (("XPF", 500), ("TND", 1234567), ("EUR", 99)):
        many([
            Entry("payment.received", "money", money, "r", DAY,
                  [Line(bank(currency=money), amount, "512"), Line(pot(currency=money), -amount, "7541")]),
        ])  # fmt: skip
        assert holds(currency=money) == amount
    both = [
        Line(bank(currency="XPF"), 3, "512"), Line(pot(currency="XPF"), -3, "7541"),
        Line(bank(currency="TND"), 4, "512"), Line(pot(currency="TND"), -4, "7541"),
    ]  # fmt: skip
    many([Entry("payment.received", "money", "both", "r", DAY, both)])
    assert (holds(currency="XPF"), holds(currency="TND")) == (503, 1234571)
    assert [(row.currency, row.chart, row.balance) for row in trial_balance()] == [
        ("EUR", "512", 99), ("EUR", "7541", -99), ("TND", "512", 1234571), ("TND", "7541", -1234571),
        ("XPF", "512", 503), ("XPF", "7541", -503),
    ]  # fmt: skip
    seal_due(NOW)
    assert audit.everything() == []


def test_a_distribution_of_ten_thousand_lines_is_one_entry(db: None) -> None:
    book("in", 10_000_00)
    pots = [pot(f"p{number}") for number in range(40)]
    people = [Line(pots[number % 40], -100, "401") for number in range(9_999)]
    share = Entry("distribution.approved", "dis", "1", "dis_1", DAY, [Line(pot(), 9_999_00, "6226"), *people])
    assert many([share]) == [True]
    assert (Posting.objects.filter(entry__kind="distribution.approved").count(), holds(), holds("p3")) == (
        10_000, 100, 250_00,
    )  # fmt: skip
    seal_due(NOW)
    assert audit.everything() == []


def test_the_same_bulk_six_times_at_once_books_once(committed: str) -> None:
    entries = [receipt(number, 1, f"bud_{number % 3}") for number in range(300)]
    results = at_once(lambda number: sum(many(entries if number % 2 else entries[::-1])), 6)
    assert sorted(results) == [0] * 5 + [300]
    assert (entry_count(), holds("bud_0")) == (300, 100)
    assert audit.everything() == []


def test_bulks_and_single_entries_over_the_same_purses_do_not_deadlock(committed: str) -> None:
    owners = [f"bud_{number}" for number in range(6)]
    for owner in owners:
        pot(owner)

    def act(number: int) -> str:
        for turn in range(12):
            names = owners if number % 2 else owners[::-1]
            if turn % 3:
                many([receipt(f"{number}-{turn}-{name}", 2, name) for name in names])
            else:
                post(
                    kind="payment.received", scope="single", key=f"{number}-{turn}", reference="r", happened_on=DAY,
                    now=NOW, lines=[Line(bank(), 2, "512"), Line(pot(names[0]), -2, "7541")],
                )  # fmt: skip
        return "done"

    assert at_once(act, 8) == ["done"] * 8
    assert sum(holds(owner) for owner in owners) == 8 * (8 * 6 + 4) * 2
    assert audit.everything() == []
