"""Databases for tests: one migrated template a run, cloned for each worker and for each test that commits."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

BACKEND = Path(__file__).parents[1] / "backend"


def _migrations() -> str:
    """What the template depends on, in twelve characters."""
    made_by = [*BACKEND.rglob("migrations/*.py"), *BACKEND.glob("*/apps.py"), BACKEND / "settings.py"]
    made_by.append(BACKEND / "core/management/commands/prepare_database.py")
    found = hashlib.sha256()
    for path in sorted(made_by):
        found.update(str(path.relative_to(BACKEND)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"p{os.getpid()}"
# On a server that stays, the template may too: it is named by the migrations that made it.
KEPT = os.environ.get("TRONC_KEEP_TEMPLATE") == "1"
TEMPLATE = f"tronc_template_{_migrations() if KEPT else RUN[:12]}"


def named(url: str, name: str) -> str:
    """The address of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def owner_url() -> str:
    """The login that may create databases."""
    return os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]


def environment(name: str) -> dict[str, str]:
    """The environment of a process that is to use this database."""
    return {
        **os.environ,
        "DATABASE_URL": named(os.environ["DATABASE_URL"], name),
        "DATABASE_OWNER_URL": named(owner_url(), name),
    }


@contextmanager
def server() -> Iterator["psycopg.Connection[Any]"]:
    """A connection as the owner to the database of the run, for CREATE and DROP DATABASE."""
    with psycopg.connect(owner_url(), autocommit=True, options="-c role=tronc_owner") as connection:
        yield connection


def drop(name: str) -> None:
    """Remove a database; connections of processes that are just ending are waited for."""
    for turn in range(100):
        try:
            with server() as connection:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            return
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            # The owner may not end a session of the application: it ends by itself.
            if turn == 99:
                raise
            time.sleep(0.1)


def make_template() -> None:
    """Migrate the template, once per run, whoever comes first."""
    with server() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [TEMPLATE])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            return
        # Under another name until it is whole: a template half migrated must never be cloned.
        making = f"{TEMPLATE}_making"
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(making)))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(making)))
        for command in (["prepare_database"], ["migrate", "-v0"]):
            done = subprocess.run(
                [sys.executable, "-m", "backend.manage", *command],
                env=environment(making),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{command[0]} of the test template failed:\n{done.stdout}{done.stderr}")
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(TEMPLATE))
        )


def clone(name: str, source: str = "") -> None:
    """A fresh database from the template, or from another one that nobody is connected to."""
    with server() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(
            # By files: a third of the time of copying through the log of PostgreSQL, on a server that does not sync.
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(source or TEMPLATE)
            )
        )
