"""Bodies made to cost: many wrong fields, many refused items, odd languages; each is refused in little time."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from backend.api.fields import MAX_FAULTS
from backend.contributions.models import Contribution
from tests.api.conftest import refused, shown, work

Call = Callable[..., Any]
Play = Callable[..., Any]
MEGABYTE = 1024 * 1024


def body_of(item: str, *, open_: str, shut: str) -> bytes:
    """As many items as a megabyte holds."""
    room = MEGABYTE - len(open_) - len(shut) - 2
    parts, size, number = [], 0, 0
    while True:
        one = item.replace("%", str(number))
        size += len(one) + 1
        if size > room:
            return f"{open_}{','.join(parts)}{shut}".encode()
        parts.append(one)
        number += 1


WRONG = {
    "unknown fields": body_of('"%":1', open_="{", shut="}"),
    "unknown fields of each item": body_of('{"a":1,"b":2,"c":3}', open_='{"items":[', shut="]}"),
    "unknown fields of one item": body_of('"%":1', open_='{"items":[{', shut="}]}"),
    "odd metadata": body_of('"%":[]', open_='{"metadata":{', shut="}}"),
    "odd links": body_of("[]", open_='{"evidence":[', shut="]}"),
    "turning signs": b'{"description":"' + "\u202e".encode() * 300_000 + b'"}',
    "one long name": b'{"' + b"x" * (MEGABYTE - 10) + b'":1}',
    "one long number": b'{"minutes":' + b"9" * (MEGABYTE - 20) + b"}",
    "brackets in a text": b'{"description":"' + b"[" * (MEGABYTE - 40) + b'"}',
    "backslashes": b'{"description":"' + b"\\\\" * 500_000 + b'"}',
}


@pytest.mark.parametrize("path", ["contributions", "contributions/batch"])
@pytest.mark.parametrize("what", WRONG)
def test_a_megabyte_that_is_wrong_is_refused_in_little_time(play: Play, call: Call, path: str, what: str) -> None:
    bo = call(play("make_house").users["bo"])
    began = time.process_time()
    problem = refused(bo.post(path, WRONG[what]), 422, "invalid_fields")
    assert time.process_time() - began < 2.5
    assert 1 <= len(problem["errors"]) <= MAX_FAULTS
    assert not Contribution.objects.exists()


@pytest.mark.parametrize(
    "language",
    [
        "fr" + ",fr" * 5000,
        "*;q=" + "9" * 400,
        "fr;q=nan",
        "\xe9",
        "fr_FR@euro;q=-1",
        "x-" + "a" * 8000,
        "../../etc",
        "",
    ],
    ids=["many", "long weight", "no number", "no letter", "of a system", "private", "path", "none"],
)
def test_any_language_is_answered(play: Play, call: Call, language: str) -> None:
    world = play("make_house")
    bo = call(world.users["bo"], language=language)
    refused(bo.post("contributions", work(world, minutes=-1)), 422, "minutes_out_of_range")
    shown(bo.post("contributions", work(world)), 201)


def test_a_batch_that_is_refused_whole_is_refused_in_little_time(play: Play, call: Call) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    items = [work(world, minutes=-1, kind="magic", evidence=["x"] * 10, worked_on="2999-01-01") for _one in range(500)]
    began = time.process_time()
    problem = refused(bo.post("contributions/batch", {"items": items}), 422, "batch_refused")
    assert time.process_time() - began < 6
    assert len(json.dumps(problem)) < 500_000
    assert not Contribution.objects.exists()


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "\\udfff\\ud800", "\\uffff"])
@pytest.mark.parametrize("field", ["description", "over_cap_reason", "kind", "budget", "worked_on"])
def test_what_no_text_holds_is_refused(play: Play, call: Call, field: str, text: str) -> None:
    world = play("make_house")
    body = json.dumps(work(world, **{field: "MARK"})).replace("MARK", f"a{text}b").encode()
    refused(call(world.users["bo"]).post("contributions", body), 422, "invalid_fields")
    assert not Contribution.objects.exists()
