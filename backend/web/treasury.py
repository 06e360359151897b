"""The pages of money out: the treasurer's inbox, and the batches with their preparation, approval and file."""

from collections import defaultdict
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid
from backend.core.idempotency import fingerprint, once
from backend.distributions.models import Share
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import may, require
from backend.identity.services import host_day, people_with, the_host
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import (
    approve_batch,
    hand_over,
    hindrance,
    payable_refunds,
    payable_shares,
    prepare_batch,
    refuse_batch,
    waiting_shares,
    within_reach,
)
from backend.payouts.undoing import WITH_THE_BANK
from backend.web.forms import add_domain_error
from backend.web.forms_work import PrepareForm, ReasonForm
from backend.web.inbox import piles
from backend.web.inbox_pledges import unpaid_pile
from backend.web.inbox_provider import provider_pile
from backend.web.pages import AuthedRequest, cut, fresh_factor, private

FILE_STATES = {"approved", "sent", "settled"}


@private
@require_safe
def treasury(request: AuthedRequest) -> HttpResponse:
    """What waits for the treasurers, by kind, with the oldest of each."""
    require(request.user, "ledger.read")
    today = host_day(timezone.now())
    found = [*piles(actor=request.user, today=today), unpaid_pile(request.user, today), *provider_pile(request.user)]
    context = {"piles": found, "total": sum(pile.count for pile in found), "alone": _alone()}
    return render(request, "treasury/inbox.html", context)


def _alone() -> bool:
    """Whether the host has fewer than two treasurers: then nothing can be approved."""
    return len(people_with("treasurer", [the_host().pk])) < 2


@private
@require_safe
def payouts(request: AuthedRequest) -> HttpResponse:
    """What is owed and can be paid, and the batches, newest first."""
    require(request.user, "ledger.read")
    batches = PayoutBatch.visible_to(request.user).select_related("account", "prepared_by", "approved_by")
    return render(
        request,
        "treasury/payouts.html",
        {
            "page": cut(batches.order_by("-prepared_at", "-id"), request),
            "accounts": [_payable(request.user, account) for account in HostBankAccount.objects.order_by("name")],
            "can_prepare": may(request.user, "batch.prepare"),
            "alone": _alone(),
        },
    )


def _payable(actor: User, account: HostBankAccount) -> dict[str, Any]:
    """What a batch of this person on this account would pay, one row a payee, its refunds, who has not given an account
    yet, and what only somebody else's batch can pay."""
    groups: dict[str, list[Share]] = defaultdict(list)
    shares = payable_shares(currency=account.currency)
    paid, refunds, held = within_reach(
        preparer=actor, shares=[one for one in shares if one.payee.iban_sealed],
        refunds=payable_refunds(currency=account.currency),
    )  # fmt: skip
    for share in (*paid, *(one for one in shares if not one.payee.iban_sealed)):
        groups[share.payee_id].append(share)
    rows = [(shares[0].payee, shares, sum(share.due for share in shares)) for shares in groups.values()]
    ready = [row for row in rows if row[0].iban_sealed]
    return {
        "held": [(one.payee.name if isinstance(one, Share) else one.name, one.amount) for one in held],
        "account": account,
        "ready": ready,
        "refunds": refunds,
        "number": len(ready) + len(refunds),
        "small": [share for share, _reason in waiting_shares(currency=account.currency)],
        "waiting": [row for row in rows if not row[0].iban_sealed],
        "total": sum(amount for _payee, _shares, amount in ready) + sum(refund.amount for refund in refunds),
    }


@private
@require_http_methods(["GET", "HEAD", "POST"])
def payout_prepare(request: AuthedRequest) -> HttpResponseBase:
    """What the next batch will hold, then its preparation. Moves no money."""
    require(request.user, "batch.prepare")
    form = PrepareForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                batch_id = _prepare_once(request.user, **form.cleaned_data)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(
                    request,
                    _("The batch is prepared. No money moved: another treasurer must approve exactly this file."),
                )
                return redirect("batch_page", batch_id)
    accounts = [_payable(request.user, account) for account in HostBankAccount.objects.order_by("name")]
    # Each page has its own key, so that a refusal can be followed by another try.
    context = {"form": form, "blank": PrepareForm(), "accounts": accounts, "today": host_day(timezone.now())}
    return render(request, "treasury/prepare.html", context, status=status)


def _prepare_once(actor: User, *, account: str, form_key: str) -> str:
    """The batch of this form: the one already made when the button was pressed twice."""
    now = timezone.now()

    def act() -> tuple[int, Any]:
        return 201, {"batch": prepare_batch(actor=actor, account_id=account, now=now).pk}

    wanted = fingerprint("payouts/prepare", account)
    _status, body, _replayed = once(scope=f"page:{actor.pk}", key=form_key, request=wanted, now=now, act=act)
    return str(body["batch"])


def _batch(request: AuthedRequest, batch_id: str) -> PayoutBatch:
    return get_object_or_404(
        PayoutBatch.visible_to(request.user).select_related("account", "prepared_by", "approved_by"), pk=batch_id
    )


