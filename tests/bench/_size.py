"""What size does: reads, posts, sealing and the audit of a ledger of millions of postings, beside a tenth of it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from functools import partial
from typing import Any

import psycopg
from django.db import connection
from django.utils import timezone

from tests.bench import _bare
from tests.bench._bare import DAYS, account_id, drawn
from tests.bench._clients import clients
from tests.bench._posting import Bench, prepare
from tests.bench._stage import Result, interleaved, median, ratio

PAGE = 50  # lines of a statement
DAY = date(2001, 2, 3)  # stands for a day in the statements that are taken from the services


def grow(bench: Bench, tenth: str, large: str) -> None:
    """Fill `large` through the bulk function, each month locked when it is over; `tenth` is copied on the way."""
    total = bench.size // 2
    begin = datetime.now(UTC).date() - timedelta(days=DAYS)
    months = {}  # number of the first entry of a month → its first day
    first = month_after(begin)
    while first <= begin + timedelta(days=DAYS - 1):
        months[-(-(first - begin).days * total // DAYS)] = first
        first = month_after(first)
    prepare(bench, large)
    with on(large):
        people = _treasurers()
    spent, done = 0.0, 0
    for end in sorted({total // 10, total, *months}):
        begun = time.perf_counter()
        _fill_with_two(bench, large, done, end, total, begin)
        spent, done = spent + time.perf_counter() - begun, end
        if end in months:
            with on(large):
                _lock(people, months[end])
        if end == total // 10:
            bench.server.settle(large)
            bench.server.copy(large, tenth)
            bench.server.settle(tenth)
    bench.server.settle(large)
    figures = {"months locked": len(months)}
    bench.tell(
        Result(f"filling with {total * 2:,} postings, two clients", total / spent, unit="entries/s", figures=figures)
    )


def _treasurers() -> list[Any]:
    from backend.operations import demo

    world = demo.World(now=timezone.now())
    demo.make_people(world)
    demo.make_house(world)
    return [world.users["claire"], world.users["denis"]]


def _lock(people: list[Any], following: date) -> None:
    """Lock the month before a day, at six in the morning of that day."""
    from backend.ledger.services import ask_lock, lock

    now = datetime.combine(following, clock(6), UTC)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    closing = ask_lock(actor=people[0], first_day=(following - timedelta(days=1)).replace(day=1), now=now)
    lock(actor=people[1], closing_id=closing.pk, now=now)


def month_after(day: date) -> date:
    """The first day of the next month."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _fill_with_two(bench: Bench, database: str, *words: object) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.bench._fill", *map(str, words), str(share)],
            env=bench.server.environment(database),
        )
        for share in range(2)
    ]
    ended = [one.wait() for one in started]
    if any(ended):
        raise RuntimeError("filling failed")


@contextmanager
def on(database: str) -> Iterator[None]:
    """Read another database through Django."""
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def script_of(database: str, number: int, act: Callable[[], Any]) -> str:
    """The SQL that a read sends, as a pgbench script in which the account is `:a` and the day, if any, `:d`.

    Args: number: that of the account the read asks for; its id and its owner, and DAY, are what is replaced.
    """
    sent: list[str] = []

    def keep(execute: Callable[..., Any], text: str, values: Any, many: bool, context: dict[str, Any]) -> Any:
        sent.append(psycopg.ClientCursor(context["connection"].connection).mogrify(text, values))
        return execute(text, values, many, context)

    with on(database):
        connection.ensure_connection()
        with connection.execute_wrapper(keep):
            act()
    whole = "".join(f"{text.strip()};\n" for text in sent)
    whole = whole.replace(f"'{account_id(number)}'", "('acc_' || lpad((:a)::bigint::text, 36, '0'))")
    whole = whole.replace(f"'own_{number}'", "('own_' || (:a)::bigint::text)")
    whole = whole.replace(f"'{DAY}'::date", "(CURRENT_DATE - (:d)::int)")
    whole = whole.replace(f"'{DAY} 00:00:00+00:00'::timestamptz", "(CURRENT_TIMESTAMP - (:d)::int * INTERVAL '1 day')")
    assert ":a" in whole, whole
    assert str(DAY) not in whole, whole
    return whole


def milliseconds(bench: Bench, database: str, script: str, first: int, last: int) -> float:
    """The mean time of a script for accounts drawn between two numbers, by one client."""
    draw = f"\\set a random({first}, {last})\n\\set d random(1, {DAYS})\n"
    return 1000 / bench.server.pgbench(database, draw + script, clients=1, seconds=bench.seconds)


