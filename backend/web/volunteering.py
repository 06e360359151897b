"""Volunteering: one's own and its certificate, the figures of a year for accounts 864 and 875, the value of an hour."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.contributions.volunteering import (
    Given,
    days_of,
    figures,
    own_years,
    rates_of,
    require_year,
    set_rate,
    year_of,
)
from backend.core.errors import Invalid
from backend.core.money import CURRENCIES, decimal_text, parse_amount
from backend.distributions.given_back import certify_volunteering, given_back, years_given
from backend.exports.tables import csv_row, safe_text
from backend.identity.permissions import holds, may, require
from backend.identity.services import host_day
from backend.web.acts import form_page
from backend.web.pages import AuthedRequest, budgets_with, private

# The chart of accounts (ANC 2018-06): what volunteers did, and what was given; outside the result, always equal.
DEBIT, CREDIT = "864", "875"


class CertificateForm(forms.Form):
    """Of which year, in which language."""

    year = forms.TypedChoiceField(label=gettext_lazy("Year"), coerce=int)
    language = forms.ChoiceField(
        label=gettext_lazy("Language of the paper"), choices=settings.LANGUAGES, widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, years: Sequence[int], **kwargs: Any) -> None:
        """The years in which the reader gave time."""
        super().__init__(*args, **kwargs)
        self.fields["year"].choices = [(year, str(year)) for year in years]  # type: ignore[attr-defined]


class RateForm(forms.Form):
    """What an hour is valued at, and where the figure comes from."""

    currency = forms.ChoiceField(label=gettext_lazy("Currency"), choices=[(code, code) for code in CURRENCIES])
    amount = forms.CharField(
        label=gettext_lazy("Value of an hour"), max_length=30, widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=gettext_lazy("It holds for this year and the following ones, until another is set for a later one."),
        error_messages={"required": gettext_lazy("Give the value of an hour.")},
    )  # fmt: skip
    reason = forms.CharField(
        label=gettext_lazy("Where this figure comes from"), max_length=200,
        help_text=gettext_lazy("For instance: the minimum wage, with charges. The notes to the accounts say it."),
        error_messages={"required": gettext_lazy("Say in 1 to 200 characters where this figure comes from.")},
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Read the amount in its currency."""
        found = super().clean() or {}
        if "amount" in found and "currency" in found:
            try:
                found["amount"] = parse_amount(found["amount"], found["currency"])
            except Invalid as refusal:
                self.add_error("amount", str(refusal))
        return found


@private
@require_http_methods(["GET", "HEAD", "POST"])
def volunteering(request: AuthedRequest) -> HttpResponseBase:
    """The time that the reader gave and what they gave back of shares, year by year, and the certificate of both."""
    now = timezone.now()
    today = host_day(now)
    years = years_given(request.user, today=today)
    initial = {"year": years[0] if years else None, "language": (get_language() or "fr")[:2]}
    form = CertificateForm(request.POST or None, initial=initial, years=years)

    def act() -> HttpResponseBase:
        made = certify_volunteering(actor=request.user, now=now, **form.cleaned_data)
        messages.success(request, _("The certificate is here. No money moved."))
        return redirect("document_page", made[0].pk)

    mine = [budget.pk for budget in budgets_with(request.user, "steward")]
    context = {
        "years": own_years(request.user, today=today),
        "back": [(year, one) for year in years for one in given_back(request.user, year=year)],
        "this_year": year_of(host_day(now)) if may(request.user, "volunteering.read", scopes=mine) else None,
    }
    return form_page(request, form, act, "volunteering/mine.html", context)


@private
@require_safe
def volunteering_year(request: AuthedRequest, year: int) -> HttpResponse:
    """The time given to each commons in a fiscal year of the host, and both sides of the memorandum."""
    rows = figures(actor=request.user, year=year)
    first, last = days_of(year)
    context = {
        "year": year,
        "first": first,
        "last": last,
        "before": year - 1,
        "after": year + 1 if year < year_of(host_day(timezone.now())) else None,
        "rows": rows,
        "sides": _sides(rows),
        "rates": rates_of(year).values(),
        "may_set": may(request.user, "volunteering.set_rate"),
        "all": holds(request.user, "treasurer", "auditor"),
    }
    return render(request, "volunteering/year.html", context)


@private
@require_safe
def volunteering_file(request: AuthedRequest, year: int) -> HttpResponse:
    """The same as a file of values: two lines a commons, one on each side; a spreadsheet runs nothing of it."""
    rows = figures(actor=request.user, year=year)
    head = ("account", "account_label", "commons", "people", "hours", "rate", "currency", "debit", "credit")
    lines = [csv_row(head)]
    for one in rows:
        hours, rate = f"{one.minutes / 60:.2f}", "" if one.rate is None else decimal_text(one.rate, one.currency)
        amount = "" if one.amount is None else decimal_text(one.amount, one.currency)
        facts = (safe_text(one.name), str(len(one.people)), hours, rate, one.currency)
        lines.append(csv_row((DEBIT, safe_text(_label(DEBIT)), *facts, amount, "")))
        lines.append(csv_row((CREDIT, safe_text(_label(CREDIT)), *facts, "", amount)))
    name = _("volunteering") + f"-{year}.csv"
    return HttpResponse(
        "\ufeff" + "".join(lines), content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name) or ""},
    )  # fmt: skip


@private
@require_http_methods(["GET", "HEAD", "POST"])
def volunteering_rate(request: AuthedRequest, year: int) -> HttpResponseBase:
    """Set what an hour is valued at from a year on. Moves no money."""
    require(request.user, "volunteering.set_rate")
    require_year(year)
    form = RateForm(request.POST or None, initial={"currency": "EUR"})

    def act() -> HttpResponseBase:
        set_rate(actor=request.user, year=year, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("The value of an hour is set. No money moved: it is in no account."))
        return redirect("volunteering_year", year)

    return form_page(request, form, act, "volunteering/rate.html", {"year": year, "rates": rates_of(year).values()})


def _label(account: str) -> str:
    return _("Volunteers’ work") if account == DEBIT else _("Volunteering given")


def _sides(rows: Sequence[Given]) -> list[dict[str, Any]]:
    """For each currency that has a rate, the two lines of the memorandum: the same amount on both sides."""
    totals: dict[str, int] = {}
    for one in rows:
        if one.amount is not None:
            totals[one.currency] = totals.get(one.currency, 0) + one.amount
    return [
        {"currency": currency, "amount": amount, "debit": (DEBIT, _label(DEBIT)), "credit": (CREDIT, _label(CREDIT))}
        for currency, amount in sorted(totals.items())
    ]


urlpatterns = [
    path("volunteering/", volunteering, name="volunteering"),
    path("volunteering/<int:year>/", volunteering_year, name="volunteering_year"),
    path("volunteering/<int:year>.csv", volunteering_file, name="volunteering_file"),
    path("volunteering/<int:year>/rate/", volunteering_rate, name="volunteering_rate"),
]
