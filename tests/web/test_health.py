"""What machines ask: alive, ready, figures; and the id that each request carries."""

import base64
import json
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from backend.core import metrics, nudge
from backend.core.models import SweepRun
from backend.ledger.services import freeze
from backend.operations import metrics as readings
from backend.operations.models import Backup, SelfCheckRun
from backend.operations.sweeps import SWEEPS
from backend.payees.models import Payee
from backend.web import health

AFAR = {"REMOTE_ADDR": "192.0.2.7"}
PROXIED = {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}


def figure(text: str, name: str) -> float:
    """The value of one sample of a page of metrics."""
    found = re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)
    assert found is not None, f"{name} is not in\n{text}"
    return float(found[1])


def test_alive_whatever_the_name_of_the_host(db: None, client: Client) -> None:
    answer = client.get("/healthz", HTTP_HOST="10.0.0.3:8000")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer["Content-Length"] == "3"
    assert client.post("/healthz").status_code == 405


def test_without_the_database_neither_alive_nor_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        def cursor(self) -> None:
            raise OperationalError("connection to postgresql://tronc_web:hidden@10.0.0.7 failed")

    monkeypatch.setattr(health, "connection", Down())
    assert client.get("/healthz").status_code == 503
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "does not answer (OperationalError)"
    assert "hidden" not in answer.content.decode()
    assert b"10.0.0.7" not in client.get("/healthz").content


def test_ready_without_broker(db: None, client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://user:secret@127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    told = answer.json()
    assert told["ready"] is True
    assert {told["checks"][name] for name in ("database", "migrations", "encryption_keys")} == {"ok"}
    assert told["checks"]["broker"].startswith("does not answer (ConnectionError)")
    assert "secret" not in answer.content.decode()


def test_not_ready_before_the_migrations(db: None, client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("core", "0001_initial")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == "1 not applied, the first is core.0001_initial"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("not a key", "TRONC_ENCRYPTION_KEYS is malformed"),
        ("9:" + base64.b64encode(b"x" * 32).decode(), "key 1 does not open what it sealed"),
        ("1:" + base64.b64encode(b"x" * 32).decode(), "key 1 does not open what it sealed"),
    ],
)
def test_not_ready_with_other_keys_than_those_of_the_rows(
    play: Any, client: Client, settings: Any, keys: str, said: str
) -> None:
    settings.ENCRYPTION_KEYS = "1:" + base64.b64encode(b"a" * 32).decode()
    play("work")
    assert Payee.objects.exclude(iban_sealed="").exists()
    assert client.get("/readyz").status_code == 200
    settings.ENCRYPTION_KEYS = keys
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["encryption_keys"]) == (503, said)


def test_figures_are_for_this_machine_or_for_who_holds_the_token(db: None, client: Client, settings: Any) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", **AFAR).status_code == 404
    assert client.get("/metrics", **PROXIED).status_code == 404
    assert client.get("/metrics", **AFAR, HTTP_AUTHORIZATION="Bearer ").status_code == 404
    settings.METRICS_TOKEN = "a token of some length"
    assert client.get("/metrics", **AFAR, HTTP_AUTHORIZATION="Bearer a token of some length").status_code == 200
    assert client.get("/metrics", **AFAR, HTTP_AUTHORIZATION="Bearer another").status_code == 404
    assert client.get("/metrics", **AFAR).status_code == 404


def test_the_figures_are_those_of_the_database(play: Any, client: Client) -> None:
    world = play("receive")
    before = client.get("/metrics").content.decode()
    assert figure(before, "tronc_payouts_frozen") == 0
    assert figure(before, 'tronc_suspense_minor_units{currency="EUR"}') == 42_50
    call_command("sweep", "notifications.send", verbosity=0)
    freeze(actor=None, cause="manual", reason="a test", now=timezone.now())
    after = client.get("/metrics").content.decode()
    assert figure(after, "tronc_payouts_frozen") == 1
    assert figure(after, "tronc_database_up") == 1
    assert figure(after, 'tronc_sweep_runs_total{sweep="notifications.send"}') == 1
    assert figure(after, 'tronc_sweep_failures_total{sweep="notifications.send"}') == 0
    sent = figure(before, 'tronc_mail_messages{state="due"}')
    assert sent > 0
    assert figure(after, 'tronc_mail_messages{state="sent"}') == sent
    assert figure(after, 'tronc_sweep_rows_total{sweep="notifications.send"}') == sent
    assert figure(after, 'tronc_due_rows{sweep="notifications.send"}') == 0
    assert world.now is not None


