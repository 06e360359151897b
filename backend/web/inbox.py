"""What waits for the treasurers, by kind: how many, the oldest, and where to go."""

from dataclasses import dataclass, field
from datetime import date, datetime

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from backend.banking.models import BankLine
from backend.core.dates import date_format
from backend.distributions.models import Distribution, DistributionObjection, Share, SupportingDocument
from backend.distributions.services import last_day
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import may
from backend.ledger.closing import month_after
from backend.ledger.services import closings, next_month
from backend.payments.models import PaperPayment, Surplus
from backend.payouts.models import PayoutBatch
from backend.payouts.services import shares_to_pay
from backend.transfers.models import Opening, Transfer
from backend.transfers.openings import to_open
from backend.web.periods import readable_periods

SHOWN = 3
PAYER = ("pledge__organisation", "pledge__person", "pledge__donor")


@dataclass(frozen=True)
class Item:
    """One thing that waits: its name, its address, since when, what it says about itself, its money in minor units."""

    text: str
    url: str
    since: date | datetime | None = None
    note: str = ""
    amount: int | None = None
    currency: str = ""
    own: bool = False  # begun by the reader: somebody else must act
    act: str = ""  # where it is another act than that of its pile


@dataclass(frozen=True)
class Pile:
    """All that waits of one kind; `items` are the oldest. `act` is what must be done, a key of `inbox_list.ACTS`."""

    key: str
    title: str
    hint: str
    empty: str
    url: str
    act: str = ""
    count: int = 0
    items: list[Item] = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.items)


def piles(*, actor: User, today: date, shown: int = SHOWN) -> list[Pile]:
    """The piles of the inbox in the order of the work.

    Args: today: the host's day. shown: how many of each pile, the oldest.
    """
    return [
        _periods(actor, today, shown),
        _distributions(actor, shown),
        _received(shown),
        _shares(shown),
        _batches(actor, shown),
        _lines(actor, shown),
        _surpluses(actor, shown),
        _papers(actor, shown),
        _transfers(actor, shown),
        _openings(actor, shown),
        _months(actor, today, shown),
    ]


def _periods(actor: User, today: date, shown: int) -> Pile:
    alive = readable_periods(actor).filter(state="open").exclude(budget__state__in=["closed", "archived"])
    ended = alive.filter(ends_before__lte=today).order_by("ends_before", "id")
    following = alive.filter(ends_before__gt=today).order_by("ends_before").first()
    empty = _("No period has ended.")
    if following is not None:
        empty = _("No period has ended. The next to end is that of %(budget)s.") % {"budget": following.budget.name}
    return Pile(
        key="periods",
        act="prepare",
        title=_("Periods to close"),
        hint=_("Their last day has passed: closing freezes the validated work and computes the distribution."),
        empty=empty,
        url=reverse("periods"),
        count=ended.count(),
        items=[Item(one.budget.name, reverse("period_page", args=[one.pk]), last_day(one)) for one in ended[:shown]],
    )


def _distributions(actor: User, shown: int) -> Pile:
    waiting = (
        Distribution.visible_to(actor)
        .filter(state__in=["frozen", "published"])
        .select_related("period__budget", "prepared_by")
        .order_by("prepared_at")
    )
    return Pile(
        key="distributions",
        act="approve",
        title=_("Distributions to approve"),
        hint=_("Someone other than the person who closed the period approves; then the ledger owes each payee."),
        empty=_("No distribution waits for an approval."),
        url=reverse("periods"),
        count=waiting.count(),
        items=[
            Item(
                one.period.budget.name,
                reverse("distribution_page", args=[one.pk]),
                one.prepared_at,
                note=_("an objection stands: it is approved once that has ended")
                if one.objections.filter(state__in=DistributionObjection.STANDING).exists()
                else _("closed by you: another person approves")
                if one.prepared_by_id == actor.pk
                else _("closed by %(name)s") % {"name": one.prepared_by.name}
                if one.prepared_by is not None
                else _("closed by itself, as its charter says"),
                amount=one.pot,
                currency=one.currency,
                own=one.prepared_by_id == actor.pk,
            )
            for one in waiting[:shown]
        ],
    )


def _missing(share: Share) -> str:
    """What keeps an owed share from being paid, in words; empty when nothing does."""
    said = []
    if share.state not in Share.READY:
        said.append(_("awaits its supporting document"))
    if not share.payee.iban_sealed:
        said.append(_("has not given an account yet"))
    return " · ".join(said)


