"""The invoice of a share, drafted in the name of who is paid and approved by them exactly as they read it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.contributions.models import Contribution
from backend.core import crypto
from backend.core.errors import Conflict
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.distributions.closing import settled_lines
from backend.distributions.crediting import hold_sellers
from backend.distributions.models import Share, SupportingDocument
from backend.distributions.papers import (
    held_share,
    keep_paper,
    move_share,
    next_number,
    require_free,
    require_number,
    require_of_one_seller,
    require_outside_series,
    require_owed,
    told_of,
)
from backend.distributions.snapshot import last_day
from backend.documents.body import Item, Party
from backend.documents.rendering import pdf_of
from backend.documents.self_billing import SelfBilled, self_billed
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import host_day, the_host
from backend.payees.models import Payee
from backend.payees.services import address_of


@dataclass(frozen=True)
class Draft:
    """An invoice to be read and approved: all that it says, and the fingerprint of it."""

    body: dict[str, Any]
    number: str
    counted: bool  # whether the number is the next of the payee's own here
    digest: str

    @property
    def totals(self) -> list[tuple[str, str]]:
        """The totals under its lines: what each is, and how much."""
        cells = self.body["table"]["total"]
        return [(cells[start], cells[start + 3]) for start in range(0, len(cells), 4)]


def draft_invoice(share: Share, *, number: str = "", now: datetime) -> Draft:
    """What the invoice of a share would say now, in its payee's name and for all that is due. Writes nothing.

    Args: number: as the payee wants it; empty: the next of their own here.
    Raises: Conflict `share_needs_no_document`, `invoice_payee_incomplete`, `invoice_foreign_vat`,
        `invoice_host_incomplete`, `invoice_series_shared`; Invalid `paper_number_invalid`.
    """
    require_owed(share)
    payee, host = share.payee, the_host()
    if not host.address.strip():
        raise Conflict(
            "invoice_host_incomplete",
            _("No invoice is issued before the host has given its address, in the settings of the host."),
        )
    typed = " ".join(number.split())
    following = next_number(payee)
    if typed != following:
        require_outside_series(payee, typed)
    require_of_one_seller(payee, require_number(typed or following))
    period = share.distribution.period
    notes = share.papers.filter(kind="credit", payee=payee).select_related("corrects")
    before = notes.order_by("-made_at", "-pk").first()
    facts = SelfBilled(
        seller=_seller(payee), items=_items(share), currency=share.distribution.currency,
        language="en" if share.contributor.language == "en" else "fr", number=require_number(typed or following),
        issued_on=host_day(now), period=(period.starts_on, last_day(period)), vat=_vat(payee),
        replaces=_replaced(before) if before else None,
    )  # fmt: skip
    body = self_billed(facts, host=host)
    if body["total"] != share.due:
        raise ValueError(f"{share.pk}: the invoice says {body['total']}, {share.due} is due")
    return Draft(body, facts.number, facts.number == following, _digest(body))


def approve_invoice(
    *, actor: User, share_id: str, digest: str, number: str = "", mandate: bool = False, now: datetime
) -> SupportingDocument:
    """Approve the invoice drafted in the name of one's own payee, exactly as it was shown: the share is payable.

    Moves no money. Args: digest: of the draft that was read. number: as typed, empty for the next one. mandate: that
    the host may write invoices in the payee's name; asked once of each payee.
    Raises: see `draft_invoice` and `held_share`; Conflict `paper_changed`, `mandate_missing`, `paper_number_taken`.
    """
    with transaction.atomic():
        share = held_share(actor, share_id)
        payee = hold_sellers(share.payee_id)[share.payee_id]
        share.payee = payee
        if payee.mandate_at is None and not mandate:
            raise Conflict(
                "mandate_missing",
                _("Agree that the host writes invoices in the name of this payee, or hand over your own."),
            )
        draft = draft_invoice(share, number=number, now=now)
        if draft.digest != digest:
            raise Conflict("paper_changed", _("This is not the invoice you read: open the page again and read it."))
        require_free(payee, draft.number)
        changed = []
        if payee.mandate_at is None:
            payee.mandate_at = now
            changed.append("mandate_at")
        if draft.counted:
            payee.last_invoice += 1
            changed.append("last_invoice")
        if changed:
            payee.save(update_fields=changed)
        file = pdf_of(draft.body, issued_at=now)
        identity = new_id("sup")
        paper = keep_paper(
            share, identity, kind="drafted", state="accepted", payee=payee, total=share.due, number=draft.number,
            dated_on=host_day(now),
            body_sealed=crypto.seal_for(identity, json.dumps(draft.body, ensure_ascii=False), bound_to=identity),
            data=file, media="application/pdf", made_by=actor, made_at=now, decided_by=actor, decided_at=now,
        )  # fmt: skip
        move_share(share, "payable")
        record("paper.approved", **told_of(paper, share, actor, now))
        around_commit("paper.approved")
    return paper


def _replaced(note: SupportingDocument) -> tuple[str, date, str]:
    assert note.corrects is not None  # a constraint
    return (note.corrects.number, note.corrects.dated_on, note.number)


def _seller(payee: Payee) -> Party:
    """The payee as its invoices name it. Raises: Conflict `invoice_payee_incomplete`, `invoice_foreign_vat`."""
    address = address_of(payee)
    french = address.country in ("", "FR")
    if not address.lines or payee.vat_status == "unknown" or (french and not payee.siren and not payee.rna):
        raise Conflict(
            "invoice_payee_incomplete",
            _(
                "An invoice bears the address of who is paid, its SIREN and what it says of VAT: give them in the "
                "details of the payee first, or hand over your own document."
            ),
        )
    if payee.vat_status == "liable" and not payee.vat_number.startswith("FR"):
        raise Conflict(
            "invoice_foreign_vat",
            _("The service does not write invoices with the VAT of another country: hand over your own."),
        )
    place = " ".join((address.postal_code, address.city))
    lines = (*address.lines.splitlines(), place, *([] if french else [address.country]))
    return Party(payee.on_papers, lines, siren=payee.siren, vat_number=payee.vat_number)


def _vat(payee: Payee) -> str:
    if payee.vat_status != "not_liable":
        return payee.vat_status
    return "non_profit" if payee.kind == "association" else "outside"


def _items(share: Share) -> list[Item]:
    """The contributions that the share pays, with their cents; what was waived is left out of the last ones."""
    trace = share.distribution.trace or {}
    cents = settled_lines(trace) if trace.get("persons") else {}
    inside = [
        row["contribution"] for row in share.distribution.inputs["lines"] if row["person"] == share.contributor_id
    ]
    rows = list(Contribution.objects.filter(pk__in=inside).order_by("worked_on", "pk"))
    budget = share.distribution.period.budget.name
    told = [Item(f"{row.worked_on:%d/%m/%Y}, {budget} : {row.description}"[:300], cents.get(row.pk, 0)) for row in rows]
    told = [item for item in told if item.amount]
    if sum(item.amount for item in told) == share.due:
        return told
    days = ", ".join(f"{row.worked_on:%d/%m/%Y} {row.description}"[:120] for row in rows)
    return [Item(f"{budget} : {days}"[:600], share.due)]


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
