"""What a forge tells by a webhook, whichever forge it is, and what each adapter must know. Nothing here is written."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

Headers = Mapping[str, str]
NOWHERE = "0" * 40  # before a branch, and after its end
MOST = 500  # commits of one delivery
MOST_LEFT_OUT = 2**31 - 1
LONGEST_TEXT = 65_536  # characters of a message or description
LARGEST = 2**53  # numbers of accounts and of commits are below it
FIRST_YEAR, LAST_YEAR = 1970, 2999
BRANCH = "refs/heads/"


class Unreadable(Exception):
    """A delivery that is not what its forge sends; the text is a key of `ForgeDelivery.FAULTS`."""


@dataclass(frozen=True)
class Told:
    """One commit, or one merged request by the commit that it became: who, when, and what was written about it."""

    sha: str
    text: str
    url: str
    # The addresses under which the author may be known, the surest first.
    authors: tuple[str, ...]
    at: datetime | None

    @property
    def subject(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0].strip()


@dataclass(frozen=True)
class Facts:
    """What one delivery tells of the default branch of its repository.

    `nothing`: it is not about that branch, or it is a test. The commits come in their order, the oldest first.
    """

    about: Literal["push", "merge", "nothing"]
    repository: str
    told: tuple[Told, ...] = ()
    before: str = ""
    after: str = ""
    # Whether the forge says, or the push shows by itself, that the branch does not continue what it was.
    forced: bool = False
    # Whether the forge says that the branch continues what it was: what is told is new, whatever it looks like.
    straight: bool = False
    # Commits that were pushed and that the forge left out of its delivery.
    left_out: int = 0
    # Of `nothing`: why; a key of `ForgeDelivery.NOTHING`.
    why: str = ""


class Forge(Protocol):
    """One sort of forge: pure functions of the headers and the raw bytes."""

    key: str
    name: str
    event_header: tuple[str, ...]
    delivery_header: tuple[str, ...]

    def new_secret(self, random: bytes) -> str:
        """A secret in the form that this forge takes, of 32 random bytes."""

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], *, now: datetime) -> bool:
        """Whether one of the secrets signed these bytes; in constant time for each."""

    def read(self, event: str, body: bytes) -> Facts:
        """What a delivery tells. event: the value of its header. Raises: Unreadable."""

    def commit_url(self, address: str, sha: str) -> str:
        """The page of a commit."""


def first_header(headers: Headers, names: Sequence[str], most: int) -> str:
    """The first of these headers that is there, cut."""
    return next((headers[name] for name in names if headers.get(name)), "")[:most]


def signed_hex(headers: Headers, names: Sequence[str], body: bytes, secrets: Sequence[str], prefix: str = "") -> bool:
    """Whether the first of these headers that is there is the HMAC-SHA-256 of the body, in hexadecimal figures."""
    given = first_header(headers, names, 200)
    if not given.startswith(prefix):
        return False
    wanted = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    return same(given.removeprefix(prefix).lower(), wanted)


def same(given: str, wanted: Sequence[str]) -> bool:
    """Whether a text is one of these; all of them are compared, each in constant time."""
    found = [hmac.compare_digest(given.encode(), one.encode()) for one in wanted if one]
    return any(found)


# --- reading what strangers wrote -------------------------------------------------------------------------------------


def opened(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises: Unreadable."""
    if body[:8] == b"payload=":
        raise Unreadable("form_encoded")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("not_json") from None
    if not isinstance(found, dict):
        raise Unreadable("not_json")
    return found


def at(thing: Any, *names: str) -> Any:
    """What is found by names, one in the other; None where something is missing."""
    for name in names:
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing


def text(thing: Any, *names: str, most: int = 500) -> str:
    """A text found by names, cut, halves of characters and NULs replaced; empty for anything else."""
    found = at(thing, *names)
    return found[:most].encode("utf-8", "replace").decode().replace("\0", " ") if isinstance(found, str) else ""


def number(thing: Any, *names: str) -> int:
    """A count found by names; 0 for anything else, and for what no forge counts to."""
    found = at(thing, *names)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < LARGEST else 0


def sha_of(thing: Any, *names: str) -> str:
    """The name of a commit (SHA-1 or SHA-256); empty for anything else."""
    found = text(thing, *names, most=65).lower()
    fine = len(found) in {40, 64} and all(figure in "0123456789abcdef" for figure in found)
    return found if fine else ""


def moment(thing: Any, *names: str) -> datetime | None:
    """A moment as forges write it; None for anything else."""
    found = text(thing, *names, most=40).strip().replace(" UTC", "+00:00")
    try:
        when = datetime.fromisoformat(found)
        told = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # A commit says what its author wants: at the ends of the calendar there is no other day of the host's.
    return told if FIRST_YEAR <= told.year <= LAST_YEAR else None


def addresses(*found: str) -> tuple[str, ...]:
    """Those that can be addresses, in lower case, each once."""
    fine = (one.strip().lower() for one in found if "@" in one and len(one) <= 254)
    return tuple(dict.fromkeys(fine))


def push_facts(told: dict[str, Any], *, repository: str, default_branch: str, total: int) -> Facts:
    """What a push tells: the three forges write it alike, but for the order of the commits and what they leave out.

    Args: total: how many commits were pushed.
    """
    before, after = sha_of(told, "before"), sha_of(told, "after")
    if not default_branch or text(told, "ref") != BRANCH + default_branch:
        return Facts("nothing", repository, why="other_branch")
    if not after.strip("0"):
        return Facts("nothing", repository, why="branch_ended")
    listed = at(told, "commits")
    rows = listed[:MOST] if isinstance(listed, list) else []
    commits = list(_commits(rows))
    if len(commits) > 1 and commits[0].sha == after:
        commits.reverse()  # told with the newest first
    continued = bool(before.strip("0")) and before != after
    return Facts(
        "push", repository, tuple(commits), before=before, after=after,
        # Back to an older commit: there is something else now, and nothing new.
        forced=at(told, "forced") is True or (continued and not rows and not total),
        straight=at(told, "forced") is False,
        left_out=min(max(0, total - len(rows)), MOST_LEFT_OUT),
    )  # fmt: skip


def _commits(rows: list[Any]) -> Iterator[Told]:
    for row in rows:
        sha = sha_of(row, "id")
        if sha:
            yield Told(
                sha, text(row, "message", most=LONGEST_TEXT), text(row, "url"),
                addresses(text(row, "author", "email")), moment(row, "timestamp"),
            )  # fmt: skip
