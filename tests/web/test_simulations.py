"""The page that puts several rules side by side over one period: exact amounts, nothing kept, nobody else's period."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.commons.models import Charter
from backend.commons.services import adopt_charter
from backend.contributions.models import Contribution
from backend.contributions.services import declare, review
from backend.distributions.models import Distribution
from backend.events.models import Event
from backend.ledger.services import entry_count
from backend.web.side_by_side import validated_minutes
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def rows_kept() -> tuple[int, ...]:
    """How many rows a simulation could have left behind."""
    return (
        Distribution.objects.count(), Charter.objects.count(), Contribution.objects.count(), Event.objects.count(),
        entry_count(),
    )  # fmt: skip


def test_an_open_period_under_its_charter_and_the_usual_others(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    before = rows_kept()
    answer = sign_in(world.users["claire"]).get(f"/en/periods/{world.period.pk}/simulate/")
    text = text_of(answer)
    # 95 € for 60 and 40: pro rata 57/38; small requests first 55/40; half of each, then the same loss 57.50/37.50.
    assert "Its charter: pro rata of the validated requests Small requests first Half of each request first" in text
    assert "Bo Nguyen €60.00 3 h €57.00 €55.00 − €2.00 €57.50 + €0.50" in text
    assert "Camille Faure €40.00 2 h €38.00 €40.00 + €2.00 €37.50 − €0.50" in text
    assert "Shared €100.00 5 h €95.00 €95.00 €95.00" in text
    assert "the money is what the pot holds now" in text
    assert "no-store" in answer.headers["Cache-Control"]
    assert rows_kept() == before


def test_the_rules_are_chosen_and_a_closed_period_stays_as_it_was_frozen(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    path = f"/en/periods/{world.period.pk}/simulate/"
    browser = sign_in(world.users["bo"])
    text = text_of(browser.get(path, {"compare": "1", "rule": ["equal", "weighted", "nonsense"], "version": "x"}))
    assert "Bo Nguyen €60.00 3 h €57.00 €47.50 − €9.50 €57.00" in text
    assert "those frozen when the period was closed" in text
    assert "Count the work that is not reviewed yet" not in text
    alone = text_of(browser.get(path, {"compare": "1"}))
    assert "Bo Nguyen €60.00 3 h €57.00 Camille" in alone


def test_declared_work_counts_when_asked(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    declare(
        actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=60, amount=90_00,
        description="Answered questions", form_key="late", now=world.now,
    )  # fmt: skip
    browser = sign_in(world.users["sacha"])
    path = f"/en/periods/{world.period.pk}/simulate/"
    assert "Bo Nguyen €60.00 3 h €57.00" in text_of(browser.get(path, {"compare": "1"}))
    # 95 € for 150 and 40 asked: exactly half.
    assert "Bo Nguyen €150.00 4 h €75.00" in text_of(browser.get(path, {"compare": "1", "declared": "1"}))


def test_another_version_of_the_charter(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    document = world.period.charter.document
    tiers = [{**document["tiers"][0], "rule": "equal"}]
    adopt_charter(actor=world.users["sacha"], budget=world.budget, document={**document, "tiers": tiers}, now=world.now)
    answer = sign_in(world.users["sacha"]).get(
        f"/en/periods/{world.period.pk}/simulate/", {"compare": "1", "version": "2"}
    )
    text = text_of(answer)
    assert "Version 2: the same for everyone" in text
    assert "Bo Nguyen €60.00 3 h €57.00 €47.50" in text


def test_a_rule_that_the_charter_s_terms_do_not_allow_is_said_not_computed(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    document = {**world.period.charter.document, "bounds": {**world.period.charter.document["bounds"], "floor": 10_00}}
    adopt_charter(actor=world.users["sacha"], budget=world.budget, document=document, now=world.now)
    world.period.refresh_from_db()
    period = world.period
    period.charter = Charter.objects.get(version=2)
    period.save(update_fields=["charter"])
    answer = sign_in(world.users["sacha"]).get(
        f"/en/periods/{period.pk}/simulate/", {"compare": "1", "rule": ["as_asked", "claims_cea"]}
    )
    text = text_of(answer)
    assert answer.status_code == 200
    assert "Left out, because the charter’s other terms do not allow it: in the order of validation" in text
    assert "Bo Nguyen €60.00 3 h €57.00 €55.00" in text


def test_an_empty_period_says_so(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    text = text_of(sign_in(world.users["sacha"]).get(f"/en/periods/{world.period.pk}/simulate/"))
    assert "Nobody would receive anything: no work is validated in this period." in text


@pytest.mark.parametrize("who", ["ana", ""])
def test_others_see_no_simulation(play: Play, sign_in: SignIn, client: Client, who: str) -> None:
    world = play("work")
    browser = sign_in(world.users[who]) if who else client
    answer = browser.get(f"/en/periods/{world.period.pk}/simulate/")
    assert answer.status_code == (404 if who else 302)


def test_work_is_reviewed_by_then(play: Play, sign_in: SignIn) -> None:
    """A rejected contribution is in no simulation, even when undeclared work counts."""
    world = play("work")
    late = declare(
        actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=60, amount=90_00,
        description="Answered questions", form_key="late", now=world.now,
    )  # fmt: skip
    review(actor=world.users["sacha"], contribution_id=late.pk, verdict="reject", reason="Twice", now=world.now)
    answer = sign_in(world.users["sacha"]).get(
        f"/en/periods/{world.period.pk}/simulate/", {"compare": "1", "declared": "1"}
    )
    assert "Bo Nguyen €60.00 3 h €57.00" in text_of(answer)


def test_time_is_that_of_the_period_not_what_a_rule_reads_of_earlier_ones() -> None:
    lines = [{"person": "ana", "validated": 60}, {"person": "bo", "validated": 45}, {"person": "ana", "validated": 30}]
    past = [{"person": "ana", "kind": "review", "minutes": 600, "age": 1}]
    assert validated_minutes({"inputs": {"lines": lines, "history": past}}) == {"ana": 90, "bo": 45}
