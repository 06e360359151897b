"""The pages of cheques and cash: recording them, taking them to the bank, their return; and what passes through."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.banking.models import BankLine
from backend.core.money import format_money
from backend.identity.models import HostBankAccount
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.payments.models import KINDS_OF_PAPER, Deposit, PaperPayment
from backend.payments.papers import prepare_deposit, record_paper, return_paper, undo_deposit
from backend.pledges.models import Pledge
from backend.web.acts import form_page
from backend.web.forms_organisations import typed_amount
from backend.web.forms_receipts import DepositForm, PaperForm, ReturnForm, UndoForm
from backend.web.pages import AuthedRequest, cut, private

PAYER = ("pledge__organisation", "pledge__person", "pledge__donor", "pledge__budget")
SUGGESTED = 20


@private
@require_safe
def deposits(request: AuthedRequest) -> HttpResponse:
    """What was handed over and is not at the bank yet, by account and kind; then the deposits, newest first."""
    require(request.user, "bank.read")
    papers = PaperPayment.visible_to(request.user).select_related(*PAYER, "account")
    groups: dict[tuple[str, str, str], list[PaperPayment]] = {}
    for row in papers.filter(state="received").order_by("account__name", "kind", "received_on", "pk"):
        groups.setdefault((row.account_id, row.kind, row.currency), []).append(row)
    rows = Deposit.visible_to(request.user).select_related("account", "prepared_by")
    return render(
        request,
        "receipts/deposits.html",
        {
            "groups": [
                {"account": found[0].account, "kind": kind, "kind_name": found[0].get_kind_display(), "rows": found,
                 "total": sum(row.amount for row in found), "currency": currency}
                for (_account, kind, currency), found in groups.items()
            ],
            "page": cut(rows.order_by("-prepared_at", "-pk"), request),
            "returned": papers.filter(state="returned").order_by("-returned_on", "-pk")[:10],
            "can_record": may(request.user, "paper.record"),
        },
    )  # fmt: skip


@private
@require_http_methods(["GET", "HEAD", "POST"])
def paper_new(request: AuthedRequest) -> HttpResponseBase:
    """Find the pledge that a cheque or cash pays, then write it down: its pot has the money at once."""
    require(request.user, "paper.record")
    pledges = Pledge.visible_to(request.user).filter(state__in=["active", "fulfilled", "written_off"])
    pledges = pledges.select_related("organisation", "person", "donor", "budget__commons")
    pledge = pledges.filter(pk=request.GET.get("pledge", "")).first()
    if pledge is None:
        sought = " ".join(request.GET.get("q", "").split())[:80]
        context = {"sought": sought, "pledges": awaiting(pledges, sought)[:SUGGESTED]}
        return render(request, "receipts/paper_pledge.html", context)
    today = host_day(timezone.now())
    accounts = list(HostBankAccount.objects.filter(currency=pledge.currency).order_by("name"))
    initial: dict[str, Any] = {"received_on": today, "kind": "cheque"}
    if pledge.expected:
        initial["amount"] = typed_amount(pledge.expected, pledge.currency)
    form = PaperForm(request.POST or None, accounts=accounts, currency=pledge.currency, initial=initial)

    def act() -> HttpResponseBase:
        values = dict(form.cleaned_data)
        made = record_paper(
            actor=request.user, pledge_id=pledge.pk, account_id=values.pop("account"), now=timezone.now(), **values
        )
        words = _("%(amount)s are written down and the pot has them. Take them to the bank, then say so here.")
        messages.success(request, words % {"amount": format_money(made.amount, made.currency)})
        return redirect("deposits")

    return form_page(request, form, act, "receipts/paper_new.html", {"pledge": pledge})


def awaiting(pledges: "QuerySet[Pledge]", sought: str) -> "QuerySet[Pledge]":
    """The pledges that await money, newest first, or those that a search by payer or reference finds."""
    if not sought:
        return pledges.filter(expected__gt=0).order_by("-pk")
    named = Q(organisation__name__icontains=sought) | Q(person__name__icontains=sought)
    return pledges.filter(named | Q(reference__icontains=sought.replace(" ", ""))).order_by("-pk")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def paper_return(request: AuthedRequest, paper_id: str) -> HttpResponseBase:
    """A cheque that came back unpaid before the bank showed it: its payment is undone."""
    require(request.user, "paper.record")
    paper = get_object_or_404(PaperPayment.visible_to(request.user).select_related(*PAYER), pk=paper_id)
    today = host_day(timezone.now())
    form = ReturnForm(request.POST or None, today=today)

    def act() -> HttpResponseBase:
        return_paper(actor=request.user, paper_id=paper.pk, now=timezone.now(), **form.cleaned_data)
        messages.success(
            request, _("The payment is undone in the books; the pledge awaits it again. Nothing left the bank.")
        )
        return redirect("deposits")

    if request.method != "POST" and paper.state not in PaperPayment.OPEN:
        if paper.state == "cleared":
            messages.info(request, _("The bank showed this money: when it takes it back, say so on the bank’s line."))
        return redirect("deposits")
    return form_page(request, form, act, "receipts/paper_return.html", {"paper": paper})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def deposit_new(request: AuthedRequest) -> HttpResponseBase:
    """Put cheques, or cash, of one account together. No money moves."""
    require(request.user, "paper.record")
    account = HostBankAccount.objects.filter(pk=request.GET.get("account", "")).first()
    kind = request.GET.get("kind", "")
    if account is None or kind not in dict(KINDS_OF_PAPER):
        return redirect("deposits")
    rows = list(
        PaperPayment.visible_to(request.user)
        .filter(account=account, kind=kind, state="received")
        .select_related(*PAYER)
        .order_by("received_on", "pk")
    )
    form = DepositForm(request.POST or None, rows=rows)

    def act() -> HttpResponseBase:
        values = form.cleaned_data
        made = prepare_deposit(
            actor=request.user, account_id=account.pk, kind=kind, paper_ids=values["papers"], slip=values["slip"],
            form_key=values["form_key"], now=timezone.now(),
        )  # fmt: skip
        messages.success(
            request, _("The deposit is prepared. No money moved: the bank’s line of this total will settle it.")
        )
        return redirect("deposit_page", made.pk)

    if request.method != "POST" and not rows:
        return redirect("deposits")
    context = {"account": account, "kind_name": dict(KINDS_OF_PAPER)[kind]}
    return form_page(request, form, act, "receipts/deposit_new.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def deposit_page(request: AuthedRequest, deposit_id: str) -> HttpResponseBase:
    """One deposit, to print with what is taken to the bank; it can be undone until the bank shows it."""
    require(request.user, "bank.read")
    deposit = get_object_or_404(
        Deposit.visible_to(request.user).select_related("account__host", "prepared_by"), pk=deposit_id
    )
    if request.method == "POST":
        require(request.user, "paper.record")
    form = UndoForm(request.POST or None)

    def act() -> HttpResponseBase:
        undo_deposit(actor=request.user, deposit_id=deposit.pk, reason=form.cleaned_data["reason"], now=timezone.now())
        messages.success(request, _("The deposit is undone; what it held can be put together again. No money moved."))
        return redirect("deposits")

    context = {
        "deposit": deposit,
        "papers": deposit.papers.select_related(*PAYER).order_by("received_on", "pk"),
        "line": BankLine.visible_to(request.user).filter(matched_to=deposit.pk).first(),
        "can_act": deposit.state == "prepared" and may(request.user, "paper.record"),
        "failed": request.method == "POST",
    }
    return form_page(request, form, act, "receipts/deposit.html", context)


urlpatterns = [
    path("deposits/", deposits, name="deposits"),
    path("deposits/new/", deposit_new, name="deposit_new"),
    path("deposits/<str:deposit_id>/", deposit_page, name="deposit_page"),
    path("papers/new/", paper_new, name="paper_new"),
    path("papers/<str:paper_id>/return/", paper_return, name="paper_return"),
]
