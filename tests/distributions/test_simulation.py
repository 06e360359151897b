"""What if: any charters over any period one may read, each on its own, and nothing written."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction

from backend.allocation.rebuild import verify
from backend.commons.models import Budget
from backend.core.errors import DomainError, Invalid, NotFound
from backend.distributions.models import Distribution
from backend.distributions.services import simulate
from backend.identity.models import User
from tests.distributions.pots import Pots, document_of

ASKED = {"ana": 6000_00, "bo": 4500_00, "cy": 3000_00, "di": 1500_00}


def by(rule: str, **more: Any) -> dict[str, Any]:
    """A charter of one tier."""
    return {"format": 1, "tiers": [{"id": "general", "rule": rule, "take": {"rest": True}}], **more}


def given(pots: Pots, trace: dict[str, Any]) -> dict[str, int]:
    """Name → minor units of a trace."""
    return {pots.names()[row["id"]]: row["cents"] for row in trace["persons"]}


def counts() -> dict[str, int]:
    """How many rows each table has."""
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def locks() -> int:
    """How many locks of this connection would keep others from writing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', "
            "'ExclusiveLock') AND locktype IN ('relation', 'tuple', 'advisory')"
        )
        return int(cursor.fetchone()[0])


@pytest.fixture
def asked(pots: Pots) -> Budget:
    """Row 33: 10 000 for 15 000 of requests, and one that awaits its review."""
    budget = pots.pot("Opteos", *ASKED)
    pots.fund(budget, 10_000_00)
    for name, amount in ASKED.items():
        pots.work(budget, name, amount, 60)
    pots.work(budget, "di", 5_000_00, approved=False)
    return budget


def run(
    pots: Pots, budget: Budget, *documents: dict[str, Any], who: str = "sacha", **more: Any
) -> list[dict[str, Any]]:
    """Simulate over the first open period."""
    return simulate(
        actor=pots.person(who), period_id=pots.period(budget).pk, documents=documents, now=pots.now, **more
    )  # fmt: skip


def test_three_rules_side_by_side_over_an_open_period(pots: Pots, asked: Budget) -> None:
    before = counts()
    traces = run(pots, asked, by("claims_pro"), by("claims_cea"), by("claims_talmud"), by("weighted"), who="bo")
    assert [list(given(pots, trace).values()) for trace in traces] == [
        [4000_00, 3000_00, 2000_00, 1000_00],
        [2833_34, 2833_33, 2833_33, 1500_00],
        [4583_34, 3083_33, 1583_33, 750_00],
        [2500_00, 2500_00, 2500_00, 2500_00],
    ]
    assert all(verify(trace) for trace in traces)
    assert {trace["simulated_on"] for trace in traces} == {pots.world.today.isoformat()}
    assert counts() == before
    assert pots.period(asked).state == "open"


def test_nothing_is_locked_by_looking(committed: str, pots: Pots) -> None:
    budget = pots.pot("Serrures", "ana")
    pots.fund(budget, 10_00)
    pots.work(budget, "ana", 20_00)
    with transaction.atomic():
        run(pots, budget, by("claims_pro"))
        assert locks() == 0
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned()")
            assert cursor.fetchone() == (None,)  # nothing was written


def test_the_present_charter_gives_what_closing_gives(pots: Pots, asked: Budget) -> None:
    (looked,) = run(pots, asked, document_of(asked))
    made = pots.close(asked)
    assert given(pots, looked) == pots.shares(made)
    assert made.trace is not None
    assert looked["steps"] == made.trace["steps"]


def test_work_that_awaits_its_review_counts_when_asked(pots: Pots, asked: Budget) -> None:
    (looked,) = run(pots, asked, by("claims_pro"), include_declared=True)
    # 10 000 for 20 000: half of each request.
    assert given(pots, looked) == {"ana": 3000_00, "bo": 2250_00, "cy": 1500_00, "di": 3250_00}


def test_a_closed_period_is_taken_as_it_was_frozen(pots: Pots, asked: Budget) -> None:
    made = pots.close(asked)
    pots.approve(made)
    pots.fund(asked, 77_00)
    before = counts()
    (looked,) = simulate(
        actor=pots.person("claire"), period_id=made.period_id, documents=[by("claims_cea")], now=pots.now
    )  # fmt: skip
    assert given(pots, looked) == {"ana": 2833_34, "bo": 2833_33, "cy": 2833_33, "di": 1500_00}
    assert (counts(), Distribution.objects.get().digest) == (before, made.digest)


