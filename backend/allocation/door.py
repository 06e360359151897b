"""The public door: one JSON object a line in, one line out; nothing but the engine stands behind it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from backend.allocation.kernel import AllocationError, Person, require_identifier
from backend.allocation.rules import QUANTITIES, share_out
from backend.allocation.upstream import Edge, cascade

MOST = 10**60  # no quantity is this large; some text of digits would only eat time
SHARING = ("amount", "rule", "seed", "people")
PERSON_KEYS = frozenset({"id", *QUANTITIES})


def answer(line: str | bytes) -> str:
    """The answer to one line, in ASCII and without a line end; never raises for what the line holds.

    A sharing `{"amount", "rule", "seed", "people"}` gives `{"shares", "unspent", "flags"}`; `{"upstream": {"pots",
    "edges"}}` gives `{"kept", "flows"}`; `{"period": {"charter", "inputs", "seed": {"pot", "period"}}}` gives
    `{"trace"}`; anything else gives `{"error": {"code", "message", "param"}}`.
    """
    try:
        return json.dumps(_reply(_parsed(line)))
    except AllocationError as error:
        return json.dumps({"error": {"code": error.code, "message": str(error), "param": error.param}})


def _parsed(line: str | bytes) -> dict[str, Any]:
    try:
        text = line.decode() if isinstance(line, bytes) else line
    except UnicodeDecodeError:
        raise AllocationError("not_utf8", "The line is not UTF-8 text.") from None
    if not text.strip():
        raise AllocationError("empty_line", "The line is empty: give one JSON object.")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise AllocationError("too_deep", "The JSON is nested too deeply.") from None
    except AllocationError:
        raise
    except ValueError as error:
        place = f" (character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
        raise AllocationError("not_json", f"The line is not JSON{place}, or a number in it is too long.") from None
    if not isinstance(value, dict):
        raise AllocationError("not_object", "The line must be one JSON object.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise AllocationError("duplicate_key", f"The key {twice!a:.80} is there twice in one object.", twice)
    return value


def _refuse_constant(name: str) -> None:
    raise AllocationError("not_json", f"{name} is not a JSON number.")


def _reply(asked: dict[str, Any]) -> dict[str, Any]:
    for key, reply in FORMS.items():
        if key in asked:
            _keys(asked, "", (key,))
            return reply(_mapping(asked[key], key))
    return _share(asked)


def _share(asked: dict[str, Any]) -> dict[str, Any]:
    _keys(asked, "", SHARING)
    given = asked["people"]
    if not isinstance(given, list):
        raise AllocationError("not_list", "people must be a list of objects.", "people")
    people = []
    for position, one in enumerate(given):
        if not isinstance(one, dict) or "id" not in one or not one.keys() <= PERSON_KEYS:
            _keys(_mapping(one, f"people[{position}]"), f"people[{position}].", ("id",), PERSON_KEYS)
        people.append(
            Person(
                one["id"], one.get("weight", 0), one.get("claim", 0), one.get("counted", 0), one.get("floor", 0),
                one.get("ceiling"), one.get("rank", 0),
            )
        )  # fmt: skip
    _small("amount", asked["amount"])
    for position, person in enumerate(people):
        for value in person[1:]:
            if isinstance(value, int) and not -MOST < value < MOST:
                _small(f"people[{position}].{QUANTITIES[person[1:].index(value)]}", value)
    result = share_out(asked["rule"], asked["amount"], people, asked["seed"])
    shares = {person.id: cents for person, cents in zip(people, result.cents, strict=True)}
    return {"shares": shares, "unspent": result.unspent, "flags": list(result.flags)}


def _upstream(asked: dict[str, Any]) -> dict[str, Any]:
    _keys(asked, "upstream.", ("pots", "edges"))
    pots = _mapping(asked["pots"], "upstream.pots")
    if not isinstance(asked["edges"], list):
        raise AllocationError("not_list", "upstream.edges must be a list.", "upstream.edges")
    edges = []
    for position, one in enumerate(asked["edges"]):
        if not isinstance(one, list) or len(one) != len(Edge._fields):
            place = f"upstream.edges[{position}]"
            raise AllocationError("not_edge", f'{place} must be ["from", "to", basis points].', place)
        edges.append(Edge(*one))
    for name, amount in pots.items():
        _small(f"upstream.pots.{name}", amount)
    try:
        solved = cascade(pots, edges)
    except AllocationError as error:
        raise AllocationError(error.code, f"upstream.{error}", f"upstream.{error.param}") from None
    return {"kept": solved.kept, "flows": [list(flow) for flow in solved.flows]}


def _period(asked: dict[str, Any]) -> dict[str, Any]:
    from backend.allocation.closing import compute

    _keys(asked, "period.", ("charter", "inputs", "seed"))
    charter, inputs, seed = (_mapping(asked[name], f"period.{name}") for name in ("charter", "inputs", "seed"))
    _keys(seed, "period.seed.", ("pot", "period"))
    for name in ("pot", "period"):
        require_identifier(f"period.seed.{name}", seed[name])
    _small_within("period", asked)
    return {"trace": compute(charter, inputs, pot=seed["pot"], period=seed["period"])}


FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"upstream": _upstream, "period": _period}


def _keys(value: Mapping[str, Any], path: str, needed: tuple[str, ...], allowed: frozenset[str] | None = None) -> None:
    """Refuse a key that is not `allowed` (the needed ones unless told), and the absence of one that is needed."""
    for key in value:
        if key not in (allowed or needed):
            raise AllocationError("unknown_key", f"{path}{key!a:.80} is not a key of this object.", f"{path}{key:.80}")
    for key in needed:
        if key not in value:
            raise AllocationError("missing_key", f"{path}{key} is missing.", f"{path}{key}")


def _mapping(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AllocationError("not_object", f"{path} must be an object.", path)
    return value


def _small(path: str, value: object) -> None:
    if isinstance(value, int) and not -MOST < value < MOST:
        raise AllocationError("too_large", f"{path} is too large a number.", path)


def _small_within(path: str, value: object) -> None:
    """Refuse a number too large anywhere; the parser has bounded the depth."""
    if isinstance(value, dict):
        for key, one in value.items():
            _small_within(f"{path}.{key}", one)
    elif isinstance(value, list):
        for position, one in enumerate(value):
            _small_within(f"{path}[{position}]", one)
    else:
        _small(path, value)
