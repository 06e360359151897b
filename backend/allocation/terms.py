"""The part of a charter that decides amounts, read from its document with the defaults applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.allocation.kernel import AllocationError
from backend.allocation.reading import Reader
from backend.allocation.rules import RULES

FORMAT = 1
BP = 10_000  # basis points in a whole
MOST_UPSTREAM_BP = 5_000
THOUSANDTHS = 1_000
PPM = 1_000_000
WEIGHT_RULES = ("equal", "weighted", "catch_up")
EARMARK_WEIGHTS = ("add", "offset", "exclude")
LEFTOVERS = ("hold", "release")


@dataclass(frozen=True, slots=True)
class Take:
    """What a tier takes of a purse: the rest, fixed cents, or basis points of the whole purse or of what is left."""

    kind: str  # "rest", "cents", "whole" or "left"
    quantity: int = 0

    def of(self, whole: int, left: int) -> int:
        """Minor units taken from a purse that had `whole` and has `left`; never more than what is left."""
        if self.kind == "rest":
            return left
        if self.kind == "cents":
            return min(self.quantity, left)
        return min((whole if self.kind == "whole" else left) * self.quantity // BP, left)


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier: its rule, the kinds of work it looks at (None for all), what it takes, whether it reimburses."""

    id: str
    rule: str
    kinds: frozenset[str] | None
    take: Take
    reimburses: bool

    @property
    def by_weights(self) -> bool:
        """Whether the rule reads validated work rather than requested amounts."""
        return self.rule in WEIGHT_RULES


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a person's total in a closing: minor units, basis points of the pot, minor units an hour."""

    floor: int
    ceiling: int | None
    ceiling_bp: int | None
    hourly_cap: int | None


@dataclass(frozen=True, slots=True)
class Reserve:
    """Basis points of the base kept each time, until the reserve holds `target` minor units (None: always)."""

    bp: int
    target: int | None


