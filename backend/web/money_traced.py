"""Pages that follow money: what the payments of a pledge paid so far, and what of them is left; and its files."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_safe

from backend.commons.models import Budget, Commons
from backend.contributions.models import Contribution
from backend.core.money import decimal_text
from backend.distributions.models import Share
from backend.exports.tables import csv_row, safe_text
from backend.exports.tracing import Traced, budgets_of, follow
from backend.identity.permissions import may, require
from backend.payments.models import Payment
from backend.pledges.models import Pledge
from backend.web.pages import AuthedRequest, cut, private
from backend.web.story import shown_work

HEAD = (
    pgettext_lazy("column", "payment"), pgettext_lazy("column", "received_on"), pgettext_lazy("column", "paid"),
    pgettext_lazy("column", "brought"), pgettext_lazy("column", "what"), pgettext_lazy("column", "id"),
    pgettext_lazy("column", "budget"), pgettext_lazy("column", "work"), pgettext_lazy("column", "by"),
    pgettext_lazy("column", "on"), pgettext_lazy("column", "amount"), pgettext_lazy("column", "currency"),
)  # fmt: skip


@dataclass(frozen=True)
class Use:
    """What money of payments paid: a contribution, or a share as such. `on`: when it was shared out."""

    key: str
    what: str
    by: str
    budget: str
    on: date
    amount: int


@dataclass
class Followed:
    """One payment: what it brought to its budget net of fees, what it paid, what is left where, what went back."""

    payment: Payment
    brought: int
    uses: list[Use] = field(default_factory=list)
    left: list[tuple[str, int]] = field(default_factory=list)
    passed: list[tuple[str, int]] = field(default_factory=list)  # what of it waits in pots of another commons
    gone: int = 0

    @property
    def spent(self) -> int:
        """What it paid so far, minor units."""
        return sum(use.amount for use in self.uses)

    @property
    def kept(self) -> int:
        """What is left of it, wherever it is, minor units."""
        return sum(amount for _where, amount in self.left + self.passed)


def followed(payments: Sequence[Payment]) -> list[Followed]:
    """What each of these payments did, in their order; all of one currency."""
    if not payments:
        return []
    budgets = {one.pledge.budget_id for one in payments}
    traced = follow(budgets, payments[0].currency, only={one.pk for one in payments})
    return _told(payments, traced)


def _told(payments: Sequence[Payment], traced: Traced) -> list[Followed]:
    spent: dict[str, dict[tuple[str, str, date], int]] = defaultdict(lambda: defaultdict(int))
    for row in traced.spent:
        spent[row.source][row.target, row.budget, row.on] += row.amount
    targets = {target for rows in spent.values() for target, _budget, _on in rows}
    words = _words(targets)
    budgets = {one.pk: one for one in Budget.objects.select_related("commons")}
    names = {pk: one.full_name for pk, one in budgets.items()}
    found = []
    for payment in payments:
        uses = [
            Use(target, *words.get(target, ("", "")), names[budget], on, amount)
            for (target, budget, on), amount in spent[payment.pk].items()
            if amount
        ]
        uses.sort(key=lambda use: (use.on, -use.amount, use.key))
        told = Followed(payment, traced.brought.get(payment.pk, 0), uses, gone=traced.gone.get(payment.pk, 0))
        at_home = payment.pledge.budget.commons_id
        for (kind, owner), amount in sorted(traced.left_of(payment.pk).items()):
            where = _("reserve of %(budget)s") % {"budget": names[owner]} if kind == "reserve" else names[owner]
            (told.left if budgets[owner].commons_id == at_home else told.passed).append((where, amount))
        found.append(told)
    return found


def _words(targets: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Contribution or share → what it is and by whom, as everybody may read them."""
    rows = Contribution.objects.filter(pk__in=[one for one in targets if one.startswith("ctr_")])
    found = {one.contribution.pk: (one.what, one.by) for one in shown_work(rows.select_related("contributor"))}
    shares = Share.objects.filter(pk__in=[one for one in targets if one.startswith("shr_")])
    for share in shares.select_related("contributor"):
        found[share.pk] = (_("a part by the rule of the charter, for no work in particular"),
                           share.contributor.shown_publicly)  # fmt: skip
    return found


