"""Instalments: one a period, called before its day with its paper, recalled three times, written off with a reason."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.commons.models import Budget
from backend.commons.services import open_envelope
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.documents.models import Document
from backend.events.models import Event
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.payments.services import receive_transfer
from backend.pledges.models import Instalment, Pledge
from backend.pledges.services import (
    Terms,
    allocate,
    call_due,
    make_pledge,
    make_pledges,
    note_received,
    pledge_in_text,
    pledges_in_text,
    remind_due,
    share,
    unpaid,
    write_off_instalment,
)
from tests.concurrency import at_once

Play = Callable[..., Any]
START = datetime.fromisoformat("2026-01-31T10:00:00+01:00")


def promise(world: Any, *, amount: int = 100_00, key: str = "k", now: datetime | None = None, **terms: Any) -> Pledge:
    """Ana's pledge for her organisation, on some terms."""
    return make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=amount, currency="EUR",
        form_key=key, now=now or START, terms=Terms(**terms),
    )  # fmt: skip


def rows(pledge: Pledge) -> list[tuple[int, str, int, str]]:
    """(number, day, minor units, state) of each instalment."""
    found = pledge.instalments.order_by("number")
    return [(row.number, row.due_on.isoformat(), row.amount, row.state) for row in found]


def run_to(last: datetime, start: datetime = START, *, every: int = 1) -> None:
    """Let the sweeps pass each day, or every so many days, up to one."""
    now = start
    while now <= last:
        while call_due(now):
            pass
        remind_due(now)
        now += timedelta(days=every)


