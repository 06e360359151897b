"""Agreed amounts replace computed ones once everyone they change has confirmed, within the money, in the trace."""

import pytest
from django.db import IntegrityError, transaction

from backend.allocation.rebuild import rebuild, verify
from backend.commons.models import Budget
from backend.contributions.models import Contribution
from backend.core.errors import DomainError, Invalid, NotFound
from backend.distributions.models import Arbitration, ArbitrationLine, Distribution, Share
from backend.distributions.services import (
    answer_arbitration,
    approve,
    propose_arbitration,
    withdraw_arbitration,
)
from backend.identity.models import User
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from tests.concurrency import at_once
from tests.distributions.pots import Pots, held
from tests.treasurers import make_treasurer


@pytest.fixture
def shared(pots: Pots) -> tuple[Budget, Distribution]:
    """100 for requests of 90 by ana, 60 by bo and 50 by cy: 45, 30 and 25."""
    budget = pots.pot("Réunion", "ana", "bo", "cy", unpaid={"carry_periods": 2})
    pots.fund(budget, 100_00)
    for name, amount in (("ana", 90_00), ("bo", 60_00), ("cy", 50_00)):
        pots.work(budget, name, amount)
    made = pots.close(budget)
    assert pots.shares(made) == {"ana": 45_00, "bo": 30_00, "cy": 25_00}
    return budget, made


def propose(
    pots: Pots, made: Distribution, *, by: str = "sacha", key: str = "k", reason: str = "Réunion du 3", **amounts: int
) -> Arbitration:
    """Enter amounts by name, from the common pot."""
    return propose_arbitration(
        actor=pots.person(by), distribution_id=made.pk, digest=made.digest, reason=reason, form_key=key, now=pots.now,
        amounts={(pots.person(name).pk, made.period.budget_id): cents for name, cents in amounts.items()},
    )  # fmt: skip


def answer(pots: Pots, entered: Arbitration, by: str, accept: bool = True, *, of: str = "", why: str = "") -> str:
    """Answer as somebody; gives the state."""
    return answer_arbitration(
        actor=pots.person(by), arbitration_id=entered.pk, accept=accept, reason=why, now=pots.now,
        person_id=pots.person(of).pk if of else "",
    ).state  # fmt: skip


def refused(act: object, code: str) -> DomainError:
    """The refusal of an act, of that code."""
    assert callable(act)
    with pytest.raises(DomainError) as refusal:
        act()
    assert refusal.value.code == code
    return refusal.value


