"""The catalogue's part on the audit trail."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "audit_range": (
        _("The days are in the wrong order"),
        _("The last day is before the first one."),
        _("Exchange them, or leave one out."),
    ),
}