@dataclass(frozen=True, slots=True)
class Upstream:
    """Basis points of the base that go to another pot."""

    to: str
    bp: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What the computation reads of a charter. `kinds` None means that every kind counts once."""

    tiers: tuple[Tier, ...]
    kinds: Mapping[str, int] | None
    decay_ppm: tuple[int, ...]
    bounds: Bounds
    cut_claims_at_pot: bool
    reserve: Reserve
    upstream: tuple[Upstream, ...]
    min_edge: int
    earmark_weights: str
    leftover: str
    minimum_payout: int

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Terms":
        """Read a charter document, format 1; absent keys take their default.

        Returns the terms; edges are sorted by target, so that their order in the document changes nothing.
        Raises AllocationError with `param` = the JSON path of the first value that cannot be computed with.
        """
        top = Reader(document, "")
        top.at("format", FORMAT).whole(FORMAT, FORMAT)
        bounds, reserve, earmarks = top.at("bounds", {}), top.at("reserve", {}), top.at("earmarks", {})
        return cls(
            tiers=_tiers(top.at("tiers", [{"id": "general", "rule": "claims_pro"}])),
            kinds=_kinds(top.at("kinds", None)),
            decay_ppm=_decay(top.at("decay_ppm", [PPM])),
            bounds=Bounds(
                bounds.at("floor", 0).whole(),
                bounds.at("ceiling", None).whole_or_none(),
                bounds.at("ceiling_bp", None).whole_or_none(BP),
                bounds.at("hourly_cap", None).whole_or_none(),
            ),
            cut_claims_at_pot=top.at("cut_claims_at_pot", False).flag(),
            reserve=Reserve(reserve.at("bp", 0).whole(most=BP), reserve.at("target", None).whole_or_none()),
            upstream=_upstream(top.at("upstream", [])),
            min_edge=top.at("min_edge", 100).whole(),
            earmark_weights=earmarks.at("weights", "add").one_of(EARMARK_WEIGHTS),
            leftover=earmarks.at("leftover", "hold").one_of(LEFTOVERS),
            minimum_payout=top.at("minimum_payout", 0).whole(),
        )

    def coefficient(self, kind: str) -> int:
        """Thousandths that an hour of this kind counts; 0 for a kind that the charter does not list."""
        return THOUSANDTHS if self.kinds is None else self.kinds.get(kind, 0)

    def decay(self, age: int) -> int:
        """Millionths that work of this age in periods still counts. A table of one entry means no decay at all."""
        if age < len(self.decay_ppm):
            return self.decay_ppm[age]
        return self.decay_ppm[0] if len(self.decay_ppm) == 1 else 0

    def reads_history(self, tier: Tier) -> bool:
        """Whether the work of earlier periods counts in this tier."""
        return tier.rule == "catch_up" or (tier.rule == "weighted" and len(self.decay_ppm) > 1)

    def is_reimbursed(self, kind: str) -> bool:
        """Whether some tier reimburses this kind: such a request is no sign of work."""
        return any(tier.reimburses and (tier.kinds is None or kind in tier.kinds) for tier in self.tiers)

    def last_by_weights(self) -> Tier | None:
        """The tier in which earmarked pay is offset: the last that shares by weights, so that it counts once."""
        found = [tier for tier in self.tiers if tier.by_weights and not tier.reimburses]
        return found[-1] if found else None


def reads_claims(tiers: Sequence[Mapping[str, Any]], kind: str) -> bool:
    """Whether some tier of a document tries to meet amounts asked for this kind of work; else they do not count."""
    return any(
        RULES[tier["rule"]].tie == "claim" and (tier.get("kinds") is None or kind in tier["kinds"]) for tier in tiers
    )


def _tiers(value: Reader) -> tuple[Tier, ...]:
    tiers = []
    seen: set[str] = set()
    for item in value.items():
        identifier = item.at("id").text()
        item.at("id").once(identifier, seen)
        kinds = item.at("kinds", None)
        tiers.append(
            Tier(
                identifier,
                item.at("rule").one_of(tuple(sorted(RULES))),
                None if kinds.value is None else frozenset(kind.text() for kind in kinds.items()),
                read_take(item.at("take", {"rest": True})),
                item.at("reimburses", False).flag(),
            )
        )
    if not tiers:
        raise AllocationError("no_tier", f"{value.path} must have at least one tier.", value.path)
    return tuple(tiers)


def read_take(value: Reader) -> Take:
    """A take as a charter writes it. Raises AllocationError on what is none of the four forms."""
    keys = sorted(key for key, _ in value.entries())
    if keys == ["rest"]:
        if not value.at("rest").flag():
            raise AllocationError("unknown_choice", f"{value.path}.rest must be true.", f"{value.path}.rest")
        return Take("rest")
    if keys == ["cents"]:
        return Take("cents", value.at("cents").whole())
    if keys == ["bp", "of"]:
        return Take(value.at("of").one_of(("whole", "left")), value.at("bp").whole(most=BP))
    message = f'{value.path} must be {{"rest": true}}, {{"cents": n}} or {{"bp": n, "of": "whole" or "left"}}.'
    raise AllocationError("unknown_choice", message, value.path)


def _kinds(value: Reader) -> Mapping[str, int] | None:
    return None if value.value is None else {kind: thousandths.whole() for kind, thousandths in value.entries()}


def _decay(value: Reader) -> tuple[int, ...]:
    table = tuple(entry.whole(most=PPM) for entry in value.items())
    if not table:
        raise AllocationError("no_decay", f"{value.path} must have at least one entry.", value.path)
    return table


def _upstream(value: Reader) -> tuple[Upstream, ...]:
    seen: set[str] = set()
    edges = []
    for item in value.items():
        edge = Upstream(item.at("to").text(), item.at("bp").whole(most=MOST_UPSTREAM_BP))
        item.at("to").once(edge.to, seen)
        edges.append(edge)
    if sum(edge.bp for edge in edges) > MOST_UPSTREAM_BP:
        message = f"{value.path} must not give more than {MOST_UPSTREAM_BP} basis points in all."
        raise AllocationError("too_large", message, value.path)
    return tuple(sorted(edges, key=lambda edge: edge.to))
