"""The OpenAPI 3.1 document of the API, put together by drf-spectacular from the table of api/contract.py."""

import inspect
import json
from functools import cache
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from backend.api.auth import ANY_SCOPE
from backend.api.contract import OPERATIONS, Operation
from backend.api.fields import Optional, schema_of, schema_of_fields
from backend.api.shapes import SHAPES, page_of, ref
from backend.api.views import Resource

TAGS = {
    "me": "Whose token this is, where they may declare work, and what the house owes them.",
    "events": "What happened where one may look, oldest first: a program goes on from the last event it saw.",
    "commons": "Commons, their budgets and their five figures: public facts.",
    "budgets": "Budgets, their periods, and what one would get for work in them now.",
    "charters": "The rules of a budget, read only: they are changed by people, on a page.",
    "pledges": "Promises of money, how to pay them, how they change and end.",
    "contributions": "Work, never money: declared, amended, reviewed by peers, waived or taken back.",
    "periods": "The dated stretches of a budget, and their closing.",
    "distributions": "The computed split of a closed period, and the shares in it.",
    "log": "The signed public log of the books, and its proofs.",
    "ledger": "The books, for treasurers and auditors.",
}
# What operations answer besides their own refusals: of every one, of one with parameters, of one that writes…
EVERY = (
    (401, "token_missing"), (401, "token_invalid"), (401, "token_environment"), (403, "scope_missing"),
    (400, "unknown_parameter"), (400, "secret_in_address"), (403, "https_required"), (404, "not_found"),
    (406, "not_acceptable"), (429, "too_many_requests"),
)  # fmt: skip
PARAMETERS = ((400, "parameter_invalid"), (400, "parameter_repeated"))
BODY = (
    (400, "json_malformed"), (400, "json_not_utf8"), (400, "json_too_deep"), (400, "json_duplicate_key"),
    (413, "body_too_large"), (415, "media_type_not_json"), (422, "invalid_fields"),
)  # fmt: skip
ONCE = (
    (400, "idempotency_key_missing"), (400, "idempotency_key_invalid"), (409, "idempotency_key_in_flight"),
    (422, "idempotency_key_reused"),
)  # fmt: skip
AS_READ = ((428, "if_match_missing"), (400, "if_match_invalid"), (412, "changed_meanwhile"))
PATHS = {
    "kind": {"type": "string", "pattern": "^[a-z_]{1,16}$"},
    "owner": {"type": "string", "pattern": "^[a-z]{3}_[0-9A-Z]{36}$"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
}
PREFIXES = {
    "commons": "com", "budget": "bud", "pledge": "plg", "payment": "cko", "contribution": "ctr", "question": "qst",
    "objection": "obj", "period": "per", "distribution": "dis", "share": "shr", "entry": "ent",
}  # fmt: skip
DESCRIPTION = (
    "Work is logged, reviewed and followed here; money is approved and paid by people on pages, never by a token. "
    "JSON only; amounts are whole numbers of minor units with their currency; times are UTC; each refusal is a problem "
    "(RFC 9457) with a code that has its page."
)


def named(view: Any) -> str:
    """A view as the table names it: `contributions.Batch`."""
    return f"{type(view).__module__.rpartition('.')[2]}.{type(view).__name__}"


class Contract(AutoSchema):
    """Writes an operation from its line of the table."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> dict[str, Any]:
        """The operation of a handler; KeyError for one that nobody wrote a line for."""
        verb, view = method.lower(), cast(Resource, self.view)
        operation = OPERATIONS[named(view), verb]
        handler, scope = getattr(view, verb), view.scopes[verb]
        summary, _dot, rest = (inspect.getdoc(handler) or "").partition("\n")
        found: dict[str, Any] = {
            "operationId": f"{verb}_{named(view).partition('.')[2]}",
            "summary": summary.rstrip("."),
            "tags": [operation.tag],
            "parameters": [*self._in_path(path), *_in_query(operation), *_in_headers(verb)],
            "responses": responses(operation, verb, view),
            "security": [{"token": [] if scope == ANY_SCOPE else [scope]}],
        }
        said = ["Any token." if scope == ANY_SCOPE else f"Scope `{scope}`.", " ".join(rest.split())]
        found["description"] = " ".join(filter(None, said))
        if operation.body is not None:
            found["requestBody"] = {
                "content": {"application/json": {"schema": schema_of_fields(operation.body)}},
                "required": any(not isinstance(one, Optional) for one in operation.body.values()),
            }
        return found

    @staticmethod
    def _in_path(address: str) -> list[dict[str, Any]]:
        names = [part.partition("}")[0] for part in address.split("{")[1:]]
        return [
            {"name": name, "in": "path", "required": True, "schema": PATHS.get(name) or _id(name.removesuffix("_id"))}
            for name in names
        ]


def _id(name: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{PREFIXES[name]}_[0-9A-Z]{{36}}$"}


def _in_query(operation: Operation) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema_of(reader)} for name, reader in operation.parameters.items()]


def _in_headers(verb: str) -> list[dict[str, Any]]:
    key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"}
    headers = {"post": ("Idempotency-Key", key), "patch": ("If-Match", {"type": "string"})}
    name, schema = headers.get("patch" if verb == "delete" else verb, ("", {}))
    return [{"name": name, "in": "header", "required": True, "schema": schema}] if name else []


def refusals(operation: Operation, verb: str) -> dict[int, list[str]]:
    """Status → the codes that the operation may answer with it."""
    said = [*EVERY, *operation.refusals, *(PARAMETERS if operation.parameters else ())]
    said += [*(BODY if operation.body is not None or verb == "delete" else ())]
    said += [*(ONCE if verb == "post" else AS_READ if verb in {"patch", "delete"} else ())]
    found: dict[int, list[str]] = {}
    for status, code in said:
        codes = found.setdefault(status, [])
        if code not in codes:
            codes.append(code)
    return dict(sorted(found.items()))


def responses(operation: Operation, verb: str, view: Any) -> dict[str, Any]:
    """What the operation answers, by status."""
    good: dict[str, Any] = {"description": (type(view).__doc__ or "").strip().partition("\n")[0] or "Done."}
    if operation.answer:
        name = operation.answer
        schema = page_of(name[1:-1]) if name.startswith("[") else ref(name)
        good["content"] = {"application/json": {"schema": schema}}
    if operation.tagged:
        good["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "For If-Match."}}
    found = {str(operation.status): good}
    for status, codes in refusals(operation, verb).items():
        found[str(status)] = {
            "description": ", ".join(f"`{code}`" for code in codes),
            "content": {"application/problem+json": {"schema": ref("Problem")}},
        }
    return found


@cache
def document() -> dict[str, Any]:
    """The whole document, JSON-ready."""
    generator = SchemaGenerator(  # type: ignore[no-untyped-call]
        patterns=[path("v1/", include("backend.api.urls"))]
    )
    found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


def only_the_table(endpoints: list[Any]) -> list[Any]:
    """The endpoints but the one that stands for every other address."""
    return [one for one in endpoints if one[0] not in {"/v1/", "/v1"}]


def whole(result: dict[str, Any], **_kept: Any) -> dict[str, Any]:
    """Add what no operation says: tags, how to sign in, the shapes."""
    result["info"]["description"] = DESCRIPTION
    result["tags"] = [{"name": name, "description": said} for name, said in TAGS.items()]
    result["components"] = {
        "schemas": dict(sorted(SHAPES.items())),
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "description": "A token made on your page of tokens."}
        },
    }
    return result


def as_text() -> str:
    """The document as it is committed and served."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


@require_safe
def openapi(_request: HttpRequest) -> HttpResponse:
    """The document, for anybody: it holds nothing of anybody."""
    answer = HttpResponse(as_text(), content_type="application/json")
    answer["Cache-Control"] = "public, max-age=300"
    return answer
