"""What one batch may hold, and what waits, each line with its reason: accounts, choice, approvers, limits, money."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from backend.core.moments import told_moment
from backend.core.money import format_money
from backend.distributions.models import Share
from backend.identity.models import HostBankAccount, User
from backend.identity.services import people_with, the_host
from backend.payees.models import Payee
from backend.payees.services import hindrance
from backend.payments.models import Refund
from backend.payments.refunds import hands_on, people_paid
from backend.payouts.limits import ABOVE, above, at_the_bank, due, prepared_on_day, whose
from backend.payouts.models import Payout
from backend.payouts.payable import too_small
from backend.payouts.reasons import OF_ACCOUNT
from backend.payouts.sepa import sepa_name

Line = Share | Refund


@dataclass(frozen=True)
class Held:
    """A line that waits: its reason is a code of `HeldOut`, `detail` what it says more."""

    line: Line
    code: str
    detail: str = ""

    @property
    def words(self) -> str:
        """The reason as a sentence in the reader's language."""
        currency = self.line.distribution.currency if isinstance(self.line, Share) else self.line.currency
        return held_words(self.code, self.detail, currency)


@dataclass
class Choice:
    """What a batch holds and what waits. `free`: minor units at the bank before it; `above`: the limits it is above,
    for which a second person approves too; `approvers`: who may approve all of it, by name."""

    shares: list[Share] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    free: int = 0
    above: list[str] = field(default_factory=list)
    approvers: list[User] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Minor units of the whole batch."""
        return sum(map(due, self.shares)) + sum(map(due, self.refunds))


def held_words(code: str, detail: str, currency: str) -> str:
    """Why a line waits, as a sentence in the reader's language. Args: detail: as `HeldOut` keeps it."""
    if code == "no_money":
        detail = format_money(int(detail), currency)
    elif code == "above_limit":
        detail = ", ".join(str(ABOVE[one]) for one in detail.split())
    elif code == "on_hold":
        detail = told_moment(datetime.fromisoformat(detail))
    sentences: dict[str, Any] = {
        "no_account": _("No account was given yet: ask for it."),
        "no_document": _("Its supporting document is awaited, or not checked yet."),
        "on_hold": _("The account was changed: it can be paid after %(detail)s."),
        "blocked": _("The account is blocked until it is given again."),
        "unreached": _("The bank said that this account is wrong: it must be given again."),
        "closed": _("This payee is closed: another one must be chosen."),
        "name_not_latin": _("The name has no letter that banks can write: ask for it in Latin letters."),
        "below_minimum": _("Below the smallest payment of its charter: it stays due."),
        "chosen": _("Left out: “%(detail)s”"),
        "nobody_could_approve": _(
            "The other treasurers are paid by it or typed its account: one of them prepares it, and you approve."
        ),
        "above_limit": _("Above a limit (%(detail)s): two others must approve, and there are not two who may."),
        "no_money": _("Not enough money at the bank: %(detail)s is left after older debts."),
    }
    return str(sentences[code] % {"detail": detail})


# What `payees.services.hindrance` says → the code of `HeldOut`.
_OF_PAYEE = {
    "no_account": "no_account", "account_on_hold": "on_hold", "payee_blocked": "blocked", "payee_closed": "closed",
}  # fmt: skip


def payee_hindrance(payee: Payee, now: datetime) -> tuple[str, str]:
    """Why a payee cannot be paid now, as a code of `HeldOut` and its detail; empty when nothing stands in the way."""
    reason = hindrance(payee, now)
    if reason is None:
        return ("unreached", "") if unreached(payee) else ("", "")
    until = payee.usable_from.isoformat() if reason == "account_on_hold" and payee.usable_from else ""
    return _OF_PAYEE[reason], until


def unreached(payee: Payee) -> bool:
    """Whether the bank said that the account of a payee is wrong, and nobody has written one anew since: nothing is
    sent there again."""
    told = Payout.objects.filter(payee=payee, undone_code__in=OF_ACCOUNT)
    if payee.iban_edited_at is not None:
        told = told.filter(batch__prepared_at__gte=payee.iban_edited_at)
    return told.exists()


