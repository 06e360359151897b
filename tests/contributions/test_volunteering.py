"""Volunteering: which minutes are given, what they are valued at, the certificate, the figures of a year."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from backend.commons.services import create_commons, root_budget
from backend.contributions.models import Contribution
from backend.contributions.own import waive
from backend.contributions.services import declare, review
from backend.contributions.volunteering import certify_time, figures, own_years, set_rate
from backend.contributions.volunteering_models import TimeRate
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.documents.models import Document
from backend.documents.services import body_of, file_of
from backend.events.models import Event
from backend.identity.models import Host
from backend.identity.services import grant_role
from backend.ledger.services import entry_count
from tests.concurrency import at_once
from tests.contributions.test_contributions import under

Play = Callable[..., Any]
NOON = datetime(2026, 3, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))
DAY = timedelta(days=1)
YEAR = 2026


@pytest.fixture
def world(play: Play) -> Any:
    """The house on a day in March."""
    return play("make_house", now=NOON)


def done(world: Any, who: str = "bo", *, approved: bool = True, says: int | None = None, **facts: Any) -> Contribution:
    """Work of this day, approved unless told otherwise."""
    given: dict[str, Any] = {
        "budget": world.budget, "worked_on": world.today, "kind": "development", "minutes": 100, "amount": 0,
        "description": "Given", "form_key": f"{who}-{Contribution.objects.count()}", "now": world.now, **facts,
    }  # fmt: skip
    row = declare(actor=world.users[who], **given)
    if approved:
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", minutes=says, now=world.now)
    return row


def given(world: Any, who: str = "claire", year: int = YEAR) -> list[tuple[str, int, int, int | None]]:
    """Name, minutes, people and value of each line of a year."""
    return [(one.name, one.minutes, len(one.people), one.amount) for one in figures(actor=world.users[who], year=year)]


def rate(world: Any, amount: int = 20_00, year: int = YEAR, who: str = "claire", **changes: Any) -> TimeRate:
    """A treasurer sets the value of an hour."""
    facts = {"currency": "EUR", "reason": "the minimum wage", "now": world.now, **changes}
    return set_rate(actor=world.users[who], year=year, amount=amount, **facts)


def test_validated_work_for_nothing_is_given(world: Any) -> None:
    done(world)
    done(world, "camille", minutes=50)
    done(world, "bo", approved=False)
    done(world, "bo", amount=45_00)
    assert given(world) == [("Cartolibre", 150, 2, None)]


def test_what_reviewers_validated_counts_and_not_what_was_declared(world: Any) -> None:
    done(world, says=40)
    assert given(world) == [("Cartolibre", 40, 1, None)]


def test_what_is_given_up_counts_for_its_part(world: Any) -> None:
    part, whole, early = (
        done(world, amount=40_00),
        done(world, amount=40_00),
        done(world, amount=40_00, approved=False),
    )
    waive(actor=world.users["bo"], contribution_id=part.pk, amount=10_00, now=world.now)
    assert given(world) == [("Cartolibre", 25, 1, None)]
    waive(actor=world.users["bo"], contribution_id=whole.pk, now=world.now)
    waive(actor=world.users["bo"], contribution_id=early.pk, now=world.now)  # nobody had validated it
    assert given(world) == [("Cartolibre", 125, 1, None)]


def test_time_that_is_shared_out_is_not_given_unless_waived(world: Any) -> None:
    under(world, tiers=[{"id": "general", "rule": "weighted", "take": {"rest": True}}])
    one = done(world)
    assert not one.amount_counts
    assert given(world) == []
    waive(actor=world.users["bo"], contribution_id=one.pk, now=world.now)
    assert given(world) == [("Cartolibre", 100, 1, None)]


def test_an_expense_is_no_time(world: Any) -> None:
    under(world, kinds={"development": 1000, "expense": 1000})
    row = done(world, kind="expense", minutes=0, amount=10_00, evidence=["https://example.org/r"])
    waive(actor=world.users["bo"], contribution_id=row.pk, amount=9_00, now=world.now)
    assert given(world) == []


def test_the_rate_of_a_year_holds_for_it_and_after(world: Any) -> None:
    done(world, minutes=90)
    assert given(world) == [("Cartolibre", 90, 1, None)]
    rate(world, 20_00, YEAR - 1)
    assert given(world) == [("Cartolibre", 90, 1, 30_00)]
    rate(world, 22_01, YEAR)
    rate(world, 99_00, YEAR + 1)
    assert given(world) == [("Cartolibre", 90, 1, 33_02)]  # 33.015
    before = entry_count()
    assert rate(world, 22_00, YEAR).amount == 22_00
    assert given(world) == [("Cartolibre", 90, 1, 33_00)]
    assert entry_count() == before
    told = Event.objects.filter(kind="volunteering.rate_set").latest("created_at", "id")
    assert (told.before, told.after) == (
        {"amount": 22_01, "reason": "the minimum wage"}, {"amount": 22_00, "reason": "the minimum wage"},
    )  # fmt: skip


def test_the_same_rate_twice_is_told_once(world: Any) -> None:
    assert rate(world) == rate(world)
    assert Event.objects.filter(kind="volunteering.rate_set").count() == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 0}, "amount_out_of_range"),
        ({"amount": 1_000_01}, "rate_too_high"),
        ({"currency": "XXX"}, "unknown_currency"),
        ({"reason": "  "}, "rate_reason"),
        ({"reason": "x" * 201}, "rate_reason"),
        ({"year": 26}, "year_unknown"),
    ],
)
def test_a_rate_that_is_refused(world: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        rate(world, **changes)
    assert refusal.value.code == code
    assert not TimeRate.objects.exists()


@pytest.mark.parametrize("who", ["bo", "sacha", "ana"])
def test_treasurers_alone_set_it(world: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        rate(world, who=who)
    assert not TimeRate.objects.exists()


def test_two_treasurers_at_once_leave_one_rate(committed: str, play: Play) -> None:
    world = play("make_house", now=NOON)
    at_once(lambda number: rate(world, 20_00 + number, who=["claire", "denis"][number]), times=2)
    assert TimeRate.objects.count() == 1
    assert Event.objects.filter(kind="volunteering.rate_set").count() == 2


def test_a_fiscal_year_is_that_of_the_host(world: Any) -> None:
    Host.objects.update(fiscal_year_starts_on=9)
    done(world)
    assert given(world, year=YEAR) == []
    assert given(world, year=YEAR - 1) == [("Cartolibre", 100, 1, None)]


def test_stewards_read_their_own_budgets_and_contributors_none(world: Any) -> None:
    second = create_commons(
        name="Semences", summary="Des semences.", currency="EUR", steward=world.users["denis"],
        first_day=world.today - DAY, end_before=world.today + DAY, now=world.now,
    )  # fmt: skip
    grant_role(user=world.users["bo"], kind="contributor", scope=root_budget(second).pk, granted_by=None, now=world.now)
    done(world)
    other = done(world, budget=root_budget(second), approved=False)
    review(actor=world.users["denis"], contribution_id=other.pk, verdict="approve", now=world.now)
    assert [line[0] for line in given(world, "claire")] == ["Cartolibre", "Semences"]
    assert [line[0] for line in given(world, "sacha")] == ["Cartolibre"]
    with pytest.raises(Forbidden):
        given(world, "bo")
    for year in (0, 1999, 10_000):
        with pytest.raises(Invalid):
            given(world, year=year)


def test_a_certificate_says_hours_and_value_and_is_one_for_its_figures(world: Any) -> None:
    done(world, minutes=90)
    (first,) = certify_time(actor=world.users["bo"], year=YEAR, language="fr", now=world.now)
    assert (first.label, first.total, first.person) == ("BV-2026-0001", 0, world.users["bo"])
    body = body_of(first)
    assert body["title"] == "Attestation de bénévolat BV-2026-0001"
    assert body["party"]["name"] == "Bo Nguyen"
    assert body["table"] == {
        "heads": ["Désignation", "Temps"], "rows": [["Cartolibre", "1 h 30"]], "total": ["Total", "1 h 30"],
    }  # fmt: skip
    assert "n’ouvre droit à aucune réduction d’impôt" in body["notes"][0]
    assert ["Période", "du 1er janvier 2026 au 20 mars 2026"] in body["facts"]
    assert certify_time(actor=world.users["bo"], year=YEAR, language="fr", now=world.now) == [first]
    rate(world)
    (second,) = certify_time(actor=world.users["bo"], year=YEAR, language="en", now=world.now)
    assert (second.label, second.total) == ("BV-2026-0002", 30_00)
    told = body_of(second)
    assert told["table"]["rows"] == [["Cartolibre", "1 h 30", "€30.00"]]
    assert ["Indicative rate", "€20.00 an hour"] in told["facts"]
    assert "not a tax receipt" in told["notes"][0]
    assert told["pay"] is None
    file = file_of(second)
    assert file.startswith(b"%PDF-")
    assert b"/MarkInfo" in file  # tagged
    assert b"pdfuaid" in file


def test_who_gave_nothing_gets_no_certificate(world: Any) -> None:
    done(world, "camille")
    with pytest.raises(Conflict) as refusal:
        certify_time(actor=world.users["bo"], year=YEAR, language="fr", now=world.now)
    assert refusal.value.code == "no_volunteering"
    assert not Document.objects.exists()
    assert own_years(world.users["bo"], today=world.today) == []
    assert [year for year, _given in own_years(world.users["camille"], today=world.today)] == [YEAR]
