"""What the units start is started for real: tables, web, worker, timetable; and stopped in the middle of work."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import get_commands
from django.utils import timezone

from tests import databases
from tests.conftest import free_port
from tests.deploy.units import DEPLOY, ROOT, UNITS
from tests.valkey import Valkey

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]


def command(unit: str, folder: Path) -> list[str]:
    """The unit's command, with the server's folders replaced by the checkout, its environment and a test's folder."""
    words = [word.replace("/opt/tronc/venv/bin/python", sys.executable) for word in UNITS[unit].command]
    return [word.replace("/opt/tronc", str(ROOT)).replace("/var/lib", str(folder)) for word in words]


class Service:
    """One unit's process, with the environment that systemd would give it and no other."""

    def __init__(self, unit: str, folder: Path, settings: dict[str, str]) -> None:
        """Start it."""
        self.log = folder / f"{unit}.log"
        theirs = {name: value.replace("/opt/tronc", str(ROOT)) for name, value in UNITS[unit].environment.items()}
        theirs["TRONC_METRICS_FOLDER"] = str(folder / "metrics")
        for state in UNITS[unit].all("StateDirectory"):
            (folder / state).mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(unit, folder), env=kept | theirs | settings, cwd=ROOT, stdout=log, stderr=log
            )

    def stop(self, seconds: float = 60) -> int:
        """Ask it to end as systemd does: one SIGTERM to the first process; gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        written = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in written if line.startswith("{")]


def until(ready: Any, what: str, seconds: float = 90) -> Any:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds} s")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of this test's own."""
    (tmp_path / "valkey").mkdir()
    server = Valkey(tmp_path / "valkey", free_port())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def settings_file(committed: str, tmp_path: Path, broker: Valkey) -> dict[str, str]:
    """What /etc/tronc/tronc.env would hold."""
    subprocess.run(
        [sys.executable, str(DEPLOY / "new-settings"), "tronc.example.org"],
        env={"TRONC_ETC": str(tmp_path / "etc")},
        check=True,
    )
    lines = (tmp_path / "etc" / "tronc.env").read_text(encoding="utf-8").splitlines()
    made = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    (tmp_path / "mail").mkdir()
    for name in list(made):
        if name.startswith("TRONC_SMTP"):
            del made[name]
    made |= {
        "DATABASE_URL": databases.named(os.environ["DATABASE_URL"], committed),
        "REDIS_URL": broker.url,
        "TRONC_BIND": f"127.0.0.1:{free_port()}",
        "TRONC_MAIL_FOLDER": str(tmp_path / "mail"),
        "TRONC_SEAL_KEYS": str(tmp_path / "tronc-seal"),
        # The rows of the test were sealed with the keys of the test.
        "TRONC_ENCRYPTION_KEYS": os.environ["TRONC_ENCRYPTION_KEYS"],
    }
    return made


@pytest.fixture
def started(tmp_path: Path, settings_file: dict[str, str]) -> Iterator[Any]:
    """Starts units; ends those that a test left."""
    services: list[Service] = []

    def start(unit: str, **more: str) -> Service:
        services.append(Service(unit, tmp_path, settings_file | more))
        return services[-1]

    yield start
    for service in services:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()


