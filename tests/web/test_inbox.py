"""The treasurers' inbox: five figures that tie to the ledger, one list the oldest first, and who may act."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.identity.services import host_day
from backend.ledger.services import balances
from backend.payments.models import ProviderPayout
from backend.payouts.services import prepare_batch
from backend.pledges.models import Pledge
from backend.web.inbox_list import acts, all_piles, figures, tasks
from tests.payments.money import a_pledge
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
PAGE = "/en/treasury/"


@pytest.mark.parametrize("step", ["make_house", "receive", "close", "approve_distribution", "pay", "settle"])
def test_the_figures_are_what_the_ledger_says(play: Play, step: str) -> None:
    world = play(step)
    a_pledge(world, 33_00, "more")
    (told,) = figures()
    sums = {kind: sum(balances(kind=kind).values()) for kind in ("budget", "payee", "in_transit", "bank")}
    assert (told.held, told.owed, told.in_transit, told.bank) == tuple(sums.values())
    assert told.expected == sum(Pledge.objects.values_list("expected", flat=True)) >= 33_00


def test_each_task_has_an_act_and_the_oldest_comes_first(play: Play) -> None:
    world = play("document")
    prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=timezone.now())
    today = host_day(timezone.now())
    for who in ("claire", "denis"):
        found = tasks(all_piles(actor=world.users[who], today=today, shown=500), today=today)
        assert {one.act for one in found} <= set(acts())
        days = [one.since for one in found if one.since is not None]
        assert days == sorted(days)
        (batch,) = [one for one in found if one.pile.key == "batches"]
        assert (batch.act, batch.item.own, batch.item.amount) == ("approve", who == "claire", 95_00)


def test_what_one_prepared_needs_somebody_else(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=timezone.now())
    mine = text_of(sign_in(world.users["claire"]).get(PAGE + "?act=approve"))
    assert "needs somebody else" in mine
    theirs = text_of(sign_in(world.users["denis"]).get(PAGE + "?act=approve"))
    assert "needs somebody else" not in theirs
    assert "any treasurer" in theirs


def test_filters_and_an_empty_list(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["claire"])
    assert "Nothing of this kind waits." in text_of(browser.get(PAGE + "?act=document"))
    assert "Periods to close" in text_of(browser.get(PAGE + "?act=nonsense"))
    page = text_of(browser.get(PAGE))
    assert "Expected €0.00" in page
    assert "In the bank €0.00" in page


def test_a_payout_that_the_bank_never_showed_waits(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    today = host_day(timezone.now())
    for number, days in ((1, 5), (2, 6)):
        ProviderPayout.objects.create(
            id=f"ppo_{number}", provider="helloasso", remote_id=f"v{number}", amount=10_00 + number, currency="EUR",
            text="HELLOASSO", arrives_on=today - timedelta(days=days), created_at=timezone.now(),
        )  # fmt: skip
    (pile,) = [one for one in all_piles(actor=world.users["claire"], today=today) if one.key == "overdue"]
    assert [(item.text, item.amount) for item in pile.items] == [("HELLOASSO", 10_02)]
    assert "6 days" in text_of(sign_in(world.users["claire"]).get(PAGE + "?act=reconcile"))
