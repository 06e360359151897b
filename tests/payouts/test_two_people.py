"""What two people signed is what leaves: what is chosen, limits, signatures, voiding, and what PostgreSQL refuses."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from backend.core import crypto
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.distributions.models import Share
from backend.events.models import Event
from backend.identity.models import HostBankAccount, Proposal, User
from backend.ledger.services import balance, entry_count, held
from backend.notifications.models import OutgoingMail
from backend.operations import demo
from backend.payees.models import Payee
from backend.payees.services import set_account
from backend.payments.models import Payment
from backend.payments.refunds import refund_payment
from backend.payouts.handing import claim
from backend.payouts.limits import above_of, at_the_bank
from backend.payouts.models import HeldOut, PaidShare, Payout, PayoutBatch
from backend.payouts.services import (
    approve_batch,
    hand_over,
    paid_by_hand,
    prepare_batch,
    refuse_batch,
    take_by_hand,
    typed_nothing,
    void_changed,
)
from backend.pledges.services import make_pledge
from tests.concurrency import at_once
from tests.payments.money import IBAN, a_pledge, bank_says
from tests.payouts.test_batches import edited_by, prepare, sign
from tests.treasurers import make_treasurer

Play = Callable[..., Any]


@pytest.fixture
def world(play: Play) -> Any:
    """Bo is owed 57 and Camille 38; claire and denis are treasurers."""
    return play("document")


def payee(world: Any, who: str) -> Payee:
    """The payee of somebody."""
    return Payee.objects.get(user=world.users[who])


def third(world: Any, name: str = "ana") -> User:
    """A third treasurer."""
    person: User = world.users[name]
    make_treasurer(person, now=world.now)
    demo.give_factor(person)
    return person


def limit(world: Any, **limits: int | None) -> None:
    """Other limits of the account, as two people decided them."""
    made = Proposal.objects.create(
        id=f"prp_{'_'.join(limits)}", kind="host.payouts", subject=world.account.pk, digest="0" * 64, reason="Test",
        proposed_by=world.users["claire"], proposed_at=world.now,
    )  # fmt: skip
    rows = Proposal.objects.filter(pk=made.pk)
    rows.update(state="accepted", decided_by=world.users["denis"], decided_at=world.now)
    HostBankAccount.objects.filter(pk=world.account.pk).update(**limits)
    rows.update(applied_at=world.now)


def reasons(batch: PayoutBatch) -> dict[str, str]:
    """Name → why it was held out."""
    return {
        (one.share.payee.name if one.share else str(one.refund_id)): one.code
        for one in batch.held_out.select_related("share__payee")
    }


def refused(rule: str, statement: str, *values: Any) -> None:
    """PostgreSQL refuses a statement because of this rule."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
    assert refusal.value.__cause__.diag.constraint_name == rule  # type: ignore[union-attr]


# --- what is chosen ---------------------------------------------------------------------------------------------------


def test_each_line_that_waits_is_kept_with_its_reason(world: Any) -> None:
    Payee.objects.filter(user=world.users["camille"]).update(iban_sealed="", iban_hint="")
    batch = prepare(world)
    assert (batch.total, reasons(batch)) == (57_00, {"Camille Faure": "no_account"})
    assert Share.objects.get(contributor=world.users["camille"]).state == "payable"


def test_a_changed_account_waits_three_days(world: Any) -> None:
    set_account(actor=world.users["bo"], name="Bo", iban="NL91ABNA0417164300", now=world.now)
    batch = prepare(world)
    row = batch.held_out.get()
    assert (row.code, row.amount) == ("on_hold", 57_00)
    assert row.detail == (world.now + timedelta(hours=72)).isoformat()
    assert [one.name for one in batch.payouts.all()] == ["Camille Faure"]


def test_a_blocked_payee_waits(world: Any) -> None:
    Payee.objects.filter(user=world.users["bo"]).update(blocked_at=world.now)
    assert reasons(prepare(world)) == {"Bo Nguyen": "blocked"}


def test_a_name_without_a_latin_letter_waits(world: Any) -> None:
    Payee.objects.filter(user=world.users["bo"]).update(name="🎉")
    batch = prepare(world)
    assert reasons(batch) == {"🎉": "name_not_latin"}