def reads(bench: Bench, tenth: str, large: str) -> None:
    """Balances and statements, as the services ask for them, beside those of a tenth of the ledger."""
    from backend.ledger.services import balance, statement

    budget, bank = {"kind": "budget", "owner": "own_77"}, {"kind": "bank", "owner": "own_1"}
    who: list[tuple[str, dict[str, str], int, int, int]] = [
        ("random accounts", budget, 77, 2, drawn(bench.size // 2)), ("hot account", bank, 1, 1, 1),
    ]  # fmt: skip
    for name, purse, number, first, last in who:
        acts: list[tuple[str, float, Callable[[], Any]]] = [
            ("balance", 1.1, partial(balance, **purse, currency="EUR")),
            (f"statement of {PAGE} lines", 1.5, partial(statement, **purse, currency="EUR", limit=PAGE)),
        ]
        for what, most, act in acts:
            script = script_of(large, number, act)
            small, big = interleaved(
                bench.rounds,
                *(partial(milliseconds, bench, database, script, first, last) for database in (tenth, large)),
            )
            figures = {"ms": median(big), "ms at a tenth": median(small)}
            bench.tell(
                Result(f"{what}, {name}: time ÷ that at a tenth of the size", ratio(big, small), most, True,
                       figures=figures)
            )  # fmt: skip


def past(bench: Bench, large: str) -> None:
    """The balance of the hot account at the end of any day of the two years, by when it happened and when booked."""
    from backend.ledger.services import balance_known, balance_on

    bank = {"kind": "bank", "owner": "own_1", "currency": "EUR"}
    moment = datetime.combine(DAY, clock(0), UTC)
    cases = {
        "when it happened": partial(balance_on, **bank, day=DAY),
        "when it was booked": partial(balance_known, **bank, at=moment),
    }
    for name, act in cases.items():
        script = script_of(large, 1, act)
        (figures,) = interleaved(bench.rounds, partial(milliseconds, bench, large, script, 1, 1))
        bench.tell(Result(f"past balance of the hot account, by {name}", median(figures), 1, True, "ms"))


def posts(bench: Bench, empty: str, large: str) -> None:
    """A post in a ledger of full size beside one in an empty ledger."""
    for count in (1, 8):
        bench.server.settle(empty, large)
        small, big = interleaved(
            bench.rounds,
            partial(bench.pgbench, empty, _bare.POST, _bare.RANDOM, count),
            partial(bench.pgbench, large, _bare.POST, _bare.RANDOM, count),
        )
        people = f"{count} client{'s' if count > 1 else ''}"
        figures = {"post/s": median(big), "post/s when empty": median(small)}
        bench.tell(Result(f"post at full size: time ÷ empty, {people}", ratio(small, big), 1.15, True, figures=figures))


def sealing(bench: Bench, large: str) -> None:
    """How many entries a second the sealer seals when all wait."""
    from backend.ledger.services import seal_due

    with on(large):
        begun = time.perf_counter()
        count = seal_due(timezone.now(), wait=True)
        spent = time.perf_counter() - begun
    bench.tell(Result(f"sealing {count:,} entries", count / spent, 100_000, unit="entries/s"))


def sealing_beside(bench: Bench, database: str) -> None:
    """Posts while a sealer works beside them, looking twice a second, sixty times as often as in production."""
    bench.server.settle(database)
    with clients("sealer", 1, bench.server.environment(database)) as seal, ThreadPoolExecutor(1) as pool:

        def beside() -> float:
            sealer = pool.submit(seal, 1, bench.seconds)
            rate = bench.pgbench(database, _bare.POST, _bare.RANDOM, 1)
            sealer.result()
            return rate

        alone, both = interleaved(
            max(bench.rounds, 5), partial(bench.pgbench, database, _bare.POST, _bare.RANDOM, 1), beside
        )
    figures = {"post/s": median(both), "post/s alone": median(alone)}
    bench.tell(Result("post with the sealer at work ÷ post alone, 1 client", ratio(both, alone), 0.95, figures=figures))


def audited(bench: Bench, large: str) -> None:
    """Every check of the ledger's audit over the whole ledger, one after the other."""
    from backend.ledger import audit

    figures = {}
    with on(large):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        extent = audit.extent()
        for check in (audit.unbalanced, audit.wrong_balances, audit.altered_entries, audit.broken_seals):
            begun = time.perf_counter()
            assert check() == [], f"{check.__name__} found something"
            figures[f"{check.__name__} s"] = time.perf_counter() - begun
    bench.tell(
        Result(f"full audit of {extent.postings:,} postings", sum(figures.values()), 30, True, "s", figures=figures)
    )
