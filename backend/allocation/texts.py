"""Sentences over a trace, in French and English: why a person gets her amount, and what the whole step did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backend.allocation.kernel import AllocationError, require_whole

NBSP = "\u00a0"
NARROW = "\u202f"


class UnknownLanguage(AllocationError):
    """There are no sentences in that language."""


class UnknownPerson(AllocationError):
    """That person is not in the trace."""


class NoSentence(AllocationError):
    """The trace uses a rule that has no sentences."""


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

    def exact(self, share: Fraction) -> str:
        """`= 40,00` when the share is whole minor units, else two more decimals and `≈` if that is not all of it."""
        if share.denominator == 1:
            return f"= {self.number(share.numerator)}"
        rounded = _half_up(share * 100)
        sign = "=" if share * 100 == rounded else "≈"
        return f"{sign} {self.number(rounded, self.exponent + 2)}"

    def percent(self, part: Fraction) -> str:
        """A part of one as a percentage with two decimals at most; never 0 or 100 % when it is not quite that."""
        space = NBSP if self.language == "fr" else ""
        hundredths = _half_up(part * 10_000)
        if part < 1 and hundredths >= 10_000:
            return f"{PHRASES[self.language]['more_than']} {self.number(9_999, 2)}{space}%"
        if part > 0 and hundredths == 0:
            return f"{PHRASES[self.language]['less_than']} {self.number(1, 2)}{space}%"
        whole = part * 100
        text = self.number(whole.numerator, 0) if whole.denominator == 1 else self.number(hundredths, 2)
        return f"{text}{space}%"


# Amounts come in already formatted. A space before : and % is a non-breaking one in French (written ~ here).
PHRASES: dict[str, dict[str, str]] = {
    "fr": {
        "more_than": "plus de",
        "less_than": "moins de",
        "asked": "Vous avez demandé {claim}.",
        "asked_many": "Vous avez demandé {claim} en {count} contributions.",
        "asked_nothing": "Vous n’avez demandé aucun montant~: votre travail reste visible, sans rétribution.",
        "short": "Les demandes validées font {claims} pour {amount} à partager~: chacune reçoit {percent}.",
        "enough": "Les demandes validées font {claims} pour {amount} à partager~: chacune est servie en entier.",
        "empty": "Les demandes validées font {claims} et il n’y a rien à partager.",
        "product": "Le calcul~: {claim} × {amount} ÷ {claims} {exact}.",
        "whole": "Votre rétribution est de {cents}, sans arrondi.",
        "extra": "Votre rétribution est de {cents}, dont {unit} d’arrondi~: les arrondis laissaient {missing} à donner "
        "aux plus grands restes, et le vôtre est au rang {rank} sur {ranks}.",
        "no_extra": "Votre rétribution est de {cents}, arrondie vers le bas~: les arrondis laissaient {missing} à "
        "donner aux plus grands restes, et le vôtre est au rang {rank} sur {ranks}.",
        "tie": "À égalité de reste et de demande, l’ordre est celui d’une empreinte que personne ne choisit "
        "(la vôtre commence par {hash}).",
        "all_short": "{amount} à partager au prorata de {claims} de demandes validées ({people})~: chacune reçoit "
        "{percent}.",
        "all_enough": "{amount} à partager pour {claims} de demandes validées ({people})~: chacune est servie en "
        "entier.",
        "all_empty": "Il n’y a rien à partager pour {claims} de demandes validées ({people}).",
        "all_nothing": "{amount} à partager et aucun montant demandé~: rien n’est attribué.",
        "all_uses": "Attribué~: {shared}~; non dépensé~: {unspent}~; total~: {amount}.",
        "all_exact": "Aucun arrondi n’a été nécessaire.",
        "all_rounded": "Les arrondis laissaient {missing}, donnés aux plus grands restes~: {people}, {unit} chacune.",
        "all_rounded_one": "Les arrondis laissaient {missing}, donné au plus grand reste~: {people}.",
        "person": "1 personne",
        "people": "{count} personnes",
    },
    "en": {
        "more_than": "more than",
        "less_than": "less than",
        "asked": "You asked for {claim}.",
        "asked_many": "You asked for {claim} in {count} contributions.",
        "asked_nothing": "You asked for no money: your work stays visible, without payment.",
        "short": "The validated requests come to {claims} for {amount} to share: each receives {percent}.",
        "enough": "The validated requests come to {claims} for {amount} to share: each is met in full.",
        "empty": "The validated requests come to {claims} and there is nothing to share.",
        "product": "The computation: {claim} × {amount} ÷ {claims} {exact}.",
        "whole": "Your share is {cents}, with no rounding.",
        "extra": "Your share is {cents}, of which {unit} is rounding: rounding left {missing} to give to the "
        "largest remainders, and yours has rank {rank} of {ranks}.",
        "no_extra": "Your share is {cents}, rounded down: rounding left {missing} to give to the "
        "largest remainders, and yours has rank {rank} of {ranks}.",
        "tie": "Where remainder and request are equal, the order is that of a hash nobody can choose "
        "(yours begins with {hash}).",
        "all_short": "{amount} to share in proportion to {claims} of validated requests ({people}): each receives "
        "{percent}.",
        "all_enough": "{amount} to share for {claims} of validated requests ({people}): each is met in full.",
        "all_empty": "There is nothing to share for {claims} of validated requests ({people}).",
        "all_nothing": "{amount} to share and no money asked for: nothing is allotted.",
        "all_uses": "Allotted: {shared}; unspent: {unspent}; total: {amount}.",
        "all_exact": "No rounding was needed.",
        "all_rounded": "Rounding left {missing}, given to the largest remainders: {people}, {unit} each.",
        "all_rounded_one": "Rounding left {missing}, given to the largest remainder: {people}.",
        "person": "1 person",
        "people": "{count} people",
    },
}


def explain(trace: Mapping[str, Any], person: str, language: str, *, exponent: int = 2, symbol: str = "€") -> str:
    """Tell one contributor, in `language` (`fr`, `en`, with or without region), why she gets her amount.

    Args: exponent: decimals of the currency (2 for EUR, 0 for XPF). symbol: how the currency is written.
    Returns: a few sentences, all of them derived from the trace alone.
    Raises: UnknownLanguage, UnknownPerson, NoSentence.
    """
    money = _money(language, exponent, symbol)
    sentences: list[str] = []
    for step in trace["steps"]:
        for row in step["persons"]:
            if row["id"] == person:
                tell, _ = _sentences(step)
                sentences += tell(step, row, money)
    if not sentences:
        raise UnknownPerson(f"Person {person!r} has no line in this distribution.")
    return " ".join(sentences)


def explain_whole(trace: Mapping[str, Any], language: str, *, exponent: int = 2, symbol: str = "€") -> str:
    """Tell the treasurer what the distribution did: sources, uses, rounding. Same arguments and errors as `explain`."""
    money = _money(language, exponent, symbol)
    sentences: list[str] = []
    for step in trace["steps"]:
        _, tell = _sentences(step)
        sentences += tell(step, money)
    return " ".join(sentences)


def _money(language: str, exponent: int, symbol: str) -> Money:
    base = language.replace("_", "-").split("-")[0].lower()
    if base not in PHRASES:
        raise UnknownLanguage(f"No sentences in {language!r}: use one of {', '.join(sorted(PHRASES))}.")
    require_whole("The number of decimals of the currency", exponent)
    return Money(base, exponent, symbol)


def _half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _say(money: Money, phrase: str, **values: str) -> str:
    # The template's own ~ goes first, so that a symbol holding one would survive.
    return PHRASES[money.language][phrase].replace("~", NBSP).format(**values)


def _count(money: Money, people: int) -> str:
    return _say(money, "person") if people == 1 else _say(money, "people", count=money.number(people, 0))


def _claims_pro_person(step: Mapping[str, Any], row: Mapping[str, Any], money: Money) -> list[str]:
    if row["claim"] == 0:
        return [_say(money, "asked_nothing")]
    claims, amount = sum(one["claim"] for one in step["persons"]), step["in"]
    count = sum(1 for line in row["lines"] if line["claim"])
    sentences = [
        _say(money, "asked_many", claim=money.amount(row["claim"]), count=money.number(count, 0))
        if count > 1
        else _say(money, "asked", claim=money.amount(row["claim"]))
    ]
    figures = {"claims": money.amount(claims), "amount": money.amount(amount)}
    if amount == 0:
        sentences.append(_say(money, "empty", **figures))
    elif amount >= claims:
        sentences.append(_say(money, "enough", **figures))
    else:
        sentences.append(_say(money, "short", **figures, percent=money.percent(Fraction(amount, claims))))
        numbers = {"claim": row["claim"], "amount": amount, "claims": claims}
        product = {name: money.number(number) for name, number in numbers.items()}
        sentences.append(_say(money, "product", **product, exact=money.exact(Fraction(*row["exact"]))))
    return sentences + _rounding(step, row, money)


def _rounding(step: Mapping[str, Any], row: Mapping[str, Any], money: Money) -> list[str]:
    if row["remainder_rank"] is None:
        return [_say(money, "whole", cents=money.amount(row["cents"]))]
    ranks = sum(1 for one in step["persons"] if one["remainder_rank"] is not None)
    sentence = _say(
        money,
        "extra" if row["extra_cent"] else "no_extra",
        cents=money.amount(row["cents"]),
        unit=money.amount(1),
        missing=money.amount(step["missing_cents"]),
        rank=money.number(row["remainder_rank"], 0),
        ranks=money.number(ranks, 0),
    )
    return [sentence, _say(money, "tie", hash=row["tie_hash"][:6])] if row["tie_hash"] else [sentence]


def _claims_pro_whole(step: Mapping[str, Any], money: Money) -> list[str]:
    claims, amount = sum(one["claim"] for one in step["persons"]), step["in"]
    shared = sum(one["cents"] for one in step["persons"])
    figures = {
        "amount": money.amount(amount),
        "claims": money.amount(claims),
        "people": _count(money, sum(1 for one in step["persons"] if one["claim"])),
    }
    if claims == 0:
        first = _say(money, "all_nothing", **figures)
    elif amount == 0:
        first = _say(money, "all_empty", **figures)
    elif amount >= claims:
        first = _say(money, "all_enough", **figures)
    else:
        first = _say(money, "all_short", **figures, percent=money.percent(Fraction(amount, claims)))
    uses = {"shared": money.amount(shared), "unspent": money.amount(step["unspent"]), "amount": money.amount(amount)}
    sentences = [first, _say(money, "all_uses", **uses)]
    missing = step["missing_cents"]
    if missing:
        phrase = "all_rounded_one" if missing == 1 else "all_rounded"
        people = _count(money, missing)
        sentences.append(_say(money, phrase, missing=money.amount(missing), people=people, unit=money.amount(1)))
    elif shared:
        sentences.append(_say(money, "all_exact"))
    return sentences


_TellPerson = Callable[[Mapping[str, Any], Mapping[str, Any], Money], list[str]]
_TellWhole = Callable[[Mapping[str, Any], Money], list[str]]
# One line per rule: the sentences for one contributor, and for the treasurer.
SENTENCES: dict[str, tuple[_TellPerson, _TellWhole]] = {
    "claims_pro": (_claims_pro_person, _claims_pro_whole),
}


def _sentences(step: Mapping[str, Any]) -> tuple[_TellPerson, _TellWhole]:
    if step["rule"] not in SENTENCES:
        raise NoSentence(f"No sentences for the rule {step['rule']!r}: use one of {', '.join(sorted(SENTENCES))}.")
    return SENTENCES[step["rule"]]
