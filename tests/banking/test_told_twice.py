"""One operation that two files tell in other words is booked once; two operations that read alike are both kept."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backend.banking.formats import read_statements
from backend.banking.formats.base import Balance, ParsedLine, ParsedStatement
from backend.banking.models import BankLine
from backend.banking.services import Imported, keep_statements, say_another, say_same
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.events.models import Event
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from backend.payments.models import Payment, Surplus
from tests.payments.money import bank_says, purses, sound

Play = Callable[..., Any]


def told(world: Any, kind: str, *rows: ParsedLine, balances: tuple[int, int] | None = None, number: str = "1") -> Any:
    """A statement of a format, swept."""
    opening, closing = (
        Balance(amount=amount, currency="EUR", kind=name, on=world.today)
        for amount, name in zip(balances or (0, 0), ("OPBD", "CLBD"), strict=True)
    )
    parsed = ParsedStatement(
        account=world.account.iban, currency="EUR", statement_id=f"{kind}-{number}", number=number, created_at="",
        from_on=None, to_on=None, opening=opening if balances else None, closing=closing if balances else None,
        lines=rows, entries=len(rows), not_booked=0, details=0, credits=0, debits=0, gap=None,
        ties="yes" if balances else "unknown", format=kind,
    )  # fmt: skip
    kept = keep_statements(actor=world.users["claire"], parsed=[parsed], accept_gap=True, now=world.now)
    demo.sweep(world.now)
    return kept


def a_line(world: Any, amount: int, text: str, **more: Any) -> ParsedLine:
    """An operation of today."""
    values = {"booked_on": world.today, "value_on": world.today, "entry": 1, **more}
    return ParsedLine(amount=amount, currency="EUR", remittance=text, **values)


def again(world: Any, **more: Any) -> BankLine:
    """The pledge of 100 € is paid in camt.053, then the same transfer is in an OFX file."""
    bank_says(world, 1, 0, (100_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    told(world, "ofx", a_line(world, 100_00, f"VIR {world.pledge.reference}", bank_reference="F1", **more))
    return BankLine.objects.latest("pk")


def test_the_same_transfer_in_another_format_is_booked_once_and_waits_for_a_person(play: Play, committed: str) -> None:
    world = play("make_promise")
    line = again(world, booked_on=world.today - timedelta(days=2))
    first = BankLine.objects.earliest("pk")
    assert (line.state, line.resembles, purses(world)["bank"]) == ("suspect", first, 100_00)
    assert (Payment.objects.count(), Surplus.objects.count()) == (1, 0)
    before = entry_count()
    for name in ("denis", "denis"):  # pressed twice
        assert say_same(actor=world.users[name], line_id=line.pk, now=world.now).state == "duplicate"
    assert (entry_count(), Event.objects.filter(kind="bank_line.same").count()) == (before, 1)
    with pytest.raises(Conflict) as refusal:
        say_another(actor=world.users["claire"], line_id=line.pk, now=world.now)
    assert (refusal.value.code, entry_count()) == ("line_not_suspect", before)
    assert sound(world)


def test_another_operation_is_booked_as_any_other(play: Play, committed: str) -> None:
    world = play("make_promise")
    line = again(world)
    with pytest.raises(Forbidden):
        say_another(actor=world.users["ana"], line_id=line.pk, now=world.now)
    assert BankLine.objects.get(pk=line.pk).state == "suspect"
    for _twice in range(2):
        assert say_another(actor=world.users["claire"], line_id=line.pk, now=world.now).state == "matched"
    assert (Surplus.objects.get().amount, purses(world)["bank"]) == (100_00, 200_00)
    assert Event.objects.filter(kind="bank_line.another").count() == 1
    assert sound(world)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "camt053"},  # one format says one operation in one way
        {"amount": 99_00},
        {"booked_on": -4},
        {"text": "RF18539007547034"},  # another reference
        {"text": "cotisation", "counterparty_name": "AUTRE"},  # other words
    ],
)
def test_what_differs_is_another_operation_at_once(play: Play, change: dict[str, Any]) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (100_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    values = {"kind": "ofx", "amount": 100_00, "text": world.pledge.reference, **change}
    kind, amount, text = values.pop("kind"), values.pop("amount"), values.pop("text")
    if "booked_on" in values:
        values["booked_on"] = world.today + timedelta(days=values["booked_on"])
    told(world, kind, a_line(world, amount, text, **values))
    line = BankLine.objects.latest("pk")
    assert (line.resembles, line.state) == (None, "suggested" if "text" in change else "matched")


def test_each_known_line_is_taken_once(play: Play) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (5_00, "X", "don"), (5_00, "X", "don"))
    told(world, "ofx", *(a_line(world, 5_00, "X don", bank_reference=f"F{number}") for number in (1, 2, 3)))
    states = list(BankLine.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["suggested", "suggested", "suspect", "suspect", "suggested"]
    assert BankLine.objects.exclude(resembles=None).values("resembles").distinct().count() == 2


def added(kept: list[Imported]) -> list[tuple[int, int]]:
    """What was new and known of each statement."""
    return [(one.added, one.known) for one in kept]


def test_a_line_that_reads_the_same_in_the_statement_that_follows_is_kept(play: Play) -> None:
    world = play("make_promise")
    row = a_line(world, 50_00, "don")
    first: dict[str, Any] = {"balances": (0, 50_00), "number": "1"}
    second: dict[str, Any] = {"balances": (50_00, 100_00), "number": "2"}
    assert added(told(world, "mt940", row, **first)) == [(1, 0)]
    assert added(told(world, "mt940", row, **second)) == [(1, 0)]
    assert added(told(world, "mt940", row, **first)) == [(0, 1)]
    assert added(told(world, "mt940", row, **second)) == [(0, 1)]
    # The month tells both again.
    assert added(told(world, "mt940", row, row, balances=(0, 100_00), number="M")) == [(0, 2)]
    assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 100_00


def test_a_line_of_zero_is_refused_whole(play: Play) -> None:
    world = play("make_promise")
    with pytest.raises(Invalid) as refusal:
        told(world, "ofx", a_line(world, 5_00, "don"), a_line(world, 0, "rien", entry=2))
    assert (refusal.value.code, BankLine.objects.count()) == ("line_amount_zero", 0)


def test_a_statement_says_its_format() -> None:
    data = b"Date;Libelle;Montant\n03/04/2026;don;12,00\n"
    (one,) = read_statements(data)
    assert one.format.startswith("csv:")
    assert replace(one, format="") != one
