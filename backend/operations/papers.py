"""Papers about money that came: the certificate of a payment, the yearly statement of an organisation.

They read pledges and payments, which papers themselves know nothing of.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date, datetime

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.core.errors import Conflict, NotFound
from backend.documents.models import Document
from backend.documents.services import Item, Paid, Party, issue, party_of
from backend.identity.models import Organisation, User
from backend.identity.permissions import MEMBERS, counting, holds, require
from backend.identity.services import host_day
from backend.payments.models import Payment
from backend.pledges.models import Instalment, Pledge

MEANS = {"bank_transfer": "transfer", "cheque": "cheque", "cash": "cash"}


def papers_for(actor: User) -> "QuerySet[Document]":
    """The papers a person may read: theirs, their organisations', those of gifts they claimed, all for the treasury."""
    found = Document.visible_to(actor)
    if holds(actor, "treasurer", "auditor"):
        return found
    claimed = Pledge.objects.filter(donor__claimed_by=actor).values("group")
    return Document.objects.filter(Q(pk__in=found.values("pk")) | Q(subject__in=claimed))


def certify(*, actor: User, payment_id: str, now: datetime) -> Document:
    """Issue the certificate of a payment: what was received, when, how; the same again gives back the first.

    After a part of the payment was taken back, another certificate says what is left.
    Raises: NotFound `payment_not_found`; Forbidden; Conflict `nothing_received`.
    """
    payment = certifiable(actor=actor, payment_id=payment_id)
    pledge = payment.pledge
    own = _own(actor, pledge)
    if not payment.left:
        raise Conflict("nothing_received", _("This payment was taken back or refunded in full: nothing was received."))
    payer = pledge.organisation or pledge.person
    before = Document.objects.filter(kind="certificate", subject=payment.pk, replaced_by=None)
    before = before.exclude(key=f"certificate:{payment.pk}:{payment.left}")
    return issue(
        kind="certificate", key=f"certificate:{payment.pk}:{payment.left}", subject=payment.pk,
        party=party_of(payer) if payer is not None else Party(pledge.payer_name),
        items=[Item(pledge.budget.full_name, payment.left)], currency=payment.currency, language=actor.language,
        organisation=pledge.organisation, person=pledge.person or (actor if own else None),
        reference=pledge.reference, payment=Paid(payment.received_on, MEANS[payment.method], payment.left),
        replaces=before.order_by("issued_at", "pk").last(), actor=actor, now=now,
    )  # fmt: skip


def no_longer_true(rows: Iterable[Document]) -> dict[str, int]:
    """Which of these certificates say more than was kept of their payment: id → what is left of it, minor units."""
    certificates = {row.pk: row for row in rows if row.kind == "certificate"}
    payments = Payment.objects.in_bulk({row.subject for row in certificates.values()})
    return {
        key: payments[row.subject].left
        for key, row in certificates.items()
        if row.subject in payments and payments[row.subject].left != row.total
    }


def certifiable(*, actor: User, payment_id: str) -> Payment:
    """A payment of which a person may ask for the certificate; raises NotFound `payment_not_found`; Forbidden."""
    rows = Payment.visible_to(actor).select_related(
        "pledge__budget__commons", "pledge__organisation", "pledge__person", "pledge__donor"
    )
    payment = rows.filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("payment_not_found", _("There is no such payment."))
    if not _own(actor, payment.pledge):
        require(actor, "document.certify", scopes=[payment.pledge.payer_id])
    return payment


def _own(actor: User, pledge: Pledge) -> bool:
    """Whether somebody pledged in their own name, or claimed the gift."""
    return actor.pk in (pledge.person_id, pledge.donor.claimed_by_id if pledge.donor else None)


def years_of(organisation: Organisation, today: date) -> list[int]:
    """The years that are over in which an organisation had something due or paid something, the latest first."""
    due = Instalment.objects.filter(pledge__organisation=organisation).exclude(state="cancelled")
    paid = Payment.objects.filter(pledge__organisation=organisation)
    years = {*due.values_list("due_on__year", flat=True), *paid.values_list("received_on__year", flat=True)}
    return sorted((year for year in years if year < today.year), reverse=True)


def state_year(*, actor: User, organisation_id: str, year: int, now: datetime) -> list[Document]:
    """Issue the yearly statement of an organisation, one for each currency: promised and received, by budget.

    The same figures again give back the first paper; figures that changed since (a payment taken back) give another.
    Args: year: of the calendar, over. Raises: NotFound `organisation_not_found`; Forbidden; Conflict `year_not_over`,
        `nothing_in_year`.
    """
    organisation = Organisation.visible_to(actor).filter(pk=organisation_id).first()
    if organisation is None:
        raise NotFound("organisation_not_found", _("There is no such organisation."))
    require(actor, "document.certify", scopes=[organisation.pk])
    if year >= host_day(now).year:
        raise Conflict("year_not_over", _("This year is not over: its statement is made from January on."))
    figures = _figures(organisation, year)
    if not figures:
        raise Conflict("nothing_in_year", _("Nothing was due or received in this year."))
    return [
        issue(
            kind="yearly",
            key=f"yearly:{organisation.pk}:{year}:{currency}:{_digest(items)}",
            subject=organisation.pk,
            party=party_of(organisation),
            items=items,
            currency=currency,
            language=actor.language,
            organisation=organisation,
            period=(date(year, 1, 1), date(year, 12, 31)),
            actor=actor,
            now=now,
        )
        for currency, items in figures.items()
    ]


def _figures(organisation: Organisation, year: int) -> dict[str, list[Item]]:
    """Currency → for each budget what was promised for the year and what was received in it, cents of both."""
    due = Instalment.objects.filter(pledge__organisation=organisation, due_on__year=year).exclude(state="cancelled")
    promised = {
        (row["currency"], row["pledge__budget"]): int(row["sum"])
        for row in due.values("currency", "pledge__budget").annotate(sum=Sum("amount"))
    }
    paid = Payment.objects.filter(pledge__organisation=organisation, received_on__year=year)
    received = {
        (row["currency"], row["pledge__budget"]): int(row["sum"] - row["back"])
        for row in paid.values("currency", "pledge__budget").annotate(sum=Sum("amount"), back=Sum("taken_back"))
    }
    budgets = Budget.objects.select_related("commons").in_bulk({budget for _money, budget in {*promised, *received}})
    found: dict[str, list[Item]] = {}
    for key in sorted({*promised, *received}, key=lambda one: (one[0], budgets[one[1]].full_name, one[1])):
        item = Item(budgets[key[1]].full_name, received.get(key, 0), promised.get(key, 0))
        found.setdefault(key[0], []).append(item)
    return found


def _digest(items: list[Item]) -> str:
    """What tells these figures from others (16 hexadecimal figures)."""
    told = json.dumps([[item.text, item.amount, item.pledged] for item in items])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def organisations_of(actor: User) -> "QuerySet[Organisation]":
    """Those for which a person may ask for papers."""
    if holds(actor, "treasurer"):
        return Organisation.objects.filter(merged_into=None)
    return Organisation.objects.filter(pk__in=counting(actor).filter(kind__in=MEMBERS).values("scope"))
