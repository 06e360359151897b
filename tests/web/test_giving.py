"""Gifts without an account, through their pages: six fields, one link, no trace of whether an address is known."""

import html
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.utils import timezone

from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.pledges.donations import gift_code
from backend.pledges.models import Donor, Pledge
from backend.pledges.services import note_received
from tests.rights.world import enter

Play = Callable[..., Any]
GIVE = "/en/commons/cartolibre/give/"


def sent(client: Client, **changes: str) -> Any:
    """The form of a gift, read from its page and sent with some values changed."""
    page = client.get(GIVE).content.decode()
    key = page.split('name="form_key" value="')[1].split('"')[0]
    values = {
        "preset": "20", "amount": "", "rhythm": "monthly", "name": "Gaëlle Roy", "email": "gaelle@example.org",
        "form_key": key,
    }  # fmt: skip
    return client.post(GIVE, {**values, **changes})


def test_a_gift_takes_one_form_and_no_account(play: Play, client: Client) -> None:
    play("make_house")
    assert GIVE in client.get("/en/commons/cartolibre/").content.decode()
    page = client.get(GIVE).content.decode()
    assert page.count('class="field') == 6
    answer = sent(client)
    assert answer.status_code == 302
    gift = client.get(answer.headers["Location"]).content.decode()
    pledge = Pledge.objects.get()
    assert "No money has moved." in gift
    assert "€20.00" in gift
    assert "FR76 3000 6000 0112 3456 7890 189" in gift
    assert pledge.reference in gift.replace("\u202f", "").replace("\xa0", "").replace(" ", "")
    assert 'class="qr"' in gift
    assert "The next transfer is due on" in gift
    assert "Association des Communs keeps 5% for holding" in gift
    assert "Association des Communs keeps 5% for holding" in page
    assert "gaelle@example.org" not in gift
    assert "Trusted third party: Association des Communs" in gift
    assert '<meta name="robots" content="noindex">' in gift
    assert entry_count() == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "other", "amount": ""}, "Say how much"),
        ({"preset": "other", "amount": "0,004"}, "2 decimals at most"),
        ({"preset": "other", "amount": "0"}, "greater than zero"),
        ({"amount": "30"}, "You chose one amount and wrote another"),
        ({"email": "nobody"}, "valid email address"),
        ({"name": " "}, "This field is required"),
        ({"name": "\x01\x08"}, "This field is required"),
        ({"name": "\u200b\u00ad"}, "A name is missing"),
        ({"name": "see https://evil.example/login"}, "holds no address of a web page"),
        ({"preset": "other", "amount": "10000,01"}, "Without an account, a gift is of €10,000.00 at most"),
        ({"rhythm": "weekly"}, "Select a valid choice"),
    ],
)
def test_a_wrong_form_says_what_to_correct_and_keeps_nothing(
    play: Play, client: Client, changes: dict[str, str], said: str
) -> None:
    play("make_house")
    answer = sent(client, **changes)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Donor.objects.exists()
    assert not Pledge.objects.exists()


def test_an_address_with_an_account_is_answered_as_any_other(play: Play) -> None:
    play("make_house")
    answers = [sent(Client(), email=email) for email in ("bo@example.org", "nobody@example.org")]
    pages = [Client().get(one.headers["Location"]).content.decode() for one in answers]
    assert [one.status_code for one in answers] == [302, 302]
    assert len(pages[0].splitlines()) == len(pages[1].splitlines())
    assert not any("bo@example.org" in page or "Bo Nguyen" in page for page in pages)


def test_a_form_sent_twice_leads_to_the_same_gift(play: Play, client: Client) -> None:
    play("make_house")
    first, second = sent(client, form_key="k" * 24), sent(client, form_key="k" * 24)
    assert [client.get(one.headers["Location"]).status_code for one in (first, second)] == [200, 200]
    assert Pledge.objects.count() == 1
    other = sent(client, form_key="k" * 24, preset="50")
    assert other.status_code == 409
    assert "already sent with other values" in other.content.decode()
    for changes in ({"name": "Somebody Else"}, {"named": "on"}):
        other = sent(client, form_key="k" * 24, **changes)
        assert (other.status_code, "already sent with other values" in other.content.decode()) == (409, True)
    assert Pledge.objects.get().public_name is None


def gift(client: Client) -> tuple[Pledge, str]:
    """A monthly gift, and the address of its page."""
    sent(client)
    pledge = Pledge.objects.get()
    return pledge, f"/en/gifts/{gift_code(pledge)}/"


