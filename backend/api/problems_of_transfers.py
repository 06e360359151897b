"""Refusals about envelopes, transfers, opening balances and payments taken back: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

_SAME_FORM = _("Open the page again and read what is there now.")

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "year_end_unknown": (
        _("Nothing of that sort is written at the end of a year"),
        _("What is written is dedicated funds, or volunteering valued."),
        _("Choose one of the two."),
    ),
    "year_end_not_found": (
        _("There is no such end of year"),
        _("Nothing was proposed under this id, or not for you to see."),
        _("Open the page of the year and follow its links."),
    ),
    "year_not_over": (
        _("The year is not over"),
        _("What is written at the end of a year counts all its days."),
        _("Come back the day after its last one."),
    ),
    "year_written": (
        _("The end of this year is written"),
        _("These figures are in the books already: a second time would count them twice."),
        _("Undo them first when they are wrong; nothing else is needed."),
    ),
    "year_waits": (
        _("Other figures wait"),
        _("Figures of this year were proposed and the books say others by now."),
        _("Take the first ones back, or have another treasurer refuse them, then propose again."),
    ),
    "later_year_written": (
        _("A later year is written"),
        _("The end of a later year begins with what this one leaves."),
        _("Undo the later one first, while its months are open."),
    ),
    "year_nothing": (
        _("There is nothing to write"),
        _("No budget had, kept or used dedicated funds, or nobody gave time in this year."),
        _("Nothing: the year needs no entry of this sort."),
    ),
    "rate_missing": (
        _("An hour has no value yet"),
        _("Volunteering is valued at what the host set for an hour, and nothing is set for this year."),
        _("Set the value of an hour on the page of volunteering, then propose again."),
    ),
    "own_year_end": (
        _("Another treasurer must approve"),
        _("Who proposed the figures of a year does not book them."),
        _("Ask another treasurer of the host."),
    ),
    "year_end_not_waiting": (
        _("These figures no longer wait"),
        _("Somebody booked, refused or took them back meanwhile."),
        _SAME_FORM,
    ),
    "year_end_changed": (
        _("The books changed meanwhile"),
        _("Something was booked in this year since its figures were proposed. Nothing was booked of them."),
        _("Refuse these figures and propose anew."),
    ),
    "year_end_not_booked": (
        _("There is nothing to undo"),
        _("These figures are not in the books."),
        _SAME_FORM,
    ),
    "envelope_name_taken": (
        _("The name of the envelope is taken"),
        _("The name is empty, too long, or that of another budget of the same commons."),
        _("Choose a name that tells this envelope from the others."),
    ),
    "period_without_days": (
        _("The period has no days"),
        _("Its end is not after its beginning."),
        _("Give a last day that comes after the first one."),
    ),
    "transfer_kind_unknown": (
        _("The kind of transfer is unknown"),
        _("A transfer goes to another budget, to or from a reserve, to a deficit, or gives back a remainder."),
        _("Choose one of these."),
    ),
    "transfer_target_missing": (
        _("Nobody receives the transfer"),
        _("The budget that receives the money was not said, or there is none above this one."),
        _("Choose the budget that receives the money."),
    ),
    "transfer_to_itself": (
        _("The transfer leads back to where it starts"),
        _("The budget that gives and the one that receives are the same."),
        _("Choose another budget."),
    ),
    "transfer_not_found": (
        _("There is no such transfer"),
        _("No transfer that you may read has this identifier."),
        _("Check the address, or look for it in the list of transfers."),
    ),
    "own_transfer": (
        _("You proposed this transfer"),
        _("Above the charter’s threshold money moves only when two people agree."),
        _("Ask another steward or treasurer to decide."),
    ),
    "not_your_transfer": (
        _("Someone else proposed this transfer"),
        _("Only the person who proposed it can take it back."),
        _("Refuse it instead, with a reason."),
    ),
    "transfer_not_waiting": (
        _("The transfer no longer waits"),
        _("It was booked, refused or withdrawn in the meantime."),
        _SAME_FORM,
    ),
    "budget_not_receiving": (
        _("The budget takes no money"),
        _("The budget that would receive the money is closed or closing."),
        _("Choose an open budget."),
    ),
    "deficit_first": (
        _("A deficit is served first"),
        _("The bank took money back after it was shared; the host advanced it and the next receipts give it back."),
        _("Transfer to the deficit first, or wait for the next receipts."),
    ),
    "transfer_of_committed": (
        _("The money is committed"),
        _("The budget does not hold the amount beyond the requests that were validated."),
        _("Transfer less, or wait until the period is shared."),
    ),
    "transfer_too_large": (
        _("There is not so much there"),
        _("The reserve or the deficit is smaller than the amount."),
        _("Write a smaller amount."),
    ),
    "remainder_changed": (
        _("The remainder changed"),
        _("Money came in or went out since the closing was proposed."),
        _("Refuse this transfer and propose it again."),
    ),
    "budget_not_finished": (
        _("The budget cannot be closed yet"),
        _("Work, promises, a reserve or envelopes are still attached to it."),
        _("Finish what the sentence names, then close it."),
    ),
    "opening_day_absurd": (
        _("The day of the balances is not possible"),
        _("It lies in the future, or before 2000."),
        _("Give the last day before the books begin."),
    ),
    "opening_empty": (
        _("No balance was given"),
        _("Opening balances name one bank account at least."),
        _("Write the balance of an account, zero if it is empty."),
    ),
    "account_not_found": (
        _("There is no such bank account"),
        _("The host has no bank account with this identifier."),
        _("Choose one of the accounts of the host."),
    ),
    "opening_short": (
        _("The budgets hold more than the bank"),
        _("Each euro of a budget is at the bank: their sum cannot be larger than that of the accounts."),
        _("Check the balances on the statement of that day."),
    ),
    "already_opened": (
        _("The opening balance is there already"),
        _("Each account and each budget is opened once; a proposal that waits counts."),
        _("Open the proposal that waits, or leave this account out."),
    ),
    "opening_after_entries": (
        _("The books already hold earlier lines"),
        _("The opening balance stands before the first line of an account; these would be counted twice."),
        _("Give the balance of the day before the first line."),
    ),
    "opening_not_found": (
        _("There are no such opening balances"),
        _("None that you may read have this identifier."),
        _("Check the address, or start from the treasury."),
    ),
    "opening_not_waiting": (
        _("The opening balances no longer wait"),
        _("They were approved, refused or withdrawn in the meantime."),
        _SAME_FORM,
    ),
    "opening_changed": (
        _("These are not the balances you read"),
        _("The page was open while something changed."),
        _SAME_FORM,
    ),
    "own_opening": (
        _("You wrote these balances"),
        _("Opening balances take two treasurers."),
        _("Ask another treasurer to approve them."),
    ),
    "payment_not_found": (
        _("There is no such payment"),
        _("No payment received on this account has this identifier."),
        _("Choose one of the payments of the account."),
    ),
    "take_back_too_large": (
        _("More than the payment"),
        _("The bank cannot take back more than it had brought."),
        _("Choose the payment whose amount fits."),
    ),
    "not_a_debit": (
        _("The line is not a debit"),
        _("Only money that left the bank can take a payment back."),
        _("For money received, choose the pledge it pays."),
    ),
}