def batch_rows(batch: PayoutBatch) -> list[dict[str, Any]]:
    """The lines of a batch, each with what an approver must look at twice.

    `alert` is `changed` (the account changed after the batch was prepared), `new_account` (first payment since it
    changed), `first` (first payment to this payee), `refund` (an account that a treasurer typed) or empty.
    """
    rows: list[dict[str, Any]] = []
    lines = list(batch.payouts.select_related("payee", "refund__asked_by").order_by("name", "id"))
    earlier: dict[str, list[Payout]] = defaultdict(list)
    before = Payout.objects.filter(
        payee__in=[line.payee_id for line in lines if line.payee_id],
        state__in=["sent", "settled"],
        batch__prepared_at__lt=batch.prepared_at,
    )
    for payout in before.select_related("batch"):
        earlier[payout.purse].append(payout)
    for line in lines:
        if line.payee is None:
            rows.append({"payout": line, "alert": "refund", "edited_at": None})
            continue
        edited = line.payee.iban_edited_at
        since = [past for past in earlier[line.purse] if edited is None or past.batch.prepared_at >= edited]
        alert = ""
        if edited and edited > batch.prepared_at:
            alert = "changed"
        elif not earlier[line.purse]:
            alert = "first"
        elif not since:
            alert = "new_account"
        rows.append({"payout": line, "alert": alert, "edited_at": edited})
    return rows


def _hindrance(actor: User, batch: PayoutBatch) -> DomainError | None:
    """Why this person may not approve this batch now, or None."""
    if not may(actor, "batch.approve"):
        return Forbidden("not_allowed", _("A treasurer must approve this batch."))
    return hindrance(actor=actor, batch=batch)


@private
@require_safe
def batch_page(request: AuthedRequest, batch_id: str) -> HttpResponse:
    """One batch: its lines, its fingerprint, who did what, and what comes next."""
    batch = _batch(request, batch_id)
    return render(
        request,
        "treasury/batch.html",
        {
            "batch": batch,
            "rows": batch_rows(batch),
            "hindrance": _hindrance(request.user, batch) if batch.state == "prepared" else None,
            "can_act": may(request.user, "batch.prepare"),
            "has_file": batch.state in FILE_STATES,
            "undone": batch.payouts.filter(state__in=["returned", "rejected"]).exists(),
            "with_the_bank": batch.state in WITH_THE_BANK,
            "alone": _alone(),
        },
    )


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def batch_approve(request: AuthedRequest, batch_id: str) -> HttpResponseBase:
    """Approve someone else's batch, exactly the file that is shown. Moves no money yet."""
    batch = _batch(request, batch_id)
    if request.method == "POST":
        approve_batch(actor=request.user, batch_id=batch.pk, digest=request.POST.get("digest", ""), now=timezone.now())
        messages.success(request, _("The batch is approved. No money moved yet: the file must be handed to the bank."))
        return redirect("batch_page", batch.pk)
    if batch.state != "prepared":
        return redirect("batch_page", batch.pk)
    if refusal := _hindrance(request.user, batch):
        raise refusal
    return render(request, "treasury/approve.html", {"batch": batch, "rows": batch_rows(batch)})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def batch_refuse(request: AuthedRequest, batch_id: str) -> HttpResponseBase:
    """Refuse, or take back, a batch that waits for approval. Moves no money."""
    batch = _batch(request, batch_id)
    require(request.user, "batch.prepare")
    form = ReasonForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                refuse_batch(
                    actor=request.user, batch_id=batch.pk, reason=form.cleaned_data["reason"], now=timezone.now()
                )
            except Invalid as refusal:
                add_domain_error(form, refusal)
            else:
                messages.success(request, _("The batch is refused; its shares can be paid again. No money moved."))
                return redirect("batch_page", batch.pk)
    elif batch.state != "prepared":
        return redirect("batch_page", batch.pk)
    context = {"batch": batch, "form": form, "mine": batch.prepared_by_id == request.user.pk}
    return render(request, "treasury/refuse.html", context, status=status)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def batch_file(request: AuthedRequest, batch_id: str) -> HttpResponseBase:
    """What handing the file over does, then the file itself; the first time books the payouts in transit."""
    batch = _batch(request, batch_id)
    require(request.user, "batch.download")
    if request.method == "POST":
        batch, data = hand_over(actor=request.user, batch_id=batch.pk, now=timezone.now())
        return HttpResponse(
            data,
            content_type="application/xml",
            headers={"Content-Disposition": f'attachment; filename="{batch.message_id}.xml"'},
        )
    if batch.state not in FILE_STATES:
        raise Conflict("batch_not_approved", _("The file is handed over once another treasurer has approved it."))
    count = batch.payouts.count()
    return render(request, "treasury/file.html", {"batch": batch, "count": count, "again": batch.state != "approved"})


urlpatterns = [
    path("treasury/", treasury, name="treasury"),
    path("payouts/", payouts, name="payouts"),
    path("payouts/prepare/", payout_prepare, name="payout_prepare"),
    path("payouts/<str:batch_id>/", batch_page, name="batch_page"),
    path("payouts/<str:batch_id>/approve/", batch_approve, name="batch_approve"),
    path("payouts/<str:batch_id>/refuse/", batch_refuse, name="batch_refuse"),
    path("payouts/<str:batch_id>/file/", batch_file, name="batch_file"),
]
