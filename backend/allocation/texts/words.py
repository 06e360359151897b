"""The teller: picks the phrase of a language, counts people, writes hours and rounding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backend.allocation.kernel import AllocationError
from backend.allocation.texts import phrases_en, phrases_fr
from backend.allocation.texts.money import NARROW, NBSP, Money, half_up

PHRASES: dict[str, dict[str, str]] = {"fr": phrases_fr.PHRASES, "en": phrases_en.PHRASES}
MINUTES_IN_AN_HOUR = 60
THOUSANDTHS = 1_000
PPM = 1_000_000
# A weight is minutes × thousandths × millionths (coefficient of the kind, then decay).
WEIGHT_OF_AN_HOUR = MINUTES_IN_AN_HOUR * THOUSANDTHS * PPM
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Teller:
    """One reader's language and currency, over one trace."""

    trace: Row
    money: Money
    names: Mapping[str, str]

    def say(self, phrase: str, **values: str) -> str:
        """A phrase of the reader's language with its values."""
        # The template's own ~ goes first, so that a name holding one would survive.
        template = PHRASES[self.money.language][phrase].replace("~;", f"{NARROW};").replace("~", NBSP)
        return template.format(**values)

    def many(self, phrase: str, count: int, **values: str) -> str:
        """A phrase with `{people}` and `{count}`, in the singular when there is one and the phrase has it."""
        form = f"{phrase}_one" if count == 1 and f"{phrase}_one" in PHRASES[self.money.language] else phrase
        number = self.money.number(count, 0)
        if phrase in ("person", "persons_did"):
            return self.say(form, count=number)
        return self.say(form, count=number, people=self.many("persons_did", count), **values)

    def name(self, identifier: str) -> str:
        """The name given for an id, else the id itself."""
        return self.names.get(identifier, identifier)

    def kind(self, kind: str) -> str:
        """A kind of work in words; its own key when it has none."""
        phrase = f"kind_{kind}"
        return self.say(phrase) if phrase in PHRASES[self.money.language] else kind

    def listed(self, parts: Sequence[str]) -> str:
        """Parts separated by semicolons, as the language spaces them."""
        return (f"{NARROW}; " if self.money.language == "fr" else "; ").join(parts)

    def near(self, amount: Fraction) -> str:
        """The nearest whole minor unit, without symbol."""
        return self.money.number(half_up(amount))

    def bare(self, amount: Fraction) -> str:
        """Minor units with the decimals of `Money.exact`, without its sign."""
        return self.money.exact(amount).split(" ", 1)[1]

    def hours(self, weight: int) -> tuple[str, bool]:
        """A weight in (weighted) hours, and whether the digits are all of it."""
        return self.money.decimal(Fraction(weight, WEIGHT_OF_AN_HOUR))

    def outcome(self, step: Row, row: Row) -> str:
        """`≈ 212.3731 → 212.37 (no rounding cent)`, or `= 40.00` when nothing was rounded."""
        exact = Fraction(*row["exact"])
        text = self.money.exact(exact)
        if exact.denominator == 1:
            return text
        note = self.say("no_cent")
        if row["extra_cent"]:
            note = self.say(
                "got_cent",
                cent=self.money.signed(row["extra_cent"]),
                rank=self.money.number(row["remainder_rank"], 0),
                ranks=self.money.number(remainders(step), 0),
            )
        return f"{text} → {self.money.number(row['cents'])} {note}"

    def tie(self, row: Row) -> list[str]:
        """The sentence on equal remainders, when a hash decided."""
        return [self.say("tie", hash=row["tie_hash"][:6])] if row["tie_hash"] else []


def tiers(tell: Teller) -> list[Row]:
    """The tiers of the charter, in order; one for a charter that does not name any."""
    return list(tell.trace["charter"]["document"].get("tiers", [])) or [{"id": "general", "rule": "claims_pro"}]


def taking_part(step: Row) -> list[Row]:
    """The people of a step who brought something that it looks at."""
    return [row for row in step["persons"] if row["weight"] or row["claim"] or row["cents"]]


def capitalised(text: str) -> str:
    """The text with its first letter in capitals, the others as they are."""
    return text[:1].upper() + text[1:]


def remainders(step: Row) -> int:
    """How many shares of a step had something rounded off."""
    return sum(1 for row in step["persons"] if row["remainder_rank"] is not None)


def teller(trace: Row, language: str, exponent: int, symbol: str, names: Mapping[str, str]) -> Teller:
    """Raises AllocationError unknown_language or not_whole."""
    base = language.replace("_", "-").split("-")[0].lower()
    if base not in PHRASES:
        known = ", ".join(sorted(PHRASES))
        raise AllocationError("unknown_language", f"No sentences in {language!r}: use one of {known}.", "language")
    if type(exponent) is not int or exponent < 0:
        raise AllocationError(
            "not_whole", f"The number of decimals must be zero or more, not {exponent!r}.", "exponent"
        )
    return Teller(trace, Money(base, exponent, symbol), names)
