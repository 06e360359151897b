"""Ten acts at once on one contribution, import or person: whatever comes first, what stands agrees with itself."""

from typing import Any

from backend.contributions.importing import undo_import
from backend.contributions.models import Contribution, Import, Objection, Question
from backend.contributions.own import amend, declare_draft, draft, waive
from backend.contributions.peers import accept_due, ask_question, decide_objection, lift_objection, object_to
from backend.contributions.services import review, withdraw
from backend.distributions.services import close_period
from backend.events.models import Event
from backend.identity.merges import ask_merge, merge_token
from backend.privacy.merging import confirm_merge
from tests.concurrency import at_once
from tests.contributions.peers import Play, again, by_consent, days, say
from tests.contributions.test_importing import brought, rows, states
from tests.contributions.test_peers import steward
from tests.privacy.test_merging import other_account

REFUSALS = {
    "already_objected", "objection_settled", "objection_ended", "already_decided", "contribution_not_open",
    "contribution_amended", "consent_given",
}  # fmt: skip


def agrees(row: Contribution) -> Contribution:
    """What is open on it holds it, and nothing else does."""
    after = again(row)
    opened = Objection.objects.filter(contribution=row, state="open").count()
    asked = Question.objects.filter(contribution=row, closed_at=None).count()
    assert (after.state == "questioned") == bool(opened + asked), (after.state, opened, asked)
    assert (after.accepted_at is None) == (after.state != "declared"), after.state
    assert (after.seconds_left is None) == (after.state != "questioned"), after.state
    return after


def test_objections_decisions_and_amendments(committed: str, play: Play) -> None:
    world = play("make_house")
    row, second, now = by_consent(world), steward(world), world.now
    bo, sacha, camille = (world.users[name] for name in ("bo", "sacha", "camille"))
    first = object_to(actor=camille, contribution_id=row.pk, reason="Twice", now=now)
    acts: list[Any] = [
        lambda: object_to(actor=sacha, contribution_id=row.pk, reason="Long", now=now).state,
        lambda: object_to(actor=sacha, contribution_id=row.pk, reason="Long", now=now, version=1).state,
        lambda: object_to(actor=camille, contribution_id=row.pk, reason="Again", now=now).state,
        lambda: lift_objection(actor=camille, objection_id=first.pk, now=now).state,
        lambda: decide_objection(actor=second, objection_id=first.pk, upholds=False, reason="No", now=now).state,
        lambda: decide_objection(actor=sacha, objection_id=first.pk, upholds=False, reason="No", now=now).state,
        lambda: amend(actor=bo, contribution_id=row.pk, changes={"minutes": 30}, now=now).state,
        lambda: ask_question(actor=second, contribution_id=row.pk, text="Why?", now=now).text,
        lambda: waive(actor=bo, contribution_id=row.pk, amount=1_00, now=now).state,
        lambda: accept_due(now + days(1)),
    ]
    found = at_once(lambda number: acts[number](), times=len(acts))
    after = agrees(row)
    assert {one for one in found if isinstance(one, str)} - REFUSALS <= {
        "open", "lifted", "overruled", "amended", "declared", "questioned", "Why?",
    }, found  # fmt: skip
    assert (after.version, after.waived) == (2, 1_00)
    assert [found[3], found[4], found[5]].count("lifted") + [found[4], found[5]].count("overruled") <= 1


def test_an_import_undone_while_it_is_approved_amended_withdrawn_and_closed(committed: str, play: Play) -> None:
    world = play("receive")
    row, now = brought(world), world.now
    one, two, three = Contribution.objects.filter(source=row.pk).order_by("pk")
    bo, sacha = world.users["bo"], world.users["sacha"]
    acts: list[Any] = [
        lambda: undo_import(actor=bo, import_id=row.pk, now=now).pk,
        lambda: undo_import(actor=bo, import_id=row.pk, now=now).pk,
        lambda: review(actor=sacha, contribution_id=one.pk, verdict="approve", now=now).verdict,
        lambda: review(actor=sacha, contribution_id=two.pk, verdict="approve", now=now).verdict,
        lambda: amend(actor=bo, contribution_id=two.pk, changes={"worked_on": world.today}, now=now).state,
        lambda: amend(actor=bo, contribution_id=three.pk, changes={"minutes": 5}, now=now).state,
        lambda: withdraw(actor=bo, contribution_id=three.pk, now=now).state,
        lambda: close_period(actor=world.users["claire"], period_id=world.period.pk, now=now).state,
        lambda: brought(world, rows(world, description="More"), form_key="g", sha256="b" * 64).rows,
        lambda: brought(world, form_key="h").rows,
    ]
    found = at_once(lambda number: acts[number](), times=len(acts))
    known = {
        row.pk, "approve", "declared", "withdrawn", "frozen", 3, "import_shared", "import_known", "batch_refused",
        "contribution_not_open", "period_closed", "contribution_amended",
    }  # fmt: skip
    assert set(found) <= known, found
    done = Import.objects.get(pk=row.pk)
    if done.undone_at is None:
        assert "included" in states(row)
    else:
        assert states(row) == ["withdrawn"] * 3
        assert Event.objects.filter(kind="import.undone").count() == 1


def test_a_person_becomes_one_while_their_work_is_written(committed: str, play: Play) -> None:
    world = play("receive")
    bo, two, now = world.users["bo"], other_account(world), world.now
    world.users["two"] = two
    one = say(world, actor=two, form_key="one")
    noted = draft(
        contributor=two, budget=world.budget, source="", form_key="d", now=now,
        facts={"worked_on": world.today, "description": "Noted", "minutes": 5},
    )  # fmt: skip
    token = merge_token(ask_merge(actor=bo, address=two.email, now=now))
    acts: list[Any] = [
        lambda: confirm_merge(actor=two, token=token, now=now).state,
        lambda: amend(actor=two, contribution_id=one.pk, changes={"minutes": 7}, now=now).state,
        lambda: declare_draft(actor=two, contribution_id=noted.pk, now=now).state,
        lambda: brought(world, who="two").rows,
        lambda: review(actor=world.users["sacha"], contribution_id=one.pk, verdict="approve", now=now).verdict,
        lambda: ask_question(actor=world.users["sacha"], contribution_id=one.pk, text="Why?", now=now).text,
        lambda: close_period(actor=world.users["claire"], period_id=world.period.pk, now=now).state,
        lambda: say(world, actor=two, form_key="late").state,
        lambda: withdraw(actor=two, contribution_id=noted.pk, now=now).state,
        lambda: confirm_merge(actor=two, token=token, now=now).state,
    ]
    found = at_once(lambda number: acts[number](), times=len(acts))
    known = {
        "merged", "merge_busy", "merge_over", "merge_not_found", "merge_being_shared", "not_allowed", "declared", 3,
        "approve", "Why?", "frozen", "withdrawn", "contribution_not_open", "contribution_not_found", "account_merged",
        "batch_refused", "period_closed", "own_contribution", "contribution_of_another",
    }  # fmt: skip
    assert set(found) <= known, found
    assert found.count("merged") <= 1
    if "merged" in found:
        under_way = Contribution.objects.exclude(state__in=["included", "settled", "withdrawn", "rejected", "waived"])
        assert not under_way.filter(contributor=two).exists()
