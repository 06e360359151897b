"""What is written to a payee whose transfer did not arrive."""

from django.utils.translation import gettext as _

from backend.core.money import format_money
from backend.events.models import Event
from backend.notifications.letters import Letter, link
from backend.payouts.models import Payout
from backend.payouts.reasons import OF_ACCOUNT, in_words


def payout_undone(event: Event) -> Letter:
    """Refused by the bank, or sent back: the payee knows why, and what to do. Refunds are for treasurers."""
    payout = Payout.objects.select_related("payee__user", "batch").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(payout.amount, payout.batch.currency),
            "iban": payout.iban_hint,
            "why": in_words(payout.undone_code) if payout.undone_code else _("the bank gives no reason"),
            "link": link("work/"),
        }
        told = _("The transfer of %(amount)s to %(iban)s did not arrive: %(why)s.\n\n") % values
        if payout.undone_code in OF_ACCOUNT:
            told += _("Give another account, or write this one again: it cannot be paid before.\n\n")
        else:
            told += _("Check your account. You have nothing else to do.\n\n")
        told += (
            _("The money is still owed to you. It leaves with a new batch that two people make.\n\n%(link)s") % values
        )
        return _("A transfer of %(amount)s did not reach you") % values, told

    return ([payout.payee.user] if payout.payee is not None else []), write
