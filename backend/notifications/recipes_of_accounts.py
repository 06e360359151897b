"""What the events of accounts say by mail, and to whom."""

from django.utils.translation import gettext as _

from backend.events.models import Event
from backend.identity.models import Role, User
from backend.identity.services import people_with, the_host
from backend.notifications.letters import Letter, link


def factor_reset(event: Event) -> Letter:
    """The person hears of it, and with them those who would see a theft: administrators, and treasurers of one."""
    person = User.objects.get(pk=event.subject)
    told = {person.pk: person, **{one.pk: one for one in people_with("administrator", [])}}
    if Role.objects.filter(user=person, kind="treasurer").exists():
        told |= {one.pk: one for one in people_with("treasurer", [])}
    actor = event.actor

    def write() -> tuple[str, str]:
        values = {
            "name": person.name,
            "by": actor.name if actor else the_host().name,
            "host": the_host().name,
            "reason": event.why,
            "link": link("accounts/2fa/"),
        }
        return (
            _("The second factor of %(name)s was removed") % values,
            _(
                "%(by)s removed the second factor of %(name)s at %(host)s. The reason given: %(reason)s\n\nUntil "
                "another one is added, the roles of %(name)s that need one open nothing: %(link)s\n\nIf %(name)s did "
                "not ask for it, say so to the treasurers at once."
            )
            % values,
        )

    return list(told.values()), write
