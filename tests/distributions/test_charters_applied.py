"""What a charter says is what a closing does: rules, tiers, envelopes, waterfall, earlier periods, to the cent."""

from datetime import timedelta
from typing import Any

import pytest

from backend.commons.models import Charter, Period
from backend.commons.services import adopt_charter
from backend.contributions.models import Contribution
from backend.contributions.services import review
from backend.core.errors import Conflict
from backend.distributions.models import Distribution
from backend.distributions.services import about_to_be_shared, about_to_receive, close_period, committed
from backend.distributions.snapshot import earlier
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Line, balance, entry_count, open_account, post
from tests.concurrency import at_once
from tests.distributions.pots import Pots, document_of, held

ROW_33 = {"ana": 6000_00, "bo": 4500_00, "cy": 3000_00, "di": 1500_00}
GIVEN = {
    "claims_pro": [4000_00, 3000_00, 2000_00, 1000_00],
    "claims_cea": [2833_34, 2833_33, 2833_33, 1500_00],
    "claims_cel": [4750_00, 3250_00, 1750_00, 250_00],
    "claims_talmud": [4583_34, 3083_33, 1583_33, 750_00],
}


@pytest.mark.parametrize("rule", GIVEN)
def test_ten_thousand_for_fifteen_thousand_of_requests(pots: Pots, rule: str) -> None:
    budget = pots.pot("Opteos", *ROW_33, rule=rule)
    pots.fund(budget, 10_000_00)
    for name, amount in ROW_33.items():
        pots.work(budget, name, amount)
    made = pots.close(budget)
    assert pots.shares(made) == dict(zip(ROW_33, GIVEN[rule], strict=True))
    assert pots.parts(made) == {(name, "Opteos"): cents for name, cents in pots.shares(made).items()}
    assert (held(budget), about_to_be_shared(budget)) == (10_000_00, 10_000_00)
    pots.approve(made)
    assert (held(budget), about_to_be_shared(budget)) == (0, 0)
    settled = {pots.names()[one.contributor_id]: one.settled_amount for one in Contribution.objects.all()}
    assert settled == dict(zip(ROW_33, GIVEN[rule], strict=True))
    owed = [balance(kind="payee", owner=one.payee_id, currency="EUR") for one in made.shares.order_by("-asked")]
    assert owed == GIVEN[rule]


def test_the_first_validated_is_served_first(pots: Pots) -> None:
    budget = pots.pot("File", "ana", "bo", rule="as_asked")
    pots.fund(budget, 100_00)
    late = pots.work(budget, "ana", 60_00, approved=False)
    pots.work(budget, "bo", 70_00)
    pots.world.now += timedelta(minutes=1)
    review(actor=pots.world.users["sacha"], contribution_id=late.pk, verdict="approve", now=pots.now)
    assert pots.shares(pots.close(budget)) == {"ana": 30_00, "bo": 70_00}


def test_validated_time_is_shared_and_requests_are_not_read(pots: Pots) -> None:
    kinds = {"development": 1000, "review": 1500}
    budget = pots.pot("Heures", "ana", "bo", "cy", rule="weighted", kinds=kinds)
    pots.fund(budget, 300_00)
    pots.work(budget, "ana", 999_00, 60)
    pots.work(budget, "bo", 0, 240, kind="review", validated=40)
    pots.work(budget, "cy", 5_00)  # asks, and worked no time
    assert committed([budget.pk]) == {}
    made = pots.close(budget)
    # 60 × 1 and 40 × 1.5 are the same weight.
    assert pots.shares(made) == {"ana": 150_00, "bo": 150_00, "cy": 0}
    pots.approve(made)
    assert {one.settled_amount for one in Contribution.objects.filter(contributor=pots.person("bo"))} == {150_00}


def test_expenses_first_then_a_part_equally_then_by_time(pots: Pots) -> None:
    tiers = [
        {"id": "expenses", "rule": "claims_pro", "kinds": ["expense"], "take": {"rest": True}, "reimburses": True},
        {"id": "equal", "rule": "equal", "kinds": ["development"], "take": {"bp": 3000, "of": "left"}},
        {"id": "time", "rule": "weighted", "kinds": ["development"], "take": {"rest": True}},
    ]
    budget = pots.pot("Paliers", "ana", "bo", tiers=tiers, kinds={"development": 1000, "expense": 1000})
    pots.fund(budget, 1_050_00)
    pots.work(budget, "ana", 50_00, kind="expense")
    pots.work(budget, "ana", 0, 180)
    pots.work(budget, "bo", 0, 60)
    assert committed([budget.pk]) == {budget.pk: 50_00}
    made = pots.close(budget)
    # 50 of expenses; 300 equally; 700 by time, 3 to 1.
    assert pots.shares(made) == {"ana": 50_00 + 150_00 + 525_00, "bo": 150_00 + 175_00}
    pots.approve(made)
    assert held(budget) == 0


