"""The pages of repositories: the secret is shown once, what came is told with its fault; the addresses of commits."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from backend.contributions.deliveries import treat_forges
from backend.contributions.models import ForgePerson, Repository
from backend.contributions.services import declare
from tests.contributions.forge_events import HOMES, commit, push, sha, signed
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def connected(browser: Client, world: Any, forge: str = "forgejo") -> tuple[Repository, str]:
    """Connect a repository by its form; gives it and the secret that the page showed."""
    answer = browser.post(f"/en/budgets/{world.budget.pk}/repositories/new/", {"forge": forge, "address": HOMES[forge]})
    assert answer.status_code == 201, text_of(answer)
    codes = re.findall(r'<code class="copy">([^<]+)</code>', answer.content.decode())
    row = Repository.objects.get(forge=forge, revoked_at=None)
    assert codes[0].endswith(f"/hooks/forges/{row.pk}/")
    return row, codes[1].replace("&#x27;", "'")


def send(row: Repository, secret: str, body: bytes, event: str = "push") -> None:
    """What the forge sends, and the worker behind."""
    headers = dict(signed(row.forge, body, secret, event=event))
    answer = Client().post(f"/hooks/forges/{row.pk}/", body, content_type="application/json", headers=headers)
    assert answer.status_code == 202
    treat_forges(datetime.now(UTC))


@pytest.mark.parametrize("forge", ["forgejo", "gitlab", "github"])
def test_a_secret_is_shown_once_with_the_words_of_its_forge(play: Play, sign_in: SignIn, forge: str) -> None:
    world = play("make_house")
    browser = sign_in(world.users["sacha"])
    pot = text_of(browser.get(f"/en/budgets/{world.budget.pk}/"))
    assert "Repositories that tell of commits" in pot
    assert "No repository is connected." in text_of(browser.get(f"/en/budgets/{world.budget.pk}/repositories/"))
    row, secret = connected(browser, world, forge)
    send(row, secret, push(forge, commit(forge, "a", "x", email=world.users["bo"].email)), event="test")
    for address in (f"/en/repositories/{row.pk}/", f"/en/budgets/{world.budget.pk}/repositories/"):
        page = browser.get(address)
        assert secret not in page.content.decode()
        assert str(row) in text_of(page)
    assert "treated" in text_of(browser.get(f"/en/repositories/{row.pk}/"))
    again = browser.post(f"/en/budgets/{world.budget.pk}/repositories/new/", {"forge": forge, "address": HOMES[forge]})
    assert again.status_code == 409
    assert "connected already" in text_of(again)
    assert Repository.objects.count() == 1


def test_faults_and_unknown_people_are_told_without_their_names(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser, bo = sign_in(world.users["sacha"]), sign_in(world.users["bo"])
    row, secret = connected(browser, world)
    at = world.now.isoformat()
    stranger = commit("forgejo", "a", "A\n\nContribution: 30", email="stranger@y.example", at=at)
    unread = commit("forgejo", "b", "<b>B</b>\n\nContribution: soon", email=world.users["bo"].email, at=at)
    refused = commit("forgejo", "c", "C\n\nContribution: 30", email=world.users["ana"].email, at=at)
    send(row, secret, push("forgejo", stranger, unread, refused, total_commits=9))
    send(row, secret, b"payload=%7B%7D")
    said = text_of(browser.get(f"/en/repositories/{row.pk}/"))
    for words in (
        "Commits of people not known here 1", "1 person commits under an address that no account has",
        "duration not readable", "does not contribute to this budget", "6 commits were left out by the forge",
        "choose “application/json”",
    ):  # fmt: skip
        assert words in said, words
    assert "stranger" not in said
    page = bo.post("/en/commit-addresses/", {"address": "stranger@y.example"})
    assert page.status_code == 302
    assert "stranger@y.example" in text_of(bo.get("/en/commit-addresses/"))
    treat_forges(datetime.now(UTC))
    assert world.users["bo"].contributions.get().state == "draft"
    assert bo.post("/en/commit-addresses/", {"act": "again"}).status_code == 302
    taken = sign_in(world.users["ana"]).post("/en/commit-addresses/", {"address": "stranger@y.example"})
    assert taken.status_code == 409
    assert bo.post("/en/commit-addresses/", {"address": "x"}).status_code == 422
    link = ForgePerson.objects.get()
    assert bo.post(f"/en/commit-addresses/{link.pk}/remove/").status_code == 302
    assert not ForgePerson.objects.exists()


def test_a_delivery_says_what_it_did_and_where_what_was_declared_is(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser, bo = sign_in(world.users["sacha"]), world.users["bo"]
    row, secret = connected(browser, world)
    at = world.now.isoformat()
    known = declare(
        actor=bo, budget=world.budget, worked_on=world.today, kind="development", description="By hand", minutes=20,
        form_key="k", now=world.now, metadata={"commit": sha("a")},
    )  # fmt: skip
    here = {"email": bo.email, "at": at}
    send(
        row, secret,
        push(
            "forgejo", commit("forgejo", "a", "A\n\nContribution: 20", **here),
            commit("forgejo", "b", "B\n\nContribution: 30 juggling", **here), commit("forgejo", "c", "C", **here),
        ),
    )  # fmt: skip
    send(row, secret, push("forgejo", commit("forgejo", "d", "D\n\nContribution: 5", **here), branch="feature"))
    assert Client().post(f"/hooks/forges/{row.pk}/", b"{}", content_type="application/json").status_code == 401
    answer = browser.get(f"/en/repositories/{row.pk}/")
    said = text_of(answer)
    for words in (
        "1 draft made.", "1 declared already by its contributor: no second draft.",
        "1 commit without a line “Contribution:”: nothing to do.", "It is of another branch or a tag",
        "1 delivery was refused for its signature, on",
    ):  # fmt: skip
        assert words in said, words
    assert f"/en/contributions/{known.pk}/" in answer.content.decode()
    draft = bo.contributions.get(state="draft")
    assert draft.pk not in answer.content.decode(), "a draft is its contributor's alone"
    mine = sign_in(bo)
    assert "The commit says “juggling”" in text_of(mine.get(f"/en/contributions/{draft.pk}/"))
    refused = mine.post(f"/en/contributions/{draft.pk}/declare/", follow=True)
    assert "choose one, then declare the draft" in text_of(refused)
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_a_rewritten_branch_is_shown(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["sacha"])
    row, secret = connected(browser, world)
    at, bo = world.now.isoformat(), world.users["bo"].email
    send(row, secret, push("forgejo", commit("forgejo", "a", "A\n\nContribution: 30", email=bo, at=at)))
    send(row, secret, push("forgejo", commit("forgejo", "b", "B\n\nContribution: 30", email=bo, at=at), before="a"))
    send(row, secret, push("forgejo", before="b", after="a"))
    said = text_of(browser.get(f"/en/repositories/{row.pk}/"))
    assert "Commits gone from the repository 1" in said
    assert "The history of the branch was rewritten" in said
    assert "No longer in the branch since" in said


def test_a_secret_is_renewed_and_a_repository_disconnected(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["sacha"])
    row, secret = connected(browser, world)
    assert "counts beside it for 7 days" in text_of(browser.get(f"/en/repositories/{row.pk}/secret/"))
    shown = browser.post(f"/en/repositories/{row.pk}/secret/")
    assert shown.status_code == 200
    assert secret not in shown.content.decode()
    assert "counts until" in text_of(browser.get(f"/en/repositories/{row.pk}/"))
    assert browser.get(f"/en/repositories/{row.pk}/revoke/").status_code == 200
    for _turn in range(2):
        assert browser.post(f"/en/repositories/{row.pk}/revoke/").status_code == 302
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert "disconnected" in text_of(browser.get(f"/en/budgets/{world.budget.pk}/repositories/"))
    assert browser.post(f"/en/repositories/{row.pk}/secret/").status_code == 302
    row.refresh_from_db()
    assert row.secret_sealed == ""
