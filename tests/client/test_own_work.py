"""The command line and forges tell of the same commits; contributions are amended and withdrawn from the shell."""

from datetime import UTC, datetime
from typing import Any

from django.test import Client

from backend.contributions.deliveries import treat_forges
from backend.contributions.models import Contribution, ForgeDelivery
from backend.contributions.repositories import connect_repository
from backend.contributions.services import review
from tests.client.conftest import Between, Commits, Live, Shell
from tests.contributions.forge_events import commit, push, signed

HOME = "https://codeberg.org/carto/libre"


class Forge:
    """A connected repository on a forge, to which the commits are pushed."""

    def __init__(self, live: Live, commits: Commits) -> None:
        """Connect it; the repository on disk comes from there."""
        commits.git("remote", "set-url", "origin", HOME + ".git")
        commits.git("config", "user.email", live.world.users["bo"].email)
        self.live, self.commits, self.bo = live, commits, live.world.users["bo"]
        self.row, self.secret = connect_repository(
            actor=live.world.users["sacha"], budget_id=live.world.budget.pk, forge="forgejo", address=HOME,
            now=live.world.now,
        )  # fmt: skip

    def commit(self, message: str) -> str:
        """Commit on this machine."""
        me = f"Bo <{self.bo.email}>"
        return self.commits.commit(message, author=me, on=self.live.world.today.isoformat())

    def push(self, name: str, message: str) -> dict[str, int]:
        """Tell of a commit of this name; gives what that did."""
        at = f"{self.live.world.today.isoformat()}T12:00:00+01:00"
        told = commit("forgejo", "x", message, email=self.bo.email, at=at) | {
            "id": name,
            "url": f"{HOME}/commit/{name}",
        }
        body = push("forgejo", told)
        headers = dict(signed("forgejo", body, self.secret))
        answer = Client().post(f"/hooks/forges/{self.row.pk}/", body, content_type="application/json", headers=headers)
        assert answer.status_code == 202
        treat_forges(datetime.now(UTC))
        did: dict[str, int] = ForgeDelivery.objects.latest("received_at").did
        return did


def test_a_commit_is_declared_once_whoever_told_of_it_first(live: Live, shell: Shell, commits: Commits) -> None:
    forge = Forge(live, commits)
    shell.login(live.address, live.token())
    words = ("log", "--from-git", "--repo", str(commits.folder), "--yes")
    text = "Faster tiles\n\nContribution: 1h30\nContribution: 20 review\n"
    first = forge.commit(text)
    shell.tronc(*words)
    assert Contribution.objects.filter(state="declared").count() == 2
    assert forge.push(first, text) == {"declared": 2}
    assert Contribution.objects.count() == 2
    # The other order: the draft is declared, and nothing beside it.
    second = forge.commit("Export\n\nContribution: 45\n")
    assert forge.push(second, "Export\n\nContribution: 45\n") == {"drafted": 1}
    draft = Contribution.objects.get(state="draft")
    done = shell.tronc(*words)
    assert "Drafts that a forge made of your commits" in done.stdout
    draft.refresh_from_db()
    assert (draft.state, Contribution.objects.count()) == ("declared", 3)
    assert "Already sent: 3" in shell.tronc(*words).stderr
    assert Contribution.objects.count() == 3


def test_a_commit_written_again_with_another_time_is_amended(live: Live, shell: Shell, commits: Commits) -> None:
    forge = Forge(live, commits)
    shell.login(live.address, live.token())
    words = ("log", "--from-git", "--repo", str(commits.folder))
    first = forge.commit("Faster tiles\n\nContribution: 1h30\n")
    shell.tronc(*words, "--yes")
    row = Contribution.objects.get()
    text = "Faster tiles\n\nContribution: 2h\n"
    commits.git("commit", "-q", "--amend", "--allow-empty", "--cleanup=verbatim", "-F", "-", said=text)
    again = commits.git("rev-parse", "HEAD")
    asked = shell.tronc(*words, code=4)
    assert f"{first[:12]} was written again as {again[:12]}" in asked.stderr
    row.refresh_from_db()
    assert (row.minutes, row.version, Contribution.objects.count()) == (90, 1, 1)
    shell.tronc(*words, "--yes")
    row.refresh_from_db()
    assert (row.minutes, row.version, row.metadata["commit"]) == (120, 2, again)
    assert row.evidence == [f"{HOME}/commit/{again}"]
    assert "Already sent: 1" in shell.tronc(*words, "--yes").stderr
    # Pushed from another machine, written again once more: the forge tells of the same commit.
    assert forge.push("7" * 40, text) == {"declared": 1}
    assert forge.push(again, text) == {"declared": 1, "alike": 1}
    assert Contribution.objects.count() == 1
    # What is validated stays as it is, and is not declared a second time.
    review(actor=live.world.users["sacha"], contribution_id=row.pk, verdict="approve", now=live.world.now)
    later = "Faster tiles\n\nContribution: 3h\n"
    commits.git("commit", "-q", "--amend", "--allow-empty", "--cleanup=verbatim", "-F", "-", said=later)
    assert "stays as it is" in shell.tronc(*words, "--yes").stderr
    row.refresh_from_db()
    assert (row.minutes, Contribution.objects.count()) == (120, 1)
    # The same words in a commit beside it are other work.
    forge.commit("Help\n\nContribution: 10\n")
    shell.tronc(*words, "--yes")
    forge.commit("Help\n\nContribution: 15\n")
    shell.tronc(*words, "--yes")
    assert sorted(Contribution.objects.values_list("minutes", flat=True)) == [10, 15, 120]


