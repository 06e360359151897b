"""GitLab: a signing token (Standard Webhooks), or its older secret token, which is sent as it is."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from backend.contributions.forges.base import (
    LONGEST_TEXT,
    Facts,
    Headers,
    Told,
    addresses,
    moment,
    number,
    opened,
    push_facts,
    same,
    sha_of,
    text,
)

SIGNED = "whsec_"
FRESH = 300  # seconds between the signature and its arrival
SIGNATURES = 10  # of one header, looked at


class GitLab:
    """One secret serves both ways: the one of GitLab's two fields into which a steward typed it."""

    key = "gitlab"
    name = "GitLab"
    event_header: tuple[str, ...] = ("X-Gitlab-Event",)
    # The two first are the same when a delivery is sent again.
    delivery_header: tuple[str, ...] = ("webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID")

    def new_secret(self, random: bytes) -> str:
        """`whsec_` and the base 64 of 32 bytes: what the field of signing tokens takes."""
        return SIGNED + base64.b64encode(random).decode()

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], *, now: datetime) -> bool:
        """A signature that is there must be right; the plain token counts without one."""
        if headers.get("webhook-signature"):
            return _signed(headers, body, secrets, now)
        return same(headers.get("X-Gitlab-Token", "")[:200], secrets)

    def read(self, event: str, body: bytes) -> Facts:
        """Pushes to the default branch, and requests merged into it."""
        told = opened(body)
        repository, branch = text(told, "project", "web_url"), text(told, "project", "default_branch")
        if event == "Push Hook":
            total = number(told, "total_commits_count")
            return push_facts(told, repository=repository, default_branch=branch, total=total)
        if event == "Merge Request Hook":
            return _merged(told, repository, branch)
        return Facts("nothing", repository, why="other_event")

    def commit_url(self, address: str, sha: str) -> str:
        """The page of a commit."""
        return f"{address}/-/commit/{sha}"


def _signed(headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> bool:
    """Whether `id.timestamp.body` is signed: `v1,` and the base 64 of its HMAC-SHA-256, perhaps several."""
    sent = headers.get("webhook-timestamp", "")[:20]
    if not sent.isascii() or not sent.isdigit() or abs(now.timestamp() - int(sent)) > FRESH:
        return False
    signed = f"{headers.get('webhook-id', '')[:200]}.{sent}.".encode() + body
    wanted = []
    for secret in secrets:
        try:
            key = base64.b64decode(secret.removeprefix(SIGNED), validate=True)
        except binascii.Error:
            continue
        wanted.append("v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode())
    given = headers["webhook-signature"][:2000].split()[:SIGNATURES]
    return any(same(one, wanted) for one in given)


def _merged(told: object, repository: str, branch: str) -> Facts:
    """A merged request. GitLab names its author by a number: who wrote its last commit stands for them."""
    if text(told, "object_attributes", "action") != "merge":
        return Facts("nothing", repository, why="not_merged")
    if not branch or text(told, "object_attributes", "target_branch") != branch:
        return Facts("nothing", repository, why="other_branch")
    attributes = "object_attributes"
    sha = (
        sha_of(told, attributes, "merge_commit_sha")
        or sha_of(told, attributes, "squash_commit_sha")
        or sha_of(told, attributes, "last_commit", "id")
    )
    if not sha:
        return Facts("nothing", repository, why="not_merged")
    title = " ".join(text(told, attributes, "title").split())
    when = moment(told, attributes, "merged_at") or moment(told, attributes, "updated_at")
    request = Told(
        sha, f"{title}\n\n{text(told, attributes, 'description', most=LONGEST_TEXT)}", text(told, attributes, "url"),
        addresses(text(told, attributes, "last_commit", "author", "email")), when,
    )  # fmt: skip
    return Facts("merge", repository, (request,), after=sha)
