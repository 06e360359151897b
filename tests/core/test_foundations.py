"""Ids, encryption, idempotency, the sweep loop, the broker's absence."""

import time
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.db import transaction
from django.utils import timezone

from backend.core import crypto, nudge
from backend.core.errors import Conflict, Invalid
from backend.core.idempotency import once
from backend.core.ids import ALPHABET, ID_LENGTH, new_id
from backend.core.models import IdempotencyRecord
from backend.core.sweep import sweep_rows
from backend.notifications.models import OutgoingMail
from tests.concurrency import at_once


def test_ids_are_prefixed_unique_and_follow_time() -> None:
    first = new_id("plg")
    time.sleep(0.002)
    later = [new_id("plg") for _ in range(1000)]
    assert len(set(later)) == 1000
    assert all(first < one and one.startswith("plg_") and len(one) <= ID_LENGTH for one in later)
    assert set(first[4:]) <= set(ALPHABET)


def test_a_secret_is_read_back_only_for_its_row() -> None:
    sealed = crypto.encrypt("FR7630006000011234567890189", bound_to="pye_1")
    assert "30006" not in sealed
    assert crypto.decrypt(sealed, bound_to="pye_1") == "FR7630006000011234567890189"
    with pytest.raises(InvalidTag):
        crypto.decrypt(sealed, bound_to="pye_2")
    assert crypto.encrypt("x", bound_to="a") != crypto.encrypt("x", bound_to="a")


def test_an_older_key_still_reads(settings: Any) -> None:
    sealed = crypto.encrypt("secret", bound_to="a")
    settings.ENCRYPTION_KEYS = f"2:{'B' * 43}=,{settings.ENCRYPTION_KEYS}"
    assert crypto.decrypt(sealed, bound_to="a") == "secret"
    assert crypto.encrypt("secret", bound_to="a").startswith("2:")


def answer(effects: list[int], number: int = 1) -> tuple[int, Any]:
    """One effect and its answer."""
    effects.append(number)
    return 201, {"number": len(effects)}


def test_a_key_gives_the_same_answer(db: None) -> None:
    effects: list[int] = []
    facts: dict[str, Any] = {"scope": "u", "key": "k", "request": "r", "now": timezone.now()}
    assert once(**facts, act=lambda: answer(effects)) == (201, {"number": 1}, False)
    assert once(**facts, act=lambda: answer(effects)) == (201, {"number": 1}, True)
    assert effects == [1]
    with pytest.raises(Invalid) as refusal:
        once(**{**facts, "request": "other"}, act=lambda: answer(effects))
    assert refusal.value.code == "idempotency_key_reused"
    assert once(**{**facts, "scope": "someone else"}, act=lambda: answer(effects))[2] is False
    assert effects == [1, 1]


def test_a_refusal_is_not_kept(db: None) -> None:
    def refuse() -> tuple[int, Any]:
        raise Invalid("no", "no")

    with pytest.raises(Invalid):
        once(scope="u", key="k", request="r", now=timezone.now(), act=refuse)
    assert not IdempotencyRecord.objects.exists()


def test_a_twin_in_flight_is_told_so(committed: str) -> None:
    def slow() -> tuple[int, Any]:
        time.sleep(1.0)
        return 201, {}

    results = at_once(lambda _number: once(scope="u", key="k", request="r", now=timezone.now(), act=slow)[0], times=4)
    assert results.count(201) == 1
    assert results.count("idempotency_key_in_flight") == 3
    assert IdempotencyRecord.objects.count() == 1


def mails(count: int) -> None:
    """Some messages due now."""
    for number in range(count):
        OutgoingMail.objects.create(
            id=f"eml_{number}", recipient=f"{number}@example.org", subject="s", body="b", due_at=timezone.now()
        )


def mark(mail: OutgoingMail) -> None:
    """Treat one message."""
    if mail.recipient.startswith("1@"):
        raise ValueError("this one fails")
    mail.attempts += 1
    mail.state = "sent"
    mail.save()


def test_a_row_that_fails_does_not_stop_the_others(db: None, caplog: pytest.LogCaptureFixture) -> None:
    mails(3)
    assert sweep_rows(OutgoingMail.objects.filter(state="due"), mark) == 2
    assert list(OutgoingMail.objects.filter(state="due").values_list("pk", flat=True)) == ["eml_1"]
    assert "eml_1 left due" in caplog.text


def test_a_sweep_goes_on_beyond_one_batch_and_past_a_row_that_fails(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.core.sweep.BATCH", 2)
    mails(9)
    assert sweep_rows(OutgoingMail.objects.filter(state="due"), mark) == 8
    assert OutgoingMail.objects.get(state="due").pk == "eml_1"


def test_sweeps_beside_each_other_treat_each_row_once(committed: str) -> None:
    mails(30)
    OutgoingMail.objects.filter(recipient__startswith="1@").delete()
    treated = at_once(lambda _number: sweep_rows(OutgoingMail.objects.filter(state="due"), mark), times=6)
    assert sum(treated) == 29
    assert set(OutgoingMail.objects.values_list("attempts", flat=True)) == {1}


def test_a_lost_broker_stops_nobody(committed: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    nudge._producer.cache_clear()
    monkeypatch.setattr(nudge, "_open_until", 0.0)
    with transaction.atomic():
        nudge.nudge("banking.match")
        mails(1)
    assert OutgoingMail.objects.count() == 1
    assert nudge._open_until > time.monotonic()  # the circuit is open: the next one does not even try
    nudge._producer.cache_clear()


def test_nothing_is_sent_before_commit(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(nudge, "_send", sent.append)
    with pytest.raises(Conflict), transaction.atomic():
        nudge.nudge("banking.match")
        raise Conflict("no", "no")
    assert sent == []
