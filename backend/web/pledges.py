"""Making a pledge: what is promised on one page, on the next the dates and one button that says the whole act."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.commons.models import Budget, Commons
from backend.commons.services import OPEN_TO_PLEDGES, tree_of
from backend.core.errors import Conflict, Invalid
from backend.core.money import format_money, parse_amount
from backend.identity.models import Organisation, User
from backend.identity.permissions import may
from backend.identity.services import host_day
from backend.payments.fees import fee_of, fee_on, host_fee
from backend.pledges.calendar import MONTHS, due_day
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, make_pledges
from backend.web.acting import acting_for, organisations_of
from backend.web.forms import PRESETS, add_domain_error, new_form_key, whole_units
from backend.web.forms_pledges import LATER, MOST_ROWS, ROWS, SHOWN, PledgeForm, SplitForm
from backend.web.pages import AuthedRequest, private

DATES = 4  # instalments whose days are told before promising


@private
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_new(request: AuthedRequest, slug: str) -> HttpResponse:
    """Promise an amount to a commons. Moves no money."""
    commons = get_object_or_404(Commons.listed(), slug=slug)
    budgets = _open(commons)
    context = _context(request, commons, budgets)
    if not budgets:
        return render(request, "pledges/new.html", context, status=409 if request.method == "POST" else 200)
    asked = request.GET.get("budget", "")
    budget = next((row for row in budgets if row.pk == asked), budgets[0])
    form = PledgeForm(
        _sent(request), budget=budget, organisations=context["organisations"],
        fixed=context["fixed"], initial=_start(request, context),
    )  # fmt: skip
    context |= {"form": form, "budget": budget, "presets": _presets(budget.currency), **_hundred(budget)}
    return _promise(request, form, context, "pledges/new.html")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def pledge_split(request: AuthedRequest, slug: str) -> HttpResponse:
    """Promise amounts to several budgets in one act, paid by one transfer. Moves no money."""
    commons = get_object_or_404(Commons.listed(), slug=slug)
    here = _open(commons)
    context = _context(request, commons, here)
    if not here:
        return render(request, "pledges/new.html", context, status=409 if request.method == "POST" else 200)
    others = Budget.objects.filter(
        commons__in=Commons.listed(), commons__state="open", state__in=OPEN_TO_PLEDGES, currency=here[0].currency
    ).exclude(commons=commons)
    others = others.select_related("commons").order_by("commons__name", "parent_id", "name")
    wanted = request.GET.get("rows", "")
    rows = min(MOST_ROWS, max(ROWS, int(wanted))) if wanted.isascii() and wanted.isdigit() else ROWS
    form = SplitForm(
        _sent(request), budgets=[*here, *others], rows=rows,
        organisations=context["organisations"], fixed=context["fixed"], initial=_start(request, context),
    )  # fmt: skip
    context |= {"form": form, "more": rows + ROWS if rows < MOST_ROWS else 0, "split": True}
    return _promise(request, form, context, "pledges/split.html")


def _sent(request: AuthedRequest) -> QueryDict | None:
    """What was sent, with the usual paper chosen for the second page; None for a blank form."""
    if request.method != "POST":
        return None
    sent = request.POST.copy()
    sent.setdefault("paper", "call")
    return sent


def _open(commons: Commons) -> list[Budget]:
    """The budgets of a commons that take pledges, the common pot first."""
    taking = commons.budgets.filter(state__in=OPEN_TO_PLEDGES).select_related("commons").order_by("name")
    return sorted(taking, key=lambda budget: budget.parent_id is not None) if commons.state == "open" else []


def _context(request: AuthedRequest, commons: Commons, budgets: Sequence[Budget]) -> dict[str, Any]:
    """In whose name one may promise; `fixed`: for the organisation one acts for, or for oneself when there is none."""
    mine = organisations_of(request.user)
    acted = acting_for(request, mine)
    asked = request.GET.get("organisation", "")
    chosen = next((row for row in mine if row.pk == asked), acted)
    return {
        "commons": commons, "budgets": budgets, "organisations": mine, "form": None, "chosen": chosen,
        "fixed": not mine or chosen is not None,
        "records": any(may(request.user, "pledge.record", scopes=tree_of(budget)) for budget in budgets),
    }  # fmt: skip


def _start(request: AuthedRequest, context: dict[str, Any]) -> dict[str, Any]:
    amount = request.GET.get("amount", "")
    rhythm = request.GET.get("rhythm", "")
    return {
        "form_key": new_form_key(), "organisation": context["chosen"].pk if context["chosen"] else "",
        "amount": amount if amount.isascii() and amount.isdigit() and len(amount) < 10 else "100",
        "rhythm": rhythm if rhythm in MONTHS else "once", "visibility": "visible", "paper": "call",
    }  # fmt: skip


def _promise(
    request: AuthedRequest, form: PledgeForm | SplitForm, context: dict[str, Any], template: str
) -> HttpResponse:
    """The first page, the second one, then the act; what is refused is shown on the page where it is corrected."""
    if request.method != "POST":
        return render(request, template, context)
    status, second = 422, request.POST.get("confirmed") == "1"
    if form.is_valid():
        status = 200
        try:
            if second:
                return redirect("pledge_page", pledge_id=_make(request.user, form, form.terms())[0].pk)
            with transaction.atomic():  # what would be refused is said before the act is asked for
                _make(request.user, form, form.terms(rehearsed=True))
                transaction.set_rollback(True)
            second = True
        except (Invalid, Conflict) as error:
            asks_later = error.param in LATER or error.code.startswith("invoice_")
            if error.code.startswith("invoice_"):
                form.add_error("paper", str(error))
            else:
                add_domain_error(form, error)
            status, second = error.status, second and asks_later
    if not second or form.wrong_on_first:
        return render(request, template, context, status=status)
    return render(request, "pledges/confirm.html", context | _told(request.user, form), status=status)


def _make(reader: User, form: PledgeForm | SplitForm, terms: Terms) -> list[Pledge]:
    payer = form.payer(reader, organisations_of(reader))
    who: dict[str, Any] = {"organisation": payer} if isinstance(payer, Organisation) else {"person": payer}
    return make_pledges(
        actor=reader, parts=form.parts, currency=form.parts[0][0].currency, terms=terms,
        form_key=form.cleaned_data["form_key"], now=timezone.now(), **who,
    )  # fmt: skip


def _told(reader: User, form: PledgeForm | SplitForm) -> dict[str, Any]:
    """What the second page says of the act: the days, the whole sentence of its button."""
    payer = form.payer(reader, organisations_of(reader))
    typed, currency = form.cleaned_data, form.parts[0][0].currency
    total, today = sum(amount for _budget, amount in form.parts), host_day(timezone.now())
    what = per_period(total, currency, typed["rhythm"])
    if isinstance(payer, Organisation):
        act = _("Pledge %(what)s on behalf of %(name)s") % {"what": what, "name": payer.name}
    else:
        act = _("Pledge %(what)s in your own name") % {"what": what}
    return {
        "act": act, "parts": form.parts, "total": total, "currency": currency, "payer": payer, "what": what,
        "dates": coming_days(typed["starts_on"] or today, typed["rhythm"], typed["ends_on"]), "typed": typed,
        "at_once": (typed["starts_on"] or today) <= today,
        "pseudonymous": typed["visibility"] == "pseudonymous", "recurring": typed["rhythm"] != "once",
        "shown": dict(SHOWN)[typed["visibility"]], "fee": fee_on(form.parts),
    }  # fmt: skip


def coming_days(first: date, rhythm: str, ends_on: date | None) -> list[date]:
    """The first days on which a pledge made now falls due."""
    numbers = range(1, DATES + 1) if MONTHS[rhythm] else [1]
    days = [due_day(first, rhythm, number) for number in numbers]
    return [day for day in days if ends_on is None or day <= ends_on]


def per_period(amount: int, currency: str, rhythm: str) -> str:
    """An amount with how often it comes: “€500 a year”. Args: amount: minor units."""
    texts = {
        "once": "%(amount)s",
        "monthly": _("%(amount)s a month"),
        "quarterly": _("%(amount)s every three months"),
        "yearly": _("%(amount)s a year"),
    }
    return texts[rhythm] % {"amount": format_money(amount, currency)}


def _presets(currency: str) -> list[tuple[int, str]]:
    """Whole amounts offered by a link: the units, and how they are written."""
    return [(whole, whole_units(whole, currency)) for whole in (*PRESETS, 500)]


def _hundred(budget: Budget) -> dict[str, Any]:
    """What becomes of a hundred units at the budget's present fee, in minor units; the fee's rate in per cent."""
    rate = fee_of(budget)
    hundred = parse_amount("100", budget.currency)
    fee = host_fee(hundred, rate)
    return {
        "currency": budget.currency,
        "hundred": hundred,
        "fee": fee,
        "to_the_pot": hundred - fee,
        "fee_rate": Decimal(f"{(Decimal(rate) / 100).normalize():f}"),
    }


urlpatterns = [
    path("commons/<slug:slug>/pledge/", pledge_new, name="pledge_new"),
    path("commons/<slug:slug>/pledge/split/", pledge_split, name="pledge_split"),
]
