"""A moment as a sentence tells it, in the reader's language and the host's time zone."""

from datetime import datetime

from babel.dates import format_date, format_time
from django.utils import timezone
from django.utils.translation import get_language


def told_moment(at: datetime) -> str:
    """A day and time, such as “23 November 2026, 14:02”."""
    locale = "fr_FR" if (get_language() or "fr").startswith("fr") else "en_GB"
    here = timezone.localtime(at)
    return f"{format_date(here, 'long', locale=locale)}, {format_time(here.time(), 'short', locale=locale)}"
