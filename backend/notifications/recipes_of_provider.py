"""What card and debit payments say by mail: failed, paused with a way to resume, disputed, refunds asked and done."""

from collections.abc import Callable

from django.utils.translation import gettext as _

from backend.core.dates import date_format
from backend.core.money import format_money
from backend.events.models import Event
from backend.identity.services import people_with
from backend.notifications.letters import Letter, link, payers
from backend.payments.models import Checkout, Dispute, Movement, Payment, ProviderRefund, Subscription
from backend.pledges.donations import gift_code
from backend.pledges.models import Pledge

OF_PLEDGE = ("made_by", "person", "donor__claimed_by", "organisation", "budget__commons", "budget__parent")


def page_of_payments(pledge: Pledge, page: str) -> str:
    """Where who promised pays (`pay`), or takes payments up again (`subscription`): behind its own link for a gift."""
    if pledge.donor is not None and pledge.donor.claimed_by_id is None:
        return link(f"gifts/{gift_code(pledge)}/{page}/")
    return link(f"pledges/{pledge.pk}/{page}/")


def _pledge(event: Event) -> Pledge | None:
    """The pledge that an event is about, or the first one of those paid together."""
    rows = Pledge.objects.select_related(*OF_PLEDGE).order_by("pk")
    named = event.data.get("pledge", event.subject)
    group = event.data.get("group", "")
    for model in (Checkout, Subscription):
        found = model.objects.filter(pk=event.subject).first()
        group = found.group if found is not None else group
    return rows.filter(pk=named).first() or rows.filter(group=group).exclude(group="").first()


def _facts(event: Event, pledge: Pledge) -> dict[str, str]:
    """What the sentences hold."""
    together = Pledge.objects.filter(group=pledge.group).values_list("amount", flat=True)
    amount, currency = event.data.get("amount", sum(together)), event.data.get("currency", pledge.currency)
    return {
        "amount": format_money(amount, currency),
        "budget": pledge.budget.full_name,
        "reason": event.why or event.data.get("failure", "") or event.data.get("reason", ""),
        "pay": page_of_payments(pledge, "pay"),
        "resume": page_of_payments(pledge, "subscription"),
    }


def _silent() -> Letter:
    return [], lambda: ("", "")


def _with_reason(text: str, values: dict[str, str]) -> str:
    given = _("The reason given: %(reason)s")
    return f"{text} {given}" if values["reason"] else text


def checkout_failed(event: Event) -> Letter:
    """A payment page ended without a payment: nothing was taken, and how to pay all the same."""
    pledge = _pledge(event)
    if pledge is None or pledge.state != "active":
        return _silent()

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        text = _with_reason(_("Your payment of %(amount)s to %(budget)s did not go through. No money moved."), values)
        last = _("To try again, or to pay by bank transfer: %(pay)s")
        return _("Payment of %(amount)s not made") % values, f"{text}\n\n{last}" % values

    return payers(pledge), write


def debit_failed(event: Event) -> Letter:
    """A payment of a subscription, or a debit of some days ago, that the bank refused."""
    pledge = _pledge(event)
    if pledge is None:
        return _silent()
    follows = Subscription.objects.filter(group=pledge.group).exclude(state="ended").exists()

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        text = _with_reason(_("The payment of %(amount)s to %(budget)s was refused by the bank."), values)
        if follows:
            last = _("It is tried again by itself. To change the card or the account: %(resume)s")
        else:
            last = _("To pay it again, or by bank transfer: %(pay)s")
        return _("Payment of %(amount)s to %(budget)s refused") % values, f"{text}\n\n{last}" % values

    return payers(pledge), write


def subscription_paused(event: Event) -> Letter:
    """After several failures nothing is tried any more: one link changes the card and takes the payments up again."""
    pledge = _pledge(event)
    if pledge is None:
        return _silent()

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        text = _with_reason(
            _("The payments of %(amount)s to %(budget)s are paused: they did not go through, and nothing is taken."),
            values,
        )
        last = _("To change the card or the account and take them up again, with one button: %(resume)s")
        return _("Payments to %(budget)s paused") % values, f"{text}\n\n{last}" % values

    return payers(pledge), write


