"""PostgreSQL refuses by itself what no service does to payout batches: how they begin, what is signed, how they end."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from backend.ledger.services import freeze
from backend.payouts.models import PayoutBatch
from tests.payouts.test_batches import prepare, sign
from tests.payouts.test_two_people import refused

Play = Callable[..., Any]
COPY = "INSERT INTO payouts_payoutbatch SELECT (jsonb_populate_record(one, %s)).* FROM payouts_payoutbatch one"


@pytest.fixture
def batch(play: Play) -> Any:
    """A world with a batch that was prepared."""
    world = play("document")
    world.batch = prepare(world)
    return world


def test_a_batch_begins_prepared_and_unsigned(batch: Any) -> None:
    denis = batch.users["denis"].pk
    for changed in (
        {"state": "approved"}, {"approved_by_id": denis}, {"claimed_by_id": denis, "way": "file"},
    ):  # fmt: skip
        refused("batch_begins", COPY, Jsonb({"id": "bat_x", "message_id": "x", **changed}))


def test_an_approval_signs_a_digest(batch: Any) -> None:
    sign_nothing = "UPDATE payouts_payoutbatch SET state = 'approved', approved_by_id = %s, approved_at = now()"
    refused("batch_signed_as_prepared", sign_nothing, batch.users["denis"].pk)


def test_a_line_held_out_is_a_share_or_a_refund(batch: Any) -> None:
    hold = "INSERT INTO payouts_heldout (batch_id, amount, code, detail) VALUES (%s, 1, 'blocked', '')"
    refused("held_out_of_one", hold, batch.batch.pk)


def test_a_payout_is_undone_on_a_day(batch: Any) -> None:
    sign(batch, batch.batch)
    refused("payout_undone_on_a_day", "UPDATE payouts_payout SET undone_on = current_date")


def test_frozen_payouts_stay_where_they_are(batch: Any) -> None:
    freeze(actor=batch.users["claire"], cause="manual", reason="Theft", now=batch.now)
    refused("payouts_are_frozen", COPY, Jsonb({"id": "bat_x", "message_id": "x"}))
    refused("payouts_are_frozen", "UPDATE payouts_payoutbatch SET state = 'approved'")
    assert PayoutBatch.objects.get().state == "prepared"
