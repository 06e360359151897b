"""The pages of the books: the trial balance, the purses money waits in, and the statement of one purse."""

from collections.abc import Iterable
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.commons.models import Budget
from backend.identity.models import Host, HostBankAccount
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger.chart import LABELS, NATURE
from backend.ledger.services import balances, entry_count, statement, trial_balance
from backend.payees.models import Payee
from backend.web.pages import AuthedRequest, private

KINDS = {
    "bank": gettext_lazy("Bank account"),
    "clearing": gettext_lazy("Payment provider"),
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
    "suspense": gettext_lazy("Seen on a statement, not yet identified."),
    "clearing": gettext_lazy("Collected by a payment provider, not yet on the bank account."),
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
REFERENCES = {"plg": "pledge_page", "dis": "distribution_page", "bat": "batch_page"}


def fact(kind: str) -> str:
    """The name of an entry's kind; a reversal says what it undoes."""
    base = kind.removesuffix(".reversed")
    name = str(FACTS.get(base, base))
    return _("Undone: %(fact)s") % {"fact": name} if kind != base else name


def label(chart: str) -> str:
    """The name of a number of the chart, in the reader's language."""
    french, english = LABELS.get(chart, ("", ""))
    return french if (get_language() or "fr").startswith("fr") else english


def owner_names(kind: str, owners: Iterable[str]) -> dict[str, str]:
    """Owner id → its name, for the purses of one kind."""
    wanted = list(owners)
    if kind in {"bank", "in_transit", "suspense"}:
        return dict(HostBankAccount.objects.filter(pk__in=wanted).values_list("pk", "name"))
    if kind == "payee":
        return dict(Payee.objects.filter(pk__in=wanted).values_list("pk", "name"))
    if kind in {"budget", "reserve", "deficit"}:
        return dict(Budget.objects.filter(pk__in=wanted).values_list("pk", "name"))
    return dict(Host.objects.filter(pk__in=wanted).values_list("pk", "name"))


@private
@require_safe
def ledger(request: AuthedRequest) -> HttpResponse:
    """The trial balance, the purses that money passes through, and all the others."""
    require(request.user, "ledger.read")
    rows = trial_balance()
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
    clearing = [purse | {"meaning": meaning} for kind, meaning in CLEARING.items() for purse in _purses(kind)]
    groups = [(str(KINDS[kind]), _purses(kind)) for kind in NATURE if kind not in CLEARING]
    return render(
        request,
        "books/ledger.html",
        {
            "tables": tables,
            "clearing": clearing,
            "waiting": any(purse["amount"] for purse in clearing),
            "groups": [(name, found[:LISTED], len(found)) for name, found in groups if found],
            "entries": entry_count(),
            "today": host_day(timezone.now()),
        },
    )


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
    """The latest postings of one purse, newest first, with its balance."""
    require(request.user, "ledger.read")
    if kind not in NATURE:
        raise Http404
    mine = {currency: amount for (whose, currency), amount in balances(kind=kind).items() if whose == owner}
    if not mine:
        raise Http404
    side = NATURE[kind][0]
    sections = [
        {
            "currency": currency,
            "amount": amount,
            "rows": [
                {
                    "row": row,
                    "fact": fact(row.kind),
                    "label": label(row.chart),
                    "in": abs(row.amount) if row.amount * side > 0 else None,
                    "out": abs(row.amount) if row.amount * side < 0 else None,
                    "url": _page_of(row.reference),
                }
                for row in statement(kind=kind, owner=owner, currency=currency, limit=LISTED)
            ],
        }
        for currency, amount in sorted(mine.items())
    ]
    return render(
        request,
        "books/purse.html",
        {
            "kind": KINDS[kind],
            "name": owner_names(kind, [owner]).get(owner, owner),
            "meaning": CLEARING.get(kind, ""),
            "debit_side": side > 0,
            "sections": sections,
            "limit": LISTED,
        },
    )


def _page_of(reference: str) -> str:
    """The address of the page about what an entry refers to; empty when there is none."""
    name = REFERENCES.get(reference.partition("_")[0], "")
    return reverse(name, args=[reference]) if name else ""


urlpatterns = [
    path("ledger/", ledger, name="ledger"),
    path("ledger/<str:kind>/<str:owner>/", purse, name="purse"),
]
