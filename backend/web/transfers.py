"""The pages of money that moves inside the house: a budget and its envelopes, transfers, opening balances."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Budget
from backend.commons.services import charter_of, open_envelope, subtree_balances, tree_of
from backend.core.errors import Conflict, Invalid
from backend.core.names import name_key
from backend.identity.models import User
from backend.identity.permissions import holds, may, require
from backend.identity.services import host_day
from backend.ledger.services import balances
from backend.payments.fees import rate_of
from backend.transfers.models import Opening, Transfer
from backend.transfers.openings import opening_hindrance, own_funds, to_open
from backend.transfers.services import (
    decide_opening,
    decide_transfer,
    hindrance,
    propose_opening,
    propose_transfer,
    purse_of,
    transferable,
    withdraw_transfer,
)
from backend.web.figures import figures_of
from backend.web.forms import add_domain_error, new_form_key
from backend.web.forms_transfers import EnvelopeForm, OpeningForm, TransferForm, WhyForm
from backend.web.pages import AuthedRequest, budgets_with, cut, fresh_factor, private
from backend.web.proposals import percent

LATEST = 20


def readable_budgets(actor: User) -> "QuerySet[Budget]":
    """The budgets one has a role in, and those just below; all of them for treasurers and auditors."""
    if holds(actor, "treasurer", "auditor"):
        return Budget.objects.select_related("commons", "parent__parent")
    return budgets_with(actor, "steward", "contributor")


def _by_name(budget: Budget) -> tuple[str, bool, str]:
    """By commons, the common pot first, then its envelopes by name."""
    return name_key(budget.commons.name), budget.parent_id is not None, name_key(budget.name)


def _budget(request: AuthedRequest, budget_id: str) -> Budget:
    return get_object_or_404(readable_budgets(request.user), pk=budget_id)


@private
@require_safe
def budget_page(request: AuthedRequest, budget_id: str) -> HttpResponse:
    """One purse: its figures, reserve and deficit, its envelopes, what moved, and what one may do with it."""
    budget = _budget(request, budget_id)
    children = sorted(budget.children.all(), key=lambda child: name_key(child.name))
    each = figures_of([budget, *children])
    moved = Transfer.visible_to(request.user).select_related("source", "target", "proposed_by")
    return render(
        request,
        "transfers/budget.html",
        {
            "budget": budget,
            "figures": each[budget.pk],
            "held": purse_of(budget),
            "held_below": sum(amount for _budget, amount in subtree_balances(budget)) if children else None,
            "reserve": purse_of(budget, "reserve"),
            "deficit": purse_of(budget, "deficit"),
            "charter": charter_of(budget),
            "parts": [{"budget": child, "figures": each[child.pk]} for child in children],
            "transfers": (moved.filter(source=budget) | moved.filter(target=budget)).order_by("-id")[:LATEST],
            "can_transfer": may(request.user, "transfer.propose", scopes=tree_of(budget)),
            "can_open": budget.state == "open" and may(request.user, "budget.open", scopes=tree_of(budget)),
            "can_suspend": budget.state in {"open", "suspended"}
            and may(request.user, "budget.suspend", scopes=tree_of(budget)),
            "fee": percent(rate_of(budget).fee_bp),
            "can_set_fee": may(request.user, "budget.set_fee"),
            "can_connect": may(request.user, "repository.connect", scopes=tree_of(budget)),
            "can_close": budget.parent_id and budget.state == "open",
        },
    )


@private
@require_http_methods(["GET", "HEAD", "POST"])
def envelope_new(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """Open an envelope below a budget. Moves no money."""
    budget = _budget(request, budget_id)
    require(request.user, "budget.open", scopes=tree_of(budget))
    form, status = EnvelopeForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made = open_envelope(
                    actor=request.user, parent=budget, name=form.cleaned_data["name"], now=timezone.now(),
                    own_rules=form.cleaned_data["rules"] != "follow",
                )  # fmt: skip
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("The envelope is open. It holds nothing yet: transfer money to it."))
                return redirect("budget_page", made.pk)
    return render(request, "transfers/envelope.html", {"budget": budget, "form": form}, status=status)


def _kinds(budget: Budget) -> list[str]:
    """What can be done with the money of a budget now."""
    found = ["move", "to_reserve"]
    if purse_of(budget, "reserve"):
        found.append("from_reserve")
    return [*found, "to_deficit"]


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def transfer_new(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """Propose a transfer out of a budget; at or below the charter's threshold it is booked at once."""
    budget = _budget(request, budget_id)
    require(request.user, "transfer.propose", scopes=tree_of(budget))
    # A closed budget takes no money, but its deficit can be served.
    lacking = [owner for (owner, _currency), missing in balances(kind="deficit").items() if missing]
    open_ones = Q(state__in=["draft", "open", "suspended"]) | Q(pk__in=lacking)
    receiving = readable_budgets(request.user).filter(open_ones, currency=budget.currency)
    targets = sorted(receiving, key=_by_name)
    form = TransferForm(
        request.POST or None, source=budget, targets=targets, kinds=_kinds(budget),
        initial={"target": request.GET.get("target", "")},
    )  # fmt: skip
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            values = form.cleaned_data
            try:
                made = propose_transfer(
                    actor=request.user, kind=values["kind"], source=budget, amount=values["amount"],
                    target=next((one for one in targets if one.pk == values["target"]), None),
                    reason=values["reason"], form_key=values["form_key"], now=timezone.now(),
                )  # fmt: skip
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                return _proposed(request, made)
    context = {
        "budget": budget, "form": form, "free": transferable(budget), "held": purse_of(budget),
        "reserve": purse_of(budget, "reserve"), "threshold": charter_of(budget).transfer_threshold,
    }  # fmt: skip
    return render(request, "transfers/new.html", context, status=status)


