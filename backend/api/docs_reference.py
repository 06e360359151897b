"""The pages of the reference, read from the contract: what the templates show, in the language of the moment."""

import json
import re
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from backend.api.contract_file import contract
from backend.api.problems import CATALOGUE
from backend.api.words import STATUSES, TAGS

Row = dict[str, Any]
# Told once, on the first page: any operation may answer them.
EVERYWHERE = ("Problem", "Fault")
NOTHING: Row = {"words": _("nothing"), "shape": "", "choices": [], "null": False}


def translated(text: str) -> str:
    """A sentence of the contract, which is English there."""
    return _(text) if text else ""


def pages() -> list[Row]:
    """Each page of the reference with its operations, in the order of the contract."""
    found = [
        {"tag": one["name"], "title": TAGS[one["name"]][0], "about": TAGS[one["name"]][1]} for one in contract()["tags"]
    ]
    return [{**page, "operations": list(_operations(page["tag"]))} for page in found]


def page(tag: str) -> Row | None:
    """One page with the shapes that its operations name; None for no such page."""
    if tag not in TAGS:
        return None
    operations = [_in_full(*one) for one in _of(tag)]
    shapes = _reached([one["raw"] for one in operations])
    return {
        "tag": tag,
        "title": TAGS[tag][0],
        "about": TAGS[tag][1],
        "operations": _shown_once(operations),
        "shapes": [{"name": name, "rows": _rows(_shapes()[name])} for name in shapes if name not in EVERYWHERE],
    }


def everywhere() -> Row:
    """What any operation may answer, and the shape of a refusal."""
    refusals = contract()["components"]["responses"]
    by_status: dict[int, list[str]] = {}
    for name, said in sorted(refusals.items()):
        kept = by_status.setdefault(int(re.findall(r"\d{3}", name)[0]), [])
        kept += [code for code in said["x-codes"] if code not in kept]
    return {
        "refusals": [_refusal(status, codes) for status, codes in sorted(by_status.items())],
        "shapes": [{"name": name, "rows": _rows(_shapes()[name])} for name in EVERYWHERE],
    }


def _shapes() -> Row:
    return contract()["components"]["schemas"]  # type: ignore[no-any-return]


def _of(tag: str) -> list[tuple[str, str, Row]]:
    return [
        (method.upper(), path, one)
        for path, methods in contract()["paths"].items()
        for method, one in methods.items()
        if tag in one["tags"]
    ]


def _operations(tag: str) -> Iterable[Row]:
    for method, path, one in _of(tag):
        yield {"id": one["operationId"], "summary": translated(one["summary"]), "method": method, "path": path}


def _in_full(method: str, path: str, one: Row) -> Row:
    status, good = next((status, said) for status, said in one["responses"].items() if status.startswith("2"))
    content = good.get("content", {}).get("application/json", {"schema": {}})
    sent = one.get("requestBody", {}).get("content", {}).get("application/json")
    return {
        "raw": [content["schema"], sent["schema"] if sent else {}],
        "id": one["operationId"],
        "summary": translated(one["summary"]),
        "method": method,
        "path": path,
        "scopes": [scope for wanted in one["security"] for scope in wanted.get("token", [])],
        "parameters": [
            {
                "name": parameter["name"], "place": parameter["in"], "required": parameter["required"],
                "about": translated(parameter["description"]), **kind_of(parameter["schema"]),
            }
            for parameter in one.get("parameters", [])
        ],
        "body": _rows(_shapes()[sent["schema"]["$ref"].rpartition("/")[2]]) if sent else None,
        "curl": curl(method, path, one),
        "status": status,
        "told": translated(good["description"]),
        "answer": kind_of(content["schema"]) if content["schema"] else NOTHING,
        "example": _text(content["example"]) if "example" in content else "",
        "refusals": [
            _refusal(int(code), said["x-codes"])
            for code, said in one["responses"].items()
            if "x-codes" in said  # those of any operation are components of their own
        ],
    }  # fmt: skip


def _shown_once(operations: list[Row]) -> list[Row]:
    """The same, where an answer whose shape was shown before names that operation instead of a second example."""
    first: dict[str, Row] = {}
    for one in operations:
        known = first.setdefault(one["answer"]["shape"] or one["id"], one)
        if known is not one:
            one["as"] = known
            one["example"] = ""
    return operations


