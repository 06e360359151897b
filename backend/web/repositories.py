"""The stewards' pages of the repositories of a budget, and everybody's page of the addresses of their commits."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.contributions.models import ForgeCommit, ForgeDelivery, ForgePerson, Repository
from backend.contributions.repositories import (
    BOTH_FOR,
    connect_repository,
    link_address,
    look_again,
    renew_secret,
    revoke_repository,
    unlink_address,
)
from backend.core.errors import Conflict, Invalid
from backend.identity.permissions import require
from backend.web.forge_words import WHY, done
from backend.web.forms import add_domain_error
from backend.web.forms_forges import CommitAddressForm, RepositoryForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private
from backend.web.transfers import readable_budgets

SHOWN = 30
LINKS = 5  # to contributions, of one delivery


def _budget(request: AuthedRequest, budget_id: str) -> Budget:
    """A budget that the reader sees, and whose repositories they may connect."""
    budget = get_object_or_404(readable_budgets(request.user), pk=budget_id)
    require(request.user, "repository.connect", scopes=tree_of(budget))
    return budget


def _repository(request: AuthedRequest, repository_id: str) -> Repository:
    """A repository that the reader takes care of."""
    mine = Repository.visible_to(request.user).select_related("budget__commons", "budget__parent", "created_by")
    return get_object_or_404(mine, pk=repository_id)


def _door(row: Repository) -> str:
    """The address to which the forge sends."""
    return settings.BASE_URL + reverse("forge_delivery", args=[row.pk])


@private
@require_safe
def repositories(request: AuthedRequest, budget_id: str) -> HttpResponse:
    """The repositories of a budget: when each was last heard of, and what it told."""
    budget = _budget(request, budget_id)
    latest = ForgeDelivery.objects.filter(repository=OuterRef("pk")).order_by("-received_at")
    rows = Repository.objects.filter(budget=budget).annotate(
        heard_at=Subquery(latest.values("received_at")[:1]), fault=Subquery(latest.values("fault")[:1])
    )
    context = {"budget": budget, "page": cut(rows.order_by("address", "created_at"), request)}
    return render(request, "forges/list.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def repository_new(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """Connect a repository: the answer to the form alone shows its secret."""
    budget = _budget(request, budget_id)
    form, status = RepositoryForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                row, secret = connect_repository(
                    actor=request.user, budget_id=budget.pk, now=timezone.now(), **form.cleaned_data
                )
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                return _told(request, row, secret, status=201)
    return render(request, "forges/new.html", {"budget": budget, "form": form}, status=status)


def _told(request: AuthedRequest, row: Repository, secret: str, *, status: int) -> HttpResponse:
    """The address and the secret, and where each forge takes them."""
    context = {"row": row, "secret": secret, "door": _door(row), "days": BOTH_FOR.days}
    return render(request, "forges/secret.html", context, status=status)


@private
@require_safe
def repository_page(request: AuthedRequest, repository_id: str) -> HttpResponse:
    """What a repository told lately, what became of it, and whose commits nobody knows yet."""
    row = _repository(request, repository_id)
    counts = row.commits.aggregate(
        drafted=Count("pk", filter=Q(outcome="drafted")), unknown=Count("pk", filter=Q(outcome="unknown")),
        people=Count("author_index", distinct=True, filter=Q(outcome="unknown") & ~Q(author_index="")),
        gone=Count("pk", filter=Q(gone_at__isnull=False) & ~Q(contribution=None)),
    )  # fmt: skip
    trouble = row.commits.filter(Q(outcome__in=["refused", "unreadable"]) | Q(gone_at__isnull=False))
    page = cut(row.deliveries.defer("body").order_by("-received_at", "-pk"), request)
    # A draft is its contributor's alone: only what was declared is shown to who takes care of the repository.
    known = row.commits.filter(outcome="declared", delivery__in=[one.pk for one in page]).exclude(contribution=None)
    links: dict[str, list[str]] = {}
    for delivery, contribution in known.exclude(contribution__state="draft").values_list("delivery", "contribution"):
        if len(links.setdefault(delivery, [])) < LINKS:
            links[delivery].append(contribution)
    context = {
        "row": row,
        "door": _door(row),
        "counts": counts,
        "two_secrets": row.former_until is not None and row.former_until > timezone.now(),
        "page": page,
        "sent": [{"row": one, "done": done(one), "declared": links.get(one.pk, ())} for one in page],
        "trouble": [_seen(row, one) for one in trouble.order_by("-pk")[:SHOWN]],
    }
    return render(request, "forges/repository.html", context)


def _seen(row: Repository, commit: ForgeCommit) -> dict[str, Any]:
    """A commit of which something is to be said; nothing of its draft, which is its contributor's alone."""
    return {
        "sha": commit.sha[:10],
        "url": row.adapter.commit_url(row.address, commit.sha),
        "at": commit.seen_at,
        "gone": commit.gone_at,
        "outcome": commit.get_outcome_display(),
        "why": WHY.get(commit.why, commit.why),
    }


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def repository_secret(request: AuthedRequest, repository_id: str) -> HttpResponseBase:
    """Give a repository a new secret; the former one counts beside it for some days."""
    row = _repository(request, repository_id)
    if request.method == "POST":
        try:
            row, secret = renew_secret(actor=request.user, repository_id=row.pk, now=timezone.now())
        except Conflict as refusal:
            messages.error(request, str(refusal))
            return redirect("repository_page", row.pk)
        return _told(request, row, secret, status=200)
    return render(request, "forges/renew.html", {"row": row, "days": BOTH_FOR.days})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def repository_revoke(request: AuthedRequest, repository_id: str) -> HttpResponseBase:
    """Disconnect a repository."""
    row = _repository(request, repository_id)
    if request.method == "POST":
        try:
            revoke_repository(actor=request.user, repository_id=row.pk, now=timezone.now())
        except Conflict as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("It is disconnected: what its forge still sends is refused. The drafts stay."))
        return redirect("repositories", row.budget_id)
    return render(request, "forges/revoke.html", {"row": row})