def test_a_claim_is_met_by_its_envelope_first(pots: Pots) -> None:
    budget = pots.pot("Bourse", "ana", "bo", "cy")
    issue, access = pots.envelope(budget, "Ticket"), pots.envelope(budget, "Accès")
    pots.fund(budget, 600_00)
    pots.fund(issue, 500_00)
    pots.fund(access, 300_00)
    pots.work(issue, "ana", 300_00)
    pots.work(budget, "ana", 200_00)
    pots.work(access, "bo", 400_00)
    pots.work(budget, "cy", 600_00)
    made = pots.close(budget)
    assert made.pot == 1_400_00
    assert pots.shares(made) == {"ana": 433_33, "bo": 366_67, "cy": 400_00}
    assert pots.parts(made) == {
        ("ana", "Ticket"): 300_00, ("ana", "Bourse"): 133_33, ("bo", "Accès"): 300_00, ("bo", "Bourse"): 66_67,
        ("cy", "Bourse"): 400_00,
    }  # fmt: skip
    assert [about_to_be_shared(one) for one in (budget, issue, access)] == [600_00, 300_00, 300_00]
    before = entry_count()
    pots.approve(made)
    assert entry_count() == before + 3  # one for each purse that gave something
    assert [held(one) for one in (budget, issue, access)] == [0, 200_00, 0]


@pytest.mark.parametrize(
    ("weights", "given"),
    [
        ("add", {"ana": 450_00, "bo": 495_00, "cy": 255_00}),
        ("offset", {"ana": 600_00, "bo": 360_00, "cy": 240_00}),
    ],
)
def test_time_in_an_envelope_adds_to_it_or_is_offset(pots: Pots, weights: str, given: dict[str, int]) -> None:
    budget = pots.pot("Temps", "ana", "bo", "cy", rule="weighted", earmarks={"weights": weights, "leftover": "hold"})
    inside = pots.envelope(budget, "Fonction")
    pots.fund(budget, 900_00)
    pots.fund(inside, 300_00)
    pots.work(budget, "ana", 0, 500)
    pots.work(inside, "bo", 0, 300)
    pots.work(inside, "cy", 0, 100)
    pots.work(budget, "cy", 0, 100)
    assert pots.shares(pots.close(budget)) == given


def test_what_an_envelope_has_left_goes_back_when_the_charter_says_so(pots: Pots) -> None:
    budget = pots.pot("Retour", "ana", "bo", earmarks={"weights": "add", "leftover": "release"})
    inside = pots.envelope(budget, "Ticket")
    pots.fund(inside, 500_00)
    pots.work(inside, "ana", 300_00)
    pots.work(budget, "bo", 150_00)
    made = pots.close(budget)
    assert pots.parts(made) == {("ana", "Ticket"): 300_00, ("bo", "Retour"): 150_00}
    assert list(made.moves.values_list("kind", "source", "target", "amount")) == [
        ("release", inside.pk, budget.pk, 200_00)
    ]
    assert [about_to_be_shared(one) for one in (budget, inside)] == [0, 500_00]
    pots.approve(made)
    assert [held(one) for one in (budget, inside)] == [50_00, 0]


def test_an_envelope_with_rules_of_its_own_is_left_alone(pots: Pots) -> None:
    budget = pots.pot("Double", "ana")
    inside = pots.envelope(budget, "À part", own_rules=True)
    pots.fund(budget, 100_00)
    pots.fund(inside, 70_00)
    pots.work(budget, "ana", 500_00)
    pots.work(inside, "ana", 30_00)
    made = pots.close(budget)
    assert (made.pot, pots.parts(made)) == (100_00, {("ana", "Double"): 100_00})
    pots.approve(made)
    assert held(inside) == 70_00
    assert pots.parts(pots.close(inside)) == {("ana", "À part"): 30_00}


def waterfall(distribution: Distribution) -> dict[str, int]:
    """Step → amount, of the waterfall of a trace."""
    assert distribution.trace is not None
    return {row["step"]: row["amount"] for row in distribution.trace["waterfall"]}


