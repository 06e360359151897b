"""What the events of accounts say by mail, and to whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db.models.functions import Lower
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from backend.distributions.models import SupportingDocument
from backend.events.models import Event
from backend.identity.models import Role, User
from backend.identity.services import host_zone, people_with, the_host
from backend.notifications.letters import Addressee, Letter, link
from backend.payees.blocking import block_token
from backend.payees.models import HOLD, Payee


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


# How long an address that was replaced is told of accounts: whoever stole an account changes the address first.
FORMER = timedelta(days=30)


@dataclass(frozen=True)
class Proven:
    """A person at one of the addresses that they confirmed."""

    name: str
    email: str
    language: str
    is_active: bool = True
    has_address: bool = True


def every_address(person: User, now: datetime) -> list[Proven]:
    """The person at each confirmed address of theirs, the main one included, and at those that they had lately."""
    others = EmailAddress.objects.filter(user=person, verified=True).order_by("pk").values_list("email", flat=True)
    known = dict.fromkeys([person.email, *others])
    known |= dict.fromkeys(_lately(person, {email.lower() for email in known}, now))
    return [Proven(person.name, email, person.language, person.is_active, person.has_address) for email in known]


def _lately(person: User, present: set[str], now: datetime) -> list[str]:
    """Addresses that were a person's within `FORMER` and are nobody else's since."""
    # By its name: privacy, which keeps them for erasures, stands above this app.
    kept = apps.get_model("privacy", "Former")._default_manager.filter(user=person, kind="email")
    former = set(kept.filter(noted_at__gte=now - FORMER).values_list("text", flat=True)) - present
    if not former:
        return []
    taken = {
        *User.objects.annotate(at=Lower("email")).filter(at__in=former).values_list("at", flat=True),
        *EmailAddress.objects.annotate(at=Lower("email")).filter(at__in=former).exclude(user=person)
        .values_list("at", flat=True),
    }  # fmt: skip
    return sorted(former - taken)


def account_changed(event: Event) -> Letter:
    """The person whose account to be paid on changed, at each of their addresses, whoever did it; the very first one
    they give is no news to them."""
    payee = Payee.objects.select_related("user").filter(pk=event.subject).first()
    if payee is None:
        return [], lambda: ("", "")
    others = Payee.objects.filter(user=payee.user).exclude(pk=payee.pk)
    first = not (event.before and event.before["iban"]) and not others.exists()

    def write() -> tuple[str, str]:
        values = {
            "name": payee.on_papers,
            "by": event.actor.name if event.actor else the_host().name,
            "host": the_host().name,
            "account": payee.iban_hint,
            "moment": date_format((event.created_at + HOLD).astimezone(host_zone()), "DATETIME_FORMAT"),
            "block": link(f"payees/block/{block_token(payee.pk, now=event.created_at)}/"),
            "link": link("payees/"),
            "password": link("accounts/password/reset/"),
        }
        return (
            _("The account you are paid on changed"),
            _(
                "%(by)s changed the account on which %(host)s pays %(name)s: it is now %(account)s. Nothing leaves for "
                "it before %(moment)s, and no money has moved.\n\nIf it was you, there is nothing to do.\n\nIf this "
                "was not you, stop what would be paid on it, now, without signing in: %(block)s\n\nThen tell a "
                "treasurer, choose a new password, which ends every session, and give your own account again.\n\nYour "
                "payees: %(link)s\nA new password: %(password)s"
            )
            % values,
        )

    return ([] if first or not payee.user.is_active else every_address(payee.user, event.created_at)), write


def default_chosen(event: Event) -> Letter:
    """The person whose later shares go to another payee, at each of their addresses."""
    payee = Payee.objects.select_related("user").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "name": payee.on_papers,
            "by": event.actor.name if event.actor else the_host().name,
            "account": payee.iban_hint or "–",
            "block": link(f"payees/block/{block_token(payee.pk, now=event.created_at)}/"),
            "link": link("payees/"),
        }
        return (
            _("What is shared from now on goes to %(name)s") % values,
            _(
                "%(by)s chose who is paid for your work from now on: %(name)s, account %(account)s. What is owed "
                "already stays where it is, and no money has moved.\n\nIf it was you, there is nothing to do.\n\nIf "
                "this was not you, stop what would be paid to it, now, without signing in: %(block)s\n\nThen "
                "tell a treasurer.\n\nYour payees: %(link)s"
            )
            % values,
        )

    return (every_address(payee.user, event.created_at) if payee.user.is_active else []), write


def payee_blocked(event: Event) -> Letter:
    """The treasurers, who pay nothing there meanwhile, and the person."""
    payee = Payee.objects.select_related("user").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {"name": payee.user.name, "account": payee.iban_hint, "link": link("payees/")}
        return (
            _("Payments to %(name)s are stopped") % values,
            _(
                "Somebody who reads the mail of %(name)s answered that the account %(account)s is not theirs. Nothing "
                "is paid on it until %(name)s gives an account again, and three days have passed: %(link)s\n\n"
                "Treasurers: speak with %(name)s before you pay anything; refuse a batch that holds this account. No "
                "money has moved."
            )
            % values,
        )

    people: list[Addressee] = (
        [*every_address(payee.user, event.created_at), *people_with("treasurer", [])] if payee.user.is_active else []
    )
    return list({one.email: one for one in people}.values()), write


def paper_refused(event: Event) -> Letter:
    """The person whose supporting document was refused: why, and where to hand over another one."""
    paper = SupportingDocument.objects.select_related("share__contributor").get(pk=event.subject)
    person = paper.share.contributor

    def write() -> tuple[str, str]:
        values = {
            "number": paper.number,
            "reason": event.why,
            "by": event.actor.name if event.actor else the_host().name,
            "link": link(f"shares/{paper.share_id}/document/"),
        }
        return (
            _("Your document %(number)s is to be changed") % values,
            _(
                "%(by)s could not accept your supporting document %(number)s: %(reason)s\n\nYour share is owed to you "
                "still, and no money moved. Approve the drafted invoice, or hand over another document: %(link)s"
            )
            % values,
        )

    return ([person] if paper.state == "refused" and person.is_active else []), write
