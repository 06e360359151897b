"""The journey under random deaths: web, worker, beat and broker are killed while people act; the books must be right.

    ./run prove faults [--seed N] [--rounds N] [--slice]

Each round takes the hundred euros through real pages on a fresh database with fsync on, while a second thread kills a
process every few seconds and starts it again. People retry what failed, as people do. At the end faults stop, what
is due must be done within 120 s, and every balance is compared with the one right answer. Power loss is not tried.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> int:
    """Run the rounds; the exit code is the number of rounds that failed."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--slice", action="store_true", help="one short round with a fixed seed, for CI")
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    import django

    django.setup()
    from tests import databases

    rounds = [20261121] if options.slice else [options.seed + number for number in range(options.rounds)]
    databases.make_template()
    failed = 0
    try:
        for seed in rounds:
            begun = time.monotonic()
            try:
                kills = one_round(seed)
                print(f"seed {seed}: right after {kills} deaths, {time.monotonic() - begun:.0f} s", flush=True)
            except Exception as failure:
                failed += 1
                print(f"seed {seed}: WRONG: {failure!r}", flush=True)
    finally:
        databases.drop(databases.TEMPLATE)
    return failed


def one_round(seed: int) -> int:
    """One journey under faults on a database of its own; gives how many processes died."""
    from django.db import connection
    from django.utils import timezone

    from backend.operations import demo
    from tests import databases
    from tests.conftest import Processes, free_port
    from tests.journeys.by_hand import ByHand
    from tests.journeys.test_hundred_euros import the_books_are_right
    from tests.prove._harness import calm, persist, settled
    from tests.valkey import Valkey

    name = f"tronc_faults_{seed}_{os.getpid()}"
    databases.clone(name)
    connection.close()
    connection.settings_dict["NAME"] = name
    with tempfile.TemporaryDirectory() as folder:
        processes = Processes(name, Path(folder))
        valkey = Valkey(Path(folder), free_port())
        processes.environment["REDIS_URL"] = valkey.url
        try:
            world = demo.World(now=timezone.now())
            demo.make_people(world)
            demo.make_house(world)
            valkey.start()
            address = processes.web()
            processes.worker()
            processes.beat()
            killer = Killer(seed, processes, valkey)
            killer.start()
            hand = ByHand(world, address, lambda ready, what: processes.wait(lambda: calm(ready), what, 120))
            for step in hand.STEPS:
                persist(step, getattr(hand, step), hand)
            killer.stop()
            processes.wait(lambda: settled(world), "the end of the journey", 120)
            the_books_are_right(world)
            return killer.deaths
        finally:
            processes.stop()
            valkey.kill()
            connection.close()
            databases.drop(name)


class Killer(threading.Thread):
    """Kills a random process every few seconds, and starts it again as a supervisor does."""

    def __init__(self, seed: int, processes: Any, valkey: Any) -> None:
        """Keep the dice."""
        super().__init__(daemon=True)
        self.dice = random.Random(seed)  # noqa: S311  the dice must be the same again
        self.processes, self.valkey = processes, valkey
        self.deaths = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Until told to stop."""
        while not self._over.wait(self.dice.uniform(0.5, 4)):
            victim = self.dice.choice(["web", "worker", "beat", "valkey", "worker", "web child", "web child"])
            self.deaths += 1
            if victim == "valkey":
                self.valkey.kill()
                self._over.wait(self.dice.uniform(0, 2))
                self.valkey.start()
            elif victim == "web child":
                self.kill_child(self.processes.running["web"].pid)
            else:
                self.processes.kill_and_restart(victim)
            if victim == "web":  # people need it up now and then
                self.processes.wait(self.processes.healthy, "the web server")
                self._over.wait(3)

    def kill_child(self, parent: int) -> None:
        """Kill one gunicorn worker: its master makes another."""
        listing = Path(f"/proc/{parent}/task/{parent}/children")
        children = listing.read_text().split() if listing.exists() else []
        if children:
            os.kill(int(self.dice.choice(children)), 9)

    def stop(self) -> None:
        """No more faults; everything runs again."""
        self._over.set()
        self.join(30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