def _payments(pledge: Pledge) -> "Any":
    payers = ("pledge__organisation", "pledge__person", "pledge__donor", "pledge__budget__commons")
    return Payment.objects.filter(pledge=pledge).select_related(*payers).order_by("received_on", "pk")


@private
@require_safe
def pledge_money(request: AuthedRequest, pledge_id: str) -> HttpResponse:
    """What the payments of a pledge paid so far, contribution by contribution, and what of them is left."""
    pledge = get_object_or_404(Pledge.visible_to(request.user).select_related("budget__commons"), pk=pledge_id)
    page = cut(_payments(pledge), request)
    rows = followed(list(page))
    return render(
        request,
        "pledges/money.html",
        {
            "pledge": pledge,
            "page": page,
            "rows": rows,
            "brought": sum(row.brought for row in rows),
            "spent": sum(row.spent for row in rows),
            "left": sum(row.kept for row in rows),
            "gone": sum(row.gone for row in rows),
            "reads_all": may(request.user, "support.read", scopes=budgets_of(pledge.budget.commons_id)),
        },
    )


@private
@require_safe
def pledge_money_file(request: AuthedRequest, pledge_id: str) -> HttpResponse:
    """The same as a file of values, for all payments of the pledge."""
    pledge = get_object_or_404(Pledge.visible_to(request.user), pk=pledge_id)
    return _file(followed(list(_payments(pledge))), _("money") + f"-{pledge.reference}.csv")


@private
@require_safe
def commons_money_file(request: AuthedRequest, slug: str) -> HttpResponse:
    """Every payment of a commons and what it paid: for its stewards and those who read the books; both sums tie."""
    commons = get_object_or_404(Commons, slug=slug)
    budgets = budgets_of(commons.pk)
    require(request.user, "support.read", scopes=budgets)
    payments = Payment.objects.filter(pledge__budget__in=budgets).select_related("pledge__budget")
    return _file(followed(list(payments.order_by("received_on", "pk"))), _("money") + f"-{commons.slug}.csv")


def _file(rows: Iterable[Followed], name: str) -> HttpResponse:
    nothing = ("", "", "", "")
    lines = [csv_row(tuple(str(one) for one in HEAD))]
    for row in rows:
        paid = row.payment
        currency = paid.currency
        head = (
            paid.pk, paid.received_on.isoformat(), decimal_text(paid.amount, currency),
            decimal_text(row.brought, currency),
        )  # fmt: skip
        told: list[tuple[tuple[str, ...], int]] = []
        if paid.amount != row.brought:
            told.append(((pgettext("kind of row", "fee"), "", *nothing), paid.amount - row.brought))
        for use in row.uses:
            facts = (safe_text(use.budget), safe_text(use.what), safe_text(use.by), use.on.isoformat())
            told.append(((pgettext("kind of row", "shared"), use.key, *facts), use.amount))
        for kind, places in ((pgettext("kind of row", "left"), row.left),
                             (pgettext("kind of row", "passed_on"), row.passed)):  # fmt: skip
            told += [((kind, "", safe_text(where), *nothing[1:]), amount) for where, amount in places]
        if row.gone:
            told.append(((pgettext("kind of row", "given_back"), "", *nothing), row.gone))
        lines += [csv_row((*head, *facts, decimal_text(amount, currency), currency)) for facts, amount in told]
    return HttpResponse(
        "\ufeff" + "".join(lines), content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name) or ""},
    )  # fmt: skip


urlpatterns = [
    path("pledges/<slug:pledge_id>/money/", pledge_money, name="pledge_money"),
    path("pledges/<slug:pledge_id>/money.csv", pledge_money_file, name="pledge_money_file"),
    path("commons/<slug:slug>/money.csv", commons_money_file, name="commons_money_file"),
]
