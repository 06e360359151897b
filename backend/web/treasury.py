"""The pages of money out: the treasurer's inbox, and the batches with their preparation, approval and file."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
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
from backend.distributions.snapshot import last_day
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import may, require
from backend.identity.services import host_day, people_with, the_host
from backend.payees.models import Payee
from backend.payouts.choosing import held_words
from backend.payouts.limits import ABOVE, above_of, due
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import (
    approve_batch,
    choose,
    hand_over,
    hindrance,
    owed_shares,
    paid_by_hand,
    payable_refunds,
    prepare_batch,
    refuse_batch,
    take_by_hand,
    typed_nothing,
)
from backend.payouts.signing import bytes_of, may_approve
from backend.payouts.undoing import WITH_THE_BANK
from backend.web.forms import add_domain_error
from backend.web.forms_payouts import ByHandForm, PrepareForm
from backend.web.forms_work import ReasonForm
from backend.web.inbox import SHOWN
from backend.web.inbox_list import MOST, acts, all_piles, figures, tasks
from backend.web.pages import AuthedRequest, cut, fresh_factor, private

FILE_STATES = {"approved", "claimed", "sent", "settled"}


@private
@require_safe
def treasury(request: AuthedRequest) -> HttpResponse:
    """What waits for the treasurers, by kind with the oldest of each; with `?act=` one list, the oldest first."""
    require(request.user, "ledger.read")
    today = host_day(timezone.now())
    names = acts()
    asked_for = request.GET.get("act", "")
    chosen = asked_for if asked_for in {*names, "all"} else ""
    found = all_piles(actor=request.user, today=today, shown=MOST)
    listed = tasks(found, today=today)
    counts = Counter(one.act for one in listed)
    context = {
        "figures": figures(),
        "piles": [replace(pile, items=pile.items[:SHOWN]) for pile in found],
        "total": sum(pile.count for pile in found),
        "alone": _alone(),
        "chosen": chosen,
        "filters": [(act, name, counts[act]) for act, name in names.items()],
        "tasks": [(one, names[one.act]) for one in listed if chosen in {"all", one.act}][:MOST],
    }
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


def _payable(actor: User, account: HostBankAccount, left_out: list[str] | None = None, why: str = "") -> dict[str, Any]:
    """What a batch of this person on this account would pay, one row a payee or refund, and what waits with its reason.

    Args: left_out, why: as the page was sent, to be shown again.
    """
    now = timezone.now()
    choice = choose(
        preparer=actor, account=account, shares=owed_shares(currency=account.currency),
        refunds=payable_refunds(currency=account.currency), now=now,
    )  # fmt: skip
    groups: dict[str, list[Share]] = defaultdict(list)
    for share in choice.shares:
        groups[share.payee_id].append(share)
    payees = {key: shares[0].payee for key, shares in groups.items()}
    alerts = account_alerts(payees, now)
    rows = [
        {
            "key": key, "payee": payees[key], "number": len(shares), "amount": sum(share.due for share in shares),
            "alert": alerts[key], "out": key in (left_out or []),
        }
        for key, shares in groups.items()
    ]  # fmt: skip
    return {
        "account": account,
        "choice": choice,
        "rows": sorted(rows, key=lambda row: (row["payee"].name, row["key"])),
        "refunds": [{"refund": one, "out": one.pk in (left_out or [])} for one in choice.refunds],
        "number": len(rows) + len(choice.refunds),
        "total": choice.total,
        "why": why,
        "above": [ABOVE[one] for one in choice.above],
        "held": [
            {
                "name": one.line.payee.name if isinstance(one.line, Share) else one.line.name,
                "amount": due(one.line), "words": one.words,
                "share": one.line if isinstance(one.line, Share) else None,
                **_of_period(one.line if isinstance(one.line, Share) else None),
            }
            for one in choice.held
        ],
    }  # fmt: skip


@private
@require_http_methods(["GET", "HEAD", "POST"])
def payout_prepare(request: AuthedRequest) -> HttpResponseBase:
    """What the next batch will hold, then its preparation. Moves no money."""
    require(request.user, "batch.prepare")
    form = PrepareForm(request.POST or None)
    status, out = 200, request.POST.getlist("leave")
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                batch_id = _prepare_once(request.user, left_out=sorted(set(out)), **form.cleaned_data)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(
                    request,
                    _("The batch is prepared. No money moved: another treasurer must approve exactly this file."),
                )
                return redirect("batch_page", batch_id)
    sent = request.POST.get("account", "")
    accounts = [
        _payable(request.user, one, *((out, request.POST.get("why", "")) if one.pk == sent else ()))
        for one in HostBankAccount.objects.order_by("name")
    ]
    # Each page has its own key, so that a refusal can be followed by another try.
    context = {"form": form, "blank": PrepareForm(), "accounts": accounts, "sent": sent}
    return render(request, "treasury/prepare.html", context, status=status)


def _prepare_once(actor: User, *, account: str, left_out: list[str], why: str, form_key: str) -> str:
    """The batch of this form: the one already made when the button was pressed twice."""
    now = timezone.now()

    def act() -> tuple[int, Any]:
        return 201, {"batch": prepare_batch(actor=actor, account_id=account, left_out=left_out, why=why, now=now).pk}

    wanted = fingerprint("payouts/prepare", account, *left_out, why)
    _status, body, _replayed = once(scope=f"page:{actor.pk}", key=form_key, request=wanted, now=now, act=act)
    return str(body["batch"])


def _batch(request: AuthedRequest, batch_id: str) -> PayoutBatch:
    return get_object_or_404(
        PayoutBatch.visible_to(request.user).select_related(
            "account", "prepared_by", "approved_by", "second_by", "claimed_by", "refused_by"
        ),
        pk=batch_id,
    )


def account_alerts(payees: Mapping[str, Payee], before: datetime) -> dict[str, str]:
    """What to look at twice of each payee's account, at this moment: `first` payment to them, first to a `new_account`
    since it changed, or empty."""
    earlier: dict[str, list[datetime]] = defaultdict(list)
    paid = Payout.objects.filter(
        payee__in=list(payees), state__in=["sent", "settled"], batch__prepared_at__lt=before
    ).values_list("payee", "batch__prepared_at")
    for key, when in paid:
        earlier[key].append(when)
    found = {}
    for key, payee in payees.items():
        edited = payee.iban_edited_at
        since = [when for when in earlier[key] if edited is None or when >= edited]
        found[key] = "first" if not earlier[key] else "" if since else "new_account"
    return found


def batch_rows(batch: PayoutBatch) -> list[dict[str, Any]]:
    """The lines of a batch, each with what an approver must look at twice.

    `alert` is `changed` (the account changed after the batch was prepared), `refund` (an account that a treasurer
    typed), or what `account_alerts` says.
    """
    lines = list(batch.payouts.select_related("payee", "refund__asked_by").order_by("name", "id"))
    alerts = account_alerts({one.payee.pk: one.payee for one in lines if one.payee is not None}, batch.prepared_at)
    rows: list[dict[str, Any]] = []
    for line in lines:
        edited = line.payee.iban_edited_at if line.payee is not None else None
        alert = "refund" if line.payee is None else alerts[line.payee.pk]
        if edited and edited > batch.prepared_at and batch.state in PayoutBatch.SPOKEN_FOR:
            alert = "changed"
        rows.append({"payout": line, "alert": alert, "edited_at": edited})
    return rows


def _of_period(share: Share | None) -> dict[str, Any]:
    """Of which pot and period a share is: a payee may wait for several."""
    if share is None:
        return {}
    period = share.distribution.period
    return {"pot": period.budget.full_name, "first": period.starts_on, "last": last_day(period)}


def _held_rows(batch: PayoutBatch) -> list[dict[str, Any]]:
    """What was held out of a batch when it was prepared, by name."""
    rows = batch.held_out.select_related(
        "share__payee", "share__distribution__period__budget__commons", "refund"
    ).order_by("pk")
    return [
        {
            "name": one.share.payee.name if one.share is not None else one.refund.name if one.refund else "",
            "amount": one.amount, "words": held_words(one.code, one.detail, batch.currency), "share": one.share,
            **_of_period(one.share),
        }
        for one in rows
    ]  # fmt: skip


def _hindrance(actor: User, batch: PayoutBatch) -> DomainError | None:
    """Why this person may not approve this batch now, or None."""
    if not may(actor, "batch.approve"):
        return Forbidden("not_allowed", _("A treasurer must approve this batch."))
    return hindrance(actor=actor, batch=batch)


def _told(batch: PayoutBatch) -> dict[str, Any]:
    """What the pages of a batch share: its lines, and while it waits, how many approvals it needs and who may give
    them."""
    waits = batch.state == "prepared"
    above = [ABOVE[one] for one in above_of(batch)] if waits else []
    return {
        "batch": batch,
        "rows": batch_rows(batch),
        "held": _held_rows(batch),
        "above": above,
        "needed": 2 if above or batch.second_by_id else 1,
        "given": sum(1 for one in (batch.approved_by_id, batch.second_by_id) if one),
        "approvers": may_approve(batch) if waits else [],
        "alone": _alone(),
    }


@private
@require_safe
def batch_page(request: AuthedRequest, batch_id: str) -> HttpResponse:
    """One batch: its lines, its fingerprint, who did what, and what comes next."""
    batch = _batch(request, batch_id)
    context = {
        **_told(batch),
        "hindrance": _hindrance(request.user, batch) if batch.state == "prepared" else None,
        "can_act": may(request.user, "batch.prepare"),
        "has_file": batch.state in FILE_STATES and batch.way != "hand",
        "by_hand": batch.state in {"approved", "claimed"} and batch.way != "file",
        "waits": batch.state in PayoutBatch.SPOKEN_FOR,
        "undone": batch.payouts.filter(state__in=["returned", "rejected"]).exists(),
        "with_the_bank": batch.state in WITH_THE_BANK,
    }
    return render(request, "treasury/batch.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def batch_approve(request: AuthedRequest, batch_id: str) -> HttpResponseBase:
    """Approve someone else's batch, exactly the file that is shown. Moves no money yet."""
    batch = _batch(request, batch_id)
    if request.method == "POST":
        made = approve_batch(
            actor=request.user, batch_id=batch.pk, digest=request.POST.get("digest", ""), now=timezone.now()
        )
        if made.state == "prepared":
            messages.success(
                request, _("You approved. No money moved: above a limit, a third person must approve too.")
            )
        else:
            messages.success(
                request, _("The batch is approved. No money moved yet: the file must be handed to the bank.")
            )
        return redirect("batch_page", batch.pk)
    if batch.state != "prepared":
        return redirect("batch_page", batch.pk)
    if refusal := _hindrance(request.user, batch):
        raise refusal
    same = hashlib.sha256(bytes_of(batch)).hexdigest() == batch.digest
    return render(request, "treasury/approve.html", {**_told(batch), "same": same})


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
                    actor=request.user, batch_id=batch.pk, reason=form.cleaned_data["reason"],
                    seen=request.POST.get("seen", ""), now=timezone.now(),
                )  # fmt: skip
            except Invalid as refusal:
                add_domain_error(form, refusal)
            else:
                messages.success(request, _("The batch is refused; its shares can be paid again. No money moved."))
                return redirect("batch_page", batch.pk)
    elif batch.state not in PayoutBatch.SPOKEN_FOR:
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
        again = request.POST.get("again") == "yes"
        batch, data = hand_over(actor=request.user, batch_id=batch.pk, again=again, now=timezone.now())
        return HttpResponse(
            data,
            content_type="application/xml",
            headers={"Content-Disposition": f'attachment; filename="{batch.message_id}.xml"'},
        )
    if batch.state in {"unknown", "returned"}:
        return redirect("batch_page", batch.pk)
    if batch.state not in FILE_STATES or batch.way == "hand":
        raise Conflict("batch_not_approved", _("The file is handed over once another treasurer has approved it."))
    context = {"batch": batch, "count": batch.payouts.count(), "again": batch.state in PayoutBatch.TAKEN}
    return render(request, "treasury/file.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def batch_by_hand(request: AuthedRequest, batch_id: str) -> HttpResponseBase:
    """Type the transfers of an approved batch on the bank's site: claim it and see the accounts, then say when and
    under which references. The last step books them in transit."""
    batch = _batch(request, batch_id)
    require(request.user, "batch.download")
    payouts = list(batch.payouts.order_by("name", "id"))
    form = ByHandForm(request.POST if request.POST.get("act") == "done" else None, payouts=payouts)
    status, accounts = 200, {}
    if request.method == "POST" and request.POST.get("act") == "done":
        status = 422
        if form.is_valid():
            try:
                paid_by_hand(
                    actor=request.user, batch_id=batch.pk, paid_on=form.cleaned_data["paid_on"],
                    references=form.references(), now=timezone.now(),
                )  # fmt: skip
            except Invalid as refusal:
                add_domain_error(form, refusal)
            else:
                messages.success(
                    request,
                    _("Booked in transit: the next statement settles them. The file must not be used any more."),
                )
                return redirect("batch_page", batch.pk)
    elif request.method == "POST" and request.POST.get("act") == "nothing":
        typed_nothing(actor=request.user, batch_id=batch.pk, now=timezone.now())
        messages.success(
            request, _("Nothing was typed: the batch is approved as before, and its file may be handed over.")
        )
        return redirect("batch_page", batch.pk)
    elif request.method == "POST":
        shown = take_by_hand(actor=request.user, batch_id=batch.pk, now=timezone.now())
        accounts = {payout.pk: iban for payout, iban in shown}
        batch = _batch(request, batch_id)
    elif batch.state not in {"approved", "claimed"} or batch.way == "file":
        return redirect("batch_page", batch.pk)
    rows = [(payout, accounts.get(payout.pk, ""), form[payout.pk]) for payout in payouts]
    context = {
        "batch": batch, "form": form, "rows": rows, "shown": bool(accounts),
        "mine": batch.claimed_by_id == request.user.pk,
    }  # fmt: skip
    return render(request, "treasury/by_hand.html", context, status=status)


urlpatterns = [
    path("treasury/", treasury, name="treasury"),
    path("payouts/", payouts, name="payouts"),
    path("payouts/prepare/", payout_prepare, name="payout_prepare"),
    path("payouts/<str:batch_id>/", batch_page, name="batch_page"),
    path("payouts/<str:batch_id>/approve/", batch_approve, name="batch_approve"),
    path("payouts/<str:batch_id>/refuse/", batch_refuse, name="batch_refuse"),
    path("payouts/<str:batch_id>/file/", batch_file, name="batch_file"),
    path("payouts/<str:batch_id>/by-hand/", batch_by_hand, name="batch_by_hand"),
]
