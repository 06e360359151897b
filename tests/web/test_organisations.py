"""The pages of organisations: a pledge is made once, moves no money, and says how to pay and what came of it."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import segno.helpers
from django.test import Client

from backend.commons.models import Budget
from backend.identity.models import Organisation, Role
from backend.identity.services import create_organisation, grant_role
from backend.ledger.services import entry_count
from backend.operations import demo
from backend.payments.services import receive_transfer
from backend.pledges.models import Pledge
from backend.pledges.references import printed
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
FORM = "/en/commons/cartolibre/pledge/"


def values(world: Any, **changes: str) -> dict[str, str]:
    """What the pledge form sends, with some values changed."""
    facts = {"organisation": world.organisation.pk, "preset": "100", "amount": "", "form_key": "key-1"}
    return {**facts, **changes}


def test_the_form_says_what_becomes_of_a_hundred_euros_and_that_nothing_is_taken(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    answer = sign_in(world.users["ana"]).get(FORM)
    text = text_of(answer)
    assert "What becomes of €100.00 To the pot €95.00 Host’s fee, 5 % €5.00 Bank charges €0.00" in text
    assert "The fee is fixed on the day the money is received" in text
    assert "Nothing is taken now." in text
    assert "Pledge this amount to Cartolibre on behalf of La Fabrique du Port" in text
    first, second = (re.search(r'name="form_key" value="([^"]+)"', answer.content.decode()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert len(first.group(1)) >= 24


def test_a_pledge_of_a_preset_is_made_and_tells_how_to_pay(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    answer = browser.post(FORM, values(world))
    pledge = Pledge.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/pledges/{pledge.pk}/")
    assert (pledge.amount, pledge.currency, pledge.state, pledge.budget) == (100_00, "EUR", "active", world.budget)
    assert pledge.organisation == world.organisation
    assert entry_count() == 0
    page = browser.get(answer.headers["Location"])
    text = text_of(page)
    assert "No money has moved." in text
    assert "Amount €100.00 To Association des Communs IBAN FR76 3000 6000 0112 3456 7890 189 BIC AGRIFRPP" in text
    assert f"Reference {printed(pledge.reference)}" in text
    assert b'role="img" aria-label="QR code of this transfer:' in page.content
    assert page.content.count(b'class="qrline"') == 1
    assert page.headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


def test_the_qr_code_holds_the_transfer_that_is_still_awaited(
    play: Play, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_promise")
    receive_transfer(
        pledge=world.pledge, amount=40_00, source="line:part", purse=("bank", world.account.pk),
        received_on=world.today, actor=None, now=world.now,
    )  # fmt: skip
    asked: dict[str, Any] = {}
    real = segno.helpers.make_epc_qr

    def note(**facts: Any) -> Any:
        asked.update(facts)
        return real(**facts)

    monkeypatch.setattr(segno.helpers, "make_epc_qr", note)
    page = sign_in(world.users["ana"]).get(f"/en/pledges/{world.pledge.pk}/")
    assert asked == {
        "name": "Association des Communs", "iban": "FR7630006000011234567890189", "bic": "AGRIFRPP",
        "amount": Decimal("60.00"), "reference": world.pledge.reference, "encoding": "utf-8",
    }  # fmt: skip
    text = text_of(page)
    assert "€40.00 received. €60.00 still awaited" in text
    assert "bank transfer €40.00 €2.00 €38.00" in text
    assert "Cancel this pledge" not in text


@pytest.mark.parametrize(
    ("written", "amount"), [("1 250,50", 1250_50), ("1250.50", 1250_50), ("1\u202f250,50 €", 1250_50), ("0,01", 1)]
)
def test_another_amount_is_read_as_people_write_it(play: Play, sign_in: SignIn, written: str, amount: int) -> None:
    world = play("make_house")
    answer = sign_in(world.users["ana"]).post(FORM, values(world, preset="other", amount=written))
    assert answer.status_code == 302
    assert Pledge.objects.get().amount == amount


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"preset": "other", "amount": "1e3"}, "Write the amount in figures"),
        ({"preset": "other", "amount": "-5"}, "Write the amount in figures"),
        ({"preset": "other", "amount": "NaN"}, "Write the amount in figures"),
        ({"preset": "other", "amount": "0"}, "The amount must be greater than zero"),
        ({"preset": "other", "amount": str(2**63)}, "The amount must be greater than zero and at most"),
        ({"preset": "other"}, "Say how much: choose an amount or write another one."),
        ({"preset": ""}, "Say how much: choose an amount or write another one."),
        ({"preset": "7"}, "Select a valid choice."),
        ({"preset": "100", "amount": "250"}, "You chose one amount and wrote another."),
    ],
)
def test_a_wrong_value_is_said_beside_its_field_and_nothing_is_recorded(
    play: Play, sign_in: SignIn, changes: dict[str, str], sentence: str
) -> None:
    world = play("make_house")
    answer = sign_in(world.users["ana"]).post(FORM, values(world, **changes))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "<title>Error: " in page
    assert sentence in text_of(answer).split("On behalf of")[0]  # in the summary
    assert sentence in text_of(answer).split("On behalf of", 1)[1]  # and beside the field
    if written := changes.get("amount"):
        assert f'value="{written}"' in page
    assert Pledge.objects.count() == 0


def test_the_same_amount_chosen_and_written_is_one_answer(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    answer = sign_in(world.users["ana"]).post(FORM, values(world, preset="100", amount="100,00"))
    assert answer.status_code == 302
    assert Pledge.objects.get().amount == 100_00


def test_a_form_sent_twice_makes_one_pledge(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    first, second = (browser.post(FORM, values(world)) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    other = browser.post(FORM, values(world, preset="300"))
    assert other.status_code == 409
    assert "This form was already sent with other values." in text_of(other)
    assert [pledge.amount for pledge in Pledge.objects.all()] == [100_00]


def test_a_commons_that_takes_no_pledge_says_so(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    Budget.objects.update(state="suspended")
    browser = sign_in(world.users["ana"])
    assert "does not take pledges at present" in text_of(browser.get(FORM))
    answer = browser.post(FORM, values(world))
    assert answer.status_code == 409
    assert Pledge.objects.count() == 0
    assert "does not take pledges at present" in text_of(browser.get("/en/commons/cartolibre/"))


def test_pledging_asks_for_a_sign_in_then_for_an_organisation(play: Play, sign_in: SignIn, client: Client) -> None:
    world = play("make_house")
    answer = client.get(FORM)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/accounts/login/?next={FORM}")
    browser = sign_in(world.users["bo"])
    page = browser.get(FORM)
    assert "you act for none yet" in text_of(page)
    assert b'href="/en/organisations/new/?commons=cartolibre"' in page.content
    assert browser.post(FORM, values(world)).status_code == 409
    assert Pledge.objects.count() == 0


def test_nobody_pledges_for_the_organisation_of_others(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    create_organisation(name="Le Grand Toit", kind="association", manager=world.users["bo"], now=world.now)
    answer = sign_in(world.users["bo"]).post(FORM, values(world))
    assert answer.status_code == 422
    assert "On behalf of: Select a valid choice." in text_of(answer)
    assert Pledge.objects.count() == 0


def test_a_treasurer_pledges_for_nobody_and_is_led_to_recording(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["claire"])
    assert browser.post(FORM, values(world)).status_code == 409
    assert not Pledge.objects.exists()
    assert "/en/commons/cartolibre/record-pledge/" in browser.get(FORM).content.decode()
    assert "record-pledge" not in sign_in(world.users["ana"]).get(FORM).content.decode()


@pytest.mark.parametrize("path", ["", "cancel/"])
def test_a_pledge_of_others_does_not_exist(play: Play, sign_in: SignIn, path: str) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["camille"])
    address = f"/en/pledges/{world.pledge.pk}/{path}"
    assert browser.get(address).status_code == 404
    assert browser.post(address).status_code in {404, 405}
    world.pledge.refresh_from_db()
    assert world.pledge.state == "active"


def test_a_pledge_is_cancelled_on_a_page_of_its_own(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["ana"])
    address = f"/en/pledges/{world.pledge.pk}/cancel/"
    text = text_of(browser.get(address))
    assert "No money moves." in text
    assert "Cancel the pledge of €100.00" in text
    for _ in range(2):  # a double click gives the same page
        answer = browser.post(address, follow=True)
        assert answer.redirect_chain == [(f"/en/pledges/{world.pledge.pk}/", 302)]
        assert "This pledge is cancelled. Nothing was taken and nothing is awaited." in text_of(answer)
    world.pledge.refresh_from_db()
    assert world.pledge.state == "cancelled"
    assert browser.get(address).status_code == 302


def test_a_paid_pledge_cannot_be_cancelled(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    answer = sign_in(world.users["ana"]).post(f"/en/pledges/{world.pledge.pk}/cancel/")
    assert answer.status_code == 409
    assert "Nothing was changed and no money moved." in text_of(answer)
    world.pledge.refresh_from_db()
    assert world.pledge.state == "fulfilled"


def test_a_received_pledge_says_what_was_received_and_asks_for_nothing_more(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    page = sign_in(world.users["ana"]).get(f"/en/pledges/{world.pledge.pk}/")
    text = text_of(page)
    assert "€100.00 received. Thank you. Nothing more is awaited from you." in text
    assert "bank transfer €100.00 €5.00 €95.00" in text
    assert b"qrline" not in page.content
    assert "IBAN" not in text


def test_an_organisation_sees_its_pledges_and_what_they_paid_for(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    browser = sign_in(world.users["ana"])
    browser.post(FORM, values(world, preset="300"))
    page = browser.get(f"/en/organisations/{world.organisation.pk}/")
    text = text_of(page)
    assert "received €100.00 €100.00" in text
    assert "awaiting the transfer €300.00 €0.00" in text
    assert "Total, cancelled pledges left out €400.00 €100.00" in text
    assert "Recherche par besoin : filtres et export Cartolibre Bo paid 3 h €57.00" in text
    assert "Camille" not in text


def test_an_organisation_s_page_is_for_its_people(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    address = f"/en/organisations/{world.organisation.pk}/"
    assert sign_in(world.users["bo"]).get(address).status_code == 404
    assert sign_in(world.users["claire"]).get(address).status_code == 200
    assert "No pledge yet." in text_of(sign_in(world.users["ana"]).get(address))


def test_a_list_of_organisations_holds_one_s_own(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    assert "La Fabrique du Port association" in text_of(sign_in(world.users["ana"]).get("/en/organisations/"))
    assert "You act for no organisation yet." in text_of(sign_in(world.users["bo"]).get("/en/organisations/"))


def test_an_organisation_is_created_on_the_way_to_a_pledge(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    facts = {"name": " Le Grand Toit ", "kind": "cooperative", "siren": "732 829 320"}
    for _ in range(2):  # a double click makes one
        answer = browser.post("/en/organisations/new/?commons=cartolibre", facts)
        assert (answer.status_code, answer.headers["Location"]) == (302, FORM)
    made = Organisation.objects.get(name="Le Grand Toit")
    assert (made.kind, made.siren) == ("cooperative", "732829320")
    assert Role.objects.filter(user=world.users["bo"], scope=made.pk).get().kind == "organisation_manager"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"siren": "123"}, "This is not a valid SIREN"),
        ({"name": "  "}, "This field is required."),
        ({"kind": "church"}, "Select a valid choice."),
    ],
)
def test_an_organisation_is_refused_beside_the_field(
    play: Play, sign_in: SignIn, changes: dict[str, str], sentence: str
) -> None:
    world = play("make_house")
    facts = {"name": "Le Grand Toit", "kind": "association", "siren": "", **changes}
    answer = sign_in(world.users["bo"]).post("/en/organisations/new/", facts)
    assert answer.status_code == 422
    assert text_of(answer).count(sentence) == 2
    assert Organisation.objects.count() == 1


def test_the_menu_says_what_each_person_came_for(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    grant_role(
        user=world.users["camille"], kind="auditor", scope=world.host.pk, granted_by=None,
        now=world.now + timedelta(minutes=1),
    )  # fmt: skip

    def menu(key: str) -> list[str]:
        page = sign_in(world.users[key]).get("/en/").content.decode()
        inside = re.search(r'<nav aria-label="Main">(.*?)</nav>', page, re.S)
        assert inside is not None
        return [
            " ".join(re.sub(r"<[^>]+>", " ", item).split()) for item in re.findall(r"<a [^>]*>(.*?)</a>", inside[1])
        ]

    assert menu("ana") == ["Commons", "My organisation"]
    assert menu("bo") == ["Commons", "My work", "Periods", "Budgets"]
    assert menu("sacha") == ["Commons", "My work", "To review", "Periods", "Budgets", "People"]
    treasury = ["Periods", "Budgets", "Payouts", "Bank", "Books", "Audit", "People"]
    assert menu("claire") == ["Commons", "To do 1 waiting", *treasury]
    assert menu("camille") == ["Commons", "My work", "Periods", "Budgets"]  # the auditor's role waits for a factor
    demo.give_factor(world.users["camille"])
    assert menu("camille") == ["Commons", "My work", *treasury]


def test_the_frame_says_in_whose_name_one_acts(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    page = text_of(sign_in(world.users["ana"]).get("/en/"))
    assert "Ana Ruiz , for La Fabrique du Port Change for whom you act" in page