def test_what_the_preparer_leaves_out_needs_a_reason(world: Any) -> None:
    out = [payee(world, "bo").pk]
    facts = {"actor": world.users["claire"], "account_id": world.account.pk, "now": world.now, "left_out": out}
    with pytest.raises(Invalid) as refusal:
        prepare_batch(**facts, why="  ")
    assert (refusal.value.code, refusal.value.param) == ("reason_missing", "why")
    assert not PayoutBatch.objects.exists()
    batch = prepare_batch(**facts, why="asked for another month")
    row = batch.held_out.get()
    assert (row.code, row.detail, batch.total) == ("chosen", "asked for another month", 38_00)
    assert set(Share.objects.values_list("contributor__name", "state")) == {
        ("Bo Nguyen", "payable"), ("Camille Faure", "batched"),
    }  # fmt: skip


def overdraw(world: Any, left: int) -> None:
    """The bank has only so much left, whatever the purses say: as if a transfer of the bank's own had not been booked
    to the pot that bears it."""
    from backend.ledger.services import Line, open_account, post

    free = at_the_bank(world.account)
    lines = [
        Line(open_account(kind="bank", owner=world.account.pk, currency="EUR"), left - free, "512"),
        Line(open_account(kind="clearing", owner="elsewhere", currency="EUR"), free - left, "511"),
    ]
    post(
        kind="t", scope="t", key=f"left-{left}-{free}", reference=world.budget.pk, happened_on=world.today,
        lines=lines, now=world.now,
    )  # fmt: skip


def test_never_more_than_the_bank_has_the_oldest_first(world: Any) -> None:
    first, second = Share.objects.order_by("pk")
    overdraw(world, first.amount + second.amount - 1)
    batch = prepare(world)
    assert batch.total == first.amount
    row = batch.held_out.get()
    assert (row.code, row.share, row.detail) == ("no_money", second, str(second.amount - 1))
    with pytest.raises(Conflict) as refusal:
        prepare(world)
    assert refusal.value.code == "bank_balance_short"
    assert at_the_bank(world.account) == second.amount - 1


def test_what_is_in_transit_or_in_another_batch_is_not_free(world: Any) -> None:
    before = at_the_bank(world.account)
    assert before == balance(kind="bank", owner=world.account.pk, currency="EUR")
    batch = prepare(world)
    assert at_the_bank(world.account) == before - 95_00
    sign(world, batch)
    assert at_the_bank(world.account) == before - 95_00
    hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    assert at_the_bank(world.account) == before - 95_00


def test_case_14_two_outflows_that_together_exceed_the_bank(committed: str, play: Play) -> None:
    """peers.md §5, case 14: two concurrent preparations never promise more than there is."""
    world = play("document")
    first, second = Share.objects.order_by("pk")
    overdraw(world, max(first.amount, second.amount) + 1)
    keys = [payee(world, "bo").pk, payee(world, "camille").pk]

    def one(number: int) -> str:
        return prepare_batch(
            actor=world.users[["claire", "denis"][number % 2]], account_id=world.account.pk, now=world.now,
            left_out=[keys[number % 2]], why="the other one",
        ).pk  # fmt: skip

    made = at_once(one)
    batches = [found for found in made if found.startswith("bat_")]
    assert len(batches) == 1
    assert set(made) - set(batches) <= {"bank_balance_short", "nothing_to_pay", "shares_taken"}
    assert at_the_bank(world.account) >= 0
    assert PayoutBatch.objects.get().total in {first.amount, second.amount}


