"""PostgreSQL refuses what must not be: each guard is attacked by raw SQL, as the application and as the owner."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests import databases

DAY = date(2026, 11, 21)
TABLES = [
    "ledger_account", "ledger_journalentry", "ledger_posting", "ledger_balance", "ledger_hold", "ledger_holdend",
    "ledger_closingbalance",
]  # fmt: skip


@dataclass
class Raw:
    """A raw connection, as one of the two roles, that books in one of three ways."""

    connection: "psycopg.Connection[Any]"
    way: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


WAYS = [("tronc_app", "ledger_post"), ("tronc_app", "ledger_post_many"), ("tronc_app", "insert"),
        ("tronc_owner", "insert"), ("tronc_owner", "ledger_post_many")]  # fmt: skip


@pytest.fixture(scope="module")
def stage(template: None) -> Iterator[str]:
    """One database for all attacks: each must leave it as it was."""
    name = f"tronc_guards_{os.getpid()}"
    databases.clone(name)
    yield name
    databases.drop(name)


@pytest.fixture
def fresh(template: None) -> Iterator[str]:
    """A database of one's own, for what is accepted."""
    name = f"tronc_sound_{os.getpid()}"
    databases.clone(name)
    yield name
    databases.drop(name)


@contextmanager
def connected(name: str, role: str, way: str) -> Iterator[Raw]:
    """A connection to a database that holds an entry of 100.00, bank +, budget −, of which 40.00 are held."""
    url = databases.named(os.environ["DATABASE_URL"] if role == "tronc_app" else databases.owner_url(), name)
    with psycopg.connect(url, options=f"-c role={role}", autocommit=True) as opened:
        raw = Raw(opened, way)
        if not raw.execute("SELECT 1 FROM ledger_account").fetchone():
            for kind, side, money in (("bank", 1, "EUR"), ("bank", 1, "USD"), ("budget", -1, "EUR")):
                raw.execute(
                    "INSERT INTO ledger_account (id, kind, owner, currency, normal_side, guarded) "
                    "VALUES (%s, %s, 'own', %s, %s, %s)",
                    [f"acc_{kind}_{money}", kind, money, side, kind == "budget"],
                )
            book(Raw(opened, "ledger_post"), "1", pair(raw, 100_00))
            hold(raw, "h1", 40_00)
        yield raw


@pytest.fixture(params=WAYS, ids=" ".join)
def raw(stage: str, request: pytest.FixtureRequest) -> Iterator[Raw]:
    """As the application and as the owner of the tables, through the functions and by plain statements."""
    with connected(stage, *request.param) as opened:
        yield opened


def books(raw: Raw) -> list[Any]:
    """Everything the ledger holds."""
    return [raw.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES]


def accounts(raw: Raw) -> dict[tuple[str, str], str]:
    """(kind, currency) → account id."""
    return {(kind, money): key for kind, money, key in raw.execute("SELECT kind, currency, id FROM ledger_account")}


Row = tuple[str, str, int]  # purse, currency, minor units


def book(
    raw: Raw, key: str, rows: list[Row], *, reverses: str | None = None, lines: int | None = None,
    day: date | str = DAY,
    line_day: date | None = None, places: list[int] | None = None, chart: str = "512", new: str = "", kind: str = "t",
    at: str = "now",
) -> None:  # fmt: skip
    """Book one entry in one statement, sound or not, in the way of this connection."""
    new = new or f"ent_{key}"
    purses, monies, amounts = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    charts = [chart for _row in rows]
    # What a function cannot even be told is tried by the plain statement, whichever the way.
    if raw.way == "ledger_post" and lines is None and line_day is None and places is None:
        raw.execute(
            "SELECT * FROM ledger_post(%s, %s, %s, %s, 't', %s, %s, 'r', %s, %s::varchar[], %s::varchar[], "
            "%s::bigint[], %s::varchar[])",
            [new, kind, day, at, key, f"mark of {new}", reverses, purses, monies, amounts, charts],
        )
    elif raw.way == "ledger_post_many" and line_day is None:
        raw.execute(
            "SELECT * FROM ledger_post_many(%s::varchar[], %s::varchar[], %s::date[], %s, '{t}', %s::varchar[], "
            "%s::varchar[], '{r}', %s::varchar[], %s::integer[], %s::integer[], %s::integer[], %s::varchar[], "
            "%s::varchar[], %s::bigint[], %s::varchar[])",
            [[new], [kind], [day], at, [key], [f"mark of {new}"], [reverses], [len(rows) if lines is None else lines],
             [1] * len(rows),
             places or list(range(1, len(rows) + 1)), purses, monies, amounts, charts],
        )  # fmt: skip
    else:
        raw.execute(
            "WITH head AS (INSERT INTO ledger_journalentry (id, kind, happened_on, booked_at, scope, key, fingerprint, "
            "reference, lines, reverses_id) VALUES (%s, %s, %s, %s, 't', %s, 'mark', 'r', %s, %s)) "
            "INSERT INTO ledger_posting (entry_id, line, account_id, currency, amount, chart, happened_on, booked_at) "
            "SELECT %s, place, purse, money, amount, chart, %s, %s FROM unnest(%s::integer[], %s::varchar[], "
            "%s::varchar[], %s::bigint[], %s::varchar[]) AS given (place, purse, money, amount, chart)",
            [new, kind, day, at, key, len(rows) if lines is None else lines, reverses, new, line_day or day, at,
             places or list(range(1, len(rows) + 1)), purses, monies, amounts, charts],
        )  # fmt: skip


