"""The form of who is invited: a password, and the notices accepted with it."""

from backend.web.forms_privacy import acceptance
from backend.web.forms_setup import PasswordForm


class InvitationForm(PasswordForm):
    """A password chosen through an invitation, and the notices accepted with it."""

    accept = acceptance()
