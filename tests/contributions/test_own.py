"""Drafts, amendments, waivers and batches: what contributors do with their own work, and with nobody else's."""

from typing import Any

import pytest

from backend.contributions.models import Contribution, Review
from backend.contributions.own import InBatch, amend, declare_draft, declare_many, delete_draft, draft, waive
from backend.contributions.peers import ask_question
from backend.contributions.services import review, validated_minutes, withdraw
from backend.contributions.volunteering import given_minutes
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.services import close_period
from backend.events.models import Event
from tests.concurrency import at_once
from tests.contributions.peers import Play, again, by_consent, days, say, under


def drafted(world: Any, **changes: Any) -> Contribution:
    """What a program noted for Bo."""
    facts = {"worked_on": world.today, "description": "Merged 12", "minutes": 90, "kind": "development", **changes}
    return draft(
        contributor=world.users["bo"], budget=world.budget, facts=facts, source="frg_1", form_key="d", now=world.now
    )


def test_an_amendment_is_a_new_version_and_approvals_begin_again(play: Play) -> None:
    world = play("make_house")
    under(world, review={"mode": "approvals", "approvals": 2})
    row, sacha, bo = say(world), world.users["sacha"], world.users["bo"]
    review(actor=sacha, contribution_id=row.pk, verdict="approve", minutes=80, now=world.now)
    amended = amend(
        actor=bo, contribution_id=row.pk, changes={"minutes": 60, "amount": 30_00}, now=world.now, version=1
    )
    assert (amended.version, amended.minutes, amended.amount, amended.state) == (2, 60, 30_00, "declared")
    assert validated_minutes([amended]) == {row.pk: (60, 0)}
    with pytest.raises(Conflict) as refusal:
        review(actor=sacha, contribution_id=row.pk, verdict="approve", now=world.now, version=1)
    assert refusal.value.code == "contribution_amended"
    review(actor=sacha, contribution_id=row.pk, verdict="approve", now=world.now, version=2)
    assert (again(row).state, Review.objects.count()) == ("declared", 2)
    told = Event.objects.get(kind="contribution.amended")
    assert (told.before, told.after) == ({"minutes": "90", "amount": "4500"}, {"minutes": "60", "amount": "3000"})


def test_the_same_again_is_no_amendment(play: Play) -> None:
    world = play("make_house")
    row = say(world)
    amend(actor=world.users["bo"], contribution_id=row.pk, changes={"minutes": 90}, now=world.now)
    assert (again(row).version, Event.objects.filter(kind="contribution.amended").count()) == (1, 0)


@pytest.mark.parametrize(
    ("who", "changes", "kind", "code"),
    [
        ("sacha", {"minutes": 1}, Forbidden, "contribution_of_another"),
        ("ana", {"minutes": 1}, NotFound, "contribution_not_found"),
        ("bo", {"minutes": -1}, Invalid, "minutes_out_of_range"), ("bo", {"kind": "magic"}, Invalid, "kind_unknown"),
        ("bo", {"minutes": 0, "amount": 0}, Invalid, "nothing_declared"),
        ("bo", {"budget": "bud_1"}, Invalid, "not_amendable"),
        ("bo", {"description": " "}, Invalid, "description_length"),
        ("bo", {"metadata": {"a": 1}}, Invalid, "metadata_shape"),
        ("bo", {"metadata": {str(n): "x" for n in range(21)}}, Invalid, "metadata_shape"),
    ],
)  # fmt: skip
def test_a_bad_amendment_changes_nothing(
    play: Play, who: str, changes: dict[str, Any], kind: type[DomainError], code: str
) -> None:
    world = play("make_house")
    row = say(world)
    with pytest.raises(kind) as refusal:
        amend(actor=world.users[who], contribution_id=row.pk, changes=changes, now=world.now)
    assert refusal.value.code == code
    assert (again(row).version, again(row).minutes) == (1, 90)


def test_what_is_validated_is_not_amended(play: Play) -> None:
    world = play("make_house")
    row = say(world)
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    with pytest.raises(Conflict) as refusal:
        amend(actor=world.users["bo"], contribution_id=row.pk, changes={"minutes": 1}, now=world.now)
    assert refusal.value.code == "contribution_not_open"


def test_an_amendment_and_an_approval_at_once_end_one_way(committed: str, play: Play) -> None:
    world = play("make_house")
    row = say(world)

    def act(number: int) -> Any:
        if number % 2:
            return review(
                actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now, version=1
            ).verdict
        changes = {"minutes": 30, "amount": 900_00}
        return amend(actor=world.users["bo"], contribution_id=row.pk, changes=changes, now=world.now, version=1).version

    results = at_once(act, 6)
    after = again(row)
    if after.state == "validated":
        assert (after.version, after.amount, results.count("approve")) == (1, 45_00, 1)
        assert 2 not in results
    else:
        assert (after.state, after.version, results.count(2), results.count("approve")) == ("declared", 2, 1, 0)


