"""The contract of the API as OpenAPI 3.1: drf-spectacular walks the addresses, contract.py says what each promises.

The file api_docs/openapi.json is written by `./run manage openapi` and kept in the repository; `./run check` compares
it. Its words are English; the pages of the reference translate them.
"""

import json
import re
from typing import TYPE_CHECKING, Any, cast

from django.utils.translation import override
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from backend.api.auth import ANY_SCOPE
from backend.api.contract import Operation
from backend.api.examples import Example, curated
from backend.api.fields import Schema, object_schema, schema_of
from backend.api.preconditions import MATCH, MATCH_LENGTH
from backend.api.problems import CATALOGUE
from backend.api.shapes import COMPONENTS, PROBLEM
from backend.api.words import HEADERS, STATUSES, TAGS, word_of

if TYPE_CHECKING:
    from backend.api.views import Resource


VERSION = "1.0.0"
DESCRIPTION = (
    "The ledger of a trusted third party for libre commons. JSON over https, one token per program; what holds "
    "everywhere is told in api_docs/reference.md. Accept members and words that you do not know: they may come. "
    "No token approves or pays money: people do that, on a page."
)
_PART = re.compile(r"\(\?P<(\w+)>((?:[^()]|\\.)*)\)")
_REFUSED_HEADERS = {
    401: "WWW-Authenticate", 403: "WWW-Authenticate", 409: "Retry-After", 429: "Retry-After", 503: "Retry-After",
}  # fmt: skip


def header(name: str, schema: Schema | None = None, **more: Any) -> Schema:
    """A header of an answer."""
    return {"description": HEADERS[name], "schema": schema or {"type": "string"}, **more}


