"""Fields that no browser sends, beside the forms: NUL, halves of characters, megabytes; never an error of ours."""

from pathlib import Path
from typing import Any

import pytest
from django import forms

from backend.contributions.models import Contribution, Import
from backend.contributions.rounds import open_round
from backend.web import forms_days
from backend.web.forms_days import DayField
from backend.web.uploads import Choices, Stash
from tests.contributions.peers import Play, say
from tests.privacy.test_merging import DAY

WEB = Path(forms_days.__file__).parent
ODD = ["\0", "a\0b", "\ud800", "\u202egnol", "x" * 200_000, "<script>alert(1)</script>", "{{ 7|add:7 }}"]


@pytest.mark.parametrize("odd", ODD, ids=["nul", "nul inside", "half", "turned", "long", "script", "template"])
def test_what_is_missing_in_a_round(play: Play, sign_in: Any, odd: str) -> None:
    world = play("make_house")
    say(world)
    opened = open_round(
        actor=world.users["sacha"], budget=world.budget, first_day=world.today - DAY, last_day=world.today,
        answer_by=world.today + 7 * DAY, form_key="r", now=world.now,
    )  # fmt: skip
    answer = opened.answers.get(person=world.users["bo"])
    bo, address = sign_in(world.users["bo"]), f"/en/rounds/answers/{answer.pk}/"
    listed = bo.get(address).context["known"].listed
    odd = odd.encode("utf-8", "replace").decode() if odd != "\ud800" else "\\ud800"
    page = bo.post(address, {"answer": "missing", "listed": listed, "missing": odd})
    assert page.status_code in {302, 400, 422}
    answer.refresh_from_db()
    assert answer.state == ("missing" if page.status_code == 302 else "")
    assert "\0" not in answer.missing
    assert "\u202e" not in answer.missing
    seen = sign_in(world.users["sacha"]).get(f"/en/rounds/{opened.pk}/").content.decode()
    assert "<script>alert" not in seen
    for field in ("answer", "listed"):
        sent = {"answer": "missing", "listed": listed, "missing": "one day", field: odd}
        assert bo.post(address, sent).status_code in {302, 400, 409, 422}


@pytest.mark.parametrize("field", ["stash", "budget", "step"])
@pytest.mark.parametrize("odd", ["\0", "a\0b", "x" * 200_000], ids=["nul", "nul inside", "long"])
def test_an_import_that_no_page_sends(play: Play, sign_in: Any, field: str, odd: str) -> None:
    world = play("make_house")
    bo = sign_in(world.users["bo"])
    page = bo.post("/en/work/import/", {"stash": "unknown", "budget": world.budget.pk, "step": "keep", field: odd})
    assert page.status_code in {400, 404, 422}
    assert (Contribution.objects.count(), Import.objects.count()) == (0, 0)


def test_what_was_chosen_for_a_file_is_not_read_as_the_file(play: Play) -> None:
    bo = play("make_house").users["bo"]
    token = Stash.keep(bo, b"a file")
    Stash.choose(bo, token, Choices())
    assert Stash.read(bo, token) == b"a file"
    assert [Stash.read(bo, odd) for odd in (f"{token}:choices", "", "x" * 200_000)] == [None] * 3


@pytest.mark.parametrize("typed", ["0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31"])
def test_a_day_at_the_end_of_the_calendar(typed: str) -> None:
    class Form(forms.Form):
        on = DayField(label="Day")

    form = Form({"on": typed})
    assert not form.is_valid()
    assert form["on"].errors == ["Write the day as 2026-03-31 or 31/03/2026."]


def test_every_form_asks_for_days_with_the_one_field() -> None:
    """Django's own field takes the first day of year 1, which no time zone west of it can tell."""
    of_django = [path.name for path in sorted(WEB.glob("*.py")) if "forms.DateField(" in path.read_text()]
    assert of_django == []
