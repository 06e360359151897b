"""Refusals about what a payment provider holds: refunds through it, disputes, its payouts: cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "provider_refund_not_found": (
        _("The refund does not exist"),
        _("There is none under this address that you may see."),
        _("Look for it in the list of refunds through the payment provider."),
    ),
    "provider_refund_decided": (
        _("The refund is already decided"),
        _("Somebody approved or refused it before."),
        _("Open its page to see what became of it; ask for another one if money is still to be given back."),
    ),
    "own_provider_refund": (
        _("Who asked for a refund does not approve it"),
        _("Money leaves only when two people looked at it."),
        _("Let another treasurer approve this refund."),
    ),
    "refund_of_own_payment": (
        _("Who is paid back does not approve the refund"),
        _("The payment came from you, or from an organisation that you belong to."),
        _("Let a treasurer who does not belong to it approve this refund."),
    ),
    "refund_converted": (
        _("The payment was converted"),
        _("The provider took it in another currency and settled it in that of the host: only it knows what goes back."),
        _("Give it back on the provider’s own pages. The books follow as soon as it did."),
    ),
    "payment_disputed": (
        _("The payment is disputed"),
        _("The payer’s bank asks this money back, and nobody knows yet who will keep it."),
        _("Answer the dispute on the provider’s own pages, and wait for its end: then do it again."),
    ),
    "provider_refund_waits": (
        _("A refund by the provider waits"),
        _(
            "This payment is asked to go back to the card or account it came from:"
            " by transfer too it would leave twice."
        ),
        _("Refuse that refund first, or wait for its end."),
    ),
    "provider_payout_not_found": (
        _("The payout of the provider does not exist"),
        _("There is none under this address that you may see."),
        _("Look for it in the list of what the provider sends to the bank."),
    ),
    "payout_other_amount": (
        _("The line is of another amount than the payout"),
        _("A provider’s payout comes in one line of its exact amount."),
        _("Choose another payout, or leave the line in suspense until you know what it is."),
    ),
    "line_not_a_payout": (
        _("The line is not matched to a payout of a provider"),
        _("Somebody took them apart already, or the line is something else."),
        _("Open the line to see what it was booked as."),
    ),
}
