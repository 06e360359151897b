"""The cash projection: every month ties to the one before, nothing late is counted, and no label meets another."""

import csv
import io
import itertools
import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from backend.core.errors import Forbidden
from backend.distributions.models import Share
from backend.identity.services import host_day
from backend.ledger.services import balance
from backend.operations.projection import (
    AHEAD,
    COMING,
    GOING,
    LABEL,
    LETTER,
    ROW,
    WIDE,
    Flow,
    drawing,
    months_ahead,
    projections,
)
from backend.pledges.models import Instalment
from backend.pledges.services import Terms
from tests.payments.money import a_pledge
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
TODAY = date(2026, 11, 23)


def test_months_follow_each_other_to_the_cent_on_random_flows() -> None:
    draw = random.Random(11)  # noqa: S311  # figures to try, no secret
    for _turn in range(300):
        flows = [
            Flow(TODAY + timedelta(days=draw.randint(-60, 500)), draw.choice((*COMING, *GOING)), draw.randint(0, 10**9))
            for _one in range(draw.randint(0, 40))
        ]
        bank = draw.randint(-(10**9), 10**9)
        months = months_ahead(flows, bank=bank, today=TODAY)
        assert [one.first for one in months[:3]] == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]
        assert len(months) == AHEAD
        assert months[0].before == bank
        assert all(one.before == earlier.after for earlier, one in itertools.pairwise(months))
        inside = [flow for flow in flows if flow.first < date(2027, 11, 1)]
        signed = sum(flow.amount if flow.why in COMING else -flow.amount for flow in inside)
        assert months[-1].after == bank + signed


def test_no_label_meets_another_and_no_bar_leaves_its_room() -> None:
    draw = random.Random(12)  # noqa: S311  # figures to try, no secret
    for _turn in range(300):
        most = 10 ** draw.randint(0, 13)
        flows = [
            Flow(TODAY + timedelta(days=draw.randint(0, 400)), draw.choice((*COMING, *GOING)), draw.randint(0, most))
            for _one in range(draw.randint(0, 40))
        ]
        months = months_ahead(flows, bank=draw.randint(-most, most), today=TODAY)
        texts = [f"{one.after / 100:,.2f} €" for one in months]
        drawn = drawing(months, texts)
        right = WIDE - LETTER * max(map(len, texts))
        for bar in drawn.bars:
            assert bar.width >= 0
            assert bar.x >= LABEL
            assert bar.x + bar.width <= max(right, LABEL + 20)
            assert bar.x + bar.width <= drawn.zero if bar.below else bar.x == drawn.zero
        assert len({bar.y for bar in drawn.bars}) == len(drawn.bars)
        assert all(later.y - bar.y == ROW for bar, later in itertools.pairwise(drawn.bars))


def test_it_adds_up_what_is_promised_and_what_is_committed(play: Play) -> None:
    world = play("make_house")
    today = host_day(world.now)
    monthly = a_pledge(world, 10_00, "m", Terms(rhythm="monthly"))
    late = a_pledge(world, 70_00, "late")
    Instalment.objects.filter(pledge=late).update(due_on=today - timedelta(days=40))
    (told,) = projections(actor=world.users["claire"], today=today)
    assert (told.currency, told.bank, told.late) == ("EUR", 0, 70_00)
    # Twelve months of a pledge made today: one instalment in each.
    assert [one.flows.get("pledged", 0) for one in told.months] == [10_00] * 12
    assert (told.last, told.lowest.after) == (120_00, 10_00)
    assert monthly.expected == 10_00


def test_what_is_owed_leaves_this_month(play: Play) -> None:
    world = play("approve_distribution")
    today = host_day(world.now)
    (told,) = projections(actor=world.users["claire"], today=today)
    assert told.months[0].flows["owed"] == sum(one.due for one in Share.objects.all()) > 0
    assert told.bank == balance(kind="bank", owner=world.account.pk, currency="EUR")
    assert told.months[0].after == told.bank + told.months[0].coming - told.months[0].going


def test_validated_requests_leave_when_their_period_is_over(play: Play) -> None:
    world = play("work")
    today = host_day(world.now)
    (told,) = projections(actor=world.users["claire"], today=today)
    period = world.budget.periods.order_by("starts_on").first()
    first = max(period.ends_before.replace(day=1), today.replace(day=1))
    committed = {one.first: one.flows.get("committed", 0) for one in told.months}
    asked = sum(
        world.budget.contributions.filter(state="validated").values_list("amount", flat=True)
    )  # fmt: skip
    assert committed[first] == asked > 0
    assert sum(committed.values()) == asked


def test_only_treasurers_and_auditors_read_it(play: Play) -> None:
    world = play("make_house")
    with pytest.raises(Forbidden):
        projections(actor=world.users["ana"], today=host_day(world.now))


def test_the_page_and_its_file_say_the_same(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    a_pledge(world, 10_00, "m", Terms(rhythm="monthly"))
    browser = sign_in(world.users["claire"])
    page = browser.get("/en/projection/")
    html = page.content.decode()
    assert '<title id="plot-title-EUR">' in html
    assert '<desc id="plot-desc-EUR">' in html
    assert "After twelve months €120.00" in text_of(page)
    answer = browser.get("/en/projection/?format=csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + AHEAD + 1
    assert rows[-2][-1] == "120.00"
    assert rows[-1][0] == "late, counted in no month"
