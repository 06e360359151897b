"""The page on which somebody gives back all or part of their share."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from backend.core.errors import Conflict, Invalid
from backend.core.money import format_money, parse_amount
from backend.distributions.models import Share
from backend.distributions.services import goes_back, waive_share, waiving_hindrance
from backend.web.forms import add_domain_error
from backend.web.forms_work import KeyedForm
from backend.web.pages import AuthedRequest, fresh_factor, private


class WaiveShareForm(KeyedForm):
    """How much of a booked share its owner gives back."""

    how_much = forms.ChoiceField(
        label=_("What you give back"), widget=forms.RadioSelect,
        choices=[("all", _("All of it")), ("part", _("A part of it"))],
        error_messages={"required": _("Choose one of the two.")},
    )  # fmt: skip
    amount = forms.CharField(
        label=_("Amount given back"), required=False, max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("Only for a part: less than what is due."),
    )  # fmt: skip

    def __init__(self, *args: Any, share: Share, **kwargs: Any) -> None:
        """Keep the share."""
        super().__init__(*args, **kwargs)
        self.share = share

    def clean(self) -> dict[str, Any]:
        """Read the amount into `back`, minor units."""
        cleaned: dict[str, Any] = self.cleaned_data
        due, currency = self.share.due, self.share.distribution.currency
        cleaned["back"] = due
        if cleaned.get("how_much") == "part":
            try:
                cleaned["back"] = parse_amount(cleaned.get("amount", "").strip(), currency, minimum=1)
            except Invalid as refusal:
                self.add_error("amount", forms.ValidationError(refusal.message, code=refusal.code))
            else:
                if cleaned["back"] > due:
                    told = {"due": format_money(due, currency)}
                    self.add_error("amount", _("%(due)s is due to you: give back at most that.") % told)
        return cleaned


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def share_waive(request: AuthedRequest, share_id: str) -> HttpResponseBase:
    """Give back all or part of one's share, once a page has said how much goes where and that it is final."""
    mine = Share.visible_to(request.user).filter(contributor=request.user)
    share = get_object_or_404(mine.select_related("distribution__period__budget__commons"), pk=share_id)
    final = request.POST.get("act") == "final"
    if not final and (hindered := waiving_hindrance(share)):
        raise hindered
    form = WaiveShareForm(request.POST or None, share=share)
    status, amount = 200, 0
    if request.method == "POST":
        status = 422
        if form.is_valid() and not final:
            status, amount = 200, form.cleaned_data["back"]
        elif form.is_valid():
            try:
                waive_share(
                    actor=request.user, share_id=share.pk, amount=form.cleaned_data["back"],
                    form_key=form.cleaned_data["form_key"], now=timezone.now(),
                )  # fmt: skip
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("It is given back: the money is in the pot again. Nothing left the bank."))
                return redirect("share_page", share.pk)
    context = {
        "share": share,
        "form": form,
        "back": goes_back(share, amount) if amount else [],
        "credited": share.papers.filter(kind="drafted", state="accepted").first(),
        "amount": amount,
        "rest": share.due - amount,
        "currency": share.distribution.currency,
    }
    return render(request, "work/give_back.html", context, status=status)


urlpatterns = [path("shares/<str:share_id>/waive/", share_waive, name="share_waive")]
