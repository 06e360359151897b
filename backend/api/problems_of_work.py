"""Refusals about commons, pledges, contributions and distributions: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    # --- commons, budgets, periods ----------------------------------------------------------------------------------
    "commons_not_found": (
        _("There is no such commons"),
        _("No commons has this id."),
        _("List the commons, and copy the id from there."),
    ),
    "budget_not_found": (
        _("There is no such budget"),
        _("No budget has this id."),
        _("The budgets of a commons, with their ids, are shown with the commons."),
    ),
    "budget_not_open": (
        _("The budget is not open"),
        _("The budget is suspended, closing or closed: it takes no new pledges, or no new contributions."),
        _("Ask its stewards when it opens again, or choose another budget of the commons."),
    ),
    "charter_not_found": (
        _("The budget has no charter"),
        _("Neither the budget nor those above it have a charter, so nothing can be shared in it."),
        _("Ask its stewards to give it one."),
    ),
    "period_not_found": (
        _("There is no such period"),
        _("No period has this id."),
        _("The open period of a budget is shown with its commons."),
    ),
    "period_closed": (
        _("The period of this day is closed"),
        _("The period is closed: what is in it does not move any more."),
        _("Declare the work with a day of an open period."),
    ),
    "period_not_open": (
        _("The period is already closed"),
        _("Someone has closed it; a period is closed once."),
        _("Read its distribution: the answer names who closed it, and when."),
    ),
    "no_open_period": (
        _("The budget has no open period"),
        _("Every period of the budget is closed: no work can go into one now, so nothing can be estimated."),
        _("Read its periods; the next one opens when the one before it is closed, or with the first work after it."),
    ),
    "period_not_begun": (
        _("The period has not begun"),
        _("Its first day is still to come: there is nothing in it to share."),
        _("Close it once it is over, or at least begun."),
    ),
    "earlier_period_open": (
        _("An earlier period is still open"),
        _("The periods of a budget are closed in the order of their days."),
        _("Close the earlier one first."),
    ),
    "distribution_pending": (
        _("An earlier distribution awaits its approval"),
        _("The money of the pot is promised to it until another person approves it."),
        _("Approve the earlier distribution, then close this period."),
    ),
    "day_outside_period": (
        _("The day is outside the open period"),
        _("Work is declared in the open period of its budget."),
        _("Choose a day between those that the answer names."),
    ),
    "name_taken": (
        _("The name is empty, too long or taken"),
        _("Two commons cannot have the same address, which is made from the name."),
        _("Choose another name."),
    ),
    "rule_unknown": (
        _("The distribution rule is not known"),
        _("A charter names one of the rules that the service can compute."),
        _("Choose one of the rules offered."),
    ),
    "currency_without_account": (
        _("The host has no account in this currency"),
        _("A commons keeps its money in the currency of one of the host’s bank accounts."),
        _("Choose the currency of an account that exists, or ask the host to open one."),
    ),
    # --- pledges ----------------------------------------------------------------------------------------------------
    "organisation_not_found": (
        _("There is no such organisation among yours"),
        _("No organisation that you belong to has this id."),
        _("Ask a manager of the organisation to invite you, or copy the id from its page."),
    ),
    "pledge_not_found": (
        _("There is no such pledge"),
        _("No pledge of your organisations has this id."),
        _("List the pledges, and copy the id from there."),
    ),
    "pledge_not_cancellable": (
        _("The pledge can no longer be cancelled"),
        _("A pledge is cancelled while something is awaited of it: this one was received in full or written off."),
        _("Write to the host: money received is given back by a refund."),
    ),
    "unknown_currency": (
        _("The currency is not known"),
        _("The code is not one of the currencies that this service keeps."),
        _("Use the three-letter code of the pot’s currency, in capitals: EUR."),
    ),
    "other_currency": (
        _("The currency is not that of the pot or of the account"),
        _("A pot and a bank account have one currency each, and nothing is converted."),
        _("Give the amount in the currency that the answer names."),
    ),
    "amount_out_of_range": (
        _("The amount is out of range"),
        _("The amount is zero or less where it must be more, or larger than ten thousand million."),
        _("Check the unit: in the API, 45.00 € is 4500."),
    ),
    "amount_unreadable": (
        _("The amount cannot be read"),
        _("The amount holds something else than figures and one decimal mark, or too many decimals."),
        _("Write 100 or 1250,50."),
    ),
    "form_key_reused": (
        _("This form was already sent with other values"),
        _("Each form or request acts once, and this one has already acted."),
        _("Open a new form, or use a new Idempotency-Key, for another act."),
    ),
    # --- contributions and reviews ----------------------------------------------------------------------------------
    "contribution_not_found": (
        _("There is no such contribution"),
        _("No contribution that you may see has this id."),
        _("List the contributions, and copy the id from there."),
    ),
    "kind_unknown": (
        _("The kind is not known"),
        _("The kind is not one of those that exist."),
        _("Use one of those that the answer lists."),
    ),
    "minutes_out_of_range": (
        _("The duration is out of range"),
        _("A duration is a whole number of minutes, from 0 to 44640 (31 days)."),
        _("Write minutes, not hours: an hour and a half is 90."),
    ),
    "duration_unreadable": (
        _("The duration cannot be read"),
        _("A duration is typed in minutes, or in hours and minutes."),
        _("Write 90, 1h30 or 1:30."),
    ),
    "nothing_declared": (
        _("Nothing is declared"),
        _("The contribution has neither a duration nor an amount."),
        _("Give a duration, an amount, or both. Volunteering is a duration without an amount."),
    ),
    "description_length": (
        _("The description is empty or too long"),
        _("Those who review read it: it has 1 to 500 characters."),
        _("Say in a sentence what was done, and put the rest behind a link."),
    ),
    "evidence_too_many": (
        _("There are too many links"),
        _("A contribution has at most 10 links."),
        _("Keep those that show the work best."),
    ),
    "evidence_not_a_link": (
        _("A piece of evidence is not a link"),
        _("Evidence is given as http or https addresses of 500 characters at most."),
        _("Copy the whole address, beginning with https://."),
    ),
    "day_in_the_future": (
        _("The day is in the future"),
        _("Work is declared once it is done."),
        _("Give a day up to today, in the host’s time zone."),
    ),
    "over_the_cap": (
        _("The amount passes the cap of the charter"),
        _("The charter of the budget limits what one contribution may ask."),
        _("Ask at most what the answer names, or speak with the stewards about the charter."),
    ),
    "own_contribution": (
        _("Nobody reviews their own contribution"),
        _("The contribution is yours."),
        _("Ask another steward of the budget to review it."),
    ),
    "verdict_unknown": (
        _("The verdict is not known"),
        _("A review approves or rejects."),
        _("Use “approve” or “reject”."),
    ),
    "reason_missing": (
        _("A reason is missing"),
        _("A refusal without a reason helps nobody."),
        _("Say in a sentence why it is refused."),
    ),
    "contribution_not_open": (
        _("The contribution does not take this any more"),
        _("It was reviewed, withdrawn or shared in the meantime; the answer names its state."),
        _("Read it again. What is already shared is corrected in the next period."),
    ),
    "already_reviewed": (
        _("You have already reviewed this contribution"),
        _("Each person reviews a contribution once."),
        _("Nothing more is to be done."),
    ),
    # --- distributions ----------------------------------------------------------------------------------------------
    "distribution_not_found": (
        _("There is no such distribution"),
        _("No distribution that you may see has this id."),
        _("The distribution of a closed period is shown with the period."),
    ),
    "distribution_not_ready": (
        _("The computation is not finished"),
        _("The distribution is computed in the background right after the period is closed."),
        _("Try again in a moment."),
    ),
    "distribution_changed": (
        _("This is not the computation that was read"),
        _("An approval is for exactly what was shown; the computation is another one."),
        _("Open the page again, read it, and approve that."),
    ),
    "distribution_approved": (
        _("The distribution is already approved"),
        _("Another person approved it; it is booked once."),
        _("Nothing more is to be done."),
    ),
    "own_distribution": (
        _("The person who closed a period does not approve its distribution"),
        _("Money is owed only after two people acted."),
        _("Ask another treasurer to approve it."),
    ),
    "paid_by_distribution": (
        _("Nobody approves a distribution that pays them"),
        _("You are one of the people it pays."),
        _("Ask another treasurer to approve it."),
    ),
}
