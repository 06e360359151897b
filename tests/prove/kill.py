"""The journey with one death at each named point of the code: the books must be those of a journey without death.

    ./run prove kill [--slice] [--seed N] [--only TEXT] [--share 1/2] [--list]

A first journey without fault says which points are met, how often, and by whom. Then, on a fresh database each, with
fsync on: a process is held at a point, its victim is killed with SIGKILL there and started again as a supervisor does,
people press again what got no answer, and everything is compared with the first journey: each purse, entry, event,
row and mail. The victims are the process at the point, its whole group, PostgreSQL and Valkey (which forgets all it
held), and after each commit also beat and the group that was not there. Power loss is not tried.

Mail is promised once, with one limit: between the transport's yes and our commit a death makes the same message leave
twice, with the same Message-ID. A second copy is counted and only allowed where the sender or the database died.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

DATABASE = "tronc_kill"
HOUSE = "tronc_kill_house"
SECONDS = 120  # within which all that is due must be done, once nothing dies any more
AGAIN = ["token.created", "statement.imported_again", "batch.downloaded", "log.head_signed", "document.issued"]
SLICE = 45  # seconds after which the part for CI begins no other round


@dataclass(frozen=True)
class Death:
    """Who dies when a point is met for the nth time."""

    point: str
    turn: int
    victim: str

    def __str__(self) -> str:
        """As reported."""
        return f"{self.point}#{self.turn} {self.victim}"


def main(arguments: list[str]) -> int:
    """Run the rounds; the exit code is the number of rounds that failed, at most 100."""
    parser = argparse.ArgumentParser(prog="kill", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=20261121, help="the order of the rounds, and the choice of --slice")
    parser.add_argument("--slice", action="store_true", help="each victim once as far as a minute goes, for CI")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the deaths whose line has this text")
    parser.add_argument("--share", default="1/1", metavar="K/N", help="the Kth of N parts, to run them side by side")
    parser.add_argument("--list", action="store_true", help="only say which deaths there are")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # everything that was started is ended
    with ThreadPoolExecutor(1) as pool, tempfile.TemporaryDirectory() as folder:
        from tests.postgres import Postgres

        postgres = Postgres()  # started here, started again in the pool's thread: both outlive it
        try:
            os.environ.update(postgres.addresses)
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
            import django

            django.setup()
            return prove(options, Stage(Path(folder), postgres, pool))
        finally:
            postgres.stop()


def prove(options: argparse.Namespace, stage: "Stage") -> int:
    """The journey without fault, then the rounds that the options ask for."""
    begun = time.monotonic()
    try:
        stage.open()
        met = stage.rehearse()
        deaths = [death for death in all_deaths(met) if options.only in str(death)]
        random.Random(options.seed).shuffle(deaths)  # noqa: S311  the dice must be the same again
        part, _, parts = options.share.partition("/")
        deaths = deaths[int(part) - 1 :: int(parts)]
        if options.slice:
            deaths = list({death.victim: death for death in deaths}.values())
        print(f"no death: right, {len(met)} points met, {len(deaths)} deaths follow, seed {options.seed}", flush=True)
        if options.list:
            print(*sorted(map(str, deaths)), sep="\n")
            return 0
        played = wrong = 0
        for death in deaths:
            if options.slice and played and time.monotonic() - begun > SLICE:
                break
            played += 1
            wrong += not stage.report(death)
        print(f"{played - wrong} of {played} deaths right, {time.monotonic() - begun:.0f} s", flush=True)
        return min(100, wrong + (not played))
    finally:
        stage.close()


def all_deaths(met: dict[str, list[str]]) -> Iterator[Death]:
    """Who is to die where, from what the rehearsal met: point → the group of each arrival, in order."""
    for point, holders in sorted(met.items()):
        total = len(holders)
        turns = {1, 2, total} if point.startswith("statement") else {1, total}
        if point == "entry.posted":
            turns = set(range(1, total + 1))
        elif point == "nudge.before_send":
            turns = {1, total // 4, total // 2, total * 3 // 4}
        elif point.startswith("mail."):
            turns = {1, total // 2}
        for turn in sorted(turns):
            holder = holders[turn - 1]
            victims = [f"{holder} child", holder, "postgres", "valkey"]
            if point.endswith(".committed") and turn == 1:
                victims += ["beat", "worker" if holder == "web" else "web"]
            yield from (Death(point, turn, victim) for victim in victims)


class Stage:
    """One set of engines and processes for all rounds; each round has a fresh database under the same name."""

    def __init__(self, folder: Path, postgres: Any, pool: ThreadPoolExecutor) -> None:
        """Nothing runs yet but PostgreSQL."""
        from tests.conftest import Processes, free_port
        from tests.valkey import Valkey

        self.folder, self.postgres, self.pool = folder, postgres, pool
        self.points, self.mail = folder / "points", folder / "mail"
        self.points.mkdir()
        self.valkey = Valkey(folder, free_port())
        self.processes = Processes(DATABASE, folder)
        self.address = ""
        self.world: Any = None
        self.expected: Counter[Any] = Counter()
        self.over = threading.Event()

    def open(self) -> None:
        """Make the house once, in a template; start everything on a copy of it."""
        from django.db import connection
        from django.utils import timezone

        from backend.core.failpoints import FAILPOINTS
        from backend.operations import demo
        from tests import databases

        subprocess.run(
            [sys.executable, "-m", "backend.manage", "prepare_database"], check=True, stdout=subprocess.DEVNULL
        )
        databases.make_template()
        databases.clone(HOUSE)
        connection.close()
        connection.settings_dict["NAME"] = HOUSE
        self.world = demo.World(now=timezone.now())
        demo.make_people(self.world)
        demo.make_house(self.world)
        connection.close()
        connection.settings_dict["NAME"] = DATABASE
        databases.clone(DATABASE, HOUSE)
        self.valkey.start()
        self.processes.environment |= {
            "REDIS_URL": self.valkey.url,
            "TRONC_FAILPOINTS": ",".join(f"{name}=wait" for name in FAILPOINTS),
            "TRONC_FAILPOINTS_FOLDER": str(self.points),
        }
        self.address = self.processes.web()
        self.processes.worker()
        self.processes.beat()

    def close(self) -> None:
        """End everything but PostgreSQL."""
        from django.db import connection

        for hold in self.points.glob("*.hold"):
            hold.unlink()
        connection.close()
        self.processes.stop()
        self.valkey.kill()

    def rehearse(self) -> dict[str, list[str]]:
        """The journey without fault, kept as what every other must equal; gives who met which point, in order."""
        from backend.core.failpoints import FAILPOINTS

        self.journey()
        self.expected = picture()
        groups = {process.pid: name for name, process in self.processes.running.items()}
        met: dict[str, list[str]] = {}
        for mark in sorted(self.points.iterdir(), key=lambda one: (one.stem, int(one.suffix[1:]))):
            met.setdefault(mark.stem, []).append(groups[os.getsid(int(mark.read_text()))])
        assert set(met) == set(FAILPOINTS), f"never met: {sorted(set(FAILPOINTS) - set(met))}"
        self.copies(allowed=0)
        return met

    def report(self, death: Death) -> bool:
        """Play one death and say how it went."""
        begun = time.monotonic()
        try:
            twice = self.one_round(death)
        except Exception as failure:
            told = re.sub(r"\s+", " ", f"{failure!r}")[:3000]
            print(f"{death}: WRONG after {time.monotonic() - begun:.0f} s: {told}", flush=True)
            return False
        note = f", {twice} mail twice under one Message-ID" if twice else ""
        print(f"{death}: right, {time.monotonic() - begun:.1f} s{note}", flush=True)
        return True

    def one_round(self, death: Death) -> int:
        """One journey with one death on a database of its own; gives how many mails left twice."""
        from tests.prove._harness import Stubborn

        self.clear()
        (self.points / f"{death.point}.{death.turn}.hold").touch()
        Stubborn.seen.clear()
        self.over.clear()
        fate: Future[None] = self.pool.submit(self.execute, death)
        try:
            self.journey()
            fate.result(10)
        finally:
            self.over.set()  # nobody waits for a point any more
            wait([fate], 120)
        found = picture()
        differ = [*(found - self.expected).elements(), "but expected", *(self.expected - found).elements()]
        assert found == self.expected, f"found {differ}"
        assert 500 not in Stubborn.seen, "a page broke instead of saying that the server is away"
        return self.copies(allowed=1 if death.victim in {"worker", "worker child", "postgres"} else 0)

    def clear(self) -> None:
        """A fresh database, no mark, no mail."""
        from django.db import connection

        from tests import databases

        connection.close()
        databases.drop(DATABASE)
        databases.clone(DATABASE, HOUSE)
        for one in [*self.points.iterdir(), *self.mail.glob("*")]:
            one.unlink()

    def journey(self) -> None:
        """Six people take the hundred euros from the pledge to the bank; the books must then be right."""
        from tests.journeys.by_hand import ByHand
        from tests.journeys.test_hundred_euros import the_books_are_right
        from tests.prove._harness import Stubborn, calm, persist, settled

        def due(ready: Callable[[], Any], what: str) -> Any:
            return self.processes.wait(lambda: calm(ready), what, SECONDS)

        hand = ByHand(self.world, self.address, due, Stubborn)
        for step in hand.STEPS:
            persist(step, getattr(hand, step), hand)
        due(lambda: settled(self.world), "the end of the journey")
        due(everybody_is_told, "the mail")
        the_books_are_right(self.world)
        the_house_checks_itself()

    def execute(self, death: Death) -> None:
        """Wait for the point, kill the victim while its process stands there, start it again, release the process."""
        mark = self.points / f"{death.point}.{death.turn}"
        while not (mark.exists() and mark.read_text()):
            assert not self.over.is_set(), f"{death.point} was not met {death.turn} times"
            time.sleep(0.01)
        hold = mark.with_name(f"{mark.name}.hold")
        if death.victim == "postgres":
            self.postgres.kill()
            self.postgres.start()
        elif death.victim == "valkey":
            self.valkey.kill()
            hold.unlink()
            time.sleep(1)
            self.valkey.start()
            return
        elif death.victim.endswith(" child"):
            os.kill(int(mark.read_text()), 9)
        else:
            self.processes.kill_and_restart(death.victim)
        hold.unlink()

    def copies(self, allowed: int) -> int:
        """Check the mails that left against the outbox; gives how many left twice, each under one Message-ID."""
        from backend.notifications.models import OutgoingMail

        left = Counter()
        for path in self.mail.glob("*"):
            for text in path.read_bytes().split(b"-" * 79 + b"\n"):
                if text.strip():
                    message = message_from_bytes(text)
                    left[message["Message-ID"].strip("<>").partition("@")[0], message["To"]] += 1
        assert set(left) == set(OutgoingMail.objects.values_list("pk", "recipient")), "mail that left is not the outbox"
        twice = sum(left.values()) - len(left)
        assert twice <= allowed, f"{twice} mails left twice: {left}"
        return twice


def everybody_is_told() -> bool:
    """Whether each event was turned into mail and each mail has left."""
    from backend.events.models import Untold
    from backend.notifications.models import OutgoingMail

    return not Untold.objects.exists() and not OutgoingMail.objects.exclude(state="sent").exists()


def the_house_checks_itself() -> None:
    """The self-check finds nothing, and payouts were never frozen."""
    from backend.ledger.services import frozen
    from backend.operations.selfcheck import check

    found = check()
    assert not found, f"the self-check found {found}"
    assert frozen() is None, "payouts are frozen"


# What comes with a tick of the clock, whoever dies: the daily mail (of no event) and the seal of the events.
TICKS = (
    "notifications.Digest",
    "notifications.OutgoingMail",
    "events.EventSeal",
    "events.SealedEvent",
    "events.Untold",
)
APPS = ("pledges", "payments", "contributions", "distributions", "payouts", "banking", "notifications", "events")


def picture() -> Counter[Any]:
    """All that must be the same whatever died: purses, entries, facts, rows, mails, each with how often it is there."""
    from django.apps import apps

    from backend.events.models import Event
    from backend.ledger.models import Account, Balance, JournalEntry, Posting
    from backend.ledger.services import trial_balance
    from backend.notifications.models import OutgoingMail

    models = [model for label in APPS for model in apps.get_app_config(label).get_models() if model is not Event]
    purses = Balance.objects.values_list("account__kind", "account__owner", "account__currency", "balance")
    models = [model for model in models if model._meta.label not in TICKS]
    told = OutgoingMail.objects.filter(event__isnull=False)
    mails = told.values_list("event__kind", "recipient", "subject", "state")
    return Counter(
        [("purse", *purse) for purse in purses]
        + [("chart", row.chart, row.currency, row.debit, row.credit) for row in trial_balance()]
        + [("entry", kind) for kind in JournalEntry.objects.values_list("kind", flat=True)]
        # After a lost answer a token is made again, a file imported again, a payment file taken again, which adds
        # nothing else. How many heads are signed depends on when the sealer looked, and a call for funds is written
        # when the minute's tick comes before the money.
        + [("event", kind) for kind in Event.objects.exclude(kind__in=AGAIN).values_list("kind", flat=True)]
        + [("rows", one._meta.label, one.objects.count()) for one in [*models, Account, JournalEntry, Posting]]
        + [("mail", *mail) for mail in mails]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
