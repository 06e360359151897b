"""A charter in plain words: sections of labelled sentences, and what changes from one version to the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from backend.commons.models import Budget
from backend.commons.words import KINDS, rule_name, rule_sentence
from backend.core.money import format_money

BY_TIME = {"weighted", "catch_up"}
NO_BREAK = "\u00a0"
Document = Mapping[str, Any]
Line = tuple[str, str]


@dataclass(frozen=True)
class Section:
    """A part of the charter: a title and its (label, sentence)."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Change:
    """One thing that two versions say differently; an empty text: that version says nothing of it."""

    section: str
    label: str
    before: str
    after: str


def percent(basis_points: int) -> str:
    """`10 %`, `12,5 %` in French; `10%` in English."""
    return decimal(Decimal(basis_points) / 100) + ("%" if _english() else f"{NO_BREAK}%")


def decimal(value: Decimal) -> str:
    """A number with the decimals that it has, as the reader writes it."""
    return str(format_decimal(value, locale="en_GB" if _english() else "fr_FR", decimal_quantization=False))


def _english() -> bool:
    return (get_language() or "fr").startswith("en")


def kind_names(kinds: Sequence[str]) -> str:
    """Kinds of work as people read them."""
    names = dict(KINDS)
    return ", ".join(str(names.get(kind, kind)) for kind in kinds)


def budget_names(documents: Sequence[Document]) -> dict[str, str]:
    """The names of the budgets to which documents send money."""
    found = {edge["to"] for document in documents for edge in document["upstream"]}
    return {one.pk: one.full_name for one in Budget.objects.select_related("commons").filter(pk__in=found)}


def sections(document: Document, currency: str, names: Mapping[str, str]) -> list[Section]:
    """A complete document in words. Args: names: of the budgets that it sends money to."""
    parts: list[tuple[str, Iterator[Line]]] = [
        (_("How the money is shared"), _sharing(document, currency)),
        (_("What can be declared"), _declaring(document, currency)),
        (_("What one person receives"), _bounds(document["bounds"], currency)),
        (_("Before sharing"), _before(document, currency, names)),
        (_("Requests"), _requests(document, currency)),
        (_("Payment and transfers"), _paying(document, currency)),
        (_("Review"), _reviewing(document)),
        (_("Calendar"), _calendar(document)),
    ]
    return [Section(title, tuple(lines)) for title, lines in parts]


def how(document: Document, currency: str) -> list[str]:
    """How the money is shared: one sentence for a rule alone, else what each tier does, in their order."""
    tiers = document["tiers"]
    if len(tiers) == 1:
        return [rule_sentence(tiers[0]["rule"])]
    marks = [_("First:"), *[_("Then:")] * (len(tiers) - 2), _("At last:")]
    return [f"{mark} {_tier(tier, currency)}" for mark, tier in zip(marks, tiers, strict=True)]


def changes(old: Document, new: Document, currency: str) -> list[Change]:
    """What a later document says differently, in words; equal words are no change."""
    names = budget_names([old, new])
    before, after = sections(old, currency, names), sections(new, currency, names)
    found = []
    for was, now in zip(before, after, strict=True):
        old_lines, new_lines = dict(was.lines), dict(now.lines)
        for label in [*new_lines, *(label for label in old_lines if label not in new_lines)]:
            if old_lines.get(label, "") != new_lines.get(label, ""):
                found.append(Change(now.title, label, old_lines.get(label, ""), new_lines.get(label, "")))
    return found


