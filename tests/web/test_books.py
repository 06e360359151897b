"""The pages of the books: debit equals credit, each clearing purse says what it means, a purse shows its postings."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.ledger.services import reverse
from backend.payments.models import Payment
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def test_the_trial_balance_foots(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    answer = sign_in(world.users["claire"]).get("/en/ledger/")
    text = text_of(answer)
    assert "512 Banks €142.50 €95.00 €47.50" in text
    assert "6226 Contributors’ work €95.00 €0.00 €95.00" in text
    assert "Total: debit = credit €427.50 €427.50 balanced" in text
    assert "Payouts in transit, Compte courant Handed to the bank, not yet seen on a statement. €0.00" in text
    assert "Suspense, Compte courant Seen on a statement, not yet identified. €42.50" in text
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
    assert f"/en/distributions/{world.distribution.pk}/" in page.content.decode()
    transit = text_of(browser.get(f"/en/ledger/in_transit/{world.account.pk}/"))
    assert "Handed to the bank, not yet seen on a statement." in transit
    assert transit.count("€95.00") == 1
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