def test_the_second_preparer_is_told_who_and_when(world: Any) -> None:
    prepare(world)
    with pytest.raises(Conflict) as refusal:
        prepare(world, by="denis")
    assert refusal.value.code == "nothing_to_pay"
    assert "Claire Moreau prepared a batch of €95.00 on" in str(refusal.value)


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["limit_payee", "limit_batch", "limit_day"])
def test_above_a_limit_a_third_person_approves(world: Any, name: str) -> None:
    limit(world, **{name: 56_99 if name == "limit_payee" else 94_99})
    ana = third(world)
    batch = prepare(world)
    made = sign(world, batch)
    assert (made.state, made.approved_by) == ("prepared", world.users["denis"])
    with pytest.raises(Conflict) as early:
        hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    assert early.value.code == "batch_not_approved"
    refused("batch_takes_three", "UPDATE payouts_payoutbatch SET state = 'approved'")
    for who in ("claire", "denis"):
        refused(
            "batch_second_is_a_third_person",
            "UPDATE payouts_payoutbatch SET state = 'approved', second_by_id = %s, second_at = now()",
            world.users[who].pk,
        )
    assert sign(world, batch).state == "prepared"  # the first approver again: nothing more
    demo.sweep(world.now)
    letters = OutgoingMail.objects.filter(event__kind="batch.approved_once")
    assert [letter.recipient for letter in letters] == [ana.email]
    with pytest.raises(Forbidden) as own:
        sign(world, batch, by="claire")
    assert own.value.code == "own_batch"
    made = approve_batch(actor=ana, batch_id=batch.pk, digest=batch.digest, now=world.now)
    assert (made.state, made.second_by) == ("approved", ana)
    kinds = list(Event.objects.filter(subject=batch.pk).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["batch.prepared", "batch.approved_once", "batch.approved"]


@pytest.mark.parametrize("name", ["limit_payee", "limit_batch", "limit_day"])
def test_at_the_limit_one_approval_is_enough(world: Any, name: str) -> None:
    limit(world, **{name: 57_00 if name == "limit_payee" else 95_00})
    assert sign(world, prepare(world)).state == "approved"


def test_above_a_limit_and_without_a_third_person_a_line_waits(world: Any) -> None:
    limit(world, limit_payee=50_00)
    batch = prepare(world)
    row = batch.held_out.get()
    assert (row.code, row.detail, batch.total) == ("above_limit", "payee", 38_00)
    refuse_batch(actor=world.users["claire"], batch_id=batch.pk, reason="x", now=world.now)
    limit(world, limit_batch=10_00)
    with pytest.raises(Conflict) as refusal:
        prepare(world)
    assert refusal.value.code == "third_person_missing"


def test_the_limit_of_a_day_counts_its_other_batches(world: Any) -> None:
    limit(world, limit_day=94_99)
    third(world)
    facts: dict[str, Any] = {"account_id": world.account.pk, "now": world.now, "why": "later"}
    first = prepare_batch(actor=world.users["claire"], left_out=[payee(world, "bo").pk], **facts)
    second = prepare_batch(actor=world.users["claire"], **facts)
    assert sign(world, first).state == "approved"
    assert sign(world, second).state == "prepared"
    refuse_batch(actor=world.users["claire"], batch_id=second.pk, reason="x", now=world.now)
    facts["now"] = world.now + timedelta(days=1)
    assert sign(world, prepare_batch(actor=world.users["claire"], **facts)).state == "approved"


def test_limits_take_two_people(world: Any) -> None:
    refused("limits_take_two", "UPDATE identity_hostbankaccount SET limit_batch = 1")
    refused("limits_take_two", "UPDATE identity_hostbankaccount SET file_format = 'pain.001.001.03'")
    limit(world, limit_batch=10)
    refused("limits_take_two", "UPDATE identity_hostbankaccount SET limit_batch = NULL")


def test_the_account_says_the_format_of_its_files(world: Any) -> None:
    limit(world, file_format="pain.001.001.03")  # type: ignore[arg-type]
    batch = prepare(world)
    sign(world, batch)
    _batch, data = hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    assert b"pain.001.001.03" in data
    assert batch.file_format == "pain.001.001.03"


# --- what PostgreSQL refuses ------------------------------------------------------------------------------------------

CHANGED = [
    "digest = repeat('0', 64)", "total = total + 1", "message_id = 'X'", "execute_on = execute_on + 1",
    "currency = 'CHF'", "prepared_at = prepared_at - interval '1 day'", "file_format = 'pain.001.001.03'",
    "file_sealed = file_sealed || 'x'", "prepared_by_id = approved_by_id",
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("state", ["prepared", "approved"])
def test_what_was_prepared_never_changes(world: Any, change: str, state: str) -> None:
    batch = prepare(world)
    if state == "approved":
        sign(world, batch)
    elif "approved_by" in change:
        change = change.replace("approved_by_id", f"'{world.users['denis'].pk}'")
    refused("batch_never_changes", f"UPDATE payouts_payoutbatch SET {change}")


def test_the_sealing_key_may_turn(world: Any, settings: Any) -> None:
    batch = prepare(world)
    number = batch.file_sealed.partition(":")[0]
    again = crypto.encrypt(crypto.decrypt(batch.file_sealed, bound_to=batch.pk), bound_to=batch.pk)
    refused("batch_never_changes", "UPDATE payouts_payoutbatch SET file_sealed = %s", again)
    other = f"{int(number) + 1}:{again.partition(':')[2]}"
    PayoutBatch.objects.update(file_sealed=other)


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        ("payout_never_changes", "UPDATE payouts_payout SET amount = amount + 1"),
        ("payout_never_changes", "UPDATE payouts_payout SET end_to_end_id = left(id, 9)"),
        ("payout_never_changes", "UPDATE payouts_payout SET name = 'Somebody'"),
        ("payout_never_changes", "UPDATE payouts_payout SET iban_hint = 'FR00'"),
        ("payout_never_changes", "DELETE FROM payouts_payout"),
        ("payout_never_changes", "DELETE FROM payouts_paidshare"),
        ("payout_never_changes", "UPDATE payouts_paidshare SET payout_id = (SELECT min(id) FROM payouts_payout)"),
        ("payout_moves_along_its_states", "UPDATE payouts_payout SET state = 'settled'"),
        ("batch_never_changes", "DELETE FROM payouts_payoutbatch"),
        ("batch_signatures_stay", "UPDATE payouts_payoutbatch SET approved_by_id = NULL, state = 'rejected'"),
        ("batch_signatures_stay", "UPDATE payouts_payoutbatch SET approved_at = approved_at - interval '1 day'"),
        ("batch_signatures_stay", "UPDATE payouts_payoutbatch SET approved_digest = repeat('0', 64)"),
        ("batch_moves_along_its_states", "UPDATE payouts_payoutbatch SET state = 'sent'"),
        ("batch_moves_along_its_states", "UPDATE payouts_payoutbatch SET state = 'settled'"),
        ("batch_moves_along_its_states", "UPDATE payouts_payoutbatch SET state = 'prepared'"),
        ("batch_claimed_in_a_way", "UPDATE payouts_payoutbatch SET state = 'claimed'"),
    ],
)
def test_an_approved_batch_is_what_was_signed(world: Any, rule: str, statement: str) -> None:
    sign(world, prepare(world))
    refused(rule, statement)