def pair(raw: Raw, amount: int = 100, money: str = "EUR") -> list[Row]:
    """Bank +amount, budget −amount."""
    found = accounts(raw)
    return [(found["bank", "EUR"], money, amount), (found["budget", "EUR"], money, -amount)]


def the_entry(raw: Raw) -> str:
    """The id of the entry that is booked."""
    (known,) = raw.execute("SELECT id FROM ledger_journalentry").fetchone()
    return str(known)


def unbalanced(raw: Raw) -> None:
    rows = pair(raw)
    book(raw, "x", [rows[0], (rows[1][0], "EUR", -99)])


def unbalanced_over_three_lines(raw: Raw) -> None:
    rows = pair(raw)
    book(raw, "x", [*rows, (rows[0][0], "EUR", 1)])


def balanced_across_currencies_only(raw: Raw) -> None:
    book(raw, "x", [(accounts(raw)["bank", "USD"], "USD", 100), pair(raw)[1]])


def empty(raw: Raw) -> None:
    book(raw, "x", [])


def empty_of_two_lines(raw: Raw) -> None:
    book(raw, "x", [], lines=2)


def of_one_line(raw: Raw) -> None:
    book(raw, "x", pair(raw)[:1])


def with_a_line_missing(raw: Raw) -> None:
    book(raw, "x", pair(raw), lines=3)


def with_a_line_too_many(raw: Raw) -> None:
    rows = pair(raw)
    book(raw, "x", [*rows, *rows], lines=2)


def with_lines_that_skip_a_place(raw: Raw) -> None:
    book(raw, "x", pair(raw), places=[1, 3])


def lines_added_to_an_old_entry(raw: Raw) -> None:
    raw.execute(
        "INSERT INTO ledger_posting (entry_id, line, account_id, currency, amount, chart, happened_on, booked_at) "
        "SELECT entry_id, line + 2, account_id, currency, amount, chart, happened_on, booked_at FROM ledger_posting"
    )


def lines_without_an_entry(raw: Raw) -> None:
    raw.execute(
        "INSERT INTO ledger_posting (entry_id, line, account_id, currency, amount, chart, happened_on, booked_at) "
        "SELECT 'ent_x', line, account_id, currency, amount, chart, happened_on, booked_at FROM ledger_posting"
    )


def head_first_then_lines(raw: Raw) -> None:
    with raw.transaction():
        book(raw, "x", [], lines=2)
        raw.execute(
            "INSERT INTO ledger_posting (entry_id, line, account_id, currency, amount, chart, happened_on, booked_at) "
            "SELECT 'ent_x', line, account_id, currency, amount, chart, happened_on, booked_at FROM ledger_posting"
        )


def lines_of_another_day(raw: Raw) -> None:
    book(raw, "x", pair(raw), line_day=date(2026, 11, 20))


def booked_before_it_happens(raw: Raw) -> None:
    book(raw, "x", pair(raw), day=date(2199, 1, 1))


def another_currency_than_its_purse(raw: Raw) -> None:
    book(raw, "x", pair(raw, money="USD"))


def no_such_purse(raw: Raw) -> None:
    book(raw, "x", [("acc_none", "EUR", 100), pair(raw)[1]])


def no_such_purse_over_three_lines(raw: Raw) -> None:
    rows = pair(raw, 50)
    book(raw, "x", [("acc_none", "EUR", 50), rows[0], (rows[1][0], "EUR", -100)])


def a_line_of_zero(raw: Raw) -> None:
    book(raw, "x", pair(raw, 0))


def a_mark_within_a_text(raw: Raw) -> None:
    book(raw, "x", pair(raw), new="ent_x|y")


def a_kind_of_nothing(raw: Raw) -> None:
    book(raw, "x", pair(raw), kind="")


