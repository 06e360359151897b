"""The papers of instalments: one call for funds, or one invoice, for all that one act promises for one day."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import translation
from django.utils.translation import gettext as _

from backend.commons.models import Budget
from backend.core.errors import Conflict
from backend.documents.models import Document
from backend.documents.services import Item, Party, credit, issue, party_of
from backend.pledges.models import Instalment, Pledge

ONE_DAY = timedelta(days=1)


def paper_for(rows: Sequence[Instalment], *, now: datetime) -> Document:
    """Issue the paper that asks for some instalments of one group and day; the same again gives back the first.

    An invoice that cannot be issued any more, because an address was taken away since, becomes a call for funds: money
    is asked for in any case, and the page says which paper it was.
    Args: rows: with their pledges, budgets and payers, in the order of the paper.
    """
    pledge, first = rows[0].pledge, rows[0]
    language = language_of(pledge)
    payer = pledge.organisation or pledge.person
    with translation.override(language):
        items = [
            Item(_("Support of “%(budget)s”") % {"budget": row.pledge.budget.full_name}, row.amount) for row in rows
        ]
    total = sum(item.amount for item in items)
    wanted = "invoice" if any(row.pledge.paper == "invoice" for row in rows) and payer is not None else "call"
    orders = dict.fromkeys(row.pledge.purchase_order for row in rows if row.pledge.purchase_order)

    def issued(kind: str) -> Document:
        return issue(
            kind=kind, key=_free_key(f"{kind}:{pledge.group}:{first.due_on.isoformat()}", total), subject=pledge.group,
            party=party_of(payer) if payer is not None else Party(pledge.payer_name), items=items,
            currency=pledge.currency, language=language, organisation=pledge.organisation, person=pledge.person,
            reference=pledge.reference, due_on=first.pay_by or first.due_on,
            period=(first.due_on, first.covers_until - ONE_DAY) if first.covers_until is not None else None,
            purchase_order=", ".join(orders), actor=None, now=now,
        )  # fmt: skip

    try:
        return issued(wanted)
    except Conflict:
        if wanted == "call":
            raise
        return issued("call")


def _free_key(key: str, total: int) -> str:
    """The key of the paper of a day: that of the last one, or the next when that was credited or asked another sum."""
    number, found = 1, key
    while first := Document.objects.filter(key=found).first():
        if first.total == total and not first.corrections.exists():
            break
        number, found = number + 1, f"{key}:{number + 1}"
    return found


def credit_cancelled(parts: Sequence[tuple[Instalment, int]], *, now: datetime) -> None:
    """Issue the credit notes of what invoices asked for and is awaited no more; what came and stays is not credited.

    Args: parts: instalments as they are now, with the minor units that were given up of each by this act.
    """
    asked: dict[str, list[tuple[Instalment, int]]] = {}
    for row, amount in sorted(parts, key=lambda part: part[0].pk):
        if row.document and amount:
            asked.setdefault(row.document, []).append((row, amount))
    for invoice in Document.objects.filter(pk__in=asked, kind="invoice").order_by("pk"):
        together = asked[invoice.pk]
        budgets = Budget.objects.select_related("commons").in_bulk([row.pledge.budget_id for row, _cut in together])
        with translation.override(invoice.language):
            items = [
                Item(_("Support of “%(budget)s”") % {"budget": budgets[row.pledge.budget_id].full_name}, amount)
                for row, amount in together
            ]
            reason = _("What it asked for is awaited no more.")
        key = f"{together[0][0].pk}:{together[0][0].received}"
        credit(invoice, items=items, key=key, reason=reason, actor=None, now=now)


def language_of(pledge: Pledge) -> str:
    """In which language who promised reads: "fr" or "en"."""
    reader = pledge.person or pledge.donor or pledge.made_by
    return "en" if reader is not None and reader.language == "en" else "fr"
