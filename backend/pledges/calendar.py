"""When the instalments of a pledge fall due: one per period, whatever the day it began. Pure: days in, days out."""

from calendar import monthrange
from datetime import date, timedelta
from itertools import count

# Months from one instalment to the next; a pledge paid once has none.
MONTHS = {"once": 0, "monthly": 1, "quarterly": 3, "yearly": 12}
# How long one has to pay, at least, from the call on: what is paid late costs penalties by law.
TO_PAY_ORGANISATION = timedelta(days=30)
TO_PAY_PERSON = timedelta(days=15)


def due_day(starts_on: date, rhythm: str, number: int) -> date:
    """The day on which an instalment falls due.

    Counted from the first day always, so that a pledge begun on the 31st falls on the 30th of a short month and on the
    31st again after it; one begun on 29 February falls on the 28th of ordinary years.
    Args: rhythm: a key of MONTHS. number: 1 for the first instalment.
    Raises: ValueError for a second instalment of a pledge paid once, or a number below 1.
    """
    if number < 1 or (number > 1 and not MONTHS[rhythm]):
        raise ValueError(f"instalment {number} of a pledge paid {rhythm}")
    years, month = divmod(starts_on.month - 1 + MONTHS[rhythm] * (number - 1), 12)
    last = monthrange(starts_on.year + years, month + 1)[1]
    return date(starts_on.year + years, month + 1, min(starts_on.day, last))


def pay_by(due_on: date, *, called_on: date, organisation: bool) -> date:
    """Until when an instalment may be paid without being late: never the very day on which it is asked for.

    Args: organisation: whether an organisation promised: its accounts take longer than a person.
    """
    return max(due_on, called_on + (TO_PAY_ORGANISATION if organisation else TO_PAY_PERSON))


def covers_until(starts_on: date, rhythm: str, number: int) -> date | None:
    """The day before which the period of an instalment ends: that on which the next falls due; None when paid once."""
    return due_day(starts_on, rhythm, number + 1) if MONTHS[rhythm] else None


def next_due(starts_on: date, rhythm: str, *, after: date, ends_on: date | None = None) -> tuple[int, date] | None:
    """The first instalment that falls due after a day: its number and its day; None when there is none any more.

    Args: ends_on: the last day on which one may fall due; None without end.
    """
    numbers = count(1) if MONTHS[rhythm] else [1]
    for number in numbers:
        day = due_day(starts_on, rhythm, number)
        if ends_on is not None and day > ends_on:
            return None
        if day > after:
            return number, day
    return None
