"""Passwords, addresses, factors, failed sign-ins: one event each; other sessions end; the session changes its key."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client

from backend.core.crypto import equality_index
from backend.events.models import Event
from backend.identity.models import Role, User
from backend.operations import demo
from tests.web.test_factors import add_application, aged
from tests.web.test_sessions import attempt, signed_in

Play = Callable[..., Any]
SignIn = Callable[..., Client]
PASSWORD = demo.PASSWORD
NEW = "quatre navets dans un cageot"
KINDS = ("password.", "email.", "sign_in.", "session.", "factor.")


@pytest.fixture
def ana(play: Play) -> User:
    """Somebody without factor, cache emptied."""
    person: User = play("make_house").users["ana"]
    cache.clear()
    return person


def told() -> list[str]:
    """The kinds recorded about an account, in order."""
    found = Event.objects.order_by("created_at", "id").values_list("kind", flat=True)
    return [kind for kind in found if kind.startswith(KINDS)]


def link_in(letter: EmailMessage) -> str:
    """The path of the link of a letter."""
    found = re.search(r"https?://[^/\s]+(/\S+/(?:confirm-email|password/reset/key)/\S+/)", str(letter.body))
    assert found is not None
    return found[1]


def test_a_changed_password_leaves_one_event_that_counts_the_sessions_it_ended(ana: User, sign_in: SignIn) -> None:
    here, away = sign_in(ana), sign_in(ana)
    before = here.session.session_key
    here.post("/en/accounts/password/change/", {"oldpassword": "wrong", "password1": NEW, "password2": NEW})
    assert told() == []
    assert signed_in(away)
    here.post("/en/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    event = Event.objects.get(kind="password.changed")
    assert (event.actor_id, event.subject, event.scopes, event.data) == (ana.pk, ana.pk, [ana.pk], {"sessions": 1})
    assert told() == ["password.changed"]
    assert (signed_in(here), signed_in(away)) == (True, False)
    assert here.session.session_key != before
    assert list(UserSession.objects.filter(user=ana).values_list("session_key", flat=True)) == [
        here.session.session_key
    ]
    assert "navets" not in str(list(Event.objects.values_list("data", "before", "after")))


def test_a_password_chosen_from_inside_leaves_one_event(ana: User, sign_in: SignIn) -> None:
    browser = sign_in(ana)
    User.objects.filter(pk=ana.pk).update(password="!none")
    ana.refresh_from_db()
    session = browser.session
    session["_auth_user_hash"] = ana.get_session_auth_hash()
    session.save()
    answer = browser.post("/en/accounts/password/set/", {"password1": NEW, "password2": NEW})
    assert answer.status_code == 302
    assert told() == ["password.set"]
    assert User.objects.get(pk=ana.pk).check_password(NEW)


def test_a_password_replaced_by_mail_ends_every_session(
    ana: User, sign_in: SignIn, mailoutbox: list[EmailMessage]
) -> None:
    one, two, stranger = sign_in(ana), sign_in(ana), Client()
    stranger.post("/en/accounts/password/reset/", {"email": ana.email})
    form = stranger.get(link_in(mailoutbox[-1])).headers["Location"]
    stranger.post(form, {"password1": NEW, "password2": NEW})
    assert told() == ["password.reset"]
    assert Event.objects.get(kind="password.reset").data == {"sessions": 2}
    assert (signed_in(one), signed_in(two)) == (False, False)
    assert not UserSession.objects.filter(user=ana).exists()


def test_each_step_of_an_address_leaves_one_event_without_the_address(
    ana: User, sign_in: SignIn, mailoutbox: list[EmailMessage]
) -> None:
    browser = sign_in(ana)
    old, new = equality_index(ana.email), equality_index("ana@new.example")
    browser.post("/en/accounts/email/", {"action_add": "", "email": "ana@new.example"})
    browser.post(link_in(mailoutbox[-1]))
    browser.post("/en/accounts/email/", {"action_primary": "", "email": "ana@new.example"})
    browser.post("/en/accounts/email/", {"action_remove": "", "email": "ana@example.org"})
    found = Event.objects.filter(kind__startswith="email.").order_by("created_at", "id")
    assert [(event.kind, event.before, event.after) for event in found] == [
        ("email.added", None, {"email": new}), ("email.confirmed", None, {"email": new}),
        ("email.changed", {"email": old}, {"email": new}), ("email.removed", {"email": old}, None),
    ]  # fmt: skip
    assert {(event.actor_id, event.subject) for event in found} == {(ana.pk, ana.pk)}
    assert told() == ["email.added", "email.confirmed", "email.changed", "email.removed"]


def test_the_failure_that_closes_an_account_is_written_once(ana: User) -> None:
    tries = [attempt(Client(), ana.email, address=f"127.0.2.{number}") for number in range(1, 10)]
    assert tries == ["wrong"] * 9
    assert told() == []
    tries = [attempt(Client(), ana.email.upper(), address=f"127.0.2.{number}") for number in range(10, 20)]
    assert tries == ["wrong"] + ["limited"] * 9
    assert told() == ["sign_in.limited"]
    event = Event.objects.get(kind="sign_in.limited")
    assert (event.actor_id, event.subject, event.data) == (None, ana.pk, {"failures": 10})


def test_failures_on_an_address_without_account_are_not_written(ana: User) -> None:
    tries = [attempt(Client(), "nobody@example.org", address=f"127.0.2.{number}") for number in range(1, 12)]
    assert tries == ["wrong"] * 10 + ["limited"]
    assert told() == []


def test_the_key_changes_when_a_factor_is_added_and_given_again(ana: User, sign_in: SignIn) -> None:
    browser = sign_in(ana)
    first = browser.session.session_key
    add_application(browser)
    second = browser.session.session_key
    assert first != second
    assert not Session.objects.filter(pk=first).exists()
    thief = Client()
    thief.cookies["tronc_session"] = first or ""
    assert not signed_in(thief)
    assert list(UserSession.objects.filter(user=ana).values_list("session_key", flat=True)) == [second]


def test_the_key_changes_at_each_factor_given(play: Play, sign_in: SignIn) -> None:
    claire = play("make_house").users["claire"]
    browser = sign_in(claire)
    aged(browser, 6)
    before = browser.session.session_key
    cache.clear()
    browser.post("/en/accounts/2fa/reauthenticate/", {"code": demo.code_for(time.time()), "next": "/en/"})
    assert browser.session.session_key != before
    assert not Session.objects.filter(pk=before).exists()
    assert signed_in(browser)


def test_a_factor_removed_ends_the_other_sessions(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    cache.clear()
    ana = world.users["ana"]
    demo.give_factor(ana)
    here, away = sign_in(ana), sign_in(ana)
    assert signed_in(away)
    here.post("/en/accounts/2fa/totp/deactivate/")
    assert Event.objects.get(kind="factor.removed").data == {"type": "totp", "sessions": 1}
    assert told() == ["factor.removed"]
    assert (signed_in(here), signed_in(away)) == (True, False)


def test_nothing_to_remember_is_offered_at_sign_in(ana: User, client: Client) -> None:
    page = client.get("/en/accounts/login/").content.decode()
    assert "remember" not in page.lower()
    client.post("/en/accounts/login/", {"login": ana.email, "password": PASSWORD, "remember": "on"})
    cookie = client.cookies["tronc_session"]
    assert signed_in(client)
    assert (cookie["max-age"], cookie["expires"]) == ("", "")  # gone with the browser, whatever was asked for


def test_a_form_whose_address_has_a_query_is_taken_up_again(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    cache.clear()
    sacha, camille = world.users["sacha"], world.users["camille"]
    browser = sign_in(sacha)
    address = f"/en/people/new/?in={world.budget.pk}"
    page = browser.get(address).content.decode()
    assert "<form" in page
    aged(browser, 6)
    facts = {"name": camille.name, "email": camille.email, "kind": "steward", "reason": "They begin."}
    facts["language"] = "fr"
    answer = browser.post(address, facts)
    assert answer.headers["Location"] == "/en/accounts/2fa/reauthenticate/?next=%2Fen%2Fpeople%2Fnew%2F"
    assert not Role.objects.filter(user=camille, kind="steward").exists()
    cache.clear()
    answer = browser.post(
        "/en/accounts/2fa/reauthenticate/", {"code": demo.code_for(time.time()), "next": "/en/people/new/"}
    )
    assert answer.status_code == 302, answer.content.decode()
    assert Role.objects.filter(user=camille, kind="steward", scope=world.budget.pk).exists()
