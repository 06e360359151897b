"""One mail a day at most to each peer, of what awaits them: none where nothing does, none to who wants none."""

from datetime import datetime, time, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.identity.models import Host, Role, User
from backend.identity.permissions import ACTIONS
from backend.identity.services import host_day, host_zone
from backend.notifications.digest_lines import Section, sections_for
from backend.notifications.letters import dressed, link
from backend.notifications.models import Digest, OutgoingMail

# From this hour of the host's day on.
MORNING = time(7)
A_DAY = timedelta(days=1)
# What is news reaches back no further: somebody who was away, or wanted no mail for a while.
A_WEEK = timedelta(days=7)


def digest_due(now: datetime) -> int:
    """Write the mail of those who were not looked at since this morning; returns how many people were looked at."""
    return sweep_rows(digests_waiting(now), lambda person: _look(person, now))


def digests_waiting(now: datetime) -> "QuerySet[User]":
    """Those who discuss the work of others and were not looked at since this morning, on the host's day."""
    morning = _morning(now)
    if morning is None or now < morning:
        return User.objects.none()
    peers = Role.objects.filter(kind__in=ACTIONS["contribution.discuss"])
    done = Digest.objects.filter(Q(wanted=False) | Q(looked_at__gte=morning), user=OuterRef("pk"))
    people = User.objects.filter(~Exists(done), pk__in=peers.values("user"), is_active=True)
    return people.exclude(email__endswith=f"@{User.NO_ADDRESS}")


def wants_digest(person: User) -> bool:
    """Whether a person is written to once a day: yes, unless they said no."""
    return not Digest.objects.filter(user=person, wanted=False).exists()


@transaction.atomic
def set_digest(*, actor: User, wanted: bool, now: datetime) -> bool:
    """Switch one's own daily mail on or off; who may: everybody, for themself alone.

    Returns: whether that changed something.
    """
    Digest.objects.get_or_create(user=actor)
    row = Digest.objects.select_for_update().get(user=actor)
    if row.wanted == wanted:
        return False
    row.wanted = wanted
    row.save(update_fields=["wanted"])
    record(
        "person.profile_changed", actor=actor, subject=actor.pk, now=now,
        before={"digest": not wanted}, after={"digest": wanted},
    )  # fmt: skip
    return True


def _morning(now: datetime) -> datetime | None:
    """When the day's mail begins; None on an instance without a host."""
    if not Host.objects.exists():
        return None
    return datetime.combine(host_day(now), MORNING, tzinfo=host_zone())


def _look(person: User, now: datetime) -> None:
    """Look at what awaits somebody whom the caller holds. The row says so first, the mail goes with it."""
    Digest.objects.get_or_create(user=person)
    row = Digest.objects.select_for_update().get(user=person)
    morning = _morning(now)
    if not row.wanted or morning is None or (row.looked_at is not None and row.looked_at >= morning):
        return  # another sweep looked while this one waited for the person
    since = max(row.looked_at or now - A_DAY, now - A_WEEK)
    row.looked_at = now
    row.save(update_fields=["looked_at"])
    with translation.override(person.language):
        sections = sections_for(person, since=since, now=now)
        if sections:
            subject, body = _letter(sections)
            OutgoingMail.objects.create(
                id=new_id("eml"), recipient=person.email, subject=subject[:200], body=dressed(person.name, body),
                due_at=now,
            )  # fmt: skip
            nudge("notifications.send")
    around_commit("mail.composed")


def _letter(sections: list[Section]) -> tuple[str, str]:
    parts = []
    for section in sections:
        lines = [section.head, *(f"- {line}" for line in section.lines)]
        if section.more:
            lines.append(_("- and %(count)s more: %(link)s") % {"count": section.more, "link": link(section.page)})
        parts.append("\n".join(lines))
    last = _("You get this once a day at most, when something is new or awaits you. To stop it: %(link)s")
    parts.append(last % {"link": link("account/mail/")})
    count = sum(len(section.lines) + section.more for section in sections)
    return _("What awaits you today: %(count)s") % {"count": count}, "\n\n".join(parts)
