"""Kills PostgreSQL while batches are posted, then puts the ledger through a long storm: the books must be whole.

    ./run prove ledger [--slice] [--seed N] [--rounds N] [--storm [--examples N]]

Two posters send batches of entries to the same purses, on a server that writes every commit to disk. At a moment drawn
from the seed the postmaster, or one of its backends, is killed without warning. Once it is back: every batch is there
whole or not at all, those that were acknowledged are there, the audit is clean, and sending everything again gives the
first entries and books nothing twice. `--storm` runs the storm of tests/ledger/test_storm.py at length instead.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from typing import Any

SIZE = 400  # entries of a batch
PURSES = 12
FUNDS = 10**9  # minor units in each budget
DAY = date(2026, 11, 21)


class Wrong(Exception):
    """The books are not what they must be."""


class Poster(threading.Thread):
    """Sends one batch after the other until the database goes away; remembers what was acknowledged."""

    def __init__(self, books: "Books", name: str) -> None:
        """Args: name: begins the key of each of its batches."""
        super().__init__(daemon=True)
        self._books, self._name = books, name
        self.backend = 0
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.seconds: list[float] = []
        self.error: BaseException | None = None
        self.halt = threading.Event()

    def run(self) -> None:
        """Post until told to stop or until the database goes away."""
        from django.db import DatabaseError, connection

        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (self.backend,) = cursor.fetchone()
            while not self.halt.is_set():
                batch = f"{self._name}-{len(self.sent)}"
                self.sent.append(batch)
                begun = time.perf_counter()
                self._books.post(batch)
                self.seconds.append(time.perf_counter() - begun)
                self.acknowledged.append(batch)
        except DatabaseError:
            pass  # what the round is about
        except Exception as error:  # the round tells it
            self.error = error
        finally:
            connection.close()


class Books:
    """The purses, the batches they are to hold, and the comparison with what PostgreSQL holds."""

    def __init__(self, seed: int) -> None:
        """Open the purses and fund the budgets."""
        from django.utils import timezone

        from backend.ledger.services import Line, open_account, post

        self._seed = seed
        self.bank = open_account(kind="bank", owner="bnk_1", currency="EUR")
        self.budgets = [open_account(kind="budget", owner=f"bud_{n}", currency="EUR") for n in range(PURSES)]
        lines = [Line(self.bank, FUNDS * PURSES, "512"), *(Line(one, -FUNDS, "7541") for one in self.budgets)]
        post(kind="fund", scope="prove", key="fund", reference="fund", happened_on=DAY, now=timezone.now(), lines=lines)

    def moves(self, batch: str) -> list[tuple[Any, Any, int]]:
        """The transfers of a batch, the same each time: from, to, minor units."""
        dice = random.Random(f"{self._seed} {batch}")  # noqa: S311  the dice must be the same again
        purses = [self.bank, *self.budgets]
        return [(*dice.sample(purses, 2), dice.randint(1, 900)) for _entry in range(SIZE)]

    def post(self, batch: str) -> list[str]:
        """Send a batch; gives the ids of its entries."""
        from django.utils import timezone

        from backend.ledger.services import Entry, Line, post_many

        entries = [
            Entry(
                kind="prove", scope="prove", key=f"{batch}.{number}", reference=batch, happened_on=DAY,
                lines=[Line(one, -amount, "512"), Line(other, amount, "7541")],
            )
            for number, (one, other, amount) in enumerate(self.moves(batch))
        ]  # fmt: skip
        return [entry.id for entry in post_many(entries=entries, now=timezone.now())]

    def held(self, batch: str) -> dict[str, str]:
        """Key → id of the entries of a batch that are in the books."""
        from backend.ledger.models import JournalEntry

        found = JournalEntry.objects.filter(scope="prove", reference=batch)
        return dict(found.values_list("key", "pk"))

    def check(self, batches: list[str]) -> None:
        """Raises Wrong unless the books hold the funds and exactly these batches, and the audit finds nothing."""
        from backend.ledger import audit
        from backend.ledger.models import Balance, JournalEntry

        if (count := JournalEntry.objects.count()) != 1 + SIZE * len(batches):
            raise Wrong(f"{count} entries for {len(batches)} batches")
        expected = {self.bank.pk: FUNDS * PURSES} | {one.pk: -FUNDS for one in self.budgets}
        for batch in batches:
            for one, other, amount in self.moves(batch):
                expected[one.pk] -= amount
                expected[other.pk] += amount
        if (stored := dict(Balance.objects.values_list("account_id", "balance"))) != expected:
            raise Wrong(f"balances {stored}, expected {expected}")
        if found := [*audit.unbalanced(), *audit.wrong_balances(), *audit.altered_entries(), *audit.broken_seals()]:
            raise Wrong(f"the audit found {found}")


def one_death(books: Books, postgres: Any, dice: random.Random, turn: int, whole: list[str]) -> str:
    """One round; adds its batches to `whole`. Returns a line that says what happened, raises Wrong."""
    from django.db import connection
    from django.utils import timezone

    from backend.ledger.services import seal_due

    posters = [Poster(books, f"{turn}-{number}") for number in range(2)]
    for poster in posters:
        poster.start()
    until = time.monotonic() + 60
    while sum(len(poster.acknowledged) for poster in posters) < 3:
        if time.monotonic() > until or not all(poster.is_alive() for poster in posters):
            raise Wrong(f"the posters do not post: {[poster.error for poster in posters]}")
        time.sleep(0.005)
    typical = max(poster.seconds[-1] for poster in posters if poster.seconds)
    connection.close()  # ours would be cut too
    time.sleep(dice.uniform(0, 2 * typical))
    victim = "postmaster" if turn % 2 else "backend"
    if victim == "postmaster":
        postgres.kill()
    else:
        os.kill(posters[0].backend, signal.SIGKILL)
    for poster in posters:
        poster.join(60)
        if poster.error is not None or poster.is_alive():
            raise Wrong(f"a poster met {poster.error!r}")
    postgres.start()
    _answers()
    kept = []
    for poster in posters:
        for batch in poster.sent:
            found = len(books.held(batch))
            if found not in (0, SIZE) or (batch in poster.acknowledged and found != SIZE):
                raise Wrong(f"{victim} killed: batch {batch} has {found} of {SIZE} entries")
            kept += [batch] if found else []
    books.check(whole + kept)
    sent = [batch for poster in posters for batch in poster.sent]
    first = {batch: books.held(batch) for batch in kept}
    for batch in sent:
        ids = books.post(batch)
        if batch in first and set(ids) != set(first[batch].values()):
            raise Wrong(f"batch {batch} sent again gave other entries")
    whole += sent
    seal_due(timezone.now(), wait=True)
    books.check(whole)
    lost = len(sent) - len(kept)
    unheard = len(kept) - sum(len(poster.acknowledged) for poster in posters)
    return f"{victim} killed with {len(sent)} batches sent: {lost} left no trace, {unheard} booked but not acknowledged"


def _answers() -> None:
    """Wait until the database answers a query."""
    from django.db import DatabaseError, connection

    until = time.monotonic() + 60
    while True:
        try:
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return
        except DatabaseError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def prove(options: argparse.Namespace, postgres: Any) -> int:
    """The rounds; returns how many were wrong."""
    for command in (["prepare_database"], ["migrate", "-v0"]):
        subprocess.run([sys.executable, "-P", "-m", "backend.manage", *command], check=True)
    if options.storm:
        from tests.ledger import storm

        done = storm.rage(environment=dict(os.environ), examples=options.examples, dice=options.seed)
        told = ", ".join(f"{what} {count}" for what, count in sorted(done.items()))
        print(f"right: {options.examples} plans, seed {options.seed}: {told}", flush=True)
        return 0
    dice = random.Random(options.seed)  # noqa: S311  the dice must be the same again
    books, whole, cut = Books(options.seed), list[str](), 0
    for turn in range(1, options.rounds + 1):
        try:
            told = one_death(books, postgres, dice, turn, whole)
        except Wrong as wrong:
            print(f"{turn}: WRONG: {wrong}", flush=True)
            return 1
        cut += " 0 left no trace" not in told
        print(f"{turn}: right: {told}", flush=True)
    print(
        f"{options.rounds} deaths, {len(whole)} batches of {SIZE}, seed {options.seed}; {cut} cut a batch", flush=True
    )
    if not cut:
        print("WRONG: no death met a batch: nothing was proved", flush=True)
    return 0 if cut else 1


def main(arguments: list[str]) -> int:
    """Prove it; 0 when it holds."""
    parser = argparse.ArgumentParser(prog="ledger", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=20261121, help="the moments of death, or the plans of the storm")
    parser.add_argument("--rounds", type=int, default=20, help="how many deaths")
    parser.add_argument("--slice", action="store_true", help="two deaths, for CI")
    parser.add_argument("--storm", action="store_true", help="the long storm instead of deaths")
    parser.add_argument("--examples", type=int, default=150, help="how many plans the storm tries")
    options = parser.parse_args(arguments)
    options.rounds = 2 if options.slice else options.rounds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the server is ended
    from tests.postgres import Postgres

    postgres = Postgres()
    try:
        os.environ.update(postgres.addresses)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
        import django

        django.setup()
        return prove(options, postgres)
    finally:
        postgres.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
