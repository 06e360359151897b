"""Closing: frozen, computed, approved by another person, booked once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.commons.models import Period
from backend.contributions.models import Contribution
from backend.contributions.services import declare, review
from backend.core.errors import Conflict, Forbidden
from backend.distributions.models import Distribution, Share
from backend.distributions.services import approve, close_period, compute_due
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from tests.concurrency import at_once
from tests.treasurers import make_treasurer

Play = Callable[..., Any]


def say(world: Any, key: str) -> Contribution:
    """Some work of Bo's, today."""
    return declare(
        actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=30,
        amount=10_00, description="Accueil", form_key=key, now=world.now,
    )  # fmt: skip


def test_the_pot_is_shared_pro_rata_to_the_cent(play: Play) -> None:
    world = play("close")
    distribution = world.distribution
    assert (distribution.state, distribution.pot) == ("published", 95_00)
    shares = {share.contributor.name: (share.asked, share.amount) for share in distribution.shares.all()}
    assert shares == {"Bo Nguyen": (60_00, 57_00), "Camille Faure": (40_00, 38_00)}
    assert entry_count() == 2  # the receipt and the unknown line: closing books nothing
    assert world.period.state == "published"
    following = Period.objects.get(budget=world.budget, state="open")
    # Closed before its last day: it ends today, the next one takes the days that were left.
    assert following.starts_on == world.period.ends_before == world.today + timedelta(days=1)


def test_work_after_the_last_day_opens_the_next_period(play: Play) -> None:
    world = play("work")
    Period.objects.update(ends_before=world.today)
    late = say(world, "late")
    assert (late.period.starts_on, late.period.state) == (world.today, "open")
    with pytest.raises(Conflict) as refusal:
        close_period(actor=world.users["claire"], period_id=late.period_id, now=world.now)
    assert refusal.value.code == "earlier_period_open"
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    late.refresh_from_db()
    assert (late.state, late.period.state) == ("declared", "open")
    assert Period.objects.count() == 2


def test_money_promised_to_one_distribution_is_not_shared_by_another(play: Play) -> None:
    world = play("work")
    Period.objects.update(ends_before=world.today)
    late = say(world, "late")
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    with pytest.raises(Conflict) as refusal:
        close_period(actor=world.users["claire"], period_id=late.period_id, now=world.now)
    assert refusal.value.code == "distribution_pending"
    assert Distribution.objects.count() == 1


def test_a_period_that_has_not_begun_is_not_closed(play: Play) -> None:
    world = play("close")
    following = Period.objects.get(budget=world.budget, state="open")
    with pytest.raises(Conflict) as refusal:
        close_period(actor=world.users["claire"], period_id=following.pk, now=world.now)
    assert refusal.value.code == "period_not_begun"
    assert following.state == "open"


def test_unreviewed_work_goes_to_the_next_period(play: Play) -> None:
    world = play("work")
    late = say(world, "late")
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    late.refresh_from_db()
    assert (late.state, late.period.state) == ("declared", "open")
    review(actor=world.users["sacha"], contribution_id=late.pk, verdict="approve", now=world.now)
    inputs = Distribution.objects.get().inputs
    assert inputs["purses"] == [
        {
            "id": world.budget.pk, "parent": None, "held": 95_00, "reserve": 0,
            "receipts": [{"kind": "payment.received", "count": 1, "gross": 100_00, "fees": 5_00}],
        }
    ]  # fmt: skip
    assert inputs["lines"] == [
        {
            "contribution": one.pk, "person": one.contributor_id, "purse": world.budget.pk, "kind": one.kind,
            "declared": one.minutes, "validated": one.minutes, "validators": 1, "claim": one.amount, "rank": rank,
            "age": 0,
        }
        for rank, one in enumerate(world.contributions, start=1)
    ]  # fmt: skip
    assert [inputs[key] for key in ("counted", "history", "owed", "closed_targets")] == [{}, [], {}, []]


def test_the_preparer_does_not_approve(play: Play) -> None:
    world = play("close")
    with pytest.raises(Forbidden) as refusal:
        approve(
            actor=world.users["claire"], distribution_id=world.distribution.pk, digest=world.distribution.digest,
            now=world.now,
        )  # fmt: skip
    assert refusal.value.code == "own_distribution"
    assert entry_count() == 2


def test_who_is_paid_does_not_approve(play: Play) -> None:
    world = play("close")
    make_treasurer(world.users["bo"], now=world.now)
    demo.give_factor(world.users["bo"])
    with pytest.raises(Forbidden) as refusal:
        approve(
            actor=world.users["bo"],
            distribution_id=world.distribution.pk,
            digest=world.distribution.digest,
            now=world.now,
        )
    assert refusal.value.code == "paid_by_distribution"


