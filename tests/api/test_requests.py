"""What is refused before the domain sees it: tokens, scopes, addresses, bodies; and what every answer carries."""

import inspect
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import URLPattern, resolve
from django.utils import timezone

from backend.api import commons, urls
from backend.api.auth import ANY_SCOPE
from backend.api.throttle import count_request
from backend.api.views import Nowhere, Resource
from backend.contributions.models import Contribution
from backend.core.models import IdempotencyRecord
from backend.identity.models import ApiToken, Role
from backend.identity.tokens import revoke_token
from backend.pledges.models import Pledge
from tests.api.conftest import ALL_SCOPES, refused, shown, work

ID = "0" * 36
# address → scope by method; anything else on it is a 405
SCOPES = {
    "commons": {"get": "commons:read"},
    f"commons/com_{ID}": {"get": "commons:read"},
    "me": {"get": ANY_SCOPE},
    "statement": {"get": "statement:read"},
    "events": {"get": "events:read"},
    "budgets": {"get": "commons:read"},
    f"budgets/bud_{ID}": {"get": "commons:read"},
    f"budgets/bud_{ID}/periods": {"get": "periods:read"},
    f"budgets/bud_{ID}/estimate": {"get": "contributions:read"},
    "shares": {"get": "distributions:read"},
    f"shares/shr_{ID}": {"get": "distributions:read"},
    f"shares/shr_{ID}/waivers": {"post": "distributions:write"},
    "charter.schema.json": {"get": "charters:read"},
    f"budgets/bud_{ID}/charter": {"get": "charters:read"},
    f"budgets/bud_{ID}/charters": {"get": "charters:read"},
    "pledges": {"get": "pledges:read", "post": "pledges:write"},
    f"pledges/plg_{ID}": {"get": "pledges:read"},
    f"pledges/plg_{ID}/changes": {"post": "pledges:write"},
    f"pledges/plg_{ID}/payments": {"get": "pledges:read", "post": "pledges:write"},
    f"pledges/plg_{ID}/payments/cko_{ID}": {"get": "pledges:read"},
    f"pledges/plg_{ID}/cancellation": {"post": "pledges:write"},
    f"pledges/plg_{ID}/pause": {"post": "pledges:write"},
    f"pledges/plg_{ID}/resumption": {"post": "pledges:write"},
    "contributions": {"get": "contributions:read", "post": "contributions:write"},
    "contributions/batch": {"post": "contributions:write"},
    f"contributions/ctr_{ID}": {
        "get": "contributions:read",
        "patch": "contributions:write",
        "delete": "contributions:write",
    },
    f"contributions/ctr_{ID}/declaration": {"post": "contributions:write"},
    f"contributions/ctr_{ID}/waiver": {"post": "contributions:write"},
    f"contributions/ctr_{ID}/questions": {"post": "contributions:review"},
    f"contributions/ctr_{ID}/questions/qst_{ID}/answer": {"post": "contributions:write"},
    f"contributions/ctr_{ID}/objections": {"post": "contributions:review"},
    f"contributions/ctr_{ID}/objections/obj_{ID}/lifting": {"post": "contributions:review"},
    f"contributions/ctr_{ID}/objections/obj_{ID}/opinions": {"post": "contributions:review"},
    f"contributions/ctr_{ID}/reviews": {"post": "contributions:review"},
    f"contributions/ctr_{ID}/withdrawal": {"post": "contributions:write"},
    f"periods/per_{ID}": {"get": "periods:read"},
    f"periods/per_{ID}/closure": {"post": "periods:close"},
    f"distributions/dis_{ID}": {"get": "distributions:read"},
    f"distributions/dis_{ID}/trace": {"get": "distributions:read"},
    f"distributions/dis_{ID}/objections": {"post": "distributions:write"},
    f"distributions/dis_{ID}/objections/dob_{ID}/lifting": {"post": "distributions:write"},
    "trial-balance": {"get": "ledger:read"},
    "purses": {"get": "ledger:read"},
    f"purses/budget/bud_{ID}/EUR/postings": {"get": "ledger:read"},
    f"entries/ent_{ID}": {"get": "ledger:read"},
    "log/heads": {"get": "log:read"},
    "log/heads/latest": {"get": "log:read"},
    "log/keys": {"get": "log:read"},
    f"log/entries/ent_{ID}/proof": {"get": "log:read"},
    "log/consistency": {"get": "log:read"},
}