def test_money_goes_upstream_and_counts_in_the_next_closing_there(pots: Pots) -> None:
    library = pots.pot("Biblio", "cy", reserve={"bp": 1000, "target": None})
    application = pots.pot(
        "Appli", "ana", reserve={"bp": 500, "target": 40_00}, upstream=[{"to": library.pk, "bp": 1000}]
    )
    pots.fund(application, 1_000_00)
    pots.work(application, "ana", 800_00)
    made = pots.close(application)
    assert waterfall(made) == {
        "receipts": 1_052_63, "fees": 52_63, "upstream_in": 0, "base": 1_000_00, "upstream": 100_00, "reserve": 40_00,
        "carried": 0, "to_share": 860_00,
    }  # fmt: skip
    assert sorted(made.moves.values_list("kind", "target__name", "amount")) == [
        ("reserve", "Appli", 40_00), ("upstream", "Biblio", 100_00),
    ]  # fmt: skip
    assert (about_to_be_shared(application), about_to_receive(library)) == (940_00, True)
    before = entry_count()
    pots.approve(made)
    assert entry_count() == before + 3
    assert (held(application), held(application, "reserve"), held(library)) == (60_00, 40_00, 100_00)
    assert about_to_receive(library) is False
    pots.work(library, "cy", 50_00)
    next_door = pots.close(library)
    assert waterfall(next_door) == {
        "receipts": 0, "fees": 0, "upstream_in": 100_00, "base": 100_00, "reserve": 10_00, "carried": 0,
        "to_share": 90_00,
    }  # fmt: skip
    pots.approve(next_door)
    # The next closing counts what came since, not what was carried.
    pots.pass_days(30)
    pots.fund(application, 50_00)
    again = pots.close(application)
    assert waterfall(again) == {
        "receipts": 52_63, "fees": 2_63, "upstream_in": 0, "base": 50_00, "upstream": 5_00, "reserve": 0,
        "carried": 60_00, "to_share": 105_00,
    }  # fmt: skip


def test_a_pot_that_closed_gets_nothing_and_the_trace_names_it(pots: Pots) -> None:
    library = pots.pot("Biblio")
    application = pots.pot("Appli", "ana", upstream=[{"to": library.pk, "bp": 1000}])
    pots.fund(application, 1_000_00)
    pots.work(application, "ana", 1_000_00)
    library.state = "closed"
    library.save(update_fields=["state"])
    made = pots.close(application)
    assert made.trace is not None
    assert (pots.shares(made), made.trace["inputs"]["closed_targets"]) == ({"ana": 1_000_00}, [library.pk])
    pots.approve(made)
    assert (held(application), held(library)) == (0, 0)


def test_who_is_behind_catches_up_over_two_periods(pots: Pots) -> None:
    budget = pots.pot("Rattrapage", "ana", "bo", rule="catch_up")
    pots.fund(budget, 200_00)
    pots.work(budget, "ana", 0, 60)
    pots.approve(pots.close(budget))
    pots.pass_days(30)
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 0, 120)
    made = pots.close(budget)
    assert made.inputs["counted"] == {pots.person("ana").pk: 200_00}
    assert made.inputs["history"] == [{"person": pots.person("ana").pk, "kind": "development", "minutes": 60, "age": 1}]
    # In all 60 and 120 minutes for 300: 100 and 200 would be even, and ana has 200 already.
    assert pots.shares(made) == {"bo": 100_00}


def test_only_so_many_periods_are_caught_up(pots: Pots) -> None:
    budget = pots.pot("Courte mémoire", "ana", "bo", rule="catch_up", catch_up_periods=1)
    for minutes in (600, 60):
        pots.fund(budget, 100_00)
        pots.work(budget, "ana", 0, minutes)
        pots.approve(pots.close(budget))
        pots.pass_days(30)
    pots.fund(budget, 200_00)
    pots.work(budget, "bo", 0, 60)
    made = pots.close(budget)
    assert made.inputs["counted"] == {pots.person("ana").pk: 100_00}
    assert [row["minutes"] for row in made.inputs["history"]] == [60]
    # 60 minutes each over two periods, 300 in all: 150 each, of which ana has 100.
    assert pots.shares(made) == {"ana": 50_00, "bo": 150_00}
    # A table that goes further back reads older work, not older pay.
    document = document_of(budget)
    mixed = {**document, "tiers": [*document["tiers"], {"rule": "weighted"}], "decay_ppm": [1_000_000, 500_000, 1]}
    history, counted = earlier(made.period, mixed)
    assert [(row["minutes"], row["age"]) for row in history] == [(60, 1), (600, 2)]
    assert counted == {pots.person("ana").pk: 100_00}


