"""Money bugs that other platforms had, each as the case that must pass here; numbers are those of the field notes.

Until cards and debits are here, what they say of a provider's events is shown with bank lines, and what they say of a
failing debit with reminders.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from backend.banking.models import BankLine
from backend.banking.services import import_statement
from backend.commons.models import Budget
from backend.commons.services import open_envelope
from backend.core.errors import Conflict, Invalid
from backend.core.money import parse_amount
from backend.documents.models import Document
from backend.events.models import Event
from backend.ledger.services import balances, entry_count
from backend.operations import demo
from backend.operations.sweeps import SWEEPS
from backend.payments.fees import set_fee
from backend.payments.models import PaperPayment, Payment, Refund
from backend.payments.papers import record_paper
from backend.payments.refunds import refund_payment
from backend.pledges.calendar import MONTHS, due_day
from backend.pledges.models import Instalment, Pledge
from backend.pledges.services import Terms, make_pledge, pause_pledge
from backend.transfers.services import decide_transfer, propose_transfer
from tests.concurrency import at_once

Play = Callable[..., Any]
PARIS = ZoneInfo("Europe/Paris")
KINDS = ("bank", "budget", "host_fees", "suspense", "clearing", "payee", "deficit")
BACK_TO = "FR1420041010050500013M02606"


def held() -> dict[tuple[str, str], int]:
    """Every purse that holds something: (kind, owner) → minor units."""
    found = {(kind, owner): amount for kind in KINDS for (owner, _currency), amount in balances(kind=kind).items()}
    return {key: amount for key, amount in found.items() if amount}


def promise(world: Any, **changes: Any) -> Pledge:
    """A pledge of the organisation, with some values changed."""
    facts: dict[str, Any] = {
        "actor": world.users["ana"], "budget": world.budget, "organisation": world.organisation, "amount": 100_00,
        "currency": "EUR", "form_key": "k", "now": world.now,
    }  # fmt: skip
    return make_pledge(**{**facts, **changes})


def paid(world: Any, pledge: Pledge, amount: int, number: int = 1, opening: int = 0) -> Payment:
    """The transfer of a pledge, seen on a statement."""
    data = demo.statement_file(world, number=number, opening=opening, lines=[(amount, "PAYEUR", pledge.reference, "")])
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    SWEEPS["banking.match"](world.now)
    return Payment.objects.filter(pledge=pledge).latest("created_at")


def days(first: date, count: int) -> Iterator[datetime]:
    """Noon of each day."""
    for offset in range(count):
        yield datetime.combine(first + timedelta(days=offset), datetime.min.time(), PARIS).replace(hour=12)


def test_case_1_a_form_sent_ten_times_at_once_promises_and_books_once(committed: str, play: Play) -> None:
    world = play("make_house")
    made = at_once(lambda _turn: promise(world).pk)
    assert len(set(made)) == 1
    assert (Pledge.objects.count(), Instalment.objects.count()) == (1, 1)

    def hand_over(_turn: int) -> str:
        return record_paper(
            actor=world.users["claire"], pledge_id=made[0], account_id=world.account.pk, kind="cheque", amount=100_00,
            received_on=world.today, form_key="cheque", now=world.now,
        ).pk  # fmt: skip

    assert len(set(at_once(hand_over))) == 1
    assert (PaperPayment.objects.count(), Payment.objects.count(), entry_count()) == (1, 1, 1)
    assert Pledge.objects.get().received == 100_00


def test_case_2_the_scheduler_run_ten_times_at_once_asks_once_for_each_period(committed: str, play: Play) -> None:
    world = play("make_house")
    pledge = promise(world, terms=Terms(rhythm="monthly"))
    later = world.now + timedelta(days=26)  # a week before the next one, while the first is not paid
    at_once(lambda _turn: SWEEPS["pledges.call_due"](later))
    SWEEPS["pledges.call_due"](later)
    SWEEPS["pledges.call_due"](later + timedelta(days=1))
    assert list(pledge.instalments.order_by("number").values_list("number", "state")) == [(1, "called"), (2, "called")]
    assert Document.objects.count() == 2
    assert Event.objects.filter(kind="pledge.called").count() == 1


def test_case_3_one_bank_line_delivered_ten_times_at_once_is_booked_once(committed: str, play: Play) -> None:
    world = play("make_promise")
    data = demo.statement_file(
        world, number=1, opening=0, lines=[(100_00, "PAYEUR", f"don {world.pledge.reference}", "")]
    )

    def deliver(_turn: int) -> None:
        import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
        SWEEPS["banking.match"](world.now)

    at_once(deliver)
    assert (BankLine.objects.count(), Payment.objects.count(), entry_count()) == (1, 1, 1)
    assert held() == {
        ("bank", world.account.pk): 100_00, ("budget", world.budget.pk): 95_00, ("host_fees", world.host.pk): 5_00,
    }  # fmt: skip


def test_case_7_what_never_comes_is_recalled_three_times_and_then_people_speak(play: Play) -> None:
    world = play("make_house")
    pledge = promise(world)
    for now in days(world.today, 120):
        SWEEPS["pledges.call_due"](now)
        SWEEPS["pledges.remind_due"](now)
    assert Event.objects.filter(kind="pledge.reminded", subject=pledge.pk).count() == 3
    assert Event.objects.filter(kind="pledge.unpaid", subject=pledge.pk).count() == 1
    assert Instalment.objects.get().reminders == 3


def test_case_7_a_paused_promise_asks_for_nothing_more(play: Play) -> None:
    world = play("make_house")
    pledge = promise(world, terms=Terms(rhythm="monthly"))
    SWEEPS["pledges.call_due"](world.now)
    pause_pledge(actor=world.users["ana"], pledge_id=pledge.pk, reason="short of money", now=world.now)
    for now in days(world.today, 100):
        SWEEPS["pledges.call_due"](now)
        SWEEPS["pledges.remind_due"](now)
    assert Instalment.objects.count() == 1
    assert not Event.objects.filter(kind__in=["pledge.called", "pledge.reminded"]).exists()


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        (date(2027, 12, 31), ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
        (date(2027, 1, 29), ["2027-01-29", "2027-02-28", "2027-03-29", "2027-04-29", "2027-05-29"]),
        (date(2028, 2, 29), ["2028-02-29", "2028-03-29", "2028-04-29", "2028-05-29", "2028-06-29"]),
    ],
)
def test_case_8_one_call_for_each_period_whatever_the_day_it_began(
    play: Play, begins: date, expected: list[str]
) -> None:
    begun = next(days(begins, 1))
    world = play("make_house", begun)
    pledge = promise(world, terms=Terms(rhythm="monthly"))
    for now in days(begins, 125):
        SWEEPS["pledges.call_due"](now)
    called = [f"{row.due_on}" for row in pledge.instalments.exclude(state="due").order_by("number")]
    assert called[:5] == expected
    assert [row.number for row in pledge.instalments.order_by("number")] == list(range(1, len(called) + 1))


def test_case_8_no_two_periods_share_a_day_from_any_start() -> None:
    for offset in range(366 + 365):
        begins = date(2027, 1, 1) + timedelta(days=offset)
        for rhythm in ("monthly", "quarterly", "yearly"):
            fell = [due_day(begins, rhythm, number) for number in range(1, 40)]
            months = [day.year * 12 + day.month for day in fell]
            assert months == list(range(months[0], months[0] + 39 * MONTHS[rhythm], MONTHS[rhythm]))


def test_case_8_the_next_day_is_shown_before_anything_is_paid(play: Play, client: Client) -> None:
    play("make_house")
    values = {
        "preset": "20", "rhythm": "monthly", "name": "Gaëlle", "email": "gaelle@example.org", "form_key": "k" * 24,
    }  # fmt: skip
    page = client.post("/en/commons/cartolibre/give/", values, follow=True).content.decode().replace("\xa0", " ")
    today = Pledge.objects.get().starts_on
    following = due_day(today, "monthly", 2)
    assert f"The next transfer is due on {following.day} {following:%B} {following.year}" in page
    assert entry_count() == 0


@pytest.mark.parametrize("written", ["0.009", "0,004", "0", "0.00", "1e-3", "-1"])
def test_case_9_an_amount_that_rounds_to_nothing_is_refused(play: Play, client: Client, written: str) -> None:
    world = play("make_house")
    with pytest.raises(Invalid):
        parse_amount(written, "EUR")
    values = {
        "preset": "other", "amount": written, "rhythm": "once", "name": "G", "email": "g@example.org", "form_key": "k",
    }  # fmt: skip
    assert client.post("/en/commons/cartolibre/give/", values).status_code == 422
    for amount in (0, -1, 0.009):
        with pytest.raises(Invalid):
            promise(world, amount=amount)
    assert not Pledge.objects.exists()


def test_case_13_a_fee_of_nothing_is_kept_and_is_not_the_same_as_none(play: Play) -> None:
    world = play("make_house")
    claire, now = world.users["claire"], world.now
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Rien", own_rules=False, now=now)
    set_fee(actor=claire, budget_id=envelope.pk, fee_bp=0, reason="agreed", now=now)
    assert Budget.objects.get(pk=envelope.pk).fee_bp == 0
    envelope.refresh_from_db()
    free = paid(world, promise(world, budget=envelope, form_key="free"), 100_00)
    assert (free.fee, free.fee_bp) == (0, 0)
    set_fee(actor=claire, budget_id=envelope.pk, fee_bp=None, reason="as the others", now=now)
    assert Budget.objects.get(pk=envelope.pk).fee_bp is None
    usual = paid(world, promise(world, budget=envelope, form_key="usual"), 100_00, number=2, opening=100_00)
    assert (usual.fee, usual.fee_bp) == (5_00, 500)
    free.refresh_from_db()
    assert (free.fee, free.fee_bp) == (0, 0)


def test_case_14_of_two_outflows_at_once_that_together_exceed_a_pot_one_is_refused(committed: str, play: Play) -> None:
    world = play("make_house")
    payment = paid(world, promise(world), 100_00)  # the pot holds 95
    envelope = open_envelope(
        actor=world.users["sacha"], parent=world.budget, name="Ailleurs", own_rules=False, now=world.now
    )
    moved = propose_transfer(
        actor=world.users["sacha"], kind="move", source=world.budget, target=envelope, amount=60_00, reason="r",
        form_key="t", now=world.now,
    )  # fmt: skip
    acts: list[Callable[[], Any]] = [
        lambda: decide_transfer(actor=world.users["denis"], transfer_id=moved.pk, accept=True, now=world.now).state,
        lambda: (
            refund_payment(
                actor=world.users["claire"],
                payment_id=payment.pk,
                amount=60_00,
                name="P",
                iban=BACK_TO,
                reason="r",
                form_key="r",
                now=world.now,
            ).state
        ),
    ]
    told = at_once(lambda turn: acts[turn](), times=2)
    assert sum(one in {"booked", "owed"} for one in told) == 1
    # 95 less the transfer of 60, or less what the pot gives of the refund: 57, the host giving its fee on it back.
    assert balances(kind="budget")[world.budget.pk, "EUR"] in {35_00, 38_00}
    assert not any(amount < 0 for amount in held().values())


def test_case_15_a_payment_paid_and_fully_given_back_leaves_every_account_as_before(play: Play) -> None:
    world = play("make_house")
    before = held()
    payment = paid(world, promise(world), 99_99)
    facts: dict[str, Any] = {
        "actor": world.users["claire"], "payment_id": payment.pk, "name": "P", "iban": BACK_TO, "reason": "r",
        "now": world.now,
    }  # fmt: skip
    refund = refund_payment(amount=99_99, form_key="all", **facts)
    assert held() == {**before, ("bank", world.account.pk): 99_99, ("payee", refund.pk): 99_99}
    for amount in (99_99, 1):
        with pytest.raises(Conflict) as again:
            refund_payment(amount=amount, form_key=f"again{amount}", **facts)
        assert again.value.code == "take_back_too_large"
    assert refund_payment(amount=99_99, form_key="all", **facts).pk == refund.pk  # the same form once more
    demo.sweep(world.now)
    batch = demo.prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    demo.approve_batch(actor=world.users["denis"], batch_id=batch.pk, digest=batch.digest, now=world.now)
    demo.hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    (payout,) = batch.payouts.all()
    data = demo.statement_file(
        world, number=2, opening=99_99, lines=[(-99_99, payout.name, "remboursement", payout.end_to_end_id)]
    )
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    SWEEPS["banking.match"](world.now)
    assert held() == before
    assert sum(Refund.objects.values_list("amount", flat=True)) == payment.amount


def test_case_15_refunds_in_parts_at_once_never_exceed_the_payment(committed: str, play: Play) -> None:
    world = play("make_house")
    payment = paid(world, promise(world), 100_00)

    def part(turn: int) -> str:
        return refund_payment(
            actor=world.users["claire"], payment_id=payment.pk, amount=30_01, name="P", iban=BACK_TO, reason="r",
            form_key=f"part{turn}", now=timezone.now(),
        ).state  # fmt: skip

    told = at_once(part)
    assert sorted(set(told)) == ["owed", "take_back_too_large"]
    assert told.count("owed") == 3
    payment.refresh_from_db()
    assert payment.taken_back == 90_03 == sum(Refund.objects.values_list("amount", flat=True))
