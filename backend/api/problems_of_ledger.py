"""The catalogue's part on the books: accounting months, entries, holds, the sealed log."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "month_locked": (
        _("This accounting month is locked"),
        _("The entry would be dated in a month that two treasurers locked. Nothing was booked."),
        _("Book it on the first open day, or have two treasurers unlock the month: one asks, another does it."),
    ),
    "month_not_over": (
        _("This month is not over"),
        _("A month is locked when nothing more can happen in it."),
        _("Come back on the first day of the month that follows."),
    ),
    "month_out_of_order": (
        _("Another month comes first"),
        _("Months are locked in order, and unlocked from the last one."),
        _("Lock, or unlock, the month that the answer names or that the page of months shows first."),
    ),
    "own_closing": (
        _("Nobody does alone what takes two"),
        _("A month is locked or unlocked by someone other than the person who asked for it."),
        _("Let another treasurer do it."),
    ),
    "closing_moved_on": (
        _("This month was decided meanwhile"),
        _("Someone locked it, unlocked it or took the request back since you opened the page."),
        _("Open the page of accounting months again: it says who, and when."),
    ),
    "closing_not_found": (
        _("There is no such accounting month"),
        _("No closing has this id."),
        _("Choose it on the page of accounting months."),
    ),
    "hold_ended": (
        _("The amount set aside is no longer there"),
        _("It was booked or given back since you opened the page. Nothing was booked twice."),
        _("Open the page again: it shows what became of it."),
    ),
    "entry_not_found": (
        _("There is no such entry"),
        _("No entry of the books has this id."),
        _("Find it on the statement of its purse."),
    ),
    "purse_not_found": (
        _("There is no such purse"),
        _("No purse has this kind, owner and currency."),
        _("Choose it in the list of purses."),
    ),
    "entry_not_sealed": (
        _("This entry is not sealed yet"),
        _("A proof exists once the entry is in the log, a minute after it is booked at the latest."),
        _("Try again in a minute."),
    ),
    "size_missing": (
        _("From which head?"),
        _("A proof that the log only grew goes from one head to another."),
        _("Give in “from” the number of entries of the head that you hold."),
    ),
    "head_not_found": (
        _("There is no such head"),
        _("No signed head of the log has this size."),
        _("Choose a size in the list of heads."),
    ),
}
