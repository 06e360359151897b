"""Statements of the application's role and of the owner's, past all services."""

import os
from typing import Any

import psycopg

from tests import databases

ROLES = ("tronc_app", "tronc_owner")


class Roles:
    """Statements sent to one database by each of the two roles, past all services. Nothing of them is kept."""

    def __init__(self, name: str) -> None:
        """Connect as both to a database."""
        app = databases.named(os.environ["DATABASE_URL"], name)
        owner = databases.named(databases.owner_url(), name)
        self.connections = {
            "tronc_app": psycopg.connect(app, options="-c role=tronc_app"),
            "tronc_owner": psycopg.connect(owner, options="-c role=tronc_owner"),
        }

    def said(self, role: str, *statements: str) -> tuple[str, int]:
        """(what refused the last statement: a constraint, or a kind of error; "" when it passed, rows it touched)."""
        sent: psycopg.Connection[Any] = self.connections[role]
        try:
            done = [sent.execute(statement) for statement in statements]  # type: ignore[call-overload]
            sent.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return "", done[-1].rowcount
        except psycopg.Error as refusal:
            return refusal.diag.constraint_name or type(refusal).__name__, 0
        finally:
            sent.rollback()

    def refused(self, *statements: str, by: str) -> None:
        """Both roles are refused the last statement, by this constraint."""
        assert [self.said(role, *statements) for role in ROLES] == [(by, 0)] * 2, statements

    def passes(self, *statements: str) -> None:
        """Both roles may, and the last statement touches something."""
        for role in ROLES:
            refusal, rows = self.said(role, *statements)
            assert (refusal, rows > 0) == ("", True), (role, statements)

    def close(self) -> None:
        """Let both connections go."""
        for one in self.connections.values():
            one.close()
