"""Who is calling: a token acts with its scopes, its restriction and its owner's roles, never with more."""

from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from backend.api.errors import Refused, fault
from backend.commons.life import concealed
from backend.commons.models import Budget, Commons, Period
from backend.contributions.models import Contribution
from backend.core.errors import NotFound
from backend.distributions.models import Distribution, Share
from backend.identity.models import ApiToken, Organisation, User
from backend.identity.tokens import PREFIXES, of_another_environment, token_owner
from backend.pledges.models import Pledge

if TYPE_CHECKING:
    from rest_framework.views import APIView

ANY_SCOPE = "*"  # in `scopes` of a view: every live token may, for it learns nothing but what it is
SECRET_NAMES = {
    "token", "access_token", "api_token", "auth_token", "bearer", "api_key", "apikey", "key", "secret", "password",
    "authorization",
}  # fmt: skip

# Model → the lookups of the commons and of the organisation that its rows belong to; None where they belong to none.
# A model that is not here is shown to no restricted token, and refused to all: see `within`.
PLACES: dict[type[Model], tuple[str | None, str | None]] = {
    Commons: ("pk", None),
    Budget: ("commons", None),
    Period: ("budget__commons", None),
    Contribution: ("budget__commons", None),
    Distribution: ("period__budget__commons", None),
    Share: ("distribution__period__budget__commons", None),
    Pledge: ("budget__commons", "organisation"),
    Organisation: (None, "pk"),
}


class BearerToken(BaseAuthentication):
    """Reads `Authorization: Bearer tronc_live_…` (`tronc_test_…` in a demonstration)."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The token's owner and the token; None without the header; raises AuthenticationFailed on a dead token."""
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _space, text = header.partition(" ")
        if scheme.lower() == "bearer" and of_another_environment(text.strip()):
            raise Refused(
                "token_environment",
                _("This token is of another instance: demonstrations and real hosts do not take each other’s tokens."),
                status=401,
                headers={"WWW-Authenticate": 'Bearer realm="tronc", error="invalid_token"'},
            )
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
        if wanted != ANY_SCOPE and (wanted is None or wanted not in token.scopes):
            raise Refused(
                "scope_missing",
                _("This token lacks the scope “%(scope)s”. Make a token that has it.") % {"scope": wanted or "?"},
                status=403,
                headers={
                    "WWW-Authenticate": f'Bearer realm="tronc", error="insufficient_scope", scope="{wanted or ""}"'
                },
            )
        if token.only and token.only[:3] not in getattr(view, "held", ()):
            raise NotFound("not_found", _("There is nothing at this address."))
        return True


def within(request: Request, rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """The rows that the restriction of the token leaves: all of them for a token that has none.

    Args: rows: of a model of PLACES, already those that the owner may see.
    Raises: LookupError for any other model: nobody has said yet to whom its rows belong.
    """
    commons, organisation = PLACES[rows.model]
    only = cast(ApiToken, request.auth).only
    if not only:
        return rows
    lookup = organisation if only.startswith("org_") else commons
    return rows.filter(**{lookup: only}) if lookup else rows.none()


def held_back(request: Request, model: type[Model], pk: str) -> bool:
    """Whether the restriction of the token keeps a thing that a request names out of its reach."""
    only = cast(ApiToken, request.auth).only
    return bool(only) and not within(request, model._default_manager.filter(pk=pk)).exists()


def out_of_sight(request: Request, model: type[Model], pk: str) -> bool:
    """Whether a thing that a request names is of a commons that is not public, and not the caller's to read."""
    place = PLACES[model][0]
    found = model._default_manager.filter(pk=pk).values(place) if place else []
    commons = Commons.objects.filter(pk__in=found).first()
    if commons is None or not concealed(caller(request), commons):
        return False
    seen = getattr(model, "visible_to", None)  # one's own work stays one's own
    return seen is None or not seen(caller(request)).filter(pk=pk).exists()


def held_to_organisation(request: Request) -> bool:
    """Whether the token is held to one organisation: it may then pledge to any budget, in that name alone."""
    return cast(ApiToken, request.auth).only.startswith("org_")


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
        if name.lower() in SECRET_NAMES or any(prefix in value for value in [name, *values] for prefix in PREFIXES):
            message = _("Send secrets in the header Authorization, never in the address, and revoke this one.")
            shown = "…" if any(prefix in name for prefix in PREFIXES) else name.lower()
            raise Refused(
                "secret_in_address",
                message,
                status=400,
                faults=[fault("parameter", shown, "secret_in_address", message)],
            )