def test_a_pledge_begun_on_the_31st_is_called_once_a_month_whatever_its_length(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    assert rows(pledge) == [(1, "2026-01-31", 100_00, "called")]
    run_to(START + timedelta(days=150), every=5)
    assert [row[1] for row in rows(pledge)] == [
        "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30",
    ]  # fmt: skip
    pledge.refresh_from_db()
    assert (pledge.expected, pledge.received, pledge.state) == (600_00, 0, "active")
    assert entry_count() == 0  # a promise is never money


def test_a_yearly_one_of_29_february_falls_on_the_28th_of_ordinary_years(play: Play) -> None:
    start = datetime.fromisoformat("2028-02-29T10:00:00+01:00")
    world = play("make_house", now=start)
    pledge = promise(world, now=start, rhythm="yearly")
    call_due(start + timedelta(days=334))
    assert rows(pledge) == [(1, "2028-02-29", 100_00, "called")]
    call_due(start + timedelta(days=335))
    assert rows(pledge)[1:] == [(2, "2029-02-28", 100_00, "called")]


def test_the_call_comes_with_one_paper_for_all_that_was_promised_together(play: Play) -> None:
    world = play("make_house", now=START)
    other = _envelope(world)
    made = make_pledges(
        actor=world.users["ana"], parts=[(world.budget, 60_00), (other, 40_00)], currency="EUR", form_key="both",
        organisation=world.organisation, now=START, terms=Terms(rhythm="quarterly", purchase_order="BC 12"),
    )  # fmt: skip
    assert {one.reference for one in made} == {made[0].reference}
    assert {one.group for one in made} == {made[0].group}
    while call_due(START):
        pass
    first = Document.objects.get()
    assert (first.kind, first.label, first.total, first.subject) == ("call", "AF-2026-0001", 100_00, made[0].group)
    assert set(Instalment.objects.values_list("document", flat=True)) == {first.pk}
    assert not Event.objects.filter(kind="pledge.called").exists()  # the promise itself was answered already
    run_to(START + timedelta(days=65), START + timedelta(days=55))
    assert [one.total for one in Document.objects.order_by("number")] == [100_00, 100_00]
    told = Event.objects.get(kind="pledge.called").data
    assert (told["amount"], told["due_on"], told["label"]) == (100_00, "2026-04-30", "AF-2026-0002")
    compose_due(START)
    mails = OutgoingMail.objects.filter(event__kind="pledge.called")
    assert [mail.recipient for mail in mails] == ["ana@example.org"]
    assert "AF-2026-0002" in mails[0].body
    assert OutgoingMail.objects.filter(event__kind="pledge.made").count() == 1  # one message for the whole act


def _envelope(world: Any, name: str = "Maintenance") -> Budget:
    return open_envelope(actor=world.users["sacha"], parent=world.budget, name=name, now=world.now)


def test_ten_sweeps_at_once_call_once(committed: str, play: Play) -> None:
    world = play("make_house", now=START)
    made = make_pledges(
        actor=world.users["ana"], parts=[(world.budget, 100_00), (_envelope(world), 100_00)], currency="EUR",
        form_key="both", organisation=world.organisation, now=START, terms=Terms(rhythm="monthly"),
    )  # fmt: skip
    later = START + timedelta(days=25)
    at_once(lambda _number: [call_due(later) for _round in range(3)], times=6)
    for pledge in made:
        assert rows(pledge) == [(1, "2026-01-31", 100_00, "called"), (2, "2026-02-28", 100_00, "called")]
    assert [one.label for one in Document.objects.order_by("number")] == ["AF-2026-0001", "AF-2026-0002"]
    assert Event.objects.filter(kind="pledge.called").count() == 1


def test_a_first_day_to_come_is_called_when_it_is_near(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, starts_on=date(2026, 4, 15))
    call_due(START)
    assert rows(pledge) == [(1, "2026-04-15", 100_00, "due")]
    assert not Document.objects.exists()
    call_due(START + timedelta(days=50))
    assert rows(pledge) == [(1, "2026-04-15", 100_00, "called")]
    assert Event.objects.filter(kind="pledge.called").count() == 1


def test_the_last_day_ends_it_and_it_is_fulfilled_once_all_is_there(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly", ends_on=date(2026, 3, 30))
    run_to(START + timedelta(days=90), every=5)
    assert [row[1] for row in rows(pledge)] == ["2026-01-31", "2026-02-28"]
    assert note_received(pledge_id=pledge.pk, amount=150_00, now=START).state == "active"
    assert [row[3] for row in rows(pledge)] == ["received", "partly_received"]
    assert note_received(pledge_id=pledge.pk, amount=50_00, now=START).state == "fulfilled"
    assert note_received(pledge_id=pledge.pk, amount=-60_00, now=START).state == "active"  # taken back from the newest
    pledge.refresh_from_db()
    assert (pledge.received, pledge.expected) == (140_00, 60_00)
    assert [(row.received, row.state) for row in pledge.instalments.order_by("number")] == [
        (100_00, "received"), (40_00, "partly_received"),
    ]  # fmt: skip


def test_an_unpaid_one_is_recalled_three_times_then_handed_to_people(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world)
    run_to(START + timedelta(days=110))
    reminded = Event.objects.filter(kind="pledge.reminded").order_by("created_at")
    assert [(one.created_at - START).days for one in reminded] == [37, 51, 75]  # after the 30 days to pay
    assert Event.objects.filter(kind="pledge.unpaid").count() == 1
    assert [row.pledge_id for row in unpaid(date(2026, 4, 20))] == [pledge.pk]
    compose_due(START)
    told = set(OutgoingMail.objects.filter(event__kind="pledge.unpaid").values_list("recipient", flat=True))
    assert told == {"claire@example.org", "denis@example.org", "sacha@example.org"}


@pytest.mark.parametrize(("visibility", "pseudonym"), [("anonymous", ""), ("pseudonymous", "Le Phare")])
def test_stewards_are_not_told_who_did_not_pay_without_a_name(play: Play, visibility: str, pseudonym: str) -> None:
    world = play("make_house", now=START)
    promise(world, visibility=visibility, pseudonym=pseudonym)
    for days in (37, 51, 75):
        assert remind_due(START + timedelta(days=days)) == 1
    compose_due(START)
    told = set(OutgoingMail.objects.filter(event__kind="pledge.unpaid").values_list("recipient", flat=True))
    assert told == {"claire@example.org", "denis@example.org"}


def test_nobody_is_late_on_the_day_of_the_call(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world, rhythm="monthly")
    own = make_pledge(
        actor=world.users["bo"], person=world.users["bo"], budget=world.budget, amount=10_00, currency="EUR",
        form_key="own", now=START,
    )  # fmt: skip
    assert pledge.instalments.get().pay_by == date(2026, 3, 2)
    assert own.instalments.get().pay_by == date(2026, 2, 15)
    run_to(START + timedelta(days=25), every=5)
    second = pledge.instalments.get(number=2)
    assert (second.due_on, second.pay_by) == (date(2026, 2, 28), date(2026, 3, 27))  # called on 25 February
    assert Document.objects.get(pk=second.document).due_on == second.pay_by
    remind_due(START + timedelta(days=36))
    # The person's, and not the organisation's.
    assert set(Event.objects.filter(kind="pledge.reminded").values_list("subject", flat=True)) == {own.pk}


def test_late_sweeps_do_not_remind_three_times_in_a_day(play: Play) -> None:
    world = play("make_house", now=START)
    promise(world)
    later = START + timedelta(days=100)
    assert [remind_due(later + timedelta(days=days)) for days in (0, 0, 6, 7, 14, 21)] == [1, 0, 0, 1, 1, 0]


def test_what_is_paid_is_recalled_no_more(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world)
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    assert remind_due(START + timedelta(days=50)) == 0


def test_an_invoice_is_issued_when_it_was_asked_for(play: Play) -> None:
    world = play("make_house", now=START)
    with pytest.raises(Conflict) as refusal:
        promise(world, paper="invoice")
    assert refusal.value.code == "invoice_party_incomplete"
    assert not Pledge.objects.exists()
    assert not Document.objects.exists()


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"rhythm": "weekly"}, "rhythm_unknown"),
        ({"starts_on": date(2026, 1, 30)}, "starts_out_of_range"),
        ({"starts_on": date(2027, 3, 1)}, "starts_out_of_range"),
        ({"ends_on": date(2026, 5, 1)}, "ends_out_of_range"),
        ({"rhythm": "monthly", "ends_on": date(2026, 1, 30)}, "ends_out_of_range"),
        ({"visibility": "loud"}, "visibility_unknown"),
        ({"visibility": "pseudonymous"}, "pseudonym_missing"),
        ({"pseudonym": "Zorro"}, "pseudonym_not_wanted"),
        ({"visibility": "pseudonymous", "pseudonym": "z" * 81}, "text_too_long"),
        ({"purchase_order": "9" * 61}, "text_too_long"),
        ({"paper": "receipt"}, "paper_unknown"),
    ],
)
def test_terms_that_cannot_be_are_refused(play: Play, terms: dict[str, Any], code: str) -> None:
    world = play("make_house", now=START)
    with pytest.raises(Invalid) as refusal:
        promise(world, **terms)
    assert refusal.value.code == code
    assert not Pledge.objects.exists()


