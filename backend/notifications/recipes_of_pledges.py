"""What the instalments of pledges say by mail: called, late, unpaid; and how a pledge was changed or ended."""

from collections.abc import Callable
from datetime import date

from django.utils.translation import gettext as _

from backend.core.dates import date_format
from backend.core.money import format_money
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.services import people_with, the_host
from backend.notifications.letters import Addressee, Letter, link, page_of, payers, unproven
from backend.payments.models import Payment
from backend.pledges.models import Pledge
from backend.pledges.references import printed


def _pledge(event: Event) -> Pledge:
    rows = Pledge.objects.select_related(
        "made_by", "person", "donor__claimed_by", "organisation", "budget__commons", "budget__parent"
    )
    return rows.get(pk=event.subject)


def _facts(event: Event, pledge: Pledge) -> dict[str, str]:
    """What the sentences hold: amount and day of the event, and how to pay."""
    account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()
    amount, due_on = event.data.get("amount", pledge.amount), event.data.get("due_on")
    return {
        "name": pledge.payer_name,
        "amount": format_money(amount, pledge.currency),
        "budget": pledge.budget.full_name,
        "day": date_format(date.fromisoformat(due_on), "DATE_FORMAT") if due_on else "",
        "label": event.data.get("label", ""),
        "iban": account.iban if account else "",
        "holder": the_host().name,
        "reference": printed(pledge.reference),
        "link": page_of(pledge),
        "reason": event.why,
    }


def _how_to_pay() -> str:
    return _("Make a transfer of %(amount)s to %(holder)s, IBAN %(iban)s, with this reference: %(reference)s")


def pledge_made(event: Event) -> Letter:
    """How to pay what was just promised: one message for all the pledges of one act."""
    pledge = _pledge(event)
    group = list(Pledge.objects.filter(group=pledge.group).order_by("pk"))
    if group[0].pk != pledge.pk:
        return [], lambda: ("", "")
    amount = sum(one.amount for one in group)

    def write() -> tuple[str, str]:
        values = _facts(event, pledge) | {
            "organisation": pledge.payer_name,
            "amount": format_money(amount, pledge.currency),
            "rhythm": pledge.get_rhythm_display(),
            "commons": ", ".join(dict.fromkeys(one.budget.commons.name for one in group)),
            "day": date_format(pledge.starts_on, "DATE_FORMAT"),
        }
        first = pledge.instalments.order_by("number").first()
        if first is not None and first.state == "due":
            said = _("No money has moved yet. The first instalment falls due on %(day)s; a message calls it before.")
        else:
            said = _("No money has moved yet. To pay:") + " " + _how_to_pay()
        if pledge.rhythm != "once":
            said += "\n\n" + _("You promised this amount %(rhythm)s; each instalment is called before its day.")
        last = _("The pledge, its papers and how to stop it: %(link)s")
        return _("%(organisation)s pledges %(amount)s to %(commons)s") % values, f"{said}\n\n{last}" % values

    return payers(pledge), write


def pledge_called(event: Event) -> Letter:
    """An instalment comes: how much, until when, with which paper, and how to change or stop before it."""
    pledge = _pledge(event)

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        paper = _("The paper %(label)s is on its page.") if values["label"] else ""
        text = _(
            "The next instalment of your pledge to %(budget)s, %(amount)s, falls due on %(day)s. No money has moved."
        )
        last = _("To change the pledge or to stop it before that day: %(link)s")
        whole = "\n\n".join(part for part in (text, _how_to_pay(), paper, last) if part)
        return _("%(amount)s for %(budget)s, due on %(day)s") % values, whole % values

    return payers(pledge), write


def payment_received(event: Event) -> Letter:
    """Whoever promised reads that their money came: nothing else tells them, the bank being another house."""
    pledge = Pledge.objects.select_related(
        "made_by", "person", "donor__claimed_by", "organisation", "budget__commons", "budget__parent"
    ).get(pk=event.data["pledge"])
    charged = Payment.objects.filter(pk=event.subject).exclude(charge="").exists()

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        if charged:
            said = _("Your payment came through and is in the pot. What it pays for: %(link)s")
        else:
            said = _("Your money has been seen on the bank’s statement and is in the pot. What it pays for: %(link)s")
        return _("%(amount)s received for %(budget)s, thank you") % values, said % values

    return payers(pledge), write


