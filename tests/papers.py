"""Hands over the documents of shares, through the services: without them nothing that is owed is paid."""

from datetime import datetime

from backend.core.ids import new_id
from backend.distributions.models import Share, SupportingDocument
from backend.distributions.papers import accept_paper, hand_over
from backend.identity.models import Role, User
from backend.identity.services import host_day

PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def document(share: Share, *, now: datetime) -> SupportingDocument:
    """Hand over the document of a share that is owed, as its contributor, and accept it as a treasurer."""
    paper = hand_over(
        actor=share.contributor, share_id=share.pk, data=PDF, number=f"T-{new_id('x')[-12:]}", dated_on=host_day(now),
        total=share.due, now=now,
    )  # fmt: skip
    found = Role.objects.filter(kind="treasurer").exclude(user=share.contributor_id).order_by("pk")
    treasurers = User.objects.filter(pk__in=found.values("user"), is_active=True)
    return accept_paper(actor=treasurers.order_by("email")[0], paper_id=paper.pk, now=now)


def document_all(now: datetime) -> int:
    """Document every booked share that is owed; returns how many."""
    owed = Share.objects.filter(state="owed", distribution__state="booked", amount__gt=0)
    shares = [one for one in owed.select_related("contributor", "payee", "distribution").order_by("pk") if one.due]
    for share in shares:
        document(share, now=now)
    return len(shares)
