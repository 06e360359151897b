"""Forms about transfers that did not arrive: they read what was typed; the domain decides."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.payouts.reasons import OTHER, REASONS
from backend.web.forms_receipts import reason_field


def _choices() -> list[tuple[str, str]]:
    """The codes with their words, in the language of who reads."""
    reasons = [(code, f"{code} · {words}") for code, words in REASONS.items()]
    return [("", str(_("Choose"))), *reasons, (OTHER, str(_("Other")))]


def code_field(**facts: Any) -> forms.ChoiceField:
    """The bank's reason, as a code of ISO 20022 and in words."""
    return forms.ChoiceField(
        label=_("The bank’s reason"), choices=_choices, error_messages={"required": _("Choose the bank’s reason.")},
        **facts,
    )  # fmt: skip


class RefusedForm(forms.Form):
    """Why the bank did not make a transfer, and how it is known."""

    code = code_field()
    reason = reason_field(_("What the bank wrote, and where: an auditor reads it."))


class OutcomeForm(forms.Form):
    """What became of a batch that was handed to the bank."""

    outcome = forms.ChoiceField(
        label=_("What is known"), widget=forms.RadioSelect, error_messages={"required": _("Choose what is known.")}
    )
    code = code_field(required=False, help_text=_("Only when the bank refused the file."))
    reason = reason_field(_("What the bank said, and where: an auditor reads it."))

    def __init__(self, data: Any = None, *, in_doubt: bool) -> None:
        """Take what was sent. Args: in_doubt: whether the batch is in doubt already."""
        super().__init__(data)
        known = ("found", _("The bank has the file: its transfers will show on the statement."))
        nobody = ("unknown", _("Nobody knows yet whether the bank took the file."))
        refused = ("refused", _("The bank refused the whole file: no transfer was made, and none will be."))
        self.fields["outcome"].choices = [known if in_doubt else nobody, refused]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A refusal has its reason among the bank's."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("outcome") == "refused" and not cleaned.get("code"):
            self.add_error("code", _("Choose the bank’s reason."))
        return cleaned