def patterns() -> list[URLPattern]:
    """Every address of the API but the last, which is nowhere."""
    assert urls.urlpatterns[-1].callback.view_class is Nowhere
    return list(urls.urlpatterns[:-1])


def test_the_table_of_scopes_covers_every_address_and_every_handler() -> None:
    views = {path: resolve(f"/v1/{path}").func.view_class for path in SCOPES}
    assert len(views) == len(patterns()) == len(set(views.values()))
    for path, view in views.items():
        handlers = {name for name in ["get", "post", "put", "patch", "delete"] if hasattr(view, name)}
        assert view.scopes == SCOPES[path]
        assert handlers == set(SCOPES[path])
        assert issubclass(view, Resource)


def test_no_address_of_the_api_approves_or_pays() -> None:
    written = [path for path, methods in SCOPES.items() if set(methods) != {"get"}]
    paying = re.compile("approv|payout|batch|transfer|ledger|entr|log")
    assert [path for path in written if paying.search(path)] == ["contributions/batch"]  # of declarations
    assert {one for one in ALL_SCOPES if not one.endswith(":read")} == {
        "contributions:write", "contributions:review", "pledges:write", "periods:close", "distributions:write"
    }  # fmt: skip


def test_each_method_wants_its_scope_and_nothing_else(play: Any, call: Any) -> None:
    world = play("make_house")
    users = world.users
    Role.objects.create(user=users["sacha"], kind="auditor", scope=world.host.pk, created_at=world.now)
    for held in ALL_SCOPES:
        caller = call(users["sacha"], [held])
        for path, methods in SCOPES.items():
            for method, wanted in methods.items():
                answer = getattr(caller, method)(path)
                if wanted in {held, ANY_SCOPE}:
                    assert answer.status_code in {200, 404, 422}, (held, method, path)
                else:
                    refused(answer, 403, "scope_missing")
                    assert answer["WWW-Authenticate"].endswith(f'error="insufficient_scope", scope="{wanted}"')
            others = {"get", "post", "put", "patch", "delete", "options"} - set(methods)
            for method in others:
                answer = getattr(caller.http, method)(f"/v1/{path}", headers=caller.headers)
                refused(answer, 405, "method_not_allowed")
                assert {name.lower() for name in answer["Allow"].split(", ")} <= {*methods, "options", "head"}
    assert (Contribution.objects.count(), Pledge.objects.count()) == (0, 0)


