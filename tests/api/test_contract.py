"""The contract of the API: committed as the code says it, every handler in it, every code known, a valid document."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from jsonschema import Draft202012Validator

from backend.api import openapi, urls
from backend.api.contract import OPERATIONS
from backend.api.management.commands import openapi as command
from backend.api.problems import CATALOGUE
from backend.api.shapes import SHAPES
from tests.api.conftest import shown, work
from tests.api.contract import hold


def test_the_committed_document_is_what_the_code_says(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("openapi", check=True)
    other = tmp_path / "openapi.json"
    monkeypatch.setattr(command, "FILE", other)
    with pytest.raises(CommandError, match="is not what the code says"):
        call_command("openapi", check=True)
    call_command("openapi")
    call_command("openapi", check=True)
    other.write_text(other.read_text("utf-8").replace("per_", "pre_", 1), "utf-8")
    with pytest.raises(CommandError):
        call_command("openapi", check=True)


def test_every_handler_is_in_the_table_and_nothing_else() -> None:
    handlers = set()
    for pattern in urls.urlpatterns[:-1]:
        view = getattr(pattern.callback, "view_class", None)
        if view is not None:
            handlers |= {(openapi.named(view()), verb) for verb in view.scopes}
    assert handlers == set(OPERATIONS)


def test_every_code_of_the_contract_has_its_page() -> None:
    said = {
        code
        for (_view, verb), one in OPERATIONS.items()
        for codes in openapi.refusals(one, verb).values()
        for code in codes
    }
    assert len(said) > 60
    assert said <= set(CATALOGUE)


def test_every_shape_is_a_schema_and_is_used() -> None:
    text = json.dumps(openapi.document()["paths"]) + json.dumps(SHAPES)
    for name, schema in SHAPES.items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text, name


def test_anybody_reads_the_document() -> None:
    answer = Client().get("/v1/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    found = json.loads(answer.content)
    assert (found["openapi"], found["info"]["title"]) == ("3.1.0", "Tronc")
    assert {tag["name"] for tag in found["tags"]} == {one.tag for one in OPERATIONS.values()}
    assert all("token" in operation["security"][0] for path in found["paths"].values() for operation in path.values())


def test_an_answer_that_is_not_foreseen_is_seen(play: Any, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = play("make_house")
    answer = call(world.users["bo"]).post("contributions", work(world))
    body = shown(answer, 201)
    for spoilt in ({**body, "more": 1}, {**body, "minutes": "90"}, {k: v for k, v in body.items() if k != "state"}):
        answer.content = json.dumps(spoilt).encode()
        with pytest.raises(AssertionError, match="post /v1/contributions 201"):
            hold("post", "contributions", answer)
    answer.status_code = 418
    with pytest.raises(AssertionError, match="418 is not in the contract"):
        hold("post", "contributions", answer)
