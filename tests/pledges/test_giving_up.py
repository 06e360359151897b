"""What is given up stays given up: money that goes back, invoices credited in part, ends moved, pauses."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from backend.core.errors import Conflict
from backend.documents.models import Document
from backend.documents.services import body_of, correct
from backend.identity.organisations import Address, Details, edit_organisation
from backend.payments.refunds import refund_payment
from backend.payments.services import receive_transfer
from backend.pledges.models import Pledge
from backend.pledges.services import (
    Terms,
    call_due,
    cancel_pledge,
    change_pledge,
    make_pledges,
    note_received,
    pause_pledge,
    remind_due,
    resume_pledge,
    write_off_instalment,
)
from tests.pledges.test_instalments import START, _envelope, promise, rows, run_to

Play = Callable[..., Any]
DAY = timedelta(days=1)
IBAN = "FR7630006000011234567890189"


def house(play: Play) -> Any:
    """A house that may issue invoices to Ana's organisation."""
    world = play("make_house", now=START)
    type(world.host).objects.update(vat_status="non_profit", address="1 rue du Port\n29200 Brest")
    edit_organisation(
        actor=world.users["ana"], organisation_id=world.organisation.pk, now=START,
        details=Details(
            name="La Fabrique du Port", kind="association", siren="", siret="", vat_status="unknown", vat_number="",
            email="", address=Address("2 quai", "29200", "Brest", "FR"),
        ),
    )  # fmt: skip
    world.organisation.refresh_from_db()
    return world


def papers() -> list[tuple[str, int]]:
    """Label and minor units of all invoices and credit notes, in the order of their making."""
    found = Document.objects.filter(kind__in=["invoice", "credit_note"])
    return [(one.label, one.total) for one in found.order_by("kind", "number")]


def state(pledge: Pledge) -> tuple[str, int, int]:
    """State, awaited and received of a pledge."""
    pledge.refresh_from_db()
    return pledge.state, pledge.expected, pledge.received


@pytest.mark.parametrize("end", ["cancelled", "written_off"])
def test_money_taken_back_after_the_end_awaits_nothing(play: Play, end: str) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    run_to(START + 25 * DAY)
    if end == "cancelled":
        cancel_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=START + 26 * DAY)
    else:
        Pledge.objects.filter(pk=pledge.pk).update(state="written_off")
        write_off_instalment(
            actor=world.users["claire"], instalment_id=pledge.instalments.get(number=2).pk, reason="gone",
            now=START + 26 * DAY,
        )  # fmt: skip
    note_received(pledge_id=pledge.pk, amount=-100_00, now=START + 27 * DAY)
    assert [row[3] for row in rows(pledge)] == ["cancelled", end]
    assert state(pledge) == (end, 0, 0)
    assert remind_due(START + 100 * DAY) == 0


def test_what_the_bank_takes_back_of_a_standing_pledge_is_awaited_again(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world)
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    note_received(pledge_id=pledge.pk, amount=-40_00, now=START)
    assert rows(pledge) == [(1, "2026-01-31", 100_00, "partly_received")]
    assert state(pledge) == ("active", 40_00, 60_00)


@pytest.mark.parametrize(("amount", "ends"), [(100_00, ("cancelled", 0, 0)), (40_00, ("fulfilled", 0, 60_00))])
def test_a_refund_is_not_asked_for_again(play: Play, amount: int, ends: tuple[str, int, int]) -> None:
    world = house(play)
    pledge = promise(world, paper="invoice")
    call_due(START)
    receive_transfer(
        pledge=pledge, amount=100_00, source="line:one", purse=("bank", world.account.pk), received_on=START.date(),
        actor=None, now=START,
    )  # fmt: skip
    refund_payment(
        actor=world.users["claire"], payment_id=pledge.payments.get().pk, amount=amount, name="La Fabrique",
        iban=IBAN, reason="twice", form_key="r", now=START + DAY,
    )  # fmt: skip
    assert state(pledge) == ends
    assert remind_due(START + 60 * DAY) == 0
    assert papers() == [("AV-2026-0001", amount), ("F-2026-0001", 100_00)]


