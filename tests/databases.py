"""Databases for tests: one migrated template a run, cloned for each worker and for each test that commits."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"p{os.getpid()}"
TEMPLATE = f"tronc_template_{RUN[:12]}"


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
    """Remove a database, whoever is still connected to it."""
    with server() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def make_template() -> None:
    """Migrate the template, once per run, whoever comes first."""
    with server() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [TEMPLATE])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            return
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(TEMPLATE)))
        for command in (["prepare_database"], ["migrate", "-v0"]):
            subprocess.run(
                [sys.executable, "-m", "backend.manage", *command],
                env=environment(TEMPLATE),
                check=True,
                stdout=subprocess.DEVNULL,
            )


def clone(name: str) -> None:
    """A fresh database from the template."""
    with server() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
        )
