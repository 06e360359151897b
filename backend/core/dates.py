"""Days and moments in words, for mails and messages."""

from datetime import date

from django.utils import formats
from django.utils.translation import get_language


def date_format(value: date, form: str) -> str:
    """As Django writes it; the first of a month is “1er octobre” in French."""
    text = str(formats.date_format(value, form))
    if (get_language() or "fr").startswith("fr") and text.startswith("1 "):
        return "1er" + text.removeprefix("1")
    return text
