"""An import is undone as a whole, or not at all, and the same file can then be imported again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from backend.banking.checking import check_accounts
from backend.banking.models import BankLine, Statement
from backend.banking.services import identify, import_statement
from backend.banking.withdrawing import withdraw_import
from backend.core.errors import Conflict, Invalid, NotFound
from backend.events.models import Event
from backend.ledger.services import ask_lock, balance, entry_count, lock
from backend.operations import demo
from tests.banking.test_checking import bring, file
from tests.concurrency import at_once
from tests.payments.money import sound
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def at_bank(world: Any) -> tuple[int, int]:
    """Cents that the books say at the bank and in suspense."""
    return (
        balance(kind="bank", owner=world.account.pk, currency="EUR"),
        balance(kind="suspense", owner=world.account.pk, currency="EUR"),
    )


def undo(world: Any, who: str = "claire", reason: str = "the wrong year") -> Any:
    """Undo the import of the latest statement."""
    latest = Statement.objects.latest("imported_at", "pk")
    return withdraw_import(actor=world.users[who], statement_id=latest.pk, reason=reason, now=world.now)


def test_an_import_is_undone_whole_and_the_file_comes_anew(play: Play, committed: str) -> None:
    world = play("make_promise")
    bring(world, file(world, 1, 0, (0, 100_00)))
    world.now += timedelta(minutes=1)
    data = file(world, 2, 100_00, (1, 7_00), (1, 7_00), (2, -3_00))
    bring(world, data)
    assert at_bank(world) == (111_00, 111_00)
    before = entry_count()
    with pytest.raises(NotFound):
        undo(world, "ana")
    with pytest.raises(Invalid) as why:
        undo(world, reason="  ")
    assert (why.value.code, why.value.param, entry_count()) == ("reason_missing", "reason", before)
    for _twice in range(2):
        (gone,) = undo(world, "denis")
    assert (gone.withdrawn_by, gone.withdrawn_reason) == (world.users["denis"], "the wrong year")
    assert (at_bank(world), entry_count()) == ((100_00, 100_00), before + 3)
    assert Event.objects.filter(kind="statement.withdrawn").count() == 1
    (checked,) = check_accounts()
    assert (checked.position.stated, checked.position.gap, checked.verified, checked.missing) == (100_00, 0, True, [])
    assert sound(world)
    # The same file again: its lines come anew, twins and all, and a third time adds nothing.
    for _twice in range(2):
        world.now += timedelta(minutes=1)
        checked = bring(world, data)
        assert (at_bank(world), checked.verified) == ((111_00, 111_00), True)
    assert BankLine.objects.exclude(state="withdrawn").count() == 4
    # Undone and imported once more, beside one that follows and holds the very same operation.
    undo(world)
    world.now += timedelta(minutes=1)
    bring(world, data)
    assert (at_bank(world), sound(world)) == ((111_00, 111_00), True)


def test_a_line_that_others_count_on_keeps_the_whole_import(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    bring(world, file(world, 1, 0, (0, 100_00), (1, 7_00)))
    line = BankLine.objects.get(amount=100_00)
    identify(actor=world.users["claire"], line_id=line.pk, pledge_id=world.pledge.pk, now=world.now)
    before, states = entry_count(), sorted(BankLine.objects.values_list("state", flat=True))
    with pytest.raises(Conflict) as refusal:
        undo(world)
    assert (refusal.value.code, entry_count()) == ("import_lines_used", before)
    assert "PAYER 0 10000" in str(refusal.value)
    assert "it paid a pledge" in str(refusal.value)
    assert "PAYER 1 700" not in str(refusal.value)
    assert sorted(BankLine.objects.values_list("state", flat=True)) == states
    page = f"/en/bank/statements/{line.statement_id}/undo/"
    claire = sign_in(world.users["claire"])
    shown = text_of(claire.get(page))
    assert "1 line stands in the way" in shown
    assert claire.post(page, {"reason": "the wrong file"}).status_code == 409
    assert entry_count() == before


def test_a_locked_month_keeps_its_lines(play: Play) -> None:
    world = play("make_promise")
    bring(world, file(world, 1, 0, (0, 100_00)))
    world.now += timedelta(days=40)
    first = BankLine.objects.get().booked_on.replace(day=1)
    asked = ask_lock(actor=world.users["claire"], first_day=first, now=world.now)
    lock(actor=world.users["denis"], closing_id=asked.pk, now=world.now)
    before = entry_count()
    with pytest.raises(Conflict) as refusal:
        undo(world)
    assert ("its month is locked" in str(refusal.value), entry_count()) == (True, before)


def test_two_treasurers_and_the_sweep_undo_once(play: Play, committed: str) -> None:
    world = play("make_promise")
    data = file(world, 1, 0, (0, 100_00), (1, 7_00))
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)

    def act(number: int) -> Any:
        return demo.sweep(world.now) if number == 0 else undo(world, ("claire", "denis")[number % 2])

    at_once(act, 5)
    demo.sweep(world.now)
    assert set(BankLine.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert (at_bank(world), sound(world)) == ((0, 0), True)


def test_what_was_withdrawn_stays_so_whoever_asks(play: Play) -> None:
    world = play("make_promise")
    bring(world, file(world, 1, 0, (0, 100_00)))
    undo(world)
    for change in (
        lambda: BankLine.objects.update(state="new"),
        lambda: Statement.objects.update(withdrawn_at=None, withdrawn_by=None, withdrawn_reason=""),
        lambda: Statement.objects.update(withdrawn_reason="another"),
        lambda: BankLine.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_the_pages_show_confirm_and_undo(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    bring(world, file(world, 1, 0, (0, 100_00), (1, 7_00)))
    statement = Statement.objects.get()
    claire, page = sign_in(world.users["claire"]), f"/en/bank/statements/{statement.pk}/"
    assert page in claire.get("/en/bank/").content.decode()
    shown = text_of(claire.get(page))
    assert "2 lines left" in shown
    assert "balance verified" in shown
    assert "€107.00" in text_of(claire.get(f"{page}undo/"))
    before = entry_count()
    assert claire.post(f"{page}undo/", {"reason": ""}).status_code == 422
    assert entry_count() == before
    done = text_of(claire.post(f"{page}undo/", {"reason": "twice"}, follow=True))
    assert "The import is undone in the books" in done
    assert "import undone" in done
    assert "undid this import" in text_of(claire.get(page))
    assert claire.get(f"{page}undo/").status_code == 302
    assert at_bank(world) == (0, 0)
    assert sign_in(world.users["ana"]).get(page).status_code == 404
