"""Refusals about corrections of what was given too much: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "adjustment_not_found": (
        _("There is no such correction"),
        _("It does not exist, or it is of work that you may not see."),
        _("The corrections of a contribution are shown with it."),
    ),
    "adjustment_of_expense": (
        _("An expense is not corrected this way"),
        _("It is money that was spent: nothing is kept back from it, nor for it."),
        _("Speak with a treasurer: what was paid back too high is given back by transfer."),
    ),
    "adjustment_awaited": (
        _("A correction of this work is awaited"),
        _("A contribution has one correction awaiting a decision at a time."),
        _("Wait for its decision, or let its author withdraw it."),
    ),
    "adjustment_out_of_range": (
        _("The correction does not fit what was shared"),
        _("Where requests are shared an amount is corrected, where time is shared minutes; never more than was given."),
        _("Give the one that counts, up to what was given."),
    ),
    "adjustment_involved": (
        _("You are involved in this correction"),
        _("Whoever proposed it, and whoever did the work, does not decide it."),
        _("Another steward of the budget decides."),
    ),
    "adjustment_of_another": (
        _("Somebody else proposed this correction"),
        _("Only its author withdraws it."),
        _("Stewards who are not involved agree to it, or refuse it."),
    ),
    "adjustment_decided": (
        _("The correction is decided"),
        _("It was agreed, refused or withdrawn."),
        _("Propose another one, if it was wrong."),
    ),
}
