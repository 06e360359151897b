"""The pages of pledges: six fields, the dates, one button that says the whole act; then how it is paid or ended."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import segno.helpers
from django.test import Client
from django.utils.formats import date_format

from backend.commons.models import Budget
from backend.commons.services import open_envelope
from backend.identity.organisations import managers
from backend.identity.services import create_organisation
from backend.ledger.services import entry_count
from backend.payments.services import receive_transfer
from backend.pledges.models import Instalment, Pledge
from backend.pledges.references import printed
from backend.pledges.services import Terms, call_due, change_pledge, make_pledge, make_pledges
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
FORM = "/en/commons/cartolibre/pledge/"
SPLIT = f"{FORM}split/"


def values(world: Any, **changes: str) -> dict[str, str]:
    """What the first page sends, with some values changed."""
    facts = {
        "organisation": world.organisation.pk, "amount": "100", "rhythm": "once", "ends_on": "", "form_key": "key-1",
        "visibility": "visible", "purchase_order": "",
    }  # fmt: skip
    return {**facts, **changes}


def sure(world: Any, **changes: str) -> dict[str, str]:
    """What the second page sends."""
    return values(world, **{"confirmed": "1", "paper": "call", **changes})


def recurring(world: Any, **terms: Any) -> Pledge:
    """Ana's pledge of every month."""
    return make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=100_00, currency="EUR",
        form_key="m", now=world.now, terms=Terms(**{"rhythm": "monthly", **terms}),
    )  # fmt: skip


def plain(answer: Any) -> str:
    """The text of a page, with plain spaces."""
    return text_of(answer).replace("\u00a0", " ").replace("\u202f", " ")


def test_the_first_page_has_six_fields_at_most_and_says_what_becomes_of_a_hundred_euros(
    play: Play, sign_in: SignIn
) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    answer = browser.get(FORM)
    text = plain(answer)
    assert "What becomes of €100.00 To the pot €95.00 Host’s fee, 5 % €5.00 Bank charges €0.00" in text
    assert "Nothing is taken now." in text
    assert "On behalf of La Fabrique du Port" in text
    form = re.search(r'<form class="card pledge".*?</form>', answer.content.decode(), re.S)
    assert form is not None
    folded = re.search(r"<details>.*?</details>", form[0], re.S)  # closed: it asks for nothing
    assert folded is not None
    assert 'name="starts_on"' in folded[0]
    asked = set(re.findall(r'<(?:input type="(?!hidden)[a-z]+"|select) name="(\w+)"', form[0].replace(folded[0], "")))
    assert asked == {"amount", "rhythm", "ends_on", "visibility", "purchase_order"}
    assert '<input type="hidden" name="organisation"' in form[0]
    create_organisation(name="Le Grand Toit", kind="association", manager=world.users["ana"], now=world.now)
    browser.post("/en/acting/", {"organisation": ""})
    form = re.search(r'<form class="card pledge".*?</form>', browser.get(FORM).content.decode(), re.S)
    assert form is not None
    assert len(set(re.findall(r'<(?:input type="(?!hidden)[a-z]+"|select) name="(\w+)"', form[0]))) == 7  # and folded


def test_the_second_page_says_the_dates_and_its_button_the_whole_act(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    page = browser.post(FORM, values(world, amount="500", rhythm="yearly", purchase_order="BC 7"))
    text = plain(page)
    assert page.status_code == 200
    assert '<button class="btn">Pledge €500.00 a year on behalf of La Fabrique du Port</button>' in (
        page.content.decode().replace("\u00a0", " ")
    )
    today, following = world.today, world.today.replace(year=world.today.year + 1)
    assert f"today, {date_format(today, 'j F Y')}: it is called at once" in text
    assert f"Then {date_format(following, 'j F Y')}" in text
    assert "No money moves now." in text
    assert "BC 7" in text
    assert not Pledge.objects.exists()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode()))
    done = browser.post(FORM, {**hidden, "paper": "call"})
    pledge = Pledge.objects.get()
    assert done.headers["Location"] == f"/en/pledges/{pledge.pk}/"
    assert (pledge.amount, pledge.rhythm, pledge.purchase_order) == (500_00, "yearly", "BC 7")