def test_nothing_joins_a_batch_once_it_is_signed(world: Any) -> None:
    batch = prepare(world)
    sign(world, batch)
    one = batch.payouts.first()
    assert one is not None
    refused(
        "payout_begins",
        "INSERT INTO payouts_payout (id, batch_id, payee_id, amount, name, iban_hint, end_to_end_id, state)"
        " VALUES ('pyt_x', %s, %s, 1, 'x', 'x', 'x', 'prepared')",
        batch.pk, one.payee_id,
    )  # fmt: skip
    refused(
        "payout_begins", "INSERT INTO payouts_paidshare (share_id, payout_id, live) VALUES (%s, %s, false)",
        Share.objects.order_by("pk")[0].pk, one.pk,
    )  # fmt: skip


def test_what_was_held_out_stays_told(world: Any) -> None:
    Payee.objects.filter(user=world.users["camille"]).update(iban_sealed="")
    prepare(world)
    assert HeldOut.objects.count() == 1
    refused("held_out_never_changes", "UPDATE payouts_heldout SET code = 'chosen'")
    refused("held_out_never_changes", "DELETE FROM payouts_heldout")


@pytest.mark.parametrize("role", ["payee", "editor"])
def test_who_is_concerned_signs_nothing_by_raw_sql(world: Any, role: str) -> None:
    ana = third(world)
    batch = prepare(world)
    if role == "payee":
        Payee.objects.filter(user=world.users["bo"]).update(user=ana)
    else:
        edited_by(world, "bo", ana)
    refused(
        "batch_signed_by_others",
        "UPDATE payouts_payoutbatch SET state = 'approved', approved_by_id = %s, approved_at = now(),"
        " approved_digest = digest",
        ana.pk,
    )
    refused(
        "batch_signed_as_prepared",
        "UPDATE payouts_payoutbatch SET state = 'approved', approved_by_id = %s, approved_at = now(),"
        " approved_digest = repeat('0', 64)",
        world.users["denis"].pk,
    )
    batch.refresh_from_db()
    assert (batch.state, batch.approved_by) == ("prepared", None)


