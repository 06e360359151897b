"""Somebody invited who comes in by a sign-in link or a new password still chooses a password and accepts notices."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from backend.core.errors import Invalid
from backend.events.models import Event
from backend.identity.finishing import finish_account, unfinished
from backend.identity.inviting import Named, accepted, invite_person
from backend.identity.models import User
from backend.identity.services import grant_role
from backend.operations import demo
from backend.privacy.models import Acceptance
from tests.web.test_public import text_of
from tests.web.test_sessions import signed_in

Play = Callable[..., Any]
PASSWORD = "quatre navets dans un cageot"
FACTS = {"password1": PASSWORD, "password2": PASSWORD, "accept": "on"}
PAGE = "/en/account/finish/"


@pytest.fixture
def nour(play: Play) -> User:
    """Somebody invited as an auditor, who has never come."""
    world = play("make_house")
    cache.clear()
    camille = world.users["camille"]
    grant_role(user=camille, kind="administrator", scope=world.host.pk, granted_by=None, now=timezone.now())
    demo.give_factor(camille)
    return invite_person(
        actor=camille, who=Named("Nour Haddad", "nour@example.org", "en"), kind="auditor",
        scope=world.host.pk, now=timezone.now(),
    )  # fmt: skip


def by_link(person: User, letters: list[EmailMessage]) -> Client:
    """A browser that came in by a sign-in link."""
    browser = Client()
    browser.post("/en/accounts/login/code/", {"email": person.email})
    found = re.search(r"https?://[^/\s]+(/\S+code=(\S+))", str(letters[-1].body))
    assert found is not None
    answer = browser.post(found[1].partition("?")[0], {"code": found[2]})
    assert answer.status_code == 302, text_of(answer)
    return browser


def events(person: User, kind: str) -> int:
    """How many events of a kind are about a person."""
    return Event.objects.filter(kind=kind, subject=person.pk).count()


def test_a_sign_in_link_leads_to_the_end_of_the_invitation(nour: User, mailoutbox: list[EmailMessage]) -> None:
    browser = by_link(nour, mailoutbox)
    assert not accepted(nour)  # the address is confirmed, and that is not enough to come back
    for path in ("/en/", "/en/audit/", "/en/account/", "/en/accounts/password/change/", "/en/accounts/2fa/"):
        assert browser.get(path).headers.get("Location") == PAGE, path
    changed = browser.post("/en/account/", {"name": "Other", "public_name": "", "language": "en"})
    assert changed.headers["Location"] == PAGE
    nour.refresh_from_db()
    assert nour.name == "Nour Haddad"
    assert browser.get("/en/terms/").status_code == 200
    assert "Welcome, Nour Haddad" in text_of(browser.get(PAGE))
    for changes in ({"accept": ""}, {"password1": "short", "password2": "short"}, {"password2": "another"}):
        assert browser.post(PAGE, {**FACTS, **changes}).status_code == 422
    assert events(nour, "invitation.accepted") == 0
    answer = browser.post(PAGE, FACTS)
    assert answer.headers["Location"] == "/en/accounts/2fa/"  # the role of auditor waits for a second factor
    nour.refresh_from_db()
    assert accepted(nour)
    assert nour.check_password(PASSWORD)
    assert Acceptance.objects.filter(user=nour).count() == 2
    assert events(nour, "invitation.accepted") == 1
    assert signed_in(browser)
    assert browser.get("/en/").status_code == 200
    assert browser.post(PAGE, FACTS).headers["Location"] == "/en/"
    assert events(nour, "invitation.accepted") == 1


def test_leaving_without_finishing_leads_there_again(nour: User, mailoutbox: list[EmailMessage]) -> None:
    first = by_link(nour, mailoutbox)
    first.post("/en/accounts/logout/")
    assert not signed_in(first)
    assert by_link(nour, mailoutbox).get("/en/").headers["Location"] == PAGE


def test_a_new_password_leaves_the_notices_to_accept(nour: User, mailoutbox: list[EmailMessage]) -> None:
    browser = Client()
    browser.post("/en/accounts/password/reset/", {"email": nour.email})
    link = re.search(r"https?://[^/\s]+(/\S+/password/reset/key/\S+/)", str(mailoutbox[-1].body))
    assert link is not None
    form = browser.get(link[1]).headers["Location"]
    browser.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    browser.post("/en/accounts/login/", {"login": nour.email, "password": PASSWORD})
    if not signed_in(browser):  # the address is confirmed by its own letter
        link = re.search(r"https?://[^/\s]+(/\S+/confirm-email/\S+/)", str(mailoutbox[-1].body))
        assert link is not None
        browser.post(link[1])
        browser.post("/en/accounts/login/", {"login": nour.email, "password": PASSWORD})
    assert browser.get("/en/").headers["Location"] == PAGE
    page = text_of(browser.get(PAGE))
    assert "One thing is left before you begin." in page
    assert "The same password again" not in page
    assert browser.post(PAGE, {}).status_code == 422
    browser.post(PAGE, {"accept": "on"})
    nour.refresh_from_db()
    assert nour.check_password(PASSWORD)
    assert accepted(nour)
    assert (events(nour, "invitation.accepted"), events(nour, "notices.accepted")) == (1, 1)
    assert browser.get("/en/").status_code == 200


def test_a_passkey_stands_for_the_password(nour: User, mailoutbox: list[EmailMessage]) -> None:
    browser = by_link(nour, mailoutbox)
    assert browser.get("/en/accounts/2fa/webauthn/add/").status_code == 200
    assert not accepted(nour)
    with pytest.raises(Invalid) as refusal:
        finish_account(actor=nour, password="", now=timezone.now())
    assert refusal.value.code == "password_refused"
    Authenticator.objects.create(user=nour, type="webauthn", data={"name": "Key", "credential": {}})
    assert accepted(nour)
    assert unfinished(nour)
    finish_account(actor=nour, password="", now=timezone.now())
    assert not unfinished(nour)
    nour.refresh_from_db()
    assert not nour.has_usable_password()
    assert events(nour, "invitation.accepted") == 1


def test_who_signed_up_or_was_there_before_is_let_in(play: Play, sign_in: Callable[..., Client]) -> None:
    ana = play("make_house").users["ana"]
    assert not unfinished(ana)
    browser = sign_in(ana)
    assert browser.get("/en/").status_code == 200
    assert browser.get(PAGE).headers["Location"] == "/en/"
    assert demo.PASSWORD != PASSWORD
