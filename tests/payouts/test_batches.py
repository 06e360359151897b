"""Batches: two people, the very bytes that were read, sent once, settled once."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from backend.banking.models import BankLine
from backend.banking.services import import_statement
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.models import Share
from backend.ledger.services import balance, balances, entry_count
from backend.operations import demo
from backend.payees.services import set_account
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import approve_batch, hand_over, hindrance, prepare_batch, refuse_batch
from tests.concurrency import at_once
from tests.treasurers import make_treasurer

Play = Callable[..., Any]


def prepare(world: Any, by: str = "claire") -> PayoutBatch:
    """A batch of everything owed."""
    return prepare_batch(actor=world.users[by], account_id=world.account.pk, now=world.now)


def sign(world: Any, batch: PayoutBatch, by: str = "denis") -> PayoutBatch:
    """Approve what was prepared."""
    return approve_batch(actor=world.users[by], batch_id=batch.pk, digest=batch.digest, now=world.now)


def edited_by(world: Any, who: str, editor: Any) -> None:
    """The account of somebody as if this person had changed it once more, a second later."""
    from backend.payees.models import Payee

    later = {name: F(name) + timedelta(seconds=1) for name in ("iban_edited_at", "usable_from")}
    Payee.objects.filter(user=world.users[who]).update(iban_edited_by=editor, **later)


def test_preparing_and_approving_move_no_money(play: Play) -> None:
    world = play("document")
    before = entry_count()
    batch = prepare(world)
    assert (batch.total, batch.state) == (95_00, "prepared")
    assert sign(world, batch).state == "approved"
    assert entry_count() == before
    assert set(Share.objects.values_list("state", flat=True)) == {"batched"}


def test_the_preparer_cannot_approve_nor_postgresql_let_them(play: Play) -> None:
    world = play("document")
    batch = prepare(world)
    with pytest.raises(Forbidden) as refusal:
        sign(world, batch, by="claire")
    assert refusal.value.code == "own_batch"
    with pytest.raises(IntegrityError), transaction.atomic():
        PayoutBatch.objects.update(state="approved", approved_by=world.users["claire"])
    with pytest.raises(IntegrityError), transaction.atomic():
        PayoutBatch.objects.update(state="sent")
    batch.refresh_from_db()
    assert (batch.state, batch.approved_by) == ("prepared", None)


@pytest.mark.parametrize("who", ["ana", "sacha", "bo"])
def test_only_treasurers_see_a_batch(play: Play, who: str) -> None:
    world = play("document")
    with pytest.raises(Forbidden):
        prepare(world, by=who)
    batch = prepare(world)
    with pytest.raises(NotFound):
        sign(world, batch, by=who)


def test_a_payee_of_the_batch_cannot_approve_it(play: Play) -> None:
    world = play("document")
    make_treasurer(world.users["bo"], now=world.now)
    demo.give_factor(world.users["bo"])
    batch = prepare(world)
    refusal = hindrance(actor=world.users["bo"], batch=batch)
    assert refusal is not None
    assert refusal.code == "payee_of_batch"
    with pytest.raises(Forbidden):
        sign(world, batch, by="bo")


def test_who_changed_an_account_it_pays_cannot_approve_it(play: Play) -> None:
    world = play("document")
    batch = prepare(world)
    edited_by(world, "bo", world.users["denis"])
    with pytest.raises(Forbidden) as refusal:
        sign(world, batch)
    assert refusal.value.code == "editor_of_iban"
    refuse_batch(actor=world.users["claire"], batch_id=batch.pk, reason="compte changé", now=world.now)
    again = prepare(world)  # without bo, whom nobody but the preparer could approve
    assert set(again.payouts.values_list("payee__user", flat=True)).isdisjoint({world.users["bo"].pk})
    assert sign(world, again).state == "approved"


def test_an_account_changed_after_preparation_voids_the_batch(play: Play) -> None:
    from datetime import timedelta

    world = play("document")
    batch = prepare(world)
    set_account(actor=world.users["bo"], name="Bo", iban="NL91ABNA0417164300", now=world.now + timedelta(minutes=1))
    with pytest.raises(Conflict) as refusal:
        sign(world, batch)
    assert refusal.value.code == "batch_void"
    batch.refresh_from_db()
    assert (batch.state, batch.void_code, batch.refused_by) == ("rejected", "account_changed", None)
    early = prepare(world)
    assert {one.code for one in early.held_out.all()} == {"on_hold"}
    refuse_batch(actor=world.users["claire"], batch_id=early.pk, reason="x", now=world.now)
    world.now += timedelta(days=4)
    again = prepare(world)
    assert again.total == 95_00
    old, new = (set(b.payouts.values_list("end_to_end_id", flat=True)) for b in (batch, again))
    assert not old & new


def test_what_was_read_is_what_is_signed(play: Play) -> None:
    world = play("document")
    batch = prepare(world)
    with pytest.raises(Conflict) as refusal:
        approve_batch(actor=world.users["denis"], batch_id=batch.pk, digest="0" * 64, now=world.now)
    assert refusal.value.code == "batch_changed"


def test_the_file_is_handed_over_once_approved_and_always_the_same(play: Play) -> None:
    world = play("document")
    batch = prepare(world)
    with pytest.raises(Conflict) as refusal:
        hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    assert refusal.value.code == "batch_not_approved"
    sign(world, batch)
    before = entry_count()
    _batch, first = hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
    with pytest.raises(Conflict) as refusal:
        hand_over(actor=world.users["denis"], batch_id=batch.pk, now=world.now)
    assert refusal.value.code == "batch_handed_over"
    assert "Claire Moreau took this file on" in str(refusal.value)
    batch, second = hand_over(actor=world.users["denis"], batch_id=batch.pk, again=True, now=world.now)
    assert first == second
    assert hashlib.sha256(first).hexdigest() == batch.digest
    assert (entry_count(), batch.downloads, batch.state) == (before + 1, 2, "sent")
    assert set(balances(kind="payee").values()) == {0}
    assert balance(kind="in_transit", owner=world.account.pk, currency="EUR") == 95_00
    assert "FR1420041010050500013M02606" not in PayoutBatch.objects.get().file_sealed


def test_a_refused_batch_gives_the_shares_back(play: Play) -> None:
    world = play("document")
    batch = prepare(world)
    with pytest.raises(Invalid):
        refuse_batch(actor=world.users["denis"], batch_id=batch.pk, reason=" ", now=world.now)
    refuse_batch(actor=world.users["denis"], batch_id=batch.pk, reason="erreur", now=world.now)
    assert set(Share.objects.values_list("state", flat=True)) == {"payable"}
    with pytest.raises(Conflict):
        sign(world, batch)
    with pytest.raises(Conflict):
        hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)


def test_ten_of_each_have_one_effect(committed: str, play: Play) -> None:
    world = play("document")
    made = at_once(lambda number: prepare(world, by=["claire", "denis"][number % 2]).pk)
    batches = [one for one in made if one.startswith("bat_")]
    assert len(batches) == 1
    assert set(made) - set(batches) <= {"nothing_to_pay", "shares_taken"}
    batch = PayoutBatch.objects.get()
    other = "denis" if batch.prepared_by_id == world.users["claire"].pk else "claire"
    assert at_once(lambda _number: sign(world, batch, by=other).state) == ["approved"] * 10
    before = entry_count()
    handed = at_once(lambda _number: hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)[1])
    assert len(set(handed)) == 1
    assert (entry_count(), Payout.objects.count(), PayoutBatch.objects.get().downloads) == (before + 1, 2, 10)


def test_approval_and_refusal_at_once_leave_one_decision(committed: str, play: Play) -> None:
    world = play("document")
    batch = prepare(world)

    def decide(number: int) -> str:
        if number % 2:
            return sign(world, batch).state
        return refuse_batch(actor=world.users["claire"], batch_id=batch.pk, reason="x", now=world.now).state

    results = set(at_once(decide))
    batch.refresh_from_db()
    assert results == {batch.state, "batch_decided"}


@pytest.mark.parametrize("how", ["one line each", "one line for the batch", "reference in the text"])
def test_the_bank_settles_the_batch(play: Play, how: str) -> None:
    world = play("pay")
    payouts = list(world.batch.payouts.order_by("name"))
    if how == "one line each":
        lines = [(-one.amount, one.name, "x", one.end_to_end_id) for one in payouts]
    elif how == "one line for the batch":
        lines = [(-95_00, "REMISE", f"VIR {world.batch.message_id}", "")]
    else:
        lines = [(-one.amount, one.name, f"VIR {one.end_to_end_id} recu", "") for one in payouts]
    data = demo.statement_file(world, number=2, opening=142_50, lines=lines)
    import_statement(actor=world.users["denis"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)
    assert set(Payout.objects.values_list("state", flat=True)) == {"settled"}
    assert set(Share.objects.values_list("state", flat=True)) == {"paid"}
    assert PayoutBatch.objects.get().state == "settled"
    assert balance(kind="in_transit", owner=world.account.pk, currency="EUR") == 0


def test_a_debit_that_does_not_agree_to_the_cent_settles_nothing(play: Play) -> None:
    world = play("pay")
    one = world.batch.payouts.order_by("name")[0]
    data = demo.statement_file(
        world, number=2, opening=142_50, lines=[(-one.amount - 1, one.name, "x", one.end_to_end_id)]
    )
    import_statement(actor=world.users["denis"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)
    assert BankLine.objects.order_by("-id")[0].state == "suggested"
    assert set(Payout.objects.values_list("state", flat=True)) == {"sent"}
    assert balance(kind="in_transit", owner=world.account.pk, currency="EUR") == 95_00


def test_an_error_is_a_domain_error(play: Play) -> None:
    world = play("document")
    with pytest.raises(DomainError) as refusal:
        prepare_batch(actor=world.users["claire"], account_id="bnk_none", now=world.now)
    assert refusal.value.param == "account"
