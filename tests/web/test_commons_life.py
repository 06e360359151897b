"""The pages of the life of a commons, in a browser's requests."""

import re
from typing import Any

from django.test import Client
from django.urls import reverse

from backend.commons.models import Budget, Commons
from backend.events.models import Event

FORM = {
    "name": "Semis", "summary": "Des semences libres.", "why": "Six jardins s’en servent.", "licence": "CC0-1.0",
    "website": "", "steward_name": "", "steward_email": "",
}  # fmt: skip
TERMS = {"currency": "EUR", "first_day": "2026-11-01", "last_day": "2026-12-31", "approvals": "1"}


def page(answer: Any) -> str:
    """The text of a page."""
    return " ".join(answer.content.decode().split())


def hidden(answer: Any, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]+)"', answer.content.decode())
    assert found
    return found[1]


def test_from_a_proposal_to_a_public_page(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    bo, claire, denis = (sign_in(world.users[name]) for name in ("bo", "claire", "denis"))
    assert "Propose a commons" in page(Client().get("/en/"))
    assert Client().get("/en/proposed/new/").status_code == 302
    assert bo.post("/en/proposed/new/", {**FORM, "why": ""}).status_code == 422
    address = bo.post("/en/proposed/new/", FORM).headers["Location"]
    assert bo.post("/en/proposed/new/", FORM).headers["Location"] == address  # a double click proposes once
    made = Commons.objects.get(state="proposed")
    assert "What happens next" in page(bo.get(address))
    assert bo.post(f"{address}edit/", {**FORM, "summary": "Des graines."}).status_code == 302
    # nobody else sees it, anywhere
    for browser in (Client(), sign_in(world.users["ana"])):
        assert browser.get(address).status_code in {302, 404}
        assert browser.get(f"/en/commons/{made.slug}/").status_code == 404
        assert "Semis" not in page(browser.get("/en/"))
    assert bo.get(f"{address}open/").status_code == 403
    assert "Semis" in page(claire.get("/en/proposed/"))
    assert "Open this commons" in page(claire.get(address))
    read = {**TERMS, "digest": hidden(claire.get(f"{address}open/"), "digest")}
    assert claire.post(f"{address}open/", {**read, "last_day": "2026-10-01"}).status_code == 422
    assert claire.post(f"{address}open/", read).headers["Location"] == "/en/commons/semis/"
    assert denis.post(f"{address}refuse/", {"reason": "trop tard"}).status_code == 409
    assert "Des graines." in page(Client().get("/en/commons/semis/"))
    assert "Pledge to Semis" in page(Client().get("/en/commons/semis/"))
    assert "It was opened." in page(bo.get(address))


def test_what_was_written_again_is_read_again(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    bo, claire = sign_in(world.users["bo"]), sign_in(world.users["claire"])
    address = bo.post("/en/proposed/new/", FORM).headers["Location"]
    read = {**TERMS, "digest": hidden(claire.get(f"{address}open/"), "digest")}
    assert bo.post(f"{address}edit/", {**FORM, "name": "Moissons", "why": "Autre."}).status_code == 302
    answer = claire.post(f"{address}open/", read)
    assert answer.status_code == 409
    assert "these changed: the name, why it needs a common pot." in page(answer)
    assert "Open Moissons?" in page(answer)
    refusals = Event.objects.filter(kind="act.refused", actor=world.users["claire"])
    assert [event.data["code"] for event in refusals] == ["commons_changed"]
    assert Commons.objects.get(name="Moissons").state == "proposed"
    assert claire.post(f"{address}open/", {**TERMS, "digest": hidden(answer, "digest")}).status_code == 302


def test_a_refusal_is_read_by_its_author_alone(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    bo, claire = sign_in(world.users["bo"]), sign_in(world.users["claire"])
    address = bo.post("/en/proposed/new/", FORM).headers["Location"]
    assert claire.post(f"{address}refuse/", {"reason": ""}).status_code == 422
    assert claire.post(f"{address}refuse/", {"reason": "Pas de licence"}).status_code == 302
    assert "It was not opened: Pas de licence" in page(bo.get(address))
    own = claire.post("/en/proposed/new/", {**FORM, "name": "Graines"}).headers["Location"]
    assert "Open this commons" not in page(claire.get(own))
    assert claire.post(f"{own}open/", TERMS).status_code == 403
    assert claire.post(own).status_code == 302
    assert Commons.objects.get(name="Graines").state == "withdrawn"


def test_a_hidden_commons_says_why_to_the_public(play: Any, sign_in: Any) -> None:
    world = play("settle")
    claire, sacha = sign_in(world.users["claire"]), sign_in(world.users["sacha"])
    public = f"/en/commons/{world.commons.slug}/"
    hide = {"reason": "Plainte reçue", "appeal_to": "appel@example.org"}
    assert sacha.post(f"{public}hide/", hide).status_code == 403
    assert claire.post(f"{public}hide/", {**hide, "appeal_to": ""}).status_code == 422
    assert claire.post(f"{public}hide/", hide).status_code == 302
    for browser in (Client(), sign_in(world.users["ana"])):
        gone = browser.get(public)
        assert gone.status_code == 410
        assert "Plainte reçue" in page(gone)
        assert "appel@example.org" in page(gone)
        assert "Cartolibre" not in page(gone)
        assert "Cartolibre" not in page(browser.get("/en/"))
        assert browser.get(reverse("charter_page", args=[world.budget.pk])).status_code == 404
        assert browser.get(f"{public}pledge/").status_code in {302, 404}
    for browser in (claire, sacha, sign_in(world.users["bo"])):
        assert browser.get(public).status_code == 200
        assert "Withdrawn from the public" in page(browser.get(public))
        assert browser.get(reverse("charter_page", args=[world.budget.pk])).status_code == 200
    assert claire.post(f"{public}show/", {"reason": "Réglé"}).status_code == 302
    assert Client().get(public).status_code == 200


def test_archiving_says_what_waits(play: Any, sign_in: Any) -> None:
    world = play("receive")
    claire = sign_in(world.users["claire"])
    address = f"/en/commons/{world.commons.slug}/archive/"
    assert "still holds money" in page(claire.get(address))
    assert claire.post(address, {"reason": "Fini"}).status_code == 409
    assert Commons.objects.get().state == "open"


def test_suspending_a_budget(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    sacha, bo = sign_in(world.users["sacha"]), sign_in(world.users["bo"])
    address = f"/en/budgets/{world.budget.pk}/suspend/"
    assert "Suspend this budget" in page(sacha.get(f"/en/budgets/{world.budget.pk}/"))
    assert "Suspend this budget" not in page(bo.get(f"/en/budgets/{world.budget.pk}/"))
    assert bo.post(address, {"act": "suspend", "reason": "x"}).status_code == 403
    assert sign_in(world.users["ana"]).get(address).status_code == 404
    assert sacha.post(address, {"act": "suspend", "reason": ""}).status_code == 422
    assert sacha.post(address, {"act": "suspend", "reason": "Réunion"}).status_code == 302
    assert Budget.objects.get().state == "suspended"
    assert sacha.post(address, {"act": "suspend", "reason": "Réunion"}).status_code == 409
    assert "This commons does not take pledges at present." in page(Client().get(f"/en/commons/{world.commons.slug}/"))
    assert sacha.post(address, {"act": "reopen", "reason": "Fini"}).status_code == 302
    assert Budget.objects.get().state == "open"
