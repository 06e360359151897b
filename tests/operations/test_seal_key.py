"""Without the private key of the seals nothing is sealed, nothing is lost, and everybody who must know is told."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.utils import timezone
from django.utils.translation import override

from backend.core.models import SweepRun
from backend.ledger.models import Block, JournalEntry, Seal, SealKey
from backend.ledger.services import frozen, last_seal, seal_due
from backend.ledger.signing import KeyMissing, hindrance
from backend.operations import restore, selfcheck
from backend.operations.archive import BackupError
from backend.operations.findings import in_words
from backend.operations.metrics import run_sweep
from tests.ledger.books import book


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """Keys of one's own."""
    settings.SEAL_KEYS = str(tmp_path / "seal")
    return tmp_path / "seal"


def sealed(now: Any) -> SealKey:
    """Books with one entry, sealed; the key that did it."""
    book("first", 1, now=now)
    assert seal_due(now) == 1
    return SealKey.objects.get()


def warnings() -> list[str]:
    """What `manage.py check --database default` says of the key."""
    return [one.msg for one in run_checks(databases=["default"]) if one.id == "tronc.W022"]


def test_without_the_key_entries_wait_and_are_found_and_are_sealed_once_it_is_back(
    committed: str, folder: Path
) -> None:
    now = timezone.now()
    file = folder / f"{sealed(now).pk}.pem"
    assert (warnings(), hindrance()) == ([], "")
    kept = file.read_bytes()
    file.unlink()
    for number in range(2):
        book(number, 1, now=now - timedelta(minutes=11))
    with pytest.raises(KeyMissing, match=r"cannot be read: No such file or directory\. Put the file back, or run"):
        run_sweep("ledger.seal", now)
    assert SweepRun.objects.get(name="ledger.seal").failures == 1
    assert (Seal.objects.count(), Block.objects.count(), JournalEntry.objects.count()) == (1, 1, 3)
    assert warnings() == [hindrance()] != [""]

    (found,) = [one for one in selfcheck.run(now=now).findings if one["code"].startswith("I3")]
    assert (found["code"], found["thing"], found["found"]) == ("I3.key_missing", file.stem, 2)
    with override("en"):
        said = in_words(found)
    assert said.startswith(f"Entries wait to be sealed: 2. The private key of the seals ({file.stem}) cannot be used")
    assert frozen() is not None
    assert not [one for one in selfcheck.check(sealing=False) if one.code.startswith("I3")]

    file.write_bytes(kept)
    file.chmod(0o644)
    assert "can be read by others: chmod 600" in hindrance()
    file.chmod(0o600)
    assert not [one for one in selfcheck.check() if one.code.startswith("I3")]
    assert (Seal.objects.count(), warnings()) == (3, [])


def test_a_young_entry_without_key_is_no_fault_yet(committed: str, folder: Path) -> None:
    now = timezone.now()
    (folder / f"{sealed(now).pk}.pem").unlink()
    book("young", 1, now=now)
    assert not [one for one in selfcheck.check() if one.code.startswith("I3")]
    assert Seal.objects.count() == 1


def test_a_folder_that_cannot_be_made_is_said_before_there_is_a_key(
    committed: str, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.SEAL_KEYS = str(tmp_path / "file" / "seal")
    book("first", 1, now=timezone.now() - timedelta(minutes=11))
    with pytest.raises(KeyMissing, match="Give in TRONC_SEAL_KEYS a folder that the worker may write"):
        seal_due(timezone.now())
    assert (SealKey.objects.count(), last_seal().position) == (0, 0)
    (found,) = [one for one in selfcheck.check() if one.code.startswith("I3")]
    assert (found.code, found.thing, found.found) == ("I3.key_missing", settings.SEAL_KEYS, 1)


def test_keys_are_for_the_worker_alone(db: None, folder: Path) -> None:
    key = sealed(timezone.now())
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert os.stat(folder / f"{key.pk}.pem").st_mode & 0o777 == 0o600


def test_a_clock_set_back_makes_no_head_older_than_the_one_before(db: None, folder: Path) -> None:
    now = timezone.now()
    sealed(now)
    book("later", 1, now=now)
    assert seal_due(now - timedelta(hours=1)) == 1
    first, second = Block.objects.order_by("number")
    assert second.sealed_at == first.sealed_at == now
    assert second.note.splitlines()[4] == first.note.splitlines()[4]


def test_a_restored_log_must_end_with_the_head_of_the_backup(db: None, folder: Path) -> None:
    sealed(timezone.now())
    last = last_seal()
    said = {"position": last.position, "head": last.head, "block": last.block}
    restore._require_head(said)
    restore._require_head({"position": 9, "head": "made before there were blocks"})
    for name, wrong in {"position": 2, "head": "0" * 64, "block": 2}.items():
        with pytest.raises(BackupError, match=r"^The restored log ends with block 1, 1 entries, .* is untouched\.$"):
            restore._require_head(said | {name: wrong})
