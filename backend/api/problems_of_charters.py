"""Refusals about charters and what they ask of contributions: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "charter_invalid": (
        _("The charter cannot be used"),
        _("The document leaves its schema, contradicts itself, or asks for what this version cannot do."),
        _("Read the path and the reason that the answer gives; the schema is published at /charter.schema.json."),
    ),
    "charter_of_parent": (
        _("This budget follows the rules of another"),
        _("An envelope that follows its parent has neither charter nor periods of its own."),
        _("Change the charter of the budget that the answer names."),
    ),
    "charter_changed": (
        _("The rules changed in the meantime"),
        _("Somebody adopted another version while this one was being read."),
        _("Read the latest version, then adopt yours if it is still what you want."),
    ),
    "kind_not_in_charter": (
        _("The charter has no work of this kind"),
        _("The charter of the period lists the kinds that can be declared."),
        _("Choose one of the kinds that the answer names, or speak with the stewards about the charter."),
    ),
    "reason_over_soft_cap": (
        _("The request wants a reason"),
        _("It is above the amount from which the charter asks why."),
        _("Send the reason with the request."),
    ),
    "expense_has_no_time": (
        _("An expense has no duration"),
        _("It gives back money that was spent: work is declared apart."),
        _("Leave the duration at zero, or choose another kind."),
    ),
    "expense_without_amount": (
        _("The expense has no amount"),
        _("There is nothing to give back."),
        _("Say how much was spent."),
    ),
    "expense_without_paper": (
        _("The expense has no receipt"),
        _("Reviewers see what was spent by its receipt or invoice."),
        _("Give a link to it."),
    ),
    "validated_minutes": (
        _("The validated minutes are out of range"),
        _("A reviewer validates all that was declared or less, and only with an approval."),
        _("Give from zero to the declared minutes, or leave them out to validate them all."),
    ),
}
