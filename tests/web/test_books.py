"""The pages of the books: debit equals credit, each clearing purse says what it means, a purse shows its postings."""

import re
import subprocess
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client

from backend.commons.services import open_envelope, subtree_balances, subtree_of
from backend.events.models import Event
from backend.identity.models import Role
from backend.ledger.services import (
    Line,
    Reservation,
    ask_lock,
    entry_count,
    hold,
    leaf_text,
    lock,
    next_month,
    open_account,
    post,
    reverse,
    seal_due,
    statement,
    trial_balance,
)
from backend.operations import demo
from backend.payments.models import Payment
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
EUR = "EUR"


def book(world: Any, amount: int, day: date, key: str, now: datetime | None = None) -> str:
    """An entry from the bank to the pot, minor units; gives its id."""
    bank = open_account(kind="bank", owner=world.account.pk, currency=EUR)
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    made = post(
        kind="payment.received", scope="test", key=key, reference=world.pledge.pk, happened_on=day,
        now=now or world.now, lines=[Line(bank, amount, "512"), Line(pot, -amount, "7541")],
    )  # fmt: skip
    return made.pk


def test_the_trial_balance_foots(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    answer = sign_in(world.users["claire"]).get("/en/ledger/")
    text = text_of(answer)
    assert "512 Banks €142.50 €95.00 €47.50" in text
    assert "6226 Contributors’ work €95.00 €0.00 €95.00" in text
    assert "Total: debit = credit €427.50 €427.50 balanced" in text
    assert "Payouts in transit, Compte courant Handed to the bank, not yet seen on a statement. €0.00" in text
    suspense = "Suspense, Compte courant Seen on a statement, not yet identified; and what came above what was awaited."
    assert f"{suspense} €42.50" in text
    assert "no-store" in answer.headers["Cache-Control"]
    french = text_of(sign_in(world.users["claire"]).get("/fr/ledger/"))
    assert "6226 Honoraires des contributeurs 95,00 € 0,00 € 95,00 €" in french


def test_empty_books_say_so(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    text = text_of(sign_in(world.users["claire"]).get("/en/ledger/"))
    assert "The books are empty." in text
    assert "No money has been on its way yet." in text


def test_a_purse_shows_its_postings_and_leads_to_their_cause(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    browser = sign_in(world.users["denis"])
    page = browser.get(f"/en/ledger/budget/{world.budget.pk}/")
    text = text_of(page)
    assert "Pot: Cartolibre" in text
    assert "Balance €0.00" in text
    assert "6226 Contributors’ work €95.00" in text
    assert "7541 Receipts for the commons €95.00" in text
    (approved,) = [row.entry for row in statement(kind="budget", owner=world.budget.pk, currency=EUR).rows
                   if row.kind == "distribution.approved"]  # fmt: skip
    assert f"/en/books/entries/{approved}/" in page.content.decode()
    entry = browser.get(f"/en/books/entries/{approved}/").content.decode()
    assert f"/en/distributions/{world.distribution.pk}/" in entry
    transit = text_of(browser.get(f"/en/ledger/in_transit/{world.account.pk}/"))
    assert "Handed to the bank, not yet seen on a statement." in transit
    assert "€95.00 €95.00" in transit  # in, and the balance after it
    assert transit.count("€95.00") == 2
    bank = text_of(browser.get(f"/en/ledger/bank/{world.account.pk}/"))
    assert "In is a debit, out a credit." in bank


def test_a_reversal_says_what_it_undoes(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    entry = Payment.objects.get().entry
    reverse(entry_id=entry, reference=world.pledge.pk, happened_on=world.today, now=world.now)
    text = text_of(sign_in(world.users["denis"]).get(f"/en/ledger/budget/{world.budget.pk}/"))
    assert "Undone: Payment received" in text
    assert "Balance €0.00" in text


@pytest.mark.parametrize("who", ["bo", "sacha", "ana"])
def test_the_books_are_for_treasurers_and_auditors(play: Play, sign_in: SignIn, who: str) -> None:
    world = play("receive")
    browser = sign_in(world.users[who])
    for path in ("ledger/", f"ledger/budget/{world.budget.pk}/"):
        answer = browser.get(f"/en/{path}")
        assert answer.status_code == 403
        assert "€95.00" not in text_of(answer)


@pytest.mark.parametrize("path", ["wallet/x", "budget/bud_nothing", "payee/pye_nothing"])
def test_an_unknown_purse_is_not_found(play: Play, sign_in: SignIn, path: str) -> None:
    world = play("receive")
    assert sign_in(world.users["claire"]).get(f"/en/ledger/{path}/").status_code == 404


def test_a_trial_balance_of_a_day(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    book(world, 10_00, date(2026, 3, 31), "1")
    book(world, 7_00, date(2026, 4, 1), "2")
    claire = sign_in(world.users["claire"])
    page = claire.get("/en/ledger/?on=2026-03-31")
    text = text_of(page)
    assert "Trial balance at the end of 31 March 2026" in text
    assert "Total: debit = credit €10.00 €10.00 balanced" in text
    assert "/en/books/exports/file/?format=balance&amp;last=2026-03-31" in page.content.decode()
    assert "Total: debit = credit €17.00 €17.00 balanced" in text_of(claire.get("/en/ledger/?on=01/04/2026"))
    assert "Nothing had happened by that day." in text_of(claire.get("/en/ledger/?on=2020-01-01"))
    assert "Total: debit = credit €159.50 €159.50" in text_of(claire.get("/en/ledger/?on="))


@pytest.mark.parametrize("day", ["x", "2026-02-30", "0000-00-00", "9999-12-31", "-1", "2026-01-01x"])
def test_a_day_that_is_none_gets_a_sentence(play: Play, sign_in: SignIn, day: str) -> None:
    world = play("receive")
    claire = sign_in(world.users["claire"])
    for path in (f"ledger/?on={day}", f"ledger/budget/{world.budget.pk}/?on={day}"):
        answer = claire.get(f"/en/{path}")
        assert answer.status_code == 422
        assert "Write the day as 2026-03-31 or 31/03/2026." in text_of(answer)


def test_a_statement_is_cut_in_pages_and_keeps_its_balance(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    for number in range(1, 61):
        book(world, 1_00, date(2026, 1, 1) + timedelta(days=number), str(number))
    claire = sign_in(world.users["claire"])
    path = f"/en/ledger/budget/{world.budget.pk}/"
    first = claire.get(path)
    html = first.content.decode()
    assert html.count("/en/books/entries/") == 50
    text = text_of(first)
    # The newest is the €95.00 of today, on top of sixty times one euro.
    assert "€95.00 €155.00" in text
    assert "€1.00 €12.00" in text
    assert "€1.00 €11.00" not in text
    link = re.search(r'href="([^"]*)" rel="next"', html)
    assert link is not None
    second = claire.get(path + link.group(1).replace("&amp;", "&"))
    html = second.content.decode()
    assert html.count("/en/books/entries/") == 11
    assert "€1.00 €11.00" in text_of(second)
    assert "€1.00 €1.00" in text_of(second)
    assert 'rel="next"' not in html
    assert "Newest page" in text_of(second)
    for place in ("x", "2026-01-01.", "2026-02-30.4", ".", "2026-01-01.1x", "2026-01-01." + "9" * 30):
        lost = claire.get(path, {"older": place})
        assert lost.status_code == 422
        assert "The statement has no page at this address." in text_of(lost)
        assert "€95.00 €155.00" in text_of(lost)


def test_what_a_purse_held_on_a_day_by_what_happened_and_by_what_was_booked(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    booked = datetime.combine(date(2026, 5, 3), time(9), world.now.tzinfo)
    book(world, 10_00, date(2026, 4, 1), "1", booked - timedelta(days=30))
    book(world, 7_00, date(2026, 4, 2), "2", booked)
    claire = sign_in(world.users["claire"])
    path = f"/en/ledger/budget/{world.budget.pk}/"
    text = text_of(claire.get(path, {"on": "2026-04-30"}))
    assert "What it held on 30 April 2026" in text
    assert "By what had happened by the end of that day €17.00" in text
    assert "As the books said on 30 April 2026, 23:59 €10.00" in text
    assert "They differ" in text
    # 9 h in UTC is 11 h in Paris.
    assert "3 May 2026, 10:59 €10.00" in text_of(claire.get(path, {"on": "2026-05-03", "at": "10:59"}))
    text = text_of(claire.get(path, {"on": "2026-05-03", "at": "11:00"}))
    assert "3 May 2026, 11:00 €17.00" in text
    assert "Both say the same" in text
    assert "Write the time as 14:30." in text_of(claire.get(path, {"on": "2026-05-03", "at": "25:00"}))


def test_what_is_set_aside_is_beside_the_balance(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    claire = sign_in(world.users["claire"])
    path = f"/en/ledger/budget/{world.budget.pk}/"
    assert "Set aside in it" not in text_of(claire.get(path))
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    hold(
        reservation=Reservation(account=pot, amount=30_00, scope="test", key="1", reference=world.pledge.pk),
        now=world.now,
    )
    assert "Balance €95.00 Set aside in it €30.00 Free €65.00" in text_of(claire.get(path))


def test_a_budget_is_summed_with_those_below_it(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    child = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Atlas", now=world.now)
    below = open_envelope(actor=world.users["sacha"], parent=child, name="Relief", now=world.now)
    bank = open_account(kind="bank", owner=world.account.pk, currency=EUR)
    for number, (owner, amount) in enumerate([(child, 20_00), (below, 3_50)]):
        post(
            kind="payment.received", scope="test", key=str(number), reference=world.pledge.pk,
            happened_on=world.today, now=world.now,
            lines=[
                Line(bank, amount, "512"),
                Line(open_account(kind="budget", owner=owner.pk, currency=EUR), -amount, "7541"),
            ],
        )  # fmt: skip
    assert [one.name for one in subtree_of(world.budget)] == ["Cartolibre", "Atlas", "Relief"]
    assert [one.name for one in subtree_of(child)] == ["Atlas", "Relief"]
    assert [amount for _budget, amount in subtree_balances(world.budget)] == [95_00, 20_00, 3_50]
    claire = sign_in(world.users["claire"])
    text = text_of(claire.get(f"/en/ledger/budget/{world.budget.pk}/"))
    assert "This budget alone €95.00 Atlas €20.00 Relief €3.50 In all €118.50" in text
    assert "In all €23.50" in text_of(claire.get(f"/en/ledger/budget/{child.pk}/"))
    assert "In all" not in text_of(claire.get(f"/en/ledger/budget/{below.pk}/"))
    assert "with all the budgets below it €118.50" in text_of(claire.get(f"/en/budgets/{world.budget.pk}/"))
    assert "with all the budgets below it" not in text_of(claire.get(f"/en/budgets/{below.pk}/"))


def test_an_entry_shows_its_lines_its_seal_and_how_to_check_it(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    entry = Payment.objects.get().entry
    browser = sign_in(world.users["denis"])
    path = f"/en/books/entries/{entry}/"
    assert path in browser.get(f"/en/ledger/budget/{world.budget.pk}/").content.decode()
    reversal = reverse(entry_id=entry, reference=world.pledge.pk, happened_on=world.today, now=world.now)
    assert "Not sealed yet." in text_of(browser.get(f"/en/books/entries/{reversal.pk}/"))
    seal_due(world.now)
    page = browser.get(path)
    text = text_of(page)
    assert "Bank account: Compte courant 512 Banks €100.00" in text
    assert "Host fees: Association des Communs 706 Host fees €5.00" in text
    assert "Total €100.00 €100.00" in text
    assert f"Undone by {reversal.pk}" in text
    assert f'href="/en/pledges/{world.pledge.pk}/"' in page.content.decode()
    assert f"/log/entries/{entry}.json" in page.content.decode()
    leaf = re.search(r"Leaf ([0-9a-f]{64})", text)
    assert leaf is not None
    written = leaf_text(entry)
    assert written is not None
    command = f"printf '\\0%s' '{written}' | sha256sum"
    assert command in text
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=10)
    assert ran.stdout.split()[0] == leaf.group(1)
    undone = text_of(browser.get(f"/en/books/entries/{reversal.pk}/"))
    assert f"Undoes {entry}" in undone
    assert f"Place in the log {entry_count()}" in undone
    assert browser.get("/en/books/entries/ent_nothing/").status_code == 404
    for who in ("bo", "sacha", "ana"):
        assert sign_in(world.users[who]).get(path).status_code == 403


def test_an_entry_of_a_locked_month_says_so(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    entry = book(world, 10_00, date(2026, 1, 5), "1")
    claire = sign_in(world.users["claire"])
    assert "month locked" not in text_of(claire.get(f"/en/books/entries/{entry}/"))
    assert next_month() == date(2026, 1, 1)
    asked = ask_lock(actor=world.users["claire"], first_day=date(2026, 1, 1), now=world.now)
    lock(actor=world.users["denis"], closing_id=asked.pk, now=world.now)
    assert "5 January 2026 month locked" in text_of(claire.get(f"/en/books/entries/{entry}/"))


def test_exports_say_what_is_final_and_give_the_file(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    claire = sign_in(world.users["claire"])
    seal_due(world.now)
    book(world, 10_00, world.today, "1")
    year = world.today.year
    text = text_of(claire.get("/en/books/exports/"))
    assert f"{year} under way" in text
    assert "1 entry is not sealed yet and in no file" in text
    assert "Its months are not locked" in text
    before = Event.objects.filter(kind="books.exported").count()
    answer = claire.get("/en/books/exports/file/", {"format": "balance", "last": world.today.isoformat()})
    assert answer.status_code == 200
    data = answer.getvalue().decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="tronc-123456782-until-{world.today}.balance.csv"'
    )
    assert "512," in data
    assert "142.50" in data
    seal_due(world.now)
    assert Event.objects.filter(kind="books.exported").count() == before + 1
    fec = claire.get("/en/books/exports/file/", {"format": "fec", "year": year})
    assert fec.headers["Content-Disposition"] == f'attachment; filename="123456782FEC{year}1231.txt"'
    assert fec.getvalue().startswith(b"JournalCode")
    assert sum(row.debit for row in trial_balance()) == 152_50


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({}, "This field is required."),
        ({"format": "odt"}, "Select a valid choice."),
        ({"format": "fec"}, "A FEC holds one fiscal year: say which."),
        ({"format": "journal", "first": "2026-02-02", "last": "2026-02-01"}, "The last day is before the first"),
        ({"format": "journal", "first": "x"}, "Write the day as 2026-03-31"),
        ({"format": "journal", "year": "1"}, "Select a valid choice."),
        ({"format": "journal", "year": "this", "first": "2026-01-01"}, "not both"),
    ],
)
def test_an_export_that_cannot_be_is_said_on_the_page(
    play: Play, sign_in: SignIn, wanted: dict[str, str], sentence: str
) -> None:
    world = play("receive")
    if wanted.get("year") == "this":
        wanted = wanted | {"year": str(world.today.year)}
    answer = sign_in(world.users["claire"]).get("/en/books/exports/file/", wanted)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Event.objects.filter(kind="books.exported").exists()


def test_a_locked_year_says_that_its_files_stay_the_same(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    book(world, 10_00, date(2024, 11, 5), "1")
    browser = sign_in(world.users["claire"])
    while (first := next_month()) is not None and first < date(2025, 3, 1):
        asked = ask_lock(actor=world.users["claire"], first_day=first, now=world.now)
        lock(actor=world.users["denis"], closing_id=asked.pk, now=world.now)
    seal_due(world.now)
    text = text_of(browser.get("/en/books/exports/"))
    assert "2024 locked From 1 January 2024 to 31 December 2024. All its months are locked and sealed" in text
    assert "Locked up to 28 February 2025" in text
    assert "2025 over, still open" in text


def test_exports_are_for_treasurers_and_auditors(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    Role.objects.create(user=world.users["bo"], kind="auditor", scope=world.host.pk, created_at=world.now)
    demo.give_factor(world.users["bo"])
    assert sign_in(world.users["bo"]).get("/en/books/exports/").status_code == 200
    for who in ("sacha", "ana"):
        browser = sign_in(world.users[who])
        assert browser.get("/en/books/exports/").status_code == 403
        for wanted in ("", "?format=journal", "?format=fec"):
            assert browser.get(f"/en/books/exports/file/{wanted}").status_code == 403
    assert not Event.objects.filter(kind="books.exported").exists()


def test_empty_books_have_nothing_to_export(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    text = text_of(sign_in(world.users["claire"]).get("/en/books/exports/"))
    assert "Nothing is booked yet: there is nothing to export." in text


def test_the_page_of_a_purse_asks_few_questions(
    play: Play, django_assert_max_num_queries: Any, sign_in: SignIn
) -> None:
    world = play("receive")
    claire = sign_in(world.users["claire"])
    for number in range(1, 31):
        book(world, 1_00, date(2026, 1, number), str(number))
    assert len(statement(kind="budget", owner=world.budget.pk, currency=EUR).rows) == 31
    with django_assert_max_num_queries(31):
        claire.get(f"/en/ledger/budget/{world.budget.pk}/")