def test_work_of_the_period_before_still_counts_by_the_table(pots: Pots) -> None:
    budget = pots.pot("Mémoire", "ana", "bo", rule="weighted", decay_ppm=[1_000_000, 500_000])
    pots.fund(budget, 10_00)
    pots.work(budget, "ana", 0, 120)
    pots.approve(pots.close(budget))
    pots.pass_days(30)
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 0, 60)
    # ana: 120 × 0.5; bo: 60.
    assert pots.shares(pots.close(budget)) == {"ana": 50_00, "bo": 50_00}


def test_the_unpaid_part_is_carried_as_often_as_the_charter_says(pots: Pots) -> None:
    budget = pots.pot("Report", "ana", "bo", unpaid={"carry_periods": 1})
    first = pots.work(budget, "ana", 100_00)
    paid = pots.work(budget, "bo", 0, 60)
    pots.fund(budget, 40_00)
    pots.approve(pots.close(budget))
    rest = Contribution.objects.get(remainder_of=first)
    assert (rest.amount, rest.minutes, rest.state, rest.contributor) == (60_00, 0, "validated", first.contributor)
    assert (rest.period, rest.validated_at) == (pots.period(budget), first.validated_at)
    assert not Contribution.objects.filter(remainder_of=paid).exists()
    pots.pass_days(30)
    pots.fund(budget, 10_00)
    pots.approve(pots.close(budget))
    rest.refresh_from_db()
    assert (rest.state, rest.settled_amount) == ("settled", 10_00)
    # It was carried once already: what is left ends.
    assert Contribution.objects.filter(remainder_of__isnull=False).count() == 1


def test_nothing_is_carried_where_the_charter_does_not_say_so(pots: Pots) -> None:
    budget = pots.pot("Sans report", "ana")
    pots.work(budget, "ana", 100_00)
    pots.fund(budget, 40_00)
    pots.approve(pots.close(budget))
    assert not Contribution.objects.filter(remainder_of__isnull=False).exists()


def test_work_shared_by_time_leaves_no_remainder(pots: Pots) -> None:
    budget = pots.pot("Temps", "ana", rule="weighted", unpaid={"carry_periods": 3})
    pots.work(budget, "ana", 100_00, 60)
    pots.fund(budget, 40_00)
    pots.approve(pots.close(budget))
    assert not Contribution.objects.filter(remainder_of__isnull=False).exists()


def test_it_is_shown_for_as_long_as_the_charter_says(pots: Pots) -> None:
    budget = pots.pot("Affichage", "ana", publication_days=7)
    pots.work(budget, "ana", 100_00)
    pots.fund(budget, 40_00)
    made = pots.close(budget)
    assert made.published_at == pots.now
    pots.pass_days(6)
    before = entry_count()
    with pytest.raises(Conflict) as refusal:
        pots.approve(made)
    assert refusal.value.code == "objection_delay"
    made.refresh_from_db()
    assert (made.state, entry_count()) == ("published", before)
    pots.pass_days(1)
    assert pots.approve(made).state == "booked"


def test_a_purse_that_no_longer_holds_the_money_is_a_clear_refusal(pots: Pots) -> None:
    budget = pots.pot("Vide", "ana")
    inside = pots.envelope(budget, "Ticket")
    pots.fund(budget, 10_00)
    pots.fund(inside, 40_00)
    pots.work(inside, "ana", 100_00)
    made = pots.close(budget)
    out = [("budget", inside.pk, 1), ("reserve", inside.pk, -1)]
    lines: list[Any] = [
        Line(open_account(kind=kind, owner=owner, currency="EUR"), cents, chart.DONATION) for kind, owner, cents in out
    ]
    post(kind="x", scope="x", key="x", reference="x", happened_on=pots.world.today, lines=lines, now=pots.now)
    before = entry_count()
    with pytest.raises(Conflict) as refusal:
        pots.approve(made)
    assert refusal.value.code == "purse_short"
    made.refresh_from_db()
    assert (made.state, entry_count(), held(budget)) == ("published", before, 10_00)


def test_inputs_that_are_not_those_of_the_trace_are_not_approved(pots: Pots) -> None:
    budget = pots.pot("Intègre", "ana")
    pots.fund(budget, 10_00)
    pots.work(budget, "ana", 20_00)
    made = pots.close(budget)
    made.inputs["purses"][0]["held"] += 1
    made.save(update_fields=["inputs"])
    with pytest.raises(Conflict) as refusal:
        pots.approve(made)
    assert (refusal.value.code, held(budget)) == ("distribution_changed", 10_00)


