"""The terms of use and the privacy notice: which version holds, who accepted which."""

from datetime import date, datetime

from django.db import transaction

from backend.events.services import record
from backend.identity.models import User
from backend.privacy.models import Acceptance

# Document → the days from which its versions hold, the newest first. A text that changes gets a day of its own here and
# a file of its own in web/templates/privacy/texts/: what somebody accepted can then be read for ever.
VERSIONS: dict[str, tuple[str, ...]] = {
    "terms": ("2026-11-22",),
    "privacy": ("2026-11-22",),
}


def current() -> dict[str, str]:
    """Document → its version in force (an ISO date)."""
    return {document: versions[0] for document, versions in VERSIONS.items()}


def version_day(version: str) -> date:
    """The day from which a version holds."""
    return date.fromisoformat(version)


def awaiting(user: User) -> list[str]:
    """The documents whose version in force this person has not accepted, in the order of VERSIONS."""
    known = set(Acceptance.objects.filter(user_id=user.pk).values_list("document", "version"))
    return [document for document, version in current().items() if (document, version) not in known]


@transaction.atomic
def accept_notices(*, user: User, now: datetime) -> list[str]:
    """Record that a person accepts the versions in force; again, it changes nothing. Gives no right and takes none.

    Returns: the documents that were not accepted before.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    new = awaiting(user)
    versions = current()
    Acceptance.objects.bulk_create(
        Acceptance(user=user, document=document, version=versions[document], accepted_at=now) for document in new
    )
    if new:
        accepted = {document: versions[document] for document in new}
        record("notices.accepted", actor=user, subject=user.pk, now=now, scopes=[user.pk], versions=accepted)
    return new
