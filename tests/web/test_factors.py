"""Second factors: added, given, asked again before what matters, lost; roles of trust sleep without one."""

import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from time import sleep
from typing import Any
from unittest import mock

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.identity.factor_reset import reset_factors
from backend.identity.factors import SealedFactors
from backend.identity.models import Host, User
from backend.identity.permissions import dormant, may
from backend.identity.services import grant_role
from backend.notifications.models import OutgoingMail
from backend.operations import demo
from tests.concurrency import at_once as at_once_by
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
PASSWORD = demo.PASSWORD
KEY = re.compile(r'<code class="copy">((?:[A-Z2-7]{4}\s?){8})</code>')
CODE = re.compile(r'<li><code class="copy">(\d{8})</code></li>')


@pytest.fixture
def world(play: Play, db: None) -> Any:
    """People and a host, with claire as its treasurer; cache emptied."""
    cache.clear()
    found = play("make_house")
    User.objects.update(language="en")
    for one in found.users.values():
        one.refresh_from_db()
    return found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do at once what waits for a commit, which never comes in a test that rolls back."""
    monkeypatch.setattr(transaction, "on_commit", lambda act, **_how: act())


def code_of(secret: str, at: float | None = None) -> str:
    """What an application with this secret shows at a moment."""
    return str(format_hotp_value(hotp_value(secret, int(at or time.time()) // 30)))


def password_alone(person: User) -> Client:
    """A browser that typed the right password and nothing more."""
    browser = Client()
    answer = browser.post("/en/accounts/login/", {"login": person.email, "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def aged(browser: Client, minutes: int, method: str = "") -> None:
    """Make what was given in this session older."""
    session = browser.session
    for record in session[AUTHENTICATION_METHODS_SESSION_KEY]:
        if not method or record["method"] == method:
            record["at"] -= minutes * 60
    session.save()


def add_application(browser: Client) -> tuple[str, Any]:
    """Add an authenticator application through the pages; gives its key and the last answer."""
    page = browser.get("/en/accounts/2fa/totp/activate/")
    assert page.status_code == 200, page.headers
    (shown,) = KEY.findall(page.content.decode())
    secret = "".join(shown.split())
    return secret, browser.post("/en/accounts/2fa/totp/activate/", {"code": code_of(secret)})


# --- adding one -------------------------------------------------------------------------------------------------------


def test_the_application_is_added_with_its_code_and_ten_recovery_codes_shown_once(
    world: Any, mailoutbox: list[EmailMessage], at_once: None
) -> None:
    ana = world.users["ana"]
    browser = password_alone(ana)
    page = browser.get("/en/accounts/2fa/totp/activate/").content.decode()
    assert "<svg" in page.split('class="qr"')[1]
    assert "data:" not in page
    assert "<script" not in page
    secret, answer = add_application(browser)
    assert answer.headers["Location"] == "/en/accounts/2fa/recovery-codes/"
    shown = browser.get("/en/accounts/2fa/recovery-codes/")
    codes = CODE.findall(shown.content.decode())
    assert len(set(codes)) == 10
    again = browser.get("/en/accounts/2fa/recovery-codes/")
    assert CODE.findall(again.content.decode()) == []
    assert "10 codes are left" in text_of(again)
    assert not any(code in again.content.decode() for code in codes)
    kept = list(Authenticator.objects.filter(user=ana).values_list("type", "data"))
    assert {kind for kind, _data in kept} == {"totp", "recovery_codes"}
    assert secret not in str(kept)
    assert not any(code in str(kept) for code in codes)
    (letter,) = mailoutbox
    assert (letter.to, letter.subject) == ([ana.email], "A second factor was added")
    assert [(one.kind, one.data) for one in Event.objects.filter(kind__startswith="factor.")] == [
        ("factor.added", {"type": "totp", "sessions": 0})
    ]


def test_a_wrong_code_adds_nothing(world: Any) -> None:
    browser = password_alone(world.users["ana"])
    (shown,) = KEY.findall(browser.get("/en/accounts/2fa/totp/activate/").content.decode())
    secret = "".join(shown.split())
    wrong = f"{(int(code_of(secret)) + 1) % 10**6:06}"
    answer = browser.post("/en/accounts/2fa/totp/activate/", {"code": wrong})
    assert "This code is not right, or it served already." in text_of(answer)
    assert shown in answer.content.decode()
    assert Authenticator.objects.filter(user=world.users["ana"]).count() == 0


def test_the_code_that_added_the_application_does_not_open_a_second_door(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, now = world.users["ana"], time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # on a slow machine the second code would be the next one
    secret, _answer = add_application(password_alone(ana))
    thief = password_alone(ana)
    answer = thief.post("/en/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert "it served already" in text_of(answer)
    assert "_auth_user_id" not in thief.session


# --- signing in -------------------------------------------------------------------------------------------------------


def test_a_password_alone_does_not_sign_in_who_has_a_second_factor(world: Any) -> None:
    browser = password_alone(world.users["claire"])
    assert "_auth_user_id" not in browser.session
    assert browser.get("/en/treasury/").headers["Location"].startswith("/en/accounts/login/")
    page = browser.get("/en/accounts/2fa/authenticate/")
    assert "type the code that your application shows" in text_of(page)
    assert "<script" not in page.content.decode()


def test_the_same_code_twice_is_refused_the_second_time_as_long_as_it_would_be_taken(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire, now = world.users["claire"], time.time()
    code = demo.code_for(now)
    first, second = password_alone(claire), password_alone(claire)
    assert first.post("/en/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert first.session["_auth_user_id"] == claire.pk
    answer = second.post("/en/accounts/2fa/authenticate/", {"code": code})
    assert "it served already" in text_of(answer)
    monkeypatch.setattr(time, "time", lambda: now + 35)  # the next period: the clock's tolerance would take it still
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_cache SET expires = expires - interval '35 seconds'")
    answer = second.post("/en/accounts/2fa/authenticate/", {"code": code})
    assert "it served already" in text_of(answer)
    assert "_auth_user_id" not in second.session


@pytest.mark.parametrize(("late", "taken"), [(-30, True), (0, True), (30, True), (-60, False), (60, False)])
def test_a_code_of_the_period_before_or_after_is_taken_no_other(world: Any, late: int, taken: bool) -> None:
    browser = password_alone(world.users["claire"])
    browser.post("/en/accounts/2fa/authenticate/", {"code": demo.code_for(time.time() + late)})
    assert ("_auth_user_id" in browser.session) is taken


def test_a_recovery_code_serves_once_and_its_person_hears_of_it(world: Any, mailoutbox: list[EmailMessage]) -> None:
    ana = world.users["ana"]
    browser = password_alone(ana)
    add_application(browser)
    code, *_others = CODE.findall(browser.get("/en/accounts/2fa/recovery-codes/").content.decode())
    mailoutbox.clear()
    found = password_alone(ana)
    assert found.post("/en/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert found.session["_auth_user_id"] == ana.pk
    (letter,) = mailoutbox
    assert (letter.to, letter.subject) == ([ana.email], "A recovery code was used")
    assert "9 are left" in str(letter.body)
    assert Event.objects.get(kind="recovery_code.used").data == {"left": 9}
    thief = password_alone(ana)
    assert "served already" in text_of(thief.post("/en/accounts/2fa/authenticate/", {"code": code}))
    assert "_auth_user_id" not in thief.session


def test_new_recovery_codes_end_the_old_ones(world: Any, mailoutbox: list[EmailMessage], at_once: None) -> None:
    ana = world.users["ana"]
    browser = password_alone(ana)
    add_application(browser)
    old = CODE.findall(browser.get("/en/accounts/2fa/recovery-codes/").content.decode())
    mailoutbox.clear()
    browser.post("/en/accounts/2fa/recovery-codes/generate/")
    new = CODE.findall(browser.get("/en/accounts/2fa/recovery-codes/").content.decode())
    assert len(new) == 10
    assert not set(old) & set(new)
    assert [letter.subject for letter in mailoutbox] == ["Your recovery codes are new"]
    assert Event.objects.filter(kind="recovery_codes.renewed", actor=ana).count() == 1
    thief = password_alone(ana)
    thief.post("/en/accounts/2fa/authenticate/", {"code": old[0]})
    assert "_auth_user_id" not in thief.session


# --- fresh ------------------------------------------------------------------------------------------------------------

STEP_UP = "/en/setup/accounts/new/"  # a page behind fresh_factor that an administrator opens


@pytest.fixture
def administrator(world: Any) -> User:
    """Camille administers, with the demonstration's factor."""
    camille = world.users["camille"]
    grant_role(user=camille, kind="administrator", scope=Host.objects.get().pk, granted_by=None, now=timezone.now())
    demo.give_factor(camille)
    return User.objects.get(pk=camille.pk)


