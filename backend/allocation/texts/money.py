"""How amounts, percentages, hours and days are written in each language."""

from dataclasses import dataclass
from fractions import Fraction

NBSP = "\u00a0"
NARROW = "\u202f"
MINUS = "\u2212"
MONTHS = {
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
_BEYOND = {"fr": ("plus de", "moins de"), "en": ("more than", "less than")}


@dataclass(frozen=True, slots=True)
class Money:
    """How amounts are written: language (`fr` or `en`), decimals of the currency, and its symbol."""

    language: str
    exponent: int = 2
    symbol: str = "€"

    def number(self, amount: int, decimals: int | None = None) -> str:
        """`amount` counted in 10 to the minus `decimals` (the currency's own unless given), without symbol."""
        places = self.exponent if decimals is None else decimals
        whole, part = divmod(abs(amount), 10**places)
        group, point = (NARROW, ",") if self.language == "fr" else (",", ".")
        text = f"{whole:,}".replace(",", group)
        if places:
            text += f"{point}{part:0{places}d}"
        return f"-{text}" if amount < 0 else text

    def amount(self, amount: int) -> str:
        """`amount` minor units with the symbol, for instance `1 250,50 €` or `€1,250.50`."""
        number = self.number(abs(amount))
        text = f"{number}{NBSP}{self.symbol}" if self.language == "fr" else f"{self.symbol}{number}"
        return f"-{text}" if amount < 0 else text

    def signed(self, amount: int) -> str:
        """`amount` minor units without symbol, always with its sign: `+0.01`, `−60.00`."""
        return f"{MINUS if amount < 0 else '+'}{self.number(abs(amount))}"

    def exact(self, share: Fraction) -> str:
        """`= 40,00` when the share is whole minor units, else two more decimals and `≈` if that is not all of it."""
        if share.denominator == 1:
            return f"= {self.number(share.numerator)}"
        rounded = half_up(share * 100)
        sign = "=" if share * 100 == rounded else "≈"
        return f"{sign} {self.number(rounded, self.exponent + 2)}"

    def percent(self, part: Fraction) -> str:
        """A part of one as a percentage with two decimals at most; never 0 or 100 % when it is not quite that."""
        space = NBSP if self.language == "fr" else ""
        more, less = _BEYOND[self.language]
        hundredths = half_up(part * 10_000)
        if part < 1 and hundredths >= 10_000:
            return f"{more} {self.number(9_999, 2)}{space}%"
        if part > 0 and hundredths == 0:
            return f"{less} {self.number(1, 2)}{space}%"
        whole = part * 100
        text = self.number(whole.numerator, 0) if whole.denominator == 1 else self.number(hundredths, 2)
        return f"{text}{space}%"

    def rate(self, basis_points: int) -> str:
        """Basis points as a percentage: `8%`, `2,50 %`."""
        return self.percent(Fraction(basis_points, 10_000))

    def decimal(self, value: Fraction, *, at_least: int = 0, at_most: int = 4) -> tuple[str, bool]:
        """A number with as many decimals as it needs between the two bounds, and whether that is all of it."""
        places = at_least
        while places < at_most and (value * 10**places).denominator != 1:
            places += 1
        rounded = half_up(value * 10**places)
        return self.number(rounded, places), value * 10**places == rounded

    def duration(self, minutes: int) -> str:
        """Minutes as hours: `3.5 h` where two decimals say it all, else `1 h 20 min`."""
        text, complete = self.decimal(Fraction(minutes, 60), at_most=2)
        if complete:
            return f"{text}{NBSP}h"
        hours, rest = divmod(minutes, 60)
        tail = f"{rest}{NBSP}min"
        return f"{self.number(hours, 0)}{NBSP}h{NBSP}{tail}" if hours else tail

    def day(self, iso: str) -> str:
        """A calendar day written `2026-11-22`, in words; what is not such a day is given back as it is."""
        parts = iso[:10].split("-")
        if len(parts) != 3 or not all(part.isdecimal() for part in parts) or not 1 <= int(parts[1]) <= 12:
            return iso
        number = int(parts[2])
        first = "1er" if self.language == "fr" and number == 1 else str(number)
        return f"{first}{NBSP}{MONTHS[self.language][int(parts[1]) - 1]}{NBSP}{parts[0]}"


def half_up(value: Fraction) -> int:
    """The nearest integer, halves upward."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
