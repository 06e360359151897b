"""Whether bank and ledger say the same: a missing statement is found, two states, and the difference item by item."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from backend.banking.checking import Checked, check_accounts, stands
from backend.banking.models import BankLine, Statement
from backend.banking.services import import_statement
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.operations import demo
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
FIRST = date(2026, 3, 2)


def file(world: Any, number: int, opening: int, *moves: tuple[int, int], tie: int = 0, span: int = 0) -> bytes:
    """A statement of moves (day from the first one, cents), from its first to its last day.

    Args: tie: cents by which it does not tie. span: days that it covers beyond its last move.
    """
    days = [FIRST + timedelta(days=day) for day, _amount in moves]
    lines = [(amount, f"PAYER {day} {amount}", "gift", "") for day, amount in moves]
    data = demo.statement_file(world, number=number, opening=opening, lines=lines, days=days)
    closing = opening + sum(amount for _day, amount in moves)
    ends = (days[-1] + timedelta(days=span)).isoformat().encode()
    today = world.today.isoformat().encode()
    for index, (day, amount) in enumerate(moves, start=1):  # the bank's own reference is that of the operation
        data = data.replace(f"<AcctSvcrRef>S{number}-{index}<".encode(), f"<AcctSvcrRef>B{day}/{amount}<".encode())
    head, mark, rest = data.partition(b"<Cd>CLBD</Cd>")
    assert mark
    head = head.replace(b"<Dt>" + today, b"<Dt>" + days[0].isoformat().encode())
    rest = rest.replace(b"<Dt>" + today, b"<Dt>" + ends, 1)
    whole = head + mark + rest
    wrong = f"{(closing + tie) // 100}.{(closing + tie) % 100:02d}".encode()
    return whole.replace(f"{closing // 100}.{closing % 100:02d}</Amt>".encode(), wrong + b"</Amt>") if tie else whole


def bring(world: Any, *files: bytes, accept_gap: bool = False) -> Checked:
    """Import, sweep, and say where the account stands."""
    for data in files:
        import_statement(actor=world.users["claire"], data=data, accept_gap=accept_gap, now=world.now)
        demo.sweep(world.now)
    (found,) = check_accounts()
    return found


def parts(checked: Checked) -> list[tuple[str, int]]:
    """The items of the difference."""
    return [(item.what, item.amount) for item in checked.items]


def test_statements_that_follow_have_no_gap_and_both_states(play: Play) -> None:
    world = play("make_promise")
    one = file(world, 1, 0, (0, 100_00), (1, 50_00))
    checked = bring(world, one, file(world, 2, 150_00, (2, -20_00)), one)
    assert (checked.missing, parts(checked), checked.unexplained) == ([], [], 0)
    assert (checked.position.gap, checked.verified, checked.reconciled, checked.open_lines) == (0, True, False, 3)
    where = stands(Statement.objects.all())
    assert {(one.verified, one.reconciled) for one in where.values()} == {(True, False)}


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 0, 1), (2, 1, 0), (0, 1, 2)])
def test_a_missing_statement_is_named_until_it_comes(play: Play, order: tuple[int, ...]) -> None:
    world = play("make_promise")
    files = [
        file(world, 11, 0, (0, 100_00)), file(world, 12, 100_00, (7, 30_00), (9, -5_00)),
        file(world, 13, 125_00, (14, 10_00)),
    ]  # fmt: skip
    for place in order[:-1]:
        checked = bring(world, files[place])
    if order[-1] == 1:
        (gap,) = checked.missing
        assert (gap.amount, gap.numbers, gap.first_day, gap.last_day) == (
            25_00, "12", FIRST + timedelta(days=1), FIRST + timedelta(days=13),
        )  # fmt: skip
        assert (checked.verified, checked.reconciled, parts(checked)) == (False, False, [("missing", 25_00)])
        assert (checked.position.gap, checked.unexplained) == (25_00, 0)
    checked = bring(world, files[order[-1]])
    assert (checked.missing, checked.position.gap, checked.verified) == ([], 0, True)
    assert BankLine.objects.count() == 4


def test_files_that_overlap_leave_no_gap_and_add_nothing_twice(play: Play) -> None:
    world = play("make_promise")
    month = file(world, 1, 0, (0, 100_00), (7, 30_00), (8, 30_00), (14, 10_00))
    week = file(world, 2, 100_00, (7, 30_00), (8, 30_00))
    across = file(world, 3, 130_00, (8, 30_00), (14, 10_00), (20, 7_00))
    for files in ((month, week, across), (across, week, month)):
        checked = bring(world, *files)
        assert checked.missing == []
        assert BankLine.objects.count() == 5
    assert (checked.position.gap, checked.verified) == (0, True)


def test_identical_twins_stay_two_operations(play: Play) -> None:
    world = play("make_promise")
    twins = file(world, 1, 0, (0, 25_00), (0, 25_00))
    checked = bring(world, twins, twins)
    assert (BankLine.objects.count(), checked.position.gap, checked.missing) == (2, 0, [])


def test_the_balance_of_an_earlier_day_is_not_taken_for_the_one_before(play: Play) -> None:
    world = play("make_promise")
    # 100, then back to 100 by way of 60: the third one opens with what the first closed with, and the second shows 60.
    checked = bring(
        world, file(world, 1, 0, (0, 100_00)), file(world, 2, 100_00, (3, -40_00)), file(world, 4, 100_00, (9, 1_00))
    )
    assert [(gap.amount, gap.numbers) for gap in checked.missing] == [(40_00, "3")]


def test_every_cent_of_the_difference_is_named_or_red(play: Play) -> None:
    world = play("make_promise")
    data = file(world, 1, 500_00, (0, 100_00), tie=3_00)
    checked = bring(world, data, accept_gap=True)
    assert parts(checked) == [("untied", 3_00), ("before", 500_00)]
    assert (checked.position.gap, checked.unexplained, checked.verified) == (503_00, 0, False)
    # Imported, not swept yet: the bank says it, the ledger does not.
    import_statement(
        actor=world.users["claire"], data=file(world, 2, 603_00, (1, 8_00)), accept_gap=False, now=world.now
    )
    (checked,) = check_accounts()
    assert ("line", 8_00) in parts(checked)
    assert checked.unexplained == 0
    demo.sweep(world.now)
    (checked,) = check_accounts()
    assert ("line", 8_00) not in parts(checked)
    # Something that no line of the bank says: it is in no item, and stands alone.
    bank = open_account(kind="bank", owner=world.account.pk, currency="EUR")
    other = open_account(kind="suspense", owner=world.account.pk, currency="EUR")
    post(
        kind="bank.unidentified", scope="suspense", key="by hand", reference="x", happened_on=FIRST,
        lines=[Line(bank, 1_23, chart.BANK), Line(other, -1_23, chart.SUSPENSE)], now=world.now,
    )  # fmt: skip
    (checked,) = check_accounts()
    assert checked.unexplained == -1_23


def test_the_page_shows_both_balances_the_gap_and_the_place_to_import(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    bring(world, file(world, 11, 0, (0, 100_00)), file(world, 13, 125_00, (14, 10_00)))
    claire = sign_in(world.users["claire"])
    words = text_of(claire.get("/en/bank/"))
    assert "Statement 12 is missing." in words
    assert "3 March 2026 to 15 March 2026" in words
    assert "€25.00" in words
    assert "balance not verified" in words
    assert "the ledger held €110.00" in words
    bring(world, file(world, 12, 100_00, (7, 25_00)))
    words = text_of(claire.get("/en/bank/"))
    assert "balance verified" in words
    assert "missing" not in words
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 135_00


def test_the_file_of_what_passes_through_is_the_ledger_to_the_cent(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    bring(world, file(world, 1, 0, (0, 100_00), (1, 7_13)))
    claire = sign_in(world.users["claire"])
    answer = claire.get("/en/clearing/?format=csv")
    rows = [row.split(",") for row in answer.content.decode().splitlines()]
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [row[rows[0].index("amount")] for row in rows[1:]] == ["100.00", "7.13"]  # the oldest first
    held = balance(kind="suspense", owner=world.account.pk, currency="EUR")
    assert {(row[rows[0].index("ledger")], row[rows[0].index("gap")]) for row in rows[1:]} == {("107.13", "0.00")}
    assert held == 107_13
    page = text_of(claire.get("/en/clearing/"))
    assert "days" in page
    assert sign_in(world.users["ana"]).get("/en/clearing/?format=csv").status_code == 403