def test_a_part_that_is_refused_undoes_the_whole_act(play: Play) -> None:
    world = play("make_house", now=START)
    other = _envelope(world)
    facts: dict[str, Any] = {
        "actor": world.users["ana"], "currency": "EUR", "organisation": world.organisation, "now": START,
    }  # fmt: skip
    cases: list[tuple[Sequence[tuple[Any, int]], str]] = [
        ([(world.budget, 10_00), (other, 0)], "amount_out_of_range"),
        ([(world.budget, 10_00), (world.budget, 5_00)], "budgets_repeated"),
        ([], "too_many_parts"),
    ]
    type(other).objects.filter(pk=other.pk).update(state="closed")
    closed = type(other).objects.select_related("commons").get(pk=other.pk)
    cases.append(([(world.budget, 10_00), (closed, 10_00)], "budget_not_open"))
    for parts, code in cases:
        with pytest.raises(DomainError) as refusal:
            make_pledges(parts=parts, form_key=code, **facts)
        assert refusal.value.code == code
    assert not Pledge.objects.exists()
    assert not Event.objects.filter(kind="pledge.made").exists()


def test_an_act_sent_twice_is_one_act(committed: str, play: Play) -> None:
    world = play("make_house", now=START)
    other = _envelope(world)

    def act(_number: int) -> list[str]:
        made = make_pledges(
            actor=world.users["ana"], parts=[(world.budget, 10_00), (other, 20_00)], currency="EUR", form_key="twice",
            organisation=world.organisation, now=START,
        )  # fmt: skip
        return [one.pk for one in made]

    found = at_once(act, times=6)
    assert all(one == found[0] for one in found)
    assert Pledge.objects.count() == 2
    assert Instalment.objects.count() == 2