def test_a_part_cancelled_credits_its_part_of_the_invoice(play: Play) -> None:
    world = house(play)
    small, large = make_pledges(
        actor=world.users["ana"], parts=[(world.budget, 100_00), (_envelope(world), 200_00)], currency="EUR",
        organisation=world.organisation, form_key="two", now=world.now, terms=Terms(paper="invoice"),
    )  # fmt: skip
    call_due(world.now)
    cancel_pledge(actor=world.users["ana"], pledge_id=large.pk, now=world.now)
    assert papers() == [("AV-2026-0001", 200_00), ("F-2026-0001", 300_00)]
    body = body_of(Document.objects.get(kind="credit_note"))
    assert body["facts"][-2][0] == "Annule en partie"
    assert "à hauteur de son montant" in body["notes"][-1]
    note_received(pledge_id=small.pk, amount=40_00, now=world.now)
    cancel_pledge(actor=world.users["ana"], pledge_id=small.pk, now=world.now)
    assert papers() == [("AV-2026-0001", 200_00), ("AV-2026-0002", 60_00), ("F-2026-0001", 300_00)]
    cancel_pledge(actor=world.users["ana"], pledge_id=small.pk, now=world.now)
    call_due(world.now)
    assert len(papers()) == 3
    # What had come goes back later: nothing of it is owed, so that the invoice is credited in whole.
    note_received(pledge_id=small.pk, amount=-40_00, now=world.now, given_back=True)
    assert papers()[2] == ("AV-2026-0003", 40_00)
    assert Document.objects.get(kind="invoice").uncredited == 0


def test_an_invoice_cancelled_by_a_treasurer_is_made_anew_while_its_instalment_stands(play: Play) -> None:
    world = house(play)
    pledge = promise(world, paper="invoice")
    call_due(START)
    invoice = Document.objects.get(kind="invoice")
    correct(actor=world.users["claire"], document_id=invoice.pk, reason="wrong", now=START, amount=30_00)
    assert call_due(START) == 0  # something of it stands
    correct(actor=world.users["claire"], document_id=invoice.pk, reason="wrong", now=START)
    assert (call_due(START), call_due(START)) == (1, 0)
    assert papers() == [
        ("AV-2026-0001", 30_00), ("AV-2026-0002", 70_00), ("F-2026-0001", 100_00), ("F-2026-0002", 100_00),
    ]  # fmt: skip
    assert pledge.instalments.get().document == Document.objects.get(label="F-2026-0002").pk
    cancel_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=START)
    assert Document.objects.get(label="F-2026-0002").uncredited == 0
    assert call_due(START) == 0


def test_an_end_that_is_moved_back_brings_back_what_it_had_cancelled(play: Play) -> None:
    world = house(play)
    pledge = promise(world, rhythm="monthly", paper="invoice")
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    run_to(START + 25 * DAY)
    ana, now = world.users["ana"], START + 25 * DAY
    change_pledge(actor=ana, pledge_id=pledge.pk, changes={"ends_on": date(2026, 2, 27)}, now=now)
    assert (state(pledge)[0], rows(pledge)[1][3]) == ("fulfilled", "cancelled")
    change_pledge(actor=ana, pledge_id=pledge.pk, changes={"ends_on": None}, now=now)
    assert state(pledge) == ("active", 100_00, 100_00)
    run_to(now + 35 * DAY, now)
    assert rows(pledge)[1:] == [(2, "2026-02-28", 100_00, "called"), (3, "2026-03-31", 100_00, "called")]
    assert papers()[0] == ("AV-2026-0001", 100_00)
    second = Document.objects.get(pk=pledge.instalments.get(number=2).document)
    assert (second.uncredited, second.total) == (100_00, 100_00)


def test_a_pledge_taken_up_after_its_end_leaves_out_what_passed(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly", ends_on=START.date())
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    assert state(pledge)[0] == "fulfilled"
    later = START + 100 * DAY  # 11 May
    with pytest.raises(Conflict) as refusal:
        change_pledge(actor=world.users["ana"], pledge_id=pledge.pk, changes={"amount": 5_00}, now=later)
    assert refusal.value.code == "pledge_over"
    change_pledge(actor=world.users["ana"], pledge_id=pledge.pk, changes={"ends_on": None}, now=later)
    run_to(later + 20 * DAY, later)
    assert [row[1:] for row in rows(pledge)][1:] == [
        ("2026-02-28", 100_00, "cancelled"), ("2026-03-31", 100_00, "cancelled"), ("2026-04-30", 100_00, "cancelled"),
        ("2026-05-31", 100_00, "called"),
    ]  # fmt: skip


def test_a_first_day_that_passed_during_a_pause_is_never_called(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly", starts_on=date(2026, 2, 20))
    pause_pledge(actor=world.users["ana"], pledge_id=pledge.pk, reason="wait", now=START)
    resume_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=START + 80 * DAY)  # 21 April
    assert [row[3] for row in rows(pledge)] == ["cancelled"] * 3
    assert state(pledge) == ("active", 0, 0)
    run_to(START + 110 * DAY, START + 80 * DAY, every=5)
    assert rows(pledge)[3] == (4, "2026-05-20", 100_00, "called")
