"""The letters of the account pages: in the language of the person who reads them, whatever page asked for them."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse, translate_url
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from backend.identity.factors import proves
from backend.identity.models import User
from backend.identity.naming import NOT_ASCII
from backend.web.limits import SignInLimits
from backend.web.proofs import fresh

LINKS = ("password_reset_url", "activate_url", "signup_url")


class AccountLetters(SignInLimits):
    """Writes to people in their own language; a stranger is written to in the language of the page."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Compose and send one letter, its links in its language too."""
        language = language_of(context.get("user"), email) or translation.get_language()
        # An address is read in the language it was made in: before the other one is in force.
        links = {name: at_home(translate_url(context[name], language or "fr")) for name in LINKS if context.get(name)}
        if "activate_url" in links and (going := self._going()):
            links["activate_url"] += f"?{urlencode({'next': going})}"
        site = SimpleNamespace(domain=urlsplit(settings.BASE_URL).netloc)
        with translation.override(language):
            if context.get("code"):
                page = reverse("account_confirm_login_code")
                links["code_url"] = at_home(f"{page}?{urlencode({'code': context['code']})}")
            super().send_mail(template_prefix, email, {**context, **links, "current_site": site})

    def _going(self) -> str:
        """The page of ours that somebody was on their way to when they were asked to sign in; empty for none."""
        return get_next_redirect_url(self.request) or "" if self.request is not None else ""

    def clean_email(self, email: str) -> str:
        """An address of an account, in letters that cannot be taken for others."""
        if not email.isascii():
            raise ValidationError(NOT_ASCII)
        return str(super().clean_email(email))

    def is_reauthentication_required(self, *, app: str, **_extra: Any) -> bool:
        """Ask again on the pages of the account by the rule of `fresh_factor`.

        Raises: ReauthenticationRequired itself: to an answer alone django-allauth adds its own rule, for which a
            password typed lately is enough beside a second factor that is newer.
        """
        if not fresh(self.request):
            raise ReauthenticationRequired
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """How somebody shows again that it is them, the usual way first: never the password beside a second factor."""
        methods = {method["id"]: method for method in super().get_reauthentication_methods(user)}
        if not user.is_authenticated or not proves(user):
            return [method for key, method in methods.items() if key == "reauthenticate"]
        kinds = set(Authenticator.objects.filter(user_id=user.pk).values_list("type", flat=True))
        code, passkey = methods.get("mfa_reauthenticate"), methods.get("mfa_reauthenticate:webauthn")
        if code is not None:
            code["description"] = _("Type a code") if "totp" in kinds else _("Type a recovery code")
        if passkey is not None:
            passkey["description"] = _("Use a passkey")
        order = (code, passkey) if "totp" in kinds else (passkey, code)
        return [method for method in order if method is not None]


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
