"""Contributions: declared by members, in the open period, validated by others."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from backend.contributions.models import Contribution, Review
from backend.contributions.services import declare, review, withdraw
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.identity.models import Role
from tests.concurrency import at_once

Play = Callable[..., Any]


def say(world: Any, **changes: Any) -> Contribution:
    """Bo's work of today, with some values changed."""
    facts: dict[str, Any] = {
        "actor": world.users["bo"], "budget": world.budget, "worked_on": world.today, "kind": "development",
        "minutes": 90, "amount": 45_00, "description": "Correctif", "evidence": ["https://example.org/1"],
        "form_key": "k", "now": world.now,
    }  # fmt: skip
    return declare(**{**facts, **changes})


def test_work_is_declared(play: Play) -> None:
    world = play("make_house")
    made = say(world)
    assert (made.state, made.amount, made.minutes, made.period) == ("declared", 45_00, 90, world.period)


def test_volunteering_is_visible(play: Play) -> None:
    world = play("make_house")
    assert say(world, amount=0).amount == 0


@pytest.mark.parametrize(
    ("changes", "kind", "param"),
    [
        ({"kind": "magic"}, Invalid, "kind"), ({"minutes": -1}, Invalid, "minutes"),
        ({"minutes": 31 * 24 * 60 + 1}, Invalid, "minutes"), ({"minutes": True}, Invalid, "minutes"),
        ({"minutes": 0, "amount": 0}, Invalid, "minutes"), ({"amount": -1}, Invalid, "amount"),
        ({"amount": 2**63}, Invalid, "amount"), ({"description": " "}, Invalid, "description"),
        ({"description": "x" * 501}, Invalid, "description"), ({"evidence": ["javascript:1"]}, Invalid, "evidence"),
        ({"evidence": ["http://[half"]}, Invalid, "evidence"),
        ({"evidence": ["https://x.example/\ny"]}, Invalid, "evidence"),
        ({"evidence": [" https://x.example"]}, Invalid, "evidence"),
        ({"evidence": ["https://example.org"] * 11}, Invalid, "evidence"),
        ({"worked_on": date(2099, 1, 1)}, Invalid, "worked_on"),
        ({"worked_on": date(1999, 1, 1)}, Invalid, "worked_on"),
    ],
)  # fmt: skip
def test_a_bad_declaration_names_its_field_and_changes_nothing(
    play: Play, changes: dict[str, Any], kind: type[DomainError], param: str
) -> None:
    world = play("make_house")
    with pytest.raises(kind) as refusal:
        say(world, **changes)
    assert refusal.value.param == param
    assert not Contribution.objects.exists()


def test_tomorrow_is_the_future_in_the_hosts_time_zone(play: Play) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        say(world, worked_on=world.now.date() + timedelta(days=2))
    assert refusal.value.code == "day_in_the_future"


def test_only_members_declare(play: Play) -> None:
    world = play("make_house")
    with pytest.raises(Forbidden):
        say(world, actor=world.users["ana"])
    assert not Contribution.objects.exists()


def test_a_closed_period_takes_nothing(play: Play) -> None:
    world = play("close")
    before = Contribution.objects.count()
    with pytest.raises(Conflict) as refusal:
        say(world)
    assert (refusal.value.code, Contribution.objects.count()) == ("period_closed", before)


def test_the_charters_cap_is_hard(play: Play) -> None:
    world = play("make_house")
    from backend.commons.models import Charter

    Charter.objects.create(
        id="cha_2", budget=world.budget, version=2, rule="claims_pro", hard_cap=40_00, created_at=world.now
    )
    with pytest.raises(Invalid) as refusal:
        say(world)
    assert refusal.value.code == "over_the_cap"


def test_ten_submissions_declare_once(committed: str, play: Play) -> None:
    world = play("make_house")
    assert len(set(at_once(lambda _number: say(world).pk))) == 1
    assert Contribution.objects.count() == 1


def test_a_steward_validates_and_nobody_their_own(play: Play) -> None:
    world = play("make_house")
    Role.objects.create(user=world.users["bo"], kind="steward", scope=world.budget.pk, created_at=world.now)
    made = say(world)
    with pytest.raises(Forbidden) as refusal:
        review(actor=world.users["bo"], contribution_id=made.pk, verdict="approve", now=world.now)
    assert refusal.value.code == "own_contribution"
    with pytest.raises(Forbidden):
        review(actor=world.users["camille"], contribution_id=made.pk, verdict="approve", now=world.now)
    with pytest.raises(NotFound):
        review(actor=world.users["ana"], contribution_id=made.pk, verdict="approve", now=world.now)
    assert not Review.objects.exists()
    review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", now=world.now)
    made.refresh_from_db()
    assert made.state == "validated"


def test_postgresql_refuses_ones_own_review(play: Play) -> None:
    world = play("make_house")
    made = say(world)
    bo, camille = world.users["bo"].pk, world.users["camille"].pk
    for contributor in (bo, camille):  # honestly one's own, then disguised as somebody else's
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO contributions_review (id, contribution_id, contributor_id, reviewer_id, verdict, reason, "
                "created_at) VALUES ('rev_x', %s, %s, %s, 'approve', '', now())",
                [made.pk, contributor, bo],
            )


def test_a_rejection_has_a_reason_and_is_final(play: Play) -> None:
    world = play("make_house")
    made = say(world)
    with pytest.raises(Invalid) as refusal:
        review(actor=world.users["sacha"], contribution_id=made.pk, verdict="reject", now=world.now)
    assert refusal.value.param == "reason"
    review(actor=world.users["sacha"], contribution_id=made.pk, verdict="reject", reason="doublon", now=world.now)
    made.refresh_from_db()
    assert made.state == "rejected"
    with pytest.raises(Conflict) as late:
        review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", now=world.now)
    assert late.value.code == "contribution_not_open"


def test_ten_approvals_at_once_count_once(committed: str, play: Play) -> None:
    world = play("make_house")
    made = say(world)
    results = at_once(
        lambda _number: (
            review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", now=world.now).verdict
        )
    )
    assert sorted(results) == ["approve"] + ["contribution_not_open"] * 9
    assert Review.objects.count() == 1


def test_one_takes_back_ones_own_before_closing(play: Play) -> None:
    world = play("make_house")
    made = say(world)
    with pytest.raises(NotFound):
        withdraw(actor=world.users["camille"], contribution_id=made.pk, now=timezone.now())
    assert withdraw(actor=world.users["bo"], contribution_id=made.pk, now=timezone.now()).state == "withdrawn"
