"""What an account still sends at the moment it is merged is refused by name; what it imported goes over whole."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.contributions.corrections import add_to
from backend.contributions.importing import undo_import
from backend.contributions.models import Contribution, Import
from backend.contributions.own import amend, declare_draft, declare_many, delete_draft, draft, waive
from backend.contributions.peers import answer_question, ask_question, decide_objection, object_to
from backend.contributions.repositories import link_address
from backend.contributions.rounds import answer_round, open_round
from backend.contributions.services import review, withdraw
from backend.core.errors import DomainError
from backend.events.models import Event
from backend.identity.merges import ask_merge, merge_token
from backend.identity.models import User
from backend.identity.services import grant_role
from backend.operations import demo
from backend.privacy.merging import confirm_merge
from tests.contributions.peers import Play, again, by_consent, say
from tests.contributions.test_importing import brought, rows, states
from tests.contributions.test_own import item
from tests.privacy.test_merging import DAY, other_account

Late = Callable[[Any, User, Any], Any]


def ended(world: Any, two: User) -> User:
    """Merged into Bo; the object that a request had read is as it was before."""
    stale = User.objects.get(pk=two.pk)
    token = merge_token(ask_merge(actor=world.users["bo"], address=two.email, now=world.now))
    assert confirm_merge(actor=two, token=token, now=world.now).state == "merged"
    assert stale.is_active
    return stale


OWN: dict[str, Late] = {
    "amend": lambda w, two, one: amend(actor=two, contribution_id=one.pk, changes={"minutes": 5}, now=w.now),
    "withdraw": lambda w, two, one: withdraw(actor=two, contribution_id=one.pk, now=w.now),
    "waive": lambda w, two, one: waive(actor=two, contribution_id=one.pk, now=w.now),
    "declare": lambda w, two, one: say(w, actor=two, form_key="late"),
    "declare the draft": lambda w, two, one: declare_draft(actor=two, contribution_id=drafts().pk, now=w.now),
    "delete the draft": lambda w, two, one: delete_draft(actor=two, contribution_id=drafts().pk),
    "batch": lambda w, two, one: declare_many(
        actor=two, items=[item(w), item(w, description="y")], form_key="late", now=w.now, budget_of=lambda _: w.budget
    ),
    "import": lambda w, two, one: brought(w, rows(w, description="Late"), who="two", form_key="l", sha256="c" * 64),
    "answer": lambda w, two, one: answer_question(
        actor=two, question_id=one.questions.get().pk, text="So", now=w.now
    ),
    "link": lambda w, two, one: link_address(actor=two, address="two@forge.example.net", now=w.now),
}  # fmt: skip


def drafts() -> Contribution:
    """The one draft."""
    return Contribution.objects.get(state="draft")


def everything() -> list[Any]:
    """What acts of work change."""
    return [list(Contribution.objects.order_by("pk").values()), Event.objects.count(), Import.objects.count()]


@pytest.mark.parametrize("late", OWN)
def test_what_an_account_sends_while_it_is_merged_is_refused_by_name(play: Play, late: str) -> None:
    world = play("make_house")
    two = world.users["two"] = other_account(world)
    one = say(world, actor=two)
    ask_question(actor=world.users["sacha"], contribution_id=one.pk, text="Why?", now=world.now)
    draft(
        contributor=two, budget=world.budget, source="rpo_1", form_key="d", now=world.now,
        facts={"worked_on": world.today, "description": "Draft", "minutes": 5},
    )  # fmt: skip
    stale = world.users["two"] = ended(world, two)
    before = everything()
    with pytest.raises(DomainError):
        OWN[late](world, stale, one)
    assert everything() == before


PEER: dict[str, Late] = {
    "ask": lambda w, two, one: ask_question(actor=two, contribution_id=one.pk, text="Why?", now=w.now),
    "object": lambda w, two, one: object_to(actor=two, contribution_id=one.pk, reason="Twice", now=w.now),
    "decide": lambda w, two, one: decide_objection(
        actor=two, objection_id=one.objections.get().pk, upholds=False, reason="No", now=w.now
    ),
    "review": lambda w, two, one: review(actor=two, contribution_id=one.pk, verdict="approve", now=w.now),
}  # fmt: skip


@pytest.mark.parametrize("late", PEER)
def test_what_a_peer_says_while_their_account_is_merged_is_refused_by_name(play: Play, late: str) -> None:
    world = play("make_house")
    two = other_account(world)
    grant_role(user=two, kind="steward", scope=world.budget.pk, granted_by=None, now=world.now)
    demo.give_factor(two)
    one = by_consent(world) if late == "decide" else say(world)
    if late == "decide":
        object_to(actor=world.users["camille"], contribution_id=one.pk, reason="Twice", now=world.now)
    stale = ended(world, two)
    before = everything()
    with pytest.raises(DomainError):
        PEER[late](world, stale, one)
    assert everything() == before


def test_what_was_forgotten_in_shared_work_is_declared_by_an_account_that_stands(play: Play) -> None:
    world = play("approve_distribution")
    one = world.contributions[0]
    User.objects.filter(pk=one.contributor_id).update(is_active=False, merged_into=world.users["camille"])
    with pytest.raises(DomainError) as refusal:
        add_to(
            actor=world.users["bo"], contribution_id=one.pk, minutes=5, amount=0, reason="More", form_key="late",
            now=world.now,
        )  # fmt: skip
    assert refusal.value.code in {"account_merged", "not_allowed"}
    assert not Contribution.objects.filter(corrects=one).exists()


def test_an_import_is_undone_by_the_account_that_stays(play: Play) -> None:
    world = play("make_house")
    two = world.users["two"] = other_account(world)
    row = brought(world, who="two")
    ended(world, two)
    assert undo_import(actor=world.users["bo"], import_id=row.pk, now=world.now).undone_at == world.now
    assert states(row) == ["withdrawn"] * 3


def test_the_same_file_imported_by_both_accounts_does_not_stop_a_merge(play: Play) -> None:
    world = play("make_house")
    two = world.users["two"] = other_account(world)
    mine, other = brought(world), brought(world, who="two")
    ended(world, two)
    for row in (mine, other):
        undo_import(actor=world.users["bo"], import_id=row.pk, now=world.now)
        assert states(row) == ["withdrawn"] * 3


def test_an_account_that_ended_answers_no_round_any_more(play: Play) -> None:
    world = play("make_house")
    two = other_account(world)
    say(world, actor=two)
    opened = open_round(
        actor=world.users["sacha"], budget=world.budget, first_day=world.today - DAY, last_day=world.today,
        answer_by=world.today + 7 * DAY, form_key="r", now=world.now,
    )  # fmt: skip
    answer = opened.answers.get(person=two)
    stale = ended(world, two)
    with pytest.raises(DomainError):
        answer_round(actor=stale, answer_id=answer.pk, state="complete", listed="", now=world.now)
    answer.refresh_from_db()
    assert answer.state == ""
    assert again(Contribution.objects.get()).contributor == world.users["bo"]
