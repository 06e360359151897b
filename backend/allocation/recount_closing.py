"""A whole closing recomputed by the checker: from the charter's document and the inputs that a trace carries."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from backend.allocation import recount
from backend.allocation.recount import Row
from backend.allocation.trace import ENGINE, TraceMismatch, sha256

BY_WEIGHTS = ("equal", "weighted", "catch_up")


class Recount:
    """The closing recomputed; amounts given so far are kept by (person, group), by line, and by (purse, person)."""

    def __init__(self, trace: Mapping[str, Any]) -> None:
        self.trace = trace
        self.charter: Row = trace["charter"]["document"]
        self.inputs: Row = trace["inputs"]
        self.seed = f"{trace['pot']}|{trace['period']}"
        self.tiers = [_tier(tier) for tier in self.charter.get("tiers", [{"id": "general", "rule": "claims_pro"}])]
        self.purses = {purse["id"]: purse for purse in self.inputs["purses"]}
        self.general = self.inputs["purses"][0]["id"]
        if self.inputs["purses"][0].get("parent") is not None:
            raise ValueError("the first purse is not the general one")
        self.lines = sorted(self.inputs.get("lines", []), key=lambda line: line["contribution"])
        self.earmarks = {"weights": "add", "leftover": "hold", **self.charter.get("earmarks", {})}
        self.paid_groups: dict[tuple[str, str], int] = {}
        self.paid_lines: dict[tuple[str, str], int] = {}
        self.bounded: dict[tuple[str, str], int] = {}
        self.before: dict[str, int] = {}
        self.minutes: dict[str, int] = {}
        for line in self.lines:
            self.minutes[line["person"]] = self.minutes.get(line["person"], 0) + line.get("validated", 0)
        self.parts: dict[tuple[str, str], dict[str, int]] = {}
        self.moves: list[Row] = []
        self.books: dict[str, Row] = {
            name: {"id": name, "held": purse["held"], "shared": 0, "moved_out": 0, "moved_in": 0, "left": 0}
            for name, purse in self.purses.items()
        }

    def expected(self) -> Row:
        """The trace as it must be, without its digest and without what the caller stored beside."""
        falls = recount.before_sharing(self.charter, self.purses[self.general], self.inputs.get("closed_targets", []))
        for row in falls:
            if row["step"] in ("upstream", "reserve"):
                self._move(row["step"], self.general, row.get("to", self.general), row["amount"])
        self.whole = falls[-1]["amount"] + sum(
            purse["held"] for name, purse in self.purses.items() if name != self.general
        )
        steps: list[Row] = []
        for purse in self._leaves_first(self.general):
            steps += self._purse(purse)
        released = self.books[self.general]["moved_in"]
        if released:
            falls.insert(-1, {"step": "released", "amount": released})
            falls[-1]["amount"] += released
        persons, arbitration = self._persons(steps)
        moved = {"upstream": 0, "reserve": 0, "release": 0}
        for move in self.moves:
            moved[move["kind"]] += move["amount"]
        books = list(self.books.values())
        uses = {"shares": sum(book["shared"] for book in books), "upstream": moved["upstream"]}
        return {
            "engine": ENGINE,
            "snapshot_sha256": sha256(self.inputs),
            "seed": self.seed,
            "charter": {**self.trace["charter"], "sha256": sha256(self.charter)},
            "waterfall": falls,
            "steps": steps,
            "moves": self.moves,
            "purses": books,
            "persons": persons,
            "settle": self._settle(persons),
            "arbitration": arbitration,
            "totals": {
                "sources": {"held": sum(book["held"] for book in books)},
                "uses": {**uses, "reserve": moved["reserve"], "left": sum(book["left"] for book in books)},
            },
        }

    def _move(self, kind: str, source: str, target: str, amount: int) -> None:
        if amount:
            self.moves.append({"kind": kind, "from": source, "to": target, "amount": amount})
            self.books[source]["moved_out"] += amount

    def _inside(self, purse: str) -> list[str]:
        inner = [name for name, other in self.purses.items() if other.get("parent") == purse]
        return [purse, *(name for child in inner for name in self._inside(child))]

    def _leaves_first(self, purse: str) -> list[str]:
        inner = sorted(name for name, other in self.purses.items() if other.get("parent") == purse)
        return [*(name for child in inner for name in self._leaves_first(child)), purse]

    def _purse(self, purse: str) -> list[Row]:
        book = self.books[purse]
        whole = left = book["held"] + book["moved_in"] - book["moved_out"]
        rows = []
        for tier in self.tiers:
            take = tier["take"]
            amount = left
            if "cents" in take:
                amount = min(left, take["cents"])
            elif "bp" in take:
                amount = min(left, int(Fraction((whole if take["of"] == "whole" else left) * take["bp"], 10_000)))
            rows.append(self._step(purse, tier, amount))
            left -= amount - rows[-1]["unspent"]
        book["shared"], book["left"] = whole - left, left
        if purse != self.general and self.earmarks["leftover"] == "release" and left:
            parent = self.purses[purse]["parent"]
            self._move("release", purse, parent, left)
            self.books[parent]["moved_in"] += left
            book["left"] = 0
        return rows

    def _step(self, purse: str, tier: Row, amount: int) -> Row:
        name = tier["id"] if purse == self.general else f"{purse}/{tier['id']}"
        seed = f"{self.seed}|{name}"
        counted = self._counted(purse, tier)
        catches_up = tier["rule"] in BY_WEIGHTS and any(counted.values())
        rule = "catch_up" if catches_up else tier["rule"]
        persons = []
        for person, lines in sorted(self._work(purse, tier).items()):
            row = self._person(tier, person, self._unpaid(seed, person, lines), amount)
            row["counted"] = counted.get(person, 0)
            if tier["rule"] != "equal" or row["weight"]:
                persons.append(row)
        found = None
        if rule == "as_asked":
            self._in_order(amount, persons)
        else:
            found = recount.shared(rule, amount, persons)
            exact = {row["id"]: (found.exact[row["id"]], recount.entitlement(rule, row)) for row in persons}
            rounding = recount.rounded(exact, seed)
            for row in persons:
                share = found.exact[row["id"]]
                row.update(rounding[row["id"]], exact=[share.numerator, share.denominator])
                row["cents"] = row["base"] + row["extra_cent"]
                row["per_line_cents"] = self._per_line(tier, row, seed)
        theta = found.theta if found else None
        for row in persons:
            self._note(purse, tier, row)
        return {
            "id": name,
            "seed": seed,
            "rule": rule,
            "purse": purse,
            "tier": tier["id"],
            "in": amount,
            "theta": None if theta is None else [theta.numerator, theta.denominator],
            "unit": {"equal": "persons", "weighted": "minutes", "catch_up": "minutes"}.get(tier["rule"], "cents"),
            "frozen_low": found.low if found else [],
            "frozen_high": found.high if found else [],
            "unspent": amount - sum(row["cents"] for row in persons),
            "missing_cents": sum(row["extra_cent"] for row in persons),
            "flags": ["FLOORS_NOT_MET"] if found and found.floors_missed else [],
            "persons": persons,
        }

    def _counted(self, purse: str, tier: Row) -> dict[str, int]:
        """What counts as paid before for a step that catches up."""
        counted: dict[str, int] = {}
        purses: list[str] = []
        if tier["rule"] == "catch_up":
            purses.append(purse)
            counted = dict(self.inputs.get("counted", {})) if purse == self.general else {}
        last = [one["id"] for one in self.tiers if one["rule"] in BY_WEIGHTS and not one["reimburses"]][-1:]
        if self.earmarks["weights"] == "offset" and (tier["rule"] == "catch_up" or [tier["id"]] == last):
            purses += self._inside(purse)[1:]
        for (place, person), cents in self.bounded.items():
            if place in purses:
                counted[person] = counted.get(person, 0) + cents
        return counted

    def _work(self, purse: str, tier: Row) -> dict[str, list[Row]]:
        """The lines that a step looks at, by person; earlier work only in the general purse."""
        alone = self.earmarks["weights"] == "exclude" and tier["rule"] in BY_WEIGHTS
        scope = {purse} if alone else set(self._inside(purse))
        table = self.charter.get("decay_ppm", [1_000_000])
        found: dict[str, list[Row]] = {}
        for line in self.lines:
            if line["purse"] in scope and (tier["kinds"] is None or line["kind"] in tier["kinds"]):
                facts = {"rank": 0, "age": 0, "claim": 0, "declared": 0, "validated": 0, "validators": 0, **line}
                facts["group"] = f"{line['purse']}|{line['kind']}|{facts['age']}"
                found.setdefault(line["person"], []).append(self._weigh(facts, table))
        reads = tier["rule"] == "catch_up" or (tier["rule"] == "weighted" and len(table) > 1)
        past: dict[tuple[str, str, int], int] = {}
        for work in self.inputs.get("history", []) if reads and purse == self.general else []:
            if tier["kinds"] is None or work["kind"] in tier["kinds"]:
                key = (work["person"], work["kind"], work["age"])
                past[key] = past.get(key, 0) + work["minutes"]
        for (person, kind, age), minutes in sorted(past.items()):
            name = f"history:{kind}:{age}"
            facts = {"contribution": name, "group": name, "kind": kind, "age": age, "claim": 0, "rank": 0}
            facts |= {"declared": minutes, "validated": minutes, "validators": 0}
            found.setdefault(person, []).append(self._weigh(facts, table))
        return found

    def _weigh(self, facts: Row, table: Sequence[int]) -> Row:
        kinds, age = self.charter.get("kinds"), facts["age"]
        coef = 1000 if kinds is None else kinds.get(facts["kind"], 0)
        decay = table[age] if age < len(table) else (table[0] if len(table) == 1 else 0)
        return {**facts, "coef": coef, "decay": decay, "weight": facts["validated"] * coef * decay}

    def _unpaid(self, seed: str, person: str, lines: list[Row]) -> list[Row]:
        """The lines with what is left of each claim: reckoned for the group, then by what each line lacks."""
        left: dict[str, int] = {line["contribution"]: line["claim"] for line in lines}
        for group in {line["group"] for line in lines}:
            paid = self.paid_groups.get((person, group), 0)
            if paid:
                own = [line for line in lines if line["group"] == group]
                lacks = {
                    line["contribution"]: max(0, line["claim"] - self.paid_lines.get((person, line["contribution"]), 0))
                    for line in own
                }
                rest = max(0, sum(line["claim"] for line in own) - paid)
                left.update(recount.parts(rest, lacks, f"{seed}|{person}|{group}|unpaid"))
        return [{**line, "asked": line["claim"], "claim": left[line["contribution"]]} for line in lines]

    def _person(self, tier: Row, person: str, lines: list[Row], amount: int) -> Row:
        """The inputs of one row: weight, claim, floor, ceiling and its reason."""
        by_weights = tier["rule"] in BY_WEIGHTS
        weight = sum(line["weight"] for line in lines) if by_weights else 0
        claim = 0 if by_weights else sum(line["claim"] for line in lines)
        if tier["rule"] == "equal":
            weight = int(sum(self._shares(tier, lines).values()) > 0)
        if self.charter.get("cut_claims_at_pot", False) and tier["rule"] != "as_asked":
            claim = min(claim, amount)
        limits: list[tuple[int, str]] = [] if by_weights else [(claim, "claim")]
        floor = 0
        if not tier["reimburses"]:
            bounds = {"floor": 0, "ceiling": None, "ceiling_bp": None, "hourly_cap": None}
            bounds |= self.charter.get("bounds", {})
            before, minutes = self.before.get(person, 0), self.minutes.get(person, 0)
            if bounds["ceiling"] is not None:
                limits.append((max(0, bounds["ceiling"] - before), "fixed"))
            if bounds["ceiling_bp"] is not None:
                limits.append((max(0, int(Fraction(self.whole * bounds["ceiling_bp"], 10_000)) - before), "part"))
            if bounds["hourly_cap"] is not None:
                limits.append((max(0, int(Fraction(bounds["hourly_cap"] * minutes, 60)) - before), "hourly"))
            if (weight or claim) and tier["rule"] != "as_asked":
                floor = max(0, (bounds["floor"] or 0) - before)
        ceiling, reason = None, None
        for limit, why in limits:
            if ceiling is None or limit < ceiling:
                ceiling, reason = limit, why
        return {
            "id": person,
            "lines": lines,
            "weight": weight,
            "claim": claim,
            "floor": floor if ceiling is None else min(floor, ceiling),
            "ceiling": ceiling,
            "ceiling_reason": reason,
            "rank": min(line["rank"] for line in lines),
        }

    def _shares(self, tier: Row, lines: list[Row]) -> dict[str, int]:
        """By what a person's cents go back to her lines."""
        if tier["rule"] not in BY_WEIGHTS:
            return {line["contribution"]: line["claim"] for line in lines}
        if any(line["weight"] for line in lines):
            return {line["contribution"]: line["weight"] for line in lines}
        repaid = [one for one in self.tiers if one["reimburses"]]
        return {
            line["contribution"]: 0
            if any(one["kinds"] is None or line["kind"] in one["kinds"] for one in repaid)
            else line["asked"]
            for line in lines
        }

    def _per_line(self, tier: Row, row: Row, seed: str) -> list[int]:
        shares = self._shares(tier, row["lines"])
        groups: dict[str, list[str]] = {}
        for line in row["lines"]:
            groups.setdefault(line["group"], []).append(line["contribution"])
        sums = {group: sum(shares[name] for name in names) for group, names in groups.items()}
        cents: dict[str, int] = {}
        for group, part in recount.parts(row["cents"], sums, f"{seed}|{row['id']}").items():
            inside = {name: shares[name] for name in groups[group]}
            cents |= recount.parts(part, inside, f"{seed}|{row['id']}|{group}")
        return [cents[line["contribution"]] for line in row["lines"]]

    def _in_order(self, amount: int, persons: list[Row]) -> None:
        """as_asked: requests by rank and contribution, each what is left, up to its claim and the person's ceiling."""
        queue = sorted(
            (line["rank"], line["contribution"], index, line["claim"])
            for index, row in enumerate(persons)
            for line in row["lines"]
        )
        given: dict[str, int] = {}
        room = [row["ceiling"] for row in persons]
        for _, name, index, claim in queue:
            given[name] = min(claim, amount, room[index])
            amount -= given[name]
            room[index] -= given[name]
        for row in persons:
            row["per_line_cents"] = [given[line["contribution"]] for line in row["lines"]]
            cents = sum(row["per_line_cents"])
            row |= {"cents": cents, "base": cents, "extra_cent": 0, "exact": [cents, 1]}
            row |= {"remainder_rank": None, "tie_hash": None}

    def _note(self, purse: str, tier: Row, row: Row) -> None:
        """Count what a row gave, then leave in it only what a trace shows."""
        person = row["id"]
        parts = self.parts.setdefault((person, purse), {})
        for line, cents in zip(row["lines"], row["per_line_cents"], strict=True):
            name = line["contribution"]
            self.paid_groups[person, line["group"]] = self.paid_groups.get((person, line["group"]), 0) + cents
            self.paid_lines[person, name] = self.paid_lines.get((person, name), 0) + cents
            parts[name] = parts.get(name, 0) + cents
        if not tier["reimburses"]:
            self.bounded[purse, person] = self.bounded.get((purse, person), 0) + row["cents"]
            self.before[person] = self.before.get(person, 0) + row["cents"]
        shown = ("contribution", "kind", "declared", "validated", "validators", "coef", "decay", "claim", "rank")
        row["lines"] = [{key: line[key] for key in (*shown, "weight")} for line in row["lines"]]

    def _persons(self, steps: Sequence[Row]) -> tuple[list[Row], Row | None]:
        """What holds for each person, and the arbitration with its computed amounts; a meeting's amounts go last."""
        rows: dict[str, Row] = {}
        for line in self.lines:
            row = rows.setdefault(line["person"], {"id": line["person"], "claim": 0, "per_contribution": {}})
            row["claim"] += line.get("claim", 0)
            row["per_contribution"][line["contribution"]] = 0
        amounts: dict[tuple[str, str], int] = {}
        for step in steps:
            for one in step["persons"]:
                rows.setdefault(one["id"], {"id": one["id"], "claim": 0, "per_contribution": {}})
                key = (one["id"], step["purse"])
                amounts[key] = amounts.get(key, 0) + one["cents"]
        arbitration = self._agree(amounts)
        for row in rows.values():
            row |= {"by_purse": {}, "cents": 0}
        for (person, purse), cents in amounts.items():
            rows[person]["cents"] += cents
            if cents:
                rows[person]["by_purse"][purse] = cents
        for (person, _), parts in self.parts.items():
            held = rows[person]["per_contribution"]
            for contribution in held.keys() & parts.keys():
                held[contribution] += parts[contribution]
        return [rows[name] for name in sorted(rows)], arbitration

    def _agree(self, amounts: dict[tuple[str, str], int]) -> Row | None:
        """Put the agreed amounts in place of the computed ones, within what each purse had to share."""
        entered = self.trace["arbitration"]
        if entered is None:
            return None
        changes: list[Row] = []
        for change in sorted(entered["changes"], key=lambda change: (change["person"], change["purse"])):
            key = (change["person"], change["purse"])
            book = self.books[change["purse"]]
            computed, agreed = amounts.get(key, 0), change["agreed"]
            if agreed < 0 or (changes and (changes[-1]["person"], changes[-1]["purse"]) == key):
                raise TraceMismatch("mismatch", "arbitration: an amount is negative or given twice.", "arbitration")
            amounts[key] = agreed
            book["shared"] += agreed - computed
            book["left"] -= agreed - computed
            lines = [line for line in self.lines if line["person"] == change["person"]]
            choices = [
                dict(sorted(self.parts.get(key, {}).items())),
                {line["contribution"]: line.get("claim", 0) for line in lines},
                {line["contribution"]: line.get("validated", 0) for line in lines},
                {line["contribution"]: 1 for line in lines},
            ]
            shares = next((choice for choice in choices if any(choice.values())), {})
            seed = f"{self.seed}|{change['purse']}|arbitration|{change['person']}"
            self.parts[key] = recount.parts(agreed, shares, seed) if shares else {}
            row = {"person": change["person"], "purse": change["purse"], "computed": computed, "agreed": agreed}
            changes.append({**row, "confirmed_on": _text(change["confirmed_on"])})
        if any(book["left"] < 0 for book in self.books.values()):
            raise TraceMismatch("mismatch", "arbitration: more was agreed than the purse had.", "arbitration")
        said = {name: _text(entered[name]) for name in ("reason", "entered_by")}
        return {**said, "changes": changes}

    def _settle(self, persons: Sequence[Row]) -> list[Row]:
        rows = []
        for one in persons:
            before = self.inputs.get("owed", {}).get(one["id"], 0)
            waits = 0 < before + one["cents"] < self.charter.get("minimum_payout", 0)
            balance = before + one["cents"]
            row = {"person": one["id"], "before": before, "credited": one["cents"], "paid": 0 if waits else balance}
            row |= {"carried": balance if waits else 0, "reason": "below_minimum" if waits else None}
            rows.append(row)
        return rows


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a text")
    return value


def _tier(tier: Row) -> Row:
    return {"kinds": None, "take": {"rest": True}, "reimburses": False, **tier}
