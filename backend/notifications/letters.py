"""What the recipes of mail share: their shape, and addresses in the reader's language."""

from collections.abc import Callable

from django.conf import settings
from django.utils import translation

from backend.identity.models import User

# who is told, and what gives (subject, body) once the reader's language is set
Letter = tuple[list[User], Callable[[], tuple[str, str]]]


def link(path: str) -> str:
    """An address in the reader's language."""
    return f"{settings.BASE_URL}/{translation.get_language()}/{path}"
