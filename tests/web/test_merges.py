"""The pages that make two accounts of one person one: each side proves itself, a stranger learns nothing."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone

from backend.identity.merges import ask_merge, merge_token
from backend.identity.models import PersonMerge, User
from backend.operations import demo
from tests.privacy.test_merging import other_account
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def test_from_the_account_to_the_link_and_to_one_account(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    bo, two = world.users["bo"], other_account(world)
    browser = sign_in(bo)
    assert 'href="/en/account/other/"' in browser.get("/en/account/").content.decode()
    answer = browser.post("/en/account/other/", {"address": two.email}, follow=True)
    assert "a link is on its way to it" in text_of(answer)
    assert "Until" in text_of(answer)
    link = f"/en/account/merge/{merge_token(PersonMerge.objects.get())}/"
    wrong = browser.get(link)
    assert wrong.status_code == 409
    assert "Sign in with the other account" in text_of(wrong)
    out = browser.post("/en/accounts/logout/", {"next": link})
    assert out.headers["Location"] == link
    assert browser.get(link).headers["Location"].startswith("/en/accounts/login/?next=")
    browser = sign_in(two)
    page = browser.get(link)
    assert page.status_code == 200
    assert "the role contributor" in text_of(page)
    assert bo.email in text_of(page)
    done = browser.post(link, follow=True)
    assert f"sign in with {bo.email} from now on" in text_of(done)
    assert browser.get("/en/account/").status_code == 302
    again = Client()
    again.post("/en/accounts/login/", {"login": two.email, "password": demo.PASSWORD})
    assert again.session["_auth_user_id"] == bo.pk  # both have the same password: the address is of the one that stays
    assert "Bo Nguyen, account opened on" in text_of(sign_in(bo).get("/en/account/other/"))


def test_an_unknown_address_is_answered_alike(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    two = other_account(world)
    shown = []
    for who, address in (("bo", two.email), ("sacha", "nobody@example.net")):
        answer = sign_in(world.users[who]).post("/en/account/other/", {"address": address}, follow=True)
        main = answer.content.decode().partition("<main")[2].partition("</main>")[0]
        for own in (r'value="[A-Za-z0-9]{64}"', r"mrg_\w+", re.escape(address), re.escape(world.users[who].name)):
            main = re.sub(own, "", main)
        shown.append(main)
    assert "Awaiting the other account" in shown[0]
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("typed", "said"), [("bo@example.org", "in this account already"), ("nobody", "Enter a valid")]
)
def test_a_bad_address_names_its_field(play: Play, sign_in: SignIn, typed: str, said: str) -> None:
    world = play("make_house")
    answer = sign_in(world.users["bo"]).post("/en/account/other/", {"address": typed})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not PersonMerge.objects.exists()


def test_the_page_says_what_stands_in_the_way_and_keeps_both(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    bo, camille = world.users["bo"], world.users["camille"]
    row = ask_merge(actor=bo, address=camille.email, now=timezone.now())
    link = f"/en/account/merge/{merge_token(row)}/"
    browser = sign_in(camille)
    assert "Money is owed to the account that ends" in text_of(browser.get(link))
    assert browser.post(link).status_code == 409
    assert User.objects.filter(pk=camille.pk, is_active=True, merged_into=None).exists()


def test_both_sides_prove_themselves_again(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    bo, two = world.users["bo"], other_account(world)
    row = ask_merge(actor=bo, address=two.email, now=timezone.now())
    link = f"/en/account/merge/{merge_token(row)}/"
    first, second = sign_in(bo), sign_in(two)
    later = timezone.now() + timedelta(minutes=6)
    with mock.patch("time.time", return_value=later.timestamp()):
        for browser, page in ((first, "/en/account/other/"), (second, link)):
            answer = browser.post(page)
            assert answer.status_code == 302
            assert "reauthenticate" in answer.headers["Location"]
    two.refresh_from_db()
    assert two.is_active


def test_a_stranger_with_the_link_finds_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    row = ask_merge(actor=world.users["bo"], address=other_account(world).email, now=timezone.now())
    link = f"/en/account/merge/{merge_token(row)}/"
    for browser in (sign_in(world.users["sacha"]), sign_in(world.users["claire"])):
        for answer in (browser.get(link), browser.post(link), browser.post(f"/en/account/other/{row.pk}/withdraw/")):
            assert answer.status_code == 404
    row.refresh_from_db()
    assert row.state == "awaited"
    taken = sign_in(world.users["bo"]).post(f"/en/account/other/{row.pk}/withdraw/", follow=True)
    assert "Taken back" in text_of(taken)
