"""On behalf of whom one acts: shown on every page, the default of pledges, gone with the role."""

from collections.abc import Callable
from typing import Any

from backend.events.models import Event
from backend.identity.models import Organisation, Role
from backend.identity.organisations import remove_member
from backend.identity.services import create_organisation, grant_role
from backend.pledges.merging import merge_organisations
from backend.pledges.models import Pledge

Play = Callable[..., Any]
SignIn = Callable[..., Any]
PAGES = ("/en/", "/en/organisations/", "/en/commons/cartolibre/", "/en/acting/", "/en/nowhere/")
OWN = ", in your own name"
# What the second page of a pledge sends.
PLEDGE = {"amount": "100", "rhythm": "once", "visibility": "visible", "form_key": "k", "confirmed": "1"}


def second(world: Any, key: str = "ana") -> Organisation:
    """Another organisation of Ana's."""
    return create_organisation(name="Le Grand Toit", kind="association", manager=world.users[key], now=world.now)


def shown(browser: Any, path: str = "/en/") -> str:
    """The words of the frame about whom one acts for."""
    page = browser.get(path).content.decode()
    start = page.index('<div class="who">')
    return str(page[start : page.index("<details", start) if "<details" in page[start:] else start + 300])


def test_with_one_organisation_one_acts_for_it_on_every_page(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    for path in PAGES:
        assert "for <strong>La Fabrique du Port</strong>" in shown(browser, path), path
    assert "<details" not in sign_in(world.users["bo"]).get("/en/").content.decode()


def test_with_several_nobody_is_chosen_until_one_is(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    toit = second(world)
    browser = sign_in(world.users["ana"])
    assert OWN in shown(browser)
    answer = browser.post("/en/acting/", {"organisation": toit.pk, "next": "/en/organisations/"})
    assert answer.headers["Location"] == "/en/organisations/"
    for path in PAGES:
        assert "for <strong>Le Grand Toit</strong>" in shown(browser, path), path
    page = browser.get("/en/commons/cartolibre/pledge/").content.decode()
    assert f'<input type="hidden" name="organisation" value="{toit.pk}"' in page
    assert "On behalf of <strong>Le Grand Toit</strong>" in page
    browser.post("/en/acting/", {"organisation": ""})
    assert OWN in shown(browser)
    page = browser.get("/en/commons/cartolibre/pledge/").content.decode()
    assert '<option value="" selected>in my own name' in page
    assert f'<option value="{toit.pk}">Le Grand Toit' in page


def test_one_acts_for_no_other_and_is_not_led_elsewhere(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    foreign = second(world, "bo")
    browser = sign_in(world.users["ana"])
    for wrong in (foreign.pk, "org_x", world.host.pk):
        assert browser.post("/en/acting/", {"organisation": wrong}).status_code == 422
    assert browser.post("/en/acting/", {}).status_code == 422
    assert "for <strong>La Fabrique du Port</strong>" in shown(browser)
    for away in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = browser.post("/en/acting/", {"organisation": "", "next": away})
        assert answer.headers["Location"] == "/en/welcome/"
    assert not Event.objects.filter(kind__startswith="acting").exists()


def test_who_is_removed_is_told_and_acts_no_more_on_the_next_click(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    grant_role(
        user=world.users["bo"], kind="organisation_member", scope=world.organisation.pk, granted_by=None, now=world.now
    )
    browser = sign_in(world.users["bo"])
    form = browser.get("/en/commons/cartolibre/pledge/")
    assert "for <strong>La Fabrique du Port</strong>" in form.content.decode()
    remove_member(
        actor=world.users["ana"], organisation_id=world.organisation.pk, user_id=world.users["bo"].pk, now=world.now
    )
    answer = browser.post(
        "/en/commons/cartolibre/pledge/",
        {**PLEDGE, "organisation": world.organisation.pk},
    )
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "You no longer act for La Fabrique du Port: your role there has ended." in text
    assert "for <strong>" not in text
    assert not Pledge.objects.exists()
    assert "You no longer act" not in browser.get("/en/").content.decode()  # told once
    assert browser.get(f"/en/organisations/{world.organisation.pk}/").status_code == 404


def test_a_pledge_is_recorded_as_made_for_the_organisation(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    browser.post(
        "/en/commons/cartolibre/pledge/",
        {**PLEDGE, "organisation": world.organisation.pk},
    )
    made = Event.objects.get(kind="pledge.made")
    assert (made.actor, made.on_behalf) == (world.users["ana"], world.organisation.pk)


def test_a_merge_carries_the_choice_over(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    toit = second(world)
    browser = sign_in(world.users["ana"])
    browser.post("/en/acting/", {"organisation": world.organisation.pk})
    merge_organisations(
        actor=world.users["claire"], keep_id=toit.pk, other_id=world.organisation.pk, reason="One", now=world.now
    )
    assert "for <strong>Le Grand Toit</strong>" in shown(browser)
    assert Role.objects.filter(user=world.users["ana"], scope=toit.pk).count() == 1