def _shares(shown: int) -> Pile:
    currencies = sorted(set(HostBankAccount.objects.values_list("currency", flat=True)))
    owed = [share for currency in currencies for share in shares_to_pay(currency=currency)]
    owed.sort(key=lambda share: (share.state not in Share.READY, share.pk))
    return Pile(
        key="shares",
        act="prepare",
        title=_("Shares to pay"),
        hint=_("Approved and owed; they leave in a payout batch once their document is there."),
        empty=_("Nothing is owed to anyone outside a batch."),
        url=reverse("payouts"),
        count=len(owed),
        items=[
            Item(
                share.payee.name,
                reverse("share_page", args=[share.pk]),
                share.distribution.approved_at,
                note=_missing(share),
                act="document" if share.state not in Share.READY else "",
                amount=share.due,
                currency=share.distribution.currency,
            )
            for share in owed[:shown]
        ],
    )


def _received(shown: int) -> Pile:
    rows = SupportingDocument.objects.filter(state="sent", share__state="documented").select_related("payee")
    return Pile(
        key="documents",
        act="document",
        title=_("Supporting documents to check"),
        hint=_("Handed over by payees; their shares can be paid once the document is accepted."),
        empty=_("No document waits for a check."),
        url=reverse("papers_received"),
        count=rows.count(),
        items=[
            Item(
                paper.payee.on_papers,
                reverse("paper_page", args=[paper.pk]),
                paper.made_at,
                note=paper.number,
                amount=paper.total,
                currency=paper.currency,
            )
            for paper in rows.order_by("made_at", "pk")[:shown]
        ],
    )


def _batches(actor: User, shown: int) -> Pile:
    waiting = (
        PayoutBatch.visible_to(actor)
        .filter(state__in=[*PayoutBatch.SPOKEN_FOR, "unknown"])
        .select_related("prepared_by", "account")
        .order_by("prepared_at")
    )

    def note(batch: PayoutBatch) -> str:
        if batch.state == "approved":
            return _("approved: hand the file to the bank")
        if batch.state == "unknown":
            return _("nobody knows whether it left: ask the bank, then say what became of it")
        if batch.state == "claimed":
            return batch.get_state_display()
        if batch.prepared_by_id == actor.pk:
            return _("prepared by you: another treasurer approves")
        return _("prepared by %(name)s: to approve") % {"name": batch.prepared_by.name}

    return Pile(
        key="batches",
        act="approve",
        title=_("Payout batches to approve or hand over"),
        hint=_("One treasurer prepares, another approves exactly the same file, then it goes to the bank."),
        empty=_("No batch waits."),
        url=reverse("payouts"),
        count=waiting.count(),
        items=[
            Item(
                batch.account.name,
                reverse("batch_page", args=[batch.pk]),
                batch.prepared_at,
                note=note(batch),
                amount=batch.total,
                currency=batch.currency,
                own=batch.state == "prepared" and batch.prepared_by_id == actor.pk,
                act="approve" if batch.state == "prepared" else "answer" if batch.state == "unknown" else "prepare",
            )
            for batch in waiting[:shown]
        ],
    )


def _lines(actor: User, shown: int) -> Pile:
    waiting = BankLine.visible_to(actor).filter(state__in=["suspect", "suggested"]).order_by("booked_on", "id")
    return Pile(
        key="lines",
        act="reconcile",
        title=_("Bank lines to identify"),
        hint=_("Money the bank shows and nobody has named: it stays in suspense until someone says what it is."),
        empty=_("Every bank line is explained."),
        url=reverse("bank") + "?state=suggested",
        count=waiting.count(),
        items=[
            Item(
                line.counterparty or _("unnamed"),
                reverse("bank_line", args=[line.pk]),
                line.booked_on,
                note=line.text[:80],
                amount=line.amount,
                currency=line.currency,
            )
            for line in waiting[:shown]
        ],
    )


def _surpluses(actor: User, shown: int) -> Pile:
    waiting = Surplus.visible_to(actor).filter(state="waiting").select_related(*PAYER).order_by("created_at", "pk")
    return Pile(
        key="surpluses",
        act="answer",
        title=_("Surpluses to decide"),
        hint=_("Received above what was awaited: for the pot, for the next instalment, or to give back."),
        empty=_("Nobody paid more than what was awaited."),
        url=reverse("surpluses"),
        count=waiting.count(),
        items=[
            Item(
                one.pledge.payer_name, reverse("surplus_page", args=[one.pk]), one.received_on,
                amount=one.amount, currency=one.currency,
            )
            for one in waiting[:shown]
        ],
    )  # fmt: skip


