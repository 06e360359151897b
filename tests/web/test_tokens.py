"""The page of tokens: what it offers, what it refuses, what it shows of each."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from backend.identity.models import ApiToken
from backend.identity.tokens import create_token
from tests.api.conftest import refused

Play = Callable[..., Any]
SignIn = Callable[..., Any]
SENT = {"name": "laptop", "scopes": ["pledges:read"], "days": "30", "form_key": "t-1"}


def test_a_token_is_held_to_one_of_one_s_own(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    ana = sign_in(world.users["ana"])
    page = ana.get("/en/tokens/").content.decode()
    assert f'value="{world.organisation.pk}"' in page
    assert world.commons.pk not in page  # she has no role in any commons
    made = ana.post("/en/tokens/", {**SENT, "only": world.organisation.pk})
    assert made.status_code == 201
    row = ApiToken.objects.get()
    assert (row.only, row.scopes) == (world.organisation.pk, ["pledges:read"])
    assert timedelta(days=29) < row.expires_at - timezone.now() <= timedelta(days=30)
    assert "in La Fabrique du Port alone" in made.content.decode()
    treasurer = sign_in(world.users["claire"]).get("/en/tokens/").content.decode()
    assert f'value="{world.commons.pk}"' in treasurer


def test_a_token_is_not_held_to_what_others_have_nor_for_ever(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    bo = sign_in(world.users["bo"])
    for wrong, said in (
        ({"only": world.organisation.pk}, "Choose one of your commons or organisations."),
        ({"days": "400"}, "Choose how long the token lives: a year at most."),
        ({"days": ""}, "Choose how long the token lives: a year at most."),
        ({"scopes": ["read"]}, "Choose what the token may do from the list."),
    ):
        answer = bo.post("/en/tokens/", {**SENT, **wrong})
        assert answer.status_code == 422
        assert said in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_a_token_for_the_command_line_takes_two_clicks(play: Play, sign_in: SignIn, client: Any) -> None:
    world = play("make_house")
    bo = sign_in(world.users["bo"])
    assert 'href="/en/tokens/"' in bo.get("/en/work/").content.decode()  # the first
    page = bo.get("/en/tokens/").content.decode()
    form = next(one for one in re.findall(r"<form.*?</form>", page, re.DOTALL) if "for the command line" in one)
    fields = re.findall(r'name="(\w+)" value="([^"]+)"', form)
    sent: dict[str, list[str]] = {}
    for name, value in fields:
        sent.setdefault(name, []).append(value)
    sent.pop("csrfmiddlewaretoken", None)
    made = bo.post("/en/tokens/", sent)  # the second
    assert made.status_code == 201
    token = re.search(r"tronc_test_\w{46}", made.content.decode())
    assert token is not None
    row = ApiToken.objects.get()
    assert (row.scopes, row.only) == (["contributions:read", "contributions:write"], "")
    assert timedelta(days=89) < row.expires_at - timezone.now() <= timedelta(days=90)
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {token[0]}"}).status_code == 200


def test_the_last_use_is_shown_with_its_minute(play: Play, sign_in: SignIn, client: Any) -> None:
    world = play("make_house")
    _row, text = create_token(user=world.users["bo"], name="laptop", scopes=["commons:read"], now=timezone.now())
    bo = sign_in(world.users["bo"])
    assert "never" in bo.get("/en/tokens/").content.decode()
    assert client.get("/v1/commons", headers={"Authorization": f"Bearer {text}"}).status_code == 200
    page = bo.get("/en/tokens/").content.decode()
    assert "never" not in page
    assert re.search(r"20\d\d, \d\d:\d\d", page)


def test_a_token_of_a_real_host_is_named_as_such_by_a_demonstration(play: Play, client: Any, settings: Any) -> None:
    world = play("make_house")
    settings.LOOPBACK_HTTP = False
    _row, live = create_token(user=world.users["bo"], name="x", scopes=["commons:read"], now=timezone.now())
    settings.LOOPBACK_HTTP = True
    answer = client.get("/v1/commons", headers={"Authorization": f"Bearer {live}", "Accept-Language": "en"})
    refused(answer, 401, "token_environment")
    assert answer["WWW-Authenticate"] == 'Bearer realm="tronc", error="invalid_token"'