def test_the_factor_given_at_sign_in_counts_for_five_minutes(administrator: User, sign_in: SignIn) -> None:
    browser = sign_in(administrator)
    aged(browser, 4)
    assert browser.get(STEP_UP).status_code == 200
    aged(browser, 2)
    answer = browser.get(STEP_UP)
    assert (answer.status_code, answer.headers["Location"]) == (
        302, "/en/accounts/2fa/reauthenticate/?next=%2Fen%2Fsetup%2Faccounts%2Fnew%2F",
    )  # fmt: skip


def test_a_fresh_password_counts_for_nothing_beside_a_second_factor(administrator: User, sign_in: SignIn) -> None:
    browser = sign_in(administrator)
    aged(browser, 6, "mfa")
    assert browser.get(STEP_UP).status_code == 302
    answer = browser.get(f"/en/accounts/reauthenticate/?next={STEP_UP}")
    assert answer.headers["Location"].startswith("/en/accounts/2fa/reauthenticate/")
    browser.post("/en/accounts/reauthenticate/", {"password": PASSWORD, "next": STEP_UP})
    assert browser.get(STEP_UP).status_code == 302


def test_the_form_that_was_sent_is_taken_up_again_once_the_factor_is_given(
    administrator: User, world: Any, sign_in: SignIn
) -> None:
    browser = sign_in(administrator)
    aged(browser, 6)
    path = f"/en/account/lost/{world.users['denis'].pk}/"
    answer = browser.post(path, {"reason": "Seen at the meeting of 3 May."})
    assert answer.headers["Location"].startswith("/en/accounts/2fa/reauthenticate/")
    assert Authenticator.objects.filter(user=world.users["denis"]).count() == 1
    page = browser.get(answer.headers["Location"])
    assert "If you had sent a form, it is taken up again next." in text_of(page)
    code = demo.code_for(time.time() + 30)
    answer = browser.post("/en/accounts/2fa/reauthenticate/", {"code": code, "next": path})
    assert answer.headers["Location"] == "/en/account/lost/"
    assert Authenticator.objects.filter(user=world.users["denis"]).count() == 0