def test_what_replaces_a_commit_is_never_counted_beside_it(live: Live, shell: Shell, commits: Commits) -> None:
    forge = Forge(live, commits)
    shell.login(live.address, live.token())
    words = ("log", "--from-git", "--repo", str(commits.folder))

    def amended(text: str, *more: str) -> str:
        commits.git("commit", "-q", "--amend", "--allow-empty", "--cleanup=verbatim", *more, "-F", "-", said=text)
        return str(commits.git("rev-parse", "HEAD"))

    first = forge.commit("Faster tiles\n\nContribution: 40\n")
    shell.tronc(*words, "--yes")
    row = Contribution.objects.get()
    # Other words and another time: the moment of its author tells.
    again = amended("Faster and smaller tiles\n\nContribution: 1h\n")
    asked = shell.tronc(*words, code=4)
    assert f"{first[:12]} was written again as {again[:12]}" in asked.stderr
    assert "“Faster tiles”" in asked.stderr
    shell.tronc(*words, "--yes")
    row.refresh_from_db()
    assert (row.minutes, row.description, row.metadata["commit"]) == (60, "Faster and smaller tiles", again)
    # Its words alone.
    amended("Smaller tiles\n\nContribution: 1h\n")
    shell.tronc(*words, "--yes")
    row.refresh_from_db()
    assert (row.minutes, row.description, Contribution.objects.count()) == (60, "Smaller tiles", 1)
    # Another moment too: the words alone tell, and nobody but its author can say.
    amended("Smaller tiles\n\nContribution: 2h\n", "--date", f"{live.world.today.isoformat()}T09:30:00+01:00")
    left = shell.tronc(*words, "--yes")
    assert f"tronc amend {row.pk} --minutes 120" in left.stderr
    assert "No commit of yours" not in left.stdout
    assert Contribution.objects.count() == 1
    # A commit that a forge told of first, declared from its draft, then written again.
    second = forge.commit("Export\n\nContribution: 45\n")
    forge.push(second, "Export\n\nContribution: 45\n")
    shell.tronc(*words, "--yes")
    assert Contribution.objects.filter(state="declared").count() == 2
    amended("Export\n\nContribution: 50\n")
    shell.tronc(*words, "--yes")
    assert sorted(Contribution.objects.values_list("minutes", flat=True)) == [50, 60]


def test_what_is_validated_is_withdrawn_once_one_agrees(live: Live, shell: Shell) -> None:
    shell.login(live.address, live.token())
    shell.tronc("log", "1h", "cartolibre", "-m", "Tiles", "--on", live.world.today.isoformat())
    row = Contribution.objects.get()
    review(actor=live.world.users["sacha"], contribution_id=row.pk, verdict="approve", now=live.world.now)
    assert "validated already" in shell.tronc("withdraw", row.pk, code=4).stderr
    row.refresh_from_db()
    assert row.state == "validated"
    shell.tronc("withdraw", row.pk, "--yes")
    row.refresh_from_db()
    assert row.state == "withdrawn"


def test_a_kind_that_nobody_knows_is_refused_before_anything_is_sent(
    live: Live, shell: Shell, commits: Commits
) -> None:
    forge = Forge(live, commits)
    shell.login(live.address, live.token())
    odd = forge.commit("Odd\n\nContribution: 1h juggling\n")
    words = ("log", "--from-git", "--repo", str(commits.folder), "--yes")
    done = shell.tronc(*words)
    assert f"{odd[:12]}: “juggling” is no kind of work of Cartolibre" in done.stderr
    assert "development, review" in done.stderr
    assert not Contribution.objects.exists()
    forge.commit("Known\n\nContribution: 1h review\n")
    shell.tronc(*words)
    assert Contribution.objects.get().kind == "review"
    for wrong in (("--from-git", "cartolibre"), ("--from-git", "--repo", "cartolibre")):
        told = shell.tronc("log", *wrong, "--yes", *(() if "--repo" in wrong else words[2:4]), code=2)
        assert "write tronc log --from-git --budget cartolibre" in told.stderr


def test_work_is_amended_and_withdrawn(live: Live, shell: Shell, between: Any) -> None:
    lossy: Between = between(live.address)
    shell.login(lossy.url, live.token())
    day = live.world.today.isoformat()
    shell.tronc("log", "1h", "cartolibre", "-m", "First", "--on", day)
    row = Contribution.objects.get()
    done = shell.tronc("amend", row.pk, "--minutes", "1h30", "--amount", "45", "-m", "Better", "--kind", "review")
    assert f"Amended: {row.pk}, {day}, 1 h 30, 45.00\u00a0EUR" in done.stdout
    row.refresh_from_db()
    assert (row.minutes, row.amount, row.description, row.kind, row.version) == (90, 4500, "Better", "review", 2)
    # An answer that is lost changes nothing twice.
    lossy.lose = 1
    shell.tronc("amend", row.pk, "--minutes", "2h")
    row.refresh_from_db()
    assert (row.minutes, row.version) == (120, 3)
    lossy.before = 1
    shell.tronc("amend", row.pk, "--minutes", "3h", code=5)
    for words, code, said in [
        (["amend", row.pk], 2, "Say what changes"), (["amend", "12", "--minutes", "1h"], 2, "not the id"),
        (["amend", row.pk, "--on", "2099-01-01"], 1, "/worked_on"),
        (["withdraw", "ctr_" + "0" * 36], 1, "no such contribution"),
    ]:  # fmt: skip
        assert said in shell.tronc(*words, code=code).stderr, words
    row.refresh_from_db()
    assert (row.minutes, row.version, row.state) == (120, 3, "declared")
    assert "Withdrawn: " in shell.tronc("withdraw", row.pk).stdout
    row.refresh_from_db()
    assert row.state == "withdrawn"
    refused = shell.tronc("amend", row.pk, "--minutes", "1h", code=1).stderr
    assert "state: withdrawn; allowed: draft, declared, questioned" in refused
