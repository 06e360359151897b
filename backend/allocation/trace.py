"""The trace of a distribution: the object that is stored and published, rebuilt and checked from itself alone.

`rebuild` and `verify` do not call the kernel: they are a second, simpler computation that can contradict it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, NoReturn

from backend.allocation.kernel import AllocationError
from backend.allocation.rules import Distribution, Share

ENGINE = "tronc-allocation/1"
_OWN_KEYS = frozenset({"engine", "steps", "totals", "result_sha256"})


class TraceMismatch(AllocationError):
    """The trace contradicts itself; the text says where."""


class BadContext(AllocationError):
    """What was to be stored beside the computation is not plain JSON without fractions, or takes a reserved name."""


def trace(
    distribution: Distribution, *, step: str = "general", context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The JSON-ready trace of a distribution: ids, integers and texts only; rationals as [numerator, denominator].

    Args: step: the id of this step in the closing. context: what the caller freezes beside it (charter, pot, period,
    snapshot_sha256, currency…), plain JSON; it is covered by the digest.
    Returns: {engine, …context, steps: [one], totals, result_sha256}.
    Raises: BadContext.
    """
    extra = dict(context or {})
    taken = sorted(_OWN_KEYS & extra.keys())
    if taken:
        raise BadContext(f"The context must not use the names of the trace itself: rename {', '.join(taken)}.")
    shared = sum(share.cents for share in distribution.shares)
    result: dict[str, Any] = {
        "engine": ENGINE,
        **extra,
        "steps": [
            {
                "id": step,
                "rule": distribution.rule,
                "seed": distribution.seed,
                "in": distribution.amount,
                "theta": list(distribution.theta) if distribution.theta else None,
                "frozen_low": list(distribution.frozen_low),
                "frozen_high": list(distribution.frozen_high),
                "unspent": distribution.unspent,
                "missing_cents": distribution.missing_cents,
                "flags": list(distribution.flags),
                "persons": [_person(share) for share in distribution.shares],
            }
        ],
        "totals": {
            "sources": {"in": distribution.amount},
            "uses": {"shares": shared, "unspent": distribution.unspent},
        },
    }
    try:
        same = json.loads(canonical_json(result), parse_float=_refuse_fraction) == result
    except (TypeError, ValueError) as error:
        raise BadContext(f"The context must be plain JSON with whole numbers only: {error}") from error
    if not same:
        raise BadContext("The context must come back unchanged from JSON: use text keys and lists only.")
    return {**result, "result_sha256": digest(result)}


def canonical_json(value: object) -> str:
    """The one text of a JSON value: keys sorted, no spaces, nothing escaped that need not be."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of a trace without its own `result_sha256`."""
    bare = {key: item for key, item in value.items() if key != "result_sha256"}
    return hashlib.sha256(canonical_json(bare).encode()).hexdigest()


def rebuild(value: Mapping[str, Any]) -> dict[str, int]:
    """Recompute every person's minor units from a trace alone: from `exact`, `claim`, `weight` and the seed.

    Returns: {person id: minor units}, all steps added. Raises: TraceMismatch when the exact shares do not add up,
    or when the trace is malformed.
    """
    cents: dict[str, int] = {}
    with _reading():
        for step in value["steps"]:
            for person, rounded in _rebuild_step(step).items():
                cents[person] = cents.get(person, 0) + rounded["cents"]
    return cents


def verify(value: Mapping[str, Any]) -> bool:
    """Check everything a trace says against its inputs (amount, lines, rule, seed).

    Returns: True. Raises: TraceMismatch naming the first thing that does not follow, or that is missing.
    """
    with _reading():
        _same("engine", value["engine"], ENGINE)
        (step,) = value["steps"]
        _verify_step("steps[0]", step)
        shared = sum(person["cents"] for person in step["persons"])
        totals = {"sources": {"in": step["in"]}, "uses": {"shares": shared, "unspent": step["unspent"]}}
        _same("totals", value["totals"], totals)
        _same("result_sha256", value["result_sha256"], digest(value))
    return True


@contextmanager
def _reading() -> Iterator[None]:
    """A trace comes from outside: whatever is missing or of another type is one clear refusal."""
    try:
        yield
    except TraceMismatch:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise TraceMismatch(f"The trace is incomplete or malformed: {error!r}.") from error


def _person(share: Share) -> dict[str, Any]:
    return {
        "id": share.person,
        "lines": [{"contribution": line.id, "claim": line.claim} for line in share.lines],
        "weight": share.weight,
        "already": share.already,
        "floor": share.floor,
        "ceiling": share.ceiling,
        "claim": share.claim,
        "exact": list(share.exact),
        "base": share.base,
        "remainder_rank": share.remainder_rank,
        "tie_hash": share.tie_hash,
        "extra_cent": share.extra_cent,
        "cents": share.cents,
        "per_line_cents": list(share.per_line_cents),
    }


