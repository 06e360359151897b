"""What people are told by mail about their personal data: taken away, to be erased, kept after all."""

from datetime import datetime

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from backend.core.dates import date_format
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.services import host_zone, people_with, the_host
from backend.notifications.letters import Letter, link


def personal_exported(event: Event) -> Letter:
    """Whoever's data was taken away hears of it: if it was not them, somebody is in their account."""
    person = User.objects.get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {"link": link("account/data/"), "when": _moment(event.created_at)}
        return (
            _("Your personal data was downloaded"),
            _(
                "On %(when)s a copy of everything we keep about you was downloaded from your account. If it was not "
                "you, change your password and end the other sessions at once.\n\n%(link)s"
            )
            % values,
        )

    return [person], write


def erasure_asked(event: Event) -> Letter:
    """The person is told what goes, when, and how to stop it; an account that was never opened has nobody to tell."""
    person = User.objects.get(pk=event.subject)
    cause = event.data["cause"]

    def write() -> tuple[str, str]:
        due = datetime.fromisoformat(event.data["due_at"])
        values = {"host": the_host().name, "when": _moment(due), "link": link("account/data/")}
        if cause == "inactive":
            return (
                _("Your account has not been used for almost three years"),
                _(
                    "Nobody signed in to your account at %(host)s for 35 months. On %(when)s it will be erased. To "
                    "keep it, sign in before: %(link)s"
                )
                % values,
            )
        return (
            _("Your account will be erased"),
            _(
                "On %(when)s your name, your address, your bank account and your access at %(host)s will be erased. "
                "Your work stays, under a pseudonym. What was booked in the accounts is kept for the ten years that "
                "the law asks.\n\nThis is the last message about it: afterwards we no longer have your address. If you "
                "did not ask for this, or changed your mind, stop it before that moment: %(link)s"
            )
            % values,
        )

    return ([] if cause == "unused" or not person.is_active else [person]), write


def erasure_withdrawn(event: Event) -> Letter:
    """The person is told that nothing is erased."""
    person = User.objects.get(pk=event.subject)

    def write() -> tuple[str, str]:
        return (
            _("Your account is kept"),
            _("The erasure of your account is stopped. Nothing was erased.\n\n%(link)s")
            % {"link": link("account/data/")},
        )

    return ([person] if person.is_active and event.actor_id else []), write


def erasure_hindered(event: Event) -> Letter:
    """The person and the administrators are told that something must be settled before."""
    person = User.objects.get(pk=event.subject)
    people = {one.pk: one for one in [person, *people_with("administrator", [])] if one.is_active}

    def write() -> tuple[str, str]:
        values = {"name": person.name, "why": _why(event.data["code"]), "link": link("account/data/")}
        return (
            _("An erasure waits: %(name)s") % values,
            _("It cannot be done yet: %(why)s It is tried again each day; nothing was erased.\n\n%(link)s") % values,
        )

    return list(people.values()), write


def _why(code: str) -> str:
    """What hinders an erasure, by its code."""
    if code == "erasure_money_owed":
        return _("money is owed to this person, or on its way.")
    if code == "erasure_work_waits":
        return _("work of this person waits to be reviewed or shared.")
    return _("this person alone holds a role that somebody must hold.")


def _moment(moment: datetime) -> str:
    """A moment on the host's calendar, in the language of the reader."""
    return date_format(localtime(moment, host_zone()), "DATETIME_FORMAT")


PRIVACY_RECIPES = {
    "personal.exported": personal_exported,
    "erasure.asked": erasure_asked,
    "erasure.withdrawn": erasure_withdrawn,
    "erasure.hindered": erasure_hindered,
}
