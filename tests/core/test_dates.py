"""Days in words."""

from datetime import UTC, date, datetime

import pytest
from django.utils import translation

from backend.core.dates import date_format

MORNING = datetime(2026, 10, 1, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form", "french", "english"),
    [
        (date(2026, 10, 1), "DATE_FORMAT", "1er octobre 2026", "Oct. 1, 2026"),
        (date(2026, 10, 1), "j F Y", "1er octobre 2026", "1 October 2026"),
        (date(2026, 10, 11), "DATE_FORMAT", "11 octobre 2026", "Oct. 11, 2026"),
        (date(2026, 10, 1), "F Y", "octobre 2026", "October 2026"),
        (
            datetime(2026, 10, 1, 9, 5, tzinfo=UTC),
            "DATETIME_FORMAT",
            "1er octobre 2026 09:05",
            "Oct. 1, 2026, 9:05 a.m.",
        ),
    ],
)
def test_the_first_of_a_month_has_its_name_in_french(value: date, form: str, french: str, english: str) -> None:
    with translation.override("fr"):
        assert date_format(value, form) == french
    with translation.override("en"):
        assert date_format(value, form) == english
