"""Accepts what was proposed of a line, through the act that a person would choose; nothing is booked otherwise."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.banking.groups import Group
from backend.banking.identifying import identify, locked_line, require_waiting, settle_deposit, take_back
from backend.banking.models import BankLine
from backend.banking.proposing import propose
from backend.banking.provider_lines import settle_provider_payout
from backend.banking.reasons import Candidate
from backend.banking.splitting import Part, book_to, split_line
from backend.banking.undoing import payout_came_back, refund_came_back
from backend.commons.services import hold
from backend.core.errors import Conflict, DomainError
from backend.identity.models import User
from backend.identity.permissions import require
from backend.payments.services import payable_together
from backend.pledges.models import Instalment

MOST_AT_ONCE = 500


@dataclass
class Accepted:
    """What became of many: the lines booked, and those that were not, each with its sentence."""

    booked: list[BankLine] = field(default_factory=list)
    left: list[tuple[BankLine, str]] = field(default_factory=list)


def accept(*, actor: User, line_id: int, key: str, now: datetime) -> BankLine:
    """Accept one candidate of a waiting line, as it stands now. Args: key: of the candidate as it was shown.

    The ledger moves as the act of its kind says.
    Raises: NotFound; Forbidden; Conflict `proposal_changed`, `line_not_waiting`, and what the act raises.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        if line.state in {"matched", "booked"} and line.matched_by_id == actor.pk:
            return line  # the same act again
        found = propose(actor, [line]).of.get(line.pk, [])
        chosen = next((one for one in found if one.key == key), None)
        if chosen is None:
            raise _changed()
        return _act(actor, line, chosen, now)


def _act(actor: User, line: BankLine, chosen: Candidate, now: datetime) -> BankLine:
    who: dict[str, Any] = {"actor": actor, "line_id": line.pk, "now": now}
    acts: dict[str, Callable[[], BankLine]] = {
        "pledge": lambda: identify(pledge_id=chosen.of, **who),
        "pledges": lambda: split_line(parts=[Part(amount, pledge=one.pk) for one, amount in chosen.parts], **who),
        "deposit": lambda: settle_deposit(deposit_id=chosen.of, **who),
        "provider_payout": lambda: settle_provider_payout(payout_id=chosen.of, **who),
        "payout_back": lambda: payout_came_back(payout_id=chosen.of, **who),
        "refund_back": lambda: refund_came_back(refund_id=chosen.of, **who),
        "taken_back": lambda: take_back(payment_id=chosen.of, **who),
        "own": lambda: book_to(number=chosen.of, **who),
    }
    return acts[chosen.kind]()


def exact_ones(actor: User) -> list[tuple[BankLine, Candidate]]:
    """The waiting lines of which one thing alone comes into question, the oldest first, with it."""
    rows = BankLine.visible_to(actor).filter(state="suggested").select_related("account")
    lines = list(rows.order_by("booked_on", "pk"))
    found = propose(actor, lines)
    both = [(line, found.best(line)) for line in lines]
    return [(line, best) for line, best in both if best is not None and best.exact][:MOST_AT_ONCE]


def accept_exact(*, actor: User, chosen: Iterable[tuple[int, str]], now: datetime) -> Accepted:
    """Accept what was previewed, each line in its own transaction: those that changed meanwhile are told, the others
    booked. Args: chosen: line and key of its candidate, as shown."""
    require(actor, "bank.match")
    told, asked = Accepted(), dict(list(chosen)[:MOST_AT_ONCE])
    lines = list(BankLine.visible_to(actor).filter(pk__in=asked).order_by("booked_on", "pk"))
    # Looked for once; what each would pay is looked at again under its locks.
    found = propose(actor, lines)
    for line in lines:
        try:
            told.booked.append(_accept_exact(actor, line, found.best(line), asked[line.pk], now))
        except DomainError as refusal:
            told.left.append((line, str(refusal)))
    return told


def _accept_exact(actor: User, line: BankLine, best: Candidate | None, key: str, now: datetime) -> BankLine:
    with transaction.atomic():
        line = locked_line(actor, line.pk)
        if line.state in {"matched", "booked"} and line.matched_by_id == actor.pk:
            return line  # the same act again
        require_waiting(line)
        if best is None or not best.exact or best.key != key or not _awaited(line, best):
            raise _changed()
        return _act(actor, line, best, now)


def _awaited(line: BankLine, best: Candidate) -> bool:
    """Whether the pledges of a candidate still await the amount of a line, under their locks; true of what else it is,
    whose act looks by itself."""
    if best.pledge is None:
        return True
    hold([one.budget for one in payable_together(best.pledge)])
    pledges = payable_together(best.pledge)
    group = Group(best.pledge.reference, pledges)
    rows = Instalment.objects.filter(pledge__in=pledges, state__in=Instalment.AWAITING).order_by("due_on", "number")
    for row in rows:
        group.instalments.setdefault(row.pledge_id, []).append(row)
    return line.amount in {group.whole, *group.sums[:1]}


def _changed() -> Conflict:
    return Conflict("proposal_changed", _("What is proposed for this line changed meanwhile: look at it again."))
