"""What is written to a payee whose transfer did not arrive, and to whoever must approve a batch as a third person."""

from django.utils.translation import gettext as _

from backend.core.money import format_money
from backend.events.models import Event
from backend.notifications.letters import Letter, link
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.reasons import OF_ACCOUNT, in_words
from backend.payouts.services import may_approve


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


def third_person_awaited(event: Event) -> Letter:
    """One treasurer approved a batch above a limit: those who may be the third person know that it waits for them."""
    batch = PayoutBatch.objects.select_related("approved_by").get(pk=event.subject)
    waits = batch.state == "prepared" and batch.approved_by is not None

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(batch.total, batch.currency),
            "by": batch.approved_by.name if batch.approved_by else "",
            "link": link(f"payouts/{batch.pk}/"),
        }
        return (
            _("To approve as a third person: a payout batch of %(amount)s") % values,
            _(
                "It is above a limit of the account, so two treasurers approve it who did not prepare it. %(by)s did. "
                "No money leaves before another one does.\n\n%(link)s"
            )
            % values,
        )

    return (may_approve(batch) if waits else []), write
