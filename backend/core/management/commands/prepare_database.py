"""Makes the two database roles and the database, or says which of them is missing; safe to repeat."""

from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.core.management.base import BaseCommand, CommandError
from psycopg import sql

from backend.settings import env

ROLES = {"tronc_owner": "CREATEDB", "tronc_app": ""}


def _login(url: str) -> str:
    """The login a database address names."""
    return unquote(urlsplit(url).username or "")


class Command(BaseCommand):
    """Prepare roles, database and default privileges."""

    help = "Create the roles tronc_owner and tronc_app and the database of DATABASE_URL, where they are missing."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Connect as DATABASE_ADMIN_URL, else DATABASE_OWNER_URL, else DATABASE_URL."""
        target = env("DATABASE_URL")
        admin = env("DATABASE_ADMIN_URL", "") or env("DATABASE_OWNER_URL", "") or target
        name = unquote(urlsplit(target).path.lstrip("/"))
        owner = env("DATABASE_OWNER_URL", "") or target
        wanted = {(_login(target), "tronc_app"), (_login(owner), "tronc_owner"), (_login(owner), "tronc_app")}
        try:
            with self._maintenance(admin, name) as connection:
                self._server(connection, name, wanted)
            with psycopg.connect(admin, dbname=name, autocommit=True) as connection:
                self._database(connection, name)
        except psycopg.errors.InsufficientPrivilege as refusal:
            raise CommandError(
                f"PostgreSQL refuses to prepare the database ({str(refusal).strip()}). Let an administrator run this "
                "command once with DATABASE_ADMIN_URL set to a login that may create roles."
            ) from None
        except psycopg.OperationalError as failure:
            raise CommandError(f"PostgreSQL does not answer: {str(failure).strip()}") from None

    def _maintenance(self, admin: str, name: str) -> "psycopg.Connection[Any]":
        """A connection to the database itself when it exists, else to the one in which it can be created."""
        try:
            return psycopg.connect(admin, dbname=name, autocommit=True)
        except psycopg.OperationalError:
            return psycopg.connect(admin, dbname="postgres", autocommit=True)

    def _server(self, connection: "psycopg.Connection[Any]", name: str, wanted: set[tuple[str, str]]) -> None:
        """Roles, membership of the logins in them, and the database itself."""
        current = connection.execute("SELECT current_user").fetchone()
        assert current is not None
        version = connection.info.server_version
        if version < 150000:
            raise CommandError(f"PostgreSQL {version // 10000} is too old: version 15 or later is needed.")
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
        for role, attributes in ROLES.items():
            if role not in known:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN {}").format(sql.Identifier(role), sql.SQL(attributes)))
        # An administrator without superuser rights must be a member of a role to act for it.
        for login, role in sorted(wanted | {(current[0], "tronc_owner")}):
            if not login or login == role:
                continue
            member = connection.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [login, role]).fetchone()
            if not (member and member[0]):
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not exists:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER tronc_owner ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(name)
                )
            )

    def _database(self, connection: "psycopg.Connection[Any]", name: str) -> None:
        """What tronc_owner may create, and what tronc_app may do with it unless a migration takes it away."""
        connection.execute(
            sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO tronc_owner").format(sql.Identifier(name))
        )
        # Nobody but the owner needs tables of their own, not even temporary ones.
        connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        connection.execute("GRANT ALL ON SCHEMA public TO tronc_owner")
        connection.execute("GRANT USAGE ON SCHEMA public TO tronc_app")
        connection.execute(
            "ALTER DEFAULT PRIVILEGES FOR ROLE tronc_owner IN SCHEMA public "
            "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tronc_app"
        )
        connection.execute(
            "ALTER DEFAULT PRIVILEGES FOR ROLE tronc_owner IN SCHEMA public "
            "GRANT USAGE, SELECT ON SEQUENCES TO tronc_app"
        )
        connection.execute("ALTER DEFAULT PRIVILEGES FOR ROLE tronc_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        connection.execute(
            "ALTER DEFAULT PRIVILEGES FOR ROLE tronc_owner IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO tronc_app"
        )
        self.stdout.write(f"Database {name} is ready: tronc_owner migrates it, tronc_app serves it.")
