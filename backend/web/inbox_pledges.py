"""What of pledges waits for a treasurer: what is still unpaid after the last reminder."""

from datetime import date

from django.urls import reverse
from django.utils.translation import gettext as _

from backend.identity.models import User
from backend.pledges.models import Pledge
from backend.pledges.services import unpaid
from backend.web.inbox import SHOWN, Item, Pile


def unpaid_pile(actor: User, today: date, shown: int = SHOWN) -> Pile:
    """Instalments of which three reminders brought nothing, the oldest first."""
    rows = unpaid(today).filter(pledge__in=Pledge.visible_to(actor)).order_by("due_on", "pk")
    return Pile(
        key="unpaid",
        act="answer",
        title=_("Pledges unpaid after three reminders"),
        hint=_("Nobody writes to them any more: speak with them, or write the instalment off with a reason."),
        empty=_("Nothing is unpaid after three reminders."),
        url=reverse("treasury"),
        count=rows.count(),
        items=[
            Item(
                row.pledge.payer_name,
                reverse("pledge_page", args=[row.pledge_id]),
                row.due_on,
                note=row.pledge.budget.full_name,
                amount=row.awaited,
                currency=row.currency,
            )
            for row in rows[:shown]
        ],
    )