def subscription_ended(event: Event) -> Letter:
    """The payments that followed by themselves are over."""
    pledge = _pledge(event)
    if pledge is None or pledge.state != "active":
        return _silent()

    def write() -> tuple[str, str]:
        values = _facts(event, pledge)
        text = _("The payments of %(amount)s to %(budget)s have ended: nothing more is taken by itself.")
        last = _("The pledge stays, and can be paid otherwise or stopped: %(pay)s")
        return _("Payments to %(budget)s ended") % values, f"{text}\n\n{last}" % values

    return payers(pledge), write


def dispute_opened(event: Event) -> Letter:
    """Treasurers: a payer's bank asks money back, and by when it must be answered."""
    dispute = Dispute.objects.filter(pk=event.subject).first()
    if dispute is None or dispute.state not in {"warning", "opened"}:
        return _silent()
    payment = Payment.objects.filter(charge=dispute.charge).select_related("pledge__organisation", "pledge__person")
    first = payment.order_by("pk").first()

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(dispute.amount, dispute.currency),
            "name": first.pledge.payer_name if first is not None else _("an unknown payer"),
            "day": date_format(dispute.answer_by, "DATE_FORMAT") if dispute.answer_by else "",
            "link": link("provider/disputes/"),
        }
        text = _("The bank of %(name)s asks %(amount)s back. It is answered on the provider’s own pages")
        text += _(" until %(day)s.") if values["day"] else "."
        more = _("Nobody who was paid gives anything back: what was shared already is borne by the pot’s deficit.")
        return _("Dispute of %(amount)s to answer") % values, f"{text}\n\n{more}\n\n%(link)s" % values

    return people_with("treasurer", []), write


def refund_asked(event: Event) -> Letter:
    """The other treasurers: a refund waits for one of them."""
    refund = ProviderRefund.objects.select_related("asked_by").filter(pk=event.subject).first()
    if refund is None or refund.state != "asked":
        return _silent()
    people = [one for one in people_with("treasurer", []) if one.pk != refund.asked_by_id]

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(refund.amount, refund.currency),
            "name": refund.asked_by.name,
            "reason": refund.reason,
            "link": link(f"provider/refunds/{refund.pk}/"),
        }
        return (
            _("To approve: refund of %(amount)s to a card or account") % values,
            _("%(name)s asks for it: %(reason)s\n\nNothing moves until another treasurer approves.\n\n%(link)s")
            % values,
        )

    return people, write


def refund_ended(event: Event) -> Letter:
    """The payer reads that money comes back; when it failed, who asked for it does."""
    refund = ProviderRefund.objects.select_related("asked_by").filter(pk=event.subject).first()
    if refund is None:
        return _silent()
    rows = Payment.objects.filter(charge=refund.charge).select_related(*(f"pledge__{one}" for one in OF_PLEDGE))
    payment = rows.order_by("pk").first()
    done = refund.state == "done" and payment is not None
    people = payers(payment.pledge) if done and payment is not None else [refund.asked_by]

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(refund.amount, refund.currency),
            "budget": payment.pledge.budget.full_name if payment is not None else "",
            "reason": refund.failure,
            "link": link(f"provider/refunds/{refund.pk}/"),
        }
        if done:
            return (
                _("%(amount)s given back") % values,
                _(
                    "%(amount)s of your payment to %(budget)s go back to the card or account they came from. Banks "
                    "take some days to show it."
                )
                % values,
            )
        return (
            _("Refund of %(amount)s not made") % values,
            _("The refund did not reach its payer. %(reason)s\n\n%(link)s") % values,
        )

    return people, write


def movement_reported(event: Event) -> Letter:
    """Treasurers: money at the provider that nothing explains is in suspense."""
    row = Movement.objects.filter(pk=event.subject, state="reported").first()
    if row is None:
        return _silent()

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(row.amount, row.currency),
            "link": link(f"provider/movements/{row.pk}/"),
        }
        return (
            _("To explain: %(amount)s at the payment provider") % values,
            _("Nothing here says what this money is. It waits in suspense, in no pot:\n\n%(link)s") % values,
        )

    return people_with("treasurer", []), write


PROVIDER_RECIPES: dict[str, Callable[[Event], Letter]] = {
    "checkout.failed": checkout_failed,
    "payment.failed": debit_failed,
    "subscription.paused": subscription_paused,
    "subscription.ended": subscription_ended,
    "dispute.opened": dispute_opened,
    "provider_refund.asked": refund_asked,
    "provider_refund.done": refund_ended,
    "provider_refund.failed": refund_ended,
    "movement.reported": movement_reported,
}
