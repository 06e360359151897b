"""One client process of `./run bench ledger`: it posts through Django, as often as it can for as long as it is told.

    python -m tests.bench._clients ours|hordak|sealer NUMBER

It says `ready`, then for each line of seconds on its standard input answers how many it posted and in how many seconds.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POOL = 1000  # accounts drawn from; django-hordak's tree makes more of them slow to create
WARM = 20


def ours(number: int) -> Callable[[], None]:
    """backend.ledger.services.post between two accounts drawn at random."""
    from django.utils import timezone

    from backend.ledger.models import Account
    from backend.ledger.services import Line, post
    from tests.bench._bare import account_id

    accounts = list(Account.objects.filter(pk__in=[account_id(one) for one in range(1, POOL + 1)]))
    assert len(accounts) == POOL
    draw, day = random.Random(number), timezone.now().date()  # noqa: S311  the dice must be the same again
    turn, run = 0, time.time_ns()

    def act() -> None:
        nonlocal turn
        turn += 1
        one, other = draw.sample(accounts, 2)
        post(
            kind="bench", scope="django", key=f"{run}-{number}-{turn}", reference="bench", happened_on=day,
            now=timezone.now(), lines=[Line(one, 100, "512"), Line(other, -100, "7541")],
        )  # fmt: skip

    return act


def hordak(number: int) -> Callable[[], None]:
    """django-hordak's transfer_to between two accounts drawn at random."""
    from hordak.models import Account
    from moneyed import Money

    accounts = list(Account.objects.all())
    assert len(accounts) == POOL
    draw, money = random.Random(number), Money(1, "EUR")  # noqa: S311  the dice must be the same again

    def act() -> None:
        one, other = draw.sample(accounts, 2)
        one.transfer_to(other, money)

    return act


def sealer(number: int) -> Callable[[], None]:
    """The sealer, at its second look of a second."""
    from django.utils import timezone

    from backend.ledger.services import seal_due

    def act() -> None:
        seal_due(timezone.now(), wait=True)
        time.sleep(0.5)

    return act


def make_hordak_accounts() -> None:
    """The accounts of the peer, each a root of its tree."""
    from hordak.models import Account

    for number in range(1, POOL + 1):
        Account.objects.create(name=f"account {number}", code=f"{number:06}", type="EX", currencies=["EUR"])


def main(arguments: list[str]) -> None:
    """Post on command until standard input ends."""
    import django

    django.setup()
    if arguments[0] == "accounts":
        make_hordak_accounts()
        return
    act = {"ours": ours, "hordak": hordak, "sealer": sealer}[arguments[0]](int(arguments[1]))
    for _turn in range(1 if arguments[0] == "sealer" else WARM):
        act()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, count = float(line), 0
        begun = time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds:
            act()
            count += 1
        print(count, spent, flush=True)


@contextmanager
def clients(kind: str, count: int, environment: dict[str, str]) -> Iterator[Callable[[int, float], float]]:
    """Start client processes; gives a function of how many are to post and for how many seconds, that says the rate."""
    import subprocess

    words = [sys.executable, "-P", "-m", "tests.bench._clients", kind]
    started = [
        subprocess.Popen(
            [*words, str(number)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(count)
    ]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n", f"a client for {kind} did not start"

        def rate(wanted: int, seconds: float) -> float:
            for one in started[:wanted]:
                assert one.stdin is not None
                one.stdin.write(f"{seconds}\n")
                one.stdin.flush()
            answers = [one.stdout.readline().split() for one in started[:wanted] if one.stdout is not None]
            return sum(int(done) / float(spent) for done, spent in answers)

        yield rate
    finally:
        for one in started:
            one.communicate()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    main(sys.argv[1:])
