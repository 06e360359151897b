"""What the codes of gifts without an account mean, why they came and what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS = {
    "gift_not_found": (
        _("No such gift"),
        _("The address of a gift ends with a code that nobody can guess. This one is incomplete, its gift was "
          "erased at the request of who made it, or it was taken into an account."),
        _("Open the link of the message again, whole, or sign in and read your gifts; or make another one on the page "
          "of the commons."),
    ),
    "gift_too_large": (
        _("This gift needs an account"),
        _("Without an account nobody answers for what is typed: one instalment has a largest amount there."),
        _("Make an account with your address, then promise this amount in your own name; or give in several times."),
    ),
    "name_with_address": (
        _("A name holds an address"),
        _("Names are read by others, on pages and in messages: an address of a web page in one would be taken "
          "for ours."),
        _("Write the name alone. An organisation has a field for its web page."),
    ),
    "rhythm_unknown": (
        _("Unknown rhythm"),
        _("A promise is paid once, or again and again at one of the rhythms that the form offers."),
        _("Choose one of those offered."),
    ),
}  # fmt: skip