def a_day_that_no_calendar_has(raw: Raw) -> None:
    for day in ("infinity", "32768-01-01", "-infinity"):
        with raw.transaction():
            book(raw, "x", pair(raw), day=day, at="infinity")


def lines_of_no_entry_in_bulk(raw: Raw) -> None:
    raw.execute(
        "SELECT * FROM ledger_post_many('{a}', '{t}', '{2026-11-21}', now(), '{t}', '{1}', ARRAY[(SELECT fingerprint "
        "FROM ledger_journalentry)], '{r}', '{NULL}', '{2}', '{NULL,2}', '{1,2}', '{a,b}', "
        "'{EUR,EUR}', '{5,-5}', '{1,1}')"
    )


def a_repetition_that_names_no_payload(raw: Raw) -> None:
    raw.execute(
        "SELECT * FROM ledger_post_many('{a}', '{t}', '{2026-11-21}', now(), '{t}', '{1}', ARRAY[NULL]::varchar[], "
        "'{r}', '{NULL}', '{2}', '{1,1}', '{1,2}', '{a,b}', '{EUR,EUR}', '{5,-5}', '{1,1}')"
    )


def a_line_with_a_number_of_its_own(raw: Raw) -> None:
    raw.execute(
        "INSERT INTO ledger_posting (id, entry_id, line, account_id, currency, amount, chart, happened_on, booked_at) "
        "SELECT id, 'ent_x', line, account_id, currency, amount, chart, happened_on, booked_at FROM ledger_posting"
    )


def a_chart_number_that_reads_two_ways(raw: Raw) -> None:
    book(raw, "x", pair(raw), chart="512,x")


def a_guarded_purse_crossing_zero(raw: Raw) -> None:
    book(raw, "x", pair(raw, -100_01))


def a_guarded_purse_crossing_zero_over_three_lines(raw: Raw) -> None:
    rows = pair(raw, -100_01)
    book(raw, "x", [(rows[0][0], "EUR", -100_00), (rows[0][0], "EUR", -1), rows[1]])


def held_money(raw: Raw) -> None:
    book(raw, "x", pair(raw, -60_01))


def more_held_than_there_is(raw: Raw) -> None:
    hold(raw, "h2", 60_01)


def a_hold_on_an_unguarded_purse(raw: Raw) -> None:
    hold(raw, "h2", 1, kind="bank")


def a_hold_in_another_currency(raw: Raw) -> None:
    hold(raw, "h2", 1, money="USD")


def a_hold_of_nothing(raw: Raw) -> None:
    hold(raw, "h2", 0)


def the_same_hold_twice(raw: Raw) -> None:
    hold(raw, "h1", 1, new="hld_other")


def hold(raw: Raw, key: str, amount: int, *, kind: str = "budget", money: str = "EUR", new: str = "") -> None:
    """Set money aside by a plain statement."""
    raw.execute(
        "INSERT INTO ledger_hold (id, account_id, currency, amount, scope, key, reference, made_at) "
        "VALUES (%s, %s, %s, %s, 't', %s, 'r', now())",
        [new or f"hld_{key}_{kind}", accounts(raw)[kind, "EUR"], money, amount, key],
    )


def end(raw: Raw, how: str, captured: int = 0, entry: str | None = None) -> None:
    """End the hold of 40.00 by a plain statement."""
    raw.execute(
        "INSERT INTO ledger_holdend (hold_id, how, captured, ended_at, entry_id) "
        "SELECT id, %s, %s, now(), %s FROM ledger_hold",
        [how, captured, entry],
    )


def a_hold_expired_before_its_time(raw: Raw) -> None:
    end(raw, "expired")


def a_hold_ended_twice(raw: Raw) -> None:
    with raw.transaction():
        end(raw, "released")
        end(raw, "released")


def more_captured_than_held(raw: Raw) -> None:
    with raw.transaction():
        end(raw, "captured", 40_01, "ent_x")
        book(raw, "x", pair(raw, -40_01))


def captured_by_an_entry_that_takes_less(raw: Raw) -> None:
    with raw.transaction():
        end(raw, "captured", 40_00, "ent_x")
        book(raw, "x", pair(raw, -39_99))


def captured_by_an_entry_that_is_not_booked(raw: Raw) -> None:
    with raw.transaction():
        end(raw, "captured", 40_00, "ent_x")


def captured_without_an_entry(raw: Raw) -> None:
    end(raw, "captured", 40_00)


def a_kept_balance_from_nowhere(raw: Raw) -> None:
    raw.execute(
        "INSERT INTO ledger_closingbalance (closing_id, account_id, ends_before, balance, booked) "
        "SELECT 'clo_x', id, '2026-12-01', 1, 1 FROM ledger_account"
    )


