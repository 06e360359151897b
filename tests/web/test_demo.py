"""TRONC_DEMO: one click to be anyone, mail to read, a banner; nothing of it elsewhere."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client, override_settings

from backend.core.demo_mode import hindrance
from backend.core.peers import is_loopback
from backend.identity.models import User
from backend.notifications.models import OutgoingMail
from backend.operations import demo

Play = Callable[..., Any]
PAGES = ["/en/demo/", "/en/demo/mail/", "/en/demo/mail/eml_1/"]


@pytest.fixture
def demonstrating(settings: Any) -> None:
    """TRONC_DEMO=1."""
    settings.DEMO = True


def become(person: User, **extra: Any) -> Client:
    """One click."""
    browser = Client(**extra)
    assert browser.post("/en/demo/", {"person": person.pk}).status_code == 302
    return browser


def test_without_the_variable_there_is_no_such_page(play: Play) -> None:
    play("make_house")
    for page in PAGES:
        assert Client().get(page).status_code == 404
    assert Client().get("/demo/", follow=True).status_code == 404
    assert "/demo/" not in Client().get("/en/").content.decode()


def test_nobody_signs_in_with_one_click_without_the_variable(play: Play) -> None:
    world = play("make_house")
    browser = Client()
    assert browser.post("/en/demo/", {"person": world.users["claire"].pk}).status_code == 404
    assert "_auth_user_id" not in browser.session


@pytest.mark.parametrize("peer", ["192.0.2.7", "", "2001:db8::1"])
def test_a_browser_on_another_machine_finds_nothing(play: Play, demonstrating: None, peer: str) -> None:
    world = play("make_house")
    browser = Client(REMOTE_ADDR=peer)
    assert browser.get("/en/demo/").status_code == 404
    assert browser.get("/en/demo/mail/").status_code == 404
    assert browser.post("/en/demo/", {"person": world.users["claire"].pk}).status_code == 404
    assert "_auth_user_id" not in browser.session


PASSED_ON = [
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Original-Forwarded-For", "Forwarded", "Via",
    "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP",
]  # fmt: skip


@pytest.mark.parametrize("header", PASSED_ON)
def test_what_a_proxy_or_a_tunnel_passes_on_is_from_elsewhere(
    play: Play, demonstrating: None, settings: Any, header: str
) -> None:
    world = play("make_house")
    settings.LOOPBACK_HTTP = True
    browser = Client(headers={header: "127.0.0.1"})
    for page in PAGES:
        assert browser.get(page).status_code == 404
    assert browser.post("/en/demo/", {"person": world.users["claire"].pk}).status_code == 404
    credentials = {"login": world.users["claire"].email, "password": demo.PASSWORD}
    assert browser.post("/en/accounts/login/", credentials).status_code == 200
    assert "_auth_user_id" not in browser.session
    assert Client(REMOTE_ADDR="192.0.2.7").post("/en/accounts/login/", credentials).status_code == 200
    assert Client().post("/en/accounts/login/", credentials).status_code == 302


def test_one_click_is_a_real_sign_in_with_a_fresh_factor(play: Play, demonstrating: None) -> None:
    world = play("close")
    listing = Client().get("/en/demo/").content.decode()
    assert "Become Claire Moreau" in listing
    assert "Steward: Cartolibre" in listing
    browser = become(world.users["denis"])
    assert browser.session["_auth_user_id"] == world.users["denis"].pk
    page = f"/en/distributions/{world.distribution.pk}/approve/"
    assert browser.get(page).status_code == 200, "no password is asked for"
    # Becoming another leaves nothing of the first one's session.
    browser.post("/en/demo/", {"person": world.users["bo"].pk})
    assert browser.session["_auth_user_id"] == world.users["bo"].pk
    assert browser.get(page).status_code in {302, 403, 404}


def test_the_click_needs_its_token_and_a_person_of_the_demonstration(play: Play, demonstrating: None) -> None:
    world = play("make_house")
    real = User.objects.create_user("someone@example.com", "a-password-of-their-own", name="Someone")
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/en/demo/", {"person": world.users["claire"].pk}).status_code == 403
    for unknown in (real.pk, "usr_none", ""):
        browser = Client()
        assert browser.post("/en/demo/", {"person": unknown}).status_code == 404
        assert "_auth_user_id" not in browser.session


def test_everyone_is_told_and_the_mail_can_be_read(play: Play, demonstrating: None) -> None:
    play("receive")
    mail = OutgoingMail.objects.filter(recipient="ana@example.org").order_by("pk")[0]
    OutgoingMail.objects.create(id="eml_other", recipient="x@example.com", subject="Private", due_at=mail.due_at)
    listing = Client().get("/fr/demo/mail/").content.decode()
    assert mail.subject in listing
    assert "Private" not in listing
    assert mail.subject not in Client().get("/fr/demo/mail/?to=bo@example.org").content.decode()
    message = Client().get(f"/fr/demo/mail/{mail.pk}/").content.decode()
    assert 'href="http' in message, "links in the mail can be followed"
    assert Client().get("/fr/demo/mail/eml_other/").status_code == 404
    home = Client().get("/fr/").content.decode()
    assert 'href="/fr/demo/"' in home
    assert 'href="/fr/demo/mail/"' in home


def test_the_public_password_opens_nothing_where_others_can_reach_it(play: Play, settings: Any) -> None:
    world = play("make_house")
    credentials = {"login": world.users["claire"].email, "password": demo.PASSWORD}
    browser = Client()
    settings.LOOPBACK_HTTP = False
    assert browser.post("/en/accounts/login/", credentials).status_code == 200
    assert "_auth_user_id" not in browser.session
    settings.LOOPBACK_HTTP = True
    assert browser.post("/en/accounts/login/", credentials).status_code == 302


@pytest.mark.parametrize(
    ("environment", "base", "words"),
    [
        ({"STRIPE_SECRET_KEY": "sk_live_1"}, "http://localhost:8000", "STRIPE_SECRET_KEY is a live key"),
        ({"TRONC_STRIPE_SECRET_KEY": "rk_live_1"}, "http://127.0.0.1", "TRONC_STRIPE_SECRET_KEY is a live key"),
        ({"TRONC_STRIPE_KEY": "sk_live_1"}, "http://[::1]:9", "TRONC_STRIPE_KEY is a live key"),
        ({"TRONC_STRIPE_KEY_FILE": "/nowhere"}, "http://localhost", "cannot be read"),
        ({}, "https://tronc.example.org", "names tronc.example.org"),
        ({}, "http://192.168.1.4:8000", "names 192.168.1.4"),
        ({}, "http://localhost.example.org", "names localhost.example.org"),
        ({}, "", "names no host"),
    ],
)
def test_it_is_refused_beside_live_keys_and_away_from_this_machine(
    environment: dict[str, str], base: str, words: str
) -> None:
    why = hindrance(environment, base)
    assert why is not None
    assert words in why


def test_it_is_accepted_on_this_machine_with_test_keys(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk_test_1\n", encoding="utf-8")
    assert (
        hindrance({"TRONC_STRIPE_KEY_FILE": str(key), "STRIPE_SECRET_KEY": "sk_test_2"}, "http://localhost:80") is None
    )
    assert [is_loopback(host) for host in ("127.0.0.1", "127.8.0.1", "::1", "::", "10.0.0.1", "name")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_it_is_refused_at_start_with_one_sentence() -> None:
    environment = {**os.environ, "TRONC_DEMO": "1", "TRONC_BASE_URL": "https://tronc.example.org"}
    done = subprocess.run(
        [sys.executable, "-c", "import backend.settings"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "ImproperlyConfigured: TRONC_DEMO is set and TRONC_BASE_URL names tronc.example.org" in done.stderr


def test_the_system_check_says_so() -> None:
    def found() -> list[str | None]:
        return [one.id for one in run_checks() if one.id == "tronc.E010"]

    with override_settings(DEMO=True, BASE_URL="https://tronc.example.org"):
        assert found() == ["tronc.E010"]
    with override_settings(DEMO=True, BASE_URL="http://localhost:8000"):
        assert found() == []
    with override_settings(DEMO=False, BASE_URL="https://tronc.example.org"):
        assert found() == []
