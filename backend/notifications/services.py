"""Composes mail from events and sends what is due."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils import translation
from django.utils.translation import gettext as _

from backend.contributions.models import Contribution
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.core.nudge import nudge
from backend.core.sweep import sweep_rows
from backend.distributions.models import Distribution, Share
from backend.events.models import Event, Untold
from backend.identity.models import User
from backend.identity.services import people_with, the_host
from backend.notifications.models import OutgoingMail
from backend.payees.services import mask
from backend.payouts.models import Payout, PayoutBatch
from backend.pledges.models import Pledge
from backend.pledges.references import printed

ATTEMPTS = 8
Letter = tuple[list[User], Callable[[], tuple[str, str]]]


def compose_due(now: datetime) -> int:
    """Write the mail of the events nobody was told about; returns how many events were treated."""
    return sweep_rows(Untold.objects.select_related("event"), lambda row: _compose(row, now))


def _compose(row: Untold, now: datetime) -> None:
    recipe = RECIPES.get(row.event.kind)
    letters = recipe(row.event) if recipe else None
    if letters is not None:
        people, write = letters
        for person in people:
            with translation.override(person.language):
                subject, body = write()
                greeting = _("Hello %(name)s,") % {"name": person.name}
                body = f"{greeting}\n\n{body}\n\n— {the_host().name}\n"
            OutgoingMail.objects.get_or_create(
                event=row.event,
                recipient=person.email,
                defaults={"id": new_id("eml"), "subject": subject[:200], "body": body, "due_at": now},
            )
        nudge("notifications.send")
    row.delete()


def _link(path: str) -> str:
    """An address in the reader's language."""
    return f"{settings.BASE_URL}/{translation.get_language()}/{path}"


def _pledge_made(event: Event) -> Letter:
    pledge = Pledge.objects.select_related("made_by", "budget__commons", "organisation").get(pk=event.subject)
    account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()

    def write() -> tuple[str, str]:
        amount = format_money(pledge.amount, pledge.currency)
        values = {
            "organisation": pledge.organisation.name,
            "amount": amount,
            "commons": pledge.budget.commons.name,
            "iban": account.iban if account else "",
            "holder": the_host().name,
            "reference": printed(pledge.reference),
            "link": _link(f"pledges/{pledge.pk}/"),
        }
        return (
            _("%(organisation)s pledges %(amount)s to %(commons)s") % values,
            _(
                "No money has moved yet. To pay, make a transfer of %(amount)s to %(holder)s, IBAN %(iban)s, with this "
                "reference: %(reference)s\n\nThe pledge: %(link)s"
            )
            % values,
        )

    return [pledge.made_by], write


def _contribution_decided(event: Event) -> Letter:
    contribution = Contribution.objects.select_related("contributor").get(pk=event.subject)
    said = contribution.reviews.order_by("-created_at").first()

    def write() -> tuple[str, str]:
        values = {"what": contribution.description[:80], "reason": said.reason if said else "", "link": _link("work/")}
        if event.kind == "contribution.rejected":
            return _("Contribution rejected: %(what)s") % values, _("Reason given: %(reason)s\n\n%(link)s") % values
        return (
            _("Contribution validated: %(what)s") % values,
            _("It takes part in the sharing when the period is closed. No money has moved.\n\n%(link)s") % values,
        )

    return [contribution.contributor], write


def _contribution_declared(event: Event) -> Letter:
    contribution = Contribution.objects.select_related("contributor", "budget").get(pk=event.subject)
    stewards = [s for s in people_with("steward", event.scopes) if s.pk != contribution.contributor_id]

    def write() -> tuple[str, str]:
        values = {
            "name": contribution.contributor.name,
            "what": contribution.description[:80],
            "budget": contribution.budget.name,
            "link": _link("reviews/"),
        }
        return _("To review: %(what)s") % values, _("%(name)s declared work for %(budget)s.\n\n%(link)s") % values

    return stewards, write


def _distribution_published(event: Event) -> Letter:
    distribution = Distribution.objects.select_related("period__budget").get(pk=event.subject)
    people = [t for t in people_with("treasurer", []) if t.pk != distribution.prepared_by_id]

    def write() -> tuple[str, str]:
        values = {"budget": distribution.period.budget.name, "link": _link(f"distributions/{distribution.pk}/")}
        return (
            _("To approve: the sharing of %(budget)s") % values,
            _("The computation is ready. Nothing is booked before you approve it.\n\n%(link)s") % values,
        )

    return people, write


def _distribution_approved(event: Event) -> Letter:
    shares = Share.objects.filter(distribution_id=event.subject).select_related("contributor")
    budget = Distribution.objects.get(pk=event.subject).period.budget.name

    def write() -> tuple[str, str]:
        values = {"budget": budget, "link": _link("work/")}
        return (
            _("Your share of %(budget)s is decided") % values,
            _("See the amount and how it was computed. No payment has left yet.\n\n%(link)s") % values,
        )

    return [share.contributor for share in shares], write


def _batch_prepared(event: Event) -> Letter:
    batch = PayoutBatch.objects.get(pk=event.subject)
    people = [t for t in people_with("treasurer", []) if t.pk != batch.prepared_by_id]

    def write() -> tuple[str, str]:
        values = {"amount": format_money(batch.total, batch.currency), "link": _link(f"payouts/{batch.pk}/")}
        return (
            _("To approve: a payout batch of %(amount)s") % values,
            _("Another treasurer prepared it. No money leaves before you approve it.\n\n%(link)s") % values,
        )

    return people, write


def _payout_settled(event: Event) -> Letter:
    payout = Payout.objects.select_related("payee__user", "batch__account").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(payout.amount, payout.batch.currency),
            "iban": payout.iban_hint,
            "from": mask(payout.batch.account.iban),
            "link": _link("work/"),
        }
        return (
            _("%(amount)s is on its way to your account") % values,
            _("The bank booked the transfer from %(from)s to %(iban)s.\n\n%(link)s") % values,
        )

    return [payout.payee.user], write


RECIPES: dict[str, Callable[[Event], Letter]] = {
    "pledge.made": _pledge_made,
    "contribution.declared": _contribution_declared,
    "contribution.validated": _contribution_decided,
    "contribution.rejected": _contribution_decided,
    "distribution.published": _distribution_published,
    "distribution.approved": _distribution_approved,
    "batch.prepared": _batch_prepared,
    "payout.settled": _payout_settled,
}


def send_due(now: datetime) -> int:
    """Hand the due messages to the mail transport; a failure is tried again later, eight times at most."""
    return sweep_rows(OutgoingMail.objects.filter(state="due", due_at__lte=now), lambda mail: _send(mail, now))


def _send(mail: OutgoingMail, now: datetime) -> None:
    mail.attempts += 1
    message = EmailMessage(
        " ".join(mail.subject.split()),
        mail.body,
        settings.DEFAULT_FROM_EMAIL,
        [mail.recipient],
        headers={"Message-ID": f"<{mail.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2]}>"},
        connection=get_connection(settings.MAIL_TRANSPORT),
    )
    try:
        message.send()
        mail.state, mail.sent_at, mail.last_error = "sent", now, ""
    except Exception as failure:
        mail.last_error = f"{type(failure).__name__}: {failure}"[:200]
        mail.due_at = now + timedelta(minutes=2**mail.attempts)
        if mail.attempts >= ATTEMPTS:
            mail.state = "given_up"
    mail.save(update_fields=["attempts", "state", "sent_at", "last_error", "due_at"])
