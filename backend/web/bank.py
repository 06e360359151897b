"""The pages of the bank: where the statements stand, the import of one, and the identification of a line."""

from typing import Any

from django.contrib import messages
from django.db.models import Case, F, When
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from backend.banking.models import BankLine, Statement
from backend.banking.services import identify, positions, take_back
from backend.core.errors import Conflict, Invalid
from backend.identity.permissions import may, require
from backend.identity.services import the_host
from backend.payments.models import Payment
from backend.payments.services import host_fee, split_take_back
from backend.payouts.models import PayoutBatch
from backend.pledges.models import Pledge
from backend.web.forms import add_domain_error
from backend.web.forms_work import ConfirmImportForm, StatementForm, too_large
from backend.web.pages import AuthedRequest, cut, private
from backend.web.suggestions import suggest
from backend.web.uploads import SizeLimit, Stash, confirm_import, preview_import


@private
@require_safe
def bank(request: AuthedRequest) -> HttpResponse:
    """Each account: what the bank says, what the books say, the gap; then the lines, by state."""
    require(request.user, "bank.read")
    lines = BankLine.visible_to(request.user)
    names = dict(BankLine.STATES)
    counts = {state: lines.filter(state=state).count() for state in names}
    asked_for = request.GET.get("state", "")
    chosen = asked_for if counts.get(asked_for) else ""
    shown = lines.filter(state=chosen) if chosen else lines
    return render(
        request,
        "bank/bank.html",
        {
            "positions": positions(),
            "page": cut(shown.select_related("account").order_by("-booked_on", "-id"), request),
            "states": [(state, names[state], counts[state]) for state in names if counts[state]],
            "chosen": chosen,
            "count": sum(counts.values()),
            "statements": Statement.visible_to(request.user)
            .select_related("account", "imported_by")
            .order_by("-imported_at", "-id")[:10],
            "can_import": may(request.user, "bank.import"),
        },
    )


@csrf_exempt
def bank_import(request: HttpRequest) -> HttpResponseBase:
    """Weigh the upload while it arrives; the CSRF check follows, in the view behind, once the handler is in place."""
    if request.method == "POST":
        request.upload_handlers.insert(0, SizeLimit(request))
    return _bank_import(request)


@private
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _bank_import(request: AuthedRequest) -> HttpResponseBase:
    """Upload, then a preview that writes nothing, then the confirmation."""
    require(request.user, "bank.import")
    if request.method != "POST":
        return render(request, "bank/import.html", {"form": StatementForm()})
    if "stash" in request.POST:
        return _confirm(request)
    form = StatementForm(request.POST, request.FILES)
    if getattr(request, "upload_refused", False):
        return _refused(request, too_large())
    if form.is_valid():
        try:
            data = form.cleaned_data["file"].read()
            rows = preview_import(actor=request.user, data=data)
        except Invalid as refusal:
            add_domain_error(form, refusal)
        else:
            stash = Stash.keep(request.user, data)
            confirmation = ConfirmImportForm(initial={"stash": stash})
            return render(request, "bank/preview.html", _preview(rows) | {"form": confirmation})
    return render(request, "bank/import.html", {"form": form}, status=422)


def _refused(request: AuthedRequest, sentence: str) -> HttpResponse:
    """The upload form again, with one sentence beside the file."""
    form = StatementForm(request.POST)
    form.errors["file"] = form.error_class([sentence])
    return render(request, "bank/import.html", {"form": form}, status=422)


def _preview(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "rows": rows,
        "gap": any(row["statement"].ties == "no" for row in rows),
        "added": sum(row["added"] for row in rows),
        "known": sum(row["known"] for row in rows),
    }


