"""The commands of the guides, run as they are written against a real server."""

import json
import os
import subprocess
from typing import Any

from backend.contributions.models import Contribution
from tests.api.documents import API_DOCS, blocks, load, same_shape


def test_the_quickstart_does_what_it_says(committed: str, play: Any, call: Any, processes: Any) -> None:
    world = play("receive")
    text = (API_DOCS / "guides" / "quickstart.md").read_text(encoding="utf-8")
    steps = [(kind, content) for kind, content in blocks(text) if kind != "text"]
    assert [kind for kind, _content in steps] == ["sh", "json"] * 4
    environment = {
        "PATH": os.environ["PATH"],
        "TRONC": processes.web(workers=1),
        "TOKEN": call(world.users["bo"], ["commons:read", "contributions:read", "contributions:write"]).token,
        "BUDGET": world.budget.pk,
    }
    answers = []
    for (_sh, command), (_json, example) in zip(steps[::2], steps[1::2], strict=True):
        done = subprocess.run(
            ["bash", "-euc", command], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        answer = json.loads(done.stdout)
        same_shape(load(example), answer)
        answers.append(done)
        if len(answers) == 1:
            environment["CONTRIBUTION"] = answer["id"]
    first, again, read, listed = answers
    assert again.stdout == first.stdout
    assert "idempotent-replayed: true" in again.stderr.lower()
    assert json.loads(read.stdout) == {**json.loads(first.stdout), "reviews": []}
    assert json.loads(listed.stdout)["data"] == [json.loads(first.stdout)]
    row = Contribution.objects.get()
    assert (row.pk, row.minutes, row.amount, row.contributor_id) == (
        environment["CONTRIBUTION"],
        90,
        4500,
        world.users["bo"].pk,
    )


def test_links_between_the_pages_lead_somewhere() -> None:
    import re

    pages = sorted(API_DOCS.rglob("*.md"))
    assert len(pages) >= 8
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).resolve().is_file(), (page.name, target)
