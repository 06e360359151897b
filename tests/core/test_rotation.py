"""Encryption keys are changed without losing what they sealed."""

import base64
from io import StringIO
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.core.management import CommandError, call_command

from backend.core import crypto
from backend.core.models import PersonKey
from backend.distributions.models import SupportingDocument
from backend.events.models import Event
from backend.operations.management.commands.rotate_keys import sealed_columns
from backend.payees.models import Payee
from backend.payees.services import mask, open_iban
from backend.payouts.models import PayoutBatch

OLD = "1:" + base64.b64encode(b"a" * 32).decode()
NEW = "2:" + base64.b64encode(b"b" * 32).decode()


def rotate() -> list[str]:
    """What the command said, line by line."""
    said = StringIO()
    call_command("rotate_keys", stdout=said)
    return said.getvalue().splitlines()


def contents() -> dict[str, str]:
    """Every secret in clear, by its row."""
    ibans = {payee.pk: open_iban(payee) for payee in Payee.objects.exclude(iban_sealed="")}
    return ibans | {
        batch.pk: crypto.decrypt(batch.file_sealed, bound_to=batch.pk) for batch in PayoutBatch.objects.all()
    }


def test_every_sealed_column_is_known() -> None:
    found = {(model._meta.label, column, index) for model, column, index in sealed_columns()}
    assert {("payees.Payee", "iban_sealed", "iban_index"), ("payouts.PayoutBatch", "file_sealed", "")} <= found


def test_the_old_key_can_be_taken_away(play: Any, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = OLD
    play("pay")
    before = contents()
    assert len(before) >= 3
    indexes = dict(Payee.objects.exclude(iban_sealed="").values_list("pk", "iban_index"))

    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    assert contents() == before
    said = rotate()
    # Accounts are sealed with the keys of their people, which are sealed again, as are those of supporting documents;
    # one more is that of the indexes.
    papers = SupportingDocument.objects.all()
    assert "payees_payee.iban_sealed: 0 sealed again, 0 indexes written again" in said
    assert f"core_personkey.key_sealed: {len(indexes) + 1 + len(papers)} sealed again, 0 indexes written again" in said
    assert "payouts_payoutbatch.file_sealed: 1 sealed again, 0 indexes written again" in said
    assert all(line.endswith(": 0 sealed again, 0 indexes written again") for line in rotate())

    settings.ENCRYPTION_KEYS = NEW
    assert contents() == before
    assert all(line.endswith(": 0 sealed again, 0 indexes written again") for line in rotate())
    for payee in Payee.objects.exclude(iban_sealed=""):
        assert payee.iban_index == crypto.equality_index(before[payee.pk]) == indexes[payee.pk]


def test_a_row_that_no_key_opens_stops_it_and_the_next_run_goes_on(play: Any, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = OLD
    play("pay")
    first, second = PersonKey.objects.filter(owner__startswith="usr_").order_by("pk")[:2]
    whole = second.key_sealed
    PersonKey.objects.filter(pk=second.pk).update(key_sealed="7" + whole[1:])
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    with pytest.raises(CommandError, match=rf"core.PersonKey {second.pk}: key 7 is missing"):
        rotate()
    assert PersonKey.objects.get(pk=first.pk).key_sealed.startswith("2:")
    assert PersonKey.objects.get(pk=second.pk).key_sealed == "7" + whole[1:]

    PersonKey.objects.filter(pk=second.pk).update(key_sealed=whole)
    rotate()
    settings.ENCRYPTION_KEYS = NEW
    payee = Payee.objects.get(user_id=second.owner)
    assert mask(open_iban(payee)) == payee.iban_hint


def test_what_was_sealed_for_one_row_does_not_open_for_another(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    with pytest.raises(InvalidTag):
        crypto.decrypt(crypto.encrypt("secret", bound_to="pye_1"), bound_to="pye_2")


def test_each_rotation_leaves_one_event(play: Any) -> None:
    play("make_house")
    rotate()
    event = Event.objects.get(kind="keys.rotated")
    assert (event.actor, event.data["new_index_key"], event.data["sealed"]) == (None, False, 0)
