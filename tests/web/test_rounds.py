"""The pages of statement rounds: opened by a steward, answered in two clicks, followed, closed."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from backend.contributions.round_models import Round, RoundAnswer
from backend.contributions.services import declare
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def open_one(world: Any, browser: Client) -> Round:
    """Through the form."""
    blank = browser.get("/en/rounds/new/")
    form = {
        "form_key": blank.context["form"]["form_key"].value(), "budget": world.budget.pk,
        "first_day": (world.today - timedelta(days=9)).isoformat(), "last_day": world.today.isoformat(),
        "answer_by": (world.today + timedelta(days=9)).isoformat(),
    }  # fmt: skip
    for _time in range(2):
        answer = browser.post("/en/rounds/new/", form)
        assert answer.status_code == 302, text_of(answer)
    return Round.objects.get()


def declared(world: Any, who: str, key: str) -> None:
    """Work of today."""
    declare(
        actor=world.users[who], budget=world.budget, worked_on=world.today, kind="development", minutes=90,
        amount=45_00, description=f"Work {key}", form_key=key, now=world.now,
    )  # fmt: skip


def test_from_the_call_to_the_answers(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    declared(world, "bo", "one")
    steward, bo = sign_in(world.users["sacha"]), sign_in(world.users["bo"])
    assert 'href="/en/rounds/"' in steward.get("/en/periods/").content.decode()
    row = open_one(world, steward)
    answer = RoundAnswer.objects.get(person=world.users["bo"])
    assert f'href="/en/rounds/answers/{answer.pk}/"' in bo.get("/en/rounds/").content.decode()
    page = bo.get(f"/en/rounds/answers/{answer.pk}/")
    assert "Work one" in text_of(page)
    # Who types what is missing and presses Enter sends the form of the field: it says nothing else.
    asked = bo.get(f"/en/rounds/answers/{answer.pk}/").content.decode()
    (form,) = [one for one in re.findall(r"<form.*?</form>", asked, re.DOTALL) if 'id="missing"' in one]
    assert re.findall(r'name="answer" value="(\w+)"', form) == ["missing"]
    said = bo.post(
        f"/en/rounds/answers/{answer.pk}/", {"answer": "complete", "listed": page.context["known"].listed}, follow=True
    )
    assert "Thank you: your list is confirmed as it stands." in text_of(said)
    followed = text_of(steward.get(f"/en/rounds/{row.pk}/"))
    assert "Complete: 1. Something is missing: 0. No answer yet: 1." in followed
    assert "changed since" not in followed
    declared(world, "bo", "two")
    assert "changed since" in text_of(steward.get(f"/en/rounds/{row.pk}/"))
    assert "changed since" in text_of(bo.get(f"/en/rounds/answers/{answer.pk}/"))
    assert f"/en/rounds/answers/{answer.pk}/" not in bo.get("/en/work/").content.decode(), "answered: complete"
    closed = steward.post(f"/en/rounds/{row.pk}/close/", follow=True)
    assert "The round is closed. No money moved." in text_of(closed)
    assert "This is complete" not in text_of(bo.get(f"/en/rounds/answers/{answer.pk}/"))


def test_something_missing_leads_to_the_form(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    open_one(world, sign_in(world.users["sacha"]))
    answer, bo = RoundAnswer.objects.get(person=world.users["bo"]), sign_in(world.users["bo"])
    listed = bo.get(f"/en/rounds/answers/{answer.pk}/").context["known"].listed
    said = bo.post(
        f"/en/rounds/answers/{answer.pk}/",
        {"answer": "missing", "listed": listed, "missing": "Two days in May"},
        follow=True,
    )
    assert said.redirect_chain[-1][0] == f"/en/work/declare/?round={answer.pk}"
    assert "You wrote: “Two days in May”." in text_of(said)
    assert said.context["form"].initial["budget"] == world.budget.pk
    work = bo.get("/en/work/").content.decode()
    assert f'href="/en/rounds/answers/{answer.pk}/"' in work
    assert "Two days in May" in text_of(sign_in(world.users["sacha"]).get(f"/en/rounds/{answer.round_id}/"))
    assert RoundAnswer.objects.get(pk=answer.pk).state == "missing"


@pytest.mark.parametrize(("sent", "status"), [({"answer": "complete", "listed": "0" * 64}, 409), ({}, 422)])
def test_an_answer_that_does_not_hold_shows_the_list_again(
    play: Play, sign_in: SignIn, sent: dict[str, str], status: int
) -> None:
    world = play("make_house")
    open_one(world, sign_in(world.users["sacha"]))
    answer, bo = RoundAnswer.objects.get(person=world.users["bo"]), sign_in(world.users["bo"])
    page = bo.post(f"/en/rounds/answers/{answer.pk}/", sent)
    assert page.status_code == status
    assert "This is complete" in text_of(page)
    assert RoundAnswer.objects.get(pk=answer.pk).state == ""


def test_a_draft_is_not_told_to_the_steward(play: Play, sign_in: SignIn) -> None:
    from backend.contributions.own import draft

    world = play("make_house")
    facts = {"worked_on": world.today, "description": "a secret commit", "minutes": 77}
    draft(contributor=world.users["bo"], budget=world.budget, facts=facts, source="f", form_key="d", now=world.now)
    steward = sign_in(world.users["sacha"])
    row = open_one(world, steward)
    page = text_of(steward.get(f"/en/rounds/{row.pk}/"))
    assert "1 h 17" not in page.replace("\u00a0", " ")
    assert "secret" not in page
    answer = RoundAnswer.objects.get(person=world.users["bo"])
    assert "a secret commit" in text_of(sign_in(world.users["bo"]).get(f"/en/rounds/answers/{answer.pk}/"))


def test_what_is_wrong_in_the_form_is_said_beside_its_field(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    steward = sign_in(world.users["sacha"])
    page = steward.post("/en/rounds/new/", {"form_key": "k", "budget": world.budget.pk, "first_day": "x"})
    assert page.status_code == 422
    assert not Round.objects.exists()
    assert set(page.context["form"].errors) == {"first_day", "last_day", "answer_by"}
