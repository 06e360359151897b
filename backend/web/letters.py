"""The letters of the account pages: in the language of the person who reads them, whatever page asked for them."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.conf import settings
from django.urls import translate_url
from django.utils import translation

from backend.identity.models import User

LINKS = ("password_reset_url", "activate_url", "signup_url")


class AccountLetters(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Writes to people in their own language; a stranger is written to in the language of the page."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Compose and send one letter, its links in its language too."""
        language = language_of(context.get("user"), email) or translation.get_language()
        # An address is read in the language it was made in: before the other one is in force.
        links = {name: at_home(translate_url(context[name], language or "fr")) for name in LINKS if context.get(name)}
        site = SimpleNamespace(domain=urlsplit(settings.BASE_URL).netloc)
        with translation.override(language):
            super().send_mail(template_prefix, email, {**context, **links, "current_site": site})


def at_home(url: str) -> str:
    """An address at the instance's own base address: whoever asks for a letter writes the Host header, port included.

    Args: url: absolute or not; only its path, query and fragment are kept.
    """
    return settings.BASE_URL + urlunsplit(urlsplit(url)._replace(scheme="", netloc=""))


def language_of(person: Any, email: str) -> str | None:
    """The language of a person, else of whoever has this address; None when nobody has."""
    if isinstance(person, User):
        return person.language
    known = User.objects.filter(email=email.strip().lower()).first()
    if known is None:
        address = EmailAddress.objects.filter(email__iexact=email.strip()).select_related("user").first()
        known = address.user if address else None
    return known.language if known else None
