"""Contributions: declared by members, in the open period, validated by others."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from backend.allocation.trace import sha256
from backend.commons.charters import valid_document
from backend.commons.models import Charter, Period
from backend.commons.services import adopt_charter
from backend.contributions.models import Contribution, Review
from backend.contributions.services import declare, may_declare, review, validated_minutes, withdraw
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.identity.models import Role
from backend.operations import demo
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


def under(world: Any, **changes: Any) -> None:
    """The running period is under a charter with these changes from its first day on."""
    latest = world.budget.charters.latest("version")
    document = valid_document({**latest.document, **changes}, budget=world.budget)
    written = Charter.objects.create(
        id=f"cha_{latest.version + 1}", budget=world.budget, version=latest.version + 1, document=document,
        sha256=sha256(document), created_at=world.now,
    )  # fmt: skip
    Period.objects.filter(budget=world.budget, state="open").update(charter=written)


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
        ({"description": "x" * 501}, Invalid, "description"), ({"evidence": ["javascript:1"]}, Invalid, "evidence/0"),
        ({"evidence": ["http://[half"]}, Invalid, "evidence/0"),
        ({"evidence": ["https://x.example/\ny"]}, Invalid, "evidence/0"),
        ({"evidence": [" https://x.example"]}, Invalid, "evidence/0"),
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
    under(world, hard_cap=40_00)
    with pytest.raises(Invalid) as refusal:
        say(world)
    assert refusal.value.code == "over_the_cap"


def test_above_the_soft_cap_a_reason_is_wanted(play: Play) -> None:
    world = play("make_house")
    under(world, soft_cap=40_00, hard_cap=50_00)
    for why in ("", "  "):
        with pytest.raises(Invalid) as refusal:
            say(world, over_cap_reason=why)
        assert (refusal.value.code, refusal.value.param) == ("reason_over_soft_cap", "over_cap_reason")
    assert "Above €40.00 the charter wants a reason" in str(refusal.value)
    with pytest.raises(Invalid) as refusal:
        say(world, amount=50_01, over_cap_reason="Urgent")
    assert refusal.value.code == "over_the_cap"
    with pytest.raises(Invalid) as refusal:
        say(world, over_cap_reason="x" * 501)
    assert refusal.value.param == "over_cap_reason"
    assert not Contribution.objects.exists()
    assert say(world, over_cap_reason=" Urgent ").over_cap_reason == "Urgent"
    assert say(world, amount=40_00, form_key="at the cap").over_cap_reason == ""


def test_only_the_kinds_of_the_charter_are_declared(play: Play) -> None:
    world = play("make_house")
    under(world, kinds={"review": 1500, "support": 1000})
    with pytest.raises(Invalid) as refusal:
        say(world)
    assert (refusal.value.code, refusal.value.param) == ("kind_not_in_charter", "kind")
    assert str(refusal.value).endswith("Use one of: review, support.")
    assert not Contribution.objects.exists()
    assert say(world, kind="review").kind == "review"


def test_the_charter_of_the_day_s_period_counts_not_a_later_one(play: Play) -> None:
    world = play("make_house")
    latest = world.budget.charters.get().document
    adopt_charter(
        actor=world.users["sacha"], budget=world.budget, document={**latest, "kinds": {"review": 1000}}, now=world.now
    )
    assert say(world).kind == "development"


def test_an_expense_is_an_amount_with_its_receipt_and_no_duration(play: Play) -> None:
    world = play("make_house")
    under(world, kinds={"expense": 1000})
    for changes, code, param in (
        ({"minutes": 1}, "expense_has_no_time", "minutes"),
        ({"minutes": 0, "amount": 0}, "expense_without_amount", "amount"),
        ({"minutes": 0, "evidence": []}, "expense_without_paper", "evidence"),
    ):
        with pytest.raises(Invalid) as refusal:
            say(world, kind="expense", **changes)
        assert (refusal.value.code, refusal.value.param) == (code, param)
    made = say(world, kind="expense", minutes=0)
    assert (made.kind, made.minutes, made.amount) == ("expense", 0, 45_00)
    for change in ({"minutes": 5}, {"amount": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Contribution.objects.filter(pk=made.pk).update(**change)


def test_everyone_may_declare_where_the_charter_says_so(play: Play) -> None:
    world = play("make_house")
    ana = world.users["ana"]
    with pytest.raises(Forbidden):
        say(world, actor=ana)
    under(world, declare="everyone")
    assert may_declare(ana, world.budget)
    made = say(world, actor=ana)
    assert made.contributor == ana
    assert [one.pk for one in Contribution.visible_to(ana)] == [made.pk]
    ana.is_active = False
    assert not may_declare(ana, world.budget)


def reviewers(world: Any, count: int) -> list[Any]:
    """Sacha and as many other stewards as it takes."""
    users = [world.users[name] for name in ("sacha", "camille", "claire", "denis")][:count]
    for user in users[1:]:
        Role.objects.create(user=user, kind="steward", scope=world.budget.pk, created_at=world.now)
    demo.give_factor(world.users["camille"])
    return users


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ([None], 90), ([60], 60), ([0], 0), ([60, None], 60), ([80, 30], 30), ([80, 30, 70], 70),
        ([80, 30, 70, 40], 40), ([None, None, 10], 90),
    ],
)  # fmt: skip
def test_the_low_median_of_what_reviewers_validate_counts(play: Play, said: list[int | None], counted: int) -> None:
    world = play("make_house")
    under(world, review={"mode": "approvals", "approvals": len(said)})
    made = say(world)
    assert validated_minutes([made]) == {made.pk: (90, 0)}
    for number, (user, minutes) in enumerate(zip(reviewers(world, len(said)), said, strict=True)):
        made.refresh_from_db()
        assert (made.state, made.validated_at) == ("declared", None)
        moment = world.now + timedelta(minutes=number)
        review(actor=user, contribution_id=made.pk, verdict="approve", minutes=minutes, now=moment)
    made.refresh_from_db()
    assert (made.state, made.validated_at) == ("validated", moment)
    assert validated_minutes([made]) == {made.pk: (counted, len(said))}


@pytest.mark.parametrize(("verdict", "minutes"), [("approve", 91), ("approve", -1), ("approve", True), ("reject", 0)])
def test_validated_minutes_stay_within_what_was_declared(play: Play, verdict: str, minutes: Any) -> None:
    world = play("make_house")
    made = say(world)
    with pytest.raises(Invalid) as refusal:
        review(
            actor=world.users["sacha"], contribution_id=made.pk, verdict=verdict, reason="no", minutes=minutes,
            now=world.now,
        )  # fmt: skip
    assert (refusal.value.code, refusal.value.param) == ("validated_minutes", "minutes")
    assert not Review.objects.exists()


def test_ten_submissions_declare_once(committed: str, play: Play) -> None:
    world = play("make_house")
    assert len(set(at_once(lambda _number: say(world).pk))) == 1
    assert Contribution.objects.count() == 1


def test_a_steward_validates_and_nobody_their_own(play: Play) -> None:
    world = play("make_house")
    Role.objects.create(user=world.users["bo"], kind="steward", scope=world.budget.pk, created_at=world.now)
    demo.give_factor(world.users["bo"])
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
