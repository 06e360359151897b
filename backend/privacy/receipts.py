"""What forgetting somebody does to the money they gave: amounts stay, names and accounts go."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.functions import Left
from django.utils import translation
from django.utils.translation import gettext as _

from backend.banking.models import BankLine
from backend.core.crypto import destroy_key
from backend.payments.models import PaperPayment, Payment, Refund, Surplus
from backend.payouts.models import Payout
from backend.pledges.models import Instalment, Pledge

SHORTEST_WORD = 4  # a shorter piece of a name is also a piece of other words: it is not looked for
WAITS = ("owed", "batched")  # refunds whose account is still needed


def refund_waits(pledges: "QuerySet[Pledge]") -> bool:
    """Whether money is still to be given back for one of these pledges, or its batch is not on a statement yet."""
    return Refund.objects.filter(pledge__in=pledges, state__in=WAITS).exists()


def forget_receipts(pledges: "QuerySet[Pledge]", *, now: datetime) -> None:
    """Take the names and accounts out of what was received for these pledges and given back.

    A refund that waits keeps its account until it is paid: see `paid_since`. The names under which refunds were booked
    stay sealed in the archive of the accounts.
    """
    keys = list(pledges.values_list("pk", flat=True))
    nobody = _nobody()
    mine: dict[str, Any] = {"pledge__in": keys}
    paid = Refund.objects.filter(**mine, state="paid").exclude(iban_sealed="")
    for refund in paid.select_for_update(of=("self",)).order_by("pk"):
        destroy_key(refund.pk, now)
        Payout.objects.filter(refund=refund).update(name=nobody[:70], iban_hint="")
        refund.name, refund.iban_sealed, refund.iban_index, refund.iban_hint = nobody[:70], "", "", ""
        refund.save(update_fields=["name", "iban_sealed", "iban_index", "iban_hint"])
    known = set(Payment.objects.filter(**mine).exclude(payer_index="").values_list("payer_index", flat=True))
    known |= set(Surplus.objects.filter(**mine).exclude(payer_index="").values_list("payer_index", flat=True))
    BankLine.objects.filter(counterparty_index__in=known).update(counterparty_index="")
    for model in (Payment, Surplus):
        model._default_manager.filter(**mine).update(payer_index="")
    PaperPayment.objects.filter(**mine).update(drawer="", number="")


def forget_told(pledges: "QuerySet[Pledge]", names: Sequence[str]) -> None:
    """Take names out of the reasons that were typed about these pledges: whole, and each word of four letters or more.

    The audit trail, which nobody can change, keeps the reasons that were typed there.
    Args: names: what somebody is called, and their addresses.
    """
    pieces = {piece for name in names for piece in re.split(r"\s+", name) if len(piece) >= SHORTEST_WORD}
    words = sorted({name for name in names if len(name) >= SHORTEST_WORD} | pieces, key=len, reverse=True)
    keys, nobody = list(pledges.values_list("pk", flat=True)), _nobody()
    about: tuple[tuple[Any, str, str], ...] = (
        (Pledge, "pk", "pause_reason"), (Instalment, "pledge", "written_off_reason"), (Surplus, "pledge", "reason"),
        (Refund, "pledge", "reason"), (PaperPayment, "pledge", "returned_reason"),
    )  # fmt: skip
    for model, owner, column in about:
        longest = model._meta.get_field(column).max_length
        for word in words:
            found = model._default_manager.filter(**{f"{owner}__in": keys, f"{column}__icontains": word})
            text = Func(F(column), Value(word), Value(nobody), function="privacy_without", output_field=TextField())
            found.update(**{column: Left(text, longest)})


def paid_since() -> "QuerySet[Refund]":
    """Refunds paid since their donor was forgotten: their name and account go now."""
    forgotten = Refund.objects.filter(pledge__donor__isnull=False, pledge__donor__name_sealed="", state="paid")
    return forgotten.exclude(iban_sealed="")


def forget_paid(rows: "QuerySet[Any]", now: datetime) -> int:
    """Forget the name and account of these refunds, whose payout the bank has shown; returns how many."""
    count = 0
    for refund in rows.order_by("pk"):
        with transaction.atomic():
            mine = Pledge.objects.filter(pk=refund.pledge_id)
            names = [refund.name]  # before it goes: the reason may hold it
            forget_receipts(mine, now=now)
            forget_told(mine, names)
            count += 1
    return count


def _nobody() -> str:
    with translation.override(settings.LANGUAGE_CODE):
        return str(_("Former supporter"))
