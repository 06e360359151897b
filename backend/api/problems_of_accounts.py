"""Refusals about accounts and second factors: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "second_factor_missing": (
        _("The role waits for a second factor"),
        _("Roles that read the books, move money or name people count once their holder has a second factor."),
        _("Add an authenticator application or a passkey to your account."),
    ),
    "own_factors": (
        _("Nobody resets their own second factor"),
        _("Whoever stole a password could remove what protects the account."),
        _("Use a recovery code, or ask another administrator."),
    ),
    "no_factor": (
        _("There is no second factor to remove"),
        _("The person has neither an authenticator application nor a passkey."),
        _("Nothing is to be done: they add one from their account."),
    ),
    "public_name_too_long": (
        _("The public name is too long"),
        _("It is shown on public pages, in 60 characters at most."),
        _("Choose a shorter one."),
    ),
    "language_unknown": (
        _("The language is not known"),
        _("The pages and the mail are in French or in English."),
        _("Choose “fr” or “en”."),
    ),
}