# --- voiding ----------------------------------------------------------------------------------------------------------


def change(world: Any, who: str = "bo") -> None:
    """Somebody changes their account a minute after."""
    set_account(
        actor=world.users[who], name="Bo", iban="NL91ABNA0417164300", now=world.now + timedelta(minutes=1)
    )  # fmt: skip


def let_go(batch: PayoutBatch, code: str) -> None:
    """The batch is void, its shares can be paid again, and nothing is set aside any more."""
    batch.refresh_from_db()
    assert (batch.state, batch.void_code) == ("rejected", code)
    assert set(Share.objects.values_list("state", flat=True)) == {"payable"}
    assert set(Payout.objects.filter(batch=batch).values_list("state", flat=True)) == {"cancelled"}
    assert not PaidShare.objects.filter(live=True).exists()
    for one in batch.payouts.all():
        assert held(kind="payee", owner=one.purse, currency="EUR") == 0
    assert Event.objects.filter(kind="batch.voided", subject=batch.pk, actor=None).count() == 1


def test_an_account_edited_between_approval_and_handing_over_voids(world: Any) -> None:
    batch = prepare(world)
    sign(world, batch)
    before = entry_count()
    change(world)
    refused(
        "batch_accounts_as_prepared",
        "UPDATE payouts_payoutbatch SET state = 'claimed', claimed_by_id = prepared_by_id, claimed_at = now(),"
        " way = 'file'",
    )
    with pytest.raises(Conflict) as refusal:
        hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now + timedelta(hours=1))
    assert refusal.value.code == "batch_void"
    let_go(batch, "account_changed")
    assert entry_count() == before


def test_an_account_edited_before_approval_cannot_be_approved_by_raw_sql(world: Any) -> None:
    prepare(world)
    change(world)
    refused(
        "batch_accounts_as_prepared",
        "UPDATE payouts_payoutbatch SET state = 'approved', approved_by_id = %s, approved_at = now(),"
        " approved_digest = digest",
        world.users["denis"].pk,
    )


def test_the_sweep_voids_what_changed_and_nothing_else(world: Any) -> None:
    batch = prepare(world)
    assert void_changed(world.now) == 0
    change(world)
    assert void_changed(world.now) == 1
    let_go(batch, "account_changed")
    assert void_changed(world.now) == 0


def test_who_approved_changes_no_account_even_by_raw_sql(world: Any) -> None:
    batch = prepare(world)
    sign(world, batch)
    refused(
        "signers_change_no_account",
        "UPDATE payees_payee SET iban_sealed = 'own:x', iban_edited_by_id = %s, iban_edited_at = now(),"
        " usable_from = now() + interval '73 hours'",
        world.users["denis"].pk,
    )
    hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)


def test_an_account_changed_without_a_trace_is_seen_in_the_file(world: Any) -> None:
    """By raw SQL, with a moment that is before the batch."""
    batch = prepare(world)
    sign(world, batch)
    bo = payee(world, "bo")
    sealed = crypto.seal_for(bo.user_id, "NL91ABNA0417164300", bound_to=bo.pk)
    later = F("iban_edited_at") + timedelta(microseconds=1)  # a moment must move: it stays before the batch
    Payee.objects.filter(pk=bo.pk).update(
        iban_sealed=sealed, iban_edited_at=later, usable_from=F("usable_from") + timedelta(1)
    )
    Payee.objects.filter(pk=bo.pk).update(usable_from=world.now)
    with pytest.raises(Conflict) as refusal:
        hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    assert refusal.value.code == "batch_void"
    let_go(batch, "account_changed")


