"""Lifts a freeze of payouts: what must be true before the second person may confirm."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from backend.banking.models import BankLine, Statement
from backend.core.errors import Conflict
from backend.core.money import format_money
from backend.events.models import Event
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger.services import Freeze, balance, lift
from backend.operations.models import SelfCheckRun

RECENT = timedelta(days=4)  # a long week-end: the last banking day before a freeze is not further away


@dataclass(frozen=True)
class Compared:
    """One bank account since a freeze began: what the bank says beside the books, in minor units.

    stated: closing balance of the latest statement imported since that reaches the day of the backup, None without
    one. booked: the ledger's balance. unknown: sum of the debits of these statements that nothing in the books explains
    (negative, or 0). closes_on: the day stated. old: it says too little of what left since the backup, because it was
    known before the freeze or ends more than four days before it.
    """

    account: HostBankAccount
    stated: int | None
    booked: int
    unknown: int
    closes_on: date | None = None
    old: bool = False

    @property
    def agrees(self) -> bool:
        """Whether a recent statement and the books say the same, and every debit is explained."""
        return self.stated == self.booked and self.unknown == 0 and not self.old

    @property
    def words(self) -> str:
        """The comparison as a line for people."""
        money = self.account.currency
        values = {
            "account": self.account.name,
            "stated": format_money(self.stated or 0, money),
            "booked": format_money(self.booked, money),
            "unknown": format_money(-self.unknown, money),
            "day": self.closes_on,
        }
        if self.closes_on is None:
            return str(_("%(account)s: no statement imported since the freeze") % values)
        if self.stated is None:
            return str(_("%(account)s: the statement imported ends on %(day)s, before the backup was made") % values)
        if self.unknown:
            return str(
                _("%(account)s: bank %(stated)s, books %(booked)s; debits of %(unknown)s are not explained") % values
            )
        if self.old:
            return str(
                _("%(account)s: bank %(stated)s on %(day)s, books %(booked)s; this statement is too old to tell")
                % values
            )
        return str(_("%(account)s: bank %(stated)s, books %(booked)s") % values)


def compare_with_bank(held: Freeze) -> list[Compared]:
    """Each bank account of the host since a freeze began.

    A statement counts when it reaches the host's day of the backup: an older one, imported again, would show balances
    that agree and prove nothing.
    """
    taken = held.data.get("taken_at")
    needed = host_day(datetime.fromisoformat(taken) if taken else held.started_at)
    recent = host_day(held.started_at) - RECENT
    again = Event.objects.filter(kind="statement.imported_again", created_at__gte=held.started_at)
    known = list(again.values_list("subject", flat=True))
    found = []
    for account in HostBankAccount.objects.order_by("name", "pk"):
        every = (
            Statement.objects.filter(account=account, withdrawn_at=None).exclude(closing=None).exclude(closes_on=None)
        )
        since = every.filter(imported_at__gte=held.started_at) | every.filter(pk__in=known)
        latest = since.order_by("-closes_on", "-imported_at", "-pk").first()
        ends = latest.closes_on if latest else None
        orphans = BankLine.objects.filter(account=account, amount__lt=0, state__in=["new", "suspect", "suggested"])
        orphans = orphans.filter(statement__imported_at__gte=held.started_at)
        found.append(
            Compared(
                account=account,
                stated=latest.closing if latest and ends and ends >= needed else None,
                booked=balance(kind="bank", owner=account.pk, currency=account.currency),
                unknown=sum(orphans.values_list("amount", flat=True)),
                closes_on=ends,
                old=latest is not None and (latest.imported_at < held.started_at or ends is None or ends < recent),
            )
        )
    return found


def lift_freeze(*, actor: User, freeze_id: str, gap_reason: str = "", now: datetime) -> Freeze:
    """Lift a freeze as the second person, once its cause is gone.

    Args: gap_reason: after a restore, why bank and books may differ, or why an old statement is enough.
    Raises: Forbidden, Forbidden `own_lift`; NotFound; Conflict `lift_not_asked`, `freeze_lifted`,
        `compare_with_bank_first` naming the accounts, `selfcheck_still_fails`.
    """
    require(actor, "freeze.lift")

    def examine(held: Freeze) -> dict[str, Any] | None:
        hindrance = why_not(held, gap_reason=gap_reason)
        if hindrance is not None:
            raise hindrance
        if held.cause != "restore":
            return None
        rows = compare_with_bank(held)
        return {
            "accounts": [
                {"account": row.account.pk, "stated": row.stated, "booked": row.booked, "unknown": row.unknown}
                for row in rows
            ],
            "gap_reason": gap_reason.strip()[:1000],
        }

    return lift(actor=actor, freeze_id=freeze_id, examine=examine, now=now)


def why_not(held: Freeze, *, gap_reason: str = "") -> Conflict | None:
    """Why a freeze cannot be lifted yet, or None: its self-check fails, or the bank was not looked at."""
    if held.cause == "selfcheck":
        last = SelfCheckRun.objects.order_by("-pk").first()
        if last is None or not last.ok:
            return Conflict(
                "selfcheck_still_fails", _("The last self-check still fails: correct what it names, then check again.")
            )
    if held.cause == "restore":
        rows = compare_with_bank(held)
        missing = [row.words for row in rows if row.stated is None]
        gaps = [row.words for row in rows if not row.agrees]
        if missing:
            return Conflict(
                "compare_with_bank_first",
                _("Import a statement of each account up to today first. %(accounts)s.")
                % {"accounts": "; ".join(missing)},
            )
        if gaps and not gap_reason.strip():
            return Conflict(
                "compare_with_bank_first",
                _(
                    "Bank and books differ, or a statement is too old: say in writing why payouts may leave all the "
                    "same. %(accounts)s."
                )
                % {"accounts": "; ".join(gaps)},
            )
    return None
