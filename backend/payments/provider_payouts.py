"""What a payment provider sends to the bank: told by the provider, settled by one line of a statement."""

import re
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.ledger.services import post
from backend.payments.models import Movement, ProviderPayout
from backend.payments.providers.base import PayoutFacts
from backend.payments.purses import Purse, line_on, provider_purse
from backend.pledges.models import Pledge
from backend.pledges.references import find_references

TELLING = 4  # characters that the words of a bank line have at least, to name a payout


@transaction.atomic
def note_payout(*, provider: str, facts: PayoutFacts, now: datetime) -> ProviderPayout | None:
    """Write down a payout as it stands at the provider. Books nothing: its movements and the bank's line do.

    Returns: the row; None for money that the provider takes from the bank, which is a movement to look at.
    """
    if facts.amount <= 0:
        return None
    row = _the_row(
        provider, facts.remote_id, now, amount=facts.amount, currency=facts.currency, arrives_on=facts.arrives_on,
        text=facts.text[:80],
    )  # fmt: skip
    if row.state == "settled":  # the bank has shown it: nothing the provider says changes that
        return row
    row.arrives_on, row.text = facts.arrives_on, facts.text[:80]
    row.save(update_fields=["arrives_on", "text"])
    if facts.state == "failed":
        _fail(row, now)
    return row


def _fail(row: ProviderPayout, now: datetime) -> None:
    if row.state == "sent":
        row.state = "failed"
        row.save(update_fields=["state"])
        facts: dict[str, Any] = {"amount": row.amount, "currency": row.currency}
        record("provider_payout.failed", actor=None, subject=row.pk, now=now, **facts)


def _the_row(provider: str, remote_id: str, now: datetime, **values: Any) -> ProviderPayout:
    """The row of a payout under its lock, made the first time with these values."""
    made = ProviderPayout(id=new_id("ppo"), provider=provider, remote_id=remote_id, created_at=now, **values)
    ProviderPayout.objects.bulk_create([made], ignore_conflicts=True)
    return ProviderPayout.objects.select_for_update().get(provider=provider, remote_id=remote_id)


def payout_of_movement(row: Movement, *, now: datetime) -> ProviderPayout:
    """The payout that a movement made, when the movement is what told it first."""
    day = row.available_on or row.happened_on
    values = {"amount": -row.amount, "currency": row.currency, "arrives_on": day}
    return _the_row(row.provider, row.of or row.remote_id, now, **values)


def payout_returned(row: Movement, *, now: datetime) -> bool:
    """Note that a payout came back to the provider; False when the bank has shown it, or when it is not known."""
    payout = ProviderPayout.objects.select_for_update().filter(provider=row.provider, remote_id=row.of).first()
    if payout is None or payout.state == "settled" or payout.amount != row.amount:
        return False
    _fail(payout, now)
    return True


def payout_named(text: str, amount: int, currency: str) -> ProviderPayout | None:
    """The one payout on its way, of exactly this amount, that a line of the bank names: by its id at the provider or by
    what the provider said the line would say. None when there is none, or several.

    Args: text: all that the line says. amount: of the line, minor units.
    """
    rows = ProviderPayout.objects.filter(state="sent", entry="", amount=amount, currency=currency)
    found = [row for row in rows.order_by("pk") if named_in(row, text)]
    return found[0] if len(found) == 1 else None


def named_in(payout: ProviderPayout, text: str) -> bool:
    """Whether a text holds the id of a payout, or the words that the provider said the bank would show.

    Those words may be anybody's, a donor's too: they tell nothing in a text that names a pledge.
    """
    said, words = (" ".join(one.split()).upper() for one in (text, payout.text))
    if payout.remote_id.upper() in said:
        return True
    whole = len(words) >= TELLING and re.search(rf"(?<!\w){re.escape(words)}(?!\w)", said) is not None
    return whole and not Pledge.objects.filter(reference__in=find_references(text)).exists()


def locked_payout(payout_id: str) -> ProviderPayout:
    """A payout under its lock; raises NotFound."""
    row = ProviderPayout.objects.select_for_update().filter(pk=payout_id).first()
    if row is None:
        raise NotFound("provider_payout_not_found", _("There is no such payout."), param="payout")
    return row


def unsettle(payout: ProviderPayout) -> None:
    """Let a payout wait for the bank again; the caller has undone its entry, which the row goes on naming: only a
    person matches it from now on."""
    payout.state, payout.line, payout.settled_on = "sent", "", None
    payout.save(update_fields=["state", "line", "settled_on"])


def settle_payout(
    *, payout: ProviderPayout, source: str, purse: Purse, settled_on: date, actor: User | None, now: datetime
) -> ProviderPayout:
    """Book that the bank shows a payout. The caller holds its lock and has compared the line with its amount.

    The ledger moved: bank, or the suspense the line was in, +; clearing of the provider −.
    Args: source: names the bank line. purse: of the bank account, or its suspense. settled_on: the bank's booking day.
    Raises: Conflict `provider_payout_settled`.
    """
    if payout.state != "sent":
        raise Conflict(
            "provider_payout_settled",
            _("This payout no longer waits: it is “%(state)s”.") % {"state": payout.get_state_display()},
            param="payout",
        )
    payout.entry = post(
        kind="provider.paid_out", scope="provider_payout", key=f"{payout.pk}:{payout.entry}", reference=payout.pk,
        happened_on=settled_on, late=True,
        lines=[
            line_on(purse, payout.amount, payout.currency),
            line_on(provider_purse(payout.provider), -payout.amount, payout.currency),
        ],
        now=now,
    ).pk  # fmt: skip
    payout.state, payout.line, payout.settled_on = "settled", source, settled_on
    payout.save(update_fields=["state", "line", "settled_on", "entry"])
    record(
        "provider_payout.settled", actor=actor, subject=payout.pk, now=now, amount=payout.amount,
        currency=payout.currency,
    )  # fmt: skip
    return payout