@pytest.mark.parametrize("how", ["another amount", "garbage"])
def test_a_byte_changed_after_approval_voids(world: Any, settings: Any, how: str) -> None:
    """By somebody who has the keys and turns them: all that PostgreSQL lets through."""
    batch = prepare(world)
    sign(world, batch)
    data = crypto.decrypt(batch.file_sealed, bound_to=batch.pk)
    settings.ENCRYPTION_KEYS = f"9:{base64.b64encode(b'k' * 32).decode()},{settings.ENCRYPTION_KEYS}"
    sealed = crypto.encrypt(data.replace("57.00", "57.01"), bound_to=batch.pk)
    assert sealed.startswith("9:")
    PayoutBatch.objects.update(file_sealed=sealed if how == "another amount" else "9:AAAA")
    with pytest.raises(Conflict) as refusal:
        hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    assert refusal.value.code == "batch_void"
    let_go(batch, "file_changed")


def test_an_approved_batch_is_taken_back_with_a_reason(world: Any) -> None:
    batch = prepare(world)
    sign(world, batch)
    facts: dict[str, Any] = {"actor": world.users["claire"], "batch_id": batch.pk, "now": world.now}
    with pytest.raises(Conflict) as told:
        refuse_batch(reason="x", **facts)  # its page showed it waiting: denis approved in the meantime
    assert told.value.code == "batch_decided"
    assert "Denis Caron has already decided on this batch, on" in str(told.value)
    made = refuse_batch(reason="wrong month", seen="approved", **facts)
    assert (made.state, made.refused_by, made.refused_reason) == ("rejected", world.users["claire"], "wrong month")
    assert refuse_batch(reason="again", seen="approved", **facts).refused_reason == "wrong month"
    with pytest.raises(Conflict):
        hand_over(actor=world.users["denis"], batch_id=batch.pk, now=world.now)
    assert prepare(world).total == 95_00


# --- handed over once -------------------------------------------------------------------------------------------------


def test_two_treasurers_hand_over_at_once_and_one_gets_it(committed: str, play: Play) -> None:
    world = play("document")
    batch = prepare(world)
    sign(world, batch)
    people = [world.users["claire"], world.users["denis"]]
    found = at_once(lambda number: hand_over(actor=people[number % 2], batch_id=batch.pk, now=world.now)[1])
    files = {one for one in found if isinstance(one, bytes)}
    told = {one for one in found if isinstance(one, str)}
    assert len(files) == 1
    assert told <= {"batch_claimed", "batch_handed_over"}
    assert told
    assert Event.objects.filter(kind="batch.sent").count() == 1
    batch.refresh_from_db()
    winner = batch.claimed_by
    assert all(
        isinstance(one, bytes) == (people[number % 2] == winner) for number, one in enumerate(found)
    )  # fmt: skip


def test_a_file_claimed_by_who_died_is_taken_by_another_after_a_while(world: Any) -> None:
    from backend.payouts.handing import claim

    batch = prepare(world)
    sign(world, batch)
    claim(actor=world.users["claire"], batch_id=batch.pk, way="file", now=world.now)
    with pytest.raises(Conflict) as refusal:
        hand_over(actor=world.users["denis"], batch_id=batch.pk, now=world.now + timedelta(seconds=119))
    assert refusal.value.code == "batch_claimed"
    assert "Claire Moreau is handing this batch over since" in str(refusal.value)
    before = entry_count()
    made, _data = hand_over(actor=world.users["denis"], batch_id=batch.pk, now=world.now + timedelta(seconds=121))
    assert (made.state, made.downloads, entry_count()) == ("sent", 1, before + 1)


# --- typed on the bank's site -----------------------------------------------------------------------------------------


@pytest.fixture
def typed(world: Any) -> Any:
    """An approved batch that claire types on the bank's site."""
    world.batch = prepare(world)
    sign(world, world.batch)
    world.shown = take_by_hand(actor=world.users["claire"], batch_id=world.batch.pk, now=world.now)
    return world