def test_what_was_read_is_what_is_approved(play: Play) -> None:
    world = play("close")
    with pytest.raises(Conflict) as refusal:
        approve(actor=world.users["denis"], distribution_id=world.distribution.pk, digest="0" * 64, now=world.now)
    assert refusal.value.code == "distribution_changed"
    assert entry_count() == 2


def test_a_tampered_trace_is_not_approved(play: Play) -> None:
    world = play("close")
    trace = world.distribution.trace
    trace["steps"][0]["persons"][0]["cents"] += 1
    Distribution.objects.update(trace=trace)
    with pytest.raises(Conflict) as refusal:
        approve(
            actor=world.users["denis"], distribution_id=world.distribution.pk, digest=world.distribution.digest,
            now=world.now,
        )  # fmt: skip
    assert refusal.value.code == "distribution_changed"
    assert entry_count() == 2


def test_a_share_that_is_not_the_traces_is_not_approved(play: Play) -> None:
    world = play("close")
    Share.objects.filter(amount=38_00).update(amount=38_01)
    with pytest.raises(Conflict) as refusal:
        approve(
            actor=world.users["denis"], distribution_id=world.distribution.pk, digest=world.distribution.digest,
            now=world.now,
        )  # fmt: skip
    assert refusal.value.code == "distribution_changed"
    assert entry_count() == 2


def test_ten_approvals_book_once(committed: str, play: Play) -> None:
    world = play("close")
    results = at_once(
        lambda _number: approve(
            actor=world.users["denis"], distribution_id=world.distribution.pk, digest=world.distribution.digest,
            now=world.now,
        ).state
    )  # fmt: skip
    assert results == ["booked"] * 10
    assert entry_count() == 3
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 0
    owed = [balance(kind="payee", owner=share.payee_id, currency="EUR") for share in Share.objects.order_by("-amount")]
    assert owed == [57_00, 38_00]
    assert world.period.state == "booked"
    assert set(Contribution.objects.values_list("state", flat=True)) == {"settled"}


def test_ten_closings_make_one_distribution(committed: str, play: Play) -> None:
    world = play("work")
    people = [world.users["claire"], world.users["denis"]]
    results = at_once(
        lambda number: close_period(actor=people[number % 2], period_id=world.period.pk, now=world.now).state
    )
    assert sorted(results) == ["frozen"] * 5 + ["period_not_open"] * 5
    assert Distribution.objects.count() == 1
    assert sum(at_once(lambda _number: compute_due(world.now), times=5)) == 1
    assert Share.objects.count() == 2


def test_work_declared_while_closing_falls_wholly_in_one_period(committed: str, play: Play) -> None:
    world = play("work")

    def act(number: int) -> str:
        if number == 5:
            return close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now).state
        one = declare(
            actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=30,
            amount=1_00, description="Accueil", form_key=f"race-{number}", now=world.now,
        )  # fmt: skip
        review(actor=world.users["sacha"], contribution_id=one.pk, verdict="approve", now=world.now)
        return "declared"

    results = at_once(act, times=12)
    assert set(results) <= {"declared", "frozen", "period_closed", "day_outside_period"}
    distribution = Distribution.objects.get()
    named = {one["contribution"] for one in distribution.inputs["lines"]}
    assert named == set(Contribution.objects.filter(state="included").values_list("pk", flat=True))
    assert set(Contribution.objects.filter(pk__in=named).values_list("period_id", flat=True)) == {
        distribution.period_id
    }
    others = Contribution.objects.exclude(pk__in=named)
    assert not others.filter(period=distribution.period_id).exists()


def test_a_booked_period_never_changes(play: Play) -> None:
    world = play("approve_distribution")
    period = world.period
    with pytest.raises(IntegrityError), transaction.atomic():
        Period.objects.filter(pk=period.pk).update(state="open")
    with pytest.raises(IntegrityError), transaction.atomic():
        Distribution.objects.update(approved_by=world.users["claire"])


def test_a_pot_without_money_shares_nothing_and_still_closes(play: Play) -> None:
    world = play("make_house")
    one = say(world, "k")
    review(actor=world.users["sacha"], contribution_id=one.pk, verdict="approve", now=world.now)
    made = close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    compute_due(world.now)
    made.refresh_from_db()
    approve(actor=world.users["denis"], distribution_id=made.pk, digest=made.digest, now=world.now)
    one.refresh_from_db()
    assert (one.state, one.settled_amount, entry_count()) == ("settled", 0, 0)
