"""Brings work to a state along the edges that PostgreSQL lets it take, where how it came there does not matter."""

from datetime import datetime

from backend.contributions.models import Contribution, Review
from backend.core.ids import new_id
from backend.identity.models import User


def bring_to(state: str, work: Contribution, *, reviewer: User, now: datetime) -> None:
    """From `declared` to `validated` or `included`; nothing to do for `declared`."""
    if state == "declared":
        return
    Review.objects.create(
        id=new_id("rev"), contribution=work, contributor_id=work.contributor_id, reviewer=reviewer, verdict="approve",
        version=work.version, created_at=now,
    )  # fmt: skip
    rows = Contribution.objects.filter(pk=work.pk)
    rows.update(state="validated", validated_at=now)
    if state == "included":
        rows.update(state="included")
