"""The commands of the guides, run as they are written against a real server."""

import json
import os
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.contributions.deliveries import treat_forges
from backend.contributions.models import Contribution, ForgeDelivery
from backend.contributions.repositories import connect_repository
from backend.web.tokens import QUICK_SCOPES
from tests.api.documents import API_DOCS, blocks, load, same_shape
from tests.contributions.peers import say

CHANGES = re.compile(r"\b[a-z]{3}_[0-9A-Z]{36}|\b20\d\d-\d\d-\d\d|http://[\w.:]+\d")


def test_the_quickstart_does_what_it_says(committed: str, play: Any, call: Any, processes: Any, tmp_path: Path) -> None:
    world = play("receive")
    text = (API_DOCS / "guides" / "quickstart.md").read_text(encoding="utf-8")
    steps = [(kind, content) for kind, content in blocks(text) if kind != "text"]
    assert [kind for kind, _content in steps] == ["sh", "output"] + ["sh", "json"] * 5
    # The French guide has the same commands and answers.
    french = (API_DOCS / "guides" / "quickstart.fr.md").read_text(encoding="utf-8")
    assert [step for step in blocks(french) if step[0] != "text"] == steps
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "en_GB.UTF-8",
        "TRONC": processes.web(workers=1),
        "TOKEN": call(world.users["bo"], QUICK_SCOPES).token,
    }

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-euc", command], env=environment, cwd=API_DOCS.parent, capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip

    (_sh, by_hand), (_output, told) = steps[:2]
    assert len(by_hand.splitlines()) <= 4
    began = time.monotonic()
    done = run(by_hand)
    assert CHANGES.sub("…", done.stdout) == CHANGES.sub("…", told)
    assert time.monotonic() - began < 60
    first_one = Contribution.objects.get()
    answers = []
    for (_sh, command), (_json, example) in zip(steps[2::2], steps[3::2], strict=True):
        done = run(command)
        answer = json.loads(done.stdout)
        same_shape(load(example), answer)
        answers.append(done)
        if len(answers) == 1:
            environment["BUDGET"] = answer["budgets"][0]["id"]
        if len(answers) == 2:
            environment["CONTRIBUTION"] = answer["id"]
    _me, first, again, read, listed = answers
    assert again.stdout == first.stdout
    assert "idempotent-replayed: true" in again.stderr.lower()
    made = json.loads(first.stdout)
    assert json.loads(read.stdout) == made
    assert [one["id"] for one in json.loads(listed.stdout)["data"]] == [made["id"], first_one.pk]
    for row in Contribution.objects.all():
        assert (row.minutes, row.amount, row.contributor_id) == (90, 4500, world.users["bo"].pk)


def steps_of(name: str) -> list[tuple[str, str]]:
    """The blocks of code of a guide, which are the same in French (`tests/contributions/test_forges_guide.py`)."""
    return [*blocks((API_DOCS / "guides" / f"{name}.en.md").read_text(encoding="utf-8"))]


def run(command: str, folder: Path, **values: str) -> str:
    """What a block of a guide prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "en_GB.UTF-8", **values}
    return subprocess.run(
        ["bash", "-euc", command], env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=True
    ).stdout  # fmt: skip


def test_the_guide_of_reviews_approves(committed: str, play: Any, call: Any, processes: Any, tmp_path: Path) -> None:
    world = play("receive")
    steps = steps_of("reviewing")
    assert [kind for kind, _content in steps] == ["sh", "json"]
    row = say(world)
    told = run(
        steps[0][1], tmp_path, TRONC=processes.web(workers=1), CONTRIBUTION=row.pk,
        TOKEN=call(world.users["sacha"], ["contributions:review"]).token,
    )  # fmt: skip
    answer = json.loads(told)
    same_shape(load(steps[1][1]), answer)
    row.refresh_from_db()
    assert (answer["contribution_state"], row.state) == ("validated", "validated")


def test_the_guide_of_forges_knocks_at_the_door(committed: str, play: Any, processes: Any, tmp_path: Path) -> None:
    world = play("receive")
    steps = dict(steps_of("forges"))
    row, secret = connect_repository(
        actor=world.users["sacha"], budget_id=world.budget.pk, forge="forgejo", now=world.now,
        address="https://codeberg.org/carto/libre",
    )  # fmt: skip
    door = f"{processes.web(workers=1)}/hooks/forges/{row.pk}/"
    values = {"DOOR": door, "REPOSITORY": row.address, "SECRET": secret}
    assert run(steps["sh"], tmp_path, **values) == steps["output"]
    assert run(steps["sh"], tmp_path, **values | {"SECRET": "another"}) == "401\n"
    treat_forges(datetime.now(UTC))
    kept = ForgeDelivery.objects.get()
    assert (kept.state, kept.fault) == ("treated", "")


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = sorted(API_DOCS.rglob("*.md"))
    assert len(pages) >= 8
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).resolve().is_file(), (page.name, target)
