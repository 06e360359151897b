"""The pages of personal data: notices, acceptance, one's export, one's erasure, requests by letter."""

import io
import re
import time
import zipfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone

from backend.events.models import Event
from backend.identity.models import User
from backend.identity.services import grant_role
from backend.operations import demo
from backend.privacy import notices
from backend.privacy.models import Acceptance, Erasure
from backend.privacy.notices import VERSIONS, accept_notices, current
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def administrator(world: Any) -> User:
    """Somebody who may record the requests that come by letter."""
    from allauth.account.models import EmailAddress

    ada = User.objects.create_user("ada@example.org", demo.PASSWORD, name="Ada Martin", language="en")
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    grant_role(user=ada, kind="administrator", scope=world.host.pk, granted_by=None, now=timezone.now())
    demo.give_factor(ada)
    return ada


@pytest.mark.parametrize("language", ["fr", "en"])
def test_anyone_reads_the_notices_with_the_name_of_the_host(play: Play, settings: Any, language: str) -> None:
    play("make_house")
    settings.LEGAL_CONTACT = "data@example.org"
    for page in ("privacy", "terms"):
        html = Client().get(f"/{language}/{page}/").content.decode()
        assert "Association des Communs" in html
        assert 'href="mailto:data@example.org"' in html
        assert VERSIONS[page][0][:4] in html
        same = Client().get(f"/{language}/{page}/{VERSIONS[page][0]}/")
        assert same.status_code == 200
        assert Client().get(f"/{language}/{page}/2019-01-01/").status_code == 404
    legal = Client().get(f"/{language}/legal/").content.decode()
    assert "123 456 782" in legal.replace("\u00a0", " ")
    assert "mailto:data@example.org" in legal


def test_what_the_host_must_write_is_asked_for_until_it_is_there(play: Play, settings: Any) -> None:
    play("make_house")
    settings.LEGAL_CONTACT = settings.LEGAL_TEXT = ""
    asked = "to be completed by your association"
    for page in ("privacy", "terms", "legal"):
        assert asked in text_of(Client().get(f"/en/{page}/")).lower()
    settings.LEGAL_TEXT = "1 rue du Port, 29200 Brest\n\n<b>Hosted</b> in Brest"
    html = Client().get("/en/legal/").content.decode()
    assert "<p>1 rue du Port, 29200 Brest</p>" in html
    assert "&lt;b&gt;Hosted&lt;/b&gt;" in html
    assert "TRONC_LEGAL" not in html


def test_the_footer_leads_to_the_notices_from_every_page(play: Play) -> None:
    play("make_house")
    html = Client().get("/en/").content.decode()
    for page in ("privacy", "terms", "legal"):
        assert f'href="/en/{page}/"' in html.partition("<footer>")[2]


