"""The pages of roles and of what takes two people, in a browser's requests."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from backend.identity.models import Proposal, Role, User
from backend.identity.permissions import may
from backend.identity.services import grant_role
from backend.operations import demo

ZOE = {"name": "Zoé Petit", "email": "zoe@example.org", "language": "fr"}


@pytest.fixture
def world(play: Any) -> Any:
    """The house, with Odile as its administrator."""
    world = play("make_house")
    odile = User.objects.create_user("odile@example.org", demo.PASSWORD, name="Odile Blanc", language="fr")
    EmailAddress.objects.create(user=odile, email=odile.email, verified=True, primary=True)
    grant_role(user=odile, kind="administrator", scope=world.host.pk, granted_by=None, now=world.now)
    demo.give_factor(odile)
    world.users["odile"] = odile
    return world


def page(answer: Any) -> str:
    """The text of a page."""
    return " ".join(answer.content.decode().split())


def test_each_reader_sees_the_people_of_their_places(world: Any, sign_in: Any) -> None:
    odile = page(sign_in(world.users["odile"]).get("/en/people/"))
    assert odile.count("End this role") == 4  # the administrator, two treasurers, the steward
    assert "Name somebody in the host" in odile
    assert "Name somebody in Cartolibre" not in odile  # it has its steward
    sacha = page(sign_in(world.users["sacha"]).get("/en/people/"))
    assert sacha.count("End this role") == 3  # the steward and two contributors
    assert "Name somebody in the host" not in sacha
    assert "Claire Moreau" not in sacha
    for name in ("bo", "ana"):
        assert sign_in(world.users[name]).get("/en/people/").status_code == 403


def test_a_steward_names_a_contributor_in_their_own_pot(world: Any, sign_in: Any) -> None:
    browser = sign_in(world.users["sacha"])
    address = f"/en/people/new/?in={world.budget.pk}"
    assert "Name somebody in Cartolibre" in page(browser.get(address))
    empty = browser.post(address, {"kind": "contributor"})
    assert empty.status_code == 422
    assert "Nothing was recorded" in page(empty)
    assert browser.post(address, {**ZOE, "kind": "contributor", "reason": "Elle traduit"}).status_code == 302
    assert Role.objects.filter(user__email=ZOE["email"], kind="contributor", scope=world.budget.pk).count() == 1
    # not in the host, nor elsewhere
    assert browser.post("/en/people/new/?in=host", {**ZOE, "kind": "auditor", "reason": "x"}).status_code == 403
    assert browser.get("/en/people/new/?in=bud_elsewhere").status_code == 404
    assert Role.objects.filter(user__email=ZOE["email"]).count() == 1


def test_two_people_name_a_treasurer(world: Any, sign_in: Any) -> None:
    odile, claire = sign_in(world.users["odile"]), sign_in(world.users["claire"])
    sent = odile.post("/en/people/new/?in=host", {**ZOE, "kind": "treasurer", "reason": "Elle arrive"})
    proposal = Proposal.objects.get()
    address = f"/en/proposals/{proposal.pk}/"
    assert sent.headers["Location"] == address
    own = page(odile.get(address))
    assert "Accept this proposal" not in own
    assert "Take this proposal back" in own
    assert odile.post(address, {"act": "accept", "digest": proposal.digest}).status_code == 403
    assert "Accept this proposal" in page(claire.get(address))
    assert page(claire.get("/en/proposals/")).count("Zoé Petit as treasurer") == 1
    assert claire.post(address, {"act": "refuse", "reason": ""}).status_code == 422
    assert claire.post(address, {"act": "accept", "digest": "0" * 64}).status_code == 409
    assert not Role.objects.filter(user__email=ZOE["email"]).exists()
    assert claire.post(address, {"act": "accept", "digest": proposal.digest}).status_code == 302
    assert Role.objects.filter(user__email=ZOE["email"], kind="treasurer").count() == 1
    assert "awaits a second factor" in page(claire.get("/en/people/")) or "invited" in page(claire.get("/en/people/"))
    assert sign_in(world.users["sacha"]).get(address).status_code == 404


def test_a_role_removed_while_the_page_is_open_is_refused_in_words(world: Any, sign_in: Any) -> None:
    odile, denis = sign_in(world.users["odile"]), sign_in(world.users["denis"])
    assert denis.get("/en/payouts/").status_code == 200
    address = f"/en/people/{world.users['denis'].pk}/treasurer/{world.host.pk}/remove/"
    assert "End the role of Denis Caron: treasurer?" in page(odile.get(address))
    assert odile.post(address, {"reason": " "}).status_code == 422
    assert odile.post(address, {"reason": "Il quitte le bureau"}).status_code == 302
    refused = denis.get("/en/payouts/")
    assert refused.status_code == 403
    assert "Your roles do not allow this" in page(refused)
    # and a second treasurer lacks, which the screen says with what to do
    said = page(sign_in(world.users["claire"]).get("/en/people/"))
    assert "A second treasurer is needed to approve." in said
    last = odile.post(f"/en/people/{world.users['claire'].pk}/treasurer/{world.host.pk}/remove/", {"reason": "x"})
    assert last.status_code == 409
    assert may(world.users["claire"], "batch.approve")


def test_who_ends_the_last_stewards_role_is_told_who_names_the_next(world: Any, sign_in: Any) -> None:
    odile, claire = sign_in(world.users["odile"]), sign_in(world.users["claire"])
    address = f"/en/people/{world.users['sacha'].pk}/steward/{world.budget.pk}/remove/"
    assert "Two people replace them" in page(odile.get(address))
    assert odile.post(address, {"reason": "Parti"}).status_code == 302
    said = page(odile.get("/en/people/"))
    assert "You cannot name the next steward" in said
    assert "Name somebody in Cartolibre" not in said
    named = f"/en/people/new/?in={world.budget.pk}"
    assert odile.get(named).status_code in (403, 404)
    assert "Name somebody in Cartolibre" in page(claire.get("/en/people/"))
    assert claire.post(named, {**ZOE, "kind": "steward", "reason": "Elle reprend"}).status_code == 302
    assert Role.objects.filter(user__email=ZOE["email"], kind="steward", scope=world.budget.pk).count() == 1


def test_a_fresh_factor_is_asked(world: Any, sign_in: Any, monkeypatch: Any) -> None:
    browser = sign_in(world.users["odile"])
    later = timezone.now().timestamp() + 600
    monkeypatch.setattr("time.time", lambda: later)
    answer = browser.post("/en/people/new/?in=host", {**ZOE, "kind": "auditor", "reason": "x"})
    assert answer.status_code == 302
    assert "reauthenticate" in answer.headers["Location"]
    assert not User.objects.filter(email=ZOE["email"]).exists()
