"""Refusals about sessions: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "session_not_found": (
        _("Session already over"),
        _("The session is over, or it belongs to somebody else."),
        _("Read your list of sessions again. Nothing was changed."),
    ),
}