def the_same_fact_twice(raw: Raw) -> None:
    book(raw, "1", pair(raw), new="ent_other")


def in_another_snapshot(raw: Raw) -> None:
    with raw.transaction():
        raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        book(raw, "x", pair(raw))


def reversing_twice(raw: Raw) -> None:
    old = the_entry(raw)
    with raw.transaction():
        book(raw, "w", pair(raw, 200_00))
        for key in ("x", "y"):
            book(raw, key, pair(raw, -100_00), reverses=old)


def reversing_otherwise(raw: Raw) -> None:
    book(raw, "x", pair(raw, -1), reverses=the_entry(raw))


def reversing_nothing(raw: Raw) -> None:
    book(raw, "x", pair(raw), reverses="ent_none")


def reversing_a_reversal(raw: Raw) -> None:
    old = the_entry(raw)
    with raw.transaction():
        raw.execute("INSERT INTO ledger_holdend (hold_id, how, captured, ended_at) SELECT id, 'released', 0, now() "
                    "FROM ledger_hold")  # fmt: skip
        book(raw, "x", pair(raw, -100_00), reverses=old)
        book(raw, "y", pair(raw, 100_00), reverses="ent_x")


def a_purse_of_another_nature(raw: Raw) -> None:
    raw.execute(
        "INSERT INTO ledger_account (id, kind, owner, currency, normal_side, guarded) "
        "VALUES ('acc_x', 'budget', 'bud_x', 'EUR', 1, false)"
    )


def balances_moved_by_a_borrowed_trigger(raw: Raw) -> None:
    raw.execute(
        "CREATE TEMP TABLE lure (entry_id varchar, line integer, account_id varchar, amount bigint, currency varchar, "
        "happened_on date, booked_at timestamptz)"
    )
    raw.execute(
        "CREATE TRIGGER borrowed AFTER INSERT ON lure REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_book_postings()"
    )
    raw.execute("INSERT INTO lure SELECT 'none', 1, account_id, -1, 'EUR', now(), now() FROM ledger_balance")


def beyond_sixty_four_bits(raw: Raw) -> None:
    book(raw, "x", pair(raw, 2**63 - 1))


COLUMNS = {
    "ledger_balance": "balance", "ledger_journalentry": "kind", "ledger_holdend": "how",
    "ledger_closingbalance": "booked",
}  # fmt: skip


def update(table: str) -> Callable[[Raw], None]:
    column = COLUMNS.get(table, "currency")
    return lambda raw: raw.execute(f"UPDATE {table} SET {column} = {column}")  # type: ignore[no-any-return]


def delete(table: str) -> Callable[[Raw], None]:
    return lambda raw: raw.execute(f"DELETE FROM {table}")  # type: ignore[no-any-return]


def truncate(table: str) -> Callable[[Raw], None]:
    return lambda raw: raw.execute(f"TRUNCATE {table} CASCADE")  # type: ignore[no-any-return]


def a_balance_from_nowhere(raw: Raw) -> None:
    raw.execute(
        "INSERT INTO ledger_balance (account_id, currency, balance, held, normal_side, guarded) "
        "VALUES ('acc_x', 'EUR', 1, 0, 1, false)"
    )


