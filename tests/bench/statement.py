"""What importing a long statement costs: a camt.053 of 10 000 lines, previewed and imported as the page does it.

    ./run bench statement [--lines N]

One line each of JSON, on a PostgreSQL that writes each commit to disk:

- `import`: the file is kept, read and previewed (the import is run and undone), then read again and imported.
  `parse_s` is reading it once and nothing else, and `ratio` how many times that the whole took. `memory_mb` is the most
  that the process ever took.
- `again`: the same file once more, which adds nothing, beside all the lines that are there.
- `checking`: where the account stands and what explains its difference, as the page of the bank shows them.
"""

import argparse
import json
import logging
import os
import resource
import sys
import time
from datetime import timedelta

from tests.bench._stage import Server

SECONDS, MEGABYTES, TIMES_PARSED, CHECKING_SECONDS = 20.0, 300, 10.0, 1.0


def main(arguments: list[str]) -> int:
    """Measure; 0 unless something else than time went wrong."""
    parser = argparse.ArgumentParser(
        prog="statement", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=10_000, help="how many lines the statement has")
    options = parser.parse_args(arguments)
    server = Server()
    try:
        server.migrated("statement")
        os.environ.update(server.environment("statement"))
        measure(options.lines)
    finally:
        server.stop()
    return 0


def measure(lines: int) -> None:
    """Write a statement, then do with it what the pages do."""
    import django

    django.setup()
    from django.utils import timezone

    from backend.banking.checking import check_accounts
    from backend.banking.layouts import Choices
    from backend.banking.models import BankLine
    from backend.banking.services import read_file
    from backend.operations import demo
    from backend.web.uploads import Stash, confirm_import, preview_import

    logging.disable(logging.CRITICAL)
    world = demo.World(now=timezone.now())
    demo.make_people(world)
    demo.make_house(world)
    days = [world.today - timedelta(days=(lines - number) * 300 // lines) for number in range(lines)]
    moves = [
        ((number % 900 + 1) * 100 * (-1 if number % 7 == 0 else 1), f"Payer {number % 800}", f"gift {number}", "")
        for number in range(lines)
    ]
    data = demo.statement_file(world, number=1, opening=0, lines=moves, days=days)
    claire = world.users["claire"]
    begun = time.perf_counter()
    read_file(data)
    parsed = time.perf_counter() - begun
    for case in ("import", "again"):
        begun = time.perf_counter()
        stash = Stash.keep(claire, data)
        (row,) = preview_import(actor=claire, data=data, choices=Choices())
        previewed = time.perf_counter()
        done = confirm_import(actor=claire, stash=stash, accept_gap=False, now=timezone.now())
        ended = time.perf_counter()
        added = lines if case == "import" else 0
        assert (row["added"], done["added"], BankLine.objects.count()) == (added, added, lines)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        whole = ended - begun
        right = whole <= min(SECONDS, parsed * TIMES_PARSED) and memory <= MEGABYTES
        tell(
            case, right, lines=lines, bytes=len(data), parse_s=round(parsed, 2),
            preview_s=round(previewed - begun, 2), import_s=round(ended - previewed, 2), whole_s=round(whole, 2),
            at_most_s=SECONDS, ratio=round(whole / parsed, 1), ratio_at_most=TIMES_PARSED, memory_mb=round(memory),
            memory_at_most=MEGABYTES,
        )  # fmt: skip
    begun = time.perf_counter()
    (checked,) = check_accounts()
    spent = time.perf_counter() - begun
    assert (checked.unexplained, checked.open_lines) == (0, lines)
    tell("checking", spent <= CHECKING_SECONDS, lines=lines, seconds=round(spent, 3), at_most_s=CHECKING_SECONDS)


def tell(case: str, right: bool, **figures: float) -> None:
    """One line of JSON."""
    print(
        json.dumps({"bench": "statement", "case": case, **figures, "verdict": "right" if right else "short"}),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
