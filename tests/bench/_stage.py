"""What the ledger's benchmark stands on: a durable PostgreSQL server, its databases, pgbench; and its tables."""

import contextlib
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.postgres import Postgres

# Those of the measurements the targets come from; fsync, synchronous_commit and full_page_writes stay on.
SETTINGS = {
    "shared_buffers": "4GB",
    "wal_buffers": "64MB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "512MB",
    "jit": "off",
    "random_page_cost": "1.1",
}
DURABLE = ["fsync", "synchronous_commit", "full_page_writes"]
OWNER, APP = "tronc_owner", "tronc_app"


class Server:
    """A PostgreSQL server of the benchmark's own, every commit on disk, on a private Unix socket."""

    def __init__(self) -> None:
        """Start it with SETTINGS (shared_buffers at most a quarter of the memory) and make the roles."""
        self._postgres = Postgres()
        try:
            with self.connect("postgres", "tronc_admin") as admin:
                for name, value in SETTINGS.items():
                    asked = _affordable() if name == "shared_buffers" else value
                    admin.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(asked)))
            self._restart()
            os.environ.update(self._postgres.addresses)
            self.run([sys.executable, "-P", "-m", "backend.manage", "prepare_database"])
            with self.connect("postgres", "tronc_admin") as admin:
                shown = [admin.execute(f"SHOW {name}").fetchone() for name in DURABLE]  # type: ignore[arg-type]
                assert shown == [("on",)] * len(DURABLE), "the server must write every commit to disk"
                version = admin.execute("SHOW server_version").fetchone()
                buffers = admin.execute("SHOW shared_buffers").fetchone()
            assert version is not None
            assert buffers is not None
            self.version, self.buffers = str(version[0]), str(buffers[0])
        except BaseException:
            self.stop()
            raise

    def url(self, database: str, role: str) -> str:
        """The address of a database for a role."""
        return f"postgresql://{role}@/{database}?host={self._postgres.folder}"

    def connect(self, database: str, role: str) -> "psycopg.Connection[Any]":
        """A connection of this role that commits each statement."""
        return psycopg.connect(self.url(database, role), autocommit=True, options=f"-c role={role}")

    def environment(self, database: str) -> dict[str, str]:
        """The environment of a process that is to use this database."""
        return {**os.environ, "DATABASE_URL": self.url(database, APP), "DATABASE_OWNER_URL": self.url(database, OWNER)}

    def create(self, database: str) -> None:
        """An empty database."""
        with self.connect("postgres", OWNER) as owner:
            owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(database)))

    def migrated(self, database: str) -> None:
        """A database with all migrations."""
        self.create(database)
        for command in (["prepare_database"], ["migrate", "-v0"]):
            self.run([sys.executable, "-P", "-m", "backend.manage", *command], self.environment(database))

    def copy(self, source: str, database: str) -> None:
        """A copy of a database that nobody is connected to, file by file."""
        with self.connect("postgres", OWNER) as owner:
            owner.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(database), sql.Identifier(source)
                )
            )

    def pgbench(self, database: str, script: str, *, clients: int, seconds: float, **variables: int) -> float:
        """Transactions a second of a script, prepared, as the application's role.

        Args: seconds: how long, rounded up to a whole one. variables: what the script calls :name.
        """
        path = self._postgres.folder / "script.sql"
        path.write_text(script, encoding="utf-8")
        words = [f"-D{name}={value}" for name, value in variables.items()]
        done = self.run(
            [
                self._binary("pgbench"), "-n", "-Mprepared", f"-c{clients}", f"-j{min(clients, 2)}",
                f"-T{max(1, round(seconds))}", "-f", str(path), *words,
                "-h", str(self._postgres.folder), "-U", APP, database,
            ],
            {"PATH": os.defpath, "PGOPTIONS": f"-c role={APP}"},
        )  # fmt: skip
        found = re.search(r"tps = ([0-9.]+) \(without", done)
        assert found, done
        return float(found[1])

    def settle(self, *databases: str) -> None:
        """Do now what the server would do in the next minute: one case must not pay for another."""
        for database in databases:
            with self.connect(database, OWNER) as owner:
                owner.execute("VACUUM ANALYZE")
        with self.connect("postgres", "tronc_admin") as admin:
            admin.execute("CHECKPOINT")

    def stop(self) -> None:
        """End it and remove its data."""
        self._postgres.stop()

    def _restart(self) -> None:
        (child,) = self._postgres._supervisor.children  # the proofs only ever kill it
        child.process.send_signal(signal.SIGINT)
        child.process.wait()
        self._postgres.start()

    def _binary(self, name: str) -> str:
        (child,) = self._postgres._supervisor.children  # it knows where the binaries were put
        server = next(word for word in child.argv if word.endswith("/postgres"))
        return str(Path(server).with_name(name))

    def run(self, words: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
        """Run a command to its end; gives what it printed, raises RuntimeError with that when it fails."""
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def _affordable() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return f"{min(4096, memory // 4)}MB"


def machine() -> str:
    """This machine in one line."""
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        return f"{os.cpu_count()} cores ({found[1] if found else platform.machine()}), {memory:.0f} GiB of memory"
    return f"{os.cpu_count()} cores ({platform.machine()})"


def interleaved(rounds: int, *acts: Callable[[], float]) -> list[list[float]]:
    """Call the acts in turn, round after round, so that what disturbs one disturbs all; gives each one's figures."""
    figures = [[act() for act in acts] for _round in range(rounds)]
    return [list(column) for column in zip(*figures, strict=True)]


def median(figures: Sequence[float]) -> float:
    """The one in the middle."""
    return statistics.median(figures)


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios of each round."""
    return median([one / other for one, other in zip(over, under, strict=True)])


@dataclass
class Result:
    """One line: what was measured, its target, and the figures behind it."""

    case: str
    measured: float
    target: float | None = None
    most: bool = False  # the target is the most allowed, not the least
    unit: str = "×"  # of `measured`; × is a ratio
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """`right`, `short`, or nothing where there is no target."""
        if self.target is None:
            return ""
        kept = self.measured <= self.target if self.most else self.measured >= self.target
        return "right" if kept else "short"

    @property
    def wanted(self) -> str:
        """The target as people read it."""
        return "" if self.target is None else f"{'≤' if self.most else '≥'} {shown(self.target, self.unit)}"

    def row(self) -> dict[str, Any]:
        """The object to print."""
        name = "ratio" if self.unit == "×" else "measured"
        kept: dict[str, Any] = {"bench": "ledger", "case": self.case, name: float(f"{self.measured:.4g}")}
        if self.unit != "×":
            kept["unit"] = self.unit
        if self.target is not None:
            kept |= {"target": self.wanted, "verdict": self.verdict}
        return kept | {key: float(f"{value:.4g}") for key, value in self.figures.items()}

    def cells(self) -> list[str]:
        """Case, target, measured, verdict, figures."""
        figures = ", ".join(f"{name} {shown(value, '')}" for name, value in self.figures.items())
        return [self.case, self.wanted, shown(self.measured, self.unit), self.verdict, figures]


def shown(value: float, unit: str) -> str:
    """A figure for people: three figures that count, thousands apart."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip().replace(",", " ") if unit != "×" else f"{text} ×"


HEADINGS = ["measure", "target", "measured", "", "figures"]


def table(results: Sequence[Result]) -> str:
    """The results as a table for a terminal."""
    lines = [HEADINGS, *(result.cells() for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, [*widths, 0], strict=True)).rstrip() for line in lines
    )


def markdown(results: Sequence[Result], heading: str) -> str:
    """The results as the table of the page, after a line that says how and where they were measured."""
    lines = [HEADINGS, ["---"] * 5, *(result.cells() for result in results)]
    return "\n".join([heading, "", *(f"| {' | '.join(line)} |" for line in lines), ""])