def test_a_person_promises_in_their_own_name_and_for_nobody_else(play: Play) -> None:
    world = play("make_house", now=START)
    bo = world.users["bo"]
    made = make_pledge(
        actor=bo, budget=world.budget, person=bo, amount=5_00, currency="EUR", form_key="own", now=START,
        terms=Terms(rhythm="monthly", visibility="anonymous"),
    )  # fmt: skip
    assert (made.payer_name, made.public_name, made.payer_id) == ("Bo Nguyen", None, bo.pk)
    assert list(Pledge.visible_to(bo)) == [made]
    assert not Pledge.visible_to(world.users["camille"]).exists()
    with pytest.raises(ValueError, match="in the name of another person"):
        make_pledge(
            actor=bo, budget=world.budget, person=world.users["ana"], amount=5_00, currency="EUR", form_key="x",
            now=START,
        )  # fmt: skip


def test_a_treasurer_writes_off_with_a_reason_and_it_is_expected_no_more(play: Play) -> None:
    world = play("make_house", now=START)
    pledge = promise(world)
    note_received(pledge_id=pledge.pk, amount=30_00, now=START)
    row = pledge.instalments.get()
    act: dict[str, Any] = {"instalment_id": row.pk, "now": START}
    for who, reason, code in [("ana", "no", Forbidden), ("sacha", "no", Forbidden), ("claire", " ", Invalid)]:
        with pytest.raises(code):
            write_off_instalment(actor=world.users[who], reason=reason, **act)
    row.refresh_from_db()
    assert row.state == "partly_received"
    done = write_off_instalment(actor=world.users["claire"], reason=" they closed ", **act)
    assert (done.state, done.written_off_reason, done.written_off_by) == (
        "written_off", "they closed", world.users["claire"],
    )  # fmt: skip
    assert write_off_instalment(actor=world.users["denis"], reason="again", **act).written_off_reason == "they closed"
    pledge.refresh_from_db()
    assert (pledge.state, pledge.expected, pledge.received) == ("written_off", 0, 30_00)
    assert Event.objects.get(kind="instalment.written_off").data["amount"] == 70_00
    with pytest.raises(NotFound):
        write_off_instalment(actor=world.users["claire"], reason="x", instalment_id="ins_" + "0" * 36, now=START)
    paid = promise(world, key="paid")
    note_received(pledge_id=paid.pk, amount=100_00, now=START)
    with pytest.raises(Conflict) as refusal:
        write_off_instalment(
            actor=world.users["claire"], instalment_id=paid.instalments.get().pk, reason="x", now=START
        )
    assert refusal.value.code == "instalment_not_awaiting"


# --- money shared over instalments ------------------------------------------------------------------------------------


def instalment(number: int, days: int, amount: int, received: int = 0) -> Instalment:
    """A row that is in no database."""
    state = "partly_received" if received else "called"
    return Instalment(
        id=f"ins_{number:03d}", number=number, due_on=date(2026, 1, 1) + timedelta(days=days), amount=amount,
        received=received, state=state, currency="EUR",
    )  # fmt: skip


