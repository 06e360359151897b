"""Statement rounds: who is asked, an answer is about a list, a reminder comes once, a closed round takes nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, transaction

from backend.commons.models import Budget
from backend.contributions.models import Contribution
from backend.contributions.own import amend, draft, waive
from backend.contributions.round_models import Round, RoundAnswer
from backend.contributions.rounds import answer_round, close_round, known_of, open_round, remind_due
from backend.contributions.services import declare, review, withdraw
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from tests.concurrency import at_once

Play = Callable[..., Any]
NOON = datetime(2026, 3, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))
DAY = timedelta(days=1)


def declared(world: Any, who: str, number: int = 1) -> Contribution:
    """Work of these days."""
    return declare(
        actor=world.users[who], budget=world.budget, worked_on=world.today, kind="development", minutes=90,
        amount=45_00, description=f"Work {number} of {who}", form_key=f"{who}-{number}", now=world.now,
    )  # fmt: skip


def opened(world: Any, by: str = "sacha", **changes: Any) -> Round:
    """A round about the month so far."""
    facts = {
        "budget": world.budget, "first_day": world.today.replace(day=1), "last_day": world.today,
        "answer_by": world.today + 10 * DAY, "form_key": "round", "now": world.now, **changes,
    }  # fmt: skip
    return open_round(actor=world.users[by], **facts)


def of(row: Round, world: Any, who: str) -> tuple[RoundAnswer, str]:
    """What somebody is asked, and the list they would confirm now."""
    person = world.users[who]
    return row.answers.get(person=person), known_of(row, [person])[person.pk].listed


def say(row: Round, world: Any, who: str, state: str = "complete", *, now: datetime | None = None) -> RoundAnswer:
    """Somebody answers of the list as it is."""
    answer, listed = of(row, world, who)
    return answer_round(actor=world.users[who], answer_id=answer.pk, state=state, listed=listed, now=now or world.now)


@pytest.fixture
def world(play: Play) -> Any:
    """The house on a day in the middle of its month."""
    return play("make_house", now=NOON)


def test_everybody_who_works_there_is_asked_and_told_what_is_known(world: Any) -> None:
    done = declared(world, "bo")
    review(actor=world.users["sacha"], contribution_id=done.pk, verdict="approve", now=world.now)
    declared(world, "bo", 2)
    facts = {"worked_on": world.today, "description": "a commit"}
    draft(contributor=world.users["bo"], budget=world.budget, facts=facts, source="f", form_key="d", now=world.now)
    type(world.users["bo"]).objects.update(language="en")
    row = opened(world)
    assert {one.person.name for one in row.answers.select_related("person")} == {"Bo Nguyen", "Camille Faure"}
    compose_due(world.now)
    mail = OutgoingMail.objects.get(recipient="bo@example.org", event__kind="round.asked")
    answer, _listed = of(row, world, "bo")
    assert f"/en/rounds/answers/{answer.pk}/" in mail.body
    assert "Work 1 of bo (validated)" in mail.body
    assert "In all: 2 contributions, of which 1 validated; 3 h 00; €90.00." in mail.body
    assert "1 draft is not declared" in mail.body
    assert "a commit" not in mail.body
    other = OutgoingMail.objects.get(recipient="camille@example.org", event__kind="round.asked")
    assert "Nothing is known of your work in these days." in other.body


def test_who_worked_without_a_role_is_asked_too(world: Any) -> None:
    declared(world, "sacha")
    assert "Sacha Le Goff" in {one.person.name for one in opened(world).answers.select_related("person")}


@pytest.mark.parametrize("by", ["bo", "ana", "claire"])
def test_only_a_steward_opens_one(world: Any, by: str) -> None:
    with pytest.raises(Forbidden):
        opened(world, by=by)
    assert not Round.objects.exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"first_day": NOON.date() + DAY, "last_day": NOON.date()}, "round_days"),
        ({"last_day": NOON.date() + DAY}, "round_days"),
        ({"first_day": NOON.date() - 366 * DAY}, "round_days"),
        ({"answer_by": NOON.date()}, "round_answer_by"),
        ({"answer_by": NOON.date() + 91 * DAY}, "round_answer_by"),
    ],
)
def test_days_that_do_not_fit(world: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        opened(world, **changes)
    assert refusal.value.code == code
    assert not Round.objects.exists()


def test_one_round_at_a_time_and_one_per_form(world: Any) -> None:
    row = opened(world)
    assert opened(world) == row
    with pytest.raises(Conflict) as refusal:
        opened(world, form_key="another")
    assert refusal.value.code == "round_running"
    close_round(actor=world.users["sacha"], round_id=row.pk, now=world.now)
    assert opened(world, form_key="another") != row


def test_a_closed_budget_asks_nobody(world: Any) -> None:
    Budget.objects.filter(pk=world.budget.pk).update(state="closing")
    with pytest.raises(Conflict) as refusal:
        opened(world)
    assert refusal.value.code == "budget_not_open"


def test_nobody_to_ask(world: Any) -> None:
    from backend.identity.models import Role

    Role.objects.filter(kind="contributor").delete()
    with pytest.raises(Conflict) as refusal:
        opened(world)
    assert refusal.value.code == "round_of_nobody"


@pytest.mark.parametrize("change", ["amend", "waive", "withdraw", "declare", "reject"])
def test_a_confirmed_list_is_that_of_its_moment(world: Any, change: str) -> None:
    one = declared(world, "bo")
    row = opened(world)
    answer = say(row, world, "bo")
    assert (answer.state, answer.listed) == ("complete", of(row, world, "bo")[1])
    match change:
        case "amend":
            amend(actor=world.users["bo"], contribution_id=one.pk, changes={"minutes": 30}, now=world.now)
        case "waive":
            waive(actor=world.users["bo"], contribution_id=one.pk, amount=5_00, now=world.now)
        case "withdraw":
            withdraw(actor=world.users["bo"], contribution_id=one.pk, now=world.now)
        case "declare":
            declared(world, "bo", 2)
        case "reject":
            review(actor=world.users["sacha"], contribution_id=one.pk, verdict="reject", reason="no", now=world.now)
    assert answer.listed != of(row, world, "bo")[1]


def test_approval_and_drafts_change_no_confirmed_list(world: Any) -> None:
    one = declared(world, "bo")
    row = opened(world)
    answer = say(row, world, "bo")
    review(actor=world.users["sacha"], contribution_id=one.pk, verdict="approve", now=world.now)
    facts = {"worked_on": world.today, "description": "a commit"}
    draft(contributor=world.users["bo"], budget=world.budget, facts=facts, source="f", form_key="d", now=world.now)
    assert answer.listed == of(row, world, "bo")[1]


def test_a_list_that_changed_since_it_was_read_is_not_confirmed(world: Any) -> None:
    row = opened(world)
    answer, read = of(row, world, "bo")
    declared(world, "bo")
    with pytest.raises(Conflict) as refusal:
        answer_round(actor=world.users["bo"], answer_id=answer.pk, state="complete", listed=read, now=world.now)
    assert refusal.value.code == "round_list_changed"
    assert RoundAnswer.objects.get(pk=answer.pk).state == ""


def test_one_answers_for_oneself_and_may_change_one_s_mind(world: Any) -> None:
    row = opened(world)
    answer, listed = of(row, world, "bo")
    for who in ("camille", "sacha"):
        with pytest.raises(NotFound):
            answer_round(actor=world.users[who], answer_id=answer.pk, state="complete", listed=listed, now=world.now)
    with pytest.raises(Invalid):
        answer_round(actor=world.users["bo"], answer_id=answer.pk, state="perhaps", listed=listed, now=world.now)
    assert say(row, world, "bo", "missing").state == "missing"
    assert say(row, world, "bo").state == "complete"
    assert say(row, world, "bo").state == "complete"
    assert Event.objects.filter(kind="round.answered").count() == 2


def test_a_closed_round_takes_no_answer(world: Any) -> None:
    row = opened(world)
    for who in ("bo", "claire"):
        with pytest.raises(Forbidden):
            close_round(actor=world.users[who], round_id=row.pk, now=world.now)
    for _time in range(2):
        assert close_round(actor=world.users["sacha"], round_id=row.pk, now=world.now).closed_at == world.now
    assert Event.objects.filter(kind="round.closed").count() == 1
    with pytest.raises(Conflict) as refusal:
        say(row, world, "bo")
    assert refusal.value.code == "round_closed"
    assert not RoundAnswer.objects.exclude(state="").exists()


def test_those_who_did_not_answer_are_reminded_once(world: Any) -> None:
    row = opened(world)
    say(row, world, "bo")
    assert remind_due(world.now + 6 * DAY) == 0
    assert remind_due(world.now + 7 * DAY) == 1
    assert remind_due(world.now + 8 * DAY) == 0
    compose_due(world.now + 7 * DAY)
    told = OutgoingMail.objects.filter(event__kind="round.reminded")
    assert [mail.recipient for mail in told] == ["camille@example.org"]


def test_nobody_is_reminded_on_the_day_it_opened_nor_after_it_closed(world: Any) -> None:
    row = opened(world, answer_by=world.today + 2 * DAY)
    assert remind_due(world.now) == 0
    close_round(actor=world.users["sacha"], round_id=row.pk, now=world.now)
    assert remind_due(world.now + DAY) == 0


def test_two_stewards_at_once_open_one_round(committed: str, play: Play) -> None:
    world = play("make_house", now=NOON)

    def attempt(number: int) -> str:
        try:
            return opened(world, form_key=f"form-{number}").pk
        except DomainError as refusal:
            return refusal.code

    found = at_once(attempt, times=4)
    assert sorted(found).count("round_running") == 3
    assert Round.objects.count() == 1


def test_answering_while_it_closes_is_one_or_the_other(committed: str, play: Play) -> None:
    world = play("make_house", now=NOON)
    row = opened(world)

    def attempt(number: int) -> str:
        try:
            if number:
                return say(row, world, "bo").state
            close_round(actor=world.users["sacha"], round_id=row.pk, now=world.now)
        except Conflict as refusal:
            return refusal.code
        return "closed"

    closed, said = at_once(attempt, times=2)
    assert closed == "closed"
    answer = RoundAnswer.objects.get(person=world.users["bo"])
    assert (said, answer.state) in {("complete", "complete"), ("round_closed", "")}


def test_the_database_keeps_what_was_asked(world: Any) -> None:
    row = opened(world)
    for act in (
        lambda: Round.objects.filter(pk=row.pk).update(last_day=world.today - DAY),
        lambda: RoundAnswer.objects.all()._raw_delete("default"),
        lambda: row.answers.update(state="complete"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
