"""Restores a backup beside the instance, proves it, then swaps the two; the restored instance starts frozen.

Until the swap, which is one transaction, the instance in place is not touched: a failure leaves it as it was.
"""

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from subprocess import PIPE
from typing import Any, LiteralString

import psycopg
from cryptography.exceptions import InvalidTag
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from backend import __version__
from backend.core import crypto
from backend.core.ids import new_id
from backend.core.management.commands.prepare_database import Command as Prepare
from backend.events.services import record
from backend.ledger.services import freeze, last_seal
from backend.notifications.services import compose_due, hold_due
from backend.operations import archive, selfcheck, trial
from backend.operations.archive import BackupError
from backend.operations.backup import WITHOUT_ROWS
from backend.operations.management.commands.rotate_keys import sealed_columns
from backend.operations.models import Backup, SelfCheckRun
from backend.operations.postgres_tools import OWNER, last_words, named, owner_url, start
from backend.privacy.donors import forget_again
from backend.privacy.erasure import erase_again

REASON = "Restored from the backup of %s: payments made since then are not in these books"


@dataclass(frozen=True)
class Restored:
    """What a restore did: from when the books are, whether the self-check passed, where the former database is."""

    taken_at: datetime
    check: SelfCheckRun
    held: int
    kept_as: str


def restore_backup(
    *, path: Path, replace: str = "", now: datetime, say: Callable[[str], object] = lambda text: None
) -> Restored:
    """Put a backup in the place of this instance's database; the result is frozen and holds its mail.

    Args: path: the file of a backup. replace: the name of the instance that may be replaced, when it is in use.
        now: when it is restored. say: told each step.
    Raises: BackupError; the database in place is untouched then.
    """
    say("Reading the backup.")
    manifest, dump = archive.read(path)
    target = str(connection.settings_dict["NAME"])
    connection.close()
    url = owner_url()
    _require_readable(manifest)
    with _server(url, target) as server:
        _require_server(server, manifest)
        present = _require_replaceable(server, url, target, replace)
        fresh = f"{target[:40]}_restoring"
        _create(server, fresh)
        try:
            say("Restoring the database beside the one in place.")
            _load(named(url, fresh), path, dump, manifest)
            _migrate(fresh)
            used = present == "used"
            erased = _kept(url, target, ERASED) if used else []
            donors = [key for (key,) in _kept(url, target, FORGOTTEN_DONORS)] if used else []
            papers = [key for (key,) in _kept(url, target, FORGOTTEN_PAPERS)] if used else []
            with _on(fresh):
                check, held = _settle(manifest, path, now, say)
                erase_again(erased, now=now)
                forget_again(donors=donors, papers=papers, now=now)
        except BaseException:
            _drop(server, fresh)
            raise
        say("Swapping the databases.")
        kept = _swap(server, target, fresh, present, now)
    return Restored(datetime.fromisoformat(manifest["created_at"]), check, held, kept)


# --- before anything is touched -----------------------------------------------------------------------------------


def _require_readable(manifest: dict[str, Any]) -> None:
    """This version of Tronc knows its migrations."""
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    later = sorted(set(manifest["migrations"]) - known)
    if later:
        raise BackupError(
            f"This backup was made by Tronc {manifest['tronc_version']}, which knows {later[-1]}; this is Tronc "
            f"{__version__}: install that version or a later one, then restore."
        )


@contextmanager
def _server(url: str, target: str) -> "Iterator[psycopg.Connection[Any]]":
    """A connection as the owner to a database of the server that is not the one to restore."""
    for place in ("postgres", "template1"):
        try:
            opened = psycopg.connect(named(url, place), autocommit=True, options=f"-c role={OWNER}")
        except psycopg.OperationalError as failure:
            last = failure
            continue
        with opened:
            yield opened
        return
    raise BackupError(f"PostgreSQL does not answer: {str(last).strip()}")


def _require_server(server: "psycopg.Connection[Any]", manifest: dict[str, Any]) -> None:
    here, there = server.info.server_version // 10000, manifest["postgresql_version"] // 10000
    if here < there:
        raise BackupError(
            f"This backup was made with PostgreSQL {there}, this server is {here}: restore it on {there} or later."
        )


