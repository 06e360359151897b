"""What the events of accounts say by mail, and to whom."""

from django.utils.translation import gettext as _

from backend.events.models import Event
from backend.identity.models import Role, User
from backend.identity.services import people_with, the_host
from backend.notifications.letters import Letter, link
from backend.payees.models import Payee


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


def account_changed(event: Event) -> Letter:
    """The person whose account to be paid on changed, whoever did it; the first one they give is no news to them."""
    payee = Payee.objects.select_related("user").filter(pk=event.subject).first()
    changed = bool(event.before and event.before["iban"]) and event.before != event.after

    def write() -> tuple[str, str]:
        values = {
            "host": the_host().name,
            "account": payee.iban_hint if payee else "",
            "link": link("work/account/"),
            "password": link("accounts/password/reset/"),
        }
        return (
            _("The account you are paid on changed"),
            _(
                "What %(host)s owes you now goes to the account %(account)s. No money has moved.\n\nIf you changed it, "
                "there is nothing to do.\n\nIf you did not: tell a treasurer at once, put your own account back, and "
                "choose a new password, which ends every session.\n\nYour account: %(link)s\nA new password: "
                "%(password)s"
            )
            % values,
        )

    return ([payee.user] if payee and changed and payee.user.is_active else []), write
