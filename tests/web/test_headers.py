"""What every answer says to browsers: on each route of the resolver, and on what no route made."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver

from backend.identity.models import Host

Play = Callable[..., Any]
SignIn = Callable[..., Client]
ROOT = Path(__file__).resolve().parents[2]
# Directive → its sources, all of them.
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
    "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'", "object-src": "'none'",
    "report-uri": "/csp-reports/", "report-to": "csp",
}  # fmt: skip
# A value for each parameter: whether it names something does not matter to the headers.
ANYTHING = {"int": "1", "str": "abc", "slug": "abc", "path": "abc", "uuid": "0" * 32}
PRODUCTION = {
    "TRONC_SECRET_KEY": "kX9vQ2mZ7pL4wT8rB3nH6jD1sF5gA0cE-yU_oIqWzXvNbMlKjHgFdSaPoIuY",
    "TRONC_ENCRYPTION_KEYS": "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "TRONC_BASE_URL": "https://tronc.example.org",
    "TRONC_LOOPBACK_HTTP": "",
    "TRONC_DEMO": "",
    "DJANGO_SETTINGS_MODULE": "backend.settings",
}


def address(pattern: str) -> str:
    """An address that a route's pattern matches."""
    plain = re.sub(r"\(\?P<\w+>((?:\[[^]]*\]|[^()])*)\)", "1", pattern)
    filled = re.sub(r"<(?:(\w+):)?\w+>", lambda found: ANYTHING[found[1] or "str"], plain)
    return filled.replace("^", "").replace("$", "").replace("\\Z", "").replace("\\", "")


def routes() -> list[str]:
    """An address for each route of the resolver, pages of both languages included."""
    found: list[str] = []
    waiting: list[tuple[str, URLPattern | URLResolver]] = [("/", one) for one in get_resolver().url_patterns]
    while waiting:
        before, one = waiting.pop()
        here = before + str(one.pattern)
        if isinstance(one, URLResolver):
            waiting += [(here, inner) for inner in one.url_patterns]
        else:
            found.append(address(here))
    return sorted({*found, *(route.replace("/en/", "/fr/", 1) for route in found if route.startswith("/en/"))})


def faults(answer: Any) -> list[str]:
    """What an answer lacks."""
    if answer.streaming:
        answer.getvalue()  # closes the file
    said = {name.lower(): value for name, value in answer.headers.items()}
    policy = dict(part.strip().split(" ", 1) for part in said.get("content-security-policy", " ").split(";") if part)
    wrong = [f"policy {name}: {policy.get(name)}" for name, sources in POLICY.items() if policy.get(name) != sources]
    wanted = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
        "reporting-endpoints": f'csp="{settings.BASE_URL}/csp-reports/"',
    }
    wrong += [f"{name}: {said.get(name)}" for name, value in wanted.items() if said.get(name) != value]
    if "camera=()" not in said.get("permissions-policy", "") or "geolocation=()" not in said["permissions-policy"]:
        wrong.append("permissions-policy")
    if "server" in said or "x-powered-by" in said:
        wrong.append("says what it is made of")
    return wrong


@pytest.fixture
def host(db: None) -> None:
    """An instance in use, that nobody asked anything yet."""
    Host.objects.create(id="hst_of_headers", name="Les Communs", siren="123456782", fee_bp=500)
    cache.clear()


def test_every_route_answers_with_every_header(host: None) -> None:
    tried = routes()
    browser = Client(raise_request_exception=False)
    wrong = {}
    for path in tried:
        for method in ("get", "post"):
            answer = getattr(browser, method)(path)
            if found := faults(answer):
                wrong[f"{method} {path} {answer.status_code}"] = found
    assert wrong == {}
    assert len(tried) > 250
    assert {"/v1/commons", "/en/treasury/", "/fr/treasury/", "/status.json", "/.well-known/security.txt"} <= set(tried)


@pytest.mark.parametrize(
    "path",
    [
        "/healthz", "/readyz", "/metrics", "/static/tronc.css", "/static/absent.css", "/absent", "/v1/absent",
        "/en/absent/",
    ],
)  # fmt: skip
@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
def test_what_no_view_of_ours_makes_has_them_too(host: None, path: str) -> None:
    assert faults(Client().get(path)) == []


def test_refusals_have_them_too(host: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("planted")

    browser = Client(raise_request_exception=False, enforce_csrf_checks=True)
    forged = browser.post("/en/accounts/login/", {"login": "a@example.org"})
    assert (forged.status_code, faults(forged)) == (403, [])
    assert faults(browser.get("/en/", headers={"host": "evil.example"})) == []
    for _attempt in range(40):
        often = browser.post("/csp-reports/", "{}", content_type="application/csp-report")
    assert (often.status_code, faults(often)) == (429, [])
    monkeypatch.setattr("backend.web.public.render", broken)
    failed = browser.get("/en/")
    assert (failed.status_code, faults(failed)) == (500, [])


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31_622_400, SECURE_HSTS_INCLUDE_SUBDOMAINS=True)
def test_the_way_to_https_has_them_and_https_says_to_stay(host: None) -> None:
    plain = Client().get("/en/")
    assert (plain.status_code, plain.headers["Location"]) == (301, "https://testserver/en/")
    assert faults(plain) == []
    assert (
        Client().get("/en/", secure=True).headers["Strict-Transport-Security"] == "max-age=31622400; includeSubDomains"
    )


