"""Directors of the host: what each is paid in a month counts together, and is compared with what is tolerated."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from backend.core.errors import Conflict, Forbidden, Invalid
from backend.distributions.models import Share
from backend.identity.services import host_day
from backend.payees.directors import FIRST_DAY, FIRST_LIMIT, end_director, limit_on, mark_director, set_limit
from backend.payees.models import Director, DirectorLimit
from backend.payouts.directors import by_month, in_batch, month_of, warnings
from backend.payouts.undoing import bank_refused_all

Play = Callable[..., Any]


def directed(world: Any, who: str = "bo", since: int = 40) -> Director:
    first = host_day(world.now) - timedelta(days=since)
    return mark_director(actor=world.users["claire"], email=world.users[who].email, starts_on=first, now=world.now)


def shares(world: Any) -> list[Share]:
    return list(Share.objects.select_related("payee", "distribution").order_by("pk"))


def test_a_directors_shares_are_warned_of_with_the_month(play: Play) -> None:
    world = play("approve_distribution")
    assert warnings(shares(world), now=world.now) == []
    directed(world)
    (one,) = warnings(shares(world), now=world.now)
    assert (one.person, one.paid, one.coming, one.total, one.over) == (world.users["bo"], 0, 57_00, 57_00, 0)
    assert one.limit == FIRST_LIMIT == 1_325_19
    set_limit(
        actor=world.users["claire"], starts_on=host_day(world.now).replace(day=1), amount=50_00, source="décret",
        now=world.now,
    )  # fmt: skip
    assert warnings(shares(world), now=world.now)[0].over == 7_00


def test_what_left_and_what_is_in_a_batch_count_in_their_month(play: Play) -> None:
    world = play("pay")
    directed(world)
    today = host_day(world.now)
    (one,) = in_batch(world.batch.pk)
    assert (one.paid, one.coming, one.month) == (57_00, 0, month_of(today))
    rows = by_month(today=today)
    assert (rows[0].month, rows[0].total) == (month_of(today), 57_00)
    assert [row.total for row in rows[1:]] == [0] * (len(rows) - 1)
    assert rows[-1].month == month_of(today - timedelta(days=40))
    (coming,) = warnings(shares(world), now=world.now)
    assert (coming.paid, coming.total) == (57_00, 114_00)


def test_a_refused_batch_counts_nothing(play: Play) -> None:
    world = play("pay")
    directed(world)
    bank_refused_all(actor=world.users["denis"], batch_id=world.batch.pk, code="FF01", reason="refus", now=world.now)
    assert warnings(shares(world), now=world.now)[0].paid == 0


def test_another_month_counts_nothing(play: Play) -> None:
    world = play("settle")
    directed(world)
    assert warnings(shares(world), now=world.now + timedelta(days=33))[0].paid == 0
    assert sum(row.total for row in by_month(today=host_day(world.now))) == 57_00


def test_who_directs_no_more_is_warned_of_no_more(play: Play) -> None:
    world = play("approve_distribution")
    row = directed(world)
    last = month_of(host_day(world.now))
    for _twice in range(2):
        end_director(actor=world.users["denis"], director_id=row.pk, ends_before=last, now=world.now)
    assert warnings(shares(world), now=world.now) == []
    with pytest.raises(Conflict) as refusal:
        end_director(
            actor=world.users["denis"], director_id=row.pk, ends_before=last + timedelta(days=1), now=world.now
        )
    assert refusal.value.code == "director_ended"
    directed(world, since=0)
    assert Director.objects.count() == 2


def test_what_is_refused_of_a_director(play: Play) -> None:
    world = play("approve_distribution")
    row = directed(world)
    with pytest.raises(Conflict):
        directed(world, since=0)
    with pytest.raises(Invalid) as unknown:
        mark_director(
            actor=world.users["claire"], email="nobody@example.org", starts_on=date(2026, 1, 1), now=world.now
        )
    assert (unknown.value.code, unknown.value.param) == ("director_unknown", "email")
    with pytest.raises(Invalid) as soon:
        end_director(actor=world.users["claire"], director_id=row.pk, ends_before=row.starts_on, now=world.now)
    assert soon.value.code == "director_ends_too_soon"
    for who in ("bo", "sacha", "ana"):
        with pytest.raises(Forbidden):
            mark_director(actor=world.users[who], email="bo@example.org", starts_on=date(2026, 1, 1), now=world.now)
    assert [(one.pk, one.ends_before) for one in Director.objects.all()] == [(row.pk, None)]


def test_a_limit_holds_from_its_day_until_another(play: Play) -> None:
    world = play("make_house")
    assert limit_on(date(2026, 1, 1)) == (FIRST_LIMIT, FIRST_DAY, "")
    facts = {"actor": world.users["claire"], "source": "décret", "now": world.now}
    set_limit(starts_on=date(2027, 1, 1), amount=1_400_00, **facts)
    assert limit_on(date(2026, 12, 31))[0] == FIRST_LIMIT
    assert limit_on(date(2027, 1, 1)) == (1_400_00, date(2027, 1, 1), "décret")
    for wrong, code in (
        ({"amount": 0}, "amount_out_of_range"),
        ({"source": " "}, "reason_missing"),
        ({"starts_on": date(2027, 1, 1)}, "limit_set_already"),
    ):
        with pytest.raises((Invalid, Conflict)) as refusal:
            set_limit(**{**facts, "starts_on": date(2028, 1, 1), "amount": 1, **wrong})
        assert refusal.value.code == code
    assert DirectorLimit.objects.count() == 1
