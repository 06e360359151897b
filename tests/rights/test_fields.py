"""Which fields the API gives, to whom: the table is in matrix.toml, every key down to the bottom."""

import json
import tomllib
from typing import Any

import pytest

from tests.rights.api import ask_api
from tests.rights.matrix import FILE, Cell, table
from tests.rights.world import PERSONAS, House

API = table("api")
FIELDS: dict[str, dict[str, Any]] = tomllib.loads(FILE.read_text("utf-8"))["fields"]
READ = sorted(route for route, row in API.items() if "GET" in row.answers)
# What a charter's document, a computation and a schema hold is said by their own schemas and tests.
CLOSED = ("document", "trace")


def keys_of(body: Any, prefix: str = "") -> set[str]:
    """The keys of a JSON body, those inside others written “shares.amount.value”."""
    if isinstance(body, list):
        return set().union(*(keys_of(one, prefix) for one in body))
    if not isinstance(body, dict):
        return set()
    found = set()
    for name, inside in body.items():
        place = f"{prefix}{name}"
        found |= {place} | (set() if name.startswith(CLOSED) else keys_of(inside, f"{place}."))
    return found


def read(route: str, house: House, persona: str) -> Any:
    """What a route of the API gives a persona of what is theirs; None when they are not let in."""
    row = API[route]
    which = next(iter(row.answers["GET"]))
    if row.answers["GET"][which][persona] != "ok":
        return None
    answer = ask_api(Cell(route, "GET", row.of, which, persona, "ok"), house)
    return json.loads(answer.content) if answer.status_code == 200 else None


def unexpected(route: str, house: House) -> set[str]:
    """The fields that a route gives somebody beyond those of the table."""
    known = set(FIELDS[route]["all"].split())
    return set().union(*(keys_of(read(route, house, persona)) for persona in PERSONAS)) - known


def test_every_resource_has_its_fields_and_every_row_its_resource() -> None:
    whole = {"charter.schema.json", "distributions/{distribution_id}/trace"}  # documents of their own
    assert set(FIELDS) == set(READ) - whole


@pytest.mark.parametrize("route", sorted(FIELDS))
def test_a_resource_gives_the_fields_of_the_table_and_no_other(house: House, route: str) -> None:
    assert unexpected(route, house) == set()
    said = FIELDS[route]
    for persona in PERSONAS:
        body = read(route, house, persona)
        if body is None:
            continue
        missing = set(said["all"].split()) - keys_of(body)
        assert {name for name in missing if "." not in name} <= set(said.get("sometimes", "").split()), persona
        for name, allowed in said.get("only", {}).items():
            given = [one.get(name) for one in body.get("data", [body])]
            assert any(given) == (persona in allowed.split()), (persona, name)