def test_a_new_version_shows_until_it_is_accepted_and_blocks_nothing(
    play: Play, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    accept_notices(user=bo, now=timezone.now())
    browser = sign_in(bo)
    banner = "New, to read and accept"
    assert banner not in text_of(browser.get("/en/work/"))
    monkeypatch.setitem(notices.VERSIONS, "terms", ("2026-12-24", *VERSIONS["terms"]))
    page = browser.get("/en/work/")
    assert (page.status_code, banner in text_of(page)) == (200, True)
    assert banner not in text_of(Client().get("/en/"))
    answer = browser.post("/en/account/notices/accept/", {"next": "/en/work/"})
    assert answer.headers["Location"] == "/en/work/"
    assert Acceptance.objects.filter(user=bo, document="terms", version="2026-12-24").count() == 1
    assert banner not in text_of(browser.get("/en/work/"))
    for elsewhere in ("https://evil.example/", "//evil.example/", ""):
        answer = browser.post("/en/account/notices/accept/", {"next": elsewhere})
        assert answer.headers["Location"] == "/en/account/data/"
    assert browser.get("/en/account/notices/accept/").status_code == 405
    assert Client().post("/en/account/notices/accept/").headers["Location"].startswith("/en/accounts/login/")


def test_nobody_signs_up_without_accepting(client: Client, play: Play) -> None:
    play("make_house")
    facts = {
        "name": "Dune Leroy", "email": "dune@example.org", "password1": "une longue phrase sure",
        "password2": "une longue phrase sure",
    }  # fmt: skip
    answer = client.post("/en/accounts/signup/", facts)
    assert "Tick this box" in text_of(answer)
    assert not User.objects.filter(email="dune@example.org").exists()
    page = client.get("/en/accounts/signup/").content.decode()
    assert 'href="/en/terms/"' in page
    assert 'href="/en/privacy/"' in page
    assert client.post("/en/accounts/signup/", {**facts, "accept": "on"}).status_code == 302
    dune = User.objects.get(email="dune@example.org")
    assert dict(Acceptance.objects.filter(user=dune).values_list("document", "version")) == current()


def test_ones_data_is_downloaded_with_a_fresh_factor(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    bo = world.users["bo"]
    browser = sign_in(bo)
    assert "Download my data" in text_of(browser.get("/en/account/data/"))
    assert browser.get("/en/account/data/export/").status_code == 405
    answer = browser.post("/en/account/data/export/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert re.fullmatch(rf'attachment; filename="tronc-{bo.pk}-\d{{8}}\.zip"', answer.headers["Content-Disposition"])
    assert "no-store" in answer.headers["Cache-Control"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert demo.IBANS["bo"] in archive.read("data.json").decode()
    assert Event.objects.filter(kind="personal.exported").count() == 1
    with mock.patch("time.time", return_value=time.time() + 301):
        stale = browser.post("/en/account/data/export/")
    assert (stale.status_code, "reauthenticate" in stale.headers["Location"]) == (302, True)
    assert Event.objects.filter(kind="personal.exported").count() == 1
    for path in ("/en/account/data/", "/en/account/data/erase/"):
        assert Client().get(path).headers["Location"].startswith("/en/accounts/login/")
    assert Client().post("/en/account/data/export/").status_code == 302


def test_one_asks_to_be_erased_and_changes_ones_mind(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    bo = world.users["bo"]
    browser = sign_in(bo)
    page = browser.get("/en/account/data/erase/")
    assert "cannot be undone" in text_of(page)
    wrong = browser.post("/en/account/data/erase/", {"confirmation": "camille@example.org"})
    assert (wrong.status_code, "Type the address of this account" in text_of(wrong)) == (422, True)
    assert browser.post("/en/account/data/erase/", {}).status_code == 422
    assert not Erasure.objects.exists()
    done = browser.post("/en/account/data/erase/", {"confirmation": bo.email}, follow=True)
    assert "will be erased in seven days" in text_of(done)
    erasure = Erasure.objects.get()
    keep = f"/en/account/data/erasures/{erasure.pk}/keep/"
    assert sign_in(world.users["camille"]).post(keep).status_code == 404
    assert browser.get(keep).status_code == 405
    kept = browser.post(keep, follow=True)
    assert "Nothing was erased" in text_of(kept)
    erasure.refresh_from_db()
    assert erasure.withdrawn_at is not None


def test_what_must_be_settled_first_is_said_instead_of_a_form(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    bo = world.users["bo"]
    browser = sign_in(bo)
    page = browser.get("/en/account/data/erase/")
    assert "Money is still owed" in text_of(page)
    assert 'name="confirmation"' not in page.content.decode()
    answer = browser.post("/en/account/data/erase/", {"confirmation": bo.email})
    assert (answer.status_code, Erasure.objects.count()) == (409, 0)


def test_requests_by_letter_are_for_administrators_alone(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    ada = administrator(world)
    browser = sign_in(ada)
    assert "Requests of others" in text_of(browser.get("/en/account/data/"))
    assert "None was asked" in text_of(browser.get("/en/erasures/"))
    facts = {"email": "bo@example.org", "reason": "Letter of 3 May"}
    for key in ("bo", "claire", "sacha", "ana"):
        other = sign_in(world.users[key])
        assert other.get("/en/erasures/").status_code == 403
        assert other.post("/en/erasures/", facts).status_code == 403
        assert "Requests of others" not in text_of(other.get("/en/account/data/"))
    assert Erasure.objects.count() == 0
    nobody = browser.post("/en/erasures/", {**facts, "email": "nobody@example.org"})
    assert (nobody.status_code, "No account has this address" in text_of(nobody)) == (404, True)
    assert browser.post("/en/erasures/", {"email": "bo@example.org"}).status_code == 422
    made = browser.post("/en/erasures/", facts, follow=True)
    assert "has seven days to object" in text_of(made)
    assert "Bo Nguyen" in text_of(made)
    waiting = Erasure.objects.get()
    assert "Your account will be erased" in text_of(sign_in(world.users["bo"]).get("/en/account/data/"))
    stopped = browser.post(f"/en/account/data/erasures/{waiting.pk}/keep/", follow=True)
    assert "stopped" in text_of(stopped)
    grant_role(user=world.users["camille"], kind="auditor", scope=world.host.pk, granted_by=None, now=timezone.now())
    assert sign_in(world.users["camille"]).get("/en/erasures/").status_code == 403
