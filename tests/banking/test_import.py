"""Imports: once, whole, only one's own; every line in the books; the unknown in suspense."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction

from backend.banking.models import BankLine, Statement
from backend.banking.services import identify, import_statement, match_due, positions
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from backend.payments.models import Payment, Surplus
from backend.pledges.references import printed
from backend.pledges.services import cancel_pledge
from tests.concurrency import at_once

Play = Callable[..., Any]
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "bank"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "samples"


def bring(world: Any, data: bytes, by: str = "claire", accept_gap: bool = False) -> Any:
    """Import as a treasurer and let the sweep match."""
    kept = import_statement(actor=world.users[by], data=data, accept_gap=accept_gap, now=world.now)
    match_due(world.now)
    return kept


def state(world: Any) -> tuple[int, int, int, int]:
    """Statements, lines, entries, suspense."""
    return (
        Statement.objects.count(), BankLine.objects.count(), entry_count(),
        balance(kind="suspense", owner=world.account.pk, currency="EUR"),
    )  # fmt: skip


def test_a_reference_books_and_the_unknown_waits(play: Play) -> None:
    world = play("receive")
    payment = Payment.objects.get()
    assert (payment.amount, payment.fee, payment.pledge_id) == (100_00, 5_00, world.pledge.pk)
    world.pledge.refresh_from_db()
    assert (world.pledge.state, world.pledge.received) == ("fulfilled", 100_00)
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 95_00
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 142_50
    assert state(world) == (1, 2, 2, 42_50)
    (position,) = positions()
    assert (position.stated, position.booked, position.gap, position.waiting) == (142_50, 142_50, 0, 1)


def test_the_same_file_again_adds_nothing(play: Play) -> None:
    world = play("make_promise")
    data = demo.statement_file(
        world, number=1, opening=0, lines=[(100_00, "X", printed(world.pledge.reference), ""), (42_50, "Y", "don", "")]
    )
    bring(world, data)
    before = state(world)
    (again,) = bring(world, data, by="denis")
    assert (again.added, again.known) == (0, 2)
    assert state(world) == before


def test_two_identical_lines_are_two_operations(play: Play) -> None:
    world = play("make_promise")
    twin = "<AcctSvcrRef>S1-1</AcctSvcrRef>"
    data = demo.statement_file(world, number=1, opening=0, lines=[(9_00, "X", "don", ""), (9_00, "X", "don", "")])
    data = data.replace(b"<AcctSvcrRef>S1-2</AcctSvcrRef>", twin.encode())
    (kept,) = bring(world, data)
    assert (kept.added, kept.known) == (2, 0)
    (again,) = bring(world, data)
    assert (again.added, again.known) == (0, 2)
    assert state(world) == (1, 2, 2, 18_00)


def test_what_a_larger_transfer_brings_above_waits_for_a_decision(play: Play) -> None:
    world = play("make_promise")
    bring(world, demo.statement_file(world, number=1, opening=0, lines=[(33_33, "X", world.pledge.reference, "")]))
    world.pledge.refresh_from_db()
    assert (world.pledge.state, world.pledge.expected) == ("active", 66_67)
    bring(world, demo.statement_file(world, number=2, opening=33_33, lines=[(80_00, "X", world.pledge.reference, "")]))
    world.pledge.refresh_from_db()
    assert (world.pledge.state, world.pledge.received, world.pledge.expected) == ("fulfilled", 100_00, 0)
    assert [payment.fee for payment in Payment.objects.order_by("amount")] == [1_67, 3_33]
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 95_00
    assert (Surplus.objects.get().amount, state(world)[3]) == (13_33, 13_33)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((b"FR7630006000011234567890189", b"DE89370400440532013000"), "foreign_account"),
        ((b'Ccy="EUR"', b'Ccy="USD"'), "other_currency"),
    ],
)
def test_what_is_not_ours_is_refused_whole(play: Play, change: tuple[bytes, bytes], code: str) -> None:
    world = play("make_promise")
    data = demo.statement_file(world, number=1, opening=0, lines=[(9_00, "X", "don", "")]).replace(*change)
    if code == "other_currency":
        data = data.replace(b"<Ccy>EUR</Ccy>", b"<Ccy>USD</Ccy>")
    with pytest.raises(Invalid) as refusal:
        bring(world, data)
    assert (refusal.value.code, refusal.value.param) == (code, "file")
    assert state(world) == (0, 0, 0, 0)


def test_a_statement_that_does_not_tie_wants_a_yes(play: Play) -> None:
    world = play("make_promise")
    data = demo.statement_file(world, number=1, opening=0, lines=[(9_00, "X", "don", "")])
    data = data.replace(b'<Amt Ccy="EUR">0</Amt>', b'<Amt Ccy="EUR">1.00</Amt>').replace(
        b'<Amt Ccy="EUR">0.00</Amt>', b'<Amt Ccy="EUR">1.00</Amt>'
    )
    with pytest.raises(Conflict) as refusal:
        bring(world, data)
    assert refusal.value.code == "statement_gap"
    assert "1.00 EUR" in str(refusal.value)
    assert state(world) == (0, 0, 0, 0)
    bring(world, data, accept_gap=True)
    assert Statement.objects.get().ties == "no"


def test_twins_over_two_statements_of_one_file_are_two_operations(play: Play) -> None:
    world = play("make_promise")
    one = demo.statement_file(world, number=1, opening=0, lines=[(2_00, "X", "don", "")]).decode()
    two = demo.statement_file(world, number=1, opening=2_00, lines=[(2_00, "X", "don", "")]).decode()
    second = two[two.index("<Stmt>") : two.index("</Stmt>") + len("</Stmt>")].replace("<Id>DEMO", "<Id>B-DEMO")
    data = one.replace("</BkToCstmrStmt>", f"{second}</BkToCstmrStmt>").encode()
    assert [kept.added for kept in bring(world, data)] == [1, 1]
    assert [kept.added for kept in bring(world, data)] == [0, 0]
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 4_00


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b">9.00<", b">92233720368547758.07<", "line_amount_absurd"),
        (b"<BookgDt><Dt>2", b"<BookgDt><Dt>9", "line_day_absurd"),
    ],
)
def test_what_no_bank_books_is_refused_whole(play: Play, old: bytes, new: bytes, code: str) -> None:
    world = play("make_promise")
    data = demo.statement_file(world, number=1, opening=0, lines=[(9_00, "X", "don", "")]).replace(old, new)
    with pytest.raises(Invalid) as refusal:
        bring(world, data, accept_gap=True)
    assert (refusal.value.code, refusal.value.param) == (code, "file")
    assert state(world) == (0, 0, 0, 0)


def test_money_for_a_cancelled_pledge_waits_for_a_treasurer(play: Play) -> None:
    world = play("make_promise")
    cancel_pledge(actor=world.users["ana"], pledge_id=world.pledge.pk, now=world.now)
    bring(world, demo.statement_file(world, number=1, opening=0, lines=[(100_00, "X", world.pledge.reference, "")]))
    assert state(world) == (1, 1, 1, 100_00)
    with pytest.raises(Invalid) as refusal:
        identify(
            actor=world.users["claire"], line_id=BankLine.objects.get().pk, pledge_id=world.pledge.pk, now=world.now
        )
    assert refusal.value.code == "pledge_not_found"


@pytest.mark.parametrize("who", ["ana", "sacha", "bo"])
def test_only_treasurers_import(play: Play, who: str) -> None:
    world = play("make_promise")
    with pytest.raises(Forbidden):
        bring(world, b"<x/>", by=who)


def test_ten_imports_of_one_file_have_one_effect(committed: str, play: Play) -> None:
    world = play("make_promise")
    data = demo.statement_file(
        world, number=1, opening=0, lines=[(100_00, "X", printed(world.pledge.reference), ""), (42_50, "Y", "don", "")]
    )
    added = at_once(lambda _number: bring(world, data)[0].added)
    assert sorted(added) == [0] * 9 + [2]
    assert state(world) == (1, 2, 2, 42_50)
    assert Payment.objects.count() == 1


def test_a_treasurer_names_the_unknown_once(committed: str, play: Play) -> None:
    world = play("receive")
    line = BankLine.objects.get(state="suggested")
    next_pledge = demo.make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=42_50, currency="EUR",
        form_key="second", now=world.now,
    )  # fmt: skip
    people = [world.users["claire"], world.users["denis"]]
    results = at_once(
        lambda number: (
            identify(
                actor=people[number % 2], line_id=line.pk, pledge_id=next_pledge.pk, now=world.now + timedelta(days=1)
            ).state
        )
    )
    assert sorted(results) == ["line_not_waiting"] * 5 + ["matched"] * 5
    with pytest.raises(Conflict) as refusal:  # naming another pledge afterwards is not the same act
        other = demo.make_pledge(
            actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=42_50,
            currency="EUR", form_key="third", now=world.now,
        )  # fmt: skip
        identify(actor=world.users["claire"], line_id=line.pk, pledge_id=other.pk, now=world.now)
    assert refusal.value.code == "line_not_waiting"
    assert balance(kind="suspense", owner=world.account.pk, currency="EUR") == 0
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 95_00 + 42_50 - 2_13
    assert Payment.objects.count() == 2


def test_a_debit_does_not_pay_a_pledge(play: Play) -> None:
    world = play("make_promise")
    bring(world, demo.statement_file(world, number=1, opening=10_00, lines=[(-9_00, "X", world.pledge.reference, "")]))
    line = BankLine.objects.get()
    assert line.state == "suggested"
    with pytest.raises(DomainError) as refusal:
        identify(actor=world.users["claire"], line_id=line.pk, pledge_id=world.pledge.pk, now=world.now)
    assert refusal.value.code == "not_a_credit"
    assert balance(kind="suspense", owner=world.account.pk, currency="EUR") == -9_00


def command(*arguments: str) -> list[dict[str, Any]]:
    """The JSON lines of the command."""
    out = StringIO()
    call_command("import_statement", *arguments, "--json", stdout=out, stderr=StringIO())
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_command_shows_figures_and_a_dry_run_writes_nothing(play: Play, tmp_path: Path) -> None:
    world = play("make_promise")
    file = tmp_path / "statement.xml"
    file.write_bytes(demo.statement_file(world, number=1, opening=50, lines=[(9_00, "X", "don", "")]))
    shown = {
        "account": demo.HOST_IBAN, "currency": "EUR", "entries": 1, "credits": "9.00", "debits": "0.00",
        "opening": "0.50", "closing": "9.50", "ties": "yes",
    }  # fmt: skip
    assert command(str(file), "--dry-run") == [shown]
    assert state(world) == (0, 0, 0, 0)
    assert command(str(file)) == [{**shown, "added": 1, "known": 0}]
    assert command(str(file)) == [{**shown, "added": 0, "known": 1}]


def test_the_command_says_why_it_refuses(db: None, tmp_path: Path) -> None:
    for content in (b"", b"not xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
        file = tmp_path / "bad.xml"
        file.write_bytes(content)
        with pytest.raises(CommandError):
            command(str(file), "--dry-run")
    with pytest.raises(CommandError, match="cannot be read"):
        command(str(tmp_path / "absent.xml"))


def test_two_hundred_megabytes_are_refused_unread(tmp_path: Path) -> None:
    """In a process of its own, so that its memory is its own."""
    file = tmp_path / "large.xml"
    with file.open("wb") as stream:
        stream.truncate(200_000_000)
    code = (
        "import sys; from backend.banking.formats.base import read_at_most;"
        "from backend.banking.formats import StatementFileError\n"
        # of this process alone: ru_maxrss would begin with that of the one that started it
        "def peak():\n    return int(next(one for one in open('/proc/self/status') if one[:5] == 'VmHWM').split()[1])\n"
        "before = peak()\n"
        "try:\n    read_at_most(open(sys.argv[1], 'rb'))\n    print('read')\n"
        "except StatementFileError as refusal:\n"
        "    print(refusal.code, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    word, grown = done.stdout.split()
    assert word == "statement_too_large"
    assert int(grown) < 60_000  # kilobytes


def test_postgresql_keeps_what_the_bank_said(play: Play) -> None:
    play("receive")
    for changes in ({"amount": 1}, {"text": "x"}, {"booked_on": date(2000, 1, 1)}):
        with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
            BankLine.objects.update(**changes)
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        Statement.objects.update(closing=1)
    for table in ("banking_bankline", "banking_statement"):
        with pytest.raises(Exception, match=r"permission denied|is refused"), transaction.atomic():
            connection.cursor().execute(f"DELETE FROM {table}")