def test_who_types_sees_the_accounts_and_the_file_is_not_used_any_more(typed: Any) -> None:
    assert {(one.name, iban) for one, iban in typed.shown} == {
        ("Bo Nguyen", "FR1420041010050500013M02606"), ("Camille Faure", "DE89370400440532013000"),
    }  # fmt: skip
    assert Event.objects.filter(kind="batch.accounts_shown", actor=typed.users["claire"]).count() == 1
    for who in ("claire", "denis"):
        with pytest.raises(Conflict) as refusal:
            hand_over(actor=typed.users[who], batch_id=typed.batch.pk, now=typed.now + timedelta(days=1))
        assert refusal.value.code == "batch_claimed"
    with pytest.raises(Conflict) as other:
        take_by_hand(actor=typed.users["denis"], batch_id=typed.batch.pk, now=typed.now)
    assert other.value.code == "batch_claimed"


def test_paid_by_hand_is_in_transit_then_settled_by_its_reference(typed: Any) -> None:
    from backend.banking.services import import_statement

    bo = typed.batch.payouts.get(name="Bo Nguyen")
    camille = typed.batch.payouts.get(name="Camille Faure")
    facts: dict[str, Any] = {"actor": typed.users["claire"], "batch_id": typed.batch.pk, "now": typed.now}
    made = paid_by_hand(paid_on=typed.today, references={bo.pk: "VIR 2026/77"}, **facts)
    assert (made.state, made.way) == ("sent", "hand")
    assert balance(kind="in_transit", owner=typed.account.pk, currency="EUR") == 95_00
    before = entry_count()
    paid_by_hand(paid_on=typed.today, references={}, **facts)  # the same act again
    assert entry_count() == before
    with pytest.raises(Conflict) as file:
        hand_over(actor=typed.users["claire"], batch_id=typed.batch.pk, again=True, now=typed.now)
    assert file.value.code == "batch_paid_by_hand"
    lines = [(-57_00, "BO", "VIR2026/77 SEPA", ""), (-38_00, "CAMILLE", "x", camille.end_to_end_id)]
    data = demo.statement_file(typed, number=2, opening=142_50, lines=lines)
    import_statement(actor=typed.users["denis"], data=data, accept_gap=False, now=typed.now)
    demo.sweep(typed.now)
    assert set(Payout.objects.values_list("state", flat=True)) == {"settled"}
    assert balance(kind="in_transit", owner=typed.account.pk, currency="EUR") == 0


@pytest.mark.parametrize(
    ("days", "reference", "code"),
    [(1, "", "paid_on_invalid"), (-1, "", "paid_on_invalid"), (0, "abc", "reference_short"),
     (0, "x" * 36, "reference_long"), (0, "same-one", "reference_twice")],
)  # fmt: skip
def test_what_is_typed_badly_books_nothing(typed: Any, days: int, reference: str, code: str) -> None:
    before = entry_count()
    with pytest.raises(Invalid) as refusal:
        paid_by_hand(
            actor=typed.users["claire"], batch_id=typed.batch.pk, paid_on=typed.today + timedelta(days=days),
            references={one.pk: reference for one in typed.batch.payouts.all()}, now=typed.now,
        )  # fmt: skip
    assert refusal.value.code == code
    typed.batch.refresh_from_db()
    assert (typed.batch.state, entry_count()) == ("claimed", before)


def test_typing_is_given_up_with_a_reason(typed: Any) -> None:
    facts: dict[str, Any] = {"actor": typed.users["claire"], "batch_id": typed.batch.pk, "now": typed.now}
    made = refuse_batch(reason="the bank is down", seen="claimed", **facts)
    assert made.state == "rejected"
    with pytest.raises(Conflict) as late:
        paid_by_hand(
            actor=typed.users["claire"], batch_id=typed.batch.pk, paid_on=typed.today, references={}, now=typed.now
        )  # fmt: skip
    assert late.value.code == "batch_not_by_hand"


def test_a_share_whose_document_is_not_checked_waits(world: Any) -> None:
    Share.objects.filter(contributor=world.users["bo"]).update(state="owed")
    Share.objects.filter(contributor=world.users["bo"]).update(state="documented")
    batch = prepare(world)
    assert (batch.total, reasons(batch)) == (38_00, {"Bo Nguyen": "no_document"})


# --- many small refunds -----------------------------------------------------------------------------------------------

ELSEWHERE = "FR7610107001011234567890129"


