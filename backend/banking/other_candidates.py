"""What else than a pledge a line may be: deposits, payouts of a provider, money come back, what a rule says."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.banking.matching import all_said
from backend.banking.models import BankLine, MatchingRule
from backend.banking.reasons import Candidate, Reason
from backend.banking.rules import fixed_words
from backend.banking.splitting import own_accounts
from backend.banking.words import name_of
from backend.identity.models import User
from backend.payments.models import Deposit, Payment, ProviderPayout
from backend.payments.provider_payouts import named_in
from backend.payouts.models import Payout

NEAR = 4  # days that a payout may come before or after the day it was said for: week-ends, holidays
CHARGES = "627"


@dataclass
class Others:
    """What else waits for a line of some amounts, gathered once for many lines."""

    deposits: dict[tuple[str, int, str], list[Deposit]] = field(default_factory=dict)
    provider: dict[tuple[int, str], list[ProviderPayout]] = field(default_factory=dict)
    paid: dict[tuple[str, int, str], list[Payout]] = field(default_factory=dict)
    received: dict[tuple[int, str], list[Payment]] = field(default_factory=dict)
    rules: list[MatchingRule] = field(default_factory=list)

    def of(self, line: BankLine) -> list[Candidate]:
        """The candidates of a line."""
        return self._in(line) if line.amount > 0 else self._out(line)

    def _in(self, line: BankLine) -> list[Candidate]:
        found = [_deposit(line, one) for one in self.deposits.get((line.account_id, line.amount, line.currency), ())]
        found += [_provider(line, one) for one in self.provider.get((line.amount, line.currency), ())]
        for one in self.paid.get((line.account_id, line.amount, line.currency), ()):
            if (back := _come_back(line, one)) is not None:
                found.append(back)
        return found + self._own(line)

    def _out(self, line: BankLine) -> list[Candidate]:
        name, found = name_of(line.counterparty), []
        for one in self.received.get((-line.amount, line.currency), ()):
            same = bool(line.counterparty_index) and line.counterparty_index == one.payer_index
            named = bool(name) and name == name_of(one.pledge.payer_name)
            if not (same or named) or not one.source.startswith(f"line:{line.account_id}:"):
                continue
            reasons = [Reason("✓", _("same amount as a payment received"))]
            reasons += [Reason("✓", _("the account that it came from"))] if same else []
            reasons += [Reason("✓", _("same name: “%(name)s”") % {"name": one.pledge.payer_name})] if named else []
            title = _("The bank took back the payment of %(name)s") % {"name": one.pledge.payer_name}
            found.append(Candidate("taken_back", f"taken_back:{one.pk}", title, reasons, 4 + 3 * len(reasons), True))
        return found + self._own(line)

    def _own(self, line: BankLine) -> list[Candidate]:
        words = fixed_words(line)
        mine = set(words.split())
        names = dict(own_accounts())
        found = []
        for rule in self.rules:
            said = set(rule.words.split())
            if not rule.number or rule.credit != (line.amount > 0) or rule.number not in names or not said <= mine:
                continue
            fixed = words == rule.words
            reasons = [Reason("✓", _("a rule that a treasurer confirmed"))]
            reasons.append(Reason("✓", _("same text each time")) if fixed else Reason("≈", _("its words, with others")))
            title = f"{rule.number} {names[rule.number]}"
            sure = fixed and rule.number == CHARGES and not rule.credit
            found.append(
                Candidate(
                    "own", f"own:{rule.number}", title, reasons, 9 if fixed else 4, amount_ok=fixed, could_be_exact=sure
                )
            )
        return found[:1]


def _deposit(line: BankLine, one: Deposit) -> Candidate:
    slip = bool(one.slip) and one.slip.upper().replace(" ", "") in all_said(line).upper().replace(" ", "")
    reasons = [Reason("✓", _("same total, same account"))]
    reasons += [Reason("✓", _("the number of its slip is in the text"))] if slip else []
    values = {"kind": one.get_kind_display(), "day": date_of(one.prepared_on)}
    title = _("Deposit (%(kind)s) of %(day)s") % values
    return Candidate("deposit", f"deposit:{one.pk}", title, reasons, 12 if slip else 5, True, could_be_exact=slip)


def _provider(line: BankLine, one: ProviderPayout) -> Candidate:
    named, days = named_in(one, all_said(line)), abs((line.booked_on - one.arrives_on).days)
    reasons = [Reason("✓", _("same amount"))]
    reasons.append(Reason("✓", _("the line names it")) if named else Reason("✗", _("the line does not name it")))
    if not days:
        reasons.append(Reason("✓", _("on the day that the provider said")))
    else:
        words = ngettext("%(days)s day from what the provider said", "%(days)s days from what the provider said", days)
        reasons.append(Reason("≈" if days <= NEAR else "✗", words % {"days": days}))
    title = _("What the payment provider sent, %(remote)s") % {"remote": one.remote_id}
    weight = 4 + (8 if named else 0) + (2 if days <= NEAR else 0)
    key = f"provider_payout:{one.pk}"
    return Candidate("provider_payout", key, title, reasons, weight, named or days <= NEAR, could_be_exact=named)


def _come_back(line: BankLine, one: Payout) -> Candidate | None:
    """A payment of ours that the other bank sent back: when the line names it, or its payee, or says that it is one."""
    said = all_said(line).upper().replace(" ", "")
    named = bool(one.end_to_end_id) and one.end_to_end_id.upper() in said
    same = bool(name_of(one.name)) and name_of(line.counterparty) == name_of(one.name)
    returned = bool(line.references.get("returned"))
    if not (named or same or returned):
        return None
    reasons = [Reason("✓", _("same amount as a payment that left"))]
    reasons += [Reason("✓", _("the line names it"))] if named else []
    reasons += [Reason("✓", _("the bank says that it is a return"))] if returned else []
    reasons += [Reason("✓", _("same name: “%(name)s”") % {"name": one.name})] if same else []
    kind, key = ("refund_back", one.refund_id) if one.refund_id else ("payout_back", one.pk)
    title = _("The payment to %(name)s came back") % {"name": one.name}
    weight = 4 + 8 * named + 4 * returned + 3 * same
    return Candidate(kind, f"{kind}:{key}", title, reasons, weight, True, could_be_exact=named)


def date_of(day: date) -> str:
    """A day as ISO 8601: candidates are named alike in every language."""
    return day.isoformat()


def others_for(actor: User, lines: Sequence[BankLine]) -> Others:
    """What else may be of the amounts of some lines: five queries."""
    came = {line.amount for line in lines if line.amount > 0}
    left = {-line.amount for line in lines if line.amount < 0}
    found = Others(rules=list(MatchingRule.visible_to(actor).filter(off_at=None).exclude(number="").order_by("pk")))
    if came:
        deposits = Deposit.visible_to(actor).filter(total__in=came, state="prepared").order_by("prepared_on", "pk")
        found.deposits = _by(deposits, lambda one: (one.account_id, one.total, one.currency))
        sent = ProviderPayout.objects.filter(state="sent", amount__in=came).order_by("pk")
        found.provider = _by(sent, lambda one: (one.amount, one.currency))
        paid = Payout.objects.filter(state="settled", amount__in=came).select_related("batch").order_by("-pk")
        found.paid = _by(paid, lambda one: (one.batch.account_id, one.amount, one.batch.currency))
    if left:
        received = Payment.visible_to(actor).filter(state="succeeded", amount__in=left, taken_back=0)
        rows = received.select_related("pledge__organisation", "pledge__person", "pledge__donor").order_by("-pk")
        found.received = _by(rows, lambda one: (one.amount, one.currency))
    return found


def _by(rows: Any, key: Any) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for one in rows:
        found[key(one)].append(one)
    return dict(found)