def test_the_last_acceptance_writes_the_agreed_amounts(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    budget, made = shared
    entered = propose(pots, made, ana=40_00, bo=35_00, cy=25_00)
    assert [(line.person_id, line.before, line.agreed) for line in entered.lines.order_by("before")] == [
        (pots.person("bo").pk, 30_00, 35_00), (pots.person("ana").pk, 45_00, 40_00),
    ]  # fmt: skip
    assert answer(pots, entered, "ana") == "waiting"
    made.refresh_from_db()
    assert pots.shares(made) == {"ana": 45_00, "bo": 30_00, "cy": 25_00}
    before = made.digest
    assert answer(pots, entered, "bo") == "accepted"
    made.refresh_from_db()
    assert pots.shares(made) == {"ana": 40_00, "bo": 35_00, "cy": 25_00}
    assert pots.parts(made) == {("ana", "Réunion"): 40_00, ("bo", "Réunion"): 35_00, ("cy", "Réunion"): 25_00}
    assert made.digest != before
    assert made.trace is not None
    assert made.trace["arbitration"]["reason"] == "Réunion du 3"
    assert made.trace["arbitration"]["entered_by"] == pots.person("sacha").pk
    changes = sorted(made.trace["arbitration"]["changes"], key=lambda change: int(change["agreed"]))
    assert [(one["computed"], one["agreed"], one["confirmed_on"]) for one in changes] == [
        (30_00, 35_00, pots.world.today.isoformat()), (45_00, 40_00, pots.world.today.isoformat()),
    ]  # fmt: skip
    assert verify(made.trace)
    assert rebuild(made.trace) == {pots.person(name).pk: cents for name, cents in pots.shares(made).items()}
    pots.approve(made)
    assert held(budget) == 0
    asked = Contribution.objects.filter(remainder_of=None)
    settled = {pots.names()[one.contributor_id]: one.settled_amount for one in asked}
    assert settled == {"ana": 40_00, "bo": 35_00, "cy": 25_00}
    carried = Contribution.objects.filter(remainder_of__isnull=False)
    # ana and bo agreed to what they get: nothing of theirs is carried.
    assert [(one.contributor_id, one.amount) for one in carried] == [(pots.person("cy").pk, 25_00)]


def test_one_refusal_ends_it(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    entered = propose(pots, made, ana=40_00, bo=35_00)
    refused(lambda: answer(pots, entered, "ana", accept=False), "reason_missing")
    assert answer(pots, entered, "ana", accept=False, why="Trop peu") == "refused"
    refused(lambda: answer(pots, entered, "bo"), "arbitration_ended")
    assert ArbitrationLine.objects.get(answer="refused").answer_reason == "Trop peu"
    digest = made.digest
    made.refresh_from_db()
    assert (pots.shares(made), made.digest) == ({"ana": 45_00, "bo": 30_00, "cy": 25_00}, digest)
    assert pots.approve(made).state == "booked"


def test_an_answer_is_given_once(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    entered = propose(pots, made, ana=40_00, bo=35_00)
    assert answer(pots, entered, "ana") == answer(pots, entered, "ana") == "waiting"
    refused(lambda: answer(pots, entered, "ana", accept=False, why="Non"), "already_answered")
    refused(lambda: answer(pots, entered, "cy"), "not_concerned")
    assert ArbitrationLine.objects.filter(answer="").count() == 1


def test_it_stays_within_the_money_the_people_and_the_purses(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    budget, made = shared
    refused(lambda: propose(pots, made, ana=45_01), "arbitration_above_money")
    refused(lambda: propose(pots, made, ana=-1), "amount_out_of_range")
    refused(lambda: propose(pots, made, claire=1), "arbitration_person_unknown")
    refused(lambda: propose(pots, made, ana=45_00), "arbitration_changes_nothing")
    refused(lambda: propose(pots, made, ana=40_00, reason=" "), "reason_missing")
    inside = pots.envelope(budget, "Plus tard")
    with pytest.raises(Invalid, match="does not share the money"):
        propose_arbitration(
            actor=pots.person("sacha"), distribution_id=made.pk, digest=made.digest, reason="r", form_key="k",
            now=pots.now, amounts={(pots.person("ana").pk, inside.pk): 1},
        )  # fmt: skip
    assert not Arbitration.objects.exists()


def test_stewards_and_treasurers_enter_them_over_what_they_read(
    pots: Pots, shared: tuple[Budget, Distribution]
) -> None:
    _budget, made = shared
    refused(lambda: propose(pots, made, by="bo", ana=40_00), "not_allowed")
    stranger = User.objects.create_user("stranger@example.org", "a long password here", name="Stranger")
    with pytest.raises(NotFound):
        propose_arbitration(
            actor=stranger, distribution_id=made.pk, digest=made.digest, amounts={}, reason="r", form_key="k",
            now=pots.now,
        )  # fmt: skip
    made.digest = "0" * 64
    refused(lambda: propose(pots, made, ana=40_00), "distribution_changed")
    made.refresh_from_db()
    assert propose(pots, made, by="denis", ana=40_00).state == "waiting"
    refused(lambda: propose(pots, made, key="other", ana=40_00), "arbitration_waiting")
    assert Arbitration.objects.count() == 1


def test_a_form_sent_twice_is_one_arbitration(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    first = propose(pots, made, ana=40_00)
    assert propose(pots, made, ana=40_00) == first
    refused(lambda: propose(pots, made, ana=39_00), "form_key_reused")
    assert Arbitration.objects.count() == 1


def test_it_waits_for_the_answers_before_approval(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    entered = propose(pots, made, ana=40_00)
    before = entry_count()
    refused(lambda: pots.approve(made), "arbitration_waiting")
    refused(
        lambda: withdraw_arbitration(actor=pots.person("denis"), arbitration_id=entered.pk, now=pots.now),
        "not_your_arbitration",
    )
    assert (Distribution.objects.get(pk=made.pk).state, entry_count()) == ("published", before)
    for _again in range(2):
        ended = withdraw_arbitration(actor=pots.person("sacha"), arbitration_id=entered.pk, now=pots.now)
        assert ended.state == "withdrawn"
    refused(lambda: answer(pots, entered, "ana"), "arbitration_ended")
    assert pots.approve(made).state == "booked"
    refused(lambda: propose(pots, made, key="late", ana=40_00), "distribution_approved")


def test_who_entered_it_does_not_approve(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    entered = propose(pots, made, by="denis", ana=40_00)
    assert answer(pots, entered, "ana") == "accepted"
    made.refresh_from_db()
    refused(lambda: pots.approve(made), "own_arbitration")
    with pytest.raises(IntegrityError, match="who wrote its arbitration"), transaction.atomic():
        Distribution.objects.filter(pk=made.pk).update(
            state="booked", approved_by=pots.person("denis"), approved_at=pots.now
        )
    eve = pots.person("eve")
    make_treasurer(eve, now=pots.now)
    demo.give_factor(eve)
    assert approve(actor=eve, distribution_id=made.pk, digest=made.digest, now=pots.now).state == "booked"


def test_postgresql_refuses_an_approval_that_does_not_wait(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    entered = propose(pots, made, ana=40_00)
    with pytest.raises(IntegrityError, match="awaits its answers"), transaction.atomic():
        Distribution.objects.filter(pk=made.pk).update(
            state="booked", approved_by=pots.person("denis"), approved_at=pots.now
        )
    with pytest.raises(IntegrityError, match="what was agreed"), transaction.atomic():
        ArbitrationLine.objects.update(agreed=1)
    with pytest.raises(IntegrityError, match="is final"), transaction.atomic():
        Arbitration.objects.update(reason="other")
    with pytest.raises(IntegrityError, match="one_arbitration_at_a_time"), transaction.atomic():
        Arbitration.objects.create(
            id="arb_x", distribution=made, digest="", reason="r", entered_by=pots.person("denis"),
            entered_at=pots.now, form_key="x",
        )  # fmt: skip
    withdraw_arbitration(actor=pots.person("sacha"), arbitration_id=entered.pk, now=pots.now)
    pots.approve(made)
    with pytest.raises(IntegrityError, match="not awaiting its approval"), transaction.atomic():
        Arbitration.objects.create(
            id="arb_x", distribution=made, digest="", reason="r", entered_by=pots.person("denis"),
            entered_at=pots.now, form_key="x",
        )  # fmt: skip


def test_a_booked_distribution_is_final(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    pots.approve(made)
    share = made.shares.order_by("pk")[0]
    for act in (
        lambda: Distribution.objects.filter(pk=made.pk).update(digest="x"),
        lambda: Share.objects.filter(pk=share.pk).update(amount=1),
        lambda: share.parts.update(amount=1),
        lambda: share.parts.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="booked"), transaction.atomic():
            act()
    Share.objects.filter(pk=share.pk).update(state="documented")


def test_a_second_meeting_may_agree_otherwise(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    first = propose(pots, made, ana=40_00, bo=35_00)
    answer(pots, first, "ana")
    answer(pots, first, "bo")
    made.refresh_from_db()
    second = propose(pots, made, by="claire", key="second", reason="Deuxième réunion", bo=30_00, cy=30_00)
    answer(pots, second, "bo")
    answer(pots, second, "cy")
    made.refresh_from_db()
    assert pots.shares(made) == {"ana": 40_00, "bo": 30_00, "cy": 30_00}
    assert made.trace is not None
    # bo is back at what was computed: only ana and cy differ from it.
    changed = {one["person"]: (one["computed"], one["agreed"]) for one in made.trace["arbitration"]["changes"]}
    assert changed == {pots.person("ana").pk: (45_00, 40_00), pots.person("cy").pk: (25_00, 30_00)}
    assert pots.approve(made).state == "booked"


def test_a_treasurer_records_the_answer_of_somebody_absent(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    entered = propose(pots, made, by="claire", ana=40_00, bo=35_00)
    refused(lambda: answer(pots, entered, "claire", of="ana"), "own_arbitration")
    refused(lambda: answer(pots, entered, "sacha", of="ana"), "not_allowed")
    assert answer(pots, entered, "denis", of="ana") == "waiting"
    line = entered.lines.get(person=pots.person("ana"))
    assert (line.answer, line.recorded_by) == ("accepted", pots.person("denis"))
    answer(pots, entered, "bo")
    assert entered.lines.get(person=pots.person("bo")).recorded_by is None
    assert Arbitration.objects.get().state == "accepted"


def test_those_concerned_are_asked_and_the_author_is_told(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    compose_due(pots.now)
    OutgoingMail.objects.all().delete()
    entered = propose(pots, made, ana=40_00, bo=35_00)
    compose_due(pots.now)
    asked = OutgoingMail.objects.filter(event__kind="arbitration.proposed")
    assert sorted(asked.values_list("recipient", flat=True)) == ["ana@example.org", "bo@example.org"]
    assert all(f"/arbitrations/{entered.pk}/" in mail.body and "Réunion du 3" in mail.body for mail in asked)
    answer(pots, entered, "ana", accept=False, why="Trop peu")
    compose_due(pots.now)
    told = OutgoingMail.objects.get(event__kind="arbitration.refused")
    assert (told.recipient, "Trop peu" in told.body) == ("sacha@example.org", True)
    again = propose(pots, made, key="again", ana=44_00)
    answer(pots, again, "ana")
    compose_due(pots.now)
    accepted = OutgoingMail.objects.filter(event__kind="distribution.arbitrated").values_list("recipient", flat=True)
    assert sorted(accepted) == ["claire@example.org", "denis@example.org", "sacha@example.org"]


def test_two_last_answers_at_once_write_them_once(committed: str, pots: Pots) -> None:
    budget = pots.pot("Course", "ana", "bo")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 60_00)
    pots.work(budget, "bo", 60_00)
    made = pots.close(budget)
    entered = propose(pots, made, ana=60_00, bo=40_00)
    names = ["ana", "bo"]
    states = at_once(lambda number: answer(pots, entered, names[number % 2]), times=6)
    assert states.count("accepted") >= 1
    assert set(states) <= {"accepted", "waiting"}
    made.refresh_from_db()
    assert pots.shares(made) == {"ana": 60_00, "bo": 40_00}


def test_an_acceptance_and_a_refusal_at_once_end_it_one_way(committed: str, pots: Pots) -> None:
    budget = pots.pot("Course", "ana", "bo")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 60_00)
    pots.work(budget, "bo", 60_00)
    made = pots.close(budget)
    entered = propose(pots, made, ana=60_00, bo=40_00)
    answers = [
        lambda: answer(pots, entered, "ana"), lambda: answer(pots, entered, "bo", accept=False, why="Non"),
        lambda: pots.approve(made).state,
    ]  # fmt: skip
    results = at_once(lambda number: answers[number](), times=3)
    # The refusal always ends it; an approval passes only once it has.
    assert results[1] == "refused"
    assert results[0] in {"waiting", "arbitration_ended"}
    assert results[2] in {"arbitration_waiting", "booked"}
    made.refresh_from_db()
    assert pots.shares(made) == {"ana": 50_00, "bo": 50_00}


def test_an_approval_and_the_last_answer_at_once(committed: str, pots: Pots) -> None:
    budget = pots.pot("Course", "ana", "bo")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 60_00)
    pots.work(budget, "bo", 60_00)
    made = pots.close(budget)
    entered = propose(pots, made, ana=10_00)
    acts = [lambda: answer(pots, entered, "ana"), lambda: pots.approve(made).state]
    results = at_once(lambda number: acts[number % 2](), times=4)
    assert [results[0], results[2]] == ["accepted", "accepted"]
    # What was read is not what holds any more: it must be read again.
    assert {results[1], results[3]} <= {"arbitration_waiting", "distribution_changed"}
    made.refresh_from_db()
    assert (made.state, pots.shares(made)) == ("published", {"ana": 10_00, "bo": 50_00})
    assert pots.approve(made).state == "booked"
    assert held(budget) == 40_00


def test_a_meeting_may_come_back_to_what_was_computed(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    digest = made.digest
    for key, cents in (("there", 40_00), ("back", 45_00)):
        answer(pots, propose(pots, made, key=key, ana=cents), "ana")
        made.refresh_from_db()
    assert made.trace is not None
    assert (pots.shares(made)["ana"], made.digest, made.trace["arbitration"]) == (45_00, digest, None)
    assert pots.approve(made).state == "booked"


def test_who_recorded_an_answer_does_not_approve(pots: Pots, shared: tuple[Budget, Distribution]) -> None:
    _budget, made = shared
    entered = propose(pots, made, ana=40_00, bo=35_00)
    answer(pots, entered, "denis", of="ana")
    answer(pots, entered, "denis", of="bo")
    made.refresh_from_db()
    assert Arbitration.objects.get().state == "accepted"
    refused(lambda: pots.approve(made), "own_arbitration")
    with pytest.raises(IntegrityError, match="who recorded an answer"), transaction.atomic():
        Distribution.objects.filter(pk=made.pk).update(
            state="booked", approved_by=pots.person("denis"), approved_at=pots.now
        )
    made.refresh_from_db()
    assert made.state == "published"