def _papers(actor: User, shown: int) -> Pile:
    waiting = PaperPayment.visible_to(actor).filter(state="received").select_related(*PAYER)
    return Pile(
        key="papers",
        act="prepare",
        title=_("Cheques and cash to take to the bank"),
        hint=_("Handed over and in no deposit yet."),
        empty=_("Nothing waits to be taken to the bank."),
        url=reverse("deposits"),
        count=waiting.count(),
        items=[
            Item(
                one.pledge.payer_name, reverse("deposits"), one.received_on, note=one.get_kind_display(),
                amount=one.amount, currency=one.currency,
            )
            for one in waiting.order_by("received_on", "pk")[:shown]
        ],
    )  # fmt: skip


def _transfers(actor: User, shown: int) -> Pile:
    waiting = Transfer.visible_to(actor).filter(state="proposed").select_related("source", "target", "proposed_by")
    return Pile(
        key="transfers",
        act="approve",
        title=_("Transfers between budgets"),
        hint=_("Someone other than the person who proposed it agrees; nothing leaves the bank."),
        empty=_("No transfer waits."),
        url=reverse("transfers"),
        count=waiting.count(),
        items=[
            Item(
                f"{one.source.name} → {one.target.name}",
                reverse("transfer_page", args=[one.pk]),
                one.proposed_at,
                note=_("proposed by %(name)s") % {"name": one.proposed_by.name},
                amount=one.amount,
                currency=one.currency,
                own=one.proposed_by_id == actor.pk,
            )
            for one in waiting.order_by("id")[:shown]
        ],
    )


def _openings(actor: User, shown: int) -> Pile:
    waiting = Opening.visible_to(actor).filter(state="proposed").select_related("proposed_by")
    accounts, _budgets = to_open()
    items = [
        Item(
            _("Balances at the end of %(day)s") % {"day": date_format(one.as_of, "DATE_FORMAT")},
            reverse("opening_page", args=[one.pk]),
            one.proposed_at,
            note=_("written by %(name)s") % {"name": one.proposed_by.name},
            own=one.proposed_by_id == actor.pk,
        )
        for one in waiting.order_by("id")
    ]
    if accounts:
        named = ", ".join(account.name for account in accounts)
        items.append(
            Item(_("No opening balance yet: %(accounts)s") % {"accounts": named}, reverse("opening_new"), act="prepare")
        )
    return Pile(
        key="openings",
        act="approve",
        title=_("Opening balances"),
        hint=_("Written by one treasurer, approved by another, booked once."),
        empty=_("Every bank account has its opening balance."),
        url=reverse("transfers"),
        count=len(items),
        items=items[:shown],
    )


def _months(actor: User, today: date, shown: int) -> Pile:
    """Requests to lock or unlock a month; none waits as long as nobody asks, so what can be asked is said too."""
    live, acts = closings().filter(withdrawn_at=None, unlocked_at=None), may(actor, "month.lock")
    items = []
    for one in live.filter(Q(locked_at=None) | Q(unlock_asked_at__isnull=False)).order_by("first_day"):
        asker, since = (one.unlock_asked_by, one.unlock_asked_at) if one.locked_at else (one.asked_by, one.asked_at)
        values = {"month": date_format(one.first_day, "F Y"), "name": asker.name}
        act = "month_unlock" if one.locked_at else "month_lock"
        items.append(
            Item(
                (_("Unlock %(month)s") if one.locked_at else _("Lock %(month)s")) % values,
                reverse(act, args=[one.pk]) if acts else reverse("months"),
                since,
                note=_("asked by you: another treasurer does it")
                if asker.pk == actor.pk
                else _("asked by %(name)s") % values,
                own=asker.pk == actor.pk,
            )
        )
    first = next_month()
    empty = _("No month waits to be locked or unlocked.")
    if first is not None and month_after(first) <= today:
        empty = _("Nobody asks. The next month that can be locked is %(month)s.") % {"month": date_format(first, "F Y")}
    return Pile(
        key="months",
        act="approve",
        title=_("Accounting months"),
        hint=_("One treasurer asks to lock or unlock a month, another does it. No money moves."),
        empty=empty,
        url=reverse("months"),
        count=len(items),
        items=items[:shown],
    )
