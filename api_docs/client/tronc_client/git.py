"""Work that commits tell: their lines `Contribution: 1h30 review`, read in one walk over each message."""

import re
import subprocess
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from tronc_client import reading
from tronc_client.said import Failure, _, clean

KINDS = ("development", "review", "documentation", "design", "support", "facilitation")
USUAL = KINDS[0]
UNITS = {"h", "m", "mn", "min"}
LONGEST_LINE = 200
MOST = 20  # lines of one message
DESCRIPTION = 500
SECONDS = 120
# Nothing here can go back over a line: a message of many megabytes is read in one walk.
_LINE = re.compile(r"^[ \t]*+(?:(?P<said>contribution[ \t]*+:[^\n]*+)|(?P<fence>```|~~~)|(?P<note><!--))", re.M | re.I)
_FENCE = re.compile(r"^[ \t]*+(?:```|~~~)", re.M)
_SHORT = re.compile(r"(?:ssh://)?(?:[\w.-]+@)?(?P<host>[\w.-]+\.[a-z]{2,}):(?:[0-9]+/)?(?P<path>[\w./~-]+)", re.I)


@dataclass(frozen=True)
class Work:
    """One line of one commit: what it says was done, by its author, on their day."""

    commit: str
    part: int
    worked_on: date
    minutes: int
    kind: str  # as it says it; it may be none
    description: str
    authored: str  # the moment, as git says it: it stays when a commit is written again


@dataclass(frozen=True)
class Unread:
    """A line that could not be read."""

    commit: str
    line: str


def said_in(message: str) -> list[str]:
    """What follows `Contribution:` on each such line, but for examples in comments and blocks of code."""
    found: list[str] = []
    place = 0
    while len(found) < MOST and (line := _LINE.search(message, place)):
        place = line.end()
        if line["fence"]:
            closed = _FENCE.search(message, place)
            place = closed.end() if closed else len(message)
        elif line["note"]:
            closed_at = message.find("-->", place)
            end = message.find("\n", closed_at) if closed_at >= 0 else -1
            place = end if end >= 0 else len(message)
        elif len(line["said"]) <= LONGEST_LINE:
            found.append(line["said"].partition(":")[2].strip())
    return found


def works_of(commit: str, authored: str, message: str) -> list[Work | Unread]:
    """What one commit tells; authored: a moment in ISO 8601, of which the day counts."""
    found: list[Work | Unread] = []
    first = message[: 4 * DESCRIPTION].strip().partition("\n")[0]
    for part, said in enumerate(said_in(message)):
        words = said.replace(",", " ").lower().split()
        kind = words.pop() if len(words) > 1 and words[-1].isalpha() and words[-1] not in UNITS else USUAL
        try:
            minutes = reading.minutes(" ".join(words))
        except Failure:
            minutes = 0
        if not minutes:
            found.append(Unread(commit, said))
            continue
        try:
            day = datetime.fromisoformat(authored).date()
        except ValueError:  # a clock that was thousands of years off
            found.append(Unread(commit, said))
            continue
        described = clean(first)[:DESCRIPTION] or commit[:12]
        found.append(Work(commit, part, day, minutes, kind, described, authored))
    return found


class Repository:
    """A repository on this machine; nothing of it is run or changed."""

    def __init__(self, folder: str) -> None:
        """Find it; raises Failure when there is none."""
        self.folder = folder
        self.top = self._git("rev-parse", "--show-toplevel").strip() or folder

    def _git(self, *words: str, fails: bool = True) -> str:
        quiet = ["-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "--no-pager"]
        try:
            done = subprocess.run(  # noqa: S603 - a range comes after --end-of-options: it is never an option
                ["git", "-C", self.folder, *quiet, *words],  # noqa: S607
                capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError:
            raise Failure(_("git is not installed.")) from None
        except subprocess.TimeoutExpired:
            raise Failure(_("git did not finish in two minutes: give it fewer commits.")) from None
        if done.returncode and fails:
            why = clean(done.stderr.decode("utf-8", "replace")[:300])
            raise Failure(_("git cannot read this: %s") % why)
        return done.stdout.decode("utf-8", "replace")

    def me(self) -> str:
        """The address that one's own commits bear."""
        found = self._git("config", "user.email", fails=False).strip().lower()
        if not found:
            raise Failure(_("git does not know your address: run “git config user.email …”, or give --author."))
        return found

    def address(self) -> str:
        """Where the repository is on the web, without any password; its name alone when that is not known."""
        remote = self._git("config", "remote.origin.url", fails=False).strip()
        if remote.startswith(("https://", "http://")):
            parts = urlsplit(remote)
            return f"https://{parts.netloc.rpartition('@')[2]}{parts.path}".removesuffix("/").removesuffix(".git")
        if short := _SHORT.fullmatch(remote):
            return f"https://{short['host']}/{short['path'].strip('/')}".removesuffix(".git")
        return Path(self.top).name

    def holds(self, commit: str) -> bool:
        """Whether a commit is in the history of what is here now."""
        fine = re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit)
        return bool(fine) and self._git("merge-base", commit, "HEAD", fails=False).strip() == commit

    def works(self, chosen: str, since: date | None, authors: set[str]) -> list[Work | Unread]:
        """What the commits of these authors tell, the oldest first.

        Args: chosen: a range of commits; empty: those that HEAD reaches. since: the first day of the authors.
        """
        words = ["log", "-z", "--reverse", "--no-notes", "--encoding=UTF-8", "--format=tformat:%H%x00%ae%x00%aI%x00%B"]
        if since is not None:
            words.append(f"--since={since.isoformat()}T00:00:00")
        fields = self._git(*words, "--end-of-options", chosen or "HEAD", "--").split("\0")
        found: list[Work | Unread] = []
        for commit, author, authored, message in zip(*(fields[place::4] for place in range(4)), strict=False):
            if author.strip().lower() in authors:
                works = works_of(commit, authored, message)
                found += [one for one in works if since is None or isinstance(one, Unread) or one.worked_on >= since]
        return found
