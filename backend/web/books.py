"""The pages of the books: the trial balance, the purses, the statement of one purse, and one entry with its seal."""

import shlex
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.banking.explaining import holder_names
from backend.commons.models import Budget
from backend.commons.services import subtree_balances
from backend.core.errors import NotFound
from backend.identity.models import Host, HostBankAccount
from backend.identity.permissions import require
from backend.identity.services import host_day, host_zone
from backend.ledger.chart import LABELS, NATURE, PLAN, base_kind
from backend.ledger.services import (
    TrialRow,
    WholeEntry,
    balance_known,
    balance_on,
    balances,
    entry_count,
    leaf_text,
    open_from,
    purses,
    statement,
    trial_balance,
    unsealed,
    whole_entry,
)
from backend.payees.models import Payee
from backend.payments.models import KINDS_OF_PAPER, Payment, Refund
from backend.web.forms_books import HeldForm, OnForm
from backend.web.pages import AuthedRequest, private

KINDS = {
    "bank": gettext_lazy("Bank account"),
    "clearing": gettext_lazy("Cheques and cash"),
    "in_transit": gettext_lazy("Payouts in transit"),
    "suspense": gettext_lazy("Suspense"),
    "budget": gettext_lazy("Pot"),
    "payee": gettext_lazy("Payee"),
    "reserve": gettext_lazy("Reserve"),
    "deficit": gettext_lazy("Deficit"),
    "host_fees": gettext_lazy("Host fees"),
    "provider_fees": gettext_lazy("Provider fees"),
}
# The purses money only passes through: at zero when everything is explained.
CLEARING = {
    "in_transit": gettext_lazy("Handed to the bank, not yet seen on a statement."),
    "suspense": gettext_lazy("Seen on a statement, not yet identified; and what came above what was awaited."),
    "clearing": gettext_lazy("Cheques or cash handed over, not yet on the bank account."),
}
FACTS = {
    "payment.received": gettext_lazy("Payment received"),
    "bank.unidentified": gettext_lazy("Bank line to identify"),
    "distribution.approved": gettext_lazy("Distribution approved"),
    "batch.sent": gettext_lazy("Batch handed to the bank"),
    "payout.settled": gettext_lazy("Payouts seen on the statement"),
}
LISTED = 200
# Whose pages the references of entries lead to, by the prefix of their id.
REFERENCES = {
    "plg": "pledge_page", "dis": "distribution_page", "bat": "batch_page", "trf": "transfer_page",
    "opn": "opening_page", "yen": "year_end_page", "sur": "surplus_page", "rfd": "refund_page", "dep": "deposit_page",
}  # fmt: skip


def in_french() -> bool:
    """Whether the reader reads French."""
    return (get_language() or "fr").startswith("fr")


def fact(kind: str) -> str:
    """The name of an entry's kind; a reversal says what it undoes."""
    base = base_kind(kind)
    _journal, french, english = PLAN.kinds.get(base, ("", base, base))
    name = str(FACTS.get(base) or (french if in_french() else english))
    return _("Undone: %(fact)s") % {"fact": name} if kind != base else name


def label(chart: str) -> str:
    """The name of a number of the chart, in the reader's language."""
    french, english = LABELS.get(chart, ("", ""))
    return french if in_french() else english


def owner_names(kind: str, owners: Iterable[str]) -> dict[str, str]:
    """Owner id → its name, for the purses of one kind."""
    wanted = list(owners)
    if kind == "bank":
        return dict(HostBankAccount.objects.filter(pk__in=wanted).values_list("pk", "name"))
    if kind in {"in_transit", "suspense", "clearing"}:
        names, sorts = holder_names(), dict(KINDS_OF_PAPER)
        parts = {owner: owner.partition(":") for owner in wanted}
        return {
            owner: ", ".join(filter(None, [names.get(key, key), str(sorts.get(sort, sort))]))
            for owner, (key, _colon, sort) in parts.items()
        }
    if kind == "payee":
        refunds = Refund.objects.filter(pk__in=wanted).values_list("pk", "name")
        return dict(Payee.objects.filter(pk__in=wanted).values_list("pk", "name")) | dict(refunds)
    if kind in {"budget", "reserve", "deficit"}:
        return dict(Budget.objects.filter(pk__in=wanted).values_list("pk", "name"))
    return dict(Host.objects.filter(pk__in=wanted).values_list("pk", "name"))


