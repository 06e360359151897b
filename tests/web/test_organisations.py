"""The pages of organisations: made on the way to a pledge, read by their own people, with what came of their money."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.formats import date_format

from backend.identity.models import Organisation, Role
from backend.identity.services import grant_role
from backend.operations import demo
from backend.pledges.services import Terms, make_pledge
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
FORM = "/en/commons/cartolibre/pledge/"


def test_an_organisation_sees_its_pledges_and_what_they_paid_for(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    browser = sign_in(world.users["ana"])
    make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=300_00, currency="EUR",
        form_key="k", now=world.now, terms=Terms(rhythm="yearly"),
    )  # fmt: skip
    page = browser.get(f"/en/organisations/{world.organisation.pk}/")
    text = text_of(page)
    following = date_format(world.today.replace(year=world.today.year + 1), "j F Y")
    assert "received – €0.00 €100.00" in text
    assert f"awaiting the transfer {following} €300.00 €0.00" in text.replace("\xa0", " ")
    assert "Total €300.00 €100.00" in text
    assert "Recherche par besoin : filtres et export Cartolibre Bo paid 3 h €57.00" in text
    assert "Camille" not in text


def test_an_organisation_s_page_is_for_its_people(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    address = f"/en/organisations/{world.organisation.pk}/"
    assert sign_in(world.users["bo"]).get(address).status_code == 404
    assert sign_in(world.users["claire"]).get(address).status_code == 200
    assert "No pledge yet." in text_of(sign_in(world.users["ana"]).get(address))


def test_a_list_of_organisations_holds_one_s_own(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    assert "La Fabrique du Port association" in text_of(sign_in(world.users["ana"]).get("/en/organisations/"))
    assert "You act for no organisation yet." in text_of(sign_in(world.users["bo"]).get("/en/organisations/"))


def test_an_organisation_is_created_on_the_way_to_a_pledge(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    facts = {"name": " Le Grand Toit ", "kind": "cooperative", "siren": "732 829 320"}
    for _ in range(2):  # a double click makes one
        answer = browser.post("/en/organisations/new/?commons=cartolibre", facts)
        assert (answer.status_code, answer.headers["Location"]) == (302, FORM)
    made = Organisation.objects.get(name="Le Grand Toit")
    assert (made.kind, made.siren) == ("cooperative", "732829320")
    assert Role.objects.filter(user=world.users["bo"], scope=made.pk).get().kind == "organisation_manager"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"siren": "123"}, "This is not a valid SIREN"),
        ({"name": "  "}, "This field is required."),
        ({"kind": "church"}, "Select a valid choice."),
    ],
)
def test_an_organisation_is_refused_beside_the_field(
    play: Play, sign_in: SignIn, changes: dict[str, str], sentence: str
) -> None:
    world = play("make_house")
    facts = {"name": "Le Grand Toit", "kind": "association", "siren": "", **changes}
    answer = sign_in(world.users["bo"]).post("/en/organisations/new/", facts)
    assert answer.status_code == 422
    assert text_of(answer).count(sentence) == 2
    assert Organisation.objects.count() == 1


def test_the_menu_says_what_each_person_came_for(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    grant_role(
        user=world.users["camille"], kind="auditor", scope=world.host.pk, granted_by=None,
        now=world.now + timedelta(minutes=1),
    )  # fmt: skip

    def menu(key: str) -> list[str]:
        page = sign_in(world.users[key]).get("/en/").content.decode()
        inside = re.search(r'<nav aria-label="Main">(.*?)</nav>', page, re.S)
        assert inside is not None
        return [
            " ".join(re.sub(r"<[^>]+>", " ", item).split()) for item in re.findall(r"<a [^>]*>(.*?)</a>", inside[1])
        ]

    assert menu("ana") == ["Commons", "My organisation", "Papers"]
    assert menu("bo") == ["Commons", "My work", "Periods", "Budgets"]
    assert menu("sacha") == ["Commons", "My work", "To review", "Periods", "Budgets", "People"]
    treasury = ["Periods", "Budgets", "Payouts", "Bank", "Books", "Audit", "People"]
    assert menu("claire") == ["Commons", "To do 1 waiting", *treasury]
    assert menu("camille") == ["Commons", "My work", "Periods", "Budgets"]  # the auditor's role waits for a factor
    demo.give_factor(world.users["camille"])
    assert menu("camille") == ["Commons", "My work", *treasury]


def test_the_frame_says_in_whose_name_one_acts(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    page = text_of(sign_in(world.users["ana"]).get("/en/"))
    assert "Ana Ruiz , for La Fabrique du Port Change for whom you act" in page
