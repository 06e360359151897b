"""Forgetting those who gave without an account: at their own request, and once nothing was received for a year."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower

from backend.core.crypto import destroy_key
from backend.core.nudge import nudge
from backend.documents.models import Document
from backend.documents.services import forget as forget_papers
from backend.notifications.models import OutgoingMail
from backend.payments.operations import SWEEP
from backend.pledges.donations import forget_donors, gift_of
from backend.pledges.models import Donor, Pledge
from backend.privacy.receipts import forget_receipts, forget_told


@transaction.atomic
def forget_donor(*, code: str, now: datetime) -> None:
    """Forget who gave, at the request of whoever has the link of the gift; raises NotFound `gift_not_found`."""
    forget_with_mail([str(gift_of(code).donor_id)], now=now)


def forget_unpaid(rows: "QuerySet[Any]", now: datetime) -> int:
    """Forget these donors, one transaction each; returns how many."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    for key in keys:
        forget_with_mail([key], now=now)
    return len(keys)


@transaction.atomic
def forget_again(*, donors: Sequence[str], papers: Sequence[str], now: datetime) -> int:
    """Repeat on restored books what was forgotten after the backup was made.

    Args: donors: who was forgotten. papers: those that were made unreadable, with whoever they named.
    Returns: how many donors were forgotten by this call.
    """
    again = list(Donor.objects.filter(pk__in=list(donors)).exclude(name_sealed="").values_list("pk", flat=True))
    forget_with_mail(again, now=now)
    for key in Document.objects.filter(pk__in=list(papers)).values_list("pk", flat=True):
        destroy_key(key, now)
    return len(again)


@transaction.atomic
def forget_with_mail(keys: Iterable[str], *, now: datetime) -> None:
    """Forget donors, what was written to them about their gifts, and what the papers of these say of them."""
    keys = list(keys)
    names = sorted({name for donor in Donor.objects.filter(pk__in=keys) if (name := donor.name)}, key=len, reverse=True)
    groups = list(Pledge.objects.filter(donor__in=keys).values_list("group", flat=True))
    addresses = forget_donors(keys, now=now)
    forget_papers(subjects=groups, now=now)
    mine = Pledge.objects.filter(donor__in=keys)
    forget_receipts(mine, now=now)
    forget_told(mine, [*addresses, *names])
    mails = OutgoingMail.objects.annotate(at=Lower("recipient")).filter(at__in=addresses)
    for key in keys:
        mails.filter(event__scopes__contains=[key]).delete()
    nudge(SWEEP)  # the payment pages that are open for them are closed now, and the provider forgets them as well
