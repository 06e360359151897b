"""Sessions: begun, listed, ended by hand and by themselves, their key changed; news of a browser that is not known."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone, translation

from backend.events.models import Event
from backend.identity.models import Host, KnownDevice, Organisation, Role, User
from backend.identity.sessions import device_words, end_sessions
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.operations.demo import PASSWORD
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
MINUTES_31, MINUTES_29, HOURS_12 = 31 * 60, 29 * 60, 12 * 3600
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


def age(browser: Client, *, seen: float = 0, began: float = 0) -> None:
    """Move the clocks of a session back by these seconds."""
    session = browser.session
    session["seen"] -= seen
    session["began"] -= began
    session.save()


def signed_in(browser: Client) -> bool:
    """Whether a browser is signed in, as a page of its own says."""
    return browser.get("/en/account/sessions/").status_code == 200


def rows(user: User) -> list[str]:
    """The keys of the sessions that are listed for a person."""
    return sorted(UserSession.objects.filter(user=user).values_list("session_key", flat=True))


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) AppleWebKit/537.36 Chrome/140 OPR/120", "Opera on macOS"),
        ("curl/8", "a browser we do not recognise"),
        ("", "a browser we do not recognise"),
    ],
)
def test_browsers_are_named_in_plain_words(agent: str, words: str) -> None:
    assert device_words(agent) == words


def test_a_person_reads_where_they_are_signed_in(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    here = sign_in(ana, headers={"user-agent": FIREFOX})
    away = sign_in(ana, headers={"user-agent": IPHONE})
    page = text_of(here.get("/en/account/sessions/"))
    assert "Firefox on Linux this session" in page
    assert "Safari on iPhone" in page
    assert "127.0.0.1" in page
    assert "A session ends by itself after 12 hours." in page
    assert "With your roles, it also ends after 30 minutes without use." in page
    assert "End all other sessions" in page
    away.post("/en/accounts/logout/")
    assert "You are signed in nowhere else." in text_of(here.get("/en/account/sessions/"))


def test_one_of_ones_sessions_is_ended_at_once(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    here, away = sign_in(ana), sign_in(ana)
    row = UserSession.objects.get(session_key=away.session.session_key)
    answer = here.post(f"/en/account/sessions/{row.pk}/end/", follow=True)
    assert "The session is over: that browser must sign in again." in text_of(answer)
    assert (signed_in(here), signed_in(away)) == (True, False)
    assert not Session.objects.filter(pk=row.session_key).exists()
    event = Event.objects.get(kind="session.ended")
    assert (event.actor_id, event.subject, event.data) == (ana.pk, ana.pk, {"sessions": 1})


def test_the_session_of_another_is_not_found_and_stays(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    ana, bo = sign_in(world.users["ana"]), sign_in(world.users["bo"])
    row = UserSession.objects.get(session_key=bo.session.session_key)
    assert ana.post(f"/en/account/sessions/{row.pk}/end/").status_code == 404
    assert ana.get(f"/en/account/sessions/{row.pk}/end/").status_code == 405
    assert ana.post("/en/account/sessions/999999999/end/").status_code == 404
    assert signed_in(bo)
    assert not Event.objects.filter(kind="session.ended").exists()


def test_all_the_others_are_ended_together(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    ana, bo = world.users["ana"], sign_in(world.users["bo"])
    here, second, third = sign_in(ana), sign_in(ana), sign_in(ana)
    answer = here.post("/en/account/sessions/end-others/", follow=True)
    assert "2 other sessions are over." in text_of(answer)
    assert [signed_in(one) for one in (here, second, third, bo)] == [True, False, False, True]
    assert rows(ana) == [here.session.session_key]
    assert Event.objects.get(kind="session.ended").data == {"sessions": 2}


def test_signing_out_removes_the_session_from_the_server(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    browser = sign_in(ana)
    key = browser.session.session_key
    browser.post("/en/accounts/logout/")
    assert not Session.objects.filter(pk=key).exists()
    browser.cookies["tronc_session"] = key  # a copy of the cookie
    assert not signed_in(browser)


@pytest.mark.parametrize(("person", "ends"), [("claire", True), ("sacha", True), ("ana", True), ("bo", False)])
def test_a_session_with_a_role_of_trust_ends_when_unused(play: Play, sign_in: SignIn, person: str, ends: bool) -> None:
    user = play("make_house").users[person]
    browser = sign_in(user)
    age(browser, seen=MINUTES_29)
    assert signed_in(browser)
    age(browser, seen=MINUTES_31)
    answer = browser.get("/en/account/sessions/?x=1")
    if not ends:
        assert answer.status_code == 200
        return
    assert (answer.status_code, unquote(answer.headers["Location"])) == (
        302, "/en/accounts/login/?next=/en/account/sessions/?x=1",
    )  # fmt: skip
    said = text_of(browser.get(answer.headers["Location"]))
    assert "You were signed out: nothing was done in this session for 30 minutes." in said
    assert "send it again" not in said
    assert "_auth_user_id" not in browser.session
    assert rows(user) == []


def test_a_strong_role_without_factor_is_not_watched_and_a_simple_member_neither(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    sacha, ana = world.users["sacha"], world.users["ana"]
    browser, member = sign_in(sacha), sign_in(ana)
    Authenticator.objects.filter(user=sacha).delete()
    Role.objects.filter(user=ana, kind="organisation_manager").delete()
    Role.objects.create(
        user=ana, kind="organisation_member", scope=Organisation.objects.get().pk, created_at=timezone.now()
    )
    for one in (browser, member):
        age(one, seen=MINUTES_31)
        assert signed_in(one)


def test_twelve_hours_are_the_most_for_everybody(play: Play, sign_in: SignIn) -> None:
    browser = sign_in(play("make_house").users["bo"])
    age(browser, began=HOURS_12 - 60)
    assert signed_in(browser)
    age(browser, began=60)
    answer = browser.get("/fr/account/sessions/")
    assert answer.headers["Location"].startswith("/fr/accounts/login/?next=")
    assert "_auth_user_id" not in browser.session
    page = browser.get("/en/accounts/login/")
    assert "12" in text_of(page)


def test_a_form_sent_too_late_is_not_recorded_and_this_is_said(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    form = "http://testserver/en/organisations/new/"
    age(browser, seen=MINUTES_31)
    before = Organisation.objects.count()
    answer = browser.post("/en/organisations/new/", {"name": "Late", "kind": "association"}, headers={"referer": form})
    assert unquote(answer.headers["Location"]) == "/en/accounts/login/?next=/en/organisations/new/"
    said = text_of(browser.get(answer.headers["Location"]))
    assert "What you have just sent was not recorded: sign in, then send it again." in said
    assert Organisation.objects.count() == before


def test_the_way_back_never_leads_elsewhere(play: Play, sign_in: SignIn) -> None:
    browser = sign_in(play("make_house").users["ana"])
    age(browser, seen=MINUTES_31)
    answer = browser.post("/en/organisations/new/", {}, headers={"referer": "https://evil.example/en/"})
    assert unquote(answer.headers["Location"]) == "/en/accounts/login/?next=/en/organisations/new/"


def test_use_is_written_once_a_minute_at_most(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    browser = sign_in(ana)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    old = UserSession.objects.get(user=ana).last_seen_at
    for _ in range(3):
        browser.get("/en/")
    assert UserSession.objects.get(user=ana).last_seen_at == old
    age(browser, seen=61)
    browser.get("/en/")
    seen = UserSession.objects.get(user=ana).last_seen_at
    assert seen > old
    assert time.time() - browser.session["seen"] < 5


def test_the_key_changes_at_sign_in_and_at_each_step_up(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    browser = Client()
    browser.get("/en/accounts/login/?next=/en/organisations/")
    session = browser.session
    session["planted"] = "1"
    session.save()
    planted = session.session_key
    browser.cookies["tronc_session"] = planted
    browser.post("/en/accounts/login/", {"login": ana.email, "password": PASSWORD})
    first = browser.session.session_key
    assert first != planted
    assert not Session.objects.filter(pk=planted).exists()
    assert rows(ana) == [first]
    assert signed_in(browser)
    assert browser.session.session_key == first  # a mere page changes nothing
    browser.post("/en/accounts/reauthenticate/?next=/en/", {"password": "wrong", "next": "/en/"})
    assert browser.session.session_key == first
    browser.post("/en/accounts/reauthenticate/?next=/en/", {"password": PASSWORD, "next": "/en/"})
    second = browser.session.session_key
    assert second != first
    assert rows(ana) == [second]
    assert signed_in(browser)
    browser.cookies["tronc_session"] = first
    assert not signed_in(browser)


def test_a_new_password_ends_every_other_session(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    here, away = sign_in(ana), sign_in(ana)
    new = "quatre navets dans un cageot"
    here.post("/en/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert User.objects.get(pk=ana.pk).check_password(new)
    assert (signed_in(here), signed_in(away)) == (True, False)
    page = text_of(here.get("/en/account/sessions/"))
    assert "You are signed in nowhere else." in page


def test_whoever_is_disabled_is_out_on_the_next_request(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    ana = world.users["ana"]
    browser, second = sign_in(ana), sign_in(ana)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert not signed_in(browser)
    assert end_sessions(actor=None, user=ana, now=timezone.now()) >= 1
    assert rows(ana) == []
    User.objects.filter(pk=ana.pk).update(is_active=True)
    assert not signed_in(second)


# --- browsers that an account knows ---------------------------------------------------------------------------


def letters_to(user: User) -> list[OutgoingMail]:
    """The letters about a new browser that a person got."""
    compose_due(timezone.now())
    return list(OutgoingMail.objects.filter(recipient=user.email, event__kind="device.new").order_by("due_at"))


def test_a_new_browser_is_told_by_mail_but_for_the_first(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    first = sign_in(ana, headers={"user-agent": FIREFOX})
    assert letters_to(ana) == []
    sign_in(ana, headers={"user-agent": IPHONE})
    letter = letters_to(ana)[0]
    assert letter.subject.replace("\u00a0", " ") == "Nouvelle connexion : Safari sur iPhone"
    assert "Safari sur iPhone" in letter.body
    assert "/fr/account/sessions/" in letter.body
    assert "/fr/accounts/password/reset/" in letter.body
    assert "127.0.0.1" not in letter.body
    first.post("/en/accounts/logout/")
    first.post("/en/accounts/login/", {"login": ana.email, "password": PASSWORD})
    assert len(letters_to(ana)) == 1
    assert KnownDevice.objects.filter(user=ana).count() == 2


def test_only_the_digest_of_the_cookie_is_kept(play: Play, sign_in: SignIn) -> None:
    browser = sign_in(play("make_house").users["ana"])
    cookie = browser.cookies["tronc_device"]
    row = KnownDevice.objects.get()
    assert len(cookie.value) == 43
    assert cookie.value not in (row.digest, row.pk, row.words)
    assert cookie["max-age"] == 365 * 24 * 3600


def test_a_planted_cookie_is_replaced_and_a_shared_browser_is_kept(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    ana, bo = world.users["ana"], world.users["bo"]
    planted = "A" * 43
    browser = Client()
    browser.cookies["tronc_device"] = planted
    browser.post("/en/accounts/login/", {"login": ana.email, "password": PASSWORD})
    kept = browser.cookies["tronc_device"].value
    assert kept != planted
    browser.post("/en/accounts/logout/")
    browser.post("/en/accounts/login/", {"login": bo.email, "password": PASSWORD})
    assert browser.cookies["tronc_device"].value == kept
    assert KnownDevice.objects.filter(user=bo).count() == KnownDevice.objects.filter(user=ana).count() == 1


def test_an_old_account_whose_browsers_are_forgotten_is_told(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    User.objects.filter(pk=ana.pk).update(date_joined=timezone.now() - timedelta(days=366))
    sign_in(ana)
    assert len(letters_to(ana)) == 1


# --- limits ---------------------------------------------------------------------------------------------------


def attempt(browser: Client, login: str, password: str = "", address: str = "127.0.2.1") -> str:
    """Try to sign in from a network address; gives what happened."""
    answer = browser.post("/en/accounts/login/", {"login": login, "password": password or "wrong"}, REMOTE_ADDR=address)
    if answer.status_code == 302:
        return "in"
    page = text_of(answer)
    if "Too many attempts failed." in page or answer.status_code == 429:
        return "limited"
    assert "The email address and/or password you specified are not correct." in page
    return "wrong"


@pytest.mark.parametrize("login", ["ana@example.org", "nobody@example.org"])
def test_ten_failures_close_an_account_to_strangers_for_a_quarter_of_an_hour(play: Play, login: str) -> None:
    play("make_house")
    cache.clear()
    tries = [attempt(Client(), login, address=f"127.0.2.{number}") for number in range(1, 13)]
    assert tries == ["wrong"] * 10 + ["limited"] * 2
    assert attempt(Client(), login, PASSWORD, address="127.0.2.200") == "limited"
    assert attempt(Client(), "bo@example.org", PASSWORD, address="127.0.2.200") == "in"


def test_its_owner_still_comes_in_from_a_browser_that_it_knows(play: Play, sign_in: SignIn) -> None:
    ana = play("make_house").users["ana"]
    cache.clear()
    own = sign_in(ana)
    own.post("/en/accounts/logout/")
    for number in range(1, 13):
        attempt(Client(), ana.email, address=f"127.0.2.{number}")
    assert attempt(Client(), ana.email, PASSWORD, address="127.0.2.99") == "limited"
    assert attempt(own, ana.email, PASSWORD, address="127.0.2.99") == "in"
    own.post("/en/accounts/logout/")
    assert [attempt(own, ana.email) for _ in range(12)] == ["wrong"] * 10 + ["limited"] * 2  # it guesses no more itself


def test_ten_failures_close_an_address(play: Play) -> None:
    play("make_house")
    cache.clear()
    tries = [attempt(Client(), f"somebody{number}@example.org") for number in range(12)]
    assert tries == ["wrong"] * 10 + ["limited"] * 2
    assert attempt(Client(), "ana@example.org", PASSWORD) == "limited"
    assert attempt(Client(), "ana@example.org", PASSWORD, address="127.0.2.2") == "in"


def test_a_hundred_failures_close_it_until_a_new_password(
    play: Play, monkeypatch: pytest.MonkeyPatch, settings: Any, mailoutbox: list[EmailMessage]
) -> None:
    ana = play("make_house").users["ana"]
    cache.clear()
    at = [time.time()]
    monkeypatch.setattr("allauth.core.internal.ratelimit.time.time", lambda: at[0])
    limits = settings.ACCOUNT_RATE_LIMITS
    assert limits["login_failed"] == "10/15m/ip,10/15m/key,100/30d/key"
    settings.ACCOUNT_RATE_LIMITS = {**limits, "login_failed": "10/15m/ip,10/15m/key,20/30d/key"}  # sooner
    tries = []
    for number in range(24):
        at[0] += 120  # slower than the quarter of an hour's limit
        tries.append(attempt(Client(), ana.email, address=f"127.0.3.{number}"))
    assert tries == ["wrong"] * 20 + ["limited"] * 4
    at[0] += 24 * 3600
    assert attempt(Client(), ana.email, PASSWORD, address="127.0.4.1") == "limited"
    browser = Client()
    browser.post("/en/accounts/password/reset/", {"email": ana.email})
    link = re.search(r"https?://[^/\s]+(/\S+/password/reset/key/\S+/)", str(mailoutbox[-1].body))
    assert link is not None
    form = browser.get(link[1]).headers["Location"]
    new = "quatre navets dans un cageot"
    browser.post(form, {"password1": new, "password2": new})
    assert attempt(Client(), ana.email, new, address="127.0.4.1") == "in"


@pytest.mark.parametrize(
    ("page", "facts"),
    [("password/reset/", {"email": "ana@example.org"}), ("login/code/", {"email": "ana@example.org"})],
)
def test_recovery_and_links_are_asked_for_five_times_at_most(play: Play, page: str, facts: dict[str, str]) -> None:
    play("make_house")
    cache.clear()
    sent = [Client().post(f"/en/accounts/{page}", facts, REMOTE_ADDR=f"127.0.2.{number}") for number in range(1, 8)]
    statuses = [answer.status_code for answer in sent]
    assert statuses[:5] == [302] * 5
    assert 302 not in statuses[5:]
    assert "too" in text_of(sent[-1]).lower()


def test_invitations_are_sent_thirty_times_an_hour_at_most(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    cache.clear()
    odile = world.users["bo"]
    demo.give_factor(odile)
    Role.objects.filter(user=odile).delete()
    Role.objects.create(user=odile, kind="administrator", scope=Host.objects.get().pk, created_at=timezone.now())
    browser = sign_in(odile)
    people = User.objects.count()
    answers = [browser.post("/en/setup/people/new/", {}).status_code for _ in range(31)]
    assert 429 not in answers[:30]
    assert answers[30] == 429
    refused = browser.post("/en/setup/people/new/", {})
    assert "This was asked too often in a short time." in text_of(refused)
    assert refused.headers["Retry-After"] == "900"
    assert User.objects.count() == people


# --- nobody learns who has an account -------------------------------------------------------------------------


def same(page: str, facts: Callable[[str], dict[str, str]]) -> tuple[Any, Any]:
    """What a form answers about an address that has an account and about one that has none, without what is theirs."""
    found = []
    for email in ("ana@example.org", "nob@example.org"):
        browser = Client()
        answer = browser.post(f"/en/accounts/{page}", facts(email))
        after = browser.get(answer.headers["Location"]) if answer.status_code == 302 else answer
        html = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", after.content.decode())
        cookies = sorted(browser.cookies)
        found.append(
            (answer.status_code, answer.headers.get("Location"), after.status_code, cookies, html.replace(email, ""))
        )
    return found[0], found[1]


@pytest.mark.parametrize(
    ("page", "facts"),
    [
        ("login/", lambda email: {"login": email, "password": "wrong"}),
        ("password/reset/", lambda email: {"email": email}),
        ("login/code/", lambda email: {"email": email}),
        (
            "signup/",
            lambda email: {
                "name": "Dune", "email": email, "password1": "une longue phrase sure",
                "password2": "une longue phrase sure", "accept": "on",
            },
        ),
    ],
)  # fmt: skip
def test_the_answer_does_not_tell_who_has_an_account(
    play: Play, page: str, facts: Callable[[str], dict[str, str]]
) -> None:
    play("make_house")
    cache.clear()
    known, unknown = same(page, facts)
    assert known == unknown
    with translation.override("en"):
        assert known[2] == 200


@pytest.mark.parametrize("page", ["password/reset/", "login/code/", "signup/"])
def test_the_forms_of_strangers_answer_no_sooner_than_any(play: Play, settings: Any, page: str) -> None:
    play("make_house")
    cache.clear()
    settings.STRANGERS_WAIT = 0.4
    begun = time.monotonic()
    Client().post(f"/en/accounts/{page}", {"email": "not an address"})
    assert time.monotonic() - begun >= 0.4


def test_the_demonstration_has_who_the_tests_name(play: Play) -> None:
    world = play("make_house")
    kinds = {
        name: set(Role.objects.filter(user=world.users[name]).values_list("kind", flat=True))
        for name in ("ana", "bo", "sacha", "claire")
    }
    assert "organisation_manager" in kinds["ana"]
    assert kinds["bo"] == {"contributor"}
    assert "steward" in kinds["sacha"]
    assert "treasurer" in kinds["claire"]
    assert demo.PASSWORD == PASSWORD