def refunded(house: Any, one: str) -> None:
    """Two refunds of 40: to one payer on two accounts, or to two payers on one account."""
    first = a_pledge(house, 100_00, "first")
    second = make_pledge(
        actor=house.users["ana"], budget=house.budget, organisation=house.organisation if one == "payer" else None,
        person=None if one == "payer" else house.users["ana"],
        amount=100_00, currency="EUR", form_key="second", now=house.now,
    )  # fmt: skip
    bank_says(house, 1, 0, (100_00, "PORT", first.reference), (100_00, "PORT", second.reference))
    for number, pledge in enumerate((first, second)):
        refund_payment(
            actor=house.users["claire"], payment_id=Payment.objects.get(pledge=pledge).pk, amount=40_00, name="Le Port",
            iban=ELSEWHERE if number and one == "payer" else IBAN, reason="too much", form_key=f"r{number}",
            now=house.now,
        )  # fmt: skip


@pytest.mark.parametrize("one", ["payer", "account"])
def test_small_refunds_to_one_payer_or_account_add_up(play: Play, one: str) -> None:
    house = play("make_house")
    limit(house, limit_payee=79_99)
    camille = third(house, "camille")
    refunded(house, one)
    batch = prepare(house)
    assert (batch.total, above_of(batch)) == (80_00, ["payee"])
    assert sign(house, batch).state == "prepared"
    refused("batch_takes_three", "UPDATE payouts_payoutbatch SET state = 'approved'")
    made = approve_batch(actor=camille, batch_id=batch.pk, digest=batch.digest, now=house.now)
    assert made.state == "approved"


@pytest.mark.parametrize("one", ["payer", "account"])
def test_small_refunds_at_the_limit_take_two(play: Play, one: str) -> None:
    house = play("make_house")
    limit(house, limit_payee=80_00)
    refunded(house, one)
    assert sign(house, prepare(house)).state == "approved"


def test_who_typed_nothing_gets_the_file_again(typed: Any) -> None:
    facts: dict[str, Any] = {"batch_id": typed.batch.pk, "now": typed.now}
    booked = entry_count()
    with pytest.raises(Conflict) as refusal:
        typed_nothing(actor=typed.users["denis"], **facts)
    assert refusal.value.code == "batch_claimed"
    for _twice in range(2):
        made = typed_nothing(actor=typed.users["claire"], **facts)
    assert (made.state, made.claimed_by, made.way, entry_count()) == ("approved", None, "", booked)
    assert Event.objects.filter(kind="batch.typed_nothing").count() == 1
    assert hand_over(actor=typed.users["denis"], **facts)[0].state == "sent"
    with pytest.raises(Conflict) as late:
        typed_nothing(actor=typed.users["claire"], **facts)
    assert late.value.code == "batch_not_by_hand"


def test_an_account_that_changed_while_somebody_typed_nothing_voids_the_batch(typed: Any) -> None:
    change(typed)
    with pytest.raises(Conflict) as refusal:
        typed_nothing(actor=typed.users["claire"], batch_id=typed.batch.pk, now=typed.now)
    assert refusal.value.code == "batch_void"
    typed.batch.refresh_from_db()
    assert typed.batch.state == "rejected"


def test_typing_done_and_taken_back_at_once_have_one_outcome(committed: str, play: Play) -> None:
    world = play("document")
    batch = prepare(world)
    sign(world, batch)
    claire: dict[str, Any] = {"actor": world.users["claire"], "batch_id": batch.pk, "now": world.now}
    take_by_hand(**claire)
    acts = [
        lambda: typed_nothing(**claire).state,
        lambda: paid_by_hand(paid_on=world.today, references={}, **claire).state,
    ]
    found = at_once(lambda number: acts[number](), 2)
    assert sorted(found) in (["approved", "batch_not_by_hand"], ["batch_not_by_hand", "sent"])


def test_postgresql_takes_back_typing_and_no_file(world: Any) -> None:
    batch = prepare(world)
    sign(world, batch)
    claim(actor=world.users["claire"], batch_id=batch.pk, way="file", now=world.now)
    with pytest.raises(IntegrityError, match=r"stays signed|is refused"), transaction.atomic():
        PayoutBatch.objects.filter(pk=batch.pk).update(state="approved", claimed_by=None, claimed_at=None, way="")
