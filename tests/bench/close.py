"""What closing a large period costs: frozen, computed, approved and booked, beside a bare insert of the same rows.

    ./run bench close [--lines N]

One line each of JSON, on a PostgreSQL that writes each commit to disk:

- `distribution`: a period of N validated contributions of N people is closed, computed and approved, in one process.
  Beside it, in the same run: the very rows that this wrote, each as often as it was written, inserted into tables of
  the same columns and keys, which know no rule, by one `executemany` a table in one transaction. A contribution is
  written twice, when it is frozen and when it is settled. `memory_mb` is the most that the process ever took.
- `public page`: the 95th percentile of the answers that another process gives to a public page meanwhile, beside the
  one of the same page when nothing else runs.
"""

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from psycopg import sql

from tests.bench._stage import APP, OWNER, Server

TIMES_BARE, MEGABYTES, TIMES_IDLE = 5.0, 300, 2.0
IDLE_SECONDS = 10.0
# What a distribution writes: its rows are those that are new, or other than they were, since the period was filled.
WRITTEN = (
    "distributions_distribution", "distributions_share", "distributions_sharepart", "ledger_account",
    "ledger_journalentry", "ledger_posting", "payees_payee", "payees_bookedname", "events_event",
    "contributions_contribution",
)  # fmt: skip
TWICE = "contributions_contribution"  # included, then settled: PostgreSQL writes the whole row each time


def main(arguments: list[str]) -> int:
    """Measure; 0 unless something else than time went wrong."""
    parser = argparse.ArgumentParser(prog="close", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000, help="how many contributions, each of another person")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)  # the process that reads a page
    options = parser.parse_args(arguments)
    if options.read is not None:
        return read(options.read)
    server = Server()
    try:
        server.migrated("close")
        os.environ.update(server.environment("close"))
        measure(server, options.lines)
    finally:
        server.stop()
    return 0


def measure(server: Server, lines: int) -> None:
    """Fill a period, close it while a page is read, then write its rows once more, bare."""
    import django

    django.setup()
    from django.utils import timezone

    from backend.distributions.models import Distribution
    from backend.distributions.services import approve, close_period, compute_due
    from backend.operations import demo

    logging.disable(logging.CRITICAL)
    world = demo.World(now=timezone.now())
    demo.make_people(world)
    demo.make_house(world)
    fill(server, world, lines)
    before = {table: keys_of(server, table) for table in WRITTEN}
    with TemporaryDirectory() as folder:
        told, stop = Path(folder, "told"), Path(folder, "stop")
        reader = subprocess.Popen([sys.executable, "-m", "tests.bench.close", "--read", folder])
        try:
            while not told.exists():
                assert reader.poll() is None, "the page cannot be read"
                time.sleep(0.1)
            time.sleep(IDLE_SECONDS)
            begun, begun_at = time.perf_counter(), time.time()
            claire, denis = world.users["claire"], world.users["denis"]
            made = close_period(actor=claire, period_id=world.period.pk, now=timezone.now())
            frozen = time.perf_counter()
            compute_due(timezone.now())
            computed = time.perf_counter()
            made = Distribution.objects.get(pk=made.pk)
            approve(actor=denis, distribution_id=made.pk, digest=made.digest, now=timezone.now())
            booked = time.perf_counter()
            ended_at = time.time()
        finally:
            stop.touch()
            reader.wait()
        answers = [tuple(map(float, line.split())) for line in told.read_text().splitlines()]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert made.shares.count() == lines
    bare, rows = written_again(server, before)
    ratio = (booked - begun) / bare
    tell(
        "distribution", ratio <= TIMES_BARE and memory <= MEGABYTES, lines=lines, rows=rows,
        close_s=round(frozen - begun, 2), compute_s=round(computed - frozen, 2), approve_s=round(booked - computed, 2),
        bare_s=round(bare, 2), ratio=round(ratio, 2), at_most=TIMES_BARE, memory_mb=round(memory),
        memory_at_most=MEGABYTES,
    )  # fmt: skip
    idle = p95([spent for at, spent in answers if at < begun_at])
    busy = p95([spent for at, spent in answers if begun_at <= at < ended_at])
    tell(
        "public page", busy / idle <= TIMES_IDLE, idle_p95_ms=round(idle * 1000, 1), busy_p95_ms=round(busy * 1000, 1),
        ratio=round(busy / idle, 2), at_most=TIMES_IDLE, processors=os.cpu_count() or 0,
    )  # fmt: skip


def tell(case: str, right: bool, **figures: float) -> None:
    """One line of JSON."""
    print(json.dumps({"bench": "close", "case": case, **figures, "verdict": "right" if right else "short"}), flush=True)


def p95(times: list[float]) -> float:
    """The 95th percentile."""
    assert len(times) >= 20, f"{len(times)} answers are too few to say: take more lines"
    return statistics.quantiles(times, n=20)[-1]


