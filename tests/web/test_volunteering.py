"""The pages of volunteering: one's certificate, both sides of a year equal, a file that runs nothing, the rate."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.commons.models import Commons
from backend.contributions.services import declare, review
from backend.contributions.volunteering_models import TimeRate
from backend.documents.models import Document
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


@pytest.fixture
def world(play: Play) -> Any:
    """Bo gave an hour and a half."""
    world = play("make_house")
    row = declare(
        actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="development", minutes=90,
        description="Given", form_key="given", now=world.now,
    )  # fmt: skip
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    return world


def test_one_s_own_certificate(world: Any, sign_in: SignIn) -> None:
    bo = sign_in(world.users["bo"])
    assert 'href="/en/volunteering/"' in bo.get("/en/account/").content.decode()
    page = bo.get("/en/volunteering/")
    assert "Cartolibre" in text_of(page)
    assert "for the yearly accounts" not in text_of(page)
    made = bo.post("/en/volunteering/", {"year": world.today.year, "language": "en"}, follow=True)
    paper = Document.objects.get()
    assert "1 h 30" in text_of(made).replace("\u00a0", " ")
    assert made.redirect_chain[-1][0] == f"/en/documents/{paper.pk}/"
    assert paper.label == f"BV-{world.today.year}-0001"
    assert bo.get(f"/en/documents/{paper.pk}/file/").content.startswith(b"%PDF-")
    assert sign_in(world.users["camille"]).get(f"/en/documents/{paper.pk}/").status_code == 404


def test_a_year_without_volunteering_is_refused_beside_its_field(world: Any, sign_in: SignIn) -> None:
    page = sign_in(world.users["bo"]).post("/en/volunteering/", {"year": "1999", "language": "en"})
    assert page.status_code == 422
    assert not Document.objects.exists()


def test_who_gave_nothing_is_told_how(world: Any, sign_in: SignIn) -> None:
    assert "No volunteer work of yours was validated yet." in text_of(
        sign_in(world.users["ana"]).get("/en/volunteering/")
    )


def test_both_sides_are_equal_and_nothing_runs_in_the_file(world: Any, sign_in: SignIn) -> None:
    Commons.objects.filter(pk=world.commons.pk).update(name='=HYPERLINK("x")')
    claire, year = sign_in(world.users["claire"]), world.today.year
    address = f"/en/volunteering/{year}/"
    assert address in claire.get("/en/volunteering/").content.decode()
    assert "hours alone are shown" in text_of(claire.get(address))
    form = {"currency": "EUR", "amount": "20", "reason": "the minimum wage"}
    set_ = claire.post(f"{address}rate/", form, follow=True)
    assert "The value of an hour is set." in text_of(set_)
    page = text_of(claire.get(address))
    assert "864 Volunteers’ work €30.00" in page
    assert "875 Volunteering given €30.00" in page
    file = claire.get(f"/en/volunteering/{year}.csv")
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert [(row["account"], row["debit"], row["credit"]) for row in rows] == [
        ("864", "30.00", ""),
        ("875", "", "30.00"),
    ]
    assert {row["hours"] for row in rows} == {"1.50"}
    assert {row["commons"] for row in rows} == {'\'=HYPERLINK("x")'}


@pytest.mark.parametrize(
    ("changes", "field"), [({"amount": "0"}, "amount"), ({"amount": "2000"}, "amount"), ({"reason": ""}, "reason")]
)
def test_a_rate_that_does_not_fit_is_said_beside_its_field(
    world: Any, sign_in: SignIn, changes: dict[str, str], field: str
) -> None:
    form = {"currency": "EUR", "amount": "20", "reason": "wage", **changes}
    page = sign_in(world.users["claire"]).post(f"/en/volunteering/{world.today.year}/rate/", form)
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not TimeRate.objects.exists()


def test_a_steward_reads_their_commons(world: Any, sign_in: SignIn) -> None:
    sacha = sign_in(world.users["sacha"])
    page = text_of(sacha.get(f"/en/volunteering/{world.today.year}/"))
    assert "You see the budgets that you care for." in page
    assert "Set the value of an hour" not in page
