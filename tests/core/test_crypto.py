"""What is sealed for a person opens for them alone, turns with the instance's keys, and ends with their key."""

import base64
import os
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.exceptions import InvalidTag
from django.core.management import call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.utils import timezone

from backend.core import crypto
from backend.core.models import PersonKey
from backend.payees.models import HOLD, Payee
from backend.payees.services import open_iban, set_account
from tests.concurrency import at_once

OLD = "1:" + base64.b64encode(b"a" * 32).decode()
NEW = "2:" + base64.b64encode(b"b" * 32).decode()
IBAN = "NL91ABNA0417164300"


def rotate(*options: str) -> dict[str, str]:
    """What the command said of each column."""
    said = StringIO()
    call_command("rotate_keys", *options, stdout=said)
    return dict(line.split(": ", 1) for line in said.getvalue().splitlines())


def test_it_opens_for_its_owner_and_its_row_alone(db: None) -> None:
    sealed = crypto.seal_for("usr_1", IBAN, bound_to="pye_1")
    assert sealed.startswith("own:")
    assert IBAN not in sealed
    assert crypto.open_for("usr_1", sealed, bound_to="pye_1") == IBAN
    crypto.seal_for("usr_2", "another", bound_to="pye_1")
    for owner, row in [("usr_1", "pye_2"), ("usr_2", "pye_1"), ("usr_3", "pye_1")]:
        with pytest.raises(InvalidTag):
            crypto.open_for(owner, sealed, bound_to=row)


def test_a_destroyed_key_opens_and_seals_nothing_more(db: None) -> None:
    now = timezone.now()
    sealed = crypto.seal_for("usr_1", IBAN, bound_to="pye_1")
    other = crypto.seal_for("usr_2", IBAN, bound_to="pye_2")
    assert crypto.destroy_key("usr_1", now) is True
    assert crypto.destroy_key("usr_1", timezone.now()) is False
    row = PersonKey.objects.get(owner="usr_1")
    assert (row.key_sealed, row.destroyed_at) == ("", now)
    with pytest.raises(crypto.KeyDestroyed):
        crypto.open_for("usr_1", sealed, bound_to="pye_1")
    with pytest.raises(crypto.KeyDestroyed):
        crypto.seal_for("usr_1", IBAN, bound_to="pye_1")
    assert crypto.open_for("usr_2", other, bound_to="pye_2") == IBAN


def test_who_never_had_a_key_gets_none_after(db: None) -> None:
    assert crypto.destroy_key("usr_9", timezone.now()) is False
    with pytest.raises(crypto.KeyDestroyed):
        crypto.seal_for("usr_9", IBAN, bound_to="pye_9")


