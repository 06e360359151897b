"""GitHub: HMAC-SHA-256 of the raw body in X-Hub-Signature-256."""

import base64
from collections.abc import Sequence
from datetime import datetime

from backend.contributions.forges.base import (
    Facts,
    Headers,
    addresses,
    at,
    number,
    opened,
    push_facts,
    signed_hex,
    text,
)
from backend.contributions.forges.forgejo import merged

UNSEEN = "users.noreply.github.com"  # the address of those who show none


class GitHub:
    """The author of a request is told by account alone: known by the address that GitHub gives to that account."""

    key = "github"
    name = "GitHub"
    event_header: tuple[str, ...] = ("X-GitHub-Event",)
    delivery_header: tuple[str, ...] = ("X-GitHub-Delivery",)

    def new_secret(self, random: bytes) -> str:
        """Any text will do."""
        return base64.urlsafe_b64encode(random).decode().rstrip("=")

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], *, now: datetime) -> bool:
        """Not the older header, which is SHA-1."""
        return signed_hex(headers, ("X-Hub-Signature-256",), body, secrets, prefix="sha256=")

    def read(self, event: str, body: bytes) -> Facts:
        """Pushes to the default branch, and requests merged into it."""
        told = opened(body)
        repository, branch = text(told, "repository", "html_url"), text(told, "repository", "default_branch")
        if event == "push":
            listed = at(told, "commits")
            total = len(listed) if isinstance(listed, list) else 0
            return push_facts(told, repository=repository, default_branch=branch, total=total)
        if event == "pull_request":
            login, account = text(told, "pull_request", "user", "login"), number(told, "pull_request", "user", "id")
            known = (f"{account}+{login}@{UNSEEN}", f"{login}@{UNSEEN}") if login else ()
            return merged(told, addresses(*known))
        return Facts("nothing", repository, why="other_event")

    def commit_url(self, address: str, sha: str) -> str:
        """The page of a commit."""
        return f"{address}/commit/{sha}"
