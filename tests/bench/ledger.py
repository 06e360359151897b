"""The ledger beside the bare SQL and beside a peer, in one run on one server that writes every commit to disk.

    ./run bench ledger [--full] [--seconds S] [--rounds N] [--size POSTINGS] [--only TEXT] [--markdown] [--write]

Each case runs in turn with what it is compared with, round after round; the ratio is the median of the rounds. A run
without options takes some minutes at a small size; `--full` is the one that api_docs/performance.md quotes. Times never
make it fail: each line says its target, what was measured, and `right` or `short`.
"""

import argparse
import datetime
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench._stage import Result, Server, machine, markdown, table

PAGE = Path(__file__).resolve().parents[2] / "api_docs" / "performance.md"
MARKS = ("<!-- results: begin -->", "<!-- results: end -->")
QUICK = {"seconds": 1.0, "rounds": 3, "size": 400_000}
NEEDED = ("prepare", "fill")  # what the other cases of a group stand on
FULL = {"seconds": 4.0, "rounds": 3, "size": 10_000_000}


def main(arguments: list[str]) -> int:
    """Run the cases; 0 unless something else than time went wrong."""
    parser = argparse.ArgumentParser(prog="ledger", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the sizes that the page quotes: about half an hour")
    parser.add_argument("--seconds", type=float, help="length of each measurement")
    parser.add_argument("--rounds", type=int, help="how often each is repeated")
    parser.add_argument("--size", type=int, help="postings of the large ledger")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="only the cases whose line on standard error has this text"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table of the page instead of JSON")
    parser.add_argument("--write", action="store_true", help=f"put that table in {PAGE.name}")
    options = parser.parse_args(arguments)
    for name, value in (FULL if options.full else QUICK).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the server is ended
    results: list[Result] = []

    def tell(result: Result) -> None:
        results.append(result)
        if not options.markdown:
            print(json.dumps(result.row(), ensure_ascii=False), flush=True)

    server = Server()
    try:
        begun = time.monotonic()
        measure(server, options, tell)
        spent = time.monotonic() - begun
    finally:
        server.stop()
    text = markdown(results, heading(arguments, server, options, spent))
    if options.markdown:
        print(text)
    if options.write:
        begin, end = MARKS
        page = PAGE.read_text(encoding="utf-8")
        pattern = f"{re.escape(begin)}.*{re.escape(end)}"
        whole = f"{begin}\n\n{text}\n{end}"
        PAGE.write_text(re.sub(pattern, lambda _found: whole, page, count=1, flags=re.DOTALL), encoding="utf-8")
    short = [result.case for result in results if result.verdict == "short"]
    print(f"\n{table(results)}\n\n{len(short)} short of their target", file=sys.stderr, flush=True)
    return 0


def measure(server: Server, options: argparse.Namespace, tell: Callable[[Result], None]) -> None:
    """The groups of cases, in the order in which the databases grow."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "backend.settings"
    import django

    django.setup()
    from tests.bench import _posting, _size

    bench = _posting.Bench(server, options.seconds, options.rounds, options.size, tell)
    small, empty, tenth, large = "small", "empty", "tenth", "large"
    groups: dict[str, list[tuple[str, Callable[[], None]]]] = {
        "post": [
            ("prepare", partial(_posting.prepare, bench, small)),
            ("single posts", partial(_posting.single, bench, small)),
            ("through Django", partial(_posting.through_django, bench, small)),
            ("bulk", partial(_posting.bulk, bench, small)),
            ("a sealer beside", partial(_size.sealing_beside, bench, small)),
        ],
        "size": [
            ("prepare", partial(_posting.prepare, bench, empty)),
            ("fill", partial(_size.grow, bench, tenth, large)),
            ("sealing", partial(_size.sealing, bench, large)),
            ("reads", partial(_size.reads, bench, tenth, large)),
            ("past balances", partial(_size.past, bench, large)),
            ("audit", partial(_size.audited, bench, large)),
            ("posts at full size", partial(_size.posts, bench, empty, large)),
        ],
    }
    for group, steps in groups.items():
        chosen = [name for name, _step in steps if options.only in f"{group}: {name}"]
        for name, step in steps:
            if name in chosen or (chosen and name in NEEDED):
                print(f"{group}: {name}", file=sys.stderr, flush=True)
                step()


def heading(arguments: list[str], server: Server, options: argparse.Namespace, spent: float) -> str:
    """How and where the run was made, in one paragraph."""
    words = " ".join(word for word in arguments if word not in ("--markdown", "--write"))
    day = datetime.datetime.now(datetime.UTC).date()
    return (
        f"`./run bench ledger{f' {words}' if words else ''}`, {day}, {spent / 60:.0f} minutes: PostgreSQL "
        f"{server.version}, fsync, synchronous_commit and full_page_writes on, shared_buffers {server.buffers}, on "
        f"{machine()}; client and server share them. {options.rounds} rounds of {options.seconds:g} s, "
        f"{options.size:,} postings."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
