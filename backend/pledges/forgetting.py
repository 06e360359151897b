"""What an erasure does to the pledges a person made in their own name; those of organisations stay as they are."""

from datetime import datetime

from django.db.models import Q

from backend.documents.services import forget
from backend.events.services import record
from backend.identity.models import User
from backend.pledges.changing import give_up
from backend.pledges.models import Pledge


def forget_pledges(user: User, *, now: datetime) -> None:
    """Give up what a person still promises in their own name, and show none of it under a name any more.

    What was received stays in the books. The calls for funds that named the person become unreadable.
    """
    mine = Pledge.objects.select_for_update(of=("self",)).filter(Q(person=user) | Q(donor__claimed_by=user))
    groups = set()
    for pledge in mine.order_by("pk"):
        groups.add(pledge.group)
        if pledge.state == "active":
            give_up(pledge, now=now)
            record(
                "pledge.cancelled", actor=None, subject=pledge.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id]
            )
        pledge.visibility, pledge.pseudonym, pledge.purchase_order, pledge.pause_reason = "anonymous", "", "", ""
        pledge.save(update_fields=["visibility", "pseudonym", "purchase_order", "pause_reason"])
    forget(subjects=sorted(groups), now=now)
