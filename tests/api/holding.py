"""Holds a request and its answer against the contract of the API, as strictly as can be.

The contract is open for clients: members and words may come. Here it is closed, so that what comes is written down.
"""

import copy
import functools
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse, QueryDict
from jsonschema import Draft202012Validator, FormatChecker

from backend.api.contract_file import contract

PROBLEM = {"$ref": "#/components/schemas/Problem"}
# Headers that an answer has only where the contract says so.
TOLD = {"ETag", "Link", "Location", "Idempotent-Replayed", "Retry-After", "WWW-Authenticate"}
formats = FormatChecker(["date"])


@formats.checks("date-time")
def _moment(value: object) -> bool:
    """RFC 3339, in UTC."""
    return not isinstance(value, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", value) and datetime.fromisoformat(value)
    )


@formats.checks("uri")
def _address(value: object) -> bool:
    """An absolute address."""
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


def closed(schema: Any) -> Any:
    """The same schema, which takes no member and no word that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(value) for name, value in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    if "x-known-values" in found:
        found["enum"] = [*found["x-known-values"], *([None] if "null" in found["type"] else [])]
    return found


@functools.cache
def strict() -> dict[str, Any]:
    """The components of the contract, closed."""
    found = copy.deepcopy(contract())
    found["components"]["schemas"] = closed(found["components"]["schemas"])
    return found


@functools.cache
def _validator(text: str) -> Draft202012Validator:
    return Draft202012Validator({**strict(), **json.loads(text)}, format_checker=formats)


def faults(schema: Any, value: Any) -> list[str]:
    """What of a value the schema refuses."""
    validator = _validator(json.dumps(closed(schema)))
    return [f"{one.json_path}: {one.message[:300]}" for one in validator.iter_errors(value)]


@functools.cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    found = []
    for path, methods in contract()["paths"].items():
        parts = {
            one["name"]: one["schema"]["pattern"].strip("^$")
            for one in next(iter(methods.values())).get("parameters", [])
            if one["in"] == "path"
        }
        pieces = re.split(r"\{(\w+)\}", path)
        regex = "".join(parts[piece] if number % 2 else re.escape(piece) for number, piece in enumerate(pieces))
        found.append((re.compile(regex), path))
    return found


def operation_of(method: str, path: str) -> tuple[bool, dict[str, Any] | None]:
    """Whether the address is one of the contract, and what it promises for the method."""
    for regex, known in _paths():
        if regex.fullmatch(path):
            methods = contract()["paths"][known]
            return True, methods.get("get" if method == "HEAD" else method.lower())
    return False, None


def resolved(one: dict[str, Any]) -> dict[str, Any]:
    """An answer of the contract, or the component that it refers to."""
    if "$ref" in one:
        return contract()["components"]["responses"][one["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]
    return one


def complaints(  # noqa: PLR0917 - a request is all this
    method: str, path: str, query: str, headers: dict[str, str], body: bytes, answer: HttpResponse
) -> list[str]:
    """All that the contract does not say of this request and this answer."""
    known, promised = operation_of(method, path)
    refused = answer.status_code >= 400
    found = []
    if promised is None:
        wanted = {405, 400, 401, 403, 406, 429, 503} if known else {404, 400, 403, 406, 503}
        if method != "OPTIONS" and answer.status_code not in wanted:
            found.append(f"{answer.status_code} where the contract knows no such operation")
        return found + (_body({"application/problem+json": {"schema": PROBLEM}}, answer, method) if refused else [])
    if str(answer.status_code) not in promised["responses"]:
        return [f"the status {answer.status_code} is not in the contract: {answer.content.decode()[:300]}"]
    said = resolved(promised["responses"][str(answer.status_code)])
    if refused and method != "HEAD" and (code := json.loads(answer.content)["code"]) not in said["x-codes"]:
        found.append(f"the code {code} is not in the contract for {answer.status_code}")
    found += _body(said.get("content", {}), answer, method)
    found += [
        f"the header {name} is missing"
        for name, one in said.get("headers", {}).items()
        if one.get("required") and name not in answer
    ]
    found += [
        f"the header {name} is not in the contract"
        for name in TOLD
        if name in answer and name not in said.get("headers", {})
    ]
    if not refused:
        found += _request(promised, query, headers, body)
    return found


def _body(content: dict[str, Any], answer: HttpResponse, method: str) -> list[str]:
    if not content:
        return ["a body where none is promised"] if answer.content else []
    kind = answer["Content-Type"].partition(";")[0]
    if kind not in content:
        return [f"the content type {kind} is not in the contract"]
    return [] if method == "HEAD" else faults(content[kind]["schema"], json.loads(answer.content))


def _request(promised: dict[str, Any], query: str, headers: dict[str, str], body: bytes) -> list[str]:
    """What a request that was accepted has and the contract has not."""
    found = []
    parameters = {(one["in"], one["name"]): one for one in promised.get("parameters", [])}
    given = {("query", name): value for name, value in QueryDict(query).items()}
    given |= {("header", name): headers[name] for place, name in parameters if place == "header" and name in headers}
    for key, value in given.items():
        if key not in parameters:
            found.append(f"the parameter {key[1]} is not in the contract")
            continue
        schema = parameters[key]["schema"]
        found += faults(schema, int(value) if schema["type"] == "integer" else value)
    for key, one in parameters.items():
        if one["required"] and key[0] != "path" and key not in given:
            found.append(f"the parameter {key[1]} is required by the contract and was not sent")
    if "requestBody" in promised:
        if body:
            schema = promised["requestBody"]["content"]["application/json"]["schema"]
            found += faults(schema, json.loads(body))
        elif promised["requestBody"]["required"]:
            found.append("the body is required by the contract and was not sent")
    return found
