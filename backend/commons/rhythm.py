"""How long the next period is: what the charter says, else the rhythm of those before it."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta

from backend.commons.models import Period


def end_after(after: Period, length: Mapping[str, int] | None) -> date:
    """The end of the period that follows, by the charter's length, else by rhythm."""
    return _end_by_rhythm(after) if length is None else end_by_length(after.ends_before, length)


def end_by_length(start: date, length: Mapping[str, int]) -> date:
    """The end of a period of so many days or months."""
    if "days" in length:
        return start + timedelta(days=length["days"])
    years, month = divmod(start.month - 1 + length["months"], 12)
    last = monthrange(start.year + years, month + 1)[1]
    return date(start.year + years, month + 1, min(start.day, last))


def _end_by_rhythm(after: Period) -> date:
    """The end of the period that follows: whole months where periods begin on the first of one, else as many days.

    A period cut by an early closing and the one that took its remaining days count as the one they were.
    """
    end = after.ends_before
    whole = Period.objects.filter(budget=after.budget, starts_on__lte=after.starts_on, starts_on__day=1)
    begun = whole.order_by("-starts_on").values_list("starts_on", flat=True).first()
    if begun is None or end.day != 1:
        return end + (end - after.starts_on)
    months = (end.year - begun.year) * 12 + end.month - begun.month
    years, month = divmod(end.month - 1 + months, 12)
    return date(end.year + years, month + 1, 1)
