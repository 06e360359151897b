"""Holds what the tests of the API send and get to the contract: the address, the status, the shape of the body."""

import json
import re
from functools import cache
from typing import Any

from django.http import HttpResponse
from jsonschema import Draft202012Validator

from backend.api.openapi import document


@cache
def addresses() -> list[tuple[re.Pattern[str], str]]:
    """(what an address looks like, how the contract writes it)."""
    found = []
    for path, operations in document()["paths"].items():
        regex = path
        for one in next(iter(operations.values()))["parameters"]:
            if one["in"] == "path":
                regex = regex.replace("{" + one["name"] + "}", "(?:" + one["schema"]["pattern"].strip("^$") + ")")
        found.append((re.compile(regex.replace(".", r"\.") if "{" not in path else regex), path))
    return found


@cache
def validator(path: str, verb: str, status: str, media: str) -> Draft202012Validator:
    """What checks the body of an answer."""
    schema = document()["paths"][path][verb]["responses"][status]["content"][media]["schema"]
    return Draft202012Validator({**schema, "components": document()["components"]})


def hold(verb: str, path: str, answer: HttpResponse) -> None:
    """Assert that an answer is one that the contract foresees; what it does not know is for others to test."""
    place = path.partition("?")[0]
    known = next((written for regex, written in addresses() if regex.fullmatch(f"/v1/{place}")), None)
    operation = document()["paths"].get(known, {}).get(verb)
    if operation is None or answer.status_code >= 500:
        return
    status = str(answer.status_code)
    assert status in operation["responses"], f"{verb} {known}: {status} is not in the contract: {answer.content!r}"
    said = operation["responses"][status]
    if "content" not in said:
        assert answer.content == b"", f"{verb} {known}: {status} has a body"
        return
    (media,) = said["content"]
    assert answer["Content-Type"] == media, f"{verb} {known}: {answer['Content-Type']}"
    body: Any = json.loads(answer.content)
    faults = [
        f"{one.json_path}: {one.message}"[:300] for one in validator(known, verb, status, media).iter_errors(body)
    ]
    assert not faults, f"{verb} {known} {status}: {faults[:3]}"
    if media == "application/problem+json":
        assert f"`{body['code']}`" in said["description"], f"{verb} {known}: {status} {body['code']} is not foreseen"
