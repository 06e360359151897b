"""What takes two people: the list, and the page where another person reads and decides."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.money import format_money
from backend.identity.models import Host, HostBankAccount, Proposal, User
from backend.identity.permissions import holds, may
from backend.identity.proposals import ACCOUNT, PAYOUTS, RIGHTS, decide_treasurer, hindrance, see_iban, withdraw
from backend.operations.host import decide_account, decide_payouts, decide_settings, stop_account
from backend.web.forms_people import ReasonForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private

DECIDE: dict[str, Callable[..., Proposal]] = {
    "role.treasurer": decide_treasurer,
    "host.settings": decide_settings,
    "host.bank_account": decide_account,
    "host.payouts": decide_payouts,
}


@private
@require_safe
def proposals(request: AuthedRequest) -> HttpResponse:
    """Those that await a decision, then those that were decided."""
    found = Proposal.visible_to(request.user).select_related("proposed_by", "decided_by")
    page = cut(found.exclude(state="proposed").order_by("-id"), request)
    waiting = [told(row) for row in found.filter(state="proposed").order_by("id")]
    return render(
        request, "people/proposals.html", {"waiting": waiting, "page": page, "past": [told(row) for row in page]}
    )


@private
@require_http_methods(["GET", "HEAD", "POST"])
def proposal_page(request: AuthedRequest, proposal_id: str) -> HttpResponseBase:
    """What is proposed, by whom and why; for another person, the decision."""
    found = Proposal.visible_to(request.user).select_related("proposed_by", "decided_by")
    proposal = get_object_or_404(found, pk=proposal_id)
    if request.method == "POST":
        return _act(request, proposal)
    return _page(request, proposal, ReasonForm(), 200)


def _page(request: AuthedRequest, proposal: Proposal, form: ReasonForm, status: int, iban: str = "") -> HttpResponse:
    """The page; `iban` in full for who has just asked for it."""
    mine = proposal.proposed_by_id == request.user.pk
    context = {
        "proposal": proposal,
        "told": told(proposal),
        "iban": iban,
        "sealed": bool(proposal.iban_sealed),
        "may_see": bool(proposal.iban_sealed) and holds(request.user, "treasurer"),
        "mine": mine,
        "hindrance": hindrance(request.user, proposal),
        "may_decide": may(request.user, RIGHTS[proposal.kind][1]) and not mine,
        "may_stop": proposal.awaits and not mine and may(request.user, "host.stop"),
        "may_withdraw": mine and (proposal.state == "proposed" or proposal.awaits),
        "form": form,
        "failed": status != 200,
    }
    return render(request, "people/proposal.html", context, status=status)


@fresh_factor
def _act(request: AuthedRequest, proposal: Proposal) -> HttpResponseBase:
    """Show the IBAN in full, accept, refuse, take back or stop."""
    act, form, now = request.POST.get("act", ""), ReasonForm(request.POST), timezone.now()
    facts: dict[str, Any] = {"actor": request.user, "proposal_id": proposal.pk, "now": now}
    if act not in {"see", "accept", "refuse", "withdraw", "stop"}:
        return _page(request, proposal, ReasonForm(), 422)
    if act == "see":
        return _page(request, proposal, ReasonForm(), 200, iban=see_iban(**facts))
    if act in {"refuse", "stop"} and not form.is_valid():
        return _page(request, proposal, form, 422)
    reason = form.cleaned_data.get("reason", "") if form.is_valid() else ""
    if act == "withdraw":
        withdraw(**facts)
        messages.success(request, _("The proposal is taken back. Nothing changed."))
    elif act == "stop":
        stop_account(reason=reason, **facts)
        messages.success(request, _("The bank account is stopped. Nothing changed, and all who were told know it."))
    else:
        accept = act == "accept"
        digest = request.POST.get("digest", "") if accept else proposal.digest
        done = DECIDE[proposal.kind](accept=accept, digest=digest, reason=reason, **facts)
        if not accept:
            messages.success(request, _("The proposal is refused. Nothing changed."))
        elif done.applied_at:
            messages.success(request, _("Accepted: it holds from now on. No money moved."))
        else:
            messages.success(request, _("Accepted: it holds in 72 hours, unless somebody stops it. No money moved."))
    return redirect("proposal_page", proposal.pk)


def told(proposal: Proposal) -> dict[str, Any]:
    """A proposal in words: its title, and each thing that changes as (what, before, after)."""
    facts = proposal.payload
    if proposal.kind == "role.treasurer":
        person = User.objects.get(pk=proposal.subject)
        title = _("%(name)s as treasurer") % {"name": person.name}
        lines = [(_("Person"), "", person.name), (_("E-mail address"), "", person.address_shown)]
    elif proposal.kind == ACCOUNT:
        account = HostBankAccount.objects.filter(pk=facts["account"]).first()
        title = _("Another IBAN for %(name)s") % {"name": account.name} if account else _("A further bank account")
        lines = [
            (_("Name of the account"), "", facts["name"]),
            (_("IBAN"), facts["before"], facts["iban"]),
            (_("BIC"), "", facts["bic"]),
            (_("Currency"), "", facts["currency"]),
        ]
    elif proposal.kind == PAYOUTS:
        title = _("Payouts of %(name)s") % {"name": facts["name"]}
        before, after, currency = facts["before"], facts["after"], facts["currency"]
        lines = [
            (limit_names()[field], _limit(field, before[field], currency), _limit(field, after[field], currency))
            for field in after
        ]
    else:
        title = _("Settings of the host")
        lines = [
            (setting_names()[field], _said(field, facts["before"][field]), _said(field, value))
            for field, value in facts["after"].items()
        ]
    return {"row": proposal, "title": title, "lines": [line for line in lines if line[2]]}


def setting_names() -> dict[str, str]:
    """The settings of the host in the reader's language."""
    return {
        "name": _("Legal name"),
        "fee_bp": _("Fee on what is received"),
        "time_zone": _("Time zone"),
        "fiscal_year_starts_on": _("First month of the fiscal year"),
        "address": _("Address"),
        "rna": _("RNA number"),
        "vat_status": _("Value added tax"),
        "tax_receipts": _("Tax receipts"),
    }


def limit_names() -> dict[str, str]:
    """The limits of a bank account in the reader's language."""
    return {
        "limit_payee": _("A third person above, for one payee"),
        "limit_batch": _("A third person above, for a batch"),
        "limit_day": _("A third person above, for a day"),
        "file_format": _("Format of the payment files"),
    }


def _limit(field: str, value: Any, currency: str) -> str:
    if field == "file_format":
        return str(value)
    return _("no limit") if value is None else format_money(int(value), currency)


def _said(field: str, value: Any) -> str:
    if field == "fee_bp":
        return percent(int(value))
    if field == "vat_status":
        return str(dict(Host.VAT)[value])
    return str(MONTHS[int(value)]) if field == "fiscal_year_starts_on" else str(value)


def percent(basis_points: int) -> str:
    """Basis points as a percentage of the reader's language: `5 %`, `7,5 %`."""
    text = number_format((Decimal(basis_points) / 100).normalize() if basis_points % 100 else basis_points // 100)
    return f"{text}\u00a0%"


urlpatterns = [
    path("proposals/", proposals, name="proposals"),
    path("proposals/<slug:proposal_id>/", proposal_page, name="proposal_page"),
]
