"""Named points where a proof makes a process die, fail or wait; inert unless TRONC_FAILPOINTS names them."""

import itertools
import os
import signal
import time
from pathlib import Path

from django.conf import settings
from django.db import transaction

HOLD_SECONDS = 60.0  # a held process goes on after that, should the prover itself be dead

# Two points for each: `<fact>.before_commit`, inside the transaction after its writes, and `<fact>.committed`, after
# the commit and before the answer. Fact → step of the journey (backend/operations/demo.py).
COMMITS = {
    "pledge.made": "make_promise",
    "statement.kept": "receive",
    "receipt.booked": "receive",
    "pledge.received": "receive",
    "line.matched": "receive",
    "line.suspended": "receive",
    "contribution.declared": "work",
    "contribution.reviewed": "work",
    "period.closed": "close",
    "distribution.published": "close",
    "distribution.approved": "approve_distribution",
    "payee.edited": "document",
    "paper.approved": "document",
    "batch.prepared": "pay",
    "batch.approved": "pay",
    "batch.claimed": "pay",
    "batch.sent": "pay",
    "payout.settled": "settle",
    "mail.composed": "settle",
    "mail.sent": "settle",
}
# Single points, met in several steps: after an entry is in the books and before the rest of its transaction, before a
# worker is nudged, before a mail is handed to its transport.
SINGLE = {"entry.posted": "approve_distribution", "nudge.before_send": "close", "mail.before_send": "settle"}
# Points of the payment provider, which the journey does not meet: before the commit of what is asked for, once it is
# claimed, once it is answered and not written down, before an event is kept.
OF_PROVIDER = frozenset(
    {
        "checkout.started", "operation.claimed", "operation.answered", "notice.kept",
        "movement.booked.before_commit", "movement.booked.committed",
    }
)  # fmt: skip
FAILPOINTS: dict[str, str] = {
    f"{fact}.{moment}": step for fact, step in COMMITS.items() for moment in ("before_commit", "committed")
} | SINGLE


class Failure(Exception):
    """What an armed point raises: an error that nobody foresaw."""


def armed(text: str) -> dict[str, tuple[str, str]]:
    """Read TRONC_FAILPOINTS: `name=kill[:nth]`, `name=raise[:nth]`, `name=sleep:seconds`, `name=wait`, comma separated.

    Args: text: the variable's value; `nth` counts the arrivals of all processes together, 1 unless told.
    Returns: name → (action, value). Raises: ValueError for a name or an action that does not exist.
    """
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, wish = part.partition("=")
        action, _, value = wish.partition(":")
        if name not in FAILPOINTS.keys() | OF_PROVIDER or action not in {"kill", "raise", "sleep", "wait"}:
            raise ValueError(f"TRONC_FAILPOINTS: “{part}” names no point or no action")
        found[name] = (action, value or "1")
    return found


# An installation that serves others than this machine cannot be armed; the system check tronc.E090 says so.
_ARMED = armed(os.environ.get("TRONC_FAILPOINTS", "")) if settings.LOOPBACK_HTTP else {}


def failpoint(name: str) -> None:
    """Do here what TRONC_FAILPOINTS asks for, once over all processes and restarts; nothing when it names no point.

    Args: name: a key of FAILPOINTS. Raises: Failure when `raise` was asked for.
    """
    if name not in _ARMED:
        return
    action, value = _ARMED[name]
    folder = Path(os.environ["TRONC_FAILPOINTS_FOLDER"])
    turn = _arrive(folder, name)
    if action == "wait":
        hold = folder / f"{name}.{turn}.hold"
        until = time.monotonic() + HOLD_SECONDS
        while hold.exists() and time.monotonic() < until:
            time.sleep(0.01)
    elif action == "sleep":
        time.sleep(float(value) if turn == 1 else 0)
    elif turn == int(value):
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise Failure(name)


def around_commit(fact: str) -> None:
    """The two points of a fact, a key of COMMITS: here, inside its transaction, and when that is committed."""
    if not _ARMED:
        return
    failpoint(f"{fact}.before_commit")
    transaction.on_commit(lambda: failpoint(f"{fact}.committed"))


def _arrive(folder: Path, name: str) -> int:
    """Count an arrival in files, so that a process started again goes on where the dead one stopped; gives its number.

    The file `<name>.<number>` holds the process id: whoever watches the folder knows who is where.
    """
    for turn in itertools.count(1):
        try:
            file = os.open(folder / f"{name}.{turn}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            continue
        os.write(file, str(os.getpid()).encode())
        os.close(file)
        return turn
    raise AssertionError("counting has no end")
