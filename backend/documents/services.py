"""Issues numbered papers, each once, without a gap in its series; corrects an invoice by a credit note."""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import MAX_AMOUNT, format_money, require_currency
from backend.documents.body import Facts, Item, Paid, Party, body_for, require_issuable
from backend.documents.models import PREFIXES, Document, DocumentSeries
from backend.documents.rendering import pdf_of
from backend.events.services import record
from backend.identity.models import Organisation, User
from backend.identity.organisations import address_of
from backend.identity.permissions import require
from backend.identity.roles import required_reason
from backend.identity.services import host_day, the_host

__all__ = [
    "Item", "Paid", "Party", "body_of", "correct", "credit", "file_of", "forget", "issue", "note_download", "party_of",
    "require_invoices",
]  # fmt: skip


def party_of(payer: Organisation | User) -> Party:
    """An organisation or a person as papers name them; a person has no address here."""
    if isinstance(payer, User):
        return Party(payer.name)
    address = address_of(payer)
    place = " ".join(part for part in (address.postal_code, address.city) if part)
    lines = [*address.lines.splitlines(), place, address.country if address.country not in ("", "FR") else ""]
    return Party(
        payer.name, tuple(line for line in lines if line), siren=payer.siren, vat_number=payer.vat_number,
        trade="public" if payer.kind == "public" else "business",
    )  # fmt: skip


def require_invoices(party: Party) -> None:
    """Refuse, before anything is promised, an invoice that could not be issued; a call for funds always can.

    Raises: Conflict `invoice_host_incomplete`, `invoice_party_incomplete`.
    """
    require_issuable(the_host(), party)


def issue(
    *,
    kind: str,
    key: str,
    subject: str,
    party: Party,
    items: Sequence[Item],
    currency: str,
    language: str,
    organisation: Organisation | None = None,
    person: User | None = None,
    reference: str = "",
    due_on: date | None = None,
    period: tuple[date, date] | None = None,
    purchase_order: str = "",
    corrects: Document | None = None,
    replaces: Document | None = None,
    payment: Paid | None = None,
    rate: int | None = None,
    reason: str = "",
    actor: User | None,
    now: datetime,
) -> Document:
    """Issue a paper: its number is the next of its kind and year, and it never changes. Moves no money.

    The caller checked the right to it; it is written in the caller's transaction, the number with it. The series is
    held until that ends: issue late.
    Args: kind: a key of PREFIXES. key: made from the fact; a repetition gives back the first paper. subject: id of what
        it is about. items: one at least, amounts in minor units. language: "fr" or "en". organisation, person: whose
        papers it is among; none for a donor. reference: of the transfer awaited. period: first and last day.
        corrects: the invoice, for a credit note. replaces: the certificate before, for another one. payment: the
        money that came, for a certificate. rate: of an hour, for a certificate of time. actor: None for the house.
    Raises: Invalid `unknown_currency`; for an invoice Conflict `invoice_host_incomplete`, `invoice_party_incomplete`.
    """
    require_currency(currency)
    if kind not in PREFIXES or not items or any(not 0 <= item.amount <= MAX_AMOUNT for item in items):
        raise ValueError(f"{key}: not a paper: {kind}, {len(items)} lines")
    first = Document.objects.filter(key=key).first()
    if first is not None:
        return first
    host = the_host()
    if kind == "invoice":
        require_issuable(host, party)
    facts = Facts(
        kind=kind, party=party, items=items, currency=currency, language="en" if language == "en" else "fr",
        reference=reference, due_on=due_on, period=period, purchase_order=purchase_order, payment=payment,
        rate=rate, reason=reason, corrects=(corrects.label, corrects.issued_on) if corrects else None,
        replaces=(replaces.label, replaces.issued_on) if replaces else None,
        in_part=corrects is not None and sum(item.amount for item in items) < corrects.total,
        vat_status=body_of(corrects)["vat_status"] if corrects else "",
    )  # fmt: skip
    with transaction.atomic():
        today = host_day(now)
        series = _held_series(kind, today.year)
        first = Document.objects.filter(key=key).first()  # a twin waited for the series here
        if first is not None:
            return first
        # Chronological too: a clock set back gives the day of the paper before.
        before = Document.objects.filter(kind=kind, year=series.year, number=series.last).first()
        issued_on = max(today, before.issued_on) if before else today
        number = series.last + 1
        label = f"{PREFIXES[kind]}-{series.year}-{number:04d}"
        account = host.bank_accounts.filter(currency=currency).order_by("pk").first()
        body = body_for(facts, label=label, issued_on=issued_on, host=host, account=account)
        file = pdf_of(body, issued_at=now)
        identity = new_id("doc")
        document = Document.objects.create(
            id=identity, kind=kind, year=series.year, number=number, label=label, key=key, organisation=organisation,
            person=person, subject=subject, language=facts.language, currency=currency, total=facts.total,
            due_on=due_on, issued_on=issued_on, issued_by=actor, issued_at=now, corrects=corrects,
            replaces=replaces,
            body_sealed=crypto.seal_for(identity, json.dumps(body, ensure_ascii=False), bound_to=identity),
            pdf_sealed=crypto.seal_for(identity, base64.b64encode(file).decode(), bound_to=identity),
            sha256=hashlib.sha256(file).hexdigest(),
        )  # fmt: skip
        DocumentSeries.objects.filter(pk=series.pk).update(last=number)
        owner = document.organisation_id or document.person_id or ""
        record(
            "document.issued", actor=actor, subject=identity, now=now, scopes=[one for one in (owner, subject) if one],
            on_behalf=str(document.organisation_id or ""), paper=kind, label=label, total=facts.total,
            currency=currency,
        )  # fmt: skip
    return document


