"""Lives through a year of promises and payments by an injected clock: at its end every figure ties to the cent.

    ./run prove year [--slice] [--seed N] [--promises N] [--days N]

Organisations, people and donors promise once, monthly, quarterly and yearly, to one budget or several, at fees of 0,
2.5 and 5 per cent. They pay on time, late, twice, in part, too much, without the reference, by cheque, in cash, or
never; they raise, pause and cancel. Treasurers import statements, name what waits, deposit, decide on what came above,
give back, write off. All else is done by the sweeps of the house, each day. The bank is a list of its own that knows
nothing of Tronc. What is compared at the end is in _year_checks.py; then the first fiscal year is closed, handed over
in every format and compared again once people are forgotten: _year_books.py.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import timedelta
from typing import Any

from tests.prove._year_house import BEGINS, at

QUIET = 75  # days after the last promise in which what was asked can still be paid
SWEEPS = ("pledges.call_due", "pledges.remind_due", "banking.match", "payments.apply_surpluses", "host.accounts")
WEEKLY = ("notifications.compose", "events.seal", "ledger.seal")
SHORT = {"promises": 18, "days": 75}


def live(options: argparse.Namespace) -> dict[str, int]:
    """The year; returns the figures that tie. Raises Wrong."""
    from backend.operations.sweeps import SWEEPS as ACTS
    from tests.prove import _year_checks
    from tests.prove._year_acts import Year
    from tests.prove._year_books import close_and_hand_over
    from tests.prove._year_house import build, promise

    house = build(options.seed, max(6, options.promises // 5))
    last = BEGINS + timedelta(days=options.days + QUIET)
    year = Year(house, options.seed, last - timedelta(days=60))
    # Most promise early, so that a year sees many of their instalments; the 29th to the 31st are among the days.
    begins = sorted(int(options.days * house.dice.random() ** 2) for _number in range(options.promises))
    for number, offset in enumerate(begins):
        year.plan(BEGINS + timedelta(days=offset), lambda day, number=number: _count(promise(house, number, day)))
    for offset in range(options.days + QUIET + 1):
        day = BEGINS + timedelta(days=offset)
        house.world.now = at(day)
        if day.weekday() == 0:
            year.import_statement(day)
        for name in (*SWEEPS, *(WEEKLY if day.weekday() == 6 else ())):
            ACTS[name](at(day, 10))
        year.do(day)
        year.answer_calls(day)
        if day.weekday() == 0:
            year.identify(day)
            year.decide(day)
        if day.day in {8, 22} and offset <= options.days:
            year.change_minds(day)
        if day.day == 15:
            year.deposit(day)
        if day.day == 20:
            if offset <= options.days:
                year.refund(day)
                year.unknown(day)
            year.pay_out(day)
    house.world.now = at(last + timedelta(days=10))
    year.import_statement(last + timedelta(days=10))
    for name in (*SWEEPS, *WEEKLY):
        ACTS[name](house.world.now)
    year.identify(last + timedelta(days=10))
    figures = _year_checks.everything(house)
    figures |= close_and_hand_over(house, last + timedelta(days=10))
    for what, count in sorted(house.done.items()):
        print(f"  {what}: {count}", flush=True)
    _met(house.done, options)
    return figures


def _count(_reference: str) -> None:
    """A promise is known by its calls from then on."""


def _met(done: Any, options: argparse.Namespace) -> None:
    """Raises Wrong when something that the year is about never happened: nothing would be proved of it."""
    from tests.prove._year_checks import Wrong

    wanted = {
        "calls paid: whole", "calls paid: twice", "calls paid: part", "calls paid: cheque", "deposits seen",
        "refunds paid out", "payments refunded in part", "promises by donor", "promises split over several budgets",
    }  # fmt: skip
    if not options.slice:
        wanted |= {
            "calls paid: more", "calls paid: never", "calls paid: cash", "calls paid: unnamed", "cheques returned",
            "surpluses: credit", "surpluses: keep", "surpluses: refund", "payments taken back by the bank",
            "promises cancelled",
            "promises paused", "promises raised", "promises taken up again", "instalments written off",
            "transfers named by a treasurer", "transfers nobody can name", "promises by person",
        }  # fmt: skip
    if missing := sorted(one for one in wanted if not done.get(one)):
        raise Wrong(f"the year met none of: {', '.join(missing)}")


def main(arguments: list[str]) -> int:
    """Prove it; 0 when it holds."""
    parser = argparse.ArgumentParser(prog="year", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=20250101, help="who promises what, and how each call is paid")
    parser.add_argument("--promises", type=int, default=200, help="how many acts of promising")
    parser.add_argument("--days", type=int, default=365, help="in which people promise; 75 more to pay")
    parser.add_argument("--slice", action="store_true", help="18 promises in 75 days, for CI")
    options = parser.parse_args(arguments)
    if options.slice:
        options.promises, options.days = SHORT["promises"], SHORT["days"]
    os.environ.setdefault("TRONC_SEAL_KEYS", tempfile.mkdtemp(prefix="tronc-seal-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    from tests import databases
    from tests.prove._year_checks import Wrong

    settings.PASSWORD_HASHERS = ["tests.fast.QuickHasher", *settings.PASSWORD_HASHERS]
    databases.make_template()
    name = f"tronc_year_{os.getpid()}"
    databases.clone(name)
    connection.settings_dict["NAME"] = name
    begun = time.monotonic()
    try:
        figures = live(options)
    except Wrong as wrong:
        print(f"WRONG: {wrong}", flush=True)
        return 1
    finally:
        connection.close()
        databases.drop(name)
        databases.drop(databases.TEMPLATE)
    told = ", ".join(f"{what} {amount}" for what, amount in figures.items())
    print(f"right: {options.promises} promises, seed {options.seed}: {told} (minor units)", flush=True)
    print(f"{time.monotonic() - begun:.0f} seconds", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
