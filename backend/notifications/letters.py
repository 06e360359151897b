"""What the recipes of mail share: their shape, and addresses in the reader's language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from backend.identity.models import Host
from backend.pledges.donations import gift_code
from backend.pledges.models import Donor, Pledge


class Addressee(Protocol):
    """Whoever is written to: somebody with an account, or who gave without one."""

    @property
    def name(self) -> str:
        """How they are called."""

    @property
    def email(self) -> str:
        """Where they are written to."""

    @property
    def language(self) -> str:
        """In which language."""

    @property
    def is_active(self) -> bool:
        """Whether they may be written to."""

    @property
    def has_address(self) -> bool:
        """Whether their address takes mail."""


# Messages in a day to an address that a stranger typed and of which no money came.
MOST = 5
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Giver:
    """A donor without an account, as somebody who is written to: never by the name that somebody typed for them."""

    email: str
    language: str
    name: str = ""
    is_active: bool = True
    has_address: bool = True


# who is told, and what gives (subject, body) once the reader's language is set
Letter = tuple[Sequence[Addressee], Callable[[], tuple[str, str]]]


def payers(pledge: Pledge) -> list[Addressee]:
    """Who is written to about a pledge: the person, the donor, or who made it for their organisation.

    A donor who has an account now is written to there; one who was forgotten is not written to any more. While nothing
    came of a gift, its address is written to MOST times a day at most, all gifts and messages together.
    """
    donor: Donor | None = pledge.donor
    if donor is None:
        person = pledge.person or pledge.made_by
        return [person] if person is not None else []
    if donor.claimed_by is not None:
        return [donor.claimed_by]
    if not donor.email_sealed or (not pledge.received and not _room(donor.email_index)):
        return []
    return [Giver(donor.email, donor.language)]


def unproven(pledge: Pledge) -> bool:
    """Whether this is a gift without an account of which nothing came: a stranger may have typed all of it."""
    return pledge.donor is not None and pledge.donor.claimed_by_id is None and not pledge.received


def _room(email_index: str) -> bool:
    """Count one more message to an address; whether it may leave.

    Counted apart from the gifts and the messages, which go when somebody asks to be forgotten: asking again and again
    opens nothing. The hash of the address goes after a day.
    """
    key = f"gift-mail:{email_index}"
    with connection.cursor() as cursor:  # two processes count one after the other
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    count = int(cache.get(key, 0)) + 1
    if count > MOST:
        return False
    cache.set(key, count, A_DAY.total_seconds())
    return True


def link(path: str) -> str:
    """An address in the reader's language."""
    return f"{settings.BASE_URL}/{translation.get_language()}/{path}"


def page_of(pledge: Pledge) -> str:
    """Where who promised reads it: a gift without an account has a page behind its own link."""
    if pledge.donor is not None and pledge.donor.claimed_by_id is None:
        return link(f"gifts/{gift_code(pledge)}/")
    return link(f"pledges/{pledge.pk}/")


def dressed(name: str, body: str) -> str:
    """A text between its greeting and its signature, in the language of the moment."""
    host = Host.objects.first()
    greeting = _("Hello %(name)s,") % {"name": name} if name else _("Hello,")
    return f"{greeting}\n\n{body}\n\n— {host.name if host else 'Tronc'}\n"