def test_a_handler_whose_scope_nobody_named_is_refused(play: Any, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = call(play("make_house").users["sacha"])
    monkeypatch.setattr(commons.CommonsList, "scopes", {})
    refused(caller.get("commons"), 403, "scope_missing")


def test_a_token_acts_with_the_roles_of_its_owner_of_this_very_moment(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    shown(bo.post("contributions", work(world)), 201)
    Role.objects.filter(user=world.users["bo"]).delete()
    refused(bo.post("contributions", work(world)), 403, "not_allowed")
    assert Contribution.objects.count() == 1


def test_without_a_token_every_address_is_a_401(play: Any) -> None:
    play("make_people")
    anybody = Client()
    for path, methods in SCOPES.items():
        for method in methods:
            answer = getattr(anybody, method)(f"/v1/{path}")
            refused(answer, 401, "token_missing")
            assert answer["WWW-Authenticate"] == 'Bearer realm="tronc"'


def test_a_dead_token_is_a_401(play: Any, call: Any) -> None:
    world = play("make_people")
    bo, ana, denis = (call(world.users[name]) for name in ["bo", "ana", "denis"])
    revoke_token(actor=bo.user, token_id=bo.row.pk, now=timezone.now())
    ApiToken.objects.filter(pk=ana.row.pk).update(expires_at=timezone.now())
    denis.user.is_active = False
    denis.user.save()
    camille = call(world.users["camille"])
    for header in [
        bo.headers["Authorization"],
        ana.headers["Authorization"],
        denis.headers["Authorization"],
        f"Basic {camille.token}",
        f"Bearer {camille.token}X",
        f"Bearer {camille.token[:-1]}",
        f"Bearer {camille.row.digest}",
        "Bearer",
        "Bearer é",
        "Bearer " + "x" * 4000,
    ]:
        answer = Client().get("/v1/commons", headers={"Authorization": header})
        refused(answer, 401, "token_invalid")
        assert answer["WWW-Authenticate"] == 'Bearer realm="tronc", error="invalid_token"'
    assert shown(camille.get("commons"), 200) == {"data": [], "has_more": False, "next_cursor": None}


def test_a_secret_in_the_address_is_refused_whatever_the_address(play: Any, call: Any) -> None:
    bo = call(play("make_people").users["bo"])
    for path in ["commons", "nowhere", f"contributions/ctr_{ID}"]:
        for query in ["token=abc", "Access_Token=abc", "api_key=", f"x={bo.token}", f"{bo.token}=1"]:
            answer = bo.get(f"{path}?{query}")
            problem = refused(answer, 400, "secret_in_address")
            assert bo.token not in answer.content.decode()
            assert len(problem["errors"]) == 1


def test_plain_http_is_refused_and_not_redirected(play: Any, call: Any, settings: Any) -> None:
    bo = call(play("make_people").users["bo"])
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^v1/"]
    refused(bo.get("commons"), 403, "https_required")
    refused(bo.get("nowhere"), 403, "https_required")
    assert shown(bo.http.get("/v1/commons", headers=bo.headers, secure=True), 200)["data"] == []


def test_unknown_addresses_are_a_404_in_json(play: Any, call: Any) -> None:
    anybody = Client()
    bo = call(play("make_people").users["bo"])
    for path in ["", "nowhere", "contributions/", "contributions/ctr_x", f"contributions/com_{ID}", "commons%0A",
                 f"contributions/ctr_{ID}%00", f"contributions/ctr_{ID.lower()}/reviews/x"]:  # fmt: skip
        refused(bo.get(path), 404, "not_found")
        refused(anybody.post(f"/v1/{path}"), 404, "not_found")


def test_an_answer_is_json_or_a_406(play: Any, call: Any) -> None:
    bo = call(play("make_people").users["bo"])
    for accepted in ["application/json", "*/*", "text/html, application/json;q=0.5", "application/problem+json"]:
        assert shown(bo.get("commons", Accept=accepted), 200)["data"] == []
    for refused_type in ["text/html", "application/xml", ""]:
        refused(bo.get("commons", Accept=refused_type), 406, "not_acceptable")
    refused(bo.get("commons?format=xml"), 400, "unknown_parameter")


BODIES: list[tuple[bytes, int, str]] = [
    (b"{", 400, "json_malformed"),
    (b"[1,]", 400, "json_malformed"),
    (b'{"minutes": 1} {}', 400, "json_malformed"),
    (b'{"minutes": 01}', 400, "json_malformed"),
    (b"{'minutes': 1}", 400, "json_malformed"),
    (b'\xef\xbb\xbf{"minutes": 1}', 400, "json_malformed"),
    (b'{"description": "\xff"}', 400, "json_not_utf8"),
    ('{"description": "é"}'.encode("utf-16"), 400, "json_not_utf8"),
    (b'{"minutes": 1, "minutes": 2}', 400, "json_duplicate_key"),
    (b'{"amount": {"value": 1, "value": 2}}', 400, "json_duplicate_key"),
    (b"[" * 21 + b"]" * 21, 400, "json_too_deep"),
    (b"[" * 500_000, 400, "json_too_deep"),
    (b'{"a":' * 100_000, 400, "json_too_deep"),
    (b'{"description": "' + b"x" * (1024 * 1024) + b'"}', 413, "body_too_large"),
    (b"[" * 20 + b"]" * 20, 422, "invalid_fields"),
    (b'["[[[[[[[[[[[[[[[[[[[[[[[[[[", "\\"[[[[[[[[[[[[[[[[[[[[[[[[[["]', 422, "invalid_fields"),
    (b'"' + b"\\\\" * 200_000 + b'"', 422, "invalid_fields"),
    (b"null", 422, "invalid_fields"),
    (b"1", 422, "invalid_fields"),
    (b"", 422, "invalid_fields"),
]


def test_bodies_that_are_not_one_json_object_are_refused(play: Any, call: Any) -> None:
    bo = call(play("make_house").users["bo"])
    for body, status, code in BODIES:
        refused(bo.post("contributions", body), status, code)
    assert (Contribution.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)


def test_a_body_that_is_not_announced_as_json_is_a_415(play: Any, call: Any) -> None:
    bo = call(play("make_house").users["bo"])
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
    ]:
        answer = bo.http.post(
            "/v1/contributions", b"{}", content_type=kind, headers={**bo.headers, "Idempotency-Key": "k"}
        )
        refused(answer, 415, "media_type_not_json")


def test_at_most_twenty_faults_are_told(play: Any, call: Any) -> None:
    bo = call(play("make_house").users["bo"])
    problem = refused(bo.post("contributions", {f"field{n}": n for n in range(500)}), 422, "invalid_fields")
    assert len(problem["errors"]) == 20


def test_what_every_answer_carries(play: Any, call: Any) -> None:
    bo = call(play("make_people").users["bo"])
    answers = [bo.get("commons"), bo.get("nowhere"), bo.get("commons?x=1"), bo.post("pledges", b"{")]
    assert len({answer["Request-Id"] for answer in answers}) == 4
    for answer in answers:
        assert re.fullmatch(r"req_[0-9A-Z]{36}", answer["Request-Id"])
        assert answer["Cache-Control"] == "no-store"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer
    assert answers[0]["RateLimit-Policy"] == '"token";q=600;w=60'
    assert re.fullmatch(r'"token";r=599;t=(59|60)', answers[0]["RateLimit"])


def test_details_come_in_the_language_that_is_asked(play: Any, call: Any) -> None:
    bo = call(play("make_people").users["bo"])
    english = shown(bo.get("commons", **{"Accept-Language": "en"}, Accept="text/html"), 406)
    assert english["detail"] == "The API answers in JSON only: accept application/json."
    french = bo.get("commons", **{"Accept-Language": "fr"}, Accept="text/html")
    assert french["Content-Language"] == "fr"
    for header, language in (
        ({}, "en"),
        ({"Accept-Language": "de, fr-CH;q=0.5"}, "fr"),
        ({"Accept-Language": "*"}, "en"),
    ):
        assert Client().get("/v1/commons", headers=header)["Content-Language"] == language, header


def test_too_many_requests_are_a_429_with_the_time_to_wait(play: Any, call: Any, settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"user": "3/min"}}
    users = play("make_people").users
    bo, ana = call(users["bo"]), call(users["ana"])
    for left in [2, 1, 0]:
        answer = bo.get("commons")
        shown(answer, 200)
        assert answer["RateLimit"].startswith(f'"token";r={left};t=')
    answer = bo.get("commons")
    refused(answer, 429, "too_many_requests")
    assert 1 <= int(answer["Retry-After"]) <= 60
    shown(ana.get("commons"), 200)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_cache SET expires = %s", [timezone.now() - timedelta(seconds=1)])
    shown(bo.get("commons"), 200)


