"""The contract is current, complete and true: what it names exists, its examples fit, and it is served to anybody."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from jsonschema import Draft202012Validator

from backend.api import urls
from backend.api.auth import ANY_SCOPE
from backend.api.contract import Operation
from backend.api.contract_file import FILE, content, contract
from backend.api.fields import Optional, object_schema, schema_of, text
from backend.api.openapi import as_text, document
from backend.api.problems import CATALOGUE
from backend.api.shapes import COMPONENTS, OBJECT, TEXT, shape
from backend.api.views import Nowhere
from backend.api.words import FIELDS, TAGS
from tests.api import holding
from tests.api.conftest import refused, shown
from tests.api.test_catalogue import framework_codes, named_codes


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """(method, address, operation) of the contract."""
    return [(method, path, one) for path, methods in contract()["paths"].items() for method, one in methods.items()]


def everything(value: Any) -> list[dict[str, Any]]:
    """Each object inside a document, the document itself first."""
    if isinstance(value, list):
        return [found for one in value for found in everything(one)]
    return [value, *(found for one in value.values() for found in everything(one))] if isinstance(value, dict) else []


def test_the_file_is_what_the_handlers_promise(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FILE.read_text(encoding="utf-8") == as_text(document())
    call_command("openapi", "--check")
    other = tmp_path / "openapi.json"
    monkeypatch.setattr("backend.api.management.commands.openapi.FILE", other)
    other.write_text(as_text(document()).replace("declare_contribution", "declare_work"), encoding="utf-8")
    with pytest.raises(CommandError, match=r"(?s)-.*declare_work.*\+.*declare_contribution.*manage openapi"):
        call_command("openapi", "--check")
    assert "declare_work" in other.read_text(encoding="utf-8")
    call_command("openapi")
    assert other.read_bytes() == FILE.read_bytes()


def test_each_handler_promises_something_and_asks_for_the_scope_it_says() -> None:
    promised = {(method, one["operationId"]): one for method, _path, one in operations()}
    count = 0
    for pattern in urls.urlpatterns:
        view = pattern.callback.view_class
        if view is Nowhere:
            continue
        assert set(view.contract) == set(view.scopes), view
        for method, of in view.contract.items():
            scope = view.scopes[method]
            assert promised[method, of.name]["security"] == [{"token": [] if scope == ANY_SCOPE else [scope]}]
            count += 1
    assert count == len(promised) - 1  # the contract itself wants no token
    assert promised["get", "read_contract"]["security"] == []


def test_a_handler_without_a_promise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.api.commons import CommonsOne

    monkeypatch.setattr(CommonsOne, "contract", {})
    with pytest.raises(LookupError, match="CommonsOne has no contract for GET"):
        document()


def test_names_are_single_and_pages_known() -> None:
    names = [one["operationId"] for _method, _path, one in operations()]
    assert len(names) == len(set(names))
    assert {tag for _method, _path, one in operations() for tag in one["tags"]} == set(TAGS)
    assert [one["name"] for one in contract()["tags"]] == list(TAGS)


def test_each_documented_code_is_one_of_the_catalogue_and_of_its_status() -> None:
    raised = {code for _name, code in named_codes() if code} | framework_codes()
    for _method, path, one in operations():
        for status, said in one["responses"].items():
            codes = holding.resolved(said).get("x-codes", [])
            assert set(codes) <= set(CATALOGUE) & raised, path
            assert bool(codes) == (int(status) >= 400 and status != "414"), (path, status)
            assert len(codes) == len(set(codes))


def test_each_member_and_parameter_is_explained_and_no_word_is_idle() -> None:
    told = set()
    for name, schema in contract()["components"]["schemas"].items():
        for one in everything(schema):
            for member, inside in one.get("properties", {}).items():
                if isinstance(inside, dict) and one.get("type") == "object":
                    assert inside["description"], (name, member)
                    told.add(inside["description"])
    for _method, path, one in operations():
        for parameter in one.get("parameters", []):
            assert parameter["description"], (path, parameter["name"])
            told.add(parameter["description"])
    assert [name for name, words in FIELDS.items() if str(words) not in told] == []


def test_every_reference_leads_somewhere_and_every_shape_is_used() -> None:
    whole = contract()
    led = {one["$ref"] for one in everything(whole) if isinstance(one.get("$ref"), str)}
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in whole["components"][kind]}
    assert led == there
    for schema in whole["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_examples_fit_what_they_are_examples_of() -> None:
    seen = 0
    for method, path, one in operations():
        places = [*(said for said in one["responses"].values()), one.get("requestBody", {})]
        for place in places:
            media = place.get("content", {}).get("application/json", {})
            if "example" in media:
                assert holding.faults(media["schema"], media["example"]) == [], (method, path)
                seen += 1
        good = next(said for status, said in one["responses"].items() if status.startswith("2"))
        media = good.get("content", {}).get("application/json", {})
        # What is answered with the whole of a thing has its example where that is read.
        known = {"read_contract", "delete_draft", "declare_contributions"}
        in_full = ("ContributionInFull", "Distribution", "ShareInFull")
        whole = media.get("schema") in [{"$ref": f"#/components/schemas/{name}"} for name in in_full]
        assert "example" in media or whole or one["operationId"] in known, path
    assert seen > 50


def test_the_contract_is_served_to_anybody_and_cached(db: None) -> None:
    anybody = Client()
    answer = anybody.get("/v1/openapi.json")
    assert shown(answer, 200) == contract()
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "public, max-age=300"
    assert answer.content == content()[0] == FILE.read_bytes()
    again = anybody.get("/v1/openapi.json", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    assert anybody.get("/v1/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200
    assert anybody.head("/v1/openapi.json").status_code == 200
    refused(anybody.post("/v1/openapi.json"), 405, "method_not_allowed")
    refused(anybody.get("/v1/openapi.json?x=1"), 400, "unknown_parameter")
    assert anybody.get("/v1/openapi.json", headers={"Accept": "text/html"}).content == content()[0]


def test_what_an_operation_may_answer_follows_from_what_it_is() -> None:
    read = Operation("a", "", OBJECT, problems={404: "budget_not_found", 401: "token_missing"}).codes()
    assert read[404] == ["budget_not_found", "not_found"]
    assert read[401] == ["token_missing", "token_invalid", "token_environment"]
    assert "parameter_invalid" not in read[400]
    assert not {409, 413, 415, 422} & set(read)
    written = Operation("b", "", OBJECT, body={"name": text}, parameters={"on": text}).codes()
    assert {"parameter_invalid", "json_malformed", "idempotency_key_missing"} <= set(written[400])
    assert {409, 413, 415, 422} <= set(written)
    unkeyed = Operation("c", "", OBJECT, body={"name": text}, keyed=False).codes()
    assert unkeyed[422] == ["invalid_fields"]
    assert 409 not in unkeyed
    assert not {401, 404, 406, 429} & set(Operation("d", "", OBJECT, public=True).codes())


def test_readers_and_shapes_say_what_they_take() -> None:
    assert schema_of(Optional(text, "x")) == {"type": "string", "default": "x"}
    assert schema_of(Optional(text, None)) == {"type": "string"}
    assert object_schema({"a": text, "b": Optional(text, ""), "c": Optional(text, "", needed=True)}) == {
        "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": ""},
        "c": {"type": "string"}}, "required": ["a", "c"], "additionalProperties": False,
    }  # fmt: skip
    with pytest.raises(KeyError, match="said"):
        schema_of(lambda value, pointer: value)
    with pytest.raises(AssertionError, match="Money"):
        shape("Money", {"value": TEXT})
    assert COMPONENTS["Money"]["additionalProperties"] is False


WORLD = {"id": "usr_" + "0" * 36, "name": "Bo"}


def test_the_holding_sees_what_is_not_in_the_contract(db: None) -> None:
    person = {"$ref": "#/components/schemas/Person"}
    assert holding.faults(person, WORLD) == []
    assert holding.faults(person, {**WORLD, "email": "x"})
    assert holding.faults(person, {**WORLD, "id": "com_" + "0" * 36})
    assert holding.faults(person, {"id": WORLD["id"]})
    assert holding.faults({"type": "string", "x-known-values": ["a"]}, "b")
    assert holding.faults({"type": ["string", "null"], "x-known-values": ["a"]}, None) == []
    assert holding.faults({"type": "string", "format": "date-time"}, "2026-11-20 10:00")
    assert holding.faults({"type": "string", "format": "date"}, "2026-13-20")
    assert holding.faults({"type": "string", "format": "uri"}, "/relative")
    answer = Client().get("/v1/commons")
    asked = ("GET", "/v1/commons", "", {}, b"")
    assert holding.complaints(*asked, answer) == []
    odd = json.loads(answer.content)
    for changed in ({**odd, "code": "not_found"}, {**odd, "more": 1}):
        answer.content = json.dumps(changed).encode()
        assert holding.complaints(*asked, answer)
    answer.content = json.dumps(odd).encode()
    answer["ETag"] = '"1"'
    assert holding.complaints(*asked, answer) == ["the header ETag is not in the contract"]
    del answer["ETag"]
    answer["Content-Type"] = "text/html"
    assert holding.complaints(*asked, answer) == ["the content type text/html is not in the contract"]
    answer.status_code = 418
    assert "418" in holding.complaints(*asked, answer)[0]
    assert "418" in holding.complaints("GET", "/v1/nowhere", "", {}, b"", answer)[0]
    assert "418" in holding.complaints("PUT", "/v1/commons", "", {}, b"", answer)[0]


def test_the_holding_sees_what_was_sent_and_taken_although_the_contract_refuses_it() -> None:
    _known, promised = holding.operation_of("POST", "/v1/contributions")
    assert promised is not None
    key = {"Idempotency-Key": "k"}
    good = json.dumps(promised["requestBody"]["content"]["application/json"]["example"]).encode()
    assert holding._request(promised, "", key, good) == []
    assert holding._request(promised, "", {}, good)
    assert holding._request(promised, "", key, b"")
    assert holding._request(promised, "x=1", key, good)
    assert holding._request(promised, "", key, good.replace(b'"minutes"', b'"hours"'))
