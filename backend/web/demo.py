"""The demonstration's own pages, with TRONC_DEMO alone: sign in as anyone in one click, and read everyone's mail."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from django.conf import settings
from django.contrib.auth import logout
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Budget
from backend.core.peers import from_here
from backend.identity.models import Organisation, Role, User
from backend.notifications.models import OutgoingMail
from backend.operations.demo import code_for
from backend.operations.demonstration import cast
from backend.web.giving import DEMO_MAIL
from backend.web.pages import cut

# In the order in which a visitor meets them: (title, kinds of role, what they come for, where they start).
GROUPS: tuple[tuple[Any, frozenset[str], Any, str], ...] = (
    (
        gettext_lazy("Treasurers"), frozenset({"treasurer"}),
        gettext_lazy("Approve what the other treasurer prepared, pay, reconcile the bank."), "treasury",
    ),
    (
        gettext_lazy("Organisations"), frozenset({"organisation_manager", "organisation_member"}),
        gettext_lazy("Pledge, find the reference to pay with, see what the money did."), "organisations",
    ),
    (
        gettext_lazy("Stewards"), frozenset({"steward"}),
        gettext_lazy("Review the work of others, look after the budgets, close periods."), "reviews",
    ),
    (
        gettext_lazy("Contributors"), frozenset({"contributor"}),
        gettext_lazy("Declare work, follow its review, see one’s share and how it was computed."), "work",
    ),
    (
        gettext_lazy("Auditor and administrator"), frozenset({"auditor", "administrator"}),
        gettext_lazy("The auditor reads everything and changes nothing; the administrator never touches money."),
        "home",
    ),
)  # fmt: skip
SCOPES_SHOWN = 3


class PublicPassword(AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    """Sign-in by password, but for the one that everybody knows: it opens nothing where others can reach it."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:
        """The person of these credentials, or None; the demonstration's password counts on this machine alone."""
        if credentials.get("password") == cast.PASSWORD:
            at_home = settings.DEMO or settings.LOOPBACK_HTTP
            if not at_home or request is None or not from_here(request.META):
                return None
        return super().authenticate(request, **credentials)


def only_here(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """No such page without TRONC_DEMO, nor for a browser on another machine or behind a proxy or tunnel."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.DEMO or not from_here(request.META):
            raise Http404
        return view(request, *args, **kwargs)

    return never_cache(guarded)


@only_here
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest) -> HttpResponseBase:
    """Everybody by role; a click signs in as one of them."""
    found = cast.everyone()
    if request.method == "POST":
        person = next((one for one in found if one.pk == request.POST.get("person")), None)
        if person is None:
            raise Http404
        return sign_in(request, person)
    roles: dict[str, list[Role]] = {one.pk: [] for one in found}
    for role in Role.objects.filter(user__in=found).order_by("created_at", "pk"):
        roles[role.user_id].append(role)
    named = _names({role.scope for held in roles.values() for role in held})
    seen: set[str] = set()
    groups = []
    for title, kinds, purpose, _start in GROUPS:
        rows = [
            {"person": one, **_described(roles[one.pk], kinds, named)}
            for one in found
            if one.pk not in seen and any(role.kind in kinds for role in roles[one.pk])
        ]
        seen |= {row["person"].pk for row in rows}
        groups.append({"title": title, "purpose": purpose, "rows": rows})
    context = {"groups": [group for group in groups if group["rows"]], "password": cast.PASSWORD}
    return render(request, "demo/people.html", context)


def code(request: HttpRequest) -> dict[str, str]:
    """The code that the pages of the second factor show in the demonstration, on this machine alone."""
    if not settings.DEMO or not from_here(request.META):
        return {}
    return {"demo_code": code_for(time.time())}


def _names(scopes: set[str]) -> dict[str, str]:
    """What to call each organisation and budget; the host needs no name here."""
    budgets = Budget.objects.filter(pk__in=scopes).select_related("commons")
    names = {budget.pk: budget.full_name for budget in budgets}
    return names | dict(Organisation.objects.filter(pk__in=scopes).values_list("pk", "name"))


def _described(held: list[Role], kinds: frozenset[str], named: dict[str, str]) -> dict[str, Any]:
    """The role that puts a person in a group, and where they hold it."""
    mine = [role for role in held if role.kind in kinds]
    where = [named[role.scope] for role in mine if role.scope in named]
    return {"role": mine[0].get_kind_display(), "where": where[:SCOPES_SHOWN], "more": len(where[SCOPES_SHOWN:])}


def sign_in(request: HttpRequest, person: User) -> HttpResponseBase:
    """Sign in as a person of the demonstration; the factor counts as just given."""
    kinds = set(Role.objects.filter(user=person).values_list("kind", flat=True))
    start = next((start for _title, wanted, _purpose, start in GROUPS if wanted & kinds), "home")
    logout(request)
    # As a passkey would: nothing more is asked of who comes through this door.
    record_authentication(request, person, method="mfa", type="webauthn", passwordless=True)
    answer: HttpResponseBase = perform_login(
        request, person, email_verification="none", redirect_url=reverse(start), email=person.email
    )
    return answer


@only_here
@require_safe
def mail(request: HttpRequest) -> HttpResponse:
    """The mail of the demonstration's people, newest first; `?to=` keeps one person's.

    With it, that to the addresses from which this browser made gifts.
    """
    everyone, given, wanted = cast.everyone(), _given(request), request.GET.get("to", "").strip().lower()
    to = next((one for one in everyone if one.email == wanted), None)
    found = _readable(request)
    if wanted:
        found = found.filter(recipient=wanted)
    context = {
        "page": cut(found.order_by("-due_at", "-pk"), request), "everyone": everyone, "to": to, "given": given,
        "wanted": wanted, "unknown": wanted and to is None and wanted not in given,
    }  # fmt: skip
    return render(request, "demo/mail.html", context)


def _given(request: HttpRequest) -> list[str]:
    """The addresses from which this browser made gifts without an account."""
    return [str(one).lower() for one in request.session.get(DEMO_MAIL, [])]


def _readable(request: HttpRequest) -> "QuerySet[OutgoingMail]":
    """The mail that this browser may read here: never that of addresses which others typed."""
    return OutgoingMail.objects.filter(Q(recipient__endswith=f"@{cast.DOMAIN}") | Q(recipient__in=_given(request)))


@only_here
@require_safe
def message(request: HttpRequest, mail_id: str) -> HttpResponse:
    """One message, as its reader gets it."""
    found = get_object_or_404(_readable(request), pk=mail_id)
    reader = User.objects.filter(email=found.recipient).first()
    return render(request, "demo/message.html", {"mail": found, "to": reader or found.recipient})


urlpatterns = [
    path("demo/", people, name="demo"),
    path("demo/mail/", mail, name="demo_mail"),
    path("demo/mail/<slug:mail_id>/", message, name="demo_message"),
]
