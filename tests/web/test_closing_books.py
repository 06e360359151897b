"""The closing assistant of the books: each point says where it stands and leads where it is done."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.banking.models import BankLine
from backend.ledger.services import ask_lock, lock, next_month, seal_due
from backend.operations.closing_checks import CODES, check_month
from backend.operations.models import SelfCheckRun
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def states(world: Any) -> dict[str, str]:
    """Code → state of each point of the month of the world."""
    checked = check_month(first_day=world.today.replace(day=1), now=world.now)
    return {point.code: point.state for point in checked.points}


def test_a_month_says_what_is_left_to_do(play: Play) -> None:
    world = play("settle")
    found = states(world)
    assert set(found) == set(CODES)
    # The demonstration leaves a line to identify, and no self-check ran.
    assert (found["over"], found["lines"], found["batches"], found["clearing"]) == ("wait", "wait", "ok", "ok")
    assert found["selfcheck"] == "wait"
    while seal_due(world.now):
        pass
    BankLine.objects.filter(state="suggested").update(state="booked")
    SelfCheckRun.objects.create(started_at=world.now, ended_at=world.now, ok=True, findings=[], entries=1, postings=2)
    found = states(world)
    assert (found["sealed"], found["lines"], found["selfcheck"]) == ("ok", "ok", "ok")
    assert found["clearing"] == "no"  # what is in suspense has lost its name
    SelfCheckRun.objects.create(started_at=world.now, ended_at=world.now, ok=False, findings=[{}], entries=1,
                                postings=2)  # fmt: skip
    assert states(world)["selfcheck"] == "no"


def test_a_batch_with_the_bank_is_not_finished(play: Play) -> None:
    world = play("pay")
    month = date.fromordinal(world.today.toordinal() + 40).replace(day=1)
    points = {point.code: point for point in check_month(first_day=month, now=world.now).points}
    assert points["batches"].state == "wait"
    assert points["batches"].count == 1
    assert points["balance"].state == "wait"  # no statement reaches that day


def test_the_pages_lead_where_each_point_is_done(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    browser = sign_in(world.users["claire"])
    page = browser.get(f"/en/books/months/{world.today:%Y-%m}/check/")
    text = text_of(page)
    assert "Every bank line is explained to do 1" in text
    assert "/en/bank/" in page.content.decode()
    assert "Ask to lock it" not in text  # it is not over
    year = browser.get(f"/en/books/years/{world.today.year}/")
    assert "Its result" in text_of(year)
    assert year.context["result"] == [{"currency": "EUR", "charges": 95_00, "income": 100_00, "result": 5_00}]
    assert f"/en/books/months/{world.today:%Y-%m}/check/" in year.content.decode()
    for wrong in ("2026-13", "2026-1", "x", "0000-01"):
        assert browser.get(f"/en/books/months/{wrong}/check/").status_code == 404
    assert browser.get("/en/books/years/1/").status_code == 404
    assert sign_in(world.users["ana"]).get(f"/en/books/years/{world.today.year}/").status_code == 403


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_locked_month_says_so_in_both_lists(play: Play, sign_in: SignIn, language: str) -> None:
    world = play("settle", now=timezone.now().replace(day=1) - timedelta(days=2))
    first = next_month()
    assert first is not None
    browser = sign_in(world.users["denis"])
    here = f"/{language}/books/months/{first:%Y-%m}/check/"
    assert "/books/months/lock/" in browser.get(here).content.decode()
    asked = ask_lock(actor=world.users["claire"], first_day=first, now=timezone.now())
    assert f"/books/months/{asked.pk}/lock/" in browser.get(here).content.decode()
    lock(actor=world.users["denis"], closing_id=asked.pk, now=timezone.now())
    assert "/lock/" not in browser.get(here).content.decode()
    year = browser.get(f"/{language}/books/years/{first.year}/")
    assert {row["key"]: row["state"] for row in year.context["months"]}[f"{first:%Y-%m}"] == "locked"
