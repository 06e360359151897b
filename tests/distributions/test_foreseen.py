"""What is foreseen is what a closing books: kept back what was given too much, counted what nobody objected to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client

from backend.commons.models import Budget
from backend.contributions.adjustments import decide_adjustment, propose_adjustment
from backend.distributions.estimate import Estimate, estimate
from backend.identity.services import grant_role
from backend.operations import demo
from tests.api.conftest import shown
from tests.contributions.peers import CONSENT
from tests.distributions.pots import Pots, document_of
from tests.distributions.test_simulation import by, counts, given, run
from tests.web.test_public import text_of
from tests.web.test_work import DECLARE, facts


def too_much(pots: Pots, rule: str = "claims_pro", *, minutes: int = 0, amount: int = 0) -> Budget:
    """A pot whose first period gave bo too much; 30 euros came since, and work was validated for 50."""
    budget = pots.pot("Avance", "bo", "cy", rule=rule)
    pots.fund(budget, 100_00)
    booked = pots.work(budget, "bo", 60_00, 60)
    pots.work(budget, "cy", 40_00, 40)
    pots.approve(pots.close(budget))
    nour = pots.person("nour")
    demo.give_factor(nour)
    grant_role(user=nour, kind="steward", scope=budget.pk, granted_by=None, now=pots.now)
    row = propose_adjustment(
        actor=pots.person("sacha"), contribution_id=booked.pk, minutes=minutes, amount=amount,
        reason="Counted twice.", form_key="k", now=pots.now,
    )  # fmt: skip
    decide_adjustment(actor=nour, adjustment_id=row.pk, agrees=True, reason="", now=pots.now)
    pots.pass_days(1)
    pots.fund(budget, 30_00)
    pots.work(budget, "bo", 6_00, 30)
    pots.work(budget, "bo", 20_00, 100)
    pots.work(budget, "cy", 24_00, 120)
    return budget


def foresee(pots: Pots, budget: Budget, **imagined: Any) -> Estimate:
    """What bo is told now."""
    return estimate(actor=pots.person("bo"), budget=budget, now=pots.now, **imagined)


def test_the_simulation_and_the_estimate_give_what_the_closing_books(pots: Pots) -> None:
    budget = too_much(pots, amount=10_00)
    before = counts()
    (looked,) = run(pots, budget, document_of(budget))
    found = foresee(pots, budget)
    assert counts() == before
    assert (found.asked, found.held_back, found.minutes_held) == (16_00, 10_00, 0)
    made = pots.close(budget)
    assert pots.shares(made) == given(pots, looked) == {"bo": 12_00, "cy": 18_00}
    assert made.trace is not None
    assert looked["steps"] == made.trace["steps"]
    assert looked["persons"] == made.trace["persons"]
    assert (found.share, found.available) == (12_00, 30_00)


def test_imagined_work_bears_what_the_other_work_did_not(pots: Pots) -> None:
    budget = too_much(pots, amount=40_00)
    found = foresee(pots, budget, minutes=60, amount=25_00)
    assert (found.asked, found.held_back) == (11_00, 40_00)
    made = pots.work(budget, "bo", 25_00, 60)
    distribution = pots.close(budget)
    assert pots.shares(distribution)["bo"] == found.share == found.of_this
    made.refresh_from_db()
    assert (made.amount, made.held_back) == (11_00, 14_00)


def test_where_time_is_shared_minutes_are_foreseen_as_kept_back(pots: Pots) -> None:
    budget = too_much(pots, "weighted", minutes=45)
    (looked,) = run(pots, budget, document_of(budget))
    found = foresee(pots, budget)
    assert (found.held_back, found.minutes_held) == (0, 45)
    made = pots.close(budget)
    assert pots.shares(made) == given(pots, looked)
    assert pots.shares(made)["bo"] == found.share == 12_44  # 85 of 205 minutes of 30 euros
    assert made.trace is not None
    assert looked["persons"] == made.trace["persons"]


def test_another_charter_keeps_back_what_it_reads(pots: Pots) -> None:
    budget = too_much(pots, amount=10_00)
    by_time, by_request = run(pots, budget, by("weighted"), by("claims_cea"))
    assert sum(line["validated"] for line in by_time["inputs"]["lines"]) == 250
    assert [line["claim"] for line in by_time["inputs"]["lines"]] == [6_00, 20_00, 24_00]
    assert [line["claim"] for line in by_request["inputs"]["lines"]] == [0, 16_00, 24_00]


def test_what_nobody_objected_to_in_time_counts_as_the_closing_counts_it(pots: Pots) -> None:
    budget = pots.pot("Accord", "bo", "cy", **CONSENT)
    pots.fund(budget, 30_00)
    pots.work(budget, "bo", 40_00, 60, approved=False)
    pots.world.now += timedelta(days=7, minutes=1)
    pots.work(budget, "cy", 20_00, 60, approved=False)
    (looked,) = run(pots, budget, document_of(budget))
    made = pots.close(budget)
    assert pots.shares(made) == given(pots, looked) == {"bo": 30_00}
    assert made.trace is not None
    assert looked["inputs"] == made.trace["inputs"]


def test_the_page_and_the_api_say_what_is_kept_back(
    pots: Pots, call: Callable[..., Any], sign_in: Callable[..., Client]
) -> None:
    budget = too_much(pots, amount=10_00)
    bo = pots.person("bo")
    body = shown(call(bo).get(f"budgets/{budget.pk}/estimate"), 200)
    assert (body["asked"]["value"], body["share"]["value"], body["minutes_held"]) == (16_00, 12_00, 0)
    assert body["held_back"] == {"value": 10_00, "currency": "EUR"}
    sent = facts(pots.world, budget=budget.pk, amount="0") | {"act": "estimate"}
    text = text_of(sign_in(bo).post(DECLARE, sent))
    assert "You ask in all €16.00 Kept back €10.00 since earlier work was given too much You would receive" in text
    quiet = text_of(sign_in(pots.person("cy")).post(DECLARE, sent))
    assert "You would receive" in quiet
    assert "Kept back" not in quiet


def test_the_api_tells_what_corrects_and_what_was_kept_back(pots: Pots, call: Callable[..., Any]) -> None:
    budget = too_much(pots, amount=10_00)
    pots.close(budget)
    bo = call(pots.person("bo"))
    rows = shown(bo.get(f"contributions?budget={budget.pk}&contributor=me"), 200)["data"]
    assert [(row["amount"]["value"], row["held_back"]["value"], row["minutes_held"]) for row in rows] == [
        (16_00, 4_00, 0), (0, 6_00, 0), (60_00, 0, 0),
    ]  # fmt: skip
    assert [row["corrects"] for row in rows] == [None] * 3
    one = shown(bo.get(f"contributions/{rows[0]['id']}"), 200)
    assert one["held_back"] == {"value": 4_00, "currency": "EUR"}
