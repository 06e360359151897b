"""Refusals about the freeze of payouts, backups and restores: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "payouts_frozen": (
        _("Payouts are frozen"),
        _("A self-check failed, the instance was restored from a backup, or a person froze payouts. No money moved."),
        _("Read why on the status page. Two people lift a freeze: one asks, another confirms."),
    ),
    "freeze_not_found": (
        _("There is no such freeze"),
        _("No freeze of payouts has this id."),
        _("Choose it on the status page."),
    ),
    "freeze_lifted": (
        _("The freeze is already lifted"),
        _("Someone lifted it; the answer names who."),
        _("Nothing more is to be done."),
    ),
    "lift_not_asked": (
        _("Nobody asked to lift the freeze"),
        _("A freeze is lifted by two people: the first asks and says why, the second confirms."),
        _("Ask to lift it, then let another person confirm."),
    ),
    "own_lift": (
        _("Nobody confirms their own request to lift a freeze"),
        _("A freeze is lifted by two different people."),
        _("Ask another treasurer or administrator to confirm."),
    ),
    "compare_with_bank_first": (
        _("The books must be compared with the bank first"),
        _("After a restore, payments made since the backup are missing from the books: they must not be made again."),
        _("Import a statement of each account named, up to today; or write down why the two differ."),
    ),
    "selfcheck_still_fails": (
        _("The self-check still fails"),
        _("The last self-check found the same or other faults; payouts would be frozen again at once."),
        _("Run “manage.py selfcheck”, correct what it names, then lift the freeze."),
    ),
}