def _sharing(document: Document, currency: str) -> Iterator[Line]:
    tiers = document["tiers"]
    if len(tiers) == 1:
        yield _("Rule"), _tier(tiers[0], currency)
    for number, tier in enumerate(tiers, start=1):
        if len(tiers) > 1:
            yield _("Tier %(number)s, “%(name)s”") % {"number": number, "name": tier["id"]}, _tier(tier, currency)
    rules = {tier["rule"] for tier in tiers}
    if rules & BY_TIME:
        yield _("Work of earlier periods"), _decay(document["decay_ppm"])
    if "catch_up" in rules:
        back = document["catch_up_periods"]
        said = ngettext("the last period", "the last %(number)s periods", back or 0) % {"number": back}
        yield _("How far it looks back"), said if back else _("to the beginning")
    if any(rule.startswith("claims_") for rule in rules):
        cut, whole = _("counts as all that is shared, no more"), _("counts in full")
        yield _("A request above all that is shared"), cut if document["cut_claims_at_pot"] else whole
    weights = {
        "add": _("comes on top of what the common pot gives"),
        "offset": _("is taken into account: the common pot gives more to the others"),
        "exclude": _("takes the place of the common pot for the work in them"),
    }
    leftover = {"hold": _("stays there"), "release": _("goes to the budget above")}
    yield _("Money of the envelopes that follow these rules"), weights[document["earmarks"]["weights"]]
    yield _("What is left in these envelopes"), leftover[document["earmarks"]["leftover"]]


def _tier(tier: Mapping[str, Any], currency: str) -> str:
    take = tier["take"]
    if "cents" in take:
        part = _("At most %(amount)s.") % {"amount": format_money(take["cents"], currency)}
    elif "bp" in take:
        whole, left = _("%(part)s of the whole."), _("%(part)s of what is left.")
        part = (whole if take["of"] == "whole" else left) % {"part": percent(take["bp"])}
    else:
        part = ""
    kinds = _("For: %(kinds)s.") % {"kinds": kind_names(tier["kinds"])} if tier["kinds"] else ""
    name = rule_name(tier["rule"])
    back = _("What people spent is given back, outside the limits of each person.") if tier["reimburses"] else ""
    sentence = f"{name[:1].upper()}{name[1:]}. {rule_sentence(tier['rule'])}"
    return " ".join(text for text in (part, sentence, kinds, back) if text)