@private
@require_safe
def ledger(request: AuthedRequest) -> HttpResponse:
    """The trial balance, of a day or of all; the purses that money passes through, and all the others."""
    require(request.user, "ledger.read")
    form = OnForm(request.GET or None)
    day = form.cleaned_data["on"] if form.is_valid() else None
    wrong = form.is_bound and not form.is_valid()
    clearing = [purse | {"meaning": meaning} for kind, meaning in CLEARING.items() for purse in _purses(kind)]
    groups = [(str(KINDS[kind]), _purses(kind)) for kind in NATURE if kind not in CLEARING]
    return render(
        request,
        "books/ledger.html",
        {
            "form": form,
            "on": day,
            "tables": [] if wrong else tables(trial_balance(up_to=day)),
            "wrong": wrong,
            "csv": urlencode({"format": "balance", **({"last": day.isoformat()} if day else {})}),
            "unsealed": unsealed(last=day),
            "clearing": clearing,
            "waiting": any(purse["amount"] for purse in clearing),
            "groups": [(name, found[:LISTED], len(found)) for name, found in groups if found],
            "entries": entry_count(),
            "open_from": open_from(),
            "today": host_day(timezone.now()),
        },
        status=422 if wrong else 200,
    )


def tables(rows: list[TrialRow]) -> list[dict[str, Any]]:
    """One trial balance a currency, with its sums and whether they tie."""
    tables = []
    for currency in sorted({row.currency for row in rows}):
        mine = [row for row in rows if row.currency == currency]
        debit, credit = sum(row.debit for row in mine), sum(row.credit for row in mine)
        tables.append(
            {
                "currency": currency,
                "rows": [{"row": row, "label": label(row.chart)} for row in mine],
                "debit": debit,
                "credit": credit,
                "ties": debit == credit,
            }
        )
    return tables


def _purses(kind: str) -> list[dict[str, Any]]:
    """The purses of a kind with their balance on the normal side, minor units; the fullest first."""
    found = balances(kind=kind)
    names = owner_names(kind, {owner for owner, _currency in found})
    rows = [
        {
            "kind": str(KINDS[kind]),
            "name": names.get(owner, owner),
            "amount": amount,
            "currency": currency,
            "url": reverse("purse", args=[kind, owner]),
        }
        for (owner, currency), amount in found.items()
    ]
    return sorted(rows, key=lambda row: (row["amount"] == 0, row["name"], row["currency"]))


@private
@require_safe
def purse(request: AuthedRequest, kind: str, owner: str) -> HttpResponse:
    """The postings of one purse by day, newest first, with the balance after each; what it held on a day."""
    require(request.user, "ledger.read")
    if kind not in NATURE:
        raise Http404
    found = list(purses(kind=kind, owner=owner).order_by("currency"))
    if not found:
        raise Http404
    side = NATURE[kind][0]
    # Without a day there is no question: the address of a page of the statement leaves the form alone.
    form = HeldForm(request.GET if "on" in request.GET else None)
    older, currency = request.GET.get("older", ""), request.GET.get("currency", "")
    shown = [row for row in found if row.currency == currency] or found
    sections: list[dict[str, Any]] = []
    lost = False
    for row in shown:
        try:
            section = _section(kind, owner, row.currency, older)
        except ValueError:
            lost = True
            section = _section(kind, owner, row.currency, "")
        section |= {"amount": row.balance * side, "held": row.held, "free": row.balance * side - row.held}
        if form.is_valid():
            section["then"] = _then(kind, owner, row.currency, form)
        sections.append(section)
    wrong = form.is_bound and not form.is_valid()
    return render(
        request,
        "books/purse.html",
        {
            "kind": KINDS[kind],
            "name": owner_names(kind, [owner]).get(owner, owner),
            "meaning": CLEARING.get(kind, ""),
            "debit_side": side > 0,
            "sections": sections,
            "form": form,
            "lost": lost,
            "older": older and not lost,
            "tree": _tree(owner) if kind == "budget" else None,
        },
        status=422 if wrong or lost else 200,
    )


