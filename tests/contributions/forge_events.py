"""Small events as the three forges send them, signed with a secret: written here, from their documentation."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

ZERO = "0" * 40
HOMES = {
    "forgejo": "https://codeberg.org/carto/libre",
    "gitlab": "https://gitlab.example.org/carto/libre",
    "github": "https://github.com/carto/libre",
}
WHEN = "2026-11-20T10:00:00+01:00"


def sha(name: str) -> str:
    """The name of a commit, made from a word."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def commit(forge: str, name: str, message: str, *, email: str, at: str = WHEN) -> dict[str, Any]:
    """One commit of a push."""
    middle = "/-/commit/" if forge == "gitlab" else "/commit/"
    return {
        "id": sha(name), "message": message, "timestamp": at, "url": f"{HOMES[forge]}{middle}{sha(name)}",
        "author": {"name": "Somebody", "email": email}, "added": ["a.py"], "removed": [], "modified": [],
    }  # fmt: skip


def _home(forge: str) -> dict[str, Any]:
    if forge == "gitlab":
        return {"project": {"id": 7, "web_url": HOMES[forge], "default_branch": "main"}}
    return {"repository": {"id": 7, "full_name": "carto/libre", "html_url": HOMES[forge], "default_branch": "main"}}


def push(
    forge: str, *commits: dict[str, Any], before: str = "start", after: str = "", branch: str = "main", **more: Any
) -> bytes:
    """A push of these commits, the oldest first; Forgejo tells the newest first, and counts those it leaves out."""
    last = sha(after) if after else commits[-1]["id"]
    rows = list(reversed(commits)) if forge == "forgejo" else list(commits)
    event: dict[str, Any] = {
        "ref": f"refs/heads/{branch}", "before": sha(before) if before else ZERO, "after": last, "commits": rows,
        **_home(forge),
    }  # fmt: skip
    if forge == "forgejo":
        event |= {"total_commits": len(rows), "compare_url": f"{HOMES[forge]}/compare/a...b"}
    elif forge == "gitlab":
        event |= {"object_kind": "push", "event_name": "push", "total_commits_count": len(rows)}
    else:
        event |= {"forced": False, "created": False, "deleted": False}
    return json.dumps(event | more).encode()


def merged(forge: str, description: str, *, name: str = "merge", email: str = "bo@example.org", **more: Any) -> bytes:
    """A request that was merged into the default branch. On GitHub its author is the account 4711, `bo`."""
    if forge == "gitlab":
        request: dict[str, Any] = {
            "iid": 3,
            "title": "Faster tiles",
            "description": description,
            "action": "merge",
            "state": "merged",
            "target_branch": "main",
            "url": f"{HOMES[forge]}/-/merge_requests/3",
            "merge_commit_sha": sha(name),
            "updated_at": "2026-11-20 09:00:00 UTC",
            "last_commit": {"id": sha("tip"), "message": "x", "author": {"name": "Bo", "email": email}},
        }
        return json.dumps(
            {"object_kind": "merge_request", **_home(forge), "object_attributes": request | more}
        ).encode()
    request = {
        "number": 3, "title": "Faster tiles", "body": description, "merged": True, "merged_at": "2026-11-20T09:00:00Z",
        "merge_commit_sha": sha(name), "html_url": f"{HOMES[forge]}/pulls/3", "base": {"ref": "main"},
        "user": {"id": 4711, "login": "bo"} | ({"email": email} if forge == "forgejo" else {}),
    }  # fmt: skip
    return json.dumps({"action": "closed", "number": 3, "pull_request": request | more, **_home(forge)}).encode()


EVENTS = {
    "forgejo": {"push": "push", "merge": "pull_request", "test": "ping"},
    "gitlab": {"push": "Push Hook", "merge": "Merge Request Hook", "test": "Note Hook"},
    "github": {"push": "push", "merge": "pull_request", "test": "ping"},
}


def signed(
    forge: str, body: bytes, secret: str, *, event: str = "push", delivery: str = "", plain: bool = False,
    at: float | None = None,
) -> Mapping[str, str]:  # fmt: skip
    """The headers of a delivery. plain: GitLab's older secret token, which is sent as it is."""
    name = delivery or str(uuid.uuid4())
    told = EVENTS[forge][event]
    tag = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if forge == "forgejo":
        return {
            "X-Forgejo-Event": told, "X-Gitea-Event": told, "X-Forgejo-Delivery": name, "X-Gitea-Delivery": name,
            "X-Forgejo-Signature": tag, "X-Gitea-Signature": tag, "X-Hub-Signature-256": f"sha256={tag}",
        }  # fmt: skip
    if forge == "github":
        return {"X-GitHub-Event": told, "X-GitHub-Delivery": name, "X-Hub-Signature-256": f"sha256={tag}"}
    if plain:
        return {"X-Gitlab-Event": told, "Idempotency-Key": name, "X-Gitlab-Token": secret}
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{name}.{stamp}.".encode() + body
    mark = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {
        "X-Gitlab-Event": told, "webhook-id": name, "Idempotency-Key": name, "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{mark}",
    }  # fmt: skip
