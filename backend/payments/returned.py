"""A refund that the bank of its payer sent back: it is owed again, and its account is typed again."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.events.services import record
from backend.identity.models import User
from backend.ledger.services import post
from backend.payments.models import Refund
from backend.payments.purses import Purse, line_on


def not_paid(refund: Refund) -> Conflict:
    """The refusal of a refund that no money can come back of."""
    return Conflict(
        "refund_not_paid",
        _("This refund was not paid, or it came back already: it is “%(state)s”.")
        % {"state": refund.get_state_display()},
        param="refund",
    )


@transaction.atomic
def owe_again(
    *, refund: Refund, source: str, purse: Purse, returned_on: date, actor: User | None, now: datetime
) -> tuple[Refund, str]:
    """Book that the money of a paid refund came back. The ledger moves: purse +, refund −.

    Its account is forgotten, since it did not take the money: a treasurer types another before a batch pays it.
    Args: source: names the bank line. purse: where the money came back to. returned_on: the bank's day.
    Returns: the refund, and the id of the entry.
    Raises: Conflict `refund_not_paid`.
    """
    refund = Refund.objects.select_for_update(of=("self",)).select_related("pledge").get(pk=refund.pk)
    if refund.state != "paid":
        raise not_paid(refund)
    entry = post(
        kind="refund.returned", scope="refund_return", key=source, reference=refund.pk, happened_on=returned_on,
        late=True,
        lines=[
            line_on(purse, refund.amount, refund.currency),
            line_on(("payee", refund.pk), -refund.amount, refund.currency),
        ],
        now=now,
    )  # fmt: skip
    refund.state, refund.iban_sealed, refund.iban_index, refund.iban_hint = "owed", "", "", ""
    refund.save(update_fields=["state", "iban_sealed", "iban_index", "iban_hint"])
    record(
        "refund.returned", actor=actor, subject=refund.pk, now=now,
        scopes=[refund.pledge.budget_id, refund.pledge.payer_id], amount=refund.amount, currency=refund.currency,
        before={"state": "paid"}, after={"state": "owed"},
    )  # fmt: skip
    return refund, entry.pk
