"""A distribution to which somebody objects is not approved before the objection has ended, in one of three ways."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backend.commons.models import Budget
from backend.core.errors import DomainError, NotFound
from backend.distributions.models import Distribution, DistributionObjection, DistributionOpinion
from backend.distributions.services import (
    answer_arbitration,
    approve,
    decide_distribution_objection,
    lift_distribution_objection,
    object_to_distribution,
    propose_arbitration,
)
from backend.identity.services import grant_role
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from tests.concurrency import at_once
from tests.distributions.pots import Pots


@pytest.fixture
def shared(pots: Pots) -> tuple[Budget, Distribution]:
    """100 for requests of 90 by ana and 60 by bo: 60 and 40. Closed by claire, a treasurer."""
    budget = pots.pot("Réunion", "ana", "bo")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 90_00)
    pots.work(budget, "bo", 60_00)
    return budget, pots.close(budget)


def objects(pots: Pots, made: Distribution, by: str = "bo", reason: str = "Two days are missing") -> Any:
    return object_to_distribution(
        actor=pots.person(by), distribution_id=made.pk, digest=made.digest, reason=reason, now=pots.now
    )


def decides(pots: Pots, raised: DistributionObjection, by: str = "sacha", upholds: bool = False) -> str:
    return decide_distribution_objection(
        actor=pots.person(by), objection_id=raised.pk, upholds=upholds, reason="Seen", now=pots.now
    ).state


def steward(pots: Pots, budget: Budget, name: str) -> None:
    """One more steward, with the second factor that the role wants."""
    demo.give_factor(pots.person(name))
    grant_role(user=pots.person(name), kind="steward", scope=budget.pk, granted_by=None, now=pots.now)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.value.code


def test_it_waits_until_its_author_lifts_it(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    raised = objects(pots, made)
    booked = entry_count()
    assert code_of(lambda: pots.approve(made)) == "distribution_objected"
    with pytest.raises(IntegrityError, match="an objection stands"), transaction.atomic():
        Distribution.objects.filter(pk=made.pk).update(state="booked", approved_by=pots.person("denis"))
    made.refresh_from_db()
    assert (made.state, entry_count()) == ("published", booked)
    assert code_of(lambda: objects(pots, made)) == "already_objected"
    assert (
        code_of(lambda: lift_distribution_objection(actor=pots.person("ana"), objection_id=raised.pk, now=pots.now))
        == "objection_of_another"
    )
    for _twice in range(2):
        lifted = lift_distribution_objection(actor=pots.person("bo"), objection_id=raised.pk, now=pots.now)
        assert lifted.state == "lifted"
    assert code_of(lambda: decides(pots, raised)) == "objection_ended"
    assert pots.approve(made).state == "booked"
    assert code_of(lambda: objects(pots, made)) == "distribution_approved"


def test_who_may_object_and_how(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    assert code_of(lambda: objects(pots, made, by="denis")) == "not_allowed"
    with pytest.raises(NotFound):
        objects(pots, made, by="stranger")
    assert code_of(lambda: objects(pots, made, reason=" \u200b ")) == "said_length"
    assert code_of(lambda: objects(pots, made, reason="x" * 1001)) == "said_length"
    made.digest = "0" * 64
    assert code_of(lambda: objects(pots, made)) == "distribution_changed"
    assert not DistributionObjection.objects.exists()


def test_uninvolved_stewards_set_it_aside_once(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    budget, made = shared
    steward(pots, budget, "ana")  # she is paid by it
    raised = objects(pots, made)
    for name, code in (("bo", "not_allowed"), ("denis", "not_allowed"), ("ana", "objection_involved")):
        assert code_of(lambda name=name: decides(pots, raised, by=name)) == code  # type: ignore[misc]
    assert decides(pots, raised) == "overruled"
    assert code_of(lambda: decides(pots, raised)) == "objection_ended"
    assert code_of(lambda: objects(pots, made)) == "objection_decided"
    with pytest.raises(IntegrityError, match="it was decided"), transaction.atomic():
        DistributionObjection.objects.create(
            id="dob_again", distribution=made, objector=pots.person("bo"), digest=made.digest, reason="Again",
            created_at=pots.now,
        )  # fmt: skip
    assert objects(pots, made, by="ana").state == "open"  # somebody else still may
    assert DistributionOpinion.objects.count() == 1


def test_it_takes_as_many_stewards_as_the_charter_names(pots: Pots) -> None:
    budget = pots.pot("Deux", "bo", objections={"settled_by": 2})
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 60_00)
    made = pots.close(budget)
    steward(pots, budget, "eva")
    raised = objects(pots, made)
    assert decides(pots, raised) == "open"
    assert code_of(lambda: decides(pots, raised)) == "already_decided"
    assert code_of(lambda: pots.approve(made)) == "distribution_objected"
    with pytest.raises(IntegrityError, match="not enough stewards"), transaction.atomic():
        DistributionObjection.objects.filter(pk=raised.pk).update(state="overruled", ended_at=pots.now)
    assert decides(pots, raised, by="eva") == "overruled"
    assert pots.approve(made).state == "booked"


def test_an_upheld_one_waits_for_other_amounts(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    budget, made = shared
    raised = objects(pots, made)
    assert decides(pots, raised, upholds=True) == "upheld"
    assert code_of(lambda: pots.approve(made)) == "distribution_objected"
    with pytest.raises(IntegrityError, match="no amounts were agreed"), transaction.atomic():
        DistributionObjection.objects.filter(pk=raised.pk).update(state="arbitrated", ended_at=pots.now)
    entered = propose_arbitration(
        actor=pots.person("sacha"), distribution_id=made.pk, digest=made.digest, reason="Meeting", form_key="k",
        amounts={(pots.person("ana").pk, budget.pk): 55_00, (pots.person("bo").pk, budget.pk): 45_00}, now=pots.now,
    )  # fmt: skip
    for name in ("ana", "bo"):
        answer_arbitration(actor=pots.person(name), arbitration_id=entered.pk, accept=True, now=pots.now)
    raised.refresh_from_db()
    assert (raised.state, raised.ended_at) == ("arbitrated", pots.now)
    made.refresh_from_db()
    assert pots.approve(made).state == "booked"


def test_those_who_can_answer_are_told(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    raised = objects(pots, made)
    compose_due(pots.now)
    mails = OutgoingMail.objects.filter(event__kind="distribution.objected")
    assert {one.recipient for one in mails} == {pots.person("claire").email, pots.person("sacha").email}
    assert all("Two days are missing" in one.body for one in mails)
    decides(pots, raised)
    compose_due(pots.now)
    told = OutgoingMail.objects.filter(event__kind="distribution.objection_overruled").values_list(
        "recipient", flat=True
    )
    assert set(told) == {pots.person(name).email for name in ("bo", "claire", "denis")}


def test_the_application_neither_rewrites_nor_deletes(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    objects(pots, made)
    with connection.cursor() as cursor:
        for table in ("distributions_distributionobjection", "distributions_distributionopinion"):
            for right in ("DELETE", "TRUNCATE"):
                cursor.execute("SELECT has_table_privilege('tronc_app', %s, %s)", [table, right])
                assert cursor.fetchone() == (False,)
            cursor.execute("SELECT has_column_privilege('tronc_app', %s, 'reason', 'UPDATE')", [table])
            assert cursor.fetchone() == (False,)


def test_an_objection_and_an_approval_at_once_have_one_outcome(committed: None, play: Callable[..., Any]) -> None:
    pots = Pots(play("make_house"))
    for number in range(3):
        budget = pots.pot(f"Ensemble {number}", "bo")
        pots.fund(budget, 100_00)
        pots.work(budget, "bo", 60_00)
        made = pots.close(budget)

        def act(turn: int, made: Distribution = made) -> str:
            if turn % 2:
                return str(objects(pots, made).state)
            return approve(actor=pots.person("denis"), distribution_id=made.pk, digest=made.digest, now=pots.now).state

        outcome = at_once(act, times=4)
        made.refresh_from_db()
        if made.state == "booked":
            assert sorted(outcome) == ["booked", "booked", "distribution_approved", "distribution_approved"]
            assert not made.objections.exists()
        else:
            assert sorted(outcome) == ["already_objected", "distribution_objected", "distribution_objected", "open"]
            assert made.objections.get().state == "open"
