"""What PostgreSQL refuses to whoever reaches its tables: work validated without peers, and facts changed by the way."""

import pytest
from django.db import connection, transaction
from django.db.utils import Error

from backend.contributions.peers import ask_question
from backend.contributions.services import review
from tests.contributions.peers import Play, by_consent, say

WORK = "UPDATE contributions_contribution SET"
COLUMNS = (
    "budget_id, period_id, contributor_id, worked_on, kind, currency, description, evidence, over_cap_reason, "
    "created_at"
)
BORN = (
    "INSERT INTO contributions_contribution (id, form_key, minutes, amount, state, validated_at, remainder_of_id, "
    f"{COLUMNS}) SELECT 'ctr_x', 'x', {{minutes}}, {{amount}}, '{{state}}', {{at}}, {{of}}, {COLUMNS} "
    "FROM contributions_contribution ORDER BY id LIMIT 1"
)
REVIEW = (
    "INSERT INTO contributions_review (id, contribution_id, contributor_id, reviewer_id, verdict, reason, version, "
    "minutes, created_at) SELECT 'rev_x', one.id, one.contributor_id, "
    "(SELECT id FROM identity_user WHERE email = 'claire@example.org'), 'approve', '', one.version, 1, now() "
    "FROM contributions_contribution one WHERE one.state = '{state}' ORDER BY one.id LIMIT 1"
)


def refused(statement: str) -> str:
    """The constraint by which a statement is refused; nothing where it is not. It is undone."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount == 1
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True)
    except Error as refusal:
        return str(refusal.__cause__.diag.constraint_name)  # type: ignore[union-attr]
    return ""


@pytest.mark.parametrize(
    ("facts", "by"),
    [
        ({"state": "validated", "at": "now()"}, "contribution_born_declared"),
        ({"state": "validated", "at": "now()", "of": "id"}, "contribution_born_declared"),
        ({"state": "rejected"}, "contribution_born_declared"), ({"state": "waived"}, "contribution_born_declared"),
        ({"at": "now()"}, "contribution_born_declared"),
        ({}, ""), ({"state": "draft"}, ""),
    ],
)  # fmt: skip
def test_work_is_born_declared(play: Play, facts: dict[str, str], by: str) -> None:
    say(play("make_house"))
    whole = {"state": "declared", "at": "NULL", "of": "NULL", "minutes": "0", "amount": "0", **facts}
    assert refused(BORN.format(**whole)) == by


def test_nothing_is_carried_on_of_what_was_paid(play: Play) -> None:
    row = play("approve_distribution").contributions[0]
    row.refresh_from_db()
    assert row.state == "settled"
    left = row.amount - row.settled_amount
    more = BORN.format(state="validated", at="validated_at", of="id", minutes="0", amount=str(left + 1))
    assert refused(more.replace("ORDER BY id", f"WHERE id = '{row.pk}'")) == "contribution_born_declared"


@pytest.mark.parametrize("state", ["validated", "settled"])
def test_what_is_validated_gets_no_other_review(play: Play, state: str) -> None:
    world = play("approve_distribution" if state == "settled" else "make_house")
    if state == "validated":
        row = say(world)
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    assert refused(REVIEW.format(state=state)) == "review_while_under_review"


def test_a_draft_is_not_reviewed_beforehand(play: Play) -> None:
    say(play("make_house"))
    assert refused(REVIEW.format(state="declared")) == ""
    with connection.cursor() as cursor:
        cursor.execute(BORN.format(state="draft", at="NULL", of="NULL", minutes="5", amount="0"))
    assert refused(REVIEW.format(state="draft")) == "review_while_under_review"


@pytest.mark.parametrize(
    ("step", "change", "by"),
    [
        ("declared", "created_at = created_at - interval '1 year'", "contribution_stays_firm"),
        ("declared", "validated_at = now()", "contribution_stays_firm"),
        ("declared", "settled_amount = 5", "contribution_stays_firm"),
        ("declared", "contributor_id = (SELECT min(id) FROM identity_user)", "contribution_stays_firm"),
        ("validated", "validated_at = validated_at - interval '1 day'", "contribution_stays_firm"),
        ("validated", "settled_amount = 5", "contribution_stays_firm"),
        ("settled", "version = version + 1", "contribution_stays_firm"),
        ("settled", "created_at = now()", "contribution_stays_firm"),
    ],
)
def test_what_it_hangs_on_stays(play: Play, step: str, change: str, by: str) -> None:
    world = play("approve_distribution" if step == "settled" else "make_house")
    row = world.contributions[0] if step == "settled" else say(world)
    if step == "validated":
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    assert refused(f"{WORK} {change} WHERE id = '{row.pk}'") == by


@pytest.mark.parametrize(
    "change",
    [
        "accepted_at = created_at",
        "accepted_at = accepted_at - interval '1 second'",
        "accepted_at = accepted_at + interval '1 day'",
        "accepted_at = created_at, version = version + 1",
    ],
)
def test_nobody_has_less_time_to_object(play: Play, change: str) -> None:
    row = by_consent(play("make_house"))
    assert refused(f"{WORK} {change} WHERE id = '{row.pk}'") == "clock_of_its_charter"


def test_a_clock_is_not_shortened_by_stopping_it(play: Play) -> None:
    world = play("make_house")
    row = by_consent(world)
    ask_question(actor=world.users["sacha"], contribution_id=row.pk, text="Why?", now=world.now)
    going = f"{WORK} state = 'declared', seconds_left = NULL, accepted_at = {{at}} WHERE id = '{row.pk}'"
    assert refused(going.format(at="created_at")) == "clock_of_its_charter"
    assert refused(going.format(at="created_at + interval '8 days'")) == ""


def test_without_consent_there_is_no_clock(play: Play) -> None:
    row = say(play("make_house"))
    clock = f"{WORK} accepted_at = now() + interval '30 days' WHERE id = '{row.pk}'"
    assert refused(clock) == "clock_of_its_charter"
