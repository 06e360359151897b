"""What is known of the pledges that await money, gathered once for many lines: by amount, payer, name and reference."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from typing import TypeVar

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.banking.identifying import identifiable
from backend.banking.matching import all_said
from backend.banking.models import BankLine, MatchingRule
from backend.banking.reasons import Reason
from backend.banking.words import name_of
from backend.core.money import format_money
from backend.identity.models import User
from backend.payments.models import Payment
from backend.pledges.models import Instalment, Pledge
from backend.pledges.references import find_references

PAYER = ("organisation", "person", "donor")
LENGTH = 16  # of a reference
PIECE = 10  # characters of one that are enough to think of it
CLOSE = 0.84
K = TypeVar("K")


@dataclass(eq=False)
class Group:
    """The pledges of one reference, which one transfer pays together, and what their instalments await."""

    reference: str
    pledges: list[Pledge]
    instalments: dict[str, list[Instalment]] = field(default_factory=dict)

    @property
    def first(self) -> Pledge:
        """The pledge that stands for all."""
        return self.pledges[0]

    @property
    def payer(self) -> str:
        """The id of who promises."""
        return self.first.payer_id

    @property
    def payer_name(self) -> str:
        """Who promises, as treasurers read it."""
        return self.first.payer_name

    @property
    def organised(self) -> bool:
        """Whether it is an organisation that promises."""
        return self.first.organisation_id is not None

    @cached_property
    def name(self) -> frozenset[str]:
        """The words of the payer's name."""
        return name_of(self.payer_name)

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return self.first.currency

    @property
    def title(self) -> str:
        """Who and for what, in a line."""
        values = {"name": self.payer_name, "budget": self.first.budget.full_name}
        return _("%(name)s, for %(budget)s") % values

    @property
    def whole(self) -> int:
        """All that is awaited, minor units."""
        return sum(one.expected for one in self.pledges)

    @cached_property
    def sums(self) -> list[int]:
        """What the first day of instalments awaits, then the first two together, and so on."""
        days: dict[object, int] = defaultdict(int)
        for rows in self.instalments.values():
            for row in rows:
                days[row.due_on] += row.awaited
        found, total = [], 0
        for day in sorted(days, key=str)[:12]:
            total += days[day]
            found.append(total)
        return found

    def amounts(self) -> set[int]:
        """The amounts that pay it to the cent."""
        return {self.whole, *self.sums}

    def whole_parts(self) -> list[tuple[Pledge, int]]:
        """All that each pledge awaits."""
        return [(one, one.expected) for one in self.pledges if one.expected]

    def next_parts(self) -> list[tuple[Pledge, int]]:
        """What the next instalment of each pledge awaits."""
        return [(one, rows[0].awaited) for one in self.pledges if (rows := self.instalments.get(one.pk))]

    def amount_reason(self, amount: int) -> Reason:
        """What an amount says of it."""
        expected = {"expected": format_money(self.whole, self.currency)}
        if self.sums and amount == self.sums[0] and amount != self.whole:
            return Reason("✓", _("same amount as its next instalment"))
        if amount == self.whole:
            return Reason("✓", _("same amount as expected"))
        if amount in self.sums:
            number = self.sums.index(amount) + 1
            words = ngettext("its next %(number)s instalment", "its next %(number)s instalments together", number)
            return Reason("✓", words % {"number": number}, single=False)
        if amount < self.whole:
            for wanted in (self.whole, *self.sums[:1]):
                if 0 < wanted - amount <= max(wanted // 20, 5_00) and amount * 2 > wanted:
                    less = format_money(wanted - amount, self.currency)
                    return Reason("≈", _("%(less)s less than expected: a bank may have kept fees") % {"less": less})
            return Reason("≈", _("less than the %(expected)s expected") % expected)
        return Reason("✗", _("more than the %(expected)s expected") % expected)

    def close(self, name: frozenset[str]) -> bool:
        """Whether a name comes close to the payer's: a letter more, less or other."""
        if not name or not self.name:
            return False
        ours, theirs = " ".join(sorted(self.name)), " ".join(sorted(name))
        return SequenceMatcher(None, ours, theirs).ratio() >= CLOSE


@dataclass
class Known:
    """All groups that await money, and how they are found."""

    groups: list[Group]
    seen: dict[str, frozenset[str]]  # account → the payers that paid from it
    accounts: dict[str, set[str]]  # payer → the accounts it paid from
    rules: list[MatchingRule]

    @cached_property
    def by_amount(self) -> dict[int, list[Group]]:
        """Amount → the groups that it pays to the cent."""
        return _index((amount, one) for one in self.groups for amount in one.amounts())

    @cached_property
    def by_reference(self) -> dict[str, Group]:
        """Reference → its group."""
        return {one.reference: one for one in self.groups}

    @cached_property
    def by_payer(self) -> dict[str, list[Group]]:
        """Payer → their groups."""
        return _index((one.payer, one) for one in self.groups)

    @cached_property
    def by_word(self) -> dict[str, list[Group]]:
        """A word of a name → its groups."""
        return _index((word, one) for one in self.groups for word in one.name)

    @cached_property
    def names(self) -> dict[frozenset[str], set[str]]:
        """A name → the payers who have it."""
        found: dict[frozenset[str], set[str]] = defaultdict(set)
        for one in self.groups:
            found[one.name].add(one.payer)
        return found

    @cached_property
    def pieces(self) -> dict[str, list[Group]]:
        """A part of a reference, or all of it but one character → its groups."""
        rows = []
        for one in self.groups:
            text = one.reference
            rows += [(text[start : start + PIECE], one) for start in range(LENGTH - PIECE + 1)]
            rows += [(f"{text[:place]}*{text[place + 1 :]}", one) for place in range(len(text))]
        return _index(rows)

    def named(self, line: BankLine) -> tuple[list[Group], list[Group]]:
        """The groups whose reference a line says, and those whose reference comes close to what it says."""
        text = all_said(line)
        named = [self.by_reference[one] for one in find_references(text) if one in self.by_reference]
        tight = re.sub(r"[^A-Z0-9]", "", text.upper())
        near: dict[str, Group] = {}
        for start in range(min(len(tight) - PIECE + 1, 400)):
            for group in self.pieces.get(tight[start : start + PIECE], ()):
                near[group.reference] = group
            window = tight[start : start + LENGTH]
            if (len(window) == LENGTH and window.startswith(("R", "F", "RF"))) or window[1:2] == "F":
                for place in range(len(window)):
                    for group in self.pieces.get(f"{window[:place]}*{window[place + 1 :]}", ()):
                        near[group.reference] = group
        return named, [one for one in near.values() if one not in named]

    def payers_of(self, account: str) -> frozenset[str]:
        """Who paid from an account before."""
        return self.seen.get(account, frozenset()) if account else frozenset()

    def accounts_of(self, payer: str) -> set[str]:
        """The accounts that a payer paid from before."""
        return self.accounts.get(payer, set())

    def of_payers(self, payers: Iterable[str]) -> list[Group]:
        """Their groups."""
        return [group for payer in payers for group in self.by_payer.get(payer, ())]

    def by_words(self, line: BankLine) -> list[Group]:
        """The groups of which a word of the name stands in the line's, and those that a rule teaches."""
        words = name_of(line.counterparty) or name_of(line.text)
        found = {one.reference: one for word in words for one in self.by_word.get(word, ())[:200]}
        return [*found.values(), *self.of_payers(self.taught(line))]

    def named_so(self, name: frozenset[str]) -> set[str]:
        """The payers of exactly this name."""
        return self.names.get(name, set())

    def taught(self, line: BankLine) -> set[str]:
        """The payers that a rule says a name pays for."""
        words = " ".join(sorted(name_of(line.counterparty)))
        return {one.payer for one in self.rules if one.payer and one.credit and one.words == words}


def _index(rows: Iterable[tuple[K, Group]]) -> dict[K, list[Group]]:
    found: dict[K, list[Group]] = defaultdict(list)
    for key, group in rows:
        if group not in found[key]:
            found[key].append(group)
    return dict(found)


def known_for(actor: User, lines: Sequence[BankLine]) -> Known:
    """What is known of the pledges that some lines may pay: five queries."""
    credits = [line for line in lines if line.amount > 0]
    if not credits:
        return Known([], {}, {}, [])
    by_reference: dict[str, list[Pledge]] = defaultdict(list)
    for currency in sorted({line.currency for line in credits}):
        rows = identifiable(actor, currency).filter(expected__gt=0).exclude(state="written_off")
        for one in rows.select_related(*PAYER, "budget__commons", "budget__parent").order_by("pk"):
            by_reference[f"{one.reference}"].append(one)
    groups = [Group(reference, pledges) for reference, pledges in by_reference.items()]
    of = {pledge.pk: group for group in groups for pledge in group.pledges}
    awaiting = Instalment.objects.filter(pledge__in=list(of), state__in=Instalment.AWAITING).order_by(
        "due_on", "number"
    )
    for row in awaiting:
        if row.awaited:
            of[row.pledge_id].instalments.setdefault(row.pledge_id, []).append(row)
    # A payment of a pledge that was not its money teaches nothing.
    paid = Payment.objects.filter(state__in=["succeeded", "won"]).exclude(payer_index="")
    wanted = {line.counterparty_index for line in credits} - {""}
    mine = Q(payer_index__in=wanted)
    for who in PAYER:
        keys = {getattr(one, f"{who}_id") for group in groups for one in group.pledges} - {None}
        mine |= Q(**{f"pledge__{who}__in": keys})
    seen: dict[str, set[str]] = defaultdict(set)
    accounts: dict[str, set[str]] = defaultdict(set)
    names = [f"pledge__{one}" for one in PAYER]
    for account, *payers in paid.filter(mine).values_list("payer_index", *names).distinct():
        payer = next(str(key) for key in payers if key)
        seen[account].add(payer)
        accounts[payer].add(account)
    rules = list(MatchingRule.visible_to(actor).filter(off_at=None).exclude(payer=""))
    return Known(groups, {key: frozenset(value) for key, value in seen.items()}, dict(accounts), rules)
