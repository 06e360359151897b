"""Refusals about statement rounds: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "round_not_found": (
        _("There is no such statement round"),
        _("It does not exist, or it is not for you: stewards of its budget run it, each person answers for themself."),
        _("Open it from the list of statement rounds."),
    ),
    "round_days": (
        _("A statement round is about days that are over"),
        _("The days are not in order, lie in the future, or are more than a year apart."),
        _("Give a first and a last day, today at the latest."),
    ),
    "round_answer_by": (
        _("The last day to answer does not fit"),
        _("It is over already, or more than 90 days away."),
        _("Give a day to come, within 90 days."),
    ),
    "round_running": (
        _("A statement round of this budget is open"),
        _("A budget has one round at a time, so that nobody is asked twice."),
        _("Close the one that is open first."),
    ),
    "round_of_nobody": (
        _("There is nobody to ask"),
        _("Nobody is a contributor of this budget, and nobody told work for it in these days."),
        _("Invite contributors first, or choose other days."),
    ),
    "round_answer_unknown": (
        _("There are two answers"),
        _("A list is complete, or something is missing in it."),
        _("Press one of the two buttons under the list."),
    ),
    "round_closed": (
        _("The statement round is closed"),
        _("Its steward closed it: what was answered stays as it is."),
        _("Work can still be declared, while its period is open."),
    ),
    "round_list_changed": (
        _("The list changed since you read it"),
        _("Something was declared, amended, withdrawn or rejected meanwhile: an answer is about the list as it is."),
        _("Read the list again, then answer."),
    ),
}