def ask(settings: dict[str, str], path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Ask the web process as the reverse proxy does: status, headers, body; status 0 when it does not answer."""
    request = urllib.request.Request(f"http://{settings['TRONC_BIND']}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, dict(refusal.headers), refusal.read().decode()
    except OSError:
        return 0, {}, ""


PROXY = {"Host": "tronc.example.org", "X-Forwarded-Proto": "https", "X-Real-IP": "192.0.2.7"}


def test_migrate_makes_the_tables_as_the_owner_and_may_be_repeated(template: None, tmp_path: Path) -> None:
    name = f"tronc_units_{databases.RUN[:12]}"
    environment = databases.environment(name) | {"PYTHONPATH": str(ROOT)}  # as the unit says
    try:
        subprocess.run(
            [sys.executable, "-m", "backend.manage", "prepare_database"], env=environment, check=True, cwd=ROOT
        )
        # owner.env: both names lead to the owner's login.
        environment["DATABASE_URL"] = environment["DATABASE_OWNER_URL"]
        for _turn in range(2):
            done = subprocess.run(
                command("tronc-migrate.service", tmp_path), env=environment, cwd=ROOT, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        assert "No migrations to apply" in done.stdout
        with psycopg.connect(environment["DATABASE_OWNER_URL"]) as connection:
            (owner,) = connection.execute(
                "SELECT tableowner FROM pg_tables WHERE tablename = 'ledger_posting'"
            ).fetchone() or ("",)
        assert owner == "tronc_owner"
    finally:
        databases.drop(name)


def test_web_serves_behind_the_proxy_and_ends_what_it_began(
    play: Any, committed: str, started: Any, settings_file: dict[str, str]
) -> None:
    play("make_promise")
    web = started("tronc-web.service")
    until(lambda: ask(settings_file, "/healthz")[0] == 200, "the web process")
    status, _headers, body = ask(settings_file, "/readyz")
    assert status == 200, body
    told = json.loads(body)
    assert (told["ready"], told["checks"]["broker"]) == (True, "ok")
    assert ask(settings_file, "/en/", **PROXY)[0] == 200
    assert ask(settings_file, "/metrics", **PROXY, **{"X-Forwarded-For": "192.0.2.7"})[0] == 404
    assert "tronc_database_up 1.0" in ask(settings_file, "/metrics")[2]

    # A request in the middle of its work: it waits for a row that we hold.
    answers: list[tuple[int, dict[str, str], str]] = []
    with psycopg.connect(databases.named(databases.owner_url(), committed), options="-c role=tronc_owner") as holder:
        holder.execute("LOCK TABLE identity_host IN ACCESS EXCLUSIVE MODE")
        asking = threading.Thread(target=lambda: answers.append(ask(settings_file, "/en/", **PROXY)))
        asking.start()
        until(lambda: _waiting(holder), "the request that waits")
        web.process.send_signal(signal.SIGTERM)
        until(lambda: any("exiting" in line["event"] for line in web.lines()), "the end of a worker without work", 25)
        assert not answers
        holder.commit()
    asking.join(60)
    assert [status for status, _headers, _body in answers] == [200]
    assert web.process.wait(60) == 0
    assert any(line["event"] == "request" and line["route"] == "/en/" for line in web.lines())
    assert ask(settings_file, "/healthz")[0] == 0


def _waiting(connection: "psycopg.Connection[Any]") -> bool:
    """Whether somebody waits for a lock in this database."""
    row = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'identity_host'::regclass"
    ).fetchone()
    return bool(row and row[0])


def test_worker_takes_a_nudge_beat_ticks_and_a_stopped_worker_leaves_no_row_half_done(
    play: Any, started: Any, settings_file: dict[str, str]
) -> None:
    from backend.core.models import SweepRun
    from backend.notifications.models import OutgoingMail

    play("make_promise")
    worker = started("tronc-worker.service")
    beat = started("tronc-beat.service")
    until(lambda: SweepRun.objects.filter(name="notifications.send", rows__gte=1).exists(), "a tick of beat", 200)
    assert beat.stop() == 0

    # A sweep in the middle of its row: the row is held by us while the worker is told to stop.
    sent_before = OutgoingMail.objects.filter(state="sent").count()
    mail = OutgoingMail.objects.order_by("pk").first()
    assert mail is not None
    OutgoingMail.objects.filter(pk=mail.pk).update(state="due", due_at=timezone.now(), sent_at=None)
    with psycopg.connect(settings_file["DATABASE_URL"], options="-c role=tronc_app") as holder:
        holder.execute("LOCK TABLE notifications_outgoingmail IN SHARE MODE")
        _nudge(settings_file, "notifications.send")
        until(lambda: _blocked(holder), "the sweep that waits")
        worker.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert worker.process.poll() is None
        holder.commit()
    assert worker.process.wait(60) == 0
    mail.refresh_from_db()
    assert mail.state == "sent"
    assert OutgoingMail.objects.filter(state="sent").count() == sent_before
    told = [line for line in worker.lines() if line.get("sweep") == "notifications.send"]
    assert any(line.get("request_id") == "req_of_the_test" for line in told)


def _nudge(settings: dict[str, str], sweep: str) -> None:
    """What backend.core.nudge sends, to the test's broker."""
    from celery import Celery

    app = Celery("tests", broker=settings["REDIS_URL"])
    app.send_task("tronc.sweep", args=[sweep], headers={"request_id": "req_of_the_test"}, expires=60)
    app.close()


def _blocked(connection: "psycopg.Connection[Any]") -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'notifications_outgoingmail'::regclass"
    ).fetchone()
    return bool(row and row[0])


def test_the_commands_that_units_and_pages_name_exist() -> None:
    known = get_commands()
    pages = [DEPLOY / name for name in ("install.md", "install.fr.md", "runbook.md", "README.md")]
    said = [word for unit in UNITS.values() for word in unit.path.read_text(encoding="utf-8").splitlines()]
    said += [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    named = {name for line in said for name in re.findall(r"(?:backend\.manage|deploy/manage) ([a-z_]+)", line)}
    assert {"backup", "migrate", "set_up", "check_mail", "prepare_database", "rotate_keys"} <= named
    assert named <= set(known), named - set(known)


def test_a_demonstration_does_not_listen_to_the_world() -> None:
    def run(**more: str) -> "subprocess.CompletedProcess[str]":
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", str(DEPLOY / "gunicorn.conf.py"), "--check-config"]
        return subprocess.run(
            [*gunicorn, "backend.wsgi:application"], env={**os.environ, **more}, cwd=ROOT, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    refused = run(TRONC_DEMO="1", TRONC_BIND="0.0.0.0:8000")
    assert refused.returncode != 0
    assert "anyone who reaches a demonstration may sign in as anyone" in refused.stderr
    for bind in ("[::]:8000", "192.0.2.7:80", "tronc.example.org:80"):
        assert run(TRONC_DEMO="1", TRONC_BIND=bind).returncode != 0, bind
    assert run(TRONC_BIND="0.0.0.0:8000", TRONC_LOOPBACK_HTTP="1").returncode == 0


def test_the_proxys_configuration_is_valid() -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        # Without Caddy on the machine the blocks are at least closed; test_files reads the directives.
        text = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
        assert text.count("{") == text.count("}")
        return
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
