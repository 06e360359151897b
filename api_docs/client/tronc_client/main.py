"""The words of the command line."""

import argparse
import os
import sys
from collections.abc import Sequence

from tronc_client import __version__, commands, mine
from tronc_client.git import KINDS, USUAL
from tronc_client.said import NO_ANSWER, STOPPED, Failure, _, tell


def _log_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("duration", nargs="?", help=_("90, 1h30 or 1:30"))
    one.add_argument("budget", nargs="?", help=_("its name, or the short name of its commons"))
    one.add_argument("-m", "--message", help=_("what was done, in one sentence"))
    one.add_argument("--on", default="today", help=_("2026-11-20, today or yesterday"))
    one.add_argument("--kind", default=USUAL, choices=[*KINDS, "expense"], help=_("what kind of work"))
    one.add_argument("--amount", help=_("what you ask for it: 45 or 45.50; nothing is volunteering"))
    one.add_argument("--evidence", action="append", default=[], metavar="URL", help=_("a link; may be repeated"))
    one.add_argument("--again", action="store_true", help=_("send again what had no answer"))
    one.add_argument(
        "--from-git", nargs="?", const="", metavar="RANGE",
        help=_("declare what the lines “Contribution: 1h30 review” of your commits tell; since the period began"),
    )  # fmt: skip
    one.add_argument("--repo", default=".", metavar="PATH", help=_("the repository; here unless given"))
    one.add_argument("--budget", dest="in_budget", help=_("the budget, with --from-git"))
    one.add_argument(
        "--author",
        action="append",
        default=[],
        metavar="EMAIL",
        help=_("the address of your commits, instead of git’s; may be repeated"),
    )
    one.add_argument("--yes", action="store_true", help=_("send without asking"))


def parser() -> argparse.ArgumentParser:
    """All the commands and their options."""
    whole = argparse.ArgumentParser(
        prog="tronc",
        description=_("Log work for libre commons, follow it, ask what you would get."),
        epilog=_(
            "Exit codes: 0 done; 1 refused by the instance; 2 something cannot be read or used; 3 not logged in, or not"
            " allowed; 4 stopped, nothing was sent; 5 no answer: run it again, nothing counts twice."
        ),
    )
    whole.add_argument("--version", action="version", version=f"tronc-client {__version__}")
    known = whole.add_subparsers(dest="command", required=True, metavar=_("COMMAND"))

    one = known.add_parser("login", help=_("keep the address and the token of an instance"))
    one.add_argument("address", nargs="?", help=_("https://tronc.example.org; asked when it is not given"))
    one.add_argument("--token-stdin", action="store_true", help=_("read the token from standard input"))
    one.set_defaults(run=commands.login)

    one = known.add_parser(
        "log", help=_("declare work"), description=_("tronc log 1h30 peertube -m “what was done”, or --from-git")
    )
    _log_options(one)
    one.set_defaults(run=commands.log)

    one = known.add_parser("status", help=_("your work of the running periods, and what it would give"))
    one.add_argument("--all", action="store_true", help=_("also the budgets where you have no work"))
    one.set_defaults(run=commands.status)

    one = known.add_parser("estimate", help=_("what you would get now; changes nothing"))
    one.add_argument("budget", nargs="?", help=_("its name, or the short name of its commons"))
    one.add_argument("--minutes", metavar="1h30", help=_("with this much more work"))
    one.add_argument("--amount", help=_("asking this much for it"))
    one.add_argument("--kind", default=USUAL, choices=[*KINDS, "expense"], help=_("what kind of work"))
    one.add_argument("--json", action="store_true", help=_("as JSON"))
    one.set_defaults(run=commands.estimate)

    one = known.add_parser("amend", help=_("change a contribution that is not validated yet"))
    one.add_argument("contribution", metavar="ID", help=_("as “tronc list” shows it: ctr_…"))
    one.add_argument("--minutes", metavar="1h30", help=_("90, 1h30 or 1:30"))
    one.add_argument("--amount", help=_("what you ask for it: 45 or 45.50; nothing is volunteering"))
    one.add_argument("-m", "--message", help=_("what was done, in one sentence"))
    one.add_argument("--on", help=_("2026-11-20, today or yesterday"))
    one.add_argument("--kind", choices=[*KINDS, "expense"], help=_("what kind of work"))
    one.set_defaults(run=mine.amend)

    one = known.add_parser("withdraw", help=_("take a contribution back; a draft is deleted"))
    one.add_argument("contribution", metavar="ID", help=_("as “tronc list” shows it: ctr_…"))
    one.add_argument("--yes", action="store_true", help=_("withdraw it without asking, though it is validated"))
    one.set_defaults(run=mine.withdraw)

    one = known.add_parser("list", help=_("your contributions"))
    one.add_argument("--budget", help=_("its name, or the short name of its commons"))
    one.add_argument("--state", choices=commands.STATES, help=_("those in one state alone"))
    one.add_argument("--limit", type=int, default=50, metavar="N", help=_("how many; 50 unless given"))
    one.add_argument("--json", action="store_true", help=_("as JSON"))
    one.set_defaults(run=commands.list_mine)
    return whole


def run(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say; gives the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot write a letter shows another
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    asked = parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except Failure as failure:
        tell(f"tronc: {failure}")
        return failure.code
    except KeyboardInterrupt:
        tell("")
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED
    except (KeyError, TypeError, AttributeError, ValueError) as failure:
        tell(
            "tronc: "
            + _("the instance answered in a way that this version does not know (%s).") % type(failure).__name__
        )
        return NO_ANSWER