def _require_replaceable(server: "psycopg.Connection[Any]", url: str, target: str, replace: str) -> str:
    """What is in place: "" (no database), "empty" or "used"; refuses one in use unless it is named and at rest."""
    if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [target]).fetchone():
        return ""
    others = server.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [target]).fetchone()
    if others and others[0]:
        raise BackupError(
            f"{others[0]} connections still use the database {target}: stop web, worker and beat, then try again."
        )
    name = None
    with psycopg.connect(named(url, target), autocommit=True, options=f"-c role={OWNER}") as there:
        if there.execute("SELECT to_regclass('public.identity_user')").fetchone() != (None,):
            host = there.execute("SELECT name FROM identity_host").fetchone()
            anyone = there.execute("SELECT 1 FROM identity_user LIMIT 1").fetchone()
            name = host[0] if host else target if anyone else None
    if name is None:
        return "empty"
    if replace != name:
        raise BackupError(
            f"This instance is in use: its name is “{name}”. To replace it, add --replace with exactly that name. Its "
            "database is kept beside the restored one."
        )
    return "used"


# --- beside the database in place ---------------------------------------------------------------------------------


def _create(server: "psycopg.Connection[Any]", fresh: str) -> None:
    _drop(server, fresh)
    server.execute(
        sql.SQL("CREATE DATABASE {} OWNER tronc_owner ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(fresh))
    )


def _drop(server: "psycopg.Connection[Any]", name: str) -> None:
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def _load(url: str, path: Path, dump: archive.Member, manifest: dict[str, Any]) -> None:
    """pg_restore in one transaction, then every table counted."""
    words = ["--single-transaction", "--exit-on-error", "--no-owner", f"--role={OWNER}"]
    words += ["-d", str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])]
    with start("pg_restore", url, manifest["postgresql_version"] // 10000, *words, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for data in archive.pieces(path, dump):
                process.stdin.write(data)
            process.stdin.close()
        except BrokenPipeError:
            pass  # pg_restore left: it says why below
        error = process.stderr.read()
    if process.returncode:
        advice = " Make room on the disk of PostgreSQL." if b"No space left" in error else ""
        raise BackupError(f"pg_restore failed: {last_words(error)}.{advice} The database in place is untouched.")
    with psycopg.connect(url, autocommit=True, options=f"-c role={OWNER}") as there:
        # After the tables: default privileges in force while they are made would add to those they had.
        Prepare(stdout=io.StringIO())._database(there, str(there.info.dbname))
        for table, rows in sorted(manifest["tables"].items()):
            counted = there.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
            if counted != (rows,):
                raise BackupError(f"{table} has {counted[0] if counted else 0} rows, the backup says {rows}.")


def _migrate(name: str) -> None:
    """Bring the restored tables to this version, as the owner."""
    addresses = {
        key: named(os.environ[key], name) for key in ("DATABASE_URL", "DATABASE_OWNER_URL") if os.environ.get(key)
    }
    env = {**os.environ, **addresses, "TRONC_DATABASE_ROLE": OWNER}
    argv = [sys.executable, "-m", "backend.manage", "migrate", "--no-input", "-v", "0"]
    done = subprocess.run(argv, env=env, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise BackupError(f"The migrations failed: {last_words(done.stderr)}. The database in place is untouched.")


@contextmanager
def _on(name: str) -> Iterator[None]:
    """This process works on another database of the same server."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def _settle(
    manifest: dict[str, Any], path: Path, now: datetime, say: Callable[[str], object]
) -> tuple[SelfCheckRun, int]:
    """Prove the books, freeze payouts, hold the mail, end the sessions; returns the check and how many are held."""
    say("Comparing the trial balance, checking the books.")
    books = trial.canonical()
    if hashlib.sha256(books).hexdigest() != manifest["trial_balance"]["sha256"]:
        raise BackupError("The restored trial balance is not that of the backup. The database in place is untouched.")
    _require_head(manifest["seal"])
    _open_one_of_each_key(manifest)
    compose_due(now)
    held = hold_due(reason="held after a restore: it may have left already", now=now)
    assert [Session._meta.db_table] == WITHOUT_ROWS
    Session.objects.all().delete()
    taken = datetime.fromisoformat(manifest["created_at"])
    data = {
        "taken_at": manifest["created_at"], "entries": manifest["entries"], "position": manifest["seal"]["position"],
        "head": manifest["seal"]["head"],
    }  # fmt: skip
    frozen = freeze(actor=None, cause="restore", reason=REASON % f"{taken:%Y-%m-%d %H:%M} UTC", now=now, data=data)
    Backup.objects.create(
        id=new_id("bkp"), kind="restored", happened_at=now, taken_at=taken, size=path.stat().st_size,
        digest=archive.whole_hash(path), position=manifest["seal"]["position"],
    )  # fmt: skip
    record("instance.restored", actor=None, subject=frozen.pk, now=now, **data)
    # The account that restores does not hold the key of the seals: the worker seals what waited.
    return selfcheck.run(now=now, sealing=False), held


def _require_head(seal: dict[str, Any]) -> None:
    """The log ends with the head that the backup names; backups made before there were blocks name another thing."""
    last = last_seal()
    if "block" in seal and asdict(last) != seal:
        raise BackupError(
            f"The restored log ends with block {last.block}, {last.position} entries, and the backup says block "
            f"{seal['block']}, {seal['position']} entries, or another root. The database in place is untouched."
        )


def _open_one_of_each_key(manifest: dict[str, Any]) -> None:
    """One sealed value of each column and key opens: the keys in place are those with which it was sealed."""
    for model, column, _index in sealed_columns():
        for key in manifest["encryption_keys"]:
            rows = model._default_manager.filter(**{f"{column}__startswith": f"{key['number']}:"})
            row = rows.values_list("pk", column).first()
            try:
                if row is not None:
                    crypto.decrypt(row[1], bound_to=str(row[0]))
            except (KeyError, ValueError, InvalidTag) as failure:
                raise BackupError(
                    f"{model._meta.db_table}.{column} does not open with encryption key {key['number']}: the keys or "
                    "the backup were altered. The database in place is untouched."
                ) from failure


# What the database in place knows to be forgotten stays so in older books: (its table, what is read of it).
ERASED = ("privacy_erasure", "SELECT user_id, done_at FROM privacy_erasure WHERE done_at IS NOT NULL")
FORGOTTEN_DONORS = ("pledges_donor", "SELECT id FROM pledges_donor WHERE name_sealed = ''")
FORGOTTEN_PAPERS = (
    "documents_document",
    "SELECT id FROM documents_document JOIN core_personkey ON owner = id WHERE destroyed_at IS NOT NULL",
)


def _kept(url: str, target: str, wanted: tuple[str, LiteralString]) -> list[tuple[Any, ...]]:
    """What the database in place answers; nothing when it has no such table yet."""
    table, question = wanted
    with psycopg.connect(named(url, target), autocommit=True, options=f"-c role={OWNER}") as there:
        if there.execute("SELECT to_regclass(%s)", [f"public.{table}"]).fetchone() == (None,):
            return []
        return there.execute(question).fetchall()


def _swap(server: "psycopg.Connection[Any]", target: str, fresh: str, present: str, now: datetime) -> str:
    """Give the restored database the name of the one in place; returns the name under which that one is kept."""
    kept = f"{target[:40]}_before_{now:%Y%m%d%H%M%S}" if present else ""
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    try:
        with server.transaction():
            if kept:
                server.execute(rename.format(sql.Identifier(target), sql.Identifier(kept)))
            server.execute(rename.format(sql.Identifier(fresh), sql.Identifier(target)))
    except psycopg.Error as failure:
        _drop(server, fresh)
        raise BackupError(
            f"The databases could not be swapped ({str(failure).strip()}): stop what uses {target}, then try again."
        ) from failure
    if present == "empty":
        _drop(server, kept)
        return ""
    return kept
