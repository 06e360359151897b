"""Seals the books: each committed entry becomes, once, the next leaf of a Merkle log whose heads are signed."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import NotFound
from backend.events.services import record
from backend.identity.models import Host
from backend.ledger import chart, merkle, signing
from backend.ledger.models import Block, Seal, SealKey, Subtree

LOOK = 20_000  # entries of one look, one transaction and one signed head
STORED = 1000  # rows of one INSERT


@dataclass(frozen=True)
class Head:
    """The last head of the log: how many entries it holds, and their Merkle root (64 hexadecimal figures)."""

    position: int
    head: str
    block: int = 0


def last_seal() -> Head:
    """The last head; position 0 and the hash of nothing while nothing is sealed."""
    last = last_block()
    return Head(last.size, bytes(last.root).hex(), last.number) if last else Head(0, merkle.EMPTY.hex())


def last_block() -> Block | None:
    """The last block, with its key."""
    return Block.objects.select_related("key").order_by("-number").first()


def seal_due(now: datetime, *, wait: bool = False) -> int:
    """Seal every committed entry that is not sealed; returns how many were sealed.

    Args: wait: wait for another sealer to end instead of leaving the work to it.
    Raises: signing.KeyMissing; nothing is sealed then.

    There is one sealer at a time (an advisory lock). Entries queue when they are booked and are taken from the queue
    once they are committed, so that none is forgotten, whatever the order of commits; a look takes them in the order of
    the queue. An entry that commits later is sealed later, whatever its booking time; positions never change.
    """
    sealed = 0
    while (count := _seal_look(now, wait)) > 0:
        sealed += count
        if count < LOOK:
            break
    return sealed


def _seal_look(now: datetime, wait: bool) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        if not _alone(cursor, wait):
            return 0
        before = last_block()
        size = before.size if before else 0
        cursor.execute("SELECT EXISTS (SELECT 1 FROM ledger_unsealed), coalesce(max(position), 0) FROM ledger_seal")
        if cursor.fetchone() == (False, size):
            return 0
        now = max(now, before.sealed_at) if before else now  # a clock set back makes no head older than the last
        key, private = signing.signer(now)
        kinds = {kind: chart.journal_of(kind) for kind in chart.PLAN.kinds}
        cursor.execute(
            "SELECT ledger_seal(%s, %s, %s::varchar[], %s::varchar[], %s)",
            [LOOK, _first_month(), list(kinds), list(kinds.values()), chart.journal_of("")],
        )
        (sealed,) = cursor.fetchone()
        cursor.execute("SELECT leaf FROM ledger_seal WHERE position > %s ORDER BY position", [size])
        leaves = [bytes(leaf) for (leaf,) in cursor.fetchall()]
        subtrees, root = merkle.new_subtrees(size, leaves, read)
        Subtree.objects.bulk_create(
            [Subtree(level=one.level, index=one.number, hash=one.hash) for one in subtrees], batch_size=STORED
        )
        number, size = (before.number + 1 if before else 1), size + len(leaves)
        text = signing.head_text(name=key.name, number=number, size=size, root=root, now=now)
        note = signing.head_note(key=key, private=private, text=text)
        Block.objects.create(number=number, size=size, root=root, sealed_at=now, key=key, note=note)
        record("log.head_signed", actor=None, subject=f"blk_{number}", now=now, size=size, root=root.hex())
    return int(sealed)


def _alone(cursor: Any, wait: bool) -> bool:
    """Whether we are the sealer, until the end of the transaction."""
    if wait:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('tronc.seal', 0))")
        return True
    cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('tronc.seal', 0))")
    return bool(cursor.fetchone()[0])


def _first_month() -> int:
    """The month in which fiscal years begin, 1 to 12; January before there is a host."""
    return int(Host.objects.values_list("fiscal_year_starts_on", flat=True).first() or 1)


def rotate_key(*, now: datetime, lost: bool = False) -> SealKey:
    """Follow the key that signs heads by a new one; see signing.rotate(). Waits for a sealer at work."""
    with transaction.atomic(), connection.cursor() as cursor:
        _alone(cursor, True)
        made = signing.rotate(now=now, lost=lost)
        record("log.key_rotated", actor=None, subject=f"key_{made.pk}", now=now, before=made.endorsed_by_id, lost=lost)
    return made


def read(level: int, first: int, count: int) -> list[bytes]:
    """Stored hashes for merkle.py: leaves of seals (level 0) or roots of full subtrees.

    Raises: LookupError when some are missing.
    """
    if level == 0:
        rows = Seal.objects.filter(position__gt=first, position__lte=first + count).order_by("position")
        found = [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]
    else:
        subtrees = Subtree.objects.filter(level=level, index__gte=first, index__lt=first + count).order_by("index")
        found = [bytes(one) for one in subtrees.values_list("hash", flat=True)]
    if len(found) != count:
        raise LookupError(f"{count - len(found)} hashes of level {level} are missing from {first}")
    return found


def inclusion_proof(*, entry_id: str, size: int | None = None) -> dict[str, Any]:
    """The proof that an entry is in the log (tronc-proof-1), for the last head or the one of a size.

    Raises: NotFound `entry_not_sealed`, `head_not_found`.
    """
    seal = Seal.objects.filter(entry_id=entry_id).first()
    block = _block_of(size)
    if size is not None and block is None:
        raise _no_head()
    if seal is None or block is None or seal.position > block.size:
        raise NotFound("entry_not_sealed", _("This entry is not in the log, or not sealed yet: try again in a minute."))
    path = merkle.Tree(block.size, read).inclusion(seal.position - 1)
    return {
        "format": "tronc-proof-1", "entry": entry_id, "position": seal.position, "size": block.size,
        "leaf": bytes(seal.leaf).hex(), "path": [step.hex() for step in path], "root": bytes(block.root).hex(),
        "head": block.note,
    }  # fmt: skip


def consistency_proof(*, old: int, new: int | None = None) -> dict[str, Any]:
    """The proof that the log only grew between two heads (tronc-consistency-1); `new` is the last unless told.

    Raises: NotFound `head_not_found` when there is no head of such a size, or `old` is the larger.
    """
    before, after = _block_of(old), _block_of(new)
    if before is None or after is None or before.size > after.size:
        raise _no_head()
    path = merkle.Tree(after.size, read).consistency(before.size)
    return {
        "format": "tronc-consistency-1", "from": before.size, "to": after.size, "path": [step.hex() for step in path],
        "from_root": bytes(before.root).hex(), "to_root": bytes(after.root).hex(),
    }  # fmt: skip


def _no_head() -> NotFound:
    return NotFound("head_not_found", _("There is no head of this size: the list of heads says which there are."))


def _block_of(size: int | None) -> Block | None:
    return last_block() if size is None else Block.objects.filter(size=size).first()


def leaf_text(entry_id: str) -> str | None:
    """The text whose hash is the leaf of an entry, ids and amounts only; None when there is no such entry."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_leaf_text(%s)", [entry_id])
        text: str | None = cursor.fetchone()[0]
    return text


