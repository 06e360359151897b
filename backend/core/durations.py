"""Durations as people write them."""

import re

from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid

_MINUTES = re.compile(r"([0-9]{1,5}) ?(?:min|mn|m)?")
_HOURS = re.compile(r"([0-9]{1,3}) ?(?:h ?([0-9]{1,2})?|: ?([0-9]{2})) ?(?:min|mn|m)?")


def parse_duration(text: str) -> int:
    """Read a duration as people write it: `90`, `1h30`, `1:30`, `1 h 30`, `2 h`.

    Returns: minutes; 0 for an empty text.
    Raises: Invalid `duration_unreadable`.
    """
    typed = " ".join(text.lower().replace("\u00a0", " ").replace("\u202f", " ").split())
    if not typed:
        return 0
    if plain := _MINUTES.fullmatch(typed):
        return int(plain[1])
    hours = _HOURS.fullmatch(typed)
    minutes = int(hours[2] or hours[3] or 0) if hours else 60
    if hours is None or minutes >= 60:
        raise Invalid(
            "duration_unreadable",
            _("Write the duration in minutes, or in hours and minutes: 90, 1h30 or 1:30."),
            param="minutes",
        )
    return int(hours[1]) * 60 + minutes
