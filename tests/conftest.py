"""What all tests share: databases, the played demonstration, real processes."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from tests import databases

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """Hash the passwords of the tests cheaply; keep the keys of seals in a folder for all processes of this run."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["tests.fast.QuickHasher", *settings.PASSWORD_HASHERS]
    if not hasattr(config, "workerinput"):
        os.environ["TRONC_SEAL_KEYS"] = tempfile.mkdtemp(prefix="tronc-seal-")
    settings.SEAL_KEYS = os.environ["TRONC_SEAL_KEYS"]


def pytest_report_header(config: pytest.Config) -> str:
    """Say whether the samples of ../shared add to the tests of this run."""
    return f"shared samples: {'present' if SHARED.is_dir() else 'absent, only the project’s own samples are read'}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The controlling process removes the template, and the keys of seals."""
    if hasattr(session.config, "workerinput"):
        return
    shutil.rmtree(os.environ["TRONC_SEAL_KEYS"], ignore_errors=True)
    if "DATABASE_URL" in os.environ and not databases.KEPT:
        databases.RUN = getattr(session.config, "testrunuid", databases.RUN)
        databases.drop(f"tronc_template_{databases.RUN[:12]}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, so that the other worker does the rest meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values are named by their place: the bytes of an archive hold the second at which it was made, and workers
    that collect tests one second apart must find the same ones."""
    return argname if isinstance(val, bytes | str) and len(val) > 120 else None


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Sentences are compared in the language of the sources, unless a test or an address says otherwise."""
    with translation.override("en"):
        yield


@pytest.fixture(scope="session")
def template() -> None:
    """The migrated template of this run."""
    databases.make_template()


@pytest.fixture(scope="session")
def django_db_setup(template: None) -> Iterator[None]:
    """The database of this worker: a clone; tests that do not commit roll back in it."""
    from django.db import connection

    name = f"tronc_test_{databases.RUN[:12]}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"
    databases.clone(name)
    connection.settings_dict["NAME"] = name
    yield
    connection.close()
    databases.drop(name)


@pytest.fixture
def committed(template: None, django_db_blocker: Any) -> Iterator[str]:
    """A database of its own for a test that commits, on real connections; gives its name."""
    from django.db import connection

    name = f"tronc_own_{databases.RUN[:12]}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}_{next(_numbers)}"
    databases.clone(name)
    with django_db_blocker.unblock():
        connection.close()
        before = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = name
        try:
            yield name
        finally:
            connection.close()
            connection.settings_dict["NAME"] = before
    databases.drop(name)


@pytest.fixture
def roles(committed: str) -> Iterator[Any]:
    """The application's role and the owner's on the database of the test, past all services: a tests.roles.Roles."""
    from tests.roles import Roles

    made = Roles(committed)
    yield made
    made.close()


@pytest.fixture(scope="session")
def stage(template: None, django_db_blocker: Any) -> Iterator[Any]:
    """The worlds that this process has played."""
    from tests import played

    worlds = played.Stage()
    yield worlds
    with django_db_blocker.unblock():
        worlds.end()


@pytest.fixture
def play(request: pytest.FixtureRequest, stage: Any) -> Iterator[Callable[..., Any]]:
    """Play the demonstration up to a step included, or find it as it was played: `world = play("receive")`."""
    from tests import played

    commits = "committed" in request.fixturenames
    name = request.getfixturevalue("committed" if commits else "db")
    until = ExitStack()

    def up_to(step: str = "settle", now: Any = None) -> Any:
        kept = stage.world(step, now)
        if kept is None or not (stage.is_fresh() if commits else played.wrote_nothing()):
            return played.play(step, now)
        return played.copied(kept, name) if commits else until.enter_context(played.rolled_back(kept))

    with until:
        yield up_to


@pytest.fixture
def sign_in() -> Callable[..., Any]:
    """Sign a person of the demonstration in through the real pages, with their second factor: it is fresh."""

    def enter(user: Any, **extra: Any) -> Any:
        from django.core.cache import cache
        from django.test import Client

        from backend.operations import demo

        browser = Client(**extra)
        answer = browser.post("/en/accounts/login/", {"login": user.email, "password": demo.PASSWORD})
        assert answer.status_code == 302, answer.content.decode()
        if "/2fa/authenticate/" in answer.headers["Location"]:
            code = demo.code_for(time.time())
            cache.delete(f"allauth.mfa.totp.used?user={user.pk}&code={code}")  # a code serves once: tests sign in often
            answer = browser.post("/en/accounts/2fa/authenticate/", {"code": code})
            assert answer.status_code == 302, answer.content.decode()
        return browser

    return enter


def free_port() -> int:
    """A port of the loopback interface nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """Real processes of one test: web, worker and beat, on the test's own database."""

    def __init__(self, name: str, folder: Path) -> None:
        """Keep the database's name and a folder for logs."""
        self.folder = folder
        self.environment = {
            **databases.environment(name),
            "TRONC_MAIL_FOLDER": str(folder / "mail"),
            "PYTHONWARNINGS": "default",
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.commands: dict[str, tuple[str, ...]] = {}
        self.url = ""

    def start(self, name: str, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start one process with its log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.commands[name] = command
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.running[name]

    def web(self, workers: int = 2) -> str:
        """Start the web server and wait until it answers; gives its address."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment["TRONC_BASE_URL"] = self.url
        self.start(
            "web", "gunicorn", "backend.wsgi:application", "--bind", f"127.0.0.1:{port}", "--workers", str(workers),
            "--threads", "8",
        )  # fmt: skip
        self.wait(self.healthy, "the web server")
        return self.url

    def healthy(self) -> bool:
        """Whether /healthz answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def worker(self) -> None:
        """Start one Celery worker."""
        self.start("worker", "celery", "-A", "worker.app", "worker", "-P", "prefork", "-c", "2", "-l", "info")

    def beat(self) -> None:
        """Start Celery's beat."""
        self.start("beat", "celery", "-A", "worker.app", "beat", "-s", str(self.folder / "beat"), "--pidfile=")

    def wait(self, ready: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        """Wait for a condition; fail with the logs when it does not come."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := ready():
                return found
            time.sleep(0.2)
        logs = "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))
        raise AssertionError(f"{what} did not come within {seconds} s\n{logs}")

    def kill_and_restart(self, name: str) -> None:
        """Kill a process and all its children at once, without warning, and start it again as a supervisor would."""
        if self.running[name].poll() is None:
            os.killpg(self.running[name].pid, signal.SIGKILL)
            self.running[name].wait()
        self.start(name, *self.commands[name])

    def stop(self) -> None:
        """End them all by their own process ids."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def processes(committed: str, tmp_path: Path) -> Iterator[Processes]:
    """Real processes on the committed database of this test."""
    all_of_them = Processes(committed, tmp_path)
    yield all_of_them
    all_of_them.stop()