def test_a_draft_is_its_contributor_s_alone(play: Play) -> None:
    world = play("make_house")
    row, bo = drafted(world), world.users["bo"]
    assert drafted(world, minutes=5).pk == row.pk
    for name in ("sacha", "claire", "camille", "ana"):
        assert not Contribution.visible_to(world.users[name]).exists()
        with pytest.raises(NotFound):
            declare_draft(actor=world.users[name], contribution_id=row.pk, now=world.now)
        with pytest.raises(NotFound):
            delete_draft(actor=world.users[name], contribution_id=row.pk)
    assert Contribution.visible_to(bo).get().state == "draft"
    with pytest.raises(Conflict):
        withdraw(actor=bo, contribution_id=row.pk, now=world.now)
    amend(actor=bo, contribution_id=row.pk, changes={"amount": 20_00}, now=world.now)
    declare_draft(actor=bo, contribution_id=row.pk, now=world.now)
    after = again(row)
    assert (after.state, after.version, after.amount, after.source) == ("declared", 1, 20_00, "frg_1")
    with pytest.raises(Conflict):
        delete_draft(actor=bo, contribution_id=row.pk)


def test_a_draft_is_deleted_without_a_trace(play: Play) -> None:
    world = play("make_house")
    row = drafted(world)
    events = Event.objects.count()
    delete_draft(actor=world.users["bo"], contribution_id=row.pk)
    assert (Contribution.objects.count(), Event.objects.count()) == (0, events)


def test_a_draft_becomes_a_declaration_only_if_it_could_be_one(play: Play) -> None:
    world = play("make_house")
    row = drafted(world, minutes=0)
    with pytest.raises(Invalid) as refusal:
        declare_draft(actor=world.users["bo"], contribution_id=row.pk, now=world.now)
    assert refusal.value.code == "nothing_declared"
    with pytest.raises(Forbidden):
        draft(
            contributor=world.users["ana"], budget=world.budget, facts={"worked_on": world.today, "description": "x"},
            source="frg_1", form_key="d", now=world.now,
        )  # fmt: skip


def test_a_draft_of_a_closed_period_waits_in_the_next(play: Play) -> None:
    world = play("receive")
    row, bo = drafted(world), world.users["bo"]
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    assert again(row).period != world.period
    with pytest.raises(Conflict) as refusal:
        declare_draft(actor=bo, contribution_id=row.pk, now=world.now + days(1))
    assert refusal.value.code == "period_closed"


def test_one_gives_up_a_part_or_all(play: Play) -> None:
    world = play("make_house")
    row, bo = say(world), world.users["bo"]
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    part = waive(actor=bo, contribution_id=row.pk, amount=15_00, now=world.now)
    assert (part.state, part.amount, part.waived, part.version) == ("validated", 30_00, 15_00, 1)
    for wrong in (30_00, 0, -1):
        with pytest.raises(Invalid):
            waive(actor=bo, contribution_id=row.pk, amount=wrong, now=world.now)
    with pytest.raises(Forbidden):
        waive(actor=world.users["sacha"], contribution_id=row.pk, now=world.now)
    whole = waive(actor=bo, contribution_id=row.pk, now=world.now)
    assert (whole.state, whole.amount, whole.waived) == ("waived", 0, 45_00)
    assert waive(actor=bo, contribution_id=row.pk, now=world.now).waived == 45_00
    with pytest.raises(Conflict):
        withdraw(actor=bo, contribution_id=row.pk, now=world.now)
    assert Event.objects.filter(kind="contribution.waived").count() == 2


def test_waived_work_stops_its_clock_and_takes_no_part(play: Play) -> None:
    world = play("receive")
    row = by_consent(world)
    waive(actor=world.users["bo"], contribution_id=row.pk, now=world.now)
    assert (again(row).accepted_at, again(row).state) == (None, "waived")
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now + days(8))
    assert (again(row).state, again(row).period) == ("waived", world.period)


def test_an_expense_is_waived_in_part_alone(play: Play) -> None:
    world = play("make_house")
    under(world, kinds={"expense": 1000, "development": 1000}, tiers=[{"id": "a", "rule": "as_asked"}])
    row = say(world, kind="expense", minutes=0)
    with pytest.raises(Conflict):
        waive(actor=world.users["bo"], contribution_id=row.pk, now=world.now)
    assert waive(actor=world.users["bo"], contribution_id=row.pk, amount=5_00, now=world.now).amount == 40_00