# What refuses each of them when the owner of the tables tries; the application may be refused sooner.
ATTACKS: dict[Callable[[Raw], None], str | None] = {
    unbalanced: "entry_balances",
    unbalanced_over_three_lines: "entry_balances",
    balanced_across_currencies_only: "entry_balances",
    empty: "entry_has_two_lines",
    empty_of_two_lines: "entry_has_its_lines",
    of_one_line: "entry_has_two_lines",
    with_a_line_missing: "entry_has_its_lines",
    with_a_line_too_many: "entry_has_its_lines",
    with_lines_that_skip_a_place: "entry_has_its_lines",
    lines_added_to_an_old_entry: "entry_has_its_lines",
    lines_without_an_entry: "entry_has_its_lines",
    head_first_then_lines: "entry_has_its_lines",
    lines_of_another_day: "lines_have_the_dates_of_their_entry",
    booked_before_it_happens: "booked_after_it_happened",
    another_currency_than_its_purse: "posting_in_the_purse_currency",
    no_such_purse: "posting_in_the_purse_currency",
    no_such_purse_over_three_lines: "posting_in_the_purse_currency",
    a_line_of_zero: "posting_amount_not_zero",
    a_mark_within_a_text: "entry_reads_one_way",
    a_kind_of_nothing: "entry_reads_one_way",
    a_day_that_no_calendar_has: "entry_is_of_our_time",
    lines_of_no_entry_in_bulk: "entry_has_its_lines",
    a_repetition_that_names_no_payload: "fact_booked_otherwise",
    a_line_with_a_number_of_its_own: None,
    a_chart_number_that_reads_two_ways: "posting_reads_one_way",
    a_guarded_purse_crossing_zero: "guarded_purse_keeps_its_side",
    a_guarded_purse_crossing_zero_over_three_lines: "guarded_purse_keeps_its_side",
    held_money: "guarded_purse_keeps_its_side",
    more_held_than_there_is: "guarded_purse_keeps_its_side",
    a_hold_on_an_unguarded_purse: "hold_is_on_a_guarded_purse",
    a_hold_in_another_currency: "hold_is_on_a_guarded_purse",
    a_hold_of_nothing: "hold_amount_positive",
    the_same_hold_twice: "one_fact_one_hold",
    a_hold_expired_before_its_time: "hold_ends_within_itself",
    a_hold_ended_twice: "ledger_holdend_pkey",
    more_captured_than_held: "hold_ends_within_itself",
    captured_by_an_entry_that_takes_less: "capture_is_booked",
    captured_by_an_entry_that_is_not_booked: "ledger_holdend_entry_id",
    captured_without_an_entry: "hold_ends_one_way",
    a_kept_balance_from_nowhere: "ledger_is_append_only",
    the_same_fact_twice: "one_fact_one_entry",
    in_another_snapshot: "booked_in_read_committed",
    reversing_twice: "ledger_journalentry_reverses_id_key",
    reversing_otherwise: "reversal_mirrors",
    reversing_nothing: "reversal_is_not_reversed",
    reversing_a_reversal: "reversal_is_not_reversed",
    a_purse_of_another_nature: "purse_has_the_nature_of_its_kind",
    balances_moved_by_a_borrowed_trigger: None,
    beyond_sixty_four_bits: None,
    a_balance_from_nowhere: "balance_follows_postings",
}
TAMPERING = [
    pytest.param(make(table), id=f"{make.__name__} {table}") for make in (update, delete, truncate) for table in TABLES
]


REFUSALS = (
    psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege, psycopg.errors.NumericValueOutOfRange,
    psycopg.errors.GeneratedAlways,
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_postgresql_refuses(attack: Callable[[Raw], None], raw: Raw) -> None:
    before = books(raw)
    with pytest.raises(REFUSALS) as refused:
        attack(raw)
    if raw.execute("SELECT current_user").fetchone() == ("tronc_owner",):
        known = ATTACKS[attack] or ""
        if attack is the_same_fact_twice and raw.way != "insert":
            known = "fact_booked_otherwise"
        assert (refused.value.diag.constraint_name or "").startswith(known)
    assert books(raw) == before


@pytest.mark.parametrize("attack", TAMPERING)
def test_postgresql_refuses_tampering(attack: Callable[[Raw], None], raw: Raw) -> None:
    before = books(raw)
    with pytest.raises(REFUSALS):
        attack(raw)
    assert books(raw) == before


@pytest.mark.parametrize(("role", "way"), [way for way in WAYS if way != ("tronc_app", "insert")])
def test_what_is_sound_is_accepted(fresh: str, role: str, way: str) -> None:
    """The control of the attacks above: the same helpers, with nothing wrong, do book, hold and capture."""
    with connected(fresh, role, way) as raw:
        sound(raw)


def sound(raw: Raw) -> None:
    """Book in each way that is right; the budget ends empty, nothing held."""
    book(raw, "w", pair(raw, -60_00))
    with raw.transaction():
        end(raw, "captured", 40_00, "ent_x")
        book(raw, "x", pair(raw, -40_00))
    rows = pair(raw, 7)
    book(raw, "y", [rows[0], (rows[1][0], "EUR", -3), (rows[1][0], "EUR", -4)])
    book(raw, "z", pair(raw, -7), reverses=None)
    (other,) = raw.execute("SELECT id FROM ledger_journalentry WHERE key = 'z'").fetchone()
    book(raw, "u", pair(raw, 7), reverses=other)
    book(raw, "v", pair(raw, -7))
    rows = pair(raw)
    held = raw.execute("SELECT balance, held FROM ledger_balance WHERE account_id = %s", [rows[1][0]]).fetchone()
    assert held == (0, 0)


def test_the_application_role_is_not_the_owner(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("tronc_app",)
        with pytest.raises(Exception, match="must be owner"):
            cursor.execute("ALTER TABLE ledger_posting DISABLE TRIGGER ALL")
