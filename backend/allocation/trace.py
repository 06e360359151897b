"""The trace of a closing: the JSON object that is stored and published, and the one text and digest it has."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any, NoReturn

from backend.allocation.inputs import Inputs
from backend.allocation.kernel import AllocationError
from backend.allocation.terms import Terms
from backend.allocation.tiers import Step, StepLine
from backend.allocation.waterfall import Waterfall

ENGINE = "tronc-allocation/2"
RESERVED = frozenset(
    {"engine", "inputs", "waterfall", "steps", "moves", "purses", "persons", "settle", "arbitration", "totals"}
    | {"pot", "period", "seed", "snapshot_sha256", "result_sha256"}
)


class TraceMismatch(AllocationError):
    """The trace contradicts itself; `param` and the text say where."""


def canonical_json(value: object) -> str:
    """The one text of a JSON value: keys sorted, no spaces, nothing escaped that need not be."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(value: object) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest(value: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of a trace without its own `result_sha256`."""
    return sha256({key: item for key, item in value.items() if key != "result_sha256"})


def waterfall_rows(found: Waterfall, terms: Terms, frozen: Inputs, released: int) -> list[dict[str, Any]]:
    """The steps before the rules, minor units; `released` came from envelopes.

    base − upstream − reserve + carried + released = to_share, unless the purse lacked money (then `cut` says how much).
    The host's rate is stated when it is exactly one number of basis points.
    """
    fees: dict[str, Any] = {"step": "fees", "amount": found.fees}
    if found.gross > 0 and found.fees * 10_000 % found.gross == 0:
        fees["rate_bp"] = found.fees * 10_000 // found.gross
    rows: list[dict[str, Any]] = [
        {"step": "receipts", "amount": found.gross, "count": found.count},
        fees,
        {"step": "upstream_in", "amount": found.upstream_in},
        {"step": "base", "amount": found.base},
    ]
    for target, bp, amount in found.flows:
        edge = {"step": "upstream", "to": target, "base": found.base, "rate_bp": bp, "amount": amount}
        rows.append({**edge, "closed": True} if target in frozen.closed_targets else edge)
    kept = {"step": "reserve", "base": found.base, "rate_bp": terms.reserve.bp, "amount": found.reserve}
    rows.append({**kept, "target": terms.reserve.target, "balance": frozen.purses[0].reserve})
    if found.cut:
        rows.append({"step": "cut", "amount": found.cut})
    rows.append({"step": "carried", "amount": found.carried})
    if released:
        rows.append({"step": "released", "amount": released})
    rows.append({"step": "to_share", "amount": found.to_share + released})
    return rows


def step_row(step: Step) -> dict[str, Any]:
    """One step with every person, amounts in minor units, rationals as [numerator, denominator] in lowest terms."""
    result = step.result
    rounding = result.rounding()
    persons = []
    for index, one in enumerate(step.people):
        shrink = gcd(result.numerators[index], result.denominator)
        base, extra, rank, tie = rounding[index]
        persons.append(
            {
                "id": one.person.id,
                "lines": [_line_row(line) for line in one.lines],
                "weight": one.person.weight,
                "claim": one.person.claim,
                "counted": one.person.counted,
                "floor": one.person.floor,
                "ceiling": one.person.ceiling,
                "ceiling_reason": one.ceiling_reason,
                "rank": one.person.rank,
                "exact": [result.numerators[index] // shrink, result.denominator // shrink],
                "base": base,
                "remainder_rank": rank,
                "tie_hash": tie,
                "extra_cent": extra,
                "cents": result.cents[index],
                "per_line_cents": list(step.per_line[index]),
            }
        )
    return {
        "id": step.place.id,
        "seed": step.place.seed,
        "rule": step.rule,
        "purse": step.place.purse,
        "tier": step.place.tier.id,
        "in": step.amount,
        "theta": list(result.theta) if result.theta else None,
        "unit": step.unit,
        "frozen_low": list(result.frozen_low),
        "frozen_high": list(result.frozen_high),
        "unspent": result.unspent,
        "missing_cents": sum(one["extra_cent"] for one in persons),
        "flags": list(result.flags),
        "persons": persons,
    }


def totals(purses: Sequence[Mapping[str, int]], moves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sources and uses of the whole pot, minor units; they are equal."""
    moved = {kind: sum(move["amount"] for move in moves if move["kind"] == kind) for kind in ("upstream", "reserve")}
    shares, left = sum(purse["shared"] for purse in purses), sum(purse["left"] for purse in purses)
    return {
        "sources": {"held": sum(purse["held"] for purse in purses)},
        "uses": {"shares": shares, "upstream": moved["upstream"], "reserve": moved["reserve"], "left": left},
    }


def plain(value: Any, what: str) -> Any:
    """The value, refused unless it is JSON without fractions that comes back unchanged: it will be hashed as a text.

    Raises AllocationError not_json, `param` = `what` it is.
    """
    try:
        text = canonical_json(value)
        text.encode()  # as the digest will
        same = json.loads(text, parse_float=_refuse_fraction) == value
    except (TypeError, ValueError, RecursionError) as error:
        raise AllocationError("not_json", f"The {what} must be plain JSON: {error}", what) from error
    if not same:
        raise AllocationError("not_json", f"The {what} must come back from JSON unchanged: text keys and lists.", what)
    return value


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """The trace with its digest."""
    return {**value, "result_sha256": digest(value)}


def _refuse_fraction(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a whole number")


def _line_row(line: StepLine) -> dict[str, Any]:
    return {
        "contribution": line.contribution,
        "kind": line.kind,
        "declared": line.declared,
        "validated": line.validated,
        "validators": line.validators,
        "coef": line.coef,
        "decay": line.decay,
        "claim": line.claim,
        "rank": line.rank,
        "weight": line.weight,
    }
