"""The log: each entry sealed once, heads signed, proofs that hold; one sealer at a time; nothing rewritten unseen."""

import hashlib
import os
from datetime import UTC, timedelta
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings

from backend.core.errors import NotFound
from backend.ledger import audit, merkle, signing
from backend.ledger.models import Block, JournalEntry, Seal, SealKey, Subtree
from backend.ledger.services import (
    consistency_proof,
    entry_count,
    heads,
    inclusion_proof,
    keys,
    last_block,
    last_seal,
    leaf_text,
    reverse,
    rotate_key,
    seal_due,
    sealed_entries,
)
from tests import databases
from tests.concurrency import at_once
from tests.ledger.books import DAY, NOW, book


@pytest.fixture(autouse=True)
def seal_keys(tmp_path: Path) -> "override_settings":
    """Keys of one's own."""
    with override_settings(SEAL_KEYS=str(tmp_path / "seal")) as setting:
        yield setting


def leaf(entry: JournalEntry) -> bytes:
    """The leaf of an entry, made here from what DECISIONS.md says of it."""
    lines = ",".join(
        f"{row.account_id}:{row.currency}:{row.amount}:{row.chart}" for row in entry.postings.order_by("line")
    )
    at = entry.booked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parts = [
        "tronc-entry-1", entry.pk, entry.kind, entry.happened_on.isoformat(), at, entry.reference,
        entry.reverses_id or "-", lines,
    ]  # fmt: skip
    assert leaf_text(entry.pk) == "|".join(parts)
    return hashlib.sha256(b"\0" + "|".join(parts).encode()).digest()


def test_each_entry_is_sealed_once_in_a_log_anyone_can_recompute(db: None) -> None:
    entries = [book(number, number, now=NOW + timedelta(seconds=number)) for number in (1, 2, 3)]
    assert last_seal() == type(last_seal())(0, hashlib.sha256(b"").hexdigest())
    assert (seal_due(NOW), seal_due(NOW)) == (3, 0)
    entries.append(reverse(entry_id=entries[0].pk, reference="r", happened_on=DAY, now=NOW))
    assert seal_due(NOW) == 1
    leaves = [leaf(entry) for entry in entries]
    assert [bytes(seal.leaf) for seal in Seal.objects.order_by("position")] == leaves
    blocks = list(Block.objects.order_by("number"))
    assert [(block.number, block.size, bytes(block.root)) for block in blocks] == [
        (1, 3, merkle.root(leaves[:3])), (2, 4, merkle.root(leaves)),
    ]  # fmt: skip
    assert [(seal.year, seal.journal, seal.number) for seal in Seal.objects.order_by("position")] == [
        (2026, "BQ", 1), (2026, "BQ", 2), (2026, "BQ", 3), (2026, "BQ", 4),
    ]  # fmt: skip
    assert all(signing.signature_holds(key=block.key, note=block.note) for block in blocks)
    assert [row["size"] for row in heads(after=1)] == [4]
    assert [(row.position, row.number, row.id) for row in sealed_entries()] == [
        (place, place, entry.pk) for place, entry in enumerate(entries, start=1)
    ]
    assert audit.everything() == []


def test_proofs_hold_at_every_size_also_across_tiles(committed: str) -> None:
    sizes = []
    for count in (1, 254, 1, 1, 260):
        for _number in range(count):
            book(entry_count(), 1)
        seal_due(NOW)
        sizes.append(last_seal().position)
    assert sizes == [1, 255, 256, 257, 517]
    assert Subtree.objects.filter(level=8).count() == 2
    for seal in Seal.objects.filter(position__in=[1, 2, 255, 256, 257, 517]):
        for size in sizes:
            if size < seal.position:
                with pytest.raises(NotFound):
                    inclusion_proof(entry_id=seal.entry_id, size=size)
                continue
            proof = inclusion_proof(entry_id=seal.entry_id, size=size)
            path = [bytes.fromhex(step) for step in proof["path"]]
            root = bytes.fromhex(proof["root"])
            assert merkle.verify_inclusion(bytes(seal.leaf), seal.position - 1, size, path, root)
    for old in sizes:
        for new in sizes:
            if old > new:
                with pytest.raises(NotFound):
                    consistency_proof(old=old, new=new)
                continue
            proof = consistency_proof(old=old, new=new)
            path = [bytes.fromhex(step) for step in proof["path"]]
            roots = [bytes.fromhex(proof[name]) for name in ("from_root", "to_root")]
            assert merkle.verify_consistency(old, new, path, *roots)
    with pytest.raises(NotFound):
        inclusion_proof(entry_id="ent_none")
    assert audit.everything() == []


