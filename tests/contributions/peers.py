"""A pot by consent, and one whose objections two stewards settle, for the tests of what peers say."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from backend.contributions.models import Contribution
from backend.contributions.services import declare
from tests.contributions.test_contributions import say, under

Play = Callable[..., Any]
CONSENT = {"review": {"mode": "consent", "days": 7}}


def by_consent(world: Any, **changes: Any) -> Contribution:
    """Bo's work under a charter that validates after seven days without objection."""
    under(world, **CONSENT, **changes)
    return say(world)


def again(row: Contribution) -> Contribution:
    """The same, as the database has it now."""
    return Contribution.objects.select_related("period__charter", "budget").get(pk=row.pk)


def days(count: float) -> timedelta:
    """So many days."""
    return timedelta(days=count)


__all__ = ["CONSENT", "Play", "again", "by_consent", "days", "declare", "say", "under"]