def _held_series(kind: str, year: int) -> DocumentSeries:
    """The series of a kind and year, made the first time, held until the transaction ends."""
    DocumentSeries.objects.bulk_create([DocumentSeries(kind=kind, year=year)], ignore_conflicts=True)
    return DocumentSeries.objects.select_for_update().get(kind=kind, year=year)


def correct(
    *, actor: User, document_id: str, reason: str, now: datetime, amount: int | None = None, form_key: str = ""
) -> Document:
    """Issue the credit note of an invoice, of all that stands of it or of a part. Moves no money.

    Args: reason: printed on the credit note. amount: minor units; None: all that stands. form_key: a repetition gives
        back the first; so does an invoice of which nothing stands any more.
    Raises: Forbidden; NotFound `document_not_found`; Conflict `not_an_invoice`, `document_forgotten`; Invalid
        `reason_missing`, `credit_out_of_range`.
    """
    require(actor, "document.correct")
    why = required_reason(reason)
    with transaction.atomic():
        invoice = Document.objects.select_related("organisation", "person").filter(pk=document_id).first()
        if invoice is None:
            raise NotFound("document_not_found", _("There is no such paper."))
        if invoice.kind != "invoice":
            raise Conflict("not_an_invoice", _("Only an invoice is cancelled by a credit note."))
        _held_series("credit_note", host_day(now).year)  # two treasurers do not both see the same rest
        first = Document.objects.filter(corrects=invoice, key=_credit_key(invoice, form_key)).first()
        if first is not None and form_key:
            return first
        left = invoice.uncredited
        if not left:
            return invoice.corrections.order_by("issued_at", "pk")[0]
        wanted = left if amount is None else amount
        if not 0 < wanted <= left:
            raise Invalid(
                "credit_out_of_range",
                _("Between nothing and %(left)s can be credited: that is what stands of this invoice.")
                % {"left": format_money(left, invoice.currency)},
                param="amount",
            )
        told = body_of(invoice)
        items = [Item(**item) for item in told["items"]]
        if wanted < invoice.total:
            items = [Item(items[0].text if len(items) == 1 else invoice.label, wanted)]
        key = form_key or str(invoice.credited)
        made = credit(invoice, items=items, key=key, reason=why, actor=actor, now=now)
        assert made is not None, f"something of {invoice.pk} stands"
        return made


def _credit_key(invoice: Document, key: str) -> str:
    return f"credit:{invoice.pk}:{key}"[:160]


def credit(
    invoice: Document, *, items: Sequence[Item], key: str, reason: str, actor: User | None, now: datetime
) -> Document | None:
    """Issue a credit note of an invoice, of what still stands of it at most; None when nothing does.

    The caller checked the right to it. The series of credit notes is held from here on.
    Args: items: amounts in minor units. key: of the fact, within the invoice; a repetition gives back the first.
    """
    with transaction.atomic():
        _held_series("credit_note", host_day(now).year)
        first = Document.objects.filter(key=_credit_key(invoice, key)).first()
        if first is not None:
            return first
        left, kept = invoice.uncredited, []
        for item in items:
            part = min(item.amount, left)
            left -= part
            if part:
                kept.append(Item(item.text, part))
        if not kept:
            return None
        told = body_of(invoice)
        return issue(
            kind="credit_note", key=_credit_key(invoice, key), subject=invoice.subject, party=Party(**told["payer"]),
            items=kept, currency=invoice.currency, language=invoice.language, organisation=invoice.organisation,
            person=invoice.person, corrects=invoice, purchase_order=told["purchase_order"], reason=reason, actor=actor,
            now=now,
        )  # fmt: skip


def body_of(document: Document) -> dict[str, Any]:
    """All that a paper says, as it was printed; raises Conflict `document_forgotten`."""
    return dict(json.loads(_opened(document, document.body_sealed)))


def file_of(document: Document) -> bytes:
    """The PDF of a paper, the same bytes for ever; raises Conflict `document_forgotten`."""
    file = base64.b64decode(_opened(document, document.pdf_sealed))
    if hashlib.sha256(file).hexdigest() != document.sha256:
        raise ValueError(f"{document.pk} is not the file that was issued")
    return file


def _opened(document: Document, sealed: str) -> str:
    try:
        return crypto.open_for(document.pk, sealed, bound_to=document.pk)
    except crypto.KeyDestroyed:
        raise Conflict(
            "document_forgotten", _("This paper was forgotten with the person it was made for: its number stays.")
        ) from None


def note_download(*, actor: User, documents: Sequence[Document], now: datetime) -> None:
    """Record that somebody took papers; who may read them was decided by `Document.visible_to`."""
    for document in documents:
        record(
            "document.downloaded", actor=actor, subject=document.pk, now=now,
            scopes=[str(document.organisation_id or document.person_id or document.subject)], label=document.label,
        )  # fmt: skip


def forget(*, subjects: Sequence[str], now: datetime) -> int:
    """Make papers that the law does not keep unreadable for ever, with the people they named; numbers and totals stay.

    Invoices, credit notes and payment certificates are kept with the accounts, ten years (Code de commerce, L123-22).
    Args: subjects: ids of what the papers are about. Returns: how many were forgotten by this call.
    """
    keys = Document.objects.filter(subject__in=subjects, kind__in=["call", "yearly", "time"]).values_list(
        "pk", flat=True
    )
    return sum(crypto.destroy_key(key, now) for key in keys)
