"""What PostgreSQL refuses of work in another pot's period, moments of validation, and what forges told."""

from datetime import timedelta
from typing import Any

import pytest

from backend.commons.models import Period
from backend.commons.services import open_envelope, open_next_period
from backend.contributions.models import ForgeCommit
from backend.contributions.own import draft
from backend.contributions.peers import decide_objection, object_to
from backend.contributions.repositories import revoke_repository
from backend.contributions.services import review
from backend.identity.models import User
from tests.contributions.forge_events import push
from tests.contributions.peers import Play, by_consent, say, under
from tests.contributions.test_deliveries import Hook
from tests.contributions.test_firm import WORK, refused
from tests.contributions.test_peers import steward


@pytest.mark.parametrize("state", ["draft", "declared", "validated"])
def test_work_is_moved_to_an_open_period_alone(play: Play, state: str) -> None:
    world = play("approve_distribution")
    booked = world.contributions[0].period_id
    following = Period.objects.get(budget=world.budget, state="open")
    later = open_next_period(after=following)
    now = world.now + timedelta(days=(following.starts_on - world.today).days)
    row = say(world, form_key="n", worked_on=following.starts_on, now=now)
    if state == "draft":
        row = draft(
            contributor=world.users["bo"], budget=world.budget, source="", form_key="d", now=now,
            facts={"worked_on": following.starts_on, "description": "Noted"},
        )  # fmt: skip
    if state == "validated":
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=now)
    change = f"{WORK} period_id = '{{}}' WHERE id = '{row.pk}'"
    assert refused(change.format(booked)) == "work_in_an_open_period"
    assert refused(change.format(later.pk)) == ""


def test_work_is_not_born_in_a_closed_period(play: Play) -> None:
    world = play("approve_distribution")
    columns = "budget_id, period_id, contributor_id, worked_on, kind, currency, description, evidence, created_at"
    born = (
        f"INSERT INTO contributions_contribution (id, form_key, minutes, amount, state, over_cap_reason, {columns}) "
        f"SELECT 'ctr_x', 'x', 0, 0, 'declared', '', {columns} FROM contributions_contribution "
        f"WHERE id = '{world.contributions[0].pk}'"
    )
    assert refused(born) == "work_in_an_open_period"


@pytest.mark.parametrize("mode", ["approvals", "consent"])
def test_work_is_validated_at_the_moment_of_its_last_approval(play: Play, mode: str) -> None:
    world = play("make_house")
    if mode == "consent":
        row = by_consent(world)
        moment = f"(SELECT accepted_at FROM contributions_contribution WHERE id = '{row.pk}')"
    else:
        under(world, review={"mode": "approvals", "approvals": 2})
        row = say(world)
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
        review(actor=steward(world), contribution_id=row.pk, verdict="approve", now=world.now + timedelta(hours=1))
        row = say(world, form_key="two")
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
        under(world, review={"mode": "approvals", "approvals": 1})
        moment = f"(SELECT max(created_at) FROM contributions_review WHERE contribution_id = '{row.pk}')"
    change = f"{WORK} state = 'validated', accepted_at = NULL, validated_at = {moment} {{}} WHERE id = '{row.pk}'"
    assert refused(change.format("- interval '1 day'")) == "contribution_validated_by_its_charter"
    assert refused(change.format("+ interval '1 second'")) == "contribution_validated_by_its_charter"
    assert refused(change.format("")) == ""


@pytest.mark.parametrize("who", ["decided", "objected"])
def test_one_steward_has_one_opinion_by_two_accounts(play: Play, who: str) -> None:
    world = play("make_house")
    row, two, sacha = by_consent(world, objections={"settled_by": 2}), steward(world), world.users["sacha"]
    objector = two if who == "objected" else world.users["camille"]
    raised = object_to(actor=objector, contribution_id=row.pk, reason="Twice", now=world.now)
    if who == "decided":
        decide_objection(actor=two, objection_id=raised.pk, upholds=False, reason="No", now=world.now)
    opinion = (
        "INSERT INTO contributions_opinion (id, objection_id, contributor_id, objector_id, steward_id, upholds, "
        f"reason, created_at) SELECT 'opn_x', id, contributor_id, objector_id, '{sacha.pk}', false, 'No', now() "
        "FROM contributions_objection"
    )
    assert refused(opinion) == ""
    User.objects.filter(pk=two.pk).update(is_active=False, merged_into=sacha)
    by = "one_voice_per_person" if who == "decided" else "nobody_decides_what_they_recorded"
    assert refused(opinion) == by


REPOSITORY = "UPDATE contributions_repository SET"
DELIVERY = "UPDATE contributions_forgedelivery SET"
COMMIT = "UPDATE contributions_forgecommit SET"


@pytest.mark.parametrize(
    ("statement", "by"),
    [
        (f"{REPOSITORY} address = 'https://elsewhere.example.net/a/b'", "repository_stays"),
        (f"{REPOSITORY} forge = 'github'", "repository_stays"),
        (f"{REPOSITORY} created_at = now()", "repository_stays"),
        (f"{DELIVERY} body = 'forged'", "delivery_stays"),
        (f"{DELIVERY} received_at = now() - interval '80 days'", "delivery_stays"),
        (f"{DELIVERY} event = 'other'", "delivery_stays"),
        (f"{DELIVERY} body = ''", ""),
        (f"{COMMIT} sha = repeat('f', 40)", "commit_of_its_repository"),
        (f"{COMMIT} part = part + 1", "commit_of_its_repository"),
        (f"{COMMIT} contribution_id = NULL", ""),
        (f"{COMMIT} contribution_id = (SELECT id FROM contributions_contribution)", ""),
    ],
)
def test_what_a_forge_told_stays(play: Play, statement: str, by: str) -> None:
    world = play("make_house")
    connected(world)
    say(world)
    assert refused(statement) == by


def connected(world: Any) -> Hook:
    """A repository that told of one commit, of somebody whom nobody knows yet: what was sent is kept."""
    hook = Hook(world)
    message, at = "Tiles\n\nContribution: 1h", world.now.isoformat()
    row = hook.tell(push("forgejo", hook.commit("a", message, at=at, email="who@example.net")))
    assert (ForgeCommit.objects.get().outcome, bool(row.body)) == ("unknown", True)
    return hook


def test_a_commit_stands_for_work_of_the_budget_that_its_repository_tells(play: Play) -> None:
    world = play("make_house")
    connected(world)
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Maps", now=world.now)
    elsewhere = say(world, budget=envelope)
    assert refused(f"{COMMIT} contribution_id = '{elsewhere.pk}'") == "commit_of_its_repository"


def test_a_repository_that_was_disconnected_stays_so(play: Play) -> None:
    world = play("make_house")
    hook = connected(world)
    revoke_repository(actor=world.users["sacha"], repository_id=hook.row.pk, now=world.now)
    back = f"{REPOSITORY} revoked_at = NULL, revoked_by_id = NULL, secret_sealed = 'x'"
    assert refused(back) == "repository_stays"
    assert refused("DELETE FROM contributions_repository") == "None"
