"""The days of a comparison with the provider: those that have come; the daily one goes on after any of them."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.identity.services import host_day
from backend.payments.models import Reconciliation
from backend.payments.reconciling import ask_reconciliation, reconcile_due, reconcile_range
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]
Play = Callable[..., Any]


@pytest.mark.parametrize(
    ("since", "until"), [(date(1, 1, 1), date(1, 2, 1)), (date(1999, 12, 31), date(2000, 2, 1)), (None, None)]
)
def test_days_that_cannot_be_compared_are_refused_and_nothing_is_written(
    play: Play, fake_provider: FakeProvider, since: date | None, until: date | None
) -> None:
    world = play("make_house")
    today = host_day(world.now)
    with pytest.raises(Invalid) as refusal:
        ask_reconciliation(
            actor=world.users["claire"], since=since or today, until=until or today + timedelta(days=1), now=world.now
        )
    assert refusal.value.code == "range_unusable"
    assert not Reconciliation.objects.exists()


def test_the_daily_one_follows_one_that_ended_today(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    today = host_day(world.now)
    reconcile_range(since=today, until=today, now=world.now)  # its last moment is tonight, later than now
    later = world.now + timedelta(days=1, minutes=1)
    assert reconcile_due(later) == 1
    assert Reconciliation.objects.order_by("-asked_at")[0].since <= world.now
