"""What is typed is kept as it reads: no sign that turns it around, no address in letters of another alphabet."""

from typing import Any

import pytest
from django.test import Client

from backend.commons.models import Commons
from backend.core.errors import Invalid
from backend.core.text import UNREADABLE, holds_address, plain, readable, seen
from backend.identity.models import Organisation, User
from backend.identity.naming import valid_address
from backend.notifications.models import OutgoingMail
from tests.web.test_commons_life import FORM

TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
CYRILLIC = "bo@ex\u0430mple.org"


def test_only_the_signs_that_turn_a_text_around_go() -> None:
    assert plain(f"a{TURNING}b") == "ab"
    for kept in ("Zoé d’Été — 12 €\n\tfin", "שלום", "سلام", "family \U0001f468\u200d\U0001f469", ""):
        assert plain(kept) == kept


def test_what_no_text_holds_becomes_a_space_in_forms_and_is_refused_by_the_api() -> None:
    assert readable("a\x01b\x0bc\x1bd\x7fe\x85f\ufffeg\uffffh\ud800i\u202ej") == "a b c d e f g h ij"
    assert readable("a\x00b") == "a\x00b", "the form says so"
    for kept in ("Zoé\tété\r\n12 €", "שלום", "family \U0001f468\u200d\U0001f469"):
        assert readable(kept) == kept
        assert UNREADABLE.search(kept) is None
    assert {sign for sign in map(chr, range(0xA0)) if UNREADABLE.search(sign)} == {
        sign for sign in map(chr, range(0xA0)) if readable(sign) != sign or sign == "\0"
    }


def test_a_name_is_seen_or_is_none() -> None:
    assert seen("  Zo\u00ade\u200b \ufeff Été ") == "Zoe Été"
    assert [seen(one) for one in ("", " ", "\u200b", "\u00ad", "\u3164", "\u0301" * 9, "...", "\x01")] == [""] * 8
    assert [seen(one) for one in ("Ana", "家", "7", "\U0001f331")] == ["Ana", "家", "7", "\U0001f331"]
    held = ["https://x", "go to WWW.evil.example", "evil.example/login", "a://b"]
    assert [one for one in held if not holds_address(one)] == []
    names = ["J.-P. Martin", "Framasoft.org", "Ana / Bo", "M. le maire", "SARL d’à côté", "AC/DC", "St.John"]
    assert [one for one in names if holds_address(one)] == []


def test_signs_that_turn_a_text_around_are_left_out_of_forms(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    name = f"Semis {TURNING}gro.elpmaxe"
    assert browser.post("/en/proposed/new/", {**FORM, "name": name, "why": f"\u202e{FORM['why']}"}).status_code == 302
    made = Commons.objects.get(state="proposed")
    assert (made.name, made.why) == ("Semis gro.elpmaxe", FORM["why"])


def test_a_password_is_taken_as_it_is_typed(play: Any) -> None:
    bo = play("make_house").users["bo"]
    secret = "une phrase \u202eassez longue"
    bo.set_password(secret)
    bo.save()
    browser = Client()
    answer = browser.post("/en/accounts/login/", {"login": bo.email, "password": secret})
    assert answer.status_code == 302


def test_an_address_in_letters_of_another_alphabet_is_refused(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        valid_address(CYRILLIC)
    assert refusal.value.code == "email_invalid"
    form = {
        "email": CYRILLIC, "name": "Bo", "password1": "trois mots sans lien", "password2": "trois mots sans lien",
        "accept": "on",
    }  # fmt: skip
    answer = Client().post("/en/accounts/signup/", form)
    assert (answer.status_code, "unaccented letters" in answer.content.decode()) == (200, True)
    assert not User.objects.filter(email__contains="\u0430").exists()
    proposed = sign_in(world.users["bo"]).post(
        "/en/proposed/new/", {**FORM, "steward_name": "Bo", "steward_email": CYRILLIC}
    )
    assert (proposed.status_code, "unaccented letters" in proposed.content.decode()) == (422, True)
    assert not Commons.objects.filter(state="proposed").exists()
    assert not OutgoingMail.objects.filter(recipient__contains="\u0430").exists()
    assert not Organisation.objects.filter(email__contains="\u0430").exists()
