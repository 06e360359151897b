"""For auditors: the books of a day in one place, the statement of each account, a sample that anyone draws again."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from backend.core.errors import Forbidden, Invalid
from backend.events.models import Event
from backend.exports.sampling import LARGEST, account_file, sample
from backend.identity.models import Role
from backend.ledger.drawing import draw_entries
from backend.ledger.services import Line, open_account, post, seal_due, trial_balance
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
EUR = "EUR"
LONG_AGO, FAR = date(2020, 1, 1), date(2029, 12, 31)


def sealed(world: Any) -> Any:
    """The same world, all its entries sealed."""
    while seal_due(world.now):
        pass
    return world


def book(world: Any, amount: int, day: date, key: str) -> str:
    """An entry from the bank to the pot, minor units; gives its id."""
    bank = open_account(kind="bank", owner=world.account.pk, currency=EUR)
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    made = post(
        kind="payment.received", scope="test", key=key, reference=world.pledge.pk, happened_on=day, now=world.now,
        lines=[Line(bank, amount, "512"), Line(pot, -amount, "7541")],
    )  # fmt: skip
    return made.pk


def drawn(world: Any, seed: str = "blue", size: int = 10, minimum: int = 0, **days: date) -> list[str]:
    """The ids that a seed draws for the treasurer."""
    asked = {"first": LONG_AGO, "last": FAR, **days}
    found = sample(
        actor=world.users["claire"], seed=seed, size=size, currency=EUR, minimum=minimum, now=world.now, **asked
    )
    return [entry.id for entry in found.draw.entries]


def test_a_seed_draws_the_same_entries_and_another_one_others(play: Play) -> None:
    world = play("make_promise")
    ids = [book(world, 100 + number, date(2026, 3, 1) + timedelta(days=number % 20), str(number))
           for number in range(60)]  # fmt: skip
    sealed(world)
    first = drawn(world)
    assert len(first) == 10
    assert drawn(world) == first
    assert set(first) < set(ids)
    assert drawn(world, " blue ") == first  # spaces around say nothing
    assert drawn(world, "red") != first
    # A larger sample holds the smaller one, and no entry is left out for ever.
    assert set(first) < set(drawn(world, size=20))
    assert {entry for number in range(60) for entry in drawn(world, str(number))} == set(ids)
    (event, *_rest) = Event.objects.filter(kind="books.sampled").order_by("created_at")
    assert (event.data["seed"], event.data["population"], event.actor) == ("blue", 60, world.users["claire"])


def test_a_sample_keeps_to_its_days_and_its_amount(play: Play) -> None:
    world = play("make_promise")
    small = book(world, 999, date(2026, 3, 1), "1")
    large = book(world, 1000, date(2026, 3, 1), "2")
    later = book(world, 5000, date(2026, 4, 1), "3")
    sealed(world)
    waiting = book(world, 7000, date(2026, 3, 2), "4")
    assert set(drawn(world)) == {small, large, later}
    assert set(drawn(world, minimum=1000)) == {large, later}
    assert drawn(world, first=date(2026, 3, 1), last=date(2026, 3, 1), minimum=1000) == [large]
    assert drawn(world, minimum=5001) == []
    found = draw_entries(seed="x", size=1, currency=EUR, minimum=0, first=LONG_AGO, last=FAR)
    assert (found.population, found.total, len(found.entries)) == (3, 6999, 1)
    sealed(world)
    assert waiting in drawn(world)


def test_a_draw_that_says_too_little_is_refused(play: Play) -> None:
    world = play("make_promise")
    for seed, size, first, code in (
        (" ", 5, LONG_AGO, "seed_missing"), ("x" * 81, 5, LONG_AGO, "seed_missing"), ("x", 0, LONG_AGO, "sample_size"),
        ("x", LARGEST + 1, LONG_AGO, "sample_size"), ("x", 5, FAR + timedelta(days=1), "export_range"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refusal:
            drawn(world, seed, size, first=first)
        assert refusal.value.code == code
    assert not Event.objects.filter(kind="books.sampled").exists()
    with pytest.raises(Forbidden):
        sample(actor=world.users["ana"], seed="x", size=5, currency=EUR, minimum=0, first=LONG_AGO, last=FAR,
               now=world.now)  # fmt: skip
    with pytest.raises(Forbidden):
        account_file(actor=world.users["ana"], number="512", currency=EUR, up_to=FAR, now=world.now)


def test_each_entry_drawn_leads_to_its_papers(play: Play, sign_in: SignIn) -> None:
    world = sealed(play("settle"))
    browser = sign_in(world.users["claire"])
    answer = browser.get(f"/en/books/sample/?seed=blue&size=100&currency=EUR&minimum=&first={LONG_AGO}&last={FAR}")
    assert answer.status_code == 200
    text, page = text_of(answer), answer.content.decode()
    assert "Seed of the draw blue" in text
    for paper in ("Bank line", "Supporting document"):
        assert paper in text
    for prefix in ("bank/lines/", "supporting-documents/sup_", "books/entries/ent_", "distributions/dis_"):
        found = re.search(rf'href="(/en/{prefix}[^"]*)"', page)
        assert found, prefix
        assert browser.get(found[1]).status_code == 200
    rows = list(csv.DictReader(io.StringIO(
        b"".join(browser.get(f"{answer.request['PATH_INFO']}?{answer.request['QUERY_STRING']}&format=csv"))
        .decode()
    )))  # fmt: skip
    assert [row["entry"] for row in rows] == drawn(world, size=100)
    assert any("sup_" in row["papers"] for row in rows)
    assert any(row["label"] == "Répartition approuvée" for row in rows)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [("seed=&size=5", "Give the seed of the draw"), ("seed=x&size=many", "Enter a whole number"),
     ("seed=x&size=5&minimum=lots", "minimum")],
)  # fmt: skip
def test_a_wrong_draw_gets_a_sentence(play: Play, sign_in: SignIn, query: str, sentence: str) -> None:
    world = play("receive")
    answer = sign_in(world.users["claire"]).get(f"/en/books/sample/?{query}&currency=EUR&first={LONG_AGO}&last={FAR}")
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert "What was drawn" not in text_of(answer)


def test_the_page_of_auditors_says_what_a_day_said(play: Play, sign_in: SignIn) -> None:
    world = sealed(play("settle"))
    book(world, 10_00, date(2026, 3, 31), "1")
    Role.objects.filter(user=world.users["sacha"]).update(kind="auditor", scope=world.host.pk)
    for who in ("claire", "sacha"):
        browser = sign_in(world.users[who])
        early = browser.get("/en/books/auditor/?on=2026-03-31")
        assert "Total: debit = credit €10.00 €10.00 balanced" in text_of(early)
        assert "1 entry up to this day is not sealed yet." in text_of(early)
        assert "/en/books/accounts/512/?on=2026-03-31&amp;currency=EUR" in early.content.decode()
        today = browser.get("/en/books/auditor/")
        assert "Total: debit = credit €437.50 €437.50" in text_of(today)
        assert "Suspense, Compte courant €42.50" in text_of(today)
        for address in set(re.findall(r'<a href="(/en/[^"]+)"', today.content.decode())):
            assert browser.get(address.replace("&amp;", "&")).status_code == 200, address
    assert sign_in(world.users["claire"]).get("/en/books/auditor/?on=x").status_code == 422


def test_the_statement_of_an_account_ends_at_its_trial_balance(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    for number in range(60):
        book(world, 100 + number, date(2026, 3, 1), str(number))
    browser = sign_in(world.users["claire"])
    for row in trial_balance():
        address = f"/en/books/accounts/{row.chart}/?on={world.today}&currency=EUR"
        page = browser.get(address)
        assert page.status_code == 200
        table = list(csv.DictReader(io.StringIO(b"".join(browser.get(f"{address}&format=csv")).decode())))
        assert table[-1]["balance"] == f"{row.balance / 100:.2f}"
        assert len(table) == page.context["page"].paginator.count
    pages = [browser.get(f"/en/books/accounts/7541/?page={number}").context["lines"] for number in (1, 2)]
    assert len(pages[0]) == 50
    whole = [line["row"] for page in pages for line in page]
    assert [row.balance for row in whole] == [sum(one.amount for one in whole[: place + 1])
                                              for place in range(len(whole))]  # fmt: skip
    assert browser.get("/en/books/accounts/999/").status_code == 404
    assert "Nothing is booked under this number" in text_of(browser.get("/en/books/accounts/106/"))