def _refusal(status: int, codes: list[str]) -> Row:
    return {
        "status": status,
        "told": STATUSES[status],
        "codes": [{"code": code, "title": CATALOGUE[code][0]} for code in codes],
    }


def _text(example: Any) -> str:
    """JSON with one member a line, small objects on one line."""
    return re.sub(
        r'\{\s+("(?:value|id)": [^{}\n]+,)\s+("[^{}\n]+)\s+\}',
        r"{\1 \2}",
        json.dumps(example, ensure_ascii=False, indent=2),
    )


def curl(method: str, path: str, one: Row) -> str:
    """The request as one would type it: $TRONC, $TOKEN and the ids are for the reader to set."""
    needed = [parameter for parameter in one.get("parameters", []) if parameter["required"]]
    address = re.sub(r"\{(\w+?)(?:_id)?\}", lambda name: f"${name[1].upper()}", path)
    query = "&".join(f"{parameter['name']}=1" for parameter in needed if parameter["in"] == "query")
    lines = [f'curl -sS "$TRONC{address}{f"?{query}" if query else ""}"']
    if one["security"]:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    lines += [
        f'-H "{parameter["name"]}: {"a-key-of-your-own" if "Key" in parameter["name"] else "$ETAG"}"'
        for parameter in needed
        if parameter["in"] == "header"
    ]
    if "requestBody" in one:
        body = json.dumps(
            one["requestBody"]["content"]["application/json"].get("example", {}), ensure_ascii=False, indent=2
        ).replace("'", r"'\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{body}'"]
    if method not in {"GET", "POST"}:
        lines.insert(1, f"-X {method}")
    return " \\\n  ".join(lines)


def _reached(found: Any) -> list[str]:
    """The shapes that these schemas name, and those that they name, in the order met."""
    known: list[str] = []
    waiting = [found]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            name = one.get("$ref", "").rpartition("/")[2] if isinstance(one.get("$ref"), str) else ""
            if name and name not in known:
                known.append(name)
                waiting.append(_shapes()[name])
            waiting += [value for member, value in one.items() if member != "$ref"]
    sent = {name for name in known if _shapes()[name].get("additionalProperties") is False and name != "Money"}
    return [name for name in known if name not in sent]  # a body is shown with its operation


def _rows(schema: Row) -> list[Row]:
    return [
        {
            "name": name, "required": name in schema.get("required", []), "about": translated(member["description"]),
            **kind_of(member),
        }
        for name, member in schema["properties"].items()
    ]  # fmt: skip


def kind_of(schema: Row) -> Row:
    """What a schema takes: `words`, the `shape` they end with, the `choices` there are, whether `null` is one."""
    choices = schema.get("enum") or schema.get("x-known-values") or []
    if "anyOf" in schema:
        inner = next(one for one in schema["anyOf"] if one != {"type": "null"})
        return {**kind_of(inner), "null": True}
    if "$ref" in schema:
        return {"words": "", "shape": schema["$ref"].rpartition("/")[2], "choices": [], "null": False}
    types = schema.get("type", "object")
    null = isinstance(types, list)
    if "array" in types:
        inner = kind_of(schema["items"])
        return {**inner, "words": _("list of") + f" {inner['words']}".rstrip(), "null": null}
    words = {
        "string": _string(schema),
        "integer": _("whole number"),
        "boolean": _("true or false"),
        "object": _("object"),
    }[types[0] if null else types]
    if "minimum" in schema and "maximum" in schema:
        words = _("%(kind)s from %(least)s to %(most)s") % {
            "kind": words, "least": schema["minimum"], "most": schema["maximum"],
        }  # fmt: skip
    return {"words": words, "shape": "", "choices": choices, "null": null, "default": schema.get("default")}


def _string(schema: Row) -> str:
    named = {"date": _("day"), "date-time": _("moment"), "uri": _("address")}.get(schema.get("format", ""))
    if named:
        return named
    prefix = re.match(r"\^([a-z]{3})_", schema.get("pattern", ""))
    if prefix:
        return _("id %(prefix)s_…") % {"prefix": prefix[1]}
    if "maxLength" in schema:
        return _("text of %(most)s characters at most") % {"most": schema["maxLength"]}
    return _("text")