def _refuse_fraction(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a whole number")


def _same(where: str, stated: object, computed: object) -> None:
    # Compared as texts: for Python 1 equals 1.0 and True, for the digest they differ. Plain integers are the bulk.
    if type(stated) is int and type(computed) is int and stated == computed:
        return
    if canonical_json(stated) != canonical_json(computed):
        raise TraceMismatch(f"{where}: the trace says {stated!r}, the computation gives {computed!r}.")


def _entitlement(person: Mapping[str, Any]) -> int:
    entitlement: int = person["weight"] if person["claim"] is None else person["claim"]
    return entitlement


def _hash(seed: str, identifier: str) -> str:
    return hashlib.sha256(f"{seed}|{identifier}".encode()).hexdigest()


def _rebuild_step(step: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    exact = {person["id"]: (Fraction(*person["exact"]), _entitlement(person)) for person in step["persons"]}
    return _round(exact, step["seed"])


def _round(exact: Mapping[str, tuple[Fraction, int]], seed: str) -> dict[str, dict[str, Any]]:
    """Largest remainder, written for reading rather than for speed: every tie is hashed and ordered."""
    total = sum((share for share, _ in exact.values()), Fraction(0))
    if total.denominator != 1:
        raise TraceMismatch(f"The exact shares add up to {total}, which is not a whole number of cents.")
    rounded: dict[str, dict[str, Any]] = {
        name: {"base": share.__floor__(), "remainder_rank": None, "tie_hash": None, "extra_cent": 0}
        for name, (share, _) in exact.items()
    }
    missing = int(total) - sum(line["base"] for line in rounded.values())
    groups: dict[tuple[Fraction, int], list[str]] = {}
    for name, (share, entitlement) in exact.items():
        remainder = share - rounded[name]["base"]
        if remainder:
            groups.setdefault((remainder, entitlement), []).append(name)

    rank = 1
    for key in sorted(groups, reverse=True):
        names = sorted(groups[key], key=lambda name: _hash(seed, name))
        decided_by_hash = 0 < missing < len(names)
        for place, name in enumerate(names):
            rounded[name]["remainder_rank"] = rank + place if decided_by_hash else rank
            rounded[name]["tie_hash"] = _hash(seed, name) if decided_by_hash else None
            rounded[name]["extra_cent"] = int(place < missing)
        missing -= min(missing, len(names))
        rank += len(names)
    for line in rounded.values():
        line["cents"] = line["base"] + line["extra_cent"]
    return rounded


def _verify_step(where: str, step: Mapping[str, Any]) -> None:
    persons: Sequence[Mapping[str, Any]] = step["persons"]
    identifiers = [person["id"] for person in persons]
    _same(f"{where}.persons, in order of id and once each", identifiers, sorted(set(identifiers)))
    contributions = [line["contribution"] for person in persons for line in person["lines"]]
    if len(set(contributions)) != len(contributions):
        raise TraceMismatch(f"{where}: a contribution appears twice.")
    for person in persons:
        _verify_inputs(f"{where}.{person['id']}", step["rule"], person)
    _verify_theta(where, step)
    _verify_exact(where, step)
    rounded = _rebuild_step(step)
    for person in persons:
        name = f"{where}.{person['id']}"
        for field, computed in rounded[person["id"]].items():
            _same(f"{name}.{field}", person[field], computed)
        _verify_lines(name, step["seed"], person)
    _same(f"{where}.missing_cents", step["missing_cents"], sum(person["extra_cent"] for person in persons))


def _verify_inputs(where: str, rule: str, person: Mapping[str, Any]) -> None:
    """What the kernel was given must be what the rule of that name gives it."""
    if rule != "claims_pro":
        raise TraceMismatch(f"{where}: this version cannot check the rule {rule!r}.")
    claim = sum(line["claim"] for line in person["lines"])
    if any(type(line["claim"]) is not int or line["claim"] < 0 for line in person["lines"]):
        raise TraceMismatch(f"{where}: a claim is not a whole number of zero or more.")
    expected = {"claim": claim, "weight": claim, "ceiling": claim, "floor": 0, "already": 0}
    for field, computed in expected.items():
        _same(f"{where}.{field}", person[field], computed)


def _verify_theta(where: str, step: Mapping[str, Any]) -> None:
    """For claims_pro theta has a closed form, the part of each claim that is met: min(1, amount / claims)."""
    claims = sum(person["claim"] for person in step["persons"])
    if type(step["in"]) is not int or step["in"] < 0:
        raise TraceMismatch(f"{where}.in is not a whole number of zero or more.")
    theta = min(Fraction(1), Fraction(step["in"], claims)) if claims else None
    _same(f"{where}.theta", step["theta"], [theta.numerator, theta.denominator] if theta is not None else None)


def _verify_exact(where: str, step: Mapping[str, Any]) -> None:
    """The exact shares follow from theta and the bounds, and what they do not take is unspent."""
    low: list[str] = []
    high: list[str] = []
    shares = Fraction(0)
    theta = Fraction(*step["theta"]) if step["theta"] else Fraction(0)
    for person in step["persons"]:
        wanted = theta * person["weight"] - person["already"]
        share = max(Fraction(person["floor"]), wanted) if person["weight"] else Fraction(person["floor"])
        if person["weight"] and wanted < person["floor"]:
            low.append(person["id"])
        if person["ceiling"] is not None and share > person["ceiling"]:
            high.append(person["id"])
            share = Fraction(person["ceiling"])
        _same(f"{where}.{person['id']}.exact", person["exact"], [share.numerator, share.denominator])
        shares += share
    _same(f"{where}.frozen_low", step["frozen_low"], low)
    _same(f"{where}.frozen_high", step["frozen_high"], high)
    _same(f"{where}.flags", step["flags"], [])
    _same(f"{where}.unspent", step["unspent"], step["in"] - int(shares))


def _verify_lines(where: str, seed: str, person: Mapping[str, Any]) -> None:
    names = [line["contribution"] for line in person["lines"]]
    _same(f"{where}.lines, in order of id", names, sorted(names))
    claim = sum(line["claim"] for line in person["lines"])
    exact = {
        line["contribution"]: (Fraction(person["cents"] * line["claim"], claim or 1), line["claim"])
        for line in person["lines"]
    }
    rounded = _round(exact, f"{seed}|{person['id']}")
    _same(f"{where}.per_line_cents", person["per_line_cents"], [rounded[name]["cents"] for name in names])
