"""The command line against a real server: what it declares, what it says, and that nothing counts twice."""

import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

from backend.contributions.models import Contribution
from backend.core.models import IdempotencyRecord
from tests.client.conftest import Between, Commits, Live, Shell


def test_work_is_logged_listed_and_estimated(live: Live, shell: Shell) -> None:
    world = live.world
    address, token = live.address, live.token()
    shell.tronc("status", code=3)
    wrong = shell.tronc(
        "login", address, "--token-stdin", said=f"{token[:-1]}{'0' if token[-1] != '0' else '1'}\n", code=3
    )
    assert "tronc:" in wrong.stderr
    assert not shell.config.exists()
    shell.login(address, token)
    assert stat.S_IMODE(shell.config.stat().st_mode) == 0o600
    assert json.loads(shell.config.read_text()) == {"address": address, "token": token}

    done = shell.tronc(
        "log", "1h30", "cartolibre", "-m", "Export of the atlas", "--on", world.today.isoformat(), "--kind",
        "documentation", "--amount", "45,00", "--evidence", "https://example.org/atlas/12",
    )  # fmt: skip
    row = Contribution.objects.get()
    assert row.pk in done.stdout
    assert (row.minutes, row.amount, row.kind, row.description, row.worked_on) == (
        90, 4500, "documentation", "Export of the atlas", world.today,
    )  # fmt: skip
    assert row.evidence == ["https://example.org/atlas/12"]
    assert shell.waiting() == []
    # The same words again are perhaps the same work: its author says that it is other work.
    shell.tronc("log", "0:45", "CARTOLIBRE", "-m", "Help", "--on", world.today.isoformat())
    asked = shell.tronc("log", "0:45", "-m", "Help", "--on", world.today.isoformat(), code=4)
    assert Contribution.objects.get(description="Help").pk in asked.stderr
    assert shell.waiting() == []
    shell.tronc("log", "0:45", "-m", "Help", "--on", world.today.isoformat(), "--yes")
    assert Contribution.objects.filter(description="Help", minutes=45, amount=0).count() == 2

    listed = json.loads(shell.tronc("list", "--json", "--limit", "2").stdout)
    assert [one["description"] for one in listed] == ["Help", "Help"]
    assert "Export of the atlas" in shell.tronc("list", "--budget", "cartolibre").stdout
    assert shell.tronc("list", "--state", "rejected").stdout == "Nothing yet.\n"
    told = shell.tronc("status").stdout
    assert "  declared  3  3 h\n" in told
    assert "This is an estimate, not a promise" in told
    found = json.loads(shell.tronc("estimate", "cartolibre", "--minutes", "2h", "--amount", "100", "--json").stdout)
    assert (found["estimate"], found["minutes"], found["asked"]["value"]) == (True, 120, 14_500)
    assert "Vous recevriez" in shell.tronc("status", LANG="fr_FR.UTF-8").stdout
    assert "45,00" in shell.tronc("estimate", LC_ALL="fr_FR.UTF-8", LANG="en").stdout

    before = Contribution.objects.count()
    for words, code, said in [
        (["log", "1h30", "nowhere", "-m", "x"], 2, "Yours: Cartolibre"),
        (["log", "1h75", "cartolibre", "-m", "x"], 2, "not a duration"),
        (["log", "1h", "cartolibre", "-m", "x", "--on", "someday"], 2, "not a day"),
        (["log", "1h", "cartolibre", "-m", "x", "--amount", "1,234"], 2, "not an amount"),
        (["log", "1h", "cartolibre", "-m", "x", "--on", "2099-01-01"], 1, "/worked_on: "),
        (["log", "1h", "cartolibre", "-m", "x" * 501], 1, "/description: "),
        (["log", "1h"], 2, "how long and what"),
    ]:
        assert said in shell.tronc(*words, code=code).stderr, words
    assert Contribution.objects.count() == before
    assert shell.waiting() == []
    reader = live.token("contributions:read")
    assert "contributions:write" in shell.tronc("login", address, "--token-stdin", said=reader).stderr
    assert "contributions:write" in shell.tronc("log", "1h", "-m", "x", code=3).stderr
    assert Contribution.objects.count() == before