class ContractSchema(AutoSchema):
    """Describes one operation by the contract of its resource instead of by serializers."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any] | None:
        """The operation object of one method of one address; LookupError when the resource promises nothing for it."""
        view = cast("Resource", self.view)
        of = view.contract.get(method.lower())
        if of is None:
            raise LookupError(f"{type(view).__name__} has no contract for {method}: see backend/api/contract.py")
        example = curated().get((method.upper(), re.sub(r"\{\w+\}", "{}", path)), Example())
        scope = view.scopes.get(method.lower())
        found: dict[str, Any] = {
            "operationId": of.name,
            "summary": of.summary,
            "description": f"The token needs the scope `{scope}`." if scope else "It wants no token.",
            "tags": [view.tag or type(view).__module__.rpartition(".")[2]],
            "security": [] if of.public else [{"token": [] if scope == ANY_SCOPE else [scope]}],
        }
        if parameters := [*_in_path(path_regex), *_in_query(of), *_in_header(of, method.upper())]:
            found["parameters"] = parameters
        if of.body is not None:
            found["requestBody"] = _body(of, example, registry)
        found["responses"] = _answers(of, method.upper(), example, registry)
        return found


def _in_path(regex: str) -> list[Schema]:
    return [
        {
            "name": name, "in": "path", "required": True, "description": word_of("", name),
            "schema": {"type": "string", "pattern": f"^{pattern}$"},
        }
        for name, pattern in _PART.findall(regex)
    ]  # fmt: skip


def _in_query(of: Operation) -> list[Schema]:
    return [
        {
            "name": name, "in": "query", "required": name in of.required, "description": word_of(of.name, name),
            "schema": schema_of(read),
        }
        for name, read in of.parameters.items()
    ]  # fmt: skip


def _in_header(of: Operation, method: str) -> list[Schema]:
    wanted: list[tuple[str, bool, bool, Schema]] = [
        ("Idempotency-Key", of.needs_key, True, {"pattern": "^[!-~]{1,255}$"}),
        ("If-Match", of.matched, True, {"pattern": MATCH, "maxLength": MATCH_LENGTH}),
        ("If-None-Match", of.tagged and method == "GET", False, {}),  # what is no tag matches nothing: never refused
    ]
    return [
        {
            "name": name, "in": "header", "required": needed, "description": HEADERS[name],
            "schema": {"type": "string", **more},
        }
        for name, there, needed, more in wanted
        if there
    ]  # fmt: skip


def _named(registry: ComponentRegistry, kind: str, name: str, made: Schema) -> Schema:
    """The reference to a component, which is kept under its name."""
    component = ResolvedComponent(name=name, type=kind, schema=made, object=name)  # type: ignore[no-untyped-call]
    registry.register_on_missing(component)
    return {"$ref": f"#/components/{kind}/{name}"}


def _body(of: Operation, example: Example, registry: ComponentRegistry) -> Schema:
    assert of.body is not None
    made = _worded(of.name, object_schema(of.body))
    name = "".join(part.capitalize() for part in of.name.split("_"))
    content: dict[str, Any] = {"schema": _named(registry, ResolvedComponent.SCHEMA, name, made)}
    if example.sent is not None:
        content["example"] = example.sent
    return {"required": bool(made.get("required")), "content": {"application/json": content}}


def _worded(place: str, schema: Schema) -> Schema:
    """An object with the meaning of each member beside it, and inside lists of objects too."""
    members = {}
    for name, member in schema["properties"].items():
        if member.get("type") == "array" and "properties" in member["items"]:
            member = {**member, "items": _worded(place, member["items"])}  # noqa: PLW2901 - the same member, worded
        members[name] = {"description": word_of(place, name), **member}
    return {**schema, "properties": members}


def _answers(of: Operation, method: str, example: Example, registry: ComponentRegistry) -> dict[str, Any]:
    headers: dict[str, Any] = {"Request-Id": header("Request-Id", required=True)}
    if not of.public:
        headers |= {name: header(name) for name in ("RateLimit", "RateLimit-Policy")}
    if of.tagged:
        headers["ETag"] = header("ETag", required=True)
    good = dict(headers)
    if method == "POST":
        good |= {name: header(name) for name in ("Location", "Idempotent-Replayed")}
    if {"cursor", "after"} & set(of.parameters):
        good["Link"] = header("Link")
    content: dict[str, Any] = {"schema": of.answer}
    if example.got is not None:
        content["example"] = example.got
    answers: dict[str, Any] = {str(of.status): {"description": STATUSES[of.status], "headers": good}}
    if of.answer is not None:
        answers[str(of.status)]["content"] = {"application/json": content}
    if of.tagged and method == "GET":
        answers["304"] = {"description": STATUSES[304], "headers": good}
    if of.parameters:
        answers["414"] = {"description": STATUSES[414]}
    for status, codes in of.codes().items():
        made = _refusal(status, codes)
        if status not in of.problems and not of.public:
            # Told once for all the operations that answer just this.
            kinds = {
                "Parameters": bool(of.parameters), "Body": of.body is not None, "Keyed": of.needs_key,
                "Matched": of.matched,
            }  # fmt: skip
            parts = "".join(kind for kind, there in kinds.items() if there) * (status in {400, 422})
            made = _named(registry, "responses", f"Refused{status}{parts}", made)
        answers[str(status)] = made
    return dict(sorted(answers.items()))


def _refusal(status: int, codes: list[str]) -> Schema:
    told = {"Request-Id": header("Request-Id", required=True)}
    if status in _REFUSED_HEADERS:
        told[_REFUSED_HEADERS[status]] = header(_REFUSED_HEADERS[status])
    lines = [str(STATUSES[status]), "", *(f"- `{code}`: {CATALOGUE[code][0]}" for code in codes)]
    return {
        "description": "\n".join(lines),
        "headers": told,
        "content": {"application/problem+json": {"schema": PROBLEM}},
        "x-codes": codes,
    }


def document() -> dict[str, Any]:
    """The whole contract, in English."""
    with override("en"):
        generator = SchemaGenerator(urlconf="backend.urls")  # type: ignore[no-untyped-call]
        made = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        found = {
            "openapi": "3.1.0",
            "info": {
                "title": "Tronc",
                "version": VERSION,
                "description": DESCRIPTION,
                "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
            },
            "servers": [{"url": "/", "description": "The instance that serves this file."}],
            "tags": [
                {"name": name, "description": str(about)}
                for name, (_title, about) in TAGS.items()
                if any(name in one["tags"] for path in made["paths"].values() for one in path.values())
            ],
            "paths": made["paths"],
            "components": {
                "schemas": dict(
                    sorted(
                        {
                            **{name: _worded(name, schema) for name, schema in COMPONENTS.items()},
                            **made["components"]["schemas"],
                        }.items()
                    )
                ),
                "responses": made["components"]["responses"],
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "Made on the page /en/tokens/: tronc_live_…, in a demonstration tronc_test_….",
                    }
                },
            },
        }
        return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]


def as_text(found: dict[str, Any]) -> str:
    """The contract as it is kept: one line a member, so that a change reads well."""
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
