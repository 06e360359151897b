"""Days and moments in words, for mails and messages; the days that Tronc takes."""

from datetime import date

from django.utils import formats
from django.utils.translation import get_language

# Far from both ends of the calendar: a day beside them, or the same moment in another time zone, still exists.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


def date_format(value: date, form: str) -> str:
    """As Django writes it; the first of a month is “1er octobre” in French."""
    text = str(formats.date_format(value, form))
    if (get_language() or "fr").startswith("fr") and text.startswith("1 "):
        return "1er" + text.removeprefix("1")
    return text