@pytest.mark.parametrize(
    ("rhythm", "act"),
    [
        ("once", "Pledge €100.00 on behalf of La Fabrique du Port"),
        ("monthly", "Pledge €100.00 a month on behalf of La Fabrique du Port"),
        ("quarterly", "Pledge €100.00 every three months on behalf of La Fabrique du Port"),
    ],
)
def test_the_button_says_how_often(play: Play, sign_in: SignIn, rhythm: str, act: str) -> None:
    world = play("make_house")
    page = sign_in(world.users["ana"]).post(FORM, values(world, rhythm=rhythm))
    assert f'<button class="btn">{act}</button>' in page.content.decode().replace("\u00a0", " ")


def test_a_pledge_is_made_and_tells_how_to_pay(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    answer = browser.post(FORM, sure(world))
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
    assert "is being written" in text
    call_due(world.now)
    assert re.search(r"AF-\d{4}-0001", text_of(browser.get(answer.headers["Location"])))


def test_the_qr_code_holds_what_is_called_and_not_received(
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


@pytest.mark.parametrize(
    ("written", "amount"), [("1 250,50", 1250_50), ("1250.50", 1250_50), ("1\u202f250,50 €", 1250_50), ("0,01", 1)]
)
def test_an_amount_is_read_as_people_write_it(play: Play, sign_in: SignIn, written: str, amount: int) -> None:
    world = play("make_house")
    assert sign_in(world.users["ana"]).post(FORM, sure(world, amount=written)).status_code == 302
    assert Pledge.objects.get().amount == amount


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": "1e3"}, "Write the amount in figures"),
        ({"amount": "-5"}, "Write the amount in figures"),
        ({"amount": "NaN"}, "Write the amount in figures"),
        ({"amount": "0"}, "The amount must be greater than zero"),
        ({"amount": str(2**63)}, "The amount must be greater than zero and at most"),
        ({"amount": ""}, "This field is required."),
        ({"rhythm": "weekly"}, "Select a valid choice."),
        ({"ends_on": "2020-13-01", "rhythm": "monthly"}, "Write the day as 2026-03-31 or 31/03/2026."),
        ({"ends_on": "2020-01-01", "rhythm": "monthly"}, "not before the first instalment, nor in the past"),
        ({"ends_on": "2040-01-01"}, "A pledge paid once has no end"),
        ({"visibility": "loud"}, "Select a valid choice."),
    ],
)
@pytest.mark.parametrize("confirmed", ["", "1"])
def test_a_wrong_value_is_said_beside_its_field_and_nothing_is_recorded(
    play: Play, sign_in: SignIn, changes: dict[str, str], sentence: str, confirmed: str
) -> None:
    world = play("make_house")
    answer = sign_in(world.users["ana"]).post(FORM, values(world, confirmed=confirmed, **changes))
    assert answer.status_code == 422
    assert "<title>Error: " in answer.content.decode()
    assert text_of(answer).count(sentence) == 2  # in the summary, and beside the field
    if written := changes.get("amount"):
        assert f'value="{written}"' in answer.content.decode()
    assert Pledge.objects.count() == 0


