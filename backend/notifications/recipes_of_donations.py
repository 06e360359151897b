"""What is written to who gives without an account."""

from django.utils.translation import gettext as _

from backend.core.dates import date_format
from backend.core.money import format_money
from backend.events.models import Event
from backend.identity.services import host_day, the_host
from backend.notifications.letters import Letter, link, payers
from backend.pledges.calendar import next_due
from backend.pledges.donations import gift_code
from backend.pledges.models import Pledge
from backend.pledges.references import printed


def gift_made(event: Event) -> Letter:
    """How to pay, when the next transfer is awaited, and the address of the page of the gift."""
    pledge = Pledge.objects.select_related("donor__claimed_by", "budget__commons").get(pk=event.subject)
    account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()
    following = next_due(pledge.starts_on, pledge.rhythm, after=host_day(event.created_at), ends_on=pledge.ends_on)

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(pledge.amount, pledge.currency),
            "rhythm": pledge.get_rhythm_display(),
            "commons": pledge.budget.commons.name,
            "iban": account.iban if account else "",
            "holder": the_host().name,
            "reference": printed(pledge.reference),
            "day": date_format(following[1], "DATE_FORMAT") if following else "",
            "link": link(f"gifts/{gift_code(pledge)}/"),
        }
        pay = _(
            "Thank you. You promised %(amount)s, %(rhythm)s; no money has moved yet. To pay, make a transfer of "
            "%(amount)s to %(holder)s, IBAN %(iban)s, with this reference: %(reference)s"
        )
        then = _(
            "The next transfer is awaited on %(day)s, with the same reference. Your bank can make it by itself, as a "
            "standing order."
        )
        page = _("To follow this gift, stop it, or erase your name: %(link)s")
        stranger = _(
            "If you did not ask for this, do nothing, or erase your address with that same link: nothing is taken "
            "without your own transfer."
        )
        parts = (pay, then if following else "", page, stranger)
        body = "\n\n".join(part for part in parts if part)
        return _("Your gift of %(amount)s to %(commons)s") % values, body % values

    return payers(pledge), write


DONATION_RECIPES = {"gift.made": gift_made}
