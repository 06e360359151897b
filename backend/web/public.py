"""Public pages: what this is, the commons, and the page of each."""

from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from backend.commons.life import Veil, reads_hidden
from backend.commons.models import Commons
from backend.commons.services import OPEN_TO_PLEDGES, charter_of, current_period
from backend.contributions.models import Contribution
from backend.core.names import name_key
from backend.identity.permissions import may
from backend.ledger.services import balances
from backend.web import story
from backend.web.figures import BAR_WIDTH, bar, figures_of, total

HOME_COMMONS = 50


@require_safe
def choose_language(request: HttpRequest) -> HttpResponse:
    """Lead to the home page in the reader's language."""
    return HttpResponseRedirect(f"/{get_language()}/")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is, in ten seconds; the commons with their five figures; where each reader starts."""
    listed = veiled(list(Commons.listed().order_by("name").prefetch_related("budgets")[:HOME_COMMONS]))
    each = figures_of([budget for commons in listed for budget in commons.budgets.all()])
    pots = [
        {"commons": commons, "figures": total([each[budget.pk] for budget in commons.budgets.all()])}
        for commons in listed
    ]
    return render(request, "public/home.html", {"pots": pots, "hidden": Commons.listed().count() - len(listed)})


@require_safe
def commons_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The pot of a commons: its figures, its rule, who pledges, what came in and what it paid for."""
    commons = get_object_or_404(Commons, slug=slug)
    if not public(commons) and not reads_hidden(request.user, commons):
        return withdrawn(request, commons)
    veiled([commons])
    budgets = sorted(commons.budgets.all(), key=lambda budget: (budget.parent_id is not None, name_key(budget.name)))
    root = budgets[0]
    ids = [budget.pk for budget in budgets]
    each = figures_of(budgets)
    figures = total(list(each.values()))
    receipts = story.receipts(ids)
    advanced = sum(amount for (owner, _currency), amount in balances(kind="deficit").items() if owner in ids)
    charter, period = charter_of(root), current_period(root)
    context = {
        "commons": commons,
        "may_moderate": request.user.is_authenticated and may(request.user, "text.moderate"),
        "may_support": request.user.is_authenticated and may(request.user, "support.read", scopes=ids),
        "root": root,
        "figures": figures,
        "bar": bar(figures),
        "bar_width": BAR_WIDTH,
        "parts": [{"budget": budget, "figures": each[budget.pk]} for budget in budgets] if len(budgets) > 1 else [],
        "charter": charter,
        "period": period,
        "last_day": period.ends_before - timedelta(days=1) if period else None,
        "open": any(budget.state in OPEN_TO_PLEDGES for budget in budgets),
        "funders": story.funders(ids),
        "receipts": receipts,
        "advanced": advanced,
        "moved": figures.received - receipts.to_the_pot - advanced,
        "rounds": story.rounds(ids),
        "people": Contribution.objects.filter(budget__in=ids, state__in=["validated", "included", "settled"])
        .values("contributor")
        .distinct()
        .count(),
    }
    return render(request, "public/commons.html", context)


def public(commons: Commons) -> bool:
    """Whether everyone reads a commons."""
    return commons.state in {"open", "archived"}


def withdrawn(request: HttpRequest, commons: Commons) -> HttpResponse:
    """What stands in place of a hidden commons: why, and where to object; of one that was never open, nothing."""
    if commons.state != "hidden":
        raise Http404
    gone = render(request, "life/withdrawn.html", {"commons": commons}, status=410)
    gone.headers["Cache-Control"] = "no-store"  # it may be shown again
    return gone


def veiled(rows: list[Commons]) -> list[Commons]:
    """Commons to be shown, with what is withdrawn of their texts said instead; they are not to be saved."""
    veil = Veil([row.pk for row in rows])
    for row in rows:
        for field in ("name", "summary", "website"):
            setattr(row, field, veil.text(row.pk, field, getattr(row, field)))
    return rows


urlpatterns = [
    path("", home, name="home"),
    path("commons/<slug:slug>/", commons_page, name="commons_page"),
]
