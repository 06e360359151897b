"""The pages of bank lines told twice, of refunds sent back, and of transfers recalled whole."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from backend.banking.models import BankLine
from backend.ledger.services import entry_count
from backend.payments.models import Payment, Refund, Surplus
from tests.banking.test_coming_back import refunded, statement
from tests.banking.test_told_twice import again
from tests.payments.money import bank_says
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def test_a_line_told_twice_is_shown_beside_the_first_and_decided_once(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    line = again(world)
    page, before = f"/en/bank/lines/{line.pk}/", entry_count()
    browser = sign_in(world.users["claire"])
    text = text_of(browser.get(page))
    assert "Is this €100.00 known already?" in text
    assert "The line known already" in text
    assert browser.post(page, {"which": "perhaps"}).status_code == 422
    assert BankLine.objects.get(pk=line.pk).state == "suspect"
    assert browser.post(page, {"which": "same"}).status_code == 302
    assert "told a second time: it is not booked again. Claire Moreau said so." in text_of(browser.get(page))
    assert browser.post(page, {"which": "another"}).status_code == 409
    assert entry_count() == before


def test_a_refund_sent_back_is_confirmed_then_owed_again(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    refund, payout = refunded(world)
    line = statement(world, 3, 0, (100_00, "LA FABRIQUE", "RETOUR AC01", payout.end_to_end_id))
    page = f"/en/bank/lines/{line.pk}/"
    browser = sign_in(world.users["claire"])
    assert "Refunds that may have come back" in text_of(browser.get(page))
    assert "Owed to La Fabrique again" in text_of(browser.get(f"{page}?refund={refund.pk}"))
    answer = browser.post(page, {"refund": refund.pk})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/refunds/{refund.pk}/")
    assert Refund.objects.get().state == "owed"
    assert "A refund to La Fabrique that came back: it is owed again." in text_of(browser.get(page))


def test_a_transfer_is_recalled_whole_from_its_page(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    bank_says(world, 1, 0, (150_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    line = bank_says(world, 2, 150_00, (-150_00, "LA FABRIQUE DU PORT", "rappel"))
    payment = Payment.objects.get()
    page = f"/en/bank/lines/{line.pk}/"
    browser = sign_in(world.users["claire"])
    assert "Whole transfers it may take back" in text_of(browser.get(page))
    text = text_of(browser.get(f"{page}?payment={payment.pk}&whole=yes"))
    assert "Surplus that leaves with it €50.00" in text
    assert "Payment to Cartolibre €100.00" in text
    assert browser.post(page, {"payment": payment.pk, "whole": "yes"}).status_code == 302
    assert (Surplus.objects.get().state, BankLine.objects.get(pk=line.pk).state) == ("returned", "matched")
    assert "The bank took back a payment of" in text_of(browser.get(page))