def test_a_lost_answer_never_counts_twice(live: Live, shell: Shell, between: Any) -> None:
    world = live.world
    lossy: Between = between(live.address)
    shell.login(lossy.url, live.token())
    words = ("log", "1h", "cartolibre", "-m", "Once", "--on", world.today.isoformat())
    # One answer is lost: the command asks again by itself, with the same key.
    lossy.lose = 1
    shell.tronc(*words)
    posts = [key for method, _path, key in lossy.asked if method == "POST"]
    assert len(posts) == 2
    assert len(set(posts)) == 1
    assert Contribution.objects.count() == 1
    # All are lost: it says so, keeps the key, and the next run is the same act.
    for number, lost in enumerate(("lose", "before"), start=2):
        words = ("log", "1h", "cartolibre", "-m", f"Number {number}", "--on", world.today.isoformat())
        setattr(lossy, lost, 3)
        assert "it will not count twice" in shell.tronc(*words, code=5).stderr
        (kept,) = shell.waiting()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert Contribution.objects.count() == (number if lost == "lose" else number - 1)
        if lost == "lose":
            shell.tronc(*words)
        else:
            assert "Without an answer: 1" in shell.tronc("status").stderr
            shell.tronc("log", "--again")
        assert shell.waiting() == []
        assert Contribution.objects.count() == number
    assert shell.tronc("log", "--again").stdout == "Nothing waits for an answer.\n"
    assert IdempotencyRecord.objects.filter(key__startswith="tronc-").count() == 3


def tell_story(commits: Commits, today: Any) -> list[str]:
    """Commits of one's own and of others; gives the names of those that count."""
    day = today.isoformat()
    first = commits.commit("Export the atlas\n\nLong text.\n\nContribution: 1h30\n", on=day)
    commits.commit("Not mine\n\nContribution: 8h\n", author="Eve <eve@example.org>", on=day)
    commits.commit("Not told\n", on=day)
    commits.commit("Unclear\n\nContribution: a lot\n", on=day)
    commits.commit("An example\n\n```\nContribution: 9h\n```\n<!-- Contribution: 9h -->\n", on=day)
    second = commits.commit("Read a patch\n\ncontribution : 45 review\nContribution: 0:15 documentation\n", on=day)
    return [first, second]


def test_commits_are_declared_once(live: Live, shell: Shell, between: Any, commits: Commits, tmp_path: Path) -> None:
    world = live.world
    lossy: Between = between(live.address)
    shell.login(lossy.url, live.token())
    first, second = tell_story(commits, world.today)
    words = ("log", "--from-git", "--repo", str(commits.folder))
    asked = shell.tronc(*words, code=4)
    assert first[:12] in asked.stdout
    assert "Contribution: a lot” cannot be read" in asked.stderr
    assert "there is nobody to ask" in asked.stderr
    assert not Contribution.objects.exists()
    # Sent, the answer lost, sent again: three contributions, and not one more.
    lossy.lose = 3
    shell.tronc(*words, "--yes", code=5)
    assert "Already sent: 3" in shell.tronc(*words, "--yes").stderr
    rows = list(Contribution.objects.order_by("pk"))
    assert sorted((row.minutes, row.kind, row.description) for row in rows) == [
        (15, "documentation", "Read a patch"),
        (45, "review", "Read a patch"),
        (90, "development", "Export the atlas"),
    ]
    assert {row.metadata["commit"] for row in rows} == {first, second}
    assert {row.metadata["repository"] for row in rows} == {"https://forge.example.org/atlas/carto"}
    assert f"https://forge.example.org/atlas/carto/commit/{first}" in [row.evidence[0] for row in rows]
    assert "secret" not in str([(row.metadata, row.evidence) for row in rows])
    # The question was lost, not the answer: the same.
    third = commits.commit("Third\n\nContribution: 10\n", on=world.today.isoformat())
    lossy.before = 3
    shell.tronc(*words, "--yes", code=5)
    assert Contribution.objects.count() == 3
    shell.tronc(*words, "--yes")
    assert Contribution.objects.filter(metadata__commit=third).count() == 1
    # From another machine, and after the commit was written again.
    other = Shell(tmp_path / "elsewhere")
    other.login(lossy.url, live.token())
    commits.git("commit", "-q", "--amend", "--allow-empty", "--no-edit")
    again = other.tronc(*words, "--yes")
    assert "a commit written again?" in again.stderr
    assert Contribution.objects.count() == 4
    # A range that reaches before the open period is refused whole, with the commit that is at fault.
    old = commits.commit("Old\n\nContribution: 1h\n", on=(world.period.starts_on - timedelta(days=40)).isoformat())
    commits.commit("New\n\nContribution: 20\n", on=world.today.isoformat())
    refused = shell.tronc("log", "--from-git", "HEAD~2..", "--repo", str(commits.folder), "--yes", code=1)
    assert old[:12] in refused.stderr
    assert "/items/0/worked_on" in refused.stderr
    assert Contribution.objects.count() == 4
    # What looks like an option of git is a range that does not exist.
    victim = tmp_path / "written"
    shell.tronc("log", f"--from-git=--output={victim}", "--repo", str(commits.folder), "--yes", code=2)
    assert not victim.exists()