# --- addresses of commits ---------------------------------------------------------------------------------------------


@private
@require_http_methods(["GET", "HEAD", "POST"])
def commit_addresses(request: AuthedRequest) -> HttpResponseBase:
    """Under which addresses one commits: those of the account that are confirmed, and others that one adds."""
    now, form, status = timezone.now(), CommitAddressForm(), 200
    if request.method == "POST" and request.POST.get("act") == "again":
        found = look_again(actor=request.user, now=now)
        said = ngettext(
            "%(count)s message of a forge is read again: drafts appear among your work within a minute.",
            "%(count)s messages of forges are read again: drafts appear among your work within a minute.", found,
        )  # fmt: skip
        messages.success(request, said % {"count": found} if found else _("No commit of yours waits."))
        return redirect("commit_addresses")
    if request.method == "POST":
        form, status = CommitAddressForm(request.POST), 422
        if form.is_valid():
            try:
                link_address(actor=request.user, address=form.cleaned_data["address"], now=now)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("Your commits under this address become drafts of yours."))
                return redirect("commit_addresses")
    context = {
        "form": form,
        "confirmed": request.user.emailaddress_set.filter(verified=True).order_by("email"),  # type: ignore[attr-defined]
        "linked": ForgePerson.objects.filter(user=request.user).order_by("address"),
    }
    return render(request, "forges/addresses.html", context, status=status)


@private
@require_POST
def commit_address_remove(request: AuthedRequest, link_id: int) -> HttpResponseBase:
    """Take an address of commits off one's account."""
    get_object_or_404(ForgePerson, pk=link_id, user=request.user)
    unlink_address(actor=request.user, link_id=link_id, now=timezone.now())
    messages.success(request, _("The address is removed. The drafts that came by it stay."))
    return redirect("commit_addresses")


urlpatterns = [
    path("budgets/<str:budget_id>/repositories/", repositories, name="repositories"),
    path("budgets/<str:budget_id>/repositories/new/", repository_new, name="repository_new"),
    path("repositories/<str:repository_id>/", repository_page, name="repository_page"),
    path("repositories/<str:repository_id>/secret/", repository_secret, name="repository_secret"),
    path("repositories/<str:repository_id>/revoke/", repository_revoke, name="repository_revoke"),
    path("commit-addresses/", commit_addresses, name="commit_addresses"),
    path("commit-addresses/<int:link_id>/remove/", commit_address_remove, name="commit_address_remove"),
]
