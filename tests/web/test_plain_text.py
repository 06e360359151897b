"""What is typed is kept as it reads: no sign that turns it around, no address in letters of another alphabet."""

from typing import Any

import pytest
from django.test import Client

from backend.commons.models import Commons
from backend.core.errors import Invalid
from backend.core.text import plain
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
