"""Makes a backup: the whole database in one snapshot, and a manifest by which a restore is judged."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE
from typing import Any

from django.db import connection, transaction

from backend import __version__
from backend.core import crypto
from backend.core.ids import new_id
from backend.identity.models import Host
from backend.ledger.services import entry_count, last_seal
from backend.operations import archive, trial
from backend.operations.archive import CHUNK, BackupError
from backend.operations.models import Backup
from backend.operations.postgres_tools import last_words, named, owner_url, start

# Signed-in sessions are of the running instance: nobody takes one over from a copy of the file.
WITHOUT_ROWS = ["django_session"]


def make_backup(*, path: Path, now: datetime) -> Backup:
    """Write the backup of this instance; the file appears, or replaces an older one, only when it is whole.

    Args: path: where, with its folder in place. now: when it is made.
    Returns: the row that says so. Raises: BackupError; nothing is left behind then.
    """
    url = named(owner_url(), str(connection.settings_dict["NAME"]))
    try:
        with archive.written(path) as writer, _snapshot() as snapshot:
            manifest = _manifest(now)
            _dump(url, snapshot, manifest["postgresql_version"] // 10000, writer)
            writer.finish(manifest)
        size, digest = path.stat().st_size, archive.whole_hash(path)
    except OSError as failure:
        raise BackupError(f"{path} cannot be written: {failure.strerror or failure}. No backup was made.") from failure
    return Backup.objects.create(
        id=new_id("bkp"), kind="made", happened_at=now, taken_at=now, size=size, digest=digest,
        position=manifest["seal"]["position"],
    )  # fmt: skip


@contextmanager
def _snapshot() -> Iterator[str]:
    """A moment of the database that pg_dump can share: the manifest and the dump say the same."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield str(cursor.fetchone()[0])


def _dump(url: str, snapshot: str, server: int, writer: archive.Writer) -> None:
    left_out = [f"--exclude-table-data={table}" for table in WITHOUT_ROWS]
    words = ["--format=custom", "--no-owner", f"--snapshot={snapshot}", "--lock-wait-timeout=60s", *left_out]
    with start("pg_dump", url, server, *words, stdout=PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            while data := process.stdout.read(CHUNK):
                writer.add(data)
            error = process.stderr.read()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise BackupError(f"pg_dump failed: {last_words(error)}. No backup was made.")


def _manifest(now: datetime) -> dict[str, Any]:
    books = trial.canonical()
    host = Host.objects.first()
    return {
        "format": archive.FORMAT,
        "tronc_version": __version__,
        "created_at": now.astimezone(UTC).isoformat(),
        "instance": host.name if host else "",
        "postgresql_version": _one("SELECT current_setting('server_version_num')::int"),
        "database_bytes": _one("SELECT pg_database_size(current_database())"),
        "migrations": migrations(),
        # By reference: which keys read this backup. The keys themselves are kept elsewhere.
        "encryption_keys": [
            {"number": number, "sha256": mark} for number, mark in sorted(crypto.key_fingerprints().items())
        ],
        "entries": entry_count(),
        "trial_balance": {"sha256": hashlib.sha256(books).hexdigest(), "text": books.decode()},
        "seal": asdict(last_seal()),
        "tables": table_counts(),
        # Documents and uploads are rows of the database: there is no file beside it.
        "files": [],
    }


def migrations() -> list[str]:
    """The migrations applied, as app.name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def table_counts() -> dict[str, int]:
    """Table → number of rows, those whose rows are left out excepted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [row[0] for row in cursor.fetchall() if row[0] not in WITHOUT_ROWS]
        counts = {}
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            counts[table] = int(cursor.fetchone()[0])
    return counts


def _one(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
