"""Seals: a gapless chain over all entries, one sealer at a time, refused by PostgreSQL when it does not continue."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from backend.ledger.models import JournalEntry, Seal
from backend.ledger.services import Line, entry_count, last_seal, open_account, post, seal_due
from tests import databases
from tests.concurrency import at_once

Play = Callable[..., Any]
ADD = "INSERT INTO ledger_seal (position, entry_id, leaf, head) "
NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def leaf(entry: JournalEntry) -> bytes:
    """The leaf of an entry, made here from what DECISIONS.md says of it."""
    lines = ",".join(
        f"{row.account_id}:{row.currency}:{row.amount}:{row.chart}" for row in entry.postings.order_by("id")
    )
    at = entry.booked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parts = [
        "tronc-entry-1", entry.pk, entry.kind, entry.happened_on.isoformat(), at, entry.reference,
        entry.reverses_id or "-", lines,
    ]  # fmt: skip
    return hashlib.sha256(b"\0" + "|".join(parts).encode()).digest()


def book(number: int, now: datetime = NOW) -> JournalEntry:
    """One entry of some cents."""
    bank = open_account(kind="bank", owner="bnk_1", currency="EUR")
    budget = open_account(kind="budget", owner="bud_1", currency="EUR")
    return post(
        kind="payment.received", scope="t", key=str(number), reference=f"plg_{number}", happened_on=date(2026, 11, 21),
        lines=[Line(bank, number, "512"), Line(budget, -number, "7541")], now=now,
    )  # fmt: skip


@pytest.mark.django_db
def test_each_entry_is_sealed_once_in_a_chain_anyone_can_recompute() -> None:
    entries = [book(number, NOW + timedelta(seconds=number)) for number in (1, 2, 3)]
    assert last_seal().position == 0
    assert (seal_due(NOW), seal_due(NOW)) == (3, 0)
    head = bytes(32)
    for position, entry in enumerate(entries, start=1):
        seal = Seal.objects.get(position=position)
        head = hashlib.sha256(head + leaf(entry)).digest()
        assert (seal.entry_id, bytes(seal.leaf), bytes(seal.head)) == (entry.pk, leaf(entry), head)
    assert (last_seal().position, last_seal().head) == (3, head.hex())


@pytest.mark.django_db
def test_what_comes_later_is_sealed_later_whatever_its_booking_time() -> None:
    first = book(1, NOW)
    seal_due(NOW)
    earlier = book(2, NOW - timedelta(days=1))
    seal_due(NOW)
    assert list(Seal.objects.order_by("position").values_list("entry", flat=True)) == [first.pk, earlier.pk]


def test_more_than_a_batch_and_two_sealers(committed: str) -> None:
    for number in range(1, 1203):
        book(number)
    sealed = at_once(lambda _number: seal_due(NOW, wait=True), 4)
    assert sum(sealed) == 1202 == entry_count() == last_seal().position
    assert Seal.objects.values("entry").distinct().count() == 1202


def test_a_second_sealer_leaves_the_work_to_the_first(committed: str) -> None:
    book(1)
    with psycopg.connect(databases.named(databases.owner_url(), committed)) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('tronc.seal', 0))")
        assert seal_due(NOW) == 0
    assert seal_due(NOW) == 1


@pytest.mark.parametrize("role", ["tronc_app", "tronc_owner"])
@pytest.mark.parametrize(
    "statement",
    [
        ADD + "SELECT 3, '{key}', ledger_leaf('{key}'), sha256((SELECT head FROM ledger_seal) || ledger_leaf('{key}'))",
        ADD + "SELECT 2, '{key}', sha256('x'), sha256((SELECT head FROM ledger_seal) || sha256('x'))",
        ADD + "SELECT 2, '{key}', ledger_leaf('{key}'), sha256('x')",
        ADD + "SELECT 2, entry_id, leaf, sha256(head || leaf) FROM ledger_seal",
        "UPDATE ledger_seal SET head = head",
        "DELETE FROM ledger_seal",
        "TRUNCATE ledger_seal",
    ],
)
def test_postgresql_refuses_a_seal_that_does_not_continue(committed: str, statement: str, role: str) -> None:
    book(1)
    seal_due(NOW)
    key = book(2).pk
    before = list(Seal.objects.values())
    with (
        psycopg.connect(databases.named(databases.owner_url(), committed), options=f"-c role={role}") as raw,
        pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)),
    ):
        raw.execute(statement.format(key=key))  # type: ignore[call-overload]
    assert list(Seal.objects.values()) == before
    assert seal_due(NOW) == 1


@pytest.mark.django_db
def test_an_absent_entry_has_no_leaf() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_leaf('ent_none')")
        assert cursor.fetchone() == (None,)