def keys() -> list[dict[str, Any]]:
    """The keys that sign heads, oldest first, as published."""
    return [
        {
            "name": key.name, "key_id": key.pk, "public_key": base64.b64encode(bytes(key.public)).decode(),
            "pem": signing.public_pem(key), "since": key.made_at.astimezone(UTC).isoformat(),
            "endorsed_by": key.endorsed_by_id,
            "endorsement": base64.b64encode(bytes(key.endorsement)).decode() if key.endorsement else None,
            "endorsed_text": key.endorsed_text or None,
        }
        for key in SealKey.objects.order_by("made_at")
    ]  # fmt: skip


def heads(*, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
    """The heads whose block number is above `after`, oldest first, as published."""
    return [_published(row) for row in Block.objects.filter(number__gt=after).order_by("number")[:limit]]


def latest_heads(*, before: int | None = None, limit: int) -> list[dict[str, Any]]:
    """The heads whose block number is below `before`, newest first, as published; the last ones unless told."""
    rows = Block.objects.all() if before is None else Block.objects.filter(number__lt=before)
    return [_published(row) for row in rows.order_by("-number")[:limit]]


def leaves(*, first: int = 1, count: int | None = None) -> Iterator[bytes]:
    """The leaf hashes from a position on, as many as told, of what the last head holds; read some at a time."""
    end = last_seal().position
    end = end if count is None else min(end, first - 1 + count)
    for start in range(first - 1, end, LOOK):
        yield from read(0, start, min(LOOK, end - start))


def _published(row: Block) -> dict[str, Any]:
    return {
        "block": row.number, "size": row.size, "root": bytes(row.root).hex(),
        "sealed_at": row.sealed_at.astimezone(UTC).isoformat(), "note": row.note,
    }  # fmt: skip
