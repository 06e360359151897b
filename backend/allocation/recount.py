"""The checker's own mathematics, no code of the engine: a waterfall and a step recomputed with fractions.

Written for reading rather than for speed; it must be able to contradict kernel.py, rules.py and tiers.py.
"""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

Row = dict[str, Any]


class Column(NamedTuple):
    """One person in x = min(high, max(low, theta*weight - before)); `high` None means no bound."""

    id: str
    weight: int
    before: int
    low: int
    high: int | None


class Shared(NamedTuple):
    """Exact shares in minor units, the theta to publish, who was held at a bound, and whether floors were levelled."""

    exact: dict[str, Fraction]
    theta: Fraction | None
    low: list[str]
    high: list[str]
    floors_missed: bool = False


def shared(rule: str, amount: int, persons: Sequence[Row]) -> Shared:
    """Exact shares of `amount` by a rule; persons are rows of a trace, whose results are not read."""
    columns = [_column(rule, person) for person in persons]
    if sum(column.low for column in columns) > amount:
        floors = [Column(column.id, int(column.low > 0), 0, 0, column.low) for column in columns]
        return _solve(Fraction(amount), floors)._replace(floors_missed=True)
    if rule != "claims_talmud":
        return _solve(Fraction(amount), columns)
    claims = {person["id"]: person["claim"] for person in persons}
    halves, losses, half_sum = [], [], 0
    for column in columns:
        low, high = 2 * column.low, 2 * (column.high or 0)
        half = max(low, min(high, claims[column.id]))
        half_sum += half
        halves.append(Column(column.id, column.weight, 0, low, half))
        losses.append(Column(column.id, column.weight, -2 * claims[column.id], half, high))
    found = _solve(Fraction(2 * amount), halves if 2 * amount <= half_sum else losses)
    theta = None if found.theta is None else found.theta / 2
    return found._replace(exact={name: share / 2 for name, share in found.exact.items()}, theta=theta)


def rounded(exact: Mapping[str, tuple[Fraction, int]], seed: str) -> dict[str, Row]:
    """Largest remainder over {id: (share, entitlement)}: every tie is ordered, and hashed where the last cent stops."""
    total = sum((share for share, _ in exact.values()), Fraction(0))
    if total.denominator != 1:
        raise ValueError(f"the exact shares add up to {total}, which is not a whole number of cents")
    rows: dict[str, Row] = {
        name: {"base": share.__floor__(), "remainder_rank": None, "tie_hash": None, "extra_cent": 0}
        for name, (share, _) in exact.items()
    }
    missing = int(total) - sum(row["base"] for row in rows.values())
    groups: dict[tuple[Fraction, int], list[str]] = {}
    for name, (share, entitlement) in exact.items():
        if share.denominator != 1:
            groups.setdefault((share - rows[name]["base"], entitlement), []).append(name)
    rank = 1
    for key in sorted(groups, reverse=True):
        names = groups[key]
        by_hash = 0 < missing < len(names)
        hashes = {name: hashlib.sha256(f"{seed}|{name}".encode()).hexdigest() for name in names} if by_hash else {}
        for place, name in enumerate(sorted(names, key=lambda name: hashes.get(name, ""))):
            rows[name]["remainder_rank"] = rank + place if by_hash else rank
            rows[name]["tie_hash"] = hashes.get(name)
            rows[name]["extra_cent"] = int(place < missing)
        missing -= min(missing, len(names))
        rank += len(names)
    return rows


def parts(amount: int, shares: Mapping[str, int], seed: str) -> dict[str, int]:
    """`amount` minor units over whole shares by largest remainder; nothing over nothing is nothing."""
    whole = sum(shares.values())
    if not whole and amount:
        raise ValueError(f"{amount} cents to divide and nothing to divide them by")
    exact = {name: (Fraction(amount * share, whole or 1), share) for name, share in shares.items()}
    return {name: row["base"] + row["extra_cent"] for name, row in rounded(exact, seed).items()}


def entitlement(rule: str, person: Row) -> int:
    """What breaks a tie between equal remainders: 1, the weight, or the claim."""
    if rule == "equal":
        return 1
    return int(person["weight"] if rule in ("weighted", "catch_up") else person["claim"])