def read(folder: Path) -> int:
    """Ask for the page of the commons again and again until told to stop: when, and how long it took."""
    import django

    django.setup()
    from django.test import Client

    from backend.commons.models import Commons

    page = f"/fr/commons/{Commons.objects.get().slug}/"
    logging.disable(logging.CRITICAL)
    client = Client(headers={"host": "localhost"})
    for _warm in range(20):
        assert client.get(page).status_code == 200, page
    with Path(folder, "told").open("w", buffering=1) as told:
        while not Path(folder, "stop").exists():
            at, begun = time.time(), time.perf_counter()
            assert client.get(page).status_code == 200
            told.write(f"{at} {time.perf_counter() - begun}\n")
            time.sleep(0.02)
    return 0


def fill(server: Server, world: Any, lines: int) -> None:
    """So many people, each with one validated contribution, and money for half of what they ask.

    Their rows are copied from one that the services made: what is measured begins at the closing.
    """
    from backend.contributions.models import Contribution
    from backend.contributions.services import declare, review
    from backend.ledger import chart
    from backend.ledger.services import Line, open_account, post
    from backend.payees.models import Payee

    made = declare(
        actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="development", minutes=90,
        amount=45_00, description="Work", evidence=["https://example.org/1"], form_key="bench", now=world.now,
    )  # fmt: skip
    payee = Payee.objects.get(user=world.users["bo"]).pk
    review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", minutes=None, now=world.now)
    with server.connect("close", "tronc_admin") as admin:
        admin.execute("SET session_replication_role = replica")  # no trigger: these rows are as the services leave them
        for table, one, changed in (
            ("identity_user", world.users["bo"].pk, "jsonb_build_object('id', 'usr_' || n, 'email', n || '@x.org')"),
            ("payees_payee", payee, "jsonb_build_object('id', 'pye_' || n, 'user_id', 'usr_' || n)"),
            (
                "contributions_contribution", made.pk,
                "jsonb_build_object('id', 'ctr_' || n, 'contributor_id', 'usr_' || n, 'form_key', n::text)",
            ),
        ):  # fmt: skip
            admin.execute(
                sql.SQL(
                    "INSERT INTO {table} SELECT (jsonb_populate_record(one, {changed})).* FROM {table} one,"
                    " generate_series(100000000000, 100000000000 + %s - 1) n WHERE one.id = %s"
                ).format(table=sql.Identifier(table), changed=sql.SQL(changed)),
                [lines, one],
            )
        admin.execute("DELETE FROM contributions_contribution WHERE id = %s", [made.pk])
        admin.execute("ANALYZE")
    assert Contribution.objects.filter(state="validated").count() == lines
    money = lines * 22_50
    account = open_account(kind="bank", owner=world.account.pk, currency="EUR")
    purse = open_account(kind="budget", owner=world.budget.pk, currency="EUR")
    post(
        kind="payment.received", scope="bench", key="bench", reference="bench", happened_on=world.today,
        lines=[Line(account, money, chart.BANK), Line(purse, -money, chart.DONATION)], now=world.now,
    )  # fmt: skip


def keys_of(server: Server, table: str) -> list[str]:
    """The rows that are there, whole, as text."""
    with server.connect("close", OWNER) as owner:
        rows = owner.execute(sql.SQL("SELECT md5(one::text) FROM {} one").format(sql.Identifier(table)))
        return [row[0] for row in rows.fetchall()]


def written_again(server: Server, before: dict[str, list[str]]) -> tuple[float, int]:
    """Seconds of inserting the new rows into tables that know no rule, their values already in memory; how many."""
    taken: dict[str, list[tuple[Any, ...]]] = {}
    columns: dict[str, int] = {}
    with server.connect("close", OWNER) as owner:
        for table, known in before.items():
            name = sql.Identifier(table)
            new = owner.execute(
                sql.SQL("SELECT * FROM {} one WHERE md5(one::text) <> ALL(%s::text[])").format(name), [known]
            )
            columns[table] = len(new.description or ())
            rows = new.fetchall()
            taken[table] = [tuple(adapted(value) for value in row) for row in rows]
            for bare in bare_names(table):
                owner.execute(
                    sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING INDEXES)").format(bare, name)
                )
                owner.execute(sql.SQL("GRANT ALL ON {} TO tronc_app").format(bare))
    with server.connect("close", APP) as app:
        begun = time.perf_counter()
        with app.transaction(), app.cursor() as cursor:
            for table, rows in taken.items():
                places = sql.SQL(", ").join([sql.Placeholder()] * columns[table])
                for bare in bare_names(table):
                    cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(bare, places), rows)
        spent = time.perf_counter() - begun
    return spent, sum(len(rows) * len(bare_names(table)) for table, rows in taken.items())


def bare_names(table: str) -> list[sql.Identifier]:
    """The bare tables that take the rows of one table: one for each time that its rows are written."""
    return [sql.Identifier(f"bare{time}_{table}") for time in range(2 if table == TWICE else 1)]


def adapted(value: Any) -> Any:
    """A value as psycopg takes it back."""
    from psycopg.types.json import Jsonb

    return Jsonb(value) if isinstance(value, dict | list) else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
