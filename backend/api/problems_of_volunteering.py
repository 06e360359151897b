"""Refusals about volunteering: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "no_volunteering": (
        _("There is no volunteering to certify"),
        _("No volunteer work of this person was validated in this year."),
        _("Declare the work with an amount of zero, and let it be validated."),
    ),
    "year_unknown": (
        _("This is no year of accounts"),
        _("A year has four figures."),
        _("Give a year such as 2026."),
    ),
    "rate_too_high": (
        _("The value of an hour is too high"),
        _("An hour of volunteering is valued at what somebody would be paid for it, not more."),
        _("Check the figure: it is the value of one hour."),
    ),
    "rate_reason": (
        _("Say where the value of an hour comes from"),
        _("The notes to the accounts say how volunteering was valued."),
        _("Write for instance: the minimum wage, with charges."),
    ),
}
