"""Commits told by forges become drafts of the right people, once each, and declarations of nobody."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test import Client

from backend.contributions import deliveries
from backend.contributions.deliveries import KEPT, TRIES, treat_forges
from backend.contributions.models import Contribution, ForgeCommit, ForgeDelivery, ForgePerson, Repository
from backend.contributions.own import amend, declare_draft, delete_draft
from backend.contributions.repositories import (
    BOTH_FOR,
    connect_repository,
    link_address,
    look_again,
    renew_secret,
    revoke_repository,
    secrets_of,
    unlink_address,
)
from backend.contributions.services import declare, withdraw
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.identity.models import User
from backend.privacy.retention import apply_now
from tests.concurrency import at_once
from tests.contributions.forge_events import HOMES, commit, merged, push, sha, signed
from tests.privacy.erasing import erase

Play = Callable[..., Any]
FORGES = ("forgejo", "gitlab", "github")
# GitHub says whether a push was forced; of the others it is seen.
FORCED: dict[str, dict[str, Any]] = {"forgejo": {}, "gitlab": {}, "github": {"forced": True}}
EACH = pytest.mark.parametrize("forge", FORGES)
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Hook:
    """A repository connected to the pot, and its forge, which sends to the real door."""

    def __init__(self, world: Any, forge: str = "forgejo") -> None:
        """Connect it."""
        self.world, self.forge = world, forge
        self.row, self.secret = connect_repository(
            actor=world.users["sacha"], budget_id=world.budget.pk, forge=forge, address=HOMES[forge] + ".git/",
            now=world.now,
        )  # fmt: skip

    def send(self, body: bytes, *, event: str = "push", secret: str = "", **how: Any) -> int:
        """Send; gives the status."""
        headers = signed(self.forge, body, secret or self.secret, event=event, **how)
        answer = Client(enforce_csrf_checks=True).post(
            f"/hooks/forges/{self.row.pk}/", body, content_type="application/json", headers=dict(headers)
        )
        assert not answer.cookies
        return answer.status_code

    def tell(self, body: bytes, *, event: str = "push") -> ForgeDelivery:
        """Send, and treat."""
        assert self.send(body, event=event) == 202
        treat_forges(datetime.now(UTC))
        row = ForgeDelivery.objects.order_by("-received_at", "-pk").first()
        assert row is not None
        return row

    def commit(self, name: str, message: str, *, email: str = "", **more: Any) -> dict[str, Any]:
        """A commit, of Bo unless told otherwise."""
        return commit(self.forge, name, message, email=email or self.world.users["bo"].email, **more)


def drafts() -> list[Contribution]:
    """All of them, in their order."""
    return list(Contribution.objects.order_by("created_at", "pk"))


def when(world: Any) -> str:
    """The day of the world, as commits have it."""
    return str(world.now.isoformat())


@EACH
def test_commits_with_a_trailer_become_drafts_of_their_author(play: Play, forge: str) -> None:
    world = play("make_house")
    hook, at, bo = Hook(world, forge), when(world), world.users["bo"]
    row = hook.tell(
        push(
            forge, hook.commit("a", "Faster tiles\n\nContribution: 1h30 review\n", at=at),
            hook.commit("b", "No trailer", at=at),
            hook.commit("c", "Two\n\nContribution: 20\nContribution: 1:00", at=at, email=bo.email.upper()),
            hook.commit("m", "Merge pull request #1 from x\n\nContribution: 90", at=at),
        )
    )  # fmt: skip
    made = drafts()
    assert [(one.description, one.minutes, one.kind) for one in made] == [
        ("Faster tiles", 90, "review"), ("Two", 20, "development"), ("Two", 60, "development"),
    ]  # fmt: skip
    middle = "/-/commit/" if forge == "gitlab" else "/commit/"
    for one in made:
        assert (one.state, one.contributor, one.amount) == ("draft", world.users["bo"], 0)
        assert (one.budget, one.source, one.worked_on) == (world.budget, hook.row.pk, world.today)
    assert made[0].evidence == [f"{HOMES[forge]}{middle}{sha('a')}"]
    assert (row.state, row.fault, bytes(row.body)) == ("treated", "", b"")
    assert not Event.objects.filter(kind__startswith="contribution.").exists()
    assert declare_draft(actor=world.users["bo"], contribution_id=made[0].pk, now=world.now).state == "declared"


@EACH
def test_a_merged_request_becomes_a_draft_once(play: Play, forge: str) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    if forge == "github":
        link_address(actor=bo, address="4711+bo@users.noreply.github.com", now=world.now)
    hook = Hook(world, forge)
    text = "What it does.\n\n<!-- Contribution: 5h -->\nContribution: 2h"
    hook.tell(merged(forge, text, email=bo.email), event="merge")
    # Squashed: the branch has one commit of that name, with the description of the request.
    hook.tell(push(forge, hook.commit("merge", f"Faster tiles (#3)\n\n{text}", at=when(world))))
    (one,) = drafts()
    assert (one.description, one.minutes, one.contributor) == ("Faster tiles", 120, bo)
    assert one.evidence[0].startswith(HOMES[forge] + ("/-/merge_requests" if forge == "gitlab" else "/pulls"))


@EACH
def test_what_is_not_signed_is_refused_and_not_kept(play: Play, forge: str, caplog: pytest.LogCaptureFixture) -> None:
    world = play("make_house")
    hook = Hook(world, forge)
    body = push(forge, hook.commit("a", "Contribution: 90"))
    door = f"/hooks/forges/{hook.row.pk}/"
    with caplog.at_level(logging.WARNING, logger="tronc.security"):
        assert hook.send(body, secret=Hook(world, forge="forgejo").secret if forge == "github" else "AAAA") == 401
        assert Client().post(door, body, content_type="application/json").status_code == 401
    assert [one.name for one in caplog.records if one.name == "tronc.security"] == ["tronc.security"] * 2
    assert hook.send(b" " * (1024 * 1024 + 1)) == 413
    assert Client().get(door).status_code == 405
    treat_forges(datetime.now(UTC))
    assert not ForgeDelivery.objects.exists()
    assert not drafts()


@EACH
def test_a_delivery_that_comes_again_does_nothing(play: Play, forge: str) -> None:
    world = play("make_house")
    hook = Hook(world, forge)
    body = push(forge, hook.commit("a", "One\n\nContribution: 90", at=when(world)))
    assert [hook.send(body, delivery="d-1") for _turn in range(3)] == [202, 200, 200]
    treat_forges(datetime.now(UTC))
    assert hook.send(body, delivery="d-1") == 200
    # Under another name, as who caught it could send it again: noted already.
    assert hook.send(body, delivery="d-2") == 202
    treat_forges(datetime.now(UTC))
    (one,) = drafts()
    delete_draft(actor=world.users["bo"], contribution_id=one.pk)
    assert hook.send(body, delivery="d-3") == 202
    treat_forges(datetime.now(UTC))
    assert not drafts(), "a deleted draft does not come back"
    assert ForgeCommit.objects.get().outcome == "drafted"


def test_one_delivery_ten_times_at_once_makes_one_draft(committed: str, play: Play) -> None:
    world = play("make_house")
    hook = Hook(world)
    body = push("forgejo", hook.commit("a", "One\n\nContribution: 90", at=when(world)))

    def once(number: int) -> int:
        status = hook.send(body, delivery="same" if number % 2 else f"d-{number}")
        treat_forges(datetime.now(UTC) + timedelta(hours=1))
        return status

    answers = at_once(once, 10)
    assert sorted(answers) == [200] * 4 + [202] * 6
    for _turn in range(TRIES):
        treat_forges(datetime.now(UTC) + timedelta(days=1))
    assert (len(drafts()), ForgeCommit.objects.count(), ForgeDelivery.objects.count()) == (1, 1, 6)
    assert set(ForgeDelivery.objects.values_list("state", flat=True)) == {"treated"}


def test_two_secrets_are_good_while_one_is_changed(play: Play) -> None:
    world = play("make_house")
    hook, sacha = Hook(world), world.users["sacha"]
    row, fresh = renew_secret(actor=sacha, repository_id=hook.row.pk, now=world.now)
    assert fresh != hook.secret
    bodies = [push("forgejo", hook.commit(name, "x")) for name in "abc"]
    assert [hook.send(bodies[0]), hook.send(bodies[1], secret=fresh)] == [202, 202]
    assert secrets_of(row, world.now + BOTH_FOR) == [fresh]
    Repository.objects.update(former_until=world.now - timedelta(days=1))
    assert hook.send(bodies[2]) == 401
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret_sealed || former_sealed FROM contributions_repository")
        kept = cursor.fetchone()[0]
    assert fresh not in kept
    assert hook.secret not in kept


def test_a_disconnected_repository_tells_nothing(play: Play) -> None:
    world = play("make_house")
    hook, sacha = Hook(world), world.users["sacha"]
    body = push("forgejo", hook.commit("a", "Contribution: 90", at=when(world)))
    assert hook.send(body) == 202
    revoke_repository(actor=sacha, repository_id=hook.row.pk, now=world.now)
    treat_forges(datetime.now(UTC))
    assert ForgeDelivery.objects.get().fault == "revoked"
    assert hook.send(push("forgejo", hook.commit("b", "Contribution: 90"))) == 401
    assert not drafts()
    for act in (renew_secret, revoke_repository):
        with pytest.raises(Conflict) as refusal:
            act(actor=sacha, repository_id=hook.row.pk, now=world.now)
        assert refusal.value.code == "repository_revoked"
    again = Hook(world)
    assert again.row.pk != hook.row.pk
    assert again.tell(body).state == "treated"
    assert len(drafts()) == 1


def test_authors_whom_nobody_knows_are_counted_until_they_say_who_they_are(play: Play) -> None:
    world = play("make_house")
    hook, bo = Hook(world), world.users["bo"]
    body = push("forgejo", hook.commit("a", "One\n\nContribution: 90", email="Bo@Home.example", at=when(world)))
    row = hook.tell(body)
    assert (row.state, bytes(row.body)) == ("treated", body), "kept, to be read again"
    known = ForgeCommit.objects.get()
    assert (known.outcome, known.contribution, len(known.author_index)) == ("unknown", None, 64)
    assert not drafts()
    link_address(actor=bo, address="bo@home.EXAMPLE", now=world.now)
    treat_forges(datetime.now(UTC))
    (one,) = drafts()
    assert (one.contributor, one.minutes) == (bo, 90)
    row.refresh_from_db()
    known.refresh_from_db()
    assert (row.state, bytes(row.body), known.author_index) == ("treated", b"", "")
    assert look_again(actor=bo, now=world.now) == 0


def test_an_address_belongs_to_one_person(play: Play) -> None:
    world = play("make_house")
    bo, ana, now = world.users["bo"], world.users["ana"], world.now
    row = link_address(actor=bo, address="bo@home.example", now=now)
    assert link_address(actor=bo, address="Bo@home.example", now=now) == row
    for taken in ("bo@home.example", bo.email):
        with pytest.raises(Conflict) as refusal:
            link_address(actor=ana, address=taken, now=now)
        assert refusal.value.code == "commit_address_taken"
    with pytest.raises(Invalid):
        link_address(actor=bo, address="nobody", now=now)
    with pytest.raises(NotFound):
        unlink_address(actor=ana, link_id=row.pk, now=now)
    # Who confirms it by mail goes before who said that it was theirs.
    EmailAddress.objects.create(user=ana, email="Bo@Home.example", verified=True)
    assert deliveries.person_of(("bo@home.example",)) == ana
    for number in range(19):
        link_address(actor=bo, address=f"{number}@home.example", now=now)
    with pytest.raises(Conflict) as refusal:
        link_address(actor=bo, address="last@home.example", now=now)
    assert refusal.value.code == "commit_addresses_full"
    unlink_address(actor=bo, link_id=row.pk, now=now)
    assert ForgePerson.objects.filter(user=bo).count() == 19


def test_no_draft_is_made_of_who_may_not_declare_nor_in_a_closed_period(play: Play) -> None:
    world = play("make_house")
    hook, at = Hook(world), when(world)
    hook.tell(
        push(
            "forgejo", hook.commit("a", "Contribution: 90", email=world.users["ana"].email, at=at),
            hook.commit("b", "Contribution: 90", at="1999-01-01T00:00:00Z"),
            hook.commit("c", "Contribution: a while", at=at),
            hook.commit("d", "Contribution: 45", at="2199-01-01T00:00:00Z"),
        )
    )  # fmt: skip
    seen = list(ForgeCommit.objects.order_by("pk").values_list("outcome", "why"))
    assert seen == [("refused", "not_allowed"), ("refused", "day_outside_period"), ("unreadable", ""), ("drafted", "")]
    (one,) = drafts()
    assert (one.minutes, one.worked_on) == (45, world.today), "a clock that is ahead is brought back"


def test_events_of_another_repository_and_unreadable_ones_are_refused_with_their_reason(play: Play) -> None:
    world = play("make_house")
    hook = Hook(world)
    other = push("forgejo", hook.commit("a", "Contribution: 90")).replace(b"carto/libre", b"carto/other")
    faults = [hook.tell(body).fault for body in (other, b"payload=%7B%7D", b"no")]
    assert faults == ["other_repository", "form_encoded", "not_json"]
    assert set(ForgeDelivery.objects.values_list("state", flat=True)) == {"refused"}
    assert hook.tell(push("forgejo", hook.commit("b", "x")), event="test").state == "treated"
    assert not drafts()


def test_hostile_texts_are_kept_as_they_are_read(play: Play) -> None:
    world = play("make_house")
    hook, at = Hook(world), when(world)
    evil = "\u202e<script>alert(1)</script>\x00\ud800 =cmd|x\u200b"
    one = hook.commit("a", f"{evil}\n\nContribution: 90", at=at)
    long = hook.commit("b", "x" * 200_000 + "\n\nContribution: 90", at=at)
    blank = hook.commit("c", "\u200b\n\nContribution: 30", at=at) | {"url": "javascript:alert(1)"}
    hook.tell(push("forgejo", one, long, blank))
    made = drafts()
    assert [row.description for row in made] == ["<script>alert(1)</script> ? =cmd|x", sha("c")[:12]]
    assert made[1].evidence == [f"{HOMES['forgejo']}/commit/{sha('c')}"]


# --- rewritten branches -----------------------------------------------------------------------------------------------


@EACH
def test_commits_that_a_forced_push_takes_away_are_flagged(play: Play, forge: str) -> None:
    world = play("make_house")
    hook, at, bo = Hook(world, forge), when(world), world.users["bo"]
    hook.tell(push(forge, hook.commit("a", "A\n\nContribution: 10", at=at)))
    hook.tell(push(forge, hook.commit("b", "B\n\nContribution: 20", at=at), before="a"))
    hook.tell(push(forge, hook.commit("c", "C\n\nContribution: 30", at=at), before="b"))
    first, second, third = drafts()
    declare_draft(actor=bo, contribution_id=third.pk, now=world.now)
    row = hook.tell(push(forge, before="c", after="a"))
    assert row.rewritten
    gone = list(Contribution.objects.filter(source_gone_at__isnull=False).order_by("minutes"))
    assert gone == [second, third]
    told = Event.objects.filter(kind="contribution.source_gone").values_list("subject", flat=True)
    assert list(told) == [third.pk], "of a draft nobody else is told"
    # It comes back.
    hook.tell(push(forge, hook.commit("b", "B\n\nContribution: 20", at=at), before="a"))
    second.refresh_from_db()
    assert second.source_gone_at is None
    assert len(drafts()) == 3
    assert Contribution.objects.get(pk=first.pk).source_gone_at is None


@EACH
def test_a_rewritten_commit_keeps_its_one_draft(play: Play, forge: str) -> None:
    world = play("make_house")
    hook, at = Hook(world, forge), when(world)
    message = "B\n\nContribution: 20"
    hook.tell(push(forge, hook.commit("a", "A\n\nContribution: 10", at=at), hook.commit("b", message, at=at)))
    hook.tell(push(forge, hook.commit("x", "X\n\nContribution: 5", at=at), before="b"))
    row = hook.tell(push(forge, hook.commit("b2", message, at=at), before="x", **FORCED[forge]))
    assert row.rewritten
    assert [(one.minutes, one.source_gone_at is not None) for one in drafts()] == [(10, False), (20, False), (5, True)]
    kept = ForgeCommit.objects.get(sha=sha("b2"))
    assert kept.contribution == drafts()[1]
    assert ForgeCommit.objects.get(sha=sha("b")).gone_at is not None


def test_a_commit_written_again_with_another_time_is_found_where_the_forge_says_forced(play: Play) -> None:
    world = play("make_house")
    hook, at = Hook(world, "github"), when(world)
    later = (world.now - timedelta(minutes=5)).isoformat()
    hook.tell(push("github", hook.commit("b", "B\n\nContribution: 20", at=at)))
    again = push("github", hook.commit("b2", "B\n\nContribution: 20", at=later), before="b", forced=True)
    assert hook.tell(again).rewritten
    (one,) = drafts()
    assert one.source_gone_at is None


def test_the_same_words_at_another_time_are_other_work(play: Play) -> None:
    world = play("make_house")
    hook = Hook(world)
    hook.tell(push("forgejo", hook.commit("a", "Fix\n\nContribution: 20", at=when(world))))
    earlier = (world.now - timedelta(minutes=5)).isoformat()
    row = hook.tell(push("forgejo", hook.commit("b", "Fix\n\nContribution: 20", at=earlier), before="a"))
    assert not row.rewritten
    assert len(drafts()) == 2


def test_the_same_words_of_the_same_time_are_other_work_where_the_forge_says_that_the_branch_goes_on(
    play: Play,
) -> None:
    world = play("make_house")
    at = when(world)
    for forge, count, did in (("github", 2, {"drafted": 1}), ("forgejo", 1, {"known": 1, "alike": 1})):
        Contribution.objects.all().delete()
        hook = Hook(world, forge)
        hook.tell(push(forge, hook.commit("a", "Fix\n\nContribution: 20", at=at)))
        row = hook.tell(push(forge, hook.commit("b", "Fix\n\nContribution: 20", at=at), before="a"))
        assert (len(drafts()), row.did, row.rewritten) == (count, did, forge == "forgejo")


# --- what is told already, and what is told of a delivery -------------------------------------------------------------


def declared(world: Any, *, name: str = "bo", **facts: Any) -> Contribution:
    """Work that somebody declared by hand or from the command line."""
    told = {"minutes": 90, "kind": "development", "description": "By hand", "worked_on": world.today} | facts
    return declare(
        actor=world.users[name], budget=world.budget, form_key=f"by-hand-{Contribution.objects.count()}", now=world.now,
        **told,
    )  # fmt: skip


@EACH
def test_a_commit_that_was_declared_makes_no_draft(play: Play, forge: str) -> None:
    world = play("make_house")
    hook, at = Hook(world, forge), when(world)
    page = hook.row.adapter.commit_url(HOMES[forge], sha("b")[:10])
    first = declared(world, metadata={"commit": sha("a"), "repository": HOMES[forge], "part": "0"}, minutes=95)
    second = declared(world, evidence=[page])
    withdraw(actor=world.users["bo"], contribution_id=second.pk, now=world.now)
    other = declared(world, name="sacha", metadata={"commit": sha("c")})
    row = hook.tell(
        push(
            forge, hook.commit("a", "A\n\nContribution: 1h30\nContribution: 20 review", at=at),
            hook.commit("b", "B\n\nContribution: 1h30", at=at), hook.commit("c", "C\n\nContribution: 5", at=at),
        )
    )  # fmt: skip
    made = [one for one in drafts() if one.state == "draft"]
    assert sorted((one.minutes, one.description) for one in made) == [(5, "C"), (20, "A")], "another line, other people"
    assert row.did == {"drafted": 2, "declared": 2}
    known = ForgeCommit.objects.filter(outcome="declared").order_by("pk")
    assert [one.contribution for one in known] == [first, second]
    assert Contribution.objects.get(pk=other.pk).commits.count() == 0
    assert [one.metadata for one in made] == [
        {"commit": one.commits.get().sha, "part": str(one.commits.get().part), "repository": HOMES[forge]}
        for one in made
    ]


def test_a_mirror_tells_of_the_same_commit(play: Play) -> None:
    world = play("make_house")
    for forge in FORGES:
        hook = Hook(world, forge)
        row = hook.tell(push(forge, hook.commit("a", "A\n\nContribution: 1h30", at=when(world))))
        assert (len(drafts()), row.did) == (1, {"drafted": 1} if forge == FORGES[0] else {"known": 1})


def test_a_draft_of_a_commit_that_was_declared_meanwhile_is_not_declared(play: Play) -> None:
    world = play("make_house")
    hook, bo = Hook(world), world.users["bo"]
    hook.tell(push("forgejo", hook.commit("a", "A\n\nContribution: 1h30", at=when(world))))
    (one,) = drafts()
    twin = declared(world, metadata={"commit": sha("a")})
    with pytest.raises(Conflict) as refusal:
        declare_draft(actor=bo, contribution_id=one.pk, now=world.now)
    assert refusal.value.code == "commit_declared"
    one.refresh_from_db()
    assert one.state == "draft"
    withdraw(actor=bo, contribution_id=twin.pk, now=world.now)
    assert declare_draft(actor=bo, contribution_id=one.pk, now=world.now).state == "declared"


def test_an_unknown_kind_is_told_and_chosen_before_the_draft_is_declared(play: Play) -> None:
    world = play("make_house")
    hook, bo = Hook(world), world.users["bo"]
    row = hook.tell(push("forgejo", hook.commit("a", "A\n\nContribution: 1h30 juggling", at=when(world))))
    (one,) = drafts()
    assert (row.did, one.commits.get().kind_said) == ({"drafted": 1}, "juggling")
    with pytest.raises(Invalid) as refusal:
        declare_draft(actor=bo, contribution_id=one.pk, now=world.now)
    assert (refusal.value.code, refusal.value.param) == ("kind_to_choose", "kind")
    assert "juggling" in str(refusal.value)
    assert Contribution.objects.get().state == "draft"
    amend(actor=bo, contribution_id=one.pk, changes={"description": "Better"}, now=world.now)
    with pytest.raises(Invalid):
        declare_draft(actor=bo, contribution_id=one.pk, now=world.now)
    amend(actor=bo, contribution_id=one.pk, changes={"kind": one.kind}, now=world.now)
    assert declare_draft(actor=bo, contribution_id=one.pk, now=world.now).state == "declared"


@EACH
def test_a_delivery_says_why_it_did_nothing(play: Play, forge: str) -> None:
    world = play("make_house")
    hook, at = Hook(world, forge), when(world)
    work = hook.commit("a", "A\n\nContribution: 1h30", at=at)
    closed = {"action": "close"} if forge == "gitlab" else {"merged": False}
    for body, event, why in (
        (push(forge, work, branch="feature"), "push", "other_branch"), (push(forge, work), "test", "other_event"),
        (merged(forge, "Contribution: 1h", **closed), "merge", "not_merged"),
    ):  # fmt: skip
        row = hook.tell(body, event=event)
        assert (row.state, row.nothing, row.did) == ("treated", why, {})
    plain = hook.tell(push(forge, hook.commit("b", "B", at=at), hook.commit("c", "Merge branch 'x'", at=at)))
    assert (plain.nothing, plain.did) == ("", {"plain": 1, "merges": 1})
    assert not drafts()
    assert hook.tell(push(forge, work)).did == {"drafted": 1}
    assert hook.tell(push(forge, work)).did == {"known": 1}


def test_drafts_of_one_person_and_day_are_so_many_until_they_decide(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MOST_UNDECIDED", 3)
    world = play("make_house")
    hook, bo, at = Hook(world), world.users["bo"], when(world)
    rows = [hook.commit(str(n), f"Work {n}\n\nContribution: 5", at=at) for n in range(5)]
    row = hook.tell(push("forgejo", *rows))
    assert (len(drafts()), row.did) == (3, {"drafted": 3, "refused": 2})
    assert set(ForgeCommit.objects.exclude(why="").values_list("why", flat=True)) == {"drafts_full"}
    for one in drafts()[:2]:
        delete_draft(actor=bo, contribution_id=one.pk)
    assert look_again(actor=bo, now=world.now) == 1
    treat_forges(datetime.now(UTC) + timedelta(minutes=1))
    assert len(drafts()) == 3
    assert ForgeDelivery.objects.get().did == {"drafted": 5}


def test_refused_signatures_are_counted_and_no_stranger_learns_what_is_connected(play: Play) -> None:
    world = play("make_house")
    hook = Hook(world)
    body = push("forgejo", hook.commit("a", "Contribution: 90", at=when(world)))
    answers = [
        Client().post(
            f"/hooks/forges/{name}/", body, content_type="application/json", headers={"Accept-Language": "fr"}
        )
        for name in (hook.row.pk, "rpo_none", hook.row.pk)
    ]
    assert {(one.status_code, one.headers["Content-Type"]) for one in answers} == {(401, "application/problem+json")}
    assert len({one.content for one in answers}) == 1
    told = answers[0].json()
    assert (told["code"], told["status"]) == ("delivery_unsigned", 401)
    assert told["type"].endswith("/problems/delivery_unsigned")
    assert told["detail"]
    hook.row.refresh_from_db()
    assert hook.row.unsigned == 2
    assert hook.row.unsigned_at is not None
    assert (ForgeDelivery.objects.count(), Repository.objects.count()) == (0, 1)
    assert hook.send(body) == 202
    hook.row.refresh_from_db()
    assert hook.row.unsigned == 2
    monkey = Client().post(f"/hooks/forges/{hook.row.pk}/", body, content_type="application/json").json()
    assert monkey["title"] == "The delivery is not signed, or wrongly", "in English unless told"


# --- who may, faults, and what is forgotten ---------------------------------------------------------------------------


def test_stewards_alone_connect_and_each_repository_once(play: Play) -> None:
    world = play("make_house")
    facts: dict[str, Any] = {
        "budget_id": world.budget.pk, "forge": "forgejo", "address": HOMES["forgejo"], "now": world.now,
    }  # fmt: skip
    for name in ("bo", "ana", "claire"):
        with pytest.raises(Forbidden):
            connect_repository(actor=world.users[name], **facts)
    sacha: User = world.users["sacha"]
    for wrong, param in (
        ({"forge": "svn"}, "forge"), ({"address": "codeberg.org/a/b"}, "address"),
        ({"address": "https://x.org"}, "address"), ({"address": "http://x.org/a/b"}, "address"),
        ({"address": "ftp://x.org/a/b"}, "address"), ({"address": "https://u:p@x.org/a/b"}, "address"),
        ({"address": "https://x.org/a/b?c"}, "address"), ({"address": "https://x.org/a/\u202eb"}, "address"),
        ({"address": "https://x.org:port/a/b"}, "address"), ({"address": "https://x.org/a b/c"}, "address"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refusal:
            connect_repository(actor=sacha, **{**facts, **wrong})
        assert refusal.value.param == param, wrong
    assert not Repository.objects.exists()
    row, _secret = connect_repository(actor=sacha, **facts)
    with pytest.raises(Conflict) as again:
        connect_repository(actor=sacha, **{**facts, "address": HOMES["forgejo"] + ".git"})
    assert again.value.code == "repository_known"
    for act in (renew_secret, revoke_repository):
        with pytest.raises(NotFound):
            act(actor=world.users["bo"], repository_id=row.pk, now=world.now)
    assert list(Repository.visible_to(sacha)) == [row]
    assert not Repository.visible_to(world.users["claire"]).exists()


def test_a_delivery_that_cannot_be_treated_is_tried_again_then_refused(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_house")
    hook = Hook(world)
    assert hook.send(push("forgejo", hook.commit("a", "Contribution: 90", at=when(world)))) == 202
    whole = deliveries._note

    def broken(*_facts: Any) -> None:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr(deliveries, "_note", broken)
    now = datetime.now(UTC)
    assert treat_forges(now) == 0
    row = ForgeDelivery.objects.get()
    assert (row.state, row.attempts, row.next_try_at > now) == ("new", 1, True)
    assert treat_forges(now) == 0
    assert ForgeDelivery.objects.get().attempts == 1, "not before its time"
    for turn in range(1, TRIES):
        treat_forges(now + timedelta(hours=turn))
    row.refresh_from_db()
    assert (row.state, row.fault, bytes(row.body)) == ("refused", "unexpected", b"")
    monkeypatch.setattr(deliveries, "_note", whole)
    assert not drafts()


def test_what_forges_told_is_forgotten_after_ninety_days(play: Play) -> None:
    world = play("make_house")
    hook = Hook(world)
    row = hook.tell(push("forgejo", hook.commit("a", "Contribution: 90", email="x@y.example", at=when(world))))
    assert apply_now(row.received_at + KEPT - timedelta(minutes=1)).get("deliveries") is None
    assert apply_now(row.received_at + KEPT + timedelta(minutes=1))["deliveries"] == 1
    assert ForgeCommit.objects.get().delivery is None


def test_who_is_forgotten_is_forgotten_here(play: Play) -> None:
    world = play("make_house")
    hook, bo = Hook(world), world.users["bo"]
    hook.tell(
        push(
            "forgejo", hook.commit("a", "Contribution: 90", email="stranger@y.example", at=when(world)),
            hook.commit("b", "No trailer", email="Bo@Home.example"),
        )
    )  # fmt: skip
    link_address(actor=bo, address="bo@home.example", now=world.now)
    treat_forges(datetime.now(UTC))
    assert b"bo@home.example" in bytes(ForgeDelivery.objects.get().body).lower()
    erase(bo, world.now)
    assert not ForgePerson.objects.exists()
    assert bytes(ForgeDelivery.objects.get().body) == b""


ODD: list[dict[str, Any]] = [
    {"at": "9999-12-31T23:59:59Z"}, {"at": "0001-01-01T00:00:00+14:00"}, {"email": "bo\0@example.org"},
]  # fmt: skip


@EACH
@pytest.mark.parametrize("odd", ODD, ids=["last day", "first day", "NUL"])
def test_one_odd_commit_does_not_hold_up_the_others(play: Play, forge: str, odd: dict[str, Any]) -> None:
    world = play("make_house")
    hook = Hook(world, forge)
    row = hook.tell(
        push(
            forge, hook.commit("a", "One\n\nContribution: 90", at=when(world)),
            hook.commit("b", "Two\n\nContribution: 30", **odd),
        )
    )  # fmt: skip
    assert (row.state, row.attempts) == ("treated", 0)
    assert "One" in [one.description for one in drafts()]
    assert all(one.worked_on <= world.today for one in drafts())


@pytest.mark.parametrize(("forge", "name"), [("forgejo", "total_commits"), ("gitlab", "total_commits_count")])
def test_a_count_that_no_column_holds_is_cut(play: Play, forge: str, name: str) -> None:
    world = play("make_house")
    hook = Hook(world, forge)
    for number, count in enumerate((10**30, 2**40, -(2**40), 2**31 - 1)):
        told = hook.commit(f"c{number}", f"One {number}\n\nContribution: 90", at=when(world))
        row = hook.tell(push(forge, told, **{name: count}))
        assert (row.state, row.attempts, 0 <= row.left_out < 2**31) == ("treated", 0, True)
    assert len(drafts()) == 4


def test_a_delivery_makes_so_many_drafts_and_says_what_it_left_out(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_NOTED", 5)
    world = play("make_house")
    hook = Hook(world)
    text = "Much\n\n" + "Contribution: 5\n" * 4
    row = hook.tell(push("forgejo", *(hook.commit(name, text, at=when(world)) for name in ("a", "b", "c"))))
    assert (row.state, len(drafts()), row.left_out) == ("treated", 5, 7)


@pytest.mark.parametrize("name", ["%00", "rpo_%00", "a b", "%ED%A0%80"])
def test_no_address_of_the_door_breaks_it(play: Play, name: str) -> None:
    play("make_house")
    assert Client().post(f"/hooks/forges/{name}/", b"{}", content_type="application/json").status_code == 404
