"""The self-check finds what only a superuser could have changed of what providers moved, and names it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.core.ids import new_id
from backend.operations.findings import TEXTS, in_words
from backend.operations.selfcheck import check
from backend.payments.models import Reconciliation
from tests.operations.test_selfcheck import codes, plant
from tests.payments.money import a_pledge, bank_says
from tests.payments.provider_money import away, facts, home, pay, tell

Play = Callable[..., Any]
OF = "UPDATE payments_{} SET {} WHERE {}"

# What is planted → how it is undone, and the codes that must be found, exactly.
PLANTED: dict[str, tuple[str, str, set[str]]] = {
    "a payment of the provider was raised": (
        OF.format("movement", "amount = amount + 1", "kind = 'charge'"),
        OF.format("movement", "amount = amount - 1", "kind = 'charge'"),
        {"I1.charge", "I1.global", "I6.provider"},
    ),
    "a fee of the provider was raised": (
        OF.format("movement", "fee = fee + 1", "kind = 'dispute'"),
        OF.format("movement", "fee = fee - 1", "kind = 'dispute'"),
        {"I1.provider_fees", "I6.provider"},
    ),
    "a fee was said to be something else": (
        OF.format("movement", "kind = 'other'", "kind = 'fee'"),
        OF.format("movement", "kind = 'fee'", "kind = 'other'"),
        {"I1.provider_fees", "I1.global"},
    ),
    "what a budget bore of a fee was lowered": (
        OF.format("payment", "provider_fee_borne = provider_fee_borne - 1", "true"),
        OF.format("payment", "provider_fee_borne = provider_fee_borne + 1", "true"),
        {"I1.pot", "I1.kind", "I1.provider_fees"},
    ),
    "a movement to explain was forgotten": (
        OF.format("movement", "state = 'booked'", "state = 'reported'"),
        OF.format("movement", "state = 'reported'", "why <> ''"),
        {"I1.global", "I6.suspense"},
    ),
    "a payout was said not to be seen": (
        OF.format("providerpayout", "state = 'sent', settled_on = NULL, line = ''", "state = 'settled'"),
        OF.format("providerpayout", "state = 'settled', settled_on = arrives_on, line = 'x'", "true"),
        {"I1.global", "I6.provider"},
    ),
    "more was said to have come home": (
        OF.format("giveback", "amount = amount + 1, to_budget = to_budget + 1", "true"),
        OF.format("giveback", "amount = amount - 1, to_budget = to_budget - 1", "true"),
        {"I1.pot", "I1.kind", "I1.global", "I1.taken_back"},
    ),
    "more of a surplus was said to be gone": (
        OF.format("surplus", "taken_back = taken_back + 1", "true"),
        OF.format("surplus", "taken_back = taken_back - 1", "true"),
        {"I1.global", "I6.suspense"},
    ),
}  # fmt: skip


def moved(play: Play) -> Any:
    """A house with one of everything that a provider moves; its budget bears the fees."""
    world = play("make_house")
    world.budget.bears_provider_fees = True
    world.budget.save()
    pay(world, a_pledge(world, 100_00, "k"), 120_00, fee=1_80)
    away(world, "dispute", 120_00, of="dp_1", fee=15_00)
    home(world, "dispute_reversal", 120_00, "dp_1")
    tell(world, facts(world, "fee", -2_00))
    away(world, "refund", 5_00, charge="ch_x")
    tell(world, facts(world, "payout", -40_00, of="po_40"))
    bank_says(world, 1, 0, (40_00, "PRESTATAIRE", "po_40"))
    return world


def test_each_fault_that_is_planted_is_found_and_named(play: Play, committed: str) -> None:
    world = moved(play)
    assert check() == []
    for name, (sql, back, wanted) in PLANTED.items():
        plant(committed, sql)
        found = check()
        assert (name, codes(found)) == (name, wanted)
        assert all("%(" not in in_words(vars(one)) and one.code in TEXTS for one in found)
        plant(committed, back)
        assert check() == []
    values: dict[str, Any] = {
        "provider": "fake", "asked_at": world.now, "next_try_at": world.now, "currency": "EUR", "own_balance": 5_00,
        "since": world.now - timedelta(days=3), "until": world.now,
    }  # fmt: skip
    for day, remote, wanted in ((0, 6_00, set()), (1, 6_00, {"I6.balance"}), (2, 5_00, set()), (3, 7_00, set())):
        done = world.now + timedelta(days=day)
        Reconciliation.objects.create(id=new_id("rec"), remote_balance=remote, finished_at=done, **values)
        assert (day, codes(check())) == (day, wanted)
    plant(committed, "DELETE FROM payments_movement WHERE kind = 'fee'")
    assert codes(check()) == {"I1.provider_fees", "I6.provider"}


@pytest.mark.parametrize("table", ["movement", "providerpayout", "providerrefund", "operation", "giveback"])
def test_what_was_told_cannot_be_removed(play: Play, table: str) -> None:
    from django.db import connection, transaction

    moved(play)
    with (
        pytest.raises(Exception, match=r"permission denied|written once|is kept|is refused"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DELETE FROM payments_{table}")
