"""The pages of surpluses, refunds, cheques and cash, and fees: what they say, what they book, what they refuse."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.payments.models import Deposit, PaperPayment, Payment, Refund, Surplus
from tests.payments.money import IBAN, bank_says, purses
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def overpaid(world: Any) -> Surplus:
    """The pledge of 100 € is paid with 150 €."""
    bank_says(world, 1, 0, (150_00, "LA FABRIQUE DU PORT", world.pledge.reference))
    return Surplus.objects.get()


def test_a_surplus_is_told_to_its_payer_and_decided_by_a_treasurer(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    surplus = overpaid(world)
    page = text_of(sign_in(world.users["ana"]).get(f"/en/pledges/{world.pledge.pk}/"))
    assert "€50.00 more than awaited came on" in page
    assert "It is in no pot yet" in page
    assert "See the surplus" not in page
    browser = sign_in(world.users["claire"])
    inbox = text_of(browser.get("/en/treasury/"))
    assert "Surpluses to decide 1" in inbox
    assert "La Fabrique du Port" in text_of(browser.get("/en/surpluses/"))
    address = f"/en/surpluses/{surplus.pk}/"
    shown = text_of(browser.get(address))
    assert "give it to Cartolibre: €47.50 for the pot, €2.50 for the host’s fee" in shown
    assert "keep it for the next instalment" not in shown  # the pledge was paid once
    refused = browser.post(address, {"act": "keep"})
    assert refused.status_code == 422
    assert Surplus.objects.get().state == "waiting"
    done = browser.post(address, {"act": "credit", "reason": "a gift"}, follow=True)
    assert "The pot has this money now. Nothing left the bank." in text_of(done)
    assert purses(world) == {"bank": 150_00, "budget": 142_50, "host_fees": 7_50}
    assert "given to the pot" in text_of(browser.get("/en/surpluses/"))


def test_money_is_given_back_on_an_account_that_is_typed(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    surplus = overpaid(world)
    browser = sign_in(world.users["claire"])
    address = f"/en/surpluses/{surplus.pk}/refund/"
    form = browser.get(address)
    assert "Nothing leaves the bank now." in text_of(form)
    values = {"name": "La Fabrique", "iban": "FR76", "reason": "too much", "form_key": "k"}
    wrong = browser.post(address, values)
    assert (wrong.status_code, Refund.objects.count()) == (422, 0)
    assert b'href="#id_iban"' in wrong.content
    done = browser.post(address, values | {"iban": IBAN}, follow=True)
    assert "€50.00 are owed to La Fabrique. Nothing left the bank" in text_of(done)
    refund = Refund.objects.get()
    assert IBAN.encode() not in done.content
    payouts = text_of(browser.get("/en/payouts/"))
    assert "1 of them is a refund: La Fabrique (€50.00)" in payouts
    assert "La Fabrique refund FR76 •••• 0185" in text_of(browser.get("/en/payouts/prepare/"))
    ana = text_of(sign_in(world.users["ana"]).get(f"/en/pledges/{world.pledge.pk}/"))
    assert "€50.00 given back to La Fabrique, FR76 •••• 0185 to pay" in ana
    assert sign_in(world.users["ana"]).get(f"/en/refunds/{refund.pk}/").status_code == 403


def test_a_payment_is_refunded_from_its_pledge(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    payment = Payment.objects.get()
    browser = sign_in(world.users["claire"])
    address = f"/en/payments/{payment.pk}/refund/"
    assert address in browser.get(f"/en/pledges/{world.pledge.pk}/").content.decode()
    assert "Given back by the host’s fee €5.00 Given back by Cartolibre €95.00" in text_of(browser.get(address))
    values = {"amount": "100,01", "name": "La Fabrique", "iban": IBAN, "reason": "mistake", "form_key": "k"}
    assert browser.post(address, values).status_code == 409
    assert browser.post(address, values | {"amount": "40"}).status_code == 302
    assert (Refund.objects.get().amount, Payment.objects.get().left) == (40_00, 60_00)


def test_a_cheque_goes_from_hand_to_deposit_to_statement(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    assert "La Fabrique du Port" in text_of(browser.get("/en/papers/new/"))
    assert "No pledge has this payer" in text_of(browser.get("/en/papers/new/?q=nobody"))
    address = f"/en/papers/new/?pledge={world.pledge.pk}"
    values = {"kind": "cheque", "amount": "100", "received_on": world.today.isoformat(), "number": "77",
              "account": world.account.pk, "form_key": "k"}  # fmt: skip
    wrong = browser.post(address, values | {"received_on": "2999-01-01"})
    assert (wrong.status_code, PaperPayment.objects.count()) == (422, 0)
    for _turn in range(2):
        done = browser.post(address, values, follow=True)
    assert "€100.00 are written down and the pot has them." in text_of(done)
    assert PaperPayment.objects.count() == 1
    assert "handed over" in text_of(browser.get("/en/clearing/"))
    making = f"/en/deposits/new/?account={world.account.pk}&kind=cheque"
    assert "La Fabrique du Port, 77 €100.00" in text_of(browser.get(making))
    assert browser.post(making, {"form_key": "d"}).status_code == 422
    paper = PaperPayment.objects.get()
    made = browser.post(making, {"form_key": "d", "papers": [paper.pk], "slip": "R-7"}, follow=True)
    assert "The deposit is prepared. No money moved" in text_of(made)
    deposit = Deposit.objects.get()
    line = bank_says(world, 1, 0, (100_00, "", "REM CHQ"))
    page = f"/en/bank/lines/{line.pk}/"
    assert "Deposits of this total" in text_of(browser.get(page))
    announced = text_of(browser.get(f"{page}?deposit={deposit.pk}"))
    assert "Leaves suspense €100.00 No longer on its way to the bank €100.00" in announced
    settled = browser.post(page, {"deposit": deposit.pk}, follow=True)
    assert "The deposit is settled" in text_of(settled)
    assert "See the deposit" in text_of(settled)
    assert purses(world) == {"bank": 100_00, "budget": 95_00, "host_fees": 5_00}
    assert "Nothing passes through now" in text_of(browser.get("/en/clearing/"))


def test_a_cheque_comes_back_and_a_deposit_is_undone(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    values = {"kind": "cheque", "amount": "100", "received_on": world.today.isoformat(), "account": world.account.pk}
    browser.post(f"/en/papers/new/?pledge={world.pledge.pk}", values | {"form_key": "k"})
    paper = PaperPayment.objects.get()
    making = f"/en/deposits/new/?account={world.account.pk}&kind=cheque"
    browser.post(making, {"form_key": "d", "papers": [paper.pk]})
    deposit = f"/en/deposits/{Deposit.objects.get().pk}/"
    assert browser.post(deposit, {"reason": ""}).status_code == 422
    assert "The deposit is undone" in text_of(browser.post(deposit, {"reason": "wrong slip"}, follow=True))
    address = f"/en/papers/{paper.pk}/return/"
    assert "come back unpaid?" in text_of(browser.get(address))
    done = browser.post(address, {"returned_on": world.today.isoformat(), "reason": "no money"}, follow=True)
    assert "The payment is undone in the books" in text_of(done)
    assert "Came back unpaid" in text_of(done)
    assert purses(world) == {}


@pytest.mark.parametrize(
    ("values", "fee_bp", "status"),
    [
        ({"own": "yes", "fee": "0"}, 0, 302), ({"own": "yes", "fee": "2,5"}, 250, 302),
        ({"own": "yes", "fee": "7.25 %"}, 725, 302), ({"own": "no", "fee": ""}, None, 302),
        ({"own": "yes", "fee": ""}, None, 422), ({"own": "yes", "fee": "101"}, None, 422),
        ({"own": "no", "fee": "3"}, None, 422), ({"own": "yes", "fee": "2,555"}, None, 422),
    ],
)  # fmt: skip
def test_zero_is_not_the_same_as_not_set(
    play: Play, sign_in: SignIn, values: dict[str, str], fee_bp: int | None, status: int
) -> None:
    world = play("make_house")
    browser = sign_in(world.users["claire"])
    address = f"/en/budgets/{world.budget.pk}/fee/"
    assert "not set: the host’s fee, 5\u00a0% now" in browser.get(address).content.decode()
    assert browser.post(address, values | {"reason": "agreed"}).status_code == status
    world.budget.refresh_from_db()
    assert world.budget.fee_bp == fee_bp
    if fee_bp == 0:
        assert "It is 0\u00a0% now." in browser.get(address).content.decode()
        assert f'<a href="{address}">0\u00a0%</a>' in browser.get(f"/en/budgets/{world.budget.pk}/").content.decode()
