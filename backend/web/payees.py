"""The pages of one's payees: the list, details, accounts, the one by default, the one of a share; and the way to say
that a changed account is not one's own."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Forbidden
from backend.distributions.models import Share
from backend.distributions.payees import choose_payee, close_payee
from backend.payees.blocking import block_payee, payee_to_block
from backend.payees.details import add_payee, choose_default, details_of, edit_payee
from backend.payees.models import Payee
from backend.payees.services import hindrance, set_account
from backend.web.acts import form_page
from backend.web.forms_payees import PayeeForm, SharePayeeForm, typed_of
from backend.web.forms_work import AccountForm
from backend.web.pages import AuthedRequest, fresh_factor, private


def _mine(request: AuthedRequest, payee_id: str) -> Payee:
    return get_object_or_404(Payee.visible_to(request.user).filter(user=request.user, closed_at=None), pk=payee_id)


@private
@require_safe
def payees(request: AuthedRequest) -> HttpResponse:
    """Who is paid for one's work, each with its account and what keeps it from being paid."""
    now = timezone.now()
    mine = Payee.visible_to(request.user).filter(user=request.user).order_by("-is_default", "pk")
    rows = [(one, hindrance(one, now)) for one in mine if one.closed_at is None]
    return render(
        request, "payees/list.html", {"rows": rows, "closed": [one for one in mine if one.closed_at is not None]}
    )


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def payee_new(request: AuthedRequest) -> HttpResponseBase:
    """Add a payee. Moves no money."""
    form = PayeeForm(request.POST or None, initial={"vat_status": "unknown", "country": "FR"})

    def act() -> HttpResponseBase:
        payee = add_payee(actor=request.user, details=form.details, now=timezone.now())
        messages.success(request, _("The payee is added. Give the account on which it is paid. No money moved."))
        return redirect("payee_account_of", payee.pk)

    return form_page(request, form, act, "payees/edit.html", {"payee": None})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def payee_edit(request: AuthedRequest, payee_id: str) -> HttpResponseBase:
    """Write what papers say of a payee. Moves no money."""
    payee = _mine(request, payee_id)
    form = PayeeForm(request.POST or None, initial=typed_of(details_of(payee)))

    def act() -> HttpResponseBase:
        edit_payee(actor=request.user, payee_id=payee.pk, details=form.details, now=timezone.now())
        messages.success(request, _("The details of the payee are kept. No money moved."))
        return redirect("payees")

    return form_page(request, form, act, "payees/edit.html", {"payee": payee})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def payee_account(request: AuthedRequest, payee_id: str = "") -> HttpResponseBase:
    """Set the account on which a payee is paid, with a fresh factor before the form is shown."""
    payee = (
        _mine(request, payee_id)
        if payee_id
        else Payee.visible_to(request.user).filter(user=request.user, is_default=True).first()
    )
    now = timezone.now()
    form = AccountForm(request.POST or None, initial={"name": payee.name if payee else request.user.name})

    def act() -> HttpResponseBase:
        said = set_account(actor=request.user, now=now, payee_id=payee.pk if payee else "", **form.cleaned_data)
        messages.success(
            request,
            _("You will be paid on the account %(account)s. No money moved.") % {"account": said.iban_hint},
        )
        return redirect("payees")

    reason = hindrance(payee, now) if payee else None
    return form_page(request, form, act, "work/account.html", {"payee": payee, "reason": reason})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def payee_default(request: AuthedRequest, payee_id: str) -> HttpResponseBase:
    """Choose the payee of what is shared from now on, once confirmed. Moves no money."""
    payee = _mine(request, payee_id)
    if request.method == "POST":
        choose_default(actor=request.user, payee_id=payee.pk, now=timezone.now())
        messages.success(
            request, _("What is shared from now on is owed to %(name)s. No money moved.") % {"name": payee.on_papers}
        )
        return redirect("payees")
    return render(request, "payees/default.html", {"payee": payee})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def payee_close(request: AuthedRequest, payee_id: str) -> HttpResponseBase:
    """Close a payee that is owed nothing, once confirmed. Moves no money."""
    payee = _mine(request, payee_id)
    if request.method == "POST":
        close_payee(actor=request.user, payee_id=payee.pk, now=timezone.now())
        messages.success(request, _("%(name)s is closed. No money moved.") % {"name": payee.on_papers})
        return redirect("payees")
    return render(request, "payees/close.html", {"payee": payee})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def share_payee(request: AuthedRequest, share_id: str) -> HttpResponseBase:
    """Choose which of one's payees is owed a share. The books move what is due; no money leaves."""
    share = get_object_or_404(
        Share.visible_to(request.user).select_related("payee", "distribution__period__budget"), pk=share_id
    )
    if share.contributor_id != request.user.pk:
        raise Forbidden("share_of_another", _("Only the person who is owed a share chooses the payee of it."))
    form = SharePayeeForm(request.POST or None, actor=request.user, initial={"payee": share.payee_id})

    def act() -> HttpResponseBase:
        choose_payee(actor=request.user, share_id=share.pk, payee_id=form.cleaned_data["payee"], now=timezone.now())
        messages.success(request, _("The share is owed to the payee you chose. No money left."))
        return redirect("share_page", share.pk)

    credited = share.papers.filter(kind="drafted", state="accepted").first()
    return form_page(request, form, act, "payees/share.html", {"share": share, "credited": credited})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def payee_block(request: HttpRequest, token: str) -> HttpResponse:
    """“This was not me”: stop all payments to a payee, from the link of a mail. Moves no money."""
    now = timezone.now()
    payee = payee_to_block(token, now=now)
    if request.method == "POST":
        payee = block_payee(token=token, now=now)
    return render(request, "payees/block.html", {"payee": payee})


urlpatterns = [
    path("payees/", payees, name="payees"),
    path("payees/new/", payee_new, name="payee_new"),
    path("payees/block/<str:token>/", payee_block, name="payee_block"),
    path("payees/<str:payee_id>/", payee_edit, name="payee_edit"),
    path("payees/<str:payee_id>/account/", payee_account, name="payee_account_of"),
    path("payees/<str:payee_id>/default/", payee_default, name="payee_default"),
    path("payees/<str:payee_id>/close/", payee_close, name="payee_close"),
    path("work/account/", payee_account, name="payee_account"),
    path("shares/<str:share_id>/payee/", share_payee, name="share_payee"),
]