def test_a_gift_is_stopped_after_a_confirmation(play: Play, client: Client) -> None:
    play("make_house")
    pledge, address = gift(client)
    asked = client.get(f"{address}stop/").content.decode()
    assert "Stop this gift?" in asked
    pledge.refresh_from_db()
    assert pledge.state == "active"
    answer = client.post(f"{address}stop/", follow=True)
    assert "no money moved" in answer.content.decode()
    pledge.refresh_from_db()
    assert (pledge.state, pledge.expected) == ("cancelled", 0)
    assert client.get(f"{address}stop/").status_code == 302


def test_a_donor_erases_their_name_and_the_page_closes(play: Play, client: Client) -> None:
    play("make_house")
    pledge, address = gift(client)
    compose_due(timezone.now())
    note_received(pledge_id=pledge.pk, amount=20_00, now=timezone.now())
    assert "cannot be undone" in client.get(f"{address}forget/").content.decode()
    answer = client.post(f"{address}forget/", follow=True)
    assert "Your name and your address are erased here." in answer.content.decode()
    assert Donor.objects.get().name == ""
    assert not OutgoingMail.objects.filter(recipient="gaelle@example.org").exists()
    for path in ("", "stop/", "forget/"):
        assert client.get(f"{address}{path}").status_code == 404
    assert Pledge.objects.get().received == 20_00


def test_a_wrong_code_finds_nothing(play: Play, client: Client) -> None:
    play("make_promise")
    for code in ("x", "a:b:c", gift_code(Pledge.objects.get())):
        assert client.get(f"/en/gifts/{code}/").status_code == 404


def test_a_stopped_pot_takes_no_gift(play: Play, client: Client) -> None:
    world = play("make_house")
    key = {"form_key": "k" * 24}
    type(world.budget).objects.filter(pk=world.budget.pk).update(state="suspended")
    assert "does not take pledges" in client.get(GIVE).content.decode()
    answer = client.post(GIVE, {"preset": "20", "rhythm": "once", "name": "G", "email": "g@example.org", **key})
    assert answer.status_code == 409
    assert not Pledge.objects.exists()


def test_gifts_made_before_come_into_the_account(play: Play, client: Client) -> None:
    world = play("make_house")
    sent(client, email="bo@example.org")
    sent(client, email="someone@example.org")
    browser = enter(world.users["bo"])
    page = browser.get("/en/account/gifts/").content.decode()
    assert "Made from your address before you had an account" in page
    assert page.count("<li>€20.00 to Cartolibre") == 1
    assert "None yet" not in page
    answer = browser.post("/en/account/gifts/", follow=True).content.decode()
    assert "1 gift is in your account now." in answer
    mine = Pledge.objects.get(donor__claimed_by=world.users["bo"])
    assert f"/en/pledges/{mine.pk}/" in answer
    assert browser.get(f"/en/pledges/{mine.pk}/").status_code == 200
    old = f"/en/gifts/{gift_code(mine)}/"
    assert browser.get(old).headers["Location"] == f"/en/pledges/{mine.pk}/"
    for path in ("", "stop/", "forget/"):  # whoever typed the address keeps a link that opens nothing
        assert client.get(old + path).status_code == 404
        assert client.post(old + path).status_code in {404, 405}
    mine.refresh_from_db()
    assert (mine.state, mine.payer_name) == ("active", "Gaëlle Roy")
    other = Pledge.objects.exclude(pk=mine.pk).get()
    assert browser.get(f"/en/pledges/{other.pk}/").status_code == 404
    assert "No gift was made" in browser.post("/en/account/gifts/", follow=True).content.decode()


def test_the_public_reads_names_and_amounts_only_of_those_who_want_it(play: Play, client: Client) -> None:
    world = play("make_promise")
    sent(client, named="on", name="Gaëlle Roy", preset="50")
    sent(client, name="Ines Secrète", email="ines@example.org")
    Pledge.objects.create(
        id="plg_x", budget=world.budget, person=world.users["bo"], made_by=world.users["bo"], amount=77_00,
        currency="EUR", starts_on=world.today, visibility="pseudonymous", pseudonym="Un ami", group="grp_x",
        reference="RF00X", form_key="x", created_at=timezone.now(),
    )  # fmt: skip
    strangers = client.get("/en/commons/cartolibre/").content.decode()
    assert "Gaëlle Roy" not in strangers, "anyone can type a name and an amount"
    assert "€50.00" not in strangers
    assert "2 supporters fund it" in strangers
    for given in Pledge.objects.filter(donor__isnull=False):
        note_received(pledge_id=given.pk, amount=1_00, now=timezone.now())
    page = client.get("/en/commons/cartolibre/").content.decode()
    card = page.split("Who pledges")[1].split("</section>")[0]
    assert "Gaëlle Roy" in card
    assert "€50.00" in card
    assert "<li>Un ami</li>" in card
    assert "€77.00" not in page
    assert "Ines" not in page
    assert "And 1 supporter who wishes no name." in card
    assert "4 supporters fund it" in page


