"""PostgreSQL refuses what must not be: each guard is attacked by raw SQL, as the application and as the owner."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from django.db import connection

from backend.ledger.services import Line, open_account, post
from tests import databases

DAY = date(2026, 11, 21)
TABLES = ["ledger_account", "ledger_journalentry", "ledger_posting", "ledger_balance"]


@pytest.fixture
def booked(committed: str) -> str:
    """A database with one entry of 100.00: bank +, budget −."""
    from django.utils import timezone

    bank = open_account(kind="bank", owner="bnk_1", currency="EUR")
    budget = open_account(kind="budget", owner="bud_1", currency="EUR")
    open_account(kind="bank", owner="bnk_1", currency="USD")
    post(
        kind="t", scope="t", key="1", reference="r", happened_on=DAY, now=timezone.now(),
        lines=[Line(bank, 100_00, "512"), Line(budget, -100_00, "7541")],
    )  # fmt: skip
    return committed


@pytest.fixture(params=["tronc_app", "tronc_owner"])
def raw(booked: str, request: pytest.FixtureRequest) -> Iterator["psycopg.Connection[Any]"]:
    """A raw connection, once as the application and once as the owner of the tables."""
    url = databases.named(databases.owner_url(), booked)
    if request.param == "tronc_app":
        url = databases.named(__import__("os").environ["DATABASE_URL"], booked)
    with psycopg.connect(url, options=f"-c role={request.param}", autocommit=True) as opened:
        yield opened


def books(raw: "psycopg.Connection[Any]") -> list[Any]:
    """Everything the ledger holds."""
    return [raw.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES]


def accounts(raw: "psycopg.Connection[Any]") -> dict[tuple[str, str], str]:
    """(kind, currency) → account id."""
    return {(kind, money): key for kind, money, key in raw.execute("SELECT kind, currency, id FROM ledger_account")}


def entry(raw: "psycopg.Connection[Any]", key: str, lines: int = 2, reverses: str | None = None) -> None:
    """Insert the head of an entry."""
    raw.execute(
        "INSERT INTO ledger_journalentry (id, kind, happened_on, booked_at, scope, key, fingerprint, reference, lines, "
        "reverses_id) VALUES (%s, 't', '2026-11-21', now(), 't', %s, '', 'r', %s, %s)",
        [f"ent_{key}", key, lines, reverses],
    )


def postings(raw: "psycopg.Connection[Any]", key: str, *rows: tuple[str, str, int]) -> None:
    """Insert lines (account, currency, amount) of an entry in one statement."""
    places = ", ".join(["(%s, %s, %s, %s, '512')"] * len(rows))
    values: list[Any] = []
    for account, money, amount in rows:
        values += [f"ent_{key}", account, money, amount]
    raw.execute(f"INSERT INTO ledger_posting (entry_id, account_id, currency, amount, chart) VALUES {places}", values)


def unbalanced(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "EUR"], "EUR", 100), (found["budget", "EUR"], "EUR", -99))


def balanced_across_currencies_only(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "USD"], "USD", 100), (found["budget", "EUR"], "EUR", -100))


def empty(raw: "psycopg.Connection[Any]") -> None:
    entry(raw, "x")


def of_one_line(raw: "psycopg.Connection[Any]") -> None:
    entry(raw, "x", lines=1)


def with_a_line_missing(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x", lines=3)
        postings(raw, "x", (found["bank", "EUR"], "EUR", 100), (found["budget", "EUR"], "EUR", -100))


def lines_added_to_an_old_entry(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    (old,) = raw.execute("SELECT id FROM ledger_journalentry").fetchone() or ("",)
    postings(raw, old.removeprefix("ent_"), (found["bank", "EUR"], "EUR", 100), (found["budget", "EUR"], "EUR", -100))


def line_by_line(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "EUR"], "EUR", 100))
        postings(raw, "x", (found["budget", "EUR"], "EUR", -100))


def another_currency_than_its_purse(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "EUR"], "USD", 100), (found["budget", "EUR"], "USD", -100))


def a_line_of_zero(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "EUR"], "EUR", 0), (found["budget", "EUR"], "EUR", 0))


def a_guarded_purse_crossing_zero(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "EUR"], "EUR", -100_01), (found["budget", "EUR"], "EUR", 100_01))


def the_same_fact_twice(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        raw.execute(
            "INSERT INTO ledger_journalentry (id, kind, happened_on, booked_at, scope, key, fingerprint, reference, "
            "lines) VALUES ('ent_other', 't', '2026-11-21', now(), 't', '1', '', 'r', 2)"
        )
        postings(raw, "other", (found["bank", "EUR"], "EUR", 100), (found["budget", "EUR"], "EUR", -100))


def reversing_twice(raw: "psycopg.Connection[Any]") -> None:
    (old,) = raw.execute("SELECT id FROM ledger_journalentry").fetchone() or ("",)
    with raw.transaction():
        for key in ("x", "y"):
            entry(raw, key, reverses=old)
            mirror(raw, key)


def reversing_otherwise(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    (old,) = raw.execute("SELECT id FROM ledger_journalentry").fetchone() or ("",)
    with raw.transaction():
        entry(raw, "x", reverses=old)
        postings(raw, "x", (found["bank", "EUR"], "EUR", -1), (found["budget", "EUR"], "EUR", 1))


def a_purse_of_another_nature(raw: "psycopg.Connection[Any]") -> None:
    raw.execute(
        "INSERT INTO ledger_account (id, kind, owner, currency, normal_side, guarded) "
        "VALUES ('acc_x', 'budget', 'bud_x', 'EUR', 1, false)"
    )


def balances_moved_by_a_borrowed_trigger(raw: "psycopg.Connection[Any]") -> None:
    raw.execute("CREATE TEMP TABLE lure (entry_id varchar, account_id varchar, amount bigint, currency varchar)")
    raw.execute(
        "CREATE TRIGGER borrowed AFTER INSERT ON lure REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_book_postings()"
    )
    raw.execute("INSERT INTO lure SELECT 'none', account_id, -100000000, 'EUR' FROM ledger_balance")


def mirror(raw: "psycopg.Connection[Any]", key: str, sign: int = -1) -> None:
    """The lines of the booked entry, the other way round (or the same way)."""
    raw.execute(
        "INSERT INTO ledger_posting (entry_id, account_id, currency, amount, chart) SELECT %s, account_id, currency, "
        "%s * amount, chart FROM ledger_posting WHERE entry_id = (SELECT id FROM ledger_journalentry WHERE key = '1')",
        [f"ent_{key}", sign],
    )


def reversing_a_reversal(raw: "psycopg.Connection[Any]") -> None:
    (old,) = raw.execute("SELECT id FROM ledger_journalentry").fetchone() or ("",)
    with raw.transaction():
        entry(raw, "x", reverses=old)
        mirror(raw, "x")
        entry(raw, "y", reverses="ent_x")
        mirror(raw, "y", sign=1)


def beyond_sixty_four_bits(raw: "psycopg.Connection[Any]") -> None:
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "EUR"], "EUR", 2**63 - 1), (found["budget", "EUR"], "EUR", -(2**63) + 1))


def update(table: str) -> Callable[["psycopg.Connection[Any]"], None]:
    column = "balance" if table == "ledger_balance" else "currency" if table != "ledger_journalentry" else "kind"
    return lambda raw: raw.execute(f"UPDATE {table} SET {column} = {column}")  # type: ignore[return-value]


def delete(table: str) -> Callable[["psycopg.Connection[Any]"], None]:
    return lambda raw: raw.execute(f"DELETE FROM {table}")  # type: ignore[return-value]


def truncate(table: str) -> Callable[["psycopg.Connection[Any]"], None]:
    return lambda raw: raw.execute(f"TRUNCATE {table} CASCADE")  # type: ignore[return-value]


def a_balance_from_nowhere(raw: "psycopg.Connection[Any]") -> None:
    raw.execute("INSERT INTO ledger_balance (account_id, balance, normal_side, guarded) VALUES ('acc_x', 1, 1, false)")


ATTACKS = [
    unbalanced, balanced_across_currencies_only, empty, of_one_line, with_a_line_missing, lines_added_to_an_old_entry,
    line_by_line, another_currency_than_its_purse, a_line_of_zero, a_guarded_purse_crossing_zero, the_same_fact_twice,
    reversing_twice, reversing_a_reversal, reversing_otherwise, a_purse_of_another_nature,
    balances_moved_by_a_borrowed_trigger, beyond_sixty_four_bits, a_balance_from_nowhere,
]  # fmt: skip
TAMPERING = [
    pytest.param(make(table), id=f"{make.__name__} {table}") for make in (update, delete, truncate) for table in TABLES
]


@pytest.mark.parametrize("attack", [*ATTACKS, *TAMPERING])
def test_postgresql_refuses(
    attack: Callable[["psycopg.Connection[Any]"], None], raw: "psycopg.Connection[Any]"
) -> None:
    before = books(raw)
    refusals = (
        psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege, psycopg.errors.NumericValueOutOfRange,
    )  # fmt: skip
    with pytest.raises(refusals):
        attack(raw)
    assert books(raw) == before


def test_a_sound_entry_is_accepted(raw: "psycopg.Connection[Any]") -> None:
    """The control of the attacks above: the same helpers, with nothing wrong, do book."""
    found = accounts(raw)
    with raw.transaction():
        entry(raw, "x")
        postings(raw, "x", (found["bank", "EUR"], "EUR", -100_00), (found["budget", "EUR"], "EUR", 100_00))
    held = raw.execute("SELECT balance FROM ledger_balance WHERE account_id = %s", [found["budget", "EUR"]]).fetchone()
    assert held == (0,)


def test_the_application_role_is_not_the_owner(booked: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("tronc_app",)
        with pytest.raises(Exception, match="must be owner"):
            cursor.execute("ALTER TABLE ledger_posting DISABLE TRIGGER ALL")