def _proposed(request: AuthedRequest, made: Transfer) -> HttpResponseBase:
    if made.state == "booked":
        messages.success(request, _("The transfer is booked. Nothing left the bank: the money changed purse."))
    else:
        messages.success(request, _("The transfer is proposed. No money moved: another person must agree."))
    return redirect("transfer_page", made.pk)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def budget_close(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """Close an envelope: what it still holds goes back to the budget above it."""
    budget = _budget(request, budget_id)
    require(request.user, "transfer.propose", scopes=tree_of(budget))
    form, refused, status = WhyForm(request.POST or None), None, 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made = propose_transfer(
                    actor=request.user, kind="remainder", source=budget, target=None, amount=None,
                    reason=form.cleaned_data["reason"], form_key=request.POST.get("form_key", "")[:64],
                    now=timezone.now(),
                )  # fmt: skip
            except (Invalid, Conflict) as refusal:
                refused, status = refusal, refusal.status
            else:
                return _proposed(request, made)
    context = {
        "budget": budget, "form": form, "refused": refused, "held": purse_of(budget), "form_key": new_form_key(),
        "threshold": charter_of(budget).transfer_threshold,
    }  # fmt: skip
    return render(request, "transfers/close.html", context, status=status)


@private
@require_safe
def transfers(request: AuthedRequest) -> HttpResponse:
    """The transfers one may see, those that wait first."""
    found = Transfer.visible_to(request.user).select_related(
        "source__commons", "target__commons", "proposed_by", "decided_by"
    )
    openings = Opening.visible_to(request.user).select_related("proposed_by", "decided_by").order_by("-id")[:LATEST]
    return render(
        request,
        "transfers/list.html",
        {
            "waiting": found.filter(state="proposed").order_by("id"),
            "page": cut(found.exclude(state="proposed").order_by("-id"), request),
            "openings": openings,
            "can_open_books": may(request.user, "opening.propose"),
            "budgets": sorted(readable_budgets(request.user), key=_by_name),
        },
    )


@private
@require_http_methods(["GET", "HEAD", "POST"])
def transfer_page(request: AuthedRequest, transfer_id: str) -> HttpResponseBase:
    """One transfer: what will move, who proposed it, and for those who may, the decision."""
    related = ["source__commons", "source__parent", "target__commons", "proposed_by", "decided_by"]
    transfer = get_object_or_404(Transfer.visible_to(request.user).select_related(*related), pk=transfer_id)
    form, status = WhyForm(request.POST or None), 200
    if request.method == "POST":
        act = request.POST.get("act", "")
        if act == "withdraw":
            withdraw_transfer(actor=request.user, transfer_id=transfer.pk, now=timezone.now())
            messages.success(request, _("The transfer is taken back. No money moved."))
            return redirect("transfer_page", transfer.pk)
        if act == "accept":
            return _accept(request, transfer)
        status = 422
        if form.is_valid():
            decide_transfer(
                actor=request.user, transfer_id=transfer.pk, accept=False, reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )  # fmt: skip
            messages.success(request, _("The transfer is refused. No money moved."))
            return redirect("transfer_page", transfer.pk)
    context = {
        "transfer": transfer,
        "form": form if status != 200 else WhyForm(),
        "failed": status != 200,
        "hindrance": hindrance(actor=request.user, transfer=transfer) if transfer.state == "proposed" else None,
        "mine": transfer.proposed_by_id == request.user.pk,
        "held": purse_of(transfer.source, "reserve" if transfer.kind == "from_reserve" else "budget"),
    }
    return render(request, "transfers/transfer.html", context, status=status)


@fresh_factor
def _accept(request: AuthedRequest, transfer: Transfer) -> HttpResponseBase:
    decide_transfer(actor=request.user, transfer_id=transfer.pk, accept=True, now=timezone.now())
    messages.success(request, _("The transfer is booked. Nothing left the bank: the money changed purse."))
    return redirect("transfer_page", transfer.pk)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def opening_new(request: AuthedRequest) -> HttpResponseBase:
    """Write the opening balances of the accounts and budgets that have none. Books nothing."""
    require(request.user, "opening.propose")
    accounts, budgets = to_open()
    form = OpeningForm(
        request.POST or None, accounts=accounts, budgets=budgets, initial={"as_of": host_day(timezone.now())}
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            values = form.cleaned_data
            try:
                made = propose_opening(
                    actor=request.user, as_of=values["as_of"], accounts=values["accounts"], budgets=values["budgets"],
                    form_key=values["form_key"], now=timezone.now(),
                )  # fmt: skip
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(
                    request, _("The balances are written. Nothing is booked: another treasurer must approve them.")
                )
                return redirect("opening_page", made.pk)
    waiting = Opening.visible_to(request.user).filter(state="proposed").order_by("id")
    return render(request, "transfers/opening_new.html", {"form": form, "waiting": waiting}, status=status)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def opening_page(request: AuthedRequest, opening_id: str) -> HttpResponseBase:
    """Opening balances: what will be booked, who wrote them, and for another treasurer, the decision."""
    found = Opening.visible_to(request.user).select_related("proposed_by", "decided_by")
    opening = get_object_or_404(found, pk=opening_id)
    form, status = WhyForm(request.POST or None), 200
    mine = opening.proposed_by_id == request.user.pk
    if request.method == "POST":
        if request.POST.get("act") == "accept":
            return _approve_opening(request, opening)
        status = 422
        if mine or form.is_valid():
            decide_opening(
                actor=request.user, opening_id=opening.pk, accept=False, digest=opening.digest,
                reason=form.cleaned_data.get("reason", "") if form.is_valid() else "", now=timezone.now(),
            )  # fmt: skip
            messages.success(request, _("These balances are set aside. Nothing was booked."))
            return redirect("opening_page", opening.pk)
    lines = list(opening.lines.select_related("account", "budget__commons", "budget__parent").order_by("pk"))
    context: dict[str, Any] = {
        "opening": opening,
        "accounts": [line for line in lines if line.account_id],
        "budgets": [line for line in lines if line.budget_id],
        "own": sorted(own_funds(lines).items()),
        "hindrance": opening_hindrance(actor=request.user, opening=opening) if opening.state == "proposed" else None,
        "mine": mine,
        "form": form if status != 200 else WhyForm(),
        "failed": status != 200,
    }
    return render(request, "transfers/opening.html", context, status=status)


@fresh_factor
def _approve_opening(request: AuthedRequest, opening: Opening) -> HttpResponseBase:
    decide_opening(
        actor=request.user, opening_id=opening.pk, accept=True, digest=request.POST.get("digest", ""),
        now=timezone.now(),
    )  # fmt: skip
    messages.success(request, _("The opening balances are booked. They are in the books once and for all."))
    return redirect("opening_page", opening.pk)


urlpatterns = [
    path("budgets/<str:budget_id>/", budget_page, name="budget_page"),
    path("budgets/<str:budget_id>/envelopes/new/", envelope_new, name="envelope_new"),
    path("budgets/<str:budget_id>/transfer/", transfer_new, name="transfer_new"),
    path("budgets/<str:budget_id>/close/", budget_close, name="budget_close"),
    path("transfers/", transfers, name="transfers"),
    path("transfers/<str:transfer_id>/", transfer_page, name="transfer_page"),
    path("openings/new/", opening_new, name="opening_new"),
    path("openings/<str:opening_id>/", opening_page, name="opening_page"),
]
