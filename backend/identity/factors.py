"""Second factors: how their secrets are kept, and who has one."""

from typing import ClassVar

import segno
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.identity.models import Host, User

# What proves a person beside their password. Recovery codes replace one of these; they are none by themselves.
PROOFS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_BOUND_TO = "allauth.mfa"


class SealedFactors(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Keeps the secrets of factors encrypted, and the last factor of the trusted where it is."""

    error_messages: ClassVar = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is not right, or it served already. Type the one shown now."),
        "cannot_delete_authenticator": _(
            "It is your last second factor, and one of your roles needs one. Add another first, then remove this one."
        ),
    }

    def encrypt(self, text: str) -> str:
        """Seal a secret before it is stored."""
        return crypto.encrypt(text, bound_to=_BOUND_TO)

    def decrypt(self, encrypted_text: str) -> str:
        """Read a stored secret back."""
        return crypto.decrypt(encrypted_text, bound_to=_BOUND_TO)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Whether it may go: the last factor of somebody trusted with money, books or roles stays."""
        from backend.identity.permissions import STRONG_ROLES

        others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=PROOFS).exclude(
            pk=authenticator.pk
        )
        return others.exists() or not authenticator.user.roles.filter(kind__in=STRONG_ROLES).exists()

    def get_totp_issuer(self) -> str:
        """The name that the authenticator application shows above the code."""
        return self._get_site_name()

    def build_totp_svg(self, url: str) -> str:
        """The address of the secret as a QR code to put in a page: no style, no script, nothing typed by anyone."""
        return str(segno.make(url, micro=False).svg_inline(omitsize=True, border=0, svgclass=None, lineclass=None))

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """A first name for a passkey, which its owner may change."""
        there = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return gettext("Passkey %(number)s") % {"number": there + 1}

    def _get_site_name(self) -> str:
        host = Host.objects.first()
        return f"Tronc – {host.name}" if host else "Tronc"


def has_factor(column: str) -> Exists:
    """A condition of a query: the person whose id this column holds has an authenticator application or a passkey."""
    return Exists(Authenticator.objects.filter(user_id=OuterRef(column), type__in=PROOFS))


def proves(user: User) -> bool:
    """Whether a person has an authenticator application or a passkey."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=PROOFS).exists())


def has_key(user: User) -> bool:
    """Whether a person can come back by themselves: they chose a password, or have a passkey."""
    passkeys = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.WEBAUTHN)
    return user.has_usable_password() or passkeys.exists()


def codes_left(user: User) -> int:
    """How many recovery codes of a person have not served."""
    row = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(row.wrap().get_unused_codes()) if row else 0
