"""How often forms are sent: each that a stranger can send, and each that writes to somebody else, has its limit."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from allauth.core.internal.ratelimit import parse_rates
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from backend.core.limits import READ_TOO, ROUTE_RATES
from backend.events.models import Event
from tests.web.test_public import text_of
from tests.web.test_screens import routes

MATRIX = Path(__file__).resolve().parents[1] / "rights" / "matrix.toml"
# Forms of django-allauth that a stranger can send → the limit that counts them.
OF_THE_LIBRARY = {
    "account_login": "login", "account_signup": "signup", "account_reset_password": "reset_password",
    "account_reset_password_from_key": "reset_password_from_key", "account_request_login_code": "request_login_code",
    "csp_reports": "csp_report",
}  # fmt: skip
# Forms that harm nobody however often they are sent: leaving, the doors of the demonstration, and that of the payment
# provider and of forges, where nothing is kept without its signature and a limit would lose what they tell.
HARMLESS = {"account_logout", "demo", "demo_mail", "demo_message", "provider_notices", "forge_delivery"}
# Pages whose form writes to somebody else than who sends it.
WRITING = {
    "setup_person", "setup_commons", "member_invite", "role_new", "record_pledge", "record_work", "recording_again",
    "commons_propose", "host_change", "host_account_new", "erasures", "text_withdraw",
}  # fmt: skip


def open_to_strangers() -> set[str]:
    """The pages whose form the matrix of rights lets a stranger send."""
    pages: dict[str, dict[str, Any]] = tomllib.loads(MATRIX.read_text(encoding="utf-8"))["pages"]
    return {
        page
        for page, row in pages.items()
        for verbs, answers in row.items()
        if "POST" in verbs and any("everybody" in answer or "anonymous" in answer for answer in answers.values())
    }


def test_each_form_open_to_strangers_is_limited() -> None:
    found = open_to_strangers()
    assert len(found) > 10
    limited = ROUTE_RATES.keys() | {page for page, rate in OF_THE_LIBRARY.items() if settings.ACCOUNT_RATE_LIMITS[rate]}
    assert found - limited - HARMLESS == set()
    for page in found & ROUTE_RATES.keys():  # strangers have no account to count by
        assert {rate.per for rate in parse_rates(ROUTE_RATES[page])} == {"ip"}, page


def test_each_form_that_writes_to_somebody_is_limited() -> None:
    assert WRITING - ROUTE_RATES.keys() == set()


def test_the_table_names_pages_that_are_there() -> None:
    assert ROUTE_RATES.keys() - routes() == set()
    assert ROUTE_RATES.keys() >= READ_TOO
    for rate in ROUTE_RATES.values():
        assert parse_rates(rate)[0].amount >= 10  # nobody who works meets it


def test_codes_of_letters_are_not_guessed_at(play: Callable[..., Any]) -> None:
    play("make_house")
    cache.clear()
    statuses = [Client().post("/en/confirm/", {"code": "AAAA-BBBB"}).status_code for _ in range(22)]
    assert statuses == [422] * 20 + [429] * 2
    assert Client().get("/en/confirm/").status_code == 200


def test_a_file_counts_each_time_it_is_read(play: Callable[..., Any], sign_in: Callable[..., Client]) -> None:
    world = play("make_house")
    cache.clear()
    browser = sign_in(world.users["claire"])
    statuses = [browser.get("/en/audit/file/?format=csv").status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    assert Event.objects.filter(kind="audit.exported").count() == 20
    assert "This was asked too often in a short time." in text_of(browser.get("/en/audit/file/?format=csv"))
    assert browser.get("/en/audit/").status_code == 200