def before_sharing(charter: Row, purse: Row, closed: Sequence[str]) -> list[Row]:
    """The rows of the waterfall of the general purse; a shortage cuts the reserve, then the last edges."""
    receipts = purse.get("receipts", [])
    payments = [each for each in receipts if each["kind"] == "payment.received"]
    gross = sum(each["gross"] for each in payments)
    fees: Row = {"step": "fees", "amount": sum(each.get("fees", 0) for each in payments)}
    if gross > 0 and Fraction(fees["amount"] * 10_000, gross).denominator == 1:
        fees["rate_bp"] = fees["amount"] * 10_000 // gross
    received = sum(each["gross"] - each.get("fees", 0) for each in receipts if each["kind"] == "upstream.received")
    base = max(0, sum(each["gross"] - each.get("fees", 0) for each in receipts))
    rows: list[Row] = [
        {"step": "receipts", "amount": gross, "count": sum(each.get("count", 0) for each in payments)},
        fees,
        {"step": "upstream_in", "amount": received},
        {"step": "base", "amount": base},
    ]
    left, cut = purse["held"], 0
    for edge in sorted(charter.get("upstream", []), key=lambda edge: str(edge["to"])):
        wanted = int(Fraction(base * edge["bp"], 10_000))
        wanted = 0 if wanted < charter.get("min_edge", 100) or edge["to"] in closed else wanted
        amount = min(wanted, left)
        left, cut = left - amount, cut + wanted - amount
        row = {"step": "upstream", "to": edge["to"], "base": base, "rate_bp": edge["bp"], "amount": amount}
        rows.append(row | ({"closed": True} if edge["to"] in closed else {}))
    keeps = {"bp": 0, "target": None, **charter.get("reserve", {})}
    balance = purse.get("reserve", 0)
    wanted = int(Fraction(base * keeps["bp"], 10_000))
    if keeps["target"] is not None:
        wanted = min(wanted, max(0, keeps["target"] - balance))
    amount = min(wanted, left)
    left, cut = left - amount, cut + wanted - amount
    row = {"step": "reserve", "base": base, "rate_bp": keeps["bp"], "amount": amount}
    rows.append({**row, "target": keeps["target"], "balance": balance})
    rows += [{"step": "cut", "amount": cut}] if cut else []
    return [*rows, {"step": "carried", "amount": purse["held"] - base}, {"step": "to_share", "amount": left}]


def _column(rule: str, person: Row) -> Column:
    claim, weight, before = person["claim"], person["weight"], 0
    high = person["ceiling"]
    if rule.startswith("claims_"):
        high = claim if high is None else min(high, claim)
        weight = claim if rule == "claims_pro" else int(claim > 0)
        before = -claim if rule == "claims_cel" else 0
    elif rule == "equal":
        weight = 1
    elif rule == "catch_up":
        before = person["counted"]
    low = person["floor"] if high is None else min(person["floor"], high)
    return Column(person["id"], weight, before, low, high)


def _solve(amount: Fraction, columns: Sequence[Column]) -> Shared:
    """Raise theta from where everyone is at the low bound, past each point where somebody meets a bound."""
    active = [column for column in columns if column.weight]
    exact = {column.id: Fraction(column.low) for column in columns}
    if not active:
        return Shared(exact, None, [], [])
    room = amount - sum(column.low for column in columns if not column.weight)
    theta = _meeting(room, active)
    for column in active:
        wanted = theta * column.weight - column.before
        share = max(Fraction(column.low), wanted)
        exact[column.id] = share if column.high is None else min(Fraction(column.high), share)
    published = _published(active, exact)
    low = [column.id for column in active if published * column.weight - column.before < column.low]
    high = [
        column.id
        for column in active
        if column.high is not None and published * column.weight - column.before > column.high
    ]
    return Shared(exact, published, low, high)


def _meeting(room: Fraction, active: Sequence[Column]) -> Fraction:
    """A theta at which the bounded shares add up to the room, or the one at which everyone is at the high bound."""
    events: list[tuple[Fraction, int, Column]] = []
    for column in active:
        events.append((Fraction(column.low + column.before, column.weight), 0, column))
        if column.high is not None:
            events.append((Fraction(column.high + column.before, column.weight), 1, column))
    constant, slope = Fraction(sum(column.low for column in active)), 0
    theta = Fraction(0)
    for theta, leaves, column in sorted(events, key=lambda event: event[:2]):
        if constant + slope * theta >= room:
            return (room - constant) / slope if slope else theta
        if leaves:
            constant += (column.high or 0) + column.before
            slope -= column.weight
        else:
            constant -= column.low + column.before
            slope += column.weight
    return (room - constant) / slope if slope else theta


def _published(active: Sequence[Column], exact: Mapping[str, Fraction]) -> Fraction:
    """Theta as told: from whoever is between her bounds, else where the last met her ceiling, else leaves the floor."""
    raised = []
    for column in active:
        point = (exact[column.id] + column.before) / column.weight
        if exact[column.id] > column.low:
            if column.high is None or exact[column.id] < column.high:
                return point
            raised.append(point)
    return max(raised) if raised else min((exact[column.id] + column.before) / column.weight for column in active)
