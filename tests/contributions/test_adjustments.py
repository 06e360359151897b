"""What was given too much: decided by somebody uninvolved, kept back from later work, never below zero."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from backend.contributions.adjustment_models import Adjustment, AdjustmentPart
from backend.contributions.adjustments import decide_adjustment, propose_adjustment, withdraw_adjustment
from backend.contributions.models import Contribution
from backend.contributions.services import declare, review, validated_minutes
from backend.contributions.volunteering import given_minutes
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.models import Distribution, Share
from backend.distributions.services import approve, close_period, computed
from backend.identity.models import User
from backend.identity.services import grant_role
from backend.ledger.services import entry_count
from backend.operations import demo
from tests.concurrency import at_once
from tests.contributions.test_contributions import under

Play = Callable[..., Any]


def second_steward(world: Any) -> None:
    """Nour cares for the pot too."""
    user = User.objects.create_user("nour@example.org", name="Nour", language="en")
    demo.give_factor(user)
    grant_role(user=user, kind="steward", scope=world.budget.pk, granted_by=None, now=world.now)
    world.users["nour"] = user


@pytest.fixture
def world(play: Play) -> Any:
    """A period was shared out and booked; Nour is a second steward."""
    world = play("approve_distribution")
    second_steward(world)
    return world


def proposed(world: Any, who: str = "sacha", **changes: Any) -> Adjustment:
    """Bo was given ten euros too much."""
    facts = {"minutes": 0, "amount": 10_00, "reason": "Counted twice.", "form_key": "k", "now": world.now, **changes}
    return propose_adjustment(actor=world.users[who], contribution_id=world.contributions[0].pk, **facts)


def agreed(world: Any, **changes: Any) -> Adjustment:
    """Nour agrees to it."""
    row = proposed(world, **changes)
    return decide_adjustment(actor=world.users["nour"], adjustment_id=row.pk, agrees=True, reason="", now=world.now)


def work(world: Any, amount: int, key: str, who: str = "bo", minutes: int = 60) -> Contribution:
    """Validated work of tomorrow, in the period that is open."""
    later = world.now + timedelta(days=1)
    row = declare(
        actor=world.users[who], budget=world.budget, worked_on=world.today + timedelta(days=1), kind="development",
        minutes=minutes, amount=amount, description=key, form_key=key, now=later,
    )  # fmt: skip
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=later)
    return row


def closed(world: Any) -> Distribution:
    """The open period, closed the day after and computed."""
    later = world.now + timedelta(days=1)
    period = world.budget.periods.filter(state="open").order_by("starts_on")[0]
    found = close_period(actor=world.users["claire"], period_id=period.pk, now=later)
    demo.sweep(later)
    return Distribution.objects.get(pk=found.pk)


def test_it_is_kept_back_from_the_next_work_and_the_rest_waits(world: Any) -> None:
    row, entries = agreed(world), entry_count()
    first, second = work(world, 6_00, "one"), work(world, 20_00, "two")
    other = work(world, 7_00, "three", who="camille")
    distribution = closed(world)
    claims = {line["contribution"]: line["claim"] for line in distribution.inputs["lines"]}
    assert claims == {first.pk: 0, second.pk: 16_00, other.pk: 7_00}
    assert distribution.state == "published"
    assert computed(distribution) == distribution.trace
    first.refresh_from_db()
    second.refresh_from_db()
    assert [(one.amount, one.held_back) for one in (first, second)] == [(0, 6_00), (16_00, 4_00)]
    row.refresh_from_db()
    assert (row.amount, row.amount_left) == (10_00, 0)
    assert sorted(row.parts.values_list("contribution", "amount")) == sorted([(first.pk, 6_00), (second.pk, 4_00)])
    assert Share.objects.get(distribution=distribution, contributor=world.users["bo"]).asked == 16_00
    assert entry_count() == entries
    assert given_minutes(first, 60) == 0  # kept back is not given


def test_what_is_left_goes_to_the_period_after(world: Any) -> None:
    row = agreed(world)
    work(world, 6_00, "one")
    distribution = closed(world)
    row.refresh_from_db()
    assert row.amount_left == 4_00
    approve(
        actor=world.users["denis"], distribution_id=distribution.pk, digest=distribution.digest,
        now=world.now + timedelta(days=1),
    )  # fmt: skip
    world.now += timedelta(days=1)
    last = work(world, 30_00, "two")
    closed(world)
    last.refresh_from_db()
    row.refresh_from_db()
    assert (last.amount, last.held_back, row.amount_left) == (26_00, 4_00, 0)


def test_only_what_is_agreed_is_kept_back(world: Any) -> None:
    proposed(world)
    one = work(world, 20_00, "one")
    closed(world)
    one.refresh_from_db()
    assert (one.amount, one.held_back) == (20_00, 0)
    assert not AdjustmentPart.objects.exists()


def test_where_time_is_shared_minutes_are_kept_back(play: Play) -> None:
    world = play("make_house")
    under(world, tiers=[{"id": "general", "rule": "weighted", "take": {"rest": True}}])
    for step in (demo.make_promise, demo.receive, demo.work, demo.close, demo.approve_distribution):
        step(world)
    second_steward(world)
    latest = world.budget.charters.latest("version")
    world.budget.periods.filter(state="open").update(charter=latest)
    with pytest.raises(Invalid) as refusal:
        proposed(world)
    assert (refusal.value.code, refusal.value.param) == ("adjustment_out_of_range", "minutes")
    row = agreed(world, amount=0, minutes=90)
    one = work(world, 0, "one", minutes=60)
    distribution = closed(world)
    (line,) = distribution.inputs["lines"]
    assert (line["declared"], line["validated"]) == (60, 0)
    one.refresh_from_db()
    row.refresh_from_db()
    assert (one.minutes, one.minutes_held, row.minutes_left) == (60, 60, 30)
    assert validated_minutes([one])[one.pk][0] == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 60_01}, "adjustment_out_of_range"),
        ({"amount": 0}, "adjustment_out_of_range"),
        ({"amount": -1}, "adjustment_out_of_range"),
        ({"minutes": 10}, "adjustment_out_of_range"),
        ({"reason": " "}, "reason_missing"),
    ],
)
def test_what_does_not_fit(world: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        proposed(world, **changes)
    assert refusal.value.code == code
    assert not Adjustment.objects.exists()


def test_never_more_than_was_given_in_all(world: Any) -> None:
    given = Contribution.objects.get(pk=world.contributions[0].pk).settled_amount
    assert given
    agreed(world, amount=given - 5_00)
    with pytest.raises(Invalid):
        proposed(world, amount=5_01, form_key="two")
    assert proposed(world, amount=5_00, form_key="two").state == "proposed"


@pytest.mark.parametrize(("who", "kind"), [("camille", Forbidden), ("claire", Forbidden), ("ana", NotFound)])
def test_who_proposes(world: Any, who: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        proposed(world, who)
    assert proposed(world, "bo").proposed_by == world.users["bo"]


def test_neither_its_author_nor_the_contributor_decides(world: Any) -> None:
    grant_role(user=world.users["bo"], kind="steward", scope=world.budget.pk, granted_by=None, now=world.now)
    demo.give_factor(world.users["bo"])
    row = proposed(world)
    for who in ("sacha", "bo", "camille", "claire"):
        with pytest.raises(Forbidden):
            decide_adjustment(actor=world.users[who], adjustment_id=row.pk, agrees=True, reason="", now=world.now)
    for who in ("sacha", "bo"):
        with pytest.raises(DatabaseError), transaction.atomic():
            Adjustment.objects.filter(pk=row.pk).update(
                state="agreed", decided_by=world.users[who], decided_at=world.now
            )
    assert Adjustment.objects.get(pk=row.pk).state == "proposed"


def test_a_refusal_says_why_and_ends_it(world: Any) -> None:
    row, nour = proposed(world), world.users["nour"]
    with pytest.raises(Invalid):
        decide_adjustment(actor=nour, adjustment_id=row.pk, agrees=False, reason=" ", now=world.now)
    decide_adjustment(actor=nour, adjustment_id=row.pk, agrees=False, reason="It was not.", now=world.now)
    with pytest.raises(Conflict) as refusal:
        decide_adjustment(actor=nour, adjustment_id=row.pk, agrees=True, reason="", now=world.now)
    assert refusal.value.code == "adjustment_decided"


def test_its_author_takes_it_back_before_the_decision(world: Any) -> None:
    row = proposed(world)
    with pytest.raises(Forbidden):
        withdraw_adjustment(actor=world.users["nour"], adjustment_id=row.pk, now=world.now)
    assert withdraw_adjustment(actor=world.users["sacha"], adjustment_id=row.pk, now=world.now).state == "withdrawn"
    assert proposed(world, form_key="again").state == "proposed"


def test_the_same_form_is_one_proposal_and_one_waits_at_a_time(world: Any) -> None:
    assert proposed(world) == proposed(world)
    with pytest.raises(Conflict) as refusal:
        proposed(world, form_key="another")
    assert refusal.value.code == "adjustment_awaited"


def test_deciding_both_ways_at_once_leaves_one_decision(committed: str, play: Play) -> None:
    world = play("approve_distribution")
    second_steward(world)
    row = proposed(world)

    def decide(number: int) -> str:
        try:
            return decide_adjustment(
                actor=world.users["nour"], adjustment_id=row.pk, agrees=bool(number), reason="so", now=world.now
            ).state
        except DomainError as refusal:
            return refusal.code

    found = at_once(decide, times=2)
    assert sorted(found)[0] == "adjustment_decided"
    assert Adjustment.objects.get().state in found


def test_the_database_takes_nothing_back_and_nothing_twice(world: Any) -> None:
    row = agreed(world)
    one = work(world, 20_00, "one")
    for act in (
        lambda: Adjustment.objects.filter(pk=row.pk).update(state="proposed", decided_by=None),
        lambda: Adjustment.objects.filter(pk=row.pk).update(amount_left=11_00),
        lambda: Adjustment.objects.filter(pk=row.pk).update(amount=20_00),
        lambda: Contribution.objects.filter(pk=one.pk).update(amount=10_00),
        lambda: Contribution.objects.filter(pk=one.pk).update(amount=30_00, held_back=-10_00),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
