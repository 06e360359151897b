"""What an attacker tried on the pages, once, and must never work again."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from backend.banking.models import BankLine
from backend.identity.models import Host
from backend.operations import demo
from backend.web.uploads import Stash

Play = Callable[..., Any]


@pytest.mark.parametrize(
    "path",
    ["periods/%00/", "distributions/%00/", "contributions/%00/", "payouts/%00/", "bank/?q=%00", "tokens/%00/revoke/"],
)
def test_a_nul_in_an_address_is_not_found(play: Play, sign_in: Any, path: str) -> None:
    world = play("receive")
    assert sign_in(world.users["claire"]).get(f"/en/{path}").status_code == 404


def test_a_nul_in_a_form_is_a_bad_request(play: Play, sign_in: Any) -> None:
    world = play("receive")
    line = BankLine.objects.get(state="suggested")
    answer = sign_in(world.users["claire"]).post(f"/en/bank/lines/{line.pk}/", {"pledge": "plg_\0"})
    assert answer.status_code == 400
    line.refresh_from_db()
    assert line.state == "suggested"


@pytest.mark.django_db
def test_the_language_link_stays_here() -> None:
    answer = Client().get("/", PATH_INFO="//evil.example/")
    assert answer.status_code == 404
    assert b'"//evil.example' not in answer.content


def test_without_postgresql_pages_say_so(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play("make_people")

    def away(*_arguments: Any) -> None:
        from django.db import OperationalError

        raise OperationalError("connection refused")

    monkeypatch.setattr(type(Host.objects), "first", away)
    answer = Client().get("/fr/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "absent" in answer.content.decode()


def test_an_uploaded_statement_waits_encrypted(play: Play) -> None:
    world = play("make_promise")
    data = demo.statement_file(world, number=1, opening=0, lines=[(9_00, "X", "don", "")])
    token = Stash.keep(world.users["claire"], data)
    assert Stash.read(world.users["claire"], token) == data
    assert Stash.read(world.users["denis"], token) is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM core_cache WHERE cache_key LIKE '%%statement:%%'")
        import base64
        import pickle

        for (value,) in cursor.fetchall():
            kept = pickle.loads(base64.b64decode(value))  # noqa: S301  what we have just written
            assert kept.startswith("1:")
            assert demo.HOST_IBAN not in kept
    Stash.forget(world.users["claire"], token)
    assert cache.get(f"statement:{world.users['claire'].pk}:{token}") is None
