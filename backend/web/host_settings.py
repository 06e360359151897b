"""The host: its settings and bank accounts, as they are; changing one takes two people."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.identity.models import HostBankAccount, Proposal
from backend.identity.permissions import may, require
from backend.identity.proposals import ACCOUNT, PAYOUTS, SETTINGS
from backend.identity.services import the_host
from backend.ledger.services import entry_count
from backend.operations.host import propose_account, propose_payouts, propose_settings
from backend.web.acts import form_page
from backend.web.forms_payouts import LimitsForm
from backend.web.forms_people import HostAccountForm, HostForm
from backend.web.pages import AuthedRequest, fresh_factor, private
from backend.web.proposals import percent, told


@private
@require_safe
def host_page(request: AuthedRequest) -> HttpResponse:
    """What the host is set to, its accounts, and what awaits a second person."""
    require(request.user, "host.read")
    host = the_host()
    waiting = Proposal.visible_to(request.user).filter(kind__in=[SETTINGS, ACCOUNT, PAYOUTS])
    open_ones = waiting.filter(state="proposed") | waiting.filter(state="accepted", applied_at=None)
    context = {
        "row": host,
        "fee": percent(host.fee_bp),
        "month": MONTHS[host.fiscal_year_starts_on],
        "accounts": host.bank_accounts.order_by("pk"),
        "waiting": [told(row) for row in open_ones.select_related("proposed_by", "decided_by").order_by("id")],
        "may_propose": may(request.user, "host.propose"),
        "may_register": may(request.user, "setup.bank_account") and entry_count() == 0,
    }
    return render(request, "people/host.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def host_change(request: AuthedRequest) -> HttpResponseBase:
    """Propose other settings. Changes nothing by itself."""
    require(request.user, "host.propose")
    form = HostForm(request.POST or None, host=the_host())

    def act() -> HttpResponseBase:
        values = form.cleaned_data
        made = propose_settings(
            actor=request.user, name=values["name"], fee_bp=values["fee"], time_zone=values["time_zone"],
            fiscal_year_starts_on=values["fiscal_year"], address=values["address"], rna=values["rna"],
            vat_status=values["vat_status"], tax_receipts=values["tax_receipts"], reason=values["reason"],
            now=timezone.now(),
        )  # fmt: skip
        return _proposed(request, made)

    return form_page(request, form, act, "people/host_change.html", {})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def host_account_new(request: AuthedRequest) -> HttpResponseBase:
    """Propose a further bank account. Changes nothing by itself."""
    require(request.user, "host.propose")
    form = HostAccountForm(request.POST or None, further=True)

    def act() -> HttpResponseBase:
        return _proposed(request, propose_account(actor=request.user, now=timezone.now(), **form.cleaned_data))

    return form_page(request, form, act, "people/host_account.html", {"account": None})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def host_account_change(request: AuthedRequest, account_id: str) -> HttpResponseBase:
    """Propose another IBAN for a bank account. Changes nothing by itself."""
    require(request.user, "host.propose")
    account = get_object_or_404(HostBankAccount, pk=account_id)
    form = HostAccountForm(request.POST or None, further=False, initial={"name": account.name})

    def act() -> HttpResponseBase:
        made = propose_account(
            actor=request.user, account_id=account.pk, currency=account.currency, now=timezone.now(),
            **form.cleaned_data,
        )  # fmt: skip
        return _proposed(request, made)

    return form_page(request, form, act, "people/host_account.html", {"account": account})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def host_account_payouts(request: AuthedRequest, account_id: str) -> HttpResponseBase:
    """Propose other limits of the payouts of a bank account. Changes nothing by itself."""
    require(request.user, "host.propose")
    account = get_object_or_404(HostBankAccount, pk=account_id)
    form = LimitsForm(request.POST or None, account=account)

    def act() -> HttpResponseBase:
        made = propose_payouts(actor=request.user, account_id=account.pk, now=timezone.now(), **form.cleaned_data)
        return _proposed(request, made)

    return form_page(request, form, act, "people/host_payouts.html", {"account": account})


def _proposed(request: AuthedRequest, made: Proposal) -> HttpResponseBase:
    messages.success(request, _("It is proposed. Nothing changed and no money moved: another person must accept."))
    return redirect("proposal_page", made.pk)


urlpatterns = [
    path("host/", host_page, name="host_page"),
    path("host/change/", host_change, name="host_change"),
    path("host/accounts/new/", host_account_new, name="host_account_new"),
    path("host/accounts/<slug:account_id>/", host_account_change, name="host_account_change"),
    path("host/accounts/<slug:account_id>/payouts/", host_account_payouts, name="host_account_payouts"),
]