def test_withdrawal_and_closing_at_once_end_one_way(committed: str, play: Play) -> None:
    world = play("receive")
    row = say(world)
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)

    def act(number: int) -> Any:
        if number % 2:
            return withdraw(actor=world.users["bo"], contribution_id=row.pk, now=world.now).state
        return close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now).state

    results = at_once(act, 4)
    after = again(row)
    assert after.state in {"withdrawn", "included"}
    assert ("withdrawn" in results) == (after.state == "withdrawn")


def item(world: Any, **changes: Any) -> dict[str, Any]:
    """One of a batch."""
    return {
        "budget": world.budget.pk, "worked_on": world.today, "kind": "review", "minutes": 30, "description": "x",
        **changes,
    }  # fmt: skip


def batch(world: Any, items: list[dict[str, Any]], key: str = "b") -> list[Contribution]:
    """Bo's."""
    return declare_many(
        actor=world.users["bo"], items=items, form_key=key, now=world.now, budget_of=lambda name: find(world, name)
    )


def find(world: Any, name: str) -> Any:
    """A budget, or none."""
    if name == world.budget.pk:
        return world.budget
    raise NotFound("budget_not_found", "no", param="budget")


def test_a_batch_is_all_or_nothing_and_names_what_is_wrong(play: Play) -> None:
    world = play("make_house")
    with pytest.raises(InBatch) as refusal:
        batch(world, [item(world), item(world, minutes=0), item(world, kind="magic"), item(world, budget="bud_0")])
    assert [(place, one.param) for place, one in refusal.value.refused] == [
        (1, "minutes"), (2, "kind"), (3, "budget"),
    ]  # fmt: skip
    assert (Contribution.objects.count(), Event.objects.filter(kind="contribution.declared").count()) == (0, 0)
    made = batch(world, [item(world, description=str(number)) for number in range(3)])
    assert [one.description for one in made] == ["0", "1", "2"]
    assert [one.pk for one in batch(world, [item(world, description=str(n)) for n in range(3)])] == [
        one.pk for one in made
    ]
    for size in (0, 501):
        with pytest.raises(Invalid, match="1 to 500"):
            batch(world, [item(world)] * size, "c")


def test_the_same_batch_ten_times_at_once_is_kept_once(committed: str, play: Play) -> None:
    world = play("make_house")
    results = at_once(lambda _number: [one.pk for one in batch(world, [item(world), item(world, minutes=5)])], 5)
    assert Contribution.objects.count() == 2
    assert len({tuple(one) for one in results}) == 1


def test_what_is_given_up_and_asked_again_is_not_volunteering(play: Play) -> None:
    world = play("make_house")
    row, bo = say(world, amount=100_00, minutes=60), world.users["bo"]
    for _turn in range(3):
        waive(actor=bo, contribution_id=row.pk, amount=99_00, now=world.now)
        after = amend(actor=bo, contribution_id=row.pk, changes={"amount": 100_00}, now=world.now)
        assert (after.amount, after.waived) == (100_00, 0)
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    assert given_minutes(again(row), 60) == 0


def test_an_amendment_keeps_what_stays_given_up(play: Play) -> None:
    world = play("make_house")
    row, bo = say(world, amount=100_00, minutes=60), world.users["bo"]
    waive(actor=bo, contribution_id=row.pk, amount=60_00, now=world.now)
    told = [
        amend(actor=bo, contribution_id=row.pk, changes=changes, now=world.now)
        for changes in ({"description": "Said better"}, {"amount": 50_00}, {"amount": 20_00})
    ]
    assert [(one.amount, one.waived) for one in told] == [(40_00, 60_00), (50_00, 50_00), (20_00, 50_00)]


@pytest.mark.parametrize("nothing", ["\u200b", "\u3164\ufeff", "\u2060 \u00ad", "\u0301"])
def test_words_that_cannot_be_seen_are_none(play: Play, nothing: str) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        say(world, description=nothing)
    assert refusal.value.code == "description_length"
    row = say(world)
    with pytest.raises(Invalid) as unread:
        ask_question(actor=world.users["sacha"], contribution_id=row.pk, text=nothing, now=world.now)
    assert (unread.value.code, again(row).state) == ("said_length", "declared")
    with pytest.raises(Invalid):
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="reject", reason=nothing, now=world.now)
    assert ask_question(actor=world.users["sacha"], contribution_id=row.pk, text="?", now=world.now).text == "?"