def test_money_that_awaits_approval_is_not_counted_twice(pots: Pots, asked: Budget) -> None:
    pots.close(asked)
    pots.fund(asked, 77_00)
    pots.pass_days(1)
    pots.work(asked, "ana", 500_00)
    (looked,) = run(pots, asked, by("claims_cea"))
    assert looked["inputs"]["purses"][0]["held"] == 77_00


def test_another_charter_reads_the_periods_before(pots: Pots) -> None:
    budget = pots.pot("Passé", "ana", "bo")
    pots.fund(budget, 200_00)
    pots.work(budget, "ana", 200_00, 60)
    pots.approve(pots.close(budget))
    pots.pass_days(30)
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 500_00, 120)
    made = pots.close(budget)
    assert made.inputs["history"] == []
    (looked,) = simulate(
        actor=pots.person("bo"), period_id=made.period_id, documents=[by("catch_up")], now=pots.now
    )  # fmt: skip
    assert given(pots, looked)["bo"] == 100_00
    assert looked["inputs"]["counted"] == {pots.person("ana").pk: 200_00}


@pytest.mark.parametrize(
    ("document", "param"),
    [
        (by("auction"), "tiers[0].rule"),
        (by("claims_pro", bounds={"floor": 5, "ceiling": 1, "ceiling_bp": None, "hourly_cap": None}), "bounds.floor"),
        ({"format": 1}, "tiers"),
    ],
)
def test_a_bad_charter_is_refused_with_its_path(pots: Pots, asked: Budget, document: Any, param: str) -> None:
    with pytest.raises(Invalid) as refusal:
        run(pots, asked, by("claims_pro"), document)
    assert refusal.value.code == "charter_invalid"
    assert refusal.value.param == param


def test_a_charter_that_was_in_force_stays_readable(pots: Pots) -> None:
    library = pots.pot("Biblio")
    budget = pots.pot("Appli", "ana", upstream=[{"to": library.pk, "bp": 1000}])
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 100_00)
    library.state = "closed"
    library.save(update_fields=["state"])
    (looked,) = run(pots, budget, document_of(budget))
    assert (given(pots, looked), looked["inputs"]["closed_targets"]) == ({"ana": 100_00}, [library.pk])


def test_only_readers_of_the_period_and_one_to_eight_charters(pots: Pots, asked: Budget) -> None:
    stranger = User.objects.create_user("stranger@example.org", "a long password here", name="Stranger")
    with pytest.raises(NotFound):
        simulate(actor=stranger, period_id=pots.period(asked).pk, documents=[by("equal")], now=pots.now)
    with pytest.raises(NotFound):
        simulate(actor=pots.person("sacha"), period_id="per_x", documents=[by("equal")], now=pots.now)
    for number in (0, 9):
        with pytest.raises(DomainError) as refusal:
            run(pots, asked, *[by("equal")] * number)
        assert refusal.value.code == "too_many_charters"


def test_who_works_for_an_envelope_reads_the_period_that_shares_it(pots: Pots) -> None:
    budget = pots.pot("Arbre")
    inside = pots.envelope(budget, "Branche")
    pots.join(inside, "ana")
    pots.fund(inside, 100_00)
    pots.work(inside, "ana", 30_00)
    (looked,) = run(pots, budget, by("claims_pro"), who="ana")
    assert given(pots, looked) == {"ana": 30_00}
    made = pots.close(budget)
    assert list(Distribution.visible_to(pots.person("ana"))) == [made]
    assert not Distribution.visible_to(pots.person("bo")).exists()


def test_another_rule_is_compared_though_a_pot_upstream_closed_since(pots: Pots) -> None:
    library = pots.pot("Biblio")
    budget = pots.pot("Appli", "ana", "bo", upstream=[{"to": library.pk, "bp": 1000}])
    pots.fund(budget, 90_00)
    pots.work(budget, "ana", 100_00)
    pots.work(budget, "bo", 20_00)
    library.state = "closed"
    library.save(update_fields=["state"])
    own = document_of(budget)
    other = {**own, "tiers": [{**own["tiers"][0], "rule": "equal"}]}
    assert [given(pots, one) for one in run(pots, budget, own, other)] == [
        {"ana": 75_00, "bo": 15_00}, {"ana": 45_00, "bo": 45_00},
    ]  # fmt: skip
    with pytest.raises(Invalid) as refusal:
        run(pots, budget, {**other, "upstream": [{"to": library.pk, "bp": 2000}]})
    assert refusal.value.param == "upstream[0].to"