def test_the_window_of_a_name_starts_again_when_it_ends(db: None) -> None:
    now = timezone.now()
    ends = now + timedelta(seconds=60)
    assert count_request("x", now=now) == (1, ends)
    assert count_request("x", now=now + timedelta(seconds=59)) == (2, ends)
    assert count_request("y", now=now) == (1, ends)
    assert count_request("x", now=ends) == (1, ends + timedelta(seconds=60))


def test_what_was_not_foreseen_tells_nothing(
    play: Any, call: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bo = call(play("make_people").users["bo"])

    def breaks(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("SELECT secret FROM place")

    monkeypatch.setattr(commons, "page", breaks)
    answer = bo.get("commons")
    problem = refused(answer, 500, "internal_error")
    assert "SELECT" not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()
    assert any(problem["request_id"] in line and "SELECT secret" in line for line in caplog.text.split("ERROR"))


def test_a_database_that_does_not_answer_is_a_503(play: Any, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bo = call(play("make_people").users["bo"])

    def down(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("the database system is starting up")

    monkeypatch.setattr("backend.api.auth.token_owner", down)
    answer = bo.get("commons")
    refused(answer, 503, "service_unavailable")
    assert answer["Retry-After"] == "5"
    assert "starting up" not in answer.content.decode()


def test_the_log_holds_no_secret(play: Any, call: Any, caplog: pytest.LogCaptureFixture) -> None:
    bo = call(play("make_people").users["bo"])
    with caplog.at_level("DEBUG"):
        answer = bo.get("commons%0AINJECTED")
        bo.get(f"commons?token={bo.token}")
    assert bo.token not in caplog.text
    assert answer["Request-Id"] in caplog.text
    assert "\nINJECTED" not in caplog.text


def test_handlers_are_typed_and_said() -> None:
    for pattern in patterns():
        view = pattern.callback.view_class
        for method in view.scopes:
            assert inspect.getdoc(getattr(view, method))


def test_json_is_sent_with_its_accents(play: Any, call: Any) -> None:
    world = play("work")
    answer = call(world.users["bo"]).get("contributions")
    assert "Recherche par besoin" in answer.content.decode()
    assert "première" in answer.content.decode()
    assert json.loads(answer.content)["data"][0]["evidence"] == ["https://example.org/cartolibre/journal"]
