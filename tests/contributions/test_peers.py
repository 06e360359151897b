"""Questions, objections and consent: the clock waits, nobody decides of their own, each end is written once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction

from backend.commons.models import Period
from backend.contributions.models import Objection, Opinion, Question
from backend.contributions.own import amend
from backend.contributions.peers import (
    accept_due,
    answer_question,
    ask_question,
    decide_objection,
    lift_objection,
    object_to,
)
from backend.contributions.services import review, withdraw
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.services import close_period
from backend.events.models import Event
from backend.identity.services import grant_role
from tests.concurrency import at_once
from tests.contributions.peers import CONSENT, Play, again, by_consent, days, say, under
from tests.rights.world import person


def steward(world: Any) -> Any:
    """One more steward of the pot."""
    user = person("ada", "Ada Byron", strong=True)
    grant_role(user=user, kind="steward", scope=world.budget.pk, granted_by=None, now=world.now)
    return user


def test_a_question_waits_for_its_answer(play: Play) -> None:
    world = play("make_house")
    row, sacha, bo = say(world), world.users["sacha"], world.users["bo"]
    asked = ask_question(actor=sacha, contribution_id=row.pk, text=" Why? ", now=world.now)
    assert (again(row).state, asked.text) == ("questioned", "Why?")
    with pytest.raises(Conflict, match="questioned"):
        review(actor=sacha, contribution_id=row.pk, verdict="approve", now=world.now)
    with pytest.raises(NotFound):
        answer_question(actor=sacha, question_id=asked.pk, text="me", now=world.now)
    answer_question(actor=bo, question_id=asked.pk, text="Because", now=world.now)
    assert again(row).state == "declared"
    with pytest.raises(Conflict, match="answered already"):
        answer_question(actor=bo, question_id=asked.pk, text="Again", now=world.now)
    review(actor=sacha, contribution_id=row.pk, verdict="approve", now=world.now)
    assert again(row).state == "validated"
    assert list(Event.objects.filter(subject=row.pk).order_by("pk").values_list("kind", flat=True)) == [
        "contribution.declared", "contribution.questioned", "contribution.answered", "contribution.validated",
    ]  # fmt: skip


def test_a_questioned_request_can_be_rejected_and_what_was_open_falls(play: Play) -> None:
    world = play("make_house")
    row, sacha, camille = say(world), world.users["sacha"], world.users["camille"]
    ask_question(actor=sacha, contribution_id=row.pk, text="Why?", now=world.now)
    object_to(actor=camille, contribution_id=row.pk, reason="Twice", now=world.now)
    review(actor=sacha, contribution_id=row.pk, verdict="reject", reason="Never answered", now=world.now)
    assert again(row).state == "rejected"
    assert Objection.objects.get().state == "lapsed"
    assert Question.objects.get().closed_at == world.now


@pytest.mark.parametrize(
    ("who", "text", "kind", "code"),
    [
        ("bo", "Why?", Forbidden, "own_contribution"), ("ana", "Why?", NotFound, "contribution_not_found"),
        ("claire", "Why?", Forbidden, "not_allowed"), ("sacha", "  ", Invalid, "said_length"),
        ("sacha", "x" * 1001, Invalid, "said_length"), ("sacha", "\u202e", Invalid, "said_length"),
    ],
)  # fmt: skip
def test_who_may_not_ask_or_object_changes_nothing(
    play: Play, who: str, text: str, kind: type[DomainError], code: str
) -> None:
    world = play("make_house")
    row, actor = say(world), world.users[who]
    for act, field in ((ask_question, "text"), (object_to, "reason")):
        with pytest.raises(kind) as refusal:
            act(actor=actor, contribution_id=row.pk, now=world.now, **{field: text})
        assert refusal.value.code == code
    assert (Question.objects.count(), Objection.objects.count(), again(row).state) == (0, 0, "declared")


def test_without_objection_a_request_is_validated_after_the_days_of_the_charter(play: Play) -> None:
    world = play("make_house")
    row = by_consent(world)
    assert again(row).accepted_at == world.now + days(7)
    with pytest.raises(Conflict) as refusal:
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    assert refusal.value.code == "validated_by_consent"
    assert accept_due(world.now + days(7) - timedelta(microseconds=1)) == 0
    assert accept_due(world.now + days(9)) == 1
    after = again(row)
    assert (after.state, after.validated_at, after.accepted_at) == ("validated", world.now + days(7), None)
    assert accept_due(world.now + days(9)) == 0
    told = Event.objects.get(subject=row.pk, kind="contribution.validated")
    assert told.actor is None


def test_an_objection_at_the_last_second_counts_and_one_after_it_does_not(play: Play) -> None:
    world = play("make_house")
    row, sacha = by_consent(world), world.users["sacha"]
    late = world.now + days(7)
    with pytest.raises(Conflict) as refusal:  # the sweep has not come by, and it is too late all the same
        object_to(actor=sacha, contribution_id=row.pk, reason="Twice", now=late)
    assert refusal.value.code == "consent_given"
    with pytest.raises(Conflict):
        amend(actor=world.users["bo"], contribution_id=row.pk, changes={"minutes": 30}, now=late)
    object_to(actor=sacha, contribution_id=row.pk, reason="Twice", now=late - timedelta(seconds=1))
    held = again(row)
    assert (held.state, held.accepted_at, held.seconds_left) == ("questioned", None, 1)
    assert accept_due(late + days(30)) == 0


def test_an_objection_stops_the_clock_and_it_goes_on_where_it_stood(play: Play) -> None:
    world = play("make_house")
    row, sacha = by_consent(world), world.users["sacha"]
    raised = object_to(actor=sacha, contribution_id=row.pk, reason="Twice", now=world.now + days(2))
    with pytest.raises(Forbidden) as refusal:
        lift_objection(actor=world.users["camille"], objection_id=raised.pk, now=world.now + days(3))
    assert refusal.value.code == "objection_of_another"
    asked = ask_question(actor=world.users["camille"], contribution_id=row.pk, text="?", now=world.now + days(3))
    lift_objection(actor=sacha, objection_id=raised.pk, now=world.now + days(10))
    assert again(row).state == "questioned"  # the question is open still
    answer_question(actor=world.users["bo"], question_id=asked.pk, text="So", now=world.now + days(12))
    assert again(row).accepted_at == world.now + days(17)
    with pytest.raises(Conflict):
        lift_objection(actor=sacha, objection_id=raised.pk, now=world.now + days(12))


def test_an_amendment_ends_what_is_open_and_starts_the_clock_again(play: Play) -> None:
    world = play("make_house")
    row, sacha, bo = by_consent(world), world.users["sacha"], world.users["bo"]
    object_to(actor=sacha, contribution_id=row.pk, reason="Twice", now=world.now + days(2))
    amend(actor=bo, contribution_id=row.pk, changes={"minutes": 60}, now=world.now + days(5))
    after = again(row)
    assert (after.state, after.version, after.accepted_at) == ("declared", 2, world.now + days(12))
    assert Objection.objects.get().state == "amended"
    object_to(actor=sacha, contribution_id=row.pk, reason="Still", now=world.now + days(6), version=2)
    with pytest.raises(Conflict) as refusal:
        ask_question(actor=world.users["camille"], contribution_id=row.pk, text="?", now=world.now + days(6), version=1)
    assert refusal.value.code == "contribution_amended"


def test_uninvolved_stewards_set_an_objection_aside(play: Play) -> None:
    world = play("make_house")
    row, sacha, camille = by_consent(world, objections={"settled_by": 2}), world.users["sacha"], world.users["camille"]
    second = steward(world)
    raised = object_to(actor=camille, contribution_id=row.pk, reason="Twice", now=world.now + days(1))
    with pytest.raises(Forbidden):  # no steward
        decide_objection(actor=camille, objection_id=raised.pk, upholds=False, reason="x", now=world.now)
    with pytest.raises(Invalid):
        decide_objection(actor=sacha, objection_id=raised.pk, upholds=False, reason=" ", now=world.now)
    decide_objection(actor=sacha, objection_id=raised.pk, upholds=False, reason="Not so", now=world.now + days(2))
    assert (again(row).state, Objection.objects.get().state) == ("questioned", "open")
    with pytest.raises(Conflict) as refusal:
        decide_objection(actor=sacha, objection_id=raised.pk, upholds=False, reason="Not so", now=world.now)
    assert refusal.value.code == "already_decided"
    decide_objection(actor=second, objection_id=raised.pk, upholds=False, reason="Agreed", now=world.now + days(3))
    assert (again(row).state, Objection.objects.get().state) == ("declared", "overruled")
    assert again(row).accepted_at == world.now + days(9)


def test_stewards_who_do_not_agree_decide_nothing(play: Play) -> None:
    world = play("make_house")
    row, sacha, second = by_consent(world, objections={"settled_by": 2}), world.users["sacha"], steward(world)
    raised = object_to(actor=world.users["camille"], contribution_id=row.pk, reason="Twice", now=world.now)
    decide_objection(actor=sacha, objection_id=raised.pk, upholds=False, reason="Not so", now=world.now)
    decide_objection(actor=second, objection_id=raised.pk, upholds=True, reason="It is", now=world.now)
    assert (again(row).state, Objection.objects.get().state) == ("questioned", "open")


def test_who_objects_does_not_reject_alone(play: Play) -> None:
    world = play("work")
    row = say(world)
    sacha = world.users["sacha"]
    raised = object_to(actor=sacha, contribution_id=row.pk, reason="Twice the same", now=world.now)
    with pytest.raises(Conflict) as refusal:
        review(actor=sacha, contribution_id=row.pk, verdict="reject", reason="I say so", now=world.now)
    assert (refusal.value.code, again(row).state, Objection.objects.get().state) == (
        "own_objection_open", "questioned", "open",
    )  # fmt: skip
    lift_objection(actor=sacha, objection_id=raised.pk, now=world.now)
    review(actor=sacha, contribution_id=row.pk, verdict="reject", reason="Never done", now=world.now)
    assert again(row).state == "rejected"


def test_an_objection_that_is_upheld_rejects_the_request(play: Play) -> None:
    world = play("make_house")
    row = by_consent(world)
    raised = object_to(actor=world.users["camille"], contribution_id=row.pk, reason="Twice", now=world.now)
    decide_objection(actor=world.users["sacha"], objection_id=raised.pk, upholds=True, reason="It is", now=world.now)
    assert (again(row).state, again(row).seconds_left, Objection.objects.get().state) == ("rejected", None, "upheld")
    assert Event.objects.get(subject=row.pk, kind="contribution.rejected").why == "It is"


def test_who_objected_does_not_decide(play: Play) -> None:
    world = play("make_house")
    row, sacha = by_consent(world), world.users["sacha"]
    raised = object_to(actor=sacha, contribution_id=row.pk, reason="Twice", now=world.now)
    with pytest.raises(Forbidden) as refusal:
        decide_objection(actor=sacha, objection_id=raised.pk, upholds=True, reason="I said so", now=world.now)
    assert refusal.value.code == "objection_involved"
    assert Opinion.objects.count() == 0


def test_closing_validates_what_is_due_and_carries_what_is_held(play: Play) -> None:
    world = play("receive")
    under(world, **CONSENT)
    due, held, running = say(world), say(world, form_key="h"), say(world, form_key="r", now=world.now + days(5))
    object_to(actor=world.users["sacha"], contribution_id=held.pk, reason="Twice", now=world.now)
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now + days(8))
    assert (again(due).state, again(due).period) == ("included", world.period)
    assert again(held).state == "questioned"
    assert again(held).period == again(running).period != world.period
    assert (again(running).state, again(running).accepted_at) == ("declared", world.now + days(12))


def test_a_clock_follows_the_charter_of_the_period_it_goes_to(play: Play) -> None:
    world = play("receive")
    carried, asked = say(world), say(world, form_key="a")
    ask_question(actor=world.users["sacha"], contribution_id=asked.pk, text="?", now=world.now)
    before = world.period.charter
    under(world, **CONSENT)  # the version that the next period opens with
    Period.objects.filter(pk=world.period.pk).update(charter=before)
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now + days(1))
    assert again(carried).period.charter.consent_days == 7
    assert (again(carried).accepted_at, again(asked).seconds_left) == (world.now + days(8), 7 * 86400)


def test_a_clock_ends_with_the_charter_that_had_it(play: Play) -> None:
    world = play("receive")
    before = world.period.charter
    row = by_consent(world)
    charter = Period.objects.get(pk=world.period.pk).charter
    under(world, review=before.document["review"])
    Period.objects.filter(pk=world.period.pk).update(charter=charter)
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now + days(1))
    assert (again(row).accepted_at, again(row).period.charter.approvals) == (None, 1)
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now + days(9))
    assert (accept_due(world.now + days(20)), again(row).state) == (0, "validated")


def test_consent_and_objections_at_once_end_one_way(committed: str, play: Play) -> None:
    world = play("make_house")
    row = by_consent(world)
    last = world.now + days(7) - timedelta(seconds=1)

    def act(number: int) -> Any:
        if number % 2:
            return object_to(actor=world.users["sacha"], contribution_id=row.pk, reason="Twice", now=last).state
        return accept_due(last + timedelta(seconds=1))

    results = at_once(act, 8)
    after = again(row)
    if after.state == "validated":
        assert Objection.objects.count() == 0
        assert results.count(1) == 1
    else:
        assert (after.state, Objection.objects.count(), sum(one == 1 for one in results)) == ("questioned", 1, 0)
        assert results.count("open") == 1


def test_two_stewards_decide_at_once(committed: str, play: Play) -> None:
    world = play("make_house")
    row, second = by_consent(world), steward(world)
    raised = object_to(actor=world.users["camille"], contribution_id=row.pk, reason="Twice", now=world.now)
    people = [world.users["sacha"], second]
    results = at_once(
        lambda number: (
            decide_objection(
                actor=people[number % 2], objection_id=raised.pk, upholds=bool(number % 2), reason="x", now=world.now
            ).state
        ),
        4,
    )
    ended = Objection.objects.get().state
    assert sorted(results) == sorted([ended, *["objection_ended"] * 3])
    assert again(row).state == {"upheld": "rejected", "overruled": "declared"}[ended]


WORK = "UPDATE contributions_contribution SET"
FORGED = {
    "a question about one's own": "UPDATE contributions_question SET asker_id = contributor_id",
    "an objection to one's own": "UPDATE contributions_objection SET objector_id = contributor_id",
    "a reason rewritten": "UPDATE contributions_objection SET reason = 'kind words'",
    "a question rewritten": "UPDATE contributions_question SET text = 'kind words'",
    "an end undone": "UPDATE contributions_objection SET state = 'open', ended_at = NULL",
    "an objection removed": "DELETE FROM contributions_objection",
    "an answer rewritten": "UPDATE contributions_question SET answer = 'other'",
    "validated before its time": f"{WORK} state = 'validated', validated_at = now(), accepted_at = NULL",
    "back from rejected": f"{WORK} state = 'rejected', accepted_at = NULL; {WORK} state = 'declared'",
    "more minutes without a version": f"{WORK} minutes = minutes + 1",
    "more money without a version": f"{WORK} amount = amount + 1",
    "an earlier version": f"{WORK} version = version - 1",
    "what was told deleted": "DELETE FROM contributions_contribution",
}


@pytest.mark.parametrize("what", FORGED)
def test_postgresql_refuses(play: Play, what: str) -> None:
    world = play("make_house")
    row, bo = by_consent(world), world.users["bo"]
    asked = ask_question(actor=world.users["sacha"], contribution_id=row.pk, text="Why?", now=world.now)
    answer_question(actor=bo, question_id=asked.pk, text="So", now=world.now)
    raised = object_to(actor=world.users["sacha"], contribution_id=row.pk, reason="Twice", now=world.now)
    lift_objection(actor=world.users["sacha"], objection_id=raised.pk, now=world.now)
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FORGED[what])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_withdrawn_work_leaves_nothing_open(play: Play) -> None:
    world = play("make_house")
    row = by_consent(world)
    object_to(actor=world.users["sacha"], contribution_id=row.pk, reason="Twice", now=world.now)
    withdraw(actor=world.users["bo"], contribution_id=row.pk, now=world.now)
    assert (again(row).state, again(row).seconds_left, Objection.objects.get().state) == ("withdrawn", None, "lapsed")


def test_an_objection_that_was_set_aside_is_not_raised_again_on_the_same_version(play: Play) -> None:
    world = play("make_house")
    row, camille, sacha = by_consent(world), world.users["camille"], world.users["sacha"]
    raised = object_to(actor=camille, contribution_id=row.pk, reason="Twice", now=world.now)
    lift_objection(actor=camille, objection_id=raised.pk, now=world.now)
    raised = object_to(actor=camille, contribution_id=row.pk, reason="Twice after all", now=world.now)
    decide_objection(actor=sacha, objection_id=raised.pk, upholds=False, reason="Not so", now=world.now)
    with pytest.raises(Conflict) as refusal:
        object_to(actor=camille, contribution_id=row.pk, reason="Twice, I say", now=world.now)
    assert refusal.value.code == "objection_settled"
    assert (again(row).state, Objection.objects.count()) == ("declared", 2)
    other = object_to(actor=sacha, contribution_id=row.pk, reason="Too long", now=world.now)
    assert again(row).state == "questioned"
    lift_objection(actor=sacha, objection_id=other.pk, now=world.now)
    amend(actor=world.users["bo"], contribution_id=row.pk, changes={"minutes": 30}, now=world.now)
    assert object_to(actor=camille, contribution_id=row.pk, reason="Still", now=world.now).version == 2


def test_a_decision_and_an_objection_at_once_leave_nothing_held(committed: str, play: Play) -> None:
    world = play("make_house")
    row, camille, sacha = by_consent(world), world.users["camille"], world.users["sacha"]
    raised = object_to(actor=camille, contribution_id=row.pk, reason="Twice", now=world.now)

    def act(number: int) -> str:
        if number == 0:
            return decide_objection(
                actor=sacha, objection_id=raised.pk, upholds=False, reason="Not so", now=world.now
            ).state
        return object_to(actor=camille, contribution_id=row.pk, reason="Again", now=world.now).state

    results = at_once(act, 6)
    assert results[0] == "overruled"
    assert set(results[1:]) <= {"already_objected", "objection_settled"}
    assert (again(row).state, Objection.objects.count()) == ("declared", 1)
