"""What dishonest treasurers and payees, and thieves with a session, tried on payouts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from backend.core.errors import Conflict, Forbidden
from backend.distributions.models import Share
from backend.payees.models import HOLD, Payee
from backend.payees.services import open_iban, set_account
from backend.payouts.handing import claim
from backend.payouts.models import PayoutBatch
from backend.payouts.services import hand_over, refuse_batch, take_by_hand
from tests.concurrency import at_once
from tests.payouts.test_batches import prepare, sign
from tests.payouts.test_two_people import reasons, refused

Play = Callable[..., Any]
THIEF = "NL91ABNA0417164300"


@pytest.fixture
def world(play: Play) -> Any:
    """Bo is owed 57 and Camille 38; claire and denis are treasurers."""
    return play("document")


def test_an_account_changed_while_transfers_are_typed_is_not_the_one_that_is_shown(world: Any) -> None:
    before = {open_iban(one) for one in Payee.objects.filter(user__in=[world.users["bo"], world.users["camille"]])}
    batch = prepare(world)
    sign(world, batch)
    facts = {"actor": world.users["claire"], "batch_id": batch.pk, "now": world.now}
    first = {row.pk: iban for row, iban in take_by_hand(**facts)}
    assert set(first.values()) == before
    set_account(actor=world.users["bo"], name="Bo", iban=THIEF, now=world.now)
    assert {row.pk: iban for row, iban in take_by_hand(**facts)} == first


def test_who_is_paid_on_an_account_does_not_approve_what_another_is_paid_on_it(world: Any) -> None:
    denis = world.users["denis"]
    shared = Payee.objects.filter(user=world.users["bo"]).values_list("iban_index", flat=True).get()
    batch = prepare(world)
    Payee.objects.create(
        id="pye_of_denis", user=denis, kind="person", name="Denis", iban_sealed="own:x", iban_index=shared,
        iban_edited_by=denis, iban_edited_at=world.now, usable_from=world.now + HOLD, created_at=world.now,
    )  # fmt: skip
    with pytest.raises(Forbidden) as refusal:
        sign(world, batch)
    assert refusal.value.code == "payee_of_batch"
    refused(
        "batch_signed_by_others",
        "UPDATE payouts_payoutbatch SET state = 'approved', approved_by_id = %s, approved_at = now(),"
        " approved_digest = digest",
        denis.pk,
    )
    batch.refresh_from_db()
    assert (batch.state, batch.approved_by) == ("prepared", None)
    refuse_batch(actor=world.users["claire"], batch_id=batch.pk, reason="x", now=world.now)
    # Nor is it prepared for them to approve: what another treasurer may sign is all that goes in.
    assert reasons(prepare(world)) == {"Bo Nguyen": "nobody_could_approve"}


def test_who_changed_an_account_stays_told(world: Any) -> None:
    bo = Payee.objects.get(user=world.users["bo"])
    for told in (world.users["denis"].pk, None):
        refused("account_editor_stays", "UPDATE payees_payee SET iban_edited_by_id = %s WHERE id = %s", told, bo.pk)
    bo.refresh_from_db()
    assert bo.iban_edited_by == world.users["bo"]


def test_no_account_changes_while_a_batch_that_pays_it_is_prepared_signed_or_taken(committed: str, play: Play) -> None:
    world = play("document")
    bo = Payee.objects.filter(user=world.users["bo"])

    def while_held(act: Callable[[], Any]) -> Any:
        """What an act gives while another connection changes a payee: it must wait for it."""

        def impatient(_number: int) -> Any:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '700ms'")
            try:
                return act()
            except OperationalError as late:
                return type(late.__cause__)

        with transaction.atomic():
            bo.update(is_default=True)
            return at_once(impatient, times=1)[0]

    claire, denis = world.users["claire"], world.users["denis"]
    assert while_held(lambda: prepare(world)) is LockNotAvailable
    batch = prepare(world)
    facts: dict[str, Any] = {"batch_id": batch.pk, "now": world.now}
    assert while_held(lambda: sign(world, batch)) is LockNotAvailable
    sign(world, batch)
    assert while_held(lambda: hand_over(actor=claire, **facts)) is LockNotAvailable
    claim(actor=claire, way="file", **facts)
    assert while_held(lambda: hand_over(actor=claire, **facts)) is LockNotAvailable
    assert hand_over(actor=claire, **facts)[0].state == "sent"
    assert denis == PayoutBatch.objects.get().approved_by


def test_what_somebody_types_is_not_given_up_by_another_on_the_same_day(world: Any) -> None:
    """It may have left already: its shares would be paid a second time by another batch."""
    batch = prepare(world)
    sign(world, batch)
    take_by_hand(actor=world.users["claire"], batch_id=batch.pk, now=world.now)

    def give_up(after: timedelta) -> str:
        made = refuse_batch(
            actor=world.users["denis"], batch_id=batch.pk, reason="x", seen="claimed", now=world.now + after
        )
        return made.state

    with pytest.raises(Conflict) as refusal:
        give_up(timedelta(hours=24, seconds=-1))
    assert refusal.value.code == "batch_claimed"
    assert "Claire Moreau" in str(refusal.value)
    assert set(Share.objects.values_list("state", flat=True)) == {"batched"}
    assert give_up(timedelta(hours=24)) == "rejected"  # who typed is not there any more
    assert set(Share.objects.values_list("state", flat=True)) == {"payable"}
