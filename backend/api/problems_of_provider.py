"""Refusals about card and debit payments: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "no_provider": (
        _("No payments by card or debit here"),
        _("The trusted third party has no account with a payment provider, or has switched it off."),
        _("Pay by bank transfer, as the page of the pledge says."),
    ),
    "provider_away": (
        _("The payment provider does not answer"),
        _("It could not be reached just now. No money moved."),
        _("Try again in a few minutes, or pay by bank transfer."),
    ),
    "no_webhook_secret": (
        _("No secret of the provider’s events is set up"),
        _("Without one no event can be verified, and none is taken in."),
        _("Put the signing secret of the endpoint into TRONC_STRIPE_WEBHOOK_SECRETS and restart."),
    ),
    "method_not_offered": (
        _("This way to pay is not offered"),
        _("Cards are taken in every currency of the host, SEPA debits in euros alone."),
        _("Choose one of the offered ways."),
    ),
    "nothing_awaited": (
        _("There is nothing to pay"),
        _("Nothing is called of this pledge at present: it was paid, paused or ended, or its first day has not come."),
        _("Wait for the next call, or make another pledge."),
    ),
    "subscription_lives": (
        _("This pledge is already paid by itself"),
        _("A card or a debit was given for it: the provider takes each payment on its day."),
        _("Change the card on the page of its payments, or stop the pledge."),
    ),
    "subscription_over": (
        _("These payments have ended"),
        _("The provider takes nothing more for this pledge."),
        _("Pay by card or debit once more to begin again, or by bank transfer."),
    ),
    "subscription_busy": (
        _("The provider is just being asked"),
        _("A pause, a resuming or an end of these payments is on its way to the provider."),
        _("Try again in a minute."),
    ),
    "pledge_taken_by_provider": (
        _("The pledge is paid by itself"),
        _("The provider’s subscription has an amount and an end that are not changed behind the payer’s back."),
        _("Cancel the pledge and make another one."),
    ),
    "movement_not_found": (
        _("There is no such movement"),
        _("The provider never told of it, or it is not yours to see."),
        _("Open it from the list of movements."),
    ),
    "movement_not_waiting": (
        _("The movement no longer waits"),
        _("Somebody explained it meanwhile, or its payment was booked."),
        _("Nothing is to be done."),
    ),
    "movement_not_a_payment": (
        _("The movement is no payment"),
        _("Only a payment that waits in suspense as a whole can be said to pay a pledge."),
        _("Look at it on the provider’s own pages."),
    ),
    "movement_not_borne": (
        _("The host does not bear this movement"),
        _("It is a payment, or belongs to one that waits itself, or the bank sent it back."),
        _("Say which pledge the payment pays, or which line of the statement it is."),
    ),
    "provider_payout_returned": (
        _("The provider has the payout back"),
        _("The bank showed it and took it back later: the line that showed it stays what it is."),
        _("Open the movement of the provider and tie it to the line by which the bank took the money again."),
    ),
    "payment_on_its_way": (
        _("A payment is on its way"),
        _("A debit of this pledge was sent and has neither come nor failed: another one would take the money twice."),
        _("Wait until it has come or failed: a debit takes some days."),
    ),
    "period_partly_paid": (
        _("A part of the period is paid"),
        _("A recurring payment by card or debit takes whole periods, and a part of this one has come already."),
        _("Pay the rest of it by transfer, and choose the card from the next period on."),
    ),
    "range_unusable": (
        _("These days cannot be compared"),
        _("The last day comes before the first or has not come, they are more than a year apart, or before 2000."),
        _("Choose days that have come, a year at most."),
    ),
    "operation_not_found": (
        _("There is no such operation"),
        _("Nothing of this id was asked of the payment provider."),
        _("Open it from the page of the provider."),
    ),
    "operation_over": (
        _("The operation is over"),
        _("The provider has answered, or a treasurer gave it up."),
        _("Nothing is to be done."),
    ),
    "provider_payout_settled": (
        _("The payout no longer waits"),
        _("A line of a statement settled it already, or the bank refused it."),
        _("Choose another payout for this line."),
    ),
    "refund_at_helloasso": (
        _("HelloAsso took this payment"),
        _("Only HelloAsso can send it back to the card it came from."),
        _("Give it back on the pages of HelloAsso, then import its list of payments again."),
    ),
    "helloasso_unreadable": (
        _("The export of HelloAsso cannot be read"),
        _("The file is not a table of payments."),
        _("Download the list of payments of HelloAsso as CSV, and choose that file."),
    ),
    "helloasso_too_large": (
        _("The export of HelloAsso holds too much"),
        _("A file is taken up to 4 MB and 2,000 payments."),
        _("Export fewer months at once."),
    ),
    "helloasso_columns": (
        _("The export of HelloAsso lacks columns"),
        _("The number, the amount and the day of each payment are needed."),
        _("Download the list of payments again, with all its columns."),
    ),
    "helloasso_no_account": (
        _("There is no account in euros"),
        _("HelloAsso pays in euros, and the host has no bank account in euros."),
        _("Add one first."),
    ),
    "helloasso_refused": (
        _("Lines of the export are not understood"),
        _("A file is imported as a whole or not at all, and some of its lines are not understood."),
        _("Correct or remove these lines, and give the file again."),
    ),
    "helloasso_undecided": (
        _("A campaign has no budget yet"),
        _("Gifts of a campaign are booked once somebody has said which budget it is for."),
        _("Choose a budget for each campaign, or leave it out."),
    ),
    "helloasso_nothing_new": (
        _("The export holds nothing new"),
        _("All of its payments were imported before."),
        _("Nothing is to be done."),
    ),
    "helloasso_payout_seen": (
        _("The bank has shown this transfer of HelloAsso already"),
        _("The file adds payments to a transfer that a line of the bank has settled for another amount."),
        _("Take the bank line and the transfer apart, import the file, then match them again."),
    ),
    "helloasso_pledge_closed": (
        _("A pledge of the export takes no money any more"),
        _("The pot of a pledge that a line of the file pays was closed."),
        _("Choose “a gift” for that line in the preview."),
    ),
    "helloasso_import_not_found": (
        _("There is no such import"),
        _("No import of HelloAsso has this id."),
        _("Open it from the page of HelloAsso."),
    ),
    "helloasso_import_used": (
        _("The import cannot be undone as a whole"),
        _("Something that came with it was shared, shown by the bank, given back, or is in a locked month."),
        _("Undo what stands in the way first; the page of the import names it."),
    ),
    "surplus_without_account": (
        _("More came than is awaited, and there is nowhere to keep it"),
        _("A surplus waits in the suspense of a bank account, and the host has none in this currency."),
        _("Add a bank account in this currency, then explain the movement."),
    ),
}
