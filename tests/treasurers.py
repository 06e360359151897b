"""A third treasurer for tests: PostgreSQL takes them with what two people signed alone."""

from datetime import datetime

from django.utils import timezone

from backend.core.ids import new_id
from backend.identity.models import Proposal, Role, User


def make_treasurer(person: User, *, now: datetime | None = None) -> Role:
    """Make somebody treasurer, as claire proposed and denis accepted."""
    at = now or timezone.now()
    claire, denis = (User.objects.get(email=f"{name}@example.org") for name in ("claire", "denis"))
    host = Role.objects.get(user=claire, kind="treasurer").scope
    made = Proposal.objects.create(
        id=new_id("prp"), kind="role.treasurer", subject=person.pk, digest="0" * 64, reason="Test", proposed_by=claire,
        proposed_at=at,
    )  # fmt: skip
    Proposal.objects.filter(pk=made.pk).update(state="accepted", decided_by=denis, decided_at=at, applied_at=at)
    return Role.objects.create(user=person, kind="treasurer", scope=host, granted_by=denis, created_at=at)