SECRETS = {
    "payee_account": ("/en/work/account/", {"name": "Y", "iban": "DE89 3704 0044 0532 0130 00"}, "32013000"),
    "host_account": (
        "/en/host/accounts/new/",
        {"name": "Savings", "iban": "DE89370400440532013000", "currency": "EUR", "reason": "A second bank."},
        "32013000",
    ),
    "setup_account": ("/en/setup/accounts/new/", {"name": "A", "iban": "DE89370400440532013000"}, "32013000"),
    "totp": ("/en/accounts/2fa/totp/activate/", {"code": "913442"}, "913442"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_form_with_a_secret_is_not_kept_while_the_factor_is_asked_for(
    administrator: User, sign_in: SignIn, name: str
) -> None:
    path, fields, secret = SECRETS[name]
    browser = sign_in(administrator)
    aged(browser, 6)
    answer = browser.post(path, fields)
    assert answer.headers["Location"].startswith("/en/accounts/2fa/reauthenticate/")
    kept = json.dumps(dict(browser.session))
    assert secret not in kept.replace("%20", "").replace("+", "").replace(" ", "")
    assert "account_reauthentication_state" not in kept
    if name == "totp":
        return  # who has an application already is led away from this page
    code = demo.code_for(time.time() + 30)
    answer = browser.post("/en/accounts/2fa/reauthenticate/", {"code": code, "next": path})
    assert answer.headers["Location"] == path
    page = browser.get(path)
    assert page.status_code == 200
    assert "Type it again, please: what you typed was not kept meanwhile. Nothing was changed." in text_of(page)
    assert secret not in page.content.decode().replace(" ", "")
    assert "Type it again" not in text_of(browser.get(path))


def test_a_form_that_is_kept_holds_no_cookie(administrator: User, world: Any, sign_in: SignIn) -> None:
    browser = sign_in(administrator)
    aged(browser, 6)
    browser.cookies["other"] = "a-cookie-of-the-browser"
    browser.post(
        f"/en/account/lost/{world.users['denis'].pk}/", {"reason": "Lost", "csrfmiddlewaretoken": "t" * 64},
        headers={"Authorization": "Bearer a-header"},
    )  # fmt: skip
    kept = json.dumps(dict(browser.session))
    assert "reason=Lost" in kept
    key = browser.session.session_key
    for secret in ("a-cookie-of-the-browser", "a-header", "t" * 64, key, "COOKIE"):
        assert secret not in kept


def test_a_password_typed_before_the_first_factor_opens_nothing_of_it(world: Any) -> None:
    ana = world.users["ana"]
    thief, owner = password_alone(ana), password_alone(ana)
    thief.post("/en/accounts/reauthenticate/", {"password": PASSWORD})
    add_application(owner)  # in a test, what ends the other session waits for a commit
    for path in ("recovery-codes/", "recovery-codes/generate/", "webauthn/add/", "totp/deactivate/"):
        answer = thief.get(f"/en/accounts/2fa/{path}")
        assert answer.headers.get("Location", "").startswith("/en/accounts/2fa/reauthenticate/"), path
    assert (
        thief.post("/en/accounts/2fa/totp/deactivate/")
        .headers["Location"]
        .startswith("/en/accounts/2fa/reauthenticate/")
    )
    assert set(Authenticator.objects.filter(user=ana).values_list("type", flat=True)) == {"totp", "recovery_codes"}


def test_adding_a_factor_ends_the_other_sessions(world: Any, at_once: None) -> None:
    ana = world.users["ana"]
    thief, owner = password_alone(ana), password_alone(ana)
    for browser in (thief, owner):
        assert browser.get("/en/accounts/email/").status_code == 200
    add_application(owner)
    assert thief.get("/en/accounts/email/").headers["Location"].startswith("/en/accounts/login/")
    assert owner.get("/en/accounts/email/").status_code == 200


def test_who_has_no_factor_gives_the_password(world: Any) -> None:
    browser = password_alone(world.users["ana"])
    assert browser.get("/en/accounts/email/").status_code == 200
    aged(browser, 6)
    answer = browser.post("/en/accounts/email/", {"action_add": "", "email": "ana@new.example"})
    assert answer.headers["Location"] == "/en/accounts/reauthenticate/?next=%2Fen%2Faccounts%2Femail%2F"
    assert not EmailAddress.objects.filter(email="ana@new.example").exists()
    browser.post("/en/accounts/reauthenticate/", {"password": PASSWORD, "next": "/en/accounts/email/"})
    assert EmailAddress.objects.filter(email="ana@new.example").count() == 1


def test_a_second_address_may_be_added_beside_a_second_factor(world: Any, sign_in: SignIn) -> None:
    browser = sign_in(world.users["claire"])
    answer = browser.post("/en/accounts/email/", {"action_add": "", "email": "claire@new.example"})
    assert answer.status_code == 302


# --- sessions without factor ------------------------------------------------------------------------------------------


def test_a_session_older_than_the_factor_gives_it_before_any_page(world: Any, sign_in: SignIn) -> None:
    denis = world.users["denis"]
    Authenticator.objects.filter(user=denis).delete()
    old = password_alone(denis)
    assert old.get("/en/").status_code == 200
    assert "Your role (treasurer) starts with a second factor" in text_of(old.get("/en/"))
    demo.give_factor(denis)
    for path in ("/en/", "/en/treasury/", "/en/account/", "/en/accounts/password/change/"):
        assert old.get(path).headers["Location"].startswith("/en/accounts/2fa/reauthenticate/"), path
    code = demo.code_for(time.time())
    answer = old.post("/en/accounts/2fa/reauthenticate/", {"code": code, "next": "/en/treasury/"})
    assert answer.headers["Location"] == "/en/treasury/"
    assert old.get("/en/treasury/").status_code == 200
    assert old.get("/en/accounts/logout/").status_code == 200


def test_a_treasurer_without_factor_is_told_and_led_to_it_and_counts_at_once(world: Any) -> None:
    denis = world.users["denis"]
    Authenticator.objects.filter(user=denis).delete()
    browser = password_alone(denis)
    answer = browser.get("/en/bank/")
    assert answer.status_code == 403
    assert "Add a second factor" in text_of(answer)
    assert 'href="/en/accounts/2fa/"' in answer.content.decode()
    assert not may(denis, "bank.read")
    add_application(browser)
    assert may(denis, "bank.read")
    answer = browser.get("/en/bank/")
    assert answer.status_code == 200
    assert "starts with a second factor" not in text_of(answer)


# --- removing ---------------------------------------------------------------------------------------------------------


def test_the_last_factor_of_somebody_trusted_stays_and_the_page_says_why(world: Any, sign_in: SignIn) -> None:
    browser = sign_in(world.users["claire"])
    page = browser.get("/en/accounts/2fa/totp/deactivate/")
    assert "It is your last second factor, and one of your roles needs one." in text_of(page)
    browser.post("/en/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(user=world.users["claire"], type="totp").count() == 1


def test_who_holds_no_such_role_may_remove_theirs(world: Any, mailoutbox: list[EmailMessage]) -> None:
    ana = world.users["ana"]
    browser = password_alone(ana)
    add_application(browser)
    mailoutbox.clear()
    answer = browser.post("/en/accounts/2fa/totp/deactivate/")
    assert answer.status_code == 302
    assert Authenticator.objects.filter(user=ana).count() == 0  # the recovery codes went with it
    assert [letter.subject for letter in mailoutbox] == ["A second factor was removed"]
    assert Event.objects.filter(kind="factor.removed", actor=ana).count() == 1


def test_the_factor_of_the_last_treasurer_who_can_act_stays(administrator: User, world: Any, sign_in: SignIn) -> None:
    claire, denis = world.users["claire"], world.users["denis"]
    facts = {"actor": administrator, "reason": "Lost.", "now": timezone.now()}
    reset_factors(person_id=denis.pk, **facts)
    events = Event.objects.count()
    answer = sign_in(administrator).post(f"/en/account/lost/{claire.pk}/", {"reason": "Lost."})
    assert answer.status_code == 409
    assert "the last treasurer who can act" in text_of(answer)
    assert Authenticator.objects.filter(user=claire, type="totp").exists()
    assert not Event.objects.filter(kind="factor.reset", subject=claire.pk).exists()
    demo.give_factor(denis)
    reset_factors(person_id=claire.pk, **facts)
    assert not Authenticator.objects.filter(user=claire).exists()
    assert Event.objects.count() > events


# --- lost -------------------------------------------------------------------------------------------------------------


def test_an_administrator_removes_a_lost_factor_and_the_roles_sleep(
    administrator: User, world: Any, sign_in: SignIn
) -> None:
    denis, browser = world.users["denis"], sign_in(administrator)
    his = sign_in(denis)
    his.get("/en/treasury/")
    path = f"/en/account/lost/{denis.pk}/"
    assert path in browser.get("/en/account/lost/").content.decode()
    empty = browser.post(path, {"reason": " "})
    assert empty.status_code == 422
    assert Authenticator.objects.filter(user=denis).count() == 1
    answer = browser.post(path, {"reason": "Seen at the meeting of 3 May."}, follow=True)
    assert "The second factor of Denis Caron is removed" in text_of(answer)
    assert Authenticator.objects.filter(user=denis).count() == 0
    assert dormant(denis) == {"treasurer"}
    assert UserSession.objects.filter(user=denis).count() == 0
    assert his.get("/en/treasury/").headers["Location"].startswith("/en/accounts/login/")
    event = Event.objects.get(kind="factor.reset")
    assert (event.actor, event.subject, event.before, event.why) == (
        administrator, denis.pk, {"factors": ["totp"]}, "Seen at the meeting of 3 May.",
    )  # fmt: skip
    demo.sweep(timezone.now() + timedelta(minutes=1))
    told = OutgoingMail.objects.filter(subject="The second factor of Denis Caron was removed")
    assert set(told.values_list("recipient", flat=True)) == {
        denis.email,
        administrator.email,
        world.users["claire"].email,
    }


@pytest.mark.parametrize("who", ["denis", "sacha", "bo"])
def test_nobody_else_removes_one(world: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        reset_factors(actor=world.users[who], person_id=world.users["claire"].pk, reason="Lost.", now=timezone.now())
    assert Authenticator.objects.filter(user=world.users["claire"]).count() == 1


def test_an_administrator_never_removes_their_own(administrator: User, sign_in: SignIn) -> None:
    with pytest.raises(Forbidden) as refusal:
        reset_factors(actor=administrator, person_id=administrator.pk, reason="Lost.", now=timezone.now())
    assert refusal.value.code == "own_factors"
    answer = sign_in(administrator).post(f"/en/account/lost/{administrator.pk}/", {"reason": "Lost."})
    assert answer.status_code == 403
    assert Authenticator.objects.filter(user=administrator).count() == 1


def test_what_cannot_be_reset_is_refused_in_words(administrator: User, world: Any) -> None:
    ana, now = world.users["ana"], timezone.now()
    for person_id, reason, code in (
        (ana.pk, "Lost.", "no_factor"), ("usr_nobody", "Lost.", "person_not_found"),
        (world.users["denis"].pk, "x" * 501, "reason_missing"),
    ):  # fmt: skip
        with pytest.raises((Conflict, NotFound, Invalid)) as refusal:
            reset_factors(actor=administrator, person_id=person_id, reason=reason, now=now)
        assert refusal.value.code == code
    assert Event.objects.filter(kind="factor.reset").count() == 0


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "path",
    [
        "accounts/2fa/", "accounts/2fa/reauthenticate/", "accounts/2fa/recovery-codes/generate/",
        "accounts/2fa/totp/deactivate/", "account/", "accounts/email/",
    ],
)  # fmt: skip
def test_the_pages_are_in_our_frame_without_script(world: Any, sign_in: SignIn, path: str, language: str) -> None:
    answer = sign_in(world.users["claire"]).get(f"/{language}/{path}")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<header class="bar">' in page
    assert page.count("<h1") == 1
    assert "<script" not in page
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_pages_of_passkeys_alone_have_scripts_and_from_here(world: Any, sign_in: SignIn, language: str) -> None:
    browser = sign_in(world.users["claire"])
    for reader, path in ((Client(), "login/"), (browser, "add/")):
        page = reader.get(f"/{language}/accounts/2fa/webauthn/{path}").content.decode()
        assert page.count("<h1") == 1
        sources = re.findall(r"<script(?![^>]*application/json)([^>]*)>", page)
        assert len(sources) == 4
        assert all('src="/static/' in one for one in sources)
        assert "<noscript>" in page


def test_an_account_is_edited_by_its_owner(world: Any, sign_in: SignIn) -> None:
    claire = world.users["claire"]
    browser = sign_in(claire)
    facts = {"name": "  Claire   Moreau-Petit ", "public_name": "Claire M.", "language": "fr"}
    assert browser.post("/en/account/", facts).status_code == 302
    claire.refresh_from_db()
    assert (claire.name, claire.public_name, claire.language) == ("Claire Moreau-Petit", "Claire M.", "fr")
    event = Event.objects.get(kind="person.profile_changed")
    assert event.before is not None
    assert event.after is not None
    assert (event.before["language"], event.after["language"]) == ("en", "fr")
    assert "Claire" not in f"{event.before}{event.after}{event.data}"
    browser.post("/en/account/", facts)
    assert Event.objects.filter(kind="person.profile_changed").count() == 1
    wrong = browser.post("/en/account/", {**facts, "name": " "})
    assert wrong.status_code == 422
    claire.refresh_from_db()
    assert claire.name == "Claire Moreau-Petit"


def test_the_server_resets_the_factor_of_an_administrator_left_alone(administrator: User) -> None:
    for address, reason, sentence in (
        ("nobody@example.org", "Seen.", "Nobody has this address"), (administrator.email, " ", "Say how you made sure"),
    ):  # fmt: skip
        with pytest.raises(CommandError, match=sentence):
            call_command("reset_factor", address, reason=reason)
    assert Authenticator.objects.filter(user=administrator).count() == 1
    out = StringIO()
    call_command("reset_factor", administrator.email.upper(), reason="Seen at the office on 3 May.", stdout=out)
    assert out.getvalue().startswith("The second factor of camille@example.org is removed")
    assert dormant(administrator) == {"administrator"}
    event = Event.objects.get(kind="factor.reset")
    assert (event.actor, event.subject, event.why) == (None, administrator.pk, "Seen at the office on 3 May.")


def test_two_factors_are_not_removed_by_two_clicks_at_once(play: Play, sign_in: SignIn, committed: str) -> None:
    cache.clear()
    claire = play("make_house").users["claire"]
    browser = sign_in(claire)
    key = Authenticator.objects.create(user=claire, type="webauthn", data={"name": "Key", "credential": {}})
    pages = ("/en/accounts/2fa/totp/deactivate/", f"/en/accounts/2fa/webauthn/keys/{key.pk}/remove/")

    def click(number: int) -> int:
        mine = Client()
        mine.cookies = browser.cookies
        return mine.post(pages[number % 2]).status_code

    def late(adapter: SealedFactors, authenticator: Authenticator) -> bool:
        sleep(0.3)  # between what was looked at and what is removed
        return ask(adapter, authenticator)

    ask = SealedFactors.can_delete_authenticator
    with mock.patch.object(SealedFactors, "can_delete_authenticator", late):
        at_once_by(click, times=2)
    assert Authenticator.objects.filter(user=claire, type__in=("totp", "webauthn")).count() == 1
