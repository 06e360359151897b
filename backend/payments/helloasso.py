"""Takes in an export of HelloAsso: weighed first, then booked as a whole, each payment once whatever is given again."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time

from allauth.account.models import EmailAddress
from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import OPEN_TO_PLEDGES
from backend.core import crypto
from backend.core.errors import Conflict, Invalid
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.naming import language_of
from backend.identity.permissions import require
from backend.identity.services import host_day, host_zone
from backend.payments.helloasso_file import CURRENCY, Row, plain, read_export
from backend.payments.helloasso_models import HelloAssoCampaign, HelloAssoImport, HelloAssoLine
from backend.payments.models import Movement, ProviderPayout
from backend.payments.movements import book_movement
from backend.payments.providers.base import MovementFacts, MovementKind, PaymentFacts
from backend.payments.services import TAKES_MONEY
from backend.pledges.models import Donor, Instalment, Pledge
from backend.pledges.references import find_references, new_reference

PROVIDER = "helloasso"  # in the names of its purses
BANK_TEXT = "HELLOASSO"  # what the bank writes on the line of a payout
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


@transaction.atomic
def import_export(
    *, actor: User, data: bytes, choices: Choices, file_name: str, form_key: str, now: datetime
) -> HelloAssoImport:
    """Book an export, all of it or nothing; what is here already is left as it is.

    The ledger moves, for a payment: as `receive_transfer` says, out of what HelloAsso holds. For a fee: provider fees
    +, clearing −. For a refund: as `take_back` says. What is left out and on its way to the bank: clearing +, suspense
    of HelloAsso −. A payout moves nothing until a bank line shows it.
    Args: form_key: a repetition gives back the first import.
    Raises: as `weigh`; Invalid `helloasso_refused`, `helloasso_undecided`; Conflict `helloasso_nothing_new`,
        `helloasso_payout_seen`.
    """
    require(actor, "bank.import")
    with connection.cursor() as cursor:  # two imports at once know of each other's payments
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [PROVIDER])
    done = HelloAssoImport.objects.filter(made_by=actor, form_key=form_key).first()
    if done is not None:
        return done
    plan = weigh(actor=actor, data=data, choices=choices)
    _require_whole(plan)
    made = HelloAssoImport.objects.create(
        id=new_id("hai"), file_name=file_name[:120], sha256=plan.sha256, form_key=form_key, made_by=actor,
        rows=len(plan.paid) + len(plan.left_out) + len(plan.refunds) + len(plan.told), created_at=now,
    )  # fmt: skip
    for part in plan.paid:
        _book(made, part, actor, now)
    for part in plan.left_out:
        line = _keep(made, part.row, "left_out", part.row.amount, fee=part.row.fee, payout=part.row.payout)
        if part.row.refunded:
            _refund(made, part.row, line, part.row.refunded, now)
    for row, first, amount in plan.refunds:
        _refund(made, row, first, amount, now)
    for row, first in plan.told:
        first.payout, first.paid_with = row.payout, made
        first.save(update_fields=["payout", "paid_with"])
    for campaign in plan.campaigns:
        budget = next((part.budget for part in plan.paid if part.budget and part.row.campaign == campaign), None)
        HelloAssoCampaign.objects.update_or_create(name=campaign, defaults={"budget": budget})
    days = {row.payout: row.paid_on or row.day for row in _rows(plan) if row.payout}
    for payout in sorted(days):
        _carry_left_out(made, payout, now)
        settle_payout_row(payout, arrives_on=days[payout], now=now)
    record(
        "helloasso.imported", actor=actor, subject=made.pk, now=now, after={"rows": made.rows},
        scopes=sorted({part.budget.pk for part in plan.gifts if part.budget}), amount=plan.amount, currency=CURRENCY,
        sha256=plan.sha256,
    )  # fmt: skip
    return made


def _rows(plan: Plan) -> list[Row]:
    return [
        *(part.row for part in (*plan.paid, *plan.left_out)),
        *(row for row, _line in plan.told),
        *(row for row, _line, _amount in plan.refunds if row.amount < 0),
    ]


def _require_whole(plan: Plan) -> None:
    """Refuse what a person must correct or decide first."""
    if plan.refused:
        line, why = plan.refused[0]
        raise Invalid(
            "helloasso_refused",
            _("Nothing was imported: %(number)s lines are not understood. Line %(line)s: %(why)s")
            % {"number": len(plan.refused), "line": line, "why": why},
            param="file",
        )
    if plan.undecided:
        raise Invalid(
            "helloasso_undecided", _("Say which budget each campaign is for, or that it is left out."), param="campaign"
        )
    if plan.empty:
        raise Conflict("helloasso_nothing_new", _("All that this file says is here already: nothing was imported."))
    settled = ProviderPayout.objects.filter(provider=PROVIDER, state="settled", remote_id__in=list(plan.payouts))
    for row in settled:
        if row.amount != plan.payouts[row.remote_id]:
            raise Conflict(
                "helloasso_payout_seen",
                _(
                    "The bank showed payout %(payout)s as %(seen)s, and with this file it would be %(said)s. Take the"
                    " bank line and the payout apart first."
                )
                % {
                    "payout": row.remote_id,
                    "seen": format_money(row.amount, CURRENCY),
                    "said": format_money(plan.payouts[row.remote_id], CURRENCY),
                },
                param="file",
            )


def _keep(made: HelloAssoImport, row: Row, kind: str, amount: int, **more: object) -> HelloAssoLine:
    values: dict[str, object] = {"payout": "", **more}
    return HelloAssoLine.objects.create(
        brought=made, number=row.line, payment=row.payment, kind=kind, amount=amount, happened_on=row.day,
        campaign=row.campaign, paid_with=made if values["payout"] else None, **values,
    )  # fmt: skip


def _book(made: HelloAssoImport, part: Part, actor: User, now: datetime) -> None:
    """Book one payment, what HelloAsso kept of it, and what it gave back since."""
    row = part.row
    again = HelloAssoLine.objects.filter(payment=row.payment, kind="payment").exclude(undone_at=None).count()
    charge = f"{PROVIDER}:{row.payment}" + (f"~{again + 1}" if again else "")
    pledge = part.pledge
    if pledge is None:
        assert part.budget is not None, "a gift without a budget"
        pledge = _gift(part.budget, row, now)
    paid = PaymentFacts(
        remote_id=charge, charge=charge, state="succeeded", amount=row.amount, currency=CURRENCY, method="card",
        created_at=_at(row), group=pledge.group,
    )  # fmt: skip
    movement = _move(charge, "charge", row.amount, _at(row), now, charge=charge, payment=paid)
    if movement.state != "booked":
        raise Conflict(
            "helloasso_pledge_closed",
            _("Line %(line)s: the pot of its pledge takes no money any more. Choose “a gift” for it.")
            % {"line": row.line},
            param="file",
        )
    if row.fee:
        _move(f"{charge}:fee", "fee", -row.fee, _at(row), now)
    line = _keep(
        made, row, "payment", row.amount, fee=row.fee, payout=row.payout, charge=charge, pledge=pledge,
        made_pledge=part.pledge is None,
    )  # fmt: skip
    if row.refunded:
        _refund(made, row, line, row.refunded, now)


def _refund(made: HelloAssoImport, row: Row, first: HelloAssoLine, amount: int, now: datetime) -> None:
    """Book that HelloAsso gave a payment back. Of what was left out, nothing was booked that could go back."""
    payout = row.payout if row.amount < 0 or first.brought_id == made.pk else ""
    line = _keep(made, row, "refund", amount, payout=payout, charge=first.charge, pledge=first.pledge)
    if first.charge:
        told = row.amount < 0 or first.brought_id == made.pk  # else nobody says on which day it went back
        at = _at(row) if told else now
        _move(back_key(line), "refund", -amount, at, now, charge=first.charge)


def back_key(line: HelloAssoLine) -> str:
    """How the books name a refund."""
    return f"{line.charge}:back:{line.pk}"


def _move(
    remote_id: str,
    kind: MovementKind,
    amount: int,
    at: datetime,
    now: datetime,
    *,
    charge: str = "",
    payment: PaymentFacts | None = None,
) -> Movement:
    facts = MovementFacts(
        remote_id=remote_id, kind=kind, amount=amount, fee=0, currency=CURRENCY, happened_at=at, of=remote_id,
        charge=charge,
    )  # fmt: skip
    return book_movement(provider=PROVIDER, facts=facts, payment=payment, told_by="import", now=now)


def _at(row: Row) -> datetime:
    """Noon of the day of a payment, where the host is."""
    return datetime.combine(row.day, time(12), host_zone())


def _gift(budget: Budget, row: Row, now: datetime) -> Pledge:
    """Write down who gave, as a gift without an account: they are not written to, and may take it into an account with
    the same address. The address itself is not kept."""
    key = new_id("don")
    donor = Donor.objects.create(
        id=key, name_sealed=crypto.seal_for(key, row.name or "HelloAsso", bound_to=key), email_sealed="",
        email_index=crypto.equality_index(row.email) if row.email else "", language=language_of("fr"), created_at=now,
    )  # fmt: skip
    pledge = Pledge.objects.create(
        id=new_id("plg"), budget=budget, donor=donor, made_by=None, amount=row.amount, currency=CURRENCY,
        starts_on=row.day, visibility="anonymous", group=new_id("grp"), reference=new_reference(), form_key=key,
        means="card", created_at=now,
    )  # fmt: skip
    Instalment.objects.create(
        id=new_id("ins"), pledge=pledge, number=1, due_on=row.day, amount=row.amount, currency=CURRENCY,
        state="called", called_at=now, created_at=now,
    )  # fmt: skip
    return pledge


def _carry_left_out(made: HelloAssoImport, payout: str, now: datetime) -> None:
    """What a payout carries that is for no pot waits in suspense: it comes to the bank with the rest."""
    lines = HelloAssoLine.objects.filter(payout=payout, paid_with=made, undone_at=None)
    mine = [line for line in lines if not line.charge]
    amount = sum(line.money for line in mine)
    if amount:
        key = left_out_key(made, payout)
        facts = MovementFacts(
            remote_id=key, kind="other", amount=amount, fee=0, currency=CURRENCY, happened_at=now, of=payout, charge=key
        )
        book_movement(provider=PROVIDER, facts=facts, told_by="import", now=now)


def left_out_key(made: HelloAssoImport, payout: str) -> str:
    """How the books name what a payout carries that an import left out."""
    return f"{PROVIDER}:{made.pk}:{payout}"


def settle_payout_row(payout: str, *, arrives_on: object = None, now: datetime) -> None:
    """Write down what a payout carries, as all imports that stand say it; nothing is left of one that carries nothing.

    The caller has compared it with what the bank showed.
    """
    lines = HelloAssoLine.objects.filter(payout=payout, undone_at=None)
    amount = sum(line.money for line in lines)
    row = ProviderPayout.objects.select_for_update().filter(provider=PROVIDER, remote_id=payout).first()
    if row is None:
        if amount > 0:
            ProviderPayout.objects.create(
                id=new_id("ppo"), provider=PROVIDER, remote_id=payout, amount=amount, currency=CURRENCY,
                text=BANK_TEXT, arrives_on=arrives_on or host_day(now), created_at=now,
            )  # fmt: skip
        return
    if row.state == "settled":
        return
    if amount > 0:
        row.amount, row.state = amount, "sent"
        if arrives_on is not None:
            row.arrives_on = arrives_on  # type: ignore[assignment]
    else:
        row.state = "withdrawn"
    row.save(update_fields=["amount", "state", "arrives_on"])