def _section(kind: str, owner: str, currency: str, older: str) -> dict[str, Any]:
    """A page of the statement of a purse in one currency; raises ValueError when `older` is nowhere."""
    side = NATURE[kind][0]
    page = statement(kind=kind, owner=owner, currency=currency, older=older)
    rows = [
        {
            "row": row,
            "fact": fact(row.kind),
            "label": label(row.chart),
            "in": abs(row.amount) if row.amount * side > 0 else None,
            "out": abs(row.amount) if row.amount * side < 0 else None,
            "balance": row.balance * side,
        }
        for row in page.rows
    ]
    following = urlencode({"currency": currency, "older": page.older}) if page.older else ""
    return {"currency": currency, "rows": rows, "older": following}


def _then(kind: str, owner: str, currency: str, form: HeldForm) -> dict[str, Any]:
    """What the purse held on the day asked for: by what happened until then, and by what was booked at that moment."""
    day, at = form.moment()
    moment = datetime.combine(day, at, host_zone())
    happened = balance_on(kind=kind, owner=owner, currency=currency, day=day)
    known = balance_known(kind=kind, owner=owner, currency=currency, at=moment)
    return {"day": day, "moment": moment, "happened": happened, "known": known}


def _tree(budget_id: str) -> dict[str, Any] | None:
    """What a budget and each one below it hold, with their sum; None for a budget that has none below it."""
    budget = Budget.objects.filter(pk=budget_id).first()
    parts = subtree_balances(budget) if budget else []
    if budget is None or len(parts) < 2:
        return None
    total = sum(amount for _budget, amount in parts)
    return {"parts": parts, "total": total, "currency": budget.currency}


@private
@require_safe
def entry_page(request: AuthedRequest, entry_id: str) -> HttpResponse:
    """One entry: its lines, what it is about, what it undoes, its seal, and how anyone checks it."""
    require(request.user, "ledger.read")
    try:
        found = whole_entry(entry_id)
    except NotFound as missing:
        raise Http404 from missing
    text = leaf_text(found.id) or ""
    place = found.place
    return render(
        request,
        "books/entry.html",
        {
            "entry": found,
            "fact": fact(found.kind),
            "about": page_of(found.reference),
            "lines": _lines(found),
            "totals": _totals(found),
            "locked": _locked(found.happened_on),
            "place": place,
            "journal": _journal(place.journal) if place else "",
            "leaf_text": text,
            "command": f"printf '\\0%s' {shlex.quote(text)} | sha256sum",
        },
    )


def _lines(found: WholeEntry) -> list[dict[str, Any]]:
    """The lines of an entry with the names of their purses."""
    names = {kind: owner_names(kind, [line.owner for line in found.lines if line.kind == kind])
             for kind in {line.kind for line in found.lines}}  # fmt: skip
    return [
        {
            "purse": KINDS[line.kind],
            "name": names[line.kind].get(line.owner, line.owner),
            "url": reverse("purse", args=[line.kind, line.owner]),
            "chart": line.chart,
            "label": label(line.chart),
            "currency": line.currency,
            "debit": line.amount if line.amount > 0 else None,
            "credit": -line.amount if line.amount < 0 else None,
        }
        for line in found.lines
    ]


def _totals(found: WholeEntry) -> list[tuple[str, int, int]]:
    """(currency, debits, credits) of an entry, minor units."""
    return [
        (
            currency,
            sum(max(line.amount, 0) for line in found.lines if line.currency == currency),
            sum(max(-line.amount, 0) for line in found.lines if line.currency == currency),
        )
        for currency in sorted({line.currency for line in found.lines})
    ]


def _locked(day: date) -> bool:
    """Whether the accounting month of a day is locked."""
    first = open_from()
    return first is not None and day < first


def _journal(code: str) -> str:
    """The name of a journal, in the reader's language."""
    french, english = PLAN.journals.get(code, (code, code))
    return french if in_french() else english


def page_of(reference: str) -> str:
    """The address of the page about what an entry refers to; empty when there is none."""
    if reference.startswith("pay_"):
        reference = Payment.objects.filter(pk=reference).values_list("pledge_id", flat=True).first() or ""
    name = REFERENCES.get(reference.partition("_")[0], "")
    return reverse(name, args=[reference]) if name else ""


urlpatterns = [
    path("ledger/", ledger, name="ledger"),
    path("ledger/<str:kind>/<str:owner>/", purse, name="purse"),
    path("books/entries/<str:entry_id>/", entry_page, name="entry_page"),
]
