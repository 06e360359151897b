"""Accounts to be paid on: a changed one waits three days, and PostgreSQL knows the moment of the change."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backend.core.errors import Conflict, Invalid, NotFound
from backend.events.models import Event
from backend.operations import demo
from backend.payees.models import Payee
from backend.payees.services import hindrance, open_iban, payee_of, set_account

Play = Callable[..., Any]
OTHER = "FR1420041010050500013M02606"
HOURS = timedelta(hours=1)


def bo_of(world: Any) -> Payee:
    return Payee.objects.get(user=world.users["bo"], is_default=True)


def test_an_account_waits_three_days_from_each_change(play: Play) -> None:
    world = play("make_house")
    ana = world.users["ana"]
    payee = payee_of(ana, now=world.now)
    assert hindrance(payee, world.now) == "no_account"
    payee = set_account(actor=ana, name="Ana", iban=OTHER, now=world.now)
    assert hindrance(payee, world.now + 72 * HOURS - timedelta(microseconds=1)) == "account_on_hold"
    assert payee.usable_from == world.now + 72 * HOURS
    assert hindrance(payee, world.now + 72 * HOURS) is None
    # Another holder's name on the same account is another account too.
    payee = set_account(actor=ana, name="Ana B", iban=OTHER, now=world.now + 80 * HOURS)
    assert hindrance(payee, world.now + 81 * HOURS) == "account_on_hold"


def test_the_same_account_again_changes_nothing(play: Play) -> None:
    world = play("make_house")
    before = bo_of(world)
    told = Event.objects.count()
    same = set_account(actor=world.users["bo"], name=f" {before.name} ", iban=open_iban(before), now=world.now + HOURS)
    assert same.usable_from == before.usable_from
    assert Event.objects.count() == told


def test_a_closed_or_blocked_payee_is_not_paid(play: Play) -> None:
    world = play("make_house")
    payee = bo_of(world)
    assert hindrance(payee, world.now) is None
    payee.blocked_at = world.now
    assert hindrance(payee, world.now) == "payee_blocked"
    payee.closed_at = world.now
    assert hindrance(payee, world.now) == "payee_closed"


def test_giving_the_account_again_unblocks_it_and_waits(play: Play) -> None:
    world = play("make_house")
    payee = bo_of(world)
    Payee.objects.filter(pk=payee.pk).update(blocked_at=world.now)
    again = set_account(actor=world.users["bo"], name=payee.name, iban=open_iban(payee), now=world.now)
    assert (again.blocked_at, hindrance(again, world.now)) == (None, "account_on_hold")


def test_postgresql_refuses_an_account_that_does_not_wait(play: Play) -> None:
    world = play("make_house")
    payee, other = bo_of(world), Payee.objects.get(user=world.users["camille"])
    attacks = [
        ("usable_from = usable_from - interval '1 second'", "changed_account_waits"),
        ("usable_from = NULL", "changed_account_waits"),
        ("iban_edited_at = NULL, usable_from = NULL", "changed_account_waits"),
        ("iban_edited_at = iban_edited_at - interval '9 days'", "changed_account_waits"),
        (f"iban_sealed = '{other.iban_sealed}'", "changed_account_waits"),
        ("iban_hint = 'NL91 •••• 4300'", "changed_account_waits"),
        ("iban_sealed = '1:x', iban_hint = 'NL91 •••• 4300'", "changed_account_waits"),
        ("iban_edited_at = iban_edited_at + interval '1 second'", "changed_account_waits"),
    ]
    for written, constraint in attacks:
        with (
            pytest.raises(IntegrityError, match=f"{constraint}|moment of the change"),
            transaction.atomic(),
            connection.cursor() as raw,
        ):
            raw.execute(f"UPDATE payees_payee SET {written} WHERE id = %s", [payee.pk])
    # Emptied, then put back as it was before somebody looked: it is another change.
    with pytest.raises(IntegrityError, match="moment of the change"), transaction.atomic(), connection.cursor() as raw:
        raw.execute("UPDATE payees_payee SET iban_sealed = '' WHERE id = %s", [payee.pk])
        raw.execute("UPDATE payees_payee SET iban_sealed = %s WHERE id = %s", [payee.iban_sealed, payee.pk])
    assert bo_of(world) == payee
    assert open_iban(bo_of(world)) == demo.IBANS["bo"]


def test_only_ones_own_open_payee_is_given_an_account(play: Play) -> None:
    world = play("make_house")
    payee = bo_of(world)
    facts = {"name": "Ana", "iban": OTHER, "now": world.now}
    with pytest.raises(NotFound):
        set_account(actor=world.users["ana"], payee_id=payee.pk, **facts)
    Payee.objects.filter(pk=payee.pk).update(is_default=False, closed_at=world.now)
    with pytest.raises(Conflict) as refusal:
        set_account(actor=world.users["bo"], payee_id=payee.pk, **facts)
    assert refusal.value.code == "payee_closed"
    with pytest.raises(Invalid):
        set_account(actor=world.users["bo"], payee_id=payee.pk, **{**facts, "iban": "FR76"})
    with pytest.raises(Invalid) as own:
        set_account(actor=world.users["bo"], **{**facts, "iban": demo.HOST_IBAN})
    assert own.value.code == "iban_of_host"
    payee.refresh_from_db()
    assert open_iban(payee) == demo.IBANS["bo"]
