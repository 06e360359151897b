"""The mark of what somebody typed for somebody else."""

from typing import Any

from django import template

from backend.contributions.models import Contribution
from backend.identity.recordings import recordings_of

register = template.Library()


@register.inclusion_tag("parts/recorded.html")
def recorded(contribution: Contribution) -> dict[str, Any]:
    """Who recorded a contribution, how it was said, and whether it is confirmed; nothing for one's own declaration."""
    known = contribution.recorded_by_id is not None
    return {"recording": recordings_of([contribution.pk]).get(contribution.pk) if known else None}
