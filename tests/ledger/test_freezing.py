"""The freeze: nothing leaves, everything comes in, two people lift it, and PostgreSQL says the same."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from backend.banking.models import BankLine
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.identity.models import Role
from backend.ledger.models import Freeze
from backend.ledger.services import ask_lift, balance, entry_count, freeze, frozen, lift
from backend.operations import demo
from backend.payouts.models import PayoutBatch
from backend.payouts.services import approve_batch, hand_over, prepare_batch, refuse_batch
from tests import databases
from tests.concurrency import at_once

Play = Callable[..., Any]


def stop(world: Any, cause: str = "manual", by: str | None = "claire") -> Freeze:
    """Freeze payouts."""
    return freeze(actor=world.users[by] if by else None, cause=cause, reason="Doubt about a file", now=world.now)


def refused(act: Callable[[], Any]) -> str:
    """The code of the refusal that an act meets."""
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.value.code


def test_nothing_is_prepared_approved_nor_handed_over_while_frozen(play: Play) -> None:
    world = play("document")
    users = world.users
    held = stop(world)
    before = entry_count()
    with pytest.raises(Conflict) as refusal:
        prepare_batch(actor=users["claire"], account_id=world.account.pk, now=world.now)
    assert refusal.value.code == "payouts_frozen"
    assert "Doubt about a file. No money moved" in str(refusal.value)
    assert PayoutBatch.objects.count() == 0
    release(world, held)
    batch = prepare_batch(actor=users["claire"], account_id=world.account.pk, now=world.now)
    held = stop(world)
    sign = {"batch_id": batch.pk, "digest": batch.digest, "now": world.now}
    assert refused(lambda: approve_batch(actor=users["denis"], **sign)) == "payouts_frozen"
    release(world, held)
    approve_batch(actor=users["denis"], **sign)
    held = stop(world)
    assert refused(lambda: hand_over(actor=users["claire"], batch_id=batch.pk, now=world.now)) == "payouts_frozen"
    batch.refresh_from_db()
    assert (batch.state, batch.downloads, entry_count()) == ("approved", 0, before)
    release(world, held)
    hand_over(actor=users["claire"], batch_id=batch.pk, now=world.now)
    stop(world)
    assert refused(lambda: hand_over(actor=users["claire"], batch_id=batch.pk, now=world.now)) == "payouts_frozen"
    batch.refresh_from_db()
    assert (batch.downloads, entry_count()) == (1, before + 1)


def release(world: Any, held: Freeze) -> None:
    """Two people lift a freeze."""
    ask_lift(actor=world.users["denis"], freeze_id=held.pk, reason="Looked at it", now=world.now)
    lift(actor=world.users["claire"], freeze_id=held.pk, now=world.now)


def test_a_batch_may_be_refused_while_frozen(play: Play) -> None:
    world = play("document")
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    stop(world)
    refused_batch = refuse_batch(actor=world.users["denis"], batch_id=batch.pk, reason="Frozen", now=world.now)
    assert refused_batch.state == "rejected"


def test_what_comes_in_and_what_already_left_goes_on(play: Play) -> None:
    world = play("make_house")
    stop(world)
    for step in (demo.make_promise, demo.receive, demo.work, demo.close, demo.approve_distribution):
        step(world)
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 0
    assert balance(kind="suspense", owner=world.account.pk, currency="EUR") == 42_50
    release(world, Freeze.objects.get())
    demo.pay(world)
    stop(world)
    demo.settle(world)
    world.batch.refresh_from_db()
    assert world.batch.state == "settled"
    assert BankLine.objects.filter(state="matched").count() == 3


def test_one_freeze_per_cause_and_several_causes_at_once(play: Play) -> None:
    world = play("make_house")
    first = stop(world)
    assert stop(world, by="denis") == first
    second = stop(world, cause="selfcheck", by=None)
    assert Event.objects.filter(kind="payouts.frozen").count() == 2
    release(world, first)
    assert frozen() == second


def test_lifting_takes_two_people(play: Play) -> None:
    world = play("make_house")
    claire, denis = world.users["claire"], world.users["denis"]
    held = stop(world)
    assert refused(lambda: lift(actor=denis, freeze_id=held.pk, now=world.now)) == "lift_not_asked"
    with pytest.raises(Invalid):
        ask_lift(actor=claire, freeze_id=held.pk, reason=" ", now=world.now)
    ask_lift(actor=claire, freeze_id=held.pk, reason="All is well", now=world.now)
    with pytest.raises(Forbidden) as own:
        lift(actor=claire, freeze_id=held.pk, now=world.now)
    assert own.value.code == "own_lift"
    assert frozen() == held
    lift(actor=denis, freeze_id=held.pk, now=world.now)
    assert frozen() is None
    assert lift(actor=denis, freeze_id=held.pk, now=world.now).lifted_by == denis
    with pytest.raises(Conflict, match=r"Denis Caron has already lifted"):
        lift(actor=claire, freeze_id=held.pk, now=world.now)
    assert refused(lambda: ask_lift(actor=claire, freeze_id=held.pk, reason="x", now=world.now)) == "freeze_lifted"
    assert [event.kind for event in Event.objects.filter(subject=held.pk).order_by("id")] == [
        "payouts.frozen", "freeze.lift_asked", "freeze.lifted",
    ]  # fmt: skip


def test_who_may_freeze_and_lift(play: Play) -> None:
    world = play("make_house")
    ana = world.users["ana"]
    assert refused(lambda: stop(world, by="ana")) == "not_allowed"
    assert frozen() is None
    held = stop(world)
    assert refused(lambda: ask_lift(actor=ana, freeze_id=held.pk, reason="x", now=world.now)) == "not_allowed"
    Role.objects.create(user=ana, kind="administrator", scope=world.host.pk, created_at=world.now)
    demo.give_factor(ana)
    ask_lift(actor=ana, freeze_id=held.pk, reason="x", now=world.now)
    with pytest.raises(NotFound):
        lift(actor=ana, freeze_id="frz_none", now=world.now)


def test_a_restored_instance_is_not_lifted_without_looking_at_the_bank(play: Play) -> None:
    world = play("make_house")
    held = stop(world, cause="restore", by=None)
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="x", now=world.now)
    act = {"actor": world.users["denis"], "freeze_id": held.pk, "now": world.now}
    assert refused(lambda: lift(**act)) == "compare_with_bank_first"
    assert frozen() == held
    lift(**act, examine=lambda _held: {"accounts": []})
    assert frozen() is None


def test_freezing_at_once_makes_one_freeze(play: Play, committed: str) -> None:
    world = play("make_house")
    assert len({held.pk for held in at_once(lambda _number: stop(world))}) == 1
    held = Freeze.objects.get()
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="x", now=world.now)
    results = at_once(lambda _number: lift(actor=world.users["denis"], freeze_id=held.pk, now=world.now).pk, 4)
    assert results == [held.pk] * 4
    assert Event.objects.filter(kind="freeze.lifted").count() == 1


def test_a_freeze_waits_for_the_file_that_leaves_and_the_next_sees_it(play: Play, committed: str) -> None:
    world = play("document")
    acts = [
        lambda: prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now).state,
        lambda: stop(world).cause,
    ]
    results = at_once(lambda number: acts[number % 2](), 8)
    # Whatever the order: a batch came before the freeze, or none did; nobody met an error of the database.
    assert set(results) <= {"prepared", "manual", "payouts_frozen", "nothing_to_pay", "shares_taken"}
    held = Freeze.objects.get()
    assert PayoutBatch.objects.count() == results.count("prepared") <= 1
    assert held.lifted_at is None


ATTACKS = [
    "UPDATE ledger_freeze SET reason = 'other'",
    "UPDATE ledger_freeze SET started_at = now()",
    "UPDATE ledger_freeze SET started_by_id = NULL",
    "UPDATE ledger_freeze SET lifted_at = now()",
    "UPDATE ledger_freeze SET lifted_at = now(), lifted_by_id = (SELECT min(id) FROM identity_user)",
    "UPDATE ledger_freeze SET lifted_at = now(), lifted_by_id = (SELECT min(id) FROM identity_user), "
    "lift_asked_at = now(), lift_asked_by_id = (SELECT max(id) FROM identity_user)",
    "DELETE FROM ledger_freeze",
    "TRUNCATE ledger_freeze",
    "INSERT INTO ledger_freeze SELECT 'frz_2', cause, reason, data, started_at, lift_asked_at, lift_reason, "
    "lifted_at, lift_data, lift_asked_by_id, lifted_by_id, started_by_id FROM ledger_freeze",
]


@pytest.mark.parametrize("role", ["tronc_app", "tronc_owner"])
@pytest.mark.parametrize("statement", ATTACKS)
def test_postgresql_keeps_a_freeze(play: Play, committed: str, statement: str, role: str) -> None:
    stop(play("make_house"))
    before = list(Freeze.objects.values())
    with (
        psycopg.connect(databases.named(databases.owner_url(), committed), options=f"-c role={role}") as raw,
        pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)),
    ):
        raw.execute(statement)  # type: ignore[call-overload]
    assert list(Freeze.objects.values()) == before


def test_postgresql_refuses_batches_while_frozen(play: Play) -> None:
    world = play("document")
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    stop(world)
    for change in ({"state": "approved"}, {"state": "sent"}):
        with pytest.raises(IntegrityError, match="payouts are frozen"), transaction.atomic():
            PayoutBatch.objects.filter(pk=batch.pk).update(approved_by=world.users["denis"], **change)
    with (
        pytest.raises(IntegrityError, match="payouts are frozen"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO payouts_payoutbatch (id, account_id, currency, total, message_id, execute_on, file_sealed, "
            "digest, state, prepared_by_id, prepared_at, downloads, refused_reason) SELECT 'bat_2', account_id, "
            "currency, total, 'M2', execute_on, file_sealed, digest, 'prepared', prepared_by_id, prepared_at, 0, '' "
            "FROM payouts_payoutbatch"
        )
    assert list(PayoutBatch.objects.values_list("pk", "state")) == [(batch.pk, "prepared")]
