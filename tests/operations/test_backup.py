"""Backup, destroy, restore: real pg_dump and pg_restore; the same bytes come back, frozen, until two people looked."""

import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection

from backend.banking.models import BankLine, Statement
from backend.banking.services import import_statement
from backend.core.errors import Conflict
from backend.events.models import Event
from backend.identity.models import ApiToken
from backend.identity.tokens import create_token
from backend.ledger.models import Freeze
from backend.ledger.services import ask_lift, freeze, frozen, last_seal, seal_due
from backend.notifications.models import OutgoingMail
from backend.operations import archive, demo
from backend.operations.models import Backup
from backend.operations.thaw import compare_with_bank, lift_freeze
from backend.operations.trial import canonical
from backend.payouts.models import PayoutBatch
from backend.payouts.services import hand_over, prepare_batch
from backend.pledges.references import printed
from tests import databases

pytestmark = pytest.mark.timeout(300)  # real pg_dump, pg_restore and migrations, on a machine that may be busy

Play = Callable[..., Any]
NAME = "Association des Communs"
OTHER = "2:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="


def manage(name: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a management command on a database."""
    return subprocess.run(
        [sys.executable, "-m", "backend.manage", *words],
        env={**databases.environment(name), "REDIS_URL": "redis://127.0.0.1:1/0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def backup(name: str, path: Path) -> Path:
    """A backup of a database."""
    with on(name):
        call_command("backup", str(path), stdout=StringIO())
    return path


def restore(name: str, *words: str) -> str:
    """Restore over a database; what the command prints."""
    out = StringIO()
    with on(name):
        call_command("restore", *words, stdout=out)
    return out.getvalue()


def refused(name: str, command: str, *words: str) -> str:
    """The one sentence with which a command refuses."""
    with on(name), pytest.raises(CommandError) as refusal:
        call_command(command, *words, stdout=StringIO())
    return str(refusal.value)


@contextmanager
def on(name: str) -> Iterator[None]:
    """This process works on a database, and lets go of it afterwards."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def query(name: str, text: str) -> list[Any]:
    """Rows of a database, read by a superuser."""
    with psycopg.connect(databases.named(os.environ["DATABASE_ADMIN_URL"], name), autocommit=True) as raw:
        return raw.execute(text).fetchall()  # type: ignore[call-overload, no-any-return]


# Rights are a set: the order in which they were given is not compared.
_SET = (
    "(SELECT array_agg(concat_ws(' ', grantee, privilege_type, is_grantable) ORDER BY grantee, privilege_type)::text "
    "FROM aclexplode({}))"
)
RIGHTS = f"""
    SELECT relkind::text, relname::text, relowner::regrole::text, {_SET.format("relacl")} FROM pg_class
     WHERE relnamespace = 'public'::regnamespace UNION ALL
    SELECT 'f', proname, proowner::regrole::text, {_SET.format("proacl")} FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace UNION ALL
    SELECT 't', tgrelid::regclass::text || '.' || tgname, tgenabled::text, tgtype::text FROM pg_trigger
     WHERE NOT tgisinternal UNION ALL
    SELECT 'd', defaclrole::regrole::text, defaclobjtype::text, {_SET.format("defaclacl")} FROM pg_default_acl
     ORDER BY 1, 2, 3, 4
"""
CONTENT = [
    "ledger_journalentry", "ledger_posting", "ledger_balance", "ledger_seal", "payouts_payoutbatch", "payouts_payout",
    "banking_statement", "banking_bankline", "distributions_distribution", "distributions_share",
    "distributions_sharepart", "payees_payee",
    "identity_apitoken", "pledges_pledge",
]  # fmt: skip


def content(name: str) -> dict[str, str]:
    """Table → SHA-256 of all its rows: sealed payment files, statements, entries, traces, accounts."""
    return {
        table: hashlib.sha256(repr(sorted(query(name, f"SELECT t::text FROM {table} t"))).encode()).hexdigest()
        for table in CONTENT
    }


def test_destroyed_and_restored_elsewhere_the_books_are_the_same_and_frozen(
    play: Play, committed: str, tmp_path: Path, sign_in: Callable[..., Any]
) -> None:
    world = play("settle")
    sign_in(world.users["claire"])
    create_token(user=world.users["bo"], name="laptop", scopes=["commons:read"], now=world.now)
    OutgoingMail.objects.filter(state="due").update(due_at=world.now)
    seal_due(world.now)
    due = OutgoingMail.objects.filter(state="due").count()
    assert due > 0
    before = (canonical(), content(committed), query(committed, RIGHTS), last_seal())
    _batch, file = hand_over(actor=world.users["claire"], batch_id=world.batch.pk, now=world.now)
    before = (before[0], content(committed), before[2], before[3])
    path = backup(committed, tmp_path / "b.tar")
    assert path.stat().st_mode & 0o777 == 0o600
    manifest, _dump = archive.read(path)
    assert manifest["trial_balance"]["text"] == before[0].decode()
    assert manifest["tables"]["ledger_journalentry"] == manifest["entries"] == 6 == manifest["seal"]["position"]
    assert manifest["files"] == []
    assert os.environ["TRONC_ENCRYPTION_KEYS"].partition(":")[2] not in path.read_bytes().decode("latin-1")
    (made,) = Backup.objects.all()
    assert (made.kind, made.digest, made.position) == ("made", hashlib.sha256(path.read_bytes()).hexdigest(), 6)

    elsewhere = f"{committed}_else"
    databases.drop(elsewhere)
    try:
        said = restore(elsewhere, str(path))
        assert "the trial balance is that of the backup" in said
        assert "The self-check found nothing wrong in 6 entries." in said
        assert (content(elsewhere), query(elsewhere, RIGHTS)) == (before[1], before[2])
        with on(elsewhere):
            assert canonical() == before[0]
        assert query(elsewhere, "SELECT count(*) FROM django_session") == [(0,)]
        assert query(elsewhere, "SELECT state, count(*) FROM notifications_outgoingmail GROUP BY 1 ORDER BY 1") in (
            [("due", 1), ("held", due)], [("held", due)],
        )  # fmt: skip
        assert query(elsewhere, "SELECT cause, lifted_at FROM ledger_freeze") == [("restore", None)]
        ((kind, data),) = query(elsewhere, "SELECT kind, data FROM events_event WHERE kind = 'instance.restored'")
        assert (kind, data["taken_at"], data["position"]) == ("instance.restored", manifest["created_at"], 6)
        assert query(elsewhere, "SELECT kind, digest FROM operations_backup") == [("restored", made.digest)]
    finally:
        databases.drop(elsewhere)
    assert Session.objects.count() == 1
    assert ApiToken.objects.count() == 1
    assert hashlib.sha256(file).hexdigest() == world.batch.digest


def test_in_place_it_takes_the_name_and_keeps_the_former_database(play: Play, committed: str, tmp_path: Path) -> None:
    world = play("receive")
    path = backup(committed, tmp_path / "b.tar")
    books = canonical()
    demo.work(world)
    demo.close(world)
    demo.approve_distribution(world)
    later = canonical()
    connection.close()
    said = refused(committed, "restore", str(path))
    assert f"its name is “{NAME}”" in said
    assert refused(committed, "restore", str(path), "--replace", "Association") == said
    assert canonical() == later
    assert frozen() is None
    with psycopg.connect(databases.named(databases.owner_url(), committed)):
        busy = refused(committed, "restore", str(path), "--replace", NAME)
    assert busy.startswith("1 connections still use the database")
    connection.close()
    done = manage(committed, "restore", str(path), "--replace", NAME)
    assert done.returncode == 0, done.stderr
    assert canonical() == books != later
    held = frozen()
    assert held is not None
    assert held.cause == "restore"
    connection.close()
    ((former,),) = query("postgres", f"SELECT datname FROM pg_database WHERE datname LIKE '{committed[:40]}_before_%'")
    assert former in done.stdout
    with on(former):
        assert canonical() == later
    databases.drop(former)


@pytest.fixture
def saved(play: Play, committed: str, tmp_path: Path) -> tuple[str, Path]:
    """A database that was backed up, and the file."""
    play("make_house")
    path = backup(committed, tmp_path / "b.tar")
    connection.close()
    return committed, path


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same backup with another manifest."""
    with tarfile.open(path) as tar:
        manifest, _dump = archive.read(path)
        dump = tar.extractfile(archive.DUMP)
        assert dump is not None
        change(manifest)
        other = path.with_name("other.tar")
        with other.open("wb") as file:
            writer = archive.Writer(file)
            writer.add(dump.read())
            writer.finish(manifest)
    return other


def altered(path: Path) -> Path:
    """One byte in the middle of the dump is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path


def truncated(path: Path) -> Path:
    """The end is missing."""
    path.write_bytes(path.read_bytes()[:-40_000])
    return path


def newer(path: Path) -> Path:
    """A format of the future."""
    return rewritten(path, lambda manifest: manifest.update(format=3, tronc_version="9.0"))


def older(path: Path) -> Path:
    """A format without tags."""
    return rewritten(path, lambda manifest: manifest.update(format=1))


def incomplete(path: Path) -> Path:
    """A manifest that does not say everything."""

    def remove(manifest: dict[str, Any]) -> None:
        del manifest["migrations"], manifest["seal"]

    return rewritten(path, remove)


def half_sealed(path: Path) -> Path:
    """A member of a member is missing."""
    return rewritten(path, lambda manifest: manifest["seal"].pop("head"))


def forged(path: Path) -> Path:
    """Somebody without the keys raises a figure of the manifest; its length stays."""
    data = path.read_bytes()
    assert data.count(b'"entries": 0,') == 1
    path.write_bytes(data.replace(b'"entries": 0,', b'"entries": 9,'))
    return path


def untagged(path: Path) -> Path:
    """The tag is of another key."""
    data = path.read_bytes()
    assert data.count(b'{"1": "') == 1
    path.write_bytes(data.replace(b'{"1": "', b'{"9": "'))
    return path


def migrated(path: Path) -> Path:
    """A migration of the future."""
    return rewritten(path, lambda manifest: manifest["migrations"].append("ledger.9999_future"))


def of_a_newer_server(path: Path) -> Path:
    """A PostgreSQL of the future."""
    return rewritten(path, lambda manifest: manifest.update(postgresql_version=990000))


def lying(path: Path) -> Path:
    """A trial balance that is not that of the dump."""
    return rewritten(path, lambda manifest: manifest["trial_balance"].update(sha256="0" * 64))


def miscounted(path: Path) -> Path:
    """A table that lacks a row."""
    return rewritten(path, lambda manifest: manifest["tables"].update(identity_user=7))


def empty(path: Path) -> Path:
    """Nothing at all."""
    path.write_bytes(b"")
    return path


def absent(path: Path) -> Path:
    """Another name."""
    return path.with_name("absent.tar")


REFUSALS: list[tuple[Callable[[Path], Path], str]] = [
    (altered, "was altered: database.dump does not hash to what its manifest says."),
    (truncated, "is damaged or not a whole backup of Tronc: take another copy of it."),
    (newer, "has format 3, this version of Tronc reads 2: restore it with the version that made it (9.0)"),
    (older, "bears no tag that says which instance made it (format 1): make a new backup"),
    (incomplete, "its manifest does not say migrations, seal. Take another one."),
    (half_sealed, "its manifest does not say seal.head. Take another one."),
    (forged, "was not made by an instance with these encryption keys, or its manifest was altered"),
    (untagged, "was not made by an instance with these encryption keys, or its manifest was altered"),
    (migrated, "This backup was made by Tronc 0.1.0, which knows ledger.9999_future"),
    (of_a_newer_server, "This backup was made with PostgreSQL 99, this server is"),
    (lying, "The restored trial balance is not that of the backup. The database in place is untouched."),
    (miscounted, "identity_user has 6 rows, the backup says 7."),
    (empty, "take another copy of it."),
    (absent, "does not exist."),
]


@pytest.mark.parametrize(("spoil", "sentence"), REFUSALS)
def test_a_spoilt_backup_is_refused_and_nothing_is_touched(
    saved: tuple[str, Path], spoil: Callable[[Path], Path], sentence: str
) -> None:
    name, path = saved
    ours = f"SELECT datname FROM pg_database WHERE datname LIKE '{name}%' ORDER BY 1"
    assert query("postgres", ours) == [(name,)]
    assert sentence in refused(name, "restore", str(spoil(path)), "--replace", NAME)
    assert query("postgres", ours) == [(name,)]
    assert query(name, "SELECT count(*) FROM ledger_freeze") == [(0,)]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (OTHER, "Encryption key 1 of this backup is not in TRONC_ENCRYPTION_KEYS"),
        ("1" + OTHER[1:], "Encryption key 1 in TRONC_ENCRYPTION_KEYS is not the one of this backup"),
    ],
)
def test_without_its_key_a_backup_is_refused_before_anything(
    saved: tuple[str, Path], keys: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, path = saved
    monkeypatch.setattr(settings, "ENCRYPTION_KEYS", keys)
    said = refused(name, "restore", str(path), "--replace", NAME)
    assert sentence in said
    assert "Nothing was touched." in said
    assert query(name, "SELECT count(*) FROM ledger_freeze") == [(0,)]


def test_a_rotated_installation_still_verifies_and_a_forger_with_a_new_key_does_not(
    saved: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _name, path = saved
    ours = settings.ENCRYPTION_KEYS
    monkeypatch.setattr(settings, "ENCRYPTION_KEYS", f"{OTHER},{ours}")
    manifest, _dump = archive.read(path)
    assert manifest["format"] == 2
    monkeypatch.setattr(settings, "ENCRYPTION_KEYS", OTHER)
    forgery = rewritten_with(path, ours, OTHER)
    monkeypatch.setattr(settings, "ENCRYPTION_KEYS", ours)
    with pytest.raises(archive.BackupError, match="was not made by an instance with these encryption keys"):
        archive.read(forgery)


def rewritten_with(path: Path, keys: str, others: str) -> Path:
    """The same backup, read with some keys and signed with others."""

    def sign(_manifest: dict[str, Any]) -> None:
        settings.ENCRYPTION_KEYS = others

    settings.ENCRYPTION_KEYS = keys
    return rewritten(path, sign)


def test_a_sealed_value_that_does_not_open_refuses_the_restore(play: Play, committed: str, tmp_path: Path) -> None:
    play("make_house")
    with psycopg.connect(databases.named(os.environ["DATABASE_ADMIN_URL"], committed)) as raw:
        raw.execute("SET session_replication_role = replica")
        raw.execute("UPDATE payees_payee SET iban_sealed = '1:' || repeat('A', 80)")
    path = backup(committed, tmp_path / "b.tar")
    said = refused(committed, "restore", str(path), "--replace", NAME)
    assert "payees_payee.iban_sealed does not open with encryption key 1" in said
    assert query(committed, "SELECT count(*) FROM ledger_freeze") == [(0,)]


def test_a_second_backup_to_the_same_path_is_refused_while_the_first_is_written(tmp_path: Path) -> None:
    path = tmp_path / "b.tar"
    path.with_name("b.tar.part").write_bytes(b"left by one that was killed" * 1000)
    with archive.written(path) as first:
        first.add(b"A" * 1000)
        with pytest.raises(archive.BackupError, match="is being written: wait until it ends"):  # noqa: SIM117
            with archive.written(path):
                pass
        first.finish({"format": 2})
    with tarfile.open(path) as tar:
        dump = tar.extractfile(archive.DUMP)
        assert dump is not None
        assert dump.read() == b"A" * 1000
    assert [one.name for one in tmp_path.iterdir()] == ["b.tar"]


def test_a_disk_that_is_full_leaves_the_former_backup(saved: tuple[str, Path]) -> None:
    name, path = saved
    before = path.read_bytes()
    limited = (
        "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "from backend.manage import main\nsys.argv = ['manage', 'backup', sys.argv[1]]\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, str(path)],
        env={**databases.environment(name), "PYTHONPATH": os.getcwd(), "REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"CommandError: {path} cannot be written: File too large. No backup was made." in done.stderr
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert query(name, "SELECT count(*) FROM operations_backup") == [(1,)]


def test_a_folder_that_does_not_exist_is_said(saved: tuple[str, Path]) -> None:
    name, path = saved
    said = refused(name, "backup", str(path.parent / "none" / "b.tar"))
    assert said.endswith("b.tar cannot be written: No such file or directory. No backup was made.")


def test_killed_in_the_middle_the_former_backup_is_whole_and_the_next_one_is_made(saved: tuple[str, Path]) -> None:
    name, path = saved
    before = path.read_bytes()
    part = path.with_name(f"{path.name}.part")
    with psycopg.connect(databases.named(os.environ["DATABASE_ADMIN_URL"], name)) as raw:
        raw.execute("LOCK TABLE ledger_posting IN ACCESS EXCLUSIVE MODE")  # pg_dump waits in the middle
        running = subprocess.Popen(
            [sys.executable, "-m", "backend.manage", "backup", str(path)],
            env=databases.environment(name),
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while not part.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert part.exists()
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert path.read_bytes() == before
    archive.read(path)
    backup(name, path)
    archive.read(path)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_old_client_programs_are_refused(saved: tuple[str, Path], tmp_path: Path) -> None:
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (old / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
        (old / name).chmod(0o755)
    code = (
        "import django, importlib.util\ndjango.setup()\nimport backend.operations.postgres_tools as tools\n"
        "importlib.util.find_spec = lambda name: None\ntools.Path.glob = lambda self, pattern: []\n"
        "tools.program('pg_dump', 15)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PATH": str(old), "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pg_dump of PostgreSQL 15 or later is needed" in done.stderr
    assert "is version 9" in done.stderr


# --- after a restore: the bank first --------------------------------------------------------------------------------


def restored(world: Any) -> Freeze:
    """The freeze with which a restored instance starts."""
    return freeze(actor=None, cause="restore", reason="Restored", now=world.now + timedelta(minutes=1))


def asked(world: Any, held: Freeze) -> dict[str, Any]:
    """One person asked; what the other passes to confirm."""
    now = world.now + timedelta(minutes=5)
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="Compared", now=now)
    return {"actor": world.users["denis"], "freeze_id": held.pk, "now": now}


def last_statement(world: Any) -> bytes:
    """The statement of the demonstration that was imported before, again."""
    return demo.statement_file(
        world, number=1, opening=0,
        lines=[
            (100_00, "LA FABRIQUE DU PORT", f"soutien carto {printed(world.pledge.reference)} merci", ""),
            (42_50, "M OU MME INCONNU", "don", ""),
        ],
    )  # fmt: skip


def test_lifting_waits_for_a_statement_and_one_that_was_known_takes_a_reason(play: Play) -> None:
    world = play("receive")
    held = restored(world)
    act = asked(world, held)
    with pytest.raises(Conflict) as refusal:
        lift_freeze(**act)
    assert refusal.value.code == "compare_with_bank_first"
    assert "Compte courant: no statement imported since the freeze" in str(refusal.value)
    assert frozen() == held
    count = Statement.objects.count()
    import_statement(
        actor=world.users["claire"], data=last_statement(world), accept_gap=False, now=world.now + timedelta(minutes=2)
    )
    assert Statement.objects.count() == count
    (row,) = compare_with_bank(held)
    assert (row.stated, row.booked, row.old, row.agrees) == (142_50, 142_50, True, False)
    with pytest.raises(Conflict, match="this statement is too old to tell") as refusal:
        lift_freeze(**act)
    assert refusal.value.code == "compare_with_bank_first"
    assert frozen() == held
    lifted = lift_freeze(**act, gap_reason="Nothing moved since: the bank's own page shows it")
    assert frozen() is None
    assert lifted.lift_data["accounts"] == [
        {"account": world.account.pk, "stated": 142_50, "booked": 142_50, "unknown": 0}
    ]


@pytest.mark.parametrize(
    ("taken", "began", "outcome"),
    [
        (1, 1, "ends on"),  # the statement ends the day before the backup: it proves nothing, whatever is written
        (0, 5, "too old to tell"),  # it reaches the backup, but ends five days before the restore
        (0, 4, ""),
    ],
)
def test_a_statement_reaches_the_backup_and_nearly_the_restore(
    play: Play, taken: int, began: int, outcome: str
) -> None:
    world = play("receive")
    start = world.now + timedelta(days=began)
    data = {"taken_at": (world.now + timedelta(days=taken)).isoformat()}
    held = freeze(actor=None, cause="restore", reason="Restored", now=start, data=data)
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="Compared", now=start)
    act = {"actor": world.users["denis"], "freeze_id": held.pk, "now": start + timedelta(hours=1)}
    file = demo.statement_file(world, number=2, opening=142_50, lines=[(1_00, "M OU MME INCONNU", "encore", "")])
    import_statement(actor=world.users["claire"], data=file, accept_gap=False, now=start)
    demo.sweep(start)
    (row,) = compare_with_bank(held)
    assert (row.stated, row.old) == (None if taken else 143_50, began > 4)
    if outcome:
        with pytest.raises(Conflict, match=outcome):
            lift_freeze(**act)
        assert frozen() == held
    if taken:
        with pytest.raises(Conflict, match=outcome):
            lift_freeze(**act, gap_reason="Nothing moved")
        assert frozen() == held
        return
    lift_freeze(**act, gap_reason="Nothing moved" if outcome else "")
    assert frozen() is None


def test_what_left_since_the_backup_is_named_and_needs_a_written_reason(play: Play) -> None:
    world = play("receive")
    held = restored(world)
    act = asked(world, held)
    world.now += timedelta(minutes=2)
    data = demo.statement_file(
        world, number=2, opening=142_50, lines=[(-57_00, "Bo Nguyen", "retribution", "P-UNKNOWN")]
    )
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)
    assert BankLine.objects.get(amount=-57_00).state == "suggested"
    with pytest.raises(Conflict) as refusal:
        lift_freeze(**act)
    assert refusal.value.code == "compare_with_bank_first"
    assert "debits of €57.00 are not explained" in str(refusal.value)
    assert frozen() == held
    lifted = lift_freeze(**act, gap_reason="Bo was paid on Tuesday; the share is refused in the next batch")
    assert lifted.lift_data["gap_reason"].startswith("Bo was paid")
    assert lifted.lift_data["accounts"][0]["unknown"] == -57_00
    assert frozen() is None


def test_unfreeze_on_the_terminal_takes_two_passwords(play: Play, committed: str) -> None:
    world = play("document")
    done = manage(committed, "freeze", "--reason", "Doubt")
    assert done.returncode == 0, done.stderr
    held = Freeze.objects.get()

    def unfreeze(who: str, password: str = demo.PASSWORD, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "backend.manage",
                "unfreeze",
                "--as",
                f"{who}@example.org",
                "--password-stdin",
                *words,
            ],
            env={**databases.environment(committed), "REDIS_URL": "redis://127.0.0.1:1/0"},
            input=f"{password}\n",
            capture_output=True,
            text=True,
            check=False,
        )

    assert "This is not the password" in unfreeze("claire", "wrong").stderr
    assert "Say what was found" in unfreeze("claire").stderr
    assert "asks to lift" in unfreeze("claire", demo.PASSWORD, "--reason", "All is well").stdout
    assert "asks to lift" in unfreeze("claire", demo.PASSWORD, "--reason", "Still").stdout
    assert frozen() == held
    assert "Your roles do not allow this" in unfreeze("bo").stderr
    assert "Denis Caron confirms what Claire Moreau asked" in unfreeze("denis").stdout
    assert frozen() is None
    assert "Payouts are not frozen" in unfreeze("denis").stderr
    prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    assert PayoutBatch.objects.count() == 1
    assert Event.objects.filter(kind="freeze.lifted").count() == 1