def test_what_comes_later_is_sealed_later_whatever_its_booking_time(db: None) -> None:
    first = book(1, 1, now=NOW)
    seal_due(NOW)
    earlier = book(2, 1, now=NOW - timedelta(hours=1))
    seal_due(NOW)
    assert list(Seal.objects.order_by("position").values_list("entry", flat=True)) == [first.pk, earlier.pk]


def test_an_entry_under_way_is_sealed_after_it_is_committed(committed: str) -> None:
    """A transaction that began before others and ends after them is neither lost nor waited for."""
    with psycopg.connect(databases.named(databases.owner_url(), committed), options="-c role=tronc_owner") as other:
        book(1, 1)
        other.execute(
            "SELECT ledger_post('ent_slow', 't', '2026-11-21', now(), 't', 'slow', 'm', 'r', NULL, "
            "(SELECT array_agg(id ORDER BY kind) FROM ledger_account), '{EUR,EUR}', '{5,-5}', '{512,7541}')"
        )
        assert seal_due(NOW) == 1
        other.commit()
    assert (seal_due(NOW), Seal.objects.get(position=2).entry_id) == (1, "ent_slow")


def test_more_than_a_block_and_four_sealers(committed: str) -> None:
    for number in range(1, 302):
        book(number, number)
    sealed = at_once(lambda _number: seal_due(NOW, wait=True), 4)
    assert sum(sealed) == 301 == entry_count() == last_seal().position
    assert Seal.objects.values("entry").distinct().count() == 301
    assert SealKey.objects.count() == 1


def test_a_second_sealer_leaves_the_work_to_the_first(committed: str) -> None:
    book(1, 1)
    with psycopg.connect(databases.named(databases.owner_url(), committed)) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('tronc.seal', 0))")
        assert seal_due(NOW) == 0
    assert seal_due(NOW) == 1


def test_the_key_is_made_once_private_and_handed_over_by_the_one_before(db: None) -> None:
    book(1, 1)
    seal_due(NOW)
    first = signing.current()
    assert first is not None
    file = Path(settings.SEAL_KEYS) / f"{first.pk}.pem"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    second = rotate_key(now=NOW)
    book(2, 1)
    seal_due(NOW)
    block = last_block()
    assert block is not None
    assert (block.key_id, signing.endorsement_holds(second)) == (second.pk, True)
    assert signing.signature_holds(key=second, note=block.note)
    assert not signing.signature_holds(key=first, note=block.note)
    third = rotate_key(now=NOW, lost=True)
    assert (third.endorsed_by_id, third.endorsement) == (second.pk, None)
    assert [(key["key_id"], key["endorsed_by"]) for key in keys()] == [
        (first.pk, None), (second.pk, first.pk), (third.pk, second.pk),
    ]  # fmt: skip
    assert audit.everything() == []


