"""Forgejo, and Gitea from which it comes: the same events, signed the same way."""

import base64
from collections.abc import Sequence
from datetime import datetime

from backend.contributions.forges.base import (
    LONGEST_TEXT,
    Facts,
    Headers,
    Told,
    addresses,
    at,
    moment,
    number,
    opened,
    push_facts,
    sha_of,
    signed_hex,
    text,
)


class Forgejo:
    """HMAC-SHA-256 of the raw body in X-Forgejo-Signature or X-Gitea-Signature, hexadecimal figures."""

    key = "forgejo"
    name = "Forgejo, Gitea"
    event_header: tuple[str, ...] = ("X-Forgejo-Event", "X-Gitea-Event")
    delivery_header: tuple[str, ...] = ("X-Forgejo-Delivery", "X-Gitea-Delivery")

    def new_secret(self, random: bytes) -> str:
        """Any text will do."""
        return base64.urlsafe_b64encode(random).decode().rstrip("=")

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], *, now: datetime) -> bool:
        """The first of the two headers that is there counts."""
        return signed_hex(headers, ("X-Forgejo-Signature", "X-Gitea-Signature"), body, secrets)

    def read(self, event: str, body: bytes) -> Facts:
        """Pushes to the default branch, and requests merged into it."""
        told = opened(body)
        repository, branch = text(told, "repository", "html_url"), text(told, "repository", "default_branch")
        if event == "push":
            return push_facts(told, repository=repository, default_branch=branch, total=number(told, "total_commits"))
        if event == "pull_request":
            return merged(told, addresses(text(told, "pull_request", "user", "email")))
        return Facts("nothing", repository, why="other_event")

    def commit_url(self, address: str, sha: str) -> str:
        """The page of a commit."""
        return f"{address}/commit/{sha}"


def merged(told: object, authors: tuple[str, ...]) -> Facts:
    """A merged request as Forgejo and GitHub write it: its description stands for its commits."""
    repository, branch = text(told, "repository", "html_url"), text(told, "repository", "default_branch")
    sha = sha_of(told, "pull_request", "merge_commit_sha")
    into_default = bool(branch) and text(told, "pull_request", "base", "ref") == branch
    if text(told, "action") != "closed" or at(told, "pull_request", "merged") is not True or not sha:
        return Facts("nothing", repository, why="not_merged")
    if not into_default:
        return Facts("nothing", repository, why="other_branch")
    title = " ".join(text(told, "pull_request", "title").split())
    request = Told(
        sha, f"{title}\n\n{text(told, 'pull_request', 'body', most=LONGEST_TEXT)}",
        text(told, "pull_request", "html_url"), authors, moment(told, "pull_request", "merged_at"),
    )  # fmt: skip
    return Facts("merge", repository, (request,), after=sha)
