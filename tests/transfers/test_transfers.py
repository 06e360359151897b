"""Transfers between budgets: by the charter, two people above its threshold, never money that is committed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.commons.models import Budget, Charter
from backend.commons.services import open_envelope
from backend.contributions.services import declare
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.identity.services import grant_role
from backend.ledger.services import balance, entry_count, trial_balance
from backend.operations.figures import five_figures
from backend.transfers.models import Transfer
from backend.transfers.services import decide_transfer, propose_transfer, withdraw_transfer
from tests.concurrency import at_once

Play = Callable[..., Any]


def held(budget: Budget, kind: str = "budget") -> int:
    """What a purse holds."""
    return balance(kind=kind, owner=budget.pk, currency="EUR")


def envelope(world: Any, name: str = "Équipe technique") -> Budget:
    """An envelope of the pot."""
    return open_envelope(actor=world.users["sacha"], parent=world.budget, name=name, now=world.now)


def propose(world: Any, target: Budget | None, amount: int | None = 40_00, **changes: Any) -> Transfer:
    """Sacha proposes to move money out of the pot."""
    values = {
        "actor": world.users["sacha"], "kind": "move", "source": world.budget, "target": target, "amount": amount,
        "reason": "Sprint d’automne", "form_key": "one", "now": world.now,
    } | changes  # fmt: skip
    return propose_transfer(**values)


def threshold(world: Any, amount: int) -> None:
    """A new version of the charter that lets one person move up to an amount."""
    last = world.budget.charters.latest("version")
    made = Charter.objects.create(
        id=f"cha_{amount}", budget=world.budget, version=last.version + 1, sha256="0" * 64, created_at=world.now,
        document={**last.document, "transfer_threshold": amount}, created_by=world.users["sacha"],
    )  # fmt: skip
    world.budget.periods.filter(state="open").update(charter=made)


def test_a_second_person_books_what_the_first_proposed(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    made = propose(world, team)
    assert (made.state, held(world.budget), held(team), entry_count()) == ("proposed", 95_00, 0, 2)
    with pytest.raises(Forbidden) as refusal:
        decide_transfer(actor=world.users["sacha"], transfer_id=made.pk, accept=True, now=world.now)
    assert refusal.value.code == "own_transfer"
    assert held(team) == 0
    done = decide_transfer(actor=world.users["claire"], transfer_id=made.pk, accept=True, now=world.now)
    assert (done.state, held(world.budget), held(team)) == ("booked", 55_00, 40_00)
    again = decide_transfer(actor=world.users["claire"], transfer_id=made.pk, accept=True, now=world.now)
    assert (again.pk, entry_count()) == (made.pk, 3)
    # No fee, and the accounts of the host do not change: 7541 is where it was.
    assert {row.chart: row.balance for row in trial_balance()}["7541"] == -95_00
    assert (five_figures(world.budget).received, five_figures(team).received) == (55_00, 40_00)


def test_up_to_the_threshold_one_person_suffices_and_not_a_cent_above(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    threshold(world, 40_00)
    assert propose(world, team, 40_00).state == "booked"
    assert propose(world, team, 40_01, form_key="two").state == "proposed"
    assert held(team) == 40_00


def test_a_form_sent_twice_is_one_transfer(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    first, second = propose(world, team), propose(world, team)
    assert first.pk == second.pk
    with pytest.raises(Conflict) as refusal:
        propose(world, team, 41_00)
    assert refusal.value.code == "form_key_reused"
    assert Transfer.objects.count() == 1


def test_reserve_there_and_back(play: Play) -> None:
    world = play("receive")
    threshold(world, 95_00)
    propose(world, None, 30_00, kind="to_reserve")
    assert (held(world.budget), held(world.budget, "reserve")) == (65_00, 30_00)
    with pytest.raises(Conflict) as refusal:
        propose(world, None, 30_01, kind="from_reserve", form_key="two")
    assert refusal.value.code == "transfer_too_large"
    propose(world, None, 30_00, kind="from_reserve", form_key="three")
    assert (held(world.budget), held(world.budget, "reserve")) == (95_00, 0)


def test_committed_money_stays(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    with pytest.raises(Conflict) as refusal:
        propose(world, team, 95_01)
    assert refusal.value.code == "transfer_of_committed"
    assert Transfer.objects.count() == 0
    from backend.operations import demo

    demo.work(world)  # 100 € are validated, 95 € are there
    with pytest.raises(Conflict) as refusal:
        propose(world, team, 1)
    assert refusal.value.code == "transfer_of_committed"
    assert "€0.00 can leave this budget: it holds €95.00" in str(refusal.value)


def test_what_became_committed_since_cannot_be_booked(play: Play) -> None:
    world = play("receive")
    made = propose(world, envelope(world))
    from backend.operations import demo

    demo.work(world)
    with pytest.raises(Conflict) as refusal:
        decide_transfer(actor=world.users["claire"], transfer_id=made.pk, accept=True, now=world.now)
    assert refusal.value.code == "transfer_of_committed"
    assert Transfer.objects.get().state == "proposed"
    assert held(world.budget) == 95_00


def test_money_being_shared_does_not_leave(play: Play) -> None:
    world = play("close")
    team = Budget.objects.create(
        id="bud_team", commons=world.commons, parent=world.budget, name="Équipe", currency="EUR", state="open",
        created_at=world.now,
    )  # fmt: skip
    with pytest.raises(Conflict) as refusal:
        propose(world, team, 1)
    assert refusal.value.code == "distribution_pending"


def test_refusing_wants_a_reason_and_taking_back_is_for_its_author(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    made = propose(world, team)
    with pytest.raises(Invalid) as refusal:
        decide_transfer(actor=world.users["claire"], transfer_id=made.pk, accept=False, reason=" ", now=world.now)
    assert refusal.value.code == "reason_missing"
    with pytest.raises(Forbidden):
        withdraw_transfer(actor=world.users["claire"], transfer_id=made.pk, now=world.now)
    decide_transfer(actor=world.users["claire"], transfer_id=made.pk, accept=False, reason="Trop tôt", now=world.now)
    with pytest.raises(Conflict) as gone:
        withdraw_transfer(actor=world.users["sacha"], transfer_id=made.pk, now=world.now)
    assert gone.value.code == "transfer_not_waiting"
    other = propose(world, team, form_key="two")
    assert withdraw_transfer(actor=world.users["sacha"], transfer_id=other.pk, now=world.now).state == "withdrawn"
    assert (held(world.budget), entry_count()) == (95_00, 2)


def test_contributors_and_strangers_move_nothing(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    with pytest.raises(Forbidden):
        propose(world, team, actor=world.users["bo"])
    made = propose(world, team)
    with pytest.raises(Forbidden):
        decide_transfer(actor=world.users["bo"], transfer_id=made.pk, accept=True, now=world.now)
    with pytest.raises(NotFound):
        decide_transfer(actor=world.users["ana"], transfer_id=made.pk, accept=True, now=world.now)
    assert held(team) == 0


def test_closing_an_envelope_gives_its_remainder_back(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    threshold(world, 95_00)
    propose(world, team)
    closing = propose(world, None, None, kind="remainder", source=team, form_key="close")
    team.refresh_from_db()
    assert (closing.state, closing.amount, team.state) == ("proposed", 40_00, "closing")  # its own charter: always two
    decide_transfer(actor=world.users["claire"], transfer_id=closing.pk, accept=True, now=world.now)
    team.refresh_from_db()
    assert (team.state, held(team), held(world.budget)) == ("closed", 0, 95_00)
    with pytest.raises(Conflict) as refusal:
        propose(world, team, 1_00, form_key="late")
    assert refusal.value.code == "budget_not_receiving"


def test_a_refused_closing_leaves_the_envelope_open(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    closing = propose(world, None, None, kind="remainder", source=team, form_key="close")
    assert closing.state == "booked"  # nothing to give back: nobody else is needed
    other = envelope(world, "Documentation")
    propose(world, other, form_key="move")
    decide_transfer(
        actor=world.users["claire"], transfer_id=Transfer.objects.latest("id").pk, accept=True, now=world.now
    )
    closing = propose(world, None, None, kind="remainder", source=other, form_key="close-2")
    decide_transfer(actor=world.users["claire"], transfer_id=closing.pk, accept=False, reason="Non", now=world.now)
    other.refresh_from_db()
    assert (other.state, held(other)) == ("open", 40_00)


def test_postgresql_refuses_one_person_above_the_threshold_and_any_change_of_a_decision(play: Play) -> None:
    world = play("receive")
    made = propose(world, envelope(world))
    with pytest.raises(IntegrityError, match="transfer_takes_two_above_threshold"), transaction.atomic():
        Transfer.objects.filter(pk=made.pk).update(state="booked", decided_by=world.users["sacha"], entry="ent_x")
    decide_transfer(actor=world.users["claire"], transfer_id=made.pk, accept=True, now=world.now)
    for change in ({"amount": 1}, {"state": "proposed", "entry": ""}):
        with pytest.raises(IntegrityError, match="a decision is final"), transaction.atomic():
            Transfer.objects.filter(pk=made.pk).update(**change)


def test_ten_people_deciding_at_once_book_it_once(committed: str, play: Play) -> None:
    world = play("receive")
    made = propose(world, envelope(world))
    deciders = ["claire", "denis"]

    def decide(number: int) -> str:
        done = decide_transfer(actor=world.users[deciders[number % 2]], transfer_id=made.pk, accept=True, now=world.now)
        return done.state

    results = at_once(decide)
    assert set(results) == {"booked", "transfer_not_waiting"}
    assert (held(world.budget), entry_count()) == (55_00, 3)


def test_transfers_at_once_never_take_more_than_there_is(committed: str, play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    threshold(world, 95_00)
    results = at_once(lambda number: propose(world, team, 20_00, form_key=f"k{number}").state)
    assert sorted(results) == ["booked"] * 4 + ["transfer_of_committed"] * 6
    assert (held(world.budget), held(team)) == (15_00, 80_00)


def test_an_envelope_has_its_own_period_and_a_name_of_its_own(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    assert (team.parent_id, team.state, team.periods.get().state) == (world.budget.pk, "open", "open")
    with pytest.raises(Invalid) as refusal:
        envelope(world, " équipe  technique ")
    assert refusal.value.code == "envelope_name_taken"
    with pytest.raises(Forbidden):
        open_envelope(actor=world.users["bo"], parent=world.budget, name="Autre", now=world.now)
    assert Budget.objects.count() == 2


def test_those_who_may_decide_are_told_and_then_the_one_who_proposed(play: Play) -> None:
    from backend.notifications.models import OutgoingMail
    from backend.notifications.services import compose_due

    world = play("receive")
    team = envelope(world)
    threshold(world, 10_00)
    compose_due(world.now)
    OutgoingMail.objects.all().delete()
    propose(world, team, 10_00, form_key="small")  # booked at once: nobody is asked, nobody else decided
    made = propose(world, team, 20_00)
    compose_due(world.now)
    told = OutgoingMail.objects.order_by("recipient").values_list("recipient", "subject")
    subject = "À décider\u00a0: un virement interne de 20,00\u00a0€"
    assert list(told) == [("claire@example.org", subject), ("denis@example.org", subject)]
    decide_transfer(actor=world.users["denis"], transfer_id=made.pk, accept=True, now=world.now)
    compose_due(world.now)
    last = OutgoingMail.objects.latest("id")
    assert (last.recipient, last.subject) == (
        "sacha@example.org", "Votre virement interne de 20,00\u00a0€ est comptabilisé"
    )  # fmt: skip


def test_many_small_transfers_are_one_large_one(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    threshold(world, 50_00)
    assert propose(world, team, 30_00, form_key="one").state == "booked"
    assert propose(world, team, 20_01, form_key="two").state == "proposed"
    assert propose(world, team, 20_00, form_key="three").state == "booked"
    later = world.now + timedelta(days=31)
    assert propose(world, team, 45_00, form_key="four", now=later).state == "booked"
    assert held(world.budget) == 0


def test_no_work_enters_an_envelope_that_was_closed_meanwhile(play: Play) -> None:
    world = play("receive")
    team = envelope(world)
    grant_role(user=world.users["bo"], kind="contributor", scope=team.pk, granted_by=None, now=world.now)
    before = Budget.objects.get(pk=team.pk)  # as a page read it
    propose(world, None, None, kind="remainder", source=team, form_key="close")
    with pytest.raises(Conflict) as refusal:
        declare(
            actor=world.users["bo"], budget=before, worked_on=world.today, kind="support", minutes=30, amount=10_00,
            description="Accueil", form_key="late", now=world.now,
        )  # fmt: skip
    assert refusal.value.code == "budget_not_open"
