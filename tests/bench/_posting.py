"""What one post costs, what many cost, beside the bare SQL of the same run and beside a peer through Django."""

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tests.bench import _bare
from tests.bench._bare import ACCOUNTS, account_id
from tests.bench._clients import clients
from tests.bench._stage import APP, OWNER, Result, Server, interleaved, median, ratio

BULK = 1000  # entries of two lines in one call
LONG = 10_000  # lines of one distribution


@dataclass
class Bench:
    """One run: its server, how long and how often each case runs, and what was found."""

    server: Server
    seconds: float
    rounds: int
    size: int  # postings of the large ledger
    tell: Callable[[Result], None]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def pgbench(self, database: str, body: str, pairs: str, count: int) -> float:
        """Transactions a second of one script, with ids that no other run used."""
        return self.server.pgbench(
            database, _bare.script(body, pairs), clients=count, seconds=self.seconds,
            run=next(self.numbers), n=0, accounts=ACCOUNTS,
        )  # fmt: skip


def prepare(bench: Bench, database: str) -> None:
    """A migrated database with the accounts, the budgets funded from the bank, and the bare tables."""
    bench.server.migrated(database)
    with bench.server.connect(database, OWNER) as owner:
        _bare.make(owner)
    lines = [(1, _bare.FUNDS * (ACCOUNTS - 1))] + [(number, -_bare.FUNDS) for number in range(2, ACCOUNTS + 1)]
    with bench.server.connect(database, APP) as app:
        app.execute(_bare.POST_MANY, batch([f"ent_{0:036}"], [lines]))
    bench.server.settle(database)


def single(bench: Bench, database: str) -> None:
    """One entry of two lines, one commit."""
    targets = {("random", 1): 0.40, ("random", 8): 0.35}
    for (name, pairs), count in itertools.product((("random", _bare.RANDOM), ("hot", _bare.HOT)), (1, 8)):
        bench.server.settle(database)
        raw, balanced, ours = interleaved(
            bench.rounds,
            *(partial(bench.pgbench, database, body, pairs, count)
              for body in (_bare.RAW, _bare.RAW_BALANCE, _bare.POST)),
        )  # fmt: skip
        figures = {"post/s": median(ours), "raw/s": median(raw), "raw + balance/s": median(balanced)}
        people = f"{count} client{'s' if count > 1 else ''}"
        bench.tell(
            Result(f"post ÷ raw insert, {name} accounts, {people}", ratio(ours, raw), targets.get((name, count)),
                   figures=figures)
        )  # fmt: skip
        target = 0.75 if (name, count) == ("hot", 8) else None
        label = "one hot account" if name == "hot" else "random accounts"
        bench.tell(Result(f"post ÷ raw insert + balance, {label}, {people}", ratio(ours, balanced), target))


def through_django(bench: Bench, database: str) -> None:
    """services.post beside django-hordak's transfer_to, in client processes."""
    server = bench.server
    server.create("hordak")
    peer = server.environment("hordak") | {"DJANGO_SETTINGS_MODULE": "tests.bench._hordak_settings"}
    server.run([sys.executable, "-P", "-m", "django", "migrate", "-v0"], peer)
    server.run([sys.executable, "-P", "-m", "tests.bench._clients", "accounts"], peer)
    ours = server.environment(database) | {"DJANGO_SETTINGS_MODULE": "backend.settings"}
    with clients("ours", 8, ours) as post, clients("hordak", 8, peer) as transfer:
        for count in (1, 8):
            rates = interleaved(
                bench.rounds, partial(post, count, bench.seconds), partial(transfer, count, bench.seconds)
            )
            figures = {"post/s": median(rates[0]), "transfer_to/s": median(rates[1])}
            people = f"{count} process{'es' if count > 1 else ''}"
            bench.tell(Result(f"through Django: post ÷ django-hordak, {people}", ratio(*rates), 2.3, figures=figures))