def test_postgresql_keeps_a_destroyed_key_destroyed(db: None) -> None:
    crypto.seal_for("usr_1", IBAN, bound_to="pye_1")
    kept = PersonKey.objects.get(owner="usr_1").key_sealed
    crypto.destroy_key("usr_1", timezone.now())
    with pytest.raises(IntegrityError, match="was destroyed"), transaction.atomic():
        PersonKey.objects.filter(owner="usr_1").update(key_sealed=kept, destroyed_at=None)
    for statement in ("DELETE FROM core_personkey", "TRUNCATE core_personkey"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(statement)
    with pytest.raises(IntegrityError, match="person_key_is_there_until_destroyed"), transaction.atomic():
        PersonKey.objects.create(owner="usr_8", key_sealed="")
    assert PersonKey.objects.get(owner="usr_1").key_sealed == ""


def test_two_at_once_give_a_person_one_key(committed: None) -> None:
    sealed = at_once(lambda number: crypto.seal_for("usr_1", f"text {number}", bound_to="pye_1"), 8)
    assert PersonKey.objects.filter(owner="usr_1").count() == 1
    assert sorted(crypto.open_for("usr_1", one, bound_to="pye_1") for one in sealed) == [f"text {n}" for n in range(8)]


def test_equal_secrets_stay_equal_when_the_keys_turn(db: None, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = OLD
    before = crypto.equality_index(IBAN)
    assert len(before) == 64
    assert before != crypto.equality_index(IBAN[:-1] + "1")
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    assert crypto.equality_index(IBAN) == before
    assert rotate()["core_personkey.key_sealed"] == "1 sealed again, 0 indexes written again"
    settings.ENCRYPTION_KEYS = NEW
    assert crypto.equality_index(IBAN) == before


def test_the_two_keys_are_live_together_and_the_old_one_can_go(play: Any, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = OLD
    world = play("pay")
    before = {payee.pk: open_iban(payee) for payee in Payee.objects.exclude(iban_sealed="")}
    indexes = dict(Payee.objects.exclude(iban_sealed="").values_list("pk", "iban_index"))
    assert len(before) == 2

    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    changed = set_account(actor=world.users["bo"], name="Bo", iban=IBAN, now=timezone.now())
    before[changed.pk], indexes[changed.pk] = IBAN, changed.iban_index
    assert {payee.pk: open_iban(payee) for payee in Payee.objects.exclude(iban_sealed="")} == before
    rotate()
    assert set(rotate().values()) == {"0 sealed again, 0 indexes written again"}

    settings.ENCRYPTION_KEYS = NEW
    assert {payee.pk: open_iban(payee) for payee in Payee.objects.exclude(iban_sealed="")} == before
    assert dict(Payee.objects.exclude(iban_sealed="").values_list("pk", "iban_index")) == indexes


def test_what_the_instance_sealed_before_is_read_and_carried_over(play: Any) -> None:
    play("work")
    payee = Payee.objects.exclude(iban_sealed="").order_by("pk")[0]
    iban = open_iban(payee)
    Payee.objects.filter(pk=payee.pk).update(
        iban_sealed=crypto.encrypt(iban, bound_to=payee.pk), iban_index="0" * 64,
        iban_edited_at=timezone.now(), usable_from=timezone.now() + 2 * HOLD,
    )  # fmt: skip
    payee.refresh_from_db()
    assert open_iban(payee) == iban

    assert rotate()["payees_payee.iban_sealed"] == "1 sealed again, 1 indexes written again"
    payee.refresh_from_db()
    assert crypto.sealed_for_owner(payee.iban_sealed)
    assert payee.iban_index == crypto.equality_index(iban)
    crypto.destroy_key(payee.user_id, timezone.now())
    with pytest.raises(crypto.KeyDestroyed):
        open_iban(payee)
    assert set(rotate().values()) == {"0 sealed again, 0 indexes written again"}


def test_the_indexes_can_get_another_key(play: Any) -> None:
    play("work")
    payees = Payee.objects.exclude(iban_sealed="")
    before = dict(payees.values_list("pk", "iban_index"))
    said = rotate("--new-index-key")["payees_payee.iban_sealed"]
    assert said == f"0 sealed again, {len(before)} indexes written again"
    after = dict(payees.values_list("pk", "iban_index"))
    assert all(after[key] != before[key] for key in before)
    assert all(payee.iban_index == crypto.equality_index(open_iban(payee)) for payee in payees)


def test_second_factors_turn_with_the_keys(play: Any, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = OLD
    play("work")
    factor = Authenticator.objects.filter(type=Authenticator.Type.TOTP).order_by("pk")[0]
    Authenticator.objects.create(
        user=factor.user, type=Authenticator.Type.RECOVERY_CODES,
        data={"migrated_codes": [crypto.encrypt("code", bound_to="allauth.mfa")], "used_mask": 0},
    )  # fmt: skip
    secret = crypto.decrypt(factor.data["secret"], bound_to="allauth.mfa")
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    sealed = Authenticator.objects.filter(type__in=["totp", "recovery_codes"]).count()
    assert rotate()["mfa_authenticator.data"].startswith(f"{sealed} sealed again")
    assert rotate()["mfa_authenticator.data"].startswith("0 sealed again")
    settings.ENCRYPTION_KEYS = NEW
    factor.refresh_from_db()
    assert crypto.decrypt(factor.data["secret"], bound_to="allauth.mfa") == secret
    codes = Authenticator.objects.get(user=factor.user, type=Authenticator.Type.RECOVERY_CODES).data
    assert crypto.decrypt(codes["migrated_codes"][0], bound_to="allauth.mfa") == "code"
    assert codes["used_mask"] == 0


def test_no_key_is_in_the_repository(db: None) -> None:
    assert "TRONC_ENCRYPTION_KEYS" in os.environ
    crypto.seal_for("usr_1", IBAN, bound_to="pye_1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT key_sealed FROM core_personkey WHERE owner = 'usr_1'")
        (sealed,) = cursor.fetchone()
    assert sealed.startswith("1:")
