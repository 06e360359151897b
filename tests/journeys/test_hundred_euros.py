"""A hundred euros from a pledge to a reconciled bank line: through services, then through HTTP with real processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xmlschema

from backend.banking.models import BankLine
from backend.contributions.models import Contribution
from backend.ledger.services import balance, balances, trial_balance
from backend.notifications.digests import set_digest
from backend.payouts.models import PayoutBatch
from tests.conftest import SHARED, Processes, free_port
from tests.journeys.by_hand import ByHand
from tests.valkey import Valkey


def the_books_are_right(world: Any) -> None:
    """Every cent of the hundred euros is where it must be."""
    budget, account = world.budget.pk, world.account.pk
    assert balance(kind="bank", owner=account, currency="EUR") == 142_50 - 95_00
    assert balance(kind="budget", owner=budget, currency="EUR") == 0
    assert balance(kind="host_fees", owner=world.host.pk, currency="EUR") == 5_00
    assert balance(kind="suspense", owner=account, currency="EUR") == 42_50
    assert balance(kind="in_transit", owner=account, currency="EUR") == 0
    assert set(balances(kind="payee").values()) == {0}
    rows = {row.chart: row.balance for row in trial_balance()}
    assert rows == {"401": 0, "471": -42_50, "512": 47_50, "58": 0, "6226": 95_00, "706": -5_00, "7541": -95_00}
    assert sum(rows.values()) == 0
    given = {c.contributor.name: c.settled_amount for c in Contribution.objects.select_related("contributor")}
    assert given == {"Bo Nguyen": 57_00, "Camille Faure": 38_00}
    assert PayoutBatch.objects.get().state == "settled"
    assert sorted(BankLine.objects.values_list("state", flat=True)) == ["matched", "matched", "matched", "suggested"]


def test_the_journey_through_services(play: Callable[..., Any]) -> None:
    the_books_are_right(play("settle"))


def letters(processes: Processes) -> int:
    """How many mails have left; those of one second may share a file."""
    return sum(path.read_bytes().count(b"\nMessage-ID: ") for path in (processes.folder / "mail").glob("*"))


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of this test's own."""
    server = Valkey(tmp_path, free_port())
    server.start()
    yield server
    server.kill()


def at_screens(world: Any, processes: Processes, wait: Any = None) -> ByHand:
    """Everybody before their screens, on running processes."""
    address = processes.web()
    for person in world.users.values():  # their daily mail depends on the hour at which this runs
        set_digest(actor=person, wanted=False, now=world.now)
    return ByHand(world, address, wait or processes.wait)


@pytest.mark.live
@pytest.mark.timeout(300)
def test_the_journey_through_http_while_the_broker_dies(
    play: Callable[..., Any], processes: Processes, valkey: Valkey, committed: str
) -> None:
    """Web, worker and beat for real; Valkey is killed half-way and comes back empty."""
    world = play("make_house")
    processes.environment["REDIS_URL"] = valkey.url
    hand = at_screens(world, processes)
    processes.worker()
    processes.beat()
    hand.pledge()
    hand.receive()
    hand.work()
    valkey.kill()
    hand.close_period()  # closing waits for nobody
    valkey.start()
    hand.close_again()
    hand.approve_distribution()
    hand.document()
    data = hand.pay()
    xsd = SHARED / "samples" / "sepa" / "xsd" / "pain.001.001.09.xsd"
    if xsd.exists():
        xmlschema.XMLSchema(str(xsd)).validate(data.decode())
    hand.settle()
    processes.wait(lambda: PayoutBatch.objects.get().state == "settled", "the settlement")
    the_books_are_right(world)
    processes.wait(lambda: letters(processes) == 10, "the mail")


@pytest.mark.live
@pytest.mark.timeout(300)
def test_what_was_done_while_the_broker_was_away_follows_within_a_minute_of_its_return(
    play: Callable[..., Any], processes: Processes, valkey: Valkey, committed: str
) -> None:
    """People go on without Valkey: statement, work, reviews; workers that were running all the time take it up."""
    world = play("make_house")
    processes.environment["REDIS_URL"] = valkey.url
    hand = at_screens(world, processes)
    processes.worker()
    processes.beat()
    hand.pledge()
    processes.wait(lambda: letters(processes) == 1, "the first mail: all of them work")
    valkey.kill()
    waiting: list[str] = []
    hand.wait = lambda _ready, what: waiting.append(what)
    hand.receive()
    hand.work()
    assert waiting == ["the receipt on the public page"]
    assert set(BankLine.objects.values_list("state", flat=True)) == {"new"}
    assert letters(processes) == 1
    valkey.start()
    processes.wait(lambda: not BankLine.objects.filter(state="new").exists(), "the receipt", 60)
    hand.wait = processes.wait
    for step in ("close", "approve_distribution", "document", "pay", "settle"):
        getattr(hand, step)()
    processes.wait(lambda: PayoutBatch.objects.get().state == "settled", "the settlement")
    the_books_are_right(world)
    processes.wait(lambda: letters(processes) == 10, "the mail")


@pytest.mark.live
@pytest.mark.timeout(300)
def test_the_journey_without_any_broker(play: Callable[..., Any], processes: Processes, committed: str) -> None:
    """No Valkey, no worker, no beat: pages work, and `manage.py sweep` does the rest."""
    world = play("make_house")
    processes.environment["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"

    def wait(ready: Callable[[], Any], what: str) -> Any:
        subprocess.run(
            [sys.executable, "-m", "backend.manage", "sweep"],
            env=processes.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        assert ready(), what

    hand = at_screens(world, processes, wait)
    for step in hand.STEPS:
        getattr(hand, step)()
    wait(lambda: PayoutBatch.objects.get().state == "settled", "the settlement")
    the_books_are_right(world)
    wait(lambda: letters(processes) == 10, "the mail")
