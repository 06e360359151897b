"""Accounts: each page is in our frame, signing up asks for a confirmed address, nothing says who has an account."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client

from backend.identity.models import Host, User
from backend.operations.demo import PASSWORD
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
NEW = {
    "name": "Dune Leroy", "email": "dune@example.org", "password1": "une longue phrase sure",
    "password2": "une longue phrase sure", "accept": "on",
}  # fmt: skip


@pytest.fixture(autouse=True)
def an_instance_in_use(db: None) -> None:
    """A host, since nobody signs in before there is one; no memory of the attempts of other tests."""
    Host.objects.create(id="hst_of_accounts", name="Les Communs", siren="123456782", fee_bp=500)
    cache.clear()


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "path",
    [
        "login/", "signup/", "password/reset/", "password/reset/done/", "password/reset/key/done/", "confirm-email/",
        "confirm-email/wrong-key/", "password/reset/key/1-wrong/", "inactive/",
    ],
)  # fmt: skip
def test_the_pages_of_strangers_are_in_our_frame(client: Client, path: str, language: str) -> None:
    answer = client.get(f"/{language}/accounts/{path}")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<header class="bar">' in page
    assert f'<html lang="{language}">' in page
    assert page.count("<h1") == 1
    assert "<script" not in page


@pytest.mark.parametrize("path", ["logout/", "reauthenticate/", "email/", "password/change/"])
def test_the_pages_of_the_signed_in_are_in_our_frame_and_not_kept(play: Play, sign_in: SignIn, path: str) -> None:
    world = play("make_people")
    answer = sign_in(world.users["ana"]).get(f"/en/accounts/{path}")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<header class="bar">' in page
    assert page.count("<h1") == 1
    assert "<script" not in page
    assert "no-store" in answer.headers["Cache-Control"]


def test_signing_in_leads_back_to_the_page_that_was_asked_for(play: Play, client: Client) -> None:
    play("make_people")
    answer = client.get("/en/organisations/")
    facts = {"login": "ana@example.org", "password": PASSWORD, "next": "/en/organisations/"}
    assert answer.headers["Location"] == "/en/accounts/login/?next=/en/organisations/"
    answer = client.post("/en/accounts/login/", facts)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/en/organisations/")


def test_signing_in_never_leads_elsewhere(play: Play, client: Client) -> None:
    play("make_people")
    facts = {"login": "ana@example.org", "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/en/accounts/login/", facts).headers["Location"] == "/en/"


@pytest.mark.parametrize("login", ["ana@example.org", "nobody@example.org"])
def test_a_wrong_password_and_an_unknown_address_read_the_same(play: Play, client: Client, login: str) -> None:
    play("make_people")
    answer = client.post("/en/accounts/login/", {"login": login, "password": "wrong"})
    assert answer.status_code == 200
    assert "<title>Error: Sign in" in answer.content.decode()
    assert "The email address and/or password you specified are not correct." in text_of(answer)
    assert "_auth_user_id" not in client.session


def test_signing_out_asks_first(play: Play, sign_in: SignIn) -> None:
    world = play("make_people")
    browser = sign_in(world.users["ana"])
    assert "You are signed in as ana@example.org." in text_of(browser.get("/en/accounts/logout/"))
    assert "_auth_user_id" in browser.session
    assert browser.post("/en/accounts/logout/").headers["Location"] == "/en/"
    assert "_auth_user_id" not in browser.session


def test_an_account_opens_once_its_address_is_confirmed(client: Client, mailoutbox: list[EmailMessage]) -> None:
    answer = client.post("/fr/accounts/signup/", NEW)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/fr/accounts/confirm-email/")
    user = User.objects.get()
    assert (user.name, user.email, user.language) == ("Dune Leroy", "dune@example.org", "fr")
    assert user.pk.startswith("usr_")
    facts = {"login": NEW["email"], "password": NEW["password1"]}
    client.post("/fr/accounts/login/", facts)
    assert "_auth_user_id" not in client.session
    letter = mailoutbox[0]
    assert letter.to == ["dune@example.org"]
    assert "!" not in str(letter.body)
    link = re.search(r"https?://[^/\s]+(/\S+/confirm-email/\S+/)", str(letter.body))
    assert link is not None
    page = client.get(link[1])
    assert "dune@example.org" in text_of(page)
    client.post(link[1])
    client.post("/fr/accounts/login/", facts)
    assert client.session["_auth_user_id"] == user.pk


def test_signing_up_does_not_say_whether_an_address_is_known(play: Play, client: Client) -> None:
    play("make_people")
    answer = client.post("/en/accounts/signup/", {**NEW, "email": "ana@example.org"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/en/accounts/confirm-email/")
    assert User.objects.filter(email="ana@example.org").get().name == "Ana Ruiz"
    assert User.objects.count() == 6


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"password1": "short", "password2": "short"}, "at least 15 characters"),
        ({"password2": "une autre longue phrase"}, "You must type the same password each time."),
        ({"email": "dune"}, "Enter a valid email address."),
    ],
)
def test_a_wrong_value_is_said_beside_its_field(client: Client, changes: dict[str, str], sentence: str) -> None:
    answer = client.post("/en/accounts/signup/", {**NEW, **changes})
    text = text_of(answer)
    assert "Nothing was recorded: something must be corrected" in text
    assert text.count(sentence) >= 2
    assert User.objects.count() == 0


@pytest.mark.parametrize("email", ["ana@example.org", "nobody@example.org"])
def test_a_sign_in_link_reads_the_same_for_everyone(play: Play, client: Client, email: str) -> None:
    play("make_people")
    answer = client.post("/en/accounts/login/code/", {"email": email}, follow=True)
    assert answer.redirect_chain == [("/en/accounts/login/code/confirm/", 302)]
    assert "If this address has an account, a message is on its way with a link and a code." in text_of(answer)
    assert email not in answer.content.decode()
    wrong = client.post("/en/accounts/login/code/confirm/", {"code": "wrong"})
    assert (wrong.status_code, "_auth_user_id" in client.session) == (200, False)


def test_a_sign_in_link_fills_the_code_in_and_opens_the_browser_that_asked(
    play: Play, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    world = play("make_people")
    ana = world.users["ana"]
    User.objects.update(language="en")
    client.post("/fr/accounts/login/code/?next=/en/account/", {"email": ana.email, "next": "/en/account/"})
    (letter,) = mailoutbox
    assert (letter.to, letter.subject) == ([ana.email], "Your sign-in link")  # her language
    found = re.search(r"http://localhost:8000(/en/accounts/login/code/confirm/\?code=(\S+))", str(letter.body))
    assert found is not None
    elsewhere = Client()
    assert elsewhere.get(found[1]).headers["Location"].startswith("/en/accounts/login/code/")  # not where it was asked
    for _scanner in range(2):
        assert f'value="{found[2]}"' in client.get(found[1]).content.decode()
    assert "_auth_user_id" not in client.session
    assert client.post("/en/accounts/login/code/confirm/", {"code": found[2]}).status_code == 302
    assert client.session["_auth_user_id"] == ana.pk
    client.post("/en/accounts/logout/")
    assert client.post("/en/accounts/login/code/confirm/", {"code": found[2]}).status_code == 302
    assert "_auth_user_id" not in client.session  # it served


def test_a_sign_in_link_and_a_new_password_leave_the_second_factor_asked(
    play: Play, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    claire = play("make_people").users["claire"]
    client.post("/en/accounts/login/code/", {"email": claire.email})
    code = re.search(r"code=(\S+)", str(mailoutbox[-1].body))
    assert code is not None
    answer = client.post("/en/accounts/login/code/confirm/", {"code": code[1]})
    assert answer.headers["Location"] == "/en/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    other = Client()
    other.post("/en/accounts/password/reset/", {"email": claire.email})
    link = re.search(r"https?://[^/\s]+(/\S+/password/reset/key/\S+/)", str(mailoutbox[-1].body))
    assert link is not None
    page = other.get(link[1], follow=True)
    facts = {"password1": "encore une longue phrase", "password2": "encore une longue phrase"}
    other.post(page.redirect_chain[-1][0], facts)
    assert "_auth_user_id" not in other.session
    answer = other.post("/en/accounts/login/", {"login": claire.email, "password": facts["password1"]})
    assert answer.headers["Location"] == "/en/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in other.session


def test_a_password_link_is_good_for_an_hour(play: Play) -> None:
    ana = play("make_people").users["ana"]
    token = default_token_generator.make_token(ana)
    later = default_token_generator._now() + timedelta(minutes=61)
    assert default_token_generator.check_token(ana, token)
    with mock.patch.object(default_token_generator, "_now", return_value=later):
        assert not default_token_generator.check_token(ana, token)


@pytest.mark.parametrize("email", ["ana@example.org", "nobody@example.org"])
def test_a_forgotten_password_reads_the_same_for_everyone(play: Play, client: Client, email: str) -> None:
    play("make_people")
    answer = client.post("/en/accounts/password/reset/", {"email": email}, follow=True)
    assert answer.redirect_chain == [("/en/accounts/password/reset/done/", 302)]
    assert "If this address has an account" in text_of(answer)


def test_a_forgotten_password_is_replaced_through_the_mailed_link(
    play: Play, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    world = play("make_people")
    client.post("/en/accounts/password/reset/", {"email": "ana@example.org"})
    (letter,) = mailoutbox
    assert (letter.to, letter.subject) == (["ana@example.org"], "Choisir un autre mot de passe")  # her language
    link = re.search(r"https?://[^/\s]+(/\S+/password/reset/key/\S+/)", str(letter.body))
    assert link is not None
    page = client.get(link[1], follow=True)
    assert "Choisir un autre mot de passe" in text_of(page)
    facts = {"password1": "encore une longue phrase", "password2": "encore une longue phrase"}
    answer = client.post(page.redirect_chain[-1][0], facts, follow=True)
    assert "Votre mot de passe est changé" in text_of(answer)
    world.users["ana"].refresh_from_db()
    assert world.users["ana"].check_password("encore une longue phrase")
    assert "Ce lien ne fonctionne plus" in text_of(Client().get(link[1], follow=True))


def test_a_password_is_changed_by_its_owner(play: Play, sign_in: SignIn) -> None:
    world = play("make_people")
    browser = sign_in(world.users["ana"])
    facts = {"oldpassword": "wrong", "password1": "encore une longue phrase", "password2": "encore une longue phrase"}
    assert "Please type your current password." in text_of(browser.post("/en/accounts/password/change/", facts))
    world.users["ana"].refresh_from_db()
    assert world.users["ana"].check_password(PASSWORD)
    assert browser.post("/en/accounts/password/change/", {**facts, "oldpassword": PASSWORD}).status_code == 302
    world.users["ana"].refresh_from_db()
    assert world.users["ana"].check_password("encore une longue phrase")


def test_guessing_a_password_is_slowed_down(play: Play, client: Client) -> None:
    play("make_people")
    for _ in range(10):
        client.post("/en/accounts/login/", {"login": "ana@example.org", "password": "wrong"})
    answer = client.post("/en/accounts/login/", {"login": "ana@example.org", "password": PASSWORD})
    assert "Too many attempts failed. Wait a quarter of an hour" in text_of(answer)
    assert "_auth_user_id" not in client.session
    page = ""
    for _ in range(21):
        answer = client.post("/en/accounts/password/reset/", {"email": "ana@example.org"})
        page = text_of(answer)
    assert answer.status_code == 429
    assert "Too many attempts This was asked too often" in page.split("Français")[1].replace("  ", " ")


MAILED = {  # what a page of the other language makes leave, and a piece of each letter in French
    "password/reset/": ({"email": "ana@example.org"}, "/fr/accounts/password/reset/key/"),
    "signup/": ({**NEW, "email": "ana@example.org"}, "/fr/accounts/password/reset/"),
}


@pytest.mark.parametrize("path", MAILED)
def test_a_letter_is_in_its_readers_language_and_not_in_the_pages(
    play: Play, client: Client, mailoutbox: list[EmailMessage], path: str
) -> None:
    world = play("make_people")
    facts, link = MAILED[path]
    client.post(f"/en/accounts/{path}", facts)
    client.post("/en/accounts/password/reset/", {"email": "nobody@example.org"})
    User.objects.filter(pk=world.users["ana"].pk).update(language="en")
    cache.clear()
    Client().post(f"/fr/accounts/{path}", facts)
    french, stranger, english = mailoutbox
    assert link in str(french.body)
    assert link.replace("/fr/", "/en/") in str(english.body)
    assert french.subject != english.subject
    assert "/en/accounts/signup/" in str(stranger.body)  # nobody's address: the language of the page
    for letter in mailoutbox:
        assert str(letter.body).rstrip().endswith("— Les Communs\nlocalhost:8000")


@pytest.mark.parametrize("host", ["localhost:6666", "testserver:6666"])
def test_a_link_in_a_letter_leads_to_the_instance_whatever_the_request_named(
    play: Play, mailoutbox: list[EmailMessage], host: str
) -> None:
    play("make_people")
    browser = Client(headers={"Host": host})
    browser.post("/en/accounts/password/reset/", {"email": "ana@example.org"})
    browser.post("/en/accounts/password/reset/", {"email": "nobody@example.org"})
    browser.post("/en/accounts/signup/", NEW)
    assert len(mailoutbox) == 3
    for letter in mailoutbox:
        links = re.findall(r"https?://[^/\s]+/", str(letter.body))
        assert links == [f"{settings.BASE_URL}/"]
        assert "6666" not in str(letter.body)


def test_each_change_of_an_account_is_told_to_its_person(
    play: Play, sign_in: SignIn, mailoutbox: list[EmailMessage]
) -> None:
    world = play("make_people")
    User.objects.update(language="en")
    browser = sign_in(world.users["ana"])
    new = {"oldpassword": PASSWORD, "password1": "encore une longue phrase", "password2": "encore une longue phrase"}
    browser.post("/fr/accounts/password/change/", new)
    told, body = mailoutbox[-1], str(mailoutbox[-1].body)
    assert (told.to, told.subject) == (["ana@example.org"], "Your password was changed")
    assert "If it was not you, choose another password at once" in body
    assert "127.0.0.1" in body
    browser.post("/fr/accounts/email/", {"action_add": "", "email": "ana@new.example"})
    link = re.search(r"https?://[^/\s]+(/en/\S+/confirm-email/\S+/)", str(mailoutbox[-1].body))
    assert link is not None
    browser.post(link[1])
    browser.post("/fr/accounts/email/", {"action_primary": "", "email": "ana@new.example"})
    browser.post("/fr/accounts/email/", {"action_remove": "", "email": "ana@example.org"})
    assert {letter.subject for letter in mailoutbox} >= {
        "Confirm your address", "Your main address was changed", "An address was removed",
    }  # fmt: skip


def test_every_letter_of_the_account_pages_is_ours() -> None:
    import allauth

    # A reset comes by a link, not by a code; the sign-up letter is the confirmation's.
    unused = ("password_reset_code", "email_confirmation_signup")
    for app, more in (
        ("account", set()),
        ("mfa", {"recovery_code_used_message.txt", "recovery_code_used_subject.txt"}),
    ):
        ours = settings.BASE / "web" / "templates" / app / "email"
        theirs = Path(allauth.__file__).parent / "templates" / app / "email"
        wanted = {path.name for path in theirs.glob("*.txt") if not path.name.startswith(unused)}
        assert wanted | more == {path.name for path in ours.glob("*.txt")}
