"""The certificate of volunteering says what was given back of shares, apart from the value of time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from backend.contributions.services import declare, review
from backend.contributions.volunteering import GivenBack, set_rate, year_of
from backend.core.errors import Conflict
from backend.distributions.given_back import certify_volunteering, given_back, years_given
from backend.documents.services import body_of, file_of
from backend.identity.services import host_day
from backend.ledger.services import entry_count
from tests.distributions.test_papers import waived
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Any]


@pytest.fixture
def world(play: Play) -> Any:
    """Bo gave back 7 of the 57 of a share, and may give more."""
    world = play("approve_distribution", now=datetime(2026, 3, 20, 12, tzinfo=ZoneInfo("Europe/Paris")))
    waived(world, "k", 7_00)
    return world


def certificate(world: Any, who: str = "bo", language: str = "fr") -> list[Any]:
    year = year_of(host_day(world.now))
    return certify_volunteering(actor=world.users[who], year=year, language=language, now=world.now)


def plain(rows: list[Any]) -> list[Any]:
    return [[cell.replace("\u202f", " ").replace("\xa0", " ") for cell in row] for row in rows]


def timed(world: Any, minutes: int = 90) -> None:
    """Bo worked for nothing on the day after, at 20 an hour."""
    later = world.now + timedelta(days=1)
    row = declare(
        actor=world.users["bo"], budget=world.budget, worked_on=host_day(later), kind="development",
        minutes=minutes, amount=0, description="Given", form_key="t", now=later,
    )  # fmt: skip
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=later)
    set_rate(
        actor=world.users["claire"], year=year_of(host_day(world.now)), currency="EUR", amount=20_00, reason="wage",
        now=world.now,
    )  # fmt: skip


def test_a_share_given_back_is_certified_without_any_time(world: Any) -> None:
    booked = entry_count()
    (paper,) = certificate(world)
    body = body_of(paper)
    assert body["table"]["heads"] == ["Désignation", "Temps", "Rendu sur rétributions"]
    assert plain(body["table"]["rows"]) == [["Cartolibre", "–", "7,00 €"]]
    assert plain([body["table"]["total"]]) == [["Total", "0 h 00", "7,00 €"]]
    assert any("ne s’y ajoutent pas" in note for note in body["notes"])
    assert (paper.total, entry_count()) == (0, booked)
    assert file_of(paper).startswith(b"%PDF-")
    assert certificate(world) == [paper]


def test_valued_time_and_what_was_given_back_stand_apart(world: Any) -> None:
    timed(world)
    (paper,) = certificate(world, language="en")
    body = body_of(paper)
    assert body["table"]["heads"] == ["Description", "Time", "Indicative value", "Given back of shares"]
    assert plain(body["table"]["rows"]) == [
        ["Cartolibre", "1 h 30", "€30.00", "–"],
        ["Cartolibre", "–", "–", "€7.00"],
    ]
    assert plain([body["table"]["total"]]) == [["Total", "1 h 30", "€30.00", "€7.00"]]
    assert paper.total == 30_00


def test_more_given_back_gives_another_certificate(world: Any) -> None:
    (first,) = certificate(world)
    waived(world, "more", None)
    (second,) = certificate(world)
    assert second.number == first.number + 1
    assert plain(body_of(second)["table"]["rows"]) == [["Cartolibre", "–", "57,00 €"]]


def test_it_is_of_the_year_in_which_it_was_given_back_and_of_its_person(world: Any) -> None:
    today = host_day(world.now)
    year = year_of(today)
    bo = world.users["bo"]
    assert given_back(bo, year=year) == [GivenBack("Cartolibre", "EUR", 7_00)]
    assert given_back(bo, year=year - 1) == []
    assert years_given(bo, today=today + timedelta(days=800)) == [year]
    assert years_given(world.users["camille"], today=today) == []
    with pytest.raises(Conflict) as refusal:
        certificate(world, "camille")
    assert refusal.value.code == "no_volunteering"


def test_the_page_shows_both_and_makes_the_paper(world: Any, sign_in: SignIn) -> None:
    bo = sign_in(world.users["bo"])
    assert "Given back of your shares" in text_of(bo.get("/en/volunteering/"))
    assert "€7.00" in text_of(bo.get("/en/volunteering/"))
    year = year_of(host_day(world.now))
    made = bo.post("/en/volunteering/", {"year": year, "language": "en"}, follow=True)
    assert "Given back of shares" in text_of(made)
    assert "Given back of your shares" not in text_of(sign_in(world.users["camille"]).get("/en/volunteering/"))
