"""Refusals about pledges and their instalments: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "starts_out_of_range": (
        _("The first day cannot be taken"),
        _("The first instalment of a pledge falls today, or within one year."),
        _("Choose a day of the coming year, or leave it out: it begins today."),
    ),
    "ends_out_of_range": (
        _("The last day cannot be taken"),
        _("A pledge ends after its first instalment and not in the past; one that is paid once has no end."),
        _("Choose a later day, or leave it empty: it goes on until it is cancelled."),
    ),
    "visibility_unknown": (
        _("The way of being shown is not known"),
        _("The public reads a pledge with its name, under another name, or without any name."),
        _("Choose one of the three."),
    ),
    "pseudonym_missing": (
        _("The other name is missing"),
        _("The pledge is to be shown under another name, and none was given."),
        _("Write that name, or choose another way of being shown."),
    ),
    "pseudonym_not_wanted": (
        _("Another name was given and not asked for"),
        _("A pledge shown with its name, or without any, has no other name."),
        _("Empty that name, or choose “under another name”."),
    ),
    "paper_unknown": (
        _("The paper is not known"),
        _("An instalment is called by a call for funds or by an invoice."),
        _("Choose one of the two."),
    ),
    "text_too_long": (
        _("The text is too long"),
        _("The sentence beside the field says how many characters it takes."),
        _("Shorten it."),
    ),
    "parts_or_budget": (
        _("A budget with an amount, or several parts"),
        _("A pledge names one budget and its amount, or a list of parts; the body had both, or neither."),
        _("Send `budget` and `amount`, or `parts`."),
    ),
    "parts_missing": (
        _("The pledge names no budget"),
        _("The list of parts was empty: one act of promising names one budget at least."),
        _("Send one object of `budget` and `amount` at least, or the two fields instead of `parts`."),
    ),
    "too_many_parts": (
        _("The pledge is shared over too many budgets"),
        _("One act of promising names one budget at least, and not more than the sentence says."),
        _("Make it in several acts."),
    ),
    "budgets_repeated": (
        _("A budget is named twice"),
        _("Pledges made in one act share a reference, and each of them is for another budget."),
        _("Add the two amounts together."),
    ),
    "pledge_over": (
        _("The pledge is over"),
        _("It was paid in full, cancelled or written off: nothing more is awaited of it."),
        _("Make another pledge. How the public reads it can still be changed."),
    ),
    "pledge_called": (
        _("The amount was called already"),
        _("A pledge paid once has one instalment, and its call for funds says the amount."),
        _("Cancel the pledge and make another one."),
    ),
    "pledge_paid_once": (
        _("A pledge paid once is not paused"),
        _("Only a pledge that is paid again and again can be paused between two instalments."),
        _("Cancel it, or pay later."),
    ),
    "instalment_not_found": (
        _("There is no such instalment"),
        _("No pledge that you may read has an instalment of this id."),
        _("Open it from the page of its pledge."),
    ),
    "instalment_not_awaiting": (
        _("Nothing is awaited of this instalment"),
        _("It was received, cancelled or written off meanwhile."),
        _("Nothing is to be done."),
    ),
}
