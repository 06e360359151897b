"""Lives through faults of a payment provider: at the end of each run its log and the books agree to the cent.

    ./run prove provider [--slice] [--seed N] [--rounds N] [--steps N]

In each run people promise, pay by card and debit, once and each month; treasurers give back; banks dispute and fail.
Meanwhile answers are cut after the provider accepted, come late, are stored errors, 429, 409, 503; events come ten
times, in any order, in both shapes, forged, or never; processes die between asking and writing; the provider goes
away and comes back from its log; days pass. Then nothing goes wrong any more, and what is compared is in
_provider_checks.py. A run is repeated with --seed of its line and --rounds 1.
"""

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BEGINS = datetime(2026, 1, 12, 10, tzinfo=UTC)
ROUNDS, STEPS = 250, 45
SHORT = {"rounds": 6, "steps": 45}
# What a whole proof must have met, or it proves nothing of it: the ends of the names counted.
WANTED = (
    "promises", "pages asked", "pages answered: card pay", "pages answered: sepa_debit pay",
    "pages answered: sepa_debit fail", "pages answered: card card_declined", "refunds approved", "disputes",
    "disputes closed", "debits taken back", "refunds failed", "payouts", "payouts failed", "fees",
    "movements of an unknown kind", "mandates ended", "payments of strangers", "events that never came",
    "events delivered: ten times", "events delivered: shuffled", "events delivered: at once", "events forged",
    "payers back while events arrive", "buttons pressed five times at once", "deaths at operation.claimed",
    "deaths at operation.answered", "providers away", "cards that changed their mind", "promises cancelled",
    "met cut", "met drop", "met late", "met 500", "met 429", "met 503", "met 409",
)  # fmt: skip


def one_round(world: Any, second: Any, seed: int, steps: int, house: str) -> Counter[str]:
    """One seeded run on a copy of the house; returns what happened in it. Raises what is wrong."""
    from django.conf import settings
    from django.db import connection

    from tests import databases
    from tests.payments.provider import KEY, OLD_SECRET, SECRET, FakeProvider
    from tests.prove import _provider_checks
    from tests.prove._provider_acts import Life

    name = f"tronc_provider_{os.getpid()}"
    databases.clone(name, house)
    connection.settings_dict["NAME"] = name
    folder = Path(tempfile.mkdtemp(prefix="tronc-provider-"))
    fake = FakeProvider(folder)
    settings.PROVIDER, settings.FAKE_PROVIDER, settings.STRIPE_KEY = "fake", fake.address, KEY
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET, OLD_SECRET]
    met: Counter[str] = Counter()
    try:
        fake.stand_at(BEGINS)
        life = Life(copy(world), second, fake, seed)
        for _step in range(steps):
            life.step()
            met.update(f"met {kind}" for _request, kind in fake.server.faults.met)
            fake.server.faults.met.clear()
        life.heal()
        _provider_checks.everything(life)
        return life.done + met
    finally:
        fake.end()
        connection.close()
        databases.drop(name)
        shutil.rmtree(folder, ignore_errors=True)


def make_house(name: str) -> tuple[Any, Any]:
    """The people and the house that each run begins with, in a database of their own."""
    from django.db import connection

    from backend.commons.services import open_envelope
    from backend.operations import demo
    from tests import databases

    databases.clone(name)
    connection.settings_dict["NAME"] = name
    world = demo.World(now=BEGINS)
    demo.make_people(world)
    demo.make_house(world)
    second = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Ticket", now=BEGINS)
    connection.close()
    return world, second


def main(arguments: list[str]) -> int:
    """Prove it; the exit code is the number of runs that were wrong, 100 at most."""
    parser = argparse.ArgumentParser(
        prog="provider", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=20260801, help="of the first run; the next ones follow")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs, each on a fresh house and a fresh provider")
    parser.add_argument("--steps", type=int, default=STEPS, help="things that happen in a run")
    parser.add_argument("--slice", action="store_true", help="six runs, for CI")
    options = parser.parse_args(arguments)
    if options.slice:
        options.rounds, options.steps = SHORT["rounds"], SHORT["steps"]
    os.environ.setdefault("TRONC_SEAL_KEYS", tempfile.mkdtemp(prefix="tronc-seal-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    from backend.core import nudge
    from backend.payments.providers import stripe
    from tests import databases

    settings.PASSWORD_HASHERS = ["tests.fast.QuickHasher", *settings.PASSWORD_HASHERS]
    stripe.TIMEOUT = 1  # a late answer is not waited for
    nudge._send = lambda _name: None  # type: ignore[assignment]  # there are no workers: each turn is a step
    logging.getLogger("backend").setLevel(logging.CRITICAL)  # the faults are meant
    databases.make_template()
    house = f"tronc_provider_house_{os.getpid()}"
    done: Counter[str] = Counter()
    failed, begun = 0, time.monotonic()
    try:
        world, second = make_house(house)
        for seed in range(options.seed, options.seed + options.rounds):
            try:
                done += one_round(world, second, seed, options.steps, house)
            except Exception as failure:
                failed += 1
                print(f"seed {seed}: WRONG: {failure!r}", flush=True)
            if (seed - options.seed) % 25 == 24:
                print(f"{seed - options.seed + 1} runs, {time.monotonic() - begun:.0f} seconds", flush=True)
    finally:
        connection.close()
        databases.drop(house)
        databases.drop(databases.TEMPLATE)
    for what, count in sorted(done.items()):
        print(f"  {what}: {count}", flush=True)
    missing = [name for name in WANTED if not done[name]]
    if options.rounds >= ROUNDS and missing:
        print(f"WRONG: never met: {', '.join(missing)}", flush=True)
        failed += 1
    print(
        f"{options.rounds - failed} of {options.rounds} runs right, {time.monotonic() - begun:.0f} seconds", flush=True
    )
    return min(failed, 100)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
