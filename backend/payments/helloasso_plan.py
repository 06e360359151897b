"""Weighs an export of HelloAsso: what each of its payments would become. Nothing is written here."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from allauth.account.models import EmailAddress
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import OPEN_TO_PLEDGES
from backend.core import crypto
from backend.core.errors import Invalid
from backend.core.money import format_money
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.payments.helloasso_file import CURRENCY, Row, plain, read_export
from backend.payments.helloasso_models import HelloAssoCampaign, HelloAssoLine
from backend.payments.services import TAKES_MONEY
from backend.pledges.models import Instalment, Pledge
from backend.pledges.references import find_references

LEAVE_OUT = "leave-out"  # of a campaign: for no budget
AS_GIFT = "gift"  # of a payment that looks like a pledge: it is none
HOW = {
    "reference": _("its reference"),
    "email": _("the same address and amount"),
    "name": _("the same name and amount"),
}


@dataclass(frozen=True)
class Choices:
    """What a person said in the preview: campaign → budget id or LEAVE_OUT; payment → AS_GIFT where a pledge is shown
    that it does not pay."""

    campaigns: Mapping[str, str] = field(default_factory=dict)
    payments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """What one line becomes: for a pledge, a gift to a budget, or left out; and what of it was given back since."""

    row: Row
    pledge: Pledge | None = None
    how: str = ""  # a key of HOW
    budget: Budget | None = None
    suggested: Pledge | None = None  # shown, and not taken, because the person said so


@dataclass
class Plan:
    """What importing a file would do. Amounts in cents."""

    sha256: str
    paid: list[Part] = field(default_factory=list)  # to pledges and gifts
    left_out: list[Part] = field(default_factory=list)
    refunds: list[tuple[Row, HelloAssoLine, int]] = field(default_factory=list)  # of payments imported before
    told: list[tuple[Row, HelloAssoLine]] = field(default_factory=list)  # known: only their payout is new
    known: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)  # received and given back before any import: nothing to book
    unpaid: list[int] = field(default_factory=list)
    refused: list[tuple[int, "str | Promise"]] = field(default_factory=list)
    campaigns: list[str] = field(default_factory=list)  # whose gifts are not pledges: a budget is wanted for each
    undecided: list[str] = field(default_factory=list)
    payouts: dict[str, int] = field(default_factory=dict)  # payout → cents that it carries, all imports together

    @property
    def gifts(self) -> list[Part]:
        """What becomes gifts to budgets."""
        return [part for part in self.paid if part.pledge is None]

    @property
    def to_pledges(self) -> list[Part]:
        """What pays pledges."""
        return [part for part in self.paid if part.pledge is not None]

    @property
    def amount(self) -> int:
        """Received, gross."""
        return sum(part.row.amount for part in self.paid)

    @property
    def fees(self) -> int:
        """What HelloAsso kept of it."""
        return sum(part.row.fee for part in self.paid)

    @property
    def given_back(self) -> int:
        """What goes back of payments, of this file or imported before."""
        return sum(part.row.refunded for part in self.paid) + sum(amount for _row, _line, amount in self.refunds)

    @property
    def out_of_scope(self) -> int:
        """The sum of what is left out."""
        return sum(part.row.amount - part.row.refunded for part in self.left_out)

    @property
    def empty(self) -> bool:
        """Whether importing would change nothing."""
        return not (self.paid or self.left_out or self.refunds or self.told)


def weigh(*, actor: User, data: bytes, choices: Choices) -> Plan:
    """What importing an export would do. Writes nothing.

    Raises: Forbidden; Invalid as `read_export`, `helloasso_no_account`.
    """
    require(actor, "bank.import")
    if not HostBankAccount.objects.filter(currency=CURRENCY).exists():
        raise Invalid("helloasso_no_account", _("The host has no bank account in euros: add one first."), param="file")
    export = read_export(data)
    plan = Plan(hashlib.sha256(data).hexdigest(), unpaid=export.unpaid, refused=list(export.refused))
    lines = _known({row.payment for row in export.rows})
    fresh = []
    for row in export.rows:
        mine = lines.get(row.payment, {})
        first = mine.get("payment") or mine.get("left_out")
        if first is not None:
            _again(plan, row, first, mine)
        elif row.amount < 0:
            plan.refused.append(
                (row.line, _("This refund is of a payment that was never imported: export its month as well."))
            )
        elif row.refunded == row.amount:
            plan.gone.append(row.line)
        else:
            fresh.append(row)
    _place(plan, fresh, choices, actor)
    plan.refused.sort(key=lambda one: one[0])
    plan.payouts = _payouts_with(plan)
    return plan


def _known(payments: set[str]) -> dict[str, dict[str, HelloAssoLine]]:
    """Payment → kind → the line that stands."""
    found: dict[str, dict[str, HelloAssoLine]] = defaultdict(dict)
    for line in HelloAssoLine.objects.filter(payment__in=payments, undone_at=None).select_related("pledge"):
        found[line.payment][line.kind] = line
    return found


def _again(plan: Plan, row: Row, first: HelloAssoLine, mine: Mapping[str, HelloAssoLine]) -> None:
    """A payment that was imported before: given back since, on its way to the bank since, or nothing new."""
    gross = row.amount if row.amount > 0 else first.amount
    if gross != first.amount:
        plan.refused.append(
            (
                row.line,
                _("Payment %(payment)s was imported as %(amount)s: a payment does not change.")
                % {"payment": row.payment, "amount": format_money(first.amount, CURRENCY)},
            )
        )
        return
    back = row.refunded if row.amount > 0 else -row.amount
    if back and "refund" in mine:
        if mine["refund"].amount != back:
            plan.refused.append((row.line, _("Another amount of this payment was given back in an earlier import.")))
            return
        back = 0
    if back > first.amount:
        plan.refused.append((row.line, _("More is given back than this payment brought.")))
        return
    if back:
        plan.refunds.append((row, first, back))
    if row.amount > 0 and row.payout and not first.payout:
        plan.told.append((row, first))
    elif not back:
        plan.known.append(row.line)


def _place(plan: Plan, rows: list[Row], choices: Choices, actor: User) -> None:
    """Say what each new payment becomes."""
    kept = dict(HelloAssoCampaign.objects.filter(name__in={row.campaign for row in rows}).values_list("name", "budget"))
    open_ones = {one.pk: one for one in giving_budgets()}
    taken: dict[str, int] = defaultdict(int)  # pledge → cents given to it by the lines before
    for row in rows:
        if row.bought:
            plan.left_out.append(Part(row))
            continue
        pledge, how = _pledge_of(row, taken)
        declined = choices.payments.get(row.payment) == AS_GIFT and how != "reference"
        if pledge is not None and not declined:
            taken[pledge.pk] += row.amount
            plan.paid.append(Part(row, pledge=pledge, how=how))
            continue
        if row.campaign not in plan.campaigns:
            plan.campaigns.append(row.campaign)
        said = choices.campaigns.get(row.campaign, "")
        if not said and row.campaign in kept:
            said = kept[row.campaign] or LEAVE_OUT
        if said == LEAVE_OUT:
            plan.left_out.append(Part(row, suggested=pledge, how=how))
        elif said in open_ones:
            plan.paid.append(Part(row, budget=open_ones[said], suggested=pledge, how=how))
        else:
            plan.paid.append(Part(row, suggested=pledge, how=how))
            if row.campaign not in plan.undecided:
                plan.undecided.append(row.campaign)


def giving_budgets() -> list[Budget]:
    """The budgets that a gift may be for, by name."""
    rows = Budget.objects.filter(state__in=OPEN_TO_PLEDGES, commons__state="open", currency=CURRENCY)
    return list(rows.select_related("commons", "parent").order_by("commons__name", "name"))


def _pledge_of(row: Row, taken: Mapping[str, int]) -> tuple[Pledge | None, str]:
    """The pledge that a payment pays, and by what it is known: a reference, or who gives and the very amount awaited.

    One pledge and no other: where two may be meant, none is.
    """
    named = find_references(row.text)
    rows = Pledge.objects.filter(currency=CURRENCY).select_related("budget__commons", "organisation", "person", "donor")
    if len(named) == 1:
        found = rows.filter(reference=named[0], state__in=TAKES_MONEY).order_by("pk").first()
        if found is not None:
            return found, "reference"
    awaiting = rows.filter(state="active", expected__gte=row.amount)
    if row.email:
        people = EmailAddress.objects.filter(email__iexact=row.email, verified=True).values_list("user", flat=True)
        theirs = awaiting.filter(person__in=list(people)) | awaiting.filter(
            donor__email_index=crypto.equality_index(row.email)
        )
        found = _the_one(list(theirs), row.amount, taken)
        if found is not None:
            return found, "email"
    if row.name:
        exact = [one for one in _awaiting_exactly(row.amount) if plain(one.payer_name) == plain(row.name)]
        found = _the_one(exact, row.amount, taken)
        if found is not None:
            return found, "name"
    return None, ""


def _awaiting_exactly(amount: int) -> list[Pledge]:
    """The pledges of which an instalment awaits exactly this."""
    rows = Instalment.objects.filter(state__in=Instalment.AWAITING, amount__gte=amount, currency=CURRENCY)
    keys = {one.pledge_id for one in rows if one.awaited == amount}
    found = Pledge.objects.filter(pk__in=keys, state="active")
    return list(found.select_related("budget__commons", "organisation", "person", "donor"))


def _the_one(pledges: list[Pledge], amount: int, taken: Mapping[str, int]) -> Pledge | None:
    """The one of these that awaits exactly this amount now; None when none or several do."""
    fit = []
    for one in {pledge.pk: pledge for pledge in pledges}.values():
        awaited = [row.awaited for row in one.instalments.filter(state__in=Instalment.AWAITING).order_by("number")]
        if amount in awaited and one.expected - taken.get(one.pk, 0) >= amount:
            fit.append(one)
    return fit[0] if len(fit) == 1 else None


def _payouts_with(plan: Plan) -> dict[str, int]:
    """What each payout named in the file carries, with what earlier imports said of it."""
    touched: dict[str, int] = defaultdict(int)
    for part in (*plan.paid, *plan.left_out):
        if part.row.payout:
            touched[part.row.payout] += part.row.amount - part.row.fee - part.row.refunded
    for row, first in plan.told:
        touched[row.payout] += first.money
    for row, _first, amount in plan.refunds:
        if row.amount < 0 and row.payout:
            touched[row.payout] -= amount
    for line in HelloAssoLine.objects.filter(payout__in=list(touched), undone_at=None):
        touched[line.payout] += line.money
    return dict(touched)
