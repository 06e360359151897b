"""Opening balances: written by one treasurer, approved by another, booked once, before the first line of an account."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.banking.models import BankLine
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.ledger.services import balance, entry_count, trial_balance
from backend.operations import demo
from backend.transfers.models import Opening
from backend.transfers.services import decide_opening, propose_opening
from tests.concurrency import at_once

Play = Callable[..., Any]


def propose(world: Any, **changes: Any) -> Opening:
    """Claire writes 1 000 € at the bank, 400 € in the pot."""
    values = {
        "actor": world.users["claire"], "as_of": world.today - timedelta(days=1), "form_key": "one", "now": world.now,
        "accounts": {world.account.pk: 1000_00}, "budgets": {world.budget.pk: 400_00},
    } | changes  # fmt: skip
    return propose_opening(**values)


def decide(world: Any, opening: Opening, who: str = "denis", **changes: Any) -> Opening:
    """Someone decides."""
    values = {"accept": True, "digest": opening.digest, "now": world.now} | changes
    return decide_opening(actor=world.users[who], opening_id=opening.pk, **values)


def test_two_treasurers_open_the_books(play: Play) -> None:
    world = play("make_house")
    opening = propose(world)
    assert (opening.state, entry_count()) == ("proposed", 0)
    with pytest.raises(Forbidden) as refusal:
        decide(world, opening, "claire")
    assert refusal.value.code == "own_opening"
    assert entry_count() == 0
    done = decide(world, opening)
    assert (done.state, entry_count()) == ("booked", 1)
    assert decide(world, opening).pk == done.pk
    found = {row.chart: row.balance for row in trial_balance()}
    assert found == {"512": 1000_00, "195": -400_00, "110": -600_00}
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 400_00
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 1000_00


def test_the_opened_pot_is_shared_like_any_money(play: Play) -> None:
    world = play("make_house")
    decide(world, propose(world))
    demo.work(world)
    demo.close(world)
    assert (world.distribution.pot, sorted(s.amount for s in world.distribution.shares.all())) == (
        400_00,
        [40_00, 60_00],
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"budgets": {}, "accounts": {}}, "opening_empty"),
        ({"accounts": {"bnk_x": 1}}, "account_not_found"),
        ({"budgets": {"bud_x": 1}}, "budget_not_found"),
    ],
)
def test_nonsense_is_refused(play: Play, changes: dict[str, Any], code: str) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        propose(world, **changes)
    assert refusal.value.code == code
    assert Opening.objects.count() == 0


def test_budgets_cannot_hold_more_than_the_bank(play: Play) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        propose(world, budgets={world.budget.pk: 1000_01})
    assert refusal.value.code == "opening_short"
    assert "€0.01 more than the bank accounts" in str(refusal.value)
    with pytest.raises(Invalid) as refusal:
        propose(world, as_of=world.today + timedelta(days=1))
    assert refusal.value.code == "opening_day_absurd"
    assert Opening.objects.count() == 0


def test_an_account_is_opened_once_and_again_after_a_refusal(play: Play) -> None:
    world = play("make_house")
    first = propose(world)
    with pytest.raises(Conflict) as refusal:
        propose(world, form_key="two")
    assert refusal.value.code == "already_opened"
    with pytest.raises(Invalid):
        decide(world, first, accept=False)
    decide(world, first, accept=False, reason="Le relevé dit 1 100 €")
    second = propose(world, form_key="three", accounts={world.account.pk: 1100_00})
    assert decide(world, second).state == "booked"
    with pytest.raises(Conflict):
        propose(world, form_key="four")
    assert entry_count() == 1


def test_the_author_takes_back_without_a_reason(play: Play) -> None:
    world = play("make_house")
    assert decide(world, propose(world), "claire", accept=False).state == "withdrawn"
    assert propose(world, form_key="two").state == "proposed"


def test_it_stands_before_the_first_line_of_the_account(play: Play) -> None:
    world = play("receive")  # lines of today
    with pytest.raises(Conflict) as refusal:
        propose(world, as_of=world.today)
    assert refusal.value.code == "opening_after_entries"
    assert decide(world, propose(world)).state == "booked"
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 1142_50


def test_other_balances_than_those_read_are_not_approved(play: Play) -> None:
    world = play("make_house")
    opening = propose(world)
    with pytest.raises(Conflict) as refusal:
        decide(world, opening, digest="0" * 64)
    assert refusal.value.code == "opening_changed"
    assert entry_count() == 0


def test_only_treasurers_see_and_decide(play: Play) -> None:
    world = play("make_house")
    opening = propose(world)
    with pytest.raises(NotFound):
        decide(world, opening, "sacha")
    with pytest.raises(Forbidden):
        propose(world, actor=world.users["sacha"], form_key="x")


def test_postgresql_refuses_a_lonely_approval_and_a_change(play: Play) -> None:
    world = play("make_house")
    opening = propose(world)
    with pytest.raises(IntegrityError, match="opening_takes_two"), transaction.atomic():
        Opening.objects.filter(pk=opening.pk).update(state="booked", decided_by=world.users["claire"])
    with pytest.raises(IntegrityError, match="a decision is final"), transaction.atomic():
        opening.lines.update(amount=5)
    decide(world, opening)
    with pytest.raises(IntegrityError, match="a decision is final"), transaction.atomic():
        Opening.objects.filter(pk=opening.pk).update(state="proposed")


def test_ten_at_once_open_one_account_once(committed: str, play: Play) -> None:
    world = play("make_house")
    results = at_once(lambda number: propose(world, form_key=f"k{number}").state)
    assert sorted(results) == ["already_opened"] * 9 + ["proposed"]
    opening = Opening.objects.get()
    done = at_once(lambda _number: decide(world, opening).state)
    assert (done, entry_count()) == (["booked"] * 10, 1)


def test_a_host_may_be_overdrawn_but_not_with_the_money_of_a_pot(play: Play) -> None:
    world = play("make_house")
    red = {world.account.pk: -50_00}
    with pytest.raises(Invalid) as refusal:
        propose(world, accounts=red, budgets={world.budget.pk: 1})
    assert refusal.value.code == "opening_short"
    decide(world, propose(world, accounts=red, budgets={}))
    assert {row.chart: row.balance for row in trial_balance()} == {"512": -50_00, "110": 50_00}


def test_nothing_at_all_is_an_opening_without_entry(play: Play) -> None:
    world = play("make_house")
    done = decide(world, propose(world, accounts={world.account.pk: 0}, budgets={world.budget.pk: 0}))
    assert (done.state, done.entry, entry_count()) == ("booked", "", 0)
    with pytest.raises(Conflict):
        propose(world, form_key="again")


def old_line(world: Any, days: int) -> None:
    """A statement of some days before, with the pledge's transfer."""
    from backend.banking.services import import_statement
    from backend.pledges.references import printed

    data = demo.statement_file(
        world, number=1, opening=0, lines=[(100_00, "LA FABRIQUE", printed(world.pledge.reference), "")],
        days=[world.today - timedelta(days=days)],
    )  # fmt: skip
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)


def test_a_line_that_the_opening_already_counts_is_not_booked_again(play: Play) -> None:
    world = play("make_promise")
    decide(world, propose(world))
    old_line(world, days=3)
    demo.sweep(world.now)
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 1000_00
    assert (BankLine.objects.get().state, entry_count()) == ("duplicate", 1)


def test_lines_that_wait_when_the_books_are_opened_count_once(play: Play) -> None:
    world = play("make_promise")
    old_line(world, days=3)  # imported, not swept yet
    decide(world, propose(world))
    demo.sweep(world.now)
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 1000_00
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 400_00