def test_moves_that_are_not_those_of_the_trace_are_not_approved(pots: Pots) -> None:
    budget = pots.pot("Intègre", "ana", reserve={"bp": 1000, "target": None})
    pots.fund(budget, 10_00)
    pots.work(budget, "ana", 20_00)
    made = pots.close(budget)
    assert made.moves.update(amount=2_00) == 1
    with pytest.raises(Conflict) as refusal:
        pots.approve(made)
    assert (refusal.value.code, held(budget), held(budget, "reserve")) == ("distribution_changed", 10_00, 0)


def test_two_pots_that_depend_on_each_other_close_and_are_approved_at_once(committed: str, pots: Pots) -> None:
    one, two = pots.pot("Un", "ana"), pots.pot("Deux", "bo")
    budgets = []
    for source, target, name in ((one, two, "ana"), (two, one, "bo")):
        made = pots.period(source)
        document = {**document_of(source), "upstream": [{"to": target.pk, "bp": 5000}]}
        adopt_charter(actor=pots.world.users["sacha"], budget=source, document=document, now=pots.now)
        Period.objects.filter(pk=made.pk).update(charter=Charter.objects.filter(budget=source).latest("version"))
        pots.fund(source, 100_00)
        pots.work(source, name, 500_00)
        budgets.append(source)
    closed = [pots.close(budget).pk for budget in budgets]
    made_by = Distribution.objects.in_bulk(closed)
    results = at_once(lambda number: pots.approve(made_by[closed[number % 2]]).state, times=8)
    assert results == ["booked"] * 8
    assert [held(budget) for budget in budgets] == [50_00, 50_00]
    # What each got from the other is counted once, whenever it arrived.
    assert [waterfall(row)["upstream_in"] for row in made_by.values()] == [0, 0]
    pots.pass_days(1)
    assert [waterfall(pots.close(budget))["upstream_in"] for budget in budgets] == [50_00, 50_00]


def test_a_pot_that_is_about_to_receive_is_known_before_the_computation(pots: Pots) -> None:
    library = pots.pot("Biblio")
    application = pots.pot("Appli", "ana", upstream=[{"to": library.pk, "bp": 1000}])
    pots.fund(application, 1_000_00)
    pots.work(application, "ana", 500_00)
    period = pots.period(application)
    made = close_period(actor=pots.person("claire"), period_id=period.pk, now=pots.now)
    assert (made.state, about_to_receive(library), about_to_receive(application)) == ("frozen", True, False)


def test_a_pot_that_closed_since_the_computation_is_not_paid_into(pots: Pots) -> None:
    library = pots.pot("Biblio")
    application = pots.pot("Appli", "ana", upstream=[{"to": library.pk, "bp": 1000}])
    pots.fund(application, 1_000_00)
    pots.work(application, "ana", 500_00)
    made = pots.close(application)
    library.state = "closed"
    library.save(update_fields=["state"])
    before = entry_count()
    with pytest.raises(Conflict) as refusal:
        pots.approve(made)
    assert refusal.value.code == "budget_not_receiving"
    assert (entry_count(), held(library)) == (before, 0)


def test_a_new_length_of_periods_holds_after_an_early_closing(pots: Pots) -> None:
    budget = pots.pot("Appli", "ana", period={"months": 24})
    period = pots.period(budget)
    period.ends_before = host_day(pots.now) + timedelta(days=500)
    period.save(update_fields=["ends_before"])
    adopt_charter(
        actor=pots.person("sacha"), budget=budget, document={**document_of(budget), "period": {"days": 10}},
        now=pots.now,
    )  # fmt: skip
    pots.close(budget)
    following = pots.period(budget)
    assert (following.ends_before - following.starts_on).days == 10


def test_a_new_length_of_periods_is_taken_by_the_one_that_has_not_begun(pots: Pots) -> None:
    budget = pots.pot("Appli", "ana", period={"months": 24})
    period = pots.period(budget)
    period.ends_before = host_day(pots.now) + timedelta(days=500)
    period.save(update_fields=["ends_before"])
    pots.close(budget)
    rest = pots.period(budget)
    assert (rest.ends_before - rest.starts_on).days == 499
    adopt_charter(
        actor=pots.person("sacha"), budget=budget, document={**document_of(budget), "period": {"days": 10}},
        now=pots.now,
    )  # fmt: skip
    following = pots.period(budget)
    assert (following.pk, following.charter.version) == (rest.pk, 2)
    assert (following.ends_before - following.starts_on).days == 10
