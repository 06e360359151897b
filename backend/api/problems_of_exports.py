"""The catalogue's part on exports."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "month_unknown": (
        _("There is no such month"),
        _("A fiscal year begins in one of the twelve months."),
        _("Give a number from 1, January, to 12, December."),
    ),
    "export_unknown": (
        _("There is no such export"),
        _("The books are written in a few formats, and this is none of them."),
        _("Take one of the formats that the answer names."),
    ),
    "export_year": (
        _("Which fiscal year?"),
        _("A FEC holds exactly one fiscal year, or the year is not one of the calendar."),
        _("Give the calendar year in which the fiscal year begins."),
    ),
    "export_range": (
        _("The days are in the wrong order"),
        _("The last day is before the first one."),
        _("Exchange them, or leave one out."),
    ),
    "seed_missing": (
        _("The draw has no seed"),
        _("A sample is drawn from a seed, so that anyone can draw it again; none was given, or it is too long."),
        _("Give 1 to 80 characters: any words do."),
    ),
    "sample_size": (
        _("A sample of no such size"),
        _("A sample holds at least one entry, and no more than people can look at."),
        _("Ask for 1 to 200 entries."),
    ),
    "fec_other_currency": (
        _("A FEC is in euros"),
        _("The books hold an entry in another currency by the end of this year, and nothing is converted."),
        _("Take the journal as CSV, hledger or beancount, and agree on the FEC with your accountant."),
    ),
}