def bulk(bench: Bench, database: str) -> None:
    """Many entries, or one entry of many lines, in one statement; both sides get the same arrays."""
    with bench.server.connect(database, APP) as app:
        app.prepare_threshold = 0

        def rate(query: str, made: Callable[[], dict[str, Any]], things: int) -> float:
            count, spent, until = 0, 0.0, time.perf_counter() + bench.seconds
            while time.perf_counter() < until or count < 3:
                values = made()
                begun = time.perf_counter()
                app.execute(query, values)  # type: ignore[call-overload]
                spent += time.perf_counter() - begun
                count += 1
            return count * things / spent

        def transfers(hot: bool) -> dict[str, Any]:
            first = next(bench.numbers) * BULK
            pairs = [_pair(first + number, hot) for number in range(BULK)]
            return batch([f"ent_b{first + number:035}" for number in range(BULK)], pairs)

        def distribution() -> dict[str, Any]:
            turn = next(bench.numbers)
            lines = [(1, LONG - 1)] + [(2 + (turn + number) % (ACCOUNTS - 1), -1) for number in range(LONG - 1)]
            return batch([f"ent_d{turn:035}"], [lines])

        bench.server.settle(database)
        raw, ours, hot = interleaved(
            bench.rounds,
            partial(rate, _bare.BULK, partial(transfers, False), BULK),
            partial(rate, _bare.POST_MANY, partial(transfers, False), BULK),
            partial(rate, _bare.POST_MANY, partial(transfers, True), BULK),
        )
        figures = {"entries/s": median(ours), "raw/s": median(raw)}
        bench.tell(Result(f"{BULK} entries in one call ÷ raw bulk insert", ratio(ours, raw), 0.30, figures=figures))
        figures = {"hot/s": median(hot), "random/s": median(ours)}
        bench.tell(Result("the same, one hot account ÷ random accounts", ratio(hot, ours), 0.9, figures=figures))
        raw, ours = interleaved(
            bench.rounds, partial(rate, _bare.BULK, distribution, 1), partial(rate, _bare.POST_MANY, distribution, 1)
        )
        figures = {"ms": 1000 / median(ours), "raw ms": 1000 / median(raw)}
        bench.tell(
            Result(f"one entry of {LONG} lines: time ÷ raw bulk insert", ratio(raw, ours), 5, True, figures=figures)
        )


def batch(ids: list[str], entries: list[list[tuple[int, int]]]) -> dict[str, Any]:
    """The arrays of a batch. Args: ids: one each entry. entries: (account number, minor units) of each line."""
    flat = [(owner, place, account_id(number), amount)
            for owner, lines in enumerate(entries, 1) for place, (number, amount) in enumerate(lines, 1)]  # fmt: skip
    return {
        "ids": ids,
        "kinds": ["bench"] * len(ids),
        "days": [datetime.now(UTC).date()] * len(ids),
        "scopes": ["bulk"] * len(ids),
        "marks": ["0" * 64] * len(ids),
        "undoes": [None] * len(ids),
        "counts": [len(lines) for lines in entries],
        "lines": len(entries[0]),
        "owners": [owner for owner, _, _, _ in flat],
        "places": [place for _, place, _, _ in flat],
        "line_ids": [ids[owner - 1] for owner, _, _, _ in flat],
        "accounts": [account for _, _, account, _ in flat],
        "monies": ["EUR"] * len(flat),
        "amounts": [amount for _, _, _, amount in flat],
        "charts": ["512" if amount > 0 else "7541" for _, _, _, amount in flat],
    }


def _pair(number: int, hot: bool) -> list[tuple[int, int]]:
    """Two lines between accounts scattered by the number; or on one side the hot account."""
    one = 2 + number * 7919 % (ACCOUNTS - 1)
    other = 1 if hot else 2 + (one - 2 + 1 + number * 104_729 % (ACCOUNTS - 2)) % (ACCOUNTS - 1)
    return [(one, 1 + number % 1000), (other, -1 - number % 1000)]
