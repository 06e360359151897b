"""The supporting document of a share: a file received, or the receipts of expenses; invoices drafted here are in
invoicing.py. A share is payable once one of them is accepted, for exactly what is due of it.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.words import EXPENSE
from backend.contributions.models import Contribution
from backend.core import crypto
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.core.reads import among
from backend.distributions.models import Distribution, Share, SupportingDocument
from backend.distributions.received import media_of
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.payees.models import Payee

NUMBER = 40
PREFIX = "TRONC-"  # of the invoices drafted for a payee who chose none


# --- what may be done -------------------------------------------------------------------------------------------------


def held_share(actor: User, share_id: str) -> Share:
    """A share of one's own that is owed a document, held by the caller.

    Raises: NotFound `share_not_found`; Forbidden `share_of_another`; Conflict `share_needs_no_document`.
    """
    share = (
        Share.visible_to(actor)
        .select_for_update(of=("self",))
        .select_related("payee", "contributor", "distribution__period__budget")
        .filter(pk=share_id)
        .first()
    )
    if share is None:
        raise NotFound("share_not_found", _("There is no such share."))
    if share.contributor_id != actor.pk:
        raise Forbidden("share_of_another", _("Only the person who is owed a share hands over its document."))
    require_owed(share)
    return share


def require_owed(share: Share) -> None:
    """Refuse a document for a share that waits for none. Raises: Conflict `share_needs_no_document`."""
    if share.distribution.state != "booked" or share.state != "owed" or not share.due:
        raise Conflict(
            "share_needs_no_document",
            _("This share awaits no supporting document: it is “%(state)s”.") % {"state": share.get_state_display()},
        )
    if share.payee.closed_at is not None:
        raise Conflict("payee_closed", _("This payee is closed: choose or add another one."))


# --- a file received --------------------------------------------------------------------------------------------------


def hand_over(
    *, actor: User, share_id: str, data: bytes, number: str, dated_on: date, total: int, now: datetime
) -> SupportingDocument:
    """Keep the document that a payee made themselves; a treasurer checks it before the share is payable.

    Moves no money. Args: data: the file, whose kind its own bytes tell. number, dated_on, total: what stands on it,
    minor units, all taxes included.
    Raises: see `held_share`; Invalid `paper_number_invalid`, `paper_day_invalid`, `paper_total_differs`,
        `paper_file_missing`, `paper_file_too_large`, `paper_file_unknown`; Conflict `paper_number_taken`.
    """
    with transaction.atomic():
        share = held_share(actor, share_id)
        told = require_number(" ".join(number.split()))
        if dated_on > host_day(now):
            raise Invalid(
                "paper_day_invalid", _("The document is dated in the future: check its day."), param="dated_on"
            )
        currency = share.distribution.currency
        if total != share.due:
            raise Invalid(
                "paper_total_differs",
                _("%(due)s is due, all taxes included, and the document says %(total)s: it must be the same amount.")
                % {"due": format_money(share.due, currency), "total": format_money(total, currency)},
                param="total",
            )
        media = media_of(data)
        payee = Payee.objects.select_for_update(of=("self",)).get(pk=share.payee_id)
        require_outside_series(payee, told)
        require_free(payee, told)
        paper = keep_paper(
            share, new_id("sup"), kind="uploaded", state="sent", payee=payee, total=total, number=told,
            dated_on=dated_on, data=data, media=media, made_by=actor, made_at=now,
        )  # fmt: skip
        move_share(share, "documented")
        record("paper.handed_over", **told_of(paper, share, actor, now))
    return paper


def accept_paper(*, actor: User, paper_id: str, now: datetime) -> SupportingDocument:
    """Accept a document that somebody else handed over: the share is payable. Moves no money.

    Raises: Forbidden, `own_paper`; NotFound `paper_not_found`; Conflict `paper_decided`, `paper_stale`.
    """
    with transaction.atomic():
        paper, share = _to_decide(actor, paper_id)
        if paper.state == "accepted" and paper.decided_by_id == actor.pk:
            return paper
        _require_open(paper, share)
        paper.state, paper.decided_by, paper.decided_at = "accepted", actor, now
        paper.save(update_fields=["state", "decided_by", "decided_at"])
        move_share(share, "payable")
        record("paper.accepted", **told_of(paper, share, actor, now))
    return paper


def refuse_paper(*, actor: User, paper_id: str, reason: str, now: datetime) -> SupportingDocument:
    """Refuse a document that somebody else handed over: the share is owed, and another document is awaited.

    Raises: Forbidden, `own_paper`; NotFound `paper_not_found`; Invalid `reason_missing`; Conflict `paper_decided`,
        `paper_stale`.
    """
    with transaction.atomic():
        paper, share = _to_decide(actor, paper_id)
        if not reason.strip():
            raise Invalid("reason_missing", _("Say what must be changed: the payee reads it."), param="reason")
        _require_open(paper, share)
        paper.state, paper.decided_by, paper.decided_at = "refused", actor, now
        paper.reason = reason.strip()[:280]
        paper.save(update_fields=["state", "decided_by", "decided_at", "reason"])
        move_share(share, "owed")
        record("paper.refused", **told_of(paper, share, actor, now))
    return paper


def _to_decide(actor: User, paper_id: str) -> tuple[SupportingDocument, Share]:
    """A document with its share, both held. The share first, as everywhere."""
    require(actor, "paper.decide")
    known = SupportingDocument.visible_to(actor).filter(pk=paper_id).first()
    if known is None:
        raise NotFound("paper_not_found", _("There is no such supporting document."))
    rows = Share.objects.select_for_update(of=("self",)).select_related("payee", "distribution__period")
    share = rows.get(pk=known.share_id)
    paper = SupportingDocument.objects.select_for_update(of=("self",)).select_related("decided_by").get(pk=paper_id)
    if paper.made_by_id == actor.pk:
        raise Forbidden("own_paper", _("You handed this document over: another treasurer checks it."))
    return paper, share


def _require_open(paper: SupportingDocument, share: Share) -> None:
    if paper.state not in {"sent", "cancelled"}:
        raise Conflict(
            "paper_decided",
            _("%(name)s has already decided on this document: it is “%(state)s”.")
            % {"name": paper.decided_by.name if paper.decided_by else "–", "state": paper.get_state_display()},
        )
    same = (paper.payee_id, paper.total) == (share.payee_id, share.due)
    if paper.state == "cancelled" or share.state != "documented" or not same:
        raise Conflict(
            "paper_stale",
            _("The share changed since: its amount or its payee is another one. Another document is awaited."),
        )


# --- receipts of expenses ---------------------------------------------------------------------------------------------


def reimburse(shares: Iterable[Share], *, actor: User | None, now: datetime) -> list[Share]:
    """Make payable those of these owed shares that reimburse expenses alone, each with its receipt attached.

    The caller holds the shares, and has checked the right. Moves no money. Returns: those that are payable now.
    """
    done = []
    for share in shares:
        if share.state != "owed" or not share.due or not repays_receipts(share):
            continue
        paper = SupportingDocument.objects.create(
            id=new_id("sup"), share=share, payee=share.payee, kind="receipts", state="accepted",
            dated_on=host_day(now), total=share.due, currency=share.distribution.currency, made_by=actor, made_at=now,
            decided_at=now,
        )  # fmt: skip
        move_share(share, "payable")
        record("paper.receipts_count", **told_of(paper, share, actor, now))
        done.append(share)
    return done


def repaying_receipts(distribution: Distribution) -> list[Share]:
    """The shares of a distribution that reimburse expenses alone, each with its receipt, found in two queries."""
    asked: dict[str, set[str]] = defaultdict(set)
    for row in distribution.inputs["lines"]:
        asked[row["person"]].add(row["contribution"])
    inside = {one for found in asked.values() for one in found}
    proven = set(
        Contribution.objects.filter(among("pk", inside), kind=EXPENSE).exclude(evidence=[]).values_list("pk", flat=True)
    )
    people = [person for person, found in asked.items() if found <= proven]
    if not people:
        return []
    shares = Share.objects.select_for_update(of=("self",)).filter(distribution=distribution, contributor__in=people)
    return list(shares.select_related("payee", "distribution__period").order_by("pk"))


def reimburse_own(*, actor: User, share_id: str, now: datetime) -> Share:
    """Have the receipts of one's own expenses stand for a share that was owed again. Moves no money.

    Raises: see `held_share`; Conflict `not_receipts_alone`.
    """
    with transaction.atomic():
        share = held_share(actor, share_id)
        if not reimburse([share], actor=actor, now=now):
            raise Conflict(
                "not_receipts_alone",
                _("This share pays for more than expenses with their receipts: a document is needed."),
            )
    return share


def repays_receipts(share: Share) -> bool:
    """Whether all that a share pays are expenses, each with its receipt attached."""
    inside = [
        row["contribution"] for row in share.distribution.inputs["lines"] if row["person"] == share.contributor_id
    ]
    rows = Contribution.objects.filter(pk__in=inside).values_list("kind", "evidence")
    return bool(inside) and len(rows) == len(inside) and all(kind == EXPENSE and files for kind, files in rows)


# --- what they share --------------------------------------------------------------------------------------------------


def file_of(paper: SupportingDocument) -> bytes:
    """The file of a document, the very bytes that were kept. Raises: Conflict `document_forgotten`."""
    try:
        text = crypto.open_for(paper.pk, paper.file_sealed, bound_to=paper.pk)
    except crypto.KeyDestroyed:
        raise Conflict(
            "document_forgotten", _("This paper was forgotten, ten years after its accounts were closed.")
        ) from None
    data = base64.b64decode(text)
    if hashlib.sha256(data).hexdigest() != paper.sha256:
        raise ValueError(f"{paper.pk} is not the file that was kept")
    return data


def note_taken(paper: SupportingDocument, *, actor: User, now: datetime) -> None:
    """Record that somebody took the file of a document; who may was decided by `SupportingDocument.visible_to`."""
    record(
        "paper.read", actor=actor, subject=paper.pk, now=now,
        scopes=[paper.share.distribution.period.budget_id, paper.share.contributor_id], share=paper.share_id,
    )  # fmt: skip


def live_paper(share: Share) -> SupportingDocument | None:
    """The document that stands behind a share, or awaits its check; None when one is awaited."""
    if share.state == "owed":
        return None
    return share.papers.filter(state__in=SupportingDocument.LIVE).first()


def keep_paper(share: Share, identity: str, *, data: bytes, **facts: Any) -> SupportingDocument:
    try:
        with transaction.atomic():
            return SupportingDocument.objects.create(
                id=identity, share=share, currency=share.distribution.currency,
                file_sealed=crypto.seal_for(identity, base64.b64encode(data).decode(), bound_to=identity),
                sha256=hashlib.sha256(data).hexdigest(), **facts,
            )  # fmt: skip
    except IntegrityError as race:
        if "one_paper_of_a_number" not in str(race):
            raise
        raise _taken() from race


def require_number(text: str) -> str:
    if not text or len(text) > NUMBER or not text.isprintable():
        raise Invalid(
            "paper_number_invalid", _("Give the number of the document, forty signs at most."), param="number"
        )
    return text


def next_number(payee: Payee) -> str:
    """The number of the next invoice or credit note drafted for a payee: they follow each other without a gap."""
    return f"{payee.invoice_prefix or PREFIX}{payee.last_invoice + 1:04d}"


def require_outside_series(payee: Payee, number: str) -> None:
    """Refuse a number that the series of drafted invoices would come to, or came to. Raises: Invalid
    `paper_number_in_series`."""
    prefix = payee.invoice_prefix or PREFIX
    if number.startswith(prefix) and number[len(prefix) :].isdigit():
        raise Invalid(
            "paper_number_in_series",
            _("Numbers that begin with %(prefix)s are those of invoices drafted here; the next is %(number)s.")
            % {"prefix": prefix, "number": next_number(payee)},
            param="number",
        )


def require_of_one_seller(payee: Payee, number: str) -> None:
    """Refuse a number that another payee of the same seller bears: the law wants one series a seller, no doubles."""
    others = SupportingDocument.objects.filter(kind__in=("drafted", "credit"), number=number, payee__siren=payee.siren)
    if payee.siren and others.exclude(payee=payee).exists():
        raise Conflict(
            "invoice_series_shared",
            _(
                "An invoice %(number)s of this SIREN exists, of another payee: give this payee, in its details,"
                " something of its own that its numbers begin with."
            )
            % {"number": number},
        )


def require_free(payee: Payee, number: str) -> None:
    """One payee has one document of a number, what was once accepted included. The caller holds the payee."""
    known = SupportingDocument.objects.filter(payee=payee, number=number)
    known = known.exclude(kind="uploaded", state="refused")
    if known.exclude(kind="uploaded", state="cancelled", decided_by=None).exists():
        raise _taken()


def _taken() -> Conflict:
    return Conflict(
        "paper_number_taken", _("This payee has a document of this number already: each has its own."), param="number"
    )


def move_share(share: Share, state: str) -> None:
    share.state = state
    share.save(update_fields=["state"])


def told_of(paper: SupportingDocument, share: Share, actor: User | None, now: datetime) -> dict[str, Any]:
    """What each event about a document tells: states, ids and amounts."""
    return {
        "actor": actor, "subject": paper.pk, "now": now,
        "scopes": [share.distribution.period.budget_id, share.contributor_id],
        "after": {"share": share.state, "paper": paper.state}, "why": paper.reason, "share": share.pk,
        "total": paper.total, "currency": paper.currency, "sha256": paper.sha256,
    }  # fmt: skip