@pytest.mark.parametrize("fault", ["gone", "open to others", "another", "no key"])
def test_without_its_key_nothing_is_sealed_and_the_sentence_says_what_to_do(committed: str, fault: str) -> None:
    book(1, 1)
    seal_due(NOW)
    key = signing.current()
    assert key is not None
    file = Path(settings.SEAL_KEYS) / f"{key.pk}.pem"
    kept = file.read_bytes()
    if fault == "gone":
        file.unlink()
    elif fault == "open to others":
        file.chmod(0o640)
    elif fault == "another":
        signing._write("other", signing.Ed25519PrivateKey.generate())
        file.write_bytes((file.parent / "other.pem").read_bytes())
    else:
        file.write_text("not a key")
    book(2, 1)
    with pytest.raises(signing.KeyMissing, match=r"chmod 600|rotate_seal_key --lost"):
        seal_due(NOW)
    assert (Seal.objects.count(), Block.objects.count()) == (1, 1)
    file.unlink(missing_ok=True)
    file.write_bytes(kept)
    file.chmod(0o600)
    assert seal_due(NOW) == 1


@pytest.mark.parametrize("role", ["tronc_app", "tronc_owner"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ledger_seal (position, entry_id, leaf, year, journal, number) "
        "SELECT 3, '{key}', ledger_leaf('{key}'), 2026, 'BQ', 2",
        "INSERT INTO ledger_seal (position, entry_id, leaf, year, journal, number) "
        "SELECT 2, entry_id, leaf, 2026, 'BQ', 2 FROM ledger_seal",
        "INSERT INTO ledger_seal (position, entry_id, leaf, year, journal, number) "
        "SELECT 2, '{key}', ledger_leaf('{key}'), 2026, 'BQ', 3",
        "INSERT INTO ledger_seal (position, entry_id, leaf, year, journal, number) "
        "SELECT 2, '{key}', ledger_leaf('{key}'), 2026, 'B|Q', 1",
        "UPDATE ledger_numbering SET last = 0",
        "INSERT INTO ledger_numbering VALUES (1999, 'BQ', 5)",
        "DELETE FROM ledger_numbering",
        "TRUNCATE ledger_numbering",
        "INSERT INTO ledger_unsealed VALUES ('ent_x')",
        "UPDATE ledger_unsealed SET entry_id = 'ent_x'",
        "DELETE FROM ledger_unsealed",
        "TRUNCATE ledger_unsealed",
        "SELECT ledger_seal(10, 13, NULL, NULL, 'OD')",
        "SELECT ledger_seal(10, 1, NULL, NULL, 'O|D')",
        "INSERT INTO ledger_block (number, size, root, sealed_at, note, key_id) "
        "SELECT 3, 1, root, now(), note, key_id FROM ledger_block",
        "INSERT INTO ledger_block (number, size, root, sealed_at, note, key_id) "
        "SELECT 2, 2, root, now(), note, key_id FROM ledger_block",
        *[
            f"{act} {table}{tail}"
            for table, column in (
                ("ledger_seal", "leaf"),
                ("ledger_block", "root"),
                ("ledger_sealkey", "public"),
                ("ledger_subtree", "hash"),
            )
            for act, tail in (("UPDATE", f" SET {column} = {column}"), ("DELETE FROM", ""), ("TRUNCATE", " CASCADE"))
        ],
    ],
)  # fmt: skip
def test_postgresql_keeps_the_log(committed: str, statement: str, role: str) -> None:
    book(1, 1)
    seal_due(NOW)
    key = book(2, 1).pk
    before = [list(model.objects.order_by("pk").values()) for model in (Seal, Block, SealKey)]
    url = databases.named(os.environ["DATABASE_URL"] if role == "tronc_app" else databases.owner_url(), committed)
    with (
        psycopg.connect(url, options=f"-c role={role}") as raw,
        pytest.raises((
            psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue,
        )),
    ):  # fmt: skip
        raw.execute(statement.format(key=key))  # type: ignore[call-overload]
    assert [list(model.objects.order_by("pk").values()) for model in (Seal, Block, SealKey)] == before
    assert seal_due(NOW) == 1


def test_an_absent_entry_has_no_leaf(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_leaf('ent_none'), ledger_leaf_text('ent_none')")
        assert cursor.fetchone() == (None, None)