def test_a_row_that_waits_shows_its_age(play: Any) -> None:
    play("make_promise")
    from backend.notifications.models import OutgoingMail
    from backend.operations.demo import sweep

    sweep(timezone.now())
    OutgoingMail.objects.update(state="due", due_at=timezone.now() - timezone.timedelta(hours=2))
    text = readings.read_from_database(timezone.now()).decode()
    assert 7200 <= figure(text, 'tronc_due_oldest_seconds{sweep="notifications.send"}') < 7260
    assert figure(text, 'tronc_due_oldest_seconds{sweep="banking.match"}') == 0


def test_age_of_the_last_backup_and_of_the_last_check(db: None) -> None:
    now = timezone.now()
    assert "\ntronc_last_backup_seconds " not in readings.read_from_database(now).decode()
    Backup.objects.create(
        id="bak_1", kind="made", happened_at=now, taken_at=now - timezone.timedelta(days=1), size=1, position=0
    )
    SelfCheckRun.objects.create(started_at=now, ended_at=now, ok=False, entries=0, postings=0)
    text = readings.read_from_database(now).decode()
    assert figure(text, "tronc_last_backup_seconds") == 86400
    assert figure(text, "tronc_selfcheck_ok") == 0
    Backup.objects.update(kind="restored")  # the status page counts it too
    assert figure(readings.read_from_database(now).decode(), "tronc_last_backup_seconds") == 86400


def test_a_sweep_that_fails_is_counted_and_still_fails(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: Any) -> int:
        raise LookupError("broken")

    monkeypatch.setitem(SWEEPS, "banking.match", broken)
    with pytest.raises(LookupError):
        readings.run_sweep("banking.match", timezone.now())
    run = SweepRun.objects.get(name="banking.match")
    assert (run.runs, run.failures, run.rows) == (1, 1, 0)


def test_every_sweep_has_its_queue_or_says_that_it_has_none() -> None:
    assert set(readings.QUEUES) | readings.WITHOUT_QUEUE == set(SWEEPS)


def test_requests_are_counted_by_route_not_by_address(play: Any, client: Client) -> None:
    play("make_promise")
    client.get("/en/nowhere/tronc_live_0123456789/")
    client.generic("WHATEVER", "/en/")
    text = metrics.counted().decode()
    assert 'route="unmatched",status="404"' in text
    assert 'method="other"' in text
    assert "WHATEVER" not in text
    assert "0123456789" not in text


def test_each_answer_has_its_requests_id(db: None, client: Client) -> None:
    made = client.get("/en/")["X-Request-ID"]
    assert re.fullmatch(r"req_[0-9A-Z]{36}", made)
    assert client.get("/en/", headers={"X-Request-ID": "from-the-proxy.1"})["X-Request-ID"] == "from-the-proxy.1"
    for insane in ("short", "with blank in it", "x" * 65, 'quote"quote"', "new\\nline…"):
        assert re.fullmatch(r"req_[0-9A-Z]{36}", client.get("/en/", headers={"X-Request-ID": insane})["X-Request-ID"])


def test_a_problem_of_the_api_names_the_request(db: None, client: Client) -> None:
    answer = client.get("/v1/pledges", headers={"X-Request-ID": "from-the-client-1"})
    assert answer.json()["request_id"] == answer["X-Request-ID"] == answer["Request-Id"] == "from-the-client-1"


def test_the_page_of_a_failure_names_the_request(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play("make_house")

    def broken(*args: Any, **kwargs: Any) -> None:
        raise LookupError("broken")

    monkeypatch.setattr("backend.web.public.render", broken)
    browser = Client(raise_request_exception=False)
    answer = browser.get("/en/", headers={"X-Request-ID": "from-the-proxy.2"})
    assert answer.status_code == 500
    assert "from-the-proxy.2" in answer.content.decode()


def test_one_line_a_request_with_the_actor_and_no_address(
    play: Any, sign_in: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world = play("make_promise")
    person = next(iter(world.users.values()))
    browser = sign_in(person)
    with caplog.at_level("INFO", logger="tronc.access"):
        caplog.clear()
        browser.get("/en/work/?token=tronc_live_0123456789")
    (record,) = [record for record in caplog.records if record.name == "tronc.access"]
    line = dict(record.msg)  # type: ignore[call-overload]
    assert (line["method"], line["route"], line["status"], line["actor"]) == ("GET", "/en/work/", 200, person.pk)
    assert line["request_id"].startswith("req_")
    assert "0123456789" not in json.dumps(line, default=str)


def test_the_nudge_carries_the_requests_id(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import structlog

    sent: list[dict[str, Any]] = []

    class Producer:
        def send_task(self, *args: Any, **options: Any) -> None:
            sent.append(options)

    monkeypatch.setattr(nudge, "_producer", Producer)
    monkeypatch.setattr(nudge, "_open_until", 0.0)
    structlog.contextvars.bind_contextvars(request_id="req_9")
    nudge._send("banking.match")
    structlog.contextvars.clear_contextvars()
    nudge._send("banking.match")
    assert [options["headers"] for options in sent] == [{"request_id": "req_9"}, {}]
