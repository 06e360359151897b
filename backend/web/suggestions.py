"""Which pledges an unnamed credit may pay, and why: reasons are shown, nothing is decided here."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.banking.matching import all_said
from backend.banking.models import BankLine
from backend.banking.words import words_of
from backend.core.money import format_money
from backend.payments.models import Payment, ProviderPayout
from backend.payments.provider_payouts import named_in
from backend.pledges.models import Instalment, Pledge
from backend.pledges.references import find_references

NEAR = 4  # days that a payout may come before or after the day it was said for: week-ends, holidays
TELLING = 4  # letters of a word that may come close to another


@dataclass(frozen=True)
class Reason:
    """One argument: its sign (✓ agrees, ≈ comes close, ✗ does not), and its words."""

    sign: str
    text: str


@dataclass(frozen=True)
class Suggestion:
    """A pledge that a line may pay, with its reasons; the weight only orders them."""

    pledge: Pledge
    weight: int
    reasons: list[Reason]


def payout_reasons(line: BankLine, payout: ProviderPayout) -> list[Reason]:
    """Why a credit may be this payout of a provider, which is of its exact amount: its text, its day."""
    found = [Reason("✓", _("same amount"))]
    if named_in(payout, all_said(line)):
        found.append(Reason("✓", _("the line names it")))
    else:
        found.append(Reason("✗", _("the line does not name it")))
    days = abs((line.booked_on - payout.arrives_on).days)
    if not days:
        found.append(Reason("✓", _("on the day that the provider said")))
    else:
        words = ngettext("%(days)s day from what the provider said", "%(days)s days from what the provider said", days)
        found.append(Reason("≈" if days <= NEAR else "✗", words % {"days": days}))
    return found


@dataclass(frozen=True)
class _Known:
    """What is known of the pledges weighed together: reference → what its pledges await in all, pledge → its next
    instalment, and who paid from the account of the line before."""

    together: dict[str, int]
    following: dict[str, Instalment]
    payers: frozenset[str]


def suggest(line: BankLine, pledges: Sequence[Pledge]) -> list[Suggestion]:
    """The pledges, the likeliest first, each with its reasons. Args: line: a credit. pledges: of the same currency."""
    known = _known(line, pledges)
    found = [_weigh(line, pledge, known) for pledge in pledges]
    return sorted(found, key=lambda one: -one.weight)


def _known(line: BankLine, pledges: Sequence[Pledge]) -> _Known:
    sums = Pledge.objects.filter(reference__in={one.reference for one in pledges}, currency=line.currency)
    following: dict[str, Instalment] = {}
    awaiting = Instalment.objects.filter(pledge__in=[one.pk for one in pledges], state__in=Instalment.AWAITING)
    for row in awaiting.order_by("-due_on", "-number"):
        following[row.pledge_id] = row
    before = Payment.objects.filter(payer_index=line.counterparty_index).exclude(payer_index="")
    payers = before.values_list("pledge__organisation", "pledge__person", "pledge__donor").distinct()
    return _Known(
        together=dict(sums.values_list("reference").annotate(total=Sum("expected")).order_by()),
        following=following,
        payers=frozenset(str(key) for row in payers for key in row if key),
    )


def _weigh(line: BankLine, pledge: Pledge, known: _Known) -> Suggestion:
    reasons, weight = [], 0
    for points, reason in (
        _by_amount(line, pledge, known), _by_account(line, pledge, known), _by_name(line, pledge),
        _by_reference(line, pledge),
    ):  # fmt: skip
        if reason is not None:
            reasons.append(reason)
            weight += points
    return Suggestion(pledge, weight, reasons)


def _by_amount(line: BankLine, pledge: Pledge, known: _Known) -> tuple[int, Reason]:
    whole = known.together.get(pledge.reference, pledge.expected)
    following = known.following.get(pledge.pk)
    expected = format_money(whole, pledge.currency)
    if line.amount == whole:
        return 4, Reason("✓", _("same amount as expected"))
    if following is not None and line.amount == following.awaited:
        return 4, Reason("✓", _("same amount as its next instalment"))
    if line.amount < whole:
        return 1, Reason("≈", _("less than the %(expected)s expected") % {"expected": expected})
    return 0, Reason("✗", _("more than the %(expected)s expected") % {"expected": expected})


def _by_account(line: BankLine, pledge: Pledge, known: _Known) -> tuple[int, Reason | None]:
    """Whether who promised paid from this account before; nothing is said of an account that the bank does not show."""
    if not line.counterparty_index:
        return 0, None
    if pledge.payer_id in known.payers:
        return 5, Reason("✓", _("account already seen for this payer"))
    if known.payers:
        return 0, Reason("✗", _("account already seen for another payer"))
    return 0, Reason("✗", _("account never seen before"))


def _by_name(line: BankLine, pledge: Pledge) -> tuple[int, Reason]:
    name = pledge.payer_name
    wanted = words_of(name)
    seen = words_of(f"{line.counterparty} {line.text}")
    if wanted and all(word in seen for word in wanted):
        return 4, Reason("✓", _("same name: “%(name)s”") % {"name": name})
    for word in wanted:
        if len(word) < TELLING:
            continue
        close = get_close_matches(word, seen, n=1, cutoff=0.75)
        if close:
            values = {"seen": close[0], "name": name}
            return 2, Reason("≈", _("close name: “%(seen)s” / “%(name)s”") % values)
    return 0, Reason("✗", _("another name"))


def _by_reference(line: BankLine, pledge: Pledge) -> tuple[int, Reason]:
    found = find_references(" ".join([line.text, *(str(value) for value in line.references.values())]))
    if pledge.reference in found:
        return 8, Reason("✓", _("its reference is in the text, with others"))
    return 0, Reason("✗", _("reference absent"))
