"""The pages of surpluses and refunds: what came above what was awaited, and what is given back to its payer."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.dates import date_format
from backend.core.money import format_money
from backend.identity.permissions import may, require
from backend.payments.fees import fee_of, host_fee
from backend.payments.models import Payment, Refund, Surplus
from backend.payments.refunds import correct_account, refund_payment, refund_surplus
from backend.payments.services import split_take_back
from backend.payments.surpluses import credit_surplus, keep_surplus, may_be_kept
from backend.web.acts import form_page
from backend.web.forms_organisations import typed_amount
from backend.web.forms_receipts import AccountForm, PaymentRefundForm, RefundForm, SurplusForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private

PAYER = ("pledge__organisation", "pledge__person", "pledge__donor", "pledge__budget__commons")


@private
@require_safe
def surpluses(request: AuthedRequest) -> HttpResponse:
    """What came above what was awaited, by state, the newest first; then the refunds."""
    require(request.user, "bank.read")
    rows = Surplus.visible_to(request.user)
    names = dict(Surplus.STATES)
    counts = {state: rows.filter(state=state).count() for state in names}
    asked_for = request.GET.get("state", "")
    chosen = asked_for if counts.get(asked_for) else ""
    shown = rows.filter(state=chosen) if chosen else rows
    refunds = Refund.visible_to(request.user).select_related(*PAYER[:3]).order_by("-asked_at", "-pk")
    return render(
        request,
        "receipts/surpluses.html",
        {
            "page": cut(shown.select_related(*PAYER).order_by("-created_at", "-pk"), request),
            "states": [(state, names[state], counts[state]) for state in names if counts[state]],
            "chosen": chosen,
            "count": sum(counts.values()),
            "refunds": refunds[:50],
        },
    )


def _surplus(request: AuthedRequest, surplus_id: str) -> Surplus:
    return get_object_or_404(Surplus.visible_to(request.user).select_related(*PAYER, "account"), pk=surplus_id)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def surplus_page(request: AuthedRequest, surplus_id: str) -> HttpResponseBase:
    """One surplus: where it comes from, and what can become of it."""
    require(request.user, "bank.read")
    surplus = _surplus(request, surplus_id)
    if request.method == "POST":
        require(request.user, "surplus.decide")
    can_decide = surplus.state in Surplus.OPEN and may(request.user, "surplus.decide")
    fee = host_fee(surplus.left, fee_of(surplus.pledge.budget))
    form = SurplusForm(request.POST or None, choices=_choices(surplus, fee))

    def act() -> HttpResponseBase:
        values: dict[str, Any] = {
            "actor": request.user, "surplus_id": surplus.pk, "reason": form.cleaned_data["reason"],
            "now": timezone.now(),
        }  # fmt: skip
        if form.cleaned_data["act"] == "credit":
            credit_surplus(**values)
            messages.success(request, _("The pot has this money now. Nothing left the bank."))
        else:
            keep_surplus(**values)
            messages.success(request, _("It is kept for the next instalment. No money moved."))
        return redirect("surplus_page", surplus.pk)

    context = {
        "surplus": surplus, "can_decide": can_decide, "can_refund": can_decide and may(request.user, "refund.ask"),
        "refund": Refund.visible_to(request.user).filter(surplus=surplus).first(),
        "payments": Payment.visible_to(request.user).filter(source__startswith=f"{surplus.source}:").order_by("pk"),
    }  # fmt: skip
    return form_page(request, form, act, "receipts/surplus.html", context)


def _choices(surplus: Surplus, fee: int) -> list[tuple[str, str]]:
    """What can be done with a surplus that stays, each with what it does."""
    values = {
        "net": format_money(surplus.left - fee, surplus.currency),
        "fee": format_money(fee, surplus.currency),
        "budget": surplus.pledge.budget.name,
    }
    found = [("credit", _("give it to %(budget)s: %(net)s for the pot, %(fee)s for the host’s fee") % values)]
    if surplus.state == "waiting" and may_be_kept(surplus.pledge):
        following = surplus.pledge.instalments.filter(state="due").order_by("due_on").first()
        words = _("keep it for the next instalment")
        if following is not None:
            day = date_format(following.due_on, "DATE_FORMAT")
            words = _("keep it for the next instalment, due on %(day)s") % {"day": day}
        found.append(("keep", words))
    return found


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def surplus_refund(request: AuthedRequest, surplus_id: str) -> HttpResponseBase:
    """Owe a surplus to its payer, on an account that is typed here. Nothing leaves the bank yet."""
    require(request.user, "refund.ask")
    surplus = _surplus(request, surplus_id)
    form = RefundForm(request.POST or None, initial={"name": surplus.pledge.payer_name[:70]})

    def act() -> HttpResponseBase:
        made = refund_surplus(actor=request.user, surplus_id=surplus.pk, now=timezone.now(), **form.cleaned_data)
        return _asked(request, made)

    if request.method != "POST" and surplus.state not in Surplus.OPEN:
        return redirect("surplus_page", surplus.pk)
    context = {"surplus": surplus, "pledge": surplus.pledge, "amount": surplus.left}
    return form_page(request, form, act, "receipts/refund_new.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def payment_refund(request: AuthedRequest, payment_id: str) -> HttpResponseBase:
    """Owe a payment, or a part of it, to its payer. Nothing leaves the bank yet."""
    require(request.user, "refund.ask")
    rows = Payment.visible_to(request.user).select_related(*PAYER)
    payment = get_object_or_404(rows, pk=payment_id)
    initial = {"name": payment.pledge.payer_name[:70], "amount": typed_amount(payment.left, payment.currency)}
    form = PaymentRefundForm(request.POST or None, currency=payment.currency, initial=initial)

    def act() -> HttpResponseBase:
        made = refund_payment(actor=request.user, payment_id=payment.pk, now=timezone.now(), **form.cleaned_data)
        return _asked(request, made)

    context: dict[str, Any] = {"payment": payment, "pledge": payment.pledge, "amount": payment.left}
    if payment.left:
        context["fee"], context["from_budget"], context["missing"] = split_take_back(payment, payment.left)
    return form_page(request, form, act, "receipts/refund_new.html", context)


def _asked(request: AuthedRequest, made: Refund) -> HttpResponseBase:
    words = _("%(amount)s are owed to %(name)s. Nothing left the bank: the next payout batch pays them.")
    messages.success(request, words % {"amount": format_money(made.amount, made.currency), "name": made.name})
    return redirect("refund_page", made.pk)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def refund_page(request: AuthedRequest, refund_id: str) -> HttpResponseBase:
    """One refund: what it gives back, to whom, and where it stands."""
    require(request.user, "bank.read")
    refund = get_object_or_404(
        Refund.visible_to(request.user).select_related(*PAYER, "asked_by", "surplus", "payment"), pk=refund_id
    )
    if request.method == "POST":
        return _correct(request, refund)
    return _refund_shown(request, refund, AccountForm())


def _refund_shown(request: AuthedRequest, refund: Refund, form: AccountForm) -> HttpResponse:
    payout = refund.payouts.exclude(state="cancelled").select_related("batch").first()
    can_correct = refund.state == "owed" and may(request.user, "refund.ask")
    context = {"refund": refund, "payout": payout, "can_correct": can_correct, "form": form}
    return render(request, "receipts/refund.html", context)


@fresh_factor
def _correct(request: AuthedRequest, refund: Refund) -> HttpResponseBase:
    """Type another account for a refund that no batch pays."""
    require(request.user, "refund.ask")
    form = AccountForm(request.POST)

    def act() -> HttpResponseBase:
        values = form.cleaned_data
        correct_account(
            actor=request.user, refund_id=refund.pk, name=values["name"], iban=values["iban"], now=timezone.now()
        )
        messages.success(request, _("The account is changed. No money moved."))
        return redirect("refund_page", refund.pk)

    context = {"refund": refund, "can_correct": refund.state == "owed", "payout": None, "failed": True}
    return form_page(request, form, act, "receipts/refund.html", context)


urlpatterns = [
    path("surpluses/", surpluses, name="surpluses"),
    path("surpluses/<str:surplus_id>/", surplus_page, name="surplus_page"),
    path("surpluses/<str:surplus_id>/refund/", surplus_refund, name="surplus_refund"),
    path("payments/<str:payment_id>/refund/", payment_refund, name="payment_refund"),
    path("refunds/<str:refund_id>/", refund_page, name="refund_page"),
]
