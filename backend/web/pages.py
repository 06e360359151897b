"""What the signed-in pages share: the reader, no copy kept, a fresh factor, long lists cut in pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from babel.numbers import get_currency_symbol
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache

from backend.commons.models import Budget
from backend.core.money import exponent
from backend.identity.models import User
from backend.identity.permissions import counting
from backend.web.proofs import ask_again, fresh

ROWS = 50


class AuthedRequest(HttpRequest):
    """A request whose reader is signed in."""

    user: User


View = Callable[..., HttpResponseBase]


def private(view: View) -> View:
    """Ask for a sign-in, and tell browsers and proxies to keep nothing of the page."""
    return login_required(never_cache(view))


def fresh_factor(view: View) -> View:
    """Ask for the second factor, or the password of who has none, when it was not given in the last five minutes.

    The form that was sent is taken up again once it is given.
    """

    @wraps(view)
    def ask(request: AuthedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs) if fresh(request) else ask_again(request)

    return ask


def cut(rows: "QuerySet[Any]", request: HttpRequest) -> "Page[Any]":
    """The page of a long list that the address asks for with `?page=`; the nearest one when it asks for nonsense."""
    return Paginator(rows, ROWS).get_page(request.GET.get("page"))


def told_in(currency: str) -> dict[str, Any]:
    """How `allocation.texts` must write a currency: its decimals and its symbol in the reader's language."""
    locale = "fr_FR" if (get_language() or "fr").startswith("fr") else "en_GB"
    return {"exponent": exponent(currency), "symbol": str(get_currency_symbol(currency, locale=locale))}


def budgets_with(actor: User, *roles: str) -> "QuerySet[Budget]":
    """The budgets where a person holds one of these roles, and those just below them, by name."""
    scopes = counting(actor).filter(kind__in=roles, scope__startswith="bud_").values("scope")
    found = Budget.objects.filter(Q(pk__in=scopes) | Q(parent_id__in=scopes))
    return found.select_related("commons", "parent").order_by("commons__name", "name")