def choose(
    *,
    preparer: User,
    account: HostBankAccount,
    shares: Iterable[Share],
    refunds: Iterable[Refund],
    left_out: Collection[str] = (),
    why: str = "",
    now: datetime,
) -> Choice:
    """What a batch of this person from this account holds, the oldest debts first, and what waits.

    Once the money at the bank ends, all that is younger waits, however small. Enough other treasurers must be able to
    approve all of it: one, or two above a limit. A host with one treasurer prepares all of it, since nobody can approve
    whatever it holds.

    Args: left_out: ids of payees and refunds that the preparer leaves out. why: their reason.
    """
    made = Choice(free=at_the_bank(account))
    rows = list(shares)
    small = {share.pk for share in too_small(one for one in rows if one.state in Share.READY)}
    repaid = list(refunds)
    hands, people = hands_on(repaid), people_paid(repaid)
    others = [one for one in people_with("treasurer", [the_host().pk]) if one.pk != preparer.pk]
    left = {one.pk for one in others}
    lines: list[Line] = [*rows, *repaid]
    accounts = holders_of({_account_of(line) for line in lines}, among=others)
    earlier, each, most, total = prepared_on_day(account, now), defaultdict[str, int](int), 0, 0
    ended = False
    for line in sorted(lines, key=lambda one: (_owed_since(one), one.pk)):
        code, detail = _own_reason(line, small, left_out, why, now)
        if code:
            made.held.append(Held(line, code, detail))
            continue
        concerned = concerned_by_payee(line.payee) if isinstance(line, Share) else hands[line.pk] | people[line.pk]
        still, amount = left - concerned - accounts.get(_account_of(line), set()), due(line)
        biggest = max(most, *(each[key] + amount for key in whose(line)))
        over = above(account=account, most=biggest, total=total + amount, earlier=earlier)
        if others and not still:
            made.held.append(Held(line, "nobody_could_approve"))
        elif others and over and len(still) < 2:
            made.held.append(Held(line, "above_limit", " ".join(over)))
        elif ended or total + amount > made.free:
            ended = True
            made.held.append(Held(line, "no_money", str(max(0, made.free - total))))
        else:
            left, made.above, most, total = still, over, biggest, total + amount
            for key in whose(line):
                each[key] += amount
            if isinstance(line, Share):
                made.shares.append(line)
            else:
                made.refunds.append(line)
    made.approvers = [one for one in others if one.pk in left]
    return made


def concerned_by_payee(payee: Payee) -> set[str]:
    """The ids of who is paid as this payee, and of who last changed its account."""
    return {key for key in (payee.user_id, payee.iban_edited_by_id) if key}


def holders_of(accounts: Collection[str], *, among: Collection[User]) -> dict[str, set[str]]:
    """Keyed hash of an account → the ids of those of these people who are paid on it themselves, as any payee of
    theirs: whoever else it is said to be of, what is sent there is sent to them.

    Args: accounts: keyed hashes; the empty one is no account.
    """
    found: dict[str, set[str]] = defaultdict(set)
    theirs = Payee.objects.filter(user__in=among, iban_index__in=set(accounts) - {""})
    for account, person in theirs.values_list("iban_index", "user"):
        found[account].add(person)
    return found


def _account_of(line: Line) -> str:
    return line.payee.iban_index if isinstance(line, Share) else line.iban_index


def _owed_since(line: Line) -> datetime:
    if isinstance(line, Refund):
        return line.asked_at
    booked = line.distribution.approved_at
    assert booked is not None  # only booked distributions owe
    return booked


def _own_reason(line: Line, small: set[str], left_out: Collection[str], why: str, now: datetime) -> tuple[str, str]:
    """Why a line waits whatever else the batch holds, as a code and its detail; empty when it does not."""
    if isinstance(line, Share):
        name, key, found = line.payee.name, line.payee_id, _of_share(line, small, now)
    else:
        name, key, found = line.name, line.pk, ("", "") if line.iban_sealed else ("no_account", "")
    if found[0]:
        return found
    if not sepa_name(name):
        return "name_not_latin", ""
    return ("chosen", why) if key in left_out else ("", "")


def _of_share(share: Share, small: set[str], now: datetime) -> tuple[str, str]:
    if share.state not in Share.READY:
        return "no_document", ""
    return ("below_minimum", "") if share.pk in small else payee_hindrance(share.payee, now)
