"""A yearly limit holds whatever way a promise takes: later years, a later end, somebody else's pledge, a pause."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from backend.commons.services import open_envelope
from backend.core.errors import Conflict
from backend.events.models import Event
from backend.identity.models import Role, SpendingLimit, User
from backend.pledges.limits import pledged
from backend.pledges.models import Pledge
from backend.pledges.services import cancel_pledge, change_pledge, make_pledges, pause_pledge, resume_pledge
from backend.pledges.terms import Terms
from tests.pledges.test_instalments import START, promise

Play = Callable[..., Any]
DAY = timedelta(days=1)


def house(play: Play, limit: int = 1200_00) -> tuple[Any, User]:
    """A house where Ana may pledge so much a year, and Léa, a colleague, as much."""
    world = play("make_house", now=START)
    ana = world.users["ana"]
    lea = User.objects.create_user("lea@example.org", "x", name="Léa", language="fr")
    Role.objects.create(
        user=lea, kind="organisation_member", scope=world.organisation.pk, granted_by=ana, created_at=START
    )  # fmt: skip
    for person in (ana, lea):
        SpendingLimit.objects.create(
            user=person, organisation=world.organisation, amount=limit, currency="EUR", per="year", set_by=ana,
            created_at=START,
        )  # fmt: skip
    return world, lea


def refused(act: Callable[[], object]) -> str:
    """The sentence of a refusal by a limit, which changed nothing."""
    before = (Event.objects.count(), list(Pledge.objects.order_by("pk").values()))
    with pytest.raises(Conflict) as refusal:
        act()
    assert refusal.value.code == "above_spending_limit"
    assert (Event.objects.count(), list(Pledge.objects.order_by("pk").values())) == before
    return str(refusal.value.message)


def test_a_later_end_asks_for_the_room_of_what_it_adds(play: Play) -> None:
    world, _lea = house(play)
    ana = world.users["ana"]
    short = promise(world, rhythm="monthly", amount=500_00, ends_on=START.date())
    promise(world, amount=600_00, key="rest")
    assert pledged(ana, world.organisation, "EUR", now=START)[2026] == 1100_00
    for end in (None, date(2026, 2, 28)):
        refused(lambda end=end: change_pledge(
            actor=ana, pledge_id=short.pk, changes={"ends_on": end}, now=START,
        ))  # fmt: skip


def test_what_begins_next_year_is_held_against_that_year(play: Play) -> None:
    world, _lea = house(play)
    told = refused(lambda: promise(world, amount=1200_01, starts_on=date(2027, 1, 2)))
    assert "2027" in told
    promise(world, amount=1200_00, starts_on=date(2027, 1, 2))
    refused(lambda: promise(world, amount=1, key="more", starts_on=date(2027, 1, 2)))
    promise(world, amount=1200_00, key="this year")
    assert pledged(world.users["ana"], world.organisation, "EUR", now=START) == {
        2026: 1200_00, 2027: 1200_00, 2028: 0,
    }  # fmt: skip


def test_a_rhythm_is_held_against_a_whole_year(play: Play) -> None:
    world, _lea = house(play)
    november = START.replace(month=11, day=20)
    assert "2027" in refused(lambda: promise(world, amount=100_01, rhythm="monthly", now=november))
    assert promise(world, amount=100_00, rhythm="monthly", now=november).amount == 100_00


def test_who_raises_the_pledge_of_a_colleague_spends_their_own_limit(play: Play) -> None:
    world, lea = house(play)
    ana = world.users["ana"]
    pledge = promise(world, amount=10_00, rhythm="yearly", starts_on=date(2026, 6, 1))
    change_pledge(actor=lea, pledge_id=pledge.pk, changes={"amount": 1000_00}, now=START)
    assert pledged(lea, world.organisation, "EUR", now=START)[2026] == 990_00
    assert pledged(ana, world.organisation, "EUR", now=START)[2026] == 10_00
    refused(lambda: change_pledge(actor=lea, pledge_id=pledge.pk, changes={"amount": 1210_01}, now=START))
    change_pledge(actor=lea, pledge_id=pledge.pk, changes={"amount": 1210_00}, now=START)
    # Lowering gives back the room of who raised last.
    change_pledge(actor=ana, pledge_id=pledge.pk, changes={"amount": 500_00}, now=START)
    assert pledged(lea, world.organisation, "EUR", now=START)[2026] == 490_00
    assert pledged(ana, world.organisation, "EUR", now=START)[2026] == 10_00


def test_who_lengthens_the_pledge_of_a_colleague_spends_their_own_limit(play: Play) -> None:
    world, lea = house(play)
    pledge = promise(world, amount=100_00, rhythm="monthly", ends_on=date(2026, 3, 31))
    other = promise(world, amount=100_00, rhythm="monthly", ends_on=date(2026, 3, 31), key="other")
    change_pledge(actor=lea, pledge_id=pledge.pk, changes={"ends_on": date(2026, 12, 31)}, now=START)
    assert pledged(world.users["ana"], world.organisation, "EUR", now=START)[2026] == 600_00
    assert pledged(lea, world.organisation, "EUR", now=START)[2026] == 900_00
    refused(lambda: change_pledge(
        actor=lea, pledge_id=other.pk, changes={"ends_on": date(2026, 8, 1)}, now=START,
    ))  # fmt: skip


def test_taking_up_a_paused_pledge_asks_for_its_room(play: Play) -> None:
    world, _lea = house(play)
    ana = world.users["ana"]
    pledge = promise(world, amount=100_00, rhythm="monthly")
    pause_pledge(actor=ana, pledge_id=pledge.pk, reason="later", now=START)
    rest = promise(world, amount=1100_00, key="rest")
    refused(lambda: resume_pledge(actor=ana, pledge_id=pledge.pk, now=START + DAY))
    refused(lambda: resume_pledge(actor=world.users["claire"], pledge_id=pledge.pk, now=START + DAY))
    cancel_pledge(actor=ana, pledge_id=rest.pk, now=START)
    assert resume_pledge(actor=ana, pledge_id=pledge.pk, now=START + DAY).paused_at is None


def test_a_limit_per_pledge_holds_for_all_parts_of_an_act_that_is_raised(play: Play) -> None:
    world, _lea = house(play, limit=100_000_00)
    ana = world.users["ana"]
    SpendingLimit.objects.create(
        user=ana, organisation=world.organisation, amount=150_00, currency="EUR", per="pledge", set_by=ana,
        created_at=START,
    )  # fmt: skip
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Doc", now=world.now)
    parts = make_pledges(
        actor=ana, parts=[(world.budget, 70_00), (envelope, 70_00)], currency="EUR", organisation=world.organisation,
        form_key="two", now=START, terms=Terms(rhythm="monthly"),
    )  # fmt: skip
    refused(lambda: change_pledge(actor=ana, pledge_id=parts[0].pk, changes={"amount": 80_01}, now=START))
    change_pledge(actor=ana, pledge_id=parts[0].pk, changes={"amount": 80_00}, now=START)
