"""What a person says of themself: their name, the one public pages show, their language."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.crypto import equality_index
from backend.core.errors import Invalid
from backend.events.services import record
from backend.identity.models import User

LANGUAGES = ("fr", "en")


@transaction.atomic
def change_profile(*, actor: User, name: str, public_name: str, language: str, now: datetime) -> list[str]:
    """Change one's own name, public name and language; who may: everybody, for themself alone.

    Args: public_name: what public pages show; empty for a pseudonym. language: "fr" or "en".
    Returns: the fields that changed; none records nothing.
    Raises: Invalid `name_missing`, `public_name_too_long`, `language_unknown`.
    """
    wanted = {"name": " ".join(name.split()), "public_name": " ".join(public_name.split()), "language": language}
    if not wanted["name"] or len(wanted["name"]) > 120:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param="name")
    if len(wanted["public_name"]) > 60:
        raise Invalid("public_name_too_long", _("At most 60 characters."), param="public_name")
    if language not in LANGUAGES:
        raise Invalid("language_unknown", _("Choose French or English."), param="language")
    person = User.objects.select_for_update().get(pk=actor.pk)
    changed = [field for field, value in wanted.items() if getattr(person, field) != value]
    if not changed:
        return []
    before = {field: _told(field, getattr(person, field)) for field in changed}
    for field in changed:
        setattr(person, field, wanted[field])
    person.save(update_fields=changed)
    after = {field: _told(field, wanted[field]) for field in changed}
    record("person.profile_changed", actor=person, subject=person.pk, now=now, before=before, after=after)
    return changed


def set_shortcuts(*, actor: User, on: bool) -> None:
    """Switch one's own keyboard shortcuts on or off; who may: everybody, for themself alone."""
    User.objects.filter(pk=actor.pk).update(shortcuts=on)


def _told(field: str, value: str) -> str:
    """A language is told; a name is personal data that an erasure must find nowhere: its keyed hash."""
    return value if field == "language" or not value else equality_index(value)
