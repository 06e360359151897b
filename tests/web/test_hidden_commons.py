"""What is not public leads nowhere: every address that names a thing of a hidden commons, asked by those outside."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from backend.api import urls as api_urls
from backend.commons.life import hide_commons
from backend.commons.models import Budget, Charter, Period
from backend.contributions.models import Contribution
from backend.distributions.models import Distribution, Share
from backend.identity.models import ApiToken, User
from backend.identity.tokens import create_token
from backend.operations import demo
from backend.pledges.models import Pledge
from tests.rights.api import call

# A commons says why it is gone, at its own address; the words about it name no thing that is in it.
BY_SLUG = {302, 403, 404, 410}


def patterns(prefix: str = "/", rows: Any = None) -> Iterator[str]:
    """Every route of the pages, as it is written."""
    for one in get_resolver().url_patterns if rows is None else rows:
        here = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(here, one.url_patterns)
        elif isinstance(one, URLPattern):
            yield here


@pytest.fixture
def hidden(play: Any) -> Any:
    """The demonstration's commons, settled and then hidden; an outsider, with a token that has every scope."""
    world = play("settle")
    hide_commons(
        actor=world.users["claire"], commons_id=world.commons.pk, reason="Plainte", appeal_to="appel@example.org",
        now=world.now,
    )  # fmt: skip
    outsider = User.objects.create_user("outsider@example.org", demo.PASSWORD, name="Out Sider")
    EmailAddress.objects.create(user=outsider, email=outsider.email, verified=True, primary=True)
    world.outsider = outsider
    scopes = [scope for scope, _words in ApiToken.SCOPES]
    _row, world.token = create_token(user=outsider, name="all", scopes=scopes, now=world.now)
    world.things = {
        "slug": world.commons.slug, "commons_id": world.commons.pk, "budget_id": world.budget.pk,
        "period_id": Period.objects.filter(budget=world.budget).earliest("starts_on").pk,
        "distribution_id": Distribution.objects.get().pk, "contribution_id": world.contributions[0].pk,
        "share_id": Share.objects.earliest("pk").pk, "pledge_id": Pledge.objects.earliest("pk").pk, "version": "1",
    }  # fmt: skip
    return world


def filled(pattern: str, things: dict[str, Any]) -> str | None:
    """The address of the things of the hidden commons; None when the route names none, or others too."""
    names = re.findall(r"<(?:\w+:)?(\w+)>", pattern)
    if not names or set(names) - set(things):
        return None
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda name: str(things[name[1]]), pattern)


def test_no_page_shows_a_thing_of_a_hidden_commons_to_those_outside(hidden: Any, sign_in: Any) -> None:
    signed_in, anybody = sign_in(hidden.outsider), Client()
    asked = 0
    for pattern in patterns():
        address = filled(pattern, hidden.things)
        if address is None or "/v1/" in address:
            continue
        asked += 1
        by_slug = "slug>" in pattern and "_id>" not in pattern
        for browser in (signed_in, anybody):
            for verb in ("get", "post"):
                answer = getattr(browser, verb)(address)
                allowed = BY_SLUG | {405} if by_slug else {404, 405} | ({302} if browser is anybody else set())
                if answer.status_code == 403 and not by_slug:  # refused before it is looked for: an id of nothing too
                    nothing = filled(pattern, dict.fromkeys(hidden.things, "1"))
                    assert getattr(browser, verb)(nothing).status_code == 403, (verb, pattern)
                    continue
                assert answer.status_code in allowed, (verb, pattern, answer.status_code)
                if answer.status_code == 302:
                    assert "/accounts/" in answer.headers["Location"], (verb, pattern)
                assert "Cartolibre" not in answer.content.decode(), (verb, pattern)
    assert asked > 20


def test_no_resource_of_the_api_shows_one_either(hidden: Any) -> None:
    before = (Contribution.objects.count(), Pledge.objects.count(), Charter.objects.count(), Budget.objects.count())
    asked = 0
    for one in api_urls.urlpatterns[:-1]:
        route = re.sub(r"\(\?P<(\w+)>(?:[^()]|\\.)*\)", r"<\1>", str(one.pattern)).replace("\\", "").strip("^$")
        address = filled("/v1/" + route, hidden.things)
        if address is None:
            continue
        asked += 1
        for verb in ("GET", "POST"):
            body = {"verdict": "approve"} if route.endswith("reviews") else {}
            answer = call(hidden.token, verb, address, body)
            assert answer.status_code in {404, 405}, (verb, route, answer.content)
    assert asked >= 9
    work = {
        "budget": hidden.budget.pk, "worked_on": hidden.today.isoformat(), "kind": "development", "minutes": 30,
        "description": "x",
    }  # fmt: skip
    promise = {
        "budget": hidden.budget.pk, "organisation": hidden.organisation.pk, "amount": {"value": 1, "currency": "EUR"},
    }  # fmt: skip
    for route, body in (("contributions", work), ("pledges", promise)):
        answer = call(hidden.token, "POST", f"/v1/{route}", body)
        assert (answer.status_code, json.loads(answer.content)["code"]) == (404, "budget_not_found"), route
        assert json.loads(call(hidden.token, "GET", f"/v1/{route}").content)["data"] == []
    assert json.loads(call(hidden.token, "GET", "/v1/commons").content)["data"] == []
    after = (Contribution.objects.count(), Pledge.objects.count(), Charter.objects.count(), Budget.objects.count())
    assert after == before


def test_no_public_list_names_it(hidden: Any) -> None:
    anybody = Client()
    for address in ("/en/", "/en/log/", "/log/feed.atom", "/log/heads.json"):
        answer: Any = anybody.get(address)
        text = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert b"Cartolibre" not in text, address
        assert hidden.budget.pk.encode() not in text, address


def test_its_own_people_still_read_it(hidden: Any, sign_in: Any) -> None:
    for key in ("bo", "sacha", "claire"):
        browser = sign_in(hidden.users[key])
        for address in (f"/en/commons/{hidden.commons.slug}/", f"/en/charters/{hidden.budget.pk}/"):
            assert browser.get(address).status_code == 200, (key, address)