def _confirm(request: AuthedRequest) -> HttpResponseBase:
    form = ConfirmImportForm(request.POST)
    if not form.is_valid():
        return redirect("bank_import")
    stash, accept_gap = form.cleaned_data["stash"], form.cleaned_data["accept_gap"]
    try:
        done = confirm_import(actor=request.user, stash=stash, accept_gap=accept_gap, now=timezone.now())
    except Invalid as refusal:
        return _refused(request, str(refusal))
    except Conflict as refusal:
        data = Stash.read(request.user, stash)
        if data is None or refusal.param != "accept_gap":
            raise
        add_domain_error(form, refusal)
        rows = preview_import(actor=request.user, data=data)
        return render(request, "bank/preview.html", _preview(rows) | {"form": form}, status=refusal.status)
    added = ngettext("%(count)s new line was imported", "%(count)s new lines were imported", done["added"])
    known = ngettext("%(count)s was already known", "%(count)s were already known", done["known"])
    messages.success(
        request,
        _("%(added)s, %(known)s. New lines are matched within a few seconds: open this page again to see it.")
        % {"added": added % {"count": done["added"]}, "known": known % {"count": done["known"]}},
    )
    return redirect("bank")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_line(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """One line of a statement; when nobody knows what it is, the pledges it may pay, then what will be booked."""
    line = get_object_or_404(BankLine.visible_to(request.user).select_related("account", "statement"), pk=line_id)
    if line.amount < 0:
        return _debit(request, line)
    refusal, status = None, 200
    chosen_id = request.POST.get("pledge", "") if request.method == "POST" else request.GET.get("pledge", "")
    if request.method == "POST":
        try:
            identify(actor=request.user, line_id=line.pk, pledge_id=chosen_id, now=timezone.now())
        except Invalid as error:
            refusal, status = error, error.status
        else:
            messages.success(
                request,
                _("The line is identified and booked: the money left suspense for the pot. Nothing left the bank."),
            )
            return redirect("bank_line", line.pk)
    pledges = Pledge.visible_to(request.user).filter(currency=line.currency)
    can_identify = line.state == "suggested" and line.amount > 0 and may(request.user, "bank.match")
    chosen = pledges.filter(pk=chosen_id).select_related("organisation", "budget").first() if can_identify else None
    context: dict[str, Any] = {
        "line": line,
        "refusal": refusal,
        "can_identify": can_identify,
        "chosen": chosen,
        "payment": Payment.visible_to(request.user)
        .filter(pk=line.matched_to)
        .select_related("pledge__organisation", "pledge__budget")
        .first(),
    }
    if chosen is not None:
        fee = host_fee(line.amount, the_host().fee_bp)
        context |= {"fee": fee, "net": line.amount - fee, "over": max(0, line.amount - chosen.expected)}
    elif can_identify:
        context |= _candidates(request, line, pledges)
    return render(request, "bank/line.html", context, status=status)


def _debit(request: AuthedRequest, line: BankLine) -> HttpResponseBase:
    """A debit: the payouts it settles; or, when nobody knows what it is, the payments that the bank may take back."""
    refusal, status = None, 200
    chosen_id = request.POST.get("payment", "") if request.method == "POST" else request.GET.get("payment", "")
    if request.method == "POST":
        try:
            take_back(actor=request.user, line_id=line.pk, payment_id=chosen_id, now=timezone.now())
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            messages.success(
                request, _("The payment is taken back in the books. Nobody who was paid loses anything by it.")
            )
            return redirect("bank_line", line.pk)
    payments = Payment.visible_to(request.user).select_related("pledge__organisation", "pledge__budget__commons")
    can_identify = line.state == "suggested" and may(request.user, "bank.match")
    fitting = payments.filter(
        source__startswith=f"line:{line.account_id}:", state="succeeded", amount__gte=F("taken_back") - line.amount
    )
    chosen = fitting.filter(pk=chosen_id).first() if can_identify else None
    context: dict[str, Any] = {
        "line": line,
        "refusal": refusal,
        "can_identify": can_identify,
        "payment": payments.filter(pk=line.matched_to).first(),
        "batch": PayoutBatch.visible_to(request.user).filter(pk=line.matched_to).first(),
        "chosen": chosen,
    }
    if chosen is not None:
        context["fee"], context["from_budget"], context["missing"] = split_take_back(chosen, -line.amount)
    elif can_identify:
        same_first = Case(When(amount=-line.amount, then=0), default=1)
        context["payments"] = fitting.order_by(same_first, "-received_on", "-pk")[:10]
    return render(request, "bank/debit.html", context, status=status)


def _candidates(request: AuthedRequest, line: BankLine, pledges: Any) -> dict[str, Any]:
    """The pledges that await money, the likeliest first, or those that a search finds."""
    sought = " ".join(request.GET.get("q", "").split())[:80]
    waiting = pledges.filter(state="active").select_related("organisation", "budget__commons").order_by("-id")
    if sought:
        waiting = waiting.filter(organisation__name__icontains=sought) | waiting.filter(
            reference__icontains=sought.replace(" ", "")
        )
    return {"sought": sought, "suggestions": suggest(line, list(waiting[:500]))[: 20 if sought else 5]}


urlpatterns = [
    path("bank/", bank, name="bank"),
    path("bank/import/", bank_import, name="bank_import"),
    path("bank/lines/<int:line_id>/", bank_line, name="bank_line"),
]
