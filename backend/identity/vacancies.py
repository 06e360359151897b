"""Pots whose last steward was sent away: whoever did it does not choose the next one."""

from backend.events.models import Event
from backend.identity.models import Role, User


def vacating(scope: str) -> Event | None:
    """The last time that a person took the role of steward from another in a pot, if anybody did."""
    taken = Event.objects.filter(kind="role.withdrawn", scopes__contains=[scope], data__role="steward", data__told=True)
    return taken.exclude(actor=None).order_by("-created_at", "-pk").first()


def vacated_by(person: User, scope: str) -> bool:
    """Whether a person emptied this pot, or is an administrator since: whoever emptied it may have named them."""
    fact = vacating(scope)
    if fact is None:
        return False
    held = Role.objects.filter(user=person)
    since = not held.filter(kind="administrator", created_at__lt=fact.created_at).exists()
    return fact.actor_id == person.pk or (since and not held.filter(kind="treasurer").exists())
