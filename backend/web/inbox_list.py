"""The treasurers' inbox as one list, the oldest first, by what must be done; and the five figures above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from backend.commons.services import OPEN_TO_MONEY
from backend.identity.models import HostBankAccount, User
from backend.identity.services import host_day
from backend.ledger.services import balances
from backend.payments.models import ProviderPayout
from backend.payouts.models import PayoutBatch
from backend.pledges.donations import believed
from backend.pledges.models import Pledge
from backend.web.inbox import SHOWN, Item, Pile, piles
from backend.web.inbox_pledges import unpaid_pile
from backend.web.inbox_provider import provider_pile

MOST = 500  # of one kind that the list shows
OVERDUE_DAYS = 5  # after which the bank should have shown what was handed to it


def acts() -> dict[str, str]:
    """What can wait to be done, in the order of the filters."""
    return {
        "prepare": _("To prepare"),
        "approve": _("To approve"),
        "answer": _("To answer"),
        "reconcile": _("To reconcile"),
        "document": _("To document"),
    }


@dataclass(frozen=True)
class Task:
    """One thing that waits, with its pile and its age in days; None where nothing says since when."""

    item: Item
    pile: Pile
    act: str
    since: date | None
    days: int | None


@dataclass(frozen=True)
class Figures:
    """Five amounts of one currency, minor units. All but the first are what the ledger says."""

    currency: str
    expected: int
    held: int
    owed: int
    in_transit: int
    bank: int


def all_piles(*, actor: User, today: date, shown: int = SHOWN) -> list[Pile]:
    """Every pile of the inbox, in the order of the work."""
    return [
        *piles(actor=actor, today=today, shown=shown),
        unpaid_pile(actor, today, shown),
        _overdue(today, shown),
        *provider_pile(actor, shown),
    ]  # fmt: skip


def _overdue(today: date, shown: int) -> Pile:
    """What was handed to the bank, or sent by a provider, and no statement shows after some days."""
    batches = [
        Item(
            one.account.name, reverse("batch_page", args=[one.pk]), one.sent_at, note=_("handed to the bank"),
            amount=one.total, currency=one.currency,
        )
        for one in PayoutBatch.objects.filter(state="sent").select_related("account").order_by("sent_at", "pk")
        if one.sent_at is not None and (today - host_day(one.sent_at)).days > OVERDUE_DAYS
    ]  # fmt: skip
    payouts = [
        Item(
            one.text or one.remote_id, reverse("provider_payouts"), one.arrives_on, note=_("sent by the provider"),
            amount=one.amount, currency=one.currency,
        )
        for one in ProviderPayout.objects.filter(state="sent").order_by("arrives_on", "pk")
        if (today - one.arrives_on).days > OVERDUE_DAYS
    ]  # fmt: skip
    items = sorted([*batches, *payouts], key=lambda one: _day(one.since) or today)
    return Pile(
        key="overdue",
        act="reconcile",
        title=_("On its way for too long"),
        hint=_("Handed to the bank or sent to it more than five days ago, and on no statement: import it, or ask."),
        empty=_("Nothing is on its way for more than five days."),
        url=reverse("clearing"),
        count=len(items),
        items=items[:shown],
    )


def _day(since: date | datetime | None) -> date | None:
    return host_day(since) if isinstance(since, datetime) else since


def tasks(found: Sequence[Pile], *, today: date) -> list[Task]:
    """All that the piles hold as one list, the oldest first; what has no day comes last."""
    listed = []
    for pile in found:
        for item in pile.items:
            since = _day(item.since)
            days = max(0, (today - since).days) if since is not None else None
            listed.append(Task(item, pile, item.act or pile.act, since, days))
    return sorted(listed, key=lambda one: (one.since is None, one.since or today))


def figures() -> list[Figures]:
    """The five figures, for each currency of the host's accounts."""
    currencies = sorted(set(HostBankAccount.objects.values_list("currency", flat=True)))
    rows = Pledge.objects.filter(believed(), expected__gt=0, budget__state__in=OPEN_TO_MONEY).order_by()
    expected = dict(rows.values_list("currency").annotate(total=Sum("expected")))
    sums = {kind: balances(kind=kind) for kind in ("budget", "payee", "in_transit", "bank")}

    def held(kind: str, currency: str) -> int:
        return sum(amount for (_owner, money), amount in sums[kind].items() if money == currency)

    return [
        Figures(
            currency=one, expected=int(expected.get(one, 0)), held=held("budget", one), owed=held("payee", one),
            in_transit=held("in_transit", one), bank=held("bank", one),
        )
        for one in currencies
    ]  # fmt: skip
