"""Payouts that a bank line names because the money came back: a transfer of ours is never somebody's receipt."""

import re
from datetime import date

from django.db import transaction

from backend.identity.models import User
from backend.payments.models import Refund
from backend.payments.returned import not_paid
from backend.payouts.models import PaidRefund, Payout

# What we write in our payment files: the end-to-end id of a transfer, and the id of a message (see services).
_TRANSFER = re.compile(r"P-[0-9A-F]{24}(?:-[0-9]{1,3})?(?![0-9A-F])")
_MESSAGE = re.compile(r"TRONC-[0-9A-Z]{20}")


def payouts_named(text: str) -> list[Payout]:
    """The payouts handed to the bank that a text names by their own id, else by that of their message; none when there
    is none. Args: text: all that a bank line says; banks break ids with spaces, and write them in capitals."""
    text = text.upper()
    tight = re.sub(r"\s+", "", text)
    left = Payout.objects.filter(state__in=["sent", "settled", "returned", "rejected"]).select_related(
        "batch", "refund"
    )
    ids = {*_TRANSFER.findall(text), *_TRANSFER.findall(tight)}
    # Without a space behind it, the figures that follow an id may not be its own.
    ids |= {one[:26] for one in ids}
    found = list(left.filter(end_to_end_id__in=ids).order_by("-pk")) if ids else []
    messages = {*_MESSAGE.findall(text), *_MESSAGE.findall(tight)}
    if not found and messages:
        return [one for one in left.order_by("-pk") if one.batch.message_id.upper() in messages]
    longest = max((len(one.end_to_end_id) for one in found), default=0)
    return [one for one in found if len(one.end_to_end_id) == longest]


@transaction.atomic
def unpay_refund(refund: Refund, *, line: str, returned_on: date, actor: User | None) -> Payout:
    """Say that the payout which paid a refund came back: another batch may pay it. Books nothing.

    Args: line: names the bank line. returned_on: the bank's day. Raises: Conflict `refund_not_paid`.
    """
    link = PaidRefund.objects.select_for_update(of=("self",)).filter(refund=refund, live=True).first()
    if link is None or link.payout.state != "settled":
        raise not_paid(refund)
    link.live = False
    link.save(update_fields=["live"])
    Payout.objects.filter(pk=link.payout_id).update(
        state="returned", returned_line=line, undone_on=returned_on, undone_by=actor
    )
    return link.payout
