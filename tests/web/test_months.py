"""Accounting months on their pages: one treasurer asks, another does it; the history says who and why."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.test import Client

from backend.events.models import Event
from backend.identity.models import Role
from backend.ledger.closing import month_after
from backend.ledger.services import (
    Closing,
    Line,
    ask_lock,
    ask_unlock,
    closings,
    entry_count,
    lock,
    open_account,
    open_from,
    post,
    unlock,
)
from backend.notifications.recipes import RECIPES
from backend.operations import demo
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
MONTHS = "/en/books/months/"


def two_months(play: Play) -> tuple[Any, date]:
    """A house whose books began two months ago; gives the first day of the first of them."""
    world = play("make_promise")
    first = (world.today.replace(day=1) - timedelta(days=32)).replace(day=1)
    book(world, first)
    return world, first


def book(world: Any, day: date, key: str = "1") -> None:
    """Ten euros received on a day."""
    bank = open_account(kind="bank", owner=world.account.pk, currency="EUR")
    pot = open_account(kind="budget", owner=world.budget.pk, currency="EUR")
    post(
        kind="payment.received", scope="test", key=key, reference=world.pledge.pk, happened_on=day, now=world.now,
        lines=[Line(bank, 1000, "512"), Line(pot, -1000, "7541")],
    )  # fmt: skip


def path_of(closing: Closing, act: str) -> str:
    """The address of an act on a month."""
    return f"{MONTHS}{closing.pk}/{act}/"


def locked(world: Any, first: date) -> Closing:
    """The first month, asked by Claire and locked by Denis."""
    asked = ask_lock(actor=world.users["claire"], first_day=first, now=world.now)
    return lock(actor=world.users["denis"], closing_id=asked.pk, now=world.now)


def test_one_asks_and_another_locks(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    page = text_of(claire.get(MONTHS))
    assert "No month is locked: entries can be dated on any day." in page
    assert f"{first:%B %Y} comes next" in page
    assert "moves no money" in page
    entries = entry_count()
    ask = claire.get(f"{MONTHS}lock/")
    assert f"Ask to lock {first:%B %Y}?" in text_of(ask)
    assert claire.post(f"{MONTHS}lock/", {"month": first.isoformat()}).status_code == 302
    closing = closings().get()
    assert (closing.first_day, closing.asked_by, closing.locked_at) == (first, world.users["claire"], None)
    # One's own request names who must follow, and cannot be followed by oneself.
    mine = text_of(claire.get(path_of(closing, "lock")))
    assert "Another treasurer must do it: Denis Caron" in mine
    assert "Lock this month" not in mine
    answer = claire.post(path_of(closing, "lock"))
    assert answer.status_code == 403
    assert "another treasurer must do it" in text_of(answer)
    assert open_from() is None
    assert "Claire Moreau asked on" in text_of(denis.get(path_of(closing, "lock")))
    assert denis.post(path_of(closing, "lock")).status_code == 302
    assert open_from() == month_after(first)
    text = text_of(denis.get(MONTHS))
    assert "The month is locked: nothing more can be dated in it. No money moved." in text
    assert "last month locked" in text
    assert "Claire Moreau, " in text
    assert entry_count() == entries
    done = text_of(claire.get(path_of(closing, "lock")))
    assert "Locked by Denis Caron" in done
    assert "Lock this month" not in done


def test_the_month_that_was_shown_is_the_one_asked_for(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    claire = sign_in(world.users["claire"])
    for shown in ("", "x", month_after(first).isoformat()):
        answer = claire.post(f"{MONTHS}lock/", {"month": shown})
        assert answer.status_code == 409
        assert "Another month comes next by now" in text_of(answer)
    assert not closings().exists()


def test_a_month_under_way_cannot_be_asked_for(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    book(world, world.today)
    claire = sign_in(world.users["claire"])
    first = world.today.replace(day=1)
    for path in (MONTHS, f"{MONTHS}lock/"):
        assert "This month is not over: it can be locked from" in text_of(claire.get(path))
    assert "Ask to lock this month" not in text_of(claire.get(f"{MONTHS}lock/"))
    answer = claire.post(f"{MONTHS}lock/", {"month": first.isoformat()})
    assert answer.status_code == 409
    assert not closings().exists()


def test_empty_books_have_no_month(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    claire = sign_in(world.users["claire"])
    for path in (MONTHS, f"{MONTHS}lock/"):
        assert "Nothing is booked yet: there is no month to lock." in text_of(claire.get(path))
    assert claire.post(f"{MONTHS}lock/", {"month": "2026-01-01"}).status_code == 200
    assert not closings().exists()


def test_a_request_is_taken_back_or_refused(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    for browser, name in ((claire, "Claire Moreau"), (denis, "Denis Caron")):
        asked = ask_lock(actor=world.users["claire"], first_day=first, now=world.now)
        assert browser.post(path_of(asked, "lock"), {"act": "withdraw"}).status_code == 302
        assert f"taken back by {name}" in text_of(browser.get(MONTHS))
        answer = denis.post(path_of(asked, "lock"))
        assert answer.status_code == 409
        assert f"The request was taken back by {name}" in text_of(answer)
        assert open_from() is None
    assert closings().count() == 2


def test_one_asks_why_and_another_unlocks(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    closing = locked(world, first)
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    ask, undo = path_of(closing, "unlock/ask"), path_of(closing, "unlock")
    assert "Nobody asks to unlock this month." in text_of(denis.get(undo))
    assert denis.post(undo).status_code == 409
    answer = claire.post(ask, {"reason": " "})
    assert answer.status_code == 422
    assert "Say why the month is unlocked." in text_of(answer)
    closing.refresh_from_db()
    assert closing.unlock_asked_at is None
    assert claire.post(ask, {"reason": "An invoice of 12 € is missing"}).status_code == 302
    other = denis.post(ask, {"reason": "Mine"})
    assert other.status_code == 409
    assert "Claire Moreau has already asked" in text_of(other)
    assert claire.post(undo).status_code == 403
    assert "Denis Caron" in text_of(claire.get(MONTHS))
    assert open_from() == month_after(first)
    page = text_of(denis.get(undo))
    assert "An invoice of 12 € is missing" in page
    assert "No money moves." in page
    assert denis.post(undo).status_code == 302
    assert open_from() is None
    history = text_of(denis.get(MONTHS))
    assert "asked by Claire Moreau, done by Denis Caron" in history
    assert "An invoice of 12 € is missing" in history
    assert "Unlocked by Denis Caron" in text_of(claire.get(undo))
    assert "This month is not the last one that is locked." in text_of(claire.get(ask))
    assert entry_count() == 1


def test_a_request_to_unlock_is_refused(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    closing = locked(world, first)
    ask_unlock(actor=world.users["claire"], closing_id=closing.pk, reason="Doubt", now=world.now)
    denis = sign_in(world.users["denis"])
    assert denis.post(path_of(closing, "unlock"), {"act": "keep"}).status_code == 302
    assert "The month stays locked. No money moved." in text_of(denis.get(MONTHS))
    assert open_from() == month_after(first)
    closing.refresh_from_db()
    assert (closing.unlock_asked_by, closing.unlock_reason) == (None, "")


def test_a_host_with_one_treasurer_is_told(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    closing = locked(world, first)
    Role.objects.filter(user=world.users["denis"], kind="treasurer").delete()
    claire = sign_in(world.users["claire"])
    assert "This host has one treasurer: a month can be asked for, nobody can lock it." in text_of(claire.get(MONTHS))
    assert "you can ask, nobody can lock the month" in text_of(claire.get(f"{MONTHS}lock/"))
    assert "you can ask, nobody can unlock the month" in text_of(claire.get(path_of(closing, "unlock/ask")))


def test_auditors_read_and_others_do_not(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    closing = locked(world, first)
    world.users["bo"].roles.all().delete()
    Role.objects.create(user=world.users["bo"], kind="auditor", scope=world.host.pk, created_at=world.now)
    demo.give_factor(world.users["bo"])
    auditor, steward = sign_in(world.users["bo"]), sign_in(world.users["sacha"])
    ask_unlock(actor=world.users["claire"], closing_id=closing.pk, reason="Doubt", now=world.now)
    inbox = auditor.get("/en/treasury/").content.decode()
    assert f"Unlock {first:%B %Y}" in inbox
    assert closing.pk not in inbox
    text = text_of(auditor.get(MONTHS))
    assert "asked to be unlocked" in text
    assert "Look at it" not in text
    assert "Ask to" not in text
    assert steward.get(MONTHS).status_code == 403
    for act in ("lock", "unlock/ask", "unlock"):
        for browser in (auditor, steward):
            assert browser.get(path_of(closing, act)).status_code == 403
            assert browser.post(path_of(closing, act), {"reason": "x", "act": "keep"}).status_code == 403
    for browser in (auditor, steward):
        assert browser.post(f"{MONTHS}lock/", {"month": month_after(first).isoformat()}).status_code == 403
    assert closings().get() == closing
    assert open_from() == month_after(first)


def test_an_unknown_month_is_not_found(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    claire = sign_in(world.users["claire"])
    for act in ("lock", "unlock/ask", "unlock"):
        assert claire.get(f"{MONTHS}clo_nothing/{act}/").status_code == 404


def test_what_waits_is_in_the_inbox_and_in_the_mail_of_the_others(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    users = world.users
    claire, denis = sign_in(users["claire"]), sign_in(users["denis"])
    assert f"The next month that can be locked is {first:%B %Y}." in text_of(claire.get("/en/treasury/"))
    closing = ask_lock(actor=users["claire"], first_day=first, now=world.now)
    assert f"Lock {first:%B %Y} asked by Claire Moreau" in text_of(denis.get("/en/treasury/"))
    assert "asked by you: another treasurer does it" in text_of(claire.get("/en/treasury/"))
    assert "To do 1" in text_of(denis.get(MONTHS))
    assert "To do 1" not in text_of(claire.get(MONTHS))
    assert told("month.lock_asked") == (
        ["denis@example.org"],
        f"To decide: lock the accounting month {first:%B %Y}",
        f"/books/months/{closing.pk}/lock/",
    )
    lock(actor=users["denis"], closing_id=closing.pk, now=world.now)
    # Once it is decided, nobody is asked any more.
    assert told("month.lock_asked")[0] == []
    ask_unlock(actor=users["denis"], closing_id=closing.pk, reason="A late invoice", now=world.now)
    assert f"Unlock {first:%B %Y} asked by Denis Caron" in text_of(claire.get("/en/treasury/"))
    people, subject, path = told("month.unlock_asked")
    assert (people, path) == (["claire@example.org"], f"/books/months/{closing.pk}/unlock/")
    assert subject == f"To decide: unlock the accounting month {first:%B %Y}"
    unlock(actor=users["claire"], closing_id=closing.pk, now=world.now)
    assert told("month.unlock_asked")[0] == []


def told(kind: str) -> tuple[list[str], str, str]:
    """Who the last event of a kind writes to, the subject, and the path that the body ends with."""
    people, write = RECIPES[kind](Event.objects.filter(kind=kind).latest("pk"))
    subject, body = write()
    return [person.email for person in people], subject, body.rpartition("/en")[2]


def test_the_books_say_from_which_day_they_are_open(play: Play, sign_in: SignIn) -> None:
    world, first = two_months(play)
    claire = sign_in(world.users["claire"])
    assert "Open from" not in text_of(claire.get("/en/ledger/"))
    locked(world, first)
    assert f"Open from 1 {month_after(first):%B %Y} on." in text_of(claire.get("/en/ledger/"))
    assert f"from 1 {month_after(first):%B %Y} on. What was before is locked." in text_of(claire.get(MONTHS))