def test_money_goes_to_the_oldest_day_first_and_within_it_in_proportion() -> None:
    awaiting = [instalment(1, 30, 100_00), instalment(2, 0, 50_00), instalment(3, 0, 25_00), instalment(4, 60, 10_00)]
    parts, over = share(awaiting, 100_00)
    assert [(row.pk, part) for row, part in parts] == [("ins_002", 50_00), ("ins_003", 25_00), ("ins_001", 25_00)]
    assert over == 0
    parts, over = share(awaiting, 10_00)
    assert [(row.pk, part) for row, part in parts] == [("ins_002", 6_67), ("ins_003", 3_33)]
    assert share(awaiting, 200_00)[1] == 15_00


@settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 10_000), st.integers(0, 10_000)), max_size=12),
    st.integers(0, 100_000),
)
def test_no_cent_is_lost_nor_given_twice(facts: list[tuple[int, int, int]], amount: int) -> None:
    awaiting = [
        instalment(number, day, most, min(received, most - 1)) for number, (day, most, received) in enumerate(facts)
    ]
    parts, over = share(awaiting, amount)
    given_to = {row.pk: part for row, part in parts}
    assert sum(given_to.values()) + over == amount
    assert len(given_to) == len(parts)
    assert all(0 < part <= row.awaited for row, part in parts)
    assert over == max(0, amount - sum(row.awaited for row in awaiting))
    for row in awaiting:  # nothing goes to a day before the ones before it are served in full
        if row.pk in given_to:
            assert all(given_to[one.pk] == one.awaited for one in awaiting if one.due_on < row.due_on)
    assert share(list(reversed(awaiting)), amount) == (parts, over)


def test_a_transfer_pays_all_the_pledges_of_its_reference(play: Play) -> None:
    world = play("make_house", now=START)
    other = _envelope(world)
    made = make_pledges(
        actor=world.users["ana"], parts=[(world.budget, 60_00), (other, 40_00)], currency="EUR", form_key="both",
        organisation=world.organisation, now=START,
    )  # fmt: skip
    assert pledges_in_text(f"merci {made[0].reference}", currency="EUR") == made
    assert pledge_in_text(f"merci {made[0].reference}", currency="EUR") == made[0]
    assert pledges_in_text(f"{made[0].reference} {promise(world, key='x').reference}", currency="EUR") == []
    parts, over = allocate(made, 110_00)
    assert ({row.pledge_id: part for row, part in parts}, over) == ({made[0].pk: 60_00, made[1].pk: 40_00}, 10_00)
    receive_transfer(
        pledge=made[0], amount=100_00, source="line:both", purse=("bank", world.account.pk),
        received_on=date(2026, 2, 1), actor=None, now=timezone.now(),
    )  # fmt: skip
    assert sorted(Pledge.objects.filter(group=made[0].group).values_list("received", "state")) == [
        (40_00, "fulfilled"), (60_00, "fulfilled"),
    ]  # fmt: skip


def test_what_goes_back_is_taken_first_from_what_was_given_beyond(play: Play) -> None:
    """A surplus that was credited and given back later leaves the instalment it had nothing to do with."""
    world = play("make_house", now=START)
    pledge = promise(world)
    note_received(pledge_id=pledge.pk, amount=100_00, now=START)
    note_received(pledge_id=pledge.pk, amount=30_00, now=START)
    left = [
        (note_received(pledge_id=pledge.pk, amount=-part, now=START).state, rows(pledge)[0][2:])
        for part in (20_00, 10_00, 1)
    ]
    assert left == [
        ("fulfilled", (100_00, "received")), ("fulfilled", (100_00, "received")),
        ("active", (100_00, "partly_received")),
    ]  # fmt: skip
    pledge.refresh_from_db()
    assert (pledge.received, pledge.expected) == (99_99, 1)
