"""The whole ceiling or floor of a person, what earlier steps gave of it, and what is left of it in a step."""

from collections.abc import Sequence
from fractions import Fraction

from backend.allocation.texts.words import MINUTES_IN_AN_HOUR, Row, Teller, capitalised, tiers

BP = 10_000  # basis points in a whole


def ceiling_words(tell: Teller, row: Row) -> str:
    """`the 40% ceiling`, `the ceiling of 250.00`, `the ceiling of 50.00 an hour`."""
    terms, reason = tell.trace["charter"]["document"]["bounds"], row["ceiling_reason"]
    if reason == "part":
        return tell.say("reason_part", rate=tell.money.rate(terms["ceiling_bp"]))
    key = {"fixed": "ceiling", "hourly": "hourly_cap"}[reason]
    return tell.say(f"reason_{reason}", limit=tell.money.number(terms[key]))


class Limits:
    """The bounds of one step, told so that they follow: a person's bound is for all steps, a step sees what is left."""

    def __init__(self, tell: Teller, step: Row) -> None:
        self.tell, self.step = tell, step
        self.terms = tell.trace["charter"]["document"].get("bounds", {})
        self.several = len(tiers(tell)) > 1 or len(tell.trace["purses"]) > 1
        self._given: dict[str, list[int]] | None = None
        self._validated: dict[str, int] | None = None

    def given(self, row: Row) -> list[int]:
        """What each earlier step gave this person, minor units; reimbursements stand outside of bounds."""
        if self._given is None:
            outside = {tier["id"] for tier in tiers(self.tell) if tier.get("reimburses")}
            self._given = {}
            for step in self.tell.trace["steps"]:
                if step["id"] == self.step["id"]:
                    break
                for one in step["persons"] if step["tier"] not in outside else ():
                    if one["cents"]:
                        self._given.setdefault(one["id"], []).append(one["cents"])
        return self._given.get(row["id"], [])

    def ceiling(self, row: Row) -> int:
        """The whole ceiling that stopped a person, minor units."""
        return int(self._exactly(row))

    def floor_left(self, row: Row) -> int:
        """What is left of the floor before any ceiling, minor units."""
        return max(0, self.floor() - sum(self.given(row)))

    def floor(self) -> int:
        """The whole floor, minor units."""
        return int(self.terms.get("floor", 0))

    def formula(self, row: Row) -> str:
        """The ceiling from what the charter says: `40% of 586.50 = 234.60`, `35.00 × 5 h = 175.00`, `250.00`."""
        written, whole = self.tell.money.number, self.ceiling(row)
        exact = f"{'=' if self._exactly(row) == whole else '≈'} {written(whole)}"
        if row["ceiling_reason"] == "hourly":
            hours = self.tell.money.duration(self._minutes(row))
            return self.tell.say("whole_hourly", limit=written(self.terms["hourly_cap"]), hours=hours, exact=exact)
        if row["ceiling_reason"] == "fixed":
            return written(whole)
        rate, (money, envelopes) = self.tell.money.rate(self.terms["ceiling_bp"]), self._money()
        if len(self.tell.trace["purses"]) == 1:
            return self.tell.say("whole_part", rate=rate, money=written(money), exact=exact)
        values = {"money": written(money), "envelopes": written(envelopes)}
        return self.tell.say("whole_part_envelopes", rate=rate, exact=exact, **values)

    def own_ceiling(self, row: Row) -> tuple[list[str], str]:
        """The sentences from the whole ceiling to what is left of it here, and how to call it after them."""
        words, given = ceiling_words(self.tell, row), self.given(row)
        fixed = row["ceiling_reason"] == "fixed"
        if not given and (fixed or not self.several):
            return [], words
        whole = self.formula(row)
        first = (
            self.tell.say("ceiling_whole_fixed", whole=whole)
            if fixed
            else self.tell.say("ceiling_whole", ceiling=capitalised(words), whole=whole)
        )
        if not given:
            return [first], words
        return [first, self._left("left_of", self.ceiling(row), [given])], self.tell.say("reason_left")

    def own_floor(self, row: Row) -> list[str]:
        """The sentences from the whole floor to what is left of it here; empty when nothing was given before."""
        given = self.given(row)
        if not given or row["floor"] < self.floor_left(row):
            return []
        first = self.tell.say("floor_whole", whole=self.tell.money.number(self.floor()))
        return [first, self._left("left_of", self.floor(), [given])]

    def others_at_ceiling(self, rows: Sequence[Row]) -> str:
        """People stopped by the same ceiling, told to whoever is not: those given something before are told apart."""
        ceiling = ceiling_words(self.tell, rows[0])
        if self.given(rows[0]):
            total = sum(self.ceiling(row) for row in rows)
            return self._left("high_left", total, [self.given(row) for row in rows], ceiling=ceiling)
        amount = None
        if self.several and rows[0]["ceiling_reason"] == "part":
            amount = self.formula(rows[0])
        return self._at("high", rows, amount, ceiling=ceiling)

    def others_at_floor(self, rows: Sequence[Row]) -> str:
        """People raised to the floor, told to whoever is not."""
        if self.given(rows[0]):
            return self._left("low_left", self.floor() * len(rows), [self.given(row) for row in rows])
        return self._at("low", rows, None)

    def detail(self, row: Row, *, high: bool) -> str:
        """The same for a treasurer, in brackets after the name of the bound."""
        given, cents = self.given(row), self.tell.money.number(row["cents"])
        if not high:
            if not self.own_floor(row):
                return cents
            return self._left("ex_left", self.floor(), [given], whole=self.tell.money.number(self.floor()))
        whole, reason = self.formula(row), row["ceiling_reason"]
        if given:
            return self._left("ex_left", self.ceiling(row), [given], whole=whole)
        return whole if reason == "hourly" or self.several else cents

    def _left(self, phrase: str, total: int, given: Sequence[Sequence[int]], **values: str) -> str:
        """`{total} − {sum} = {left}`, and how {sum} came about where it is one person's."""
        written, taken = self.tell.money.number, sum(map(sum, given))
        figures = {"total": written(total), "sum": written(taken), "left": written(total - taken)}
        if phrase in ("high_left", "low_left"):
            return self.tell.many(phrase, len(given), **figures, **values)
        terms = [written(cents) for cents in given[0]]
        made = " + ".join(terms) + (f" = {written(taken)}" if len(terms) > 1 else "")
        return self.tell.say(phrase, given=made, **figures, **values)

    def _at(self, phrase: str, rows: Sequence[Row], amount: str | None, **values: str) -> str:
        cents = [one["cents"] for one in rows]
        if len(set(cents)) == 1:
            return self.tell.many(phrase, len(rows), amount=amount or self.tell.money.number(cents[0]), **values)
        people = self.tell.many("persons_did", len(rows))
        return self.tell.say(f"{phrase}_sum", people=people, amount=self.tell.money.number(sum(cents)), **values)

    def _exactly(self, row: Row) -> Fraction:
        """The ceiling before it is rounded down to a minor unit."""
        if row["ceiling_reason"] == "part":
            return Fraction(sum(self._money()) * self.terms["ceiling_bp"], BP)
        if row["ceiling_reason"] == "hourly":
            return Fraction(self.terms["hourly_cap"] * self._minutes(row), MINUTES_IN_AN_HOUR)
        return Fraction(self.terms["ceiling"])

    def _money(self) -> tuple[int, int]:
        """What a part is a part of: the general budget's money to share before releases, and that of the envelopes."""
        rows = {row["step"]: row["amount"] for row in self.tell.trace["waterfall"]}
        envelopes = sum(purse["held"] for purse in self.tell.trace["purses"][1:])
        return rows["to_share"] - rows.get("released", 0), envelopes

    def _minutes(self, row: Row) -> int:
        """All validated minutes of a person, which an hourly ceiling counts."""
        if self._validated is None:
            self._validated = {}
            for line in self.tell.trace["inputs"]["lines"]:
                person = line["person"]
                self._validated[person] = self._validated.get(person, 0) + line.get("validated", 0)
        return self._validated.get(row["id"], 0)