def test_another_name_is_asked_on_the_second_page(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    page = browser.post(FORM, values(world, visibility="pseudonymous"))
    assert b'name="pseudonym"' in page.content
    refused = browser.post(FORM, sure(world, visibility="pseudonymous", pseudonym=" "))
    assert refused.status_code == 422
    assert text_of(refused).count("Write the name to show instead.") == 2
    assert "Your pledge, before you make it" in text_of(refused)
    assert browser.post(FORM, sure(world, visibility="pseudonymous", pseudonym="Les Amies")).status_code == 302
    assert Pledge.objects.get().public_name == "Les Amies"


def test_an_invoice_that_cannot_be_issued_is_refused_before_the_promise(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    answer = sign_in(world.users["ana"]).post(FORM, sure(world, paper="invoice"))
    assert answer.status_code == 409
    assert text_of(answer).count("An invoice names the address of who pays") == 2
    assert not Pledge.objects.exists()


def test_a_form_sent_twice_makes_one_pledge(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    first, second = (browser.post(FORM, sure(world)) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    other = browser.post(FORM, sure(world, amount="300"))
    assert other.status_code == 409
    assert "This form was already sent with other values." in text_of(other)
    assert [pledge.amount for pledge in Pledge.objects.all()] == [100_00]


def test_a_commons_that_takes_no_pledge_says_so(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    Budget.objects.update(state="suspended")
    browser = sign_in(world.users["ana"])
    for address in (FORM, SPLIT):
        assert "does not take pledges at present" in text_of(browser.get(address))
        assert browser.post(address, sure(world)).status_code == 409
    assert Pledge.objects.count() == 0
    assert "does not take pledges at present" in text_of(browser.get("/en/commons/cartolibre/"))


def test_who_acts_for_nobody_promises_in_their_own_name(play: Play, sign_in: SignIn, client: Client) -> None:
    world = play("make_house")
    answer = client.get(FORM)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/accounts/login/?next={FORM}")
    browser = sign_in(world.users["bo"])
    page = browser.get(FORM)
    assert "In your own name." in text_of(page)
    assert b'href="/en/organisations/new/?commons=cartolibre"' in page.content
    sent = browser.post(FORM, values(world, organisation="", rhythm="monthly", visibility="anonymous"))
    assert "Pledge €100.00 a month in your own name" in plain(sent)
    done = browser.post(FORM, sure(world, organisation="", rhythm="monthly", visibility="anonymous"))
    pledge = Pledge.objects.get()
    assert (pledge.person, pledge.organisation, pledge.public_name) == (world.users["bo"], None, None)
    assert "By Bo Nguyen, made on" in text_of(browser.get(done.headers["Location"]))


def test_nobody_pledges_for_the_organisation_of_others(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    create_organisation(name="Le Grand Toit", kind="association", manager=world.users["bo"], now=world.now)
    answer = sign_in(world.users["bo"]).post(FORM, sure(world))
    assert answer.status_code == 422
    assert "Select a valid choice." in text_of(answer)
    assert Pledge.objects.count() == 0


def test_a_treasurer_is_led_to_recording(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["claire"])
    assert "/en/commons/cartolibre/record-pledge/" in browser.get(FORM).content.decode()
    assert "record-pledge" not in sign_in(world.users["ana"]).get(FORM).content.decode()


def test_a_pledge_is_split_over_several_budgets_in_one_act(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    other = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Maintenance", now=world.now)
    browser = sign_in(world.users["ana"])
    assert f'href="{SPLIT}"' in browser.get(FORM).content.decode()
    assert "Split a pledge over several budgets" in text_of(browser.get(SPLIT))
    rows = {"budget_0": world.budget.pk, "amount_0": "60", "budget_1": other.pk, "amount_1": "40,50"}
    page = browser.post(SPLIT, values(world, **rows))
    assert "Total €100.50" in text_of(page)
    assert "Pledge €100.50 on behalf of La Fabrique du Port" in plain(page)
    done = browser.post(SPLIT, sure(world, **rows))
    assert Pledge.objects.count() == 2
    assert len(set(Pledge.objects.values_list("reference", flat=True))) == 1
    text = text_of(browser.get(done.headers["Location"]))
    assert "Amount €100.50 To Association des Communs" in text
    assert "Made together" in text
    assert "Total €100.50" in text


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({}, "Fill one row at least."),
        ({"budget_0": "pot"}, "Say how much for this one"),
        ({"amount_0": "10"}, "Choose what this amount is for"),
        ({"budget_0": "pot", "amount_0": "10", "budget_1": "pot", "amount_1": "5"}, "Name each budget once."),
        ({"budget_0": "pot", "amount_0": "x"}, "Write the amount in figures"),
        ({"budget_0": "bud_no", "amount_0": "5"}, "Select a valid choice."),
    ],
)
def test_a_wrong_row_is_said_beside_it(play: Play, sign_in: SignIn, rows: dict[str, str], sentence: str) -> None:
    world = play("make_house")
    sent = {name: world.budget.pk if value == "pot" else value for name, value in rows.items()}
    answer = sign_in(world.users["ana"]).post(SPLIT, values(world, **sent))
    assert answer.status_code == 422
    assert text_of(answer).count(sentence) == 2
    assert Pledge.objects.count() == 0


@pytest.mark.parametrize("path", ["", "cancel/", "change/", "pause/"])
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


def test_a_pledge_is_changed_from_its_next_instalment_on(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    pledge = recurring(world)
    browser = sign_in(world.users["ana"])
    address = f"/en/pledges/{pledge.pk}/change/"
    assert "What is called keeps its amount; the change holds from the instalment of" in text_of(browser.get(address))
    sent = {"amount": "250", "ends_on": "", "visibility": "anonymous", "purchase_order": "BC 8", "paper": "call"}
    bad = browser.post(address, {**sent, "amount": "0"})
    assert (bad.status_code, text_of(bad).count("The amount must be greater than zero")) == (422, 2)
    answer = browser.post(address, sent, follow=True)
    assert "The pledge is changed. No money moved." in text_of(answer)
    pledge.refresh_from_db()
    assert (pledge.amount, pledge.visibility, pledge.purchase_order) == (250_00, "anonymous", "BC 8")
    assert [row.amount for row in pledge.instalments.all()] == [100_00]


def test_a_pledge_is_paused_with_a_reason_and_taken_up_again(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    pledge = recurring(world)
    browser = sign_in(world.users["ana"])
    address = f"/en/pledges/{pledge.pk}/pause/"
    assert browser.post(address, {"reason": ""}).status_code == 422
    answer = browser.post(address, {"reason": "works in the house"}, follow=True)
    assert "The reason: works in the house" in text_of(answer)
    pledge.refresh_from_db()
    assert pledge.paused_at is not None
    assert "Take the pledge to Cartolibre up again" in text_of(browser.get(address))
    assert "The pledge goes on." in text_of(browser.post(address, follow=True))
    pledge.refresh_from_db()
    assert pledge.paused_at is None


def test_a_treasurer_writes_an_instalment_off_with_a_reason(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    row = Instalment.objects.get()
    address = f"/en/instalments/{row.pk}/write-off/"
    assert sign_in(world.users["ana"]).post(address, {"reason": "x"}).status_code == 403
    browser = sign_in(world.users["claire"])
    assert "Write off €100.00" in text_of(browser.get(address))
    assert browser.post(address, {"reason": ""}).status_code == 422
    row.refresh_from_db()
    assert row.state == "called"
    answer = browser.post(address, {"reason": "the club closed"}, follow=True)
    assert "the club closed" in text_of(answer)
    row.refresh_from_db()
    assert row.state == "written_off"
    assert browser.get(address).status_code == 302


def test_the_page_of_a_recurring_pledge_says_the_next_day(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    pledge = recurring(world, ends_on=world.today + timedelta(days=40))
    assert managers(world.organisation) == [world.users["ana"]]
    text = plain(sign_in(world.users["ana"]).get(f"/en/pledges/{pledge.pk}/"))
    assert "The next instalment, €100.00, falls due on" in text
    assert "Pledge of €100.00 a month to Cartolibre" in text


def test_a_pledge_of_the_31st_is_begun_on_another_day(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    day = world.today + timedelta(days=20)
    page = browser.post(FORM, values(world, rhythm="monthly", starts_on=day.isoformat()))
    assert date_format(day, "j F Y") in plain(page)
    assert not Pledge.objects.exists()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode()))
    browser.post(FORM, {**hidden, "paper": "call"})
    assert Pledge.objects.get().starts_on == day
    wrong = browser.post(FORM, values(world, form_key="k2", rhythm="monthly", starts_on="2020-01-31"))
    assert "<details open>" in wrong.content.decode()
    assert "between today and one year ahead" in plain(wrong)
    assert Pledge.objects.count() == 1


def test_the_page_tells_what_was_changed_by_whom(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    pledge = recurring(world)
    change_pledge(
        actor=world.users["ana"], pledge_id=pledge.pk, now=world.now,
        changes={"amount": 120_00, "visibility": "pseudonymous", "pseudonym": "Le Phare"},
    )  # fmt: skip
    page = sign_in(world.users["ana"]).get(f"/en/pledges/{pledge.pk}/")
    told = plain(page).partition("What happened")[2]
    assert "Ana Ruiz" in told
    assert re.search(r"€100\.00 →\s*became\s*€120\.00", told)
    assert "another text" in told
    assert not re.search(r"[0-9a-f]{8}…", told)


def test_all_that_was_promised_together_is_cancelled_at_once(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    other = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Maintenance", now=world.now)
    made = make_pledges(
        actor=world.users["ana"], parts=[(world.budget, 60_00), (other, 40_00)], currency="EUR", form_key="both",
        organisation=world.organisation, now=world.now, terms=Terms(rhythm="monthly"),
    )  # fmt: skip
    ana = sign_in(world.users["ana"])
    address = f"/en/pledges/{made[0].pk}/"
    assert "Cancel these 2 pledges" in plain(ana.get(f"{address}cancel/"))
    assert "The next instalment, €100.00, falls due" in plain(ana.get(address))
    assert sign_in(world.users["claire"]).post(f"{address}cancel/", {"all": "1"}).status_code == 403
    ana.post(f"/en/pledges/{made[1].pk}/cancel/")
    text = plain(ana.get(f"/en/pledges/{made[1].pk}/"))
    assert "nothing of it is awaited. The transfer below is for the other pledges" in text
    assert "Make this transfer from your bank" not in text
    ana.post(f"{address}cancel/", {"all": "1"})
    assert set(Pledge.objects.values_list("state", "expected")) == {("cancelled", 0)}
    assert "The transfer to make" not in plain(ana.get(address))
