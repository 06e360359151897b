"""The pages of budgets, transfers and opening balances: proposed by one, decided by another, refusals said plainly."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client

from backend.commons.models import Budget
from backend.ledger.services import balance, entry_count
from backend.transfers.models import Opening, Transfer
from tests.web.test_public import text_of
from tests.web.test_work import grow_old

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def form_of(browser: Client, address: str) -> dict[str, str]:
    """The key of a fresh form."""
    return {"form_key": browser.get(address).context["form"]["form_key"].value()}


def test_an_envelope_is_opened_filled_and_closed_on_pages(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    sacha, claire = sign_in(world.users["sacha"]), sign_in(world.users["claire"])
    pot = f"/en/budgets/{world.budget.pk}/"
    assert "None yet. An envelope sets money apart" in text_of(sacha.get(pot))
    assert sacha.post(f"{pot}envelopes/new/", {"name": "Équipe technique"}).status_code == 302
    team = Budget.objects.get(name="Équipe technique")
    form = form_of(sacha, f"{pot}transfer/") | {"kind": "move", "target": team.pk, "amount": "40", "reason": "Sprint"}
    answer = sacha.post(f"{pot}transfer/", form)
    made = Transfer.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/en/transfers/{made.pk}/")
    assert "another person than the one who proposed it must agree" in text_of(sacha.get(answer["Location"]))
    assert "Équipe technique" in text_of(claire.get("/en/treasury/"))
    assert claire.post(f"/en/transfers/{made.pk}/", {"act": "accept"}).status_code == 302
    assert balance(kind="budget", owner=team.pk, currency="EUR") == 40_00
    page = text_of(claire.get("/en/commons/cartolibre/"))
    assert "Équipe technique €0.00 €40.00 €0.00 €0.00 €40.00" in page
    closing = {"form_key": "k", "reason": "Travail fini"}
    assert sacha.post(f"/en/budgets/{team.pk}/close/", closing).status_code == 302
    last = Transfer.objects.latest("id")
    assert claire.post(f"/en/transfers/{last.pk}/", {"act": "accept"}).status_code == 302
    team.refresh_from_db()
    assert (team.state, balance(kind="budget", owner=world.budget.pk, currency="EUR")) == ("closed", 95_00)


def test_refusals_name_the_field_and_move_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    sacha = sign_in(world.users["sacha"])
    address = f"/en/budgets/{world.budget.pk}/transfer/"
    form = form_of(sacha, address) | {"kind": "to_reserve", "amount": "95.01", "reason": "x"}
    answer = sacha.post(address, form)
    assert answer.status_code == 409
    assert "€95.00 can leave this budget" in text_of(answer)
    assert 'href="#id_amount"' in answer.content.decode()
    for change, sentence in (
        ({"amount": "many"}, "Write the amount in figures"),
        ({"kind": "move"}, "Choose the budget that receives the money."),
        ({"reason": " "}, "This field is required."),
        ({"kind": "steal"}, "Select a valid choice"),
    ):
        answer = sacha.post(address, form | {"amount": "5"} | change)
        assert (answer.status_code, sentence in text_of(answer)) == (422, True), sentence
    assert (Transfer.objects.count(), entry_count()) == (0, 2)


def test_its_author_reads_why_nobody_else_may_decide_for_them(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    sacha, claire, bo = (sign_in(world.users[name]) for name in ("sacha", "claire", "bo"))
    address = f"/en/budgets/{world.budget.pk}/transfer/"
    sacha.post(address, form_of(sacha, address) | {"kind": "to_reserve", "amount": "5", "reason": "Coup dur"})
    page = f"/en/transfers/{Transfer.objects.get().pk}/"
    assert sacha.post(page, {"act": "accept"}).status_code == 403
    assert "Your roles do not allow this" in text_of(bo.get(page))
    assert bo.post(page, {"act": "accept"}).status_code == 403
    assert sign_in(world.users["ana"]).get(page).status_code == 404
    refused = claire.post(page, {"act": "refuse", "reason": ""})
    assert (refused.status_code, "Say why, in one sentence." in text_of(refused)) == (422, True)
    assert claire.post(page, {"act": "refuse", "reason": "Pas maintenant"}).status_code == 302
    assert "Pas maintenant" in text_of(sacha.get(page))
    assert sacha.post(page, {"act": "withdraw"}).status_code == 409
    assert balance(kind="reserve", owner=world.budget.pk, currency="EUR") == 0


def test_booking_asks_for_a_fresh_factor(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    sacha, claire = sign_in(world.users["sacha"]), sign_in(world.users["claire"])
    address = f"/en/budgets/{world.budget.pk}/transfer/"
    sacha.post(address, form_of(sacha, address) | {"kind": "to_reserve", "amount": "5", "reason": "Coup dur"})
    page = f"/en/transfers/{Transfer.objects.get().pk}/"
    grow_old(claire)
    assert claire.get(page).status_code == 200  # reading does not ask
    answer = claire.post(page, {"act": "accept"})
    assert answer.status_code == 302
    assert "reauthenticate" in answer["Location"]
    assert Transfer.objects.get().state == "proposed"


def test_opening_balances_on_pages(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    assert "No opening balance yet: Compte courant" in text_of(claire.get("/en/treasury/"))
    day = (world.today - timedelta(days=1)).isoformat()
    form = form_of(claire, "/en/openings/new/") | {"as_of": day}
    answer = claire.post("/en/openings/new/", form)
    assert (answer.status_code, "one bank account at least" in text_of(answer)) == (422, True)
    answer = claire.post("/en/openings/new/", form | {world.account.pk: "1000", world.budget.pk: "1000,01"})
    assert (answer.status_code, "€0.01 more than the bank accounts" in text_of(answer)) == (422, True)
    answer = claire.post("/en/openings/new/", form | {world.account.pk: "1 000", world.budget.pk: "400,00"})
    assert answer.status_code == 302
    opening = Opening.objects.get()
    page = f"/en/openings/{opening.pk}/"
    assert "Cartolibre €400.00 The host’s own money €600.00" in text_of(denis.get(page))
    assert claire.post(page, {"act": "accept", "digest": opening.digest}).status_code == 403
    assert denis.post(page, {"act": "accept", "digest": "x"}).status_code == 409
    assert entry_count() == 0
    assert denis.post(page, {"act": "accept", "digest": opening.digest}).status_code == 302
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 400_00
    assert "Every bank account has its opening balance" in text_of(claire.get("/en/openings/new/"))
    assert sign_in(world.users["sacha"]).get(page).status_code == 404
