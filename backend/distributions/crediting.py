"""What becomes of the documents of a share that is owed anew: they no longer hold, and the invoice that the host wrote
in its payee's name is cancelled by a credit note, the next number of the same series. Nothing is drafted for what a
payee handed over: its pages ask them for their own credit note.
"""

import json
from datetime import datetime

from django.db.models import Q

from backend.core import crypto
from backend.core.ids import new_id
from backend.distributions.models import Share, SupportingDocument
from backend.distributions.papers import keep_paper, next_number, require_free, require_of_one_seller, told_of
from backend.documents.rendering import pdf_of
from backend.documents.self_billing import REASONS, credited
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import host_day
from backend.payees.models import Payee


def hold_sellers(*payee_ids: str) -> dict[str, Payee]:
    """Lock payees, and those that are one seller with them: numbers of one seller are given one after the other."""
    sirens = Payee.objects.filter(pk__in=payee_ids).exclude(siren="").values_list("siren", flat=True)
    rows = Payee.objects.select_for_update(of=("self",)).filter(Q(pk__in=payee_ids) | Q(siren__in=list(sirens)))
    return {one.pk: one for one in rows.order_by("pk")}


def papers_fall(share: Share, *, why: str, actor: User, now: datetime) -> SupportingDocument | None:
    """Have what was handed over for a share no longer hold, in the transaction that has it owed anew. Moves no money.

    The caller holds the share, which says already what holds from now on. Args: why: a key of `REASONS`.
    Returns: the credit note of the invoice drafted here, if one was.
    Raises: Conflict `invoice_series_shared`, `paper_number_taken`, `document_forgotten`.
    """
    live = share.papers.select_for_update(of=("self",)).filter(state__in=SupportingDocument.LIVE).first()
    if live is None:
        return None
    live.state, live.decided_at = "cancelled", now
    live.save(update_fields=["state", "decided_at"])
    return _credit(live, share, why, actor, now) if live.kind == "drafted" else None


def _credit(invoice: SupportingDocument, share: Share, why: str, actor: User, now: datetime) -> SupportingDocument:
    """The credit note of an invoice: in its words, of all that it was for, with the next number of its payee."""
    payee = hold_sellers(invoice.payee_id)[invoice.payee_id]
    number = next_number(payee)
    require_of_one_seller(payee, number)
    require_free(payee, number)
    today = host_day(now)
    said = json.loads(crypto.open_for(invoice.pk, invoice.body_sealed, bound_to=invoice.pk))
    body = credited(said, number=number, issued_on=today, corrects=(invoice.number, invoice.dated_on), why=why)
    payee.last_invoice += 1
    payee.save(update_fields=["last_invoice"])
    identity = new_id("sup")
    note = keep_paper(
        share, identity, kind="credit", state="issued", payee=payee, total=invoice.total, number=number,
        dated_on=today, corrects=invoice, reason=REASONS[body["language"]][why],
        body_sealed=crypto.seal_for(identity, json.dumps(body, ensure_ascii=False), bound_to=identity),
        data=pdf_of(body, issued_at=now), media="application/pdf", made_by=actor, made_at=now, decided_by=actor,
        decided_at=now,
    )  # fmt: skip
    record("paper.credited", corrects=invoice.pk, **told_of(note, share, actor, now))
    return note
