"""What lines that wait may be, and why: read only, and strict about what is called exact.

Exact: one candidate alone, its amount equal to the cent, and another independent reason (its reference, an account seen
before for this payer, the same name), with nothing that speaks against it. All the rest is only likely.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from django.utils.translation import gettext as _

from backend.banking.groups import Group, Known, known_for
from backend.banking.models import BankLine
from backend.banking.other_candidates import Others, others_for
from backend.banking.reasons import Candidate, Reason
from backend.banking.words import name_of, words_of
from backend.core.money import format_money
from backend.identity.models import User
from backend.pledges.models import Pledge

STRONG = {"reference", "account", "name"}
FEW_CANDIDATES = 5
Said = tuple[int, set[str], list[Reason]]  # points, what speaks for it (or `against`), in words


@dataclass
class Proposals:
    """The candidates of some lines, the best first; `best` is the one that a click accepts."""

    of: dict[int, list[Candidate]] = field(default_factory=dict)

    def best(self, line: BankLine) -> Candidate | None:
        """The first candidate of a line."""
        return next(iter(self.of.get(line.pk, [])), None)


def propose(actor: User, lines: Sequence[BankLine]) -> Proposals:
    """The candidates of waiting lines. A few queries, however many lines; writes nothing."""
    waiting = [line for line in lines if line.state == "suggested"]
    if not waiting:
        return Proposals()
    # Lines of one amount are looked at together: two that are as good for one pledge are exact for none.
    alike = BankLine.visible_to(actor).filter(state="suggested", amount__in={line.amount for line in waiting})
    every = {line.pk: line for line in [*alike, *waiting]}
    known, others = known_for(actor, list(every.values())), others_for(actor, list(every.values()))
    found = {pk: _candidates(line, known, others) for pk, line in every.items()}
    _apart(found, every)
    return Proposals({line.pk: found[line.pk][:FEW_CANDIDATES] for line in waiting})


def _apart(found: dict[int, list[Candidate]], lines: dict[int, BankLine]) -> None:
    """Two lines that are exactly the same thing are not: a person says which."""
    takers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for pk, candidates in found.items():
        for one in candidates[:1]:
            if one.amount_ok and one.rival and one.kind != "own":
                takers[one.key, lines[pk].currency].append(pk)
    for (key, _currency), pks in takers.items():
        if len(pks) > 1:
            for pk in pks:
                for one in found[pk]:
                    if one.exact and one.key == key:
                        one.exact = False
                        one.reasons.append(Reason("✗", _("another line that waits may be this one too")))


def _candidates(line: BankLine, known: Known, others: Others) -> list[Candidate]:
    found = others.of(line)
    if line.amount > 0:
        found += _pledges(line, known)
    found.sort(key=lambda one: (-one.weight, one.key))
    if found and found[0].could_be_exact:
        first, rivals = found[0], [one for one in found[1:] if one.amount_ok and one.rival]
        first.exact = not rivals
        if rivals:
            first.reasons.append(Reason("✗", _("something else is of this amount too")))
    return found


def _pledges(line: BankLine, known: Known) -> list[Candidate]:
    return _Scale(line, known).candidates()


class _Scale:
    """Weighs the pledges that one credit may pay."""

    def __init__(self, line: BankLine, known: Known) -> None:
        """Read what the line says."""
        self.line, self.known = line, known
        self.named, self.near = known.named(line)
        self.payers = known.payers_of(line.counterparty_index)
        self.name = name_of(line.counterparty)
        self.taught = known.taught(line)

    def candidates(self) -> list[Candidate]:
        """Those that something speaks for, in no order."""
        known, groups = self.known, {}
        for group in (
            *known.by_amount.get(self.line.amount, ()), *self.named, *self.near, *known.of_payers(self.payers),
            *known.by_words(self.line),
        ):  # fmt: skip
            if group.currency == self.line.currency:
                groups[group.reference] = group
        found = [one for group in groups.values() if (one := self._weigh(group))]
        return found + self._several(groups.values())

    def _weigh(self, group: Group) -> Candidate | None:
        """One candidate with its reasons; None when too little speaks for it."""
        amount = group.amount_reason(self.line.amount)
        weight = {"✓": 4, "≈": 1}.get(amount.sign, 0)
        reasons, supports = [amount], set()
        for look in (self._by_reference, self._by_account, self._by_name):
            points, support, found = look(group)
            weight += points
            supports |= support
            reasons += found
        against = "against" in supports
        supports.discard("against")
        # A first name alone, or another amount and a part of a name, is nobody.
        if not supports - {"overlap"} and not (amount.sign == "✓" and supports):
            return None
        if amount.sign == "✗" and not supports & {"reference", "near"}:
            return None
        strong = supports & STRONG
        # Somebody of another name pays from the account of this payer.
        unlike = strong == {"account"} and bool(self.name) and "overlap" not in supports
        equal = amount.sign == "✓"
        return Candidate(
            kind="pledge", key=f"pledge:{group.first.pk}", title=group.title, reasons=reasons,
            weight=weight - (6 if against else 0), amount_ok=equal, pledge=group.first,
            could_be_exact=equal and amount.single and bool(strong) and not against and not unlike,
            rival=bool(supports - {"overlap"}),
        )  # fmt: skip

    def _by_reference(self, group: Group) -> Said:
        found, supports, points = [], set(), 0
        if group in self.named:
            points = 8
            supports.add("reference")
            found.append(Reason("✓", _("its reference is in the text")))
        elif group in self.near:
            points = 3
            supports.add("near")
            found.append(Reason("≈", _("a reference that comes close to its own, or a part of it")))
        if any(other is not group for other in [*self.named, *self.near]):
            supports.add("against")
            found.append(Reason("✗", _("the text comes close to the reference of another pledge")))
        return points, supports, found

    def _by_account(self, group: Group) -> Said:
        if not self.line.counterparty_index:
            return 0, set(), []
        if group.payer in self.payers and len(self.payers) == 1:
            return 5, {"account"}, [Reason("✓", _("account already seen for this payer"))]
        if group.payer in self.payers:
            return 3, {"shared"}, [Reason("≈", _("account seen for several payers"))]
        if self.payers:
            return 0, {"against"}, [Reason("✗", _("account already seen for another payer"))]
        if self.known.accounts_of(group.payer):
            return 0, {"against"}, [Reason("✗", _("this payer paid from another account before"))]
        return 0, set(), []

    def _by_name(self, group: Group) -> Said:
        name = self.name
        values = {"name": group.payer_name}
        close = bool(group.name) and (
            group.name <= name | frozenset(words_of(self.line.text)) or group.close(name)
        )  # fmt: skip
        said: Said = (0, set(), [Reason("✗", _("another name"))] if name else [])
        if name and name == group.name:
            telling = len(name) > 1 or (group.organised and len(next(iter(name))) > 5)
            if telling and len(self.known.named_so(name)) == 1:
                said = 4, {"name", "overlap"}, [Reason("✓", _("same name: “%(name)s”") % values)]
            else:
                words = _("same name, which is not of one payer only")
                said = 2, {"overlap", "close"}, [Reason("≈", words)]
        elif group.payer in self.taught:
            words = _("a rule says that “%(name)s” pays for it") % {"name": self.line.counterparty}
            said = 4, {"name", "overlap"}, [Reason("✓", words)]
        elif name and self.known.named_so(name):
            said = 0, {"against"}, [Reason("✗", _("the name of another payer"))]
        elif close:
            said = 2, {"overlap", "close"}, [Reason("≈", _("close name: “%(name)s”") % values)]
        elif group.name & name:
            said = 1, {"overlap"}, [Reason("≈", _("a part of the name is the same"))]
        return said

    def _several(self, groups: Iterable[Group]) -> list[Candidate]:
        """Several pledges of one payer that add up to the line: two of them, or all; never exact."""
        of_payer: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            if group.payer in self.payers | self.taught or (self.name and group.name == self.name):
                of_payer[group.payer].append(group)
        found: dict[str, Candidate] = {}
        for mine in of_payer.values():
            mine.sort(key=lambda one: one.reference)
            sets = [mine] if len(mine) > 2 else []
            sets += [list(pair) for pair in combinations(mine[:12], 2)]
            for chosen in sets:
                for parts in (
                    [part for one in chosen for part in one.whole_parts()],
                    [part for one in chosen for part in one.next_parts()],
                ):
                    if sum(amount for _pledge, amount in parts) == self.line.amount:
                        one = self._sum(chosen[0], parts)
                        found.setdefault(one.key, one)
        return list(found.values())[:3]

    def _sum(self, group: Group, parts: list[tuple[Pledge, int]]) -> Candidate:
        values = {"number": len(parts), "amount": format_money(self.line.amount, self.line.currency)}
        reasons = [
            Reason("✓", _("%(number)s pledges of this payer come to %(amount)s") % values),
            Reason("≈", _("the payer of this account or name")),
        ]
        key = "+".join(pledge.pk for pledge, _amount in parts)
        return Candidate("pledges", f"pledges:{key}", group.payer_name, reasons, 6, amount_ok=True, parts=parts)
