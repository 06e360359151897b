"""The pages of an organisation's details, members, limits and merges."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.identity.models import Offer, Organisation, Role, SpendingLimit, User
from backend.identity.organisations import address_of
from backend.identity.services import create_organisation, grant_role
from backend.pledges.models import Pledge
from backend.privacy.notices import accept_notices

Play = Callable[..., Any]
SignIn = Callable[..., Any]
DETAILS = {
    "name": "La Fabrique du Port", "kind": "association", "siren": "732 829 320", "siret": "",
    "vat_status": "not_liable", "vat_number": "", "email": "", "lines": "12 quai des Brumes", "postal_code": "44000",
    "city": "Nantes", "country": "FR",
}  # fmt: skip


def at(world: Any, rest: str = "") -> str:
    """The address of a page of Ana's organisation."""
    return f"/en/organisations/{world.organisation.pk}/{rest}"


def join(world: Any, key: str, kind: str = "organisation_member") -> User:
    """Make a person of the demonstration a member."""
    grant_role(user=world.users[key], kind=kind, scope=world.organisation.pk, granted_by=None, now=world.now)
    person: User = world.users[key]
    return person


def test_a_manager_keeps_the_details(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    wrong = browser.post(at(world, "details/"), {**DETAILS, "siren": "732829321", "city": ""})
    assert wrong.status_code == 422
    assert "not a valid SIREN" in wrong.content.decode()
    answer = browser.post(at(world, "details/"), DETAILS, follow=True).content.decode()
    assert "12 quai des Brumes" in answer
    assert "732\N{NO-BREAK SPACE}829\N{NO-BREAK SPACE}320" in answer
    world.organisation.refresh_from_db()
    assert address_of(world.organisation).city == "Nantes"
    public = Client().get("/en/commons/cartolibre/").content.decode()
    assert "Brumes" not in public


def test_who_sees_and_manages_the_members(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    member = join(world, "camille")
    seen = {
        "ana": (200, 200, 200, 200), "camille": (200, 403, 403, 403), "claire": (200, 403, 403, 403),
        "bo": (404, 404, 404, 404), "sacha": (404, 404, 404, 404),
    }  # fmt: skip
    for key, expected in seen.items():
        browser = sign_in(world.users[key])
        paths = ("members/", "members/invite/", f"members/{member.pk}/", "details/")
        assert tuple(browser.get(at(world, path)).status_code for path in paths) == expected, key
    assert Client().get(at(world, "members/")).status_code == 302


def test_an_invited_person_shows_by_address_until_they_come(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    for address in ("bo@example.org", "lou@example.org"):
        form = {"name": "Whoever", "email": address, "language": "fr", "kind": "organisation_member"}
        answer = browser.post(at(world, "members/invite/"), form, follow=True)
        assert f"The invitation leaves by mail to {address}." in answer.content.decode()
    page = browser.get(at(world, "members/")).content.decode()
    assert "Bo Nguyen" not in page
    assert "Whoever" not in page
    assert page.count("Take this invitation back") == 2
    accept_notices(user=world.users["bo"], now=world.now)
    bo = sign_in(world.users["bo"])  # to come for another reason says nothing
    assert "Bo Nguyen" not in browser.get(at(world, "members/")).content.decode()
    assert "for <strong>La Fabrique du Port</strong>" not in bo.get("/en/").content.decode()
    assert "An organisation invites you to act for it." in bo.get("/en/").content.decode()
    offer = Offer.objects.get(user=world.users["bo"])
    assert browser.post(f"/en/offers/{offer.pk}/", {"act": "accept"}).status_code == 404
    assert bo.post(f"/en/offers/{offer.pk}/", {"act": "maybe"}).headers["Location"] == "/en/offers/"
    assert "Ana Ruiz invites you as a member" in " ".join(bo.get("/en/offers/").content.decode().split())
    assert not Role.objects.filter(user=world.users["bo"], scope=world.organisation.pk).exists()
    answer = bo.post(f"/en/offers/{offer.pk}/", {"act": "accept"})
    assert answer.headers["Location"] == f"/en/organisations/{world.organisation.pk}/"
    assert "Bo Nguyen" in browser.get(at(world, "members/")).content.decode()
    lou = Offer.objects.get()
    assert browser.post(at(world, f"offers/{lou.pk}/back/")).status_code == 302
    assert not Offer.objects.exists()
    assert browser.post(at(world, "members/invite/"), {"name": "", "email": "no"}).status_code == 422


def test_a_manager_sets_role_and_limits_and_the_member_meets_them(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    bo = join(world, "bo")
    browser = sign_in(world.users["ana"])
    page = at(world, f"members/{bo.pk}/")
    wrong = browser.post(page, {"kind": "organisation_member", "per_pledge": "much", "per_year": ""})
    assert wrong.status_code == 422
    assert not SpendingLimit.objects.exists()
    answer = browser.post(page, {"kind": "organisation_member", "per_pledge": "", "per_year": "150"}, follow=True)
    assert "€150.00 per calendar year" in answer.content.decode()
    member = sign_in(bo)
    form = {
        "organisation": world.organisation.pk, "amount": "100", "rhythm": "once", "visibility": "visible",
        "confirmed": "1",
    }  # fmt: skip
    assert member.post("/en/commons/cartolibre/pledge/", {**form, "form_key": "1"}).status_code == 302
    refused = member.post("/en/commons/cartolibre/pledge/", {**form, "form_key": "2"})
    assert refused.status_code == 409
    assert "€50.00 is left" in refused.content.decode()
    assert Pledge.objects.count() == 1
    assert "You may still pledge <strong>€50.00</strong>" in member.get(at(world)).content.decode()
    browser.post(page, {"kind": "organisation_manager", "per_pledge": "", "per_year": ""})
    assert Role.objects.get(user=bo, scope=world.organisation.pk).kind == "organisation_manager"
    assert not SpendingLimit.objects.exists()


def test_the_last_manager_is_kept_in_words(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    join(world, "bo")
    ana = world.users["ana"]
    browser = sign_in(ana)
    for path in ("leave/", f"members/{ana.pk}/remove/"):
        assert browser.get(at(world, path)).status_code == 200
        refused = browser.post(at(world, path))
        assert refused.status_code == 409
        assert "This is the last manager" in refused.content.decode()
    kept = browser.post(at(world, f"members/{ana.pk}/"), {"kind": "organisation_member"})
    assert kept.status_code == 409
    assert Role.objects.get(user=ana, scope=world.organisation.pk).kind == "organisation_manager"
    member = sign_in(world.users["bo"])
    assert member.post(at(world, "leave/")).status_code == 302
    assert member.get(at(world)).status_code == 404
    assert browser.get(at(world, f"members/{world.users['bo'].pk}/remove/")).status_code == 404


def test_a_treasurer_merges_after_seeing_what_moves(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    twin = create_organisation(name="La fabrique du port", kind="informal", manager=world.users["bo"], now=world.now)
    browser = sign_in(world.users["claire"])
    page = browser.get("/en/organisations/duplicates/").content.decode()
    merge = f"/en/organisations/{twin.pk}/merge/{world.organisation.pk}/"
    assert merge in page
    chosen = browser.get(f"/en/organisations/duplicates/choose/?keep={twin.pk}&other={world.organisation.pk}")
    assert chosen.headers["Location"] == merge
    same = browser.get(f"/en/organisations/duplicates/choose/?keep={twin.pk}&other={twin.pk}")
    assert same.headers["Location"] == "/en/organisations/duplicates/"
    preview = " ".join(browser.get(merge).content.decode().split())
    assert "1 pledge moves" in preview
    assert "Ana Ruiz" in preview
    assert "becomes member" in preview
    assert "is managed by: Bo Nguyen (bo@example.org)" in preview
    assert browser.post(merge, {"reason": ""}).status_code == 422
    assert Organisation.objects.filter(merged_into=None).count() == 2
    answer = browser.post(merge, {"reason": "Typed twice"}, follow=True)
    assert "is now part of" in answer.content.decode()
    assert Pledge.objects.get().organisation == twin
    manager = sign_in(world.users["ana"])
    assert manager.get(at(world)).headers["Location"] == f"/en/organisations/{twin.pk}/"
    assert browser.get(merge).status_code == 404


@pytest.mark.parametrize("key", ["ana", "bo", "sacha"])
def test_only_treasurers_merge(play: Play, sign_in: SignIn, key: str) -> None:
    world = play("make_house")
    twin = create_organisation(name="La fabrique du port", kind="informal", manager=world.users["bo"], now=world.now)
    browser = sign_in(world.users[key])
    for path in ("duplicates/", "duplicates/choose/", f"{twin.pk}/merge/{world.organisation.pk}/"):
        assert browser.get(f"/en/organisations/{path}").status_code == 403, path
    assert (
        browser.post(f"/en/organisations/{twin.pk}/merge/{world.organisation.pk}/", {"reason": "x"}).status_code == 403
    )
    assert Organisation.objects.filter(merged_into=None).count() == 2
