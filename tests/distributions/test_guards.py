"""PostgreSQL refuses by itself, the application and its owner alike, what no service does to shared work and money."""

import psycopg
import pytest
from django.db import OperationalError, connection

from backend.commons.models import Budget, Charter, Period
from backend.distributions.models import Distribution
from backend.distributions.services import answer_arbitration, close_period, propose_arbitration
from tests.distributions.pots import Pots
from tests.roles import ROLES, Roles


@pytest.fixture
def shared(pots: Pots) -> tuple[Budget, Distribution]:
    """100 for requests of 90 by ana, of 60 minutes, and 60 by bo: 60 and 40; cy's work awaits its review."""
    budget = pots.pot("Gardes", "ana", "bo", "cy")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 90_00, 60)
    pots.work(budget, "bo", 60_00)
    made = pots.close(budget)
    assert pots.shares(made) == {"ana": 60_00, "bo": 40_00}
    pots.pass_days(1)
    pots.work(budget, "cy", 50_00, 60, approved=False)
    return budget, made


def set_contributions(state: str, change: str) -> str:
    """SQL that changes the contributions in a state."""
    return f"UPDATE contributions_contribution SET {change} WHERE state = '{state}'"


def test_nothing_is_added_to_an_arbitration_that_ended_nor_accepted_for_somebody(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    budget, made = shared
    ana, bo = pots.person("ana").pk, pots.person("bo").pk
    entered = propose_arbitration(
        actor=pots.person("sacha"), distribution_id=made.pk, digest=made.digest, reason="Réunion", form_key="k",
        amounts={(ana, budget.pk): 55_00, (bo, budget.pk): 45_00}, now=pots.now,
    )  # fmt: skip
    line = (
        "INSERT INTO distributions_arbitrationline (arbitration_id, person_id, budget_id, before, agreed, answer, "
        f"answer_reason) VALUES ('{entered.pk}', '{pots.person('cy').pk}', '{budget.pk}', 0, 1, '', '')"
    )
    accept = "UPDATE distributions_arbitration SET state = 'accepted', ended_at = now()"
    answer = "UPDATE distributions_arbitrationline SET answer = 'accepted', answered_at = now()"
    withdraw = "UPDATE distributions_arbitration SET state = 'withdrawn', ended_at = now()"
    roles.passes(line)
    roles.refused(accept, by="arbitration_accepted_by_all")
    roles.refused(f"{answer} WHERE person_id = '{ana}'", accept, by="arbitration_accepted_by_all")
    refuse = "UPDATE distributions_arbitrationline SET answer = 'refused', answered_at = now() WHERE answer = ''"
    roles.refused(f"{answer} WHERE person_id = '{ana}'", refuse, accept, by="arbitration_accepted_by_all")
    roles.passes(answer, accept)
    roles.refused(withdraw, line, by="arbitration_line_in_time")
    roles.refused(withdraw, answer, by="arbitration_line_in_time")
    another = (
        "INSERT INTO distributions_arbitration (id, distribution_id, digest, reason, entered_by_id, entered_at, state, "
        "ended_at, form_key) SELECT 'arb_x', distribution_id, digest, reason, entered_by_id, entered_at, {}, {}, 'x' "
        "FROM distributions_arbitration"
    )
    roles.refused(another.format("'accepted'", "now()"), by="arbitration_waits_first")
    roles.refused(another.format("'refused'", "now()"), by="arbitration_waits_first")
    roles.refused(withdraw, another.format("'waiting'", "NULL"), accept + " WHERE id = 'arb_x'",
                  by="arbitration_accepted_by_all")  # fmt: skip
    for person in ("ana", "bo"):
        answer_arbitration(actor=pots.person(person), arbitration_id=entered.pk, accept=True, now=pots.now)
    roles.refused(line, by="arbitration_line_in_time")
    made.refresh_from_db()
    pots.approve(made)
    roles.refused(line, by="arbitration_line_in_time")


def test_a_closed_period_keeps_its_charter_and_each_has_one_of_its_budget(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    budget, made = shared
    other = Charter.objects.exclude(budget=budget).earliest("pk")
    copy = (
        "INSERT INTO commons_charter (id, budget_id, version, document, sha256, created_by_id, created_at) "
        f"SELECT 'cha_x', budget_id, 99, document, sha256, created_by_id, created_at FROM commons_charter "
        f"WHERE id = '{made.charter_id}'"
    )
    closed, running = made.period, pots.period(budget)
    change = "UPDATE commons_period SET {} WHERE id = '{}'"
    kept, own = "closed_period_keeps_its_charter", "period_under_a_charter_of_its_budget"
    roles.passes(copy, change.format("charter_id = 'cha_x'", running.pk))
    roles.refused(copy, change.format("charter_id = 'cha_x', state = 'frozen'", running.pk), by=kept)
    roles.refused(change.format(f"charter_id = '{other.pk}'", running.pk), by=own)
    opened = (
        "INSERT INTO commons_period (id, budget_id, charter_id, starts_on, ends_before, state) "
        f"VALUES ('per_x', '{budget.pk}', '{{}}', '2199-01-01', '2199-02-01', 'open')"
    )
    roles.passes(opened.format(made.charter_id))
    roles.refused(opened.format(other.pk), by=own)
    for turn in range(2):
        closed.refresh_from_db()
        assert closed.state == ("published", "booked")[turn]
        by = (kept, "booked_period_is_final")[turn]
        roles.refused(copy, change.format("charter_id = 'cha_x'", closed.pk), by=by)
        roles.refused(change.format(f"charter_id = '{other.pk}', budget_id = '{other.budget_id}'", closed.pk), by=by)
        roles.refused(change.format("state = 'open'", closed.pk), by=by)
        if not turn:
            roles.passes(change.format("ends_before = ends_before + 1", closed.pk))
            pots.approve(made)
    assert Period.objects.get(pk=closed.pk).charter_id == made.charter_id


FACTS = (
    "amount = amount + 1", "minutes = minutes + 1", "budget_id = (SELECT min(id) FROM commons_budget)",
    "contributor_id = (SELECT min(id) FROM identity_user)", "worked_on = worked_on + 1", "kind = 'design'",
    "period_id = (SELECT id FROM commons_period WHERE state = 'open' LIMIT 1)", "currency = 'USD'",
    "validated_at = now()", "waived = 1", "held_back = 1", "minutes_held = 1",
    "corrects_id = (SELECT min(id) FROM contributions_contribution)",
    "remainder_of_id = (SELECT id FROM contributions_contribution WHERE state = 'declared')",
)  # fmt: skip


def test_what_is_in_a_distribution_stays_as_it_was_shared(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    stays = "included_contribution_stays"
    for change in (*FACTS, "state = 'validated'", "state = 'withdrawn'", "settled_amount = 1", "state = 'settled'"):
        roles.refused(set_contributions("included", change), by=stays)
    roles.refused(set_contributions("included", "state = 'settled', settled_amount = 1, amount = 1"), by=stays)
    roles.passes(set_contributions("included", "state = 'settled', settled_amount = 1"))
    roles.passes(set_contributions("included", "description = 'mended'"))
    edges = "contribution_moves_along_its_edges"
    roles.refused(set_contributions("declared", "state = 'settled', settled_amount = 1"), by=edges)
    roles.refused(set_contributions("declared", "amount = 1"), by="contribution_amended_as_a_version")
    roles.refused(set_contributions("declared", "state = 'validated'"), by="contribution_validated_by_its_charter")
    roles.passes(set_contributions("declared", "amount = 1, version = version + 1"))
    made = pots.approve(shared[1])
    assert made.state == "booked"
    for change in (*FACTS, "state = 'validated'", "state = 'included'", "settled_amount = settled_amount + 1"):
        roles.refused(set_contributions("settled", change), by=stays)
    roles.passes(set_contributions("settled", "description = 'mended'"))
    remove = "DELETE FROM contributions_contribution WHERE state = 'settled'"
    for role in ROLES:
        assert roles.said(role, remove) == (stays, 0)
    assert roles.said("tronc_app", remove.replace("settled", "declared")) == ("only_drafts_are_deleted", 0)


def test_a_review_validates_no_more_than_was_declared_and_never_changes(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    said = (
        "INSERT INTO contributions_review (id, contribution_id, contributor_id, reviewer_id, verdict, reason, minutes, "
        f"created_at) SELECT 'rev_x', id, contributor_id, '{pots.person('denis').pk}', 'approve', '', {{}}, now() "
        "FROM contributions_contribution WHERE state = 'declared'"
    )
    for minutes in ("0", "60", "NULL"):
        roles.passes(said.format(minutes))
    roles.refused(said.format("61"), by="review_within_declared_minutes")
    roles.refused(said.format("999999"), by="review_within_declared_minutes")
    roles.refused(said.format("-1"), by="contributions_review_minutes_check")
    lower = set_contributions("declared", "minutes = 59, version = 2")
    roles.refused(lower, said.format("59"), by="review_of_the_version")
    roles.passes(said.format("60"), lower)  # what was said of an earlier version does not count any more
    for change in ("UPDATE contributions_review SET reason = 'x'", "DELETE FROM contributions_review"):
        assert roles.said("tronc_app", change) == ("InsufficientPrivilege", 0)
    raised = "UPDATE contributions_review SET minutes = 61"
    assert roles.said("tronc_owner", raised) == ("review_within_declared_minutes", 0)


@pytest.mark.parametrize(
    "table", ["distribution", "share", "sharepart", "distributionmove", "arbitration", "arbitrationline"]
)
def test_distributions_are_not_emptied(roles: Roles, table: str) -> None:
    name = f"distributions_{table}"
    with pytest.raises(psycopg.errors.RestrictViolation, match=f"TRUNCATE on {name} is refused"):
        roles.connections["tronc_owner"].execute(f"TRUNCATE {name} CASCADE")  # type: ignore[call-overload]
    assert roles.said("tronc_app", f"TRUNCATE {name} CASCADE") == ("InsufficientPrivilege", 0)


def test_no_contribution_is_inserted_settled_or_included(shared: tuple[Budget, Distribution], roles: Roles) -> None:
    columns = (
        "budget_id, period_id, contributor_id, worked_on, kind, minutes, amount, currency, description, evidence, "
        "over_cap_reason, created_at"
    )
    for state, cents in (("settled", "5"), ("included", "NULL"), ("validated", "5")):
        roles.refused(
            f"INSERT INTO contributions_contribution (id, form_key, state, settled_amount, {columns}) "
            f"SELECT 'ctr_x', 'x', '{state}', {cents}, {columns} FROM contributions_contribution LIMIT 1",
            by="contribution_born_declared",
        )


def test_a_closing_waits_for_a_pot_upstream_that_is_being_closed(pots: Pots, roles: Roles) -> None:
    library = pots.pot("Biblio")
    application = pots.pot("Appli", "ana", upstream=[{"to": library.pk, "bp": 1000}])
    pots.fund(application, 100_00)
    pots.work(application, "ana", 50_00)
    period = pots.period(application)
    other = roles.connections["tronc_owner"]
    other.execute("SELECT 1 FROM commons_budget WHERE id = %s FOR NO KEY UPDATE", [library.pk])
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '300ms'")
        with pytest.raises(OperationalError, match="lock timeout"):
            close_period(actor=pots.person("claire"), period_id=period.pk, now=pots.now)
        other.rollback()
        cursor.execute("RESET lock_timeout")
    assert close_period(actor=pots.person("claire"), period_id=period.pk, now=pots.now).state == "frozen"


def test_a_share_moves_along_its_states_only(pots: Pots, shared: tuple[Budget, Distribution], roles: Roles) -> None:
    _budget, made = shared
    pots.approve(made)
    change = "UPDATE distributions_share SET {}"
    along, early = "share_moves_along_its_states", "share_waived_before_it_leaves"
    roles.refused(change.format("state = 'returned'"), by=along)
    roles.refused(change.format("state = 'waived'"), by="share_waived_is_all_waived")
    roles.refused(change.format("waived = amount + 1"), by="share_waived_at_most_all")
    roles.refused(change.format("waived = -1"), by=early)
    roles.refused(change.format("state = 'waived', waived = amount"), by="share_waived_by_its_waivers")
    roles.passes(change.format("state = 'documented'"))
    roles.refused(change.format("state = 'documented'"), change.format("state = 'batched'"), by=along)
