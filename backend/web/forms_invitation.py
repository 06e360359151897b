"""The forms of who is invited: a password, and the notices accepted with it."""

from typing import Any

from backend.web.forms_privacy import acceptance
from backend.web.forms_setup import PasswordForm


class InvitationForm(PasswordForm):
    """A password chosen through an invitation, and the notices accepted with it."""

    accept = acceptance()


class FinishForm(InvitationForm):
    """The same from inside: the password is asked of who has no other way to come back."""

    def __init__(self, *args: Any, has_key: bool, **kwargs: Any) -> None:
        """Ask for the notices alone when there is a password or a passkey."""
        super().__init__(*args, **kwargs)
        if has_key:
            del self.fields["password1"], self.fields["password2"]