def test_what_the_signed_in_read_is_kept_nowhere(play: Play, sign_in: SignIn) -> None:
    browser = sign_in(play("receive").users["claire"])
    kept = []
    pages = 0
    for path in routes():
        if path.startswith("/en/") and "logout" not in path:
            answer = browser.get(path)
            pages += answer.status_code == 200
            html = answer.headers.get("Content-Type", "").startswith("text/html")
            if html and "no-store" not in answer.headers.get("Cache-Control", ""):
                kept.append(path)
    assert kept == []
    assert pages > 15


def in_production(code: str) -> str:
    """Run a program under the settings of a real installation; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env={**os.environ, **PRODUCTION}, text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_production_every_cookie_is_of_this_host_alone() -> None:
    code = """
import json
from django.conf import settings as s
names = ["SESSION", "CSRF", "LANGUAGE"]
print(json.dumps({
    "names": [getattr(s, f"{n}_COOKIE_NAME") for n in names] + [s.DEVICE_COOKIE_NAME],
    "flags": [[getattr(s, f"{n}_COOKIE_{f}") for f in ("SECURE", "HTTPONLY", "SAMESITE", "PATH", "DOMAIN")]
              for n in names],
    "debug": s.DEBUG, "hsts": s.SECURE_HSTS_SECONDS, "sub": s.SECURE_HSTS_INCLUDE_SUBDOMAINS,
    "messages": s.MESSAGE_STORAGE, "https": s.SECURE_SSL_REDIRECT, "hosts": s.ALLOWED_HOSTS,
}))
"""
    found = json.loads(in_production(code))
    assert found["names"] == [
        "__Host-tronc_session", "__Host-tronc_csrf", "__Host-tronc_language", "__Host-tronc_device",
    ]  # fmt: skip
    assert found["flags"] == [[True, True, "Lax", "/", None]] * 3
    assert (found["debug"], found["https"], found["hosts"]) == (False, True, ["tronc.example.org"])
    assert found["sub"] is True
    assert found["hsts"] >= 365 * 24 * 3600
    assert found["messages"].endswith("SessionStorage")


def test_the_cookies_that_are_set_carry_their_flags(host: None, play: Play, sign_in: SignIn) -> None:
    browser = sign_in(play("make_people").users["ana"])
    assert {"tronc_session", "tronc_device"} <= set(browser.cookies) <= {"tronc_session", "tronc_device", "tronc_csrf"}
    for name in ("tronc_session", "tronc_device"):
        cookie = browser.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")


def test_the_checks_for_deployment_find_nothing() -> None:
    code = """
from io import StringIO
import django
django.setup()
from django.core.management import call_command
said = StringIO()
call_command("check", deploy=True, fail_level="WARNING", stdout=said, stderr=said)
print(said.getvalue())
"""
    assert "no issues (0 silenced)" in in_production(code)


def report(**about: str) -> str:
    """A report as browsers write it."""
    return json.dumps({"csp-report": {"document-uri": "http://testserver/en/bank/?q=secret", **about}})


def test_a_browser_reports_what_it_blocked(host: None, caplog: pytest.LogCaptureFixture) -> None:
    sent = report(**{"effective-directive": "script-src-elem", "blocked-uri": "https://evil.example/x.js?stolen=1"})
    answer = Client(enforce_csrf_checks=True).post("/csp-reports/", sent, content_type="application/csp-report")
    assert (answer.status_code, answer.content) == (204, b"")
    said = [one.getMessage() for one in caplog.records if one.name == "tronc.csp"]
    assert said == [
        "a browser blocked content: rule=script-src-elem blocked=https://evil.example route=en/bank/",
    ]
    modern = json.dumps(
        [{"type": "csp-violation", "body": {"effectiveDirective": "style-src", "blockedURL": "inline"}}]
    )
    assert Client().post("/csp-reports/", modern, content_type="application/reports+json").status_code == 204
    assert [one.getMessage() for one in caplog.records if one.name == "tronc.csp"][1:] == [
        "a browser blocked content: rule=style-src blocked=inline route=unmatched"
    ]


def test_reports_forge_no_line_and_are_limited(host: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "tronc.csp")
    forged = report(**{"effective-directive": "a\nERROR all is lost\u202e", "blocked-uri": "https://e\nvil/"})
    browser = Client()
    assert browser.post("/csp-reports/", forged, content_type="application/csp-report").status_code == 204
    assert "\n" not in caplog.records[-1].getMessage()
    assert caplog.records[-1].getMessage().isascii()
    for body, kind, status in (
        ("x" * 20_000, "application/csp-report", 413),
        ("{", "application/csp-report", 400),
        ("[" * 9000, "application/csp-report", 400),
        ("{}", "text/plain", 415),
        ('["x", 3, {"body": 4}]', "application/reports+json", 204),
    ):
        assert browser.post("/csp-reports/", body, content_type=kind).status_code == status, body[:20]
    assert browser.get("/csp-reports/").status_code == 405
    before = len(caplog.records)
    statuses = [
        browser.post(
            "/csp-reports/", report(**{"blocked-uri": "eval"}), content_type="application/csp-report"
        ).status_code
        for _ in range(30)
    ]
    assert statuses.count(204) <= 20
    assert statuses[-1] == 429
    assert len([one for one in caplog.records[before:] if one.name == "tronc.csp"]) == statuses.count(204)


def test_whom_to_write_to_about_a_weakness(host: None) -> None:
    answer = Client().get("/.well-known/security.txt")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
    assert lines["Contact"] == "mailto:security@localhost"
    assert lines["Canonical"] == "http://localhost:8000/.well-known/security.txt"
    ends = datetime.fromisoformat(lines["Expires"])
    assert timedelta(days=260) < ends - datetime.now(UTC) < timedelta(days=365)


def test_the_style_sheets_and_scripts_are_our_own_files() -> None:
    for name in ("tronc.css", "favicon.svg"):
        assert finders.find(name) is not None
