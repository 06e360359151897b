"""One person has one voice on an objection: two accounts made one, or an objection lifted in time, give no second."""

from typing import Any

import pytest

from backend.contributions.models import Objection, Opinion
from backend.contributions.own import amend
from backend.contributions.peers import decide_objection, lift_objection, object_to
from backend.core.errors import DomainError
from backend.identity.merges import ask_merge, merge_token
from backend.identity.services import grant_role
from backend.operations import demo
from backend.privacy.merging import confirm_merge
from tests.contributions.peers import Play, again, by_consent
from tests.contributions.test_peers import steward
from tests.privacy.test_merging import other_account


def second_account(world: Any, *, of: str) -> Any:
    """Another account of somebody, who is a steward by it too."""
    two = other_account(world, f"{of}2")
    grant_role(user=two, kind="steward", scope=world.budget.pk, granted_by=None, now=world.now)
    demo.give_factor(two)
    return two


def become_one(world: Any, two: Any, *, keep: str) -> None:
    """The second account ends."""
    token = merge_token(ask_merge(actor=world.users[keep], address=two.email, now=world.now))
    assert confirm_merge(actor=two, token=token, now=world.now).state == "merged"


def code_of(act: Any, **given: Any) -> str:
    """The code of a refusal."""
    with pytest.raises(DomainError) as refusal:
        act(**given)
    return refusal.value.code


def test_what_was_set_aside_is_not_raised_again_by_the_account_that_stays(play: Play) -> None:
    world = play("make_house")
    row, two = by_consent(world), second_account(world, of="camille")
    raised = object_to(actor=two, contribution_id=row.pk, reason="Twice", now=world.now)
    decide_objection(actor=world.users["sacha"], objection_id=raised.pk, upholds=False, reason="Not so", now=world.now)
    become_one(world, two, keep="camille")
    camille = world.users["camille"]
    again_said = {"actor": camille, "contribution_id": row.pk, "reason": "Twice", "now": world.now}
    assert code_of(object_to, **again_said) == "objection_settled"
    assert (again(row).state, Objection.objects.count()) == ("declared", 1)


def test_two_accounts_of_one_steward_do_not_settle_an_objection(play: Play) -> None:
    world = play("make_house")
    row, two = by_consent(world, objections={"settled_by": 2}), second_account(world, of="sacha")
    raised = object_to(actor=world.users["camille"], contribution_id=row.pk, reason="Twice", now=world.now)
    told = {"objection_id": raised.pk, "upholds": False, "reason": "Not so", "now": world.now}
    assert decide_objection(actor=two, **told).state == "open"
    become_one(world, two, keep="sacha")
    assert code_of(decide_objection, actor=world.users["sacha"], **told) == "already_decided"
    assert (again(row).state, Opinion.objects.count()) == ("questioned", 1)
    assert decide_objection(actor=steward(world), **told).state == "overruled"


def test_an_objection_lifted_while_stewards_decide_is_not_raised_again(play: Play) -> None:
    """Else one person would hold up the work of another for ever: lift before the last steward, object again."""
    world = play("make_house")
    row, camille = by_consent(world, objections={"settled_by": 2}), world.users["camille"]
    raised = object_to(actor=camille, contribution_id=row.pk, reason="Twice", now=world.now)
    decide_objection(actor=world.users["sacha"], objection_id=raised.pk, upholds=False, reason="Not so", now=world.now)
    lift_objection(actor=camille, objection_id=raised.pk, now=world.now)
    again_said = {"actor": camille, "contribution_id": row.pk, "reason": "Twice", "now": world.now}
    assert code_of(object_to, **again_said) == "objection_settled"
    assert again(row).state == "declared"
    amend(actor=world.users["bo"], contribution_id=row.pk, changes={"minutes": 30}, now=world.now)
    assert object_to(**again_said).version == 2
