"""What is wrong in the facts of a contribution by themselves, whatever the budget: all of it is told at once."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from backend.commons.words import EXPENSE
from backend.contributions.models import Contribution
from backend.core.errors import Invalid, refuse
from backend.core.money import require_amount
from backend.core.text import blank
from backend.identity.services import host_day

MAX_MINUTES = 31 * 24 * 60
MAX_EVIDENCE = 10
MAX_METADATA = 20


def require_facts(facts: Mapping[str, Any]) -> None:
    """Refuse what is wrong in itself, whatever the budget, all of it at once.

    Args: facts: the columns of `declare`, `metadata` where there is one.
    """
    refuse(_wrong(facts))


def require_facts_of_day(facts: Mapping[str, Any], *, now: datetime) -> None:
    """As `require_facts`, and a day to come."""
    refuse([*_wrong(facts), *_wrong_day(facts["worked_on"], now=now)])


def _wrong(facts: Mapping[str, Any]) -> Iterator[Invalid]:
    """What is wrong, a refusal for each field; the first one is told first."""
    kind, minutes, amount, description, evidence = (
        facts[name] for name in ("kind", "minutes", "amount", "description", "evidence")
    )
    if kind not in dict(Contribution.KINDS):
        yield Invalid(
            "kind_unknown",
            _("“%(kind)s” is not a kind of contribution. Use one of: %(known)s.")
            % {"kind": str(kind)[:20], "known": ", ".join(dict(Contribution.KINDS))},
            param="kind",
        )
    timed = not isinstance(minutes, bool) and isinstance(minutes, int) and 0 <= minutes <= MAX_MINUTES
    if not timed:
        yield Invalid(
            "minutes_out_of_range",
            _("The duration is a whole number of minutes, from 0 to 44640 (31 days)."),
            param="minutes",
        )
    asks = True
    try:
        require_amount(amount, minimum=0)
    except Invalid as refusal:
        asks = False
        yield refusal
    if kind == EXPENSE and minutes and timed:
        yield Invalid("expense_has_no_time", _("An expense has an amount and no duration."), param="minutes")
    if kind == EXPENSE and not amount and asks:
        yield Invalid("expense_without_amount", _("Say how much was spent."), param="amount")
    if kind == EXPENSE and not evidence:
        yield Invalid("expense_without_paper", _("Give a link to the receipt or invoice."), param="evidence")
    if kind != EXPENSE and not minutes and not amount and timed and asks:
        yield Invalid("nothing_declared", _("Give a duration, an amount, or both."), param="minutes")
    if blank(description) or len(description) > 500:
        yield Invalid("description_length", _("Describe the work in 1 to 500 characters."), param="description")
    if len(evidence) > MAX_EVIDENCE:
        yield Invalid("evidence_too_many", _("Give at most 10 links."), param="evidence")
    for place, link in enumerate(evidence[:MAX_EVIDENCE]):
        if len(link) > 500 or not _is_link(link):
            yield Invalid(
                "evidence_not_a_link", _("Evidence is given as http or https links."), param=f"evidence/{place}"
            )
    if len(facts["over_cap_reason"]) > 500:
        yield Invalid("description_length", _("Give the reason in 500 characters at most."), param="over_cap_reason")
    yield from _wrong_metadata(facts.get("metadata", {}))


def _wrong_metadata(pairs: Any) -> Iterator[Invalid]:
    """What is not a small table of texts."""
    fine = (
        isinstance(pairs, dict)
        and len(pairs) <= MAX_METADATA
        and all(isinstance(one, str) for pair in pairs.items() for one in pair)
        and all(1 <= len(name) <= 40 and len(value) <= 500 for name, value in pairs.items())
    )
    if not fine:
        yield Invalid(
            "metadata_shape",
            _("Metadata is at most 20 pairs of texts: names of 1 to 40 characters, values of 500 at most."),
            param="metadata",
        )


def _wrong_day(worked_on: date, *, now: datetime) -> Iterator[Invalid]:
    """A day to come."""
    if worked_on > host_day(now):
        yield Invalid("day_in_the_future", _("The day of the work cannot be in the future."), param="worked_on")


def _is_link(text: str) -> bool:
    """Whether a text is an http or https address."""
    if any(mark.isspace() or not mark.isprintable() for mark in text):  # urlsplit would drop them in silence
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
