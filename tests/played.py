"""Worlds of the demonstration, played once by each process of a run and found again by the tests after it.

The second test that asks for the same steps at the same time has them played into a database that is kept. Tests that
roll back begin on that database, tests that commit on a copy of it: nothing of one test is ever seen by another.
"""

import os
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone, translation
from psycopg import sql

from backend.core import failpoints
from backend.operations import demo
from tests import databases

FRESH = 45  # seconds after which a world that is to be of now is played again: people are made to wait a minute
HOME = ZoneInfo("Europe/Paris")  # where the host of the demonstration lives: its day is in what it plays
MOST = 12  # databases kept by each process
# What differs from test to test while no step of the demonstration reads it: addresses of servers of the test's own.
UNREAD = ("FAKE_PROVIDER", "STRIPE_", "MAIL_", "EMAIL_", "CELERY_", "BASE_URL")
_numbers = count()


@dataclass
class Kept:
    """A database that holds a world, with the objects of that world and a connection to it."""

    name: str
    world: bytes
    made: float
    connection: BaseDatabaseWrapper

    def find(self) -> demo.World:
        """The world, as it was when it had been played."""
        found: demo.World = pickle.loads(self.world)  # noqa: S301  written by this process
        return found


def _circumstances() -> tuple[Any, ...]:
    """What a test may have changed and a step of the demonstration may read."""
    names = (name for name in dir(settings) if name.isupper() and not name.startswith(UNREAD))
    return (
        tuple(repr(getattr(settings, name)) for name in names),
        tuple(demo.STEPS),
        tuple(demo.SWEEPS.items()),
        repr(failpoints._ARMED),
        translation.get_language(),
    )


@contextmanager
def _served_by(other: BaseDatabaseWrapper) -> Iterator[None]:
    """All of Django speaks to another database, through this connection."""
    before = connections["default"]
    connections["default"] = other
    try:
        yield
    finally:
        connections["default"] = before


class Stage:
    """The worlds of one process."""

    def __init__(self) -> None:
        """None yet."""
        self.kept: dict[Any, Kept] = {}
        self.asked: set[Any] = set()
        self.seeded: list[str] = []  # the tables that migrations fill

    def world(self, step: str, now: datetime | None) -> Kept | None:
        """The world up to this step, when it was asked for before in the same circumstances."""
        moment: Any = now or timezone.now().astimezone(HOME).date()
        key = (step, now is None, moment, _circumstances())
        kept = self.kept.get(key)
        if kept and now is None and time.monotonic() - kept.made > FRESH:
            self._forget(key)
            kept = None
        if kept:
            self.kept[key] = self.kept.pop(key)  # the one used last is forgotten last
        elif key in self.asked:
            if len(self.kept) >= MOST:
                self._forget(next(iter(self.kept)))
            kept = self.kept[key] = self._play(step, now)
        self.asked.add(key)
        return kept

    def is_fresh(self) -> bool:
        """Whether the database of this test is as it was made, and nobody else is connected to it."""
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
            )
            others = cursor.fetchone()[0] - 1
        return others == 0 and filled() == self.seeded

    def end(self) -> None:
        """Remove the databases."""
        for key in [*self.kept]:
            self._forget(key)

    def _play(self, step: str, now: datetime | None) -> Kept:
        name = f"tronc_kept_{databases.RUN[:12]}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}_{next(_numbers)}"
        databases.clone(name)
        own = connections["default"].copy()
        own.settings_dict["NAME"] = name
        made = time.monotonic()
        said = structlog.contextvars.get_contextvars()
        structlog.contextvars.clear_contextvars()  # of a request that this test made: the world is of none
        with _served_by(own), transaction.atomic():
            self.seeded = filled()
            world = pickle.dumps(play(step, now))
            own.run_on_commit.clear()  # in a test that rolls back nobody is told either
        structlog.contextvars.bind_contextvars(**said)
        return Kept(name, world, made, own)

    def _forget(self, key: Any) -> None:
        kept = self.kept.pop(key)
        kept.connection.close()
        databases.drop(kept.name)


def play(step: str, now: datetime | None) -> demo.World:
    """Play the demonstration up to a step included, here and now."""
    world = demo.World(now=now or timezone.now())
    for act in demo.STEPS:
        act(world)
        if act.__name__ == step:
            return world
    raise LookupError(step)


def filled() -> list[str]:
    """The tables that hold a row, of those that the application may read."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
            " AND has_table_privilege(oid, 'SELECT') ORDER BY relname"
        )
        names = [name for (name,) in cursor.fetchall()]
        asked = [sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier(name)) for name in names]
        cursor.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(asked)))
        return [name for name, holds in zip(names, cursor.fetchone(), strict=True) if holds]


def wrote_nothing() -> bool:
    """Whether the transaction of this test has changed nothing yet."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NULL")
        return bool(cursor.fetchone()[0])


@contextmanager
def rolled_back(kept: Kept) -> Iterator[demo.World]:
    """A transaction on the database of a world, in the place of the test's own; its constraints are checked."""
    own = kept.connection
    with _served_by(own):
        whole = transaction.atomic()
        whole._from_testcase = True
        whole.__enter__()
        try:
            yield kept.find()
            if not own.needs_rollback and own.is_usable():
                own.check_constraints()
        finally:
            transaction.set_rollback(True)
            whole.__exit__(None, None, None)


def copied(kept: Kept, name: str) -> demo.World:
    """A copy of the database of a world, in the place of the test's own."""
    connections["default"].close()
    kept.connection.close()
    databases.clone(name, kept.name)
    return kept.find()
