"""Pledges are changed, paused, taken up again, cancelled between two instalments; no money moves, history stays."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.documents.models import Document
from backend.events.models import Event
from backend.identity.models import SpendingLimit
from backend.identity.organisations import Address, Details, edit_organisation
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.pledges.limits import Left, limits_left
from backend.pledges.models import Pledge
from backend.pledges.services import (
    call_due,
    cancel_pledge,
    change_pledge,
    note_received,
    pause_pledge,
    resume_pledge,
)
from tests.pledges.test_instalments import START, promise, rows, run_to

Play = Callable[..., Any]
DAY = timedelta(days=1)


def facts(pledge: Pledge) -> tuple[Any, ...]:
    """What a refusal must leave as it was."""
    pledge.refresh_from_db()
    return (
        pledge.state, pledge.amount, pledge.ends_on, pledge.visibility, pledge.paused_at, pledge.expected,
        tuple(rows(pledge)), Event.objects.count(),
    )  # fmt: skip


def test_a_new_amount_holds_from_the_next_instalment_on(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    changed = change_pledge(actor=world.users["ana"], pledge_id=pledge.pk, changes={"amount": 250_00}, now=START)
    assert changed.amount == 250_00
    run_to(START + 30 * DAY)
    assert rows(pledge) == [(1, "2026-01-31", 100_00, "called"), (2, "2026-02-28", 250_00, "called")]
    event = Event.objects.get(kind="pledge.changed")
    assert (event.before, event.after) == ({"amount": 100_00}, {"amount": 250_00})
    change_pledge(actor=world.users["ana"], pledge_id=pledge.pk, changes={"amount": 250_00}, now=START)
    assert Event.objects.filter(kind="pledge.changed").count() == 1  # the same again changes nothing


def test_an_earlier_end_cancels_what_was_called_for_a_later_day(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    run_to(START + 25 * DAY)
    assert rows(pledge)[1] == (2, "2026-02-28", 100_00, "called")
    change_pledge(
        actor=world.users["ana"], pledge_id=pledge.pk, changes={"ends_on": date(2026, 2, 27)}, now=START + 25 * DAY
    )
    assert rows(pledge)[1] == (2, "2026-02-28", 100_00, "cancelled")
    pledge.refresh_from_db()
    assert (pledge.state, pledge.expected, pledge.received) == ("fulfilled", 0, 100_00)
    run_to(START + 90 * DAY, START + 26 * DAY, every=5)
    assert len(rows(pledge)) == 2


def test_names_change_at_any_time_and_the_trail_keeps_no_text(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world)
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    ana = world.users["ana"]
    shown = change_pledge(
        actor=ana, pledge_id=pledge.pk, changes={"visibility": "pseudonymous", "pseudonym": "Les Amies"}, now=START
    )
    assert shown.public_name == "Les Amies"
    event = Event.objects.get(kind="pledge.changed")
    assert "Les Amies" not in str(event.after)
    back = change_pledge(actor=ana, pledge_id=pledge.pk, changes={"visibility": "anonymous"}, now=START)
    assert (back.public_name, back.pseudonym) == (None, "")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 0}, "amount_out_of_range"),
        ({"ends_on": date(2026, 1, 1)}, "ends_out_of_range"),
        ({"visibility": "pseudonymous"}, "pseudonym_missing"),
        ({"paper": "receipt"}, "paper_unknown"),
        ({"paper": "invoice"}, "invoice_party_incomplete"),
        ({"purchase_order": "9" * 61}, "text_too_long"),
    ],
)
def test_a_wrong_change_leaves_everything_as_it_was(play: Play, changes: Any, code: str) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    before = facts(pledge)
    with pytest.raises((Invalid, Conflict)) as refusal:
        change_pledge(actor=world.users["ana"], pledge_id=pledge.pk, changes=changes, now=START)
    assert refusal.value.code == code
    assert facts(pledge) == before


def test_what_was_called_or_is_over_does_not_change(play: Play) -> None:
    world = play("make_house", now=START)
    ana, once = world.users["ana"], promise(world)
    with pytest.raises(Conflict) as called:
        change_pledge(actor=ana, pledge_id=once.pk, changes={"amount": 5_00}, now=START)
    assert called.value.code == "pledge_called"
    note_received(pledge_id=once.pk, amount=100_00, now=START)
    for changes in ({"amount": 5_00}, {"purchase_order": "12"}):
        with pytest.raises(Conflict) as over:
            change_pledge(actor=ana, pledge_id=once.pk, changes=changes, now=START)  # type: ignore[arg-type]
        assert over.value.code == "pledge_over"
    coming = promise(world, key="coming", starts_on=date(2026, 6, 1))
    assert change_pledge(actor=ana, pledge_id=coming.pk, changes={"amount": 5_00}, now=START).amount == 5_00
    assert rows(coming) == [(1, "2026-06-01", 5_00, "due")]


def test_nobody_else_changes_pauses_or_cancels(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    before = facts(pledge)
    for who, refusal in (("bo", NotFound), ("sacha", NotFound), ("claire", Forbidden)):
        actor = world.users[who]
        with pytest.raises(refusal):
            change_pledge(actor=actor, pledge_id=pledge.pk, changes={"amount": 1_00}, now=START)
        with pytest.raises(refusal):
            cancel_pledge(actor=actor, pledge_id=pledge.pk, now=START)
        if who != "claire":  # a treasurer may pause
            with pytest.raises(refusal):
                pause_pledge(actor=actor, pledge_id=pledge.pk, reason="x", now=START)
    assert facts(pledge) == before


def test_a_cancelled_pledge_keeps_what_was_received_and_is_called_no_more(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    run_to(START + 25 * DAY)
    done = cancel_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=START + 25 * DAY)
    assert (done.state, done.received, done.expected) == ("cancelled", 100_00, 0)
    assert [row[3] for row in rows(pledge)] == ["received", "cancelled"]
    run_to(START + 90 * DAY, START + 25 * DAY, every=5)
    assert len(rows(pledge)) == 2
    assert not Event.objects.filter(kind="pledge.reminded").exists()
    assert entry_count() == 0
    compose_due(START)
    assert OutgoingMail.objects.get(event__kind="pledge.cancelled").recipient == "ana@example.org"


def test_the_invoice_of_a_cancelled_pledge_gets_its_credit_note(play: Play) -> None:
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
    pledge = promise(world, paper="invoice")
    call_due(START)
    assert [one.label for one in Document.objects.all()] == ["F-2026-0001"]
    cancel_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=START)
    assert [(one.label, one.total) for one in Document.objects.order_by("issued_at", "label")] == [
        ("AV-2026-0001", 100_00), ("F-2026-0001", 100_00),
    ]  # fmt: skip
    assert Document.objects.get(kind="credit_note").corrects == Document.objects.get(kind="invoice")


def test_a_pause_calls_nothing_and_what_passed_is_never_called(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    with pytest.raises(Invalid):
        pause_pledge(actor=world.users["claire"], pledge_id=pledge.pk, reason=" ", now=START)
    paused = pause_pledge(actor=world.users["claire"], pledge_id=pledge.pk, reason="they asked", now=START + DAY)
    assert (paused.paused_at, paused.pause_reason) == (START + DAY, "they asked")
    run_to(START + 100 * DAY, every=5)
    assert len(rows(pledge)) == 1
    resume_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=START + 100 * DAY)  # 11 May
    assert [row[1:] for row in rows(pledge)][1:] == [
        ("2026-02-28", 100_00, "cancelled"), ("2026-03-31", 100_00, "cancelled"), ("2026-04-30", 100_00, "cancelled"),
    ]  # fmt: skip
    run_to(START + 120 * DAY, START + 100 * DAY)
    assert rows(pledge)[-1] == (5, "2026-05-31", 100_00, "called")
    assert Event.objects.get(kind="pledge.resumed").data["skipped"] == 3
    with pytest.raises(Conflict) as refusal:
        pause_pledge(actor=world.users["ana"], pledge_id=promise(world, key="o").pk, reason="x", now=START)
    assert refusal.value.code == "pledge_paid_once"


def test_limits_count_the_instalments_of_the_year(play: Play) -> None:
    world = play("make_house", now=START)
    ana = world.users["ana"]
    for per, amount in (("pledge", 150_00), ("year", 1300_00)):
        SpendingLimit.objects.create(
            user=ana, organisation=world.organisation, amount=amount, currency="EUR", per=per,
            set_by=ana, created_at=START,
        )  # fmt: skip
    with pytest.raises(Conflict) as refusal:
        promise(world, rhythm="monthly", amount=110_00)  # twelve instalments this year: 1320
    assert refusal.value.code == "above_spending_limit"
    pledge = promise(world, rhythm="monthly", amount=100_00)
    assert limits_left(ana, world.organisation, now=START) == [
        Left("pledge", 150_00, 150_00, "EUR"), Left("year", 1300_00, 100_00, "EUR"),
    ]  # fmt: skip
    with pytest.raises(Conflict):  # 2027 holds twelve of them: 1308
        change_pledge(actor=ana, pledge_id=pledge.pk, changes={"amount": 109_00}, now=START)
    assert change_pledge(actor=ana, pledge_id=pledge.pk, changes={"amount": 108_00}, now=START).amount == 108_00
    with pytest.raises(Conflict):
        change_pledge(actor=ana, pledge_id=pledge.pk, changes={"amount": 151_00}, now=START)
    cancel_pledge(actor=ana, pledge_id=pledge.pk, now=START)
    assert limits_left(ana, world.organisation, now=START)[1].left == 1300_00