def _decay(table: Sequence[int]) -> str:
    if len(table) == 1:
        return _("does not count again")
    parts = ", ".join(percent(one // 100) for one in table[1:])
    return _("counts again, for %(parts)s from one period to the next, then no more") % {"parts": parts}


def _declaring(document: Document, currency: str) -> Iterator[Line]:
    kinds = document["kinds"]
    by_time = BY_TIME & {tier["rule"] for tier in document["tiers"]}
    names = dict(KINDS)
    shown = [
        _("%(kind)s × %(number)s") % {"kind": names.get(kind, kind), "number": decimal(Decimal(kinds[kind]) / 1000)}
        if by_time
        else str(names.get(kind, kind))
        for kind in (*(one for one in names if one in kinds), *(one for one in kinds if one not in names))
    ]
    yield _("Kinds of work"), ", ".join(shown)
    if by_time:
        hours = decimal(Decimal(document["minutes_a_day"]) / 60)
        told = ngettext("%(hours)s hour", "%(hours)s hours", 1 if document["minutes_a_day"] == 60 else 2)
        yield _("A day of work"), told % {"hours": hours}
    if said := usual_worth(document, currency):
        yield _("An hour is usually worth"), _("%(rates)s; a suggestion, never imposed") % {"rates": said}
    everyone, members = _("everyone who has an account"), _("the contributors and stewards of the budget")
    yield _("Who may declare"), everyone if document["declare"] == "everyone" else members


def usual_worth(document: Document, currency: str) -> str:
    """What an hour of each kind is usually worth; empty where the charter suggests nothing."""
    rates = document.get("rates", {})
    known = [(name, format_money(rates[kind], currency)) for kind, name in KINDS if kind in rates]
    return ", ".join(f"{name}{NO_BREAK}{amount}" for name, amount in known)


def _amount(amount: int | None, currency: str, nothing: str) -> str:
    return format_money(amount, currency) if amount else nothing


def _bounds(bounds: Mapping[str, Any], currency: str) -> Iterator[Line]:
    yield _("At least"), _amount(bounds["floor"], currency, _("nothing is promised"))
    limits = []
    if bounds["ceiling"]:
        limits.append(format_money(bounds["ceiling"], currency))
    if bounds["ceiling_bp"]:
        limits.append(_("%(part)s of what is shared") % {"part": percent(bounds["ceiling_bp"])})
    if bounds["hourly_cap"]:
        limits.append(_("%(amount)s a validated hour") % {"amount": format_money(bounds["hourly_cap"], currency)})
    yield _("At most"), _(", and ").join(limits) or _("no limit")


def _before(document: Document, currency: str, names: Mapping[str, str]) -> Iterator[Line]:
    reserve = document["reserve"]
    if not reserve["bp"]:
        said = _("nothing is set aside")
    elif reserve["target"] is None:
        said = _("%(part)s of what came in") % {"part": percent(reserve["bp"])}
    else:
        values = {"part": percent(reserve["bp"]), "target": format_money(reserve["target"], currency)}
        said = _("%(part)s of what came in, until it holds %(target)s") % values
    yield _("Reserve"), said
    for edge in document["upstream"]:
        label = _("To %(name)s") % {"name": names.get(edge["to"], edge["to"])}
        yield label, _("%(part)s of what came in") % {"part": percent(edge["bp"])}
    if document["upstream"]:
        yield _("Smallest amount sent"), format_money(document["min_edge"], currency)
    else:
        yield _("To the commons that it depends on"), _("nothing")


def _requests(document: Document, currency: str) -> Iterator[Line]:
    yield _("A request says why above"), _amount(document["soft_cap"], currency, _("no amount: never"))
    yield _("Largest request"), _amount(document["hard_cap"], currency, _("no limit"))
    carry = document["unpaid"]["carry_periods"]
    said = ngettext("stays a request for one more period", "stays a request for %(number)s more periods", carry) % {
        "number": carry
    }
    yield _("What could not be paid"), said if carry else _("is no longer asked")


def _paying(document: Document, currency: str) -> Iterator[Line]:
    least = document["minimum_payout"]
    said = _("from %(amount)s on; below, it stays due") % {"amount": format_money(least, currency)}
    yield _("Everyone is paid"), said if least else _("whatever the amount")
    alone = document["transfer_threshold"]
    said = _("two people above %(threshold)s in thirty days") % {"threshold": format_money(alone, currency)}
    yield _("Transfers out of the budget"), said if alone else _("always two people")


def _reviewing(document: Document) -> Iterator[Line]:
    review = document["review"]
    if review["mode"] == "consent":
        number = review["days"]
        said = ngettext(
            "consent: nobody has objected within one day", "consent: nobody has objected within %(number)s days", number
        )
    else:
        number = review["approvals"]
        said = ngettext("one steward, never one’s own", "%(number)s stewards, never one’s own", number)
    yield _("A contribution is validated by"), said % {"number": number}
    number = document["objections"]["settled_by"]
    said = ngettext("one steward who is not involved", "%(number)s stewards who are not involved", number)
    yield _("An objection that nobody lifts is settled by"), said % {"number": number}


def _calendar(document: Document) -> Iterator[Line]:
    length = document["period"]
    if length is None:
        said = _("as long as the one before")
    elif "months" in length:
        said = ngettext("one month", "%(number)s months", length["months"]) % {"number": length["months"]}
    else:
        said = ngettext("one day", "%(number)s days", length["days"]) % {"number": length["days"]}
    yield _("Length of the next periods"), said
    yield _("Periods are closed"), _closed(document)
    days = document["publication_days"]
    said = ngettext("one day before it can be approved", "%(number)s days before it can be approved", days)
    yield _("A distribution is shown"), said % {"number": days} if days else _("and can be approved at once")


def _closed(document: Document) -> str:
    """Who closes periods, and when."""
    closing = document.get("closing") or {}
    if "days_after" in closing:
        days = closing["days_after"]
        said = ngettext(
            "by themselves, one day after their last day", "by themselves, %(number)s days after their last day", days
        )
        return said % {"number": days} if days else _("by themselves, the day after their last day")
    if "every_days" in closing:
        days = closing["every_days"]
        return ngettext(
            "by themselves every day, when validated requests and money are there",
            "by themselves every %(number)s days, when validated requests and money are there",
            days,
        ) % {"number": days}
    return _("by a steward or a treasurer")
