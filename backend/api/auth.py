"""Who is calling: a token acts with its scopes and with its owner's roles, never with more."""

from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from backend.api.errors import Refused, fault
from backend.identity.models import ApiToken, User
from backend.identity.services import TOKEN_PREFIX, token_owner

if TYPE_CHECKING:
    from rest_framework.views import APIView

SECRET_NAMES = {
    "token", "access_token", "api_token", "auth_token", "bearer", "api_key", "apikey", "key", "secret", "password",
    "authorization",
}  # fmt: skip


class BearerToken(BaseAuthentication):
    """Reads `Authorization: Bearer tronc_live_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The token's owner and the token; None without the header; raises AuthenticationFailed on a dead token."""
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _space, text = header.partition(" ")
        token = token_owner(text.strip(), now=timezone.now()) if scheme.lower() == "bearer" else None
        if token is None:
            raise AuthenticationFailed
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What makes the answer a 401; errors.problem writes the challenge itself."""
        return 'Bearer realm="tronc"'


class HasScope(BasePermission):
    """Lets a request through when its token carries the scope that the view names for its method."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Refuse a missing token (401) and a missing scope (403); a method that the view lacks goes on to its 405.

        A handler whose scope nobody named is refused: being in `scopes` is the only way to be allowed.
        """
        token = request.auth
        if not isinstance(token, ApiToken):
            return False
        method = "get" if request.method == "HEAD" else str(request.method).lower()
        if not hasattr(view, method) or method == "options":
            return True
        wanted = getattr(view, "scopes", {}).get(method)
        if wanted is None or wanted not in token.scopes:
            raise Refused(
                "scope_missing",
                _("This token lacks the scope “%(scope)s”. Make a token that has it.") % {"scope": wanted or "?"},
                status=403,
                headers={
                    "WWW-Authenticate": f'Bearer realm="tronc", error="insufficient_scope", scope="{wanted or ""}"'
                },
            )
        return True


def caller(request: Request) -> User:
    """The person whose token it is; the permission has let nobody else through."""
    return cast(User, request.user)


def refuse_unsafe_address(request: HttpRequest) -> None:
    """Refuse plain http, and a secret written in the address: addresses are kept in logs and histories.

    Raises: Refused 403 `https_required`, 400 `secret_in_address`.
    """
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        raise Refused(
            "https_required",
            _("The API is served over https only. Take this token for read by others: revoke it."),
            status=403,
        )
    for name, values in request.GET.lists():
        if name.lower() in SECRET_NAMES or any(TOKEN_PREFIX in value for value in [name, *values]):
            message = _("Send secrets in the header Authorization, never in the address, and revoke this one.")
            shown = "…" if TOKEN_PREFIX in name else name.lower()
            raise Refused(
                "secret_in_address",
                message,
                status=400,
                faults=[fault("parameter", shown, "secret_in_address", message)],
            )