def payment_unmatched(event: Event) -> Letter:
    """Whoever was thanked for money that was another's reads so."""
    payment = Payment.objects.select_related("pledge__made_by", "pledge__budget__commons").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(event.data["amount"], payment.currency),
            "budget": payment.pledge.budget.full_name,
            "reference": printed(payment.pledge.reference),
            "link": page_of(payment.pledge),
        }
        return (
            _("%(amount)s for %(budget)s was not yours after all") % values,
            _(
                "A bank transfer was counted as yours by mistake, and we told you so: it is somebody else's. Nothing "
                "was taken from your account. Your pledge awaits this money again, with the reference "
                "%(reference)s.\n\n%(link)s"
            )
            % values,
        )

    return payers(payment.pledge), write


def pledge_reminded(event: Event) -> Letter:
    """What is late, without blame: banks lose references, and plans change."""
    pledge = _pledge(event)
    if not pledge.expected:
        return [], lambda: ("", "")  # paid or cancelled meanwhile

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        text = _(
            "%(amount)s for %(budget)s, due on %(day)s, has not been seen on the bank’s statement. If your transfer "
            "left in the last days, there is nothing to do."
        )
        last = _("To change the pledge, pause it or stop it: %(link)s")
        return (
            _("Reminder: %(amount)s for %(budget)s") % values,
            "\n\n".join((text, _how_to_pay(), last)) % values,
        )

    return payers(pledge), write


def pledge_unpaid(event: Event) -> Letter:
    """After the last reminder a person speaks with whoever promised, or writes it off: treasurers, and stewards.

    Stewards read no more than the public does: not who promised without a name, or under another one.
    """
    pledge = _pledge(event)
    stewards = people_with("steward", event.scopes) if pledge.visibility == "visible" else []
    people = {one.pk: one for one in (*people_with("treasurer", []), *stewards)}

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        return (
            _("Unpaid after three reminders: %(amount)s from %(name)s") % values,
            _(
                "%(name)s promised %(amount)s to %(budget)s for %(day)s, was reminded three times, and nothing came. "
                "Nobody writes to them any more: speak with them. A treasurer can write it off with a reason on the "
                "page of the pledge, where no money moves:\n\n%(link)s"
            )
            % (values | {"link": link(f"pledges/{pledge.pk}/")}),
        )

    return list(people.values()), write


def pledge_altered(event: Event) -> Letter:
    """Who promised, and who acted for them, read what was changed; nobody is surprised by the next call."""
    pledge = _pledge(event)
    if event.kind == "pledge.cancelled" and event.actor is None and unproven(pledge):
        return [], lambda: ("", "")  # stopped through its own link: the page said so
    people: dict[str, Addressee] = {one.email: one for one in payers(pledge)}
    actor: User | None = event.actor
    if actor is not None:
        people[actor.email] = actor

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        said = {
            "pledge.changed": (
                _("Your pledge to %(budget)s is changed"),
                _("What was called keeps its amount; the change holds from the next instalment on."),
            ),
            "pledge.paused": (
                _("The pledge to %(budget)s is paused"),
                _("No further instalment is called until it is taken up again. The reason given: %(reason)s"),
            ),
            "pledge.resumed": (
                _("The pledge to %(budget)s goes on"),
                _("The next instalment will be called before its day; what passed during the pause never is."),
            ),
            "pledge.cancelled": (
                _("The pledge to %(budget)s is cancelled"),
                _("Nothing more is awaited. What was received stays in the pot."),
            ),
            "instalment.written_off": (
                _("%(amount)s for %(budget)s is no longer awaited"),
                _("A treasurer wrote it off, for this reason: %(reason)s"),
            ),
        }
        subject, body = said[event.kind]
        return subject % values, "\n\n".join((body, _("No money has moved."), "%(link)s")) % values

    return list(people.values()), write


PLEDGE_RECIPES: dict[str, Callable[[Event], Letter]] = {
    "pledge.made": pledge_made,
    "pledge.called": pledge_called,
    "payment.received": payment_received,
    "payment.unmatched": payment_unmatched,
    "pledge.reminded": pledge_reminded,
    "pledge.unpaid": pledge_unpaid,
    "pledge.changed": pledge_altered,
    "pledge.paused": pledge_altered,
    "pledge.resumed": pledge_altered,
    "pledge.cancelled": pledge_altered,
    "instalment.written_off": pledge_altered,
}
