"""The pages of organisations: create one, pledge for it, follow each pledge and what it paid for."""

from decimal import Decimal
from typing import Any

import segno.helpers
from django.contrib import messages
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Commons
from backend.commons.services import OPEN_TO_PLEDGES, tree_of
from backend.core.errors import Conflict, Invalid
from backend.core.money import parse_amount, to_decimal
from backend.identity.models import HostBankAccount, Organisation
from backend.identity.organisations import address_of
from backend.identity.permissions import may, require
from backend.identity.recordings import recordings_of
from backend.identity.services import create_organisation, the_host
from backend.payments.models import Payment
from backend.payments.services import host_fee
from backend.pledges.limits import limits_left
from backend.pledges.models import Pledge
from backend.pledges.services import cancel_pledge, make_pledge
from backend.web import story
from backend.web.acting import acting_for, organisations_of
from backend.web.forms import OrganisationForm, PledgeForm, add_domain_error, new_form_key
from backend.web.pages import AuthedRequest, private

EPC_LARGEST = 999_999_999_99
LISTED = 100
FEW = 3  # commons that get a button each


@private
@require_safe
def organisations(request: AuthedRequest) -> HttpResponse:
    """The organisations whose pages the reader may open."""
    rows = Organisation.visible_to(request.user).filter(merged_into=None).order_by("name")[:LISTED]
    context = {"organisations": rows, "may_merge": may(request.user, "organisation.merge")}
    return render(request, "organisations/list.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_new(request: AuthedRequest) -> HttpResponse:
    """Create an organisation, then go on to the pledge that was being made, if any."""
    commons = Commons.listed().filter(slug=request.GET.get("commons", "")[:60].replace("\0", "")).first()
    form = OrganisationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"].strip()
        # A double click must not make two: the person's own organisation of this name is the one just made.
        twin = next((row for row in organisations_of(request.user) if row.name == name), None)
        try:
            organisation = twin or create_organisation(manager=request.user, now=timezone.now(), **form.cleaned_data)
        except Invalid as error:
            add_domain_error(form, error)
        else:
            if commons is not None:
                return redirect("pledge_new", slug=commons.slug)
            return redirect("organisation_page", organisation_id=organisation.pk)
    status = 422 if form.errors else 200
    return render(request, "organisations/new.html", {"form": form, "commons": commons}, status=status)


@private
@require_safe
def organisation_page(request: AuthedRequest, organisation_id: str) -> HttpResponse:
    """An organisation: its pledges, what was received of them, and the work that the pots it funds have paid."""
    merged = Organisation.objects.filter(
        pk=organisation_id, merged_into__in=Organisation.visible_to(request.user)
    ).first()
    if merged is not None:
        return redirect("organisation_page", organisation_id=merged.merged_into_id)
    organisation = get_object_or_404(Organisation.visible_to(request.user), pk=organisation_id)
    pledges = Pledge.visible_to(request.user).filter(organisation=organisation)
    funded = list(pledges.filter(received__gt=0).values_list("budget", flat=True).distinct())
    context: dict[str, Any] = {
        "organisation": organisation,
        "pledges": list(pledges.select_related("budget__commons").order_by("-created_at", "-pk")[:LISTED]),
        "count": pledges.count(),
        "sums": pledges.exclude(state="cancelled")
        .values("currency")
        .annotate(pledged=Sum("amount"), received=Sum("received"))
        .order_by("currency"),
        "paid_work": story.paid_work(funded),
        "commons": Commons.listed().order_by("name")[: FEW + 1],
        "few": FEW,
        "may_pledge": may(request.user, "pledge.make", scopes=[organisation.pk]),
        "may_edit": may(request.user, "organisation.edit", scopes=[organisation.pk]),
        "address": address_of(organisation),
        "limits": limits_left(request.user, organisation, now=timezone.now()),
    }
    recorded = recordings_of(pledge.pk for pledge in context["pledges"])
    for pledge in context["pledges"]:
        pledge.recording = recorded.get(pledge.pk)
    return render(request, "organisations/organisation.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_new(request: AuthedRequest, slug: str) -> HttpResponse:
    """Promise an amount to a commons in the name of an organisation. Moves no money."""
    commons = get_object_or_404(Commons.listed(), slug=slug)
    taking = commons.budgets.filter(state__in=OPEN_TO_PLEDGES).order_by("name")
    budgets = sorted(taking, key=lambda budget: budget.parent_id is not None)
    mine = organisations_of(request.user)
    acted = acting_for(request, mine)
    records = any(may(request.user, "pledge.record", scopes=tree_of(budget)) for budget in budgets)
    context: dict[str, Any] = {"commons": commons, "organisations": mine, "form": None, "records": records}
    if not budgets or not mine:
        return render(
            request, "organisations/pledge_new.html", context, status=409 if request.method == "POST" else 200
        )
    start = {
        "form_key": new_form_key(),
        "organisation": request.GET.get("organisation", acted.pk if acted else ""),
        "preset": "100",
        "budget": budgets[0].pk,
    }
    form = PledgeForm(
        request.POST if request.method == "POST" else None, initial=start, organisations=mine, budgets=budgets
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            values = form.cleaned_data
            try:
                pledge = make_pledge(
                    actor=request.user,
                    budget=next(row for row in budgets if row.pk == (values["budget"] or budgets[0].pk)),
                    organisation=next(row for row in mine if row.pk == values["organisation"]),
                    amount=values["minor"],
                    currency=form.currency,
                    form_key=values["form_key"],
                    now=timezone.now(),
                )
            except (Invalid, Conflict) as error:
                add_domain_error(form, error)
                status = error.status
            else:
                return redirect("pledge_page", pledge_id=pledge.pk)
    context |= {"form": form, **_hundred(form.currency)}
    return render(request, "organisations/pledge_new.html", context, status=status)


def _hundred(currency: str) -> dict[str, Any]:
    """What becomes of a hundred units at the host's present fee, in minor units; the fee's rate in per cent."""
    host = the_host()
    hundred = parse_amount("100", currency)
    fee = host_fee(hundred, host.fee_bp)
    return {
        "currency": currency,
        "hundred": hundred,
        "fee": fee,
        "to_the_pot": hundred - fee,
        "fee_rate": Decimal(f"{(Decimal(host.fee_bp) / 100).normalize():f}"),
    }


@private
@require_safe
def pledge_page(request: AuthedRequest, pledge_id: str) -> HttpResponse:
    """A pledge: how to pay it, what was received, what comes next."""
    rows = Pledge.visible_to(request.user).select_related("budget__commons", "organisation", "made_by")
    pledge = get_object_or_404(rows, pk=pledge_id)
    payments = Payment.visible_to(request.user).filter(pledge=pledge).order_by("received_on", "pk")
    account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()
    context = {
        "pledge": pledge,
        "recording": recordings_of([pledge.pk]).get(pledge.pk),
        "payments": [{"row": row, "to_the_pot": row.amount - row.fee} for row in payments],
        "account": account,
        "qr": transfer_qr(pledge, account) if account else "",
        "cancellable": pledge.state == "active"
        and not pledge.received
        and may(request.user, "pledge.make", scopes=[pledge.organisation_id]),
    }
    return render(request, "organisations/pledge.html", context)


def transfer_qr(pledge: Pledge, account: HostBankAccount) -> SafeString:
    """The EPC QR code (EPC069-12) of the transfer still awaited, as inline SVG; empty when the format cannot say it."""
    if pledge.currency != "EUR" or not 0 < pledge.expected <= EPC_LARGEST:
        return SafeString("")
    code = segno.helpers.make_epc_qr(
        name=account.host.name[:70],
        iban=account.iban,
        bic=account.bic or None,
        amount=to_decimal(pledge.expected, pledge.currency),
        reference=pledge.reference,
        encoding="utf-8",
    )
    # Only segno's own drawing: nothing typed by anyone is in it.
    return SafeString(code.svg_inline(omitsize=True, border=2, dark="#000", light="#fff"))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_cancel(request: AuthedRequest, pledge_id: str) -> HttpResponse:
    """Ask for a confirmation, then cancel a pledge of which nothing was received. Moves no money."""
    pledge = get_object_or_404(Pledge.visible_to(request.user).select_related("budget__commons"), pk=pledge_id)
    require(request.user, "pledge.make", scopes=[pledge.organisation_id])
    if request.method == "POST":
        cancel_pledge(actor=request.user, pledge_id=pledge.pk, now=timezone.now())
        messages.success(request, _("The pledge is cancelled. Nothing was taken and nothing is awaited."))
        return redirect("pledge_page", pledge_id=pledge.pk)
    if pledge.state != "active" or pledge.received:
        return redirect("pledge_page", pledge_id=pledge.pk)
    return render(request, "organisations/pledge_cancel.html", {"pledge": pledge})


urlpatterns = [
    path("organisations/", organisations, name="organisations"),
    path("organisations/new/", organisation_new, name="organisation_new"),
    path("organisations/<slug:organisation_id>/", organisation_page, name="organisation_page"),
    path("commons/<slug:slug>/pledge/", pledge_new, name="pledge_new"),
    path("pledges/<slug:pledge_id>/", pledge_page, name="pledge_page"),
    path("pledges/<slug:pledge_id>/cancel/", pledge_cancel, name="pledge_cancel"),
]