def test_a_payment_without_a_public_name_is_told_without_one(play: Play, client: Client) -> None:
    world = play("make_house")
    sent(client, name="Ines Secrète", email="ines@example.org", preset="50")
    world.pledge = Pledge.objects.get()
    data = demo.statement_file(
        world, number=1, opening=0, lines=[(50_00, "INES SECRETE", f"don {world.pledge.reference}", "")]
    )
    demo.import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)
    page = client.get("/en/commons/cartolibre/").content.decode()
    assert "Not told" in page
    assert "€50.00" in page
    assert "Ines" not in page


def test_whoever_follows_their_gifts_is_led_there_after_opening_an_account(
    play: Play, client: Client, mailoutbox: Any
) -> None:
    play("make_house")
    asked = client.get("/en/account/gifts/", follow=True).content.decode()
    link = html.unescape(asked.split("Create an account")[0].rsplit('href="', 1)[1].split('"')[0])
    assert link == "/en/accounts/signup/?next=%2Fen%2Faccount%2Fgifts%2F"
    form = {
        "email": "new@example.org", "name": "New", "password1": "trois mots sans lien",
        "password2": "trois mots sans lien", "accept": "on", "next": "/en/account/gifts/",
    }  # fmt: skip
    assert client.post("/en/accounts/signup/", form).status_code == 302
    confirm = next(word for word in str(mailoutbox[0].body).split() if "confirm-email" in word)
    assert confirm.endswith("?next=%2Fen%2Faccount%2Fgifts%2F")
    other = Client()  # the link may open in another browser
    path = "/en/" + confirm.split("/en/", 1)[1]
    page = other.get(path).content.decode()
    assert 'name="next" value="/en/account/gifts/"' in page
    answer = other.post(path, {"next": "/en/account/gifts/"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/en/accounts/login/?next=/en/account/gifts/"


def test_no_confirmation_leads_to_another_site(play: Play, client: Client, mailoutbox: Any) -> None:
    play("make_house")
    form = {
        "email": "new@example.org", "name": "New", "password1": "trois mots sans lien",
        "password2": "trois mots sans lien", "accept": "on", "next": "https://evil.example/",
    }  # fmt: skip
    assert client.post("/en/accounts/signup/", form).status_code == 302
    body = str(mailoutbox[0].body)
    assert "confirm-email" in body
    assert "evil" not in body


def test_forms_take_no_control_character(play: Play, client: Client) -> None:
    play("make_house")
    sent(client, name="G\x01a\x1b\x85\uffff", named="on")
    assert Pledge.objects.get().payer_name == "G a"


def test_a_badge_is_a_drawing_whatever_the_name_holds_and_says_support(play: Play, client: Client) -> None:
    world = play("make_house")
    type(world.commons).objects.filter(pk=world.commons.pk).update(name="A\x01\x0b\uffffB & <C>")
    answer = client.get("/en/commons/cartolibre/badge.svg")
    drawing = ElementTree.fromstring(answer.content)  # noqa: S314  our own
    texts = [one.text for one in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:2] == ["Support", "A   B & <C>"]


def test_in_a_demonstration_who_gives_reads_the_mail_of_their_gift(play: Play, client: Client, settings: Any) -> None:
    settings.DEMO = True
    play("make_house")
    sent(client, email="Moi@Exemple.FR")
    compose_due(timezone.now())
    page = client.get("/en/demo/mail/?to=moi@exemple.fr").content.decode()
    assert "Your gift of €20.00 to Cartolibre" in page
    mail = OutgoingMail.objects.get(recipient="moi@exemple.fr")
    assert client.get(f"/en/demo/mail/{mail.pk}/").status_code == 200
    stranger = Client()
    assert "Your gift of" not in stranger.get("/en/demo/mail/").content.decode()
    assert stranger.get(f"/en/demo/mail/{mail.pk}/").status_code == 404
    unknown = stranger.get("/en/demo/mail/?to=moi@exemple.fr").content.decode()
    assert "Nobody of the demonstration has this address" in unknown
