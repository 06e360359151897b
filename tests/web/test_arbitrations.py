"""Amounts that a meeting agreed on: entered on a page, confirmed by those they change, approved by another."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.distributions.models import Arbitration, Distribution, Share
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.operations import demo
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def enter(browser: Client, world: Any, amounts: dict[str, str], **more: str) -> Any:
    """Fill and send the form of agreed amounts: name of the person → what is typed."""
    path = f"/en/distributions/{world.distribution.pk}/arbitrate/"
    form = browser.get(path).context["form"]
    values = {"form_key": form["form_key"].value(), "digest": world.distribution.digest, "reason": "Meeting of May"}
    for number, line in enumerate(form.lines):
        values[f"amount_{number}"] = amounts.get(line["person"].name, form[f"amount_{number}"].value())
    return browser.post(path, values | more)


def test_entered_confirmed_by_each_and_approved_by_another(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    booked = entry_count()
    answer = enter(sign_in(world.users["sacha"]), world, {"Bo Nguyen": "50", "Camille Faure": "45,00"}, above="on")
    arbitration = Arbitration.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/arbitrations/{arbitration.pk}/")
    path = f"/en/arbitrations/{arbitration.pk}/"
    bo = sign_in(world.users["bo"])
    assert "a meeting agreed on another amount for you" in text_of(bo.get("/en/work/"))
    text = text_of(bo.get(path))
    assert "Bo Nguyen €57.00 €50.00 − €7.00 awaiting the answer" in text
    assert "Sacha Le Goff entered these amounts" in text
    assert bo.post(path, {}).status_code == 422
    assert bo.post(path, {"answer": "accept"}).status_code == 302
    waiting = text_of(sign_in(world.users["denis"]).get(f"/en/distributions/{world.distribution.pk}/"))
    assert "Until then the computed amounts hold and nothing can be approved." in waiting
    assert "Check and approve this distribution" not in waiting
    sign_in(world.users["camille"]).post(path, {"answer": "accept"})
    distribution = Distribution.objects.get()
    assert distribution.digest != world.distribution.digest
    assert dict(distribution.shares.values_list("contributor__name", "amount")) == {
        "Bo Nguyen": 50_00, "Camille Faure": 45_00,
    }  # fmt: skip
    page = text_of(sign_in(world.users["denis"]).get(f"/en/distributions/{distribution.pk}/"))
    assert "These are the amounts that a meeting agreed on" in page
    trace = json.loads(sign_in(world.users["denis"]).get(f"/en/distributions/{distribution.pk}/trace.json").content)
    assert [change["agreed"] for change in trace["arbitration"]["changes"]] == [50_00, 45_00]
    assert entry_count() == booked
    answer = sign_in(world.users["denis"]).post(
        f"/en/distributions/{distribution.pk}/approve/", {"digest": distribution.digest}
    )
    assert answer.status_code == 302
    assert entry_count() == booked + 1


def test_a_refusal_needs_a_reason_and_keeps_the_computed_amounts(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    enter(sign_in(world.users["sacha"]), world, {"Bo Nguyen": "50"})
    path = f"/en/arbitrations/{Arbitration.objects.get().pk}/"
    bo = sign_in(world.users["bo"])
    answer = bo.post(path, {"answer": "refuse"})
    assert answer.status_code == 422
    assert "Say why" in text_of(answer)
    assert Arbitration.objects.get().state == "waiting"
    bo.post(path, {"answer": "refuse", "reason": "This was not said"})
    text = text_of(sign_in(world.users["sacha"]).get(path))
    assert "“This was not said”" in text
    assert "It has ended: the computed amounts hold. Enter other amounts" in text
    assert Distribution.objects.get().digest == world.distribution.digest


def test_a_treasurer_records_the_answer_of_someone_absent(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    enter(sign_in(world.users["sacha"]), world, {"Bo Nguyen": "50"})
    path = f"/en/arbitrations/{Arbitration.objects.get().pk}/"
    bo = world.users["bo"].pk
    assert "Record the answer of someone" not in text_of(sign_in(world.users["camille"]).get(path))
    refused = sign_in(world.users["camille"]).post(path, {"answer": "accept", "person": bo})
    assert refused.status_code == 403
    assert "Record the answer of someone" in text_of(sign_in(world.users["denis"]).get(path))
    sign_in(world.users["denis"]).post(path, {"answer": "accept", "person": bo, "reason": "By telephone"})
    assert "accepted" in (text := text_of(sign_in(world.users["denis"]).get(path)))
    assert "(recorded by Denis Caron)" in text


def test_taken_back_by_who_entered_it(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    sacha = sign_in(world.users["sacha"])
    enter(sacha, world, {"Bo Nguyen": "50"})
    path = f"/en/arbitrations/{Arbitration.objects.get().pk}/"
    assert sign_in(world.users["denis"]).post(f"{path}withdraw/").status_code == 403
    assert sacha.post(f"{path}withdraw/").status_code == 302
    assert Arbitration.objects.get().state == "withdrawn"


@pytest.mark.parametrize(
    ("amounts", "sentence"),
    [
        ({"Bo Nguyen": "58"}, "€95.00"),
        ({"Bo Nguyen": "-5"}, "amount"),
        ({"Bo Nguyen": "5e3"}, "amount"),
        ({}, "chang"),
    ],
)
def test_what_cannot_be_agreed_is_refused_beside_its_field(
    play: Play, sign_in: SignIn, amounts: dict[str, str], sentence: str
) -> None:
    world = play("close")
    answer = enter(sign_in(world.users["sacha"]), world, amounts)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert Arbitration.objects.count() == 0


def test_sent_twice_is_entered_once(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    sacha = sign_in(world.users["sacha"])
    first = enter(sacha, world, {"Bo Nguyen": "50"}, form_key="once")
    second = enter(sacha, world, {"Bo Nguyen": "50"}, form_key="once")
    assert first.headers["Location"] == second.headers["Location"]
    assert Arbitration.objects.count() == 1


@pytest.mark.parametrize(("who", "status"), [("bo", 403), ("ana", 404)])
def test_others_enter_nothing(play: Play, sign_in: SignIn, who: str, status: int) -> None:
    world = play("close")
    path = f"/en/distributions/{world.distribution.pk}/arbitrate/"
    assert sign_in(world.users[who]).get(path).status_code == status
    assert Arbitration.objects.count() == 0


def test_a_booked_distribution_is_not_rewritten(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    answer = sign_in(world.users["sacha"]).get(f"/en/distributions/{world.distribution.pk}/arbitrate/")
    assert answer.status_code == 409


def test_more_than_was_asked_is_asked_about_and_marked(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    sacha = sign_in(world.users["sacha"])
    assert "Asked: €60.00" in text_of(sacha.get(f"/en/distributions/{world.distribution.pk}/arbitrate/"))
    refused = enter(sacha, world, {"Bo Nguyen": "65", "Camille Faure": "30"})
    assert refused.status_code == 422
    assert "Bo Nguyen asked for €60.00 and would get €65.00." in text_of(refused)
    assert not Arbitration.objects.exists()
    meant = enter(sacha, world, {"Bo Nguyen": "65", "Camille Faure": "30"}, above="on")
    assert meant.status_code == 302
    path = f"/en/arbitrations/{Arbitration.objects.get().pk}/"
    assert "€65.00 above the €60.00 asked" in text_of(sacha.get(path))
    demo.sweep(world.now)
    mails = OutgoingMail.objects.filter(recipient="bo@example.org", body__contains=f"{path.removeprefix('/en/')}")
    body = mails.get().body.replace("\u202f", " ").replace("\xa0", " ")
    assert ("57,00" in body and "65,00" in body) or ("57.00" in body and "65.00" in body)
    for who in ("bo", "camille"):
        sign_in(world.users[who]).post(path, {"answer": "accept"})
    assert "€65.00 above the €60.00 asked" in text_of(sacha.get(path))
    share = Share.objects.get(contributor=world.users["bo"])
    said = text_of(sign_in(world.users["bo"]).get(f"/en/shares/{share.pk}/"))
    assert "A meeting agreed on €65.00, which was confirmed: that is what holds." in said
