"""How a person is named by another: a name, an address or none, a language; checked before anything is written."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.core.text import holds_address, seen
from backend.identity.models import User

LANGUAGES = ("fr", "en")
NOT_ASCII = _("Write the address with unaccented letters: others can look the same and lead to somebody else.")


def valid_address(text: str, *, param: str = "email") -> str:
    """A mail address in lower case; raises Invalid `email_invalid`, also for those that this instance makes up."""
    address = text.strip().lower()
    try:
        if not address.isascii():  # letters of another alphabet look like ours and lead elsewhere
            raise Invalid("email_invalid", NOT_ASCII, param=param)
        if address.endswith(f"@{User.NO_ADDRESS}"):
            raise ValidationError(address)
        validate_email(address)
    except ValidationError:
        raise Invalid("email_invalid", _("This is not an e-mail address."), param=param) from None
    return address


def required_name(text: str, param: str) -> str:
    """A name as others read it, its spaces in order; raises Invalid `name_missing`, `name_with_address`."""
    name = seen(text)
    if not name or len(name) > 120:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param=param)
    if holds_address(name):
        raise Invalid(
            "name_with_address", _("A name holds no address of a web page: write the name alone."), param=param
        )
    return name


def language_of(code: str) -> str:
    """A language that pages and mail are written in: the one named, else French."""
    return code if code in LANGUAGES else LANGUAGES[0]
